/* kernel */
/* Rounding to bf16 with AVX-512's integers: to nearest even; NaN stays NaN. */
#include <immintrin.h>
#define HALF_NAME dpr__halves_avx512
#define ROUND(low, high) round_two(low, high)

static inline __m256i round_one(__m512 x) {
    const __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    sum = _mm512_mask_or_epi32(sum, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(sum, 16));
}
static inline __m512i round_two(__m512 low, __m512 high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(round_one(low)), round_one(high), 1);
}
#include "backend/cpu/half_tmpl.h"
