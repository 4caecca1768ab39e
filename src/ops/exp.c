/* exp: dst = e^src. Gradient: diff_dst × dst. */
#include "ops/op.h"
#include <math.h>

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, exp);
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr_multiply(q->graph, q->diff_dst, q->dst);
}

const dpr__op dpr__op_exp = {
    .infer = dpr__infer_unary_f32, .gradient = gradient, .reference = reference};
