/* The draws of an image: which numbers of the generator decide what (augment.h). */
#include "base/random.h"
#include "ops/augment.h"
#include "ops/op.h"
#include <math.h>

/* One stream a kind, so that one kind's numbers do not depend on which others there are. */
enum stream { CROP, FLIP, AFFINE, TRANSLATE, COLOUR, CUTOUT, MIX, BOX, ELASTIC = 16 };

#define FIELD(member, type) DPR__FIELD(dpr__augment_param, member, type)
const dpr__field dpr__augment_fields[DPR__AUGMENT_FIELDS] = {
    FIELD(n, INT),           FIELD(height, INT),  FIELD(width, INT),       FIELD(fill, INT),
    FIELD(crop, INT),        FIELD(pad, INT),     FIELD(flip, INT),        FIELD(cutout, INT),
    FIELD(rotate, REAL),     FIELD(scale, REAL),  FIELD(shear, REAL),      FIELD(translate, REAL),
    FIELD(elastic, REAL),    FIELD(smooth, REAL), FIELD(brightness, REAL), FIELD(contrast, REAL),
    FIELD(saturation, REAL), FIELD(mixup, REAL),  FIELD(cutmix, REAL),
};
#undef FIELD

static uint64_t counter_of(uint64_t epoch, int64_t image) {
    return epoch << 32 | (uint32_t)image;
}

static dpr__draw draw_words(uint64_t seed, uint64_t counter, uint32_t stream) {
    return dpr__philox(seed, DPR__PURPOSE_AUGMENT, stream, counter);
}

/* Uniform in [−reach, reach). */
static double around_zero(uint32_t word, double reach) {
    return (2 * dpr__unit(word) - 1) * reach;
}

static int64_t whole_around_zero(uint32_t word, int64_t reach) {
    return (int64_t)dpr__below(word, (uint32_t)(2 * reach + 1)) - reach;
}

/* ---- where pixels come from ---- */

/* Alternating (Jordan 2024, section 3.6): at random in the first epoch, then in turn, so that in two epochs an image shows both
 * its sides. */
static bool is_flipped(const dpr__augment_param *p, uint64_t seed, uint64_t epoch, int64_t image) {
    if (p->flip == DPR__FLIP_NEVER)
        return false;
    bool alternates = p->flip == DPR__FLIP_ALTERNATE;
    uint64_t counter = counter_of(alternates ? 0 : epoch, image);
    return ((draw_words(seed, counter, FLIP).word[0] ^ (alternates ? epoch : 0)) & 1) != 0;
}

/* The inverse of rotate · shear · scale: what an output place, from the centre, was before. */
static void draw_inverse(const dpr__augment_param *p, dpr__draw d, double inverse[2][2]) {
    const double degree = 0.017453292519943295769;
    double angle = around_zero(d.word[0], p->rotate) * degree;
    double factor = 1 + around_zero(d.word[1], p->scale);
    double slope = tan(around_zero(d.word[2], p->shear) * degree);
    double c = cos(angle), s = sin(angle);
    /* in (y, x): x' = (c·x + s·y) − slope·y', y' = c·y − s·x; then divided */
    inverse[0][0] = c / factor;
    inverse[0][1] = -s / factor;
    inverse[1][0] = (s - slope * c) / factor;
    inverse[1][1] = (c + slope * s) / factor;
}

static int64_t fixed(double value) {
    return (int64_t)floor(value * (1 << DPR__PLACE_BITS) + 0.5);
}

/* Output (y, x): turned over, moved by the crop, then q = inverse·(p − centre − t) + centre. */
static void draw_places(const dpr__augment_param *p, bool flipped, dpr__augment_draw *out) {
    double inverse[2][2] = {{1, 0}, {0, 1}}, at[2] = {0, flipped ? (double)(p->width - 1) : 0};
    const double centre[2] = {(double)(p->height - 1) / 2, (double)(p->width - 1) / 2};
    if (p->crop > 0) {
        dpr__draw d = draw_words(out->seed, out->counter, CROP);
        for (int i = 0; i < 2; i++)
            at[i] += (double)whole_around_zero(d.word[i], p->crop);
    }
    if (p->rotate > 0 || p->scale > 0 || p->shear > 0)
        draw_inverse(p, draw_words(out->seed, out->counter, AFFINE), inverse);
    if (p->translate > 0) {
        dpr__draw d = draw_words(out->seed, out->counter, TRANSLATE);
        for (int i = 0; i < 2; i++)
            at[i] -= around_zero(d.word[i], p->translate);
    }
    for (int i = 0; i < 2; i++) {
        out->matrix[i][0] = fixed(inverse[i][0]);
        out->matrix[i][1] = fixed(flipped ? -inverse[i][1] : inverse[i][1]);
        out->matrix[i][2] = fixed(inverse[i][0] * (at[0] - centre[0]) +
                                  inverse[i][1] * (at[1] - centre[1]) + centre[i]);
    }
    out->spacing = p->elastic > 0 ? p->smooth * 1.7320508075688772935 : 0;
    out->whole =
        p->rotate == 0 && p->scale == 0 && p->shear == 0 && p->translate == 0 && p->elastic == 0;
}

/* A knot is uniform in (−a, a). The spline's sum over i of B_i² is 151/315 on average over a cell, so the field's deviation is
 * a/√3 · 151/315; `elastic` says what that should be. */
void dpr__elastic_knots(const dpr__augment_draw *draw, int64_t row, int64_t pair, double out[4]) {
    double reach = draw->param->elastic * 1.7320508075688772935 * 315 / 151;
    dpr__draw d =
        draw_words(draw->seed, draw->counter, ELASTIC + (uint32_t)(row * DPR__KNOTS + pair));
    for (int i = 0; i < 4; i++)
        out[i] = around_zero(d.word[i], reach);
}

/* ---- colours ---- */

/* Share of channel c in an image's grey: luma of ITU-R BT.601 for three channels. */
static double grey_share(int64_t channels, int64_t c) {
    static const double luma[3] = {0.299, 0.587, 0.114};
    return channels == 3 ? luma[c] : 1 / (double)channels;
}

static double mean_grey(const dpr__augment_param *p, int64_t channels, const uint8_t *pixels) {
    int64_t n = p->height * p->width;
    double grey = 0;
    for (int64_t c = 0; c < channels; c++) {
        uint64_t sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += pixels[i * channels + c];
        grey += grey_share(channels, c) * (double)sum / (double)n;
    }
    return grey;
}

/* v' = b·v; v'' = k·v' + (1 − k)·b·mean grey of the image; v''' = s·v'' + (1 − s)·grey of the pixel: one matrix and an offset. */
static void draw_colours(const dpr__augment_param *p, int64_t channels, const uint8_t *pixels,
                         dpr__augment_draw *out) {
    const double one = 1 << DPR__COLOUR_BITS;
    out->coloured = p->brightness > 0 || p->contrast > 0 || p->saturation > 0;
    if (!out->coloured)
        return;
    dpr__draw d = draw_words(out->seed, out->counter, COLOUR);
    double b = 1 + around_zero(d.word[0], p->brightness);
    double k = 1 + around_zero(d.word[1], p->contrast);
    double s = 1 + around_zero(d.word[2], p->saturation);
    double mean = p->contrast > 0 ? mean_grey(p, channels, pixels) : 0;
    out->offset = (int32_t)floor((1 - k) * b * mean * one + 0.5);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t from = 0; from < channels; from++) {
            double share = (1 - s) * grey_share(channels, from) + (c == from ? s : 0);
            out->colour[c][from] = (int32_t)floor(b * k * share * one + 0.5);
        }
}

/* ---- boxes ---- */

static int64_t within(int64_t i, int64_t n) {
    return i < 0 ? 0 : i > n ? n : i;
}

/* Around a centre anywhere in the image; what lies outside is cut off. */
static dpr__box box_around(const dpr__augment_param *p, dpr__draw d, int64_t height,
                           int64_t width) {
    int64_t top = dpr__below(d.word[0], (uint32_t)p->height) - height / 2;
    int64_t left = dpr__below(d.word[1], (uint32_t)p->width) - width / 2;
    return (dpr__box){within(top, p->height), within(top + height, p->height),
                      within(left, p->width), within(left + width, p->width)};
}

void dpr__augment_draw_image(const dpr__augment_param *p, int64_t channels, const uint8_t *pixels,
                             uint64_t seed, uint64_t epoch, int64_t image, dpr__augment_draw *out) {
    *out = (dpr__augment_draw){.param = p, .seed = seed, .counter = counter_of(epoch, image)};
    draw_places(p, is_flipped(p, seed, epoch, image), out);
    draw_colours(p, channels, pixels, out);
    if (p->cutout > 0)
        out->cut = box_around(p, draw_words(seed, out->counter, CUTOUT), p->cutout, p->cutout);
}

/* ---- pairs ---- */

/* Beta(α, α) from two uniform numbers, without rejection: with t of Student's distribution of 2α degrees, which is
 * √(2α(u^(−1/α) − 1))·cos 2πv (Bailey, Mathematics of Computation 62, 1994), it is ½(1 + t/√(2α + t²)). */
static double draw_beta(double alpha, uint32_t a, uint32_t b) {
    double u = ((double)a + 1) * 0x1p-32, c = cos(6.283185307179586476925 * (double)b * 0x1p-32);
    double q = (pow(u, -1 / alpha) - 1) * c * c; /* t²/2α, and may be infinite */
    double t = q > 0 ? 1 / sqrt(1 + 1 / q) : 0;
    return 0.5 + (c < 0 ? -0.5 : 0.5) * t;
}

static int32_t share_of(double share) {
    return (int32_t)floor(share * (1 << DPR__SHARE_BITS) + 0.5);
}

/* Yun et al. 2019: sides √share of the image's, and the share is then what shows of the box. */
static void draw_box(const dpr__augment_param *p, dpr__draw d, double share, dpr__mix_draw *out) {
    double side = sqrt(share);
    out->box =
        box_around(p, d, (int64_t)((double)p->height * side), (int64_t)((double)p->width * side));
    int64_t area = (out->box.bottom - out->box.top) * (out->box.right - out->box.left);
    out->boxed = true;
    out->share = share_of((double)area / (double)(p->height * p->width));
}

void dpr__mix_draw_image(const dpr__augment_param *p, uint64_t seed, uint64_t epoch, int64_t image,
                         dpr__mix_draw *out) {
    *out = (dpr__mix_draw){.partner = (int32_t)image};
    if (p->mixup == 0 && p->cutmix == 0)
        return;
    uint64_t counter = counter_of(epoch, image);
    dpr__draw d = draw_words(seed, counter, MIX);
    out->partner = (int32_t)dpr__below(d.word[0], (uint32_t)p->n);
    /* With both kinds, each image takes one of them. */
    bool boxed = p->cutmix > 0 && (p->mixup == 0 || (d.word[3] & 1) != 0);
    double share = draw_beta(boxed ? p->cutmix : p->mixup, d.word[1], d.word[2]);
    if (boxed)
        draw_box(p, draw_words(seed, counter, BOX), share, out);
    else
        out->share = share_of(share);
}

dpr_status dpr__infer_mix(dpr__infer *q, dpr_dtype dtype) {
    static const dpr_dtype DTYPES[3] = {DPR_I32, DPR_U64, DPR_U64};
    for (uint32_t i = 0; i < 3; i++) {
        DPR_TRY(dpr__expect_dtype(q, i, DTYPES[i]));
        DPR_TRY(dpr__expect_rank(q, i, i == 0 ? 1 : 0));
    }
    DPR_TRY(dpr__expect_images(q, ((const dpr__augment_param *)q->param)->n, DPR_BATCH));
    q->dst = (dpr__type){dtype, q->src[0].shape};
    return DPR_OK;
}
