/* PNG by libpng. Its errors come back by longjmp, which never leaves the functions here; nothing is
 * printed. Grey stays one channel, all else becomes RGB; alpha is composed over black, 16 bits are
 * rounded to 8, gamma is left alone. */
#include "base/file.h"
#include "data/source.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* Deflate expands to at most 1032 times its size, and a byte holds at most 8 pixels. */
enum { PIXELS_PER_BYTE = 8 * 1032 };

struct reading {
    const uint8_t *bytes;
    size_t n, at;
    char why[128];
};

static void on_error(png_structp png, png_const_charp message) {
    struct reading *reading = png_get_error_ptr(png);
    snprintf(reading->why, sizeof reading->why, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png, (void)message;
}

static void read_bytes(png_structp png, png_bytep out, size_t n) {
    struct reading *reading = png_get_io_ptr(png);
    if (n > reading->n - reading->at)
        png_error(png, "it is cut off");
    memcpy(out, reading->bytes + reading->at, n);
    reading->at += n;
}

/* 8 bits, grey or RGB, with alpha where the file has it. */
static void set_transforms(png_structp png, png_infop info) {
    png_set_palette_to_rgb(png);
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_tRNS_to_alpha(png);
    png_set_scale_16(png); /* rounds, where strip_16 would cut */
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

/* Composes over black: colour × alpha / 255, rounded. */
static void drop_alpha(const uint8_t *src, uint32_t channels, uint8_t *dst, size_t pixels) {
    for (size_t i = 0; i < pixels; i++, src += channels + 1, dst += channels)
        for (uint32_t c = 0; c < channels; c++)
            dst[c] = (uint8_t)((src[c] * src[channels] + 127) / 255);
}

/* Everything that libpng may jump out of; memory to be freed then lies in *raw, *rows and *out. */
static dpr_status decode(dpr_context *context, const char *name, size_t n, uint64_t most,
                         png_structp png, png_infop info, uint8_t **raw, png_bytep **rows,
                         dpr__image *out) {
    png_read_info(png, info);
    uint32_t height = png_get_image_height(png, info), width = png_get_image_width(png, info);
    set_transforms(png, info);
    uint32_t planes = png_get_channels(png, info);
    uint32_t channels = planes >= 3 ? 3 : 1;
    DPR_TRY(dpr__image_allocate(context, name, height, width, channels, most,
                                (uint64_t)n * PIXELS_PER_BYTE, out));
    size_t row = (size_t)width * planes;
    if (planes != channels)
        DPR_TRY(dpr__allocate(context, height, row, raw));
    DPR_TRY(dpr__allocate(context, height, sizeof **rows, rows));
    for (uint32_t i = 0; i < height; i++)
        (*rows)[i] = (planes != channels ? *raw : out->pixels) + i * row;
    png_read_image(png, *rows);
    png_read_end(png, NULL);
    if (planes != channels)
        drop_alpha(*raw, channels, out->pixels, (size_t)height * width);
    return DPR_OK;
}

dpr_status dpr__png_decode(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                           uint64_t most, dpr__image *out) {
    struct reading reading = {.bytes = bytes, .n = n};
    uint8_t *raw = NULL;
    png_bytep *rows = NULL;
    png_infop info = NULL;
    dpr_status status;
    *out = (dpr__image){0};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, on_error, on_warning);
    if (png != NULL)
        info = png_create_info_struct(png);
    if (info == NULL) {
        png_destroy_read_struct(&png, NULL, NULL);
        return DPR_FAIL(context, DPR_E_MEMORY, "%s: libpng found no memory", name);
    }
    /* raw, rows and *out are only changed through pointers, so they are right after a jump. */
    if (setjmp(png_jmpbuf(png)) == 0) {
        png_set_read_fn(png, &reading, read_bytes);
        png_set_user_limits(png, DPR__MOST_SIDE, DPR__MOST_SIDE);
        status = decode(context, name, n, most, png, info, &raw, &rows, out);
    } else {
        status =
            DPR_FAIL(context, DPR_E_FORMAT,
                     "%s: no readable PNG: %s; fetch it again, or take it away", name, reading.why);
    }
    png_destroy_read_struct(&png, &info, NULL);
    dpr__free(context, raw);
    dpr__free(context, rows);
    if (status != DPR_OK)
        dpr__image_release(context, out);
    return status;
}

/* ---- writing ---- */

struct writing {
    dpr__text *out;
    char why[128];
};

static void write_bytes(png_structp png, png_bytep bytes, size_t n) {
    struct writing *writing = png_get_io_ptr(png);
    dpr__text_bytes(writing->out, (const char *)bytes, n);
}

static void flush_bytes(png_structp png) {
    (void)png;
}

static void on_write_error(png_structp png, png_const_charp message) {
    struct writing *writing = png_get_error_ptr(png);
    snprintf(writing->why, sizeof writing->why, "%s", message);
    png_longjmp(png, 1);
}

static void encode(png_structp png, png_infop info, const uint8_t *pixels, const dpr_shape *s) {
    size_t row = (size_t)(s->dim[1] * s->dim[2]);
    png_set_IHDR(png, info, (png_uint_32)s->dim[1], (png_uint_32)s->dim[0], 8,
                 s->dim[2] == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int64_t i = 0; i < s->dim[0]; i++)
        png_write_row(png, pixels + (size_t)i * row);
    png_write_end(png, info);
}

dpr_status dpr__png_encode(dpr_context *context, const uint8_t *pixels, dpr_shape image,
                           dpr__text *out) {
    struct writing writing = {.out = out, .why = "libpng found no memory"};
    png_infop info = NULL;
    if (image.rank != 3 || image.dim[0] < 1 || image.dim[1] < 1 || image.dim[0] > DPR__MOST_SIDE ||
        image.dim[1] > DPR__MOST_SIDE || (image.dim[2] != 1 && image.dim[2] != 3))
        return DPR_FAIL(context, DPR_E_SHAPE,
                        "a PNG is written from (height, width, 1 or 3 channels), sides up to %d",
                        DPR__MOST_SIDE);
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing, on_write_error, on_warning);
    if (png != NULL)
        info = png_create_info_struct(png);
    bool jumped = info == NULL;
    if (!jumped && setjmp(png_jmpbuf(png)) == 0) {
        png_set_write_fn(png, &writing, write_bytes, flush_bytes);
        encode(png, info, pixels, &image);
    } else {
        jumped = true;
    }
    png_destroy_write_struct(&png, &info);
    return jumped ? DPR_FAIL(context, DPR_E_IO, "cannot encode a PNG: %s", writing.why)
                  : out->status;
}

dpr_status dpr_png_write(dpr_context *context, const char *path, const uint8_t *pixels,
                         dpr_shape image) {
    dpr__text png;
    dpr__text_init(&png, context);
    return dpr__file_write_text(&png, dpr__png_encode(context, pixels, image, &png), path);
}
