/* softplus: dst = ln(1 + e^src). A named op, since the composition overflows above 88 and loses e^src next to the 1
 * below −17, where the value is e^src.
 * Gradient: diff_dst × σ(src). */
#include "ops/op.h"
#include <math.h>

/* max(x, 0) + ln(1 + e^−|x|) */
static double forward(double x) {
    return (x < 0 ? 0 : x) + log1p(exp(-fabs(x)));
}

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, forward);
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr_multiply(q->graph, q->diff_dst, dpr_sigmoid(q->graph, q->src[0]));
}

const dpr__op dpr__op_softplus = {
    .infer = dpr__infer_unary_f32, .gradient = gradient, .reference = reference};
