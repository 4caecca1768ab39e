/* The weight of each class in the loss (class_weights.h). */
#include "train/class_weights.h"
#include "base/context.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

enum { MOST_NAME = 256, MOST_WEIGHT = 1000000 };

/* n/(k·n_c): 1 for all where the set is balanced. */
static void balance(const dpr_data *data, uint32_t k, float *out) {
    for (uint32_t c = 0; c < k; c++)
        out[c] = 0;
    for (size_t i = 0; i < data->n; i++)
        out[data->labels[i]] += 1;
    for (uint32_t c = 0; c < k; c++)
        if (out[c] > 0)
            out[c] = (float)((double)data->n / ((double)k * (double)out[c]));
}

/* The class of that name, or k. */
static uint32_t find_class(const dpr_data_info *info, const char *name) {
    char number[16];
    uint32_t c = 0;
    while (c < info->n_classes && strcmp(dpr__class_name(info, c, number), name) != 0)
        c++;
    return c;
}

static dpr_status unknown_class(dpr_context *context, const dpr_data_info *info, const char *name) {
    const char *nearest = info->class_names != NULL
                              ? dpr_nearest_word(name, info->class_names, info->n_classes)
                              : NULL;
    char first[16], last[16];
    if (nearest != NULL)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "class_weights: there is no class '%s'; did you mean '%s'?", name, nearest);
    return DPR_FAIL(context, DPR_E_ARGUMENT,
                    "class_weights: there is no class '%s'; the classes are '%s' to '%s'", name,
                    dpr__class_name(info, 0, first),
                    dpr__class_name(info, info->n_classes - 1, last));
}

/* "NAME=W", which is cut up. */
static dpr_status take_item(dpr_context *context, const dpr_data_info *info, char *item,
                            float *out) {
    static const char *const words[] = {"balanced"};
    char *equals = strrchr(item, '=');
    double weight;
    if (equals == NULL)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "class_weights: '%s' is neither 'balanced' nor NAME=W%s", item,
                        dpr_nearest_word(item, words, 1) ? "; did you mean 'balanced'?" : "");
    *equals = '\0';
    uint32_t c = find_class(info, item);
    if (c == info->n_classes)
        return unknown_class(context, info, item);
    if (out[c] != 0)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "class_weights: class '%s' is given twice", item);
    if (!dpr__parse_double(context, equals + 1, &weight) || !(weight >= 1e-6) ||
        weight > MOST_WEIGHT)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "class_weights: '%s' of class '%s' is no number from 1e-06 to %d",
                        equals + 1, item, MOST_WEIGHT);
    out[c] = (float)weight;
    return DPR_OK;
}

dpr_status dpr__class_weights(const dpr_data_info *info, const dpr_data *data, const char *text,
                              float *out) {
    char item[MOST_NAME + 32];
    if (strcmp(text, "balanced") == 0) {
        balance(data, info->n_classes, out);
        return DPR_OK;
    }
    for (uint32_t c = 0; c < info->n_classes; c++)
        out[c] = 0; /* not named yet */
    for (const char *at = text, *end; at != NULL; at = end != NULL ? end + 1 : NULL) {
        end = strchr(at, ',');
        size_t n = end != NULL ? (size_t)(end - at) : strlen(at);
        if (n >= sizeof item)
            return DPR_FAIL(data->context, DPR_E_ARGUMENT, "class_weights: '%.40s...' is too long",
                            at);
        memcpy(item, at, n);
        item[n] = '\0';
        DPR_TRY(take_item(data->context, info, item, out));
    }
    for (uint32_t c = 0; c < info->n_classes; c++)
        if (out[c] == 0)
            out[c] = 1;
    return DPR_OK;
}
