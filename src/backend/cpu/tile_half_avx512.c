/* kernel */
/* Matrix tiles of bf16 pairs for AVX-512 without bf16 instructions: each half of a pair becomes a float, and is multiplied
 * as one. Blocks are small: for machines whose bf16 is slower than their float32, so that nobody asks for it. */
#include "backend/cpu/vector_avx512.h"
#define TILE_NAME dpr__matmul_bf16_avx512
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE_SUM(p, v) _mm512_storeu_ps(p, v)
#define SPLAT(p) _mm512_castsi512_ps(_mm512_set1_epi32(*(const int *)(const void *)(p)))
#define MULTIPLY_ADD(a, b, c) dot(a, b, c)
#define CHUNK (DPR__PANEL / 2)
#define MR 6
#define NV 2
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)

static inline __m512 first(__m512 pair) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(pair), 16));
}
static inline __m512 second(__m512 pair) {
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_castps_si512(pair), _mm512_set1_epi32((int)0xffff0000)));
}
static inline __m512 dot(__m512 a, __m512 b, __m512 c) {
    return _mm512_fmadd_ps(second(a), second(b), _mm512_fmadd_ps(first(a), first(b), c));
}
#include "backend/cpu/turn_half_avx512.h"
#define TURN(src, dst) turn_pairs(src, dst)
#include "backend/cpu/tile_tmpl.h"
