/* Test-time augmentation: the views of an image whose logits a prediction averages. */
#ifndef DPR_TRAIN_VIEWS_H
#define DPR_TRAIN_VIEWS_H

#include "train/data.h"

enum { DPR__TTA_FLIP = 1, DPR__TTA_TRANSLATE = 2, DPR__N_TTA = 4, DPR__MOST_VIEWS = 6 };
extern const char *const dpr__tta_words[DPR__N_TTA]; /* by the sum of the above; 0 is "none" */

typedef struct dpr__view {
    bool mirrored;
    int shift;     /* takes the pixel so much below and to the right: −1, 0, 1 */
    double weight; /* of its logits; a set's add up to 1 */
} dpr__view;

/* The views of a set; the image as it is comes first. */
size_t dpr__views(unsigned tta, dpr__view out[DPR__MOST_VIEWS]);
/* u8 (n, height, width, channels) as one view shows it. What is shifted in at the border is reflected. */
void dpr__view_make(const dpr__view *view, const dpr_shape *image, const uint8_t *images, size_t n,
                    uint8_t *out);

#endif
