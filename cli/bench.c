/* deeper bench [ROW…]: how fast the networks of the suite train and predict here. */
#include "cli.h"
#include "json.h"
#include <string.h>

/* The suite. A row's name is what people ask for; several rows may share one. */
static const struct bench_row {
    const char *name, *net, *widths;
    bool train;
    unsigned batch;
} ROWS[] = {
    {"L0", "input 28 28 1, linear classes", "784-10", true, 128},
    {"B0", "input 28 28 1, linear 32, relu, linear classes", "784-32-10", true, 1},
    {"B0", "input 28 28 1, linear 32, relu, linear classes", "784-32-10", true, 16},
    {"B1", "input 28 28 1, linear 128, relu, linear classes", "784-128-10", true, 32},
    {"B1", "input 28 28 1, linear 128, relu, linear classes", "784-128-10", true, 128},
    {"B2", "input 28 28 1, linear 1024, relu, linear 1024, relu, linear classes",
     "784-1024-1024-10", true, 32},
    {"B2", "input 28 28 1, linear 1024, relu, linear 1024, relu, linear classes",
     "784-1024-1024-10", true, 128},
    {"B2", "input 28 28 1, linear 1024, relu, linear 1024, relu, linear classes",
     "784-1024-1024-10", true, 512},
    {"I1", "input 28 28 1, linear 32, relu, linear classes", "784-32-10", false, 1},
    {"I1", "input 28 28 1, linear 128, relu, linear classes", "784-128-10", false, 1},
    {"I1", "input 28 28 1, linear 1024, relu, linear 1024, relu, linear classes",
     "784-1024-1024-10", false, 1},
    {"I64", "input 28 28 1, linear 32, relu, linear classes", "784-32-10", false, 64},
    {"I64", "input 28 28 1, linear 128, relu, linear classes", "784-128-10", false, 64},
    {"I64", "input 28 28 1, linear 1024, relu, linear 1024, relu, linear classes",
     "784-1024-1024-10", false, 64},
};
enum { N_ROWS = sizeof ROWS / sizeof *ROWS };

static bool is_asked(const struct settings *settings, const struct bench_row *row) {
    if (settings->bench_batch != 0 && settings->bench_batch != row->batch)
        return false;
    for (size_t i = 0; i < settings->n_words; i++)
        if (strcmp(settings->words[i], row->name) == 0)
            return true;
    return settings->n_words == 0;
}

static int check_names(const struct settings *settings) {
    for (size_t i = 0; i < settings->n_words; i++) {
        const char *names[N_ROWS], *nearest;
        bool known = false;
        for (size_t r = 0; r < N_ROWS; r++) {
            names[r] = ROWS[r].name;
            known |= strcmp(settings->words[i], names[r]) == 0;
        }
        nearest = dpr_nearest_word(settings->words[i], names, N_ROWS);
        if (!known)
            return complain(EXIT_USAGE, "there is no row '%s'%s%s%s", settings->words[i],
                            nearest ? "; did you mean '" : "", nearest ? nearest : "",
                            nearest ? "'?" : "");
    }
    return EXIT_DONE;
}

static void print_json(dpr_context *context, const struct bench_row *row, const dpr_bench_result *r,
                       double peak) {
    out_value *line = out_object();
    out_set(line, "bench", out_text(row->name));
    out_set(line, "net", out_text(row->widths));
    out_set(line, "mode", out_text(row->train ? "train" : "predict"));
    out_set(line, "batch", out_count(row->batch));
    out_set(line, "threads", out_count(dpr_context_threads(context)));
    out_set(line, "precision", out_text(dpr_context_precision(context)));
    out_set(line, "isa", out_text(dpr_context_isa(context)));
    out_set(line, "step_us", out_real(r->step_us));
    out_set(line, "step_us_p10", out_real(r->step_us_p10));
    out_set(line, "images_per_second", out_real(r->images_per_second));
    if (row->train)
        out_set(line, "end_to_end_images_per_second", out_real(r->end_to_end_images_per_second));
    out_set(line, "gflops", out_real(r->gflops));
    out_set(line, "peak_gflops", out_real(peak));
    out_print(line, stdout);
}

static void print_row(const struct bench_row *row, const dpr_bench_result *r, double peak) {
    char images[32], end_to_end[32] = "-";
    if (row->train)
        grouped((uint64_t)r->end_to_end_images_per_second, end_to_end);
    printf("%-4s %-17s %-8s %5u %10.1f %10.1f %12s %12s %9.1f", row->name, row->widths,
           row->train ? "train" : "predict", row->batch, r->step_us, r->step_us_p10,
           grouped((uint64_t)r->images_per_second, images), end_to_end, r->gflops);
    if (peak > 0)
        printf(" %5.0f %%", 100 * r->gflops / peak);
    printf("\n");
    fflush(stdout);
}

static int run_rows(dpr_context *context, const struct settings *settings) {
    double peak;
    if (dpr_bench_peak(context, dpr_context_precision(context), &peak) != DPR_OK)
        return fail(context);
    if (!settings->json)
        printf("%s, %u threads, %s; peak %.0f GF/s\n\n%-4s %-17s %-8s %5s %10s %10s %12s "
               "%12s %9s %7s\n",
               dpr_context_isa(context), dpr_context_threads(context),
               dpr_context_precision(context), peak, "row", "net", "mode", "batch", "step us",
               "p10 us", "images/s", "end to end", "GF/s", "of peak");
    for (size_t i = 0; i < N_ROWS; i++) {
        dpr_bench_options options = dpr_bench_options_default();
        dpr_bench_result result;
        if (!is_asked(settings, &ROWS[i]))
            continue;
        options.net = ROWS[i].net;
        options.batch = ROWS[i].batch;
        options.train = ROWS[i].train;
        if (dpr_bench(context, &options, &result) != DPR_OK)
            return fail(context);
        if (settings->json)
            print_json(context, &ROWS[i], &result, peak);
        else
            print_row(&ROWS[i], &result, peak);
    }
    return EXIT_DONE;
}

/* bench --plan NET: the timed plan of a training step. */
static int print_plan(dpr_context *context, const struct settings *settings) {
    struct settings of_net = *settings;
    dpr_model *model = NULL;
    char *text;
    of_net.net = settings->plan_net;
    of_net.n_words = 0;
    of_net.classes = settings->classes > 0 ? settings->classes : 10;
    int status = open_net_or_model(context, &of_net, &model);
    if (status != EXIT_DONE)
        return status;
    unsigned batch = settings->bench_batch > 0 ? settings->bench_batch : 128;
    if (dpr_model_plan(model, batch, true, &text) == DPR_OK) {
        if (settings->json) {
            out_value *all = out_object();
            out_set(all, "text", out_text(text));
            out_print(all, stdout);
        } else {
            fputs(text, stdout);
        }
        dpr_text_destroy(context, text);
    } else {
        status = fail(context);
    }
    dpr_model_destroy(model);
    return status;
}

int command_bench(const struct settings *settings) {
    dpr_context *context = NULL;
    int status = check_names(settings);
    if (settings->plan_net != NULL && settings->n_words > 0)
        return complain(EXIT_USAGE, "--plan takes a network; rows are for bench without it");
    if (status == EXIT_DONE)
        status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = settings->plan_net != NULL ? print_plan(context, settings)
                                            : run_rows(context, settings);
    dpr_context_destroy(context);
    return status;
}
