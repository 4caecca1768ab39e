/* The transpose of 32 × 32 floats in plain C, for the ISAs that have no better one. */
#ifndef DPR_BACKEND_CPU_TURN_H
#define DPR_BACKEND_CPU_TURN_H

static inline void turn_plain(const float *src, float *dst) {
    for (int j = 0; j < 32; j++)
        for (int i = 0; i < 32; i++)
            dst[32 * j + i] = src[32 * i + j];
}

#endif
