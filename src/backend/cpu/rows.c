/* Row kernels that move numbers rather than compute: argmax, gather, one-hot. Every result element is made by one unit. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/matrix.h"
#include <string.h>

static void argmax(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]);
    for (int64_t i = first; i < last; i++) {
        float best = *piece_of(&x, i, 0);
        int32_t at = 0;
        for (int64_t j = 1; j < x.columns; j++) {
            float value = piece_of(&x, i, j)[j % DPR__PANEL];
            at = value > best ? (int32_t)j : at;
            best = value > best ? value : best;
        }
        ((int32_t *)call->dst.data)[i] = at;
    }
}
const dpr__rows_kernel dpr__argmax_rows = {accepts_any, src_rows, argmax, false};

static int64_t index_count(const dpr__call *call) {
    return dpr__shape_count(&call->src[1].shape);
}

static void gather(const dpr__call *call, int64_t first, int64_t last) {
    const dpr__tensor *pool = &call->src[0];
    int64_t n = pool->shape.dim[0];
    size_t bytes = (size_t)(dst_elements(call) / index_count(call)) * dpr__dtype_bytes(pool->dtype);
    for (int64_t i = first; i < last; i++) {
        int64_t from = dpr__clamped(((const int32_t *)call->src[1].data)[i], n);
        memcpy((char *)call->dst.data + (size_t)i * bytes,
               (const char *)pool->data + (size_t)from * bytes, bytes);
    }
}
const dpr__rows_kernel dpr__gather_rows = {accepts_plain, index_count, gather, false};

static int64_t src_elements(const dpr__call *call) {
    return dpr__shape_count(&call->src[0].shape);
}

static void one_hot(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix y = matrix_of(&call->dst);
    for (int64_t i = first; i < last; i++) {
        int64_t index = ((const int32_t *)call->src[0].data)[i];
        /* In panels by pieces, whose length the compiler knows. */
        for (int64_t c = 0; y.in_panels && c < y.columns; c += DPR__PANEL)
            memset(piece_of(&y, i, c), 0, DPR__PANEL * sizeof(float));
        if (!y.in_panels)
            memset(piece_of(&y, i, 0), 0, (size_t)y.columns * sizeof(float));
        if (index >= 0 && index < y.columns)
            piece_of(&y, i, index)[index % DPR__PANEL] = 1;
    }
}
const dpr__rows_kernel dpr__one_hot_rows = {accepts_any, src_elements, one_hot, false};

/* ---- prefix, turned filters ---- */

static int64_t dst_rows(const dpr__call *call) {
    return call->dst.shape.dim[0];
}

/* A row of the batch is consecutive where the value is plain; in panels it is some rows of each. */
static void prefix(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    int64_t valid = *(const int32_t *)call->src[1].data, batch = call->dst.shape.dim[0];
    int64_t each = batch > 0 ? dpr__rows_of(&call->dst.shape) / batch : 0;
    if (call->dst.shape.rank == 1)
        each = 1, x.row = y.row = x.columns = y.columns = 1;
    int64_t kept = last < valid ? last : valid < first ? first : valid;
    for (int64_t c = 0; c < y.columns; c += DPR__PANEL) {
        int64_t n = y.columns - c < DPR__PANEL ? y.columns - c : DPR__PANEL;
        for (int64_t i = first * each; i < last * each; i++)
            if (i < kept * each)
                memcpy(piece_of(&y, i, c), piece_of(&x, i, c), (size_t)n * sizeof(float));
            else
                memset(piece_of(&y, i, c), 0, (size_t)n * sizeof(float));
    }
}
const dpr__rows_kernel dpr__prefix_rows = {accepts_any, dst_rows, prefix, false};

static int64_t filters(const dpr__call *call) {
    return call->dst.shape.dim[0] * call->dst.shape.dim[1];
}

/* Of each filter the transpose, the filters in reverse. */
static void turn_filters(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    int64_t c = call->dst.shape.dim[3], oc = call->dst.shape.dim[2], n = filters(call);
    for (int64_t f = first; f < last; f++)
        for (int64_t i = 0; i < c; i += DPR__PANEL)
            for (int64_t o = 0; o < oc; o += DPR__PANEL)
                for (int64_t k = o; k < oc && k < o + DPR__PANEL; k++) {
                    float *dst = piece_of(&y, f * oc + k, i);
                    for (int64_t j = 0; j < DPR__PANEL && i + j < c; j++)
                        dst[j] = piece_of(&x, (n - 1 - f) * c + i + j, o)[k - o];
                }
}
const dpr__rows_kernel dpr__turn_filters_rows = {accepts_any, filters, turn_filters, false};
