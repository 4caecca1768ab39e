/* The option tables: one row makes the parser, --help, the man page and the completion.
 * Invariant: a row's default is the value that settings_default() has at its place. */
#ifndef DEEPER_CLI_OPTIONS_H
#define DEEPER_CLI_OPTIONS_H

#include <deeper/deeper.h>
#include <deeper/tools.h>
#include <stddef.h>

enum { LIST_ROOM = 65 }; /* of an option that may be given again, with the NULL at its end */

/* Every setting of every command; a row says which one it sets. */
struct settings {
    const struct command *command; /* whose options they are */
    bool was_given[80];            /* its rows */
    dpr_context_options machine;
    dpr_train_options training;
    dpr_open_options data;
    dpr_letters_options letters;
    dpr_check_options check;
    dpr_graph_view view;
    dpr_rate_test_options range;
    dpr_features_options features;
    dpr_server_options server;
    const char *net, *init, *out, *log, *fit, *half, *tta, *image, *serve;
    unsigned classes, top, bench_batch, input_size; /* 0, but top: not given */
    unsigned most;                                  /* suspects of each finding */
    const char *plan_net, *sort, *recipe, *results;
    double bench_seconds;
    bool json, quiet, resume, no_report, overfit, plan, plan_predicts, step_only, strict;
    const char *fonts[LIST_ROOM], *groups[LIST_ROOM]; /* NULL-terminated */
    const char *nets[LIST_ROOM], *grid[LIST_ROOM];
    const char *parameters, *depths, *budget;
    unsigned seeds, tune_epochs, jobs; /* tune_epochs, jobs 0: not given */
    double dropout;
    const char **words; /* what is no option */
    size_t n_words;
    char **given; /* the command line, NULL-terminated, to be shown again */
};

struct settings settings_default(void);

enum option_kind {
    OPTION_FLAG,  /* bool */
    OPTION_COUNT, /* unsigned */
    OPTION_LONG,  /* uint64_t */
    OPTION_REAL,  /* double */
    OPTION_SIZE,  /* size_t, bytes: "500M" */
    OPTION_TEXT,  /* const char * */
    OPTION_WORD,  /* const char *, one of `words` */
    OPTION_LIST,  /* const char *[], may be given again */
};

/* There are hundreds, so they are small. */
struct option {
    const char *name;         /* "epochs" */
    const char *const *words; /* NULL-terminated */
    const char *value;        /* what --help calls the value: "N", "FILE" */
    const char *otherwise;    /* what --help calls the default, where the value says too little */
    const char *help;
    double low, high; /* numbers lie between; an end may be open */
    uint16_t offset;  /* in struct settings */
    enum option_kind kind : 8;
    char letter;                      /* 'o' for -o; 0: none */
    bool low_open : 1, high_open : 1; /* then it is not in the range itself */
};

/* Rows. FLAG("json", json, "print JSON"), COUNT("epochs", training.epochs, 1, 1e6, "N", "…"), …
 * Further fields may follow: .letter = 'o'. */
#define OPTION_ROW(kind_, name_, member, ...)                                                      \
    { .name = (name_), .kind = (kind_), .offset = offsetof(struct settings, member), __VA_ARGS__ }
#define FLAG(name, member, ...) OPTION_ROW(OPTION_FLAG, name, member, .help = __VA_ARGS__)
#define NUMBER_ROW(kind, name, member, low_, high_, value_, ...)                                   \
    OPTION_ROW(kind, name, member, .low = (low_), .high = (high_), .value = (value_),              \
               .help = __VA_ARGS__)
#define COUNT(...) NUMBER_ROW(OPTION_COUNT, __VA_ARGS__)
#define LONG(...) NUMBER_ROW(OPTION_LONG, __VA_ARGS__)
#define REAL(...) NUMBER_ROW(OPTION_REAL, __VA_ARGS__)
#define SIZE(name, member, ...)                                                                    \
    OPTION_ROW(OPTION_SIZE, name, member, .value = "SIZE", .help = __VA_ARGS__)
#define TEXT(name, member, value_, ...)                                                            \
    OPTION_ROW(OPTION_TEXT, name, member, .value = (value_), .help = __VA_ARGS__)
#define WORD(name, member, words_, value_, ...)                                                    \
    OPTION_ROW(OPTION_WORD, name, member, .words = (words_), .value = (value_), .help = __VA_ARGS__)
#define LIST(name, member, value_, ...)                                                            \
    OPTION_ROW(OPTION_LIST, name, member, .value = (value_), .help = __VA_ARGS__)

struct command {
    const char *name; /* "train", or of two words: "data info" */
    const char *arguments, *summary;
    const char *more;             /* paragraphs, divided by \n; may be NULL */
    const char *examples;         /* command lines without "deeper", each ending with \n */
    size_t least, most;           /* words that are no options */
    const struct option *options; /* ends with a row without name */
    int (*run)(const struct settings *settings);
};

extern const struct command COMMANDS[]; /* ends with a row without name */

/* Fills settings from the arguments after the command's name. @FILE stands for the arguments that
 * the file holds: quotes '…' and "…", comments from # on. Returns EXIT_DONE, or EXIT_USAGE or
 * EXIT_FAILED after a message on stderr. What settings point to lives as long as the process. */
int options_parse(const struct command *command, int argc, char **argv, struct settings *settings);

/* Whether the option `name` of the command was given, in a file or beside it. */
bool option_given(const struct settings *settings, const char *name);

/* The row of the command's option `name`; NULL: there is none. */
const struct option *option_named(const struct command *command, const char *name);
/* Whether it is one of training, which a grid may hold. */
bool option_of_training(const struct option *option);
/* Sets one option as the command line would, a flag by yes or no. Returns EXIT_DONE, or EXIT_USAGE after a message. */
int option_set(const struct command *command, const struct option *option, const char *text,
               struct settings *settings);

/* A row's default as text; "" where there is none. */
const char *option_default(const struct option *option, const struct settings *defaults,
                           char out[64]);

#endif
