/* conv2d_data: diff_dst (n oh ow oc), weights (kh kw c/groups oc) → (n height width c): the gradient of
 * conv2d with respect to its data,
 *     dst[n, y, x, i] = Σ diff_dst[n, oy, ox, o] · weights[ky, kx, i', o]
 * over the windows (oy, ox) that have (y, x) as their element (ky, kx), and o in i's group. An op of its own:
 * in terms of conv2d it would need diff_dst with zeros between its elements.
 * Gradient, since it is linear in both: diff_dst ← conv2d(g, weights); weights ← conv2d_weights(g,
 * diff_dst). */
#include "ops/conv.h"

/* The shape of the filters before they were turned. */
static dpr_shape as_they_were(const dpr__conv_param *p, const dpr_shape *weights) {
    dpr_shape shape = dpr__conv_taps(p, weights);
    if (p->turned) {
        shape.dim[2] = weights->dim[3] / p->groups;
        shape.dim[3] = weights->dim[2] * p->groups;
    }
    return shape;
}

static dpr_status infer(dpr__infer *q) {
    const dpr__conv_param *p = q->param;
    dpr__conv conv;
    DPR_TRY(dpr__conv_operands(q));
    bool transformed = p->winograd == DPR__FILTERS_TRANSFORMED;
    DPR_TRY(dpr__conv_check_winograd(q, &q->src[1].shape, transformed ? 6 : 3));
    dpr_shape weights = as_they_were(p, &q->src[1].shape);
    dpr_shape dst =
        dpr_shape_of(q->src[0].shape.dim[0], p->height, p->width, weights.dim[2] * p->groups);
    DPR_TRY(dpr__conv_fit(q, &dst, &weights, &conv));
    DPR_TRY(dpr__conv_expect(q, 0, &conv));
    q->dst = (dpr__type){DPR_F32, dst};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr__conv_param plain = *(const dpr__conv_param *)q->param, kernel;
    bool turned = plain.turned != 0;
    const dpr__turn_param turn = {plain.groups};
    dpr_value weights = q->src[1];
    if (turned)
        weights = dpr__node_add(q->graph, DPR__OP_turn_filters, &weights, 1, &turn);
    plain.turned = 0;
    kernel = plain;
    dpr_shape taps = dpr_value_shape(q->graph, q->src[1]);
    kernel.kernel_h = taps.dim[0];
    kernel.kernel_w = taps.dim[1];
    if (q->needed[0])
        q->diff_src[0] =
            dpr__node_add(q->graph, DPR__OP_conv2d, (dpr_value[]){q->diff_dst, weights}, 2, &plain);
    if (q->needed[1])
        q->diff_src[1] = dpr__node_add(q->graph, DPR__OP_conv2d_weights,
                                       (dpr_value[]){q->diff_dst, q->src[0]}, 2, &kernel);
    if (q->needed[1] && turned)
        q->diff_src[1] = dpr__node_add(q->graph, DPR__OP_turn_filters, &q->diff_src[1], 1, &turn);
}

/* weights[ky, kx, i, o], wherever it lies. */
static double tap(const dpr__call *call, const dpr__conv *v, int64_t ky, int64_t kx, int64_t i,
                  int64_t o) {
    const dpr__conv_param *p = call->param;
    int64_t at = i * v->weights.dim[3] + o;
    if (p->turned) {
        ky = v->y.kernel - 1 - ky, kx = v->x.kernel - 1 - kx;
        at = o % v->group_oc * v->src.dim[3] + o / v->group_oc * v->group_c + i;
    }
    if (p->winograd == DPR__FILTERS_TRANSFORMED)
        return dpr__winograd_tap(&call->src[1], ky, kx, at);
    return dpr__conv_get(call, 1,
                         (ky * v->x.kernel + kx) * v->weights.dim[2] * v->weights.dim[3] + at);
}

static double element(const dpr__call *call, const void *view, const int64_t at[4]) {
    const dpr__conv *v = view;
    int64_t first = at[3] / v->group_c * v->group_oc, i = at[3] % v->group_c;
    double sum = 0;
    for (int64_t ky = 0; ky < v->y.kernel; ky++)
        for (int64_t kx = 0; kx < v->x.kernel; kx++) {
            int64_t oy = dpr__axis_window(&v->y, at[1], ky);
            int64_t ox = dpr__axis_window(&v->x, at[2], kx);
            for (int64_t o = first; o < first + v->group_oc && oy >= 0 && ox >= 0; o++)
                sum += dpr__conv_get(call, 0, dpr__index4(&v->dst, at[0], oy, ox, o)) *
                       tap(call, v, ky, kx, i, o);
        }
    return sum;
}

static void reference(const dpr__call *call) {
    dpr_shape weights = as_they_were(call->param, &call->src[1].shape);
    dpr__conv v = dpr__conv_of(call->param, &call->dst.shape, &weights, &call->src[0].shape);
    if (((const dpr__conv_param *)call->param)->bf16 == DPR__BF16_WINOGRAD)
        dpr__winograd_convolve(call, &v, true, tap);
    else
        dpr__reference4(call, &v, element);
}

static const dpr__field fields[] = {DPR__CONV_FIELDS, DPR__FIELD(dpr__conv_param, height, INT),
                                    DPR__FIELD(dpr__conv_param, width, INT),
                                    DPR__FIELD(dpr__conv_param, turned, INT),
                                    DPR__CONV_PASS_FIELDS};

const dpr__op dpr__op_conv2d_data = {.infer = infer,
                                     .gradient = gradient,
                                     .reference = reference,
                                     .fields = fields,
                                     .n_fields = sizeof fields / sizeof *fields,
                                     .param_bytes = sizeof(dpr__conv_param)};
