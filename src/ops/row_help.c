/* Help for the ops over the last axis (row_help.h). */
#include "ops/row_help.h"
#include <math.h>

dpr_status dpr__infer_rows_f32(dpr__infer *q) {
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    if (q->src[0].shape.rank == 0)
        return DPR_FAIL(q->context, DPR_E_SHAPE, "%s '%s': a scalar has no rows", q->op, q->name);
    q->dst = q->src[0];
    return DPR_OK;
}

unsigned dpr__last_axis(const dpr_graph *graph, dpr_value value) {
    return 1U << (dpr_value_shape(graph, value).rank - 1);
}

int64_t dpr__row_length(const dpr_shape *shape) {
    return shape->dim[shape->rank - 1];
}

int64_t dpr__row_count(const dpr_shape *shape) {
    int64_t n = dpr__row_length(shape);
    return n == 0 ? 0 : dpr__shape_count(shape) / n;
}

double dpr__row_log_sum(const dpr__tensor *x, int64_t i, int64_t n, double *max) {
    double sum = 0;
    *max = -HUGE_VAL;
    for (int64_t j = 0; j < n; j++)
        *max = fmax(*max, dpr__get(x, i * n + j));
    for (int64_t j = 0; j < n; j++)
        sum += exp(dpr__get(x, i * n + j) - *max);
    return n > 0 ? log(sum) : 0;
}
