/* squared_deviations: for each channel Σ (src − mean)² over the elements in the first `rows` rows (along axis 0), whose mean it is; the
 * channel is the last axis. As a composition it would take a pass over src for the mean and one for the squares, and as many back.
 * Gradient: 2·(src − mean)·diff_dst in those rows. The mean itself adds nothing, since Σ (src − mean) = 0 whatever src is. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_dtype(q, 1, DPR_I32));
    DPR_TRY(dpr__expect_rank(q, 1, 0));
    const dpr_shape *src = &q->src[0].shape;
    if (src->rank < 2)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "squared_deviations '%s': operand 1 has %u dimensions; it needs rows and "
                        "channels",
                        q->name, src->rank);
    q->dst = (dpr__type){DPR_F32, dpr_shape_of(src->dim[src->rank - 1])};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr_graph *g = q->graph;
    dpr_value off = dpr_subtract(g, q->src[0], dpr__channel_mean(g, q->src[0], q->src[1]));
    dpr_value each = dpr_multiply(g, off, dpr_scale(g, q->diff_dst, 2));
    q->diff_src[0] = dpr_prefix(g, each, q->src[1]);
}

/* Of as many elements as are valid; of none it is 0. */
static double of_channel(const dpr__tensor *src, int64_t channel, int64_t channels, int64_t n) {
    double mean = 0, sum = 0;
    for (int64_t i = 0; i < n; i++)
        mean += dpr__get(src, i * channels + channel) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double off = dpr__get(src, i * channels + channel) - mean;
        sum += off * off;
    }
    return sum;
}

static void reference(const dpr__call *call) {
    const dpr_shape *shape = &call->src[0].shape;
    int64_t channels = shape->dim[shape->rank - 1], batch = shape->dim[0];
    int64_t valid = *(const int32_t *)call->src[1].data;
    valid = valid < 0 ? 0 : valid < batch ? valid : batch;
    int64_t n = batch > 0 ? dpr__rows_of(shape) / batch * valid : 0;
    for (int64_t c = 0; c < channels; c++)
        dpr__put(&call->dst, c, of_channel(&call->src[0], c, channels, n));
}

const dpr__op dpr__op_squared_deviations = {
    .infer = infer, .gradient = gradient, .reference = reference};
