/* kernel */
/* Sums of the columns of rows of 32 floats; included once per ISA, which defines SUMS_NAME and vectors (vector_*.h). */
#include "backend/cpu/kernel.h"

enum { VECTORS = DPR__PANEL / LANES };

static void add(const float *src, int64_t rows, float *sum) {
    VECTOR total[VECTORS];
    for (int j = 0; j < VECTORS; j++)
        total[j] = VLOAD(sum + j * LANES);
    for (int64_t i = 0; i < rows; i++, src += DPR__PANEL)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++)
            total[j] = VADD(total[j], VLOAD(src + j * LANES));
    for (int j = 0; j < VECTORS; j++)
        VSTORE(sum + j * LANES, total[j]);
}

static void add_squares(const float *src, int64_t rows, const float *shift, float *sum,
                        float *squares) {
    VECTOR total[VECTORS], square[VECTORS], from[VECTORS];
    for (int j = 0; j < VECTORS; j++) {
        total[j] = VLOAD(sum + j * LANES);
        square[j] = VLOAD(squares + j * LANES);
        from[j] = VLOAD(shift + j * LANES);
    }
    for (int64_t i = 0; i < rows; i++, src += DPR__PANEL)
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++) {
            const VECTOR off = VSUBTRACT(VLOAD(src + j * LANES), from[j]);
            total[j] = VADD(total[j], off);
            square[j] = VADD(square[j], VMULTIPLY(off, off));
        }
    for (int j = 0; j < VECTORS; j++) {
        VSTORE(sum + j * LANES, total[j]);
        VSTORE(squares + j * LANES, square[j]);
    }
}

const dpr__sums_kernel SUMS_NAME = {add, add_squares};
