/* Philox4x32-10 and what is made of its words (random.h).
 * Key: (seed low, seed high). Counter: (index low, index high, stream, purpose). */
#include "base/random.h"
#include <math.h>

/* The multipliers and key increments of Salmon et al., table 2. */
static void philox_round(uint32_t c[4], uint32_t k0, uint32_t k1) {
    uint64_t p0 = (uint64_t)0xD2511F53U * c[0], p1 = (uint64_t)0xCD9E8D57U * c[2];
    uint32_t c1 = c[1], c3 = c[3];
    c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c[3] = (uint32_t)p0;
}

dpr__draw dpr__philox(uint64_t seed, dpr__purpose purpose, uint32_t stream, uint64_t index) {
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), stream, (uint32_t)purpose};
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        philox_round(c, k0, k1);
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    return (dpr__draw){{c[0], c[1], c[2], c[3]}};
}

double dpr__normal(uint32_t a, uint32_t b) {
    /* (a + 1)/2^32 is in (0, 1], so that the logarithm is finite. */
    double u = ((double)a + 1) * 0x1p-32, v = (double)b * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(6.283185307179586476925 * v);
}

/* One Feistel round's function: 32 fresh bits of (key, round, half). */
static uint64_t mix(uint64_t seed, dpr__purpose purpose, uint32_t stream, uint64_t half,
                    uint32_t round) {
    return dpr__philox(seed, purpose, stream, half << 3 | round | 1ULL << 63).word[0];
}

uint64_t dpr__permute(uint64_t seed, dpr__purpose purpose, uint32_t stream, uint64_t position,
                      uint64_t n) {
    unsigned half = 1;
    while (half < 32 && (1ULL << 2 * half) < n)
        half++;
    uint64_t mask = (1ULL << half) - 1;
    do { /* the domain is less than 4n, so some four walks at most on average */
        uint64_t left = position >> half, right = position & mask;
        for (uint32_t round = 0; round < 4; round++) {
            uint64_t next = left ^ (mix(seed, purpose, stream, right, round) & mask);
            left = right;
            right = next;
        }
        position = left << half | right;
    } while (position >= n);
    return position;
}
