/* bf16 of two runs of 16 floats, as pairs of what stands at the same place. */
#ifndef DPR_BACKEND_CPU_PAIR_AVX512_H
#define DPR_BACKEND_CPU_PAIR_AVX512_H

#include <immintrin.h>

/* both: the first run's, then the second's. */
static inline __m512i interleaved(__m512i both) {
    static const short INTERLEAVE[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                         21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                         11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_loadu_si512(INTERLEAVE), both);
}

#endif
