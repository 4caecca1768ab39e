/* tanh: dst = tanh(src). Gradient: diff_dst × (1 − dst²) = diff_dst − diff_dst × dst². */
#include "ops/op.h"
#include <math.h>

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, tanh);
}

static void gradient(const dpr__gradient *q) {
    dpr_value square = dpr_multiply(q->graph, q->dst, q->dst);
    q->diff_src[0] =
        dpr_subtract(q->graph, q->diff_dst, dpr_multiply(q->graph, q->diff_dst, square));
}

const dpr__op dpr__op_tanh = {
    .infer = dpr__infer_unary_f32, .gradient = gradient, .reference = reference};
