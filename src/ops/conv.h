/* What conv2d and its two gradients share. All three are one sum over the same products,
 *     dst[n, oy, ox, o] += src[n, y, x, i] · weights[ky, kx, i', o],
 * with (y, x) element (ky, kx) of window (oy, ox), and i channel i' of the group that o is in; each op
 * gives one of the three tensors for the other two. So the gradients of each are the other two ops. */
#ifndef DPR_OPS_CONV_H
#define DPR_OPS_CONV_H

#include "ops/axis.h"

#define DPR__CONV_FIELDS                                                                           \
    DPR__FIELD(dpr__conv_param, stride_h, INT), DPR__FIELD(dpr__conv_param, stride_w, INT),        \
        DPR__FIELD(dpr__conv_param, dilation_h, INT),                                              \
        DPR__FIELD(dpr__conv_param, dilation_w, INT), DPR__FIELD(dpr__conv_param, pad_top, INT),   \
        DPR__FIELD(dpr__conv_param, pad_left, INT), DPR__FIELD(dpr__conv_param, pad_bottom, INT),  \
        DPR__FIELD(dpr__conv_param, pad_right, INT), DPR__FIELD(dpr__conv_param, groups, INT)

/* What passes add: fields of the long form, last. */
#define DPR__CONV_PASS_FIELDS                                                                      \
    DPR__FIELD(dpr__conv_param, winograd, INT), DPR__FIELD(dpr__conv_param, bf16, INT)

typedef struct dpr__conv {
    dpr_shape src, weights, dst; /* n h w c; kh kw c/groups oc; n oh ow oc */
    dpr__axis y, x;
    int64_t group_c, group_oc; /* channels of one group */
} dpr__conv;

/* Fails unless both operands are f32 of four dimensions, and groups is in its range. */
dpr_status dpr__conv_operands(const dpr__infer *question);
/* The convolution of src with weights, once they are known; fails where they do not fit. */
dpr_status dpr__conv_fit(const dpr__infer *question, const dpr_shape *src, const dpr_shape *weights,
                         dpr__conv *out);
/* Fails unless operand i has the shape of the convolution's result. */
dpr_status dpr__conv_expect(const dpr__infer *question, uint32_t i, const dpr__conv *conv);
/* The convolution of a call, whose shapes have passed those checks. */
dpr__conv dpr__conv_of(const dpr__conv_param *param, const dpr_shape *src, const dpr_shape *weights,
                       const dpr_shape *dst);

/* Element `at` of operand i, as the convolution sees it. */
double dpr__conv_get(const dpr__call *call, uint32_t i, int64_t at);
/* weights[ky, kx, i, o] of a call, wherever it lies. */
typedef double dpr__conv_tap(const dpr__call *call, const dpr__conv *conv, int64_t ky, int64_t kx,
                             int64_t i, int64_t o);

/* What of transformed filters (winograd_filters.c) is tap (ky, kx) of the pair of channels at `at`. */
double dpr__winograd_tap(const dpr__tensor *filters, int64_t ky, int64_t kx, int64_t at);
/* The reference of what Winograd's algorithm multiplies in bf16 (winograd.c): conv2d or, back, conv2d_data; and conv2d_weights. */
void dpr__winograd_convolve(const dpr__call *call, const dpr__conv *conv, bool back,
                            dpr__conv_tap *tap);
void dpr__winograd_sum_filters(const dpr__call *call, const dpr__conv *conv);
/* The weights' shape without a transform. */
dpr_shape dpr__conv_taps(const dpr__conv_param *param, const dpr_shape *weights);
/* Fails where filters, side × side, are not for Winograd. */
dpr_status dpr__conv_check_winograd(const dpr__infer *question, const dpr_shape *filters,
                                    int64_t side);

#endif
