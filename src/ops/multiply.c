/* multiply: dst = a × b, broadcast.
 * Gradient: diff_a = diff_dst × b, diff_b = diff_dst × a, summed over what broadcasting repeated. */
#include "ops/op.h"

static double forward(double a, double b) {
    return a * b;
}

static void reference(const dpr__call *call) {
    dpr__reference_binary(call, forward);
}

static void gradient(const dpr__gradient *q) {
    for (int i = 0; i < 2; i++)
        if (q->needed[i])
            q->diff_src[i] =
                dpr__unbroadcast(q->graph, dpr_multiply(q->graph, q->diff_dst, q->src[1 - i]),
                                 dpr_value_shape(q->graph, q->src[i]));
}

const dpr__op dpr__op_multiply = {
    .infer = dpr__infer_binary_f32, .gradient = gradient, .reference = reference};
