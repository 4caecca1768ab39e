/* kernel */
/* Depthwise convolutions, a row of results at a time; included once per ISA, which defines:
 *   DEPTHWISE_NAME   the kernel's name
 *   LANES, VECTOR    floats in a vector and its type
 *   ZERO(), LOAD(p), STORE_SUM(p, v), MULTIPLY_ADD(a, b, c)
 *   LOAD_SOME(p, n), STORE_SOME(p, v, n)    of n < LANES floats
 *   MOST             results of a block at most
 *   EACH_BLOCK(X)    X(results) for what a row is cut into: MOST first, 1 last
 * Two vectors of channels go together, or one; what is left of a map that is not in panels is a part of one. A block's results stay in registers while all taps
 * pass, and taps of the filters' gradient while all results do; so the order of a sum does not depend on how results are cut. */
#include "backend/cpu/kernel.h"

#define INLINE static inline __attribute__((always_inline))

enum { NV = 2, TAPS = 3 };

INLINE VECTOR load(const float *at, int64_t lanes) {
    return lanes < LANES ? LOAD_SOME(at, lanes) : LOAD(at);
}

INLINE void store(float *at, VECTOR x, int64_t lanes) {
    if (lanes < LANES)
        STORE_SOME(at, x, lanes);
    else
        STORE_SUM(at, x);
}

/* ---- forward: nv vectors, of so many lanes each ---- */

INLINE void block(const dpr__depthwise_call *call, const float *src, const float *filter,
                  float *dst, int n, int nv, int64_t lanes) {
    VECTOR sum[MOST][NV];
#pragma GCC unroll 16
    for (int i = 0; i < n; i++)
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++)
            sum[i][j] = ZERO();
    for (int64_t r = 0; r < call->rows; r++) {
        const float *x = src + r * call->src_row, *w = filter + r * call->filter_row;
        for (int64_t t = 0; t < call->taps; t++, x += call->src_tap, w += call->filter_tap) {
            VECTOR tap[NV];
#pragma GCC unroll 2
            for (int j = 0; j < nv; j++)
                tap[j] = load(w + j * LANES, lanes);
#pragma GCC unroll 16
            for (int i = 0; i < n; i++)
#pragma GCC unroll 2
                for (int j = 0; j < nv; j++)
                    sum[i][j] = MULTIPLY_ADD(load(x + i * call->src_step + j * LANES, lanes),
                                             tap[j], sum[i][j]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; i++)
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++)
            store(dst + i * call->dst_step + j * LANES, sum[i][j], lanes);
}

#define BLOCK(size, nv, lanes)                                                                     \
    for (; n >= (size); n -= (size), src += (size)*call->src_step, dst += (size)*call->dst_step)   \
        block(call, src, filter, dst, size, nv, lanes);
#define TWO(size) BLOCK(size, 2, LANES)

static void forward_two(const dpr__depthwise_call *call, const float *src, const float *filter,
                        float *dst) {
    int64_t n = call->n;
    EACH_BLOCK(TWO)
}

static void forward_one(const dpr__depthwise_call *call, const float *src, const float *filter,
                        float *dst, int64_t lanes) {
    int64_t n = call->n;
    if (lanes >= LANES)
        BLOCK(4, 1, LANES)
    BLOCK(1, 1, lanes)
}

static void forward(const dpr__depthwise_call *call, const float *filter, float *dst) {
    int64_t at = 0;
    for (; call->lanes - at >= NV * LANES; at += NV * LANES)
        forward_two(call, call->src + at, filter + at, dst + at);
    for (; at < call->lanes; at += LANES)
        forward_one(call, call->src + at, filter + at, dst + at, call->lanes - at);
}

/* ---- the filters' gradient: some taps of a row, nv vectors ---- */

INLINE void add_to_taps(const dpr__depthwise_call *call, const float *src, const float *diff,
                        float *sums, int taps, int nv, int64_t lanes) {
    VECTOR sum[TAPS][NV];
#pragma GCC unroll 4
    for (int t = 0; t < taps; t++)
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++)
            sum[t][j] = load(sums + t * call->filter_tap + j * LANES, lanes);
    for (int64_t i = 0; i < call->n; i++, src += call->src_step, diff += call->dst_step) {
        VECTOR y[NV];
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++)
            y[j] = load(diff + j * LANES, lanes);
#pragma GCC unroll 4
        for (int t = 0; t < taps; t++)
#pragma GCC unroll 2
            for (int j = 0; j < nv; j++)
                sum[t][j] =
                    MULTIPLY_ADD(load(src + t * call->src_tap + j * LANES, lanes), y[j], sum[t][j]);
    }
#pragma GCC unroll 4
    for (int t = 0; t < taps; t++)
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++)
            store(sums + t * call->filter_tap + j * LANES, sum[t][j], lanes);
}

/* Of one row, two vectors. */
static void add_two(const dpr__depthwise_call *call, const float *src, const float *diff,
                    float *sums) {
    int64_t left = call->taps;
    for (; left >= TAPS; left -= TAPS, src += TAPS * call->src_tap, sums += TAPS * call->filter_tap)
        add_to_taps(call, src, diff, sums, TAPS, 2, LANES);
    if (left == 2)
        add_to_taps(call, src, diff, sums, 2, 2, LANES);
    else if (left == 1)
        add_to_taps(call, src, diff, sums, 1, 2, LANES);
}

/* One, or a part of one. */
static void add_one(const dpr__depthwise_call *call, const float *src, const float *diff,
                    float *sums, int64_t lanes) {
    for (int64_t t = 0; t < call->taps; t++, src += call->src_tap, sums += call->filter_tap)
        add_to_taps(call, src, diff, sums, 1, 1, lanes);
}

static void filters(const dpr__depthwise_call *call, const float *diff, float *sums) {
    for (int64_t r = 0; r < call->rows; r++, sums += call->filter_row) {
        const float *src = call->src + r * call->src_row;
        int64_t at = 0;
        for (; call->lanes - at >= NV * LANES; at += NV * LANES)
            add_two(call, src + at, diff + at, sums + at);
        for (; at < call->lanes; at += LANES)
            add_one(call, src + at, diff + at, sums + at, call->lanes - at);
    }
}

const dpr__depthwise_kernel DEPTHWISE_NAME = {forward, filters};
