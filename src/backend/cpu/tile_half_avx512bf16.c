/* kernel */
/* Matrix tiles of bf16 pairs for AVX512-bf16: the dot product of a pair is one instruction. */
#include "backend/cpu/vector_avx512.h"
#define TILE_NAME dpr__matmul_bf16_avx512bf16
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE_SUM(p, v) _mm512_storeu_ps(p, v)
#define SPLAT(p) _mm512_castsi512_ps(_mm512_set1_epi32(*(const int *)(const void *)(p)))
#define MULTIPLY_ADD(a, b, c)                                                                      \
    _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b))
#define CHUNK (DPR__PANEL / 2)
#define EACH_FUSED(X, name) X(name, 8, 2) X(name, 10, 2) X(name, 11, 2)
#define MR 14
#define NV 2
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#include "backend/cpu/turn_half_avx512.h"
#define TURN(src, dst) turn_pairs(src, dst)
#include "backend/cpu/tile_tmpl.h"
