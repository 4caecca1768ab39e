/* How a value lies in memory. Maps and filters are matrices, too: of as many columns as their last dimension (channels).
 *
 *   PLAIN       row-major
 *   PANELS      f32 matrices: blocks of DPR__PANEL columns, each with its rows one after the other,
 *                   element (r, c) at [c / 32][r][c % 32]        of [⌈columns/32⌉][rows][32]
 *   NARROW      f32 maps of few channels: rows one after the other, each of as many floats as the next power of two, so that 32
 *                   floats are some whole rows, and what goes over panels, element by element, goes over them as well
 *   HALF_ROWS   the same in bf16
 *   HALF_PAIRS  bf16, two rows interleaved,
 *                   element (r, c) at [c / 32][r / 2][c % 32][r % 2]
 *   HALF_BOTH   HALF_ROWS, then HALF_PAIRS: for a matrix that stands in products both as it is and transposed
 *
 * One form serves every role of a matrix product: 32 columns of a row are vectors (or the rows of an AMX tile), a pair of bf16
 * is one operand of a dot product along the rows or along the columns, and no stride is a power of two. In f32 the lanes
 * beyond the last column hold anything, and nothing that is a result reads them; in bf16 they, and the row that an odd number of
 * rows lacks, are zero. */
#ifndef DPR_IR_FORM_H
#define DPR_IR_FORM_H

#include "base/status.h"

enum { DPR__PANEL = 32, DPR__FEWEST_CHANNELS = 5 /* of a map that is not plain */ };

typedef enum dpr__form {
    DPR__PLAIN,
    DPR__PANELS,
    DPR__NARROW,
    DPR__HALF_ROWS,
    DPR__HALF_PAIRS,
    DPR__HALF_BOTH,
} dpr__form;

static inline bool dpr__form_is_half(dpr__form form) {
    return form >= DPR__HALF_ROWS;
}

/* Whether a value of this type can lie in panels: an f32 matrix, map or filter with more than one column. */
bool dpr__form_fits_panels(dpr_dtype dtype, const dpr_shape *shape);
/* Whether it can lie narrow: a map of 5 to 16 channels whose images fill whole rows of 32 floats. */
bool dpr__form_fits_narrow(dpr_dtype dtype, const dpr_shape *shape);
/* From one row to the next, in elements; in pairs of bf16 there are none. */
int64_t dpr__form_row(dpr__form form, const dpr_shape *shape);
/* The form in which a store keeps a leaf: the same for every program that shares it. */
dpr__form dpr__form_of_leaf(dpr_leaf_kind kind, dpr_dtype dtype, const dpr_shape *shape);
/* Bytes of memory that a value takes; `element` of one logical element. */
size_t dpr__form_bytes(dpr__form form, const dpr_shape *shape, size_t element);
/* Where in HALF_BOTH the pairs begin, in bytes; 0 in HALF_PAIRS. */
size_t dpr__form_pairs_at(dpr__form form, const dpr_shape *shape);
/* Where element number i of the row-major value lies. PLAIN, PANELS and NARROW. */
int64_t dpr__form_index(dpr__form form, const dpr_shape *shape, int64_t i);
/* Copies a value from one form to another; equal forms copy as they are. What becomes bf16 is rounded to nearest even. */
void dpr__form_copy(void *dst, dpr__form dst_form, const void *src, dpr__form src_form,
                    const dpr_shape *shape, size_t element);

/* bf16 is the upper half of a float. Rounds to nearest even; NaN stays NaN. */
static inline uint16_t dpr__to_bf16(float x) {
    union {
        float f;
        uint32_t u;
    } bits = {.f = x};
    if (x != x)
        return (uint16_t)(bits.u >> 16 | 0x40);
    return (uint16_t)((bits.u + 0x7fff + (bits.u >> 16 & 1)) >> 16);
}
static inline float dpr__from_bf16(uint16_t x) {
    union {
        uint32_t u;
        float f;
    } bits = {.u = (uint32_t)x << 16};
    return bits.f;
}
/* A number as bf16 holds it, by way of a float. */
static inline double dpr__bf16_of(double x) {
    return (double)dpr__from_bf16(dpr__to_bf16((float)x));
}

#endif
