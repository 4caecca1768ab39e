/* deeper data info DATA, deeper data preview DATA OUT.png, deeper data letters -o DIR */
#include "choose.h"
#include "json.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- info ---- */

static const char *const HALVES[] = {"train", "validation", "test"};

/* A class is empty where its half has images, but none of that class. */
static bool is_empty(const dpr_survey *s, uint32_t c, int half) {
    return s->n[half] > 0 && s->per_class[half][c] == 0;
}

static bool has_empty_class(const dpr_survey *s) {
    for (uint32_t c = 0; c < s->n_classes; c++)
        for (int half = 0; half < 3; half++)
            if (is_empty(s, c, half) ||
                s->per_class[0][c] + s->per_class[1][c] + s->per_class[2][c] == 0)
                return true;
    return false;
}

static void print_shape(const dpr_survey *s) {
    char shape[160];
    if (s->image.rank != 0)
        printf("images     %s\n", shape_text(&s->image, shape));
    else
        printf("images     of %zu sizes: %u to %u high (median %u), %u to %u wide (median %u)\n",
               s->n_sizes, s->min_height, s->max_height, s->median_height, s->min_width,
               s->max_width, s->median_width);
}

/* "largest class 6,742 images, smallest 5,421". */
static void print_balance(const dpr_survey *s, int half) {
    char most_text[32], least_text[32];
    uint64_t most = 0, least = UINT64_MAX;
    for (uint32_t c = 0; c < s->n_classes; c++) {
        uint64_t n = s->per_class[half][c];
        most = n > most ? n : most;
        least = n < least ? n : least;
    }
    if (s->n[half] > 0)
        printf("balance    %s: %s images in the largest class, %s in the smallest\n", HALVES[half],
               grouped(most, most_text), grouped(least, least_text));
}

static void print_classes(const dpr_survey *s) {
    char count[32];
    int width = 5;
    for (uint32_t c = 0; c < s->n_classes; c++)
        width = text_width(s->class_names[c]) > width ? text_width(s->class_names[c]) : width;
    printf("\n%-*s", width, "class");
    for (int half = 0; half < 3; half++)
        if (s->n[half] > 0)
            printf("  %10s", HALVES[half]);
    for (uint32_t c = 0; c <= s->n_classes; c++) {
        bool all = c == s->n_classes, empty = false;
        putchar('\n');
        print_column(all ? "all" : s->class_names[c], width);
        for (int half = 0; half < 3; half++)
            if (s->n[half] > 0) {
                printf("  %10s", grouped(all ? s->n[half] : s->per_class[half][c], count));
                empty = empty || (!all && is_empty(s, c, half));
            }
        printf("%s", empty ? "  empty" : "");
    }
    printf("\n\n");
}

static void print_survey(const dpr_survey *s, const char *path) {
    char a[32], b[32], c[32];
    printf("%s: %s\n", path, s->format);
    printf("split      %s\n", s->split);
    print_shape(s);
    print_balance(s, DPR_TRAIN);
    print_balance(s, DPR_TEST);
    print_classes(s);
    printf("images that occur again: %s in the training half, %s in the test half, %s across\n",
           grouped(s->duplicates_train, a), grouped(s->duplicates_test, b),
           grouped(s->duplicates_across, c));
    if (s->ignored > 0)
        printf("hidden and foreign files that were ignored: %s\n", grouped(s->ignored, a));
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

static int show(dpr_context *context, const struct settings *settings) {
    dpr_survey *survey;
    if (dpr_survey_create(context, settings->words[0], &survey) != DPR_OK)
        return fail(context);
    if (settings->json)
        print_survey_json(survey);
    else
        print_survey(survey, settings->words[0]);
    int status = EXIT_DONE;
    if (survey->n_unreadable > 0)
        status = complain(EXIT_FAILED, "'%s': %zu file%s cannot be read", settings->words[0],
                          survey->n_unreadable, survey->n_unreadable == 1 ? "" : "s");
    if (has_empty_class(survey))
        status = complain(EXIT_FAILED, "'%s': a class is empty", settings->words[0]);
    dpr_survey_destroy(survey);
    return status;
}

int command_data_info(const struct settings *settings) {
    dpr_context *context;
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = show(context, settings);
    dpr_context_destroy(context);
    return status;
}

/* ---- preview ---- */

/* Without --net pictures are shown as train would take them. */
static int choose_input(dpr_context *context, const struct settings *settings,
                        struct net_input *out, struct choice *choice) {
    dpr_sizes sizes;
    if (dpr_data_sizes(context, settings->words[0], &sizes) != DPR_OK)
        return fail(context);
    *choice = choose_net(&sizes, 0);
    *out = (struct net_input){.image = choice->image, .of_data = choice->net == NULL};
    return EXIT_DONE;
}

static int read_input(dpr_context *context, const struct settings *settings,
                      struct net_input *out) {
    const char *name;
    char *net = read_net(settings->net, "--net", &name);
    if (net == NULL)
        return EXIT_FAILED;
    dpr_status status = dpr_net_check(context, name, net, &out->image, &out->of_data);
    free(net);
    return status == DPR_OK ? EXIT_DONE : fail(context);
}

static int preview(dpr_context *context, const struct settings *settings) {
    struct net_input input = {0};
    struct choice choice = {.augment = ""};
    dpr_open_options options;
    dpr_data *data;
    const char *path = settings->words[1], *augment = settings->training.augment;
    int status = check_augment(context, settings);
    if (status == EXIT_DONE)
        status = settings->net != NULL ? read_input(context, settings, &input)
                                       : choose_input(context, settings, &input, &choice);
    if (status != EXIT_DONE)
        return status;
    dpr_status opened = open_training_half(context, settings, &input, &options, &data);
    if (opened != DPR_OK)
        return fail_reading(context, opened, settings->words[0]);
    if (augment == NULL && choice.augment[0] != '\0')
        augment = choice.augment;
    if (dpr_data_preview(data, augment, settings->training.seed, path) != DPR_OK)
        status = fail(context);
    dpr_data_destroy(data);
    if (status == EXIT_DONE && settings->json) {
        out_value *all = out_object();
        out_set(all, "out", out_text(path));
        out_print(all, stdout);
    } else if (status == EXIT_DONE) {
        bool chosen = augment == choice.augment;
        note(settings, "look at %s%s%s", path, chosen ? ": --augment " : "",
             chosen ? choice.augment : "");
    }
    return status;
}

int command_data_preview(const struct settings *settings) {
    const char *out = settings->words[1], *end = strrchr(out, '.');
    dpr_context *context;
    if (end == NULL || strcasecmp(end, ".png") != 0)
        return complain(EXIT_USAGE, "'%s': the sheet is a PNG file; its name must end in .png",
                        out);
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = preview(context, settings);
    dpr_context_destroy(context);
    return status;
}

/* ---- letters ---- */

static int show_progress(void *user, size_t done, size_t of) {
    char a[32], b[32];
    (void)user;
    fprintf(stderr, "\r%s of %s images%s", grouped(done, a), grouped(of, b),
            done == of ? "\n" : "");
    return 0;
}

static void print_report_json(const struct settings *settings, const dpr_letters_report *report) {
    out_value *all = out_object();
    out_set(all, "out", out_text(settings->out));
    out_set(all, "train", out_count(settings->letters.train));
    out_set(all, "test", out_count(settings->letters.test));
    out_set(all, "families", out_count(report->families));
    out_set(all, "train_families", out_count(report->train_families));
    out_set(all, "test_families", out_count(report->test_families));
    out_set(all, "faces", out_count(report->faces));
    out_set(all, "rejected", out_count(report->rejected));
    out_print(all, stdout);
}

static void print_report(const struct settings *settings, const dpr_letters_report *report) {
    char a[32], b[32];
    printf("%s: %s training and %s test images of the letters A to J\n", settings->out,
           grouped(settings->letters.train, a), grouped(settings->letters.test, b));
    printf("%zu faces of %zu font families: %zu families to train on, %zu others to test on; "
           "%zu faces were of no use\n",
           report->faces, report->families, report->train_families, report->test_families,
           report->rejected);
    printf("look at %s/contact-sheet.png\n", settings->out);
}

int command_data_letters(const struct settings *settings) {
    dpr_context *context;
    dpr_letters_report report;
    dpr_letters_options options = settings->letters;
    if (settings->out == NULL)
        return complain(EXIT_USAGE, "where to? Give --out DIR");
    options.font_dirs = settings->fonts[0] != NULL ? settings->fonts : NULL;
    options.progress = !settings->quiet && isatty(STDERR_FILENO) ? show_progress : NULL;
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE && dpr_letters_make(context, settings->out, &options, &report))
        status = fail(context);
    if (status == EXIT_DONE)
        (settings->json ? print_report_json : print_report)(settings, &report);
    dpr_context_destroy(context);
    return status;
}
