/* kernel */
/* Matrix tiles of bf16 pairs in vectors of four, which every compiler knows how to lower; no fused multiply-add. */
#include <stdint.h>
typedef float four __attribute__((vector_size(16)));
typedef float four_unaligned __attribute__((vector_size(16), aligned(4)));
typedef uint32_t four_bits __attribute__((vector_size(16)));
#define TILE_NAME dpr__matmul_bf16_generic
#define LANES 4
#define VECTOR four
#define ZERO() ((four){0, 0, 0, 0})
#define LOAD(p) (*(const four_unaligned *)(p))
#define STORE_SUM(p, v) (*(four_unaligned *)(p) = (v))
#define SPLAT(p) repeat_pair((const uint32_t *)(const void *)(p))
#define MULTIPLY_ADD(a, b, c) dot(a, b, c)
#define CHUNK (DPR__PANEL / 2)
#define MR 4
#define NV 2
#define EACH_ROWS(X) X(1) X(2) X(3) X(4)

/* As integers: a pair is no number, and a signalling NaN must not be quietened. */
static inline four repeat_pair(const uint32_t *p) {
    return (four)(four_bits){*p, *p, *p, *p};
}
static inline four dot(four a, four b, four c) {
    const four_bits x = (four_bits)a, y = (four_bits)b;
    c = c + (four)(x << 16) * (four)(y << 16);
    return c + (four)(x & 0xffff0000U) * (four)(y & 0xffff0000U);
}
#include "backend/cpu/turn.h"
#define TURN(src, dst) turn_pairs_plain(src, dst)
#include "backend/cpu/tile_tmpl.h"
