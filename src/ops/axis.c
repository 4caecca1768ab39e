/* What is wrong with windows along an axis, and the loops over images (axis.h). */
#include "ops/axis.h"

dpr_status dpr__axis_check(const dpr__infer *q, const char *name, dpr__axis *a) {
    const struct {
        const char *what;
        int64_t value, least;
    } numbers[] = {{"extent", a->extent, 1},         {"kernel", a->kernel, 1},
                   {"stride", a->stride, 1},         {"dilation", a->dilation, 1},
                   {"padding before", a->before, 0}, {"padding after", a->after, 0}};
    if (a->extent == DPR_BATCH)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "%s '%s': the %s is open; only the first dimension may be the batch", q->op,
                        q->name, name);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value < numbers[i].least || numbers[i].value > DPR__AXIS_MOST)
            return DPR_FAIL(q->context, i == 0 ? DPR_E_SHAPE : DPR_E_ARGUMENT,
                            "%s '%s': along the %s the %s is %lld; it must be %lld to %d", q->op,
                            q->name, name, numbers[i].what, (long long)numbers[i].value,
                            (long long)numbers[i].least, DPR__AXIS_MOST);
    int64_t reach = a->dilation * (a->kernel - 1) + 1, room = a->extent + a->before + a->after;
    if (reach > room)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "%s '%s': along the %s a kernel of %lld with dilation %lld reaches over "
                        "%lld; there are %lld and %lld + %lld of padding",
                        q->op, q->name, name, (long long)a->kernel, (long long)a->dilation,
                        (long long)reach, (long long)a->extent, (long long)a->before,
                        (long long)a->after);
    a->n = dpr__axis_count(a);
    return DPR_OK;
}

void dpr__reference4(const dpr__call *call, const void *view, dpr__element4 *element) {
    const int64_t *dim = call->dst.shape.dim;
    int64_t at[4], i = 0;
    for (at[0] = 0; at[0] < dim[0]; at[0]++)
        for (at[1] = 0; at[1] < dim[1]; at[1]++)
            for (at[2] = 0; at[2] < dim[2]; at[2]++)
                for (at[3] = 0; at[3] < dim[3]; at[3]++)
                    dpr__put(&call->dst, i++, element(call, view, at));
}
