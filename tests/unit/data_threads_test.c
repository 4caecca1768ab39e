/* Any number of threads loads the same bytes, and of several bad files names the same one. */
#include "data_support.h"

enum { IMAGES = 120, MOST_THREADS = 5 };

static struct tree tree;

static int make_set(void **state) {
    (void)state;
    tree_make(&tree);
    for (unsigned i = 0; i < IMAGES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%c/%03u.png", "abc"[i % 3], i);
        write_png(&tree, name, 5 + i % 4, 4 + i % 5, i % 7 == 6 ? 3 : 1, i);
    }
    return 0;
}

static int remove_set(void **state) {
    (void)state;
    tree_remove(&tree);
    return 0;
}

static void same_bytes(void **state) {
    dpr_context *contexts[MOST_THREADS];
    dpr_data *data[MOST_THREADS];
    dpr_open_options options = dpr_open_options_default();
    options.image = dpr_shape_of(6, 6, 0);
    options.validation = 0.2;
    (void)state;
    for (unsigned t = 0; t < MOST_THREADS; t++) {
        contexts[t] = make_context(t + 1);
        OK(contexts[t], dpr_data_open(contexts[t], tree.root, DPR_TRAIN, &options, &data[t]));
        size_t n = dpr_data_count(data[t]);
        assert_int_equal(dpr_data_describe(data[t])->image.dim[2], 3);
        assert_int_equal(n, dpr_data_count(data[0]));
        assert_memory_equal(dpr_data_images(data[t]), dpr_data_images(data[0]), n * 108);
        assert_memory_equal(dpr_data_labels(data[t]), dpr_data_labels(data[0]), n * 4);
    }
    for (unsigned t = 0; t < MOST_THREADS; t++) {
        dpr_data_destroy(data[t]);
        dpr_context_destroy(contexts[t]);
    }
}

static void same_failure(void **state) {
    (void)state;
    for (unsigned i = 9; i < IMAGES; i += 9) {
        char name[32];
        snprintf(name, sizeof name, "b/%03u_bad.png", i);
        tree_write(&tree, name, "text", 4);
    }
    for (unsigned t = 1; t <= MOST_THREADS; t++)
        for (int again = 0; again < 5; again++) {
            dpr_context *context = make_context(t);
            dpr_open_options options = dpr_open_options_default();
            dpr_data *data;
            dpr_survey *survey;
            options.image = dpr_shape_of(6, 6, 0);
            dpr_status status = dpr_data_open(context, tree.root, DPR_TRAIN, &options, &data);
            static char first[256];
            if (t == 1 && again == 0)
                snprintf(first, sizeof first, "%s", dpr_error(context));
            FAILS(context, status, DPR_E_FORMAT, first);
            OK(context, dpr_survey_create(context, tree.root, &survey));
            assert_int_equal(survey->n_unreadable, 13);
            assert_non_null(strstr(survey->unreadable[0], "/b/009_bad.png: "));
            dpr_survey_destroy(survey);
            dpr_context_destroy(context);
        }
}

/* The first bad file takes long to read, the next is found bad at once. */
static void first_failure(void **state) {
    struct tree slow;
    struct bytes *big = calloc(1, sizeof *big);
    (void)state;
    tree_make(&slow);
    uint8_t *rows = calloc(300, 300);
    put_png(big, &(struct png){300, 300, 8, PNG_GREY, .rows = rows, .row_bytes = 300});
    free(rows);
    big->data[big->n - 20] ^= 1; /* the checksum of all pixels */
    tree_write(&slow, "train/a/0.png", big->data, big->n);
    tree_write(&slow, "train/a/1.png", "text", 4);
    write_png(&slow, "test/a/0.png", 4, 4, 1, 0);
    for (int again = 0; again < 20; again++) {
        dpr_context *context = make_context(3);
        dpr_open_options options = dpr_open_options_default();
        dpr_data *data;
        options.image = dpr_shape_of(6, 6, 1);
        FAILS(context, dpr_data_open(context, slow.root, DPR_TRAIN, &options, &data), DPR_E_FORMAT,
              "a/0.png: no readable PNG");
        dpr_context_destroy(context);
    }
    tree_remove(&slow);
    free(big);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes),
        cmocka_unit_test(same_failure),
        cmocka_unit_test(first_failure),
    };
    return has_libraries() ? cmocka_run_group_tests(tests, make_set, remove_set) : SKIPPED;
}
