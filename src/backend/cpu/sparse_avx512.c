/* Products with numbers of which many are 0, AVX-512. */
#include "backend/cpu/vector_avx512.h"
#include <stdint.h>
#define SPARSE_NAME dpr__sparse_avx512

static inline unsigned nonzero(const float *p, int64_t n, int64_t room) {
    const __mmask16 there = (__mmask16)(n < LANES ? (1U << n) - 1 : 0xffff);
    (void)room;
    return _mm512_cmp_ps_mask(_mm512_maskz_loadu_ps(there, p), _mm512_setzero_ps(), _CMP_NEQ_UQ);
}

#include "backend/cpu/sparse_tmpl.h"
