/* window_put: diff (n oh ow c), index u8 (n oh ow c) → (n height width c): every element of diff goes where
 * index says in its window, and what arrives at one place is summed; an index into the padding, or outside the
 * window, goes nowhere. The adjoint of window_take.
 * Gradient: diff ← window_take(g, index). */
#include "ops/window.h"

static dpr_status infer(dpr__infer *q) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    DPR_TRY(dpr__expect_dtype(q, 1, DPR_U8));
    DPR_TRY(dpr__window_infer_image(q));
    DPR_TRY(dpr__window_expect_bytes(q));
    if (!dpr__shape_equal(&q->src[0].shape, &q->src[1].shape))
        return DPR_FAIL(q->context, DPR_E_SHAPE, "window_put '%s': %s against an index of %s",
                        q->name, dpr__shape_text(&q->src[0].shape, a),
                        dpr__shape_text(&q->src[1].shape, b));
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_window_take,
                                   (dpr_value[]){q->diff_dst, q->src[1]}, 2, q->param);
}

static double element(const dpr__call *call, const void *view, const int64_t at[4]) {
    const dpr__window *v = view;
    const uint8_t *index = call->src[1].data;
    double sum = 0;
    for (int64_t ky = 0; ky < v->y.kernel; ky++)
        for (int64_t kx = 0; kx < v->x.kernel; kx++) {
            int64_t oy = dpr__axis_window(&v->y, at[1], ky);
            int64_t ox = dpr__axis_window(&v->x, at[2], kx);
            if (oy < 0 || ox < 0)
                continue;
            int64_t from = dpr__index4(&v->map, at[0], oy, ox, at[3]);
            if (index[from] == ky * v->x.kernel + kx)
                sum += dpr__get(&call->src[0], from);
        }
    return sum;
}

static void reference(const dpr__call *call) {
    dpr__window v = dpr__window_of(call->param, &call->dst.shape, &call->src[0].shape);
    dpr__reference4(call, &v, element);
}

static const dpr__field fields[] = {DPR__WINDOW_FIELDS, DPR__WINDOW_IMAGE_FIELDS};

const dpr__op dpr__op_window_put = {.infer = infer,
                                    .gradient = gradient,
                                    .reference = reference,
                                    .fields = fields,
                                    .n_fields = sizeof fields / sizeof *fields,
                                    .param_bytes = sizeof(dpr__window_param)};
