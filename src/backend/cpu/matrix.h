/* A tensor as rows and columns for row kernels, in any form of floats: the row's columns c … c + 31 are consecutive, for c a
 * multiple of 32. */
#ifndef DPR_BACKEND_CPU_MATRIX_H
#define DPR_BACKEND_CPU_MATRIX_H

#include "ir/op.h"
#include "ir/shape.h"

struct matrix {
    float *data;
    bool in_panels;
    int64_t columns, row, panel; /* element (r, c) at (c / 32)·panel + r·row + c % 32 */
};

static inline struct matrix matrix_of(const dpr__tensor *tensor) {
    int64_t columns = dpr__columns(&tensor->shape);
    if (tensor->form == DPR__PANELS)
        return (struct matrix){tensor->data, true, columns, DPR__PANEL,
                               DPR__PANEL * dpr__rows_of(&tensor->shape)};
    return (struct matrix){tensor->data, false, columns,
                           dpr__form_row(tensor->form, &tensor->shape), DPR__PANEL};
}

static inline float *piece_of(const struct matrix *m, int64_t row, int64_t column) {
    return m->data + column / DPR__PANEL * m->panel + row * m->row;
}

/* ---- what row kernels ask of a call ---- */

static inline int64_t src_rows(const dpr__call *call) {
    int64_t columns = dpr__columns(&call->src[0].shape);
    return columns == 0 ? 0 : dpr__shape_count(&call->src[0].shape) / columns;
}

static inline int64_t dst_elements(const dpr__call *call) {
    return dpr__shape_count(&call->dst.shape);
}

static inline bool accepts_any(const dpr__call *call) {
    (void)call;
    return true;
}

static inline bool accepts_plain(const dpr__call *call) {
    return call->src[0].form == DPR__PLAIN && call->dst.form == DPR__PLAIN;
}

static inline unsigned reduced_axes(const dpr__call *call) {
    return (unsigned)((const dpr__sum_param *)call->param)->axes;
}

/* The result's elements are consecutive: it is plain, or one row. */
static inline bool dst_is_row(const dpr__call *call) {
    return call->dst.form == DPR__PLAIN || call->dst.shape.dim[0] == 1;
}

#endif
