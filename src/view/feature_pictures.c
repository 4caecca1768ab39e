/* Numbers as pictures: weights, heat, and the parts of images that units saw. */
#include "base/context.h"
#include "ir/shape.h"
#include "view/features.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- colours ---- */

float dpr__largest(const float *values, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(values[i]));
    return most;
}

static uint8_t level(float x) {
    return (uint8_t)lrintf(x <= 0 ? 0 : x >= 1 ? 255 : 255 * x);
}

/* Where share is 0 … 1 on the way through n colours. */
static void mix(const uint8_t (*colours)[3], size_t n, float share, uint8_t *rgb) {
    float at = (share <= 0 ? 0 : share >= 1 ? 1 : share) * (float)(n - 1);
    size_t i = (size_t)at < n - 1 ? (size_t)at : n - 2;
    for (size_t c = 0; c < 3; c++) {
        float a = (float)colours[i][c], b = (float)colours[i + 1][c];
        rgb[c] = (uint8_t)lrintf(a + (b - a) * (at - (float)i));
    }
}

static float share_of(float value, float most) {
    return most > 0 ? value / most : 0;
}

/* Blue and vermilion stay apart for the colour-blind (Okabe & Ito 2008). */
void dpr__paint_signed(const float *values, size_t n, float most, uint8_t *rgb) {
    static const uint8_t colours[][3] = {
        {0, 60, 110}, {0, 114, 178}, {255, 255, 255}, {213, 94, 0}, {130, 40, 0}};
    for (size_t i = 0; i < n; i++)
        mix(colours, 5, 0.5F + 0.5F * share_of(values[i], most), rgb + 3 * i);
}

void dpr__paint_heat(const float *values, size_t n, float most, uint8_t *rgb) {
    static const uint8_t colours[][3] = {
        {0, 0, 0}, {110, 10, 40}, {220, 60, 10}, {250, 180, 20}, {255, 255, 220}};
    for (size_t i = 0; i < n; i++)
        mix(colours, 5, share_of(values[i], most), rgb + 3 * i);
}

/* ---- first weights ---- */

struct weights {
    float *values; /* (inputs × units), as the leaf has them */
    size_t units, height, width, channels;
};

/* The weights of the first layer that takes pixels: a matrix over whole images, or filters over all channels. */
static dpr_status find_weights(const dpr_model *model, struct weights *out) {
    const dpr_shape *image = &model->info.image;
    char name[160];
    *out = (struct weights){0};
    for (size_t i = 0; i < model->n_layers && out->values == NULL; i++) {
        dpr__format(model->context, name, sizeof name, "%s.weights", model->layers[i].name);
        const dpr__slot *slot = dpr__store_find(model->store, name);
        if (slot == NULL)
            continue;
        const int64_t *dim = slot->shape.dim;
        if (slot->shape.rank == 2 && dim[0] == dpr__shape_count(image))
            *out = (struct weights){NULL, (size_t)dim[1], (size_t)image->dim[0],
                                    (size_t)image->dim[1], (size_t)image->dim[2]};
        else if (slot->shape.rank == 4 && dim[2] == image->dim[2])
            *out = (struct weights){NULL, (size_t)dim[3], (size_t)dim[0], (size_t)dim[1],
                                    (size_t)dim[2]};
        if (out->units == 0 || (out->channels != 1 && out->channels != 3))
            return DPR_OK; /* it takes something else, or cannot be seen */
        DPR_TRY(dpr__allocate(model->context, slot->bytes, 1, &out->values));
        dpr__slot_read(slot, out->values);
    }
    return DPR_OK;
}

/* One unit's weights as colours: three channels are shifted so that 0 is the grey in the middle. */
static void paint_unit(const struct weights *w, size_t unit, float most, float *own, uint8_t *rgb) {
    size_t n = w->height * w->width * w->channels;
    for (size_t i = 0; i < n; i++)
        own[i] = w->values[i * w->units + unit];
    if (w->channels == 1)
        dpr__paint_signed(own, n, most, rgb);
    else
        for (size_t i = 0; i < n; i++)
            rgb[i] = level(0.5F + 0.5F * share_of(own[i], most));
}

/* Tiles in rows of some sixteen, enlarged to some 48 pixels. */
static dpr_status paint_weights(const dpr_model *model, const struct weights *w, size_t most,
                                dpr__canvas *out) {
    enum { GAP = 4, SIDE = 48, COLUMNS = 16, GROUND = 128 };
    size_t n = w->units < most ? w->units : most,
           side = w->height > w->width ? w->height : w->width;
    size_t zoom = side < SIDE ? SIDE / side : 1, columns = n < COLUMNS ? n : COLUMNS;
    size_t step_y = w->height * zoom + GAP, step_x = w->width * zoom + GAP;
    size_t numbers = w->height * w->width * w->channels;
    float largest = dpr__largest(w->values, numbers * w->units), *own;
    uint8_t *rgb;
    DPR_TRY(dpr__canvas_init(model->context, (n + columns - 1) / columns * step_y + GAP,
                             columns * step_x + GAP, 3, GROUND, out));
    DPR_TRY(dpr__allocate(model->context, numbers * 4, sizeof *own, &own));
    rgb = (uint8_t *)(own + numbers);
    for (size_t i = 0; i < n; i++) {
        paint_unit(w, i, largest, own, rgb);
        dpr__canvas_place(out, GAP + i / columns * step_y, GAP + i % columns * step_x, rgb,
                          w->height, w->width, zoom);
    }
    dpr__free(model->context, own);
    return DPR_OK;
}

dpr_status dpr__first_weights(const dpr_model *model, size_t most, dpr__canvas *out) {
    struct weights w;
    *out = (dpr__canvas){0};
    DPR_TRY(find_weights(model, &w));
    dpr_status status = w.values != NULL ? paint_weights(model, &w, most, out) : DPR_OK;
    dpr__free(model->context, w.values);
    if (status != DPR_OK) {
        dpr__free(model->context, out->pixels);
        *out = (dpr__canvas){0};
    }
    return status;
}

/* ---- crops ---- */

/* Of `size` places from `first` on, those that lie in 0 … all − 1. */
static void cut(int64_t first, int64_t size, int64_t all, size_t *from, size_t *n) {
    int64_t end = first + size < all ? first + size : all;
    int64_t begin = first > 0 ? first : 0;
    *from = begin < end ? (size_t)begin : 0;
    *n = begin < end ? (size_t)(end - begin) : 0;
}

/* Leaves of an image what a unit at place (y, x) sees. */
static void cut_field(const dpr_features *f, const dpr__unit_layer *layer, uint32_t at_y,
                      uint32_t at_x, uint8_t *pixels, size_t *height, size_t *width) {
    const dpr_shape *image = &f->model->info.image;
    const dpr_field *field = &f->model->layers[layer->source].field;
    size_t channels = (size_t)image->dim[2], row = (size_t)image->dim[1] * channels, y, x;
    cut(field->first[0] + at_y * field->step[0], field->size[0], image->dim[0], &y, height);
    cut(field->first[1] + at_x * field->step[1], field->size[1], image->dim[1], &x, width);
    for (size_t i = 0; i < *height; i++)
        memmove(pixels + i * *width * channels, pixels + (y + i) * row + x * channels,
                *width * channels);
}

dpr_status dpr__peak_crop(const dpr_features *f, const dpr__unit_layer *layer,
                          const dpr__peak *peak, uint8_t *pixels, size_t *height, size_t *width) {
    DPR_TRY(dpr_data_augment(f->data, NULL, 1, 1, &peak->image, 1, pixels));
    cut_field(f, layer, peak->y, peak->x, pixels, height, width);
    return DPR_OK;
}

void dpr__made_crop(const dpr_features *f, const dpr__unit_layer *layer, uint32_t i,
                    uint8_t *pixels, size_t *height, size_t *width) {
    size_t bytes = (size_t)dpr__shape_count(&f->model->info.image);
    memcpy(pixels, layer->made + i * bytes, bytes);
    cut_field(f, layer, layer->height / 2, layer->width / 2, pixels, height, width);
}
