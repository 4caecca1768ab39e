/* log: dst = ln(src). Gradient: diff_dst / src. */
#include "ops/op.h"
#include <math.h>

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, log);
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr_divide(q->graph, q->diff_dst, q->src[0]);
}

const dpr__op dpr__op_log = {
    .infer = dpr__infer_unary_f32, .gradient = gradient, .reference = reference};
