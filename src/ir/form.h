/* How a value lies in memory. PLAIN is row-major. PANELS is for f32 matrices: blocks of DPR__PANEL columns,
 * each with its rows one after the other,
 *
 *     element (r, c) at [c / 32][r][c % 32]      of an array [⌈columns/32⌉][rows][32].
 *
 * One form serves every role of a matrix product: 32 columns of a row are vectors, a row's next 32 elements of k
 * are one cache line pair away, and no stride is a power of two. The lanes beyond the last column hold
 * anything; nothing that is a result reads them. */
#ifndef DPR_IR_FORM_H
#define DPR_IR_FORM_H

#include "base/status.h"

enum { DPR__PANEL = 32 };

typedef enum dpr__form { DPR__PLAIN, DPR__PANELS } dpr__form;

/* Whether a value of this type can lie in panels: an f32 matrix with more than one column. */
bool dpr__form_fits_panels(dpr_dtype dtype, const dpr_shape *shape);
/* The form in which a store keeps a leaf: the same for every program that shares it. */
dpr__form dpr__form_of_leaf(dpr_leaf_kind kind, dpr_dtype dtype, const dpr_shape *shape);
/* Where element number i of the row-major value lies. */
int64_t dpr__form_index(dpr__form form, const dpr_shape *shape, int64_t i);
/* Elements that memory is needed for. */
int64_t dpr__form_elements(dpr__form form, const dpr_shape *shape);
/* Copies a value from one form to another; `bytes` of an element; equal forms copy as they are. */
void dpr__form_copy(void *dst, dpr__form dst_form, const void *src, dpr__form src_form,
                    const dpr_shape *shape, size_t bytes);

#endif
