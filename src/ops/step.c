/* step: dst = 1 where src > 0, else 0. Its derivative is zero wherever it exists. */
#include "ops/op.h"

static double forward(double x) {
    return x > 0 ? 1 : 0;
}

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, forward);
}

const dpr__op dpr__op_step = {.infer = dpr__infer_unary_f32, .reference = reference};
