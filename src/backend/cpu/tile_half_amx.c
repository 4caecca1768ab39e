/* kernel */
/* Matrix tiles of bf16 pairs for AMX: 32 × 32 sums in four tiles, two tiles of a and two of b for each sixteen pairs of k. All operands are
 * tiles where they lie: rows of a are 64 bytes, a_row apart. Rows beyond a multiple of sixteen go to the vector kernel, unless more of a may be read. */
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

/* Where k ends in less than sixteen pairs, these take tiles of their own: rows of so many pairs of a in two, so many rows of b in one. */
enum { LAST_A = 2, LAST_B = 7 };

/* For which this thread's tiles are set; 0: all are whole; -1: they are not set. */
static _Thread_local int64_t last_pairs = -1;

static void set_tiles(int64_t last) {
    struct tile_sizes sizes;
    for (int t = 0; t < TILES; t++) {
        bool short_rows = last != 0 && (t == LAST_A || t == LAST_A + 1);
        sizes.bytes[t] = short_rows ? (uint8_t)(last * (int64_t)sizeof(float)) : TILE_BYTES;
        sizes.rows[t] = last != 0 && t == LAST_B ? (uint8_t)last : TILE_ROWS;
    }
    tiles_set(&sizes);
    last_pairs = last;
}
static void leave(void) {
    tiles_leave();
    last_pairs = -1;
}

/* What a block sums: up to 32 rows, or up to 16 (not both); 32 columns, or 16 (not wide). */
struct block {
    int64_t rows;
    bool both, wide;
};

/* ---- k in sixteens: tiles 0 and 1 are the first rows' sums, 2 and 3 the others' ---- */

/* Over sixteen pairs. */
static inline void step(struct block of, const float *a, int64_t row, const float *b,
                        int64_t b_row) {
    const int64_t stride = row * (int64_t)sizeof *a, b_stride = b_row * (int64_t)sizeof *b;
    TILE_LOAD(6, b, b_stride);
    TILE_LOAD(4, a, stride);
    TILE_DOT(0, 4, 6);
    if (of.wide) {
        TILE_LOAD(7, b + 16, b_stride);
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

/* What a product sums over, one after the other: runs of parts. */
struct run {
    int64_t part, number;
};
static inline bool next_run(const dpr__tile_call *call, struct run *run) {
    if (++run->number < call->runs)
        return true;
    run->number = 0;
    return ++run->part < call->parts;
}
static inline int64_t a_offset(const dpr__tile_call *call, struct run run) {
    return run.part * call->a_part + run.number * call->a_run;
}
static inline int64_t b_offset(const dpr__tile_call *call, struct run run) {
    return run.part * call->b_part + run.number * call->b_run;
}

static void add_products(const dpr__tile_call *call, struct block of, const float *a) {
    const int64_t b_row = dpr__b_row(call);
    struct run run = {0};
    do {
        const float *at = a + a_offset(call, run), *b = call->b + b_offset(call, run);
        for (int64_t l = 0; l < call->k; l += CHUNK, at += call->a_chunk)
            step(of, at, call->a_row, b + l * b_row, b_row);
    } while (next_run(call, &run));
}

/* One tile of sums. Each product waits for the one before, some three times as long as it takes: two sums, of every other product. */
static void sum_tile(const dpr__tile_call *call, const float *a, float *c, int64_t c_row) {
    _Alignas(TILE_BYTES) float others[TILE_ROWS * 16];
    const int64_t b_row = dpr__b_row(call), stride = call->a_row * (int64_t)sizeof *a,
                  b_stride = b_row * (int64_t)sizeof *call->b;
    struct run run = {0};
    bool odd = false;
    TILE_ZERO(0);
    TILE_ZERO(1);
    if (call->add)
        TILE_LOAD(0, c, c_row * (int64_t)sizeof *c);
    do {
        const float *at = a + a_offset(call, run), *b = call->b + b_offset(call, run);
        for (int64_t l = 0; l < call->k; l += CHUNK, at += call->a_chunk, odd = !odd) {
            if (odd) {
                TILE_LOAD(7, b + l * b_row, b_stride);
                TILE_LOAD(5, at, stride);
                TILE_DOT(1, 5, 7);
            } else {
                TILE_LOAD(6, b + l * b_row, b_stride);
                TILE_LOAD(4, at, stride);
                TILE_DOT(0, 4, 6);
            }
            stay_awake();
        }
    } while (next_run(call, &run));
    TILE_STORE(0, c, c_row * (int64_t)sizeof *c);
    TILE_STORE(1, others, TILE_BYTES);
    for (int64_t i = 0; i < TILE_ROWS; i++)
        _mm512_storeu_ps(c + i * c_row, _mm512_add_ps(_mm512_loadu_ps(c + i * c_row),
                                                      _mm512_load_ps(others + i * 16)));
}

static void sum_block(const dpr__tile_call *call, struct block of, const float *a, float *c,
                      int64_t c_row) {
    if (!of.both && !of.wide) {
        sum_tile(call, a, c, c_row);
        return;
    }
    const int64_t stride = c_row * (int64_t)sizeof *c, next = TILE_ROWS * c_row;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    if (call->add) {
        TILE_LOAD(0, c, stride);
        if (of.wide)
            TILE_LOAD(1, c + 16, stride);
        if (of.both)
            TILE_LOAD(2, c + next, stride);
        if (of.both && of.wide)
            TILE_LOAD(3, c + next + 16, stride);
    }
    add_products(call, of, a);
    TILE_STORE(0, c, stride);
    if (of.wide)
        TILE_STORE(1, c + 16, stride);
    if (of.both)
        TILE_STORE(2, c + next, stride);
    if (of.both && of.wide)
        TILE_STORE(3, c + next + 16, stride);
}

/* ---- k with less than sixteen pairs at its end: half the columns at a time, tile 0 the first rows' sums, 1 the others' ---- */

/* Over what b's tile has of pairs: its tile, that of the first rows of a and that of the others. */
#define STEP_OF_HALF(of_b, of_a, of_others)                                                        \
    do {                                                                                           \
        TILE_LOAD(of_b, b, b_stride);                                                              \
        TILE_LOAD(of_a, at, a_stride);                                                             \
        TILE_DOT(0, of_a, of_b);                                                                   \
        if (of.both) {                                                                             \
            TILE_LOAD(of_others, at + TILE_ROWS * call->a_row, a_stride);                          \
            TILE_DOT(1, of_others, of_b);                                                          \
        }                                                                                          \
    } while (0)

/* Sixteen columns, from `column` on. */
static void sum_half(const dpr__tile_call *call, struct block of, const float *a, int64_t column,
                     float *c, int64_t c_row) {
    const int64_t stride = c_row * (int64_t)sizeof *c, next = TILE_ROWS * c_row;
    const int64_t b_row = dpr__b_row(call), a_stride = call->a_row * (int64_t)sizeof *a,
                  b_stride = b_row * (int64_t)sizeof *call->b;
    struct run run = {0};
    TILE_ZERO(0);
    TILE_ZERO(1);
    if (call->add) {
        TILE_LOAD(0, c, stride);
        if (of.both)
            TILE_LOAD(1, c + next, stride);
    }
    do {
        const float *at = a + a_offset(call, run), *b = call->b + b_offset(call, run) + column;
        for (int64_t left = call->k; left >= CHUNK; left -= CHUNK) {
            STEP_OF_HALF(6, 4, 5);
            stay_awake();
            at += call->a_chunk;
            b += CHUNK * b_row;
        }
        STEP_OF_HALF(7, 2, 3);
    } while (next_run(call, &run));
    TILE_STORE(0, c, stride);
    if (of.both)
        TILE_STORE(1, c + next, stride);
}

/* ---- rows ---- */

static void sum_rows(const dpr__tile_call *call, struct block of, const float *a, float *c,
                     int64_t c_row) {
    if (call->k % CHUNK == 0) {
        sum_block(call, of, a, c, c_row);
        return;
    }
    sum_half(call, of, a, 0, c, c_row);
    if (of.wide)
        sum_half(call, of, a, CHUNK, c + CHUNK, c_row);
}

/* Rows that are no multiple of sixteen, by way of a place that is. */
static void sum_some_rows(const dpr__tile_call *call, struct block of, const float *a, float *c) {
    _Alignas(TILE_BYTES) float sums[2 * TILE_ROWS * DPR__PANEL];
    const size_t columns = (of.wide ? 32 : 16) * sizeof *c;
    for (int64_t i = 0; call->add && i < of.rows; i++)
        memcpy(sums + i * DPR__PANEL, c + i * call->c_stride, columns);
    sum_rows(call, of, a, sums, DPR__PANEL);
    for (int64_t i = 0; i < of.rows; i++)
        memcpy(c + i * call->c_stride, sums + i * DPR__PANEL, columns);
}

static void leave_to_vectors(const dpr__tile_call *call, int64_t done) {
    DPR_ASSERT(call->runs <= 1 && dpr__b_row(call) == DPR__PANEL);
    dpr__tile_call left = *call;
    left.m -= done;
    left.a += done * call->a_row;
    left.c += done * call->c_stride;
    left.strip = NULL;
    left.n_ahead = 0;
    dpr__matmul_bf16_avx512bf16.multiply(&left);
}

static void multiply_rows(const dpr__tile_call *call) {
    if (call->k % CHUNK != last_pairs)
        set_tiles(call->k % CHUNK);
    for (int64_t i = 0; i < call->m;) {
        int64_t left = call->m - i, rows = left < 2 * TILE_ROWS ? left : 2 * TILE_ROWS;
        if (!call->reads_beyond && rows % TILE_ROWS != 0)
            rows = rows < TILE_ROWS ? rows : TILE_ROWS;
        struct block of = {rows, rows > TILE_ROWS, call->columns > 16};
        const float *a = call->a + i * call->a_row;
        float *c = call->c + i * call->c_stride;
        if (rows % TILE_ROWS == 0)
            sum_rows(call, of, a, c, call->c_stride);
        else if (call->reads_beyond)
            sum_some_rows(call, of, a, c);
        else
            leave_to_vectors(call, i);
        if (call->strip != NULL)
            call->strip(call->strip_call, i, rows);
        i += rows;
    }
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

const dpr__tile_kernel dpr__matmul_bf16_amx = {.multiply = multiply,
                                               .turn = turn,
                                               .turn_rows = turn_rows,
                                               .leave = leave,
                                               .row_multiple = TILE_ROWS};
