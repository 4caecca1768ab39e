/* softmax over the last axis: dst_j = exp(src_j − max − log Σ exp(src − max)).
 * Gradient: diff_src = dst × (diff_dst − Σ_j diff_dst_j dst_j). */
#include "ops/op.h"
#include "ops/row_help.h"
#include <math.h>

static void gradient(const dpr__gradient *q) {
    dpr_graph *g = q->graph;
    unsigned last = dpr__last_axis(g, q->dst);
    dpr_value mean = dpr_sum(g, dpr_multiply(g, q->diff_dst, q->dst), last, true);
    q->diff_src[0] = dpr_multiply(g, q->dst, dpr_subtract(g, q->diff_dst, mean));
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__row_length(&call->src[0].shape), rows = dpr__row_count(&call->src[0].shape);
    for (int64_t i = 0; i < rows; i++) {
        double max, total = dpr__row_log_sum(&call->src[0], i, n, &max);
        for (int64_t j = 0; j < n; j++)
            dpr__put(&call->dst, i * n + j, exp(dpr__get(&call->src[0], i * n + j) - max - total));
    }
}

const dpr__op dpr__op_softmax = {
    .infer = dpr__infer_rows_f32, .gradient = gradient, .reference = reference};
