/* sqrt: dst = √src. Gradient: diff_dst / (2 dst). */
#include "ops/op.h"
#include <math.h>

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, sqrt);
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr_divide(q->graph, dpr_scale(q->graph, q->diff_dst, 0.5), q->dst);
}

const dpr__op dpr__op_sqrt = {
    .infer = dpr__infer_unary_f32, .gradient = gradient, .reference = reference};
