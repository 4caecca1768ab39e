/* augment and its pairs, image by image: as src/ops/augment.c defines them, in the same integers, so to the same bits. What is faster:
 * rows that are only moved are copied, pixels inside the image are read without asking where they lie, and the elastic field is
 * made a row at a time, knots once for each row of cells. */
#include "ops/augment.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/matrix.h"
#include <string.h>

enum { PIECE = 256 }; /* pixels at a time, where something is kept of each */

struct view {
    const uint8_t *pixels;
    int64_t channels, row_bytes;
    uint8_t fill[DPR__CHANNELS], outside[DPR__CHANNELS];
    dpr__augment_draw draw;
    int64_t cells;                 /* row of cells that knots are of; −1: none yet */
    double knot[4][DPR__KNOTS][2]; /* (y, x) displacement; four rows */
    double line[DPR__KNOTS][2];    /* their sum for one row of pixels */
    int64_t from, to;              /* pixels of a row that the weights are of */
    int64_t cell[PIECE];
    double weight[PIECE][4];
};

static void open_view(struct view *v, const dpr__call *call, int64_t row, int64_t image) {
    const dpr__augment_param *p = call->param;
    v->channels = call->dst.shape.dim[3];
    v->row_bytes = p->width * v->channels;
    v->pixels = (const uint8_t *)call->src[0].data +
                dpr__clamped(row, call->src[0].shape.dim[0]) * p->height * v->row_bytes;
    v->cells = -1;
    v->from = v->to = 0;
    for (int64_t c = 0; c < v->channels; c++) {
        v->fill[c] = dpr__fill_of(p, c);
        v->outside[c] = dpr__outside(p, c);
    }
    dpr__augment_draw_image(p, v->channels, v->pixels, *(const uint64_t *)call->src[2].data,
                            *(const uint64_t *)call->src[3].data, image, &v->draw);
}

/* ---- the elastic field ---- */

static void fill_knots(struct view *v, int64_t cells, int64_t n) {
    for (int64_t j = 0; j < 4; j++)
        for (int64_t pair = 0; 2 * pair < n; pair++)
            dpr__elastic_knots(&v->draw, cells + j, pair, v->knot[j][2 * pair]);
    v->cells = cells;
}

static void fill_line(struct view *v, int64_t y) {
    double weight[4];
    int64_t cells = dpr__spline((double)y / v->draw.spacing, weight);
    int64_t n = dpr__knots(v->draw.param->smooth, v->draw.param->width);
    if (cells != v->cells)
        fill_knots(v, cells, n);
    for (int64_t k = 0; k < n; k++)
        for (int axis = 0; axis < 2; axis++) {
            double sum = 0;
            for (int j = 0; j < 4; j++)
                sum += weight[j] * v->knot[j][k][axis];
            v->line[k][axis] = sum;
        }
}

/* The weights of pixels from … to − 1 of any row. */
static void fill_weights(struct view *v, int64_t from, int64_t to) {
    if (from == v->from && to == v->to)
        return;
    for (int64_t x = from; x < to; x++)
        v->cell[x - from] = dpr__spline((double)x / v->draw.spacing, v->weight[x - from]);
    v->from = from;
    v->to = to;
}

static inline void displace(const struct view *v, int64_t x, int64_t at[2]) {
    const double *weight = v->weight[x - v->from];
    const double(*line)[2] = &v->line[v->cell[x - v->from]];
    double sum[2] = {0, 0};
    for (int k = 0; k < 4; k++)
        for (int axis = 0; axis < 2; axis++)
            sum[axis] += weight[k] * line[k][axis];
    for (int axis = 0; axis < 2; axis++)
        at[axis] += (int64_t)(sum[axis] * (1 << DPR__PLACE_BITS));
}

/* ---- reading ---- */

/* The pixel at (y, x), or what stands for it outside the image. */
static const uint8_t *find_pixel(const struct view *v, int64_t y, int64_t x) {
    const dpr__augment_param *p = v->draw.param;
    if (p->pad == DPR__PAD_REFLECT) {
        y = dpr__reflected(y, p->height);
        x = dpr__reflected(x, p->width);
    } else if (y < 0 || y >= p->height || x < 0 || x >= p->width) {
        return v->outside;
    }
    return v->pixels + y * v->row_bytes + x * v->channels;
}

static inline void copy_pixel(uint8_t *dst, const uint8_t *src, int64_t channels) {
    for (int64_t c = 0; c < channels; c++)
        dst[c] = src[c];
}

/* n pixels; each of src lies before the last. */
static inline void copy_turned(uint8_t *dst, const uint8_t *src, int64_t n, int64_t channels) {
    for (int64_t i = 0; i < n; i++)
        copy_pixel(dst + i * channels, src - i * channels, channels);
}

/* Whole pixels: x runs forwards or backwards through one row, first + step·x. */
static void copy_row(const struct view *v, int64_t y, int64_t from, int64_t to, uint8_t *dst) {
    const int64_t *my = v->draw.matrix[0], *mx = v->draw.matrix[1];
    int64_t width = v->draw.param->width, channels = v->channels;
    int64_t row = (my[0] * y + my[2]) >> DPR__PLACE_BITS, first = mx[2] >> DPR__PLACE_BITS;
    int64_t step = mx[1] >> DPR__PLACE_BITS;
    /* Where the image itself is read: from a to b − 1. */
    int64_t a = step > 0 ? -first : first - width + 1, b = a + width;
    a = a < from ? from : a > to ? to : a;
    b = b < a ? a : b > to ? to : b;
    for (int64_t x = from; x < a; x++)
        copy_pixel(dst + (x - from) * channels, find_pixel(v, row, first + step * x), channels);
    for (int64_t x = b; x < to; x++)
        copy_pixel(dst + (x - from) * channels, find_pixel(v, row, first + step * x), channels);
    const uint8_t *src = find_pixel(v, row, first + step * a);
    dst += (a - from) * channels;
    if (src == v->outside)
        for (int64_t x = a; x < b; x++, dst += channels)
            copy_pixel(dst, src, channels);
    else if (step > 0)
        memcpy(dst, src, (size_t)((b - a) * channels));
    else if (channels == 1)
        copy_turned(dst, src, b - a, 1);
    else if (channels == 3)
        copy_turned(dst, src, b - a, 3);
    else
        copy_turned(dst, src, b - a, channels);
}

static inline void blend_four(const uint8_t *const near[4], int64_t channels, int32_t wy,
                              int32_t wx, uint8_t *dst) {
    enum { ONE = 1 << DPR__WEIGHT_BITS };
    for (int64_t c = 0; c < channels; c++) {
        int32_t above = near[0][c] * (ONE - wx) + near[1][c] * wx;
        int32_t below = near[2][c] * (ONE - wx) + near[3][c] * wx;
        int32_t sum = above * (ONE - wy) + below * wy + ONE * ONE / 2;
        dst[c] = (uint8_t)(sum >> 2 * DPR__WEIGHT_BITS);
    }
}

/* The four pixels around (y, x). */
static inline void find_four(const struct view *v, int64_t y, int64_t x, int64_t channels,
                             const uint8_t *near[4]) {
    if (y >= 0 && y + 1 < v->draw.param->height && x >= 0 && x + 1 < v->draw.param->width) {
        near[0] = v->pixels + y * v->row_bytes + x * channels;
        near[1] = near[0] + channels;
        near[2] = near[0] + v->row_bytes;
        near[3] = near[2] + channels;
    } else {
        for (int64_t i = 0; i < 4; i++)
            near[i] = find_pixel(v, y + i / 2, x + i % 2);
    }
}

static inline void sample_span(const struct view *v, int64_t y, int64_t from, int64_t to,
                               int64_t channels, uint8_t *dst) {
    enum { SHIFT = DPR__PLACE_BITS - DPR__WEIGHT_BITS, ONE = 1 << DPR__WEIGHT_BITS };
    const int64_t *my = v->draw.matrix[0], *mx = v->draw.matrix[1];
    for (int64_t x = from; x < to; x++, dst += channels) {
        int64_t at[2] = {my[0] * y + my[1] * x + my[2], mx[0] * y + mx[1] * x + mx[2]};
        const uint8_t *near[4];
        if (v->draw.spacing > 0)
            displace(v, x, at);
        int64_t py = (at[0] + (1 << (SHIFT - 1))) >> SHIFT;
        int64_t px = (at[1] + (1 << (SHIFT - 1))) >> SHIFT;
        find_four(v, py >> DPR__WEIGHT_BITS, px >> DPR__WEIGHT_BITS, channels, near);
        blend_four(near, channels, (int32_t)(py & (ONE - 1)), (int32_t)(px & (ONE - 1)), dst);
    }
}

static void sample_row(struct view *v, int64_t y, int64_t from, int64_t to, uint8_t *dst) {
    if (v->draw.spacing > 0)
        fill_line(v, y);
    for (int64_t end; from < to; dst += (end - from) * v->channels, from = end) {
        end = from + PIECE < to ? from + PIECE : to;
        if (v->draw.spacing > 0)
            fill_weights(v, from, end);
        if (v->channels == 1)
            sample_span(v, y, from, end, 1, dst);
        else if (v->channels == 3)
            sample_span(v, y, from, end, 3, dst);
        else
            sample_span(v, y, from, end, v->channels, dst);
    }
}

/* ---- what comes after ---- */

static inline void colour_span(const dpr__augment_draw *d, int64_t n, int64_t channels,
                               uint8_t *dst) {
    for (int64_t i = 0; i < n; i++, dst += channels) {
        int32_t sum[DPR__CHANNELS];
        for (int64_t c = 0; c < channels; c++) {
            sum[c] = d->offset;
            for (int64_t from = 0; from < channels; from++)
                sum[c] += d->colour[c][from] * dst[from];
        }
        for (int64_t c = 0; c < channels; c++)
            dst[c] = dpr__to_byte(sum[c]);
    }
}

static void colour_row(const struct view *v, int64_t n, uint8_t *dst) {
    if (v->channels == 3)
        colour_span(&v->draw, n, 3, dst);
    else
        colour_span(&v->draw, n, v->channels, dst);
}

/* Pixels from … to − 1 of row y. */
static void render(struct view *v, int64_t y, int64_t from, int64_t to, uint8_t *dst) {
    const dpr__box *cut = &v->draw.cut;
    if (v->draw.whole)
        copy_row(v, y, from, to, dst);
    else
        sample_row(v, y, from, to, dst);
    if (v->draw.coloured)
        colour_row(v, to - from, dst);
    if (y < cut->top || y >= cut->bottom)
        return;
    for (int64_t x = from > cut->left ? from : cut->left; x < to && x < cut->right; x++)
        memcpy(dst + (x - from) * v->channels, v->fill, (size_t)v->channels);
}

/* The partner's pixels of row y over the image's own. */
static void mix_row(struct view *partner, const dpr__mix_draw *mix, int64_t y, uint8_t *row) {
    uint8_t piece[PIECE * DPR__CHANNELS];
    int64_t width = partner->draw.param->width, channels = partner->channels;
    if (mix->boxed) {
        if (y >= mix->box.top && y < mix->box.bottom && mix->box.left < mix->box.right)
            render(partner, y, mix->box.left, mix->box.right, row + mix->box.left * channels);
        return;
    }
    for (int64_t from = 0; from < width; from += PIECE) {
        int64_t to = from + PIECE < width ? from + PIECE : width;
        render(partner, y, from, to, piece);
        for (int64_t i = 0; i < (to - from) * channels; i++)
            row[from * channels + i] = dpr__blend(row[from * channels + i], piece[i], mix->share);
    }
}

static void one_image(const dpr__call *call, int64_t i, uint8_t *dst) {
    const dpr__augment_param *p = call->param;
    int64_t image = dpr__clamped(((const int32_t *)call->src[1].data)[i], p->n);
    struct view own, partner;
    dpr__mix_draw mix;
    open_view(&own, call, ((const int32_t *)call->src[4].data)[i], image);
    for (int64_t y = 0; y < p->height; y++)
        render(&own, y, 0, p->width, dst + y * own.row_bytes);
    dpr__mix_draw_image(p, own.draw.seed, *(const uint64_t *)call->src[3].data, image, &mix);
    if (!mix.boxed && mix.share == 0)
        return;
    open_view(&partner, call, ((const int32_t *)call->src[5].data)[i], mix.partner);
    for (int64_t y = 0; y < p->height; y++)
        mix_row(&partner, &mix, y, dst + y * own.row_bytes);
}

static int64_t images(const dpr__call *call) {
    return call->dst.shape.dim[0];
}

static void augment(const dpr__call *call, int64_t first, int64_t last) {
    int64_t each = dst_elements(call) / images(call);
    for (int64_t i = first; i < last; i++)
        one_image(call, i, (uint8_t *)call->dst.data + i * each);
}
const dpr__rows_kernel dpr__augment_images = {accepts_plain, images, augment, false};
