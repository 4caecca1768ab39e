/* Sizes and copies of the forms (form.h). */
#include "ir/form.h"
#include "ir/shape.h"
#include <string.h>

bool dpr__form_fits_panels(dpr_dtype dtype, const dpr_shape *shape) {
    return dtype == DPR_F32 && shape->rank >= 2 && dpr__columns(shape) > 1;
}

static int64_t narrow_row(int64_t columns) {
    int64_t row = 1;
    while (row < columns)
        row *= 2;
    return row;
}

bool dpr__form_fits_narrow(dpr_dtype dtype, const dpr_shape *shape) {
    int64_t columns = dpr__columns(shape);
    if (dtype != DPR_F32 || shape->rank != 4 || columns < DPR__FEWEST_CHANNELS ||
        columns > DPR__PANEL / 2)
        return false;
    return shape->dim[1] * shape->dim[2] * narrow_row(columns) % DPR__PANEL == 0;
}

dpr__form dpr__form_of_leaf(dpr_leaf_kind kind, dpr_dtype dtype, const dpr_shape *shape) {
    return kind != DPR_INPUT && dpr__form_fits_panels(dtype, shape) ? DPR__PANELS : DPR__PLAIN;
}

static size_t padded_columns(const dpr_shape *shape) {
    return (size_t)(dpr__columns(shape) + DPR__PANEL - 1) / DPR__PANEL * DPR__PANEL;
}

static size_t half_rows_bytes(const dpr_shape *shape) {
    return padded_columns(shape) * (size_t)dpr__rows_of(shape) * sizeof(uint16_t);
}

static size_t half_pairs_bytes(const dpr_shape *shape) {
    return padded_columns(shape) * (size_t)((dpr__rows_of(shape) + 1) / 2 * 2) * sizeof(uint16_t);
}

int64_t dpr__form_row(dpr__form form, const dpr_shape *shape) {
    return form == DPR__PLAIN    ? dpr__columns(shape)
           : form == DPR__NARROW ? narrow_row(dpr__columns(shape))
                                 : DPR__PANEL;
}

size_t dpr__form_bytes(dpr__form form, const dpr_shape *shape, size_t element) {
    switch (form) {
    case DPR__PLAIN:
        break;
    case DPR__PANELS:
        return padded_columns(shape) * (size_t)dpr__rows_of(shape) * element;
    case DPR__NARROW:
        return (size_t)(dpr__form_row(form, shape) * dpr__rows_of(shape)) * element;
    case DPR__HALF_ROWS:
        return half_rows_bytes(shape);
    case DPR__HALF_PAIRS:
        return half_pairs_bytes(shape);
    case DPR__HALF_BOTH:
        return half_rows_bytes(shape) + half_pairs_bytes(shape);
    }
    return (size_t)dpr__shape_count(shape) * element;
}

size_t dpr__form_pairs_at(dpr__form form, const dpr_shape *shape) {
    return form == DPR__HALF_BOTH ? half_rows_bytes(shape) : 0;
}

/* Element (r, c) lies at (c / 32)·panel + r·row + c % 32, in PLAIN, PANELS, NARROW and HALF_ROWS. */
static int64_t panel_stride(dpr__form form, const dpr_shape *shape) {
    return form == DPR__PLAIN ? DPR__PANEL : DPR__PANEL * dpr__rows_of(shape);
}
static int64_t rows_index(dpr__form form, const dpr_shape *shape, int64_t r, int64_t c) {
    return c / DPR__PANEL * panel_stride(form, shape) + r * dpr__form_row(form, shape) +
           c % DPR__PANEL;
}
static int64_t pairs_index(const dpr_shape *shape, int64_t r, int64_t c) {
    int64_t pairs = (dpr__rows_of(shape) + 1) / 2;
    return (c / DPR__PANEL * pairs + r / 2) * (2 * DPR__PANEL) + c % DPR__PANEL * 2 + r % 2;
}

int64_t dpr__form_index(dpr__form form, const dpr_shape *shape, int64_t i) {
    if (form == DPR__PLAIN)
        return i;
    return rows_index(form, shape, i / dpr__columns(shape), i % dpr__columns(shape));
}

/* ---- copies ---- */

static float get(const void *src, dpr__form form, const dpr_shape *shape, int64_t r, int64_t c) {
    if (!dpr__form_is_half(form))
        return ((const float *)src)[rows_index(form, shape, r, c)];
    int64_t at = form == DPR__HALF_PAIRS ? pairs_index(shape, r, c)
                                         : rows_index(DPR__HALF_ROWS, shape, r, c);
    return dpr__from_bf16(((const uint16_t *)src)[at]);
}

static void put(void *dst, dpr__form form, const dpr_shape *shape, int64_t r, int64_t c, float x) {
    uint16_t *pairs = (uint16_t *)dst + dpr__form_pairs_at(form, shape) / sizeof(uint16_t);
    if (!dpr__form_is_half(form))
        ((float *)dst)[rows_index(form, shape, r, c)] = x;
    if (form == DPR__HALF_ROWS || form == DPR__HALF_BOTH)
        ((uint16_t *)dst)[rows_index(DPR__HALF_ROWS, shape, r, c)] = dpr__to_bf16(x);
    if (form == DPR__HALF_PAIRS || form == DPR__HALF_BOTH)
        pairs[pairs_index(shape, r, c)] = dpr__to_bf16(x);
}

static void copy_halves(void *dst, dpr__form dst_form, const void *src, dpr__form src_form,
                        const dpr_shape *shape) {
    memset(dst, 0, dpr__form_bytes(dst_form, shape, sizeof(float)));
    for (int64_t r = 0; r < dpr__rows_of(shape); r++)
        for (int64_t c = 0; c < dpr__columns(shape); c++)
            put(dst, dst_form, shape, r, c, get(src, src_form, shape, r, c));
}

void dpr__form_copy(void *dst, dpr__form dst_form, const void *src, dpr__form src_form,
                    const dpr_shape *shape, size_t element) {
    if (dst_form == src_form) {
        memcpy(dst, src, dpr__form_bytes(src_form, shape, element));
        return;
    }
    if (dpr__form_is_half(dst_form) || dpr__form_is_half(src_form)) {
        copy_halves(dst, dst_form, src, src_form, shape);
        return;
    }
    for (int64_t r = 0; r < dpr__rows_of(shape); r++)
        for (int64_t c = 0; c < dpr__columns(shape); c += DPR__PANEL) {
            int64_t left = dpr__columns(shape) - c, n = left < DPR__PANEL ? left : DPR__PANEL;
            memcpy((char *)dst + (size_t)rows_index(dst_form, shape, r, c) * element,
                   (const char *)src + (size_t)rows_index(src_form, shape, r, c) * element,
                   (size_t)n * element);
        }
}
