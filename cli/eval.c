/* deeper eval MODEL DATA */
#include "cli.h"
#include "json.h"
#include <string.h>

static out_value *shares(const double *share, uint32_t n) {
    out_value *array = out_array();
    for (uint32_t i = 0; i < n; i++)
        out_append(array, out_real(share[i]));
    return array;
}

static void print_json(const dpr_evaluation *e, const dpr_data_info *info, const char *half) {
    out_value *all = out_object(), *classes = out_array(), *confusion = out_array();
    char scratch[16];
    for (uint32_t i = 0; i < e->n_classes; i++) {
        out_value *row = out_array();
        out_append(classes, out_text(class_name(info, i, scratch)));
        for (uint32_t j = 0; j < e->n_classes; j++)
            out_append(row, out_count(e->confusion[(size_t)i * e->n_classes + j]));
        out_append(confusion, row);
    }
    out_set(all, "half", out_text(half));
    out_set(all, "n", out_count(e->n));
    out_set(all, "correct", out_count(e->correct));
    out_set(all, "accuracy", out_real(e->accuracy));
    out_set(all, "accuracy_low", out_real(e->accuracy_low));
    out_set(all, "accuracy_high", out_real(e->accuracy_high));
    out_set(all, "loss", out_real(e->loss));
    out_set(all, "classes", classes);
    out_set(all, "confusion", confusion);
    out_set(all, "precision", shares(e->precision, e->n_classes));
    out_set(all, "recall", shares(e->recall, e->n_classes));
    out_print(all, stdout);
}

static dpr_half half_of(const char *word) {
    return strcmp(word, "train") == 0  ? DPR_TRAIN
           : strcmp(word, "test") == 0 ? DPR_TEST
                                       : DPR_VALIDATION;
}

int command_eval(const struct settings *settings) {
    dpr_context *context = open_context(settings);
    dpr_model *model = NULL;
    dpr_data *data = NULL;
    dpr_evaluation evaluation;
    int status = EXIT_FAILED;
    if (context == NULL)
        return status;
    if (dpr_model_load(context, settings->words[0], &model) != DPR_OK) {
        fail(context);
    } else if ((data = open_for_model(context, model, settings->words[1],
                                      half_of(settings->half))) != NULL) {
        if (dpr_evaluate(model, data, &evaluation) != DPR_OK) {
            fail(context);
        } else {
            if (settings->json)
                print_json(&evaluation, dpr_model_describe(model), settings->half);
            else {
                printf("%s half of %s: ", settings->half, settings->words[1]);
                print_evaluation(&evaluation, dpr_model_describe(model));
            }
            status = EXIT_DONE;
        }
    }
    dpr_data_destroy(data);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
