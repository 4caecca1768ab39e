/* kernel */
/* Matrix tiles for AVX-512: up to 14 × 32 in twenty-eight of thirty-two registers. */
#include "backend/cpu/vector_avx512.h"
#define TILE_NAME dpr__matmul_f32_avx512
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE_SUM(p, v) _mm512_storeu_ps(p, v)
#define SPLAT(p) _mm512_set1_ps(*(p))
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define CHUNK DPR__PANEL
#define EACH_FUSED(X, name)                                                                        \
    X(name, 8, 1) X(name, 8, 2) X(name, 10, 1) X(name, 10, 2) X(name, 11, 1) X(name, 11, 2)
#define MR 14
#define NV 2
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

#include "backend/cpu/turn_avx512.h"

static void turn_32(const float *src, float *dst) {
    for (int i = 0; i < 32; i += 16)
        for (int j = 0; j < 32; j += 16)
            turn_16(dst + 32 * j + i, 32, src + 32 * i + j, 32);
}
#define TURN(src, dst) turn_32(src, dst)
#include "backend/cpu/tile_tmpl.h"
