/* deeper sweep DATA. What is asked for becomes cases, networks with options, which the library trains and judges (tools.h). */
#include "json.h"
#include "place.h"
#include "progress.h"
#include "signals.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NETS = 256, MOST_AXES = 16, MOST_CASES = 4096, MOST_DEPTHS = DPR_SWEEP_DEEPEST };

/* A network of the sweep. */
struct net {
    char name[64];
    char *text;  /* NULL: made from widths */
    size_t size; /* of --params; networks of one size are compared with each other */
    unsigned depth;
    unsigned widths[DPR_SWEEP_DEEPEST];
    bool apart; /* shown beside the others, and not compared */
};

/* An option, and its values. */
struct axis {
    const struct option *option;
    char *text; /* that values are cut out of */
    const char *values[LIST_ROOM];
    size_t n;
};

struct sweep {
    const struct settings *settings;
    dpr_context *context;
    dpr_data *train, *validation, *test;
    struct place place;
    char *command;
    struct net *nets;
    size_t n_nets;
    struct axis axes[MOST_AXES];
    size_t n_axes, n_combinations;
    struct settings *options; /* (combinations) */
    char (*labels)[128];      /* (combinations) "lr=0.1 dropout=0.5" */
    dpr_sweep_case *cases;
    char **texts; /* (cases) of their networks */
    size_t n_cases;
    struct net_input input;
    dpr_sweep *made;
    bool bar;
    double seconds_left; /* negative: not known */
};

/* ---- lists of numbers ---- */

/* The next of the numbers at *text, "100000", "10k" or "1.5M", up to `end`; below 0: that is none. */
static double next_number(const char **text, char end) {
    char *rest;
    double value = strtod(*text, &rest);
    if (!isdigit((unsigned char)**text) || strspn(*text, ".0123456789") < (size_t)(rest - *text))
        return -1;
    double unit = *rest == 'k' ? 1e3 : *rest == 'M' ? 1e6 : 1;
    rest += unit > 1;
    if (*rest != '\0' && *rest != end)
        return -1;
    *text = *rest == end ? rest + 1 : rest;
    value *= unit;
    return value == floor(value) && value <= 1e9 && (**text != '\0' || rest[0] == '\0') ? value
                                                                                        : -1;
}

/* How many there are, at most `most`; 0 after a message. */
static size_t read_numbers(const char *name, const char *text, double *out, size_t most) {
    size_t n = 0;
    for (const char *at = text; *at != '\0' || n == 0;) {
        double value = n < most ? next_number(&at, ',') : -1;
        if (value < 1) {
            complain(
                EXIT_USAGE,
                "--%s is '%s'; it must be up to %zu whole numbers from 1 on, with commas between",
                name, text, most);
            return 0;
        }
        out[n++] = value;
    }
    return n;
}

/* ---- networks ---- */

static struct net *add_net(struct sweep *sweep) {
    if (sweep->n_nets == MOST_NETS) {
        complain(EXIT_USAGE, "more than %d networks", MOST_NETS);
        return NULL;
    }
    sweep->nets[sweep->n_nets] = (struct net){.depth = 0};
    return &sweep->nets[sweep->n_nets++];
}

/* "300-100", n characters. */
static int add_widths(struct sweep *sweep, const char *text, size_t n) {
    struct net *net = add_net(sweep);
    char own[sizeof net->name];
    if (net == NULL)
        return EXIT_USAGE;
    snprintf(own, sizeof own, "%.*s", n < sizeof own ? (int)n : 0, text);
    strcpy(net->name, own);
    const char *at = own;
    while (*at != '\0') {
        double width = net->depth < DPR_SWEEP_DEEPEST ? next_number(&at, '-') : -1;
        if (width < 1 || width > 1e6)
            break;
        net->widths[net->depth++] = (unsigned)width;
    }
    if (*at == '\0' && net->depth > 0)
        return EXIT_DONE;
    return complain(EXIT_USAGE, "--net '%.*s' is no list of hidden widths, such as 300-100", (int)n,
                    text);
}

static int add_text(struct sweep *sweep, const char *argument) {
    struct net *net = add_net(sweep);
    const char *name;
    dpr_shape image;
    bool of_data;
    if (net == NULL)
        return EXIT_USAGE;
    snprintf(net->name, sizeof net->name, "%s", argument);
    net->text = read_net(argument, "--net", &name);
    if (net->text == NULL)
        return EXIT_FAILED;
    if (dpr_net_check(sweep->context, name, net->text, &image, &of_data) != DPR_OK)
        return fail(sweep->context);
    if (sweep->input.image.rank == 0 && !of_data)
        sweep->input = (struct net_input){.image = image};
    return EXIT_DONE;
}

/* --net: a list of widths, "linear", or a network as everywhere. */
static int add_named(struct sweep *sweep, const char *argument) {
    int status = EXIT_DONE;
    if (strcmp(argument, "linear") == 0) {
        struct net *net = add_net(sweep);
        return net != NULL ? (strcpy(net->name, "linear"), EXIT_DONE) : EXIT_USAGE;
    }
    if (strspn(argument, "0123456789-,") < strlen(argument))
        return add_text(sweep, argument);
    for (const char *at = argument; status == EXIT_DONE;) {
        size_t n = strcspn(at, ",");
        status = add_widths(sweep, at, n);
        if (at[n] == '\0')
            break;
        at += n + 1;
    }
    return status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Networks of one size, the shallowest first. Widths are solved when the data is known. */
static int add_size(struct sweep *sweep, size_t size, const double *depths, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct net *net = add_net(sweep);
        if (net == NULL)
            return EXIT_USAGE;
        net->size = size;
        net->depth = (unsigned)depths[i];
    }
    return EXIT_DONE;
}

static int read_sizes(struct sweep *sweep, double *sizes, size_t *n_sizes) {
    const struct settings *s = sweep->settings;
    const char *depths_text = s->depths != NULL   ? s->depths
                              : sweep->n_axes > 0 ? "1"
                                                  : "1,2,3,4,6,8";
    double depths[MOST_DEPTHS];
    *n_sizes =
        read_numbers("params", s->parameters != NULL ? s->parameters : "100k", sizes, MOST_NETS);
    size_t n = *n_sizes > 0 ? read_numbers("depths", depths_text, depths, MOST_DEPTHS) : 0;
    int status = n > 0 ? EXIT_DONE : EXIT_USAGE;
    qsort(depths, n, sizeof *depths, by_value);
    if (status == EXIT_DONE && depths[n - 1] > MOST_DEPTHS)
        status = complain(EXIT_USAGE, "--depths asks for %.0f hidden layers; at most %d",
                          depths[n - 1], MOST_DEPTHS);
    if (status == EXIT_DONE && sweep->n_axes == 0) {
        struct net *net = add_net(sweep);
        strcpy(net->name, "linear");
        net->apart = true;
        net->size = SIZE_MAX;
    }
    for (size_t i = 0; i < *n_sizes && status == EXIT_DONE; i++)
        status = add_size(sweep, i, depths, n);
    return status;
}

static int read_nets(struct sweep *sweep, double *sizes, size_t *n_sizes) {
    const struct settings *s = sweep->settings;
    int status = EXIT_DONE;
    *n_sizes = 0;
    if (s->nets[0] == NULL)
        return read_sizes(sweep, sizes, n_sizes);
    if (s->parameters != NULL || s->depths != NULL)
        return complain(
            EXIT_USAGE,
            "--net names the networks, and --params and --depths make others; give one of them");
    for (size_t i = 0; s->nets[i] != NULL && status == EXIT_DONE; i++)
        status = add_named(sweep, s->nets[i]);
    return status;
}

/* Widths of the networks of one size, which stand together. */
static int solve(struct sweep *sweep, double parameters, size_t size, bool alone) {
    unsigned depths[MOST_DEPTHS], widths[MOST_DEPTHS][DPR_SWEEP_DEEPEST];
    size_t first = 0, n = 0;
    while (sweep->nets[first].size != size || sweep->nets[first].apart)
        first++;
    for (; first + n < sweep->n_nets && sweep->nets[first + n].size == size; n++)
        depths[n] = sweep->nets[first + n].depth;
    if (dpr_sweep_widths(sweep->context, dpr_data_describe(sweep->train), (uint64_t)parameters,
                         depths, n, widths) != DPR_OK)
        return complain(EXIT_FAILED, "--params, --depths: %s", dpr_error(sweep->context));
    for (size_t i = 0; i < n; i++) {
        struct net *net = &sweep->nets[first + i];
        memcpy(net->widths, widths[i], sizeof net->widths);
        if (alone)
            snprintf(net->name, sizeof net->name, "depth %u", net->depth);
        else
            snprintf(net->name, sizeof net->name, "depth %u of %.10g", net->depth, parameters);
    }
    return EXIT_DONE;
}

/* ---- the grid ---- */

/* Options of training, which a grid may hold. */
static bool is_of_training(const struct option *o) {
    size_t first = offsetof(struct settings, training);
    bool inside = o->offset >= first && o->offset < first + sizeof(dpr_train_options);
    return (inside && strcmp(o->name, "seed") != 0) ||
           o->offset == offsetof(struct settings, groups) ||
           o->offset == offsetof(struct settings, init) ||
           o->offset == offsetof(struct settings, dropout);
}

static int find_axis(const struct sweep *sweep, const char *name, const struct option **out) {
    const struct command *command = sweep->settings->command;
    const char *names[96];
    size_t n = 0;
    *out = option_named(command, name);
    if (*out != NULL && is_of_training(*out))
        return EXIT_DONE;
    for (const struct option *o = command->options; o->name != NULL; o++)
        if (is_of_training(o))
            names[n++] = o->name;
    const char *nearest = dpr_nearest_word(name, names, n);
    return complain(EXIT_USAGE, "--grid: '%s' is no option of training%s%s%s", name,
                    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                    nearest != NULL ? "'?" : "");
}

/* "lr=0.01,0.1": each value is read as the option's own is. */
static int add_axis(struct sweep *sweep, const char *text) {
    struct axis *axis = &sweep->axes[sweep->n_axes];
    struct settings *unused = &sweep->options[0];
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return complain(EXIT_USAGE, "--grid '%s' is not NAME=VALUE,...", text);
    if (sweep->n_axes == MOST_AXES)
        return complain(EXIT_USAGE, "--grid is given more than %d times", MOST_AXES);
    sweep->n_axes++;
    axis->text = strdup(text);
    if (axis->text == NULL)
        return fail(NULL);
    char *at = axis->text + (equals - text);
    *at++ = '\0';
    int status = find_axis(sweep, axis->text, &axis->option);
    if (status == EXIT_DONE && option_given(sweep->settings, axis->option->name) &&
        axis->option->kind != OPTION_LIST)
        status = complain(EXIT_USAGE, "--%s and --grid %s say different things", axis->option->name,
                          text);
    for (size_t i = 0; i + 1 < sweep->n_axes && status == EXIT_DONE; i++)
        if (sweep->axes[i].option == axis->option)
            status = complain(EXIT_USAGE, "--grid has '%s' twice", axis->option->name);
    const char divider = strchr(at, ';') != NULL ? ';' : ',';
    while (status == EXIT_DONE) {
        char *end = strchr(at, divider);
        if (axis->n == LIST_ROOM)
            return complain(EXIT_USAGE, "--grid %s=... has more than %d values", axis->text,
                            LIST_ROOM);
        if (end != NULL)
            *end = '\0';
        *unused = *sweep->settings;
        status = option_set(sweep->settings->command, axis->option, at, unused);
        axis->values[axis->n++] = at;
        if (end == NULL)
            break;
        at = end + 1;
    }
    return status;
}

static int read_grid(struct sweep *sweep) {
    const struct settings *s = sweep->settings;
    int status = EXIT_DONE;
    sweep->options = malloc(sizeof *sweep->options);
    if (sweep->options == NULL)
        return fail(NULL);
    for (size_t i = 0; s->grid[i] != NULL && status == EXIT_DONE; i++)
        status = add_axis(sweep, s->grid[i]);
    for (size_t i = 1; i < s->n_words && status == EXIT_DONE; i++)
        status = add_axis(sweep, s->words[i]);
    return status;
}

/* Options of every combination, the last axis turning fastest. */
static int combine(struct sweep *sweep) {
    size_t n = 1;
    for (size_t a = 0; a < sweep->n_axes; a++)
        n = n > MOST_CASES ? n : n * sweep->axes[a].n;
    if (n * sweep->n_nets > MOST_CASES)
        return complain(EXIT_USAGE, "more than %d networks with options", MOST_CASES);
    free(sweep->options);
    sweep->options = calloc(n, sizeof *sweep->options);
    sweep->labels = calloc(n, sizeof *sweep->labels);
    if (sweep->options == NULL || sweep->labels == NULL)
        return fail(NULL);
    sweep->n_combinations = n;
    for (size_t c = 0; c < n; c++) {
        struct settings *own = &sweep->options[c];
        size_t rest = c, stride = n, used = 0;
        *own = *sweep->settings;
        for (size_t a = 0; a < sweep->n_axes; a++) {
            const struct axis *axis = &sweep->axes[a];
            stride /= axis->n;
            const char *value = axis->values[rest / stride];
            rest %= stride;
            if (option_set(own->command, axis->option, value, own) != EXIT_DONE)
                return EXIT_USAGE;
            used += (size_t)snprintf(sweep->labels[c] + used, sizeof *sweep->labels - used,
                                     "%s%s=%s", a > 0 ? " " : "", axis->option->name, value);
            used = used < sizeof *sweep->labels ? used : sizeof *sweep->labels;
        }
        own->training.groups = own->groups;
        if (check_augment(sweep->context, own) != EXIT_DONE)
            return EXIT_USAGE;
        if (dpr_train_options_check(sweep->context, &own->training) != DPR_OK)
            return complain(EXIT_USAGE, "--%s", dpr_error(sweep->context));
    }
    return EXIT_DONE;
}

/* ---- cases ---- */

/* "input 28 28 1, linear 300, relu, …, linear classes". */
static char *net_text(const dpr_shape *image, const struct net *net, double dropout) {
    char *text = NULL;
    size_t n;
    FILE *to = net->text == NULL ? open_memstream(&text, &n) : NULL;
    if (to == NULL)
        return net->text != NULL ? strdup(net->text) : NULL;
    fprintf(to, "input %lld %lld %lld\n", (long long)image->dim[0], (long long)image->dim[1],
            (long long)image->dim[2]);
    for (unsigned i = 0; i < net->depth; i++) {
        fprintf(to, "linear %u\nrelu\n", net->widths[i]);
        if (dropout > 0)
            fprintf(to, "dropout %.10g\n", dropout);
    }
    fputs("linear classes\n", to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

/* With several networks each is compared with the first of its size and options; else options are compared. */
static size_t against(const struct sweep *sweep, size_t net, size_t combination) {
    size_t first = net, n = 0;
    if (sweep->nets[net].apart)
        return combination * sweep->n_nets + net;
    while (first > 0 && sweep->nets[first - 1].size == sweep->nets[net].size)
        first--;
    for (size_t i = 0; i < sweep->n_nets; i++)
        n += sweep->nets[i].size == sweep->nets[net].size;
    return n > 1 ? combination * sweep->n_nets + first : net;
}

static int make_cases(struct sweep *sweep) {
    const dpr_shape *image = &dpr_data_describe(sweep->train)->image;
    size_t n = sweep->n_nets * sweep->n_combinations;
    sweep->cases = calloc(n, sizeof *sweep->cases);
    sweep->texts = calloc(n, sizeof *sweep->texts);
    if (sweep->cases == NULL || sweep->texts == NULL)
        return fail(NULL);
    for (sweep->n_cases = 0; sweep->n_cases < n; sweep->n_cases++) {
        size_t i = sweep->n_cases, net = i % sweep->n_nets, c = i / sweep->n_nets;
        const struct settings *own = &sweep->options[c];
        sweep->texts[i] = net_text(image, &sweep->nets[net], own->dropout);
        if (sweep->texts[i] == NULL)
            return fail(NULL);
        sweep->cases[i] = (dpr_sweep_case){.name = sweep->nets[net].name,
                                           .settings = sweep->labels[c],
                                           .net = sweep->texts[i],
                                           .init = own->init,
                                           .training = own->training,
                                           .against = against(sweep, net, c)};
    }
    return EXIT_DONE;
}

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
    if (run->diverged)
        printf("  diverged");
    if (sweep->seconds_left >= 0)
        printf("  ETA %s", duration(sweep->seconds_left, eta));
    putchar('\n');
    fflush(stdout);
}

static void print_rows(const struct sweep *sweep) {
    const dpr_sweep_row *rows;
    size_t n = dpr_sweep_rows(sweep->made, &rows);
    int width = 8;
    char count[32], label[200];
    for (size_t i = 0; i < n; i++) {
        int own = text_width(rows[i].name) + text_width(rows[i].settings) + 1;
        width = own > width ? own : width;
    }
    printf("\n%*s  parameters  epochs        lr  accuracy  95 %% interval\n", -width, "network");
    for (size_t i = 0; i < n; i++) {
        snprintf(label, sizeof label, "%s %s", rows[i].name, rows[i].settings);
        print_column(label, width);
        printf("  %10s  %6u  %8.3g", grouped(rows[i].parameters, count), rows[i].epochs,
               rows[i].learning_rate);
        if (rows[i].n > 0)
            printf("  %6.2f %%", 100 * rows[i].mean);
        if (rows[i].n > 1)
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
        status = solve(sweep, sizes[i], i, n_sizes == 1);
    if (status == EXIT_DONE)
        status = make_cases(sweep);
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

static int check_dropout(const struct sweep *sweep) {
    bool asked = option_given(sweep->settings, "dropout");
    for (size_t a = 0; a < sweep->n_axes; a++)
        asked = asked || strcmp(sweep->axes[a].option->name, "dropout") == 0;
    for (size_t i = 0; i < sweep->n_nets && asked; i++)
        if (sweep->nets[i].text != NULL)
            return complain(EXIT_USAGE,
                            "dropout is for networks that are made from widths; in --net '%s' it "
                            "is written as a line of its own",
                            sweep->nets[i].name);
    return EXIT_DONE;
}

static int prepare(struct sweep *sweep) {
    const struct settings *s = sweep->settings;
    double sizes[MOST_NETS];
    size_t n_sizes = 0;
    sweep->nets = calloc(MOST_NETS, sizeof *sweep->nets);
    int status = sweep->nets != NULL ? read_grid(sweep) : fail(NULL);
    if (status == EXIT_DONE)
        status = read_nets(sweep, sizes, &n_sizes);
    if (status == EXIT_DONE)
        status = check_dropout(sweep);
    if (status == EXIT_DONE)
        status = combine(sweep);
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
    for (size_t i = 0; i < sweep.n_nets; i++)
        free(sweep.nets[i].text);
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
