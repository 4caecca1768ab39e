/* relu: dst = max(src, 0).
 * Gradient: diff_src = diff_dst × step(dst). step(dst) = step(src), since dst > 0 exactly where
 * src > 0; taking dst lets the plan forget src. At 0 the slope is 0 by definition. */
#include "ops/op.h"

/* NaN stays NaN: a broken value must reach the loss and its guard. */
static double forward(double x) {
    return x < 0 ? 0 : x;
}

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, forward);
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr_multiply(q->graph, q->diff_dst, dpr_step(q->graph, q->dst));
}

const dpr__op dpr__op_relu = {
    .infer = dpr__infer_unary_f32, .gradient = gradient, .reference = reference};
