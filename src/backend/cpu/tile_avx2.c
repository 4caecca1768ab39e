/* kernel */
/* Matrix tiles for AVX2 with FMA: up to 6 × 16 in twelve of sixteen registers. */
#include "backend/cpu/vector_avx2.h"
#define TILE_NAME dpr__matmul_f32_avx2
#define ZERO() _mm256_setzero_ps()
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE_SUM(p, v) _mm256_storeu_ps(p, v)
#define SPLAT(p) _mm256_broadcast_ss(p)
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define CHUNK DPR__PANEL
#define EACH_FUSED(X, name) X(name, 5, 1) X(name, 5, 2) X(name, 6, 1) X(name, 6, 2)
#define MR 6
#define NV 2
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#include "backend/cpu/turn.h"
#define TURN(src, dst) turn_plain(src, dst)
#include "backend/cpu/tile_tmpl.h"
