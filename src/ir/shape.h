/* Shapes and dtypes: counting, comparing, broadcasting, printing. */
#ifndef DPR_IR_SHAPE_H
#define DPR_IR_SHAPE_H

#include "base/status.h"

enum { DPR__SHAPE_TEXT = 128 };

size_t dpr__dtype_bytes(dpr_dtype dtype);
const char *dpr__dtype_name(dpr_dtype dtype); /* "f32" */
bool dpr__shape_equal(const dpr_shape *a, const dpr_shape *b);
bool dpr__shape_has_batch(const dpr_shape *shape);
/* Product of the dimensions; DPR_BATCH must be resolved. */
int64_t dpr__shape_count(const dpr_shape *shape);
/* Product of the dimensions other than DPR_BATCH. */
int64_t dpr__shape_count_open(const dpr_shape *shape);
/* Fails when a dimension is negative (but DPR_BATCH) or the product is beyond 2^40. */
bool dpr__shape_is_sane(const dpr_shape *shape);
/* A value as a matrix: the columns are the last dimension, the rows all others. */
int64_t dpr__columns(const dpr_shape *shape);
int64_t dpr__rows_of(const dpr_shape *shape);
/* NumPy's rule; false where a and b do not fit. */
bool dpr__shape_broadcast(const dpr_shape *a, const dpr_shape *b, dpr_shape *out);
/* "batch × 28 × 28 × 1", "scalar". Returns out. */
const char *dpr__shape_text(const dpr_shape *shape, char out[DPR__SHAPE_TEXT]);
/* The shape with DPR_BATCH replaced. */
dpr_shape dpr__shape_with_batch(const dpr_shape *shape, int64_t batch);

#endif
