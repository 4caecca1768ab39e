/* Depthwise convolutions and their gradients: each channel has a filter of its own, so lanes are channels, and no matrix is multiplied.
 *   dst[n][oh][ow][c] = Σ over kh, kw of src[n][oh·stride + kh − pad][ow·stride + kw − pad][c] · weights[kh][kw][c]
 * Maps are read where they lie. What of the filter a result meets, on which pixels, depends on its row and on its column alone; so rows have a table, and columns another, in
 * which neighbours that meet the same taps are a run. Back to the data the filter is read in reverse, and pixels stand a stride apart (dpr__cpu_conv_geometry): then every stride-th result
 * of a row is in a run, with those of the taps that fall on pixels. The filters' gradient sums chunks of images apart, and adds them in their order. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum {
    TILE_PIXELS = 128, /* of the result: 16 KB of 32 channels */
    EVEN = 4,          /* pixels: of the narrowest maps 32 floats */
    LANES = 16,        /* of the widest vector */
};

/* ---- which taps meet which pixels ---- */

struct axis {
    int64_t extent, results, kernel;
    int64_t stride, dilation, pad, spread;
    bool reversed; /* the filter */
};

/* What one result meets: of taps that fall on pixels of the map every so many, in both. */
static dpr__cpu_run taps_of(const struct axis *axis, int64_t result) {
    dpr__cpu_run run = {.first = result, .step = axis->spread, .n = 1, .advance = axis->stride};
    for (int64_t k = 0; k < axis->kernel; k++) {
        int64_t place = result * axis->stride + k * axis->dilation - axis->pad;
        int64_t at = place / axis->spread;
        if (place < 0 || place % axis->spread != 0 || at >= axis->extent)
            continue;
        if (run.taps == 0) {
            run.tap = k;
            run.at = at;
        } else if (run.taps == 1) {
            run.tap_step = k - run.tap;
            run.tap_advance = at - run.at;
        }
        run.taps++;
    }
    if (axis->reversed) {
        run.tap = axis->kernel - 1 - run.tap;
        run.tap_step = -run.tap_step;
    }
    return run;
}

static bool goes_on(const dpr__cpu_run *run, const dpr__cpu_run *next) {
    return run->tap == next->tap && run->taps == next->taps && run->tap_step == next->tap_step &&
           run->at + run->n * run->advance == next->at;
}

/* The runs of an axis; returns how many. */
static int64_t find_runs(const struct axis *axis, dpr__cpu_run *runs) {
    int64_t n = 0;
    for (int64_t phase = 0; phase < axis->spread; phase++)
        for (int64_t result = phase; result < axis->results; result += axis->spread) {
            dpr__cpu_run next = taps_of(axis, result);
            if (result > phase && goes_on(&runs[n - 1], &next))
                runs[n - 1].n++;
            else
                runs[n++] = next;
        }
    return n;
}

/* Both tables. */
static dpr_status make_tables(dpr__cpu_plan *plan, dpr__cpu_conv *conv, bool reversed) {
    const struct axis down = {conv->h,          conv->oh,      conv->kh,       conv->stride_h,
                              conv->dilation_h, conv->pad_top, conv->spread_h, reversed};
    const struct axis across = {conv->w,          conv->ow,       conv->kw,       conv->stride_w,
                                conv->dilation_w, conv->pad_left, conv->spread_w, reversed};
    conv->down = dpr__arena_allocate(&plan->arena, (size_t)(conv->oh + 1) * sizeof *conv->down);
    conv->across = dpr__arena_allocate(&plan->arena, (size_t)(conv->ow + 1) * sizeof *conv->across);
    if (conv->down == NULL || conv->across == NULL)
        return DPR_E_MEMORY;
    for (int64_t oh = 0; oh < conv->oh; oh++)
        conv->down[oh] = taps_of(&down, oh);
    conv->n_across = find_runs(&across, conv->across);
    return DPR_OK;
}

/* ---- running ---- */

/* 32 channels of a map: where they begin, from one pixel to the next, and how many lanes there are. */
struct view {
    float *at;
    int64_t pixel, lanes;
};

static struct view view_of(const dpr__values *values, dpr_value map, int64_t panel) {
    const dpr__step *step = values->step;
    const dpr_shape *shape = &dpr__node_of(step->graph, map)->shape;
    int64_t row = dpr__form_row(step->forms[map], shape), at = panel * DPR__PANEL;
    if (step->forms[map] == DPR__PANELS)
        return (struct view){(float *)values->memory[map] + at * dpr__rows_of(shape), row, row};
    return (struct view){(float *)values->memory[map] + at, row,
                         row - at < DPR__PANEL ? row - at : DPR__PANEL};
}

/* Lanes that are computed: whole vectors where two maps have them. */
static int64_t lanes_of(const dpr__cpu_conv *conv, int64_t panel, int64_t a, int64_t b) {
    int64_t left = dpr__ceil_divide(conv->oc - panel * DPR__PANEL, LANES) * LANES;
    int64_t least = a < b ? a : b;
    return left < least ? left : least;
}

/* What a run of row oh of an image reads, the image's pixels being at src. */
static dpr__depthwise_call call_of(const dpr__cpu_conv *conv, const struct view *src,
                                   const float *image, const dpr__cpu_run *down,
                                   const dpr__cpu_run *across) {
    return (dpr__depthwise_call){
        .src = image + (down->at * conv->w + across->at) * src->pixel,
        .src_step = across->advance * src->pixel,
        .src_row = down->tap_advance * conv->w * src->pixel,
        .src_tap = across->tap_advance * src->pixel,
        .filter_row = down->tap_step * conv->kw * DPR__PANEL,
        .filter_tap = across->tap_step * DPR__PANEL,
        .n = across->n,
        .rows = down->taps,
        .taps = across->taps,
    };
}

static int64_t filter_at(const dpr__cpu_conv *conv, const dpr__cpu_run *down,
                         const dpr__cpu_run *across) {
    return (down->tap * conv->kw + across->tap) * DPR__PANEL;
}

/* Row `line` of all images' rows. */
static void convolve_line(const dpr__row *row, const struct view *src, const float *filters,
                          int64_t line, int64_t lanes, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    const dpr__cpu_run *down = &conv->down[line % conv->oh];
    const float *image = src->at + line / conv->oh * conv->h * conv->w * src->pixel;
    for (int64_t r = 0; r < conv->n_across; r++) {
        const dpr__cpu_run *across = &conv->across[r];
        dpr__depthwise_call call = call_of(conv, src, image, down, across);
        call.dst_step = across->step * conv->row_floats;
        call.lanes = lanes;
        row->depthwise->forward(&call, filters + filter_at(conv, down, across),
                                dst + across->first * conv->row_floats);
    }
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t lines = conv->n * conv->oh, blocks = dpr__ceil_divide(lines, conv->tile_h);
    for (int64_t t = first; t < last; t++) {
        int64_t panel = t / blocks, block = t % blocks, line = block * conv->tile_h;
        int64_t rows = lines - line < conv->tile_h ? lines - line : conv->tile_h;
        struct view src = view_of(values, conv->src, panel);
        int64_t lanes = lanes_of(conv, panel, src.lanes, conv->row_floats);
        const float *filters = dpr__cpu_conv_filters(conv, values, conv->kh * conv->kw, panel,
                                                     scratch + conv->filters_at);
        float *dst = row->bare ? dpr__cpu_conv_place(row, values, line * conv->ow, panel)
                               : scratch + row->tile_at;
        for (int64_t i = 0; i < rows; i++)
            convolve_line(row, &src, filters, line + i, lanes,
                          dst + i * conv->ow * conv->row_floats);
        dpr__cpu_conv_close(row, values, scratch, dst, line * conv->ow, rows * conv->ow, panel,
                            block);
    }
}

/* ---- the filters' gradient ---- */

static int64_t filter_floats(const dpr__cpu_conv *conv) {
    return conv->kh * conv->kw * DPR__PANEL;
}

static void sum_image(const dpr__row *row, const struct view *src, const struct view *diff,
                      int64_t n, int64_t lanes, float *sums) {
    const dpr__cpu_conv *conv = &row->conv;
    const float *image = src->at + n * conv->h * conv->w * src->pixel;
    for (int64_t oh = 0; oh < conv->oh; oh++)
        for (int64_t r = 0; r < conv->n_across; r++) {
            const dpr__cpu_run *down = &conv->down[oh], *across = &conv->across[r];
            dpr__depthwise_call call = call_of(conv, src, image, down, across);
            call.dst_step = diff->pixel;
            call.lanes = lanes;
            row->depthwise->filters(
                &call, diff->at + ((n * conv->oh + oh) * conv->ow + across->first) * diff->pixel,
                sums + filter_at(conv, down, across));
        }
}

static void run_filters(const dpr__row *row, const dpr__values *values, float *scratch,
                        int64_t first, int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    (void)scratch;
    for (int64_t t = first; t < last; t++) {
        int64_t panel = t / conv->chunks, chunk = t % conv->chunks;
        struct view src = view_of(values, conv->src, panel);
        struct view diff = view_of(values, conv->dst, panel);
        int64_t lanes = lanes_of(conv, panel, src.lanes, diff.lanes);
        float *sums = row->partial + t * filter_floats(conv);
        memset(sums, 0, (size_t)filter_floats(conv) * sizeof *sums);
        for (int64_t n = conv->n * chunk / conv->chunks; n < conv->n * (chunk + 1) / conv->chunks;
             n++)
            sum_image(row, &src, &diff, n, lanes, sums);
    }
}

/* Adds the chunks of a panel, and runs the chain on the sums. */
static void finish_filters(const dpr__row *row, const dpr__values *values, float *scratch,
                           int64_t first, int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    float *sum = scratch + row->tile_at;
    for (int64_t panel = first; panel < last; panel++) {
        const float *part = row->partial + panel * conv->chunks * filter_floats(conv);
        memcpy(sum, part, (size_t)filter_floats(conv) * sizeof *sum);
        for (int64_t chunk = 1; chunk < conv->chunks; chunk++) {
            part += filter_floats(conv);
            for (int64_t i = 0; i < filter_floats(conv); i++)
                sum[i] += part[i];
        }
        dpr__chain_run(&row->chain, values, scratch, sum, 0, conv->kh * conv->kw, panel);
    }
}

/* ---- compiling ---- */

/* What both have in common. */
static dpr_status begin(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row) {
    const dpr__step *step = plan->values.step;
    dpr_value value = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, value);
    const dpr__kernel *kernel =
        dpr__kernel_find(DPR__DEPTHWISE, DPR__OP_conv2d, DPR_F32, step->context->isa);
    dpr__cpu_conv_geometry(step, value, &row->conv);
    row->depthwise = kernel->run.depthwise;
    row->kernel = dpr__cpu_chosen(plan, kernel->name, node);
    return make_tables(plan, &row->conv, node->op == DPR__OP_conv2d_data);
}

static uint64_t flops_of(const dpr__cpu_conv *conv) {
    int64_t pixels = conv->n * conv->oh * conv->ow * conv->oc;
    return 2U * (uint64_t)(pixels * conv->kh * conv->kw / (conv->spread_h * conv->spread_w));
}

/* Rows of whatever images: as many as make a tile, but some tiles for each thread of a small machine. */
static int64_t rows_of_tile(const dpr__cpu_conv *conv) {
    int64_t lines = conv->n * conv->oh, rows = TILE_PIXELS / (conv->ow > 0 ? conv->ow : 1);
    rows = rows < 1 ? 1 : rows;
    while (rows > 1 && dpr__ceil_divide(lines, rows) * dpr__cpu_conv_panels(conv) < EVEN)
        rows = dpr__ceil_divide(rows, 2);
    while (rows * conv->ow % EVEN != 0)
        rows++;
    return rows < lines ? rows : lines;
}

dpr_status dpr__cpu_compile_depthwise(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                      bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr__cpu_conv *conv = &row->conv;
    DPR_TRY(begin(plan, group, row));
    conv->tile_h = rows_of_tile(conv);
    int64_t pixels = conv->tile_h * conv->ow;
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, step->members[group->first], pixels,
                               &row->chain, supported));
    conv->row_floats = row->chain.row_floats;
    row->bare = dpr__cpu_conv_is_bare(conv, &row->chain);
    row->run = run;
    int64_t blocks = conv->tile_h > 0 ? dpr__ceil_divide(conv->n * conv->oh, conv->tile_h) : 0;
    row->n_tiles = blocks * dpr__cpu_conv_panels(conv);
    dpr__cpu_finish_sums(row, blocks);
    row->flops = row->chain.flops + flops_of(conv);
    row->bytes = row->chain.bytes + dpr__value_bytes(step, conv->src) +
                 dpr__value_bytes(step, conv->weights);
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    conv->filters_at = row->tile_at + (size_t)pixels * DPR__PANEL;
    row->scratch_floats = conv->filters_at + (size_t)filter_floats(conv);
    return DPR_OK;
}

dpr_status dpr__cpu_compile_depthwise_filters(dpr__cpu_plan *plan, const dpr__group *group,
                                              dpr__row *row, bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr__cpu_conv *conv = &row->conv;
    DPR_TRY(begin(plan, group, row));
    int64_t panels = dpr__cpu_conv_panels(conv);
    conv->chunks = dpr__cpu_conv_chunks(conv, panels, panels * filter_floats(conv));
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, step->members[group->first],
                               conv->kh * conv->kw, &row->chain, supported));
    row->partial_floats = (size_t)(panels * conv->chunks * filter_floats(conv));
    row->run = run_filters;
    row->finish = finish_filters;
    row->n_finish = panels;
    row->n_tiles = panels * conv->chunks;
    row->flops = row->chain.flops + flops_of(conv);
    row->bytes =
        row->chain.bytes + dpr__value_bytes(step, conv->src) + dpr__value_bytes(step, conv->dst);
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    row->scratch_floats = row->tile_at + (size_t)filter_floats(conv);
    return DPR_OK;
}
