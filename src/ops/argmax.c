/* argmax over the last axis: the index (i32) of the largest, the first of equals. */
#include "ops/op.h"
#include "ops/row_help.h"

static dpr_status infer(dpr__infer *q) {
    DPR_TRY(dpr__infer_rows_f32(q));
    if (dpr__row_length(&q->src[0].shape) == 0)
        return DPR_FAIL(q->context, DPR_E_SHAPE, "argmax '%s': a row of no elements has no largest",
                        q->name);
    q->dst.dtype = DPR_I32;
    q->dst.shape.dim[--q->dst.shape.rank] = 0;
    return DPR_OK;
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__row_length(&call->src[0].shape), rows = dpr__row_count(&call->src[0].shape);
    for (int64_t i = 0; i < rows; i++) {
        int64_t best = 0;
        for (int64_t j = 1; j < n; j++)
            if (dpr__get(&call->src[0], i * n + j) > dpr__get(&call->src[0], i * n + best))
                best = j;
        dpr__put(&call->dst, i, (double)best);
    }
}

const dpr__op dpr__op_argmax = {.infer = infer, .reference = reference};
