/* SHA-256 (FIPS 180-4). The one hash of the project: weights, data, files. */
#ifndef DPR_BASE_SHA256_H
#define DPR_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dpr__sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} dpr__sha256;

void dpr__sha256_init(dpr__sha256 *hash);
void dpr__sha256_add(dpr__sha256 *hash, const void *bytes, size_t n);
void dpr__sha256_finish(dpr__sha256 *hash, uint8_t out[32]);
void dpr__sha256_hex(const uint8_t digest[32], char hex[65]);

/* The fractional parts of the cube roots of the first 64 primes (section 4.2.2). */
extern const uint32_t dpr__sha256_k[64];
/* Take n blocks of 64 bytes into the state: plainly; and by instructions of the CPU (sha256_x86.c), false: it has none. */
void dpr__sha256_plain(uint32_t state[8], const uint8_t *blocks, size_t n);
bool dpr__sha256_fast(uint32_t state[8], const uint8_t *blocks, size_t n);

#endif
