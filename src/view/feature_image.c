/* One image explained: which pixels speak for the class that it is taken for, and what the layers make of it. */
#include "base/context.h"
#include "ir/shape.h"
#include "view/features.h"
#include <string.h>

void dpr__explained_release(dpr_context *context, dpr__explained *e) {
    if (e->activations != NULL)
        for (size_t i = 0; e->activations[i] != NULL; i++)
            dpr__free(context, e->activations[i]);
    dpr__free(context, e->activations);
    dpr__free(context, e->name);
    dpr__free(context, e->image);
    dpr__free(context, e->probabilities);
    dpr__free(context, e->saliency);
    dpr__free(context, e->occlusion);
    dpr__free(context, e->cam);
    *e = (dpr__explained){0};
}

/* ---- occlusion ---- */

/* The image with a square of the mean colour around (y, x). */
static void occlude(const dpr_model *model, const uint8_t *image, uint32_t patch, size_t y,
                    size_t x, uint8_t *out) {
    const int64_t *dim = model->info.image.dim;
    size_t height = (size_t)dim[0], width = (size_t)dim[1], channels = (size_t)dim[2];
    size_t above = patch / 2;
    memcpy(out, image, height * width * channels);
    for (size_t i = y >= above ? y - above : 0; i < height && i + above < y + patch; i++)
        for (size_t j = x >= above ? x - above : 0; j < width && j + above < x + patch; j++)
            for (size_t c = 0; c < channels; c++)
                out[(i * width + j) * channels + c] = (uint8_t)(255 * model->info.mean[c] + 0.5);
}

/* Places at which images are occluded: at most MOST_PLACES down and across, each for a square of `step` pixels of the map. */
struct places {
    size_t step, down, across;
};
enum { MOST_PLACES = 32, AT_ONCE = 32 };

static struct places places_of(const dpr_shape *image) {
    size_t height = (size_t)image->dim[0], width = (size_t)image->dim[1];
    size_t side = height > width ? height : width, step = (side + MOST_PLACES - 1) / MOST_PLACES;
    return (struct places){step, (height + step - 1) / step, (width + step - 1) / step};
}

static void fill_square(const struct places *p, const dpr_shape *image, size_t place, float value,
                        float *map) {
    size_t height = (size_t)image->dim[0], width = (size_t)image->dim[1];
    size_t top = place / p->across * p->step, left = place % p->across * p->step;
    for (size_t y = top; y < top + p->step && y < height; y++)
        for (size_t x = left; x < left + p->step && x < width; x++)
            map[y * width + x] = value;
}

/* By how much the class's probability falls with a patch around each place. */
static dpr_status find_occlusion(const dpr_features *f, dpr__explained *e) {
    dpr_model *model = f->model;
    const dpr_shape *image = &model->info.image;
    struct places p = places_of(image);
    size_t bytes = (size_t)dpr__shape_count(image), classes = model->info.n_classes;
    size_t all = p.down * p.across;
    float *probabilities;
    DPR_TRY(dpr__allocate(f->context, AT_ONCE, classes * sizeof(float) + bytes, &probabilities));
    uint8_t *images = (uint8_t *)(probabilities + AT_ONCE * classes);
    dpr_status status = DPR_OK;
    for (size_t first = 0; first < all && status == DPR_OK; first += AT_ONCE) {
        size_t n = all - first < AT_ONCE ? all - first : AT_ONCE;
        for (size_t i = 0; i < n; i++)
            occlude(model, e->image, e->patch, (first + i) / p.across * p.step + p.step / 2,
                    (first + i) % p.across * p.step + p.step / 2, images + i * bytes);
        status = dpr_predict(model, images, n, probabilities);
        for (size_t i = 0; i < n && status == DPR_OK; i++)
            fill_square(&p, image, first + i,
                        e->probabilities[e->class_index] -
                            probabilities[i * classes + e->class_index],
                        e->occlusion);
    }
    dpr__free(f->context, probabilities);
    return status;
}

/* ---- the whole ---- */

/* The last layer that is a picture of more than one place; n_layers: there is none. */
static size_t last_picture(const dpr_model *model) {
    for (size_t i = model->n_layers; i-- > 0;)
        if (model->layers[i].output.rank == 3 &&
            model->layers[i].output.dim[0] * model->layers[i].output.dim[1] > 1)
            return i;
    return model->n_layers;
}

static dpr_status find_cam(const dpr_features *f, dpr__explained *e) {
    const dpr_model *model = f->model;
    size_t layer = last_picture(model);
    if (layer == model->n_layers)
        return DPR_OK;
    const int64_t *dim = model->layers[layer].output.dim;
    e->cam_layer = layer;
    e->cam_height = (size_t)dim[0];
    e->cam_width = (size_t)dim[1];
    DPR_TRY(dpr__allocate(f->context, e->cam_height * e->cam_width, sizeof *e->cam, &e->cam));
    return dpr_probe_grad_cam(f->probe, e->image, e->class_index, layer, e->cam);
}

static dpr_status find_activations(const dpr_features *f, dpr__explained *e) {
    DPR_TRY(dpr__allocate(f->context, f->n_layers + 1, sizeof *e->activations, &e->activations));
    DPR_TRY(dpr_probe_run(f->probe, e->image, 1));
    for (size_t k = 0; k < f->n_layers; k++) {
        const dpr__unit_layer *l = &f->layers[k];
        size_t n = (size_t)l->units * l->height * l->width;
        DPR_TRY(dpr__allocate(f->context, n, sizeof(float), &e->activations[k]));
        DPR_TRY(dpr_probe_output(f->probe, l->layer, e->activations[k]));
    }
    return DPR_OK;
}

static dpr_status explain(const dpr_features *f, const uint8_t *image, const char *name,
                          dpr__explained *e) {
    dpr_model *model = f->model;
    const int64_t *dim = model->info.image.dim;
    size_t pixels = (size_t)(dim[0] * dim[1]), classes = model->info.n_classes;
    size_t side = (size_t)(dim[0] < dim[1] ? dim[0] : dim[1]);
    e->patch = (uint32_t)(side > 14 ? side / 7 : 2);
    DPR_TRY(dpr__duplicate(f->context, name, &e->name));
    DPR_TRY(dpr__allocate(f->context, pixels, (size_t)dim[2], &e->image));
    memcpy(e->image, image, pixels * (size_t)dim[2]);
    DPR_TRY(dpr__allocate(f->context, classes, sizeof(float), &e->probabilities));
    DPR_TRY(dpr__allocate(f->context, pixels, sizeof(float), &e->saliency));
    DPR_TRY(dpr__allocate(f->context, pixels, sizeof(float), &e->occlusion));
    DPR_TRY(dpr_predict(model, image, 1, e->probabilities));
    for (uint32_t c = 1; c < classes; c++)
        if (e->probabilities[c] > e->probabilities[e->class_index])
            e->class_index = c;
    DPR_TRY(dpr_probe_saliency(f->probe, image, e->class_index, e->saliency));
    DPR_TRY(find_occlusion(f, e));
    DPR_TRY(find_cam(f, e));
    return find_activations(f, e);
}

dpr_status dpr_features_explain(dpr_features *f, const uint8_t *image, const char *name) {
    dpr__explained explained = {0};
    dpr_status status = explain(f, image, name, &explained);
    if (status != DPR_OK) {
        dpr__explained_release(f->context, &explained);
        return status;
    }
    dpr__explained_release(f->context, &f->explained);
    f->explained = explained;
    return DPR_OK;
}
