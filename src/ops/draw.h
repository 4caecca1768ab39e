/* The dropout draw's one definition, for the reference kernel and the fast one. */
#ifndef DPR_OPS_DRAW_H
#define DPR_OPS_DRAW_H

#include "base/random.h"
#include "ir/op.h"

/* Elements 4·block … 4·block + 3 of a draw: the four words of Philox with
 *   key     seed + tick × 0x9E3779B97F4A7C15 (mod 2^64): the factor is odd, so that under one seed no
 *           two ticks share a key
 *   counter (block, ordinal, DROPOUT)
 * so element e takes word e mod 4 of block e / 4. */
static inline uint64_t dpr__dropout_key(const dpr__call *call) {
    uint64_t seed = *(const uint64_t *)call->src[0].data;
    uint64_t tick = *(const uint64_t *)call->src[1].data;
    return seed + tick * 0x9E3779B97F4A7C15U;
}

static inline void dpr__dropout_block(const dpr__call *call, uint64_t block, float units[4]) {
    uint32_t ordinal = (uint32_t)((const dpr__draw_param *)call->param)->ordinal;
    dpr__draw draw = dpr__philox(dpr__dropout_key(call), DPR__PURPOSE_DROPOUT, ordinal, block);
    for (int i = 0; i < 4; i++)
        units[i] = (float)dpr__unit(draw.word[i]);
}

#endif
