/* Contact sheets: what cannot be drawn is refused, and leaves no file. */
#include "data_support.h"

static dpr_data *make_set(dpr_context *context, size_t n, int64_t channels) {
    static const uint8_t images[3 * 5 * 4 * 4];
    static const int32_t labels[3] = {1, 0, 1};
    dpr_data *data = NULL;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(5, 4, channels);
    info.n_classes = 40; /* most of them without an image */
    dpr_status status = dpr_data_create(context, &info, images, labels, n, NULL, NULL, &data);
    return status == DPR_OK ? data : NULL;
}

static void refusals(void **state) {
    (void)state;
    struct tree tree;
    tree_make(&tree);
    const char *path = tree_path(&tree, "sheet.png");
    dpr_context *context = make_context(1);
    for (int64_t channels = 1; channels <= 4; channels++) {
        dpr_data *data = make_set(context, 3, channels);
        if (channels % 2 == 0) {
            FAILS(context, dpr_data_preview(data, "flip", 1, path), DPR_E_DATA, "one or three");
        } else {
            OK(context, dpr_data_preview(data, "flip,crop=1", 1, path));
            OK(context, dpr_data_preview(data, NULL, 1, path));
            assert_int_equal(unlink(path), 0);
            FAILS(context, dpr_data_preview(data, "crop=4", 1, path), DPR_E_ARGUMENT, "crop=4");
        }
        assert_int_not_equal(access(path, F_OK), 0);
        dpr_data_destroy(data);
    }
    dpr_data *none = make_set(context, 0, 1);
    FAILS(context, dpr_data_preview(none, NULL, 1, path), DPR_E_DATA, "holds no images");
    dpr_data_destroy(none);
    dpr_context_destroy(context);
    tree_remove(&tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(refusals)};
    return has_libraries() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
