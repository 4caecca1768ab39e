/* JSON by jansson (json.h). Reals have 15 digits: 0.9835, not 0.98350000000000004. */
#include "json.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool failed;

/* A jansson value under our name. */
static out_value *wrap(json_t *value) {
    failed = failed || value == NULL;
    return (out_value *)(void *)value;
}

static json_t *unwrap(out_value *value) {
    return (json_t *)(void *)value;
}

bool out_available(void) {
    return true;
}

bool out_failed(void) {
    return failed;
}

out_value *out_object(void) {
    return wrap(json_object());
}

out_value *out_array(void) {
    return wrap(json_array());
}

out_value *out_count(uint64_t value) {
    return wrap(json_integer((json_int_t)value));
}

out_value *out_flag(bool value) {
    return wrap(json_boolean(value));
}

out_value *out_real(double value) {
    return wrap(isfinite(value) ? json_real(value) : json_null());
}

/* Names of files need not be UTF-8. */
out_value *out_text(const char *text) {
    json_t *value = json_string(text);
    char *plain = value == NULL ? strdup(text) : NULL;
    for (char *p = plain; p != NULL && *p != '\0'; p++)
        *p = (unsigned char)*p < 0x80 ? *p : '?';
    if (plain != NULL)
        value = json_string(plain);
    free(plain);
    return wrap(value);
}

void out_set(out_value *object, const char *key, out_value *value) {
    if (json_object_set_new(unwrap(object), key, unwrap(value)) != 0)
        failed = true;
}

void out_append(out_value *array, out_value *value) {
    if (json_array_append_new(unwrap(array), unwrap(value)) != 0)
        failed = true;
}

void out_print(out_value *value, FILE *to) {
    if (json_dumpf(unwrap(value), to, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0)
        failed = true;
    fputc('\n', to);
    fflush(to);
    json_decref(unwrap(value));
}
