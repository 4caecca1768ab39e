/* guard: stops the run, state intact, when its operand is not finite. Backends do it themselves; the
 * value is the operand. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    DPR_TRY(dpr__expect_rank(q, 0, 0));
    return dpr__infer_unary_f32(q);
}

static void reference(const dpr__call *call) {
    dpr__put(&call->dst, 0, dpr__get(&call->src[0], 0));
}

const dpr__op dpr__op_guard = {.infer = infer, .reference = reference};
