/* deeper data check DATA */
#include "cli.h"
#include "json.h"
#include "progress.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *const HALVES[] = {"train", "validation", "test"};

/* ---- for people ---- */

/* Its file, or its number in a packed half. */
static void print_image(const dpr_check_image *image) {
    if (image->path != NULL)
        printf("%s", image->path);
    else
        printf("%s image %zu", HALVES[image->half], image->index);
}

static void print_suspect(const dpr_check *check, dpr_finding_kind kind, const dpr_suspect *s) {
    print_image(&s->image);
    printf(": %s", check->class_names[s->image.label]);
    if (s->has_twin) {
        printf(", as ");
        print_image(&s->twin);
        printf(": %s", check->class_names[s->twin.label]);
    }
    if (kind == DPR_FINDING_LABEL)
        printf(" (%.2f %%), rather %s (%.2f %%)", 100 * s->label_probability,
               check->class_names[s->guess], 100 * s->guess_probability);
    if (kind == DPR_FINDING_SIZE)
        printf(", %u × %u", s->height, s->width);
}

/* Files that cannot be read are all listed. */
static void print_finding(const dpr_check *check, const dpr_finding *finding, size_t most,
                          size_t *number) {
    char count[32];
    size_t n = finding->n_suspects < most ? finding->n_suspects : most;
    size_t lines = finding->n_lines < most || finding->kind == DPR_FINDING_UNREADABLE
                       ? finding->n_lines
                       : most;
    printf("\n%s: %s; %s\n", finding->what, grouped(finding->count, count), finding->remedy);
    for (size_t i = 0; i < lines; i++)
        printf("       %s\n", finding->lines[i]);
    for (size_t i = 0; i < n; i++) {
        printf("%5zu  ", ++*number);
        print_suspect(check, finding->kind, &finding->suspects[i]);
        putchar('\n');
    }
    if (finding->count > n + lines)
        printf("       and %s more\n", grouped(finding->count - n - lines, count));
}

static void print_check(const dpr_check *check, const struct settings *settings) {
    char a[32], b[32], c[32];
    size_t number = 0;
    printf("%s: %s training, %s validation and %s test images of %u class%s\n", settings->words[0],
           grouped(check->n[DPR_TRAIN], a), grouped(check->n[DPR_VALIDATION], b),
           grouped(check->n[DPR_TEST], c), check->n_classes, check->n_classes == 1 ? "" : "es");
    for (size_t i = 0; i < check->n_findings; i++)
        print_finding(check, &check->findings[i], settings->most, &number);
    if (check->n_findings == 0)
        printf("nothing was found\n");
    if (check->not_checked != NULL)
        printf("%s%s\n", check->n_findings > 0 ? "\n" : "", check->not_checked);
    if (check->n_small > 0)
        printf("%slabels of %u class%s were not looked at: fewer than ten images\n",
               check->n_findings > 0 ? "\n" : "", check->n_small, check->n_small == 1 ? "" : "es");
}

/* ---- for programs ---- */

static void set_image(const dpr_check *check, out_value *to, const dpr_check_image *image) {
    if (image->path != NULL)
        out_set(to, "path", out_text(image->path));
    out_set(to, "half", out_text(HALVES[image->half]));
    out_set(to, "index", out_count(image->index));
    out_set(to, "class", out_text(check->class_names[image->label]));
}

static out_value *suspect_value(const dpr_check *check, dpr_finding_kind kind,
                                const dpr_suspect *s) {
    out_value *all = out_object();
    set_image(check, all, &s->image);
    if (s->has_twin) {
        out_value *twin = out_object();
        set_image(check, twin, &s->twin);
        out_set(all, "twin", twin);
    }
    if (kind == DPR_FINDING_LABEL) {
        out_set(all, "guess", out_text(check->class_names[s->guess]));
        out_set(all, "guess_probability", out_real(s->guess_probability));
        out_set(all, "class_probability", out_real(s->label_probability));
    }
    out_set(all, "height", out_count(s->height));
    out_set(all, "width", out_count(s->width));
    return all;
}

static out_value *finding_value(const dpr_check *check, const dpr_finding *finding) {
    out_value *all = out_object(), *suspects = out_array(), *lines = out_array();
    for (size_t i = 0; i < finding->n_suspects; i++)
        out_append(suspects, suspect_value(check, finding->kind, &finding->suspects[i]));
    for (size_t i = 0; i < finding->n_lines; i++)
        out_append(lines, out_text(finding->lines[i]));
    out_set(all, "finding", out_text(finding->name));
    out_set(all, "count", out_count(finding->count));
    out_set(all, "what", out_text(finding->what));
    out_set(all, "remedy", out_text(finding->remedy));
    out_set(all, finding->kind == DPR_FINDING_UNREADABLE ? "files" : "classes", lines);
    out_set(all, "suspects", suspects);
    return all;
}

static void print_check_json(const dpr_check *check, const char *out) {
    out_value *all = out_object(), *findings = out_array();
    for (size_t half = 0; half < 3; half++)
        out_set(all, HALVES[half], out_count(check->n[half]));
    for (size_t i = 0; i < check->n_findings; i++)
        out_append(findings, finding_value(check, &check->findings[i]));
    out_set(all, "findings", findings);
    out_set(all, "labels_checked", out_flag(check->not_checked == NULL));
    out_set(all, "classes_not_checked", out_count(check->n_small));
    if (out != NULL)
        out_set(all, "out", out_text(out));
    out_print(all, stdout);
}

/* ---- the command ---- */

/* A place that cannot be written must be known before minutes of training. */
static int check_place(const char *out) {
    const char *slash = strrchr(out, '/'), *end = strrchr(out, '.');
    char *folder = slash != NULL ? strndup(out, (size_t)(slash - out) + 1) : strdup(".");
    int status = EXIT_DONE;
    if (folder == NULL)
        return fail(NULL);
    if (end == NULL || strcasecmp(end, ".png") != 0)
        status = complain(EXIT_USAGE,
                          "--out '%s': the sheet is a PNG file; its name must end in .png", out);
    else if (access(folder, W_OK | X_OK) != 0)
        status = complain(EXIT_FAILED, "cannot write '%s': %s; give another place with --out", out,
                          strerror(errno));
    free(folder);
    return status;
}

static bool has_suspects(const dpr_check *check) {
    for (size_t i = 0; i < check->n_findings; i++)
        if (check->findings[i].n_suspects > 0)
            return true;
    return false;
}

static int show(dpr_context *context, const struct settings *settings, const dpr_check *check) {
    const char *out = has_suspects(check) ? settings->out : NULL;
    if (out != NULL && dpr_check_draw(check, settings->most, out) != DPR_OK)
        return fail(context);
    if (settings->json)
        print_check_json(check, out);
    else
        print_check(check, settings);
    if (out != NULL)
        note(settings, "look at %s", out);
    else if (settings->out != NULL)
        note(settings, "no suspect was found, so there is no '%s'", settings->out);
    if (settings->strict && check->n_findings > 0)
        return complain(EXIT_FAILED, "'%s': %zu kind%s of finding", settings->words[0],
                        check->n_findings, check->n_findings == 1 ? "" : "s");
    return EXIT_DONE;
}

/* One line on a terminal, drawn again. */
static int show_progress(void *user, const char *what, size_t done, size_t of) {
    (void)user;
    fprintf(stderr, "\r%-28s %3.0f %%", what, of > 0 ? 100.0 * (double)done / (double)of : 100.0);
    return 0;
}

static int check(dpr_context *context, const struct settings *settings) {
    dpr_check_options options = settings->check;
    dpr_check *found;
    bool shows = !settings->quiet && progress_has_terminal();
    options.seed = settings->training.seed;
    options.progress = shows ? show_progress : NULL;
    dpr_status status = dpr_check_create(context, settings->words[0], &options, &found);
    if (shows)
        fprintf(stderr, "\r%40s\r", "");
    if (status != DPR_OK)
        return fail(context);
    int shown = show(context, settings, found);
    dpr_check_destroy(found);
    return shown;
}

int command_data_check(const struct settings *settings) {
    dpr_context *context;
    int status = settings->out != NULL ? check_place(settings->out) : EXIT_DONE;
    if (status != EXIT_DONE)
        return status;
    if (settings->check.folds == 1)
        return complain(EXIT_USAGE, "--folds is 1; a cross-validation has two or more, 0 leaves it "
                                    "out");
    status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = check(context, settings);
    dpr_context_destroy(context);
    return status;
}
