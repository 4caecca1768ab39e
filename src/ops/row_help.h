/* What the ops over the last axis share: softmax, log_softmax, softmax_cross_entropy, argmax. */
#ifndef DPR_OPS_ROW_HELP_H
#define DPR_OPS_ROW_HELP_H

#include "ops/op.h"

/* dst like src, f32, with at least one axis. */
dpr_status dpr__infer_rows_f32(dpr__infer *question);
/* The bit of the last axis, for dpr_sum. */
unsigned dpr__last_axis(const dpr_graph *graph, dpr_value value);
int64_t dpr__row_length(const dpr_shape *shape);
int64_t dpr__row_count(const dpr_shape *shape); /* 0 when rows are empty */
/* log Σ_j exp(x_j − max) of row i. The maximum stays apart in *max: added to a large one, the sum would
 * lose its digits. */
double dpr__row_log_sum(const dpr__tensor *x, int64_t i, int64_t n, double *max);

#endif
