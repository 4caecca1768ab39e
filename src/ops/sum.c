/* sum: over the axes in a bit mask; reduced axes stay with size 1 where keep is set.
 * Gradient: diff_dst given back its reduced axes (reshape) and broadcast to src's shape. */
#include "ops/op.h"

static dpr_shape kept_shape(const dpr_shape *src, int64_t axes) {
    dpr_shape kept = *src;
    for (uint32_t i = 0; i < src->rank; i++)
        kept.dim[i] = (axes >> i & 1) ? 1 : src->dim[i];
    return kept;
}

static dpr_status infer(dpr__infer *q) {
    const dpr__sum_param *p = q->param;
    const dpr_shape *src = &q->src[0].shape;
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    if (p->axes < 0 || p->axes >> src->rank != 0)
        return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                        "sum '%s': the axes' mask %lld names an axis that a value of %u dimensions "
                        "does not have",
                        q->name, (long long)p->axes, src->rank);
    q->dst = (dpr__type){DPR_F32, kept_shape(src, p->axes)};
    if (!p->keep) {
        dpr_shape dropped = {0};
        for (uint32_t i = 0; i < src->rank; i++)
            if (!(p->axes >> i & 1))
                dropped.dim[dropped.rank++] = src->dim[i];
        q->dst.shape = dropped;
    }
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr_shape src = dpr_value_shape(q->graph, q->src[0]);
    dpr_shape kept = kept_shape(&src, ((const dpr__sum_param *)q->param)->axes);
    q->diff_src[0] = dpr_broadcast(q->graph, dpr_reshape(q->graph, q->diff_dst, kept), src);
}

/* Each result element is summed in one go, in double, in the order of the source. */
static void reference(const dpr__call *call) {
    const dpr_shape *src = &call->src[0].shape;
    dpr_shape kept = kept_shape(src, ((const dpr__sum_param *)call->param)->axes);
    int64_t n_src = dpr__shape_count(src), n_dst = dpr__shape_count(&kept);
    for (int64_t i = 0; i < n_dst; i++) {
        /* The first element of this sum; the others differ in the reduced axes only. */
        int64_t offset = 0, stride = 1, rest = i, inner = n_dst > 0 ? n_src / n_dst : 0;
        double sum = 0;
        for (uint32_t d = src->rank; d-- > 0; stride *= src->dim[d]) {
            offset += kept.dim[d] > 0 ? rest % kept.dim[d] * stride : 0;
            rest = kept.dim[d] > 0 ? rest / kept.dim[d] : 0;
        }
        for (int64_t k = 0; k < inner; k++) {
            int64_t at = offset, left = k;
            stride = 1;
            for (uint32_t d = src->rank; d-- > 0; stride *= src->dim[d])
                if (kept.dim[d] != src->dim[d]) {
                    at += left % src->dim[d] * stride;
                    left /= src->dim[d];
                }
            sum += dpr__get(&call->src[0], at);
        }
        dpr__put(&call->dst, i, sum);
    }
}

static const dpr__field fields[] = {DPR__FIELD(dpr__sum_param, axes, INT),
                                    DPR__FIELD(dpr__sum_param, keep, BOOL)};

const dpr__op dpr__op_sum = {.infer = infer,
                             .gradient = gradient,
                             .reference = reference,
                             .fields = fields,
                             .n_fields = 2,
                             .param_bytes = sizeof(dpr__sum_param)};
