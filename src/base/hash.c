/* Four lanes of 64 bits, so that multiplications overlap; each word goes through the mixing of MurmurHash3 (Appleby 2011). */
#include "base/hash.h"
#include <string.h>

enum { LANES = 4, WORD = 8 };
static const uint64_t A = 0x87c37b91114253d5, B = 0x4cf5ad432745937f, C = 0xff51afd7ed558ccd,
                      D = 0xc4ceb9fe1a85ec53;

static uint64_t rotate(uint64_t x, int n) {
    return x << n | x >> (64 - n);
}

static uint64_t add_word(uint64_t lane, uint64_t word) {
    return rotate(lane ^ rotate(word * A, 31) * B, 27) * 5 + 0x52dce729;
}

static uint64_t finish(uint64_t x) {
    x = (x ^ x >> 33) * C;
    x = (x ^ x >> 33) * D;
    return x ^ x >> 33;
}

/* One load where this machine's order is that one. */
static uint64_t read_word(const uint8_t *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

uint64_t dpr__hash(const void *bytes, size_t n) {
    const uint8_t *at = bytes;
    uint64_t lane[LANES] = {A, B, C, D}, all = n;
    for (; n >= LANES * WORD; n -= LANES * WORD)
        for (int i = 0; i < LANES; i++, at += WORD)
            lane[i] = add_word(lane[i], read_word(at));
    uint8_t rest[LANES * WORD] = {0};
    memcpy(rest, at, n);
    for (int i = 0; i < LANES; i++)
        lane[i] = add_word(lane[i], read_word(rest + (size_t)i * WORD));
    for (int i = 0; i < LANES; i++)
        all = finish(all ^ lane[i]) + lane[i];
    return finish(all);
}
