/* conv2d: src (n h w c), weights (kh kw c/groups oc) → (n oh ow oc),
 *     dst[n, oy, ox, o] = Σ_{ky, kx, i} src[n, oy·sh − top + ky·dh, ox·sw − left + kx·dw, first + i]
 *                                       · weights[ky, kx, i, o],
 * with zeros in the padding; `first` is the first channel of o's group. Groups = c is depthwise. An op of
 * its own: as a composition of slices and matmuls it would make kh·kw copies of src.
 * Gradient: src ← conv2d_data(g, weights); weights ← conv2d_weights(src, g). */
#include "ops/conv.h"

static dpr_status infer(dpr__infer *q) {
    dpr__conv conv;
    DPR_TRY(dpr__conv_operands(q));
    bool transformed = ((const dpr__conv_param *)q->param)->winograd == DPR__FILTERS_TRANSFORMED;
    DPR_TRY(dpr__conv_check_winograd(q, &q->src[1].shape, transformed ? 6 : 3));
    dpr_shape weights = dpr__conv_taps(q->param, &q->src[1].shape);
    DPR_TRY(dpr__conv_fit(q, &q->src[0].shape, &weights, &conv));
    q->dst = (dpr__type){DPR_F32, conv.dst};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr_value src = q->src[0], weights = q->src[1];
    dpr__conv_param data = *(const dpr__conv_param *)q->param, kernel = data;
    dpr_shape image = dpr_value_shape(q->graph, src), taps = dpr_value_shape(q->graph, weights);
    data.height = image.dim[1];
    data.width = image.dim[2];
    kernel.kernel_h = taps.dim[0];
    kernel.kernel_w = taps.dim[1];
    if (q->needed[0])
        q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_conv2d_data,
                                       (dpr_value[]){q->diff_dst, weights}, 2, &data);
    if (q->needed[1])
        q->diff_src[1] = dpr__node_add(q->graph, DPR__OP_conv2d_weights,
                                       (dpr_value[]){src, q->diff_dst}, 2, &kernel);
}

static double tap(const dpr__call *call, const dpr__conv *v, int64_t ky, int64_t kx, int64_t i,
                  int64_t o) {
    if (((const dpr__conv_param *)call->param)->winograd == DPR__FILTERS_TRANSFORMED)
        return dpr__winograd_tap(&call->src[1], ky, kx, i * v->weights.dim[3] + o);
    return dpr__conv_get(call, 1, dpr__index4(&v->weights, ky, kx, i, o));
}

static double element(const dpr__call *call, const void *view, const int64_t at[4]) {
    const dpr__conv *v = view;
    int64_t first = at[3] / v->group_oc * v->group_c;
    double sum = 0;
    for (int64_t ky = 0; ky < v->y.kernel; ky++)
        for (int64_t kx = 0; kx < v->x.kernel; kx++) {
            int64_t y = dpr__axis_at(&v->y, at[1], ky), x = dpr__axis_at(&v->x, at[2], kx);
            for (int64_t i = 0; i < v->group_c && y >= 0 && x >= 0; i++)
                sum += dpr__conv_get(call, 0, dpr__index4(&v->src, at[0], y, x, first + i)) *
                       tap(call, v, ky, kx, i, at[3]);
        }
    return sum;
}

static void reference(const dpr__call *call) {
    dpr_shape weights = dpr__conv_taps(call->param, &call->src[1].shape);
    dpr__conv v = dpr__conv_of(call->param, &call->src[0].shape, &weights, &call->dst.shape);
    if (((const dpr__conv_param *)call->param)->bf16 == DPR__BF16_WINOGRAD)
        dpr__winograd_convolve(call, &v, false, tap);
    else
        dpr__reference4(call, &v, element);
}

static const dpr__field fields[] = {DPR__CONV_FIELDS, DPR__CONV_PASS_FIELDS};

const dpr__op dpr__op_conv2d = {.infer = infer,
                                .gradient = gradient,
                                .reference = reference,
                                .fields = fields,
                                .n_fields = sizeof fields / sizeof *fields,
                                .param_bytes = sizeof(dpr__conv_param)};
