/* kernel */
/* Strips of floats to bf16 and back, one number at a time: the compiler makes vectors of what it can. */
#include "backend/cpu/kernel.h"
#include <string.h>

static void store(const float *src, int64_t src_row, int64_t rows, int64_t columns,
                  uint16_t *as_rows, uint16_t *as_pairs) {
    for (int64_t i = 0; i < rows; i++) {
        uint16_t row[DPR__PANEL];
        for (int j = 0; j < DPR__PANEL; j++)
            row[j] = j < columns ? dpr__to_bf16(src[i * src_row + j]) : 0;
        if (as_rows != NULL)
            memcpy(as_rows + i * DPR__PANEL, row, sizeof row);
        for (int j = 0; as_pairs != NULL && j < DPR__PANEL; j++) {
            uint16_t *pair = as_pairs + i / 2 * (2 * DPR__PANEL) + 2 * j;
            pair[i % 2] = row[j];
            if (i + 1 == rows && i % 2 == 0)
                pair[1] = 0;
        }
    }
}

static void load(const uint16_t *src, int64_t rows, float *dst) {
    for (int64_t i = 0; i < rows * DPR__PANEL; i++)
        dst[i] = dpr__from_bf16(src[i]);
}

static void round_run(const float *src, int64_t n, uint16_t *dst) {
    for (int64_t i = 0; i < n; i++)
        dst[i] = dpr__to_bf16(src[i]);
}

static void pair(const float *src, const float *partner, int64_t n, uint16_t *dst) {
    for (int64_t i = 0; i < n; i++) {
        dst[2 * i] = dpr__to_bf16(src[i]);
        dst[2 * i + 1] = dpr__to_bf16(partner[i]);
    }
}

static void spread(const float *src, int64_t rows, uint16_t *dst, int64_t dst_row) {
    for (int64_t i = 0; i < rows; i++)
        round_run(src + i * DPR__PANEL, DPR__PANEL, dst + i * dst_row);
}

const dpr__half_kernel dpr__halves_generic = {store, load, round_run, pair, spread};
