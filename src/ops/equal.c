/* equal: 1 where two i32 values of one shape are the same, else 0 (f32). */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_I32));
    DPR_TRY(dpr__expect_dtype(q, 1, DPR_I32));
    if (!dpr__shape_equal(&q->src[0].shape, &q->src[1].shape))
        return DPR_FAIL(q->context, DPR_E_SHAPE, "equal '%s': %s against %s", q->name,
                        dpr__shape_text(&q->src[0].shape, a), dpr__shape_text(&q->src[1].shape, b));
    q->dst = (dpr__type){DPR_F32, q->src[0].shape};
    return DPR_OK;
}

static double same(double a, double b) {
    return a == b;
}

static void reference(const dpr__call *call) {
    dpr__reference_binary(call, same);
}

const dpr__op dpr__op_equal = {.infer = infer, .reference = reference};
