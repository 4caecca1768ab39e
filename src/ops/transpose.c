/* transpose: axis i of dst is axis permutation[i] of src. Gradient: the inverse permutation. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    const dpr_shape *p = &((const dpr__transpose_param *)q->param)->permutation;
    const dpr_shape *src = &q->src[0].shape;
    unsigned seen = 0;
    for (uint32_t i = 0; i < p->rank && i < DPR_MAX_RANK; i++)
        if (p->dim[i] >= 0 && p->dim[i] < src->rank)
            seen |= 1U << p->dim[i];
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    if (p->rank != src->rank || seen != (1U << src->rank) - 1)
        return DPR_FAIL(q->context, DPR_E_ARGUMENT, "transpose '%s': not a permutation of %u axes",
                        q->name, src->rank);
    q->dst = (dpr__type){DPR_F32, {.rank = src->rank}};
    for (uint32_t i = 0; i < src->rank; i++)
        q->dst.shape.dim[i] = src->dim[p->dim[i]];
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    const dpr_shape *p = &((const dpr__transpose_param *)q->param)->permutation;
    uint32_t inverse[DPR_MAX_RANK];
    for (uint32_t i = 0; i < p->rank; i++)
        inverse[p->dim[i]] = i;
    q->diff_src[0] = dpr_transpose(q->graph, q->diff_dst, inverse);
}

static void reference(const dpr__call *call) {
    const dpr_shape *p = &((const dpr__transpose_param *)call->param)->permutation;
    const dpr_shape *src = &call->src[0].shape, *dst = &call->dst.shape;
    int64_t stride[DPR_MAX_RANK] = {0}, step = 1, n = dpr__shape_count(dst);
    for (uint32_t d = src->rank; d-- > 0; step *= src->dim[d])
        stride[d] = step;
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, from = 0;
        for (uint32_t d = dst->rank; d-- > 0; rest /= dst->dim[d])
            from += rest % dst->dim[d] * stride[p->dim[d]];
        dpr__put(&call->dst, i, dpr__get(&call->src[0], from));
    }
}

static const dpr__field fields[] = {DPR__FIELD(dpr__transpose_param, permutation, SHAPE)};

const dpr__op dpr__op_transpose = {.infer = infer,
                                   .gradient = gradient,
                                   .reference = reference,
                                   .fields = fields,
                                   .n_fields = 1,
                                   .param_bytes = sizeof(dpr__transpose_param)};
