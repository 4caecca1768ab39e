/* scale: dst = src × factor, a number known when the graph is built.
 * Gradient: diff_dst × factor. */
#include "ops/op.h"

static void reference(const dpr__call *call) {
    double factor = ((const dpr__scale_param *)call->param)->factor;
    int64_t n = dpr__shape_count(&call->dst.shape);
    for (int64_t i = 0; i < n; i++)
        dpr__put(&call->dst, i, dpr__get(&call->src[0], i) * factor);
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr_scale(q->graph, q->diff_dst, ((const dpr__scale_param *)q->param)->factor);
}

static const dpr__field fields[] = {DPR__FIELD(dpr__scale_param, factor, REAL)};

const dpr__op dpr__op_scale = {.infer = dpr__infer_unary_f32,
                               .gradient = gradient,
                               .reference = reference,
                               .fields = fields,
                               .n_fields = 1,
                               .param_bytes = sizeof(dpr__scale_param)};
