/* Convolutions forward, and back to the data (whose filters were turned, pass/prepare.c). A tile is 32 channels of some rows of one image's result; what
 * these rows read is copied to scratch (conv_copy.c) for the first panel of them that a thread comes to, and stays there for the next. There neighbouring pixels are consecutive, so a row of filters, kw × c, is one run
 * of k, filters' rows are parts at equal distances, and products read pixels where they lie:
 *   dst[ow][oc] = Σ over kh of (kw·c numbers from pixel ow·stride on) · weights[kh][kw·c][oc]
 * Where a kernel makes sixteen rows at once (AMX), a tile may hold some small images, its rows are one run of pixels, and k goes tap by tap where a tap's pixels would cross lines of the cache. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

/* 32 channels of so many pixels of a row of the result. A row of taps is one run of k; or, of dilated filters, and of pixels whose k is not consecutive, as many as it has taps. */
static void multiply_pixels(const dpr__row *row, const float *copy, const float *filters,
                            int64_t panel, int64_t pixels, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    const bool takes_runs = row->tile->row_multiple > 0,
               whole = conv->dilation_w == 1 && conv->place == conv->depth;
    int64_t left = conv->oc - panel * DPR__PANEL;
    dpr__tile_call call = {.a_row = conv->stride_w * conv->place,
                           .a_chunk = row->chunk,
                           .parts = conv->kh,
                           .a_part = conv->dilation_h * conv->pitch,
                           .b_part = conv->kw * conv->depth * DPR__PANEL,
                           .runs = takes_runs && !whole ? conv->kw : 1,
                           .a_run = conv->dilation_w * conv->place,
                           .b_run = conv->depth * DPR__PANEL,
                           .m = pixels,
                           .reads_beyond = true,
                           .columns = left < DPR__PANEL ? left : DPR__PANEL,
                           .k = whole ? conv->kw * conv->depth : conv->depth,
                           .c = dst,
                           .c_stride = conv->row_floats};
    for (int64_t kw = 0; kw < (whole || takes_runs ? 1 : conv->kw); kw++) {
        call.a = copy + kw * call.a_run;
        call.b = filters + kw * call.b_run;
        call.add = kw > 0;
        row->tile->multiply(&call);
    }
}

/* Rows of the result one by one; or as one run, with sums of no meaning between them, which are brought together then. */
static void multiply_rows(const dpr__row *row, const float *copy, const float *filters,
                          int64_t panel, int64_t rows, float *run, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    const int64_t floats = conv->ow * conv->row_floats;
    if (conv->through == 0) {
        for (int64_t r = 0; r < rows; r++)
            multiply_pixels(row, copy + r * conv->stride_h * conv->pitch, filters, panel, conv->ow,
                            dst + r * floats);
        return;
    }
    multiply_pixels(row, copy, filters, panel, (rows - 1) * conv->through + conv->ow, run);
    for (int64_t r = 0; r < rows; r++)
        memcpy(dst + r * floats, run + r * conv->through * conv->row_floats,
               (size_t)floats * sizeof *dst);
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
    w.copy.pitch = w.copy.width * conv->place;
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
        dpr__tile_call call = {.a_row = conv->place,
                               .a_chunk = row->chunk,
                               .parts = n_kh,
                               .a_part = w->copy.pitch,
                               .b_part = conv->spread_h * row_of_taps,
                               .m = dpr__ceil_divide(conv->ow - ow, conv->spread_w),
                               .reads_beyond = true,
                               .columns = left < DPR__PANEL ? left : DPR__PANEL,
                               .k = conv->depth,
                               .c = dst + ow * conv->row_floats,
                               .c_stride = conv->spread_w * conv->row_floats};
        if (n_kh == 0 || first >= conv->kw) { /* zeros: a sum over nothing */
            call.a = copy, call.b = filters, call.k = 0;
            row->tile->multiply(&call);
        }
        if (row->tile->row_multiple > 0) {
            call.runs = dpr__ceil_divide(conv->kw - first, conv->spread_w);
            call.a_run = conv->place;
            call.b_run = conv->spread_w * conv->depth * DPR__PANEL;
        }
        for (int64_t kw = first; n_kh > 0 && kw < (call.runs > 0 ? first + 1 : conv->kw);
             kw += conv->spread_w) {
            int64_t x = (ow + kw - conv->pad_left) / conv->spread_w - w->x0;
            call.a = copy + y * w->copy.pitch + x * conv->place;
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

/* A tile: some rows of one image, or some images. */
struct tile {
    int64_t n, images, oh, rows;
    struct window window;
};

static struct tile tile_of(const dpr__cpu_conv *conv, int64_t block) {
    int64_t down = dpr__ceil_divide(conv->oh, conv->tile_h);
    struct tile tile = {.n = block / down * conv->images, .oh = block % down * conv->tile_h};
    int64_t images = conv->n - tile.n, rows = conv->oh - tile.oh;
    tile.images = images < conv->images ? images : conv->images;
    tile.rows = rows < conv->tile_h ? rows : conv->tile_h;
    tile.window = window_of(conv, tile.oh, tile.rows);
    return tile;
}

static void copy_image(const dpr__row *row, const dpr__values *values, const struct tile *tile,
                       int64_t image, float *scratch, float *copy) {
    const dpr__cpu_conv *conv = &row->conv;
    const struct window *w = &tile->window;
    const float *src = values->memory[conv->src];
    float *line = scratch + conv->line_at;
    if (is_spread(conv))
        dpr__cpu_conv_copy(&w->copy, values->step, src, image, w->y0, w->rows, 0, line, copy);
    else
        dpr__cpu_conv_copy(conv, values->step, src, image, tile->oh, tile->rows, 0, line, copy);
    if (row->pixels != NULL)
        dpr__cpu_pixels_planes(conv, tile->rows, copy, scratch + conv->planes_at);
}

static void multiply_image(const dpr__row *row, const struct tile *tile, const float *copy,
                           const float *filters, int64_t panel, float *scratch, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    const int64_t floats = conv->ow * conv->row_floats;
    if (is_spread(conv)) {
        for (int64_t r = 0; r < tile->rows; r++)
            multiply_spread_row(row, &tile->window, copy, filters, panel, tile->oh + r,
                                dst + r * floats);
        return;
    }
    if (row->pixels == NULL) {
        multiply_rows(row, copy, filters, panel, tile->rows, scratch + conv->run_at, dst);
        return;
    }
    for (int64_t r = 0; r < tile->rows; r++)
        dpr__cpu_pixels_multiply(row, scratch + conv->planes_at + r * conv->stride_h * conv->pitch,
                                 filters, dst + r * floats);
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    const int64_t panels = dpr__cpu_conv_panels(conv),
                  copied = (int64_t)dpr__cpu_conv_copy_floats(conv, conv->tile_h);
    int64_t in_copy = -1;
    float *copy = scratch + conv->copy_at;
    for (int64_t t = first; t < last; t++) {
        int64_t block = t / panels, panel = t % panels;
        struct tile tile = tile_of(conv, block);
        for (int64_t i = 0; block != in_copy && i < tile.images; i++)
            copy_image(row, values, &tile, tile.n + i, scratch, copy + i * copied);
        in_copy = block;
        const float *filters = dpr__cpu_conv_filters(
            conv, values, conv->kh * conv->kw * conv->depth, panel, scratch + conv->filters_at);
        int64_t pixel = (tile.n * conv->oh + tile.oh) * conv->ow, pixels = tile.rows * conv->ow;
        float *dst =
            row->bare ? dpr__cpu_conv_place(row, values, pixel, panel) : scratch + row->tile_at;
        for (int64_t i = 0; i < tile.images; i++)
            multiply_image(row, &tile, copy + i * copied, filters, panel, scratch,
                           dst + i * pixels * conv->row_floats);
        dpr__cpu_conv_close(row, values, scratch, dst, pixel, tile.images * pixels, panel, block);
    }
}

/* ---- compiling ---- */

/* Multiply-adds of a result's pixel and channel, twice: without the zeros between pixels. */
static uint64_t flops_of(const dpr__cpu_conv *conv) {
    uint64_t taps = (uint64_t)(conv->kh * conv->kw * conv->c);
    return is_spread(conv) ? 2 * taps / (uint64_t)(conv->spread_h * conv->spread_w) : 2 * taps;
}

/* ---- for kernels that make sixteen rows at once ---- */

/* So that no pixel's k crosses a line of the cache; but for the fewest channels, where that would take half as many products again. */
static void pad_pixels(dpr__row *row) {
    dpr__cpu_conv *conv = &row->conv;
    if (conv->depth % row->chunk == 0 || conv->depth <= row->chunk / 2)
        return;
    conv->place = dpr__ceil_divide(conv->depth, row->chunk) * row->chunk;
    conv->channels = 2 * conv->place;
    conv->pitch = conv->width * conv->place;
}

/* A narrow map's rows in one run, where that wastes fewer rows of products. */
static void run_through(dpr__row *row) {
    dpr__cpu_conv *conv = &row->conv;
    const int64_t at_once = row->tile->row_multiple;
    int64_t width = dpr__ceil_divide(conv->width, conv->stride_w) * conv->stride_w,
            through = conv->stride_h * width / conv->stride_w;
    if (!is_spread(conv) && dpr__ceil_divide((conv->tile_h - 1) * through + conv->ow, at_once) <
                                conv->tile_h * dpr__ceil_divide(conv->ow, at_once)) {
        conv->through = through;
        conv->width = width;
        conv->pitch = width * conv->place;
    }
}

/* Small images together, so that filters are read less often. */
static void take_images(dpr__row *row) {
    enum { TILE_PIXELS = 128, LEAST_TILES = 16 };
    dpr__cpu_conv *conv = &row->conv;
    if (row->pooling == NULL)
        conv->images = dpr__cpu_conv_images(conv, TILE_PIXELS / (conv->oh * conv->ow));
    while (conv->images > 1 &&
           dpr__ceil_divide(conv->n, conv->images) * dpr__cpu_conv_panels(conv) < LEAST_TILES)
        conv->images--;
}

static void fill_tiles(dpr__row *row) {
    dpr__cpu_conv *conv = &row->conv;
    conv->images = 1;
    if (row->tile->row_multiple == 0 || conv->oh * conv->ow == 0)
        return;
    pad_pixels(row);
    run_through(row);
    take_images(row);
}

dpr_status dpr__cpu_compile_convolution(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                        bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value value = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, value);
    dpr__cpu_conv *conv = &row->conv;
    dpr__cpu_conv_geometry(step, value, conv);
    dpr__cpu_conv_take_pooling(row, step, group);
    const dpr__kernel *kernel = dpr__cpu_conv_take_kernels(row, step, node);
    conv->tile_h = dpr__cpu_conv_tile_rows(conv, row->tile);
    fill_tiles(row);
    int64_t pixels = conv->images * conv->tile_h * conv->ow;
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, value, pixels, &row->chain, supported));
    dpr__cpu_conv_set_rows(conv, &row->chain);
    if (!row->halves && dpr__cpu_pixels_fit(conv))
        DPR_TRY(dpr__cpu_pixels_choose(plan, row));
    row->bare = dpr__cpu_conv_is_bare(conv, &row->chain);
    row->run = run;
    row->kernel = dpr__cpu_chosen(plan, row->pixels != NULL ? row->kernel : kernel->name, node);
    int64_t blocks =
        dpr__ceil_divide(conv->n, conv->images) * dpr__ceil_divide(conv->oh, conv->tile_h);
    row->n_tiles = blocks * dpr__cpu_conv_panels(conv);
    dpr__cpu_finish_sums(row, blocks);
    row->flops =
        row->chain.flops + (uint64_t)(conv->n * conv->oh * conv->ow * conv->oc) * flops_of(conv);
    row->bytes = row->chain.bytes + dpr__value_bytes(step, conv->src) +
                 dpr__value_bytes(step, conv->weights);
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    conv->copy_at = row->tile_at + (size_t)pixels * DPR__PANEL;
    size_t copied = (size_t)conv->images * dpr__cpu_conv_copy_floats(conv, conv->tile_h) +
                    (size_t)(row->tile->row_multiple * conv->stride_w * conv->place);
    conv->planes_at = conv->copy_at + (conv->c > 1 && row->pixels != NULL ? copied : 0);
    conv->line_at = conv->planes_at + copied + (row->pixels != NULL ? DPR__PIXELS_BEYOND : 0);
    conv->filters_at = dpr__cpu_whole_lines(conv->line_at + dpr__cpu_conv_line_floats(conv));
    conv->run_at = conv->filters_at;
    if (step->forms[conv->weights] == DPR__PLAIN)
        conv->run_at += (size_t)(conv->kh * conv->kw * conv->depth * DPR__PANEL);
    row->scratch_floats = conv->run_at;
    if (conv->through > 0)
        row->scratch_floats += (size_t)((conv->tile_h * conv->through) * DPR__PANEL);
    return DPR_OK;
}
