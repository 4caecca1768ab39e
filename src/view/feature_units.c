/* What a set's images do to the units of a network: which excite each most, which units never are active, and which are active alike. */
#include "base/context.h"
#include "ir/shape.h"
#include "view/features.h"
#include <math.h>
#include <string.h>

enum {
    SAMPLED = 500,  /* images whose activity is kept, to correlate it: enough for ±0.05 at 0.9 */
    COMPARED = 2048 /* units of a layer: a product for each pair */
};

struct look {
    dpr_features *features;
    size_t n, sampled; /* images that are looked at; and kept */
    int32_t *index;    /* (batch) of the set */
    uint8_t *pixels;   /* (batch) images */
    float *values;     /* (batch × the largest output) */
};

static size_t images_of(const dpr_features *f) {
    return f->data == NULL ? 0 : f->data->n < f->options.images ? f->data->n : f->options.images;
}

size_t dpr__features_look_batches(const dpr_features *f) {
    return (images_of(f) + f->batch - 1) / f->batch;
}

/* Keeps the largest first; of equals the earlier image. */
static void insert(dpr__peak *peaks, const dpr__peak *peak) {
    size_t i = DPR__PEAKS;
    while (i > 0 && (peaks[i - 1].image < 0 || peak->value > peaks[i - 1].value)) {
        if (i < DPR__PEAKS)
            peaks[i] = peaks[i - 1];
        i--;
    }
    if (i < DPR__PEAKS)
        peaks[i] = *peak;
}

/* One image's output of the source. */
static void count_image(dpr__unit_layer *l, const float *values, int32_t image, float *activity) {
    for (uint32_t u = 0; u < l->units; u++) {
        dpr__peak peak = {.value = -INFINITY, .image = image};
        double sum = 0;
        for (uint32_t y = 0; y < l->height; y++)
            for (uint32_t x = 0; x < l->width; x++) {
                float v = values[((size_t)y * l->width + x) * l->units + u];
                sum += v > 0 || !l->facts.gate ? (double)v : 0;
                if (v > peak.value)
                    peak = (dpr__peak){v, image, y, x};
            }
        l->active[u] += peak.value > 0;
        if (activity != NULL)
            activity[u] = (float)(sum / ((double)l->height * l->width));
        insert(l->peaks + (size_t)u * DPR__PEAKS, &peak);
    }
}

/* Where the activity of the i-th image is kept: that of some, spread over all. */
static float *activity_of(const struct look *look, const dpr__unit_layer *l, size_t i) {
    size_t slot = dpr__spread(i, look->n, look->sampled),
           next = dpr__spread(i + 1, look->n, look->sampled);
    return slot != next ? l->activity + slot * l->units : NULL;
}

/* Images first … first + rows − 1 of those that are looked at. */
static dpr_status look_at(struct look *look, size_t first, size_t rows) {
    dpr_features *f = look->features;
    for (size_t i = 0; i < rows; i++)
        look->index[i] = (int32_t)dpr__spread(first + i, look->n, f->data->n);
    DPR_TRY(dpr_data_augment(f->data, NULL, 1, 1, look->index, rows, look->pixels));
    DPR_TRY(dpr_probe_run(f->probe, look->pixels, rows));
    for (size_t k = 0; k < f->n_layers; k++) {
        dpr__unit_layer *l = &f->layers[k];
        size_t each = (size_t)l->units * l->height * l->width;
        DPR_TRY(dpr_probe_output(f->probe, l->source, look->values));
        for (size_t i = 0; i < rows; i++) {
            count_image(l, look->values + i * each, look->index[i],
                        activity_of(look, l, first + i));
        }
    }
    return DPR_OK;
}

/* ---- likeness ---- */

/* Each unit's activity becomes one of mean 0 and length 1; then Pearson's correlation is a scalar product. activity (units × n). */
static void standardise(float *activity, size_t units, size_t n) {
    for (size_t u = 0; u < units; u++) {
        float *a = activity + u * n;
        double mean = 0, square = 0;
        for (size_t i = 0; i < n; i++)
            mean += (double)a[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            square += ((double)a[i] - mean) * ((double)a[i] - mean);
        double factor = square > 1e-12 * mean * mean * (double)n ? 1 / sqrt(square) : 0;
        for (size_t i = 0; i < n; i++)
            a[i] = (float)(((double)a[i] - mean) * factor);
    }
}

static float product(const float *a, const float *b, size_t n) {
    float sum[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        sum[0] += a[i] * b[i];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/* The unit that each is most like, of those that are compared; turned: (compared × n), of units that are spread over the layer. */
static void compare(dpr__unit_layer *l, const float *turned, size_t n) {
    uint32_t compared = l->facts.compared;
    for (uint32_t a = 0; a < compared; a++)
        l->likeness[dpr__spread(a, compared, l->units)] = compared > 1 ? -INFINITY : 0;
    for (uint32_t a = 0; a < compared; a++)
        for (uint32_t b = a + 1; b < compared; b++) {
            uint32_t u = (uint32_t)dpr__spread(a, compared, l->units);
            uint32_t v = (uint32_t)dpr__spread(b, compared, l->units);
            float r = product(turned + a * n, turned + b * n, n);
            if (r > l->likeness[u])
                l->likeness[u] = r, l->likeness_to[u] = v;
            if (r > l->likeness[v])
                l->likeness[v] = r, l->likeness_to[v] = u;
        }
}

static dpr_status find_likeness(struct look *look, dpr__unit_layer *l) {
    size_t n = look->sampled, compared = l->units < COMPARED ? l->units : COMPARED;
    float *turned;
    l->facts.compared = (uint32_t)compared;
    DPR_TRY(dpr__allocate(look->features->context, n * compared, sizeof *turned, &turned));
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < compared; a++)
            turned[a * n + i] = l->activity[i * l->units + dpr__spread(a, compared, l->units)];
    standardise(turned, compared, n);
    compare(l, turned, n);
    dpr__free(look->features->context, turned);
    dpr__free(look->features->context, l->activity);
    l->activity = NULL;
    return DPR_OK;
}

static void count_units(dpr__unit_layer *l, size_t images) {
    l->facts.n_images = images;
    for (uint32_t u = 0; u < l->units; u++) {
        l->facts.alike += l->likeness[u] > 0.95F;
        l->facts.dead += l->active[u] == 0;
    }
}

/* ---- the whole ---- */

static dpr_status make_room(struct look *look) {
    dpr_features *f = look->features;
    size_t most = 0;
    for (size_t k = 0; k < f->n_layers; k++) {
        dpr__unit_layer *l = &f->layers[k];
        size_t each = (size_t)l->units * l->height * l->width, n = l->units;
        most = each > most ? each : most;
        DPR_TRY(dpr__allocate(f->context, n * DPR__PEAKS, sizeof *l->peaks, &l->peaks));
        DPR_TRY(dpr__allocate(f->context, n, sizeof *l->active, &l->active));
        DPR_TRY(dpr__allocate(f->context, n, sizeof *l->likeness, &l->likeness));
        DPR_TRY(dpr__allocate(f->context, n, sizeof *l->likeness_to, &l->likeness_to));
        DPR_TRY(dpr__allocate(f->context, n * look->sampled, sizeof *l->activity, &l->activity));
        for (size_t i = 0; i < n * DPR__PEAKS; i++)
            l->peaks[i].image = -1;
    }
    size_t image = (size_t)dpr__shape_count(&f->model->info.image);
    DPR_TRY(dpr__allocate(f->context, f->batch, sizeof *look->index, &look->index));
    DPR_TRY(dpr__allocate(f->context, f->batch, image, &look->pixels));
    return dpr__allocate(f->context, f->batch * most, sizeof *look->values, &look->values);
}

static dpr_status look_at_all(struct look *look) {
    dpr_features *f = look->features;
    DPR_TRY(make_room(look));
    for (size_t first = 0; first < look->n; first += f->batch) {
        DPR_TRY(look_at(look, first, look->n - first < f->batch ? look->n - first : f->batch));
        DPR_TRY(dpr__features_advance(f));
    }
    for (size_t k = 0; k < f->n_layers; k++) {
        DPR_TRY(find_likeness(look, &f->layers[k]));
        count_units(&f->layers[k], look->n);
    }
    return DPR_OK;
}

dpr_status dpr__features_look(dpr_features *f) {
    struct look look = {.features = f, .n = images_of(f)};
    if (look.n == 0)
        return DPR_OK;
    look.sampled = look.n < SAMPLED ? look.n : SAMPLED;
    dpr_status status = look_at_all(&look);
    dpr__free(f->context, look.index);
    dpr__free(f->context, look.pixels);
    dpr__free(f->context, look.values);
    return status;
}
