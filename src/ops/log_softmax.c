/* log_softmax over the last axis: dst_j = src_j − log Σ exp(src).
 * Gradient: diff_src = diff_dst − softmax(src) × Σ_j diff_dst_j. */
#include "ops/op.h"
#include "ops/row_help.h"

static void gradient(const dpr__gradient *q) {
    dpr_graph *g = q->graph;
    dpr_value sum = dpr_sum(g, q->diff_dst, dpr__last_axis(g, q->dst), true);
    q->diff_src[0] = dpr_subtract(g, q->diff_dst, dpr_multiply(g, dpr_softmax(g, q->src[0]), sum));
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__row_length(&call->src[0].shape), rows = dpr__row_count(&call->src[0].shape);
    for (int64_t i = 0; i < rows; i++) {
        double max, total = dpr__row_log_sum(&call->src[0], i, n, &max);
        for (int64_t j = 0; j < n; j++)
            dpr__put(&call->dst, i * n + j, dpr__get(&call->src[0], i * n + j) - max - total);
    }
}

const dpr__op dpr__op_log_softmax = {
    .infer = dpr__infer_rows_f32, .gradient = gradient, .reference = reference};
