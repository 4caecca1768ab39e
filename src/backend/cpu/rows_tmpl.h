/* Row kernels that compute with floats, in loops of lanes that the compiler turns into vectors; included once per ISA with
 * ROWS_NAME(name). Sums are made in one fixed order, so every ISA gives the same bits. */
#include "backend/cpu/functions.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/matrix.h"
#include "base/random.h"
#include "ir/shape.h"
#include "ops/draw.h"
#include <math.h>
#include <string.h>

/* Row kernels take sixteen rows at a time, one a lane: what is added or compared along a row is so for sixteen at once, column by
 * column. A piece is 32 columns of them, turned; lanes of rows that are not there hold zeros. */
enum { LANES = 16 };
typedef float piece[DPR__PANEL][LANES];

/* What several kernels call: inlined in each, their loops would be 40 KB of code more. */
#define SHARED static __attribute__((noinline))

INLINE int64_t piece_columns(const struct matrix *m, int64_t column) {
    return m->columns - column < DPR__PANEL ? m->columns - column : DPR__PANEL;
}

/* TURN_ROWS(dst, dst_row, src, src_row) transposes 16 × 16, where an ISA has it: whole vectors, with the lanes beyond the last column of a panel. */
SHARED void load_piece(const struct matrix *m, int64_t row, int64_t rows, int64_t column,
                       piece out) {
    int64_t n = piece_columns(m, column);
#ifdef TURN_ROWS
    if (rows == LANES && m->in_panels) {
        for (int64_t j = 0; j < n; j += LANES)
            TURN_ROWS(out[j], LANES, piece_of(m, row, column) + j, DPR__PANEL);
        return;
    }
#endif
    if (rows < LANES)
        memset(out, 0, sizeof(piece));
    for (int64_t i = 0; i < rows; i++) {
        const float *src = piece_of(m, row + i, column);
        for (int64_t j = 0; j < n; j++)
            out[j][i] = src[j];
    }
}

SHARED void store_piece(const struct matrix *m, int64_t row, int64_t rows, int64_t column,
                        piece in) {
    int64_t n = piece_columns(m, column);
#ifdef TURN_ROWS
    if (rows == LANES && m->in_panels) {
        for (int64_t j = 0; j < n; j += LANES)
            TURN_ROWS(piece_of(m, row, column) + j, DPR__PANEL, in[j], LANES);
        return;
    }
#endif
    for (int64_t i = 0; i < rows; i++) {
        float *dst = piece_of(m, row + i, column);
        for (int64_t j = 0; j < n; j++)
            dst[j] = in[j][i];
    }
}

/* ---- softmax and its kin ---- */

/* NaN counts for nothing here; what is made of the row shows it. */
INLINE void raise_maximum(piece x, int64_t n, float *maximum) {
    for (int64_t j = 0; j < n; j++)
        for (int i = 0; i < LANES; i++)
            maximum[i] = x[j][i] > maximum[i] ? x[j][i] : maximum[i];
}

SHARED void add_powers(piece x, int64_t n, const float *maximum, float *sum) {
    for (int64_t j = 0; j < n; j++)
        for (int i = 0; i < LANES; i++) {
            x[j][i] = exponential(x[j][i] - maximum[i]);
            sum[i] += x[j][i];
        }
}

/* The maximum of each row, and Σ exp(x − maximum). Where one piece holds all columns it is left with the powers. */
SHARED void measure_rows(const struct matrix *x, int64_t row, int64_t rows, float *maximum,
                         float *sum, piece lanes) {
    for (int i = 0; i < LANES; i++) {
        maximum[i] = -INFINITY;
        sum[i] = 0;
    }
    for (int64_t c = 0; c < x->columns; c += DPR__PANEL) {
        load_piece(x, row, rows, c, lanes);
        raise_maximum(lanes, piece_columns(x, c), maximum);
    }
    for (int64_t c = 0; c < x->columns; c += DPR__PANEL) {
        if (x->columns > DPR__PANEL) /* else it is still there */
            load_piece(x, row, rows, c, lanes);
        add_powers(lanes, piece_columns(x, c), maximum, sum);
    }
}

static void softmax(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    for (int64_t row = first; row < last; row += LANES) {
        int64_t rows = last - row < LANES ? last - row : LANES;
        float maximum[LANES], sum[LANES], unused[LANES];
        piece lanes;
        measure_rows(&x, row, rows, maximum, sum, lanes);
        for (int64_t c = 0; c < x.columns; c += DPR__PANEL) {
            int64_t n = piece_columns(&x, c);
            if (x.columns > DPR__PANEL) {
                load_piece(&x, row, rows, c, lanes);
                add_powers(lanes, n, maximum, unused);
            }
            for (int64_t j = 0; j < n; j++)
                for (int i = 0; i < LANES; i++)
                    lanes[j][i] /= sum[i];
            store_piece(&y, row, rows, c, lanes);
        }
    }
}
const dpr__rows_kernel ROWS_NAME(softmax) = {accepts_any, src_rows, softmax, false};

/* ln Σ exp(x − maximum) of each row. */
INLINE void totals_of_rows(const struct matrix *x, int64_t row, int64_t rows, float *maximum,
                           float *total) {
    piece lanes;
    measure_rows(x, row, rows, maximum, total, lanes);
    for (int i = 0; i < LANES; i++)
        total[i] = logarithm(total[i]);
}

static void log_softmax(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    for (int64_t row = first; row < last; row += LANES) {
        int64_t rows = last - row < LANES ? last - row : LANES;
        float maximum[LANES], total[LANES];
        piece lanes;
        totals_of_rows(&x, row, rows, maximum, total);
        for (int64_t c = 0; c < x.columns; c += DPR__PANEL) {
            load_piece(&x, row, rows, c, lanes);
            for (int64_t j = 0; j < piece_columns(&x, c); j++)
                for (int i = 0; i < LANES; i++)
                    lanes[j][i] = lanes[j][i] - maximum[i] - total[i];
            store_piece(&y, row, rows, c, lanes);
        }
    }
}
const dpr__rows_kernel ROWS_NAME(log_softmax) = {accepts_any, src_rows, log_softmax, false};

/* −Σ t·log softmax(x). A target of 0 counts for nothing, also where the log-probability is −∞. */
static void cross_entropy(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), t = matrix_of(&call->src[1]);
    for (int64_t row = first; row < last; row += LANES) {
        int64_t rows = last - row < LANES ? last - row : LANES;
        float maximum[LANES], total[LANES], loss[LANES] = {0};
        piece lanes, targets;
        totals_of_rows(&x, row, rows, maximum, total);
        for (int64_t c = 0; c < x.columns; c += DPR__PANEL) {
            load_piece(&x, row, rows, c, lanes);
            load_piece(&t, row, rows, c, targets);
            for (int64_t j = 0; j < piece_columns(&x, c); j++)
                for (int i = 0; i < LANES; i++) {
                    float term = targets[j][i] * (lanes[j][i] - maximum[i] - total[i]);
                    loss[i] -= targets[j][i] != 0 ? term : 0;
                }
        }
        memcpy((float *)call->dst.data + row, loss, (size_t)rows * sizeof *loss);
    }
}
const dpr__rows_kernel ROWS_NAME(cross_entropy) = {accepts_any, src_rows, cross_entropy, false};

/* ---- sums ---- */

/* The reduced axes are the last ones. */
static bool reduces_last(const dpr__call *call) {
    uint32_t rank = call->src[0].shape.rank, kept = 0;
    while (kept < rank && !(reduced_axes(call) >> kept & 1))
        kept++;
    return reduced_axes(call) == (1U << rank) - (1U << kept);
}

/* Long rows in sixteen partial sums and a tree. */
static float sum_of_row(const float *x, int64_t n) {
    float partial[LANES] = {0};
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        for (int l = 0; l < LANES; l++)
            partial[l] += x[j + l];
    for (int l = 0; j < n; j++, l++)
        partial[l] += x[j];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            partial[l] += partial[l + half];
    return partial[0];
}

static void sum_last(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]);
    float *dst = call->dst.data;
    x.columns = dpr__shape_count(&call->src[0].shape) / dst_elements(call);
    if (!x.in_panels && x.columns > DPR__PANEL) {
        for (int64_t i = first; i < last; i++)
            dst[i] = sum_of_row(x.data + i * x.columns, x.columns);
        return;
    }
    x.row = call->src[0].form == DPR__PLAIN ? x.columns : x.row;
    for (int64_t row = first; row < last; row += LANES) {
        int64_t rows = last - row < LANES ? last - row : LANES;
        float sum[LANES] = {0};
        piece lanes;
        for (int64_t c = 0; c < x.columns; c += DPR__PANEL) {
            load_piece(&x, row, rows, c, lanes);
            for (int64_t j = 0; j < piece_columns(&x, c); j++)
                for (int i = 0; i < LANES; i++)
                    sum[i] += lanes[j][i];
        }
        memcpy(dst + row, sum, (size_t)rows * sizeof *sum);
    }
}

/* All of a matrix at once is row after row only where it is plain. */
static bool accepts_last(const dpr__call *call) {
    return reduces_last(call) &&
           (call->src[0].form == DPR__PLAIN ||
            (reduced_axes(call) == 2 && call->src[0].shape.rank == 2)) &&
           dst_is_row(call);
}
const dpr__rows_kernel ROWS_NAME(sum_last) = {accepts_last, dst_elements, sum_last, false};

static bool accepts_first(const dpr__call *call) {
    uint32_t n = 0;
    while (reduced_axes(call) >> n & 1)
        n++;
    return reduced_axes(call) == (1U << n) - 1 &&
           (call->src[0].form == DPR__PLAIN || n + 1 == call->src[0].shape.rank) &&
           dst_is_row(call);
}

static int64_t panels_of_dst(const dpr__call *call) {
    return (dst_elements(call) + DPR__PANEL - 1) / DPR__PANEL;
}

/* One unit is 32 columns. */
static void sum_first(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]);
    x.columns = dst_elements(call);
    if (call->src[0].form == DPR__PLAIN)
        x.row = x.columns;
    int64_t rows = dpr__shape_count(&call->src[0].shape) / x.columns;
    for (int64_t c = first * DPR__PANEL; c < x.columns && c < last * DPR__PANEL; c += DPR__PANEL) {
        float sum[DPR__PANEL] = {0};
        int64_t n = piece_columns(&x, c);
        for (int64_t i = 0; i < rows; i++) {
            const float *src = piece_of(&x, i, c);
            if (n == DPR__PANEL || call->src[0].form == DPR__PANELS)
                for (int j = 0; j < DPR__PANEL; j++)
                    sum[j] += src[j];
            else
                for (int64_t j = 0; j < n; j++)
                    sum[j] += src[j];
        }
        memcpy((float *)call->dst.data + c, sum, (size_t)n * sizeof *sum);
    }
}
const dpr__rows_kernel ROWS_NAME(sum_first) = {accepts_first, panels_of_dst, sum_first, false};

/* Of bf16 rows: a bias's gradient. */
static bool accepts_first_of_halves(const dpr__call *call) {
    return dpr__form_is_half(call->src[0].form) && call->src[0].form != DPR__HALF_PAIRS &&
           reduced_axes(call) == 1 && dst_is_row(call);
}

static void sum_first_of_halves(const dpr__call *call, int64_t first, int64_t last) {
    int64_t rows = call->src[0].shape.dim[0], columns = dst_elements(call);
    for (int64_t p = first; p < last; p++) {
        const uint16_t *x = (const uint16_t *)call->src[0].data + p * rows * DPR__PANEL;
        float sum[DPR__PANEL] = {0};
        for (int64_t i = 0; i < rows; i++, x += DPR__PANEL)
            for (int j = 0; j < DPR__PANEL; j++)
                sum[j] += dpr__from_bf16(x[j]);
        int64_t left = columns - p * DPR__PANEL, n = left < DPR__PANEL ? left : DPR__PANEL;
        memcpy((float *)call->dst.data + p * DPR__PANEL, sum, (size_t)n * sizeof *sum);
    }
}
const dpr__rows_kernel ROWS_NAME(sum_first_halves) = {accepts_first_of_halves, panels_of_dst,
                                                      sum_first_of_halves, true};

/* ---- draws, the order of an epoch ---- */

/* Sixteen 32-bit words in 64 bits each: as a vector type, since compilers unroll loops of sixteen before they look for vectors. */
typedef uint64_t words __attribute__((vector_size(8 * LANES)));

/* Philox4x32-10 of sixteen counters c, whose words become the draw's; base/random.c has the algorithm. */
SHARED void philox_lanes(uint64_t key, words c[4]) {
    const words low = (words){0} + 0xffffffffU;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9U, k1 += 0xBB67AE85U) {
        const words p0 = c[0] * 0xD2511F53U, p1 = c[2] * 0xCD9E8D57U;
        c[0] = (p1 >> 32) ^ c[1] ^ k0;
        c[2] = (p0 >> 32) ^ c[3] ^ k1;
        c[1] = p1 & low;
        c[3] = p0 & low;
    }
}

static int64_t draw_units(const dpr__call *call) {
    return (dst_elements(call) + 4 * LANES - 1) / (4 * LANES);
}

/* n units, from element `at` of the result on, each to its place in any form. */
INLINE void put_units(const dpr__tensor *dst, int64_t at, int64_t n, const float *units) {
    struct matrix m = matrix_of(dst);
    int64_t row = at / m.columns, column = at % m.columns;
    if (dst->form == DPR__PLAIN) {
        memcpy(m.data + at, units, (size_t)n * sizeof *units);
        return;
    }
    for (int64_t i = 0, run; i < n; i += run) { /* as many as are neighbours in a panel */
        run = DPR__PANEL - column % DPR__PANEL;
        run = run < m.columns - column ? run : m.columns - column;
        run = run < n - i ? run : n - i;
        memcpy(piece_of(&m, row, column) + column % DPR__PANEL, units + i,
               (size_t)run * sizeof *units);
        column += run;
        row += column == m.columns;
        column = column == m.columns ? 0 : column;
    }
}

/* Sixteen blocks of four a unit, as ops/draw.h numbers and keys them. */
static void draw(const dpr__call *call, int64_t first, int64_t last) {
    uint64_t key = dpr__dropout_key(call);
    uint32_t ordinal = (uint32_t)((const dpr__draw_param *)call->param)->ordinal;
    int64_t n = dst_elements(call);
    for (int64_t unit = first; unit < last; unit++) {
        words c[4] = {{0}, {0}, (words){0} + ordinal, (words){0} + DPR__PURPOSE_DROPOUT};
        float units[LANES][4];
        for (int i = 0; i < LANES; i++) {
            c[0][i] = (uint64_t)(unit * LANES + i) & 0xffffffffU;
            c[1][i] = (uint64_t)(unit * LANES + i) >> 32;
        }
        philox_lanes(key, c);
        for (int k = 0; k < 4; k++) {
            uint64_t word[LANES];
            memcpy(word, &c[k], sizeof word);
            for (int i = 0; i < LANES; i++) /* 24 bits, exact */
                units[i][k] = (float)(int32_t)(word[i] >> 8) * 0x1p-24F;
        }
        int64_t at = 4 * LANES * unit, left = n - at;
        put_units(&call->dst, at, left < 4 * LANES ? left : 4 * LANES, units[0]);
    }
}
const dpr__rows_kernel ROWS_NAME(draw) = {accepts_any, draw_units, draw, false};

/* dpr__permute for sixteen positions below n ≤ 2³¹: lanes walk until the last of them is below n. */
INLINE void permute_lanes(uint64_t seed, uint32_t stream, uint32_t n, words *position) {
    unsigned half = 1;
    while ((1ULL << 2 * half) < n)
        half++;
    const uint32_t mask = (1U << half) - 1;
    bool walking = true;
    for (bool first = true; walking; first = false) {
        words left = *position >> half, right = *position & mask;
        for (uint32_t round = 0; round < 4; round++) {
            words c[4] = {right << 3 | round, (words){0} + 0x80000000U, (words){0} + stream,
                          (words){0} + DPR__PURPOSE_SHUFFLE};
            philox_lanes(seed, c);
            const words next = left ^ (c[0] & mask);
            left = right;
            right = next;
        }
        const words walked = left << half | right;
        walking = false;
        for (int i = 0; i < LANES; i++) {
            (*position)[i] = first || (*position)[i] >= n ? walked[i] : (*position)[i];
            walking |= (*position)[i] >= n;
        }
    }
}

static bool accepts_order(const dpr__call *call) {
    const dpr__order_param *param = call->param;
    return param->shuffle && param->n < INT32_MAX; /* images are numbered in i32 */
}

static void order(const dpr__call *call, int64_t first, int64_t last) {
    const dpr__order_param *param = call->param;
    uint64_t seed = *(const uint64_t *)call->src[0].data;
    uint32_t epoch = (uint32_t) * (const uint64_t *)call->src[1].data;
    int64_t begin = *(const int32_t *)call->src[2].data * param->batch;
    for (int64_t row = first; row < last; row += LANES) {
        words position = {0};
        for (int i = 0; i < LANES; i++) {
            int64_t p = begin + row + i;
            position[i] = p >= 0 && p < param->n ? (uint64_t)p : 0;
        }
        permute_lanes(seed, epoch, (uint32_t)param->n, &position);
        for (int64_t i = 0; i < LANES && row + i < last; i++) {
            int64_t p = begin + row + i;
            ((int32_t *)call->dst.data)[row + i] =
                p >= 0 && p < param->n ? (int32_t)position[i] : 0; /* past the end: image 0 */
        }
    }
}
const dpr__rows_kernel ROWS_NAME(order) = {accepts_order, dst_elements, order, false};
