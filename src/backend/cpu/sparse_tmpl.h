/* kernel */
/* Products with numbers of which many are 0; included once per ISA, which defines SPARSE_NAME, vectors (vector_*.h), and
 *   nonzero(p, n, room)   bits of those of p[0 … n − 1] and of the first LANES that are not 0; `room` numbers can be read
 * Some vectors of a window stay in registers while all numbers of its pixel pass. */
#include "backend/cpu/kernel.h"

enum { MOST = 10 };
#define INLINE static inline __attribute__((always_inline))

/* Channels c + (the lowest of `bits`) of a pixel. */
#define EACH_NONZERO(call, pixel)                                                                  \
    for (int64_t c = 0; c < (call)->channels; c += LANES)                                          \
        for (unsigned bits = nonzero((pixel) + c, (call)->channels - c, (call)->diff_row - c);     \
             bits != 0; bits &= bits - 1)

INLINE void spread_block(int n, const dpr__sparse_call *call, int64_t first) {
    const float *pixel = call->diff;
    const int32_t *at = call->at + first;
    float *window = call->map;
    for (int64_t p = 0; p < call->pixels; p++, pixel += call->diff_row, window += call->map_step) {
        VECTOR sum[MOST];
#pragma GCC unroll 16
        for (int i = 0; i < n; i++)
            sum[i] = VLOAD(window + at[i]);
        EACH_NONZERO(call, pixel) {
            const int64_t channel = c + __builtin_ctz(bits);
            const VECTOR number = VBROADCAST(pixel + channel);
            const float *filter = call->filters + (channel * call->vectors + first) * LANES;
#pragma GCC unroll 16
            for (int i = 0; i < n; i++)
                sum[i] = VMULTIPLY_ADD(number, VLOAD(filter + i * LANES), sum[i]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < n; i++)
            VSTORE(window + at[i], sum[i]);
    }
}

INLINE void sum_block(int n, const dpr__sparse_call *call, int64_t first) {
    const float *pixel = call->diff, *window = call->map;
    const int32_t *at = call->at + first;
    for (int64_t p = 0; p < call->pixels; p++, pixel += call->diff_row, window += call->map_step) {
        VECTOR x[MOST];
#pragma GCC unroll 16
        for (int i = 0; i < n; i++)
            x[i] = VLOAD(window + at[i]);
        EACH_NONZERO(call, pixel) {
            const int64_t channel = c + __builtin_ctz(bits);
            const VECTOR number = VBROADCAST(pixel + channel);
            float *sum = call->filters + (channel * call->vectors + first) * LANES;
#pragma GCC unroll 16
            for (int i = 0; i < n; i++)
                VSTORE(sum + i * LANES, VMULTIPLY_ADD(number, x[i], VLOAD(sum + i * LANES)));
        }
    }
}

/* All vectors of windows, as many at a time as there are blocks for. */
#define OVER_BLOCKS(name)                                                                          \
    static void name(const dpr__sparse_call *call) {                                               \
        int64_t first = 0;                                                                         \
        for (; first + MOST <= call->vectors; first += MOST)                                       \
            name##_block(MOST, call, first);                                                       \
        for (; first + MOST / 2 <= call->vectors; first += MOST / 2)                               \
            name##_block(MOST / 2, call, first);                                                   \
        for (; first < call->vectors; first++)                                                     \
            name##_block(1, call, first);                                                          \
    }
OVER_BLOCKS(spread)
OVER_BLOCKS(sum)

const dpr__sparse_kernel SPARSE_NAME = {.lanes = LANES, .spread = spread, .sum = sum};
