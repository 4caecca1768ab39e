/* Sets and images from strangers: whatever the bytes, a message that names the file, and no crash. */
#include "data_jpeg_samples.h"
#include "data_support.h"
#include "support/failing_allocator.h"

struct fixture {
    dpr_context *context;
    struct tree tree;
    struct bytes *bytes;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->context = make_context(1);
    f->bytes = calloc(1, sizeof *f->bytes);
    tree_make(&f->tree);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    tree_remove(&f->tree);
    dpr_context_destroy(f->context);
    free(f->bytes);
    free(f);
    return 0;
}

#define OPEN_FAILS(f, half, status, says)                                                          \
    do {                                                                                           \
        dpr_data *unused = NULL;                                                                   \
        FAILS((f)->context, dpr_data_open((f)->context, (f)->tree.root, half, NULL, &unused),      \
              status, says);                                                                       \
        assert_null(unused);                                                                       \
    } while (0)

/* ---- IDX ------------------------------------------------------------------------------------ */

/* The training images become: these dimensions, then `follow` bytes. */
static void write_images(struct fixture *f, unsigned rank, const uint32_t *dim, size_t follow) {
    f->bytes->n = 0;
    put8(f->bytes, 0), put8(f->bytes, 0), put8(f->bytes, 8), put8(f->bytes, rank);
    for (unsigned i = 0; i < rank; i++)
        put32(f->bytes, dim[i]);
    for (size_t i = 0; i < follow; i++)
        put8(f->bytes, 1);
    tree_write(&f->tree, "train-images-idx3-ubyte", f->bytes->data, f->bytes->n);
}

static void idx_sizes_that_lie(void **state) {
    struct fixture *f = *state;
    static const char NAME[] = "/train-images-idx3-ubyte: ";
    write_idx_set(&f->tree, 10, 5, 5);
    write_images(f, 3, (uint32_t[]){10, 2, 3}, 59);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "promises 10 entries of 6 bytes, but it is cut off");
    write_images(f, 3, (uint32_t[]){10, 2, 3}, 61);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "goes on after them");
    write_images(f, 3, (uint32_t[]){10, 0, 3}, 0);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "dimension 2 in its header is 0");
    write_images(f, 3, (uint32_t[]){10, 0xffffffff, 0xffffffff}, 60);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, NAME);
    write_images(f, 3, (uint32_t[]){10, 65500, 65500}, 60);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, NAME);
    write_images(f, 3, (uint32_t[]){0xffffffff, 2, 3}, 60);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "more than a set may have");
    write_images(f, 3, (uint32_t[]){2000000, 1000, 1000}, 60);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "more than a set may have");
    write_images(f, 4, (uint32_t[]){10, 2, 3, 2}, 120);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "2 channels");
    for (size_t n = 4; n < 16; n++) {
        tree_write(&f->tree, "train-images-idx3-ubyte",
                   "\0\0\x08\x03\0\0\0\x0a\0\0\0\x02\0\0\0\x03", n);
        OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "cut off in its header");
    }
}

static void idx_counts_and_labels(void **state) {
    struct fixture *f = *state;
    write_idx_set(&f->tree, 10, 5, 5);
    write_images(f, 3, (uint32_t[]){11, 2, 3}, 66);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_DATA, "holds 11 images");
    remove(tree_path(&f->tree, "train-images-idx3-ubyte"));
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_DATA, "there is no file of images");
    write_images(f, 3, (uint32_t[]){10, 2, 3}, 60);
    remove(tree_path(&f->tree, "train-labels-idx1-ubyte"));
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_DATA, "there is no file of labels");
    tree_write(&f->tree, "train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\0", 8);
    write_images(f, 3, (uint32_t[]){0, 2, 3}, 0);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_DATA, "train-labels-idx1-ubyte: holds no labels");
    tree_write(&f->tree, "more-train-images", "\0\0\x08\x03\0\0\0\0\0\0\0\1\0\0\0\1", 16);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_DATA, "keep one set in a directory");
}

static void idx_wrong_magic(void **state) {
    struct fixture *f = *state;
    write_idx_set(&f->tree, 10, 5, 5);
    tree_write(&f->tree, "train-images-idx3-ubyte", "<html>404 not found", 19);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "train-images-idx3-ubyte: does not begin like an IDX");
    tree_write(&f->tree, "train-images-idx3-ubyte", "", 0);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "train-images-idx3-ubyte: does not begin like an IDX");
    tree_write(&f->tree, "train-images-idx3-ubyte", "\0\0\x0d\x03\0\0\0\x0a", 8);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "IDX type 0x0d of rank 3");
}

/* ---- gzip ----------------------------------------------------------------------------------- */

static void write_packed(struct fixture *f, size_t n) {
    tree_write(&f->tree, "train-images-idx3-ubyte.gz", f->bytes->data, n);
}

static void gzip_damaged(void **state) {
    struct fixture *f = *state;
    struct bytes *raw = calloc(1, sizeof *raw);
    write_idx_set(&f->tree, 10, 5, 5);
    remove(tree_path(&f->tree, "train-images-idx3-ubyte"));
    put_idx(raw, 3, (uint32_t[]){10, 2, 3}, 0, 7);
    put_gzip(f->bytes, raw->data, raw->n);
    for (size_t n = 2; n < f->bytes->n; n++) {
        write_packed(f, n);
        OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT,
                   "train-images-idx3-ubyte.gz: the gzip data is cut off");
    }
    f->bytes->data[f->bytes->n - 5] ^= 1; /* the checksum */
    write_packed(f, f->bytes->n);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "train-images-idx3-ubyte.gz: the gzip data is damaged");
    free(raw);
}

/* What the header promises is all that is unpacked. */
static void gzip_holds_more_than_it_says(void **state) {
    struct fixture *f = *state;
    struct bytes *raw = calloc(1, sizeof *raw);
    write_idx_set(&f->tree, 10, 5, 5);
    remove(tree_path(&f->tree, "train-images-idx3-ubyte"));
    put_idx(raw, 3, (uint32_t[]){10, 2, 3}, 0, 7);
    raw->n += 60000;
    put_gzip(f->bytes, raw->data, raw->n);
    write_packed(f, f->bytes->n);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "train-images-idx3-ubyte.gz: its header promises 10");
    free(raw);
}

/* 2^20 images of 4096 bytes in a file of some 50: no memory is asked for that it cannot fill. */
static void gzip_holds_less_than_it_says(void **state) {
    struct fixture *f = *state;
    struct failing_allocator allocator;
    dpr_context_options options = dpr_context_options_default();
    dpr_context *own = f->context;
    write_idx_set(&f->tree, 10, 5, 5);
    remove(tree_path(&f->tree, "train-images-idx3-ubyte"));
    put_gzip(f->bytes, "\0\0\x08\x03\0\x10\0\0\0\0\x10\0\0\0\0\x01", 16);
    write_packed(f, f->bytes->n);
    failing_allocator_use(&allocator, &options);
    assert_int_equal(dpr_context_create(&options, &f->context), DPR_OK);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "is cut off");
    dpr_context_destroy(f->context);
    assert_true(allocator.largest < 1 << 20);
    assert_int_equal(allocator.blocks, 0);
    f->context = own;
}

/* ---- CIFAR-10 ------------------------------------------------------------------------------- */

static void cifar_damaged(void **state) {
    struct fixture *f = *state;
    f->bytes->n = 2 * 3073;
    tree_write(&f->tree, "data_batch_1.bin", f->bytes->data, 2 * 3073 - 1);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "data_batch_1.bin: has 6145 bytes");
    tree_write(&f->tree, "data_batch_1.bin", "", 0);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "data_batch_1.bin: has 0 bytes");
    f->bytes->data[3073] = 10;
    tree_write(&f->tree, "data_batch_1.bin", f->bytes->data, 2 * 3073);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "record 2 has label 10");
    f->bytes->data[3073] = 0;
    tree_write(&f->tree, "data_batch_1.bin", f->bytes->data, 2 * 3073);
    tree_write(&f->tree, "batches.meta.txt", "one\ntwo\n", 8);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "names 2 classes; CIFAR-10 has 10");
}

/* ---- directories ---------------------------------------------------------------------------- */

static void directories_that_are_none(void **state) {
    struct fixture *f = *state;
    dpr_data *data;
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_DATA, "holds no images; a data set is a directory of");
    tree_write(&f->tree, "file", "x", 1);
    FAILS(f->context,
          dpr_data_open(f->context, tree_path(&f->tree, "file"), DPR_TRAIN, NULL, &data), DPR_E_IO,
          "is a file");
    FAILS(f->context,
          dpr_data_open(f->context, tree_path(&f->tree, "none"), DPR_TRAIN, NULL, &data), DPR_E_IO,
          "does not exist");
}

/* Tried as nobody where the tests run as root, who may read everything. */
static void directories_that_may_not_be_read(void **state) {
    struct fixture *f = *state;
    bool root = geteuid() == 0;
    write_png(&f->tree, "a/x.png", 2, 2, 1, 0);
    write_png(&f->tree, "a/y.png", 2, 2, 1, 1);
    chmod(f->tree.root, 0755);
    chmod(tree_path(&f->tree, "a"), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_IO, "/a: cannot read the directory: Permission denied");
    if (root)
        assert_int_equal(seteuid(0), 0);
    chmod(tree_path(&f->tree, "a"), 0777);
}

/* Pipes and circles of links are stepped over; a picture that is a link to nowhere is unreadable. */
static void strange_entries(void **state) {
    struct fixture *f = *state;
    dpr_survey *survey;
    write_png(&f->tree, "a/x.png", 2, 2, 1, 0);
    write_png(&f->tree, "a/y.png", 2, 2, 1, 1);
    assert_int_equal(mkfifo(tree_path(&f->tree, "pipe.png"), 0666), 0);
    assert_int_equal(mkfifo(tree_path(&f->tree, "a/pipe.png"), 0666), 0);
    assert_int_equal(symlink("..", tree_path(&f->tree, "a/circle")), 0);
    assert_int_equal(symlink("nowhere", tree_path(&f->tree, "a/lost.png")), 0);
    OK(f->context, dpr_survey_create(f->context, f->tree.root, &survey));
    assert_int_equal(survey->n[DPR_TRAIN] + survey->n[DPR_TEST], 2);
    assert_int_equal(survey->ignored, 3);
    assert_int_equal(survey->n_unreadable, 1);
    dpr_survey_destroy(survey);
}

static void names_that_are_no_text(void **state) {
    struct fixture *f = *state;
    write_png(&f->tree, "a\xff\xfe/x.png", 2, 2, 1, 0);
    write_png(&f->tree, "b/x.png", 2, 2, 1, 0);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_DATA, "no clean UTF-8 text; rename it");
    write_idx_set(&f->tree, 4, 2, 2);
    tree_write(&f->tree, "classes.txt", "a\0b\nc\n", 6);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "classes.txt: line 1");
    tree_write(&f->tree, "classes.txt", "\n\n", 2);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "classes.txt: holds no names");
}

/* ---- images --------------------------------------------------------------------------------- */

static dpr_status read_bytes(struct fixture *f, const uint8_t *bytes, size_t n) {
    uint8_t *pixels;
    tree_write(&f->tree, "x.png", bytes, n);
    dpr_status status = dpr_image_read(f->context, tree_path(&f->tree, "x.png"),
                                       dpr_shape_of(8, 8, 3), DPR_FIT, &pixels);
    if (status == DPR_OK)
        dpr_pixels_destroy(f->context, pixels);
    else
        assert_non_null(strstr(dpr_error(f->context), "x.png"));
    return status;
}

/* Cut anywhere: unreadable, never half a picture. */
static void images_cut_off(void **state) {
    struct fixture *f = *state;
    uint8_t rows[7 * 15];
    memset(rows, 90, sizeof rows);
    put_png(f->bytes, &(struct png){5, 7, 8, PNG_RGB, .rows = rows, .row_bytes = 15});
    assert_int_equal(read_bytes(f, f->bytes->data, f->bytes->n), DPR_OK);
    for (size_t n = 0; n < f->bytes->n; n++)
        assert_int_equal(read_bytes(f, f->bytes->data, n), DPR_E_FORMAT);
    if (read_bytes(f, JPEG[JPEG_COLOUR].bytes, JPEG[JPEG_COLOUR].n) == DPR_E_UNSUPPORTED)
        return;
    for (int kind = 0; kind < N_JPEGS; kind++)
        for (size_t n = 0; n < JPEG[kind].n; n++)
            assert_int_equal(read_bytes(f, JPEG[kind].bytes, n), DPR_E_FORMAT);
}

/* Picture data that ends too early, though the file ends as it should. */
static void jpeg_with_a_gap(void **state) {
    struct fixture *f = *state;
    put(f->bytes, JPEG[JPEG_COLOUR].bytes, JPEG[JPEG_COLOUR].n - 10);
    put(f->bytes, "\xff\xd9", 2);
    dpr_status status = read_bytes(f, f->bytes->data, f->bytes->n);
    if (status != DPR_E_UNSUPPORTED)
        assert_int_equal(status, DPR_E_FORMAT);
}

/* Any byte changed: an image or a message. */
static void images_with_changed_bytes(void **state) {
    struct fixture *f = *state;
    uint8_t rows[7 * 15], copy[1024];
    memset(rows, 90, sizeof rows);
    put_png(f->bytes, &(struct png){5, 7, 8, PNG_RGB, .rows = rows, .row_bytes = 15});
    for (size_t i = 0; i < f->bytes->n; i++)
        for (int bit = 0; bit < 8; bit++) {
            f->bytes->data[i] ^= (uint8_t)(1 << bit);
            read_bytes(f, f->bytes->data, f->bytes->n);
            f->bytes->data[i] ^= (uint8_t)(1 << bit);
        }
    for (int kind = 0; kind < N_JPEGS; kind++) {
        assert_true(JPEG[kind].n <= sizeof copy);
        memcpy(copy, JPEG[kind].bytes, JPEG[kind].n);
        for (size_t i = 0; i < JPEG[kind].n; i++) {
            copy[i] = (uint8_t)~copy[i];
            read_bytes(f, copy, JPEG[kind].n);
            copy[i] = (uint8_t)~copy[i];
        }
    }
}

static void images_of_absurd_size(void **state) {
    struct fixture *f = *state;
    static const uint32_t SIZE[][2] = {{0, 1},     {1, 0},         {0x7fffffff, 0x7fffffff},
                                       {65501, 1}, {65500, 65500}, {13000, 13000}};
    uint8_t row[] = {0, 0, 0};
    for (size_t i = 0; i < sizeof SIZE / sizeof *SIZE; i++) {
        f->bytes->n = 0;
        put_png(f->bytes, &(struct png){1, 1, 8, PNG_RGB, .rows = row, .row_bytes = 3});
        struct bytes header = {.n = 0};
        put32(&header, SIZE[i][0]), put32(&header, SIZE[i][1]);
        memcpy(f->bytes->data + 16, header.data, 8);
        header.n = 0;
        put32(&header, crc32_of(f->bytes->data + 12, 17));
        memcpy(f->bytes->data + 29, header.data, 4);
        assert_int_equal(read_bytes(f, f->bytes->data, f->bytes->n), DPR_E_FORMAT);
    }
    assert_non_null(strstr(dpr_error(f->context), "too small")); /* 13,000² pixels in 70 bytes */
    /* the same in a JPEG's frame header: height and width follow marker, length and precision */
    uint8_t copy[1024];
    memcpy(copy, JPEG[JPEG_COLOUR].bytes, JPEG[JPEG_COLOUR].n);
    for (size_t i = 2; i + 9 < JPEG[JPEG_COLOUR].n; i++)
        if (copy[i] == 0xff && copy[i + 1] == 0xc0)
            memcpy(copy + i + 5, "\xff\xdc\xff\xdc", 4);
    assert_int_not_equal(read_bytes(f, copy, JPEG[JPEG_COLOUR].n), DPR_OK);
}

/* A file of a progressive JPEG's scans without end is given up. */
static void jpeg_of_endless_scans(void **state) {
    struct fixture *f = *state;
    const uint8_t *jpeg = JPEG[JPEG_PROGRESSIVE].bytes;
    size_t n = JPEG[JPEG_PROGRESSIVE].n, scan = 0, end = 0;
    for (size_t i = 2; i + 1 < n && end == 0; i++)
        if (jpeg[i] == 0xff && jpeg[i + 1] == 0xda && scan == 0)
            scan = i;
        else if (jpeg[i] == 0xff && jpeg[i + 1] != 0 && scan != 0 && i > scan + 1)
            end = i;
    assert_true(scan != 0 && end > scan);
    put(f->bytes, jpeg, end);
    while (f->bytes->n + (end - scan) + 2 < 60000)
        put(f->bytes, jpeg + scan, end - scan);
    put(f->bytes, "\xff\xd9", 2);
    dpr_status status = read_bytes(f, f->bytes->data, f->bytes->n);
    if (status != DPR_E_UNSUPPORTED)
        assert_int_equal(status, DPR_E_FORMAT);
    if (status == DPR_E_FORMAT)
        assert_non_null(strstr(dpr_error(f->context), "more than 500 scans"));
}

static void bad_image_in_a_set(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/a/%u.png", i);
        write_png(&f->tree, name, 2, 2, 1, i);
    }
    write_png(&f->tree, "test/a/x.png", 2, 2, 1, 0);
    tree_write(&f->tree, "train/a/5.JPEG", "text", 4);
    tree_write(&f->tree, "train/a/7.jpg", "text", 4);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "train/a/5.JPEG: neither a PNG nor a JPEG");
    remove(tree_path(&f->tree, "train/a/5.JPEG"));
    remove(tree_path(&f->tree, "train/a/7.jpg"));
    tree_write(&f->tree, "train/a/8.webp", "RIFF", 4);
    OPEN_FAILS(f, DPR_TRAIN, DPR_E_FORMAT, "8.webp: neither a PNG nor a JPEG file; convert it");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(idx_sizes_that_lie),
        TEST(idx_counts_and_labels),
        TEST(idx_wrong_magic),
        TEST(gzip_damaged),
        TEST(gzip_holds_more_than_it_says),
        TEST(gzip_holds_less_than_it_says),
        TEST(cifar_damaged),
        TEST(directories_that_are_none),
        TEST(directories_that_may_not_be_read),
        TEST(strange_entries),
        TEST(names_that_are_no_text),
        TEST(images_cut_off),
        TEST(jpeg_with_a_gap),
        TEST(images_with_changed_bytes),
        TEST(images_of_absurd_size),
        TEST(jpeg_of_endless_scans),
        TEST(bad_image_in_a_set),
    };
    return has_libraries() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
