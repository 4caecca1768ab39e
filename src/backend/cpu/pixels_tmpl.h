/* kernel */
/* Convolutions to up to 8 channels, lanes over pixels; included once per ISA, which defines PIXELS_NAME, vectors (vector_*.h), NV, and
 *   put(sum, dst, dst_row)  stores LANES pixels, of whose channels the sums are.
 * Sums of NV vectors of pixels for each channel stay in registers over all taps, then they are turned, so that a pixel's channels are neighbours. The last
 * vector of a row may compute some of the one before it once more, to the same numbers. */

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE void put_some(const VECTOR sum[DPR__PIXELS_CHANNELS], int64_t pixels, float *dst,
                     int64_t dst_row) {
    float all[LANES * DPR__PIXELS_CHANNELS];
    if (pixels >= LANES) {
        put(sum, dst, dst_row);
        return;
    }
    put(sum, all, DPR__PIXELS_CHANNELS);
    for (int64_t i = 0; i < pixels; i++)
        memcpy(dst + i * dst_row, all + i * DPR__PIXELS_CHANNELS,
               DPR__PIXELS_CHANNELS * sizeof *all);
}

INLINE void block(int channels, int nv, const dpr__pixels_call *call, int64_t first) {
    VECTOR sum[NV][DPR__PIXELS_CHANNELS];
    int64_t at[NV];
#pragma GCC unroll 2
    for (int j = 0; j < nv; j++) {
        at[j] = first + j * LANES;
        if (at[j] > call->pixels - LANES && call->pixels >= LANES)
            at[j] = call->pixels - LANES;
#pragma GCC unroll 8
        for (int i = 0; i < DPR__PIXELS_CHANNELS; i++)
            sum[j][i] = VBROADCAST(&(float){0});
    }
    const float *filter = call->filters;
    for (int64_t t = 0; t < call->n_taps; t++, filter += DPR__PANEL) {
        VECTOR x[NV];
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++)
            x[j] = VLOAD(call->src + call->taps[t] + at[j]);
#pragma GCC unroll 8
        for (int i = 0; i < channels; i++) {
            const VECTOR weight = VBROADCAST(filter + i);
#pragma GCC unroll 2
            for (int j = 0; j < nv; j++)
                sum[j][i] = VMULTIPLY_ADD(weight, x[j], sum[j][i]);
        }
    }
#pragma GCC unroll 2
    for (int j = 0; j < nv; j++)
        put_some(sum[j], call->pixels - at[j], call->dst + at[j] * call->dst_row, call->dst_row);
}

/* By vectors and by channels, six or eight: those beyond the last are computed, too. */
#define BLOCKS(channels)                                                                           \
    static void block_##channels##_1(const dpr__pixels_call *call, int64_t first) {                \
        block(channels, 1, call, first);                                                           \
    }                                                                                              \
    static void block_##channels##_##all(const dpr__pixels_call *call, int64_t first) {            \
        block(channels, NV, call, first);                                                          \
    }
BLOCKS(6)
BLOCKS(8)

static void (*const blocks[2][2])(const dpr__pixels_call *call, int64_t first) = {
    {block_6_1, block_8_1}, {block_6_all, block_8_all}};

dpr__pixels_kernel PIXELS_NAME;
void PIXELS_NAME(const dpr__pixels_call *call) {
    bool eight = call->channels > 6;
    for (int64_t p = 0; p < call->pixels; p += NV * LANES)
        blocks[call->pixels - p > LANES][eight](call, p);
}
