/* JSON by jansson (json.h). Reals are printed with 15 digits: 0.9835, not 0.98350000000000004. */
#include "json.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>

static out_value *from(json_t *value) {
    return (out_value *)(void *)value;
}
static json_t *to(out_value *value) {
    return (json_t *)(void *)value;
}

bool out_available(void) {
    return true;
}
out_value *out_object(void) {
    return from(json_object());
}
out_value *out_array(void) {
    return from(json_array());
}
out_value *out_count(uint64_t value) {
    return from(json_integer((json_int_t)value));
}
out_value *out_flag(bool value) {
    return from(json_boolean(value));
}

/* File names need not be UTF-8; JSON must be. */
out_value *out_text(const char *text) {
    json_t *value = json_string(text);
    return from(value ? value : json_string("(not UTF-8)"));
}

out_value *out_real(double value) {
    return from(isfinite(value) ? json_real(value) : json_null());
}

void out_set(out_value *object, const char *key, out_value *value) {
    json_object_set_new(to(object), key, to(value));
}

void out_append(out_value *array, out_value *value) {
    json_array_append_new(to(array), to(value));
}

void out_print(out_value *value, void *stream) {
    json_dumpf(to(value), stream, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    fputc('\n', stream);
    fflush(stream);
    json_decref(to(value));
}
