/* choose(train, otherwise): the first in programs that train, else the second. The pass `specialise`
 * resolves it, so there is no kernel.
 * Gradient: each side gets diff_dst where it is the one chosen, else zeros. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    if (q->src[0].dtype != q->src[1].dtype || !dpr__shape_equal(&q->src[0].shape, &q->src[1].shape))
        return DPR_FAIL(q->context, DPR_E_SHAPE, "choose '%s': %s %s against %s %s", q->name,
                        dpr__dtype_name(q->src[0].dtype), dpr__shape_text(&q->src[0].shape, a),
                        dpr__dtype_name(q->src[1].dtype), dpr__shape_text(&q->src[1].shape, b));
    q->dst = q->src[0];
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    dpr_value zero = dpr_constant(q->graph, 0, dpr_value_shape(q->graph, q->dst));
    if (q->needed[0])
        q->diff_src[0] = dpr_choose(q->graph, q->diff_dst, zero);
    if (q->needed[1])
        q->diff_src[1] = dpr_choose(q->graph, zero, q->diff_dst);
}

const dpr__op dpr__op_choose = {.infer = infer, .gradient = gradient};
