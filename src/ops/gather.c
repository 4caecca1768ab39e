/* gather: the entries of pool (n × …) that index names: index (i32, batch) gives (batch × …), a scalar
 * index one entry (…). Indices are clamped to 0 … n−1. The pool is data, so there is no gradient. */
#include "ops/op.h"
#include <string.h>

static dpr_status infer(dpr__infer *q) {
    const dpr_shape *pool = &q->src[0].shape, *index = &q->src[1].shape;
    DPR_TRY(dpr__expect_dtype(q, 1, DPR_I32));
    if (pool->rank == 0 || index->rank > 1 || pool->dim[0] < 1)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "gather '%s': it takes a pool of at least one entry and an index of one "
                        "dimension or none",
                        q->name);
    q->dst = (dpr__type){q->src[0].dtype, *index};
    for (uint32_t i = 1; i < pool->rank; i++)
        q->dst.shape.dim[q->dst.shape.rank++] = pool->dim[i];
    return DPR_OK;
}

static void reference(const dpr__call *call) {
    const dpr_shape *pool = &call->src[0].shape;
    const char *src = call->src[0].data;
    char *dst = call->dst.data;
    size_t entry_bytes =
        (size_t)(dpr__shape_count(pool) / pool->dim[0]) *
        dpr__dtype_bytes(call->dst.dtype); /* copied as bytes: any dtype is exact */
    int64_t n = dpr__shape_count(&call->src[1].shape);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = (int64_t)dpr__get(&call->src[1], i);
        from = dpr__clamped(from, pool->dim[0]);
        if (entry_bytes > 0)
            memcpy(dst + (size_t)i * entry_bytes, src + (size_t)from * entry_bytes, entry_bytes);
    }
}

const dpr__op dpr__op_gather = {.infer = infer, .reference = reference};
