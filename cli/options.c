/* Parsing arguments by a command's option table. A number is whole, finite and in range, or an
 * error says what would be right. The process never calls setlocale, so numbers are read the same
 * everywhere. */
#include "options.h"
#include "cli.h"
#include "recipes.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_ITEMS = 65536,
    MOST_NESTING = 8,
    MOST_OPTIONS = sizeof((struct settings *)0)->was_given,
    MOST_FILE = 1 << 20
};

struct settings settings_default(void) {
    return (struct settings){
        .machine = dpr_context_options_default(),
        .training = dpr_train_options_default(),
        .data = dpr_open_options_default(),
        .letters = dpr_letters_options_default(),
        .check = dpr_check_options_default(),
        .range = dpr_rate_test_options_default(),
        .view = {.size = sizeof(dpr_graph_view)},
        .features = dpr_features_options_default(),
        .server = dpr_server_options_default(),
        .init = "auto",
        .fit = "fit",
        .half = "test",
        .top = 5,
        .most = 12,
        .sort = "step",
        .seeds = dpr_sweep_options_default().seeds,
        .budget = dpr_sweep_options_default().budget,
        .bench_seconds = dpr_bench_options_default().seconds,
    };
}

/* The text of an option file; settings point into it, so it stays. */
struct kept {
    struct kept *next;
    char text[];
};

/* The arguments of one place: the command line, or an option file. */
struct items {
    const char *file;          /* NULL: the command line */
    unsigned id;               /* 1, 2, …, in the order of reading */
    const struct items *outer; /* the place that names it */
    size_t n;
    const char **word;
    unsigned *line;
};

struct parser {
    const struct command *command;
    struct settings *settings;
    bool only_words;
    unsigned set_in[MOST_OPTIONS]; /* the id of the place whose value counts; 0: none yet */
    size_t n_items;
    unsigned n_places;
    int depth;
    const struct items *items; /* what is being read, for messages */
    size_t at;
};

/* ---- messages ---- */

/* "FILE:LINE: ", or "" for the command line. */
static const char *place(const struct parser *p, char out[512]) {
    out[0] = '\0';
    if (p->items->file != NULL)
        snprintf(out, 512, "%.480s:%u: ", p->items->file, p->items->line[p->at]);
    return out;
}

static int bad_value(const struct parser *p, const struct option *o, const char *value,
                     const char *must) {
    char at[512];
    return complain(EXIT_USAGE, "%s--%s is '%s'; it must be %s", place(p, at), o->name, value,
                    must);
}

/* "a whole number from 1 to 1024", "a number above 0 and at most 1". */
static int bad_number(const struct parser *p, const struct option *o, const char *value) {
    char must[256];
    if (strchr(value, ',') != NULL && option_named(p->command, "grid") != NULL &&
        option_of_training(o))
        snprintf(must, sizeof must, "one number; for several there is --grid %s=%.128s", o->name,
                 value);
    else if (o->kind != OPTION_REAL)
        snprintf(must, sizeof must, "a whole number from %.0f to %.0f", o->low, o->high);
    else
        snprintf(must, sizeof must, "a number, %s %.10g and %s %.10g",
                 o->low_open ? "above" : "at least", o->low, o->high_open ? "below" : "at most",
                 o->high);
    return bad_value(p, o, value, must);
}

static int unknown_option(const struct parser *p, const char *word, size_t length) {
    const char *names[MOST_OPTIONS + 1], *name = p->command->name;
    char at[512], text[64];
    size_t n = 0;
    for (const struct option *o = p->command->options; o->name != NULL; o++)
        names[n++] = o->name;
    names[n++] = "help";
    snprintf(text, sizeof text, "%.*s", length < 60 ? (int)length : 60, word);
    const char *nearest = word[1] == '-' ? dpr_nearest_word(text + 2, names, n) : NULL;
    if (nearest == NULL)
        return complain(EXIT_USAGE, "%s%s has no option '%s'", place(p, at), name, text);
    return complain(EXIT_USAGE, "%s%s has no option '%s'; did you mean '--%s'?", place(p, at), name,
                    text, nearest);
}

/* ---- values ---- */

static int set_count(const struct parser *p, const struct option *o, const char *text, void *out) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || (double)value < o->low ||
        (double)value > o->high)
        return bad_number(p, o, text);
    if (o->kind == OPTION_COUNT)
        *(unsigned *)out = (unsigned)value;
    else
        *(uint64_t *)out = value;
    return EXIT_DONE;
}

static int set_real(const struct parser *p, const struct option *o, const char *text, double *out) {
    char *end = NULL;
    bool plain = strspn(text, "+-.0123456789eE") == strlen(text); /* no hex, inf, nan, blanks */
    double value = plain ? strtod(text, &end) : 0;
    if (!plain || end == text || *end != '\0' || !isfinite(value) || value < o->low ||
        value > o->high || (o->low_open && value == o->low) || (o->high_open && value == o->high))
        return bad_number(p, o, text);
    *out = value;
    return EXIT_DONE;
}

/* "1048576", "500M", "1.5G"; units are powers of 1024. */
static int set_size(const struct parser *p, const struct option *o, const char *text, size_t *out) {
    static const char UNITS[] = "KMGT";
    size_t n = strspn(text, ".0123456789");
    char *end = NULL;
    double value = n > 0 ? strtod(text, &end) : 0;
    bool plain = n > 0 && end == text + n;
    const char *unit = plain && *end != '\0' ? strchr(UNITS, *end) : NULL;
    for (const char *u = UNITS; unit != NULL && u <= unit; u++)
        value *= 1024;
    if (!plain || (*end != '\0' && (unit == NULL || end[1] != '\0')) || value < 1 ||
        value >= (double)SIZE_MAX)
        return bad_value(p, o, text, "a number of bytes, such as 500M or 4G");
    *out = (size_t)value;
    return EXIT_DONE;
}

static int set_word(const struct parser *p, const struct option *o, const char *text,
                    const char **out) {
    char must[256] = "one of ";
    size_t n = 0;
    for (; o->words[n] != NULL; n++) {
        if (strcmp(text, o->words[n]) == 0) {
            *out = o->words[n];
            return EXIT_DONE;
        }
        snprintf(must + strlen(must), sizeof must - strlen(must), "%s%s", n > 0 ? ", " : "",
                 o->words[n]);
    }
    const char *nearest = dpr_nearest_word(text, o->words, n);
    if (nearest != NULL)
        snprintf(must + strlen(must), sizeof must - strlen(must), "; did you mean '%s'?", nearest);
    return bad_value(p, o, text, must);
}

static int add_to_list(const struct parser *p, const struct option *o, const char *text,
                       const char **list) {
    const size_t most = LIST_ROOM - 1;
    char at[512];
    size_t n = 0;
    while (list[n] != NULL)
        n++;
    if (n == most)
        return complain(EXIT_USAGE, "%s--%s is given more than %zu times", place(p, at), o->name,
                        most);
    list[n] = text;
    return EXIT_DONE;
}

static int set_value(const struct parser *p, const struct option *o, const char *text) {
    void *at = (char *)p->settings + o->offset;
    if ((o->kind == OPTION_TEXT || o->kind == OPTION_LIST) && text[0] == '\0')
        return bad_value(p, o, text, "more than nothing");
    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)at = true;
        break;
    case OPTION_COUNT:
    case OPTION_LONG:
        return set_count(p, o, text, at);
    case OPTION_REAL:
        return set_real(p, o, text, at);
    case OPTION_SIZE:
        return set_size(p, o, text, at);
    case OPTION_WORD:
        return set_word(p, o, text, at);
    case OPTION_TEXT:
        *(const char **)at = text;
        break;
    case OPTION_LIST:
        return add_to_list(p, o, text, at);
    }
    return EXIT_DONE;
}

const char *option_default(const struct option *o, const struct settings *defaults, char out[64]) {
    const void *at = (const char *)defaults + o->offset;
    const char *text = "";
    out[0] = '\0';
    if (o->otherwise != NULL)
        snprintf(out, 64, "%s", o->otherwise);
    else if (o->kind == OPTION_COUNT)
        snprintf(out, 64, "%u", *(const unsigned *)at);
    else if (o->kind == OPTION_LONG)
        snprintf(out, 64, "%llu", (unsigned long long)*(const uint64_t *)at);
    else if (o->kind == OPTION_REAL)
        snprintf(out, 64, "%.10g", *(const double *)at);
    else if (o->kind == OPTION_TEXT || o->kind == OPTION_WORD)
        text = *(const char *const *)at != NULL ? *(const char *const *)at : "";
    if (text[0] != '\0')
        snprintf(out, 64, "%s", text);
    return out;
}

/* ---- options and words ---- */

static const struct option *find_option(const struct command *command, const char *word,
                                        size_t length) {
    for (const struct option *o = command->options; o->name != NULL; o++) {
        if (word[1] == '-' && strlen(o->name) == length - 2 &&
            strncmp(o->name, word + 2, length - 2) == 0)
            return o;
        if (o->letter != '\0' && word[1] == o->letter && length == 2)
            return o;
    }
    return NULL;
}

/* Whether the place is one of those that name what is being read. */
static bool is_around(const struct parser *p, unsigned id) {
    for (const struct items *place = p->items->outer; place != NULL; place = place->outer)
        if (place->id == id)
            return true;
    return false;
}

/* A place's own option wins over those of the files that it names, wherever it stands; of two files beside each other the later one wins,
 * with all that it names. A value that does not count must be valid, too. */
static int take_value(struct parser *p, const struct option *o, const char *value) {
    unsigned *set_in = &p->set_in[o - p->command->options];
    char at[512];
    if (*set_in == p->items->id && o->kind != OPTION_LIST)
        return complain(EXIT_USAGE, "%s--%s is given twice", place(p, at), o->name);
    if (is_around(p, *set_in) && o->kind != OPTION_LIST) {
        struct settings unused = *p->settings, *kept = p->settings;
        p->settings = &unused;
        int status = set_value(p, o, value);
        p->settings = kept;
        return status;
    }
    *set_in = p->items->id;
    return set_value(p, o, value);
}

/* The item at p->at, which begins with '-', and its value, if that is the next item. */
static int parse_option(struct parser *p) {
    const char *word = p->items->word[p->at], *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *o = find_option(p->command, word, length);
    char at[512];
    if (o == NULL)
        return unknown_option(p, word, length);
    if (o->kind == OPTION_FLAG && equals != NULL)
        return complain(EXIT_USAGE, "%s--%s takes no value", place(p, at), o->name);
    if (o->kind == OPTION_FLAG)
        return take_value(p, o, "");
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL && p->at + 1 < p->items->n &&
        strncmp(p->items->word[p->at + 1], "--", 2) != 0)
        value = p->items->word[++p->at];
    if (value == NULL)
        return complain(EXIT_USAGE, "%s--%s needs a value: --%s %s", place(p, at), o->name, o->name,
                        o->value);
    return take_value(p, o, value);
}

static int parse_file(struct parser *p, const char *path);

static int parse_item(struct parser *p, const char *item) {
    struct settings *settings = p->settings;
    if (++p->n_items > MOST_ITEMS)
        return complain(EXIT_USAGE, "more than %d arguments", MOST_ITEMS);
    if (!p->only_words && item[0] == '@' && item[1] != '\0')
        return parse_file(p, item + 1);
    if (p->only_words || item[0] != '-' || item[1] == '\0')
        settings->words[settings->n_words++] = item;
    else if (strcmp(item, "--") == 0)
        p->only_words = true;
    else
        return parse_option(p);
    return EXIT_DONE;
}

static int parse_items(struct parser *p, struct items *items) {
    int status = EXIT_DONE;
    items->id = ++p->n_places;
    items->outer = p->items;
    p->items = items;
    for (p->at = 0; p->at < items->n && status == EXIT_DONE; p->at++)
        status = parse_item(p, items->word[p->at]);
    return status;
}

/* ---- @FILE ---- */

/* Room for a text that stays for the rest of the process; NULL: memory is out. */
static struct kept *keep(size_t most) {
    static struct kept *all;
    struct kept *one = malloc(sizeof *one + most + 1);
    if (one != NULL) {
        one->next = all;
        all = one;
    }
    return one;
}

/* A recipe's text, of which arguments are cut; NULL after a message. */
static char *read_recipe(const struct parser *p, const char *name) {
    char at[512];
    const char *text = recipe_text(place(p, at), name);
    struct kept *one = text != NULL ? keep(strlen(text)) : NULL;
    if (text != NULL && one == NULL)
        fail(NULL);
    return one != NULL ? strcpy(one->text, text) : NULL;
}

/* The file's text; NULL after a message. */
static char *read_option_file(const struct parser *p, const char *path) {
    char at[512];
    FILE *file = fopen(path, "rbe");
    struct kept *one = file != NULL ? keep(MOST_FILE + 1) : NULL;
    size_t n = one != NULL ? fread(one->text, 1, MOST_FILE + 1, file) : 0;
    if (file == NULL)
        complain(EXIT_USAGE, "%scannot open option file '%s': %s", place(p, at), path,
                 strerror(errno));
    else if (one == NULL || ferror(file) || n > MOST_FILE || memchr(one->text, '\0', n) != NULL)
        complain(EXIT_USAGE, "%s'%s' is no readable text of options", place(p, at), path);
    bool good = one != NULL && !ferror(file) && n <= MOST_FILE && !memchr(one->text, '\0', n);
    if (file != NULL)
        fclose(file);
    if (!good)
        return NULL;
    one->text[n] = '\0';
    return one->text;
}

/* Skips blanks and comments; counts lines. */
static char *skip_blanks(char *p, unsigned *line) {
    for (;; p++) {
        if (*p == '#')
            p += strcspn(p, "\n");
        if (!isspace((unsigned char)*p))
            return p;
        *line += *p == '\n';
    }
}

/* Cuts the next argument out of *text, in place, and removes its quotes; NULL at the end. */
static char *next_argument(char **text, unsigned *line, bool *unclosed) {
    char *p = skip_blanks(*text, line), *word = p, *out = p, quote = '\0';
    if (*p == '\0')
        return NULL;
    for (; *p != '\0' && (quote != '\0' || !isspace((unsigned char)*p)); p++) {
        *line += *p == '\n';
        if (quote == '\0' && (*p == '\'' || *p == '"'))
            quote = *p;
        else if (*p == quote)
            quote = '\0';
        else
            *out++ = *p;
    }
    *unclosed = quote != '\0';
    *line += *p == '\n';
    *text = *p == '\0' ? p : p + 1;
    *out = '\0';
    return word;
}

static const char RECIPE[] = "recipe:";

static int cut_items(const char *path, char *text, struct items *out) {
    unsigned line = 1, first;
    bool unclosed = false;
    size_t most = strlen(text) / 2 + 1; /* an argument has a letter and a blank at least */
    *out = (struct items){.file = path,
                          .word = malloc(most * sizeof *out->word),
                          .line = malloc(most * sizeof *out->line)};
    if (out->word == NULL || out->line == NULL)
        return fail(NULL);
    for (;;) {
        text = skip_blanks(text, &line);
        first = line;
        char *word = next_argument(&text, &line, &unclosed);
        if (unclosed)
            return complain(EXIT_USAGE, "%s:%u: a quote is not closed", path, first);
        if (word == NULL)
            return EXIT_DONE;
        out->word[out->n] = word;
        out->line[out->n++] = first;
    }
}

static int parse_file(struct parser *p, const char *path) {
    struct items items;
    char at[512];
    if (p->depth == MOST_NESTING)
        return complain(EXIT_USAGE, "%soption files are nested too deeply at '@%s'", place(p, at),
                        path);
    bool recipe = strncmp(path, RECIPE, sizeof RECIPE - 1) == 0;
    char *text = recipe ? read_recipe(p, path + sizeof RECIPE - 1) : read_option_file(p, path);
    if (text == NULL)
        return EXIT_USAGE;
    const struct items *outer = p->items;
    size_t outer_at = p->at;
    int status = cut_items(path, text, &items);
    p->depth++;
    if (status == EXIT_DONE)
        status = parse_items(p, &items);
    p->depth--;
    p->items = outer;
    p->at = outer_at;
    free(items.word);
    free(items.line);
    return status;
}

/* ---- all ---- */

/* Whether the command takes a network behind --net only. */
static bool has_net_option(const struct command *command) {
    const struct option *o = command->options;
    if (strstr(command->arguments, "NET") != NULL)
        return false;
    while (o->name != NULL && strcmp(o->name, "net") != 0)
        o++;
    return o->name != NULL;
}

static int too_many_words(const struct command *command, const struct settings *settings) {
    for (size_t i = 0; i < settings->n_words && has_net_option(command); i++) {
        const char *word = settings->words[i];
        if (strncmp(word, "preset:", 7) == 0 || strncmp(word, "input ", 6) == 0)
            return complain(EXIT_USAGE, "%s takes %s; a network goes behind --net: --net '%s'",
                            command->name, command->arguments, word);
        if (is_model_file(word))
            return complain(EXIT_USAGE, "%s takes %s; '%s' is a model", command->name,
                            command->arguments, word);
    }
    return complain(EXIT_USAGE, "%s takes %s; '%s' is left over", command->name, command->arguments,
                    settings->words[command->most]);
}

static int check_words(const struct command *command, const struct settings *settings) {
    if (settings->n_words > command->most)
        return too_many_words(command, settings);
    if (settings->n_words < command->least)
        return complain(EXIT_USAGE, "%s needs more arguments: deeper %s %s", command->name,
                        command->name, command->arguments);
    return EXIT_DONE;
}

int options_parse(const struct command *command, int argc, char **argv, struct settings *settings) {
    static const char *words[MOST_ITEMS];
    struct parser parser = {.command = command, .settings = settings};
    struct items items = {.n = (size_t)argc, .word = (const char **)argv};
    settings->words = words;
    int status = parse_items(&parser, &items);
    settings->command = command;
    for (int i = 0; i < MOST_OPTIONS; i++)
        settings->was_given[i] = parser.set_in[i] != 0;
    return status == EXIT_DONE ? check_words(command, settings) : status;
}

const struct option *option_named(const struct command *command, const char *name) {
    for (const struct option *o = command->options; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

bool option_of_training(const struct option *option) {
    size_t first = offsetof(struct settings, training);
    bool inside = option->offset >= first && option->offset < first + sizeof(dpr_train_options);
    return (inside && strcmp(option->name, "seed") != 0) ||
           option->offset == offsetof(struct settings, groups) ||
           option->offset == offsetof(struct settings, init) ||
           option->offset == offsetof(struct settings, dropout);
}

bool option_given(const struct settings *settings, const char *name) {
    const struct option *o = option_named(settings->command, name);
    return o != NULL && settings->was_given[o - settings->command->options];
}

int option_set(const struct command *command, const struct option *option, const char *text,
               struct settings *settings) {
    const struct items items = {.n = 0};
    struct parser parser = {.command = command, .settings = settings, .items = &items};
    bool yes = strcmp(text, "yes") == 0;
    if (option->kind != OPTION_FLAG)
        return set_value(&parser, option, text);
    if (!yes && strcmp(text, "no") != 0)
        return bad_value(&parser, option, text, "yes or no");
    *(bool *)((char *)settings + option->offset) = yes;
    return EXIT_DONE;
}
