/* The grid of a sweep, and its cases (sweep.h). */
#include "sweep.h"
#include <stdlib.h>
#include <string.h>

/* ---- the grid ---- */

static int find_axis(const struct sweep *sweep, const char *name, const struct option **out) {
    const struct command *command = sweep->settings->command;
    const char *names[96];
    size_t n = 0;
    *out = option_named(command, name);
    if (*out != NULL && option_of_training(*out))
        return EXIT_DONE;
    for (const struct option *o = command->options; o->name != NULL; o++)
        if (option_of_training(o))
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

int sweep_read_grid(struct sweep *sweep) {
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

/* The last axis turns fastest. */
int sweep_combine(struct sweep *sweep) {
    size_t n = 1;
    if (check_dropout(sweep) != EXIT_DONE)
        return EXIT_USAGE;
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

static int make_case(struct sweep *sweep, size_t net, size_t combination) {
    const dpr_shape *image = &dpr_data_describe(sweep->train)->image;
    const struct settings *own = &sweep->options[combination];
    size_t i = sweep->n_cases++;
    sweep->texts[i] = sweep_net_text(image, &sweep->nets[net], own->dropout);
    sweep->cases[i] = (dpr_sweep_case){.name = sweep->nets[net].name,
                                       .settings = sweep->labels[combination],
                                       .net = sweep->texts[i],
                                       .init = own->init,
                                       .training = own->training,
                                       .against = against(sweep, net, combination)};
    return sweep->texts[i] != NULL ? EXIT_DONE : fail(NULL);
}

int sweep_make_cases(struct sweep *sweep) {
    size_t n = sweep->n_nets * sweep->n_combinations;
    int status = EXIT_DONE;
    sweep->cases = calloc(n, sizeof *sweep->cases);
    sweep->texts = calloc(n, sizeof *sweep->texts);
    if (sweep->cases == NULL || sweep->texts == NULL)
        return fail(NULL);
    for (size_t c = 0; c < sweep->n_combinations; c++)
        for (size_t i = 0; i < sweep->n_nets && status == EXIT_DONE; i++)
            status = make_case(sweep, i, c);
    return status;
}
