/* Vectors of AVX-512, as chains of elementwise ops use them (chain_text.h). A comparison with NaN is false, as in C. */
#ifndef DPR_BACKEND_CPU_VECTOR_AVX512_H
#define DPR_BACKEND_CPU_VECTOR_AVX512_H

#include <immintrin.h>
#define LANES 16
#define VECTOR __m512
#define VLOAD(p) _mm512_loadu_ps(p)
#define VSTORE(p, v) _mm512_storeu_ps(p, v)
#define VBROADCAST(p) _mm512_set1_ps(*(p))
#define VADD(a, b) _mm512_add_ps(a, b)
#define VSUBTRACT(a, b) _mm512_sub_ps(a, b)
#define VMULTIPLY(a, b) _mm512_mul_ps(a, b)
#define VMULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define VDIVIDE(a, b) _mm512_div_ps(a, b)
#define VSQRT(a) _mm512_sqrt_ps(a)
#define VRELU(a) relu(a)
#define VSTEP(a) step(a)

static inline __m512 relu(__m512 x) {
    __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mask_mov_ps(x, negative, _mm512_setzero_ps());
}
static inline __m512 step(__m512 x) {
    __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ);
    return _mm512_maskz_mov_ps(positive, _mm512_set1_ps(1));
}

#endif
