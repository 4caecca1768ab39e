/* Single images: every kind of PNG and JPEG gives the pixels that it should, upright, in the size that
 * is asked for; files that are no images say so. */
#include "data/source.h"
#include "data_jpeg_samples.h"
#include "data_support.h"

struct fixture {
    dpr_context *context;
    struct tree tree;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->context = make_context(1);
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

/* Reads the file, which must succeed. The caller frees with dpr_pixels_destroy. */
static uint8_t *read_image(struct fixture *f, const char *name, dpr_shape shape, dpr_fit fit) {
    uint8_t *pixels = NULL;
    OK(f->context, dpr_image_read(f->context, tree_path(&f->tree, name), shape, fit, &pixels));
    return pixels;
}

/* Writes the PNG, reads it with `channels`, compares. */
static void check_png(struct fixture *f, const struct png *png, uint32_t channels,
                      const uint8_t *wanted) {
    struct bytes *out = calloc(1, sizeof *out);
    put_png(out, png);
    tree_write(&f->tree, "x.png", out->data, out->n);
    uint8_t *pixels =
        read_image(f, "x.png", dpr_shape_of(png->height, png->width, channels), DPR_FIT);
    assert_memory_equal(pixels, wanted, (size_t)png->height * png->width * channels);
    dpr_pixels_destroy(f->context, pixels);
    free(out);
}

/* ---- PNG ------------------------------------------------------------------------------------ */

static void grey_of_all_depths(void **state) {
    static const uint8_t one[] = {0xa0}, two[] = {0x1b}, four[] = {0x0f, 0x70},
                         eight[] = {0, 9, 255};
    /* 16 bits round: 0x0180 is 1.5 × 257 − 1.5, so 1; 0x01ff is nearer to 2. */
    static const uint8_t sixteen[] = {0xff, 0xff, 0x01, 0xff, 0x80, 0x80};
    check_png(*state, &(struct png){3, 1, 1, PNG_GREY, .rows = one, .row_bytes = 1}, 1,
              (uint8_t[]){255, 0, 255});
    check_png(*state, &(struct png){4, 1, 2, PNG_GREY, .rows = two, .row_bytes = 1}, 1,
              (uint8_t[]){0, 85, 170, 255});
    check_png(*state, &(struct png){3, 1, 4, PNG_GREY, .rows = four, .row_bytes = 2}, 1,
              (uint8_t[]){0, 255, 119});
    check_png(*state, &(struct png){3, 1, 8, PNG_GREY, .rows = eight, .row_bytes = 3}, 1, eight);
    check_png(*state, &(struct png){3, 1, 16, PNG_GREY, .rows = sixteen, .row_bytes = 6}, 1,
              (uint8_t[]){255, 2, 128});
}

static void colour_and_palettes(void **state) {
    static const uint8_t rgb[] = {1, 2, 3, 250, 0, 100}, palette[] = {9, 8, 7, 200, 100, 50};
    static const uint8_t index[] = {1, 0}, bits[] = {0x80};
    static const uint8_t deep[] = {0xff, 0xff, 0x01, 0xff, 0x00, 0x00};
    static const uint8_t shown[] = {200, 100, 50, 9, 8, 7};
    check_png(*state, &(struct png){2, 1, 8, PNG_RGB, .rows = rgb, .row_bytes = 6}, 3, rgb);
    check_png(*state, &(struct png){1, 1, 16, PNG_RGB, .rows = deep, .row_bytes = 6}, 3,
              (uint8_t[]){255, 2, 0});
    check_png(
        *state,
        &(struct png){2, 1, 8, PNG_PALETTE, palette, NULL, 6, 0, .rows = index, .row_bytes = 2}, 3,
        shown);
    check_png(
        *state,
        &(struct png){2, 1, 1, PNG_PALETTE, palette, NULL, 6, 0, .rows = bits, .row_bytes = 1}, 3,
        shown);
}

/* colour × alpha / 255, rounded: over black. */
static void alpha_lies_over_black(void **state) {
    static const uint8_t grey[] = {200, 255, 200, 128, 200, 0}, rgba[] = {255, 100, 3, 128};
    static const uint8_t palette[] = {9, 8, 7, 200, 100, 50}, faint[] = {0, 128}, index[] = {1, 0};
    static const uint8_t plain[] = {7, 50}, key[] = {0, 7};
    check_png(*state, &(struct png){3, 1, 8, PNG_GREY_ALPHA, .rows = grey, .row_bytes = 6}, 1,
              (uint8_t[]){200, 100, 0});
    check_png(*state, &(struct png){1, 1, 8, PNG_RGBA, .rows = rgba, .row_bytes = 4}, 3,
              (uint8_t[]){128, 50, 2});
    check_png(
        *state,
        &(struct png){2, 1, 8, PNG_PALETTE, palette, faint, 6, 2, .rows = index, .row_bytes = 2}, 3,
        (uint8_t[]){100, 50, 25, 0, 0, 0});
    check_png(*state,
              &(struct png){2, 1, 8, PNG_GREY, NULL, key, 0, 2, .rows = plain, .row_bytes = 2}, 1,
              (uint8_t[]){0, 50});
}

static void grey_and_colour_change_into_each_other(void **state) {
    static const uint8_t grey[] = {0, 77}, rgb[] = {255, 0, 0, 10, 200, 30};
    check_png(*state, &(struct png){2, 1, 8, PNG_GREY, .rows = grey, .row_bytes = 2}, 3,
              (uint8_t[]){0, 0, 0, 77, 77, 77});
    check_png(*state, &(struct png){2, 1, 8, PNG_RGB, .rows = rgb, .row_bytes = 6}, 1,
              (uint8_t[]){76, 124}); /* 0.299 R + 0.587 G + 0.114 B */
}

static void written_png_is_read_back(void **state) {
    struct fixture *f = *state;
    for (int64_t channels = 1; channels <= 3; channels += 2) {
        uint8_t pixels[5 * 7 * 3], *back;
        for (size_t i = 0; i < sizeof pixels; i++)
            pixels[i] = (uint8_t)(i * 37);
        dpr_shape shape = dpr_shape_of(5, 7, channels);
        OK(f->context, dpr_png_write(f->context, tree_path(&f->tree, "w.png"), pixels, shape));
        back = read_image(f, "w.png", shape, DPR_FIT);
        assert_memory_equal(back, pixels, (size_t)(35 * channels));
        dpr_pixels_destroy(f->context, back);
    }
    FAILS(f->context, dpr_png_write(f->context, "x.png", NULL, dpr_shape_of(5, 7, 2)), DPR_E_SHAPE,
          "1 or 3");
    FAILS(f->context,
          dpr_png_write(f->context, tree_path(&f->tree, "none/w.png"), (uint8_t[]){0},
                        dpr_shape_of(1, 1, 1)),
          DPR_E_IO, "none/w.png");
}

/* ---- JPEG ----------------------------------------------------------------------------------- */

/* Whether a build without JPEG makes the test senseless. */
static void need_jpeg(struct fixture *f) {
    uint8_t *pixels;
    tree_write(&f->tree, "need.jpg", JPEG[JPEG_GREY].bytes, JPEG[JPEG_GREY].n);
    dpr_status status = dpr_image_read(f->context, tree_path(&f->tree, "need.jpg"),
                                       dpr_shape_of(1, 1, 1), DPR_FIT, &pixels);
    if (status == DPR_E_UNSUPPORTED) {
        print_message("skipped: built without JPEG\n");
        skip();
    }
    OK(f->context, status);
    dpr_pixels_destroy(f->context, pixels);
}

static void expect_near(const uint8_t *pixel, const uint8_t *wanted, int channels, int tolerance,
                        const char *what) {
    for (int c = 0; c < channels; c++)
        if (abs(pixel[c] - wanted[c]) > tolerance)
            fail_msg("%s: channel %d is %d, not %d", what, c, pixel[c], wanted[c]);
}

static void jpegs_of_all_kinds(void **state) {
    struct fixture *f = *state;
    enum { H = SQUARE * SQUARES_DOWN, W = SQUARE * SQUARES_ACROSS };
    need_jpeg(f);
    for (int kind = 0; kind < N_JPEGS; kind++) {
        int channels = kind == JPEG_GREY ? 1 : 3;
        tree_write(&f->tree, "x.JPG", JPEG[kind].bytes, JPEG[kind].n);
        uint8_t *pixels = read_image(f, "x.JPG", dpr_shape_of(H, W, channels), DPR_FIT);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                expect_near(pixels + (y * W + x) * channels,
                            square_colour(y / SQUARE * SQUARES_ACROSS + x / SQUARE), channels, 4,
                            JPEG[kind].name);
        dpr_pixels_destroy(f->context, pixels);
    }
}

/* Headers alone, cut off anywhere: the size is known from where the frame's header is whole, and nothing is read beyond. Each end is the end of a block, for sanitizers. */
static void sizes_by_the_header(void **state) {
    (void)state;
    for (int kind = 0; kind < N_JPEGS; kind++) {
        bool known = false;
        for (size_t n = 1; n <= JPEG[kind].n; n++) {
            uint8_t *cut = malloc(n);
            memcpy(cut, JPEG[kind].bytes, n);
            uint64_t pixels = dpr__image_pixels(cut, n);
            assert_true(pixels == 16 * 24 || (pixels == 0 && !known));
            known = pixels != 0;
            free(cut);
        }
        assert_true(known);
    }
    static const uint8_t png[] = "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\1\0\0\1\0\2";
    assert_int_equal(dpr__image_pixels(png, 24), 256 * 65538);
    assert_int_equal(dpr__image_pixels(png, 23), 0);
}

/* An EXIF segment that holds another entry, then the orientation; in either byte order. */
static void put_exif(struct bytes *out, unsigned orientation, bool big_endian) {
    static const uint8_t big[] = {'M', 'M', 0, 42, 0,  0, 0, 8, 0, 2, 1, 0, 0, 3, 0, 0, 0, 1, 0,
                                  9,   0,   0, 1,  18, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t little[] = {'I', 'I', 42, 0,  8, 0, 0, 0, 2, 0, 0, 1, 3, 0, 1, 0, 0, 0, 9,
                                     0,   0,   0,  18, 1, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t tiff[sizeof big];
    memcpy(tiff, big_endian ? big : little, sizeof tiff);
    tiff[big_endian ? 31 : 30] = (uint8_t)orientation;
    put(out, "\xff\xe1", 2);
    put8(out, 0), put8(out, 2 + 6 + sizeof tiff);
    put(out, "Exif\0\0", 6);
    put(out, tiff, sizeof tiff);
}

static void write_turned(struct fixture *f, const char *name, int kind, unsigned orientation,
                         bool big_endian) {
    struct bytes *out = calloc(1, sizeof *out);
    put(out, JPEG[kind].bytes, 2);
    put(out, "\xff\xe1\0\x06http", 8); /* another APP1, as XMP is */
    put(out, "\xff", 1);               /* a fill byte, which may stand before any marker */
    put_exif(out, orientation, big_endian);
    put(out, JPEG[kind].bytes + 2, JPEG[kind].n - 2);
    tree_write(&f->tree, name, out->data, out->n);
    free(out);
}

/* Squares as they must be seen, row by row, for the stored rows 0 1 2 / 3 4 5 (Exif 2.3, 4.6.4). */
static void orientations(void **state) {
    static const struct {
        int down, across, square[6];
    } SEEN[9] = {{2, 3, {0, 1, 2, 3, 4, 5}}, /* 0 and 9 are not defined: as stored */
                 {2, 3, {0, 1, 2, 3, 4, 5}}, {2, 3, {2, 1, 0, 5, 4, 3}}, {2, 3, {5, 4, 3, 2, 1, 0}},
                 {2, 3, {3, 4, 5, 0, 1, 2}}, {3, 2, {0, 3, 1, 4, 2, 5}}, {3, 2, {3, 0, 4, 1, 5, 2}},
                 {3, 2, {5, 2, 4, 1, 3, 0}}, {3, 2, {2, 5, 1, 4, 0, 3}}};
    struct fixture *f = *state;
    need_jpeg(f);
    for (unsigned o = 0; o <= 9; o++)
        for (int big = 0; big < 2; big++) {
            int down = SEEN[o % 9].down, across = SEEN[o % 9].across;
            char what[32];
            write_turned(f, "o.jpg", JPEG_COLOUR, o, big);
            /* exactly the upright size, so that nothing is resampled */
            uint8_t *pixels = read_image(
                f, "o.jpg", dpr_shape_of(down * SQUARE, across * SQUARE, 3), DPR_STRETCH);
            snprintf(what, sizeof what, "orientation %u", o);
            for (int i = 0; i < 6; i++) {
                int y = i / across * SQUARE + 1, x = i % across * SQUARE + 1;
                expect_near(pixels + (y * across * SQUARE + x) * 3,
                            square_colour(SEEN[o % 9].square[i]), 3, 4, what);
            }
            dpr_pixels_destroy(f->context, pixels);
        }
}

/* Stray bytes before a marker, as some cameras leave them, lose no picture data. */
static void harmless_damage_is_read(void **state) {
    struct fixture *f = *state;
    struct bytes *out = calloc(1, sizeof *out);
    uint8_t *pixels;
    need_jpeg(f);
    put(out, JPEG[JPEG_COLOUR].bytes, JPEG[JPEG_COLOUR].n - 2);
    put(out, "\0\0\0\xff\xd9", 5);
    tree_write(&f->tree, "stray.jpg", out->data, out->n);
    pixels = read_image(f, "stray.jpg", dpr_shape_of(16, 24, 3), DPR_FIT);
    dpr_pixels_destroy(f->context, pixels);
    free(out);
}

/* ---- sizes ---------------------------------------------------------------------------------- */

static void write_grey(struct fixture *f, uint32_t height, uint32_t width, const uint8_t *pixels) {
    OK(f->context, dpr_png_write(f->context, tree_path(&f->tree, "g.png"), pixels,
                                 dpr_shape_of(height, width, 1)));
}

static void expect_grey(struct fixture *f, int64_t height, int64_t width, dpr_fit fit,
                        const uint8_t *wanted) {
    uint8_t *pixels = read_image(f, "g.png", dpr_shape_of(height, width, 1), fit);
    assert_memory_equal(pixels, wanted, (size_t)(height * width));
    dpr_pixels_destroy(f->context, pixels);
}

/* Each target pixel is the mean of the area that it covers. */
static void shrinking_takes_means(void **state) {
    struct fixture *f = *state;
    write_grey(f, 2, 4, (uint8_t[]){0, 10, 100, 200, 20, 30, 50, 250});
    expect_grey(f, 1, 2, DPR_STRETCH, (uint8_t[]){15, 150});
    write_grey(f, 1, 3, (uint8_t[]){0, 90, 210});
    expect_grey(f, 1, 2, DPR_STRETCH,
                (uint8_t[]){30, 170}); /* (0 + 90/2) / 1.5, (90/2 + 210) / 1.5 */
}

/* Linear between pixel centres, edges repeated. */
static void enlarging_interpolates(void **state) {
    struct fixture *f = *state;
    write_grey(f, 1, 2, (uint8_t[]){0, 100});
    expect_grey(f, 1, 4, DPR_STRETCH, (uint8_t[]){0, 25, 75, 100});
    expect_grey(f, 2, 2, DPR_STRETCH, (uint8_t[]){0, 100, 0, 100});
}

static void the_three_rules(void **state) {
    struct fixture *f = *state;
    /* twice as wide as high */
    write_grey(f, 2, 4, (uint8_t[]){10, 20, 30, 40, 50, 60, 70, 80});
    expect_grey(f, 4, 4, DPR_FIT,
                (uint8_t[]){0, 0, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 0, 0, 0, 0});
    expect_grey(f, 2, 2, DPR_CROP, (uint8_t[]){20, 30, 60, 70});
    expect_grey(f, 2, 2, DPR_STRETCH, (uint8_t[]){15, 35, 55, 75});
    /* higher than wide */
    write_grey(f, 4, 1, (uint8_t[]){10, 20, 30, 40});
    expect_grey(f, 4, 3, DPR_FIT, (uint8_t[]){0, 10, 0, 0, 20, 0, 0, 30, 0, 0, 40, 0});
    expect_grey(f, 1, 1, DPR_CROP, (uint8_t[]){25});
    /* a line keeps at least one pixel */
    write_grey(f, 1, 100, (uint8_t[100]){[0] = 100});
    uint8_t *pixels = read_image(f, "g.png", dpr_shape_of(10, 10, 1), DPR_FIT);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pixels[i], i == 40 ? 10 : 0);
    dpr_pixels_destroy(f->context, pixels);
}

static void constant_images_stay_constant(void **state) {
    struct fixture *f = *state;
    static uint8_t pixels[37 * 23];
    memset(pixels, 201, sizeof pixels);
    write_grey(f, 37, 23, pixels);
    for (int64_t h = 1; h < 90; h += 11)
        for (int64_t w = 1; w < 90; w += 7)
            for (int fit = DPR_CROP; fit <= DPR_STRETCH; fit++) {
                uint8_t *out = read_image(f, "g.png", dpr_shape_of(h, w, 1), (dpr_fit)fit);
                for (int64_t i = 0; i < h * w; i++)
                    assert_int_equal(out[i], 201);
                dpr_pixels_destroy(f->context, out);
            }
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void bad_requests(void **state) {
    struct fixture *f = *state;
    uint8_t *pixels;
    tree_write(&f->tree, "text.png", "not an image", 12);
    FAILS(f->context,
          dpr_image_read(f->context, tree_path(&f->tree, "text.png"), dpr_shape_of(2, 2, 1),
                         DPR_FIT, &pixels),
          DPR_E_FORMAT, "text.png: neither a PNG nor a JPEG");
    FAILS(f->context,
          dpr_image_read(f->context, tree_path(&f->tree, "none.png"), dpr_shape_of(2, 2, 1),
                         DPR_FIT, &pixels),
          DPR_E_IO, "none.png");
    FAILS(f->context,
          dpr_image_read(f->context, f->tree.root, dpr_shape_of(2, 2, 1), DPR_FIT, &pixels),
          DPR_E_IO, f->tree.root);
    static const dpr_shape BAD[] = {
        {3, {0, 2, 1}}, {3, {2, 2, 2}}, {2, {2, 2}}, {3, {1, 1 << 20, 1}}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        FAILS(f->context,
              dpr_image_read(f->context, tree_path(&f->tree, "text.png"), BAD[i], DPR_FIT, &pixels),
              DPR_E_SHAPE, "text.png");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(grey_of_all_depths),
        TEST(colour_and_palettes),
        TEST(alpha_lies_over_black),
        TEST(grey_and_colour_change_into_each_other),
        TEST(written_png_is_read_back),
        TEST(jpegs_of_all_kinds),
        TEST(sizes_by_the_header),
        TEST(orientations),
        TEST(harmless_damage_is_read),
        TEST(shrinking_takes_means),
        TEST(enlarging_interpolates),
        TEST(the_three_rules),
        TEST(constant_images_stay_constant),
        TEST(bad_requests),
    };
    return has_libraries() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
