/* The kinds of kernel that kernels.def lists, and what they are called with. */
#ifndef DPR_BACKEND_CPU_KERNEL_H
#define DPR_BACKEND_CPU_KERNEL_H

#include "base/cpu.h"
#include "ir/op.h"

/* SPAN: an elementwise op over n consecutive elements; b is NULL for unary ops. dst may be a or b, exactly. */
typedef void dpr__span_kernel(const void *param, const void *a, const void *b, float *dst,
                              size_t n);

/* The chains of strips.def, which tiles run on their sums (STRIP, below). */
typedef enum dpr__strip_id {
#define STRIP(name, text) DPR__STRIP_##name,
#define UPDATE STRIP
#include "backend/cpu/strips.def"
#undef STRIP
#undef UPDATE
    DPR__N_STRIPS
} dpr__strip_id;

typedef struct dpr__strip_call dpr__strip_call;
typedef void dpr__strip_kernel(const dpr__strip_call *call, int64_t first, int64_t rows);
enum { DPR__MOST_AHEAD = 4 };

/* TILE: c (m × columns ≤ 32) = or += a (m × k) · b (k × columns). b is a panel's rows, 32 floats apart; c's rows are c_stride apart.
 * Element (i, l) of a lies,
 * by rows,     at a[(l / 32)·a_chunk + i·a_row + l % 32]: a matrix;
 * by columns,  at a[(i / 32)·a_panel + l·a_row + i % 32]: the transpose of one (a_chunk is 32·a_row then).
 * In panels a_row is 32; a plain matrix has its columns there, and 32 in place of a_chunk or a_panel.
 * Each element of c is summed over l in order, wherever tiles and calls begin. Columns beyond the last are
 * computed, too, from whatever b holds there. */
typedef struct dpr__tile_call {
    const float *a;
    int64_t a_chunk, a_panel, a_row;
    bool by_columns;
    /* Rows of a may be read up to a multiple of row_multiple (below), whatever they hold; none of c is written beyond m. */
    bool reads_beyond;
    const float *b;
    int64_t b_row; /* 0: 32. Others are for kernels with a row_multiple */
    int64_t m, columns, k;
    /* Where parts > 1 the product is the sum of so many: each lies a_part and b_part floats behind the one before. */
    int64_t parts, a_part, b_part;
    /* And where runs > 1 each part of so many more; for kernels with a row_multiple. */
    int64_t runs, a_run, b_run;
    float *c;
    int64_t c_stride; /* 32 where there is a strip */
    bool add;
    /* Runs on rows of c as soon as they are done, while they are at hand, or in registers: then c holds nothing. NULL: nothing does. */
    dpr__strip_kernel *strip;
    const dpr__strip_call *strip_call;
    dpr__strip_id strip_id;
    /* Panels that the strip will read: fetched while the sums are made. */
    const float *ahead[DPR__MOST_AHEAD];
    uint32_t n_ahead;
} dpr__tile_call;
typedef struct dpr__tile_kernel {
    void (*multiply)(const dpr__tile_call *call);
    /* dst[j][i] = src[i][j], 32 × 32 floats, rows 32 apart. */
    void (*turn)(const float *src, float *dst);
    /* Where the kernel wants a by rows only: dst[i][l] = src[l][i], 32 rows of sixteen pairs. NULL: it takes both. */
    void (*turn_rows)(const float *src, float *dst);
    /* On each thread after its last call; NULL: nothing to do. */
    void (*leave)(void);
    /* Rows of c that are made at once, and cost as much as one; 0: any number is as good. Such a kernel wants a by rows. */
    int64_t row_multiple;
} dpr__tile_kernel;

static inline int64_t dpr__b_row(const dpr__tile_call *call) {
    return call->b_row != 0 ? call->b_row : DPR__PANEL;
}

/* HALF_TILE: the same of bf16: a and b are pairs of neighbours along k, each in the place of a float, and k counts pairs. By rows a
 * chunk is 16 pairs: a[(l / 16)·a_chunk + i·a_row + l % 16] with a_row = 16; by columns pairs lie as floats in panels do. turn takes and gives pairs of rows. Each
 * element of c adds the two products of a pair in an order that the ISA sets. */

/* HALVES: rows of up to 32 floats, src_row apart, to bf16 and back (ir/form.h). Both results of store may be NULL; `rows` is even but at the
 * matrix's end. And runs of n floats: round, one after the other; pair, each beside its partner; spread, 32 at a time to places dst_row numbers apart. */
typedef struct dpr__half_kernel {
    void (*store)(const float *src, int64_t src_row, int64_t rows, int64_t columns,
                  uint16_t *as_rows, uint16_t *as_pairs);
    void (*load)(const uint16_t *src, int64_t rows, float *dst);
    void (*round)(const float *src, int64_t n, uint16_t *dst);
    void (*pair)(const float *src, const float *partner, int64_t n, uint16_t *dst);
    void (*spread)(const float *src, int64_t rows, uint16_t *dst, int64_t dst_row);
} dpr__half_kernel;

/* SUMS: what rows of 32 floats add to sums of 32 columns, row by row in order: the numbers; or, less `shift`, they and their squares. */
typedef struct dpr__sums_kernel {
    void (*add)(const float *src, int64_t rows, float *sum);
    void (*add_squares)(const float *src, int64_t rows, const float *shift, float *sum,
                        float *squares);
} dpr__sums_kernel;

/* WINOGRAD: the transforms of F(4×4, 3×3) for 32 channels of a tile. Points of a map lie anywhere (at, row by row), those of a transform `plane` floats apart
 * from at[0] on. data: 6 × 6 points to 36 planes; diff: 4 × 4 to 36; products: 36 to 4 × 4 points; filter: 9 planes to 36; sums: 36 to 9. */
typedef struct dpr__points {
    float *at[36];
    int64_t plane;
} dpr__points;
/* Lanes 0 … lanes − 1, or some more: 16 and 32 are exact. */
typedef void dpr__winograd_transform(const dpr__points *src, const dpr__points *dst, int lanes);
typedef struct dpr__winograd_kernel {
    dpr__winograd_transform *data, *diff, *filter, *products, *sums;
} dpr__winograd_kernel;

/* DEPTHWISE: of each channel by itself, what n neighbouring results along a row read, and `lanes` consecutive channels of each. Of the map, result i
 * meets by row r and tap t the numbers at src + i·src_step + r·src_row + t·src_tap; of the filter those at r·filter_row + t·filter_tap; its own are at i·dst_step.
 * forward: dst = Σ over r, then t, of src · filter. filters: adds to each tap the sum over i of src · diff_dst, in order. */
typedef struct dpr__depthwise_call {
    const float *src;
    int64_t src_step, src_row, src_tap;
    int64_t filter_row, filter_tap, dst_step;
    int64_t n, rows, taps, lanes;
} dpr__depthwise_call;
typedef struct dpr__depthwise_kernel {
    void (*forward)(const dpr__depthwise_call *call, const float *filter, float *dst);
    void (*filters)(const dpr__depthwise_call *call, const float *diff_dst, float *diff_filter);
} dpr__depthwise_kernel;
/* PIXELS: a row of a convolution's result for up to 8 channels, lanes over neighbouring pixels:
 *   dst[p·dst_row + o] = Σ over taps t of src[taps[t] + p] · filters[32·t + o], in order of t.
 * Of filters and of each pixel of dst, 8 numbers are read and written, those beyond the last channel hold anything. Behind the last
 * pixel that is needed, src has DPR__PIXELS_BEYOND floats more to read. */
enum { DPR__PIXELS_CHANNELS = 8, DPR__PIXELS_BEYOND = 32 };
typedef struct dpr__pixels_call {
    const float *src, *filters;
    const int32_t *taps;
    int64_t n_taps, pixels, channels;
    float *dst;
    int64_t dst_row;
} dpr__pixels_call;
typedef void dpr__pixels_kernel(const dpr__pixels_call *call);

/* SPARSE: back through a convolution of few channels, a row of diff's pixels at a time, whose numbers that are 0 are skipped: behind a relu and a pooling these are
 * most. Of pixel p the window is the vectors at map + p·map_step + at[0 … vectors − 1], and channel c has the vectors filters[c][0 … vectors − 1].
 *   spread: window += Σ over c of diff[p][c] · filters[c];    sum: filters[c] += diff[p][c] · window
 * in order of p, then c. `diff_row` is at least `channels`. */
typedef struct dpr__sparse_call {
    const float *diff;
    int64_t diff_row, pixels, channels;
    float *map;
    int64_t map_step;
    const int32_t *at;
    int64_t vectors;
    float *filters;
} dpr__sparse_call;
/* The same sums where a pooling left one number of each window of diff, at the place that a byte names. The vectors of a window are `down` rows, tap_row floats
 * apart, of `across` neighbours:
 *   filters[c] += Σ over rows y and columns x of pooled pixels of diff[y][x][c] · (the vectors at map + y·map_row + x·map_step + place[index[y][x][c]]) */
typedef struct dpr__maxima_call {
    const float *diff;
    const uint8_t *index; /* `channels` bytes a pixel */
    int64_t diff_row, rows, columns, channels;
    const float *map;
    int64_t map_row, map_step;
    const int32_t *place;
    int64_t down, across, tap_row;
    float *filters;
} dpr__maxima_call;
typedef struct dpr__sparse_kernel {
    int64_t lanes; /* of a vector */
    void (*spread)(const dpr__sparse_call *call);
    void (*sum)(const dpr__sparse_call *call);
    void (*sum_maxima)(const dpr__maxima_call *call);
} dpr__sparse_kernel;
/* HALF_WINOGRAD: transforms of 32 channels, 36 points 32 floats apart, rounded to bf16, to planes: pairs of neighbouring channels, or what two transforms have of each
 * channel. A pair takes the place of a float. */
typedef struct dpr__winograd_half_kernel {
    void (*channels)(const float *points, float *dst, int64_t plane);
    void (*pairs)(const float *first, const float *second, float *dst, int64_t plane);
} dpr__winograd_half_kernel;

/* STRIP: a chain of elementwise ops over rows first … first + rows − 1 of 32 floats, in registers. `memory` and `output` are as the chain's text numbers
 * them (strips.def). LEAST entries of `memory` and `constant`, and OUTPUTS of `output`, can be read, used or not. */
enum { DPR__STRIP_LEAST = 8, DPR__STRIP_OUTPUTS = 3 };
struct dpr__strip_call {
    const float *tile; /* R(0): rows of 32 */
    const float *const *memory;
    float *const *output;
    const float *constant;
};

/* ROWS: any other op, cut into units that are computed alone: rows, columns, elements. */
typedef struct dpr__rows_kernel {
    bool (*accepts)(const dpr__call *call);
    int64_t (*units)(const dpr__call *call);
    void (*run)(const dpr__call *call, int64_t first, int64_t last);
    bool takes_halves; /* sources, or a result, in bf16, and no others */
} dpr__rows_kernel;

typedef enum dpr__kernel_class {
    DPR__SPAN,
    DPR__TILE,
    DPR__HALF_TILE,
    DPR__HALVES,
    DPR__SUMS,
    DPR__WINOGRAD,
    DPR__DEPTHWISE,
    DPR__PIXELS,
    DPR__SPARSE,
    DPR__HALF_WINOGRAD,
    DPR__ROWS
} dpr__kernel_class;

typedef struct dpr__kernel {
    const char *name;
    dpr__kernel_class class;
    dpr__op_id op;
    dpr_dtype dtype; /* of the first source */
    dpr__isa isa;
    union {
        dpr__span_kernel *span;
        const dpr__tile_kernel *tile;
        const dpr__half_kernel *halves;
        const dpr__sums_kernel *sums;
        const dpr__winograd_kernel *winograd;
        const dpr__depthwise_kernel *depthwise;
        dpr__pixels_kernel *pixels;
        const dpr__sparse_kernel *sparse;
        const dpr__winograd_half_kernel *half_winograd;
        const dpr__rows_kernel *rows;
    } run;
} dpr__kernel;

/* All rows of kernels.def, best first. */
extern const dpr__kernel dpr__kernels[];
extern const size_t dpr__n_kernels;

/* The first kernel for op, dtype and class whose ISA is at most `cap`; NULL when there is none. */
const dpr__kernel *dpr__kernel_find(dpr__kernel_class class, dpr__op_id op, dpr_dtype dtype,
                                    dpr__isa cap);

/* The kernels of one chain of elementwise ops, by its text; NULL where the ISA has none. */
typedef struct dpr__strip {
    const char *name, *text;
    dpr__strip_kernel *run[DPR__N_ISAS];
} dpr__strip;
extern const dpr__strip dpr__strips[]; /* by dpr__strip_id */
extern const size_t dpr__n_strips;

#endif
