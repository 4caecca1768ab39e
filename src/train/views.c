/* Making views (views.h). The views and their weights are those of airbench (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single
 * GPU"): half for the image, a quarter for each of two shifts by one pixel, and each of the three together with its mirror image. */
#include "train/views.h"
#include <string.h>

const char *const dpr__tta_words[DPR__N_TTA] = {"none", "flip", "translate", "flip,translate"};

size_t dpr__views(unsigned tta, dpr__view out[DPR__MOST_VIEWS]) {
    static const dpr__view shifts[] = {{false, 0, 0.5}, {false, 1, 0.25}, {false, -1, 0.25}};
    bool translate = (tta & DPR__TTA_TRANSLATE) != 0, flip = (tta & DPR__TTA_FLIP) != 0;
    size_t n = 0;
    for (size_t i = 0; i < (translate ? 3 : 1); i++) {
        dpr__view view = shifts[i];
        view.weight *= (translate ? 1 : 2) * (flip ? 0.5 : 1);
        out[n++] = view;
        view.mirrored = true;
        if (flip)
            out[n++] = view;
    }
    return n;
}

/* Where position i of an axis of `side` pixels lies after a shift; beyond the border as in a mirror at the border pixel. */
static size_t source(int64_t i, int shift, int64_t side) {
    int64_t at = i + shift;
    if (at < 0)
        at = side > 1 ? 1 : 0;
    if (at >= side)
        at = side > 1 ? side - 2 : 0;
    return (size_t)at;
}

void dpr__view_make(const dpr__view *view, const dpr_shape *image, const uint8_t *images, size_t n,
                    uint8_t *out) {
    int64_t height = image->dim[0], width = image->dim[1];
    size_t channels = (size_t)image->dim[2], row = (size_t)width * channels;
    for (size_t i = 0; i < n; i++, images += (size_t)height * row)
        for (int64_t y = 0; y < height; y++) {
            const uint8_t *from = images + source(y, view->shift, height) * row;
            for (int64_t x = 0; x < width; x++, out += channels) {
                /* mirrored after it was shifted */
                int64_t of = view->mirrored ? width - 1 - x : x;
                memcpy(out, from + source(of, view->shift, width) * channels, channels);
            }
        }
}
