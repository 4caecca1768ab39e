/* window_argmax: src (n h w c) → u8 (n oh ow c): the place in its window of the largest element, the first of
 * equals. Padding never wins. The first NaN of a window wins over every number, so that a max pool does not
 * hide it. With window_take it makes a max pool, and what it finds serves the gradient as well. */
#include "ops/window.h"
#include <math.h>

static dpr_status infer(dpr__infer *q) {
    dpr__window window;
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_rank(q, 0, 4));
    DPR_TRY(dpr__window_fit(q, &q->src[0].shape, &window));
    DPR_TRY(dpr__window_expect_bytes(q));
    q->dst = (dpr__type){DPR_U8, window.map};
    return DPR_OK;
}

static double element(const dpr__call *call, const void *view, const int64_t at[4]) {
    const dpr__window *v = view;
    int64_t best = -1;
    double most = 0;
    for (int64_t ky = 0; ky < v->y.kernel; ky++)
        for (int64_t kx = 0; kx < v->x.kernel; kx++) {
            int64_t y = dpr__axis_at(&v->y, at[1], ky), x = dpr__axis_at(&v->x, at[2], kx);
            if (y < 0 || x < 0)
                continue;
            double value = dpr__get(&call->src[0], dpr__index4(&v->image, at[0], y, x, at[3]));
            if (best < 0 || value > most || (isnan(value) && !isnan(most))) {
                best = ky * v->x.kernel + kx;
                most = value;
            }
        }
    return (double)best;
}

static void reference(const dpr__call *call) {
    dpr__window v = dpr__window_of(call->param, &call->src[0].shape, &call->dst.shape);
    dpr__reference4(call, &v, element);
}

static const dpr__field fields[] = {DPR__WINDOW_FIELDS};

const dpr__op dpr__op_window_argmax = {.infer = infer,
                                       .reference = reference,
                                       .fields = fields,
                                       .n_fields = sizeof fields / sizeof *fields,
                                       .param_bytes = sizeof(dpr__window_param)};
