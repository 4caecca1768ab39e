/* assign(leaf, value): the leaf has this value in the next tick; every other reader in this tick
 * sees the old one. Schedule and memory plan decide whether it is written in place or copied at the
 * tick's end, so there is no kernel. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    if (q->src[0].dtype != q->src[1].dtype || !dpr__shape_equal(&q->src[0].shape, &q->src[1].shape))
        return DPR_FAIL(q->context, DPR_E_SHAPE, "assign '%s': the leaf is %s %s, the value %s %s",
                        q->name, dpr__dtype_name(q->src[0].dtype),
                        dpr__shape_text(&q->src[0].shape, a), dpr__dtype_name(q->src[1].dtype),
                        dpr__shape_text(&q->src[1].shape, b));
    q->dst = q->src[0];
    return DPR_OK;
}

const dpr__op dpr__op_assign = {.infer = infer};
