/* The tile instructions that the AMX kernel uses, or the same in plain C where a test defines DPR_EMULATE_TILES. As assembly with a memory clobber: gcc 12 may else move a store past the tile load that reads it. */
#ifndef DPR_BACKEND_CPU_AMX_H
#define DPR_BACKEND_CPU_AMX_H

#include <stdint.h>
#include <string.h>

enum { TILES = 8, TILE_ROWS = 16, TILE_BYTES = 64 };

/* Rows of each tile, and bytes of its rows: at most 16 and 64. */
struct tile_sizes {
    uint8_t rows[TILES], bytes[TILES];
};

#ifndef DPR_EMULATE_TILES

#define TILE_LOAD(t, p, stride)                                                                    \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t                                               \
                     :                                                                             \
                     : "r"((const void *)(p)), "r"((int64_t)(stride))                              \
                     : "memory")
#define TILE_STORE(t, p, stride)                                                                   \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)"                                           \
                     :                                                                             \
                     : "r"((void *)(p)), "r"((int64_t)(stride))                                    \
                     : "memory")
/* c += a · b; the assembler's order is b, a, c. */
#define TILE_DOT(c, a, b)                                                                          \
    __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c : : : "memory")
#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t : : : "memory")

static void tiles_set(const struct tile_sizes *sizes) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int t = 0; t < TILES; t++) {
        config.bytes[t] = sizes->bytes[t];
        config.rows[t] = sizes->rows[t];
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config) : "memory");
}
static void tiles_leave(void) {
    __asm__ volatile("tilerelease" : : : "memory");
}

#else

#include "ir/form.h"

static _Thread_local uint32_t tile[TILES][TILE_ROWS][16];
static _Thread_local struct tile_sizes sizes_now;

#define TILE_LOAD(t, p, stride)                                                                    \
    for (int r_ = 0; r_ < sizes_now.rows[t]; r_++)                                                 \
    memcpy(tile[t][r_], (const char *)(p) + r_ * (int64_t)(stride), sizes_now.bytes[t])
#define TILE_STORE(t, p, stride)                                                                   \
    for (int r_ = 0; r_ < sizes_now.rows[t]; r_++)                                                 \
    memcpy((char *)(p) + r_ * (int64_t)(stride), tile[t][r_], sizes_now.bytes[t])
#define TILE_DOT(c, a, b)                                                                          \
    do { /* what the instruction would refuse */                                                   \
        DPR_ASSERT(sizes_now.bytes[a] == 4 * sizes_now.rows[b] &&                                  \
                   sizes_now.rows[c] == sizes_now.rows[a] && sizes_now.bytes[c] == TILE_BYTES);    \
        dot_tiles(tile[c], tile[a], tile[b], sizes_now.rows[b]);                                   \
    } while (0)
#define TILE_ZERO(t) memset(tile[t], 0, sizeof tile[t])

/* c[i][j] += Σ over pairs of a[i][l] · b[l][j] */
static void dot_tiles(uint32_t c[16][16], uint32_t a[16][16], uint32_t b[16][16], int pairs) {
    DPR_ASSERT(pairs > 0);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            float sum;
            memcpy(&sum, &c[i][j], sizeof sum);
            for (int l = 0; l < pairs; l++) {
                sum += dpr__from_bf16((uint16_t)a[i][l]) * dpr__from_bf16((uint16_t)b[l][j]);
                sum += dpr__from_bf16((uint16_t)(a[i][l] >> 16)) *
                       dpr__from_bf16((uint16_t)(b[l][j] >> 16));
            }
            memcpy(&c[i][j], &sum, sizeof sum);
        }
}
static void tiles_set(const struct tile_sizes *sizes) {
    sizes_now = *sizes;
}
static void tiles_leave(void) {}

#endif

#endif
