/* Surveys: what they count, and that nothing in a set makes them fail. */
#include "data_support.h"

struct fixture {
    dpr_context *context;
    struct tree tree;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->context = make_context(2);
    tree_make(&f->tree);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    tree_remove(&f->tree);
    dpr_context_destroy(f->context);
    free(f);
    return 0;
}

static dpr_survey *look(struct fixture *f) {
    dpr_survey *survey = NULL;
    OK(f->context, dpr_survey_create(f->context, f->tree.root, &survey));
    return survey;
}

static void sizes_and_counts(void **state) {
    struct fixture *f = *state;
    write_png(&f->tree, "train/a/1.png", 4, 10, 1, 0);
    write_png(&f->tree, "train/a/2.png", 6, 20, 1, 0);
    write_png(&f->tree, "train/b/3.png", 8, 30, 3, 0);
    write_png(&f->tree, "val/b/4.png", 8, 30, 3, 9);
    write_png(&f->tree, "test/a/5.png", 9, 40, 1, 0);
    mkdir(tree_path(&f->tree, "train/empty"), 0777);
    tree_write(&f->tree, "readme.txt", "x", 1);
    tree_write(&f->tree, "train/Thumbs.db", "x", 1);
    dpr_survey *s = look(f);
    assert_string_equal(s->format, "image folder");
    assert_int_equal(s->n[DPR_TRAIN], 3);
    assert_int_equal(s->n[DPR_VALIDATION], 1);
    assert_int_equal(s->n[DPR_TEST], 1);
    assert_int_equal(s->n_classes, 3);
    assert_string_equal(s->class_names[2], "empty");
    assert_int_equal(s->per_class[DPR_TRAIN][0], 2);
    assert_int_equal(s->per_class[DPR_TRAIN][1], 1);
    assert_int_equal(s->per_class[DPR_TRAIN][2], 0);
    assert_int_equal(s->per_class[DPR_TEST][0], 1);
    assert_int_equal(s->image.rank, 0);
    assert_int_equal(s->n_sizes, 4);
    assert_int_equal(s->min_height, 4);
    assert_int_equal(s->max_height, 9);
    assert_int_equal(s->median_height, 8);
    assert_int_equal(s->min_width, 10);
    assert_int_equal(s->max_width, 40);
    assert_int_equal(s->median_width, 30);
    assert_int_equal(s->ignored, 2);
    assert_int_equal(s->n_unreadable, 0);
    dpr_survey_destroy(s);
}

static void duplicates(void **state) {
    struct fixture *f = *state;
    static const char *const SAME[] = {"train/a/1.png", "train/a/2.png", "train/b/3.png",
                                       "test/b/4.png", "test/b/5.png"};
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++)
        write_png(&f->tree, SAME[i], 4, 4, 1, 0);
    write_png(&f->tree, "train/a/wide.png", 2, 8, 1, 0); /* the same bytes, another shape */
    write_png(&f->tree, "test/a/other.png", 4, 4, 1, 1);
    write_png(&f->tree, "test/a/again.png", 4, 4, 1, 1);
    dpr_survey *s = look(f);
    assert_int_equal(s->duplicates_train, 2);
    assert_int_equal(s->duplicates_test, 2);
    assert_int_equal(s->duplicates_across, 2);
    dpr_survey_destroy(s);
}

static void unreadable_files_are_listed(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/%u.png", i % 2 ? "a" : "b", i);
        write_png(&f->tree, name, 4, 4, 1, i);
    }
    tree_write(&f->tree, "a/text.jpg", "text", 4);
    tree_write(&f->tree, "c/cut.png", "\x89PNG\r\n\x1a\n\0\0", 10);
    dpr_survey *s = look(f);
    assert_int_equal(s->n[DPR_TRAIN] + s->n[DPR_TEST], 8);
    assert_int_equal(s->n_unreadable, 2);
    assert_int_equal(strncmp(s->unreadable[0], f->tree.root, strlen(f->tree.root)), 0);
    assert_non_null(strstr(s->unreadable[0], "/a/text.jpg: neither a PNG nor a JPEG"));
    assert_non_null(strstr(s->unreadable[1], "/c/cut.png: no readable PNG"));
    assert_int_equal(s->per_class[DPR_TRAIN][2] + s->per_class[DPR_TEST][2], 0);
    assert_int_equal(s->image.rank, 3);
    assert_non_null(strstr(s->split, "a fifth of each class"));
    dpr_survey_destroy(s);
}

/* Classes of one half only, or too small to be split, are for dpr_data_open to refuse. */
static void unbalanced_sets(void **state) {
    struct fixture *f = *state;
    write_png(&f->tree, "a/1.png", 4, 4, 1, 0);
    dpr_survey *s = look(f);
    assert_int_equal(s->n[DPR_TRAIN], 1);
    assert_int_equal(s->n[DPR_TEST], 0);
    dpr_survey_destroy(s);
    write_png(&f->tree, "train/a/1.png", 4, 4, 1, 0);
    write_png(&f->tree, "test/b/1.png", 4, 4, 1, 0);
    s = look(f);
    assert_int_equal(s->n[DPR_TRAIN], 1);
    assert_int_equal(s->per_class[DPR_TEST][1], 1);
    dpr_survey_destroy(s);
}

static void idx_with_a_bad_half(void **state) {
    struct fixture *f = *state;
    write_idx_set(&f->tree, 12, 6, 3);
    dpr_survey *s = look(f);
    assert_string_equal(s->format, "IDX");
    assert_string_equal(s->class_names[2], "2");
    assert_int_equal(s->n[DPR_TRAIN], 12);
    assert_int_equal(s->image.dim[1], 3);
    dpr_survey_destroy(s);
    tree_write(&f->tree, "train-images-idx3-ubyte", "\0\0\x08\x03\0\0\0\x0c\0\0\0\x02\0\0\0\x03",
               16);
    s = look(f);
    assert_int_equal(s->n[DPR_TRAIN], 0);
    assert_int_equal(s->n[DPR_TEST], 6);
    assert_int_equal(s->n_unreadable, 1);
    assert_non_null(strstr(s->unreadable[0], "/train-images-idx3-ubyte: its header promises 12"));
    dpr_survey_destroy(s);
    tree_write(&f->tree, "train-images-idx3-ubyte", "text", 4);
    s = look(f);
    assert_int_equal(s->n_unreadable, 2); /* the file, and the labels that are alone now */
    assert_int_equal(s->n[DPR_TEST], 6);
    dpr_survey_destroy(s);
}

static void cifar_with_a_bad_batch(void **state) {
    struct fixture *f = *state;
    uint8_t *records = calloc(10, 3073);
    for (int i = 0; i < 10; i++)
        records[i * 3073] = (uint8_t)i;
    tree_write(&f->tree, "data_batch_1.bin", records, (size_t)10 * 3073);
    tree_write(&f->tree, "data_batch_2.bin", records, 100);
    tree_write(&f->tree, "test_batch.bin", records, (size_t)10 * 3073);
    dpr_survey *s = look(f);
    assert_string_equal(s->format, "CIFAR-10 binary");
    assert_int_equal(s->n[DPR_TRAIN], 10);
    assert_int_equal(s->n_unreadable, 1);
    assert_int_equal(s->duplicates_across, 10);
    dpr_survey_destroy(s);
    free(records);
}

static void nothing_to_survey(void **state) {
    struct fixture *f = *state;
    dpr_survey *survey;
    FAILS(f->context, dpr_survey_create(f->context, f->tree.root, &survey), DPR_E_DATA,
          "holds no images");
    FAILS(f->context, dpr_survey_create(f->context, tree_path(&f->tree, "none"), &survey), DPR_E_IO,
          "does not exist");
    dpr_survey_destroy(NULL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sizes_and_counts),  TEST(duplicates),          TEST(unreadable_files_are_listed),
        TEST(unbalanced_sets),   TEST(idx_with_a_bad_half), TEST(cifar_with_a_bad_batch),
        TEST(nothing_to_survey),
    };
    return has_libraries() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
