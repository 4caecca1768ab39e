/* deeper predict MODEL IMAGE… */
#include "cli.h"
#include "json.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

struct predicting {
    dpr_context *context;
    dpr_model *model;
    const struct settings *settings;
    float *probability; /* n_classes, */
    uint32_t *order;    /* and their indices by rank */
    int status;         /* an unreadable image does not stop the others; this tells in the end */
};

static int predict_one(const struct predicting *p, const char *path) {
    const dpr_data_info *info = dpr_model_describe(p->model);
    uint8_t *pixels;
    if (dpr_image_read(p->context, path, info->image, info->fit, &pixels) != DPR_OK)
        return fail(p->context);
    dpr_status status = dpr_predict(p->model, pixels, 1, p->probability);
    dpr_pixels_destroy(p->context, pixels);
    if (status != DPR_OK)
        return fail(p->context);
    uint32_t top = p->settings->top < info->n_classes ? p->settings->top : info->n_classes;
    rank(p->probability, info->n_classes, p->order);
    (p->settings->json ? print_json : print_text)(path, info, p->probability, p->order, top);
    return EXIT_DONE;
}

static void predict_image(void *user, const char *path) {
    struct predicting *p = user;
    if (predict_one(p, path) != EXIT_DONE)
        p->status = EXIT_FAILED;
}

static void predict_word(struct predicting *p, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        predict_image(p, path);
    else if (dpr_folder_images(p->context, path, predict_image, p) != DPR_OK)
        p->status = fail(p->context);
}

static int predict_all(dpr_context *context, dpr_model *model, const struct settings *settings) {
    uint32_t n = dpr_model_describe(model)->n_classes;
    struct predicting p = {.context = context,
                           .model = model,
                           .settings = settings,
                           .probability = calloc(n, sizeof *p.probability),
                           .order = calloc(n, sizeof *p.order)};
    if (p.probability == NULL || p.order == NULL)
        p.status = fail(NULL);
    for (size_t i = 1; i < settings->n_words && p.order != NULL && p.probability != NULL; i++)
        predict_word(&p, settings->words[i]);
    free(p.probability);
    free(p.order);
    return p.status;
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
