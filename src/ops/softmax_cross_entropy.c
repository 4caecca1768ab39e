/* softmax_cross_entropy: dst_i = −Σ_j targets_ij log softmax(logits_i)_j.
 * Shapes: logits, targets (n × classes), dst (n).
 * A named op since the two steps apart would lose precision: log(softmax) underflows where log_softmax
 * does not, and a target of 0 must count for nothing also where the log-probability is −∞.
 * Gradient, with s_i = Σ_j targets_ij (1 for probabilities, the weight for weighted rows):
 *   diff_logits_i = diff_dst_i (softmax(logits_i) s_i − targets_i)
 *   diff_targets_i = −diff_dst_i log_softmax(logits_i) */
#include "ops/op.h"
#include "ops/row_help.h"

static dpr_status infer(dpr__infer *q) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    for (uint32_t i = 0; i < 2; i++) {
        DPR_TRY(dpr__expect_dtype(q, i, DPR_F32));
        DPR_TRY(dpr__expect_rank(q, i, 2));
    }
    if (!dpr__shape_equal(&q->src[0].shape, &q->src[1].shape))
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "softmax_cross_entropy '%s': logits are %s, targets %s; they must be alike",
                        q->name, dpr__shape_text(&q->src[0].shape, a),
                        dpr__shape_text(&q->src[1].shape, b));
    q->dst = (dpr__type){DPR_F32, dpr_shape_of(q->src[0].shape.dim[0])};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr_graph *g = q->graph;
    dpr_shape column = dpr_value_shape(g, q->src[0]);
    column.dim[1] = 1;
    dpr_value diff = dpr_reshape(g, q->diff_dst, column);
    if (q->needed[0]) {
        dpr_value total = dpr_sum(g, q->src[1], 2, true);
        dpr_value expected = dpr_multiply(g, dpr_softmax(g, q->src[0]), total);
        q->diff_src[0] = dpr_multiply(g, dpr_subtract(g, expected, q->src[1]), diff);
    }
    if (q->needed[1])
        q->diff_src[1] = dpr_multiply(g, dpr_scale(g, dpr_log_softmax(g, q->src[0]), -1), diff);
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__row_length(&call->src[0].shape);
    int64_t rows = call->src[0].shape.dim[0];
    for (int64_t i = 0; i < rows; i++) {
        double max, total = dpr__row_log_sum(&call->src[0], i, n, &max), loss = 0;
        for (int64_t j = 0; j < n; j++) {
            double target = dpr__get(&call->src[1], i * n + j);
            if (target != 0)
                loss -= target * (dpr__get(&call->src[0], i * n + j) - max - total);
        }
        dpr__put(&call->dst, i, loss);
    }
}

const dpr__op dpr__op_softmax_cross_entropy = {
    .infer = infer, .gradient = gradient, .reference = reference};
