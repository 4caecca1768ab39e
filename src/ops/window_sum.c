/* window_sum: src (n h w c) → (n oh ow c): the sum of each window, channel by channel; padding counts as 0. An
 * op of its own: `sum` knows no overlapping windows.
 * Gradient: window_spread(g). */
#include "ops/window.h"

static dpr_status infer(dpr__infer *q) {
    dpr__window window;
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_rank(q, 0, 4));
    DPR_TRY(dpr__window_fit(q, &q->src[0].shape, &window));
    q->dst = (dpr__type){DPR_F32, window.map};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr__window_param param = *(const dpr__window_param *)q->param;
    dpr_shape image = dpr_value_shape(q->graph, q->src[0]);
    param.height = image.dim[1];
    param.width = image.dim[2];
    q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_window_spread, &q->diff_dst, 1, &param);
}

static double element(const dpr__call *call, const void *view, const int64_t at[4]) {
    const dpr__window *v = view;
    double sum = 0;
    for (int64_t ky = 0; ky < v->y.kernel; ky++)
        for (int64_t kx = 0; kx < v->x.kernel; kx++) {
            int64_t y = dpr__axis_at(&v->y, at[1], ky), x = dpr__axis_at(&v->x, at[2], kx);
            if (y >= 0 && x >= 0)
                sum += dpr__get(&call->src[0], dpr__index4(&v->image, at[0], y, x, at[3]));
        }
    return sum;
}

static void reference(const dpr__call *call) {
    dpr__window v = dpr__window_of(call->param, &call->src[0].shape, &call->dst.shape);
    dpr__reference4(call, &v, element);
}

static const dpr__field fields[] = {DPR__WINDOW_FIELDS};

const dpr__op dpr__op_window_sum = {.infer = infer,
                                    .gradient = gradient,
                                    .reference = reference,
                                    .fields = fields,
                                    .n_fields = sizeof fields / sizeof *fields,
                                    .param_bytes = sizeof(dpr__window_param)};
