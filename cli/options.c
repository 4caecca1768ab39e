/* Parsing arguments by a command's option table. Whole, finite, in range, or an error that says what would be right. */
#include "cli.h"
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 4096, MOST_NESTING = 4, MOST_FILE = 1 << 20 };

/* The arguments with @FILEs replaced by what they hold. The process needs them to its end; they are never freed. */
struct arguments {
    const char *item[MOST_ARGUMENTS];
    const char *origin[MOST_ARGUMENTS]; /* "FILE:LINE: ", or "" */
    size_t n;
};

/* ---- @FILE ---- */

static int add(struct arguments *all, const char *item, const char *origin) {
    if (all->n == MOST_ARGUMENTS)
        return complain(EXIT_USAGE, "too many arguments; at most %d", MOST_ARGUMENTS);
    all->item[all->n] = item;
    all->origin[all->n++] = origin;
    return EXIT_DONE;
}

static char *read_options_file(const char *path) {
    FILE *file = fopen(path, "rbe");
    char *text = malloc(MOST_FILE + 1);
    if (file == NULL || text == NULL) {
        complain(EXIT_FAILED, "cannot open option file '%s': %s", path, strerror(errno));
        free(text);
        if (file != NULL)
            fclose(file);
        return NULL;
    }
    size_t n = fread(text, 1, MOST_FILE + 1, file);
    bool bad = ferror(file) || n > MOST_FILE || memchr(text, '\0', n) != NULL;
    fclose(file);
    if (bad) {
        complain(EXIT_FAILED, "'%s' is not a readable option file", path);
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

/* Cuts the next word out of *text in place: quotes '…' and "…", # comments. NULL at the end. */
static char *next_argument(char **text, unsigned *line, bool *unclosed) {
    char *p = *text;
    for (;; p++) {
        if (*p == '#')
            while (*p != '\0' && *p != '\n')
                p++;
        if (*p == '\0')
            return NULL;
        *line += *p == '\n';
        if (!isspace((unsigned char)*p))
            break;
    }
    char *word = p, *out = p, quote = '\0';
    for (; *p != '\0' && (quote != '\0' || !isspace((unsigned char)*p)); p++) {
        if (quote == '\0' && (*p == '\'' || *p == '"'))
            quote = *p;
        else if (*p == quote)
            quote = '\0';
        else
            *out++ = *p;
        *line += *p == '\n';
    }
    *unclosed = quote != '\0';
    *text = *p == '\0' ? p : p + 1;
    *line += *p == '\n';
    *out = '\0';
    return word;
}

static int add_file(struct arguments *all, const char *path, int depth);

static int add_any(struct arguments *all, const char *item, const char *origin, int depth) {
    return item[0] == '@' && item[1] != '\0' ? add_file(all, item + 1, depth + 1)
                                             : add(all, item, origin);
}

static int add_file(struct arguments *all, const char *path, int depth) {
    if (depth > MOST_NESTING)
        return complain(EXIT_USAGE, "option files are nested too deeply at '@%s'", path);
    char *text = read_options_file(path), *word;
    if (text == NULL)
        return EXIT_FAILED;
    unsigned line = 1;
    bool unclosed = false;
    for (;;) {
        unsigned before = line;
        word = next_argument(&text, &line, &unclosed);
        if (word == NULL)
            return EXIT_DONE;
        char *origin = malloc(strlen(path) + 32);
        if (origin == NULL)
            return complain(EXIT_FAILED, "out of memory");
        sprintf(origin, "%s:%u: ", path, before);
        if (unclosed)
            return complain(EXIT_USAGE, "%sa quote is not closed", origin);
        int status = add_any(all, word, origin, depth);
        if (status != EXIT_DONE)
            return status;
    }
}

/* ---- values ---- */

static int bad_value(const struct option *o, const char *origin, const char *value,
                     const char *must) {
    return complain(EXIT_USAGE, "%s--%s is '%s'; it must be %s", origin, o->name, value, must);
}

static int bad_range(const struct option *o, const char *origin, const char *value) {
    char must[128];
    const char *kind = o->kind == OPTION_COUNT ? "a whole number" : "a number";
    if (o->high >= 1e18)
        snprintf(must, sizeof must, "%s, at least %g", kind, o->low);
    else
        snprintf(must, sizeof must, "%s from %g to %.10g", kind, o->low, o->high);
    return bad_value(o, origin, value, must);
}

static int set_count(const struct option *o, const char *origin, const char *text, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || (double)value < o->low ||
        (double)value > o->high)
        return bad_range(o, origin, text);
    *out = value;
    return EXIT_DONE;
}

static int set_real(const struct option *o, const char *origin, const char *text, double *out) {
    char *end;
    bool plain = strspn(text, "+-.0123456789eE") == strlen(text) && text[0] != '\0';
    double value = plain ? strtod(text, &end) : 0;
    if (!plain || *end != '\0' || end == text || !isfinite(value) || value < o->low ||
        value > o->high)
        return bad_range(o, origin, text);
    *out = value;
    return EXIT_DONE;
}

static int set_word(const struct option *o, const char *origin, const char *text,
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
    return bad_value(o, origin, text, must);
}

static int set_value(const struct option *o, const char *origin, const char *text,
                     struct settings *settings) {
    void *at = (char *)settings + o->offset;
    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)at = true;
        return EXIT_DONE;
    case OPTION_COUNT:
        return set_count(o, origin, text, at);
    case OPTION_REAL:
        return set_real(o, origin, text, at);
    case OPTION_WORD:
        return set_word(o, origin, text, at);
    case OPTION_TEXT:
        if (text[0] == '\0')
            return bad_value(o, origin, text, "a name, not empty");
        *(const char **)at = text;
        return EXIT_DONE;
    case OPTION_LIST: {
        const char **list = at;
        size_t n = 0;
        while (list[n] != NULL)
            n++;
        if (n + 1 == sizeof settings->fonts / sizeof *settings->fonts)
            return complain(EXIT_USAGE, "--%s is given more than %zu times", o->name, n);
        list[n] = text;
        return EXIT_DONE;
    }
    }
    return EXIT_USAGE;
}

/* ---- the command line ---- */

static int unknown_option(const struct command *command, const char *origin, const char *word) {
    const char *names[64];
    size_t n = 0;
    for (const struct option *o = command->options; o->name != NULL && n < 63; o++)
        names[n++] = o->name;
    names[n++] = "help";
    const char *nearest = dpr_nearest_word(word + strspn(word, "-"), names, n);
    complain(EXIT_USAGE, "%s%s has no option '%s'%s%s%s", origin, command->name, word,
             nearest ? "; did you mean '--" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return complain(EXIT_USAGE, "see: deeper %s --help", command->name);
}

static const struct option *find_option(const struct command *command, const char *word,
                                        size_t length) {
    for (const struct option *o = command->options; o->name != NULL; o++) {
        if (word[1] == '-' && strlen(o->name) == length - 2 &&
            strncmp(o->name, word + 2, length - 2) == 0)
            return o;
        if (word[1] == o->letter && o->letter != '\0' && length == 2)
            return o;
    }
    return NULL;
}

/* Item i, which begins with '-', and its value; *i ends on the last item used. */
static int parse_option(const struct command *command, const struct arguments *all, size_t *i,
                        bool *seen, struct settings *settings) {
    const char *word = all->item[*i], *origin = all->origin[*i], *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *o = find_option(command, word, length);
    if (o == NULL)
        return unknown_option(command, origin, word);
    size_t index = (size_t)(o - command->options);
    if (seen[index] && o->kind != OPTION_LIST)
        return complain(EXIT_USAGE, "%s--%s is given twice", origin, o->name);
    seen[index] = true;
    if (o->kind == OPTION_FLAG) {
        if (equals != NULL)
            return complain(EXIT_USAGE, "%s--%s takes no value", origin, o->name);
        return set_value(o, origin, "", settings);
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL && *i + 1 < all->n)
        value = all->item[++*i];
    if (value == NULL)
        return complain(EXIT_USAGE, "%s--%s needs a value: --%s %s", origin, o->name, o->name,
                        o->value);
    return set_value(o, origin, value, settings);
}

/* A number that is not given and has no default is −1, which no option allows. */
static int set_defaults(const struct command *command, struct settings *out) {
    for (const struct option *o = command->options; o->name != NULL; o++) {
        if (o->otherwise != NULL && set_value(o, "", o->otherwise, out) != EXIT_DONE)
            return EXIT_USAGE;
        if (o->otherwise == NULL && o->kind == OPTION_REAL)
            *(double *)(void *)((char *)out + o->offset) = -1;
    }
    return EXIT_DONE;
}

static int check_words(const struct command *command, const struct settings *settings) {
    if (settings->n_words >= command->least && settings->n_words <= command->most)
        return EXIT_DONE;
    if (settings->n_words > command->most)
        complain(EXIT_USAGE, "'%s' is left over", settings->words[command->most]);
    return complain(EXIT_USAGE, "usage: deeper %s %s\nsee: deeper %s --help", command->name,
                    command->arguments, command->name);
}

int options_parse(const struct command *command, int argc, char **argv, struct settings *out) {
    static struct arguments all;
    static const char *words[MOST_ARGUMENTS];
    bool seen[64] = {false}, only_words = false;
    int status = set_defaults(command, out);
    for (int i = 0; i < argc && status == EXIT_DONE; i++)
        status = add_any(&all, argv[i], "", 0);
    out->words = words;
    for (size_t i = 0; i < all.n && status == EXIT_DONE; i++) {
        const char *item = all.item[i];
        if (only_words || item[0] != '-' || item[1] == '\0')
            words[out->n_words++] = item;
        else if (strcmp(item, "--") == 0)
            only_words = true;
        else
            status = parse_option(command, &all, &i, seen, out);
    }
    return status == EXIT_DONE ? check_words(command, out) : status;
}
