/* A strict reader of JSON (RFC 8259) for what files from outside carry: the header of a safetensors
 * file and the record of a training run. Everything unusual is refused, with the place: duplicate
 * keys, depth beyond 16, more than a million values, NUL in strings, bytes that are no UTF-8. */
#ifndef DPR_TRAIN_JSON_H
#define DPR_TRAIN_JSON_H

#include "base/memory.h"
#include "base/text.h"

typedef enum dpr__json_type {
    DPR__JSON_NULL,
    DPR__JSON_FALSE,
    DPR__JSON_TRUE,
    DPR__JSON_NUMBER,
    DPR__JSON_STRING,
    DPR__JSON_ARRAY,
    DPR__JSON_OBJECT,
} dpr__json_type;

typedef struct dpr__json {
    dpr__json_type type;
    const char *key;                      /* of a member of an object; NULL otherwise */
    const char *text;                     /* a string's value; a number as it is written */
    const struct dpr__json *first, *next; /* an array's or object's items, in order */
    size_t n;                             /* items */
} dpr__json;

/* The whole of text[0 … n) as one value; it lives in the arena. `name` is used in messages. */
dpr_status dpr__json_parse(dpr__arena *arena, const char *name, const char *text, size_t n,
                           const dpr__json **out);

/* An object's member; NULL where there is none or `object` is no object. */
const dpr__json *dpr__json_get(const dpr__json *object, const char *key);
/* The text of a string; NULL for anything else, NULL included. */
const char *dpr__json_string(const dpr__json *value);
/* False when value is NULL or no such number. */
bool dpr__json_u64(const dpr__json *value, uint64_t *out);
bool dpr__json_double(dpr_context *context, const dpr__json *value, double *out);

/* Adds a finite number in the fewest digits that read back as the same double. */
void dpr__json_add_double(dpr__text *text, double value);

#endif
