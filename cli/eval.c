/* deeper eval MODEL DATA */
#include "cli.h"
#include "json.h"
#include <math.h>
#include <string.h>

/* ---- for people ---- */

static int widest_name(const dpr_data_info *info, uint32_t n) {
    int widest = 5;
    char scratch[16];
    for (uint32_t i = 0; i < n; i++) {
        int width = text_width(class_name(info, i, scratch));
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_share(double share) {
    if (isnan(share))
        printf("  %9s", "-");
    else
        printf("  %7.2f %%", 100 * share);
}

static void print_classes(const dpr_evaluation *e, const dpr_data_info *info, int width) {
    char scratch[16], count[32];
    printf("\n%*s  precision     recall      images\n", width, "class");
    for (uint32_t i = 0; i < e->n_classes; i++) {
        uint64_t images = 0;
        for (uint32_t j = 0; j < e->n_classes; j++)
            images += e->confusion[(size_t)i * e->n_classes + j];
        print_column(class_name(info, i, scratch), -width);
        print_share(e->precision[i]);
        print_share(e->recall[i]);
        printf("  %10s\n", grouped(images, count));
    }
}

static void print_matrix(const dpr_evaluation *e, const dpr_data_info *info, int width) {
    char scratch[16], count[32];
    printf("\nconfusion (rows: true class, columns: predicted)\n%*s", width, "");
    for (uint32_t j = 0; j < e->n_classes; j++) {
        putchar(' ');
        print_column(class_name(info, j, scratch), -width);
    }
    for (uint32_t i = 0; i < e->n_classes; i++) {
        putchar('\n');
        print_column(class_name(info, i, scratch), -width);
        for (uint32_t j = 0; j < e->n_classes; j++) {
            uint64_t n = e->confusion[(size_t)i * e->n_classes + j];
            printf(" %*s", width, n > 0 ? grouped(n, count) : ".");
        }
    }
    putchar('\n');
}

/* Many classes make no legible matrix: the pairs that are mistaken most instead, found in turn by
 * their count. */
static void print_pairs(const dpr_evaluation *e, const dpr_data_info *info) {
    enum { PAIRS = 20 };
    char a[16], b[16], count[32];
    uint64_t below = UINT64_MAX;
    size_t printed = 0, n = e->n_classes;
    printf("\nmistaken most (true class > predicted)\n");
    while (printed < PAIRS) {
        uint64_t most = 0;
        for (size_t k = 0; k < n * n; k++)
            if (k / n != k % n && e->confusion[k] < below && e->confusion[k] > most)
                most = e->confusion[k];
        if (most == 0)
            break;
        for (size_t k = 0; k < n * n && printed < PAIRS; k++)
            if (k / n != k % n && e->confusion[k] == most) {
                printf("%10s  %s > %s\n", grouped(most, count),
                       class_name(info, (uint32_t)(k / n), a),
                       class_name(info, (uint32_t)(k % n), b));
                printed++;
            }
        below = most;
    }
    if (printed == 0)
        printf("%10s\n", "none");
}

static void print_text(const dpr_evaluation *e, const dpr_data_info *info,
                       const struct settings *settings, bool tta) {
    enum { COLUMNS = 120 };
    int width = widest_name(info, e->n_classes);
    char right[32], all[32];
    printf("%s half of %s\n", settings->half, settings->words[1]);
    printf("accuracy %.2f %% (%.2f to %.2f, 95 %% interval), %s of %s right\nloss %.4f\n",
           100 * e->accuracy, 100 * e->accuracy_low, 100 * e->accuracy_high,
           grouped(e->correct, right), grouped(e->n, all), e->loss);
    if (tta)
        printf("without test-time augmentation %.2f %%, %s right, loss %.4f\n",
               100 * e->accuracy_plain, grouped(e->correct_plain, right), e->loss_plain);
    print_classes(e, info, width);
    if ((width + 1) * ((int)e->n_classes + 1) <= COLUMNS || e->n_classes <= 10)
        print_matrix(e, info, width);
    else
        print_pairs(e, info);
}

/* ---- for programs ---- */

static out_value *shares(const double *share, uint32_t n) {
    out_value *array = out_array();
    for (uint32_t i = 0; i < n; i++)
        out_append(array, out_real(share[i]));
    return array;
}

static void print_json(const dpr_evaluation *e, const dpr_data_info *info, const char *half,
                       const char *tta) {
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
    out_set(all, "tta", out_text(tta));
    out_set(all, "accuracy_plain", out_real(e->accuracy_plain));
    out_set(all, "loss_plain", out_real(e->loss_plain));
    out_set(all, "classes", classes);
    out_set(all, "confusion", confusion);
    out_set(all, "precision", shares(e->precision, e->n_classes));
    out_set(all, "recall", shares(e->recall, e->n_classes));
    out_print(all, stdout);
}

/* ---- the command ---- */

static dpr_half half_of(const char *word) {
    return strcmp(word, "train") == 0  ? DPR_TRAIN
           : strcmp(word, "test") == 0 ? DPR_TEST
                                       : DPR_VALIDATION;
}

static int evaluate(dpr_context *context, dpr_model *model, const dpr_data *data,
                    const struct settings *settings) {
    dpr_evaluation found;
    if (dpr_evaluate(model, data, &found) != DPR_OK)
        return fail(context);
    if (settings->json)
        print_json(&found, dpr_model_describe(model), settings->half, dpr_model_tta(model));
    else
        print_text(&found, dpr_model_describe(model), settings,
                   strcmp(dpr_model_tta(model), "none") != 0);
    return EXIT_DONE;
}

int command_eval(const struct settings *settings) {
    dpr_context *context;
    dpr_model *model = NULL;
    dpr_data *data = NULL;
    dpr_open_options options;
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = load_model(context, settings, &model);
    if (status == EXIT_DONE) {
        options = options_for_model(model);
        options.validation = settings->data.validation;
        options.memory = settings->data.memory;
        dpr_status opened =
            dpr_data_open(context, settings->words[1], half_of(settings->half), &options, &data);
        if (opened != DPR_OK)
            status = fail_reading(context, opened, settings->words[1]);
        else if (data == NULL)
            status = complain(EXIT_FAILED, "'%s' has no validation part; --val FRACTION makes one",
                              settings->words[1]);
    }
    if (status == EXIT_DONE)
        status = evaluate(context, model, data, settings);
    dpr_data_destroy(data);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
