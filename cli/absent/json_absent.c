/* Without jansson there is no JSON: main refuses --json and --log before any of the others is called. */
#include "../json.h"

bool out_available(void) {
    return false;
}
out_value *out_object(void) {
    return NULL;
}
out_value *out_array(void) {
    return NULL;
}
out_value *out_count(uint64_t value) {
    return (void)value, NULL;
}
out_value *out_flag(bool value) {
    return (void)value, NULL;
}
out_value *out_text(const char *text) {
    return (void)text, NULL;
}
out_value *out_real(double value) {
    return (void)value, NULL;
}
void out_set(out_value *object, const char *key, out_value *value) {
    (void)object, (void)key, (void)value;
}
void out_append(out_value *array, out_value *value) {
    (void)array, (void)value;
}
void out_print(out_value *value, void *stream) {
    (void)value, (void)stream;
}
