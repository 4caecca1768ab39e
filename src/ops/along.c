/* Tensors along one axis (along.h). */
#include "ops/along.h"

const dpr__field dpr__pad_fields[3] = {DPR__FIELD(dpr__pad_param, axis, INT),
                                       DPR__FIELD(dpr__pad_param, before, INT),
                                       DPR__FIELD(dpr__pad_param, after, INT)};

dpr_status dpr__along_infer(dpr__infer *q, int64_t axis, int64_t *extent) {
    char text[DPR__SHAPE_TEXT];
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    const dpr_shape *src = &q->src[0].shape;
    if (axis < 1 || axis >= src->rank)
        return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                        "%s '%s': axis %lld of %s; it must be one of its axes, and not 0, the "
                        "batch",
                        q->op, q->name, (long long)axis, dpr__shape_text(src, text));
    if (src->dim[axis] < 1)
        return DPR_FAIL(q->context, DPR_E_SHAPE, "%s '%s': axis %lld of %s is %s", q->op, q->name,
                        (long long)axis, dpr__shape_text(src, text),
                        src->dim[axis] == 0 ? "empty" : "open; it must have a number");
    *extent = src->dim[axis];
    q->dst = q->src[0];
    return DPR_OK;
}

dpr_status dpr__along_check_padding(const dpr__infer *q, int64_t before, int64_t after,
                                    int64_t most) {
    if (before >= 0 && before <= most && after >= 0 && after <= most)
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                    "%s '%s': padding of %lld and %lld; each must be 0 to %lld here", q->op,
                    q->name, (long long)before, (long long)after, (long long)most);
}

dpr__along dpr__along_axis(const dpr_shape *shape, int64_t axis) {
    dpr__along along = {.outer = 1, .extent = shape->dim[axis], .inner = 1};
    for (uint32_t i = 0; i < shape->rank; i++) {
        if (i < axis)
            along.outer *= shape->dim[i];
        else if (i > axis)
            along.inner *= shape->dim[i];
    }
    return along;
}
