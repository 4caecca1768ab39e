/* A build without jansson: main asks out_available and refuses --json and --log, so that nothing
 * else here is called. */
#include "../json.h"

bool out_available(void) {
    return false;
}

bool out_failed(void) {
    return false;
}

out_value *out_object(void) {
    return NULL;
}

out_value *out_array(void) {
    return NULL;
}

out_value *out_count(uint64_t value) {
    (void)value;
    return NULL;
}

out_value *out_flag(bool value) {
    (void)value;
    return NULL;
}

out_value *out_text(const char *text) {
    (void)text;
    return NULL;
}

out_value *out_real(double value) {
    (void)value;
    return NULL;
}

void out_set(out_value *object, const char *key, out_value *value) {
    (void)object;
    (void)key;
    (void)value;
}

void out_append(out_value *array, out_value *value) {
    (void)array;
    (void)value;
}

void out_print(out_value *value, FILE *to) {
    (void)value;
    (void)to;
}
