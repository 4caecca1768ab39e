/* kernel */
/* Convolutions with lanes over pixels, AVX2. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/vector_avx2.h"
#define PIXELS_NAME dpr__pixels_avx2
#define NV 1

/* 8 channels of 8 pixels: pairs of channels, pairs of pairs, halves. */
static inline __attribute__((always_inline)) void put(const VECTOR sum[DPR__PIXELS_CHANNELS],
                                                      float *dst, int64_t dst_row) {
    __m256d a[8], half[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_castps_pd(_mm256_unpacklo_ps(sum[i], sum[i + 1]));
        a[i + 1] = _mm256_castps_pd(_mm256_unpackhi_ps(sum[i], sum[i + 1]));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            half[i + 2 * h] = _mm256_unpacklo_pd(a[i + h], a[i + 2 + h]);
            half[i + 2 * h + 1] = _mm256_unpackhi_pd(a[i + h], a[i + 2 + h]);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __m256 x = _mm256_castpd_ps(half[i]), y = _mm256_castpd_ps(half[i + 4]);
        _mm256_storeu_ps(dst + i * dst_row, _mm256_permute2f128_ps(x, y, 0x20));
        _mm256_storeu_ps(dst + (i + 4) * dst_row, _mm256_permute2f128_ps(x, y, 0x31));
    }
}
#include "backend/cpu/pixels_tmpl.h"
