/* What the commands share: exit status, messages, contexts, nets and models, text in columns. */
#ifndef DEEPER_CLI_H
#define DEEPER_CLI_H

#include "options.h"
#include <stdio.h>

/* Interrupted by a signal: 128 + its number, so 130 after Ctrl-C. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 128 };

/* ---- help.c ---- */
void help_overview(FILE *to);
void help_command(const struct command *command, FILE *to);
void help_man(const struct command *command, FILE *to); /* NULL: the main page */
void help_completion(FILE *to);

/* ---- common.c ---- */

/* Prints a message on stderr; returns `status`. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what is no error; nothing with --quiet. */
void note(const struct settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints the context's message on stderr; returns EXIT_FAILED. NULL: memory is out. */
int fail(const dpr_context *context);
/* The argument as a shell reads it. */
void print_quoted(const char *argument, FILE *to);
/* The command line that was given, as a shell reads it, but for `without` (an option without value; NULL: all of it); freed by the caller, NULL: memory is out. */
char *command_line(const struct settings *settings, const char *without);
/* Flushes stdout: a full disk or a closed pipe is a failure. Returns `status`, or EXIT_FAILED. */
int finish_output(int status);
/* The same for a set that could not be opened: where files of it may be to blame, points to the command that lists all of them. */
int fail_reading(const dpr_context *context, dpr_status status, const char *data);
double now_seconds(void);

/* A context as the settings ask for, with log `topics` where DEEPER_LOG does not say which. Returns
 * EXIT_DONE, or another status after a message; then, too, the context is to be destroyed. */
int open_context(const struct settings *settings, const char *topics, dpr_context **out);
/* The text of a small file, freed by the caller; NULL: there is none, it is too large, or no text. */
char *read_text(const char *path);
bool is_model_file(const char *path);
/* The text of a net, and the name that messages give it: `argument` is a file, preset:NAME, or the
 * text itself, which then has the name `what`. NULL after a message. Freed by the caller. */
char *read_net(const char *argument, const char *what, const char **name);
/* The model of a NET|MODEL argument or of --net; --classes fills in what a net leaves open.
 * Returns EXIT_DONE, or another status after a message. */
int open_net_or_model(dpr_context *context, const struct settings *settings, dpr_model **out);
/* EXIT_USAGE after a message where --augment is no list of augmentations: known before data is read. */
int check_augment(dpr_context *context, const struct settings *settings);
/* What a network says of its input: with of_data the images decide; rank 0: nothing is said. */
struct net_input {
    dpr_shape image;
    bool of_data;
};
/* Opens the training half in the size that the network takes; where images decide that and differ in size, it is the network's, or
 * 32 × 32, and this is noted. *options, which has the settings' --val, is what the other halves are to be opened with. */
dpr_status open_training_half(dpr_context *context, const struct settings *settings,
                              const struct net_input *input, dpr_open_options *options,
                              dpr_data **out);
/* Loads the MODEL of the first word, with the views of --tta where that is given. Returns EXIT_DONE, or another status after a message. */
int load_model(dpr_context *context, const struct settings *settings, dpr_model **out);
/* What dpr_data_open must know to bring images to the form that the model was trained on. */
dpr_open_options options_for_model(const dpr_model *model);

/* The class's name, or its index as text. */
const char *class_name(const dpr_data_info *info, uint32_t i, char scratch[16]);
/* "1,234,567". */
const char *grouped(uint64_t value, char out[32]);
/* "28 × 28 × 1", or "784". */
const char *shape_text(const dpr_shape *shape, char out[160]);
/* "1:02:03", "2:05", "0:07". */
const char *duration(double seconds, char out[32]);
/* Terminal columns that a UTF-8 text takes, counted as one a character. */
int text_width(const char *text);
/* Prints text in `width` columns, at the left or (negative) at the right. */
void print_column(const char *text, int width);

/* ---- train.c ---- */

/* What a training gave, and with what. */
struct train_result {
    dpr_evaluation test; /* n 0: there is no test half */
    char weights_sha256[65], data_sha256[65];
    const char *device, *isa, *precision; /* what computed */
    double seconds, decode_seconds;
};

/* deeper train, as the settings say; *result is complete where EXIT_DONE is returned. */
int run_training(const struct settings *settings, struct train_result *result);

/* What a training is made of, by the same settings and from the training half alone, for what only tries it out. */
struct trial {
    dpr_context *context;
    dpr_data *data;
    dpr_model *model;
    dpr_train_options options;
};

/* Makes it and calls use, whose exit status it returns. */
int run_trial(const struct settings *settings,
              int (*use)(const struct settings *settings, const struct trial *trial));

/* ---- overfit.c ---- */

/* deeper train --overfit-one-batch. */
int overfit_one_batch(const struct settings *settings, const struct trial *trial);

/* ---- report.c ---- */

/* What pages call a model: its file without the folder. */
const char *report_title(const char *model);
/* The half of `data` that is shown: that which train looked at in the end. Where the set has none, *out is NULL after a note of what will be `missing`; with NULL for that it is a
 * failure. Returns EXIT_DONE, or another status after a message. */
int open_shown_half(dpr_context *context, const struct settings *settings, const char *data,
                    const dpr_model *model, const char *missing, dpr_data **out);

/* ---- serve.c ---- */

/* "http://127.0.0.1:8080/". */
void server_url(const char *host, unsigned port, char out[300]);

/* ---- bench_recipe.c ---- */

/* deeper bench --recipe. */
int bench_recipe(const struct settings *settings);

/* ---- the commands ---- */
int command_train(const struct settings *settings);
int command_lr(const struct settings *settings);
int command_eval(const struct settings *settings);
int command_report(const struct settings *settings);
int command_features(const struct settings *settings);
int command_sweep(const struct settings *settings);
int command_predict(const struct settings *settings);
int command_serve(const struct settings *settings);
int command_summary(const struct settings *settings);
int command_graph(const struct settings *settings);
int command_bench(const struct settings *settings);
int command_data_check(const struct settings *settings);
int command_data_info(const struct settings *settings);
int command_data_letters(const struct settings *settings);
int command_data_preview(const struct settings *settings);

#endif
