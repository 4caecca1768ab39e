/* kernel */
/* Matrix tiles of bf16 pairs for AMX: 32 × 32 sums in four tiles, two tiles of a and two of b for each sixteen pairs of k. All operands are
 * tiles where they lie: rows of a are 64 bytes, rows of b 128. Rows beyond a multiple of sixteen go to the vector kernel. */
#include "backend/cpu/amx.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/turn_half_avx512.h"

extern const dpr__tile_kernel dpr__matmul_bf16_avx512bf16;

enum { CHUNK = DPR__PANEL / 2 };

/* The unit for vectors falls asleep when only tiles work, and takes a quarter of a microsecond to wake at the next store; one
 * vector operation a step keeps it awake. */
static inline void stay_awake(void) {
    __asm__ volatile("vfmadd231ps %%zmm31, %%zmm31, %%zmm31" : : : "xmm31");
}

/* Sums of 32 rows (both), or 16, over sixteen pairs. */
static inline void step(bool both, const float *a, const float *b) {
    TILE_LOAD(6, b, DPR__PANEL * sizeof *b);
    TILE_LOAD(7, b + 16, DPR__PANEL * sizeof *b);
    TILE_LOAD(4, a, TILE_BYTES);
    TILE_DOT(0, 4, 6);
    TILE_DOT(1, 4, 7);
    if (both) {
        TILE_LOAD(5, a + TILE_ROWS * CHUNK, TILE_BYTES);
        TILE_DOT(2, 5, 6);
        TILE_DOT(3, 5, 7);
    }
    stay_awake();
}

/* `tail`: the last pairs of b with zeros below them, where k is no multiple of sixteen; a's are there, and zero. */
static void block(const dpr__tile_call *call, bool both, const float *a, const float *tail,
                  float *c) {
    const int64_t stride = call->c_stride * (int64_t)sizeof *c;
    if (call->add) {
        TILE_LOAD(0, c, stride);
        TILE_LOAD(1, c + 16, stride);
    } else {
        TILE_ZERO(0);
        TILE_ZERO(1);
    }
    if (both && call->add) {
        TILE_LOAD(2, c + TILE_ROWS * call->c_stride, stride);
        TILE_LOAD(3, c + TILE_ROWS * call->c_stride + 16, stride);
    } else if (both) {
        TILE_ZERO(2);
        TILE_ZERO(3);
    }
    int64_t l = 0;
    for (; l + CHUNK <= call->k; l += CHUNK, a += call->a_chunk)
        step(both, a, call->b + l * DPR__PANEL);
    if (l < call->k)
        step(both, a, tail);
    TILE_STORE(0, c, stride);
    TILE_STORE(1, c + 16, stride);
    if (both) {
        TILE_STORE(2, c + TILE_ROWS * call->c_stride, stride);
        TILE_STORE(3, c + TILE_ROWS * call->c_stride + 16, stride);
    }
}

static void multiply_rows(const dpr__tile_call *call) {
    float tail[CHUNK * DPR__PANEL];
    int64_t rest = call->k % CHUNK, i = 0;
    if (rest > 0) {
        memset(tail, 0, sizeof tail);
        memcpy(tail, call->b + (call->k - rest) * DPR__PANEL,
               (size_t)(rest * DPR__PANEL) * sizeof *tail);
    }
    while (call->m - i >= TILE_ROWS) {
        bool both = call->m - i >= 2 * TILE_ROWS;
        int64_t rows = both ? 2 * TILE_ROWS : TILE_ROWS;
        block(call, both, call->a + i * CHUNK, tail, call->c + i * call->c_stride);
        if (call->strip != NULL)
            call->strip(call->strip_call, i, rows);
        i += rows;
    }
    if (i == call->m)
        return;
    dpr__tile_call left = *call;
    left.m -= i;
    left.a += i * CHUNK;
    left.c += i * call->c_stride;
    left.strip = NULL;
    left.n_ahead = 0;
    dpr__matmul_bf16_avx512bf16.multiply(&left);
    if (call->strip != NULL)
        call->strip(call->strip_call, i, call->m - i);
}

/* By columns a tile's rows would have to be turned for each call; whoever calls turns them once (turn_rows). */
static void multiply(const dpr__tile_call *call) {
    if (call->by_columns)
        dpr__matmul_bf16_avx512bf16.multiply(call);
    else
        multiply_rows(call);
}

static void turn(const float *src, float *dst) {
    turn_pairs(src, dst);
}

/* dst[i][l] = src[l][i] for 32 rows i and sixteen pairs l. */
static void turn_rows(const float *src, float *dst) {
    for (int half = 0; half < 2; half++) {
        __m512 a[16];
        for (int l = 0; l < 16; l++)
            a[l] = _mm512_loadu_ps(src + l * DPR__PANEL + 16 * half);
        turn_registers(a);
        for (int i = 0; i < 16; i++)
            _mm512_storeu_ps(dst + (16 * half + i) * CHUNK, a[i]);
    }
}

const dpr__tile_kernel dpr__matmul_bf16_amx = {multiply, turn, turn_rows, tiles_enter, tiles_leave};
