/* PNG and JPEG files from strangers: any bytes give pixels or a message, never a crash, a leak or a
 * hang. Images of more than 1 MiB are refused here, so that runs stay short. */
#include "data/source.h"
#include <stdlib.h>

enum { MOST_BYTES = 1 << 20, SIDE = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void *allocate(void *user, void *memory, size_t size) {
    (void)user;
    if (size == 0) {
        free(memory);
        return NULL;
    }
    return size > MOST_BYTES ? NULL : realloc(memory, size);
}

/* The first byte chooses the fit. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    dpr_context *context;
    dpr__image image;
    uint8_t pixels[SIDE * SIDE * 3];
    dpr_context_options options = dpr_context_options_default();
    options.threads = 1;
    options.allocate = allocate;
    if (n > 0 && dpr_context_create(&options, &context) == DPR_OK) {
        if (dpr__image_decode(context, "fuzz", bytes + 1, n - 1, DPR__MOST_PIXELS, &image) ==
            DPR_OK) {
            (void)dpr__image_bring(context, &image, SIDE, SIDE - 2, bytes[0] & 4 ? 1 : 3,
                                   (dpr_fit)(bytes[0] % 3), pixels);
            dpr__image_release(context, &image);
        }
        dpr_context_destroy(context);
    }
    return 0;
}
