/* Gradients of filters:
 *   diff_weights[kh][kw][c][oc] = Σ over n, oh, ow of src[n][oh·stride + kh][ow·stride + kw][c] · diff_dst[n][oh][ow][oc]
 * a product over pixels, whose left operand is the copy of the map (conv_copy.c) read by columns: kw × c neighbours are consecutive. Images are cut into
 * chunks, from shapes alone; a tile is one chunk and a block of channels, summed into a place of its own. When all are done, chunks are added in their
 * order, and the chain, the update, runs on the sums. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum {
    BLOCK_CHANNELS = 128,
    VECTOR = 16, /* floats that may be read behind a copy */
};

static int64_t filter_rows(const dpr__cpu_conv *conv) {
    return conv->kh * conv->kw * conv->c;
}
static int64_t blocks_of(const dpr__cpu_conv *conv) {
    return dpr__ceil_divide(conv->c, conv->channels);
}

/* Rows of the sums of a chunk, from `at` on. */
static float *partial_of(const dpr__row *row, int64_t chunk, int64_t panel, int64_t at) {
    const dpr__cpu_conv *conv = &row->conv;
    return row->partial +
           ((chunk * dpr__cpu_conv_panels(conv) + panel) * filter_rows(conv) + at) * DPR__PANEL;
}

/* Of a row of diff_dst: pixels, or pairs of them. */
static int64_t row_depth(const dpr__cpu_conv *conv) {
    return conv->pairs_pixels ? (conv->ow + 1) / 2 : conv->ow;
}

const float *dpr__cpu_conv_diff(const dpr__cpu_conv *conv, const dpr__values *values, int64_t pixel,
                                int64_t panel, int64_t *row) {
    const dpr__step *step = values->step;
    const dpr__form form = step->forms[conv->dst];
    const float *diff = values->memory[conv->dst];
    *row = dpr__form_row(form, &dpr__node_of(step->graph, conv->dst)->shape);
    return form == DPR__PANELS ? diff + (panel * conv->n * conv->oh * conv->ow + pixel) * DPR__PANEL
                               : diff + pixel * *row + panel * DPR__PANEL;
}

/* 32 channels of `rows` rows of diff_dst: where they lie, or copied. */
static const float *diff_rows(const dpr__cpu_conv *conv, const dpr__values *values, int64_t pixel,
                              int64_t rows, int64_t panel, float *stage) {
    int64_t row;
    const float *first = dpr__cpu_conv_diff(conv, values, pixel, panel, &row);
    int64_t left = conv->oc - panel * DPR__PANEL, n = left < DPR__PANEL ? left : DPR__PANEL;
    for (int64_t r = 0; conv->pairs_pixels && r < rows; r++)
        conv->halves->store(first + r * conv->ow * row, row, conv->ow, n, NULL,
                            (uint16_t *)(void *)(stage + r * row_depth(conv) * DPR__PANEL));
    if (conv->pairs_pixels)
        return stage;
    if (values->step->forms[conv->dst] == DPR__PANELS)
        return first;
    for (int64_t i = 0; i < rows * conv->ow; i++)
        memcpy(stage + i * DPR__PANEL, first + i * row, (size_t)n * sizeof *stage);
    return stage;
}

struct strip {
    int64_t chunk, n, oh, rows, first; /* first channel of the block */
    bool add;
    const float *copy;
};

/* All filters' rows of a block against 32 channels of diff_dst, over the pixels of a strip. */
static void multiply_panel(const dpr__row *row, const struct strip *strip, const float *diff,
                           int64_t panel) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t left_c = conv->c - strip->first, left_oc = conv->oc - panel * DPR__PANEL;
    bool whole = conv->dilation_w == 1 && conv->channels == conv->c;
    int64_t step = (conv->pairs_pixels ? 2 : 1) * conv->stride_w * conv->channels;
    dpr__tile_call call = {.by_columns = true,
                           .a_row = step,
                           .a_chunk = row->chunk * step,
                           .a_panel = DPR__PANEL,
                           .parts = strip->rows,
                           .a_part = conv->stride_h * conv->pitch,
                           .b = diff,
                           .b_part = row_depth(conv) * DPR__PANEL,
                           .columns = left_oc < DPR__PANEL ? left_oc : DPR__PANEL,
                           .k = row_depth(conv),
                           .c_stride = DPR__PANEL,
                           .add = strip->add};
    call.m = whole ? conv->kw * conv->c : left_c < conv->channels ? left_c : conv->channels;
    for (int64_t kh = 0; kh < conv->kh; kh++)
        for (int64_t kw = 0; kw < (whole ? 1 : conv->kw); kw++) {
            call.a = strip->copy + kh * conv->dilation_h * conv->pitch +
                     kw * conv->dilation_w * conv->channels;
            call.c =
                partial_of(row, strip->chunk, panel, (kh * conv->kw + kw) * conv->c + strip->first);
            row->tile->multiply(&call);
        }
}

static void sum_image(const dpr__row *row, const dpr__values *values, float *scratch,
                      struct strip *strip) {
    const dpr__cpu_conv *conv = &row->conv;
    const dpr__step *step = values->step;
    float *copy = scratch + conv->copy_at;
    float *line = scratch + conv->line_at, *stage = line + dpr__cpu_conv_line_floats(conv);
    strip->copy = copy;
    for (strip->oh = 0; strip->oh < conv->oh; strip->oh += conv->tile_h, strip->add = true) {
        int64_t left = conv->oh - strip->oh;
        strip->rows = left < conv->tile_h ? left : conv->tile_h;
        dpr__cpu_conv_copy(conv, step, values->memory[conv->src], strip->n, strip->oh, strip->rows,
                           strip->first, line, copy);
        for (int64_t panel = 0; panel < dpr__cpu_conv_panels(conv); panel++)
            multiply_panel(row, strip,
                           diff_rows(conv, values, (strip->n * conv->oh + strip->oh) * conv->ow,
                                     strip->rows, panel, stage),
                           panel);
    }
}

/* One tap of a block and panel: adds the chunks, and runs the chain on the sums. */
static void finish(const dpr__row *row, const dpr__values *values, float *scratch, int64_t begin,
                   int64_t end) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t taps = conv->kh * conv->kw;
    float *sum = scratch + row->tile_at;
    for (int64_t t = begin; t < end; t++) {
        int64_t panel = t / taps % dpr__cpu_conv_panels(conv),
                first = t / taps / dpr__cpu_conv_panels(conv);
        first *= conv->channels;
        int64_t left = conv->c - first, channels = left < conv->channels ? left : conv->channels;
        int64_t at = t % taps * conv->c + first;
        const size_t bytes = (size_t)(channels * DPR__PANEL) * sizeof *sum;
        memset(sum, 0, bytes); /* of no images */
        if (conv->n > 0)
            memcpy(sum, partial_of(row, 0, panel, at), bytes);
        for (int64_t chunk = 1; chunk < conv->chunks; chunk++) {
            const float *part = partial_of(row, chunk, panel, at);
            for (int64_t i = 0; i < channels * DPR__PANEL; i++)
                sum[i] += part[i];
        }
        dpr__chain_run(&row->chain, values, scratch, sum, at, channels, panel);
    }
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    for (int64_t t = first; t < last; t++) {
        int64_t block = t / conv->chunks, chunk = t % conv->chunks;
        struct strip strip = {.chunk = chunk, .first = block * conv->channels};
        int64_t end = conv->n * (chunk + 1) / conv->chunks;
        for (strip.n = conv->n * chunk / conv->chunks; strip.n < end; strip.n++)
            sum_image(row, values, scratch, &strip);
    }
}

dpr_status dpr__cpu_compile_filter_gradient(dpr__cpu_plan *plan, const dpr__group *group,
                                            dpr__row *row, bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value value = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, value);
    dpr__cpu_conv *conv = &row->conv;
    dpr__cpu_conv_geometry(step, value, conv);
    const dpr__kernel *kernel = dpr__cpu_conv_take_kernels(row, step, node);
    conv->pairs_pixels = row->halves;
    conv->channels = conv->c < BLOCK_CHANNELS ? conv->c : BLOCK_CHANNELS;
    if (conv->pairs_pixels && conv->ow % 2 != 0) /* the last pixel's partner, which meets a zero */
        conv->width += conv->stride_w;
    const bool turned = dpr__cpu_turned_fits(row);
    if (turned)
        dpr__cpu_turned_width(row, conv);
    conv->pitch = conv->width * conv->channels;
    conv->tile_h = dpr__cpu_conv_strip_rows(conv);
    row->maxima = step->group_of[conv->dst] == row->group + 1;
    if (row->maxima) {
        const dpr__window_param *window = dpr__node_of(step->graph, conv->dst)->param;
        int64_t windows = conv->tile_h / window->kernel_h;
        conv->tile_h = (windows > 0 ? windows : 1) * window->kernel_h;
    }
    int64_t sums = dpr__cpu_conv_panels(conv) * filter_rows(conv) * DPR__PANEL;
    if (turned) {
        sums = dpr__cpu_turned_choose(row, step->context->isa);
    } else {
        row->run = run;
        row->finish = finish;
    }
    conv->chunks = dpr__cpu_conv_chunks(conv, blocks_of(conv), sums);
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, value, conv->channels, &row->chain,
                               supported));
    row->partial_floats = (size_t)(conv->chunks * sums);
    row->n_finish = blocks_of(conv) * dpr__cpu_conv_panels(conv) * conv->kh * conv->kw;
    row->kernel = kernel->name;
    bool sparse =
        row->maxima || (!row->halves && dpr__cpu_sparse_fits(step, conv, conv->dst, conv->c));
    if (sparse) {
        DPR_TRY(dpr__cpu_sparse_choose(plan, row, conv->c, conv->pitch));
        row->run = dpr__cpu_sparse_gradient;
    }
    row->kernel = dpr__cpu_chosen(plan, row->kernel, node);
    row->n_tiles = blocks_of(conv) * conv->chunks;
    row->flops = row->chain.flops + 2U * (uint64_t)(conv->n * conv->oh * conv->ow * conv->oc) *
                                        (uint64_t)filter_rows(conv);
    row->bytes = row->chain.bytes + dpr__value_bytes(step, conv->src);
    if (!row->maxima)
        row->bytes += dpr__value_bytes(step, conv->dst);
    for (uint32_t i = 0; row->maxima && i < 2; i++)
        row->bytes += dpr__value_bytes(step, dpr__source(step->graph, conv->dst, i));
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    if (turned) {
        dpr__cpu_turned_place(row);
        return DPR_OK;
    }
    conv->copy_at = row->tile_at + (size_t)(conv->channels * DPR__PANEL);
    size_t copied = dpr__cpu_whole_lines(dpr__cpu_conv_copy_floats(conv, conv->tile_h));
    conv->line_at = conv->filters_at = conv->copy_at + copied;
    if (sparse)
        conv->filters_at += 2 * VECTOR - copied % VECTOR;
    row->scratch_floats = conv->filters_at + (sparse ? dpr__cpu_sparse_floats(row, conv->oc)
                                                     : dpr__cpu_conv_line_floats(conv));
    if (!sparse && (conv->pairs_pixels || step->forms[conv->dst] != DPR__PANELS))
        row->scratch_floats += (size_t)(conv->tile_h * row_depth(conv) * DPR__PANEL);
    return DPR_OK;
}
