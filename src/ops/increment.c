/* increment: an integer counter plus one; beyond its largest value it wraps around. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    if (q->src[0].dtype != DPR_U64 && q->src[0].dtype != DPR_I32)
        return DPR_FAIL(q->context, DPR_E_DTYPE, "increment '%s': a counter is u64 or i32, not %s",
                        q->name, dpr__dtype_name(q->src[0].dtype));
    q->dst = q->src[0];
    return DPR_OK;
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__shape_count(&call->dst.shape);
    for (int64_t i = 0; i < n; i++)
        if (call->dst.dtype == DPR_U64)
            ((uint64_t *)call->dst.data)[i] = ((const uint64_t *)call->src[0].data)[i] + 1;
        else
            ((int32_t *)call->dst.data)[i] =
                (int32_t)(((const uint32_t *)call->src[0].data)[i] + 1);
}

const dpr__op dpr__op_increment = {.infer = infer, .reference = reference};
