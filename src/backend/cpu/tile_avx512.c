/* kernel */
/* The matmul tile for AVX-512: 14 × 32 in twenty-eight of thirty-two registers. */
#include <immintrin.h>
#define TILE_NAME dpr__matmul_f32_avx512
#define LANES 16
#define VECTOR __m512
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define BROADCAST(p) _mm512_set1_ps(*(p))
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MR 14
#define NV 2
#include "backend/cpu/tile_tmpl.h"
