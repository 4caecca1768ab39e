/* slice: `count` elements of src from `first` on, along one axis. The adjoint of pad.
 * Gradient: pad(g, before = first, after = what is left behind). */
#include "ops/along.h"

static dpr_status infer(dpr__infer *q) {
    const dpr__slice_param *p = q->param;
    int64_t extent;
    DPR_TRY(dpr__along_infer(q, p->axis, &extent));
    if (p->first < 0 || p->count < 1 || p->count > extent || p->first > extent - p->count)
        return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                        "slice '%s': %lld elements from %lld on; axis %lld has %lld", q->name,
                        (long long)p->count, (long long)p->first, (long long)p->axis,
                        (long long)extent);
    q->dst.shape.dim[p->axis] = p->count;
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    const dpr__slice_param *p = q->param;
    dpr_shape src = dpr_value_shape(q->graph, q->src[0]);
    q->diff_src[0] = dpr_pad(q->graph, q->diff_dst, (unsigned)p->axis, p->first,
                             src.dim[p->axis] - p->first - p->count);
}

static void reference(const dpr__call *call) {
    const dpr__slice_param *p = call->param;
    dpr__along src = dpr__along_axis(&call->src[0].shape, p->axis);
    int64_t run = p->count * src.inner, at = 0;
    for (int64_t o = 0; o < src.outer; o++)
        for (int64_t k = 0; k < run; k++)
            dpr__put(&call->dst, at++,
                     dpr__get(&call->src[0], (o * src.extent + p->first) * src.inner + k));
}

static const dpr__field fields[] = {DPR__FIELD(dpr__slice_param, axis, INT),
                                    DPR__FIELD(dpr__slice_param, first, INT),
                                    DPR__FIELD(dpr__slice_param, count, INT)};

const dpr__op dpr__op_slice = {.infer = infer,
                               .gradient = gradient,
                               .reference = reference,
                               .fields = fields,
                               .n_fields = 3,
                               .param_bytes = sizeof(dpr__slice_param)};
