/* reshape: the same elements in another shape. A view: never computed. Gradient: reshape back. */
#include "ops/op.h"
#include <string.h>

/* How many dimensions are open: the counts agree for every batch only if these do. */
static int batches(const dpr_shape *shape) {
    int n = 0;
    for (uint32_t i = 0; i < shape->rank; i++)
        n += shape->dim[i] == DPR_BATCH;
    return n;
}

static dpr_status infer(dpr__infer *q) {
    const dpr_shape *from = &q->src[0].shape, *to = &((const dpr__shape_param *)q->param)->shape;
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    if (!dpr__shape_is_sane(to) || batches(from) != batches(to) ||
        dpr__shape_count_open(from) != dpr__shape_count_open(to))
        return DPR_FAIL(q->context, DPR_E_SHAPE, "reshape '%s': %s cannot become %s", q->name,
                        dpr__shape_text(from, a), dpr__shape_text(to, b));
    q->dst = (dpr__type){q->src[0].dtype, *to};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr_reshape(q->graph, q->diff_dst, dpr_value_shape(q->graph, q->src[0]));
}

static void reference(const dpr__call *call) {
    if (call->dst.data != call->src[0].data)
        memcpy(call->dst.data, call->src[0].data,
               (size_t)dpr__shape_count(&call->dst.shape) * dpr__dtype_bytes(call->dst.dtype));
}

static const dpr__field fields[] = {DPR__FIELD(dpr__shape_param, shape, SHAPE)};

const dpr__op dpr__op_reshape = {.infer = infer,
                                 .gradient = gradient,
                                 .reference = reference,
                                 .fields = fields,
                                 .n_fields = 1,
                                 .param_bytes = sizeof(dpr__shape_param)};
