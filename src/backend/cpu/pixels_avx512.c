/* kernel */
/* Convolutions with lanes over pixels, AVX-512. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/vector_avx512.h"
#define PIXELS_NAME dpr__pixels_avx512
#define NV 2

/* 8 channels of 16 pixels: pairs of channels, pairs of pairs; then a pixel's two quarters are brought together. */
static inline __attribute__((always_inline)) void put(const VECTOR sum[DPR__PIXELS_CHANNELS],
                                                      float *dst, int64_t dst_row) {
    const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    __m512d a[8], quarter[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_castps_pd(_mm512_unpacklo_ps(sum[i], sum[i + 1]));
        a[i + 1] = _mm512_castps_pd(_mm512_unpackhi_ps(sum[i], sum[i + 1]));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            quarter[i + 2 * h] = _mm512_unpacklo_pd(a[i + h], a[i + 2 + h]);
            quarter[i + 2 * h + 1] = _mm512_unpackhi_pd(a[i + h], a[i + 2 + h]);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            const __m512 two = _mm512_castpd_ps(
                _mm512_permutex2var_pd(quarter[i], h == 0 ? low : high, quarter[i + 4]));
            _mm256_storeu_ps(dst + (8 * h + i) * dst_row, _mm512_castps512_ps256(two));
            _mm256_storeu_ps(dst + (8 * h + i + 4) * dst_row, _mm512_extractf32x8_ps(two, 1));
        }
}
#include "backend/cpu/pixels_tmpl.h"
