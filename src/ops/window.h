/* What the window ops share: windows of kernel_h × kernel_w elements over the height and width of images
 * (n h w c), each channel on its own. An element of a window is known by its place in it, row-major. */
#ifndef DPR_OPS_WINDOW_H
#define DPR_OPS_WINDOW_H

#include "ops/axis.h"

#define DPR__WINDOW_FIELDS                                                                         \
    DPR__FIELD(dpr__window_param, kernel_h, INT), DPR__FIELD(dpr__window_param, kernel_w, INT),    \
        DPR__FIELD(dpr__window_param, stride_h, INT),                                              \
        DPR__FIELD(dpr__window_param, stride_w, INT), DPR__FIELD(dpr__window_param, pad_top, INT), \
        DPR__FIELD(dpr__window_param, pad_left, INT),                                              \
        DPR__FIELD(dpr__window_param, pad_bottom, INT),                                            \
        DPR__FIELD(dpr__window_param, pad_right, INT)
#define DPR__WINDOW_IMAGE_FIELDS                                                                   \
    DPR__FIELD(dpr__window_param, height, INT), DPR__FIELD(dpr__window_param, width, INT)

typedef struct dpr__window {
    dpr_shape image, map; /* n h w c; n oh ow c */
    dpr__axis y, x;
} dpr__window;

/* The windows over `image`; fails where they do not fit. Padding is smaller than the kernel, so that every
 * window holds an element of the image. */
dpr_status dpr__window_fit(const dpr__infer *question, const dpr_shape *image, dpr__window *out);
/* Fails unless operand i has one element for each window. */
dpr_status dpr__window_expect(const dpr__infer *question, uint32_t i, const dpr__window *window);
/* For ops that name an element of a window in a byte: fails where a window has more than 256. */
dpr_status dpr__window_expect_bytes(const dpr__infer *question);
/* The shape rule of the ops that give an image of height × width for operand 0, one element for each window. */
dpr_status dpr__window_infer_image(dpr__infer *question);
/* The windows of a call, whose shapes have passed those checks. */
dpr__window dpr__window_of(const dpr__window_param *param, const dpr_shape *image,
                           const dpr_shape *map);

#endif
