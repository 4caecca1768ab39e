/* divide: dst = a / b, broadcast.
 * Gradient: diff_a = diff_dst / b, diff_b = −diff_dst × dst / b, summed over what broadcasting
 * repeated. */
#include "ops/op.h"

static double forward(double a, double b) {
    return a / b;
}

static void reference(const dpr__call *call) {
    dpr__reference_binary(call, forward);
}

static void gradient(const dpr__gradient *q) {
    dpr_graph *g = q->graph;
    dpr_value quotient = dpr_divide(g, q->diff_dst, q->src[1]);
    if (q->needed[0])
        q->diff_src[0] = dpr__unbroadcast(g, quotient, dpr_value_shape(g, q->src[0]));
    if (q->needed[1])
        q->diff_src[1] = dpr__unbroadcast(g, dpr_scale(g, dpr_multiply(g, quotient, q->dst), -1),
                                          dpr_value_shape(g, q->src[1]));
}

const dpr__op dpr__op_divide = {
    .infer = dpr__infer_binary_f32, .gradient = gradient, .reference = reference};
