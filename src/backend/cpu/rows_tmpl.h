/* Row kernels that compute with floats, in loops of 16 or 32 lanes that the compiler turns into vectors; included once per ISA with
 * ROWS_NAME(name). Lanes are added in one fixed tree, so every ISA gives the same bits. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/matrix.h"
#include "ir/shape.h"
#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- lanes ---- */

/* e^x, some 2 units in the last place; 0 below −87.3. x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial for e^r (coefficients: Moshier,
 * Cephes, expf). Adding 1.5·2²³ rounds to an integer, whose low bits then are n. */
INLINE float exponential(float x) {
    const float shifter = 12582912.0F;
    float clamped = x > 88.0F ? 88.0F : x < -87.3F ? -87.3F : x;
    float shifted = clamped * 1.44269504F + shifter, n = shifted - shifter;
    float r = clamped - n * 0.693359375F - n * -2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * r * r + r + 1;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int32_t)(((uint32_t)bits << 23) + 0x3f800000U);
    float power;
    memcpy(&power, &bits, sizeof power);
    return x < -87.3F ? 0 : p * power;
}

/* n ≤ width numbers, then `rest`. A panel's rows have 32 lanes that may be read, whatever the last hold. */
INLINE void load_lanes(const struct matrix *m, const float *src, int64_t n, int width, float rest,
                       float *lanes) {
    if (m->in_panels) {
        for (int j = 0; j < width; j++)
            lanes[j] = j < n ? src[j] : rest;
        return;
    }
    for (int j = 0; j < width; j++)
        lanes[j] = rest;
    memcpy(lanes, src, (size_t)n * sizeof *lanes);
}

INLINE void store_lanes(const struct matrix *m, const float *lanes, int64_t n, int width,
                        float *dst) {
    if (m->in_panels)
        memcpy(dst, lanes, (size_t)width * sizeof *lanes);
    else
        memcpy(dst, lanes, (size_t)n * sizeof *lanes);
}

INLINE float tree(float *lanes) {
    for (int half = 8; half > 0; half /= 2)
        for (int j = 0; j < half; j++)
            lanes[j] += lanes[j + half];
    return lanes[0];
}

INLINE void fold(const float *lanes, int width, float *sum) {
    for (int j = 0; j < 16; j++)
        sum[j] += lanes[j];
    for (int j = 16; j < width; j++)
        sum[j - 16] += lanes[j];
}

INLINE int64_t lanes_at(const struct matrix *m, int64_t column) {
    return m->columns - column < DPR__PANEL ? m->columns - column : DPR__PANEL;
}

/* ---- softmax and its kin ---- */

/* NaN counts for nothing here; what is made of the row shows it. */
INLINE float maximum_of(const struct matrix *x, int64_t row, int width) {
    float lanes[DPR__PANEL], maximum[16];
    for (int j = 0; j < 16; j++)
        maximum[j] = -INFINITY;
    for (int64_t c = 0; c < x->columns; c += DPR__PANEL) {
        load_lanes(x, piece_of(x, row, c), lanes_at(x, c), width, -INFINITY, lanes);
        for (int j = 0; j < width; j++)
            maximum[j % 16] = lanes[j] > maximum[j % 16] ? lanes[j] : maximum[j % 16];
    }
    for (int half = 8; half > 0; half /= 2)
        for (int j = 0; j < half; j++)
            maximum[j] = maximum[j + half] > maximum[j] ? maximum[j + half] : maximum[j];
    return maximum[0];
}

/* Σ exp(x − maximum), and the terms into y where it is not NULL. */
INLINE float sum_of_powers(const struct matrix *x, int64_t row, float maximum, int width,
                           const struct matrix *y) {
    float sum[16] = {0};
    for (int64_t c = 0; c < x->columns; c += DPR__PANEL) {
        float lanes[DPR__PANEL];
        int64_t n = lanes_at(x, c);
        load_lanes(x, piece_of(x, row, c), n, width, -INFINITY, lanes);
        for (int j = 0; j < width; j++)
            lanes[j] = exponential(lanes[j] - maximum);
        fold(lanes, width, sum);
        if (y != NULL)
            store_lanes(y, lanes, n, width, piece_of(y, row, c));
    }
    return tree(sum);
}

INLINE void softmax_width(const struct matrix *x, const struct matrix *y, int width, int64_t first,
                          int64_t last) {
    for (int64_t i = first; i < last; i++) {
        float sum = sum_of_powers(x, i, maximum_of(x, i, width), width, y);
        for (int64_t c = 0; c < y->columns; c += DPR__PANEL) {
            float lanes[DPR__PANEL];
            load_lanes(y, piece_of(y, i, c), lanes_at(y, c), width, 0, lanes);
            for (int j = 0; j < width; j++)
                lanes[j] /= sum;
            store_lanes(y, lanes, lanes_at(y, c), width, piece_of(y, i, c));
        }
    }
}

static void softmax(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    if (x.columns <= 16)
        softmax_width(&x, &y, 16, first, last);
    else
        softmax_width(&x, &y, DPR__PANEL, first, last);
}
const dpr__rows_kernel ROWS_NAME(softmax) = {accepts_any, src_rows, softmax, false};

static void log_softmax(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    for (int64_t i = first; i < last; i++) {
        float maximum = maximum_of(&x, i, DPR__PANEL);
        float total = logf(sum_of_powers(&x, i, maximum, DPR__PANEL, NULL));
        for (int64_t c = 0; c < x.columns; c += DPR__PANEL)
            for (int64_t j = 0; j < lanes_at(&x, c); j++)
                piece_of(&y, i, c)[j] = piece_of(&x, i, c)[j] - maximum - total;
    }
}
const dpr__rows_kernel ROWS_NAME(log_softmax) = {accepts_any, src_rows, log_softmax, false};

/* −Σ t·log softmax(x). A target of 0 counts for nothing, also where the log-probability is −∞. */
INLINE float cross_entropy_of(const struct matrix *x, const struct matrix *t, int64_t row,
                              int width) {
    float maximum = maximum_of(x, row, width), sum[16] = {0};
    float total = logf(sum_of_powers(x, row, maximum, width, NULL));
    for (int64_t c = 0; c < x->columns; c += DPR__PANEL) {
        float lanes[DPR__PANEL], targets[DPR__PANEL];
        load_lanes(x, piece_of(x, row, c), lanes_at(x, c), width, 0, lanes);
        load_lanes(t, piece_of(t, row, c), lanes_at(x, c), width, 0, targets);
        for (int j = 0; j < width; j++)
            lanes[j] = targets[j] != 0 ? targets[j] * (lanes[j] - maximum - total) : 0;
        fold(lanes, width, sum);
    }
    return -tree(sum);
}

static void cross_entropy(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), t = matrix_of(&call->src[1]);
    float *loss = call->dst.data;
    for (int64_t i = first; i < last; i++)
        loss[i] = x.columns <= 16 ? cross_entropy_of(&x, &t, i, 16)
                                  : cross_entropy_of(&x, &t, i, DPR__PANEL);
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

static void sum_last(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]);
    x.columns = dpr__shape_count(&call->src[0].shape) / dst_elements(call);
    if (call->src[0].form == DPR__PLAIN)
        x.row = x.columns;
    for (int64_t i = first; i < last; i++) {
        float sum[16] = {0};
        for (int64_t c = 0; c < x.columns; c += DPR__PANEL) {
            float lanes[DPR__PANEL];
            load_lanes(&x, piece_of(&x, i, c), lanes_at(&x, c), DPR__PANEL, 0, lanes);
            fold(lanes, DPR__PANEL, sum);
        }
        ((float *)call->dst.data)[i] = tree(sum);
    }
}

/* All of a matrix at once is row after row only where it is plain. */
static bool accepts_last(const dpr__call *call) {
    return reduces_last(call) && (call->src[0].form == DPR__PLAIN || reduced_axes(call) == 2) &&
           dst_is_row(call);
}
const dpr__rows_kernel ROWS_NAME(sum_last) = {accepts_last, dst_elements, sum_last, false};

static bool accepts_first(const dpr__call *call) {
    uint32_t n = 0;
    while (reduced_axes(call) >> n & 1)
        n++;
    return reduced_axes(call) == (1U << n) - 1 && (call->src[0].form == DPR__PLAIN || n == 1) &&
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
        int64_t n = lanes_at(&x, c);
        for (int64_t i = 0; i < rows; i++) {
            const float *piece = piece_of(&x, i, c);
            if (n == DPR__PANEL || call->src[0].form == DPR__PANELS)
                for (int j = 0; j < DPR__PANEL; j++)
                    sum[j] += piece[j];
            else
                for (int64_t j = 0; j < n; j++)
                    sum[j] += piece[j];
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
