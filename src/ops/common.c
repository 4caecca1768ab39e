/* What several ops share: shape rules of elementwise ops, and their reference loops. */
#include "ops/op.h"

dpr_status dpr__expect_dtype(const dpr__infer *q, uint32_t i, dpr_dtype dtype) {
    if (q->src[i].dtype == dtype)
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_DTYPE, "%s '%s': operand %u is %s; it must be %s", q->op,
                    q->name, i + 1, dpr__dtype_name(q->src[i].dtype), dpr__dtype_name(dtype));
}

dpr_status dpr__expect_rank(const dpr__infer *q, uint32_t i, uint32_t rank) {
    char shape[DPR__SHAPE_TEXT];
    if (q->src[i].shape.rank == rank)
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_SHAPE,
                    "%s '%s': operand %u is %s; it must have %u dimensions", q->op, q->name, i + 1,
                    dpr__shape_text(&q->src[i].shape, shape), rank);
}

dpr_status dpr__expect_images(const dpr__infer *q, int64_t n, int64_t batch) {
    if (n >= 1 && n <= INT32_MAX && (batch == DPR_BATCH || (batch >= 1 && batch <= INT32_MAX)))
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                    "%s '%s': %lld images in batches of %lld; both must be 1 to %d", q->op, q->name,
                    (long long)n, (long long)batch, INT32_MAX);
}

dpr_status dpr__infer_unary_f32(dpr__infer *q) {
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    q->dst = q->src[0];
    return DPR_OK;
}

dpr_status dpr__infer_binary_f32(dpr__infer *q) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_dtype(q, 1, DPR_F32));
    q->dst.dtype = DPR_F32;
    if (!dpr__shape_broadcast(&q->src[0].shape, &q->src[1].shape, &q->dst.shape))
        return DPR_FAIL(q->context, DPR_E_SHAPE, "%s '%s': %s and %s do not broadcast", q->op,
                        q->name, dpr__shape_text(&q->src[0].shape, a),
                        dpr__shape_text(&q->src[1].shape, b));
    return DPR_OK;
}

int64_t dpr__broadcast_index(const dpr_shape *src, const dpr_shape *dst, int64_t i) {
    int64_t index = 0, stride = 1;
    for (uint32_t d = 0; d < src->rank; d++) { /* from the last dimension */
        int64_t extent = dst->dim[dst->rank - 1 - d], own = src->dim[src->rank - 1 - d];
        index += own == 1 ? 0 : i % extent * stride;
        i /= extent;
        stride *= own;
    }
    return index;
}

void dpr__reference_unary(const dpr__call *call, double (*f)(double)) {
    int64_t n = dpr__shape_count(&call->dst.shape);
    for (int64_t i = 0; i < n; i++)
        dpr__put(&call->dst, i, f(dpr__get(&call->src[0], i)));
}

void dpr__reference_binary(const dpr__call *call, double (*f)(double, double)) {
    const dpr__tensor *a = &call->src[0], *b = &call->src[1];
    int64_t n = dpr__shape_count(&call->dst.shape);
    for (int64_t i = 0; i < n; i++)
        dpr__put(&call->dst, i,
                 f(dpr__get(a, dpr__broadcast_index(&a->shape, &call->dst.shape, i)),
                   dpr__get(b, dpr__broadcast_index(&b->shape, &call->dst.shape, i))));
}
