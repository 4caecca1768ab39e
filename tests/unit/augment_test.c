/* What each kind of augmentation makes of an image, against what the page docs/training.md says, computed here in double and
 * from scratch. Where the draw itself is not the matter, the test looks for any draw that explains the image. */
#include "base/random.h"
#include "ops/augment.h"
#include "train_support.h"
#include <math.h>

enum { N = 24, H = 9, W = 12, BYTES = H * W * 4, EPOCHS = 40 };

/* N smooth pictures, each unlike the others, of any number of channels; labels 0. */
struct set {
    dpr_data *data;
    int64_t channels;
    uint8_t images[N * BYTES], out[BYTES];
    int32_t labels[N];
};
static struct set set;

static void open_set(dpr_context *context, int64_t channels) {
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(H, W, channels);
    info.n_classes = 1;
    set.channels = channels;
    uint8_t *at = set.images;
    for (int i = 0; i < N; i++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                for (int c = 0; c < channels; c++)
                    *at++ =
                        (uint8_t)(128 + 90 * sin(0.5 * x + 0.3 * i + c) * cos(0.4 * y - 0.2 * i));
    OK(context, dpr_data_create(context, &info, set.images, set.labels, N, NULL, NULL, &set.data));
}

static uint8_t own(int image, int64_t y, int64_t x, int64_t c) {
    return set.images[((image * H + y) * W + x) * set.channels + c];
}
static uint8_t out(int64_t y, int64_t x, int64_t c) {
    return set.out[(y * W + x) * set.channels + c];
}
static void make(dpr_context *context, const char *augment, unsigned epoch, int32_t image) {
    OK(context, dpr_data_augment(set.data, augment, 7, epoch, &image, 1, set.out));
}
static uint8_t mean_of(int64_t c) {
    return (uint8_t)(dpr_data_describe(set.data)->mean[c] * 255 + 0.5);
}

/* Runs a check with sets of one, three and four channels. */
static void with_sets(void (*test)(dpr_context *context)) {
    dpr_context *context = make_context("cpu", 1);
    for (int64_t channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
        open_set(context, channels);
        test(context);
        dpr_data_destroy(set.data);
    }
    dpr_context_destroy(context);
}

/* ---- crop and flip ---- */

static int outside(const char *pad, int image, int64_t y, int64_t x, int64_t c) {
    if (strcmp(pad, "reflect") == 0) { /* one fold is enough: crop is smaller than the image */
        y = y < 0 ? -y : y >= H ? 2 * H - 2 - y : y;
        x = x < 0 ? -x : x >= W ? 2 * W - 2 - x : x;
    }
    if (y >= 0 && y < H && x >= 0 && x < W)
        return own(image, y, x, c);
    return strcmp(pad, "mean") == 0 ? mean_of(c) : 0;
}

static bool is_moved(const char *pad, int image, int dy, int dx, bool flipped) {
    for (int64_t y = 0; y < H; y++)
        for (int64_t x = 0; x < W; x++)
            for (int64_t c = 0; c < set.channels; c++)
                if (out(y, x, c) != outside(pad, image, y + dy, (flipped ? W - 1 - x : x) + dx, c))
                    return false;
    return true;
}

/* Every image is a crop of the padded one, and all (2·3 + 1)² × 2 of them come, about equally often. */
static void check_crops(dpr_context *context, const char *pad) {
    char text[64];
    int seen[7][7][2] = {{{0}}}, most = 0, least = 1 << 30;
    snprintf(text, sizeof text, "flip,crop=3,pad=%s", pad);
    for (unsigned epoch = 1; epoch <= 2 * EPOCHS; epoch++)
        for (int image = 0; image < N; image++) {
            int found = 0;
            make(context, text, epoch, image);
            for (int way = 0; way < 98 && found == 0; way++)
                if (is_moved(pad, image, way / 14 - 3, way / 2 % 7 - 3, way % 2))
                    found = ++seen[way / 14][way / 2 % 7][way % 2];
            assert_true(found > 0);
        }
    for (int way = 0; way < 98; way++) {
        int n = seen[way / 14][way / 2 % 7][way % 2];
        most = n > most ? n : most;
        least = n < least ? n : least;
    }
    assert_true(least >= 5 && most <= 42); /* 19.6 on average, deviation 4.4 */
}

static void crops(dpr_context *context) {
    check_crops(context, "zero");
    check_crops(context, "mean");
    check_crops(context, "reflect");
}
static void crops_of_the_padded_image(void **state) {
    (void)state;
    with_sets(crops);
}

static bool shows_flipped(dpr_context *context, const char *augment, unsigned epoch, int image) {
    make(context, augment, epoch, image);
    bool same = is_moved("zero", image, 0, 0, false), turned = is_moved("zero", image, 0, 0, true);
    assert_true(same != turned);
    return turned;
}

static void flips(dpr_context *context) {
    int random = 0, changes = 0, first = 0;
    for (int image = 0; image < N; image++) {
        bool before = shows_flipped(context, "flip=alternate", 1, image);
        first += before;
        for (unsigned epoch = 2; epoch <= EPOCHS; epoch++) {
            bool now = shows_flipped(context, "flip=alternate", epoch, image);
            assert_true(now != before);
            before = now;
        }
        before = shows_flipped(context, "flip=random", 1, image);
        for (unsigned epoch = 2; epoch <= EPOCHS; epoch++) {
            bool now = shows_flipped(context, "flip", epoch, image);
            random += now;
            changes += now != before;
            before = now;
        }
    }
    assert_in_range(first, 5, N - 5);
    assert_in_range(random, N * (EPOCHS - 1) / 2 - 60, N * (EPOCHS - 1) / 2 + 60);
    assert_in_range(changes, N * (EPOCHS - 1) / 2 - 60, N * (EPOCHS - 1) / 2 + 60);
}
static void flips_at_random_or_in_turn(void **state) {
    (void)state;
    with_sets(flips);
}

/* ---- affine ---- */

static double value_at(int image, double y, double x, int64_t c) {
    int64_t iy = (int64_t)floor(y), ix = (int64_t)floor(x);
    double sum = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            sum += (i ? y - (double)iy : 1 - y + (double)iy) *
                   (j ? x - (double)ix : 1 - x + (double)ix) *
                   outside("zero", image, iy + i, ix + j, c);
    return sum;
}

static dpr__draw draw(unsigned epoch, int image, uint32_t stream) {
    return dpr__philox(7, DPR__PURPOSE_AUGMENT, stream,
                       (uint64_t)(epoch - 1) << 32 | (unsigned)image);
}
static double reach(uint32_t word, double most) {
    return most * (2 * (word >> 8) / 16777216.0 - 1);
}

/* The way there: scale, shear along x, rotation, all about the centre, then the shift; solved for the way back. */
static void compare_affine(dpr_context *context, unsigned epoch, int image) {
    make(context, "rotate=40,scale=0.3,shear=20,translate=2.5", epoch, image);
    dpr__draw d = draw(epoch, image, 2), t = draw(epoch, image, 3);
    double pi = acos(-1), a = reach(d.word[0], 40) * pi / 180, k = 1 + reach(d.word[1], 0.3);
    double slope = tan(reach(d.word[2], 20) * pi / 180), ty = reach(t.word[0], 2.5),
           tx = reach(t.word[1], 2.5);
    double m[2][2] = {{k * cos(a), k * (slope * cos(a) - sin(a))}, /* x' of (x, y) */
                      {k * sin(a), k * (slope * sin(a) + cos(a))}};
    double det = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    for (int64_t y = 0; y < H; y++)
        for (int64_t x = 0; x < W; x++) {
            double px = (double)x - (W - 1) / 2.0 - tx, py = (double)y - (H - 1) / 2.0 - ty;
            double qx = (m[1][1] * px - m[0][1] * py) / det,
                   qy = (m[0][0] * py - m[1][0] * px) / det;
            for (int64_t c = 0; c < set.channels; c++) {
                double want = value_at(image, qy + (H - 1) / 2.0, qx + (W - 1) / 2.0, c);
                if (fabs(want - out(y, x, c)) > 1.5) /* weights are multiples of 1/256 */
                    fail_msg("image %d, pixel (%d, %d): %d, not %g", image, (int)y, (int)x,
                             out(y, x, c), want);
            }
        }
}
static void affine(dpr_context *context) {
    for (unsigned epoch = 1; epoch <= EPOCHS; epoch++)
        for (int image = 0; image < N; image++)
            compare_affine(context, epoch, image);
}
static void turned_scaled_sheared_shifted(void **state) {
    (void)state;
    with_sets(affine);
}

/* ---- elastic ---- */

enum { RAMP = 48, RAMPS = 60 };

/* Images that rise by 5 a pixel along x, or along y: what an elastic field makes of them is the field. */
static dpr_data *open_ramps(dpr_context *context, uint8_t *images, int32_t *labels) {
    dpr_data *data;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(RAMP, RAMP, 1);
    info.n_classes = 1;
    for (int i = 0; i < RAMPS * RAMP * RAMP; i++)
        images[i] = (uint8_t)(5 * (i / RAMP / RAMP % 2 ? i / RAMP % RAMP : i % RAMP) + 5);
    OK(context, dpr_data_create(context, &info, images, labels, RAMPS, NULL, NULL, &data));
    return data;
}

/* Displacements have mean 0, the deviation asked for, and a Gaussian's correlation, exp(−d²/4σ²), at a distance d of σ. */
static void a_smooth_random_field(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    static uint8_t images[RAMPS * RAMP * RAMP], made[RAMP * RAMP];
    static int32_t labels[RAMPS];
    dpr_data *data = open_ramps(context, images, labels);
    double sum[2] = {0}, squares[2] = {0}, products[2] = {0}, n = 0;
    for (int32_t i = 0; i < RAMPS; i++) {
        OK(context, dpr_data_augment(data, "elastic=1.5,smooth=4", 3, 1, &i, 1, made));
        const uint8_t *was = images + i * RAMP * RAMP;
        for (int y = 8; y < RAMP - 8; y++) /* away from the borders, where the ramp ends */
            for (int x = 8; x < RAMP - 8; x++) {
                double d = (made[y * RAMP + x] - was[y * RAMP + x]) / 5.0;
                double across = (made[y * RAMP + x + 4] - was[y * RAMP + x + 4]) / 5.0;
                sum[i % 2] += d;
                squares[i % 2] += d * d;
                products[i % 2] += d * across;
                n += 0.5;
            }
    }
    for (int axis = 0; axis < 2; axis++) {
        double mean = sum[axis] / n, deviation = sqrt(squares[axis] / n);
        double correlation = products[axis] / squares[axis];
        if (fabs(mean) > 0.15 || fabs(deviation - 1.5) > 0.12 || fabs(correlation - 0.779) > 0.06)
            fail_msg("axis %d: mean %g, deviation %g, correlation %g", axis, mean, deviation,
                     correlation);
    }
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

/* The cubic B-spline by its integral: the fourth difference of a truncated cube. */
static double spline(double t) {
    static const double sign[5] = {1, -4, 6, -4, 1};
    double sum = 0;
    for (int i = 0; i < 5; i++)
        sum += sign[i] * pow(fmax(t + 2 - i, 0), 3) / 6;
    return sum;
}

/* Knots lie at −s, 0, s, 2s, …; each is one draw of (y, x). */
static void a_spline_over_knots(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    open_set(context, 3);
    const double s = 3 * sqrt(3);
    for (int image = 0; image < N; image++) {
        make(context, "elastic=1.2,smooth=3", 2, image);
        for (int64_t y = 0; y < H; y++)
            for (int64_t x = 0; x < W; x++) {
                double move[2] = {0, 0};
                for (int r = 0; r < 6; r++)
                    for (int k = 0; k < 6; k++) {
                        uint32_t stream = 16 + (uint32_t)(r * 128 + k / 2);
                        dpr__draw d = draw(2, image, stream);
                        double weight =
                            spline((double)y / s - r + 1) * spline((double)x / s - k + 1);
                        for (int axis = 0; axis < 2; axis++)
                            move[axis] +=
                                weight * reach(d.word[k % 2 * 2 + axis], 1.2 * sqrt(3) * 315 / 151);
                    }
                for (int64_t c = 0; c < 3; c++) {
                    double want = value_at(image, (double)y + move[0], (double)x + move[1], c);
                    assert_true(fabs(want - out(y, x, c)) <= 1.5);
                }
            }
    }
    dpr_data_destroy(set.data);
    dpr_context_destroy(context);
}

/* ---- colours, cutout ---- */

static double clamped(double value) {
    return value < 0 ? 0 : value > 255 ? 255 : value;
}
static double grey_of(const double *v) {
    return set.channels == 3   ? 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2]
           : set.channels == 1 ? v[0]
                               : (v[0] + v[1] + v[2] + v[3]) / 4;
}

static void colours(dpr_context *context) {
    bool rgb = set.channels == 3;
    for (int image = 0; image < N; image++) {
        make(context,
             rgb ? "brightness=0.4,contrast=0.6,saturation=1" : "brightness=0.4,contrast=0.6", 3,
             image);
        dpr__draw d = draw(3, image, 4);
        double b = 1 + reach(d.word[0], 0.4), k = 1 + reach(d.word[1], 0.6),
               s = rgb ? 1 + reach(d.word[2], 1) : 1, mean = 0, v[4];
        for (int64_t p = 0; p < H * W; p++) {
            for (int64_t c = 0; c < set.channels; c++)
                v[c] = b * own(image, p / W, p % W, c);
            mean += grey_of(v) / (H * W);
        }
        for (int64_t p = 0; p < H * W; p++) {
            for (int64_t c = 0; c < set.channels; c++)
                v[c] = mean + k * (b * own(image, p / W, p % W, c) - mean);
            double grey = grey_of(v);
            for (int64_t c = 0; c < set.channels; c++)
                assert_true(fabs(clamped(grey + s * (v[c] - grey)) - out(p / W, p % W, c)) <= 0.6);
        }
    }
}
static void brightness_contrast_saturation(void **state) {
    (void)state;
    with_sets(colours);
}

static void cutouts(dpr_context *context) {
    int whole = 0, corner = 0;
    for (unsigned epoch = 1; epoch <= EPOCHS; epoch++)
        for (int image = 0; image < N; image++) {
            int64_t top = H, bottom = -1, left = W, right = -1, inside = 0;
            make(context, "cutout=5", epoch, image);
            for (int64_t y = 0; y < H; y++)
                for (int64_t x = 0; x < W; x++) {
                    bool cut = true, same = true;
                    for (int64_t c = 0; c < set.channels; c++) {
                        cut = cut && out(y, x, c) == mean_of(c);
                        same = same && out(y, x, c) == own(image, y, x, c);
                    }
                    assert_true(cut || same);
                    if (same)
                        continue;
                    inside++;
                    top = y < top ? y : top, bottom = y > bottom ? y : bottom;
                    left = x < left ? x : left, right = x > right ? x : right;
                }
            int64_t height = bottom - top + 1, width = right - left + 1;
            assert_in_range(height, 1, 5);
            assert_in_range(width, 1, 5);
            assert_true(inside > height * width * 3 / 4); /* some pixels are of the mean anyway */
            assert_true(height >= 3 || top == 0 || bottom == H - 1 || set.channels == 1);
            whole += height == 5 && width == 5;
            corner += height < 5 && width < 5;
        }
    /* The centre is anywhere: 5/9 · 8/12 of the squares are whole, 4/9 · 4/12 cut by two sides. */
    assert_in_range(whole, 295, 420);
    assert_in_range(corner, 95, 190);
}
static void squares_are_cut_out(void **state) {
    (void)state;
    with_sets(cutouts);
}

/* ---- pairs ---- */

static void mix_of(const dpr__augment_param *param, uint64_t epoch, int32_t image, int32_t *partner,
                   float *share) {
    uint64_t seed = 7;
    const dpr_shape one = dpr_shape_of(1), none = dpr_scalar_shape();
    const dpr__tensor src[3] = {{DPR_I32, one, &image, DPR__PLAIN},
                                {DPR_U64, none, &seed, DPR__PLAIN},
                                {DPR_U64, none, &epoch, DPR__PLAIN}};
    dpr__ops[DPR__OP_mix_partner]->reference(
        &(dpr__call){param, src, {DPR_I32, one, partner, DPR__PLAIN}, NULL});
    dpr__ops[DPR__OP_mix_share]->reference(
        &(dpr__call){param, src, {DPR_F32, one, share, DPR__PLAIN}, NULL});
}

/* Images and what the labels are told agree: with mixup in every pixel, with cutmix in the number of them. */
static void pairs(dpr_context *context) {
    const dpr__augment_param blend = {.n = N, .height = H, .width = W, .mixup = 0.5},
                             paste = {.n = N, .height = H, .width = W, .cutmix = 1};
    for (unsigned epoch = 1; epoch <= EPOCHS; epoch++)
        for (int image = 0; image < N; image++) {
            int32_t partner;
            float share;
            mix_of(&blend, epoch - 1, image, &partner, &share);
            make(context, "mixup=0.5", epoch, image);
            for (int64_t p = 0; p < H * W; p++)
                for (int64_t c = 0; c < set.channels; c++)
                    assert_true(fabs((1 - (double)share) * own(image, p / W, p % W, c) +
                                     (double)share * own(partner, p / W, p % W, c) -
                                     out(p / W, p % W, c)) <= 0.51);
            mix_of(&paste, epoch - 1, image, &partner, &share);
            make(context, "cutmix=1", epoch, image);
            int other = 0, either = 0;
            for (int64_t p = 0; p < H * W; p++) {
                int a = own(image, p / W, p % W, 0), b = own(partner, p / W, p % W, 0);
                assert_true(out(p / W, p % W, 0) == a || out(p / W, p % W, 0) == b);
                either += a == b;
                other += a != b && out(p / W, p % W, 0) == b;
            }
            double area = (double)share * H * W;
            assert_true(other <= area + 0.01 && area <= other + either + 0.01);
        }
}
static void pairs_and_their_shares(void **state) {
    (void)state;
    with_sets(pairs);
}

/* Mean ½ and variance 1/(4(2α + 1)), both as Beta(α, α) has them, and so the third quantity, E|x − ½|, for α = 1 and ½. */
static void shares_are_of_a_beta_distribution(void **state) {
    (void)state;
    static const double ALPHA[] = {0.01, 0.2, 0.5, 1, 4, 100}, APART[] = {0, 0, 0.3183, 0.25, 0, 0};
    enum { DRAWS = 20000 };
    for (size_t a = 0; a < 6; a++) {
        const dpr__augment_param param = {.n = 1000, .height = H, .width = W, .mixup = ALPHA[a]};
        double sum = 0, squares = 0, apart = 0, partners = 0;
        for (int i = 0; i < DRAWS; i++) {
            int32_t partner;
            float share;
            mix_of(&param, (uint64_t)i / 1000, i % 1000, &partner, &share);
            assert_in_range(partner, 0, 999);
            assert_true(share >= 0 && share <= 1);
            double x = (double)share - 0.5;
            sum += x / DRAWS;
            squares += x * x / DRAWS;
            apart += fabs(x) / DRAWS;
            partners += partner / (999.0 * DRAWS);
        }
        double variance = 1 / (4 * (2 * ALPHA[a] + 1));
        assert_true(fabs(sum) < 4 * sqrt(variance / DRAWS));
        assert_true(fabs(squares / variance - 1) < 0.05);
        assert_true(APART[a] == 0 || fabs(apart / APART[a] - 1) < 0.02);
        assert_true(fabs(partners - 0.5) < 0.01);
    }
}

/* A box's sides are √share of the image's, before the border cuts it: with α = 100 shares are close to a half. */
static void sides_of_boxes(void **state) {
    (void)state;
    const dpr__augment_param param = {.n = N, .height = 100, .width = 200, .cutmix = 100};
    double height = 0, width = 0, n = 0;
    for (int i = 0; i < 2000; i++) {
        dpr__mix_draw mix;
        dpr__mix_draw_image(&param, 7, (uint64_t)i, 3, &mix);
        const dpr__box *box = &mix.box;
        double area = (double)((box->bottom - box->top) * (box->right - box->left)) / 20000;
        assert_true(fabs(mix.share / 65536.0 - area) < 1e-5);
        if (box->top == 0 || box->bottom == 100 || box->left == 0 || box->right == 200)
            continue;
        height += (double)(box->bottom - box->top);
        width += (double)(box->right - box->left);
        n++;
    }
    assert_true(n > 50); /* some (1 − √½)² of them */
    assert_true(fabs(height / n - 70.2) < 1 && fabs(width / n - 140.9) < 2);
}

/* With both kinds, about half of the images take each. */
static void one_of_two_kinds(void **state) {
    (void)state;
    const dpr__augment_param both = {.n = N, .height = H, .width = W, .mixup = 1, .cutmix = 1};
    int boxed = 0;
    for (int i = 0; i < 1000; i++) {
        dpr__mix_draw mix;
        dpr__mix_draw_image(&both, 7, (uint64_t)i, 3, &mix);
        boxed += mix.boxed;
    }
    assert_in_range(boxed, 440, 560);
}

/* ---- what an image's draws depend on ---- */

#define ALL                                                                                        \
    "crop=2,flip,rotate=10,scale=0.1,shear=5,translate=1,elastic=1,smooth=3,brightness=0.3,"       \
    "contrast=0.3,cutout=3,mixup=1,cutmix=1"

static void seed_epoch_and_image_alone(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    static uint8_t together[N * BYTES], again[N * BYTES];
    int32_t index[N];
    open_set(context, 3);
    size_t bytes = H * W * 3;
    for (int i = 0; i < N; i++)
        index[i] = N - 1 - i;
    OK(context, dpr_data_augment(set.data, ALL, 7, 5, index, N, together));
    for (int i = 0; i < N; i++) {
        make(context, ALL, 5, index[i]);
        assert_memory_equal(set.out, together + (size_t)i * bytes, bytes);
    }
    OK(context, dpr_data_augment(set.data, ALL, 8, 5, index, N, again));
    assert_memory_not_equal(again, together, N * bytes);
    OK(context, dpr_data_augment(set.data, ALL, 7, 6, index, N, again));
    assert_memory_not_equal(again, together, N * bytes);
    dpr_data_destroy(set.data);
    dpr_context_destroy(context);
}

/* One kind's draws stay when others join it. */
static void kinds_do_not_disturb_each_other(dpr_context *context) {
    for (int image = 0; image < N; image++)
        assert_true(shows_flipped(context, "flip", 4, image) ==
                    shows_flipped(context, "flip,mixup=0,brightness=0,rotate=1e-12", 4, image));
}

/* ---- nothing, and the least ---- */

static void nothing(dpr_context *context) {
    static const char *const SAME[] = {NULL,
                                       "",
                                       "crop=0,pad=mean,rotate=1e-9",
                                       "elastic=1e-9",
                                       "rotate=1e-9,shear=1e-9,translate=1e-9",
                                       "brightness=1e-9,contrast=1e-9",
                                       "cutout=0"};
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++)
        for (int image = 0; image < N; image++) {
            make(context, SAME[i], 1, image);
            assert_true(is_moved("zero", image, 0, 0, false));
        }
    kinds_do_not_disturb_each_other(context);
}
static void identities(void **state) {
    (void)state;
    with_sets(nothing);
}

static void one_pixel(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    dpr_data *data;
    dpr_data_info info = dpr_data_info_default();
    uint8_t pixels[2] = {40, 200}, made;
    int32_t labels[2] = {0, 0};
    info.image = dpr_shape_of(1, 1, 1);
    info.n_classes = 1;
    OK(context, dpr_data_create(context, &info, pixels, labels, 2, NULL, NULL, &data));
    for (int32_t i = 0; i < 2; i++) {
        OK(context, dpr_data_augment(data, "flip,crop=0,pad=reflect,rotate=180,elastic=9,scale=0.5",
                                     1, 1, &i, 1, &made));
        assert_int_equal(made, pixels[i]);
        OK(context, dpr_data_augment(data, "cutout=1", 1, 1, &i, 1, &made));
        assert_int_equal(made, 120);
        OK(context, dpr_data_augment(data, "contrast=1", 1, 1, &i, 1, &made));
        assert_int_equal(made, pixels[i]); /* it is its own mean */
    }
    FAILS(context, dpr_data_augment(data, "crop=1", 1, 1, labels, 1, &made), DPR_E_ARGUMENT,
          "crop=1 would move images of 1 × 1 out of sight; it must be below 1");
    FAILS(context, dpr_data_augment(data, "cutout=2", 1, 1, labels, 1, &made), DPR_E_ARGUMENT,
          "at most 1");
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

/* ---- refusals ---- */

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } BAD[] = {
        {"cutuot=8", "'cutuot' is none of crop, pad,"},
        {"cutuot=8", "did you mean 'cutout'?"},
        {"crop=4,,flip", "an item that is empty"},
        {"crop=4,", "an item that is empty"},
        {" ", "an item that is empty"},
        {"flip=sometimes", "it must be one of never, random, alternate"},
        {"flip=alternat", "did you mean 'alternate'?"},
        {"pad=reflct,crop=2", "did you mean 'reflect'?"},
        {"pad,crop=2", "pad is ''; it must be one of zero, mean, reflect"},
        {"smooth,elastic", "smooth is ''"},
        {"crop=-1", "crop is '-1'; it must be a whole number from 0 to 1024, pixels"},
        {"crop=1.5", "a whole number"},
        {"crop=1e9", "crop is '1e9'"},
        {"crop=", "crop is ''"},
        {"crop=4x", "crop is '4x'"},
        {"rotate=nan", "rotate is 'nan'; it must be a number from 0 to 180, degrees"},
        {"rotate=inf", "rotate is 'inf'"},
        {"scale=1", "from 0 to 0.9, of the size"},
        {"mixup=101", "from 0 to 100, (alpha)"},
        {"crop = 4", "'crop ' is none of"}, /* blanks are left out around items only */
        {"flip,flip", "flip is given twice"},
        {"pad=mean", "pad does nothing without crop"},
        {"smooth=4", "smooth does nothing without elastic"},
        {"elastic=1,smooth=0.5", "smooth is 0.5; it must be at least 1 pixel"},
        {"crop=9", "crop=9 would move images of 9 × 12 out of sight; it must be below 9"},
        {"translate=9", "translate=9 would move"},
        {"cutout=10", "cutout=10 is more than images of 9 × 12 have; it must be at most 9"},
        {"saturation=0.5", "saturation needs images of three channels; these have 1"},
        {"an_item_that_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on", "too long"},
    };
    dpr_context *context = make_context("cpu", 1);
    const int32_t image = 0, beyond[2] = {N, -1};
    open_set(context, 1);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        FAILS(context, dpr_data_augment(set.data, BAD[i].text, 7, 1, &image, 1, set.out),
              DPR_E_ARGUMENT, BAD[i].says);
    for (int i = 0; i < 2; i++)
        FAILS(context, dpr_data_augment(set.data, "flip", 7, 1, &beyond[i], 1, set.out),
              DPR_E_ARGUMENT, "there is no image");
    FAILS(context, dpr_data_augment(set.data, "flip", 7, 0, &image, 1, set.out), DPR_E_ARGUMENT,
          "counted from 1");
    OK(context, dpr_data_augment(set.data, " crop=4 ,\tflip ", 7, 1, &image, 1, set.out));
    dpr_data_destroy(set.data);
    dpr_context_destroy(context);
}

static void too_fine_a_field(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    static uint8_t pixels[2000];
    const int32_t label = 0;
    dpr_data *data;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(1, 2000, 1);
    info.n_classes = 1;
    OK(context, dpr_data_create(context, &info, pixels, &label, 1, NULL, NULL, &data));
    FAILS(context, dpr_data_augment(data, "elastic", 1, 1, &label, 1, pixels), DPR_E_ARGUMENT,
          "smooth=4 is too fine for images 2000 wide; it must be at least 10");
    OK(context, dpr_data_augment(data, "elastic,smooth=10", 1, 1, &label, 1, pixels));
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_of_the_padded_image),
        cmocka_unit_test(flips_at_random_or_in_turn),
        cmocka_unit_test(turned_scaled_sheared_shifted),
        cmocka_unit_test(a_smooth_random_field),
        cmocka_unit_test(a_spline_over_knots),
        cmocka_unit_test(brightness_contrast_saturation),
        cmocka_unit_test(squares_are_cut_out),
        cmocka_unit_test(pairs_and_their_shares),
        cmocka_unit_test(shares_are_of_a_beta_distribution),
        cmocka_unit_test(sides_of_boxes),
        cmocka_unit_test(one_of_two_kinds),
        cmocka_unit_test(seed_epoch_and_image_alone),
        cmocka_unit_test(identities),
        cmocka_unit_test(one_pixel),
        cmocka_unit_test(refusals),
        cmocka_unit_test(too_fine_a_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
