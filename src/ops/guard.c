/* guard: stops the run, state intact, when its operand is not finite. Its value is the operand: a view of it
 * (dpr__owner), so backends only look. Gradient: diff_dst. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    DPR_TRY(dpr__expect_rank(q, 0, 0));
    return dpr__infer_unary_f32(q);
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = q->diff_dst;
}

static void reference(const dpr__call *call) {
    dpr__put(&call->dst, 0, dpr__get(&call->src[0], 0));
}

const dpr__op dpr__op_guard = {.infer = infer, .gradient = gradient, .reference = reference};
