/* broadcast: src repeated to a larger shape, by NumPy's rule.
 * Gradient: the sum over what was repeated. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    const dpr_shape *from = &q->src[0].shape, *to = &((const dpr__shape_param *)q->param)->shape;
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    dpr_shape common;
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    if (!dpr__shape_is_sane(to) || !dpr__shape_broadcast(from, to, &common) ||
        !dpr__shape_equal(&common, to))
        return DPR_FAIL(q->context, DPR_E_SHAPE, "broadcast '%s': %s cannot be repeated to %s",
                        q->name, dpr__shape_text(from, a), dpr__shape_text(to, b));
    q->dst = (dpr__type){DPR_F32, *to};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr__unbroadcast(q->graph, q->diff_dst, dpr_value_shape(q->graph, q->src[0]));
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__shape_count(&call->dst.shape);
    for (int64_t i = 0; i < n; i++)
        dpr__put(&call->dst, i,
                 dpr__get(&call->src[0],
                          dpr__broadcast_index(&call->src[0].shape, &call->dst.shape, i)));
}

static const dpr__field fields[] = {DPR__FIELD(dpr__shape_param, shape, SHAPE)};

const dpr__op dpr__op_broadcast = {.infer = infer,
                                   .gradient = gradient,
                                   .reference = reference,
                                   .fields = fields,
                                   .n_fields = 1,
                                   .param_bytes = sizeof(dpr__shape_param)};
