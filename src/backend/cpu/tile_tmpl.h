/* kernel */
/* The product of matrix tiles, included once per ISA, which defines:
 *   TILE_NAME        the kernel's name
 *   LANES, VECTOR    floats in a vector and its type
 *   ZERO(), LOAD(p), STORE_SUM(p, v), SPLAT(p), MULTIPLY_ADD(a, b, c)
 *   MR, NV           most rows and vectors of a register block: MR × NV accumulators
 *   EACH_ROWS(X)     X(1) … X(MR)
 *   CHUNK            of k that lies consecutive by rows: 32 floats, or 16 pairs of bf16
 *   EACH_FUSED(X, name) X(name, rows, vectors) for what 32 rows are cut into: blocks in which updates run on the sums
 *                    (in all column passes of a row or in none: NV × LANES < 32 needs every number of vectors)
 *   TURN(src, dst)   transposes 32 × 32 elements
 * In bf16 a number of a or b is a pair of neighbours along k, in the place of a float, and k counts pairs.
 * A register block sums over k in order, so a result does not depend on how rows or columns are cut, nor on how k is. Both operands
 * are read where they lie (ir/form.h): b in vectors, a one number at a time. */
#include "backend/cpu/chain_text.h"
#include "backend/cpu/kernel.h"

typedef void block_function(const dpr__tile_call *call, const float *a, const float *b, float *c);

#define INLINE static inline __attribute__((always_inline))

INLINE void begin_sums(int mr, int nv, const dpr__tile_call *call, const float *c,
                       VECTOR sum[MR][NV]) {
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++)
            sum[i][j] = call->add ? LOAD(c + i * call->c_stride + j * LANES) : ZERO();
}

/* Rows are found from two pointers: multiples of `row` for all of them would not fit into registers. */
INLINE void add_part(int mr, int nv, bool by_columns, const dpr__tile_call *call, const float *a,
                     const float *b, VECTOR sum[MR][NV]) {
    const int64_t row = by_columns ? 1 : call->a_row, column = by_columns ? call->a_row : 1;
    for (int64_t l = 0; l < call->k; l += CHUNK, a += call->a_chunk) {
        int64_t n = call->k - l < CHUNK ? call->k - l : CHUNK;
        const float *x = a, *half = mr > MR / 2 ? a + (MR / 2) * row : a;
        for (const float *end = b + n * DPR__PANEL; b < end; b += DPR__PANEL) {
            VECTOR y[NV];
#pragma GCC unroll 4
            for (int j = 0; j < nv; j++)
                y[j] = LOAD(b + j * LANES);
#pragma GCC unroll 16
            for (int i = 0; i < mr; i++) {
                const VECTOR broadcast =
                    SPLAT(i < MR / 2 ? x + i * row : half + (i - MR / 2) * row);
#pragma GCC unroll 4
                for (int j = 0; j < nv; j++)
                    sum[i][j] = MULTIPLY_ADD(broadcast, y[j], sum[i][j]);
            }
            x += column;
            half += column;
        }
    }
}

INLINE void add_products(int mr, int nv, bool by_columns, const dpr__tile_call *call,
                         const float *a, const float *b, VECTOR sum[MR][NV]) {
    int64_t p = 0;
    do {
        add_part(mr, nv, by_columns, call, a, b, sum);
        a += call->a_part;
        b += call->b_part;
    } while (++p < call->parts);
}

/* One for both ways in which a lies: to know that a step is 1 makes a block no faster. */
INLINE void block(int mr, int nv, const dpr__tile_call *call, const float *a, const float *b,
                  float *c) {
    VECTOR sum[MR][NV];
    begin_sums(mr, nv, call, c, sum);
    add_products(mr, nv, call->by_columns, call, a, b, sum);
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++)
            STORE_SUM(c + i * call->c_stride + j * LANES, sum[i][j]);
}

#define BLOCK(mr, nv)                                                                              \
    static void block_##mr##_##nv(const dpr__tile_call *call, const float *a, const float *b,      \
                                  float *c) {                                                      \
        block(mr, nv, call, a, b, c);                                                              \
    }
#define BLOCKS(mr) BLOCK(mr, 1) BLOCK(mr, 2)
EACH_ROWS(BLOCKS)
#undef BLOCK
#undef BLOCKS

/* [vectors − 1][rows] */
#define ONE(mr) block_##mr##_1,
#define TWO(mr) block_##mr##_2,
static block_function *const blocks[NV][MR + 1] = {{NULL, EACH_ROWS(ONE)}, {NULL, EACH_ROWS(TWO)}};
#undef ONE
#undef TWO

/* ---- updates on sums in registers: blocks by columns whose strip is listed as an UPDATE ---- */

#ifdef EACH_FUSED
#define STRIP(name, text)
#define UPDATE(name, text)                                                                         \
    INLINE void name##_of_sums(int mr, int nv, const dpr__strip_call *strip, int64_t first,        \
                               int64_t column, VECTOR sum[MR][NV]) {                               \
        CHAIN_OPERANDS                                                                             \
        _Pragma("GCC unroll 16") for (int i = 0; i < mr; i++)                                      \
            _Pragma("GCC unroll 4") for (int j = 0; j < nv; j++) {                                 \
            const VECTOR r0 = sum[i][j];                                                           \
            const int64_t at = (first + i) * DPR__PANEL + column + j * LANES;                      \
            text                                                                                   \
        }                                                                                          \
    }
#include "backend/cpu/strips.def"
#undef UPDATE

#define FUSED(name, mr, nv)                                                                        \
    static void name##_##mr##_##nv(const dpr__tile_call *call, const float *a, const float *b,     \
                                   float *c) {                                                     \
        VECTOR sum[MR][NV];                                                                        \
        begin_sums(mr, nv, call, c, sum);                                                          \
        add_products(mr, nv, true, call, a, b, sum);                                               \
        name##_of_sums(mr, nv, call->strip_call, (c - call->c) / DPR__PANEL,                       \
                       (c - call->c) % DPR__PANEL, sum);                                           \
    }
#define UPDATE(name, text) EACH_FUSED(FUSED, name)
#include "backend/cpu/strips.def"
#undef UPDATE
#undef STRIP

/* For each strip, in the order of their ids, one block of each of these sizes; NULL where the strip is no update. */
#define SIZE(name, mr, nv) {mr, nv},
static const struct { int8_t rows, nv; } fused_sizes[] = {EACH_FUSED(SIZE, )};
enum { FUSED_SIZES = sizeof fused_sizes / sizeof *fused_sizes };
#define NAMED(name, mr, nv) name##_##mr##_##nv,
#define UPDATE(name, text) {EACH_FUSED(NAMED, name)},
#define STRIP(name, text) {NULL},
static block_function *const fused[DPR__N_STRIPS][FUSED_SIZES] = {
#include "backend/cpu/strips.def"
};
#undef UPDATE
#undef STRIP

static block_function *fused_block(const dpr__tile_call *call, int nv, int64_t rows) {
    for (int i = 0; call->strip != NULL && call->by_columns && i < FUSED_SIZES; i++)
        if (fused_sizes[i].rows == rows && fused_sizes[i].nv == nv)
            return fused[call->strip_id][i];
    return NULL;
}
#else
static block_function *fused_block(const dpr__tile_call *call, int nv, int64_t rows) {
    (void)call, (void)nv, (void)rows;
    return NULL;
}
#endif

/* What the strip will read of these rows, towards the first-level cache. */
static void fetch_ahead(const dpr__tile_call *call, int64_t row, int64_t rows) {
    for (uint32_t k = 0; k < call->n_ahead; k++)
        for (int64_t i = row; i < row + rows; i++) {
            __builtin_prefetch(call->ahead[k] + i * DPR__PANEL, 1);
            __builtin_prefetch(call->ahead[k] + i * DPR__PANEL + 16, 1);
        }
}

/* Rows first … first + m − 1 of the tile in blocks that differ by one row at most. */
static void rows_of_blocks(const dpr__tile_call *call, int64_t first, int64_t m, int64_t column,
                           int nv, bool last) {
    int64_t n = (m + MR - 1) / MR;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = first + m * i / n, rows = first + m * (i + 1) / n - row;
        const float *a = call->by_columns
                             ? call->a + row / DPR__PANEL * call->a_panel + row % DPR__PANEL
                             : call->a + row * call->a_row;
        if (column == 0)
            fetch_ahead(call, row, rows);
        block_function *update = fused_block(call, nv, rows);
        block_function *product = blocks[nv - 1][rows];
        (update != NULL ? update : product)(call, a, call->b + column,
                                            call->c + row * call->c_stride + column);
        if (last && update == NULL && call->strip != NULL)
            call->strip(call->strip_call, row, rows);
    }
}

static void multiply(const dpr__tile_call *call) {
    /* By columns, a block's rows lie in one panel of a. */
    int64_t step = call->by_columns ? DPR__PANEL : call->m;
    for (int64_t j = 0; j < call->columns; j += NV * LANES) {
        int nv = (int)((call->columns - j + LANES - 1) / LANES);
        for (int64_t i = 0; i < call->m; i += step)
            rows_of_blocks(call, i, call->m - i < step ? call->m - i : step, j, nv < NV ? nv : NV,
                           j + NV * LANES >= call->columns);
    }
}

static void turn(const float *src, float *dst) {
    TURN(src, dst);
}

const dpr__tile_kernel TILE_NAME = {.multiply = multiply, .turn = turn};
