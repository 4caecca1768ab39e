/* The transpose of 32 × 32 bf16 in pairs of rows, to pairs of rows, in AVX-512. */
#ifndef DPR_BACKEND_CPU_TURN_HALF_AVX512_H
#define DPR_BACKEND_CPU_TURN_HALF_AVX512_H

#include "backend/cpu/turn_avx512.h"

/* src: 16 pairs of rows of 32 columns; dst: 16 pairs of columns, for each of the 32 rows. The words of a pair are
 * parted into its two rows, each sixteen pairs of columns; these are turned as floats are. */
static inline void turn_pairs(const float *src, float *dst) {
    static const short EVEN[32] = {0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30,
                                   32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62};
    const __m512i even = _mm512_loadu_si512(EVEN);
    const __m512i odd = _mm512_add_epi16(even, _mm512_set1_epi16(1));
    for (int half = 0; half < 2; half++) {
        __m512 rows[16];
        for (int i = 0; i < 8; i++) {
            const float *pair = src + 32 * (8 * half + i);
            __m512i low = _mm512_loadu_si512(pair), high = _mm512_loadu_si512(pair + 16);
            rows[2 * i] = _mm512_castsi512_ps(_mm512_permutex2var_epi16(low, even, high));
            rows[2 * i + 1] = _mm512_castsi512_ps(_mm512_permutex2var_epi16(low, odd, high));
        }
        turn_registers(rows);
        for (int j = 0; j < 16; j++)
            _mm512_storeu_ps(dst + 32 * j + 16 * half, rows[j]);
    }
}

#endif
