/* The transpose of 16 × 16 floats, or pairs of bf16, in AVX-512. */
#ifndef DPR_BACKEND_CPU_TURN_AVX512_H
#define DPR_BACKEND_CPU_TURN_AVX512_H

#include <immintrin.h>
#include <stdint.h>

/* a[j][i] = a[i][j]: pairs of rows, then pairs of pairs, then quarters. */
static inline void turn_registers(__m512 a[16]) {
    __m512 b[16];
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int h = 0; h < 2; h++) {
            __m512d x = _mm512_castps_pd(b[i + h]), y = _mm512_castps_pd(b[i + 2 + h]);
            a[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
            a[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
        }
    for (int i = 0; i < 4; i++) {
        b[i] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
        b[i + 4] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xdd);
        b[i + 8] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
        b[i + 12] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        a[i] = _mm512_shuffle_f32x4(b[i], b[i + 8], 0x88);
        a[i + 8] = _mm512_shuffle_f32x4(b[i], b[i + 8], 0xdd);
    }
}

/* dst[j][i] = src[i][j], 16 × 16. */
static inline void turn_16(float *dst, int64_t dst_row, const float *src, int64_t src_row) {
    __m512 a[16];
    for (int i = 0; i < 16; i++)
        a[i] = _mm512_loadu_ps(src + src_row * i);
    turn_registers(a);
    for (int i = 0; i < 16; i++)
        _mm512_storeu_ps(dst + dst_row * i, a[i]);
}

#endif
