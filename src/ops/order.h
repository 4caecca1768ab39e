/* Which image an epoch shows at a position: for the op, and for who loads images ahead of it. */
#ifndef DPR_OPS_ORDER_H
#define DPR_OPS_ORDER_H

#include "base/random.h"

/* Position of the epoch's permutation of 0 … n−1, keyed by (seed, SHUFFLE; epoch); image 0 beyond its ends. */
static inline int32_t dpr__order_at(uint64_t seed, uint64_t epoch, int64_t position, int64_t n) {
    if (position >= n || position < 0)
        return 0;
    return (int32_t)dpr__permute(seed, DPR__PURPOSE_SHUFFLE, (uint32_t)epoch, (uint64_t)position,
                                 (uint64_t)n);
}

#endif
