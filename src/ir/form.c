/* Sizes and copies of the forms (form.h). */
#include "ir/form.h"
#include "ir/shape.h"
#include <string.h>

bool dpr__form_fits_panels(dpr_dtype dtype, const dpr_shape *shape) {
    return dtype == DPR_F32 && shape->rank == 2 && shape->dim[1] > 1;
}

dpr__form dpr__form_of_leaf(dpr_leaf_kind kind, dpr_dtype dtype, const dpr_shape *shape) {
    return kind != DPR_INPUT && dpr__form_fits_panels(dtype, shape) ? DPR__PANELS : DPR__PLAIN;
}

int64_t dpr__form_elements(dpr__form form, const dpr_shape *shape) {
    if (form == DPR__PLAIN)
        return dpr__shape_count(shape);
    return shape->dim[0] * ((shape->dim[1] + DPR__PANEL - 1) / DPR__PANEL * DPR__PANEL);
}

/* Element (r, c) lies at (c / 32)·panel + r·row + c % 32, in both forms. */
static int64_t row_stride(dpr__form form, const dpr_shape *shape) {
    return form == DPR__PANELS ? DPR__PANEL : shape->dim[1];
}
static int64_t panel_stride(dpr__form form, const dpr_shape *shape) {
    return form == DPR__PANELS ? DPR__PANEL * shape->dim[0] : DPR__PANEL;
}

int64_t dpr__form_index(dpr__form form, const dpr_shape *shape, int64_t i) {
    if (form == DPR__PLAIN)
        return i;
    int64_t r = i / shape->dim[1], c = i % shape->dim[1];
    return c / DPR__PANEL * panel_stride(form, shape) + r * DPR__PANEL + c % DPR__PANEL;
}

void dpr__form_copy(void *dst, dpr__form dst_form, const void *src, dpr__form src_form,
                    const dpr_shape *shape, size_t bytes) {
    if (dst_form == src_form) {
        memcpy(dst, src, (size_t)dpr__form_elements(src_form, shape) * bytes);
        return;
    }
    for (int64_t r = 0; r < shape->dim[0]; r++)
        for (int64_t c = 0, p = 0; c < shape->dim[1]; c += DPR__PANEL, p++) {
            int64_t n = shape->dim[1] - c < DPR__PANEL ? shape->dim[1] - c : DPR__PANEL;
            int64_t to = p * panel_stride(dst_form, shape) + r * row_stride(dst_form, shape);
            int64_t from = p * panel_stride(src_form, shape) + r * row_stride(src_form, shape);
            memcpy((char *)dst + (size_t)to * bytes, (const char *)src + (size_t)from * bytes,
                   (size_t)n * bytes);
        }
}
