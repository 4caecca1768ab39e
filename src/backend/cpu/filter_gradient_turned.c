/* Gradients of filters where a kernel makes rows in sixteens and wants its left operand by rows (AMX): the transpose of what filter_gradient.c sums,
 *   diff_weights[kh][kw][c][oc] = Σ over places p of diff_dst[oc][p] · src[p, moved by kh and kw][c]
 * diff_dst is turned, once for all taps of a block of channels; src is read where its copy lies, two neighbouring places a row of pairs. Places run through the copy from a strip's first result
 * to its last, a stride apart: where none lies, between rows, diff_dst is zero (and what the map holds there must be finite). Sums are blocks of 32 × 32, a tap and 32 channels each, which are turned back when chunks are added. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum { BLOCK = DPR__PANEL * DPR__PANEL };

/* Pairs of places of some rows of dst, and zeros up to whole sixteens. */
static int64_t pairs_of(const dpr__row *row, int64_t rows) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t places = (rows - 1) * conv->through + conv->ow;
    return dpr__ceil_divide(dpr__ceil_divide(places, 2), row->chunk) * row->chunk;
}

/* What products read behind the last place, where they meet zeros of diff_dst. */
static size_t floats_behind(const dpr__row *row) {
    const dpr__cpu_conv *conv = &row->conv;
    return (size_t)(2 * (row->chunk + 1) * conv->stride_w * conv->channels + DPR__PANEL);
}

static float *block_of(const dpr__row *row, int64_t chunk, int64_t panel, int64_t tap,
                       int64_t channel) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t taps = conv->kh * conv->kw, across = dpr__ceil_divide(conv->c, DPR__PANEL);
    int64_t n = (chunk * dpr__cpu_conv_panels(conv) + panel) * taps + tap;
    return row->partial + (n * across + channel / DPR__PANEL) * BLOCK;
}

/* Some rows of some images. */
struct strip {
    int64_t n, images, oh, rows, pairs;
    int64_t chunk, first; /* first channel of the block */
    bool add;
};

/* 32 channels of diff_dst: for each sixteen pairs of places 32 rows of them. */
static void turn_diff(const dpr__row *row, const dpr__values *values, const struct strip *strip,
                      int64_t panel, float *stage, float *turned) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t left = conv->oc - panel * DPR__PANEL, n = left < DPR__PANEL ? left : DPR__PANEL, apart;
    for (int64_t i = 0; i < strip->images; i++) {
        const float *diff = dpr__cpu_conv_diff(
            conv, values, ((strip->n + i) * conv->oh + strip->oh) * conv->ow, panel, &apart);
        memset(stage, 0, (size_t)(strip->pairs * DPR__PANEL) * sizeof *stage);
        for (int64_t r = 0; r < strip->rows; r++)
            conv->halves->store(diff + r * conv->ow * apart, apart, conv->ow, n, NULL,
                                (uint16_t *)(void *)(stage + r * conv->through / 2 * DPR__PANEL));
        for (int64_t l = 0; l < strip->pairs; l += row->chunk, turned += row->chunk * DPR__PANEL)
            row->tile->turn_rows(stage + l * DPR__PANEL, turned);
    }
}

static void multiply_panel(const dpr__row *row, const struct strip *strip, const float *copy,
                           const float *turned, int64_t panel) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t left = conv->oc - panel * DPR__PANEL, rest = conv->c - strip->first;
    int64_t channels = rest < conv->channels ? rest : conv->channels, taps = conv->kh * conv->kw;
    dpr__tile_call call = {.a = turned,
                           .a_row = row->chunk,
                           .a_chunk = row->chunk * DPR__PANEL,
                           .b_row = 2 * conv->stride_w * conv->channels,
                           .parts = strip->images,
                           .a_part = strip->pairs * DPR__PANEL,
                           .b_part = (int64_t)dpr__cpu_conv_copy_floats(conv, conv->tile_h),
                           .m = left <= row->tile->row_multiple ? row->tile->row_multiple
                                                                : DPR__PANEL,
                           .k = strip->pairs,
                           .c_stride = DPR__PANEL,
                           .add = strip->add};
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t c = 0; c < channels; c += DPR__PANEL) {
            call.b = copy + tap / conv->kw * conv->dilation_h * conv->pitch +
                     tap % conv->kw * conv->dilation_w * conv->channels + c;
            call.columns = channels - c < DPR__PANEL ? channels - c : DPR__PANEL;
            call.c = block_of(row, strip->chunk, panel, tap, strip->first + c);
            row->tile->multiply(&call);
        }
}

static void sum_strip(const dpr__row *row, const dpr__values *values, float *scratch,
                      struct strip *strip) {
    const dpr__cpu_conv *conv = &row->conv;
    const size_t copied = dpr__cpu_conv_copy_floats(conv, conv->tile_h);
    float *copy = scratch + conv->copy_at, *turned = scratch + conv->filters_at;
    strip->pairs = pairs_of(row, strip->rows);
    for (int64_t i = 0; i < strip->images; i++)
        dpr__cpu_conv_copy(conv, values->step, values->memory[conv->src], strip->n + i, strip->oh,
                           strip->rows, strip->first, scratch + conv->line_at,
                           copy + (size_t)i * copied);
    const size_t end =
        (size_t)(strip->images - 1) * copied + dpr__cpu_conv_copy_floats(conv, strip->rows);
    memset(copy + end, 0, floats_behind(row) * sizeof *copy);
    for (int64_t panel = 0; panel < dpr__cpu_conv_panels(conv); panel++) {
        turn_diff(row, values, strip, panel, scratch + conv->stage_at, turned);
        multiply_panel(row, strip, copy, turned, panel);
    }
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    for (int64_t t = first; t < last; t++) {
        struct strip strip = {.chunk = t % conv->chunks,
                              .first = t / conv->chunks * conv->channels};
        int64_t end = conv->n * (strip.chunk + 1) / conv->chunks;
        for (strip.n = conv->n * strip.chunk / conv->chunks; strip.n < end;
             strip.n += conv->images) {
            strip.images = end - strip.n < conv->images ? end - strip.n : conv->images;
            for (strip.oh = 0; strip.oh < conv->oh; strip.oh += conv->tile_h, strip.add = true) {
                int64_t left = conv->oh - strip.oh;
                strip.rows = left < conv->tile_h ? left : conv->tile_h;
                sum_strip(row, values, scratch, &strip);
            }
        }
    }
}

/* One tap of a block of channels and a panel: adds the chunks, turns the sums and runs the chain on them. */
static void finish(const dpr__row *row, const dpr__values *values, float *scratch, int64_t begin,
                   int64_t end) {
    const dpr__cpu_conv *conv = &row->conv;
    const int64_t taps = conv->kh * conv->kw, panels = dpr__cpu_conv_panels(conv);
    _Alignas(64) float sum[BLOCK];
    float *turned = scratch + row->tile_at;
    for (int64_t t = begin; t < end; t++) {
        int64_t tap = t % taps, panel = t / taps % panels;
        int64_t first = t / taps / panels * conv->channels, left = conv->c - first;
        int64_t channels = left < conv->channels ? left : conv->channels;
        for (int64_t c = 0; c < channels; c += DPR__PANEL) {
            memset(sum, 0, sizeof sum); /* of no images */
            if (conv->n > 0)
                memcpy(sum, block_of(row, 0, panel, tap, first + c), sizeof sum);
            for (int64_t chunk = 1; chunk < conv->chunks; chunk++) {
                const float *part = block_of(row, chunk, panel, tap, first + c);
                for (int64_t i = 0; i < BLOCK; i++)
                    sum[i] += part[i];
            }
            conv->turn(sum, turned + c * DPR__PANEL);
        }
        dpr__chain_run(&row->chain, values, scratch, turned, tap * conv->c + first, channels,
                       panel);
    }
}

bool dpr__cpu_turned_fits(const dpr__row *row) {
    return row->halves && row->tile->turn_rows != NULL;
}

void dpr__cpu_turned_width(const dpr__row *row, dpr__cpu_conv *conv) {
    conv->channels = dpr__ceil_divide(conv->channels, row->chunk) * row->chunk;
    while (conv->width % conv->stride_w != 0 ||
           conv->width / conv->stride_w * conv->stride_h % 2 != 0)
        conv->width++;
    conv->through = conv->width / conv->stride_w * conv->stride_h;
}

int64_t dpr__cpu_turned_choose(dpr__row *row, dpr__isa isa) {
    enum { MOST_IMAGES = 8 };
    dpr__cpu_conv *conv = &row->conv;
    conv->images = dpr__cpu_conv_images(conv, MOST_IMAGES);
    conv->turn = dpr__kernel_find(DPR__TILE, DPR__OP_matmul, DPR_F32, isa)->run.tile->turn;
    row->run = run;
    row->finish = finish;
    return dpr__cpu_conv_panels(conv) * conv->kh * conv->kw *
           dpr__ceil_divide(conv->c, DPR__PANEL) * BLOCK;
}

void dpr__cpu_turned_place(dpr__row *row) {
    dpr__cpu_conv *conv = &row->conv;
    size_t pairs = (size_t)pairs_of(row, conv->tile_h), images = (size_t)conv->images;
    conv->copy_at = row->tile_at + (size_t)(dpr__ceil_divide(conv->channels, DPR__PANEL) * BLOCK);
    conv->line_at = conv->copy_at +
                    dpr__cpu_whole_lines(images * dpr__cpu_conv_copy_floats(conv, conv->tile_h) +
                                         floats_behind(row));
    conv->stage_at = conv->line_at + dpr__cpu_whole_lines(dpr__cpu_conv_line_floats(conv));
    conv->filters_at = conv->stage_at + pairs * DPR__PANEL;
    row->scratch_floats = conv->filters_at + images * pairs * DPR__PANEL;
}
