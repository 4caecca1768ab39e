/* Depthwise convolutions, avx512: blocks of eight results × 32 channels in sixteen of thirty-two registers. */
#include "backend/cpu/vector_avx512.h"
#define DEPTHWISE_NAME dpr__depthwise_avx512
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE_SUM(p, v) _mm512_storeu_ps(p, v)
#define LOAD_SOME(p, n) _mm512_maskz_loadu_ps((__mmask16)((1U << (n)) - 1), p)
#define STORE_SOME(p, v, n) _mm512_mask_storeu_ps(p, (__mmask16)((1U << (n)) - 1), v)
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MOST 8
#define EACH_BLOCK(X) X(8) X(4) X(2) X(1)
#include "backend/cpu/depthwise_tmpl.h"
