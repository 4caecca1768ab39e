/* Features of a model (tools.h): which layers have units, how many are shown, and in which order they are looked at. */
#include "view/features.h"
#include "base/context.h"
#include "base/file.h"
#include "data/source.h"
#include "ir/shape.h"
#include "view/page.h"
#include <string.h>

dpr_features_options dpr_features_options_default(void) {
    return (dpr_features_options){.size = sizeof(dpr_features_options),
                                  .seed = 1,
                                  .units = 12,
                                  .steps = 160,
                                  .images = 10000};
}

dpr_status dpr__features_advance(dpr_features *f) {
    f->done++;
    if (f->options.progress != NULL &&
        f->options.progress(f->options.progress_user, f->done, f->of) != 0)
        return DPR_FAIL(f->context, DPR_E_INTERRUPTED, "features: stopped");
    return DPR_OK;
}

/* ---- layers ---- */

/* An activation has units, and so has the end of the network: its classes. */
static bool has_units(const dpr_model *model, size_t layer) {
    const dpr_layer *l = &model->layers[layer];
    bool last = layer == model->n_layers - 1;
    return last || (l->activation && l->from >= 0 && (l->output.rank == 3 || l->output.rank == 1));
}

static void describe(const dpr_model *model, size_t layer, dpr__unit_layer *out) {
    const dpr_layer *l = &model->layers[layer];
    bool picture = l->output.rank == 3;
    out->layer = layer;
    out->source = l->activation ? (size_t)l->from : layer;
    out->height = picture ? (uint32_t)l->output.dim[0] : 1;
    out->width = picture ? (uint32_t)l->output.dim[1] : 1;
    out->units = (uint32_t)l->output.dim[picture ? 2 : 0];
    out->facts = (dpr_feature_layer){.size = sizeof out->facts,
                                     .name = l->name,
                                     .units = out->units,
                                     .gate = l->gate,
                                     .field = {l->field.size[0], l->field.size[1]}};
}

/* Which units are shown: of many some, spread over the layer. */
static dpr_status choose_units(dpr_context *context, dpr__unit_layer *l, unsigned most) {
    uint32_t n = l->units < most ? l->units : most;
    DPR_TRY(dpr__allocate(context, n, sizeof *l->shown, &l->shown));
    for (uint32_t i = 0; i < n; i++)
        l->shown[i] = (uint32_t)dpr__spread(i, n, l->units);
    l->facts.shown = n;
    return DPR_OK;
}

/* Whether the k-th of n layers is one of `most` that are spread over the network, its end among them. */
static bool is_shown(size_t k, size_t n, size_t most) {
    if (most == 0 || n <= most || k == n - 1)
        return true;
    for (size_t i = 0; i + 1 < most; i++)
        if (k == dpr__spread(i, most - 1, n - 1))
            return true;
    return false;
}

static dpr_status choose_layers(dpr_features *f) {
    const dpr_model *model = f->model;
    for (size_t i = 0; i < model->n_layers; i++)
        f->n_layers += has_units(model, i);
    DPR_TRY(dpr__allocate(f->context, f->n_layers, sizeof *f->layers, &f->layers));
    DPR_TRY(dpr__allocate(f->context, f->n_layers, sizeof *f->facts, &f->facts));
    for (size_t i = 0, k = 0; i < model->n_layers; i++)
        if (has_units(model, i))
            describe(model, i, &f->layers[k++]);
    for (size_t k = 0; k < f->n_layers; k++)
        if (is_shown(k, f->n_layers, f->options.layers))
            DPR_TRY(choose_units(f->context, &f->layers[k], f->options.units));
    return DPR_OK;
}

/* ---- making ---- */

/* As many images at a time as keep what all layers make of them in 32 MB. */
static unsigned batch_of(const dpr_model *model) {
    enum { MOST_NUMBERS = 8 << 20, MOST = 64 };
    uint64_t numbers = 1;
    for (size_t i = 0; i < model->n_layers; i++)
        numbers += (uint64_t)dpr__shape_count(&model->layers[i].output);
    uint64_t batch = MOST_NUMBERS / numbers;
    return (unsigned)(batch < 1 ? 1 : batch > MOST ? MOST : batch);
}

static size_t count_steps(const dpr_features *f) {
    size_t n = dpr__features_look_batches(f);
    for (size_t k = 0; k < f->n_layers; k++)
        n += (f->layers[k].facts.shown + f->batch - 1) / f->batch * f->options.steps;
    return n;
}

static dpr_status check_options(const dpr_features *f) {
    enum { MOST_UNITS = 4096 };
    if (f->options.units < 1 || f->options.units > MOST_UNITS)
        return DPR_FAIL(f->context, DPR_E_ARGUMENT, "features: units is %u; it can be 1 to %d",
                        f->options.units, MOST_UNITS);
    return DPR_OK;
}

static dpr_status make(dpr_features *f) {
    DPR_TRY(check_options(f));
    DPR_TRY(dpr__image_check_shape(f->context, "features", f->model->info.image));
    if (f->data != NULL)
        DPR_TRY(dpr__info_match(f->context, &f->model->info, &f->data->info));
    DPR_TRY(choose_layers(f));
    f->batch = batch_of(f->model);
    f->of = count_steps(f);
    DPR_TRY(dpr_probe_create(f->model, f->batch, &f->probe));
    DPR_TRY(dpr__features_look(f));
    DPR_TRY(dpr__features_ascend(f));
    for (size_t k = 0; k < f->n_layers; k++) {
        dpr__unit_layer *l = &f->layers[k];
        l->facts.unit = l->shown;
        l->facts.active = l->active;
        l->facts.likeness = l->likeness;
        l->facts.likeness_to = l->likeness_to;
        f->facts[k] = l->facts;
    }
    return DPR_OK;
}

dpr_status dpr_features_create(dpr_model *model, const dpr_data *data,
                               const dpr_features_options *options, dpr_features **out) {
    dpr_features *f;
    DPR_TRY(dpr__allocate(model->context, 1, sizeof *f, &f));
    f->context = model->context;
    f->model = model;
    f->data = data;
    f->options = dpr_features_options_default();
    if (options != NULL) /* an older caller's struct is shorter */
        memcpy(&f->options, options,
               options->size < sizeof f->options ? options->size : sizeof f->options);
    dpr_status status = make(f);
    if (status != DPR_OK)
        dpr_features_destroy(f);
    else
        *out = f;
    return status;
}

void dpr_features_destroy(dpr_features *f) {
    if (f == NULL)
        return;
    dpr_context *context = f->context;
    for (size_t k = 0; k < f->n_layers && f->layers != NULL; k++) {
        dpr__unit_layer *l = &f->layers[k];
        dpr__free(context, l->peaks);
        dpr__free(context, l->active);
        dpr__free(context, l->activity);
        dpr__free(context, l->likeness);
        dpr__free(context, l->likeness_to);
        dpr__free(context, l->shown);
        dpr__free(context, l->made);
    }
    dpr__explained_release(context, &f->explained);
    dpr_probe_destroy(f->probe);
    dpr__free(context, f->layers);
    dpr__free(context, f->facts);
    dpr__free(context, f);
}

size_t dpr_features_layers(const dpr_features *f, const dpr_feature_layer **out) {
    *out = f->facts;
    return f->n_layers;
}

/* ---- writing ---- */

static dpr_status make_page(const dpr_features *f, const char *name, dpr__text *page) {
    dpr__page_begin(page, name);
    dpr__text_add(page, "<header><h1>What ");
    dpr__page_text(page, name);
    dpr__text_add(page, " sees</h1></header>\n<main>\n");
    DPR_TRY(dpr__features_image_section(page, f));
    DPR_TRY(dpr__features_section(page, f, 96, SIZE_MAX));
    dpr__text_add(page, "</main>\n");
    dpr__page_end(page);
    return page->status;
}

static dpr_status write_sheet(const dpr_features *f, const char *path) {
    dpr__canvas sheet;
    DPR_TRY(dpr__features_sheet(f, &sheet));
    dpr_status status = dpr_png_write(f->context, path, sheet.pixels,
                                      dpr_shape_of((int64_t)sheet.height, (int64_t)sheet.width, 3));
    dpr__free(f->context, sheet.pixels);
    return status;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

dpr_status dpr_features_write(const dpr_features *f, const char *name, const char *path) {
    dpr__text page;
    if (ends_with(path, ".png"))
        return write_sheet(f, path);
    if (!ends_with(path, ".html"))
        return DPR_FAIL(f->context, DPR_E_ARGUMENT, "'%s' must end with .html or .png", path);
    dpr__text_init(&page, f->context);
    return dpr__file_write_text(&page, make_page(f, name, &page), path);
}
