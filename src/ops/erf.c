/* erf: the error function. Gradient: diff_dst × 2/√π × exp(−src²). */
#include "ops/op.h"
#include <math.h>

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, erf);
}

static void gradient(const dpr__gradient *q) {
    dpr_graph *g = q->graph;
    dpr_value bell = dpr_exp(g, dpr_scale(g, dpr_multiply(g, q->src[0], q->src[0]), -1));
    q->diff_src[0] = dpr_multiply(g, q->diff_dst, dpr_scale(g, bell, 1.12837916709551257390));
}

const dpr__op dpr__op_erf = {
    .infer = dpr__infer_unary_f32, .gradient = gradient, .reference = reference};
