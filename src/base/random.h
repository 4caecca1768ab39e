/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers:
 * as easy as 1, 2, 3", SC'11, section 4.3). The draw for (seed, purpose, counters) is always the same, whatever
 * was drawn before; so order, threads and interruptions change nothing. */
#ifndef DPR_BASE_RANDOM_H
#define DPR_BASE_RANDOM_H

#include <stdint.h>

typedef enum dpr__purpose {
    DPR__PURPOSE_INIT = 1,
    DPR__PURPOSE_SHUFFLE,
    DPR__PURPOSE_DROPOUT,
    DPR__PURPOSE_AUGMENT,
    DPR__PURPOSE_LETTERS,
    DPR__PURPOSE_FEATURES,
} dpr__purpose;

typedef struct dpr__draw {
    uint32_t word[4];
} dpr__draw;

/* 128 random bits for (seed, purpose, stream, index). */
dpr__draw dpr__philox(uint64_t seed, dpr__purpose purpose, uint32_t stream, uint64_t index);

/* [0, 1) with 24 bits: exact in float. */
static inline double dpr__unit(uint32_t word) {
    return (double)(word >> 8) * 0x1p-24;
}
/* Standard normal by Box–Muller from two words. */
double dpr__normal(uint32_t a, uint32_t b);
/* 0 … n−1 without bias worth naming (64-bit multiply-shift); n ≥ 1. */
static inline uint32_t dpr__below(uint32_t word, uint32_t n) {
    return (uint32_t)(((uint64_t)word * n) >> 32);
}
/* Where position goes in a keyed permutation of 0 … n−1: computed, not stored (a 4-round Feistel
 * network on the next even number of bits, walked until it falls below n). */
uint64_t dpr__permute(uint64_t seed, dpr__purpose purpose, uint32_t stream, uint64_t position,
                      uint64_t n);

#endif
