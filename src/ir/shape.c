/* Shapes and dtypes (shape.h). */
#include "ir/shape.h"
#include <stdio.h>
#include <string.h>

/* X(dtype, bytes, name) */
#define DTYPES(X) X(F32, 4, "f32") X(F64, 8, "f64") X(U8, 1, "u8") X(I32, 4, "i32") X(U64, 8, "u64")

size_t dpr__dtype_bytes(dpr_dtype dtype) {
    static const size_t BYTES[] = {
#define X(dtype, bytes, name) [DPR_##dtype] = bytes,
        DTYPES(X)
#undef X
    };
    return BYTES[dtype];
}

const char *dpr__dtype_name(dpr_dtype dtype) {
    static const char *const NAMES[] = {
#define X(dtype, bytes, name) [DPR_##dtype] = name,
        DTYPES(X)
#undef X
    };
    return NAMES[dtype];
}

dpr_shape dpr_scalar_shape(void) {
    return (dpr_shape){0};
}

bool dpr__shape_equal(const dpr_shape *a, const dpr_shape *b) {
    return a->rank == b->rank && memcmp(a->dim, b->dim, a->rank * sizeof *a->dim) == 0;
}

bool dpr__shape_has_batch(const dpr_shape *shape) {
    for (uint32_t i = 0; i < shape->rank; i++)
        if (shape->dim[i] == DPR_BATCH)
            return true;
    return false;
}

int64_t dpr__shape_count(const dpr_shape *shape) {
    int64_t n = 1;
    for (uint32_t i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

int64_t dpr__shape_count_open(const dpr_shape *shape) {
    int64_t n = 1;
    for (uint32_t i = 0; i < shape->rank; i++)
        n *= shape->dim[i] == DPR_BATCH ? 1 : shape->dim[i];
    return n;
}

int64_t dpr__columns(const dpr_shape *shape) {
    return shape->rank == 0 ? 1 : shape->dim[shape->rank - 1];
}

int64_t dpr__rows_of(const dpr_shape *shape) {
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < shape->rank; i++)
        rows *= shape->dim[i];
    return rows;
}

bool dpr__shape_is_sane(const dpr_shape *shape) {
    const int64_t most = (int64_t)1 << 40;
    int64_t n = 1;
    uint32_t batches = 0;
    if (shape->rank > DPR_MAX_RANK)
        return false;
    for (uint32_t i = 0; i < shape->rank; i++) {
        int64_t dim = shape->dim[i];
        batches += dim == DPR_BATCH;
        if (dim < DPR_BATCH || dim > most || (dim > 0 && n > most / dim))
            return false;
        n *= dim > 0 ? dim : 1; /* a zero must not hide an absurd rest */
    }
    return batches <= 2; /* batch × batch: a Gram matrix of the rows */
}

bool dpr__shape_broadcast(const dpr_shape *a, const dpr_shape *b, dpr_shape *out) {
    *out = (dpr_shape){.rank = a->rank > b->rank ? a->rank : b->rank};
    for (uint32_t i = 1; i <= out->rank; i++) { /* from the last dimension */
        int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1;
        int64_t y = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        out->dim[out->rank - i] = x == 1 ? y : x;
    }
    return true;
}

const char *dpr__shape_text(const dpr_shape *shape, char out[DPR__SHAPE_TEXT]) {
    size_t n = 0;
    strcpy(out, "scalar");
    for (uint32_t i = 0; i < shape->rank && i < DPR_MAX_RANK && n < DPR__SHAPE_TEXT - 32; i++) {
        const char *times = i > 0 ? " × " : "";
        int wrote =
            shape->dim[i] == DPR_BATCH
                ? snprintf(out + n, DPR__SHAPE_TEXT - n, "%sbatch", times)
                : snprintf(out + n, DPR__SHAPE_TEXT - n, "%s%lld", times, (long long)shape->dim[i]);
        n += wrote > 0 ? (size_t)wrote : 0;
    }
    return out;
}

dpr_shape dpr__shape_with_batch(const dpr_shape *shape, int64_t batch) {
    dpr_shape bound = *shape;
    for (uint32_t i = 0; i < shape->rank; i++)
        bound.dim[i] = shape->dim[i] == DPR_BATCH ? batch : shape->dim[i];
    return bound;
}
