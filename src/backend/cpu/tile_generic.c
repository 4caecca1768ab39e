/* kernel */
/* Matrix tiles in vectors of four floats, which every compiler knows how to lower; no fused multiply-add. */
typedef float four __attribute__((vector_size(16)));
typedef float four_unaligned __attribute__((vector_size(16), aligned(4)));
#define TILE_NAME dpr__matmul_f32_generic
#define LANES 4
#define VECTOR four
#define ZERO() ((four){0, 0, 0, 0})
#define LOAD(p) (*(const four_unaligned *)(p))
#define STORE_SUM(p, v) (*(four_unaligned *)(p) = (v))
#define SPLAT(p) ((four){*(p), *(p), *(p), *(p)})
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#define CHUNK DPR__PANEL
#define MR 4
#define NV 2
#define EACH_ROWS(X) X(1) X(2) X(3) X(4)
#include "backend/cpu/turn.h"
#define TURN(src, dst) turn_plain(src, dst)
#include "backend/cpu/tile_tmpl.h"
