/* sigmoid: dst = 1/(1 + exp(−src)).
 * Gradient: diff_dst × dst × (1 − dst) = diff_dst × (dst − dst²). */
#include "ops/op.h"
#include <math.h>

/* For src < 0 as e^x/(1 + e^x): the exponential never overflows. */
static double forward(double x) {
    double e = exp(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, forward);
}

static void gradient(const dpr__gradient *q) {
    dpr_value slope = dpr_subtract(q->graph, q->dst, dpr_multiply(q->graph, q->dst, q->dst));
    q->diff_src[0] = dpr_multiply(q->graph, q->diff_dst, slope);
}

const dpr__op dpr__op_sigmoid = {
    .infer = dpr__infer_unary_f32, .gradient = gradient, .reference = reference};
