/* JSON values for --json. json.c is the only file that uses jansson. */
#ifndef DEEPER_CLI_JSON_H
#define DEEPER_CLI_JSON_H

#include <deeper/deeper.h>

typedef struct out_value out_value;

bool out_available(void);
out_value *out_object(void);
out_value *out_array(void);
out_value *out_text(const char *text);
out_value *out_real(double value); /* null when not finite */
out_value *out_count(uint64_t value);
out_value *out_flag(bool value);
void out_set(out_value *object, const char *key, out_value *value); /* takes value */
void out_append(out_value *array, out_value *value);                /* takes value */
/* One line on the stream; frees the value. */
void out_print(out_value *value, void *stream /* FILE* */);

#endif
