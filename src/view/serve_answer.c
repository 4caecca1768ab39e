/* What the server answers (serve.h). JSON is written with as many digits as the commands print. */
#include "base/context.h"
#include "data/source.h"
#include "train/model.h"
#include "view/page.h"
#include "view/serve.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* JSON has no NaN and no infinity. */
static void add_number(dpr__text *out, int digits, double value) {
    if (isfinite(value))
        dpr__text_add(out, "%.*g", digits, value);
    else
        dpr__text_bytes(out, "null", 4);
}

/* ---- predictions ---- */

static void add_class(dpr__text *out, const dpr_data_info *info, uint32_t i) {
    if (info->class_names != NULL)
        dpr__text_json(out, info->class_names[i]);
    else
        dpr__text_add(out, "\"%u\"", i);
}

struct ranked {
    float key, probability; /* key: −1 where the probability is no number */
    uint32_t class;
};

/* The likeliest first, the first of equals first. */
static int compare(const void *left, const void *right) {
    const struct ranked *a = left, *b = right;
    if (a->key != b->key)
        return a->key > b->key ? -1 : 1;
    return a->class < b->class ? -1 : 1;
}

static void rank(const float *p, uint32_t n, struct ranked *out) {
    for (uint32_t i = 0; i < n; i++)
        out[i] = (struct ranked){isnan(p[i]) ? -1 : p[i], p[i], i};
    qsort(out, n, sizeof *out, compare);
}

static void add_class_and_probability(dpr__text *out, const dpr_data_info *info,
                                      const struct ranked *of) {
    dpr__text_add(out, "\"class\":");
    add_class(out, info, of->class);
    dpr__text_add(out, ",\"probability\":");
    add_number(out, 15, (double)of->probability);
}

/* Without the brace at its end. ranked: room for all classes. */
static void add_prediction(dpr__text *out, const dpr_data_info *info, const dpr__job *job,
                           size_t image, struct ranked *ranked) {
    rank(job->probabilities + image * info->n_classes, info->n_classes, ranked);
    dpr__text_add(out, "{\"image\":");
    dpr__text_json(out, job->images.file[image].name);
    dpr__text_bytes(out, ",", 1);
    add_class_and_probability(out, info, ranked);
    for (uint32_t i = 0; i < job->top; i++) {
        dpr__text_add(out, i > 0 ? ",{" : ",\"top\":[{");
        add_class_and_probability(out, info, &ranked[i]);
        dpr__text_bytes(out, "}", 1);
    }
    dpr__text_bytes(out, "]", 1);
}

/* All images' predictions, the last one's brace left open. */
static dpr_status add_predictions(dpr__text *out, const dpr_data_info *info, const dpr__job *job) {
    struct ranked *ranked;
    DPR_TRY(dpr__allocate(out->context, info->n_classes, sizeof *ranked, &ranked));
    for (size_t i = 0; i < job->images.n; i++) {
        dpr__text_add(out, i > 0 ? "}," : "");
        add_prediction(out, info, job, i, ranked);
    }
    dpr__free(out->context, ranked);
    return DPR_OK;
}

dpr_status dpr__answer_predictions(dpr__text *out, const dpr_data_info *info, const dpr__job *job) {
    bool several = job->images.n > 1;
    dpr__text_add(out, several ? "[" : "");
    DPR_TRY(add_predictions(out, info, job));
    dpr__text_add(out, several ? "}]" : "}");
    return DPR_OK;
}

size_t dpr__answer_class_size(const dpr_data_info *info) {
    static const char around[] = ",{\"class\":,\"probability\":0.000123456789012345}";
    size_t longest = sizeof "\"4294967295\"";
    for (uint32_t i = 0; info->class_names != NULL && i < info->n_classes; i++) {
        size_t n = strlen(info->class_names[i]) + 2;
        longest = n > longest ? n : longest;
    }
    return longest + sizeof around;
}

/* ---- explanations ---- */

static dpr_status add_picture(dpr__text *out, const uint8_t *pixels, dpr_shape image) {
    dpr__text png;
    dpr__text_init(&png, out->context);
    dpr_status status = dpr__png_encode(out->context, pixels, image, &png);
    if (status == DPR_OK) {
        dpr__text_add(out, "\"data:image/png;base64,");
        dpr__page_base64(out, (const unsigned char *)png.data, png.length);
        dpr__text_add(out, "\"");
    }
    dpr__text_release(&png);
    return status;
}

/* The map as a picture, its largest value white, from black by red and yellow. */
static dpr_status add_map(dpr__text *out, dpr_shape image, const float *map, float most) {
    size_t n = (size_t)(image.dim[0] * image.dim[1]);
    uint8_t *pixels;
    DPR_TRY(dpr__allocate(out->context, n, 3, &pixels));
    for (size_t i = 0; i < n && most > 0; i++)
        for (int c = 0; c < 3; c++) {
            float value = 765 * map[i] / most - (float)(255 * c);
            pixels[3 * i + (size_t)c] = (uint8_t)(value <= 0 ? 0 : value >= 255 ? 255 : value);
        }
    image.dim[2] = 3;
    dpr_status status = add_picture(out, pixels, image);
    dpr__free(out->context, pixels);
    return status;
}

static dpr_status add_saliency(dpr__text *out, dpr_shape image, const float *map) {
    size_t n = (size_t)(image.dim[0] * image.dim[1]);
    float most = 0;
    for (size_t i = 0; i < n && isfinite(most); i++)
        most = map[i] <= most ? most : map[i]; /* NaN, too, is kept */
    dpr__text_add(out, ",\"saliency\":{\"most\":");
    add_number(out, 15, (double)most);
    dpr__text_add(out, ",\"picture\":");
    if (isfinite(most))
        DPR_TRY(add_map(out, image, map, most));
    else
        dpr__text_bytes(out, "null", 4);
    dpr__text_bytes(out, "}", 1);
    return DPR_OK;
}

static void add_units(dpr__text *out, const dpr_layer *layer, const dpr__shown_layer *shown,
                      const float *value) {
    size_t fired = 0;
    for (size_t i = 0; i < shown->units; i++)
        fired += value[i] > 0;
    dpr__text_add(out, "{\"layer\":");
    dpr__text_json(out, layer->name);
    dpr__text_add(out, ",\"op\":\"%s\",\"units\":%zu,\"fired\":%zu,\"values\":[", layer->op,
                  shown->units, fired);
    for (size_t i = 0; i < shown->units; i++) {
        dpr__text_add(out, i > 0 ? "," : "");
        add_number(out, 5, (double)value[i]);
    }
    dpr__text_add(out, "]}");
}

dpr_status dpr__answer_explanation(dpr__text *out, const dpr_data_info *info,
                                   const dpr_layer *layers, const dpr__queue *queue,
                                   const dpr__job *job) {
    size_t n;
    const dpr__shown_layer *shown = dpr__queue_shown(queue, &n);
    DPR_TRY(add_predictions(out, info, job));
    dpr__text_add(out, ",\"input\":");
    DPR_TRY(add_picture(out, job->images.pixels, info->image));
    DPR_TRY(add_saliency(out, info->image, job->saliency));
    dpr__text_add(out, ",\"layers\":[");
    for (size_t i = 0; i < n; i++) {
        dpr__text_add(out, i > 0 ? "," : "");
        add_units(out, &layers[shown[i].layer], &shown[i], job->units + shown[i].position);
    }
    dpr__text_add(out, "]}");
    return DPR_OK;
}

/* ---- the model ---- */

static void add_shape(dpr__text *out, const dpr_shape *shape) {
    for (uint32_t i = 0; i < shape->rank; i++)
        dpr__text_add(out, "%s%lld", i > 0 ? "," : "[", (long long)shape->dim[i]);
    dpr__text_bytes(out, "]", 1);
}

static void add_layers(dpr__text *out, const dpr_model *model) {
    const dpr_layer *layers;
    size_t n = dpr_model_layers(model, &layers);
    dpr__text_add(out, ",\"layers\":[");
    for (size_t i = 0; i < n; i++) {
        dpr__text_add(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        dpr__text_json(out, layers[i].name);
        dpr__text_add(out, ",\"op\":\"%s\",\"output\":", layers[i].op);
        add_shape(out, &layers[i].output);
        dpr__text_add(out, ",\"parameters\":%llu,\"flops\":%llu}",
                      (unsigned long long)layers[i].parameters,
                      (unsigned long long)layers[i].flops);
    }
    dpr__text_bytes(out, "]", 1);
}

static void add_numbers(dpr__text *out, const char *key, const double *value, int64_t n) {
    dpr__text_add(out, ",\"%s\":", key);
    for (int64_t i = 0; i < n; i++) {
        dpr__text_add(out, i > 0 ? "," : "[");
        add_number(out, 15, value[i]);
    }
    dpr__text_bytes(out, "]", 1);
}

dpr_status dpr__answer_model(dpr__text *out, const dpr_model *model, const char *name) {
    const dpr_data_info *info = dpr_model_describe(model);
    static const char *const FITS[] = {
        [DPR_FIT] = "fit", [DPR_CROP] = "crop", [DPR_STRETCH] = "stretch"};
    char sha256[65];
    DPR_TRY(dpr_model_weights_sha256(model, sha256));
    dpr__text_add(out, "{\"model\":");
    dpr__text_json(out, name);
    dpr__text_add(out, ",\"classes\":[");
    for (uint32_t i = 0; i < info->n_classes; i++) {
        dpr__text_add(out, i > 0 ? "," : "");
        add_class(out, info, i);
    }
    dpr__text_add(out, "],\"shape\":");
    add_shape(out, &info->image);
    dpr__text_add(out, ",\"fit\":\"%s\",\"tta\":\"%s\"", FITS[info->fit], dpr_model_tta(model));
    add_numbers(out, "mean", info->mean, info->image.dim[2]);
    add_numbers(out, "deviation", info->deviation, info->image.dim[2]);
    dpr__text_add(out, ",\"net\":");
    dpr__text_json(out, dpr_model_net(model));
    dpr__text_add(out, ",\"parameters\":%llu,\"weights_sha256\":\"%s\"",
                  (unsigned long long)dpr_model_parameters(model), sha256);
    dpr__text_add(out, ",\"isa\":\"%s\",\"precision\":\"%s\"", dpr_context_isa(model->context),
                  dpr_context_precision(model->context));
    add_layers(out, model);
    dpr__text_bytes(out, "}", 1);
    return out->status;
}

/* ---- the page ---- */

void dpr__answer_page(dpr__text *out, const dpr_model *model, const char *name) {
    const dpr_data_info *info = dpr_model_describe(model);
    dpr__page_begin_styled(out, name, "serve-style");
    dpr__text_add(out, "<header><h1>");
    dpr__page_text(out, name);
    dpr__text_add(out,
                  "</h1></header>\n<main id=\"serve\" data-height=\"%lld\" data-width=\"%lld\" "
                  "data-channels=\"%lld\" data-mean=\"%.15g\">\n",
                  (long long)info->image.dim[0], (long long)info->image.dim[1],
                  (long long)info->image.dim[2], info->mean[0]);
    dpr__page_file(out, "serve-body");
    dpr__text_add(out, "</main>\n<script>\n");
    dpr__page_file(out, "serve-script");
    dpr__text_add(out, "</script>\n");
    dpr__page_end(out);
}
