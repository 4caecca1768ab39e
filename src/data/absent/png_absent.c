/* In place of png.c where libpng is missing. */
#include "data/source.h"

static dpr_status absent(dpr_context *context, const char *name) {
    return DPR_FAIL(context, DPR_E_UNSUPPORTED,
                    "%s: built without PNG: install libpng-dev and build again", name);
}

dpr_status dpr__png_decode(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                           uint64_t most, dpr__image *out) {
    (void)bytes, (void)n, (void)most, (void)out;
    return absent(context, name);
}

dpr_status dpr__png_encode(dpr_context *context, const uint8_t *pixels, dpr_shape image,
                           dpr__text *out) {
    (void)pixels, (void)image, (void)out;
    return absent(context, "a picture");
}

dpr_status dpr_png_write(dpr_context *context, const char *path, const uint8_t *pixels,
                         dpr_shape image) {
    (void)pixels, (void)image;
    return absent(context, path);
}
