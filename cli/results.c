/* Reading results (results.h). */
#include "results.h"
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARGUMENTS,
    DATA,
    ACCURACIES,
    PLAIN,
    SECONDS,
    DECODING,
    RATE,
    KERNELS,
    MACHINE,
    SET,
    WEIGHTS,
    N_COLUMNS
};

/* Student's t for 95 %, by the degrees of freedom; that of many is nearly that of 10. */
static const double T95[] = {0,     12.706, 4.303, 3.182, 2.776, 2.571,
                             2.447, 2.365,  2.306, 2.262, 2.228};
enum { MOST_FREEDOM = sizeof T95 / sizeof *T95 - 1, MOST_SEEDS = 64 };

/* Cuts the line at its bars, and blanks off both ends of what lies between; false: there are not so many columns. */
static bool cut(char *line, char *columns[N_COLUMNS]) {
    size_t n = 0;
    for (char *next = line; next != NULL; n++) {
        char *column = next + strspn(next, " ");
        next = strchr(column, '|');
        if (next != NULL)
            *next++ = '\0';
        for (size_t length = strlen(column); length > 0 && column[length - 1] == ' '; length--)
            column[length - 1] = '\0';
        if (n < N_COLUMNS)
            columns[n] = column;
    }
    return n == N_COLUMNS;
}

static bool read_number(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

/* "99.2 99.31 99.18": mean and half of the interval, as fractions. */
static bool read_accuracies(const char *text, struct recorded *out) {
    double value[MOST_SEEDS], mean = 0, squares = 0;
    size_t n = 0;
    while (*text != '\0' && n < MOST_SEEDS) {
        char *end;
        value[n] = strtod(text, &end) / 100;
        if (end == text || !(value[n] >= 0 && value[n] <= 1))
            return false;
        mean += value[n++];
        text = end + strspn(end, " ");
    }
    if (n == 0 || *text != '\0')
        return false;
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (value[i] - mean) * (value[i] - mean);
    size_t freedom = n - 1;
    out->accuracy = mean;
    out->interval = freedom == 0 ? 0
                                 : T95[freedom < MOST_FREEDOM ? freedom : MOST_FREEDOM] *
                                       sqrt(squares / (double)freedom / (double)n);
    return true;
}

static bool read_line(const char *text, size_t length, struct recorded *out) {
    char *columns[N_COLUMNS];
    if (length >= sizeof out->line)
        return false;
    memcpy(out->line, text, length);
    out->line[length] = '\0';
    if (!cut(out->line, columns) || !read_accuracies(columns[ACCURACIES], out) ||
        !read_number(columns[SECONDS], &out->seconds))
        return false;
    out->arguments = columns[ARGUMENTS];
    out->data = columns[DATA];
    out->kernels = columns[KERNELS];
    out->machine = columns[MACHINE];
    out->data_sha256 = columns[SET];
    out->weights_sha256 = columns[WEIGHTS];
    return strlen(out->data_sha256) == 64 && strlen(out->weights_sha256) == 64;
}

/* Finds the next line that is neither empty nor a comment; *at goes behind it. */
static bool next_line(const char **at, const char **line, size_t *length) {
    while (**at != '\0') {
        *line = *at;
        *length = strcspn(*at, "\n");
        *at += *length + ((*at)[*length] == '\n');
        if (*length > 0 && **line != '#')
            return true;
    }
    return false;
}

bool results_valid(const char *name, const char *text) {
    struct recorded one;
    const char *line;
    size_t length;
    for (const char *at = text; next_line(&at, &line, &length);)
        if (!read_line(line, length, &one)) {
            complain(EXIT_USAGE, "%s: this is no line of results: %.*s", name,
                     length < 60 ? (int)length : 60, line);
            return false;
        }
    return true;
}

/* "@recipe:NAME", alone or before other arguments. */
static bool is_of(const char *arguments, const char *recipe) {
    static const char begin[] = "@recipe:";
    size_t n = sizeof begin - 1, m = strlen(recipe);
    return strncmp(arguments, begin, n) == 0 && strncmp(arguments + n, recipe, m) == 0 &&
           (arguments[n + m] == '\0' || arguments[n + m] == ' ');
}

bool results_next(const char **at, const char *recipe, struct recorded *out) {
    const char *line;
    size_t length;
    while (next_line(at, &line, &length))
        if (read_line(line, length, out) && is_of(out->arguments, recipe))
            return true;
    return false;
}
