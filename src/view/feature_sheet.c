/* All units that are shown as one picture: for each layer its units side by side, each with the input that was made for it above the images that excite it most. */
#include "base/context.h"
#include "data/source.h"
#include "ir/shape.h"
#include "view/features.h"
#include <string.h>

enum { GAP = 4, LAYER_GAP = 24, TILE = 64, GROUND = 48 };

struct sheet {
    const dpr_features *features;
    dpr__canvas canvas;
    size_t tile;              /* side of a place */
    uint8_t *pixels, *fitted; /* an image; a tile of three channels */
    size_t y;                 /* where the next layer begins */
};

/* Brings a picture into a tile, whole. */
static dpr_status place(const struct sheet *s, const uint8_t *pixels, size_t height, size_t width,
                        size_t y, size_t x) {
    const dpr__image image = {.pixels = (uint8_t *)(uintptr_t)pixels,
                              .height = (uint32_t)height,
                              .width = (uint32_t)width,
                              .channels = (uint32_t)s->features->model->info.image.dim[2]};
    if (height == 0 || width == 0)
        return DPR_OK;
    DPR_TRY(dpr__image_bring(s->features->context, &image, (uint32_t)s->tile, (uint32_t)s->tile, 3,
                             DPR_FIT, s->fitted));
    dpr__canvas_place(&s->canvas, y, x, s->fitted, s->tile, s->tile, 1);
    return DPR_OK;
}

static dpr_status place_peaks(const struct sheet *s, const dpr__unit_layer *l, uint32_t unit,
                              size_t x) {
    for (size_t i = 0; i < DPR__PEAKS; i++) {
        const dpr__peak *peak = &l->peaks[(size_t)unit * DPR__PEAKS + i];
        size_t height, width, y = s->y + (i + 1) * (s->tile + GAP);
        if (peak->image < 0)
            break;
        DPR_TRY(dpr__peak_crop(s->features, l, peak, s->pixels, &height, &width));
        DPR_TRY(place(s, s->pixels, height, width, y, x));
    }
    return DPR_OK;
}

static size_t layer_height(const struct sheet *s, const dpr__unit_layer *l) {
    size_t rows = l->facts.n_images > 0 ? 1 + DPR__PEAKS : 1;
    return rows * (s->tile + GAP) - GAP + LAYER_GAP;
}

static dpr_status place_layer(struct sheet *s, const dpr__unit_layer *l) {
    size_t height, width;
    for (uint32_t i = 0; i < l->facts.shown; i++) {
        size_t x = LAYER_GAP + i * (s->tile + GAP);
        dpr__made_crop(s->features, l, i, s->pixels, &height, &width);
        DPR_TRY(place(s, s->pixels, height, width, s->y, x));
        if (l->facts.n_images > 0)
            DPR_TRY(place_peaks(s, l, l->shown[i], x));
    }
    s->y += layer_height(s, l);
    return DPR_OK;
}

/* The size of the sheet, and the first weights on it. */
static dpr_status begin(struct sheet *s, const dpr__canvas *weights) {
    const dpr_features *f = s->features;
    size_t height = LAYER_GAP, width = 0;
    if (weights->pixels != NULL)
        height += weights->height + LAYER_GAP, width = weights->width;
    for (size_t k = 0; k < f->n_layers; k++) {
        const dpr__unit_layer *l = &f->layers[k];
        size_t own = l->facts.shown * (s->tile + GAP);
        height += dpr__features_shows(l) ? layer_height(s, l) : 0;
        width = own > width ? own : width;
    }
    if (height > DPR__MOST_SIDE || width + 2 * LAYER_GAP > DPR__MOST_SIDE)
        return DPR_FAIL(f->context, DPR_E_SHAPE,
                        "the sheet would have %zu × %zu pixels, more than %d: show fewer units or "
                        "layers, or write a page (.html)",
                        height, width + 2 * LAYER_GAP, DPR__MOST_SIDE);
    DPR_TRY(dpr__canvas_init(f->context, height, width + 2 * LAYER_GAP, 3, GROUND, &s->canvas));
    s->y = LAYER_GAP;
    if (weights->pixels != NULL) {
        dpr__canvas_place(&s->canvas, s->y, LAYER_GAP, weights->pixels, weights->height,
                          weights->width, 1);
        s->y += weights->height + LAYER_GAP;
    }
    return DPR_OK;
}

static dpr_status fill(struct sheet *s, const dpr__canvas *weights) {
    const dpr_features *f = s->features;
    size_t image = (size_t)dpr__shape_count(&f->model->info.image);
    DPR_TRY(begin(s, weights));
    DPR_TRY(dpr__allocate(f->context, image, 1, &s->pixels));
    DPR_TRY(dpr__allocate(f->context, s->tile * s->tile, 3, &s->fitted));
    for (size_t k = 0; k < f->n_layers; k++)
        if (dpr__features_shows(&f->layers[k]))
            DPR_TRY(place_layer(s, &f->layers[k]));
    return DPR_OK;
}

dpr_status dpr__features_sheet(const dpr_features *f, dpr__canvas *out) {
    struct sheet s = {.features = f, .tile = TILE};
    dpr__canvas weights;
    DPR_TRY(dpr__first_weights(f->model, f->options.units * 4, &weights));
    dpr_status status = fill(&s, &weights);
    dpr__free(f->context, weights.pixels);
    dpr__free(f->context, s.pixels);
    dpr__free(f->context, s.fitted);
    if (status != DPR_OK)
        dpr__free(f->context, s.canvas.pixels);
    else
        *out = s.canvas;
    return status;
}
