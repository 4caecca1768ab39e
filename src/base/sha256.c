/* SHA-256 (FIPS 180-4, section 6.2). */
#include "base/sha256.h"
#include <string.h>

const uint32_t dpr__sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

/* One round, without moving the letters: what changes are d and h. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                           \
    do {                                                                                           \
        h += (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) +               \
             dpr__sha256_k[t] + w[t];                                                              \
        d += h;                                                                                    \
        h += (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));       \
    } while (0)

static void compress_block(uint32_t state[8], const uint8_t block[64]) {
    uint32_t w[64];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        uint32_t a = w[t - 15], b = w[t - 2];
        w[t] = w[t - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[t - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 64; t += 8) { /* after eight rounds each letter is back in its place */
        ROUND(a, b, c, d, e, f, g, h, t);
        ROUND(h, a, b, c, d, e, f, g, t + 1);
        ROUND(g, h, a, b, c, d, e, f, t + 2);
        ROUND(f, g, h, a, b, c, d, e, t + 3);
        ROUND(e, f, g, h, a, b, c, d, t + 4);
        ROUND(d, e, f, g, h, a, b, c, t + 5);
        ROUND(c, d, e, f, g, h, a, b, t + 6);
        ROUND(b, c, d, e, f, g, h, a, t + 7);
    }
    const uint32_t add[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++)
        state[i] += add[i];
}

void dpr__sha256_plain(uint32_t state[8], const uint8_t *blocks, size_t n) {
    for (; n > 0; n--, blocks += 64)
        compress_block(state, blocks);
}

static void compress(uint32_t state[8], const uint8_t *blocks, size_t n) {
    if (!dpr__sha256_fast(state, blocks, n))
        dpr__sha256_plain(state, blocks, n);
}

void dpr__sha256_init(dpr__sha256 *hash) {
    *hash = (dpr__sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                    0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void dpr__sha256_add(dpr__sha256 *hash, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    while (n > 0) {
        size_t at = hash->bytes % 64, part = 64 - at < n ? 64 - at : n;
        if (at == 0 && n >= 64) {
            part = n - n % 64;
            compress(hash->state, p, part / 64); /* whole blocks need no copy */
        } else {
            memcpy(hash->block + at, p, part);
            if (at + part == 64)
                compress(hash->state, hash->block, 1);
        }
        hash->bytes += part;
        p += part;
        n -= part;
    }
}

void dpr__sha256_finish(dpr__sha256 *hash, uint8_t out[32]) {
    uint64_t bits = hash->bytes * 8;
    uint8_t padding[72] = {0x80};
    size_t at = hash->bytes % 64, n = (at < 56 ? 56 : 120) - at;
    for (int i = 0; i < 8; i++)
        padding[n + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
    dpr__sha256_add(hash, padding, n + 8);
    for (int i = 0; i < 32; i++)
        out[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void dpr__sha256_hex(const uint8_t digest[32], char hex[65]) {
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[64] = '\0';
}
