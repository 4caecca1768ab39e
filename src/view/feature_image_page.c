/* One image explained, as a section of a page. */
#include "base/context.h"
#include "view/features.h"
#include "view/page.h"
#include <stdio.h>

struct section {
    dpr__text *page;
    const dpr_features *features;
    uint8_t
        *rgb; /* (height × width × 3) of the model's images, or of Grad-CAM, whichever is larger */
};

enum { MOST_SIDE = 384 };

static void add_figure(const struct section *s, const uint8_t *pixels, size_t height, size_t width,
                       size_t channels, const char *words) {
    dpr__text_add(s->page, "<figure>");
    dpr__page_image(s->page, pixels,
                    dpr_shape_of((int64_t)height, (int64_t)width, (int64_t)channels), MOST_SIDE,
                    words);
    dpr__text_add(s->page, "<figcaption>");
    dpr__page_text(s->page, words);
    dpr__text_add(s->page, "</figcaption></figure>\n");
}

/* The class that comes after `before` by probability, equal ones in their order; `before` is n_classes: the first. */
static uint32_t next_class(const dpr__explained *e, uint32_t n_classes, uint32_t before) {
    uint32_t best = n_classes;
    for (uint32_t c = 0; c < n_classes; c++) {
        float p = e->probabilities[c];
        bool comes = before == n_classes;
        if (!comes)
            comes = p < e->probabilities[before] || (c > before && p == e->probabilities[before]);
        if (comes && (best == n_classes || p > e->probabilities[best]))
            best = c;
    }
    return best;
}

/* The likeliest classes, at most five, until next to nothing is left. */
static void add_prediction(const struct section *s) {
    const dpr__explained *e = &s->features->explained;
    uint32_t classes = s->features->model->info.n_classes;
    uint32_t best = next_class(e, classes, classes);
    float sum = 0;
    char scratch[16];
    dpr__text_add(s->page, "<p class=\"lead\" id=\"prediction\">");
    for (int told = 0; told < 5 && sum < 0.999F && best < classes; told++) {
        dpr__text_add(s->page, "%s<strong>", told > 0 ? ", " : "");
        dpr__page_text(s->page, dpr__class_name(&s->features->model->info, best, scratch));
        dpr__text_add(s->page, "</strong> ");
        dpr__page_share(s->page, (double)e->probabilities[best]);
        sum += e->probabilities[best];
        best = next_class(e, classes, best);
    }
    dpr__text_add(s->page, "</p>\n");
}

static void add_maps(const struct section *s) {
    const dpr_features *f = s->features;
    const dpr__explained *e = &f->explained;
    const int64_t *dim = f->model->info.image.dim;
    size_t height = (size_t)dim[0], width = (size_t)dim[1], n = height * width;
    char words[240];
    add_figure(s, e->image, height, width, (size_t)dim[2], e->name);
    dpr__paint_heat(e->saliency, n, dpr__largest(e->saliency, n), s->rgb);
    add_figure(s, s->rgb, height, width, 3, "Saliency: how much the class depends on each pixel");
    float most = dpr__largest(e->occlusion, n);
    dpr__paint_signed(e->occlusion, n, most, s->rgb);
    snprintf(words, sizeof words,
             "Occlusion: red where a patch of %u × %u pixels in the mean colour takes from the "
             "class, at most %.2f %%; blue where it adds",
             e->patch, e->patch, 100 * (double)most);
    add_figure(s, s->rgb, height, width, 3, words);
    if (e->cam != NULL) {
        size_t places = e->cam_height * e->cam_width;
        dpr__paint_heat(e->cam, places, dpr__largest(e->cam, places), s->rgb);
        snprintf(words, sizeof words, "Grad-CAM: where %.100s, %zu × %zu places, finds the class",
                 f->model->layers[e->cam_layer].name, e->cam_height, e->cam_width);
        add_figure(s, s->rgb, e->cam_height, e->cam_width, 3, words);
    }
}

/* What a layer made of the image: maps side by side, or one row of numbers as a square of cells. */
static dpr_status add_activation(const struct section *s, size_t k) {
    enum { GAP = 1, GROUND = 128, MAPS = 32, COLUMNS = 16 };
    const dpr_features *f = s->features;
    const dpr__unit_layer *l = &f->layers[k];
    const float *values = f->explained.activations[k];
    size_t places = (size_t)l->height * l->width, n = places * l->units;
    bool maps = places > 1;
    size_t tiles = maps && l->units > MAPS ? MAPS : l->units;
    size_t columns = maps ? COLUMNS : 32;
    columns = tiles < columns ? tiles : columns;
    size_t step_y = l->height + (maps ? GAP : 0), step_x = l->width + (maps ? GAP : 0);
    float most = dpr__largest(values, n), *own = NULL;
    dpr__canvas canvas;
    char words[200];
    DPR_TRY(dpr__canvas_init(f->context, (tiles + columns - 1) / columns * step_y, columns * step_x,
                             3, GROUND, &canvas));
    dpr_status status = dpr__allocate(f->context, places * 4, sizeof *own, &own);
    uint8_t *rgb = status == DPR_OK ? (uint8_t *)(own + places) : NULL;
    for (size_t i = 0; i < tiles && status == DPR_OK; i++) {
        for (size_t p = 0; p < places; p++)
            own[p] = values[p * l->units + i];
        dpr__paint_signed(own, places, most, rgb);
        dpr__canvas_place(&canvas, i / columns * step_y, i % columns * step_x, rgb, l->height,
                          l->width, 1);
    }
    snprintf(words, sizeof words, "%.100s: %zu of %u units, up to %.3g", l->facts.name, tiles,
             l->units, (double)most);
    if (status == DPR_OK)
        add_figure(s, canvas.pixels, canvas.height, canvas.width, 3, words);
    dpr__free(f->context, own);
    dpr__free(f->context, canvas.pixels);
    return status;
}

static dpr_status add_explanation(const struct section *s) {
    const dpr_features *f = s->features;
    add_prediction(s);
    dpr__text_add(s->page, "<div class=\"maps\">\n");
    add_maps(s);
    dpr__text_add(s->page,
                  "</div>\n<h3>What the layers make of it</h3>\n<p>Red is above zero, blue below, "
                  "white zero; each layer on its own scale.</p>\n<div class=\"maps wide-maps\">\n");
    for (size_t k = 0; k < f->n_layers; k++)
        DPR_TRY(add_activation(s, k));
    dpr__text_add(s->page, "</div>\n");
    return DPR_OK;
}

dpr_status dpr__features_image_section(dpr__text *page, const dpr_features *f) {
    struct section s = {.page = page, .features = f};
    const int64_t *dim = f->model->info.image.dim;
    if (f->explained.name == NULL)
        return DPR_OK;
    size_t pixels = (size_t)(dim[0] * dim[1]);
    size_t places = f->explained.cam_height * f->explained.cam_width;
    DPR_TRY(dpr__allocate(f->context, places > pixels ? places : pixels, 3, &s.rgb));
    dpr__text_add(page, "<section id=\"image\"><h2>");
    dpr__page_text(page, f->explained.name);
    dpr__text_add(page, "</h2>\n");
    dpr_status status = add_explanation(&s);
    dpr__text_add(page, "</section>\n");
    dpr__free(f->context, s.rgb);
    return status == DPR_OK ? page->status : status;
}
