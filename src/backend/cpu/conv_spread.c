/* Gradients of the data of convolutions, of few channels: lanes over kh · kw · c, since c alone would leave most of them empty.
 *   products[pixel of diff_dst][kh][kw][c] = Σ over oc of diff_dst[pixel][oc] · weights[kh][kw][c][oc]
 * are one matrix product, whose rows are then added where their windows lie. A tile is one image; it is summed in scratch, with the padding around
 * it, pixel by pixel in order. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum {
    BLOCK_PIXELS = 64, /* of diff_dst: their products stay in L1 or L2 */
    VECTOR = 16,       /* floats behind an image that may be read and written */
};

/* ---- shapes ---- */

/* Numbers of a filter over all channels of the data, and as many in whole panels. */
static int64_t window_of(const dpr__cpu_conv *conv) {
    return conv->kh * conv->kw * conv->oc;
}
static int64_t panels_of(const dpr__cpu_conv *conv) {
    return dpr__ceil_divide(window_of(conv), DPR__PANEL);
}
static int64_t rounded(int64_t n) {
    return dpr__ceil_divide(n, DPR__PANEL) * DPR__PANEL;
}

static int64_t padded(int64_t windows, int64_t stride, int64_t kernel, int64_t dilation,
                      int64_t pad, int64_t extent) {
    int64_t reached = windows > 0 ? (windows - 1) * stride + (kernel - 1) * dilation + 1 : 0;
    return reached > pad + extent ? reached : pad + extent;
}

/* ---- running ---- */

/* Filters as the right operand: [panel of kh · kw · c][oc][32]. */
static void turn_filters(const dpr__row *row, const dpr__values *values, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    const float *weights = values->memory[conv->weights];
    bool plain = values->step->forms[conv->weights] == DPR__PLAIN;
    int64_t n = window_of(conv);
    float part[DPR__PANEL * DPR__PANEL];
    for (int64_t j = 0; j < n; j += DPR__PANEL)
        for (int64_t o = 0; o < conv->c; o += DPR__PANEL) {
            const float *from =
                plain ? weights + j * conv->c + o : weights + o * n + j * DPR__PANEL;
            int64_t rows = n - j < DPR__PANEL ? n - j : DPR__PANEL;
            int64_t lanes = conv->c - o < DPR__PANEL ? conv->c - o : DPR__PANEL;
            bool whole = !plain && rows == DPR__PANEL;
            memset(part, 0, sizeof part);
            for (int64_t i = 0; !whole && i < rows; i++)
                memcpy(part + i * DPR__PANEL, from + i * (plain ? conv->c : DPR__PANEL),
                       (size_t)lanes * sizeof *part);
            row->tile->turn(whole ? from : part,
                            dst + (j / DPR__PANEL * rounded(conv->c) + o) * DPR__PANEL);
        }
}

/* `m` pixels of diff_dst by all of the filters: rows of panels_of · 32 numbers. */
static void multiply(const dpr__row *row, const dpr__values *values, int64_t pixel, int64_t m,
                     const float *filters, float *products) {
    const dpr__cpu_conv *conv = &row->conv;
    const dpr__form form = values->step->forms[conv->src];
    const dpr_shape *shape = &dpr__node_of(values->step->graph, conv->src)->shape;
    int64_t next = dpr__form_row(form, shape);
    dpr__tile_call call = {.a = (const float *)values->memory[conv->src] + pixel * next,
                           .a_row = next,
                           .a_chunk =
                               form == DPR__PANELS ? dpr__rows_of(shape) * DPR__PANEL : DPR__PANEL,
                           .m = m,
                           .k = conv->c,
                           .c_stride = panels_of(conv) * DPR__PANEL};
    for (int64_t j = 0; j < panels_of(conv); j++) {
        int64_t left = window_of(conv) - j * DPR__PANEL;
        call.b = filters + j * rounded(conv->c) * DPR__PANEL;
        call.c = products + j * DPR__PANEL;
        call.columns = left < DPR__PANEL ? left : DPR__PANEL;
        row->tile->multiply(&call);
    }
}

/* The products of diff_dst's pixel `pixel` of an image to the window that it had. */
static void add_window(const dpr__row *row, int64_t pixel, const float *products, float *image) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t y = pixel / conv->w * conv->stride_h, x = pixel % conv->w * conv->stride_w;
    int64_t runs = conv->dilation_w == 1 ? 1 : conv->kw;
    int64_t n = conv->kw / runs * conv->oc;
    for (int64_t kh = 0; kh < conv->kh; kh++)
        for (int64_t kw = 0; kw < runs; kw++, products += n) {
            float *dst =
                image +
                ((y + kh * conv->dilation_h) * conv->width + x + kw * conv->dilation_w) * conv->oc;
            row->add(NULL, dst, products, dst, (size_t)n);
        }
}

/* An image of diff_dst, window by window. */
static void add_image(const dpr__row *row, const dpr__values *values, int64_t n,
                      const float *filters, float *products, float *image) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t pixels = conv->h * conv->w;
    for (int64_t p = 0; p < pixels; p += BLOCK_PIXELS) {
        int64_t m = pixels - p < BLOCK_PIXELS ? pixels - p : BLOCK_PIXELS;
        multiply(row, values, n * pixels + p, m, filters, products);
        for (int64_t i = 0; i < m; i++)
            add_window(row, p + i, products + i * panels_of(conv) * DPR__PANEL, image);
    }
}

/* The same without what is 0 in it. */
static void add_sparse_image(const dpr__row *row, const dpr__values *values, int64_t n,
                             float *filters, float *image) {
    const dpr__cpu_conv *conv = &row->conv;
    const dpr__step *step = values->step;
    int64_t next =
        dpr__form_row(step->forms[conv->src], &dpr__node_of(step->graph, conv->src)->shape);
    for (int64_t y = 0; y < conv->h; y++)
        row->sparse->spread(&(dpr__sparse_call){
            .diff = (const float *)values->memory[conv->src] + (n * conv->h + y) * conv->w * next,
            .diff_row = next,
            .pixels = conv->w,
            .channels = conv->c,
            .map = image + y * conv->stride_h * conv->width * conv->oc,
            .map_step = conv->stride_w * conv->oc,
            .at = row->taps,
            .vectors = row->n_taps,
            .filters = filters});
}

/* A row of an image as one of the result, whose pixels have room for whole vectors. */
static void take_row(const dpr__cpu_conv *conv, const float *image, float *dst) {
    enum { HALF = VECTOR / 2 };
    if (conv->oc <= HALF && conv->row_floats >= HALF)
        for (int64_t x = 0; x < conv->ow; x++)
            memcpy(dst + x * conv->row_floats, image + x * conv->oc, HALF * sizeof *dst);
    else
        for (int64_t x = 0; x < conv->ow; x++)
            memcpy(dst + x * conv->row_floats, image + x * conv->oc,
                   (size_t)conv->oc * sizeof *dst);
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    float *filters = scratch + conv->filters_at, *tile = scratch + row->tile_at;
    float *products = filters + panels_of(conv) * rounded(conv->c) * DPR__PANEL;
    float *image = scratch + conv->copy_at;
    int64_t line = conv->width * conv->oc;
    if (row->sparse == NULL)
        turn_filters(row, values, filters);
    else
        dpr__cpu_sparse_filters(
            row, conv->c, values->memory[conv->weights],
            values->step->forms[conv->weights] == DPR__PLAIN ? conv->c : DPR__PANEL, filters);
    for (int64_t t = first; t < last; t++) {
        memset(image, 0, (size_t)(conv->pitch * line) * sizeof *image);
        if (row->sparse == NULL)
            add_image(row, values, t, filters, products, image);
        else
            add_sparse_image(row, values, t, filters, image);
        float *dst =
            row->bare ? dpr__cpu_conv_place(row, values, t * conv->oh * conv->ow, 0) : tile;
        for (int64_t y = 0; y < conv->oh; y++)
            take_row(conv, image + (y + conv->pad_top) * line + conv->pad_left * conv->oc,
                     dst + y * conv->ow * conv->row_floats);
        dpr__cpu_conv_close(row, values, scratch, dst, t * conv->oh * conv->ow, conv->oh * conv->ow,
                            0, t);
    }
}

/* ---- compiling ---- */

dpr_status dpr__cpu_compile_spread(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                   bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value value = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, value);
    const dpr__conv_param *p = node->param;
    dpr__cpu_conv *conv = &row->conv;
    dpr__cpu_conv_geometry(step, value, conv);
    conv->stride_h = p->stride_h, conv->stride_w = p->stride_w; /* of the convolution itself */
    conv->pad_top = p->pad_top, conv->pad_left = p->pad_left;
    conv->width =
        padded(conv->w, conv->stride_w, conv->kw, conv->dilation_w, conv->pad_left, conv->ow);
    conv->pitch =
        padded(conv->h, conv->stride_h, conv->kh, conv->dilation_h, conv->pad_top, conv->oh);
    int64_t pixels = conv->oh * conv->ow;
    const dpr__kernel *kernel =
        dpr__kernel_find(DPR__TILE, DPR__OP_matmul, DPR_F32, step->context->isa);
    row->tile = kernel->run.tile;
    row->add = dpr__kernel_find(DPR__SPAN, DPR__OP_add, DPR_F32, step->context->isa)->run.span;
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, value, pixels, &row->chain, supported));
    conv->row_floats = row->chain.row_floats;
    row->bare = dpr__cpu_conv_is_bare(conv, &row->chain);
    row->run = run;
    row->kernel = kernel->name;
    if (dpr__cpu_sparse_fits(step, conv, conv->src, conv->oc))
        DPR_TRY(dpr__cpu_sparse_choose(plan, row, conv->oc, conv->width * conv->oc));
    row->kernel = dpr__cpu_chosen(plan, row->kernel, node);
    row->n_tiles = conv->n;
    dpr__cpu_finish_sums(row, conv->n);
    row->flops = row->chain.flops +
                 2U * (uint64_t)(conv->n * conv->h * conv->w * conv->c) * (uint64_t)window_of(conv);
    row->bytes = row->chain.bytes + dpr__value_bytes(step, conv->src) +
                 dpr__value_bytes(step, conv->weights);
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    conv->copy_at = row->tile_at + (size_t)((pixels + 1) * DPR__PANEL);
    conv->filters_at =
        conv->copy_at + (size_t)((conv->width * conv->pitch * conv->oc + 15) / 16 * 16 + VECTOR);
    row->scratch_floats = conv->filters_at;
    row->scratch_floats +=
        row->sparse != NULL
            ? dpr__cpu_sparse_floats(row, conv->c)
            : (size_t)(panels_of(conv) * DPR__PANEL * (rounded(conv->c) + BLOCK_PIXELS));
    return DPR_OK;
}
