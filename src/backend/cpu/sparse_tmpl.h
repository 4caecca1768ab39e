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

/* ---- what a pooling left: nothing is skipped, since of maxima few are 0 ---- */

/* Some vectors of one channel's windows, from row r and vector j on, whose sums stay in registers. */
INLINE void sum_block_of_maxima(int down, int across, const dpr__maxima_call *call, int64_t c,
                                int64_t r, int64_t j) {
    const float *diff = call->diff + c, *map = call->map + r * call->tap_row + j * LANES;
    const uint8_t *index = call->index + c;
    float *filter = call->filters + ((c * call->down + r) * call->across + j) * LANES;
    VECTOR sum[5][2];
#pragma GCC unroll 5
    for (int y = 0; y < down; y++)
#pragma GCC unroll 2
        for (int x = 0; x < across; x++)
            sum[y][x] = VLOAD(filter + (y * call->across + x) * LANES);
    for (int64_t row = 0; row < call->rows; row++, map += call->map_row) {
        const float *at = map;
        for (int64_t column = 0; column < call->columns; column++) {
            const VECTOR number = VBROADCAST(diff);
            const float *window = at + call->place[*index];
#pragma GCC unroll 5
            for (int y = 0; y < down; y++, window += call->tap_row)
#pragma GCC unroll 2
                for (int x = 0; x < across; x++)
                    sum[y][x] = VMULTIPLY_ADD(number, VLOAD(window + x * LANES), sum[y][x]);
            diff += call->diff_row, index += call->channels, at += call->map_step;
        }
    }
#pragma GCC unroll 5
    for (int y = 0; y < down; y++)
#pragma GCC unroll 2
        for (int x = 0; x < across; x++)
            VSTORE(filter + (y * call->across + x) * LANES, sum[y][x]);
}

#define BLOCK(down, across)                                                                        \
    static void maxima_##down##_##across(const dpr__maxima_call *call, int64_t c, int64_t r,       \
                                         int64_t j) {                                              \
        sum_block_of_maxima(down, across, call, c, r, j);                                          \
    }
BLOCK(1, 1)
BLOCK(1, 2)
BLOCK(3, 1)
BLOCK(3, 2)
BLOCK(5, 1)
BLOCK(5, 2)

static void sum_maxima(const dpr__maxima_call *call) {
    static void (*const blocks[3][2])(const dpr__maxima_call *call, int64_t c, int64_t r,
                                      int64_t j) = {
        {maxima_1_1, maxima_1_2}, {maxima_3_1, maxima_3_2}, {maxima_5_1, maxima_5_2}};
    for (int64_t r = 0, down; r < call->down; r += down) {
        int64_t left = call->down - r, size = left >= 5 ? 2 : left >= 3 ? 1 : 0;
        down = 2 * size + 1;
        for (int64_t j = 0, two; j < call->across; j += two + 1) {
            two = call->across - j >= 2;
            for (int64_t c = 0; c < call->channels; c++)
                blocks[size][two](call, c, r, j);
        }
    }
}

const dpr__sparse_kernel SPARSE_NAME = {
    .lanes = LANES, .spread = spread, .sum = sum, .sum_maxima = sum_maxima};
