/* The input that a unit wants: gradient ascent on its activation in the middle of the picture, from noise around the mean image (Erhan et al. 2009). Where that is
 * flat, since the unit is off, on what the activation takes. Left to itself it finds what no camera sees; so units that see much have the image shifted a little before
 * each step (Mordvintsev et al. 2015) and blurred now and then (Yosinski et al. 2015), and all images are drawn towards the mean. */
#include "base/context.h"
#include "base/random.h"
#include "ir/shape.h"
#include "view/features.h"
#include <math.h>
#include <string.h>

static const double NOISE = 0.4;    /* of the beginning, in deviations of the set's pixels */
static const float FIRST_STEP = 10; /* root mean square, in grey levels, of a step; */
static const float LAST_STEP = 2;   /* it falls in equal parts to this */
static const float DECAY = 0.01F;   /* share of the way to the mean, each step */
enum { BLUR_EVERY = 4 };            /* steps, in the first three quarters */

struct ascent {
    dpr_features *features;
    const dpr__unit_layer *layer;
    size_t height, width, channels, image; /* image: numbers of one */
    size_t n, each;                        /* units at a time; numbers of the source's output */
    float *pixels, *shifted, *gradient, *second; /* (n) images */
    float *weights;                              /* (n × each) */
};

/* The draw of the ascent: k of layer and step, or of layer and pixel. */
static dpr__draw draw(const struct ascent *a, uint32_t stream, uint64_t index) {
    return dpr__philox(a->features->options.seed, DPR__PURPOSE_FEATURES,
                       (uint32_t)(a->layer->layer << 1) | stream, index);
}

static float mean_of(const struct ascent *a, size_t i) {
    return (float)(255 * a->features->model->info.mean[i % a->channels]);
}

/* Noise of the unit's own, whichever others are shown. */
static void begin(const struct ascent *a, uint32_t unit, float *pixels) {
    for (size_t i = 0; i < a->image; i++) {
        dpr__draw d = draw(a, 0, (uint64_t)unit << 32 | i);
        double deviation = 255 * a->features->model->info.deviation[i % a->channels];
        pixels[i] = mean_of(a, i) + (float)(NOISE * deviation * dpr__normal(d.word[0], d.word[1]));
    }
}

/* dst(y + dy, x + dx) = src(y, x), round the edges. */
static void roll(const struct ascent *a, const float *src, size_t dy, size_t dx, float *dst) {
    for (size_t y = 0; y < a->height; y++)
        for (size_t x = 0; x < a->width; x++)
            memcpy(dst + ((y + dy) % a->height * a->width + (x + dx) % a->width) * a->channels,
                   src + (y * a->width + x) * a->channels, a->channels * sizeof *dst);
}

/* (1 2 1)/4 along one axis of `n` places that lie `stride` numbers apart; edges are repeated. */
static void blur_line(float *line, size_t n, size_t stride) {
    float before = line[0];
    for (size_t i = 0; i < n; i++) {
        float here = line[i * stride], after = line[(i + 1 < n ? i + 1 : i) * stride];
        line[i * stride] = 0.25F * before + 0.5F * here + 0.25F * after;
        before = here;
    }
}

static void blur(const struct ascent *a, float *pixels) {
    size_t row = a->width * a->channels;
    for (size_t y = 0; y < a->height; y++)
        for (size_t c = 0; c < a->channels; c++)
            blur_line(pixels + y * row + c, a->width, a->channels);
    for (size_t i = 0; i < row; i++)
        blur_line(pixels + i, a->height, row);
}

/* A step up of one image, of a length that does not depend on the gradient's. */
static void step_up(const struct ascent *a, float *pixels, const float *gradient, float length) {
    double square = 0;
    for (size_t i = 0; i < a->image; i++)
        square += (double)gradient[i] * (double)gradient[i];
    float factor = square > 0 ? length / (float)sqrt(square / (double)a->image) : 0;
    for (size_t i = 0; i < a->image; i++) {
        float x = pixels[i] + factor * gradient[i];
        x += DECAY * (mean_of(a, i) - x);
        pixels[i] = x < 0 ? 0 : x > 255 ? 255 : x;
    }
}

static bool is_flat(const struct ascent *a, const float *gradient) {
    for (size_t i = 0; i < a->image; i++)
        if (gradient[i] != 0)
            return false;
    return true;
}

/* Gradients of the shifted images into a->gradient. */
static dpr_status find_gradients(const struct ascent *a) {
    dpr_probe *probe = a->features->probe;
    const dpr__unit_layer *l = a->layer;
    bool flat = false;
    DPR_TRY(dpr_probe_gradient(probe, l->layer, a->shifted, a->weights, a->n, a->gradient));
    for (size_t i = 0; i < a->n; i++)
        flat = flat || is_flat(a, a->gradient + i * a->image);
    if (!flat || l->layer == l->source)
        return DPR_OK;
    DPR_TRY(dpr_probe_gradient(probe, l->source, a->shifted, a->weights, a->n, a->second));
    for (size_t i = 0; i < a->n; i++)
        if (is_flat(a, a->gradient + i * a->image))
            memcpy(a->gradient + i * a->image, a->second + i * a->image,
                   a->image * sizeof *a->gradient);
    return DPR_OK;
}

/* How far images are shifted: 2 pixels where 28 are seen; who sees few has no room for it, nor to be blurred. */
static size_t reach_of(const struct ascent *a) {
    size_t side = a->height < a->width ? a->height : a->width;
    for (int axis = 0; axis < 2; axis++) {
        size_t seen = (size_t)a->layer->facts.field[axis];
        side = seen < side ? seen : side;
    }
    return side / 14;
}

/* All images are shifted alike, so that one draw serves a step. */
static dpr_status take_step(const struct ascent *a, unsigned step) {
    unsigned steps = a->features->options.steps;
    size_t reach = reach_of(a);
    dpr__draw d = draw(a, 1, step);
    size_t dy = dpr__below(d.word[0], (uint32_t)(2 * reach + 1)) + a->height - reach;
    size_t dx = dpr__below(d.word[1], (uint32_t)(2 * reach + 1)) + a->width - reach;
    float length = FIRST_STEP + (LAST_STEP - FIRST_STEP) * (float)step / (float)steps;
    for (size_t i = 0; i < a->n; i++)
        roll(a, a->pixels + i * a->image, dy, dx, a->shifted + i * a->image);
    DPR_TRY(find_gradients(a));
    for (size_t i = 0; i < a->n; i++) {
        float *pixels = a->pixels + i * a->image;
        /* back by as much; dy is less than twice the height */
        roll(a, a->gradient + i * a->image, 2 * a->height - dy, 2 * a->width - dx, a->shifted);
        step_up(a, pixels, a->shifted, length);
        if (reach > 0 && step % BLUR_EVERY == 0 && step < steps / 4 * 3)
            blur(a, pixels);
    }
    return DPR_OK;
}

/* The images of units first … first + n − 1 of those that are shown. */
static dpr_status climb(struct ascent *a, size_t first) {
    const dpr__unit_layer *l = a->layer;
    size_t middle = (size_t)(l->height / 2) * l->width + l->width / 2;
    memset(a->weights, 0, a->n * a->each * sizeof *a->weights);
    for (size_t i = 0; i < a->n; i++) {
        uint32_t unit = l->shown[first + i];
        begin(a, unit, a->pixels + i * a->image);
        a->weights[i * a->each + middle * l->units + unit] = 1;
    }
    for (unsigned step = 0; step < a->features->options.steps; step++) {
        DPR_TRY(take_step(a, step));
        DPR_TRY(dpr__features_advance(a->features));
    }
    for (size_t i = 0; i < a->n * a->image; i++)
        l->made[first * a->image + i] = (uint8_t)lrintf(a->pixels[i] < 0     ? 0
                                                        : a->pixels[i] > 255 ? 255
                                                                             : a->pixels[i]);
    return DPR_OK;
}

static dpr_status climb_all(struct ascent *a) {
    dpr_context *context = a->features->context;
    size_t batch = a->features->batch, shown = a->layer->facts.shown;
    DPR_TRY(dpr__allocate(context, batch * a->image, sizeof(float), &a->pixels));
    DPR_TRY(dpr__allocate(context, batch * a->image, sizeof(float), &a->shifted));
    DPR_TRY(dpr__allocate(context, batch * a->image, sizeof(float), &a->gradient));
    DPR_TRY(dpr__allocate(context, batch * a->image, sizeof(float), &a->second));
    DPR_TRY(dpr__allocate(context, batch * a->each, sizeof(float), &a->weights));
    for (size_t first = 0; first < shown; first += batch) {
        a->n = shown - first < batch ? shown - first : batch;
        DPR_TRY(climb(a, first));
    }
    return DPR_OK;
}

static dpr_status ascend(dpr_features *f, dpr__unit_layer *l) {
    const dpr_shape *shape = &f->model->info.image;
    struct ascent a = {.features = f,
                       .layer = l,
                       .height = (size_t)shape->dim[0],
                       .width = (size_t)shape->dim[1],
                       .channels = (size_t)shape->dim[2],
                       .image = (size_t)dpr__shape_count(shape),
                       .each = (size_t)l->units * l->height * l->width};
    DPR_TRY(dpr__allocate(f->context, l->facts.shown, a.image, &l->made));
    dpr_status status = climb_all(&a);
    dpr__free(f->context, a.pixels);
    dpr__free(f->context, a.shifted);
    dpr__free(f->context, a.gradient);
    dpr__free(f->context, a.second);
    dpr__free(f->context, a.weights);
    return status;
}

dpr_status dpr__features_ascend(dpr_features *f) {
    for (size_t k = 0; k < f->n_layers; k++)
        if (dpr__features_shows(&f->layers[k]))
            DPR_TRY(ascend(f, &f->layers[k]));
    return DPR_OK;
}
