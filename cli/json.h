/* JSON values for --json and --log. json.c is the only file that uses jansson; without it the
 * functions of absent/json_absent.c stand in, and main refuses those options.
 * Memory that runs out makes values NULL, which all functions take; out_failed tells in the end. */
#ifndef DEEPER_CLI_JSON_H
#define DEEPER_CLI_JSON_H

#include <deeper/deeper.h>
#include <stdio.h>

typedef struct out_value out_value;

bool out_available(void);
out_value *out_object(void);
out_value *out_array(void);
out_value *out_text(const char *text); /* bytes that are not UTF-8 become '?' */
out_value *out_real(double value);     /* null where it is not finite */
out_value *out_count(uint64_t value);
out_value *out_flag(bool value);
void out_set(out_value *object, const char *key, out_value *value); /* takes value */
void out_append(out_value *array, out_value *value);                /* takes value */
void out_print(out_value *value, FILE *to);                         /* as one line; takes value */
bool out_failed(void);                                              /* a line was lost */

#endif
