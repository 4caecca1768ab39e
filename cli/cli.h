/* What the commands share: their settings, the option table, contexts, output. */
#ifndef DEEPER_CLI_H
#define DEEPER_CLI_H

#include <deeper/deeper.h>
#include <deeper/tools.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* Every setting of every command; an option's row says which one it sets. */
struct settings {
    /* training */
    const char *net, *schedule, *optimizer, *init, *out, *log, *fit;
    uint64_t epochs, batch, seed, patience;
    double lr, momentum, weight_decay, warmup, step_epochs, decay, label_smoothing, clip_norm, val;
    bool class_weights, resume;
    /* the machine */
    uint64_t threads;
    const char *device, *cpu_isa, *disable_pass;
    /* output */
    bool json, quiet;
    /* others */
    uint64_t classes, top, train_images, test_images;
    bool backward, plan;
    const char *half;
    const char *fonts[16]; /* NULL-terminated */
    /* what is not an option */
    const char **words;
    size_t n_words;
};

enum option_kind { OPTION_FLAG, OPTION_COUNT, OPTION_REAL, OPTION_TEXT, OPTION_WORD, OPTION_LIST };

/* One row of a command's option table: it makes the parser, --help, the man page and the completion. */
struct option {
    const char *name; /* "epochs" */
    char letter;      /* 'o' for -o; 0: none */
    enum option_kind kind;
    size_t offset;            /* in struct settings */
    double low, high;         /* counts and reals */
    const char *const *words; /* NULL-terminated, for OPTION_WORD */
    const char *value;        /* what --help calls the value: "N", "FILE" */
    const char *otherwise;    /* the default, as text; NULL: none */
    const char *help;
};

struct command {
    const char *name, *arguments, *summary;
    const char *more;             /* paragraphs for --help and the man page; may be NULL */
    size_t least, most;           /* words that are not options */
    const struct option *options; /* ends with a row without name */
    int (*run)(const struct settings *settings);
};

extern const struct command COMMANDS[]; /* ends with a row without name */

/* ---- options.c ---- */

/* Fills settings from the arguments after the command's name; @FILE reads more from a file. Returns EXIT_DONE, or EXIT_USAGE or EXIT_FAILED
 * after a message on stderr. */
int options_parse(const struct command *command, int argc, char **argv, struct settings *out);

/* ---- help.c ---- */
void help_overview(FILE *to);
void help_command(const struct command *command, FILE *to);
void help_man(const struct command *command, FILE *to); /* NULL: the main page */
void help_completion(FILE *to);
const struct command *find_command(const char *name);

/* ---- common.c ---- */

/* A context as the settings ask for; NULL after a message on stderr. */
dpr_context *open_context(const struct settings *settings);
/* Prints the context's message on stderr; returns EXIT_FAILED. */
int fail(const dpr_context *context);
/* Prints a message on stderr; returns `status`. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Flushes stdout: a full disk or a closed pipe is a failure. Returns `status`, or EXIT_FAILED. */
int finish_output(int status);
/* The text of a net, and the name that messages give it: `argument` is a file, or the text itself. NULL after a message. Freed by
 * the caller. */
char *read_net(const char *argument, const char **name);
/* A model from a NET or MODEL argument, or from settings->net; `--classes` fills in what a net leaves open. */
dpr_model *open_net_or_model(dpr_context *context, const struct settings *settings);
/* One half of a set, brought to the form that the model was trained on. NULL after a message. */
dpr_data *open_for_model(dpr_context *context, const dpr_model *model, const char *path,
                         dpr_half half);
const char *class_name(const dpr_data_info *info, uint32_t i, char scratch[16]);
/* "1,234,567". */
const char *grouped(uint64_t value, char out[32]);
/* "28 × 28 × 1", or "784". */
const char *shape_text(const dpr_shape *shape, char out[96]);
/* Terminal columns that a UTF-8 text takes (one a character). */
int text_width(const char *text);
/* Accuracy, interval, loss, per class, confusion. */
void print_evaluation(const dpr_evaluation *evaluation, const dpr_data_info *info);
double now_seconds(void);

/* ---- the commands ---- */
int command_train(const struct settings *settings);
int command_eval(const struct settings *settings);
int command_predict(const struct settings *settings);
int command_summary(const struct settings *settings);
int command_graph(const struct settings *settings);
int command_data(const struct settings *settings);

#endif
