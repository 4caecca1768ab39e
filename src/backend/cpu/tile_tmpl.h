/* kernel */
/* The matmul tile, included once per ISA, which defines:
 *   TILE_NAME        the function's name
 *   LANES, VECTOR    floats in a vector and its type
 *   ZERO(), LOAD(p), STORE(p, v), BROADCAST(p), MULTIPLY_ADD(a, b, c)
 *   MR, NV           rows and vectors of the register tile: MR × NV accumulators
 * Both operands are packed: a in panels of MR rows, b in panels of NR = NV·LANES columns, zero-padded, so the
 * inner loop reads both in order. Loop order and blocking follow Goto & van de Geijn 2008, "Anatomy of
 * high-performance matrix multiplication", section 4. */
#include "backend/cpu/kernel.h"
#include <string.h>

enum { NR = NV * LANES };

/* dst[l][i] for l < k, i < width: a panel of `width` rows of the operand, k deep. */
static void pack_panel(const float *src, int64_t row, int64_t column, int64_t rows, int64_t k,
                       int64_t width, float *dst) {
    if (row == 1) {
        for (int64_t l = 0; l < k; l++, dst += width) {
            for (int64_t i = 0; i < rows; i++)
                dst[i] = src[l * column + i];
            for (int64_t i = rows; i < width; i++)
                dst[i] = 0;
        }
        return;
    }
    for (int64_t i = 0; i < width; i++)
        for (int64_t l = 0; l < k; l++)
            dst[l * width + i] = i < rows ? src[i * row + l * column] : 0;
}

static void pack(const float *src, int64_t row, int64_t column, int64_t rows, int64_t k,
                 int64_t width, float *dst) {
    for (int64_t i = 0; i < rows; i += width)
        pack_panel(src + i * row, row, column, rows - i < width ? rows - i : width, k, width,
                   dst + i * k);
}

/* c (rows × columns of MR × NR) = or += a panel · b panel over depth k. */
static void multiply_panel(const float *a, const float *b, int64_t k, float *c, int64_t ldc,
                           int64_t rows, int64_t columns, bool add) {
    VECTOR sum[MR][NV];
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
        for (int j = 0; j < NV; j++)
            sum[i][j] = ZERO();
    for (int64_t l = 0; l < k; l++, a += MR, b += NR) {
        VECTOR y[NV];
#pragma GCC unroll 4
        for (int j = 0; j < NV; j++)
            y[j] = LOAD(b + j * LANES);
#pragma GCC unroll 16
        for (int i = 0; i < MR; i++) {
            const VECTOR x = BROADCAST(a + i);
#pragma GCC unroll 4
            for (int j = 0; j < NV; j++)
                sum[i][j] = MULTIPLY_ADD(x, y[j], sum[i][j]);
        }
    }
    _Alignas(64) float tile[MR * NR];
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
        for (int j = 0; j < NV; j++)
            STORE(tile + i * NR + j * LANES, sum[i][j]);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            c[i * ldc + j] = (add ? c[i * ldc + j] : 0) + tile[i * NR + j];
}

dpr__tile_kernel TILE_NAME;
void TILE_NAME(const dpr__tile_call *call) {
    float *b_packed = call->packed + (DPR__TILE_M + 16) * DPR__TILE_K;
    for (int64_t l = 0; l < call->k || l == 0; l += DPR__TILE_K) {
        int64_t k = call->k - l < DPR__TILE_K ? call->k - l : DPR__TILE_K;
        pack(call->a + l * call->a_column, call->a_row, call->a_column, call->m, k, MR,
             call->packed);
        if (!call->b_is_packed)
            pack(call->b + l * call->b_row, call->b_column, call->b_row, call->n, k, NR, b_packed);
        for (int64_t j = 0; j < call->n; j += NR)
            for (int64_t i = 0; i < call->m; i += MR)
                multiply_panel(call->packed + i * k, b_packed + j * k, k,
                               call->c + i * call->ldc + j, call->ldc,
                               call->m - i < MR ? call->m - i : MR,
                               call->n - j < NR ? call->n - j : NR, l > 0);
    }
}
