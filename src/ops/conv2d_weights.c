/* conv2d_weights: src (n h w c), diff_dst (n oh ow oc) → (kernel_h kernel_w c/groups oc): the gradient of
 * conv2d with respect to its weights,
 *     dst[ky, kx, i, o] = Σ_{n, oy, ox} src[n, y, x, first + i] · diff_dst[n, oy, ox, o],
 * with (y, x) element (ky, kx) of window (oy, ox). It sums over the batch: rows beyond the last image count
 * for nothing because their gradient is 0.
 * Gradient, since it is linear in both: src ← conv2d_data(diff_dst, g); diff_dst ← conv2d(src, g). */
#include "ops/conv.h"

static dpr_status infer(dpr__infer *q) {
    const dpr__conv_param *p = q->param;
    dpr__conv conv;
    DPR_TRY(dpr__conv_operands(q));
    const dpr_shape *src = &q->src[0].shape, *diff = &q->src[1].shape;
    /* Channels that do not divide are refused below: times groups, the quotient is too small. */
    dpr_shape dst = dpr_shape_of(p->kernel_h, p->kernel_w, src->dim[3] / p->groups, diff->dim[3]);
    DPR_TRY(dpr__conv_check_winograd(q, &dst, 3));
    DPR_TRY(dpr__conv_fit(q, src, &dst, &conv));
    DPR_TRY(dpr__conv_expect(q, 1, &conv));
    q->dst = (dpr__type){DPR_F32, dst};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr__conv_param data = *(const dpr__conv_param *)q->param;
    dpr_shape image = dpr_value_shape(q->graph, q->src[0]);
    data.height = image.dim[1];
    data.width = image.dim[2];
    if (q->needed[0])
        q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_conv2d_data,
                                       (dpr_value[]){q->src[1], q->diff_dst}, 2, &data);
    if (q->needed[1])
        q->diff_src[1] = dpr__node_add(q->graph, DPR__OP_conv2d,
                                       (dpr_value[]){q->src[0], q->diff_dst}, 2, q->param);
}

static double element(const dpr__call *call, const void *view, const int64_t at[4]) {
    const dpr__conv *v = view;
    int64_t channel = at[3] / v->group_oc * v->group_c + at[2];
    double sum = 0;
    for (int64_t n = 0; n < v->dst.dim[0]; n++)
        for (int64_t oy = 0; oy < v->y.n; oy++)
            for (int64_t ox = 0; ox < v->x.n; ox++) {
                int64_t y = dpr__axis_at(&v->y, oy, at[0]), x = dpr__axis_at(&v->x, ox, at[1]);
                if (y >= 0 && x >= 0)
                    sum += dpr__conv_get(call, 0, dpr__index4(&v->src, n, y, x, channel)) *
                           dpr__conv_get(call, 1, dpr__index4(&v->dst, n, oy, ox, at[3]));
            }
    return sum;
}

static void reference(const dpr__call *call) {
    dpr__conv v =
        dpr__conv_of(call->param, &call->src[0].shape, &call->dst.shape, &call->src[1].shape);
    if (((const dpr__conv_param *)call->param)->bf16 == DPR__BF16_WINOGRAD)
        dpr__winograd_sum_filters(call, &v);
    else
        dpr__reference4(call, &v, element);
}

static const dpr__field fields[] = {DPR__CONV_FIELDS, DPR__FIELD(dpr__conv_param, kernel_h, INT),
                                    DPR__FIELD(dpr__conv_param, kernel_w, INT),
                                    DPR__CONV_PASS_FIELDS};

const dpr__op dpr__op_conv2d_weights = {.infer = infer,
                                        .gradient = gradient,
                                        .reference = reference,
                                        .fields = fields,
                                        .n_fields = sizeof fields / sizeof *fields,
                                        .param_bytes = sizeof(dpr__conv_param)};
