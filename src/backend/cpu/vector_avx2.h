/* Vectors of AVX2, as chains of elementwise ops use them (chain_text.h). A comparison with NaN is false, as in C. */
#ifndef DPR_BACKEND_CPU_VECTOR_AVX2_H
#define DPR_BACKEND_CPU_VECTOR_AVX2_H

#include <immintrin.h>
#define LANES 8
#define VECTOR __m256
#define VLOAD(p) _mm256_loadu_ps(p)
#define VSTORE(p, v) _mm256_storeu_ps(p, v)
#define VBROADCAST(p) _mm256_broadcast_ss(p)
#define VADD(a, b) _mm256_add_ps(a, b)
#define VSUBTRACT(a, b) _mm256_sub_ps(a, b)
#define VMULTIPLY(a, b) _mm256_mul_ps(a, b)
#define VMULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define VDIVIDE(a, b) _mm256_div_ps(a, b)
#define VSQRT(a) _mm256_sqrt_ps(a)
#define VRELU(a) relu(a)
#define VSTEP(a) step(a)

static inline __m256 relu(__m256 x) {
    return _mm256_andnot_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ), x);
}
static inline __m256 step(__m256 x) {
    return _mm256_and_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ), _mm256_set1_ps(1));
}

#endif
