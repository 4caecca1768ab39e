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

/* One filter of one group: c × oc numbers from row `from` of x on, transposed to row `to` of y on. */
struct turning {
    struct matrix x, y;
    int64_t from, to, c, oc, group;
};

/* Runs of columns that are consecutive in dst are columns of the source's rows. */
static void turn_filter(const struct turning *t) {
    int64_t first = t->group * t->c;
    for (int64_t i = 0, n; i < t->c; i += n) {
        n = DPR__PANEL - (first + i) % DPR__PANEL;
        n = n < t->c - i ? n : t->c - i;
        for (int64_t o = 0; o < t->oc; o++) {
            int64_t column = t->group * t->oc + o;
            const float *src = piece_of(&t->x, t->from + i, column) + column % DPR__PANEL;
            float *dst = piece_of(&t->y, t->to + o, first + i) + (first + i) % DPR__PANEL;
            for (int64_t j = 0; j < n; j++)
                dst[j] = src[j * t->x.row];
        }
    }
}

/* Of each filter the transpose, group by group, the filters in reverse. */
static void turn_filters(const dpr__call *call, int64_t first, int64_t last) {
    int64_t groups = ((const dpr__turn_param *)call->param)->groups, n = filters(call);
    struct turning t = {.x = matrix_of(&call->src[0]),
                        .y = matrix_of(&call->dst),
                        .c = call->src[0].shape.dim[2],
                        .oc = call->dst.shape.dim[2]};
    for (int64_t f = first; f < last; f++) {
        t.from = (n - 1 - f) * t.c;
        t.to = f * t.oc;
        for (t.group = 0; t.group < groups; t.group++)
            turn_filter(&t);
    }
}
const dpr__rows_kernel dpr__turn_filters_rows = {accepts_any, filters, turn_filters, false};
