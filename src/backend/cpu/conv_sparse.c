/* Gradients of convolutions that skip what is 0 in diff_dst. A relu makes half of it 0, max pooling leaves one number of a window; where its channels are few and those of the
 * map fill vectors better, each number that is left meets its window of the map in vectors: the gradient of the data adds filters there (conv_spread.c), the gradient
 * of the filters adds the window to the channel's sums. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

/* Consecutive numbers of a window in a map of so many channels, and how many such runs it has. */
static int64_t run_of(const dpr__cpu_conv *conv, int64_t channels) {
    return conv->dilation_w == 1 ? conv->kw * channels : channels;
}
static int64_t runs_of(const dpr__cpu_conv *conv) {
    return conv->dilation_w == 1 ? conv->kh : conv->kh * conv->kw;
}

static const dpr__sparse_kernel *kernel_of(const dpr__step *step, int64_t run, const char **name) {
    enum { SHORT = 8 }; /* half of the longest vector does */
    dpr__isa isa = step->context->isa;
    if (run <= SHORT && isa > DPR__ISA_AVX2)
        isa = DPR__ISA_AVX2;
    const dpr__kernel *kernel = dpr__kernel_find(DPR__SPARSE, DPR__OP_conv2d_data, DPR_F32, isa);
    *name = kernel->name;
    return kernel->run.sparse;
}

/* Whether much of a gradient is 0 whatever the data are. */
static bool is_sparse(const dpr_graph *graph, dpr_value diff) {
    const dpr__node *node = dpr__node_of(graph, diff);
    if (node->op == DPR__OP_window_put)
        return true;
    for (uint32_t i = 0; node->op == DPR__OP_multiply && i < 2; i++)
        if (dpr__node_of(graph, dpr__source(graph, diff, i))->op == DPR__OP_step)
            return true;
    return false;
}

bool dpr__cpu_sparse_fits(const dpr__step *step, const dpr__cpu_conv *conv, dpr_value diff,
                          int64_t channels) {
    enum { LANES = 16, MOST_CHANNELS = 16 };
    int64_t run = run_of(conv, channels), n = dpr__columns(&dpr__node_of(step->graph, diff)->shape);
    /* halves of vectors: of windows, and of the product that skips nothing */
    int64_t window = runs_of(conv) * dpr__ceil_divide(run, LANES / 2);
    return n <= MOST_CHANNELS && channels <= MOST_CHANNELS && is_sparse(step->graph, diff) &&
           n * window <= 5 * (2 * conv->kh * conv->kw * channels) / 4;
}

dpr_status dpr__cpu_sparse_choose(dpr__cpu_plan *plan, dpr__row *row, int64_t channels,
                                  int64_t pitch) {
    const dpr__cpu_conv *conv = &row->conv;
    const dpr__sparse_kernel *kernel =
        kernel_of(plan->values.step, run_of(conv, channels), &row->kernel);
    int64_t each = dpr__ceil_divide(run_of(conv, channels), kernel->lanes);
    int64_t down = runs_of(conv), across = down / conv->kh;
    const dpr__window_param *window =
        row->maxima ? dpr__node_of(plan->values.step->graph, conv->dst)->param : NULL;
    int64_t places = window != NULL ? window->kernel_h * window->kernel_w : 0;
    int32_t *at = dpr__arena_allocate(&plan->arena, (size_t)(down * each + places) * sizeof *at);
    if (at == NULL)
        return DPR_E_MEMORY;
    row->sparse = kernel;
    row->taps = at;
    row->n_taps = down * each;
    for (int64_t i = 0; i < down; i++)
        for (int64_t j = 0; j < each; j++)
            *at++ = (int32_t)(i / across * conv->dilation_h * pitch +
                              i % across * conv->dilation_w * channels + j * kernel->lanes);
    for (int64_t i = 0; i < places; i++)
        *at++ = (int32_t)(i / window->kernel_w * conv->stride_h * pitch +
                          i % window->kernel_w * conv->stride_w * channels);
    return DPR_OK;
}

size_t dpr__cpu_sparse_floats(const dpr__row *row, int64_t channels) {
    return (size_t)(channels * row->n_taps * row->sparse->lanes);
}

/* ---- filters, kh · kw · c rows of some floats, as vectors for each channel, and back ---- */

void dpr__cpu_sparse_filters(const dpr__row *row, int64_t channels, const float *filters,
                             int64_t filter_row, float *vectors) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t run = run_of(conv, conv->oc), each = row->n_taps / runs_of(conv) * row->sparse->lanes;
    memset(vectors, 0, dpr__cpu_sparse_floats(row, channels) * sizeof *vectors);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < runs_of(conv); i++, vectors += each)
            for (int64_t j = 0; j < run; j++)
                vectors[j] = filters[(i * run + j) * filter_row + c];
}

static void put_sums(const dpr__row *row, const float *vectors, float *sums) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t run = run_of(conv, conv->c), each = row->n_taps / runs_of(conv) * row->sparse->lanes;
    for (int64_t o = 0; o < conv->oc; o++)
        for (int64_t i = 0; i < runs_of(conv); i++, vectors += each)
            for (int64_t j = 0; j < run; j++)
                sums[(i * run + j) * DPR__PANEL + o] = vectors[j];
}

/* ---- gradients of filters: chunks of images as in filter_gradient.c ---- */

static void sum_image(const dpr__row *row, const dpr__values *values, int64_t n, float *copy,
                      float *sums) {
    const dpr__cpu_conv *conv = &row->conv;
    const dpr__step *step = values->step;
    dpr__sparse_call call = {
        .diff_row =
            dpr__form_row(step->forms[conv->dst], &dpr__node_of(step->graph, conv->dst)->shape),
        .pixels = conv->ow,
        .channels = conv->oc,
        .map_step = conv->stride_w * conv->c,
        .at = row->taps,
        .vectors = row->n_taps,
        .filters = sums};
    for (int64_t oh = 0; oh < conv->oh; oh++) {
        if (oh % conv->tile_h == 0)
            dpr__cpu_conv_copy(conv, step, values->memory[conv->src], n, oh,
                               conv->oh - oh < conv->tile_h ? conv->oh - oh : conv->tile_h, 0, NULL,
                               copy);
        call.map = copy + oh % conv->tile_h * conv->stride_h * conv->pitch;
        call.diff = (const float *)values->memory[conv->dst] +
                    (n * conv->oh + oh) * conv->ow * call.diff_row;
        row->sparse->sum(&call);
    }
}

/* diff_dst is window_put(diff, index), which is not stored. */
static void sum_maxima(const dpr__row *row, const dpr__values *values, int64_t n, float *copy,
                       float *sums) {
    const dpr__cpu_conv *conv = &row->conv;
    const dpr__step *step = values->step;
    const dpr_value *src = dpr__sources_of(step->graph, conv->dst);
    const dpr__window_param *window = dpr__node_of(step->graph, conv->dst)->param;
    const dpr_shape *pooled = &dpr__node_of(step->graph, src[0])->shape;
    dpr__maxima_call call = {.diff_row = dpr__form_row(step->forms[src[0]], pooled),
                             .columns = pooled->dim[2],
                             .channels = conv->oc,
                             .map = copy,
                             .map_row = window->kernel_h * conv->stride_h * conv->pitch,
                             .map_step = window->kernel_w * conv->stride_w * conv->c,
                             .place = row->taps + row->n_taps,
                             .down = conv->kh,
                             .across = row->n_taps / conv->kh,
                             .tap_row = conv->dilation_h * conv->pitch,
                             .filters = sums};
    for (int64_t oh = 0; oh < conv->oh; oh += conv->tile_h) {
        int64_t left = conv->oh - oh, rows = left < conv->tile_h ? left : conv->tile_h;
        int64_t first = (n * pooled->dim[1] + oh / window->kernel_h) * pooled->dim[2];
        dpr__cpu_conv_copy(conv, step, values->memory[conv->src], n, oh, rows, 0, NULL, copy);
        call.diff = (const float *)values->memory[src[0]] + first * call.diff_row;
        call.index = (const uint8_t *)values->memory[src[1]] + first * conv->oc;
        call.rows = rows / window->kernel_h;
        row->sparse->sum_maxima(&call);
    }
}

void dpr__cpu_sparse_gradient(const dpr__row *row, const dpr__values *values, float *scratch,
                              int64_t first, int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    float *copy = scratch + conv->copy_at, *sums = scratch + conv->filters_at;
    int64_t rows = conv->kh * conv->kw * conv->c;
    for (int64_t t = first; t < last; t++) {
        memset(sums, 0, dpr__cpu_sparse_floats(row, conv->oc) * sizeof *sums);
        for (int64_t n = conv->n * t / conv->chunks; n < conv->n * (t + 1) / conv->chunks; n++)
            (row->maxima ? sum_maxima : sum_image)(row, values, n, copy, sums);
        put_sums(row, sums, row->partial + t * rows * DPR__PANEL);
    }
}
