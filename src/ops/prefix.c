/* prefix: dst = src in the rows before `rows` (along axis 0), 0 from there on: the last batch of an
 * epoch is smaller. Gradient: prefix again. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_dtype(q, 1, DPR_I32));
    DPR_TRY(dpr__expect_rank(q, 1, 0));
    if (q->src[0].shape.rank == 0)
        return DPR_FAIL(q->context, DPR_E_SHAPE, "prefix '%s': a scalar has no rows", q->name);
    q->dst = q->src[0];
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr_prefix(q->graph, q->diff_dst, q->src[1]);
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__shape_count(&call->dst.shape), rows = call->dst.shape.dim[0];
    int64_t valid = *(const int32_t *)call->src[1].data;
    int64_t kept = rows > 0 ? n / rows * valid : 0;
    for (int64_t i = 0; i < n; i++)
        dpr__put(&call->dst, i, i < kept ? dpr__get(&call->src[0], i) : 0);
}

const dpr__op dpr__op_prefix = {.infer = infer, .gradient = gradient, .reference = reference};
