/* Convolutions in groups, and back to the data and the filters: each group is a convolution of its own, whose rows are products as in
 * convolution.c and filter_gradient.c. Channels of one group are copied beside each other (conv_copy.c). Results come in pieces: of one group, and of one panel,
 * since chains run on panels. A piece that would not end where whole vectors end is computed beside its place, and then put there. What has one channel in each group
 * on both sides is depthwise.c's. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum { VECTOR = 16 }; /* floats of the widest */

/* Channels first … first + n − 1 of the result, the group's from number `within` on, and of its panel from `lane` on. */
struct piece {
    int64_t first, n, group, within, lane;
};

/* The piece that begins with a channel. Filters' gradients hold each group in panels of its own: neither may a piece cross those. */
static struct piece piece_at(const dpr__cpu_conv *conv, int64_t channel) {
    int64_t each = conv->oc / conv->groups;
    struct piece piece = {.first = channel,
                          .group = channel / each,
                          .within = channel % each,
                          .lane = channel % DPR__PANEL};
    piece.n = each - piece.within;
    if (piece.n > DPR__PANEL - piece.lane)
        piece.n = DPR__PANEL - piece.lane;
    if (piece.n > DPR__PANEL - piece.within % DPR__PANEL)
        piece.n = DPR__PANEL - piece.within % DPR__PANEL;
    return piece;
}

static int64_t panel_end(const dpr__cpu_conv *conv, int64_t panel) {
    int64_t end = (panel + 1) * DPR__PANEL;
    return end < conv->oc ? end : conv->oc;
}

/* Rows of numbers, from lanes to lanes. */
static void copy_lanes(const float *src, int64_t src_row, float *dst, int64_t dst_row, int64_t rows,
                       int64_t n) {
    for (int64_t i = 0; i < rows; i++)
        memcpy(dst + i * dst_row, src + i * src_row, (size_t)n * sizeof *dst);
}

/* Whether vectors that begin with the piece end in its row of so many floats. What they write beyond the piece, the next one corrects. */
static bool fits(const struct piece *piece, int64_t row_floats) {
    return piece->lane + dpr__ceil_divide(piece->n, VECTOR) * VECTOR <= row_floats;
}

static int64_t filter_rows(const dpr__cpu_conv *conv) {
    return conv->kh * conv->kw * conv->channels;
}

/* ---- forward, and back to the data: filters are turned (pass/prepare.c) ---- */

/* One row of a piece; filters and results at its first lane. */
static void multiply_row(const dpr__row *row, const float *copy, const float *filters, int64_t n,
                         float *dst, int64_t dst_row) {
    const dpr__cpu_conv *conv = &row->conv;
    bool whole = conv->dilation_w == 1;
    dpr__tile_call call = {.a_row = conv->stride_w * conv->channels,
                           .a_chunk = row->chunk,
                           .parts = conv->kh,
                           .a_part = conv->dilation_h * conv->pitch,
                           .b_part = conv->kw * conv->channels * DPR__PANEL,
                           .m = conv->ow,
                           .columns = n,
                           .k = whole ? conv->kw * conv->channels : conv->channels,
                           .c = dst,
                           .c_stride = dst_row};
    for (int64_t kw = 0; kw < (whole ? 1 : conv->kw); kw++) {
        call.a = copy + kw * conv->dilation_w * conv->channels;
        call.b = filters + kw * conv->channels * DPR__PANEL;
        call.add = kw > 0;
        row->tile->multiply(&call);
    }
}

/* Some rows of an image's result, and the copy of what they read. */
struct block {
    int64_t n, oh, rows;
    const float *copy;
};

static void multiply_piece(const dpr__row *row, const struct block *block,
                           const struct piece *piece, const float *filters, float *scratch,
                           float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    bool placed = fits(piece, conv->row_floats);
    int64_t pixels = block->rows * conv->ow, to_row = placed ? conv->row_floats : DPR__PANEL;
    float *to = placed ? dst + piece->lane : scratch + conv->stage_at;
    float *shifted = scratch + conv->filters_at + filter_rows(conv) * DPR__PANEL;
    if (fits(piece, DPR__PANEL))
        filters += piece->lane;
    else {
        copy_lanes(filters + piece->lane, DPR__PANEL, shifted, DPR__PANEL, filter_rows(conv),
                   piece->n);
        filters = shifted;
    }
    for (int64_t r = 0; r < block->rows; r++)
        multiply_row(row, block->copy + r * conv->stride_h * conv->pitch, filters, piece->n,
                     to + r * conv->ow * to_row, to_row);
    if (!placed)
        copy_lanes(to, to_row, dst + piece->lane, conv->row_floats, pixels, piece->n);
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    const float *src = values->memory[conv->src];
    int64_t down = dpr__ceil_divide(conv->oh, conv->tile_h), panels = dpr__cpu_conv_panels(conv);
    int64_t copied = -1; /* block and group */
    float *copy = scratch + conv->copy_at;
    for (int64_t t = first; t < last; t++) {
        int64_t number = t / panels, panel = t % panels;
        struct block block = {.n = number / down, .oh = number % down * conv->tile_h, .copy = copy};
        block.rows = conv->oh - block.oh < conv->tile_h ? conv->oh - block.oh : conv->tile_h;
        int64_t pixel = (block.n * conv->oh + block.oh) * conv->ow;
        const float *filters = dpr__cpu_conv_filters(conv, values, filter_rows(conv), panel,
                                                     scratch + conv->filters_at);
        float *dst =
            row->bare ? dpr__cpu_conv_place(row, values, pixel, panel) : scratch + row->tile_at;
        struct piece piece;
        for (int64_t c = panel * DPR__PANEL; c < panel_end(conv, panel); c += piece.n) {
            piece = piece_at(conv, c);
            if (copied != number * conv->groups + piece.group)
                dpr__cpu_conv_copy(conv, values->step, src, block.n, block.oh, block.rows,
                                   piece.group * conv->channels, NULL, copy);
            copied = number * conv->groups + piece.group;
            multiply_piece(row, &block, &piece, filters, scratch, dst);
        }
        dpr__cpu_conv_close(row, values, scratch, dst, pixel, block.rows * conv->ow, panel, number);
    }
}

/* ---- back to the filters: images in chunks, summed apart ---- */

/* Panels of one group's results. */
static int64_t group_panels(const dpr__cpu_conv *conv) {
    return dpr__ceil_divide(conv->oc / conv->groups, DPR__PANEL);
}

/* The sums of a chunk for one of a group's panels, from row `at` on. */
static float *partial_of(const dpr__row *row, int64_t chunk, int64_t group, int64_t panel,
                         int64_t at) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t before = (chunk * conv->groups + group) * group_panels(conv) + panel;
    return row->partial + (before * filter_rows(conv) + at) * DPR__PANEL;
}

/* Up to 32 of a group's channels of `count` pixels of diff_dst, from number `within` on, to rows of 32. */
static int64_t stage_diff(const dpr__cpu_conv *conv, const dpr__values *values, int64_t group,
                          int64_t within, int64_t pixel, int64_t count, float *stage) {
    const dpr__step *step = values->step;
    const dpr_shape *shape = &dpr__node_of(step->graph, conv->dst)->shape;
    int64_t each = conv->oc / conv->groups, row = dpr__form_row(step->forms[conv->dst], shape);
    int64_t panel =
        step->forms[conv->dst] == DPR__PANELS ? dpr__rows_of(shape) * DPR__PANEL : DPR__PANEL;
    int64_t columns = each - within < DPR__PANEL ? each - within : DPR__PANEL;
    for (int64_t done = 0, n; done < columns; done += n) {
        int64_t channel = group * each + within + done, lane = channel % DPR__PANEL;
        n = DPR__PANEL - lane < columns - done ? DPR__PANEL - lane : columns - done;
        copy_lanes((const float *)values->memory[conv->dst] + channel / DPR__PANEL * panel +
                       pixel * row + lane,
                   row, stage + done, DPR__PANEL, count, n);
    }
    return columns;
}

/* Some rows of an image, of one group. */
struct strip {
    int64_t chunk, group, n, oh, rows;
    bool add;
    const float *copy;
};

static void multiply_strip(const dpr__row *row, const struct strip *strip, const float *diff,
                           int64_t panel, int64_t columns) {
    const dpr__cpu_conv *conv = &row->conv;
    bool whole = conv->dilation_w == 1;
    dpr__tile_call call = {.by_columns = true,
                           .a_row = conv->stride_w * conv->channels,
                           .a_chunk = DPR__PANEL * conv->stride_w * conv->channels,
                           .a_panel = DPR__PANEL,
                           .parts = strip->rows,
                           .a_part = conv->stride_h * conv->pitch,
                           .b = diff,
                           .b_part = conv->ow * DPR__PANEL,
                           .m = whole ? conv->kw * conv->channels : conv->channels,
                           .columns = columns,
                           .k = conv->ow,
                           .c_stride = DPR__PANEL,
                           .add = strip->add};
    for (int64_t kh = 0; kh < conv->kh; kh++)
        for (int64_t kw = 0; kw < (whole ? 1 : conv->kw); kw++) {
            call.a = strip->copy + kh * conv->dilation_h * conv->pitch +
                     kw * conv->dilation_w * conv->channels;
            call.c = partial_of(row, strip->chunk, strip->group, panel,
                                (kh * conv->kw + kw) * conv->channels);
            row->tile->multiply(&call);
        }
}

static void sum_image(const dpr__row *row, const dpr__values *values, float *scratch,
                      struct strip *strip) {
    const dpr__cpu_conv *conv = &row->conv;
    float *copy = scratch + conv->copy_at, *stage = scratch + conv->stage_at;
    strip->copy = copy;
    for (strip->oh = 0; strip->oh < conv->oh; strip->oh += conv->tile_h, strip->add = true) {
        int64_t left = conv->oh - strip->oh;
        strip->rows = left < conv->tile_h ? left : conv->tile_h;
        dpr__cpu_conv_copy(conv, values->step, values->memory[conv->src], strip->n, strip->oh,
                           strip->rows, strip->group * conv->channels, NULL, copy);
        for (int64_t panel = 0; panel < group_panels(conv); panel++) {
            int64_t columns = stage_diff(conv, values, strip->group, panel * DPR__PANEL,
                                         (strip->n * conv->oh + strip->oh) * conv->ow,
                                         strip->rows * conv->ow, stage);
            multiply_strip(row, strip, stage, panel, columns);
        }
    }
}

static void run_filters(const dpr__row *row, const dpr__values *values, float *scratch,
                        int64_t first, int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    for (int64_t t = first; t < last; t++) {
        struct strip strip = {.group = t / conv->chunks, .chunk = t % conv->chunks};
        int64_t end = conv->n * (strip.chunk + 1) / conv->chunks;
        for (strip.n = conv->n * strip.chunk / conv->chunks; strip.n < end; strip.n++)
            sum_image(row, values, scratch, &strip);
    }
}

/* Of one tap the lanes of a piece: adds the chunks. */
static void join_piece(const dpr__row *row, const struct piece *piece, int64_t at, float *sum) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t panel = piece->within / DPR__PANEL, lane = piece->within % DPR__PANEL;
    copy_lanes(partial_of(row, 0, piece->group, panel, at) + lane, DPR__PANEL, sum + piece->lane,
               DPR__PANEL, conv->channels, piece->n);
    for (int64_t chunk = 1; chunk < conv->chunks; chunk++) {
        const float *part = partial_of(row, chunk, piece->group, panel, at) + lane;
        for (int64_t i = 0; i < conv->channels * DPR__PANEL; i += DPR__PANEL)
            for (int64_t j = 0; j < piece->n; j++)
                sum[i + piece->lane + j] += part[i + j];
    }
}

/* One tap of a panel: its pieces, then the chain. */
static void finish_filters(const dpr__row *row, const dpr__values *values, float *scratch,
                           int64_t first, int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t taps = conv->kh * conv->kw;
    float *sum = scratch + row->tile_at;
    for (int64_t t = first; t < last; t++) {
        int64_t panel = t / taps, at = t % taps * conv->channels;
        struct piece piece;
        for (int64_t c = panel * DPR__PANEL; c < panel_end(conv, panel); c += piece.n) {
            piece = piece_at(conv, c);
            join_piece(row, &piece, at, sum);
        }
        dpr__chain_run(&row->chain, values, scratch, sum, at, conv->channels, panel);
    }
}

/* ---- compiling ---- */

static void begin(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row) {
    const dpr__step *step = plan->values.step;
    dpr_value value = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, value);
    dpr__cpu_conv *conv = &row->conv;
    const dpr__kernel *kernel = dpr__cpu_conv_take_kernels(row, step, node);
    dpr__cpu_conv_geometry(step, value, conv);
    conv->groups = ((const dpr__conv_param *)node->param)->groups;
    conv->channels = conv->c / conv->groups;
    conv->pitch = conv->width * conv->channels;
    row->kernel = dpr__cpu_chosen(plan, kernel->name, node);
}

static uint64_t flops_of(const dpr__cpu_conv *conv) {
    int64_t results = conv->n * conv->oh * conv->ow * conv->oc;
    return 2U * (uint64_t)(results * filter_rows(conv) / (conv->spread_h * conv->spread_w));
}

dpr_status dpr__cpu_compile_grouped(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                    bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr__cpu_conv *conv = &row->conv;
    begin(plan, group, row);
    conv->tile_h = dpr__cpu_conv_tile_rows(conv, row->tile);
    size_t tile = (size_t)(conv->tile_h * conv->ow * DPR__PANEL);
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, step->members[group->first],
                               conv->tile_h * conv->ow, &row->chain, supported));
    dpr__cpu_conv_set_rows(conv, &row->chain);
    row->bare = dpr__cpu_conv_is_bare(conv, &row->chain);
    row->run = run;
    int64_t blocks = conv->n * dpr__ceil_divide(conv->oh, conv->tile_h);
    row->n_tiles = blocks * dpr__cpu_conv_panels(conv);
    dpr__cpu_finish_sums(row, blocks);
    row->flops = row->chain.flops + flops_of(conv);
    row->bytes = row->chain.bytes + dpr__value_bytes(step, conv->src) +
                 dpr__value_bytes(step, conv->weights);
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    conv->stage_at = row->tile_at + tile;
    conv->filters_at = conv->stage_at + tile;
    conv->copy_at = conv->filters_at + 2 * (size_t)(filter_rows(conv) * DPR__PANEL);
    row->scratch_floats = conv->copy_at + dpr__cpu_conv_copy_floats(conv, conv->tile_h);
    return DPR_OK;
}

dpr_status dpr__cpu_compile_grouped_filters(dpr__cpu_plan *plan, const dpr__group *group,
                                            dpr__row *row, bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr__cpu_conv *conv = &row->conv;
    begin(plan, group, row);
    int64_t sums = conv->groups * group_panels(conv) * filter_rows(conv) * DPR__PANEL;
    conv->tile_h = dpr__cpu_conv_strip_rows(conv);
    conv->chunks = dpr__cpu_conv_chunks(conv, conv->groups, sums);
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, step->members[group->first],
                               conv->channels, &row->chain, supported));
    row->partial_floats = (size_t)(conv->chunks * sums);
    row->run = run_filters;
    row->finish = finish_filters;
    row->n_finish = dpr__cpu_conv_panels(conv) * conv->kh * conv->kw;
    row->n_tiles = conv->groups * conv->chunks;
    row->flops = row->chain.flops + flops_of(conv);
    row->bytes =
        row->chain.bytes + dpr__value_bytes(step, conv->src) + dpr__value_bytes(step, conv->dst);
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    conv->stage_at = row->tile_at + (size_t)(conv->channels * DPR__PANEL);
    conv->copy_at = conv->stage_at + (size_t)(conv->tile_h * conv->ow * DPR__PANEL);
    row->scratch_floats = conv->copy_at + dpr__cpu_conv_copy_floats(conv, conv->tile_h);
    return DPR_OK;
}
