/* deeper data info DATA, deeper data letters -o DIR */
#include "cli.h"
#include "json.h"
#include <string.h>
#include <unistd.h>

/* ---- info ---- */

static bool has_empty_class(const dpr_survey *s) {
    for (uint32_t c = 0; c < s->n_classes; c++)
        if (s->per_class[DPR_TRAIN][c] + s->per_class[DPR_VALIDATION][c] +
                s->per_class[DPR_TEST][c] ==
            0)
            return true;
    return false;
}

static void print_shape(const dpr_survey *s) {
    char shape[96];
    if (s->image.rank != 0)
        printf("images     %s\n", shape_text(&s->image, shape));
    else
        printf("images     of %zu sizes: %u to %u high (median %u), %u to %u wide (median %u)\n",
               s->n_sizes, s->min_height, s->max_height, s->median_height, s->min_width,
               s->max_width, s->median_width);
}

static void print_survey(const dpr_survey *s, const char *path) {
    char count[32];
    printf("%s: %s\n", path, s->format);
    printf("split      %s\n", s->split);
    print_shape(s);
    int width = 5;
    for (uint32_t c = 0; c < s->n_classes; c++)
        width = text_width(s->class_names[c]) > width ? text_width(s->class_names[c]) : width;
    printf("\n%-*s %10s %10s %10s\n", width, "class", "train", "validation", "test");
    for (uint32_t c = 0; c < s->n_classes; c++)
        printf("%s%*s %10llu %10llu %10llu%s\n", s->class_names[c],
               width - text_width(s->class_names[c]), "",
               (unsigned long long)s->per_class[DPR_TRAIN][c],
               (unsigned long long)s->per_class[DPR_VALIDATION][c],
               (unsigned long long)s->per_class[DPR_TEST][c],
               s->per_class[DPR_TRAIN][c] + s->per_class[DPR_VALIDATION][c] +
                           s->per_class[DPR_TEST][c] ==
                       0
                   ? "  empty"
                   : "");
    printf("%-*s %10s", width, "all", grouped(s->n[DPR_TRAIN], count));
    printf(" %10s", grouped(s->n[DPR_VALIDATION], count));
    printf(" %10s\n\n", grouped(s->n[DPR_TEST], count));
    printf("the same pixels twice: %zu in the training half, %zu in the test half, %zu across\n",
           s->duplicates_train, s->duplicates_test, s->duplicates_across);
    if (s->ignored > 0)
        printf("%zu hidden or foreign files were ignored\n", s->ignored);
    for (size_t i = 0; i < s->n_unreadable; i++)
        printf("unreadable: %s\n", s->unreadable[i]);
}

static out_value *counts(const uint64_t *count, uint32_t n) {
    out_value *array = out_array();
    for (uint32_t i = 0; i < n; i++)
        out_append(array, out_count(count[i]));
    return array;
}

static void print_survey_json(const dpr_survey *s) {
    static const char *const HALVES[] = {"train", "validation", "test"};
    static const char *const PER_CLASS[] = {"train_per_class", "validation_per_class",
                                            "test_per_class"};
    out_value *all = out_object(), *classes = out_array(), *shape = out_array(),
              *unreadable = out_array();
    for (int half = 0; half < 3; half++)
        out_set(all, HALVES[half], out_count(s->n[half]));
    for (uint32_t c = 0; c < s->n_classes; c++)
        out_append(classes, out_text(s->class_names[c]));
    for (uint32_t d = 0; d < s->image.rank; d++)
        out_append(shape, out_count((uint64_t)s->image.dim[d]));
    out_set(all, "classes", classes);
    out_set(all, "shape", shape);
    out_set(all, "format", out_text(s->format));
    out_set(all, "split", out_text(s->split));
    for (int half = 0; half < 3; half++)
        out_set(all, PER_CLASS[half], counts(s->per_class[half], s->n_classes));
    out_set(all, "sizes", out_count(s->n_sizes));
    out_set(all, "median_height", out_count(s->median_height));
    out_set(all, "median_width", out_count(s->median_width));
    out_set(all, "duplicates_train", out_count(s->duplicates_train));
    out_set(all, "duplicates_test", out_count(s->duplicates_test));
    out_set(all, "duplicates_across", out_count(s->duplicates_across));
    out_set(all, "ignored", out_count(s->ignored));
    for (size_t i = 0; i < s->n_unreadable; i++)
        out_append(unreadable, out_text(s->unreadable[i]));
    out_set(all, "unreadable", unreadable);
    out_print(all, stdout);
}

static int data_info(dpr_context *context, const struct settings *settings) {
    dpr_survey *survey;
    if (settings->n_words != 2)
        return complain(EXIT_USAGE, "usage: deeper data info DATA");
    if (dpr_survey_create(context, settings->words[1], &survey) != DPR_OK)
        return fail(context);
    if (settings->json)
        print_survey_json(survey);
    else
        print_survey(survey, settings->words[1]);
    bool sound = survey->n_unreadable == 0 && !has_empty_class(survey);
    dpr_survey_destroy(survey);
    return sound ? EXIT_DONE : EXIT_FAILED;
}

/* ---- letters ---- */

static int show_progress(void *user, size_t done, size_t of) {
    (void)user;
    fprintf(stderr, "\rletters: %zu of %zu images", done, of);
    if (done == of)
        fputc('\n', stderr);
    return 0;
}

static int data_letters(dpr_context *context, const struct settings *settings) {
    dpr_letters_options options = dpr_letters_options_default();
    dpr_letters_report report;
    if (settings->out == NULL || settings->n_words != 1)
        return complain(EXIT_USAGE, "usage: deeper data letters --out DIR [--fonts DIR]");
    options.font_dirs = settings->fonts[0] != NULL ? settings->fonts : NULL;
    options.seed = settings->seed;
    options.train = (uint32_t)settings->train_images;
    options.test = (uint32_t)settings->test_images;
    options.progress = !settings->quiet && isatty(STDERR_FILENO) ? show_progress : NULL;
    if (dpr_letters_make(context, settings->out, &options, &report) != DPR_OK)
        return fail(context);
    if (settings->json) {
        out_value *all = out_object();
        out_set(all, "out", out_text(settings->out));
        out_set(all, "train", out_count(settings->train_images));
        out_set(all, "test", out_count(settings->test_images));
        out_set(all, "families", out_count(report.families));
        out_set(all, "train_families", out_count(report.train_families));
        out_set(all, "test_families", out_count(report.test_families));
        out_set(all, "faces", out_count(report.faces));
        out_set(all, "rejected", out_count(report.rejected));
        out_print(all, stdout);
        return EXIT_DONE;
    }
    printf("%llu training and %llu test images of the letters A to J in %s\n",
           (unsigned long long)settings->train_images, (unsigned long long)settings->test_images,
           settings->out);
    printf("%zu faces of %zu font families: %zu families for training, %zu others for testing; "
           "%zu faces were of no use\n",
           report.faces, report.families, report.train_families, report.test_families,
           report.rejected);
    printf("look at %s/contact-sheet.png\n", settings->out);
    return EXIT_DONE;
}

int command_data(const struct settings *settings) {
    static const char *const VERBS[] = {"info", "letters"};
    const char *verb = settings->words[0];
    if (strcmp(verb, "info") != 0 && strcmp(verb, "letters") != 0) {
        const char *nearest = dpr_nearest_word(verb, VERBS, 2);
        return complain(EXIT_USAGE, "data knows 'info' and 'letters', not '%s'%s%s%s", verb,
                        nearest ? "; did you mean '" : "", nearest ? nearest : "",
                        nearest ? "'?" : "");
    }
    dpr_context *context = open_context(settings);
    if (context == NULL)
        return EXIT_FAILED;
    int status =
        strcmp(verb, "info") == 0 ? data_info(context, settings) : data_letters(context, settings);
    dpr_context_destroy(context);
    return status;
}
