/* pad: src with `before` zeros before it and `after` behind it, along one axis. The adjoint of slice.
 * Gradient: slice(g, first = before, count = src's extent). */
#include "ops/along.h"

static dpr_status infer(dpr__infer *q) {
    const dpr__pad_param *p = q->param;
    int64_t extent;
    DPR_TRY(dpr__along_infer(q, p->axis, &extent));
    DPR_TRY(dpr__along_check_padding(q, p->before, p->after, (int64_t)1 << DPR__ALONG_MOST_BITS));
    q->dst.shape.dim[p->axis] = p->before + extent + p->after;
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    const dpr__pad_param *p = q->param;
    dpr_shape src = dpr_value_shape(q->graph, q->src[0]);
    q->diff_src[0] =
        dpr_slice(q->graph, q->diff_dst, (unsigned)p->axis, p->before, src.dim[p->axis]);
}

static void reference(const dpr__call *call) {
    const dpr__pad_param *p = call->param;
    dpr__along src = dpr__along_axis(&call->src[0].shape, p->axis);
    int64_t wide = p->before + src.extent + p->after, at = 0;
    for (int64_t o = 0; o < src.outer; o++)
        for (int64_t i = -p->before; i < wide - p->before; i++)
            for (int64_t k = 0; k < src.inner; k++) {
                bool inside = i >= 0 && i < src.extent;
                int64_t from = (o * src.extent + i) * src.inner + k;
                dpr__put(&call->dst, at++, inside ? dpr__get(&call->src[0], from) : 0);
            }
}

const dpr__op dpr__op_pad = {.infer = infer,
                             .gradient = gradient,
                             .reference = reference,
                             .fields = dpr__pad_fields,
                             .n_fields = 3,
                             .param_bytes = sizeof(dpr__pad_param)};
