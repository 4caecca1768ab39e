/* Convolutions forward, and back to the data (whose filters were turned, pass/prepare.c). A tile is 32 channels of some rows of one image's result; what
 * these rows read is copied to scratch (conv_copy.c) for the first panel of them that a thread comes to, and stays there for the next. There neighbouring pixels are consecutive, so a row of filters, kw × c, is one run
 * of k, filters' rows are parts at equal distances, and products read pixels where they lie:
 *   dst[ow][oc] = Σ over kh of (kw·c numbers from pixel ow·stride on) · weights[kh][kw·c][oc] */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

/* One row of the result, 32 channels. Dilated filters are a run of k for each of their columns. */
static void multiply_row(const dpr__row *row, const float *copy, const float *filters,
                         int64_t panel, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    bool whole = conv->dilation_w == 1;
    int64_t run = whole ? conv->kw * conv->depth : conv->depth,
            left = conv->oc - panel * DPR__PANEL;
    dpr__tile_call call = {.a_row = conv->stride_w * conv->depth,
                           .a_chunk = row->chunk,
                           .parts = conv->kh,
                           .a_part = conv->dilation_h * conv->pitch,
                           .b_part = conv->kw * conv->depth * DPR__PANEL,
                           .m = conv->ow,
                           .columns = left < DPR__PANEL ? left : DPR__PANEL,
                           .k = run,
                           .c = dst,
                           .c_stride = conv->row_floats};
    for (int64_t kw = 0; kw < (whole ? 1 : conv->kw); kw++) {
        call.a = copy + kw * conv->dilation_w * conv->depth;
        call.b = filters + kw * conv->depth * DPR__PANEL;
        call.add = kw > 0;
        row->tile->multiply(&call);
    }
}

/* ---- back to the data of a convolution with a stride ----
 * Between the pixels of diff_dst stand spread − 1 zeros, which are not multiplied: of the filters' taps a pixel of the result meets those that fall on pixels, the
 * same for every spread-th pixel of a row. */

static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* The first tap that falls on a pixel, seen from place `at` of the spread line. */
static int64_t first_tap(int64_t at, int64_t spread) {
    return -at - floor_divide(-at, spread) * spread;
}

/* Rows y0 … of the map, columns from x0 on, pixel beside pixel: what `rows` rows of the result from oh on read. */
struct window {
    dpr__cpu_conv copy;
    int64_t y0, x0, rows;
};

static struct window window_of(const dpr__cpu_conv *conv, int64_t oh, int64_t rows) {
    struct window w = {.copy = *conv};
    w.y0 = floor_divide(oh - conv->pad_top, conv->spread_h);
    w.x0 = floor_divide(-conv->pad_left, conv->spread_w);
    w.rows = floor_divide(oh + rows + conv->kh - 2 - conv->pad_top, conv->spread_h) - w.y0 + 1;
    w.copy.width =
        floor_divide(conv->ow + conv->kw - 2 - conv->pad_left, conv->spread_w) - w.x0 + 1;
    w.copy.pitch = w.copy.width * conv->depth;
    w.copy.kh = w.copy.kw = w.copy.spread_h = w.copy.spread_w = 1;
    w.copy.pad_top = 0;
    w.copy.pad_left = -w.x0;
    return w;
}

static void multiply_spread_row(const dpr__row *row, const struct window *w, const float *copy,
                                const float *filters, int64_t panel, int64_t oh, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t left = conv->oc - panel * DPR__PANEL, row_of_taps = conv->kw * conv->depth * DPR__PANEL;
    int64_t kh = first_tap(oh - conv->pad_top, conv->spread_h);
    int64_t y = (oh + kh - conv->pad_top) / conv->spread_h - w->y0;
    int64_t n_kh = kh < conv->kh ? dpr__ceil_divide(conv->kh - kh, conv->spread_h) : 0;
    for (int64_t ow = 0; ow < conv->spread_w && ow < conv->ow; ow++) {
        int64_t first = first_tap(ow - conv->pad_left, conv->spread_w);
        dpr__tile_call call = {.a_row = conv->depth,
                               .a_chunk = row->chunk,
                               .parts = n_kh,
                               .a_part = w->copy.pitch,
                               .b_part = conv->spread_h * row_of_taps,
                               .m = dpr__ceil_divide(conv->ow - ow, conv->spread_w),
                               .columns = left < DPR__PANEL ? left : DPR__PANEL,
                               .k = conv->depth,
                               .c = dst + ow * conv->row_floats,
                               .c_stride = conv->spread_w * conv->row_floats};
        if (n_kh == 0 || first >= conv->kw) { /* zeros: a sum over nothing */
            call.a = copy, call.b = filters, call.k = 0;
            row->tile->multiply(&call);
        }
        for (int64_t kw = first; n_kh > 0 && kw < conv->kw; kw += conv->spread_w) {
            int64_t x = (ow + kw - conv->pad_left) / conv->spread_w - w->x0;
            call.a = copy + y * w->copy.pitch + x * conv->depth;
            call.b = filters + kh * row_of_taps + kw * conv->depth * DPR__PANEL;
            call.add = kw > first;
            row->tile->multiply(&call);
        }
    }
}

static bool is_spread(const dpr__cpu_conv *conv) {
    return (conv->spread_h > 1 || conv->spread_w > 1) && conv->dilation_h == 1 &&
           conv->dilation_w == 1;
}

/* ---- running ---- */

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    const float *src = values->memory[conv->src];
    int64_t down = dpr__ceil_divide(conv->oh, conv->tile_h), copied = -1;
    float *copy = scratch + conv->copy_at, *planes = scratch + conv->planes_at,
          *tile = scratch + row->tile_at, *line = scratch + conv->line_at;
    const bool spread = is_spread(conv);
    for (int64_t t = first; t < last; t++) {
        int64_t block = t / dpr__cpu_conv_panels(conv), panel = t % dpr__cpu_conv_panels(conv);
        int64_t n = block / down, oh = block % down * conv->tile_h;
        int64_t rows = conv->oh - oh < conv->tile_h ? conv->oh - oh : conv->tile_h;
        struct window w = window_of(conv, oh, rows);
        if (block != copied && spread)
            dpr__cpu_conv_copy(&w.copy, values->step, src, n, w.y0, w.rows, 0, line, copy);
        else if (block != copied)
            dpr__cpu_conv_copy(conv, values->step, src, n, oh, rows, 0, line, copy);
        if (block != copied && row->pixels != NULL)
            dpr__cpu_pixels_planes(conv, rows, copy, planes);
        copied = block;
        const float *filters = dpr__cpu_conv_filters(
            conv, values, conv->kh * conv->kw * conv->depth, panel, scratch + conv->filters_at);
        int64_t pixel = (n * conv->oh + oh) * conv->ow;
        float *dst = row->bare ? dpr__cpu_conv_place(row, values, pixel, panel) : tile;
        for (int64_t r = 0; r < rows; r++)
            if (spread)
                multiply_spread_row(row, &w, copy, filters, panel, oh + r,
                                    dst + r * conv->ow * conv->row_floats);
            else if (row->pixels != NULL)
                dpr__cpu_pixels_multiply(row, planes + r * conv->stride_h * conv->pitch, filters,
                                         dst + r * conv->ow * conv->row_floats);
            else
                multiply_row(row, copy + r * conv->stride_h * conv->pitch, filters, panel,
                             dst + r * conv->ow * conv->row_floats);
        dpr__cpu_conv_close(row, values, scratch, dst, pixel, rows * conv->ow, panel, block);
    }
}

/* Multiply-adds of a result's pixel and channel, twice: without the zeros between pixels. */
static uint64_t flops_of(const dpr__cpu_conv *conv) {
    uint64_t taps = (uint64_t)(conv->kh * conv->kw * conv->c);
    return is_spread(conv) ? 2 * taps / (uint64_t)(conv->spread_h * conv->spread_w) : 2 * taps;
}

dpr_status dpr__cpu_compile_convolution(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                        bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value value = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, value);
    dpr__cpu_conv *conv = &row->conv;
    dpr__cpu_conv_geometry(step, value, conv);
    dpr__cpu_conv_take_pooling(row, step, group);
    conv->tile_h = dpr__cpu_conv_tile_rows(conv);
    int64_t pixels = conv->tile_h * conv->ow;
    const dpr__kernel *kernel = dpr__cpu_conv_take_kernels(row, step, node);
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, value, pixels, &row->chain, supported));
    dpr__cpu_conv_set_rows(conv, &row->chain);
    if (!row->halves && dpr__cpu_pixels_fit(conv))
        DPR_TRY(dpr__cpu_pixels_choose(plan, row));
    row->bare = dpr__cpu_conv_is_bare(conv, &row->chain);
    row->run = run;
    row->kernel = dpr__cpu_chosen(plan, row->pixels != NULL ? row->kernel : kernel->name, node);
    int64_t blocks = conv->n * dpr__ceil_divide(conv->oh, conv->tile_h);
    row->n_tiles = blocks * dpr__cpu_conv_panels(conv);
    dpr__cpu_finish_sums(row, blocks);
    row->flops =
        row->chain.flops + (uint64_t)(conv->n * conv->oh * conv->ow * conv->oc) * flops_of(conv);
    row->bytes = row->chain.bytes + dpr__value_bytes(step, conv->src) +
                 dpr__value_bytes(step, conv->weights);
    row->tile_at = (row->chain.scratch_floats + 15) / 16 * 16;
    conv->copy_at = row->tile_at + (size_t)pixels * DPR__PANEL;
    size_t copied = dpr__cpu_conv_copy_floats(conv, conv->tile_h);
    conv->planes_at = conv->copy_at + (conv->c > 1 && row->pixels != NULL ? copied : 0);
    conv->line_at = conv->planes_at + copied + (row->pixels != NULL ? DPR__PIXELS_BEYOND : 0);
    conv->filters_at = conv->line_at + dpr__cpu_conv_line_floats(conv);
    row->scratch_floats = conv->filters_at;
    if (step->forms[conv->weights] == DPR__PLAIN)
        row->scratch_floats += (size_t)(conv->kh * conv->kw * conv->depth * DPR__PANEL);
    return DPR_OK;
}
