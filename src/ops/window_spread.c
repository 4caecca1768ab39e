/* window_spread: diff (n oh ow c) → (n height width c): every element of an image gets the sum over the windows
 * that hold it. The adjoint of window_sum.
 * Gradient: window_sum(g). */
#include "ops/window.h"

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_window_sum, &q->diff_dst, 1, q->param);
}

static double element(const dpr__call *call, const void *view, const int64_t at[4]) {
    const dpr__window *v = view;
    double sum = 0;
    for (int64_t ky = 0; ky < v->y.kernel; ky++)
        for (int64_t kx = 0; kx < v->x.kernel; kx++) {
            int64_t oy = dpr__axis_window(&v->y, at[1], ky);
            int64_t ox = dpr__axis_window(&v->x, at[2], kx);
            if (oy >= 0 && ox >= 0)
                sum += dpr__get(&call->src[0], dpr__index4(&v->map, at[0], oy, ox, at[3]));
        }
    return sum;
}

static void reference(const dpr__call *call) {
    dpr__window v = dpr__window_of(call->param, &call->dst.shape, &call->src[0].shape);
    dpr__reference4(call, &v, element);
}

static const dpr__field fields[] = {DPR__WINDOW_FIELDS, DPR__WINDOW_IMAGE_FIELDS};

const dpr__op dpr__op_window_spread = {.infer = dpr__window_infer_image,
                                       .gradient = gradient,
                                       .reference = reference,
                                       .fields = fields,
                                       .n_fields = sizeof fields / sizeof *fields,
                                       .param_bytes = sizeof(dpr__window_param)};
