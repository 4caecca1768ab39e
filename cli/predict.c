/* deeper predict MODEL IMAGE… */
#include "cli.h"
#include "json.h"
#include <stdlib.h>
#include <string.h>

/* Indices of the classes, likeliest first (the first of equals first). */
static void rank(const float *probability, uint32_t n, uint32_t *order) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i;
        for (; at > 0 && probability[order[at - 1]] < probability[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static void print_text(const char *path, const dpr_data_info *info, const float *probability,
                       const uint32_t *order, uint32_t top) {
    char scratch[16];
    printf("%s: ", path);
    for (uint32_t i = 0; i < top; i++)
        printf("%s%s %.2f %%", i > 0 ? ", " : "", class_name(info, order[i], scratch),
               100 * (double)probability[order[i]]);
    printf("\n");
}

static void print_json(const char *path, const dpr_data_info *info, const float *probability,
                       const uint32_t *order, uint32_t top) {
    char scratch[16];
    out_value *line = out_object(), *array = out_array();
    out_set(line, "image", out_text(path));
    out_set(line, "class", out_text(class_name(info, order[0], scratch)));
    out_set(line, "probability", out_real((double)probability[order[0]]));
    for (uint32_t i = 0; i < top; i++) {
        out_value *one = out_object();
        out_set(one, "class", out_text(class_name(info, order[i], scratch)));
        out_set(one, "probability", out_real((double)probability[order[i]]));
        out_append(array, one);
    }
    out_set(line, "top", array);
    out_print(line, stdout);
}

static int predict_one(dpr_context *context, dpr_model *model, const struct settings *settings,
                       const char *path, float *probability, uint32_t *order) {
    const dpr_data_info *info = dpr_model_describe(model);
    uint8_t *pixels;
    if (dpr_image_read(context, path, info->image, info->fit, &pixels) != DPR_OK)
        return fail(context);
    dpr_status status = dpr_predict(model, pixels, 1, probability);
    dpr_pixels_destroy(context, pixels);
    if (status != DPR_OK)
        return fail(context);
    uint32_t top = settings->top < info->n_classes ? settings->top : info->n_classes;
    rank(probability, info->n_classes, order);
    (settings->json ? print_json : print_text)(path, info, probability, order, top);
    return EXIT_DONE;
}

/* An unreadable image does not stop the others; the status tells in the end. */
static int predict_all(dpr_context *context, dpr_model *model, const struct settings *settings) {
    uint32_t n = dpr_model_describe(model)->n_classes;
    float *probability = calloc(n, sizeof *probability);
    uint32_t *order = calloc(n, sizeof *order);
    bool memory = probability != NULL && order != NULL;
    int status = memory ? EXIT_DONE : fail(NULL);
    for (size_t i = 1; i < settings->n_words && memory; i++)
        if (predict_one(context, model, settings, settings->words[i], probability, order))
            status = EXIT_FAILED;
    free(probability);
    free(order);
    return status;
}

int command_predict(const struct settings *settings) {
    dpr_context *context;
    dpr_model *model = NULL;
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = load_model(context, settings, &model);
    if (status == EXIT_DONE)
        status = predict_all(context, model, settings);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
