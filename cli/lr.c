/* deeper lr DATA: at which learning rate to train. */
#include "cli.h"
#include "json.h"
#include "progress.h"
#include <math.h>
#include <string.h>

/* Some twenty of the updates, each with its smoothed loss and a bar as long. */
static void print_curve(const dpr_rate_test *test) {
    enum { ROWS = 20, BAR = 50 };
    size_t rows = test->n < ROWS ? test->n : ROWS;
    double highest = 0;
    char bar[BAR + 1];
    for (size_t i = 0; i < test->n; i++)
        highest = fmax(highest, test->smooth[i]);
    printf("%9s  %8s\n", "rate", "loss");
    for (size_t row = 0; row < rows; row++) {
        size_t i = rows > 1 ? row * (test->n - 1) / (rows - 1) : 0;
        size_t length = (size_t)(BAR * test->smooth[i] / highest);
        memset(bar, '#', length);
        bar[length] = '\0';
        printf("%9.2g  %8.3f  %s\n", test->rate[i], test->smooth[i], bar);
    }
}

static void print_result(const dpr_rate_test *test, const char *page) {
    print_curve(test);
    printf("95 %% of the fall at %.2g, lowest at %.2g%s\n", test->rate[test->fallen],
           test->rate[test->lowest],
           test->lowest + 1 == test->n && !test->diverged
               ? ", and still falling: a higher --to may find a higher rate"
               : "");
    printf("train with --lr %.2g", test->suggested);
    if (test->suggested_rest > 0)
        printf(" --rest-lr %.2g", test->suggested_rest);
    putchar('\n');
    if (page != NULL)
        printf("page %s\n", page);
}

static out_value *numbers(const double *values, size_t n) {
    out_value *array = out_array();
    for (size_t i = 0; i < n; i++)
        out_append(array, out_real(values[i]));
    return array;
}

static void print_json(const dpr_rate_test *test, const char *page) {
    out_value *line = out_object();
    out_set(line, "lr", out_real(test->suggested));
    if (test->suggested_rest > 0)
        out_set(line, "rest_lr", out_real(test->suggested_rest));
    out_set(line, "fallen", out_real(test->rate[test->fallen]));
    out_set(line, "lowest", out_real(test->rate[test->lowest]));
    out_set(line, "diverged", out_flag(test->diverged));
    out_set(line, "rates", numbers(test->rate, test->n));
    out_set(line, "losses", numbers(test->loss, test->n));
    out_set(line, "smoothed", numbers(test->smooth, test->n));
    if (page != NULL)
        out_set(line, "out", out_text(page));
    out_print(line, stdout);
}

static int tell(const struct settings *settings, const struct trial *trial,
                const dpr_rate_test *test) {
    if (settings->out != NULL &&
        dpr_rate_test_write(trial->context, test, "Learning rates", settings->out) != DPR_OK)
        return fail(trial->context);
    if (test->suggested > 0) {
        (settings->json ? print_json : print_result)(test, settings->out);
        return EXIT_DONE;
    }
    return complain(EXIT_FAILED,
                    "the loss has not fallen at any rate, so no rate is to blame; see what deeper "
                    "train --overfit-one-batch says, and look at the images with deeper data "
                    "preview");
}

static int test_rates(const struct settings *settings, const struct trial *trial) {
    dpr_rate_test *test;
    dpr_rate_test_options options = settings->range;
    struct percent percent = {"trying rates", 101};
    options.progress = !settings->quiet && progress_has_terminal() ? progress_percent : NULL;
    options.progress_user = &percent;
    if (dpr_rate_test_run(trial->model, trial->data, &trial->options, &options, &test) != DPR_OK)
        return fail(trial->context);
    int status = tell(settings, trial, test);
    dpr_rate_test_destroy(trial->context, test);
    return status;
}

int command_lr(const struct settings *settings) {
    return run_trial(settings, test_rates);
}
