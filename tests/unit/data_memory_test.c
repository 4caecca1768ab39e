/* Whichever allocation fails, readers end with DPR_E_MEMORY and a message, and nothing leaks. */
#include "data_failing.h"
#include "data_jpeg_samples.h"

/* Runs the work with allocation 0, 1, 2 … failing until it comes to its end. */
static void sweep(struct fixture *f, dpr_status (*work)(struct fixture *f), long at_least) {
    long before = f->allocator.blocks, n = 0;
    dpr_status status = DPR_E_MEMORY;
    for (; status != DPR_OK && n < 5000; n++) {
        f->allocator.calls = 0;
        f->allocator.fail_at = n;
        status = work(f);
        f->allocator.fail_at = -1;
        if (status != DPR_OK && status != DPR_E_MEMORY)
            fail_msg("allocation %ld: %s", n, dpr_error(f->context));
        if (status == DPR_E_MEMORY)
            assert_non_null(strstr(dpr_error(f->context), "memory"));
        assert_int_equal(f->allocator.blocks, before);
    }
    assert_int_equal(status, DPR_OK);
    assert_true(n > at_least);
}

/* All three parts, brought to another size. */
static dpr_status open_all(struct fixture *f) {
    dpr_open_options options = dpr_open_options_default();
    options.image = dpr_shape_of(3, 5, 3);
    options.validation = 0.3;
    for (int half = 0; half < 3; half++) {
        dpr_data *data;
        dpr_status status =
            dpr_data_open(f->context, f->tree.root, (dpr_half)half, &options, &data);
        if (status != DPR_OK)
            return status;
        dpr_data_destroy(data);
    }
    return DPR_OK;
}

static dpr_status survey(struct fixture *f) {
    dpr_survey *seen;
    dpr_status status = dpr_survey_create(f->context, f->tree.root, &seen);
    if (status == DPR_OK)
        dpr_survey_destroy(seen);
    return status;
}

static void idx(void **state) {
    struct fixture *f = *state;
    struct bytes *raw = calloc(1, sizeof *raw), *packed = calloc(1, sizeof *packed);
    write_idx_half(&f->tree, "train-images", "train-labels", 12, 2, 0);
    put_idx(raw, 3, (uint32_t[]){12, 2, 3}, 0, 7);
    put_gzip(packed, raw->data, raw->n);
    remove(tree_path(&f->tree, "train-images"));
    tree_write(&f->tree, "train-images.gz", packed->data, packed->n);
    tree_write(&f->tree, "classes.txt", "a\nb\n", 4);
    sweep(f, open_all, 40);
    sweep(f, survey, 20);
    free(raw);
    free(packed);
}

static void cifar(void **state) {
    struct fixture *f = *state;
    uint8_t *records = calloc(20, 3073);
    for (int i = 0; i < 20; i++)
        records[i * 3073] = (uint8_t)(i % 10), records[i * 3073 + 1] = (uint8_t)i;
    tree_write(&f->tree, "data_batch_1.bin", records, (size_t)20 * 3073);
    tree_write(&f->tree, "test_batch.bin", records, (size_t)10 * 3073);
    sweep(f, open_all, 25);
    sweep(f, survey, 8);
    free(records);
}

static void folders(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/%u.png", i % 2 ? "a" : "b", i);
        write_png(&f->tree, name, 4, 4, i < 2 ? 3 : 1, i);
    }
    tree_write(&f->tree, "a/.hidden", "", 0);
    sweep(f, open_all, 60);
    tree_write(&f->tree, "a/bad.png", "text", 4); /* the reason is memory too */
    sweep(f, survey, 30);
}

static dpr_status read_turned(struct fixture *f) {
    uint8_t *pixels;
    dpr_status status = dpr_image_read(f->context, tree_path(&f->tree, "x.jpg"),
                                       dpr_shape_of(9, 9, 1), DPR_FIT, &pixels);
    if (status == DPR_OK)
        dpr_pixels_destroy(f->context, pixels);
    return status;
}

/* Every kind of JPEG, turned by a quarter. */
static void jpegs(void **state) {
    static const uint8_t EXIF[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,  'M', 'M',
                                   0,    42,   0, 0,  0,   8,   0,   1,   1, 18, 0,   3,
                                   0,    0,    0, 1,  0,   6,   0,   0,   0, 0,  0,   0};
    struct fixture *f = *state;
    for (int kind = 0; kind < N_JPEGS; kind++) {
        struct bytes *out = calloc(1, sizeof *out);
        put(out, JPEG[kind].bytes, 2);
        put(out, EXIF, sizeof EXIF);
        put(out, JPEG[kind].bytes + 2, JPEG[kind].n - 2);
        tree_write(&f->tree, "x.jpg", out->data, out->n);
        free(out);
        if (read_turned(f) == DPR_E_UNSUPPORTED) {
            print_message("skipped: built without JPEG\n");
            skip();
        }
        sweep(f, read_turned, 4);
    }
}

static dpr_status write_image(struct fixture *f) {
    static const uint8_t pixels[12] = {1, 2, 3};
    return dpr_png_write(f->context, tree_path(&f->tree, "w.png"), pixels, dpr_shape_of(2, 2, 3));
}

static void png_writing(void **state) {
    sweep(*state, write_image, 1);
}

static dpr_status draw_sheet(struct fixture *f) {
    static const uint8_t images[3 * 12];
    static const int32_t labels[3];
    dpr_data *data;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(2, 2, 3);
    info.n_classes = 1;
    dpr_status status = dpr_data_create(f->context, &info, images, labels, 3, NULL, NULL, &data);
    if (status != DPR_OK)
        return status;
    status = dpr_data_preview(data, "flip,elastic", 1, tree_path(&f->tree, "s.png"));
    dpr_data_destroy(data);
    return status;
}

static void contact_sheets(void **state) {
    sweep(*state, draw_sheet, 4);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(idx), TEST(cifar), TEST(folders), TEST(jpegs), TEST(png_writing), TEST(contact_sheets),
    };
    return has_libraries() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
