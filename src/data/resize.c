/* Bringing images to one size. Both axes are resampled one after the other. Shrinking: each target
 * pixel is the mean of the source area that it covers (a box filter: every source pixel counts once,
 * nothing aliases). Enlarging: linear interpolation between pixel centres, edges repeated. Sums in
 * double in a fixed order, rounded once: the same bytes everywhere. Pixel values are taken as they
 * are; gamma is ignored, as the training of networks does everywhere. */
#include "data/source.h"
#include <math.h>
#include <string.h>

/* Where target pixel i looks: source pixels first … first+n−1 with these weights. */
struct taps {
    int64_t first;
    int n;
    const double *weight;
};

/* One axis: `to` pixels out of the `length` source pixels that start at `start`. */
struct axis {
    double start, length;
    uint32_t from, to;
    double *weights; /* (to × most) */
    struct taps *taps;
};

/* Target pixel i covers source [left, left + scale); pixel `at` has its share of that. */
static double box_weight(int64_t at, double left, double scale) {
    double from = fmax((double)at, left), to = fmin((double)at + 1, left + scale);
    return fmax(to - from, 0);
}

/* Linear interpolation at `centre`, where pixel `at` has its centre at `at`. */
static double linear_weight(int64_t at, double centre) {
    return fmax(1 - fabs((double)at - centre), 0);
}

static dpr_status make_axis(dpr_context *context, struct axis *axis) {
    double scale = axis->length / axis->to;
    bool shrinks = scale > 1;
    size_t most = shrinks ? (size_t)ceil(scale) + 2 : 2;
    DPR_TRY(dpr__allocate(context, axis->to, most * sizeof(double), &axis->weights));
    DPR_TRY(dpr__allocate(context, axis->to, sizeof *axis->taps, &axis->taps));
    for (uint32_t i = 0; i < axis->to; i++) {
        double left = axis->start + i * scale, centre = left + scale / 2 - 0.5, sum = 0;
        int64_t first = (int64_t)floor(shrinks ? left : centre);
        double *weight = axis->weights + i * most;
        int n = 0;
        for (; n < (int)most; n++) {
            weight[n] =
                shrinks ? box_weight(first + n, left, scale) : linear_weight(first + n, centre);
            sum += weight[n];
        }
        while (weight[n - 1] <= 0)
            n--;
        for (int k = 0; k < n; k++)
            weight[k] /= sum;
        axis->taps[i] = (struct taps){first, n, weight};
    }
    return DPR_OK;
}

static int64_t clamp(int64_t at, uint32_t n) {
    return at < 0 ? 0 : at >= n ? n - 1 : at;
}

/* Columns first, into a strip of doubles (from rows × to columns); then rows, into bytes. */
static dpr_status resample(dpr_context *context, const dpr__image *src, const struct axis *y,
                           const struct axis *x, uint8_t *dst, size_t dst_row) {
    uint32_t c = src->channels;
    double *strip;
    DPR_TRY(dpr__allocate(context, (size_t)src->height * x->to, c * sizeof *strip, &strip));
    for (uint32_t i = 0; i < src->height; i++)
        for (uint32_t j = 0; j < x->to; j++)
            for (int k = 0; k < x->taps[j].n; k++) {
                size_t at = (size_t)clamp(x->taps[j].first + k, src->width);
                for (uint32_t p = 0; p < c; p++)
                    strip[((size_t)i * x->to + j) * c + p] +=
                        x->taps[j].weight[k] * src->pixels[((size_t)i * src->width + at) * c + p];
            }
    for (uint32_t i = 0; i < y->to; i++)
        for (size_t j = 0; j < (size_t)x->to * c; j++) {
            double sum = 0;
            for (int k = 0; k < y->taps[i].n; k++)
                sum += y->taps[i].weight[k] *
                       strip[(size_t)clamp(y->taps[i].first + k, src->height) * x->to * c + j];
            dst[i * dst_row + j] = (uint8_t)(sum + 0.5);
        }
    dpr__free(context, strip);
    return DPR_OK;
}

static uint32_t rounded(double side, uint32_t most) {
    double value = floor(side + 0.5);
    return value < 1 ? 1 : value > most ? most : (uint32_t)value;
}

dpr_status dpr__image_fit(dpr_context *context, const dpr__image *src, uint32_t height,
                          uint32_t width, dpr_fit fit, uint8_t *dst) {
    size_t c = src->channels, row = width * c;
    double h = src->height, w = src->width;
    struct axis y = {.length = h, .from = src->height, .to = height};
    struct axis x = {.length = w, .from = src->width, .to = width};
    if (src->height == height && src->width == width) {
        memcpy(dst, src->pixels, height * row);
        return DPR_OK;
    }
    if (fit == DPR_FIT) { /* the whole image, centred on black */
        double scale = fmin(height / h, width / w);
        y.to = rounded(h * scale, height);
        x.to = rounded(w * scale, width);
    } else if (fit == DPR_CROP) { /* the largest centred part of the target's proportions */
        double scale = fmax(height / h, width / w);
        y.length = height / scale;
        x.length = width / scale;
        y.start = (h - y.length) / 2;
        x.start = (w - x.length) / 2;
    }
    memset(dst, 0, height * row);
    dpr_status status = make_axis(context, &y);
    if (status == DPR_OK)
        status = make_axis(context, &x);
    if (status == DPR_OK)
        status = resample(context, src, &y, &x,
                          dst + (height - y.to) / 2 * row + (width - x.to) / 2 * c, row);
    dpr__free(context, y.weights);
    dpr__free(context, y.taps);
    dpr__free(context, x.weights);
    dpr__free(context, x.taps);
    return status;
}

void dpr__channels_convert(const uint8_t *src, uint32_t from, uint8_t *dst, uint32_t to,
                           size_t pixels) {
    if (from == to) {
        memcpy(dst, src, pixels * from);
        return;
    }
    for (size_t i = 0; i < pixels; i++)
        if (from == 1)
            dst[3 * i] = dst[3 * i + 1] = dst[3 * i + 2] = src[i];
        else
            dst[i] =
                (uint8_t)((299 * src[3 * i] + 587 * src[3 * i + 1] + 114 * src[3 * i + 2] + 500) /
                          1000);
}

dpr_status dpr__image_bring(dpr_context *context, const dpr__image *src, uint32_t height,
                            uint32_t width, uint32_t channels, dpr_fit fit, uint8_t *dst) {
    size_t pixels = (size_t)height * width;
    uint8_t *fitted;
    if (src->channels == channels)
        return dpr__image_fit(context, src, height, width, fit, dst);
    DPR_TRY(dpr__allocate(context, pixels, src->channels, &fitted));
    dpr_status status = dpr__image_fit(context, src, height, width, fit, fitted);
    if (status == DPR_OK)
        dpr__channels_convert(fitted, src->channels, dst, channels, pixels);
    dpr__free(context, fitted);
    return status;
}
