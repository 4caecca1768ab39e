/* Opening sets: every format, the halves that files make, the splits by content, and the classes. */
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

static dpr_data *open_with(struct fixture *f, dpr_half half, const dpr_open_options *options) {
    dpr_data *data = NULL;
    OK(f->context, dpr_data_open(f->context, f->tree.root, half, options, &data));
    return data;
}

static dpr_data *open_half(struct fixture *f, dpr_half half) {
    return open_with(f, half, NULL);
}

#define OPEN_FAILS(f, half, options, status, says)                                                 \
    do {                                                                                           \
        dpr_data *unused = NULL;                                                                   \
        FAILS((f)->context, dpr_data_open((f)->context, (f)->tree.root, half, options, &unused),   \
              status, says);                                                                       \
        assert_null(unused);                                                                       \
    } while (0)

static void expect_shape(const dpr_data *data, int64_t height, int64_t width, int64_t channels) {
    const dpr_shape *image = &dpr_data_describe(data)->image;
    assert_int_equal(image->rank, 3);
    assert_int_equal(image->dim[0], height);
    assert_int_equal(image->dim[1], width);
    assert_int_equal(image->dim[2], channels);
}

static void expect_names(const dpr_data *data, uint32_t n, const char *const *names) {
    const dpr_data_info *info = dpr_data_describe(data);
    assert_int_equal(info->n_classes, n);
    for (uint32_t i = 0; i < n; i++)
        assert_string_equal(info->class_names[i], names[i]);
}

static void expect_count(struct fixture *f, dpr_half half, size_t n) {
    dpr_data *data = open_half(f, half);
    assert_int_equal(dpr_data_count(data), n);
    dpr_data_destroy(data);
}

/* ---- IDX ------------------------------------------------------------------------------------ */

static void idx_halves(void **state) {
    struct fixture *f = *state;
    write_idx_set(&f->tree, 20, 8, 4);
    dpr_data *train = open_half(f, DPR_TRAIN), *test = open_half(f, DPR_TEST);
    assert_int_equal(dpr_data_count(train), 20);
    assert_int_equal(dpr_data_count(test), 8);
    expect_shape(train, 2, 3, 1);
    assert_int_equal(dpr_data_describe(train)->n_classes, 4);
    assert_null(dpr_data_describe(train)->class_names);
    for (int i = 0; i < 20 * 6; i++)
        assert_int_equal(dpr_data_images(train)[i], 7 * i & 255);
    assert_int_equal(dpr_data_images(test)[0], 3);
    assert_int_equal(dpr_data_labels(train)[7], 3);
    dpr_data_destroy(train);
    dpr_data_destroy(test);
    assert_null(open_half(f, DPR_VALIDATION));
}

static void gzip_file(struct tree *tree, const char *name, const char *packed, int members) {
    struct bytes *out = calloc(1, sizeof *out);
    uint8_t raw[4096];
    FILE *file = fopen(tree_path(tree, name), "rb");
    size_t n = fread(raw, 1, sizeof raw, file), part = n / (size_t)members;
    fclose(file);
    for (int i = 0; i < members; i++)
        put_gzip(out, raw + (size_t)i * part, i == members - 1 ? n - (size_t)i * part : part);
    remove(tree_path(tree, name));
    tree_write(tree, packed, out->data, out->n);
    free(out);
}

/* .gz, of several members too; names with a dot, an upper-case ending and a prefix, as they occur. */
static void idx_names_and_gzip(void **state) {
    struct fixture *f = *state;
    write_idx_half(&f->tree, "a", "b", 20, 4, 0);
    gzip_file(&f->tree, "a", "emnist-letters-train-images.idx3-ubyte.GZ", 3);
    gzip_file(&f->tree, "b", "emnist-letters-train-labels.idx1-ubyte.gz", 1);
    write_idx_half(&f->tree, "test-images", "test-labels", 4, 4, 3);
    static const char NAMES[] = "\xef\xbb\xbfzero\r\none or two\n\nzwölf\nfour";
    tree_write(&f->tree, "classes.txt", NAMES, sizeof NAMES - 1);
    dpr_data *train = open_half(f, DPR_TRAIN);
    assert_int_equal(dpr_data_count(train), 20);
    for (int i = 0; i < 20 * 6; i++)
        assert_int_equal(dpr_data_images(train)[i], 7 * i & 255);
    expect_names(train, 4, (const char *[]){"zero", "one or two", "zwölf", "four"});
    dpr_data_destroy(train);
    expect_count(f, DPR_TEST, 4);
}

/* Unpacking by hand leaves both files there. */
static void idx_packed_and_plain(void **state) {
    struct fixture *f = *state;
    write_idx_set(&f->tree, 20, 8, 4);
    tree_write(&f->tree, "train-images-idx3-ubyte.gz", "\x1f\x8b\x08", 3);
    OPEN_FAILS(f, DPR_TRAIN, NULL, DPR_E_FORMAT, "train-images-idx3-ubyte.gz");
    struct bytes *out = calloc(1, sizeof *out);
    put_gzip(out, "\0\0\x08\x03\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    tree_write(&f->tree, "train-images-idx3-ubyte.gz", out->data, out->n);
    free(out);
    expect_count(f, DPR_TRAIN, 20);
}

static void idx_with_colour(void **state) {
    struct fixture *f = *state;
    struct bytes *out = calloc(1, sizeof *out);
    put_idx(out, 4, (uint32_t[]){6, 2, 2, 3}, 0, 3);
    tree_write(&f->tree, "val-images", out->data, out->n);
    out->n = 0;
    put_idx(out, 1, (uint32_t[]){6}, 0, 1);
    tree_write(&f->tree, "val-labels", out->data, out->n);
    free(out);
    write_idx_half(&f->tree, "train-images", "train-labels", 12, 6, 0);
    write_idx_half(&f->tree, "test-images", "test-labels", 6, 6, 0);
    dpr_data *data = open_half(f, DPR_VALIDATION);
    expect_shape(data, 2, 2, 3);
    assert_int_equal(dpr_data_count(data), 6);
    assert_int_equal(dpr_data_images(data)[12], 36);
    dpr_data_destroy(data);
    dpr_open_options options = dpr_open_options_default(); /* brought to one size */
    options.image = dpr_shape_of(4, 4, 1);
    data = open_with(f, DPR_VALIDATION, &options);
    expect_shape(data, 4, 4, 1);
    dpr_data_destroy(data);
}

/* A pair of files whose names say nothing of halves is one set, and is split. */
static void idx_without_halves(void **state) {
    struct fixture *f = *state;
    write_idx_half(&f->tree, "images.idx", "labels.idx", 40, 4, 0);
    expect_count(f, DPR_TRAIN, 32);
    expect_count(f, DPR_TEST, 8);
}

static void idx_test_half_alone(void **state) {
    struct fixture *f = *state;
    write_idx_half(&f->tree, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 9, 3, 0);
    expect_count(f, DPR_TEST, 9);
    OPEN_FAILS(f, DPR_TRAIN, NULL, DPR_E_DATA, "has no training half");
}

/* ---- CIFAR-10 ------------------------------------------------------------------------------- */

static void write_batch(struct tree *tree, const char *name, unsigned n, unsigned first) {
    struct bytes *out = calloc(1, sizeof *out);
    for (unsigned i = 0; i < n; i++) {
        put8(out, i % 10);
        for (unsigned k = 0; k < 3072; k++) /* red i + first, green 100, blue the column */
            put8(out, k < 1024 ? i + first : k < 2048 ? 100 : k % 32);
    }
    tree_write(tree, name, out->data, out->n);
    free(out);
}

static void cifar_binary(void **state) {
    struct fixture *f = *state;
    static const char *const NAMES[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};
    char text[128] = "";
    for (int i = 0; i < 10; i++)
        strcat(strcat(text, NAMES[i]), "\n");
    write_batch(&f->tree, "data_batch_1.bin", 20, 0);
    write_batch(&f->tree, "data_batch_2.bin", 10, 50);
    write_batch(&f->tree, "test_batch.bin", 10, 0);
    tree_write(&f->tree, "batches.meta.txt", text, strlen(text));
    tree_write(&f->tree, "readme.html", "<html>", 6);
    dpr_data *data = open_half(f, DPR_TRAIN);
    expect_shape(data, 32, 32, 3);
    expect_names(data, 10, NAMES);
    assert_int_equal(dpr_data_count(data), 30);
    const uint8_t *pixel = dpr_data_images(data) + (21 * 1024 + 5) * 3;
    assert_int_equal(pixel[0], 51);
    assert_int_equal(pixel[1], 100);
    assert_int_equal(pixel[2], 5);
    dpr_data_destroy(data);
    expect_count(f, DPR_TEST, 10);
}

/* ---- folders -------------------------------------------------------------------------------- */

/* n different images of one class. */
static void write_class(struct tree *tree, const char *folder, int n, unsigned seed) {
    char name[256];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s/%02d.png", folder, i);
        write_png(tree, name, 4, 4, 1, seed + (unsigned)i);
    }
}

static void folders_with_halves(void **state) {
    struct fixture *f = *state;
    write_class(&f->tree, "train/Zebra", 5, 0);
    write_class(&f->tree, "train/a cat", 3, 50);
    write_class(&f->tree, "train/Äffchen", 2, 90);
    write_class(&f->tree, "test/a cat", 1, 100);
    write_class(&f->tree, "test/Zebra", 2, 120);
    write_class(&f->tree, "test/Äffchen", 1, 150);
    write_class(&f->tree, "valid/Zebra", 1, 160);
    /* what desktops leave behind, a foreign file, a folder inside a class, an upper-case ending */
    tree_write(&f->tree, "train/a cat/.DS_Store", "x", 1);
    tree_write(&f->tree, "train/a cat/thumbs.DB", "x", 1);
    tree_write(&f->tree, "train/desktop.ini", "x", 1);
    tree_write(&f->tree, "train/a cat/notes.txt", "notes", 5);
    tree_write(&f->tree, "train/a cat/._00.png", "x", 1);
    write_png(&f->tree, "train/a cat/more/x.PNG", 4, 4, 1, 200);
    write_png(&f->tree, "train/a cat/no ending", 4, 4, 1, 210);
    dpr_data *data = open_half(f, DPR_TRAIN);
    assert_int_equal(dpr_data_count(data), 12);
    expect_shape(data, 4, 4, 1);
    expect_names(data, 3, (const char *[]){"Zebra", "a cat", "Äffchen"});
    assert_int_equal(dpr_data_labels(data)[0], 0); /* sorted by class, then by name */
    assert_int_equal(dpr_data_images(data)[16], 1);
    assert_int_equal(dpr_data_labels(data)[11], 2);
    dpr_data_destroy(data);
    expect_count(f, DPR_TEST, 4);
    expect_count(f, DPR_VALIDATION, 1);
}

/* A folder "train" that holds images is a class: of vehicles, say. */
static void classes_named_like_halves(void **state) {
    struct fixture *f = *state;
    write_class(&f->tree, "train", 10, 0);
    write_class(&f->tree, "car", 10, 100);
    dpr_data *data = open_half(f, DPR_TRAIN);
    assert_int_equal(dpr_data_count(data), 16);
    expect_names(data, 2, (const char *[]){"car", "train"});
    dpr_data_destroy(data);
}

static void mixed_sizes_and_channels(void **state) {
    struct fixture *f = *state;
    dpr_open_options options = dpr_open_options_default();
    write_class(&f->tree, "train/a", 9, 0);
    write_class(&f->tree, "test/a", 1, 0);
    write_png(&f->tree, "train/a/zz.png", 4, 4, 3, 7);
    dpr_data *data = open_half(f, DPR_TRAIN);
    expect_shape(data, 4, 4, 3); /* one image in colour: all are */
    const uint8_t *grey = dpr_data_images(data) + 48 + 3;
    assert_int_equal(grey[0], 6); /* the second image's second pixel, three times */
    assert_int_equal(grey[1], 6);
    assert_int_equal(grey[2], 6);
    assert_int_equal(dpr_data_images(data)[9 * 48 + 1], 12);
    dpr_data_destroy(data);
    write_png(&f->tree, "train/a/zzz.png", 5, 4, 1, 7);
    OPEN_FAILS(f, DPR_TRAIN, NULL, DPR_E_SHAPE, "zzz.png: is 5 × 4 pixels");
    options.image = dpr_shape_of(6, 0, 1); /* what is 0 is as in the first image */
    data = open_with(f, DPR_TRAIN, &options);
    expect_shape(data, 6, 4, 1);
    dpr_data_destroy(data);
    options.image = dpr_shape_of(3, 3, 0);
    data = open_with(f, DPR_TRAIN, &options);
    expect_shape(data, 3, 3, 3);
    dpr_data_destroy(data);
}

/* ---- splits --------------------------------------------------------------------------------- */

/* The first pixels, which tell the images apart, as a set. */
static void note_images(const dpr_data *data, bool seen[256]) {
    size_t bytes =
        (size_t)(dpr_data_describe(data)->image.dim[0] * dpr_data_describe(data)->image.dim[1]);
    memset(seen, 0, 256);
    for (size_t i = 0; i < dpr_data_count(data); i++)
        seen[dpr_data_images(data)[i * bytes]] = true;
}

static void split_is_by_content(void **state) {
    struct fixture *f = *state;
    struct tree other;
    bool train[256], test[256], again[256];
    write_class(&f->tree, "a", 20, 0);
    write_class(&f->tree, "b", 10, 100);
    dpr_data *data = open_half(f, DPR_TRAIN);
    assert_int_equal(dpr_data_count(data), 24);
    note_images(data, train);
    dpr_data_destroy(data);
    data = open_half(f, DPR_TEST);
    assert_int_equal(dpr_data_count(data), 6);
    note_images(data, test);
    dpr_data_destroy(data);
    for (int i = 0; i < 256; i++)
        assert_int_equal(train[i] + test[i], i < 20 || (i >= 100 && i < 110));
    /* the same images under other names, in reverse order: the same split */
    tree_make(&other);
    for (unsigned i = 0; i < 30; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/%c.png", i < 20 ? "a" : "b", (int)('z' - i % 20));
        write_png(&other, name, 4, 4, 1, i < 20 ? i : 80 + i);
    }
    OK(f->context, dpr_data_open(f->context, other.root, DPR_TEST, NULL, &data));
    note_images(data, again);
    assert_memory_equal(test, again, sizeof test);
    dpr_data_destroy(data);
    tree_remove(&other);
}

static void equal_images_stay_together(void **state) {
    struct fixture *f = *state;
    char name[32];
    bool train[256], test[256];
    for (unsigned i = 0; i < 40; i++) { /* each image four times */
        snprintf(name, sizeof name, "a/%02u.png", i);
        write_png(&f->tree, name, 4, 4, 1, i / 4);
    }
    write_class(&f->tree, "b", 5, 100);
    dpr_data *data = open_half(f, DPR_TRAIN);
    note_images(data, train);
    dpr_data_destroy(data);
    data = open_half(f, DPR_TEST);
    note_images(data, test);
    assert_int_equal(dpr_data_count(data), 9);
    dpr_data_destroy(data);
    for (int i = 0; i < 256; i++)
        assert_false(train[i] && test[i]);
}

static void classes_too_small_to_split(void **state) {
    struct fixture *f = *state;
    write_class(&f->tree, "many", 10, 0);
    write_class(&f->tree, "one", 1, 100);
    OPEN_FAILS(f, DPR_TRAIN, NULL, DPR_E_DATA, "class 'one' has 1 image and");
    write_png(&f->tree, "one/again.png", 4, 4, 1, 100); /* the same once more */
    OPEN_FAILS(f, DPR_TEST, NULL, DPR_E_DATA, "class 'one' has 2 images and");
    write_png(&f->tree, "one/other.png", 4, 4, 1, 101);
    dpr_data *train = open_half(f, DPR_TRAIN), *test = open_half(f, DPR_TEST);
    assert_int_equal(dpr_data_count(train) + dpr_data_count(test), 13);
    dpr_data_destroy(train);
    dpr_data_destroy(test);
}

static void validation_part(void **state) {
    struct fixture *f = *state;
    dpr_open_options options = dpr_open_options_default();
    size_t count[3] = {0};
    bool train[256], validation[256];
    write_idx_set(&f->tree, 30, 6, 3);
    options.validation = 0.2;
    dpr_data *data = open_with(f, DPR_VALIDATION, &options);
    assert_int_equal(dpr_data_count(data), 6);
    for (size_t i = 0; i < 6; i++)
        count[dpr_data_labels(data)[i]]++;
    for (int c = 0; c < 3; c++)
        assert_int_equal(count[c], 2);
    note_images(data, validation);
    dpr_data_destroy(data);
    data = open_with(f, DPR_TRAIN, &options);
    assert_int_equal(dpr_data_count(data), 24);
    note_images(data, train);
    for (int i = 0; i < 256; i++)
        assert_false(train[i] && validation[i]);
    /* mean and deviation are those of what remains */
    double sum = 0;
    for (size_t i = 0; i < 24 * 6; i++)
        sum += dpr_data_images(data)[i] / 255.0;
    assert_true(dpr_data_describe(data)->mean[0] - sum / (24 * 6) < 1e-12);
    assert_true(dpr_data_describe(data)->mean[0] - sum / (24 * 6) > -1e-12);
    dpr_data_destroy(data);
    data = open_with(f, DPR_TEST, &options); /* is not touched */
    assert_int_equal(dpr_data_count(data), 6);
    dpr_data_destroy(data);
}

/* Both splits from one folder: three parts that share nothing. */
static void validation_beside_a_made_test_half(void **state) {
    struct fixture *f = *state;
    dpr_open_options options = dpr_open_options_default();
    size_t total = 0;
    bool seen[256], all[256] = {0};
    options.validation = 0.25;
    write_class(&f->tree, "a", 20, 0);
    write_class(&f->tree, "b", 20, 100);
    for (int half = 0; half < 3; half++) {
        static const size_t COUNT[] = {24, 8, 8};
        dpr_data *data = open_with(f, (dpr_half)half, &options);
        assert_int_equal(dpr_data_count(data), COUNT[half]);
        note_images(data, seen);
        for (int i = 0; i < 256; i++) {
            assert_false(all[i] && seen[i]);
            all[i] = all[i] || seen[i];
            total += seen[i];
        }
        dpr_data_destroy(data);
    }
    assert_int_equal(total, 40);
}

/* ---- classes -------------------------------------------------------------------------------- */

static void classes_of_one_half_only(void **state) {
    struct fixture *f = *state;
    write_class(&f->tree, "train/a", 3, 0);
    write_class(&f->tree, "train/b", 3, 50);
    write_class(&f->tree, "test/a", 3, 100);
    OPEN_FAILS(f, DPR_TRAIN, NULL, DPR_E_DATA,
               "class 'b' is in the training half but not in the test");
    OPEN_FAILS(f, DPR_TEST, NULL, DPR_E_DATA, "class 'b'");
    write_class(&f->tree, "test/b", 1, 150);
    write_class(&f->tree, "test/c", 1, 160);
    OPEN_FAILS(f, DPR_TEST, NULL, DPR_E_DATA,
               "class 'c' is in the test half but not in the training");
    write_class(&f->tree, "train/c", 1, 160);
    mkdir(tree_path(&f->tree, "train/d"), 0777);
    OPEN_FAILS(f, DPR_TRAIN, NULL, DPR_E_DATA, "class 'd' has no PNG or JPEG images");
}

static void idx_class_of_one_half_only(void **state) {
    struct fixture *f = *state;
    write_idx_half(&f->tree, "train-images", "train-labels", 12, 4, 0);
    write_idx_half(&f->tree, "test-images", "test-labels", 3, 3, 0);
    OPEN_FAILS(f, DPR_TRAIN, NULL, DPR_E_DATA,
               "class '3' is in the training half but not in the test");
}

static void classes_of_a_model(void **state) {
    struct fixture *f = *state;
    dpr_open_options options = dpr_open_options_default();
    write_class(&f->tree, "train/cat", 3, 0);
    write_class(&f->tree, "train/dog", 3, 50);
    write_class(&f->tree, "test/cat", 1, 90);
    write_class(&f->tree, "test/dog", 2, 100);
    options.n_classes = 2;
    options.class_names =
        (const char *[]){"dog", "cat"}; /* another order: labels follow the names */
    dpr_data *data = open_with(f, DPR_TEST, &options);
    expect_names(data, 2, options.class_names);
    assert_int_equal(dpr_data_labels(data)[0], 1);
    assert_int_equal(dpr_data_labels(data)[1], 0);
    dpr_data_destroy(data);
    options.class_names = (const char *[]){"dogs", "cat"};
    OPEN_FAILS(f, DPR_TEST, &options, DPR_E_MISMATCH,
               "'dog' is none of the model's; the nearest is 'dogs'");
    options.n_classes = 3;
    options.class_names = (const char *[]){"cat", "dog", "cow"};
    OPEN_FAILS(f, DPR_TEST, &options, DPR_E_MISMATCH, "has 2 classes, but the model 3");
}

static void names_of_a_model_for_bare_labels(void **state) {
    struct fixture *f = *state;
    dpr_open_options options = dpr_open_options_default();
    write_idx_set(&f->tree, 9, 3, 3);
    options.n_classes = 3;
    options.class_names = (const char *[]){"x", "y", "z"};
    dpr_data *data = open_with(f, DPR_TEST, &options);
    expect_names(data, 3, options.class_names);
    dpr_data_destroy(data);
    options.n_classes = 2;
    OPEN_FAILS(f, DPR_TEST, &options, DPR_E_MISMATCH, "has 3 classes, but the model 2");
    tree_write(&f->tree, "classes.txt", "x\ny\n", 4);
    OPEN_FAILS(f, DPR_TEST, NULL, DPR_E_DATA,
               "label 3 is 2, but classes.txt names the classes 0 to 1");
    tree_write(&f->tree, "classes.txt", "x\ny\nx\n", 6);
    OPEN_FAILS(f, DPR_TEST, NULL, DPR_E_FORMAT, "line 3: the name 'x' stands there twice");
}

static void bad_options(void **state) {
    struct fixture *f = *state;
    dpr_open_options options = dpr_open_options_default();
    write_idx_set(&f->tree, 9, 3, 3);
    options.validation = 1;
    OPEN_FAILS(f, DPR_TRAIN, &options, DPR_E_ARGUMENT, "fraction");
    options.validation = 0.0 / 0.0;
    OPEN_FAILS(f, DPR_TRAIN, &options, DPR_E_ARGUMENT, "fraction");
    options.validation = 0;
    options.image = dpr_shape_of(4, 4, 2);
    OPEN_FAILS(f, DPR_TRAIN, &options, DPR_E_SHAPE, "4 × 4 × 2");
    options.image = dpr_shape_of(-4, 4, 1);
    OPEN_FAILS(f, DPR_TRAIN, &options, DPR_E_SHAPE, "cannot be brought to");
    options.image = dpr_shape_of(16);
    OPEN_FAILS(f, DPR_TRAIN, &options, DPR_E_SHAPE, "cannot be brought to");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(idx_halves),
        TEST(idx_names_and_gzip),
        TEST(idx_packed_and_plain),
        TEST(idx_with_colour),
        TEST(idx_without_halves),
        TEST(idx_test_half_alone),
        TEST(cifar_binary),
        TEST(folders_with_halves),
        TEST(classes_named_like_halves),
        TEST(mixed_sizes_and_channels),
        TEST(split_is_by_content),
        TEST(equal_images_stay_together),
        TEST(classes_too_small_to_split),
        TEST(validation_part),
        TEST(validation_beside_a_made_test_half),
        TEST(classes_of_one_half_only),
        TEST(idx_class_of_one_half_only),
        TEST(classes_of_a_model),
        TEST(names_of_a_model_for_bare_labels),
        TEST(bad_options),
    };
    return has_libraries() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
