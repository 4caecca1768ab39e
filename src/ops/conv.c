/* The shapes of convolutions (conv.h). */
#include "ops/conv.h"
#include "ir/form.h"

dpr__conv dpr__conv_of(const dpr__conv_param *p, const dpr_shape *src, const dpr_shape *weights,
                       const dpr_shape *dst) {
    return (dpr__conv){.src = *src,
                       .weights = *weights,
                       .dst = *dst,
                       .y = {src->dim[1], weights->dim[0], p->stride_h, p->dilation_h, p->pad_top,
                             p->pad_bottom, dst->dim[1]},
                       .x = {src->dim[2], weights->dim[1], p->stride_w, p->dilation_w, p->pad_left,
                             p->pad_right, dst->dim[2]},
                       .group_c = weights->dim[2],
                       .group_oc = weights->dim[3] / p->groups};
}

double dpr__conv_get(const dpr__call *call, uint32_t i, int64_t at) {
    double x = dpr__get(&call->src[i], at);
    bool bf16 = ((const dpr__conv_param *)call->param)->bf16 == DPR__BF16_OPERANDS;
    return bf16 ? dpr__bf16_of(x) : x;
}

dpr_status dpr__conv_operands(const dpr__infer *q) {
    int64_t groups = ((const dpr__conv_param *)q->param)->groups;
    for (uint32_t i = 0; i < 2; i++) {
        DPR_TRY(dpr__expect_dtype(q, i, DPR_F32));
        DPR_TRY(dpr__expect_rank(q, i, 4));
    }
    if (groups >= 1 && groups <= DPR__AXIS_MOST)
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_ARGUMENT, "%s '%s': %lld groups; there must be 1 to %d",
                    q->op, q->name, (long long)groups, DPR__AXIS_MOST);
}

static dpr_status check_channels(const dpr__infer *q, const dpr_shape *src,
                                 const dpr_shape *weights) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    int64_t groups = ((const dpr__conv_param *)q->param)->groups;
    if (src->dim[3] < 1 || weights->dim[2] < 1 || src->dim[3] != weights->dim[2] * groups)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "%s '%s': the data is %s, the weights are %s, in %lld groups: the data's "
                        "channels must be the weights' third dimension × groups",
                        q->op, q->name, dpr__shape_text(src, a), dpr__shape_text(weights, b),
                        (long long)groups);
    if (weights->dim[3] < 1 || weights->dim[3] % groups != 0)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "%s '%s': the weights are %s: their last dimension must be a multiple of "
                        "the %lld groups",
                        q->op, q->name, dpr__shape_text(weights, b), (long long)groups);
    return DPR_OK;
}

dpr_status dpr__conv_fit(const dpr__infer *q, const dpr_shape *src, const dpr_shape *weights,
                         dpr__conv *out) {
    dpr_shape dst = {.rank = 4, .dim = {src->dim[0]}};
    *out = dpr__conv_of(q->param, src, weights, &dst);
    DPR_TRY(dpr__axis_check(q, "height", &out->y));
    DPR_TRY(dpr__axis_check(q, "width", &out->x));
    DPR_TRY(check_channels(q, src, weights));
    out->dst = dpr_shape_of(src->dim[0], out->y.n, out->x.n, weights->dim[3]);
    return DPR_OK;
}

dpr_status dpr__conv_expect(const dpr__infer *q, uint32_t i, const dpr__conv *conv) {
    char got[DPR__SHAPE_TEXT], src[DPR__SHAPE_TEXT], weights[DPR__SHAPE_TEXT], dst[DPR__SHAPE_TEXT];
    if (dpr__shape_equal(&q->src[i].shape, &conv->dst))
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_SHAPE,
                    "%s '%s': operand %u is %s; data of %s convolved with weights of %s is %s",
                    q->op, q->name, i + 1, dpr__shape_text(&q->src[i].shape, got),
                    dpr__shape_text(&conv->src, src), dpr__shape_text(&conv->weights, weights),
                    dpr__shape_text(&conv->dst, dst));
}
