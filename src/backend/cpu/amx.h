/* The tile instructions that the AMX kernel uses, or the same in plain C where a test defines DPR_EMULATE_TILES. Eight tiles of 16 rows of
 * 64 bytes. As assembly with a memory clobber: gcc 12 may else move a store past the tile load that reads it. */
#ifndef DPR_BACKEND_CPU_AMX_H
#define DPR_BACKEND_CPU_AMX_H

#include <stdint.h>
#include <string.h>

enum { TILE_ROWS = 16, TILE_BYTES = 64 };

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

static void tiles_enter(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        config.bytes[t] = TILE_BYTES;
        config.rows[t] = TILE_ROWS;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config) : "memory");
}
static void tiles_leave(void) {
    __asm__ volatile("tilerelease" : : : "memory");
}

#else

#include "ir/form.h"

static _Thread_local uint32_t tile[8][TILE_ROWS][16];

#define TILE_LOAD(t, p, stride)                                                                    \
    for (int r_ = 0; r_ < TILE_ROWS; r_++)                                                         \
    memcpy(tile[t][r_], (const char *)(p) + r_ * (int64_t)(stride), TILE_BYTES)
#define TILE_STORE(t, p, stride)                                                                   \
    for (int r_ = 0; r_ < TILE_ROWS; r_++)                                                         \
    memcpy((char *)(p) + r_ * (int64_t)(stride), tile[t][r_], TILE_BYTES)
#define TILE_DOT(c, a, b) dot_tiles(tile[c], tile[a], tile[b])
#define TILE_ZERO(t) memset(tile[t], 0, sizeof tile[t])

/* c[i][j] += Σ over pairs of a[i][l] · b[l][j] */
static void dot_tiles(uint32_t c[16][16], uint32_t a[16][16], uint32_t b[16][16]) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            float sum;
            memcpy(&sum, &c[i][j], sizeof sum);
            for (int l = 0; l < 16; l++) {
                sum += dpr__from_bf16((uint16_t)a[i][l]) * dpr__from_bf16((uint16_t)b[l][j]);
                sum += dpr__from_bf16((uint16_t)(a[i][l] >> 16)) *
                       dpr__from_bf16((uint16_t)(b[l][j] >> 16));
            }
            memcpy(&c[i][j], &sum, sizeof sum);
        }
}
static void tiles_enter(void) {}
static void tiles_leave(void) {}

#endif

#endif
