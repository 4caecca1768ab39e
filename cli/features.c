/* deeper features MODEL [DATA] */
#include "cli.h"
#include "json.h"
#include "place.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

/* ---- what was found ---- */

static void print_table(const dpr_features *features, const char *path) {
    const dpr_feature_layer *layers;
    size_t n = dpr_features_layers(features, &layers);
    int name = 5;
    for (size_t i = 0; i < n; i++)
        name = text_width(layers[i].name) > name ? text_width(layers[i].name) : name;
    printf("%-*s  %8s  %12s  %8s  %8s\n", name, "layer", "units", "sees", "dead", "alike");
    for (size_t i = 0; i < n; i++) {
        const dpr_feature_layer *l = &layers[i];
        char units[32], sees[64], dead[32] = "-", alike[32] = "-";
        snprintf(sees, sizeof sees, "%lld x %lld", (long long)l->field[0], (long long)l->field[1]);
        if (l->n_images > 0)
            grouped(l->alike, alike);
        if (l->n_images > 0 && l->gate)
            grouped(l->dead, dead);
        printf("%-*s  %8s  %12s  %8s  %8s\n", name, l->name, grouped(l->units, units), sees, dead,
               alike);
    }
    printf("features %s\n", path);
}

static out_value *layer_json(const dpr_feature_layer *l) {
    out_value *layer = out_object(), *field = out_array(), *shown = out_array();
    out_value *active = out_array(), *like = out_array(), *likeness = out_array();
    for (int axis = 0; axis < 2; axis++)
        out_append(field, out_count((uint64_t)l->field[axis]));
    for (uint32_t i = 0; i < l->shown; i++)
        out_append(shown, out_count(l->unit[i]));
    for (uint32_t i = 0; i < l->units && l->n_images > 0; i++) {
        out_append(active, out_count(l->active[i]));
        out_append(like, out_count(l->likeness_to[i]));
        out_append(likeness, out_real((double)l->likeness[i]));
    }
    out_set(layer, "name", out_text(l->name));
    out_set(layer, "units", out_count(l->units));
    out_set(layer, "receptive_field", field);
    out_set(layer, "shown", shown);
    out_set(layer, "images", out_count(l->n_images));
    if (l->n_images > 0 && l->gate)
        out_set(layer, "dead", out_count(l->dead));
    if (l->n_images > 0) {
        out_set(layer, "compared", out_count(l->compared));
        out_set(layer, "alike", out_count(l->alike));
    }
    out_set(layer, "active", active);
    out_set(layer, "likeness_to", like);
    out_set(layer, "likeness", likeness);
    return layer;
}

static void print_json(const dpr_features *features, const char *path) {
    const dpr_feature_layer *layers;
    size_t n = dpr_features_layers(features, &layers);
    out_value *all = out_object(), *array = out_array();
    for (size_t i = 0; i < n; i++)
        out_append(array, layer_json(&layers[i]));
    out_set(all, "out", out_text(path));
    out_set(all, "layers", array);
    out_print(all, stdout);
}

/* ---- the command ---- */

/* Before anything takes time: a page would not replace a model, and the ending says what is made. */
static int check_out(const struct settings *settings, const char *path) {
    const char *end = strrchr(path, '.');
    if (is_model_file(path))
        return complain(EXIT_FAILED, "--out '%s' is a model, which would be replaced", path);
    if (end == NULL || (strcmp(end, ".html") != 0 && strcmp(end, ".png") != 0))
        return complain(EXIT_USAGE, "--out '%s': the name must end in .html, for a page, or .png",
                        path);
    if (settings->image != NULL && strcmp(end, ".png") == 0)
        return complain(EXIT_USAGE,
                        "--image is explained in a page: let the name of --out end in .html");
    return EXIT_DONE;
}

static int explain(dpr_context *context, const struct settings *settings, const dpr_model *model,
                   dpr_features *features) {
    const dpr_data_info *info = dpr_model_describe(model);
    uint8_t *pixels;
    if (dpr_image_read(context, settings->image, info->image, info->fit, &pixels) != DPR_OK)
        return fail(context);
    dpr_status status = dpr_features_explain(features, pixels, settings->image);
    dpr_pixels_destroy(context, pixels);
    return status == DPR_OK ? EXIT_DONE : fail(context);
}

static int make_features(dpr_context *context, const struct settings *settings, dpr_model *model,
                         const dpr_data *data, const char *path) {
    dpr_features *features;
    dpr_features_options options = settings->features;
    struct percent percent = {"looking", 101};
    options.progress = !settings->quiet && progress_has_terminal() ? progress_percent : NULL;
    options.progress_user = &percent;
    if (dpr_features_create(model, data, &options, &features) != DPR_OK)
        return fail(context);
    int status = settings->image != NULL ? explain(context, settings, model, features) : EXIT_DONE;
    if (status == EXIT_DONE &&
        dpr_features_write(features, report_title(settings->words[0]), path) != DPR_OK)
        status = fail(context);
    if (status == EXIT_DONE)
        (settings->json ? print_json : print_table)(features, path);
    dpr_features_destroy(features);
    return status;
}

static int run(dpr_context *context, const struct settings *settings, const char *path) {
    dpr_model *model;
    dpr_data *data = NULL;
    int status = load_model(context, settings, &model);
    if (status != EXIT_DONE)
        return status;
    if (settings->n_words > 1)
        status = open_shown_half(context, settings, settings->words[1], model, NULL, &data);
    if (status == EXIT_DONE)
        status = make_features(context, settings, model, data, path);
    dpr_data_destroy(data);
    dpr_model_destroy(model);
    return status;
}

int command_features(const struct settings *settings) {
    dpr_context *context;
    char *path = settings->out != NULL ? strdup(settings->out)
                                       : name_beside(settings->words[0], ".features.html");
    if (path == NULL)
        return fail(NULL);
    int status = check_out(settings, path);
    if (status == EXIT_DONE) {
        status = open_context(settings, NULL, &context);
        if (status == EXIT_DONE)
            status = run(context, settings, path);
        dpr_context_destroy(context);
    }
    free(path);
    return status;
}
