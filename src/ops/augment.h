/* What is drawn for one image in one epoch, for the reference kernel of augment and the fast one. Every draw is Philox under the
 * seed with the counter (image, epoch, kind): so an image looks the same in any batch, on any thread, after any resume.
 *
 * Pixels are computed in integers, so that all kernels and machines agree: pixel (y, x) is read at
 *   (matrix · (y, x, 1) + displacement(y, x)) / 2^24,
 * between pixels bilinearly with weights in 1/256; then colours change, a square is cut out, and the partner is mixed in. */
#ifndef DPR_OPS_AUGMENT_H
#define DPR_OPS_AUGMENT_H

#include "ir/op.h"

enum {
    DPR__PLACE_BITS = 24,  /* coordinates are in 2^-24 pixels */
    DPR__WEIGHT_BITS = 8,  /* of bilinear weights */
    DPR__COLOUR_BITS = 14, /* of the colours' factors */
    DPR__SHARE_BITS = 16,  /* of the partner's share */
    DPR__CHANNELS = 4,     /* at most */
    DPR__KNOTS = 128,      /* of the elastic field in a row, at most */
};

typedef struct dpr__box {
    int64_t top, bottom, left, right; /* bottom and right are outside */
} dpr__box;

static inline bool dpr__box_holds(const dpr__box *box, int64_t y, int64_t x) {
    return y >= box->top && y < box->bottom && x >= box->left && x < box->right;
}

typedef struct dpr__augment_draw {
    const dpr__augment_param *param;
    uint64_t seed, counter;
    int64_t matrix[2][3]; /* row 0 gives y, row 1 x; of y, x and 1 */
    bool whole;           /* only turned over and moved by whole pixels */
    double spacing;       /* between knots of the elastic field; 0: there is none */
    bool coloured;
    int32_t colour[DPR__CHANNELS][DPR__CHANNELS], offset;
    dpr__box cut; /* empty: nothing is cut out */
} dpr__augment_draw;

typedef struct dpr__mix_draw {
    int32_t partner; /* an image of the set */
    int32_t share;   /* of the partner, in 2^-16 */
    bool boxed;      /* cutmix: the partner shows in the box; else the two are blended */
    dpr__box box;
} dpr__mix_draw;

/* `pixels` are the image's own: its mean is what contrast turns on. */
void dpr__augment_draw_image(const dpr__augment_param *param, int64_t channels,
                             const uint8_t *pixels, uint64_t seed, uint64_t epoch, int64_t image,
                             dpr__augment_draw *out);
/* Without mixup and cutmix: the image itself, share 0. */
void dpr__mix_draw_image(const dpr__augment_param *param, uint64_t seed, uint64_t epoch,
                         int64_t image, dpr__mix_draw *out);

/* The fields of dpr__augment_param, for the three ops. */
enum { DPR__AUGMENT_FIELDS = 19 };
extern const dpr__field dpr__augment_fields[DPR__AUGMENT_FIELDS];
/* Shape rule of mix_partner and mix_share: index i32 (batch), seed u64 (), epoch u64 () → dtype (batch). */
dpr_status dpr__infer_mix(dpr__infer *question, dpr_dtype dtype);

/* ---- the elastic field ---- */

/* Simard, Steinkraus, Platt (ICDAR 2003) smooth a field of random numbers with a Gaussian. Here it is a cubic B-spline over random
 * knots, whose kernel is nearly a Gaussian of σ = spacing/√3, and which each pixel can compute by itself:
 *   d(y, x) = Σ_k B_k(x) Σ_j B_j(y) knot(⌊y/spacing⌋ + j, ⌊x/spacing⌋ + k), added in this order. */
static inline int64_t dpr__spline(double at, double weight[4]) {
    int64_t cell = (int64_t)at;
    double t = at - (double)cell, s = 1 - t;
    weight[0] = s * s * s / 6;
    weight[1] = (4 + 3 * t * t * (t - 2)) / 6;
    weight[2] = (4 + 3 * s * s * (s - 2)) / 6;
    weight[3] = t * t * t / 6;
    return cell;
}
/* How many knots a row of so many pixels needs. */
static inline int64_t dpr__knots(double smooth, int64_t pixels) {
    return (int64_t)((double)(pixels - 1) / (smooth * 1.7320508075688772935)) + 4;
}
/* Knots 2·pair and 2·pair + 1 of a row: (y, x) of the first, (y, x) of the second, in pixels. */
void dpr__elastic_knots(const dpr__augment_draw *draw, int64_t row, int64_t pair, double out[4]);

/* ---- single numbers ---- */

/* Index i reflected into 0 … n−1 at the outermost pixels' centres: −1 gives 1. */
static inline int64_t dpr__reflected(int64_t i, int64_t n) {
    if (i >= 0 && i < n) /* nearly always, and a division is slow */
        return i;
    int64_t period = n > 1 ? 2 * (n - 1) : 1;
    i %= period;
    i = i < 0 ? i + period : i;
    return i < n ? i : period - i;
}
static inline uint8_t dpr__fill_of(const dpr__augment_param *param, int64_t channel) {
    return (uint8_t)((uint64_t)param->fill >> 8 * channel);
}
/* What lies beside the image, but for reflections. */
static inline uint8_t dpr__outside(const dpr__augment_param *param, int64_t channel) {
    return param->pad == DPR__PAD_MEAN ? dpr__fill_of(param, channel) : 0;
}
static inline uint8_t dpr__blend(int32_t own, int32_t other, int32_t share) {
    int32_t one = 1 << DPR__SHARE_BITS;
    return (uint8_t)((own * (one - share) + other * share + one / 2) >> DPR__SHARE_BITS);
}
static inline uint8_t dpr__to_byte(int32_t colour) {
    int32_t value = (colour + (1 << (DPR__COLOUR_BITS - 1))) >> DPR__COLOUR_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

#endif
