/* kernel */
/* Matrix tiles of bf16 pairs for AMX: 32 × 32 sums in four tiles, two tiles of a and two of b for each sixteen pairs of k. All operands are
 * tiles where they lie: rows of a are 64 bytes, a_row apart, rows of b 128. Rows beyond a multiple of sixteen go to the vector kernel. */
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

/* What a block sums: 16 rows or 32 (both), 16 columns or 32 (wide). Tiles 0 and 1 are the first rows' sums, 2 and 3 the others'. */
struct block {
    bool both, wide;
};

/* Over sixteen pairs. */
static inline void step(struct block of, const float *a, int64_t row, const float *b) {
    const int64_t stride = row * (int64_t)sizeof *a;
    TILE_LOAD(6, b, DPR__PANEL * sizeof *b);
    TILE_LOAD(4, a, stride);
    TILE_DOT(0, 4, 6);
    if (of.wide) {
        TILE_LOAD(7, b + 16, DPR__PANEL * sizeof *b);
        TILE_DOT(1, 4, 7);
    }
    if (of.both) {
        TILE_LOAD(5, a + TILE_ROWS * row, stride);
        TILE_DOT(2, 5, 6);
    }
    if (of.both && of.wide)
        TILE_DOT(3, 5, 7);
    stay_awake();
}

/* The last pairs, where k is no multiple of sixteen. Of a matrix, whose chunks lie apart, a's are there, and zero; behind the pixels of a map stands what is no
 * number, perhaps. `tail`: room for b's, with zeros behind them. */
static void last_step(const dpr__tile_call *call, struct block of, const float *a, const float *b,
                      float *tail) {
    const int64_t rest = call->k % CHUNK;
    float rows[2 * TILE_ROWS * CHUNK];
    memcpy(tail, b, (size_t)(rest * DPR__PANEL) * sizeof *tail);
    if (call->a_chunk != CHUNK) {
        step(of, a, call->a_row, tail);
        return;
    }
    memset(rows, 0, sizeof rows);
    for (int64_t i = 0; i < (of.both ? 2 : 1) * TILE_ROWS; i++)
        memcpy(rows + i * CHUNK, a + i * call->a_row, (size_t)rest * sizeof *rows);
    step(of, rows, CHUNK, tail);
}

static void add_part(const dpr__tile_call *call, struct block of, const float *a, const float *b,
                     float *tail) {
    int64_t l = 0;
    for (; l + CHUNK <= call->k; l += CHUNK, a += call->a_chunk)
        step(of, a, call->a_row, b + l * DPR__PANEL);
    if (l < call->k)
        last_step(call, of, a, b + l * DPR__PANEL, tail);
}

static void begin_sums(const dpr__tile_call *call, struct block of, const float *c) {
    const int64_t stride = call->c_stride * (int64_t)sizeof *c, next = TILE_ROWS * call->c_stride;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    if (!call->add)
        return;
    TILE_LOAD(0, c, stride);
    if (of.wide)
        TILE_LOAD(1, c + 16, stride);
    if (of.both)
        TILE_LOAD(2, c + next, stride);
    if (of.both && of.wide)
        TILE_LOAD(3, c + next + 16, stride);
}

static void store_sums(const dpr__tile_call *call, struct block of, float *c) {
    const int64_t stride = call->c_stride * (int64_t)sizeof *c, next = TILE_ROWS * call->c_stride;
    TILE_STORE(0, c, stride);
    if (of.wide)
        TILE_STORE(1, c + 16, stride);
    if (of.both)
        TILE_STORE(2, c + next, stride);
    if (of.both && of.wide)
        TILE_STORE(3, c + next + 16, stride);
}

static void sum_block(const dpr__tile_call *call, struct block of, const float *a, float *tail,
                      float *c) {
    int64_t p = 0;
    begin_sums(call, of, c);
    do
        add_part(call, of, a + p * call->a_part, call->b + p * call->b_part, tail);
    while (++p < call->parts);
    store_sums(call, of, c);
}

static void multiply_rows(const dpr__tile_call *call) {
    float tail[CHUNK * DPR__PANEL];
    int64_t i = 0;
    if (call->k % CHUNK != 0)
        memset(tail, 0, sizeof tail);
    while (call->m - i >= TILE_ROWS) {
        struct block of = {.both = call->m - i >= 2 * TILE_ROWS, .wide = call->columns > 16};
        int64_t rows = of.both ? 2 * TILE_ROWS : TILE_ROWS;
        sum_block(call, of, call->a + i * call->a_row, tail, call->c + i * call->c_stride);
        if (call->strip != NULL)
            call->strip(call->strip_call, i, rows);
        i += rows;
    }
    if (i == call->m)
        return;
    dpr__tile_call left = *call;
    left.m -= i;
    left.a += i * call->a_row;
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
