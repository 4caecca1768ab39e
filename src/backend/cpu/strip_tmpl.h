/* kernel */
/* The chains of strips.def as functions over rows of a tile, for one ISA, which defines STRIP_NAME(name) and vectors. */
#include "backend/cpu/chain_text.h"
#include "backend/cpu/kernel.h"

#define r0 VLOAD(strip->tile + at)
#define STRIP(name, text)                                                                          \
    dpr__strip_kernel STRIP_NAME(name);                                                            \
    void STRIP_NAME(name)(const dpr__strip_call *strip, int64_t first, int64_t rows) {             \
        CHAIN_OPERANDS                                                                             \
        for (int64_t row = first; row < first + rows; row++)                                       \
            for (int64_t lane = 0; lane < DPR__PANEL; lane += LANES) {                             \
                const int64_t at = row * DPR__PANEL + lane;                                        \
                text                                                                               \
            }                                                                                      \
    }
#define UPDATE STRIP
#include "backend/cpu/strips.def"
