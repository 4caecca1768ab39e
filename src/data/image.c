/* Single images: by content, upright, to the network's size. */
#include "base/context.h"
#include "base/file.h"
#include "data/source.h"
#include <string.h>

void dpr__image_release(dpr_context *context, dpr__image *image) {
    dpr__free(context, image->pixels);
    *image = (dpr__image){0};
}

dpr_status dpr__image_allocate(dpr_context *context, const char *name, uint64_t height,
                               uint64_t width, uint32_t channels, uint64_t most, uint64_t held,
                               dpr__image *out) {
    if (height < 1 || width < 1 || height > DPR__MOST_SIDE || width > DPR__MOST_SIDE ||
        height * width > most)
        return DPR_FAIL(
            context, DPR_E_FORMAT,
            "%s: its header says %llu × %llu pixels; images of 1 to %llu are read; make "
            "it smaller, or fetch it again",
            name, (unsigned long long)height, (unsigned long long)width, (unsigned long long)most);
    if (height * width > held)
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "%s: cut off: its header says %llu × %llu pixels, for which the file is "
                        "too small; fetch it again",
                        name, (unsigned long long)height, (unsigned long long)width);
    *out = (dpr__image){(uint32_t)height, (uint32_t)width, channels, NULL};
    return dpr__allocate_untouched(context, height * width, channels, &out->pixels);
}

static bool is_png(const uint8_t *bytes, size_t n) {
    return n >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static bool is_jpeg(const uint8_t *bytes, size_t n) {
    return n >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

bool dpr__is_image(const uint8_t *bytes, size_t n) {
    return is_png(bytes, n) || is_jpeg(bytes, n);
}

/* Orientation o puts the stored row 0 and column 0 at: 1 top left, 2 top right, 3 bottom right,
 * 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom. From 5 on, rows and columns
 * change places. */
static dpr_status turn_upright(dpr_context *context, const char *name, unsigned orientation,
                               dpr__image *image) {
    dpr__image turned;
    bool swap = orientation >= 5;
    uint32_t h = image->height, w = image->width, c = image->channels;
    bool bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    bool right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    DPR_TRY(dpr__image_allocate(context, name, swap ? w : h, swap ? h : w, c, DPR__MOST_PIXELS,
                                DPR__MOST_PIXELS, &turned));
    for (uint32_t i = 0; i < turned.height; i++)
        for (uint32_t j = 0; j < turned.width; j++) {
            uint32_t y = bottom ? turned.height - 1 - i : i;
            uint32_t x = right ? turned.width - 1 - j : j;
            uint32_t row = swap ? x : y, column = swap ? y : x;
            memcpy(turned.pixels + ((size_t)i * turned.width + j) * c,
                   image->pixels + ((size_t)row * w + column) * c, c);
        }
    dpr__image_release(context, image);
    *image = turned;
    return DPR_OK;
}

dpr_status dpr__image_decode(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                             uint64_t most, dpr__image *out) {
    if (n == 0)
        return DPR_FAIL(context, DPR_E_FORMAT, "%s: is empty; fetch it again, or take it away",
                        name);
    if (is_png(bytes, n))
        return dpr__png_decode(context, name, bytes, n, most, out);
    if (!is_jpeg(bytes, n))
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "%s: neither a PNG nor a JPEG file; convert it, or take it away", name);
    DPR_TRY(dpr__jpeg_decode(context, name, bytes, n, most, out));
    unsigned orientation = dpr__exif_orientation(bytes, n);
    dpr_status status = orientation > 1 ? turn_upright(context, name, orientation, out) : DPR_OK;
    if (status != DPR_OK)
        dpr__image_release(context, out);
    return status;
}

static uint64_t number(const uint8_t *bytes, int n) {
    uint64_t value = 0;
    for (int i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* PNG: width and height begin the first chunk (ISO 15948, section 11.2.2). JPEG: the frame header is a segment with marker C0 to CF, but for C4, C8 and CC, and has height and width
 * behind its precision (ITU-T T.81, section B.2.2). */
uint64_t dpr__image_pixels(const uint8_t *bytes, size_t n) {
    if (is_png(bytes, n))
        return n < 24 ? 0 : number(bytes + 16, 4) * number(bytes + 20, 4);
    for (size_t at = 2; is_jpeg(bytes, n) && n - at >= 9 && bytes[at] == 0xff;) {
        unsigned marker = bytes[at + 1];
        size_t length = (size_t)number(bytes + at + 2, 2);
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc)
            return number(bytes + at + 5, 2) * number(bytes + at + 7, 2);
        if (marker != 0xff && length + 2 > n - at)
            return 0;
        at += marker == 0xff ? 1 : length + 2;
    }
    return 0;
}

/* ---- for one image alone ---- */

dpr_status dpr__image_check_shape(dpr_context *context, const char *name, dpr_shape shape) {
    if (shape.rank == 3 && shape.dim[0] >= 1 && shape.dim[1] >= 1 &&
        shape.dim[0] <= DPR__MOST_SIDE && shape.dim[1] <= DPR__MOST_SIDE &&
        (shape.dim[2] == 1 || shape.dim[2] == 3))
        return DPR_OK;
    return DPR_FAIL(context, DPR_E_SHAPE,
                    "%s: images are brought to (height, width, 1 or 3 channels), sides up to %d",
                    name, DPR__MOST_SIDE);
}

dpr_status dpr__image_load(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                           uint64_t *most, dpr_shape shape, dpr_fit fit, uint8_t *pixels) {
    dpr__image image;
    DPR_TRY(dpr__image_check_shape(context, name, shape));
    DPR_TRY(dpr__image_decode(context, name, bytes, n, *most, &image));
    *most -= (uint64_t)image.height * image.width;
    dpr_status status =
        dpr__image_bring(context, &image, (uint32_t)shape.dim[0], (uint32_t)shape.dim[1],
                         (uint32_t)shape.dim[2], fit, pixels);
    dpr__image_release(context, &image);
    return status;
}

dpr_status dpr_image_read(dpr_context *context, const char *path, dpr_shape shape, dpr_fit fit,
                          uint8_t **pixels) {
    uint8_t *bytes, *brought = NULL;
    size_t n;
    uint64_t most = DPR__MOST_PIXELS;
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    DPR_TRY(dpr__image_check_shape(context, name, shape));
    DPR_TRY(dpr__file_read(context, path, DPR__MOST_FILE, &bytes, &n));
    dpr_status status = dpr__allocate(context, (size_t)shape.dim[0] * (size_t)shape.dim[1],
                                      (size_t)shape.dim[2], &brought);
    if (status == DPR_OK)
        status = dpr__image_load(context, name, bytes, n, &most, shape, fit, brought);
    dpr__free(context, bytes);
    if (status != DPR_OK) {
        dpr__free(context, brought);
        return status;
    }
    *pixels = brought;
    return DPR_OK;
}

void dpr_pixels_destroy(dpr_context *context, uint8_t *pixels) {
    dpr__free(context, pixels);
}
