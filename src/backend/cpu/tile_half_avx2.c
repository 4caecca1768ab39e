/* kernel */
/* Matrix tiles of bf16 pairs for AVX2: each half of a pair becomes a float, and is multiplied as one. */
#include "backend/cpu/vector_avx2.h"
#define TILE_NAME dpr__matmul_bf16_avx2
#define ZERO() _mm256_setzero_ps()
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE_SUM(p, v) _mm256_storeu_ps(p, v)
#define SPLAT(p) _mm256_castsi256_ps(_mm256_set1_epi32(*(const int *)(const void *)(p)))
#define MULTIPLY_ADD(a, b, c) dot(a, b, c)
#define CHUNK (DPR__PANEL / 2)
#define MR 4
#define NV 2
#define EACH_ROWS(X) X(1) X(2) X(3) X(4)

static inline __m256 first(__m256 pair) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pair), 16));
}
static inline __m256 second(__m256 pair) {
    return _mm256_castsi256_ps(
        _mm256_and_si256(_mm256_castps_si256(pair), _mm256_set1_epi32((int)0xffff0000)));
}
static inline __m256 dot(__m256 a, __m256 b, __m256 c) {
    return _mm256_fmadd_ps(second(a), second(b), _mm256_fmadd_ps(first(a), first(b), c));
}
#include "backend/cpu/turn.h"
#define TURN(src, dst) turn_pairs_plain(src, dst)
#include "backend/cpu/tile_tmpl.h"
