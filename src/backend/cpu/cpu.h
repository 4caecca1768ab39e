/* The cpu backend's plan: an array of rows, run in phases by the team. A row computes one group, in tiles that come from shapes alone;
 * what kind of group it is shows in the functions that it was given. */
#ifndef DPR_BACKEND_CPU_CPU_H
#define DPR_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "backend/cpu/chain.h"
#include "backend/cpu/pace.h"
#include "base/team.h"
#include <stdatomic.h>

/* An operand of a product. */
typedef struct dpr__factor {
    dpr_value value;
    bool transposed;
    bool packed; /* not as the kernel wants it: block by block into scratch */
    dpr__form form;
    /* From one panel to the next, and from one row to the next, in floats or pairs of bf16; 0 where the kernel cannot read the form. */
    int64_t panel, row;
    size_t offset;         /* bytes to the part that is read: the pairs of bf16 */
    int64_t rows, columns; /* of the stored matrix */
    size_t stage;          /* floats into scratch */
} dpr__factor;

/* Results of a depthwise convolution along an axis that meet the same taps (depthwise.c): result first + i·step, of n, finds tap
 * tap + t·tap_step, of so many, on element at + i·advance + t·tap_advance of the map. */
typedef struct dpr__cpu_run {
    int64_t first, step, n;
    int64_t tap, tap_step, taps;
    int64_t at, advance, tap_advance;
} dpr__cpu_run;

/* Of functions that run once a plan: as little code as possible. */
#define DPR__ONCE __attribute__((cold))

/* A convolution: of a map n × h × w × c (src) by kh × kw filters, to oh × ow × oc (dst); in a weights' gradient dst is its diff. */
typedef struct dpr__cpu_conv {
    dpr_value src, weights, dst; /* dst only in a weights' gradient: it is read there */
    int64_t n, h, w, c, oh, ow, oc, kh, kw;
    int64_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int64_t spread_h, spread_w; /* spread − 1 zeros stand between the rows, and columns, of src */
    /* The copy of some rows of src in scratch: pixels of `channels`, rows of `width` pixels, `pitch` floats or pairs of bf16 apart. In bf16 pairs are neighbouring
     * channels of a pixel; or, where k goes over pixels, a channel of the pixels that a stride lies between. */
    const dpr__half_kernel *halves; /* NULL: floats */
    bool pairs_pixels;
    /* `channels` may be more than c: lanes beyond c hold anything, and no product takes them for its a. */
    int64_t channels, width, pitch;
    int64_t depth;   /* of k in a pixel: c, or c / 2 pairs */
    int64_t place;   /* from one pixel of the copy to the next: depth, or more */
    int64_t tile_h;  /* rows of dst in a tile, */
    int64_t whole_h; /* a multiple of so many; 0: any number */
    int64_t images;  /* in a tile, or a strip of a gradient, that holds whole ones */
    /* Pixels of the copy, a stride apart, from one row of dst to the next, where rows are multiplied as one run, with those between them; 0: row by row. */
    int64_t through;
    size_t run_at;      /* floats into scratch: a run's sums */
    int64_t row_floats; /* of the result's pixels in the tile, before they are packed */
    /* Floats into scratch; filters where they lie in no panels, or the other operand of a gradient; a line of the map on its way to bf16. */
    size_t copy_at, filters_at, line_at;
    size_t stage_at;  /* in groups: results, or diffs, of one group's channels */
    size_t planes_at; /* where lanes go over pixels: channel by channel */
    int64_t groups;
    int64_t chunks;                        /* of images, in a weights' gradient: summed apart */
    int64_t unit_images, unit_rows, units; /* of tiles, for Winograd (winograd.h) */
    int64_t panels;                        /* of filters whose gradients are summed together */
    dpr__cpu_run *down, *across;           /* depthwise: each row, and the runs of a row */
    int64_t n_across;
    /* Turns 32 × 32 floats: Winograd's filters that come as they are, of the convolution whose gradient this is, or a gradient's sums. NULL: nothing needs turning. */
    void (*turn)(const float *src, float *dst);
} dpr__cpu_conv;

typedef struct dpr__row dpr__row;
/* Tiles first … last − 1 of a row. */
typedef void dpr__row_run(const dpr__row *row, const dpr__values *values, float *scratch,
                          int64_t first, int64_t last);
struct dpr__row {
    dpr__row_run *run;
    /* When all tiles of the phase's rows are done, shared anew; NULL: there is nothing left to do. */
    dpr__row_run *finish;
    int64_t n_finish;
    const char *kernel, *chain_name; /* for people */
    uint32_t group, phase;
    bool serial; /* too small to share */
    int64_t n_tiles;
    uint64_t flops, bytes;
    size_t scratch_floats;
    /* groups with a chain: tiles of tile_rows × one panel, or flat ones */
    dpr__chain chain;
    int64_t tile_rows;
    bool down_first; /* tiles go down a panel before they go to the next */
    size_t tile_at;  /* floats into scratch: the tile of a product or gather */
    /* products */
    const dpr__tile_kernel *tile;
    dpr__factor a, b;
    bool halves; /* the kernel multiplies pairs of bf16 */
    bool bare;   /* the sums are the result: no chain runs */
    dpr__cpu_conv conv;
    const dpr__winograd_kernel *winograd;
    const dpr__depthwise_kernel *depthwise;
    dpr__pixels_kernel *pixels; /* NULL: lanes go over channels */
    const int32_t *taps;        /* its, or of `sparse` */
    int64_t n_taps;
    const dpr__sparse_kernel *sparse; /* skips what is 0 in diff_dst; NULL: nothing does */
    /* A pooling that takes the tiles: the places of the largest elements of its windows, and what they are; 0: that nobody reads. */
    const dpr__rows_kernel *pooling;
    dpr_value places, largest;
    /* diff_dst is what a pooling left of it: behind the taps come the places of a window (conv_sparse.c) */
    bool maxima;
    const dpr__winograd_half_kernel *half_winograd; /* where pairs of bf16 are multiplied */
    dpr__span_kernel *add;
    bool turns_a;     /* a is a transpose, and the kernel wants its rows */
    int64_t k, chunk; /* in floats or pairs; what of k lies consecutive by rows */
    /* gathers: rows of `columns` consecutive elements, entry_rows of them an entry */
    dpr_value pool, index, entry; /* entry: the value that stays in its pool */
    int64_t entry_rows, n_entries;
    size_t pool_bytes;      /* of an element */
    dpr__span_kernel *cast; /* bytes to floats */
    /* nodes: row kernels and reference kernels */
    void (*rows_run)(const dpr__call *call, int64_t first, int64_t last);
    const dpr__op *op;
    dpr__call call;
    int64_t n_units, tile_units; /* of a row kernel */
    uint32_t n_src;              /* of the node */
    dpr_value node;
    /* Where sums that are made in parts go until the row is finished, or row-major copies for kernels that take no panels: in the plan's parts. */
    float *partial;
    size_t partial_at, partial_floats;
    int64_t n_parts; /* of sums that end a chain, for each panel */
};

typedef struct dpr__cpu_plan {
    dpr__values values;
    dpr__row *rows;
    size_t n_rows;
    dpr__arena arena;              /* chains, operands */
    bool serial;                   /* no row is worth a second thread */
    const dpr__tile_kernel *tiles; /* whose leave threads call; NULL: none */
    float **scratch;               /* one for each member */
    float *parts;                  /* the partial of all rows: every phase begins it anew */
    unsigned n_scratch;
    uint32_t first_phase; /* of a tick: those before it compute what is kept */
    bool *phase_serial;   /* (phases) */
    bool *phase_finishes; /* (phases) some of its rows have something to finish */
    size_t *phase_end;    /* (phases) index after the last row */
    /* of the run that is going on */
    unsigned members;
    uint64_t ticks, done;
    const volatile int *stop;
    atomic_bool failed;
    bool ended; /* written by member 0, read by others after a barrier */
    dpr__pace pace;
    bool timed;
    uint64_t *row_ns; /* (rows × members), when timed */
} dpr__cpu_plan;

/* Some rows of a panel, as chains count them (chain.h). */
typedef struct dpr__tile {
    int64_t row, rows, panel;
} dpr__tile;

/* Makes the row of a group. */
DPR__ONCE dpr_status dpr__cpu_compile_group(dpr__cpu_plan *plan, uint32_t group, dpr__row *row);

/* One for each kind of group. *supported is false when a member has no vector kernel. */
DPR__ONCE dpr_status dpr__cpu_compile_contraction(dpr__cpu_plan *plan, const dpr__group *group,
                                                  dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_convolution(dpr__cpu_plan *plan, const dpr__group *group,
                                                  dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_spread(dpr__cpu_plan *plan, const dpr__group *group,
                                             dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_filter_gradient(dpr__cpu_plan *plan, const dpr__group *group,
                                                      dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_winograd(dpr__cpu_plan *plan, const dpr__group *group,
                                               dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_winograd_gradient(dpr__cpu_plan *plan,
                                                        const dpr__group *group, dpr__row *row,
                                                        bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_depthwise(dpr__cpu_plan *plan, const dpr__group *group,
                                                dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_depthwise_filters(dpr__cpu_plan *plan,
                                                        const dpr__group *group, dpr__row *row,
                                                        bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_grouped(dpr__cpu_plan *plan, const dpr__group *group,
                                              dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_grouped_filters(dpr__cpu_plan *plan, const dpr__group *group,
                                                      dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_gather(dpr__cpu_plan *plan, const dpr__group *group,
                                             dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_pointwise(dpr__cpu_plan *plan, const dpr__group *group,
                                                dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_reduce(dpr__cpu_plan *plan, const dpr__group *group,
                                             dpr__row *row, bool *supported);
DPR__ONCE dpr_status dpr__cpu_compile_node(dpr__cpu_plan *plan, const dpr__group *group,
                                           dpr__row *row);
/* A row of one chain without a product: all but what runs it, and its tiles. */
DPR__ONCE dpr_status dpr__cpu_compile_chain(dpr__cpu_plan *plan, const dpr__group *group,
                                            dpr__row *row, int64_t tile_rows, bool *supported);
/* Sums that end a chain (reduce.c). A row that brings each panel's in so many parts, and joins them when it is finished; no sums: nothing to do. */
DPR__ONCE void dpr__cpu_finish_sums(dpr__row *row, int64_t n_parts);
/* After the chain ran on a tile: what it brings is part `number`. */
void dpr__cpu_bring_sums(const dpr__row *row, const dpr__values *values, const float *scratch,
                         const dpr__tile *tile, int64_t number);
/* Before a run: a node's operands may have moved. */
void dpr__cpu_refresh_node(const dpr__cpu_plan *plan, dpr__row *row);

/* ---- maps, shared by convolutions and the gradients of their filters (conv_copy.c) ---- */

/* The geometry of a row's convolution. */
DPR__ONCE void dpr__cpu_conv_geometry(const dpr__step *step, dpr_value value, dpr__cpu_conv *conv);
/* Takes the kernels of products for row->conv: of pairs of bf16 where its operands are rounded. */
DPR__ONCE const dpr__kernel *dpr__cpu_conv_take_kernels(dpr__row *row, const dpr__step *step,
                                                        const dpr__node *node);
/* Copies what `rows` rows of dst from row oh on of image n read of channels first … first + conv->channels − 1, with the zeros around and between. `line`: room
 * for dpr__cpu_conv_line_floats. */
void dpr__cpu_conv_copy(const dpr__cpu_conv *conv, const dpr__step *step, const float *src,
                        int64_t n, int64_t oh, int64_t rows, int64_t first, float *line,
                        float *dst);
/* The filters of 32 channels, `rows` rows of 32 floats or pairs: where they lie, or copied. */
const float *dpr__cpu_conv_filters(const dpr__cpu_conv *conv, const dpr__values *values,
                                   int64_t rows, int64_t panel, float *copy);
/* Rows of the result in a tile: many pixels, but some tiles for each thread of a small machine where there is one panel of one image. */
DPR__ONCE int64_t dpr__cpu_conv_tile_rows(const dpr__cpu_conv *conv,
                                          const dpr__tile_kernel *kernel);
/* Finds the pooling among the members of the row's group, before tiles are cut. */
DPR__ONCE void dpr__cpu_conv_take_pooling(dpr__row *row, const dpr__step *step,
                                          const dpr__group *group);
/* So many whole images, at most, as copies have room for; 1 where a tile is a part of one. */
DPR__ONCE int64_t dpr__cpu_conv_images(const dpr__cpu_conv *conv, int64_t most);
/* As many rows of diff_dst at a time as a copy has room for. */
DPR__ONCE int64_t dpr__cpu_conv_strip_rows(const dpr__cpu_conv *conv);
/* Chunks of images that a filters' gradient sums apart, each into so many floats: some tiles for every thread of a small machine where each is cut in `others`, but as much
 * memory as is worth it. */
DPR__ONCE int64_t dpr__cpu_conv_chunks(const dpr__cpu_conv *conv, int64_t others, int64_t sums);
/* Products write whole vectors: sets how far a tile's pixels lie apart for them. */
DPR__ONCE void dpr__cpu_conv_set_rows(dpr__cpu_conv *conv, const dpr__chain *chain);
/* Whether the result is what the chain would copy: products go to their place at once. */
DPR__ONCE bool dpr__cpu_conv_is_bare(const dpr__cpu_conv *conv, const dpr__chain *chain);
/* Where those of some pixels belong. */
float *dpr__cpu_conv_place(const dpr__row *row, const dpr__values *values, int64_t pixel,
                           int64_t panel);
/* Packs the products of some pixels, runs the chain on them, and brings their sums as part `number`. */
void dpr__cpu_conv_close(const dpr__row *row, const dpr__values *values, float *scratch,
                         float *products, int64_t pixel, int64_t pixels, int64_t panel,
                         int64_t number);
/* 32 channels of diff_dst from a pixel on, in a gradient of filters; *row: floats from one pixel to the next. */
const float *dpr__cpu_conv_diff(const dpr__cpu_conv *conv, const dpr__values *values, int64_t pixel,
                                int64_t panel, int64_t *row);
/* Gradients of filters by products that take a by rows (filter_gradient_turned.c): whether these are; */
DPR__ONCE bool dpr__cpu_turned_fits(const dpr__row *row);
/* how wide the copy, and its pixels, are then; */
DPR__ONCE void dpr__cpu_turned_width(const dpr__row *row, dpr__cpu_conv *conv);
/* chooses them, and gives the floats of a chunk's sums; */
DPR__ONCE int64_t dpr__cpu_turned_choose(dpr__row *row, dpr__isa isa);
/* and says where in scratch all lies. */
DPR__ONCE void dpr__cpu_turned_place(dpr__row *row);
/* Whether lanes go over pixels of a row, not over channels (conv_pixels.c); how, and their rows of the copy and of the result. */
DPR__ONCE bool dpr__cpu_pixels_fit(const dpr__cpu_conv *conv);
DPR__ONCE dpr_status dpr__cpu_pixels_choose(dpr__cpu_plan *plan, dpr__row *row);
void dpr__cpu_pixels_planes(const dpr__cpu_conv *conv, int64_t rows, const float *copy,
                            float *planes);
void dpr__cpu_pixels_multiply(const dpr__row *row, const float *planes, const float *filters,
                              float *dst);
/* Whether what is 0 in diff is skipped, of a gradient whose map has so many channels (conv_sparse.c); how, in maps of `pitch` floats a row. */
DPR__ONCE bool dpr__cpu_sparse_fits(const dpr__step *step, const dpr__cpu_conv *conv,
                                    dpr_value diff, int64_t channels);
DPR__ONCE dpr_status dpr__cpu_sparse_choose(dpr__cpu_plan *plan, dpr__row *row, int64_t channels,
                                            int64_t pitch);
/* Filters of so many channels of diff, rows `filter_row` apart, as its vectors; and how many floats these are. */
void dpr__cpu_sparse_filters(const dpr__row *row, int64_t channels, const float *filters,
                             int64_t filter_row, float *vectors);
size_t dpr__cpu_sparse_floats(const dpr__row *row, int64_t channels);
/* Chunks of the filters' gradient. */
dpr__row_run dpr__cpu_sparse_gradient;
/* Floats of such a copy. */
size_t dpr__cpu_conv_copy_floats(const dpr__cpu_conv *conv, int64_t rows);
size_t dpr__cpu_conv_line_floats(const dpr__cpu_conv *conv);

/* Says which kernel was chosen, and why no better one. Returns its name. */
const char *dpr__cpu_chosen(const dpr__cpu_plan *plan, const char *name, const dpr__node *node);

/* ---- tiles of matrices, shared by products, gathers and chains ---- */

dpr__tile dpr__cpu_tile(const dpr__row *row, int64_t number);
/* Sets the tiles of a row whose chain is in panels; tile_rows is given. */
DPR__ONCE void dpr__cpu_cut_panels(dpr__row *row);

static inline int64_t dpr__ceil_divide(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* So many floats up to a whole line of the cache, where what follows in scratch begins. */
static inline size_t dpr__cpu_whole_lines(size_t floats) {
    return (floats + 15) / 16 * 16;
}

/* Panels of the channels of a convolution's result. */
static inline int64_t dpr__cpu_conv_panels(const dpr__cpu_conv *conv) {
    return dpr__ceil_divide(conv->oc, DPR__PANEL);
}

#endif
