/* Products with numbers of which many are 0, AVX2. */
#include "backend/cpu/vector_avx2.h"
#include <stdint.h>
#define SPARSE_NAME dpr__sparse_avx2

static inline unsigned nonzero(const float *p, int64_t n, int64_t room) {
    unsigned bits = 0;
    if (room >= LANES) {
        bits = (unsigned)_mm256_movemask_ps(
            _mm256_cmp_ps(_mm256_loadu_ps(p), _mm256_setzero_ps(), _CMP_NEQ_UQ));
        return n < LANES ? bits & ((1U << n) - 1) : bits;
    }
    for (int64_t i = 0; i < n; i++)
        bits |= (unsigned)(p[i] != 0) << i;
    return bits;
}

#include "backend/cpu/sparse_tmpl.h"
