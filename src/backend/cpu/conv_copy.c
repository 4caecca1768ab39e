/* Rows of a map on their way to products: copied to scratch pixel after pixel, with the zeros that padding puts around them and spreading between
 * them. So no product knows of borders, forms or strides of the map, and the copy is in L1 or L2 when it is read. And what convolutions share when a tile is done: the chain, and a pooling of
 * what it leaves. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

static const dpr_shape *shape_of(const dpr__step *step, dpr_value value) {
    return &dpr__node_of(step->graph, value)->shape;
}

/* Rows of the copy for so many rows of dst. */
static int64_t copied_rows(const dpr__cpu_conv *conv, int64_t rows) {
    return (rows - 1) * conv->stride_h + (conv->kh - 1) * conv->dilation_h + 1;
}

size_t dpr__cpu_conv_copy_floats(const dpr__cpu_conv *conv, int64_t rows) {
    return (size_t)(copied_rows(conv, rows) * conv->pitch);
}

size_t dpr__cpu_conv_line_floats(const dpr__cpu_conv *conv) {
    return conv->halves == NULL ? 0 : (size_t)(conv->width * conv->channels);
}

const dpr__kernel *dpr__cpu_conv_take_kernels(dpr__row *row, const dpr__step *step,
                                              const dpr__node *node) {
    const dpr__isa isa = step->context->isa;
    row->halves = ((const dpr__conv_param *)node->param)->bf16 == DPR__BF16_OPERANDS;
    row->chunk = row->halves ? DPR__PANEL / 2 : DPR__PANEL;
    if (row->halves)
        row->conv.halves =
            dpr__kernel_find(DPR__HALVES, DPR__OP_round_bf16, DPR_F32, isa)->run.halves;
    const dpr__kernel *kernel =
        dpr__kernel_find(row->halves ? DPR__HALF_TILE : DPR__TILE, DPR__OP_matmul, DPR_F32, isa);
    row->tile = kernel->run.tile;
    return kernel;
}

/* n numbers of each pixel. Whole vectors where they can be read: what goes beyond a pixel is overwritten by the next. */
static void copy_channels(float *dst, int64_t dst_step, const float *src, int64_t src_step,
                          int64_t pixels, int64_t n) {
    enum { HALF = 8, WHOLE = 16 };
    int64_t i = 0;
    if (dst_step == n && n > HALF / 2 && n < HALF && src_step >= HALF)
        for (; i < pixels - 1; i++, src += src_step, dst += dst_step)
            memcpy(dst, src, HALF * sizeof *dst);
    else if (dst_step == n && n > HALF && n < WHOLE && src_step >= WHOLE)
        for (; i < pixels - 1; i++, src += src_step, dst += dst_step)
            memcpy(dst, src, WHOLE * sizeof *dst);
    else if (n == WHOLE) /* lengths that compilers know */
        for (; i < pixels; i++, src += src_step, dst += dst_step)
            memcpy(dst, src, WHOLE * sizeof *dst);
    else if (n == DPR__PANEL)
        for (; i < pixels; i++, src += src_step, dst += dst_step)
            memcpy(dst, src, DPR__PANEL * sizeof *dst);
    for (; i < pixels; i++, src += src_step, dst += dst_step)
        memcpy(dst, src, (size_t)n * sizeof *dst);
}

/* Pixels of one row of src, `first` channel on, to pixels of dst that are `step` apart. */
static void copy_pixels(const dpr__cpu_conv *conv, dpr__form form, int64_t src_step,
                        const float *src, int64_t row, int64_t from, int64_t count, int64_t first,
                        int64_t step, float *dst) {
    int64_t pixels = conv->n * conv->h * conv->w, at = row * conv->w + from, c = conv->channels;
    int64_t there = conv->c - first < c ? conv->c - first : c; /* the last block may be smaller */
    if (form != DPR__PANELS && step == 1 && there == conv->c && src_step == c) {
        memcpy(dst, src + at * c, (size_t)(count * c) * sizeof *dst);
        return;
    }
    for (int64_t done = 0; done < there;) {
        int64_t channel = first + done, lane = channel % DPR__PANEL;
        int64_t n = DPR__PANEL - lane < there - done ? DPR__PANEL - lane : there - done;
        const float *from_pixel =
            form != DPR__PANELS ? src + at * src_step + channel
                                : src + (channel / DPR__PANEL * pixels + at) * DPR__PANEL + lane;
        copy_channels(dst + done, step * c, from_pixel, src_step, count, n);
        done += n;
    }
}

/* Of a line of `extent` elements, spread apart, those that lie at 0 … length − 1 of the padded line. */
static void visible(int64_t extent, int64_t spread, int64_t pad, int64_t length, int64_t *first,
                    int64_t *end) {
    *first = pad < 0 ? (-pad + spread - 1) / spread : 0;
    int64_t last = length - 1 - pad; /* highest place, spread, that is seen */
    *end = last < 0 ? 0 : last / spread + 1;
    *end = *end > extent ? extent : *end;
    *end = *end < *first ? *first : *end;
}

/* A line of floats to pairs of bf16. The last pixels of a line are nobody's first, and meet zeros if anything. */
static void round_line(const dpr__cpu_conv *conv, const float *line, float *dst) {
    uint16_t *pairs = (uint16_t *)(void *)dst;
    int64_t step = conv->stride_w * conv->channels, n = conv->width * conv->channels;
    if (conv->pairs_pixels) {
        conv->halves->pair(line, line + step, n - step, pairs);
        memset(dst + n - step, 0, (size_t)step * sizeof *dst);
    } else
        conv->halves->round(line, n, pairs);
}

/* Pixels go to bf16 at once, without a line of floats between, where they lie in whole panels or one behind the other. */
static bool rounds_at_once(const dpr__cpu_conv *conv, dpr__form form, int64_t src_step) {
    return conv->halves != NULL && !conv->pairs_pixels && conv->spread_w == 1 &&
           conv->channels == conv->c &&
           (form == DPR__PANELS ? conv->c % DPR__PANEL == 0 : src_step == conv->c);
}

/* A line whose pixels left … left + count − 1 are those of src from `at` on. */
static void round_pixels(const dpr__cpu_conv *conv, dpr__form form, const float *src, int64_t at,
                         int64_t left, int64_t count, float *dst) {
    const int64_t c = conv->c, pixels = conv->n * conv->h * conv->w;
    uint16_t *to = (uint16_t *)(void *)dst + left * c;
    memset(dst, 0, (size_t)(left * c) * sizeof *to);
    memset(to + count * c, 0, (size_t)((conv->width - left - count) * c) * sizeof *to);
    if (form != DPR__PANELS)
        conv->halves->round(src + at * c, count * c, to);
    for (int64_t first = 0; form == DPR__PANELS && first < c; first += DPR__PANEL)
        conv->halves->spread(src + first * pixels + at * DPR__PANEL, count, to + first, c);
}

void dpr__cpu_conv_copy(const dpr__cpu_conv *conv, const dpr__step *step, const float *src,
                        int64_t n, int64_t oh, int64_t rows, int64_t first, float *line,
                        float *dst) {
    int64_t c = conv->channels, floats = conv->width * c, from, end;
    dpr__form form = step->forms[conv->src];
    int64_t src_step = dpr__form_row(form, shape_of(step, conv->src));
    visible(conv->w, conv->spread_w, conv->pad_left, conv->width, &from, &end);
    int64_t left = from * conv->spread_w + conv->pad_left,
            seen = (end - from - 1) * conv->spread_w + 1;
    seen = end > from ? seen : 0;
    const bool at_once = rounds_at_once(conv, form, src_step);
    for (int64_t r = 0; r < copied_rows(conv, rows); r++, dst += conv->pitch) {
        int64_t y = oh * conv->stride_h + r - conv->pad_top;
        if (y < 0 || y % conv->spread_h != 0 || y / conv->spread_h >= conv->h || seen == 0) {
            memset(dst, 0, (size_t)conv->pitch * sizeof *dst);
            continue;
        }
        int64_t at = n * conv->h + y / conv->spread_h;
        if (at_once) {
            round_pixels(conv, form, src, at * conv->w + from, left, end - from, dst);
            continue;
        }
        float *to = conv->halves != NULL ? line : dst;
        if (conv->spread_w > 1)
            memset(to, 0, (size_t)floats * sizeof *to);
        memset(to, 0, (size_t)(left * c) * sizeof *to);
        memset(to + (left + seen) * c, 0, (size_t)(floats - (left + seen) * c) * sizeof *to);
        copy_pixels(conv, form, src_step, src, at, from, end - from, first, conv->spread_w,
                    to + left * c);
        if (conv->halves != NULL)
            round_line(conv, line, dst);
    }
}

const float *dpr__cpu_conv_filters(const dpr__cpu_conv *conv, const dpr__values *values,
                                   int64_t rows, int64_t panel, float *copy) {
    const float *weights = values->memory[conv->weights];
    int64_t left = conv->oc - panel * DPR__PANEL;
    if (values->step->forms[conv->weights] != DPR__PLAIN)
        return weights + panel * rows * DPR__PANEL;
    if (conv->halves != NULL) {
        conv->halves->store(weights + panel * DPR__PANEL, conv->oc, 2 * rows, left, NULL,
                            (uint16_t *)(void *)copy);
        return copy;
    }
    for (int64_t i = 0; i < rows; i++)
        memcpy(copy + i * DPR__PANEL, weights + i * conv->oc + panel * DPR__PANEL,
               (size_t)(left < DPR__PANEL ? left : DPR__PANEL) * sizeof *copy);
    return copy;
}

/* ---- cuts, from shapes alone ---- */

int64_t dpr__cpu_conv_tile_rows(const dpr__cpu_conv *conv, const dpr__tile_kernel *kernel) {
    enum {
        TILE_PIXELS = 128, /* of the result: 16 KB of sums for 32 channels */
        FAST_PIXELS = 256, /* where products take less time than the rows that two tiles copy */
        NARROW_PIXELS = 512,
        EVEN = 4, /* pixels: of the narrowest maps 32 floats */
    };
    int64_t pixels = conv->oc <= DPR__PIXELS_CHANNELS ? NARROW_PIXELS
                     : kernel->row_multiple > 0       ? FAST_PIXELS
                                                      : TILE_PIXELS;
    int64_t rows = pixels / (conv->ow > 0 ? conv->ow : 1), half = (conv->oh + 1) / 2;
    if (conv->n * dpr__cpu_conv_panels(conv) == 1 && rows > half)
        rows = half;
    rows = rows < 1 ? 1 : rows;
    while (rows * conv->ow % EVEN != 0 || (conv->whole_h > 0 && rows % conv->whole_h != 0))
        rows++;
    return rows < conv->oh ? rows : conv->oh;
}

enum { COPY_FLOATS = 64 << 10 }; /* stay in L2 */

int64_t dpr__cpu_conv_images(const dpr__cpu_conv *conv, int64_t most) {
    int64_t floats = (int64_t)dpr__cpu_conv_copy_floats(conv, conv->tile_h), images = 1;
    most = most < conv->n ? most : conv->n;
    while (conv->tile_h == conv->oh && images < most && (images + 1) * floats <= COPY_FLOATS)
        images++;
    return images;
}

int64_t dpr__cpu_conv_strip_rows(const dpr__cpu_conv *conv) {
    int64_t rows = conv->oh;
    while (rows > 1 && dpr__cpu_conv_copy_floats(conv, rows) > COPY_FLOATS)
        rows--;
    return rows;
}

int64_t dpr__cpu_conv_chunks(const dpr__cpu_conv *conv, int64_t others, int64_t sums) {
    enum { TILES = 16, PARTIAL_FLOATS = 4 << 20 };
    int64_t chunks = dpr__ceil_divide(TILES, others);
    while (chunks > 1 && (chunks > conv->n || chunks * sums > PARTIAL_FLOATS))
        chunks--;
    return chunks;
}

/* ---- results ---- */

enum { VECTOR = 16 }; /* floats of the widest */

void dpr__cpu_conv_set_rows(dpr__cpu_conv *conv, const dpr__chain *chain) {
    conv->row_floats = chain->row_floats < VECTOR ? VECTOR : chain->row_floats;
}

static void pack(const dpr__cpu_conv *conv, const dpr__chain *chain, float *tile, int64_t pixels) {
    int64_t row = chain->row_floats;
    for (int64_t i = 1; row < conv->row_floats && i < pixels; i++)
        memcpy(tile + i * row, tile + i * conv->row_floats, (size_t)row * sizeof *tile);
}

bool dpr__cpu_conv_is_bare(const dpr__cpu_conv *conv, const dpr__chain *chain) {
    return chain->n == 0 && chain->n_outputs == 1 && chain->outputs[0].reg == 0 &&
           !chain->outputs[0].staged && chain->row_floats == conv->row_floats;
}

float *dpr__cpu_conv_place(const dpr__row *row, const dpr__values *values, int64_t pixel,
                           int64_t panel) {
    const dpr__chain *chain = &row->chain;
    return (float *)values->memory[chain->outputs[0].value] + panel * chain->rows * DPR__PANEL +
           pixel * row->conv.row_floats;
}

/* ---- pooling a tile ---- */

void dpr__cpu_conv_take_pooling(dpr__row *row, const dpr__step *step, const dpr__group *group) {
    for (uint32_t m = 0; m < group->n; m++) {
        dpr_value member = step->members[group->first + m];
        const dpr__node *node = dpr__node_of(step->graph, member);
        if (node->op == DPR__OP_window_take)
            row->largest = member;
        if (node->op != DPR__OP_window_argmax)
            continue;
        row->places = member;
        row->conv.whole_h = ((const dpr__window_param *)node->param)->kernel_h;
        row->pooling =
            dpr__kernel_find(DPR__ROWS, DPR__OP_window_argmax, DPR_F32, step->context->isa)
                ->run.rows;
    }
}

/* The tile is an image of its own: so many pixels from `pixel` on, as the chain's rows lie. */
static void pool(const dpr__row *row, const dpr__values *values, float *tile, int64_t pixel,
                 int64_t pixels) {
    const dpr__cpu_conv *conv = &row->conv;
    const dpr__step *step = values->step;
    const dpr__node *places = dpr__node_of(step->graph, row->places);
    const dpr__window_param *window = places->param;
    int64_t rows = pixels / conv->ow, ow = conv->ow / window->kernel_w;
    int64_t first = pixel / conv->ow / window->kernel_h * ow;
    const dpr_shape shape = dpr_shape_of(1, rows / window->kernel_h, ow, conv->oc);
    const dpr__tensor map = {
        .dtype = DPR_F32,
        .shape = dpr_shape_of(1, rows, conv->ow, conv->oc),
        .data = tile,
        .form = row->chain.fold > 1 ? DPR__NARROW : DPR__PANELS,
    };
    dpr__tensor taken = {.dtype = DPR_F32, .shape = shape, .form = step->forms[row->largest]};
    float *largest = row->largest != 0 ? values->memory[row->largest] : NULL;
    uint8_t *index = values->memory[row->places];
    if (largest != NULL)
        taken.data = largest + first * dpr__form_row(taken.form, &shape);
    const dpr__call call = {.param = window,
                            .src = &map,
                            .dst = {.dtype = DPR_U8,
                                    .shape = shape,
                                    .data = index != NULL ? index + first * conv->oc : NULL},
                            .second = largest != NULL ? &taken : NULL};
    row->pooling->run(&call, 0, 1);
}

void dpr__cpu_conv_close(const dpr__row *row, const dpr__values *values, float *scratch,
                         float *products, int64_t pixel, int64_t pixels, int64_t panel,
                         int64_t number) {
    const dpr__chain *chain = &row->chain;
    const dpr__tile tile = {pixel / chain->fold, pixels / chain->fold, panel};
    if (row->bare && chain->n_sums == 0)
        return;
    pack(&row->conv, chain, products, pixels);
    dpr__chain_run(chain, values, scratch, products, tile.row, tile.rows, panel);
    if (row->pooling != NULL)
        pool(row, values, products, pixel, pixels);
    dpr__cpu_bring_sums(row, values, scratch, &tile, number);
}

/* A data gradient with turned filters is a convolution of diff_dst with stride − 1 zeros between its pixels. */
static void turn_geometry(dpr__cpu_conv *conv) {
    conv->spread_h = conv->stride_h;
    conv->spread_w = conv->stride_w;
    conv->stride_h = conv->stride_w = 1;
    conv->pad_top = conv->dilation_h * (conv->kh - 1) - conv->pad_top;
    conv->pad_left = conv->dilation_w * (conv->kw - 1) - conv->pad_left;
}

void dpr__cpu_conv_geometry(const dpr__step *step, dpr_value value, dpr__cpu_conv *conv) {
    const dpr__node *node = dpr__node_of(step->graph, value);
    const dpr__conv_param *p = node->param;
    bool gradient = node->op == DPR__OP_conv2d_weights;
    conv->src = dpr__source(step->graph, value, 0);
    conv->weights = gradient ? value : dpr__source(step->graph, value, 1);
    conv->dst = gradient ? dpr__source(step->graph, value, 1) : value;
    const dpr_shape *src = shape_of(step, conv->src), *dst = shape_of(step, conv->dst);
    conv->n = src->dim[0], conv->h = src->dim[1], conv->w = src->dim[2], conv->c = src->dim[3];
    conv->oh = dst->dim[1], conv->ow = dst->dim[2], conv->oc = dst->dim[3];
    conv->kh = shape_of(step, conv->weights)->dim[0];
    conv->kw = shape_of(step, conv->weights)->dim[1];
    if (p->winograd == DPR__FILTERS_TRANSFORMED && !gradient)
        conv->kh = conv->kw = 3;
    conv->stride_h = p->stride_h, conv->stride_w = p->stride_w;
    conv->dilation_h = p->dilation_h, conv->dilation_w = p->dilation_w;
    conv->pad_top = p->pad_top, conv->pad_left = p->pad_left;
    conv->spread_h = conv->spread_w = 1;
    if (node->op == DPR__OP_conv2d_data)
        turn_geometry(conv);
    conv->channels = conv->c;
    conv->depth = p->bf16 == DPR__BF16_OPERANDS && !gradient ? conv->c / 2 : conv->c;
    conv->width = (conv->ow - 1) * conv->stride_w + (conv->kw - 1) * conv->dilation_w + 1;
    conv->place = conv->depth;
    conv->pitch = conv->width * conv->place;
}
