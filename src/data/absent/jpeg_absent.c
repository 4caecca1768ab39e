/* In place of jpeg.c where libjpeg is missing. */
#include "data/source.h"

dpr_status dpr__jpeg_decode(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                            uint64_t most, dpr__image *out) {
    (void)bytes, (void)n, (void)most, (void)out;
    return DPR_FAIL(context, DPR_E_UNSUPPORTED,
                    "%s: built without JPEG: install libjpeg-dev and build again", name);
}
