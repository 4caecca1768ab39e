/* fold_reflect: the adjoint of pad_reflect: the margins of src, `before` and `after` wide, are folded back over
 * their edges and added. With e the extent of the result, its element j is
 *     src[before + j] + src[before − j] (for 1 ≤ j ≤ before) + src[before + 2(e − 1) − j] (for 1 ≤ e − 1 − j ≤
 *     after).
 * Gradient: pad_reflect(g). */
#include "ops/along.h"

static dpr_status infer(dpr__infer *q) {
    const dpr__pad_param *p = q->param;
    int64_t extent;
    DPR_TRY(dpr__along_infer(q, p->axis, &extent));
    DPR_TRY(dpr__along_check_padding(q, p->before, p->after, extent));
    int64_t left = extent - p->before - p->after;
    if (p->before >= left || p->after >= left)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "fold_reflect '%s': margins of %lld and %lld leave %lld of %lld; they must "
                        "be smaller than that",
                        q->name, (long long)p->before, (long long)p->after, (long long)left,
                        (long long)extent);
    q->dst.shape.dim[p->axis] = left;
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_pad_reflect, &q->diff_dst, 1, q->param);
}

static void reference(const dpr__call *call) {
    const dpr__pad_param *p = call->param;
    dpr__along dst = dpr__along_axis(&call->dst.shape, p->axis);
    int64_t wide = p->before + dst.extent + p->after, last = dst.extent - 1, at = 0;
    for (int64_t o = 0; o < dst.outer; o++)
        for (int64_t j = 0; j < dst.extent; j++)
            for (int64_t k = 0; k < dst.inner; k++) {
                int64_t from = (o * wide + p->before + j) * dst.inner + k;
                double sum = dpr__get(&call->src[0], from);
                if (j >= 1 && j <= p->before)
                    sum += dpr__get(&call->src[0], from - 2 * j * dst.inner);
                if (last - j >= 1 && last - j <= p->after)
                    sum += dpr__get(&call->src[0], from + 2 * (last - j) * dst.inner);
                dpr__put(&call->dst, at++, sum);
            }
}

const dpr__op dpr__op_fold_reflect = {.infer = infer,
                                      .gradient = gradient,
                                      .reference = reference,
                                      .fields = dpr__pad_fields,
                                      .n_fields = 3,
                                      .param_bytes = sizeof(dpr__pad_param)};
