/* kernel */
/* Matrix tiles for AVX-512: up to 14 × 32 in twenty-eight of thirty-two registers. */
#include <immintrin.h>
#define TILE_NAME dpr__matmul_f32_avx512
#define LANES 16
#define VECTOR __m512
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define BROADCAST(p) _mm512_set1_ps(*(p))
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MR 14
#define NV 2
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

/* dst[j][i] = src[i][j], 16 × 16 floats at row distances of 32: pairs of rows, then pairs of pairs, then quarters. */
static void turn_16(const float *src, float *dst) {
    __m512 a[16], b[16];
    for (int i = 0; i < 16; i++)
        a[i] = _mm512_loadu_ps(src + 32 * i);
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
        _mm512_storeu_ps(dst + 32 * i, _mm512_shuffle_f32x4(b[i], b[i + 8], 0x88));
        _mm512_storeu_ps(dst + 32 * (i + 8), _mm512_shuffle_f32x4(b[i], b[i + 8], 0xdd));
    }
}

static void turn_32(const float *src, float *dst) {
    for (int i = 0; i < 32; i += 16)
        for (int j = 0; j < 32; j += 16)
            turn_16(src + 32 * i + j, dst + 32 * j + i);
}
#define TURN(src, dst) turn_32(src, dst)
#include "backend/cpu/tile_tmpl.h"
