/* window_take: src (n h w c), index u8 (n oh ow c) → (n oh ow c): of each window the element that index
 * names; 0 where that lies in the padding, or outside the window. An op of its own: gather copies whole entries.
 * Gradient: src ← window_put(g, index). */
#include "ops/window.h"

static dpr_status infer(dpr__infer *q) {
    dpr__window window;
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_dtype(q, 1, DPR_U8));
    DPR_TRY(dpr__expect_rank(q, 0, 4));
    DPR_TRY(dpr__window_fit(q, &q->src[0].shape, &window));
    DPR_TRY(dpr__window_expect_bytes(q));
    DPR_TRY(dpr__window_expect(q, 1, &window));
    q->dst = (dpr__type){DPR_F32, window.map};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr__window_param param = *(const dpr__window_param *)q->param;
    dpr_shape image = dpr_value_shape(q->graph, q->src[0]);
    param.height = image.dim[1];
    param.width = image.dim[2];
    q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_window_put,
                                   (dpr_value[]){q->diff_dst, q->src[1]}, 2, &param);
}

static double element(const dpr__call *call, const void *view, const int64_t at[4]) {
    const dpr__window *v = view;
    int64_t from = dpr__index4(&v->map, at[0], at[1], at[2], at[3]);
    int64_t place = ((const uint8_t *)call->src[1].data)[from];
    int64_t ky = place / v->x.kernel, kx = place % v->x.kernel;
    int64_t y = dpr__axis_at(&v->y, at[1], ky), x = dpr__axis_at(&v->x, at[2], kx);
    if (ky >= v->y.kernel || y < 0 || x < 0)
        return 0;
    return dpr__get(&call->src[0], dpr__index4(&v->image, at[0], y, x, at[3]));
}

static void reference(const dpr__call *call) {
    dpr__window v = dpr__window_of(call->param, &call->src[0].shape, &call->dst.shape);
    dpr__reference4(call, &v, element);
}

static const dpr__field fields[] = {DPR__WINDOW_FIELDS};

const dpr__op dpr__op_window_take = {.infer = infer,
                                     .gradient = gradient,
                                     .reference = reference,
                                     .fields = fields,
                                     .n_fields = sizeof fields / sizeof *fields,
                                     .param_bytes = sizeof(dpr__window_param)};
