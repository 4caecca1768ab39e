/* Depthwise convolutions in vectors of four floats, which every compiler knows how to lower; no fused multiply-add. */
#include <stdint.h>
#include <string.h>
typedef float four __attribute__((vector_size(16)));
typedef float four_unaligned __attribute__((vector_size(16), aligned(4)));
#define DEPTHWISE_NAME dpr__depthwise_generic
#define LANES 4
#define VECTOR four
#define ZERO() ((four){0, 0, 0, 0})
#define LOAD(p) (*(const four_unaligned *)(p))
#define STORE_SUM(p, v) (*(four_unaligned *)(p) = (v))
#define LOAD_SOME(p, n) load_some(p, n)
#define STORE_SOME(p, v, n) memcpy(p, &(v), (size_t)(n) * sizeof(float))
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#define MOST 4
#define EACH_BLOCK(X) X(4) X(2) X(1)

static inline four load_some(const float *at, int64_t n) {
    four x = {0};
    memcpy(&x, at, (size_t)n * sizeof *at);
    return x;
}
#include "backend/cpu/depthwise_tmpl.h"
