/* kernel */
/* Convolutions with lanes over pixels, generic: one pixel. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/vector_generic.h"
#include <string.h>
#define PIXELS_NAME dpr__pixels_generic
#define NV 1

static inline void put(const VECTOR sum[DPR__PIXELS_CHANNELS], float *dst, int64_t dst_row) {
    (void)dst_row;
    memcpy(dst, sum, DPR__PIXELS_CHANNELS * sizeof *dst);
}
#include "backend/cpu/pixels_tmpl.h"
