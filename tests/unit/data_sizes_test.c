/* Sizes from the heads of files: PNG and JPEG, turned photos, mixed sizes, broken files, halves, packed sets. */
#include "data/source.h"
#include "data_jpeg_samples.h"
#include "data_support.h"

struct fixture {
    dpr_context *context;
    struct tree tree;
};

static int start(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->context = make_context(1);
    tree_make(&f->tree);
    *state = f;
    return 0;
}

static int stop(void **state) {
    struct fixture *f = *state;
    tree_remove(&f->tree);
    dpr_context_destroy(f->context);
    free(f);
    return 0;
}

static dpr_sizes look(struct fixture *f) {
    dpr_sizes sizes;
    OK(f->context, dpr_data_sizes(f->context, f->tree.root, &sizes));
    return sizes;
}

static void alike(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "%c/%u.png", i < 6 ? 'a' : 'b', i);
        write_png(&f->tree, name, 12, 20, 1, i);
    }
    dpr_sizes sizes = look(f);
    assert_true(sizes.folder);
    assert_int_equal(sizes.n, 8); /* a fifth will be the test half */
    assert_int_equal(sizes.image.rank, 3);
    assert_int_equal(sizes.image.dim[0], 12);
    assert_int_equal(sizes.image.dim[1], 20);
    assert_int_equal(sizes.image.dim[2], 1);
    assert_int_equal(sizes.median_side, 12);
    assert_int_equal(sizes.channels, 1);
}

/* As the split will: a class of two gives one of them, however small a fifth is. */
static void small_classes(void **state) {
    struct fixture *f = *state;
    write_png(&f->tree, "a/1.png", 12, 20, 1, 1);
    write_png(&f->tree, "a/2.png", 12, 20, 1, 2);
    write_png(&f->tree, "b/1.png", 12, 20, 1, 3);
    write_png(&f->tree, "b/2.png", 12, 20, 1, 4);
    assert_int_equal(look(f).n, 2);
}

/* The test half counts for sizes, not for n; one coloured image makes all of them so. What is broken is left out. */
static void mixed(void **state) {
    struct fixture *f = *state;
    write_png(&f->tree, "train/a/1.png", 30, 40, 1, 1);
    write_png(&f->tree, "train/b/1.png", 50, 34, 1, 1);
    write_png(&f->tree, "test/a/1.png", 90, 98, 3, 1);
    tree_write(&f->tree, "test/b/1.png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1", 20);
    tree_write(&f->tree, "test/b/2.jpg", "\xff\xd8\xff\xe0\0\1\xff\xc0", 8);
    tree_write(&f->tree, "test/b/3.jpg", "no picture", 10);
    dpr_sizes sizes = look(f);
    assert_int_equal(sizes.n, 2);
    assert_int_equal(sizes.image.rank, 0);
    assert_int_equal(sizes.median_side, 34);
    assert_int_equal(sizes.channels, 3);
}

static void nothing_readable(void **state) {
    struct fixture *f = *state;
    tree_write(&f->tree, "a/1.png", "no picture", 10);
    tree_write(&f->tree, "b/1.jpg", "\xff\xd8\xff", 3);
    dpr_sizes sizes = look(f);
    assert_int_equal(sizes.median_side, 0);
    assert_int_equal(sizes.image.rank, 0);
}

/* Every kind of JPEG: 16 down, 24 across; after an EXIF segment with orientation 6 the other way round. */
static void jpegs(void **state) {
    static const uint8_t TURNED[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,  'M', 'M',
                                     0,    42,   0, 0,  0,   8,   0,   1,   1, 18, 0,   3,
                                     0,    0,    0, 1,  0,   6,   0,   0,   0, 0,  0,   0};
    struct fixture *f = *state;
    for (int kind = 0; kind < 2 * N_JPEGS; kind++) {
        const unsigned char *bytes = JPEG[kind / 2].bytes;
        size_t n = JPEG[kind / 2].n;
        bool turned = kind % 2 != 0;
        struct bytes *out = calloc(1, sizeof *out);
        put(out, bytes, 2);
        if (turned)
            put(out, TURNED, sizeof TURNED);
        put(out, bytes + 2, n - 2);
        tree_write(&f->tree, "a/1.jpg", out->data, out->n);
        free(out);
        dpr_sizes sizes = look(f);
        if (sizes.image.dim[0] != (turned ? 24 : 16) || sizes.image.dim[1] != (turned ? 16 : 24) ||
            sizes.channels != (kind / 2 == JPEG_GREY ? 1 : 3))
            fail_msg("%s: %lld × %lld × %u", JPEG[kind / 2].name, (long long)sizes.image.dim[0],
                     (long long)sizes.image.dim[1], sizes.channels);
    }
}

/* Every beginning of a file: never read beyond its end. */
static void cut_anywhere(void **state) {
    struct fixture *f = *state;
    for (size_t n = 3; n < JPEG[JPEG_PROGRESSIVE].n; n++) {
        tree_write(&f->tree, "a/1.jpg", JPEG[JPEG_PROGRESSIVE].bytes, n);
        dpr_sizes sizes = look(f);
        assert_true(sizes.median_side == 0 || sizes.median_side == 16);
    }
}

static void packed(void **state) {
    struct fixture *f = *state;
    write_idx_set(&f->tree, 12, 5, 4);
    dpr_sizes sizes = look(f);
    assert_false(sizes.folder);
    assert_int_equal(sizes.n, 12);
    FAILS(f->context, dpr_data_sizes(f->context, "/nowhere/at/all", &sizes), DPR_E_IO,
          "does not exist");
}

int main(void) {
    if (!has_libraries())
        return SKIPPED;
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(alike), TEST(small_classes), TEST(mixed), TEST(nothing_readable),
        TEST(jpegs), TEST(cut_anywhere),  TEST(packed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
