/* one_hot: an i32 index becomes a row of `classes` f32 with 1 at the index; outside 0 … classes−1 a row
 * of zeros. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    int64_t classes = ((const dpr__one_hot_param *)q->param)->classes;
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_I32));
    if (classes < 1)
        return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                        "one_hot '%s': %lld classes; there must be at least 1", q->name,
                        (long long)classes);
    if (q->src[0].shape.rank == DPR_MAX_RANK)
        return DPR_FAIL(
            q->context, DPR_E_SHAPE,
            "one_hot '%s': the operand has %d dimensions already, the most there can be", q->name,
            DPR_MAX_RANK);
    q->dst = (dpr__type){DPR_F32, q->src[0].shape};
    q->dst.shape.dim[q->dst.shape.rank++] = classes;
    return DPR_OK;
}

static void reference(const dpr__call *call) {
    int64_t classes = ((const dpr__one_hot_param *)call->param)->classes;
    int64_t n = dpr__shape_count(&call->dst.shape);
    for (int64_t i = 0; i < n; i++)
        dpr__put(&call->dst, i,
                 dpr__get(&call->src[0], i / classes) == (double)(i % classes) ? 1 : 0);
}

static const dpr__field fields[] = {DPR__FIELD(dpr__one_hot_param, classes, INT)};

const dpr__op dpr__op_one_hot = {.infer = infer,
                                 .reference = reference,
                                 .fields = fields,
                                 .n_fields = 1,
                                 .param_bytes = sizeof(dpr__one_hot_param)};
