/* The transposes of 32 × 32 numbers in plain C, for the ISAs that have no better one. */
#ifndef DPR_BACKEND_CPU_TURN_H
#define DPR_BACKEND_CPU_TURN_H

#include <stdint.h>

static inline void turn_plain(const float *src, float *dst) {
    for (int j = 0; j < 32; j++)
        for (int i = 0; i < 32; i++)
            dst[32 * j + i] = src[32 * i + j];
}

/* bf16 in pairs of rows, to pairs of rows. */
static inline void turn_pairs_plain(const float *src, float *dst) {
    const uint16_t *from = (const uint16_t *)(const void *)src;
    uint16_t *to = (uint16_t *)(void *)dst;
    for (int j = 0; j < 32; j++)
        for (int i = 0; i < 32; i++)
            to[j / 2 * 64 + 2 * i + j % 2] = from[i / 2 * 64 + 2 * j + i % 2];
}

#endif
