/* deeper sweep DATA. What is asked for becomes cases (sweep.h), which the library trains and judges (tools.h). */
#include "sweep.h"
#include "json.h"
#include "progress.h"
#include "signals.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what people see ---- */

static void clear_bar(const struct sweep *sweep) {
    if (sweep->bar)
        fputs("\r\033[K", stderr);
}

static void on_progress(void *user, const dpr_sweep_progress *now) {
    struct sweep *sweep = user;
    char eta[32];
    sweep->seconds_left = now->seconds_left;
    if (!sweep->bar)
        return;
    fprintf(stderr, "\r\033[K%zu of %zu runs  %.0f %%  ETA %s", now->done, now->runs,
            100 * now->share, now->seconds_left >= 0 ? duration(now->seconds_left, eta) : "-");
    fflush(stderr);
}

static void on_finished(void *user, const dpr_sweep_run *run, const dpr_sweep_row *row) {
    const struct sweep *sweep = user;
    char eta[32];
    clear_bar(sweep);
    if (sweep->settings->json)
        puts(run->json);
    if (sweep->settings->json || sweep->settings->quiet) {
        fflush(stdout);
        return;
    }
    printf("seed %llu  %s%s%s  lr %.3g", (unsigned long long)run->seed, row->name,
           row->settings[0] != '\0' ? "  " : "", row->settings, row->learning_rate);
    if (!isnan(run->val_accuracy))
        printf("  val %.2f %%", 100 * run->val_accuracy);
    if (!isnan(run->test_accuracy))
        printf("  test %.2f %%", 100 * run->test_accuracy);
    if (run->epochs < row->epochs)
        printf("  %s after %u epochs", run->diverged ? "diverged" : "stopped", run->epochs);
    if (sweep->seconds_left >= 0)
        printf("  ETA %s", duration(sweep->seconds_left, eta));
    putchar('\n');
    fflush(stdout);
}

static void print_rows(const struct sweep *sweep) {
    const dpr_sweep_row *rows;
    size_t n = dpr_sweep_rows(sweep->made, &rows);
    int width = 8;
    char count[32];
    for (size_t i = 0; i < n; i++) {
        int own = text_width(rows[i].name) + text_width(rows[i].settings) + 1;
        width = own > width ? own : width;
    }
    printf("\n%*s  parameters  epochs        lr  accuracy  95 %% interval\n", -width, "network");
    for (size_t i = 0; i < n; i++) {
        int blanks = width - text_width(rows[i].name) - text_width(rows[i].settings) - 1;
        printf("%s %s%*s", rows[i].name, rows[i].settings, blanks, "");
        printf("  %10s  %6u  %8.3g", grouped(rows[i].parameters, count), rows[i].epochs,
               rows[i].learning_rate);
        if (rows[i].n > 0)
            printf("  %6.2f %%", 100 * rows[i].mean);
        if (!isnan(rows[i].low))
            printf("  %.2f to %.2f", 100 * rows[i].low, 100 * rows[i].high);
        putchar('\n');
    }
    putchar('\n');
}

static void print_result(const struct sweep *sweep) {
    if (sweep->settings->json) {
        puts(dpr_sweep_json(sweep->made));
        return;
    }
    print_rows(sweep);
    printf("%s\npage %s/sweep.html\n", dpr_sweep_verdict(sweep->made), sweep->place.out);
}

/* ---- the command ---- */

static dpr_status open_sets(struct sweep *sweep) {
    const struct settings *s = sweep->settings;
    struct settings with_val = *s;
    dpr_open_options options;
    if (!option_given(s, "val"))
        with_val.data.validation = 0.1;
    if (sweep->input.image.rank == 0)
        sweep->input.of_data = true;
    dpr_status status =
        open_training_half(sweep->context, &with_val, &sweep->input, &options, &sweep->train);
    if (status != DPR_OK)
        return status;
    options.image = dpr_data_describe(sweep->train)->image;
    status =
        dpr_data_open(sweep->context, s->words[0], DPR_VALIDATION, &options, &sweep->validation);
    if (status == DPR_OK)
        status = dpr_data_open(sweep->context, s->words[0], DPR_TEST, &options, &sweep->test);
    if (sweep->test != NULL && dpr_data_count(sweep->test) == 0) {
        dpr_data_destroy(sweep->test);
        sweep->test = NULL;
    }
    if (status == DPR_E_DATA && sweep->train != NULL) {
        note(s, "networks are compared on the validation part: %s", dpr_error(sweep->context));
        status = DPR_OK;
    }
    return status;
}

static int plan(struct sweep *sweep, const double *sizes, size_t n_sizes) {
    const struct settings *s = sweep->settings;
    dpr_sweep_options options = dpr_sweep_options_default();
    int status = EXIT_DONE;
    for (size_t i = 0; i < n_sizes && status == EXIT_DONE; i++)
        status = sweep_solve(sweep, sizes[i], i, n_sizes == 1);
    if (status == EXIT_DONE)
        status = sweep_make_cases(sweep);
    if (status != EXIT_DONE)
        return status;
    sweep->command = command_line(s, NULL);
    options.cases = sweep->cases;
    options.n_cases = sweep->n_cases;
    options.seed = s->training.seed;
    options.seeds = s->seeds;
    options.budget = s->budget;
    options.tune_epochs = s->tune_epochs;
    options.jobs = s->jobs;
    options.directory = sweep->place.out;
    options.data_name = s->words[0];
    options.command = sweep->command;
    options.stop = &signals_stop;
    options.progress = on_progress;
    options.finished = on_finished;
    options.user = sweep;
    if (dpr_sweep_create(sweep->context, sweep->train, sweep->validation, sweep->test, &options,
                         &sweep->made) != DPR_OK)
        return fail(sweep->context);
    return EXIT_DONE;
}

static int prepare(struct sweep *sweep) {
    const struct settings *s = sweep->settings;
    double sizes[MOST_NETS];
    size_t n_sizes = 0;
    sweep->nets = calloc(MOST_NETS, sizeof *sweep->nets);
    int status = sweep->nets != NULL ? sweep_read_grid(sweep) : fail(NULL);
    if (status == EXIT_DONE)
        status = sweep_read_nets(sweep, sizes, &n_sizes);
    if (status == EXIT_DONE)
        status = sweep_combine(sweep);
    if (status == EXIT_DONE)
        status = place_take_folder(&sweep->place, s->words[0], s->out, ".sweep");
    if (status != EXIT_DONE)
        return status;
    dpr_status opened = open_sets(sweep);
    if (opened != DPR_OK)
        return fail_reading(sweep->context, opened, s->words[0]);
    return plan(sweep, sizes, n_sizes);
}

static int run(struct sweep *sweep) {
    const dpr_sweep_run *runs;
    size_t done = 0, n = dpr_sweep_runs(sweep->made, &runs);
    signals_watch(true);
    dpr_status status = dpr_sweep_train(sweep->made);
    signals_watch(false);
    clear_bar(sweep);
    if (status == DPR_OK)
        print_result(sweep);
    if (status != DPR_E_INTERRUPTED)
        return status == DPR_OK ? EXIT_DONE : fail(sweep->context);
    for (size_t i = 0; i < n; i++)
        done += runs[i].done;
    complain(EXIT_FAILED, "interrupted; '%s' holds %zu of %zu runs. To go on:\n  %s",
             sweep->place.out, done, n,
             sweep->command != NULL ? sweep->command : "the same command line");
    return EXIT_SIGNAL + signals_number();
}

int command_sweep(const struct settings *settings) {
    struct sweep sweep = {.settings = settings,
                          .place = {.held = -1},
                          .bar = !settings->quiet && progress_has_terminal(),
                          .seconds_left = -1};
    int status = open_context(settings, settings->quiet ? NULL : "data:info", &sweep.context);
    if (status == EXIT_DONE)
        status = prepare(&sweep);
    if (status == EXIT_DONE)
        status = run(&sweep);
    dpr_sweep_destroy(sweep.made);
    dpr_data_destroy(sweep.test);
    dpr_data_destroy(sweep.validation);
    dpr_data_destroy(sweep.train);
    dpr_context_destroy(sweep.context);
    place_leave(&sweep.place);
    for (size_t i = 0; i < sweep.n_cases; i++)
        free(sweep.texts[i]);
    for (size_t i = 0; i < sweep.n_nets; i++) {
        free(sweep.nets[i].name);
        free(sweep.nets[i].text);
    }
    for (size_t i = 0; i < sweep.n_axes; i++)
        free(sweep.axes[i].text);
    free(sweep.nets);
    free(sweep.options);
    free(sweep.labels);
    free(sweep.cases);
    free(sweep.texts);
    free(sweep.command);
    return status;
}
