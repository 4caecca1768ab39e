/* Depthwise convolutions, avx2: blocks of four results × 16 channels in eight of sixteen registers. */
#include "backend/cpu/vector_avx2.h"
#include <string.h>
#define DEPTHWISE_NAME dpr__depthwise_avx2
#define ZERO() _mm256_setzero_ps()
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE_SUM(p, v) _mm256_storeu_ps(p, v)
#define LOAD_SOME(p, n) load_some(p, n)
#define STORE_SOME(p, v, n) memcpy(p, &(v), (size_t)(n) * sizeof(float))
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define MOST 4
#define EACH_BLOCK(X) X(4) X(2) X(1)

static inline __m256 load_some(const float *at, int64_t n) {
    float x[LANES] = {0};
    memcpy(x, at, (size_t)n * sizeof *at);
    return _mm256_loadu_ps(x);
}
#include "backend/cpu/depthwise_tmpl.h"
