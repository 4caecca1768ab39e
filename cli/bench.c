/* deeper bench [ROW…]: how fast the networks of the suite train and predict here. */
#include "cli.h"
#include "json.h"
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MLP32 "input 28 28 1, linear 32, relu, linear classes", "784-32-10"
#define MLP128 "input 28 28 1, linear 128, relu, linear classes", "784-128-10"
#define MLP1024                                                                                    \
    "input 28 28 1, linear 1024, relu, linear 1024, relu, linear classes", "784-1024-1024-10"
#define PRESET(name) "preset:" name, name

/* The suite. A row's name is what people ask for; several rows may share one. `called`: the net in the table. */
static const struct bench_row {
    const char *name, *net, *called;
    bool train;
    unsigned batch;
} ROWS[] = {
    {"L0", "input 28 28 1, linear classes", "784-10", true, 128},
    {"B0", MLP32, true, 1},
    {"B0", MLP32, true, 16},
    {"B1", MLP128, true, 32},
    {"B1", MLP128, true, 128},
    {"B2", MLP1024, true, 32},
    {"B2", MLP1024, true, 128},
    {"B2", MLP1024, true, 512},
    {"B3", PRESET("lenet5"), true, 64},
    {"B4", PRESET("mnist-cnn"), true, 64},
    {"B5", PRESET("resnet20"), true, 128},
    {"B6", PRESET("airbench"), true, 128},
    {"B6", PRESET("airbench"), true, 500},
    {"B7", PRESET("resnet18"), true, 32},
    {"B7", PRESET("resnet18"), true, 128},
    {"I1", MLP32, false, 1},
    {"I1", MLP128, false, 1},
    {"I1", MLP1024, false, 1},
    {"I1", PRESET("lenet5"), false, 1},
    {"I1", PRESET("resnet20"), false, 1},
    {"I1", PRESET("airbench"), false, 1},
    {"I1", PRESET("resnet18"), false, 1},
    {"I64", MLP32, false, 64},
    {"I64", MLP128, false, 64},
    {"I64", MLP1024, false, 64},
    {"I64", PRESET("lenet5"), false, 64},
    {"I64", PRESET("resnet20"), false, 64},
    {"I64", PRESET("airbench"), false, 64},
    {"I64", PRESET("resnet18"), false, 64},
};
enum { N_ROWS = sizeof ROWS / sizeof *ROWS };

/* ROW, or ROW:NET. */
static bool names(const char *word, const struct bench_row *row) {
    size_t n = strlen(row->name);
    return strncmp(word, row->name, n) == 0 &&
           (word[n] == '\0' || (word[n] == ':' && strcmp(word + n + 1, row->called) == 0));
}

static bool is_asked(const struct settings *settings, const struct bench_row *row) {
    bool named = settings->n_words == 0;
    for (size_t i = 0; i < settings->n_words; i++)
        named |= names(settings->words[i], row);
    return named && (settings->bench_batch == 0 || settings->bench_batch == row->batch);
}

static int check_names(const struct settings *settings) {
    for (size_t i = 0; i < settings->n_words; i++) {
        const char *word = settings->words[i], *known[2 * N_ROWS], *nearest;
        char full[N_ROWS][32];
        bool found = false;
        for (size_t r = 0; r < N_ROWS; r++) {
            snprintf(full[r], sizeof full[r], "%s:%s", ROWS[r].name, ROWS[r].called);
            known[2 * r] = ROWS[r].name;
            known[2 * r + 1] = full[r];
            found |= names(word, &ROWS[r]);
        }
        nearest = dpr_nearest_word(word, known, 2 * N_ROWS);
        if (!found && access(word, F_OK) == 0)
            return complain(EXIT_USAGE, "'%s' is no row; DATA is for --recipe NAME", word);
        if (!found)
            return complain(EXIT_USAGE, "there is no row '%s'%s%s%s", word,
                            nearest ? "; did you mean '" : "", nearest ? nearest : "",
                            nearest ? "'?" : "");
    }
    for (size_t r = 0; r < N_ROWS; r++)
        if (is_asked(settings, &ROWS[r]))
            return EXIT_DONE;
    return complain(EXIT_USAGE, "--batch is %u; no row%s has it", settings->bench_batch,
                    settings->n_words > 0 ? " of those" : "");
}

static void print_json(dpr_context *context, const struct bench_row *row, const dpr_bench_result *r,
                       double peak) {
    out_value *line = out_object();
    out_set(line, "bench", out_text(row->name));
    out_set(line, "net", out_text(row->called));
    out_set(line, "mode", out_text(row->train ? "train" : "predict"));
    out_set(line, "batch", out_count(row->batch));
    out_set(line, "threads", out_count(dpr_context_threads(context)));
    out_set(line, "precision", out_text(dpr_context_precision(context)));
    out_set(line, "isa", out_text(dpr_context_isa(context)));
    out_set(line, "step_us", out_real(r->step_us));
    out_set(line, "step_us_p10", out_real(r->step_us_p10));
    out_set(line, "images_per_second", out_real(r->images_per_second));
    if (r->end_to_end_images_per_second > 0)
        out_set(line, "end_to_end_images_per_second", out_real(r->end_to_end_images_per_second));
    out_set(line, "gflops", out_real(r->gflops));
    out_set(line, "peak_gflops", out_real(peak));
    out_print(line, stdout);
}

static void print_row(const struct bench_row *row, const dpr_bench_result *r, double peak) {
    char images[32], end_to_end[32] = "-";
    if (r->end_to_end_images_per_second > 0)
        grouped((uint64_t)r->end_to_end_images_per_second, end_to_end);
    printf("%-4s %-17s %-8s %5u %10.1f %10.1f %12s %12s %9.1f", row->name, row->called,
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
        options.seconds = settings->bench_seconds;
        options.step_only = settings->step_only;
        if (dpr_bench(context, &options, &result) != DPR_OK)
            return fail(context);
        if (settings->json)
            print_json(context, &ROWS[i], &result, peak);
        else
            print_row(&ROWS[i], &result, peak);
    }
    return EXIT_DONE;
}

/* What the first `columns` columns of the line take, in bytes. */
static int bytes_of_columns(const char *line, int bytes, int columns) {
    int n = 0;
    for (; n < bytes; n++)
        if (((unsigned char)line[n] & 0xc0) != 0x80 && columns-- == 0)
            break;
    return n;
}

/* Where stdout is a terminal, rows that are wider than it and than NARROWEST end with "…". */
static void print_plan_text(const char *text) {
    enum { NARROWEST = 100 };
    struct winsize size;
    bool cuts = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    int width = !cuts ? 0 : size.ws_col > NARROWEST ? size.ws_col : NARROWEST;
    while (*text != '\0') {
        int bytes = (int)strcspn(text, "\n");
        cuts &= strncmp(text, "total", 5) != 0; /* what follows the rows is whole */
        if (cuts && bytes_of_columns(text, bytes, width) < bytes)
            printf("%.*s…\n", bytes_of_columns(text, bytes, width - 1), text);
        else
            printf("%.*s\n", bytes, text);
        text += bytes + (text[bytes] == '\n');
    }
}

/* bench --plan NET: the timed plan of a training step, or of a prediction. */
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
    dpr_plan_kind kind =
        strcmp(settings->sort, "time") == 0 ? DPR_PLAN_SLOWEST_FIRST : DPR_PLAN_TIMED;
    if (dpr_model_plan(model, batch, !settings->plan_predicts, kind, &text) == DPR_OK) {
        if (settings->json) {
            out_value *all = out_object();
            out_set(all, "text", out_text(text));
            out_print(all, stdout);
        } else {
            print_plan_text(text);
        }
        dpr_text_destroy(context, text);
    } else {
        status = fail(context);
    }
    dpr_model_destroy(model);
    return status;
}

/* Options that would do nothing are refused. */
static int check_recipe(const struct settings *settings, const struct settings *usual) {
    if (settings->plan_net != NULL || settings->classes > 0 || settings->bench_batch > 0 ||
        settings->step_only || settings->plan_predicts ||
        settings->bench_seconds != usual->bench_seconds || strcmp(settings->sort, usual->sort) != 0)
        return complain(EXIT_USAGE, "--recipe trains as a recorded line says; of bench's other "
                                    "options it takes --results, the machine's and --json");
    if (settings->n_words > 1)
        return complain(EXIT_USAGE, "--recipe takes one DATA; '%s' is left over",
                        settings->words[1]);
    return EXIT_DONE;
}

static int check_settings(const struct settings *settings) {
    const struct settings usual = settings_default();
    if (settings->recipe == NULL && settings->results != NULL)
        return complain(EXIT_USAGE, "--results is for --recipe NAME");
    if (settings->recipe != NULL)
        return check_recipe(settings, &usual);
    if (settings->plan_net == NULL && strcmp(settings->sort, usual.sort) != 0)
        return complain(EXIT_USAGE, "--sort is for --plan NET");
    if (settings->plan_net == NULL && settings->plan_predicts)
        return complain(EXIT_USAGE, "--predict is for --plan NET");
    if (settings->plan_net == NULL)
        return check_names(settings);
    if (settings->n_words > 0)
        return complain(EXIT_USAGE, "--plan takes a network; rows are for bench without it");
    if (settings->step_only || settings->bench_seconds != usual.bench_seconds)
        return complain(EXIT_USAGE, "--step-only and --seconds are for bench without --plan");
    return EXIT_DONE;
}

int command_bench(const struct settings *settings) {
    dpr_context *context = NULL;
    int status = check_settings(settings);
    if (status == EXIT_DONE && settings->recipe != NULL)
        return bench_recipe(settings);
    if (status == EXIT_DONE)
        status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = settings->plan_net != NULL ? print_plan(context, settings)
                                            : run_rows(context, settings);
    dpr_context_destroy(context);
    return status;
}
