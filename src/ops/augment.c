/* augment(pool, index, seed, epoch, own, partner): rows own of the pool, each changed at random: u8 (rows h w c) → u8 (batch h w c). What is
 * drawn goes by index, which image of the set it is; what is mixed in lies in row partner. Draws and number formats: augment.h. Where pixels are read from depends on draws, and the image's shape must not become index arithmetic in the
 * graph, so it is an op and no composition. Pool and result are data: there is no gradient. */
#include "ops/augment.h"
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    const dpr__augment_param *p = q->param;
    const dpr_shape *pool = &q->src[0].shape;
    static const dpr_dtype DTYPES[6] = {DPR_U8, DPR_I32, DPR_U64, DPR_U64, DPR_I32, DPR_I32};
    static const uint32_t RANKS[6] = {4, 1, 0, 0, 1, 1};
    for (uint32_t i = 0; i < 6; i++) {
        DPR_TRY(dpr__expect_dtype(q, i, DTYPES[i]));
        DPR_TRY(dpr__expect_rank(q, i, RANKS[i]));
    }
    DPR_TRY(dpr__expect_images(q, p->n, DPR_BATCH));
    if (pool->dim[0] < 1 || pool->dim[1] != p->height || pool->dim[2] != p->width ||
        p->height < 1 || p->width < 1 || pool->dim[3] < 1 || pool->dim[3] > DPR__CHANNELS)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "augment '%s': it takes images of %lld × %lld pixels and 1 to %d channels",
                        q->name, (long long)p->height, (long long)p->width, DPR__CHANNELS);
    for (uint32_t i = 4; i < 6; i++)
        if (!dpr__shape_equal(&q->src[i].shape, &q->src[1].shape))
            return DPR_FAIL(q->context, DPR_E_SHAPE,
                            "augment '%s': it takes as many rows of the pool as images", q->name);
    if (p->elastic > 0 && (p->smooth < 1 || dpr__knots(p->smooth, p->width) > DPR__KNOTS))
        return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                        "augment '%s': an elastic field over %lld pixels cannot be smooth over "
                        "only %g",
                        q->name, (long long)p->width, p->smooth);
    q->dst = (dpr__type){DPR_U8, *pool};
    q->dst.shape.dim[0] = q->src[1].shape.dim[0];
    return DPR_OK;
}

/* An image of the pool and its draws. */
struct view {
    const uint8_t *pixels;
    int64_t channels;
    dpr__augment_draw draw;
};

static int32_t read_pixel(const struct view *v, int64_t y, int64_t x, int64_t c) {
    const dpr__augment_param *p = v->draw.param;
    if (p->pad == DPR__PAD_REFLECT) {
        y = dpr__reflected(y, p->height);
        x = dpr__reflected(x, p->width);
    }
    if (y < 0 || y >= p->height || x < 0 || x >= p->width)
        return dpr__outside(p, c);
    return v->pixels[(y * p->width + x) * v->channels + c];
}

/* The elastic field at (y, x), in 2^-24 pixels: of y where axis is 0. */
static int64_t displacement(const struct view *v, int64_t y, int64_t x, int axis) {
    double at_y[4], at_x[4], sum = 0, knots[4];
    if (v->draw.spacing == 0)
        return 0;
    int64_t row = dpr__spline((double)y / v->draw.spacing, at_y);
    int64_t column = dpr__spline((double)x / v->draw.spacing, at_x);
    for (int64_t k = 0; k < 4; k++) {
        double line = 0;
        for (int64_t j = 0; j < 4; j++) {
            dpr__elastic_knots(&v->draw, row + j, (column + k) / 2, knots);
            line += at_y[j] * knots[(column + k) % 2 * 2 + axis];
        }
        sum += at_x[k] * line;
    }
    return (int64_t)(sum * (1 << DPR__PLACE_BITS));
}

static int32_t sample(const struct view *v, int64_t y, int64_t x, int64_t c) {
    enum { SHIFT = DPR__PLACE_BITS - DPR__WEIGHT_BITS, ONE = 1 << DPR__WEIGHT_BITS };
    int64_t whole[2], weight[2];
    for (int i = 0; i < 2; i++) {
        const int64_t *m = v->draw.matrix[i];
        int64_t at = m[0] * y + m[1] * x + m[2] + displacement(v, y, x, i);
        at = (at + (1 << (SHIFT - 1))) >> SHIFT;
        whole[i] = at >> DPR__WEIGHT_BITS;
        weight[i] = at & (ONE - 1);
    }
    int64_t sum = ONE * ONE / 2;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            sum += (i ? weight[0] : ONE - weight[0]) * (j ? weight[1] : ONE - weight[1]) *
                   read_pixel(v, whole[0] + i, whole[1] + j, c);
    return (int32_t)(sum >> 2 * DPR__WEIGHT_BITS);
}

static uint8_t pixel(const struct view *v, int64_t y, int64_t x, int64_t c) {
    if (dpr__box_holds(&v->draw.cut, y, x))
        return dpr__fill_of(v->draw.param, c);
    if (!v->draw.coloured)
        return (uint8_t)sample(v, y, x, c);
    int32_t colour = v->draw.offset;
    for (int64_t from = 0; from < v->channels; from++)
        colour += v->draw.colour[c][from] * sample(v, y, x, from);
    return dpr__to_byte(colour);
}

static struct view view_of(const dpr__call *call, int64_t row, int64_t image) {
    const dpr_shape *pool = &call->src[0].shape;
    struct view v = {.channels = pool->dim[3]};
    row = dpr__clamped(row, pool->dim[0]);
    v.pixels = (const uint8_t *)call->src[0].data + row * dpr__shape_count(pool) / pool->dim[0];
    dpr__augment_draw_image(call->param, v.channels, v.pixels, *(const uint64_t *)call->src[2].data,
                            *(const uint64_t *)call->src[3].data, image, &v.draw);
    return v;
}

static void one_image(const dpr__call *call, int64_t i, int64_t dst) {
    const dpr__augment_param *p = call->param;
    int64_t image = dpr__clamped(((const int32_t *)call->src[1].data)[i], p->n);
    dpr__mix_draw mix;
    dpr__mix_draw_image(p, *(const uint64_t *)call->src[2].data,
                        *(const uint64_t *)call->src[3].data, image, &mix);
    struct view own = view_of(call, ((const int32_t *)call->src[4].data)[i], image);
    struct view partner = view_of(call, ((const int32_t *)call->src[5].data)[i], mix.partner);
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++)
            for (int64_t c = 0; c < own.channels; c++) {
                uint8_t value = pixel(&own, y, x, c);
                if (mix.boxed && dpr__box_holds(&mix.box, y, x))
                    value = pixel(&partner, y, x, c);
                else if (!mix.boxed && mix.share > 0)
                    value = dpr__blend(value, pixel(&partner, y, x, c), mix.share);
                dpr__put(&call->dst, dst++, value);
            }
}

static void reference(const dpr__call *call) {
    const dpr__augment_param *p = call->param;
    int64_t n = call->dst.shape.dim[0];
    int64_t each = p->height * p->width * call->dst.shape.dim[3];
    for (int64_t i = 0; i < n; i++)
        one_image(call, i, i * each);
}

const dpr__op dpr__op_augment = {.infer = infer,
                                 .reference = reference,
                                 .fields = dpr__augment_fields,
                                 .n_fields = DPR__AUGMENT_FIELDS,
                                 .param_bytes = sizeof(dpr__augment_param)};
