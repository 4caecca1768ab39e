/* deeper train DATA. What is cheap to get wrong is tried first: options, the network's text, the place of the model; then data
 * is read. The trainer does the training; here are checkpoints, signals and what people see. */
#include "json.h"
#include "progress.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double CHECKPOINT_SECONDS = 30;

/* Set by Ctrl-C; the trainer looks at it between steps. A second Ctrl-C ends at once. */
static volatile int interrupted;

static void on_signal(int number) {
    if (interrupted)
        _exit(EXIT_INTERRUPTED);
    interrupted = number;
}

struct run {
    const struct settings *settings;
    const char *data, *net_name;
    char *net, *out, *checkpoint;
    dpr_context *context;
    dpr_data *train, *validation;
    dpr_model *model;
    dpr_trainer *trainer;
    struct progress progress;
    double began, saved, decode_seconds;
    bool pause; /* the trainer stopped to have a checkpoint written */
};

/* ---- names ---- */

static char *joined(const char *a, size_t n, const char *b) {
    char *text = malloc(n + strlen(b) + 1);
    if (text != NULL) {
        memcpy(text, a, n);
        strcpy(text + n, b);
    }
    return text;
}

/* OUT, and OUT with ".checkpoint" before its ending. The default is DATA's last name, here. */
static int set_names(struct run *run) {
    const char *out = run->settings->out, *end = ".safetensors";
    if (out != NULL) {
        run->out = strdup(out);
    } else {
        size_t n = strlen(run->data);
        while (n > 1 && run->data[n - 1] == '/')
            n--;
        size_t start = n;
        while (start > 0 && run->data[start - 1] != '/')
            start--;
        bool dots = strncmp(run->data + start, "..", n - start) == 0;
        run->out = dots ? strdup("model.safetensors") : joined(run->data + start, n - start, end);
    }
    if (run->out == NULL)
        return fail(NULL);
    size_t n = strlen(run->out), m = strlen(end);
    bool usual = n > m && strcmp(run->out + n - m, end) == 0;
    run->checkpoint = usual ? joined(run->out, n - m, ".checkpoint.safetensors")
                            : joined(run->out, n, ".checkpoint");
    return run->checkpoint != NULL ? EXIT_DONE : fail(NULL);
}

/* A model that cannot be written in the end must be known now. */
static int try_out(const char *path) {
    char *name = joined(path, strlen(path), ".try-XXXXXX");
    int fd = name != NULL ? mkstemp(name) : -1;
    int status = EXIT_DONE;
    if (fd < 0)
        status = complain(EXIT_FAILED, "cannot write '%s': %s; give another place with --out", path,
                          strerror(errno));
    else
        close(fd), unlink(name);
    free(name);
    return status;
}

/* ---- preparing ---- */

static dpr_open_options data_options(const struct settings *s, const dpr_shape *image) {
    dpr_open_options options = dpr_open_options_default();
    options.image = *image;
    options.validation = s->val >= 0 ? s->val : s->patience > 0 ? 0.1 : 0;
    options.fit = strcmp(s->fit, "crop") == 0      ? DPR_CROP
                  : strcmp(s->fit, "stretch") == 0 ? DPR_STRETCH
                                                   : DPR_FIT;
    return options;
}

/* Without --net the images decide the input; where they differ in size, it is 32 × 32. */
static int open_data(struct run *run, dpr_shape image) {
    double began = now_seconds();
    dpr_open_options options = data_options(run->settings, &image);
    dpr_status status = dpr_data_open(run->context, run->data, DPR_TRAIN, &options, &run->train);
    if (status == DPR_E_SHAPE && run->net == NULL) {
        options.image = dpr_shape_of(32, 32, 0);
        status = dpr_data_open(run->context, run->data, DPR_TRAIN, &options, &run->train);
    }
    if (status == DPR_OK) {
        options.image = dpr_data_describe(run->train)->image;
        status = dpr_data_open(run->context, run->data, DPR_VALIDATION, &options, &run->validation);
    }
    run->decode_seconds += now_seconds() - began;
    if (status != DPR_OK)
        return fail(run->context);
    if (run->settings->patience > 0 && run->validation == NULL)
        return complain(EXIT_FAILED, "--patience needs a validation part; give --val 0.1");
    return EXIT_DONE;
}

static int make_model(struct run *run) {
    dpr_data_info info = *dpr_data_describe(run->train);
    char text[128];
    if (run->net == NULL) {
        snprintf(text, sizeof text, "input %lld %lld %lld\nlinear 1024\nrelu\nlinear classes\n",
                 (long long)info.image.dim[0], (long long)info.image.dim[1],
                 (long long)info.image.dim[2]);
        run->net = strdup(text);
        run->net_name = "net";
    }
    if (run->net == NULL ||
        dpr_model_from_net(run->context, run->net_name, run->net, &info, run->settings->seed,
                           run->settings->init, &run->model) != DPR_OK)
        return fail(run->context);
    return EXIT_DONE;
}

/* Called by the trainer some times a second; non-zero makes it stop after this step. */
static int on_progress(void *user, const dpr_progress *now) {
    struct run *run = user;
    progress_bar(&run->progress, now);
    run->pause = now_seconds() - run->saved >= CHECKPOINT_SECONDS;
    return run->pause;
}

static int make_trainer(struct run *run) {
    const struct settings *s = run->settings;
    dpr_train_options o = dpr_train_options_default();
    o.epochs = (unsigned)s->epochs;
    o.batch = (unsigned)s->batch;
    o.seed = s->seed;
    o.patience = (unsigned)s->patience;
    o.class_weights = s->class_weights;
    o.learning_rate = s->lr > 0 ? s->lr : o.learning_rate;
    o.optimizer = s->optimizer ? s->optimizer : o.optimizer;
    o.schedule = s->schedule ? s->schedule : o.schedule;
    o.momentum = s->momentum >= 0 ? s->momentum : o.momentum;
    o.weight_decay = s->weight_decay >= 0 ? s->weight_decay : o.weight_decay;
    o.warmup = s->warmup >= 0 ? s->warmup : o.warmup;
    o.step_epochs = s->step_epochs > 0 ? s->step_epochs : o.step_epochs;
    o.decay = s->decay > 0 ? s->decay : o.decay;
    o.label_smoothing = s->label_smoothing >= 0 ? s->label_smoothing : o.label_smoothing;
    o.clip_norm = s->clip_norm >= 0 ? s->clip_norm : o.clip_norm;
    o.validation = run->validation;
    o.stop = &interrupted;
    o.progress = on_progress;
    o.progress_user = run;
    o.data_name = run->data;
    if (dpr_trainer_create(run->model, run->train, &o, &run->trainer) != DPR_OK)
        return fail(run->context);
    return EXIT_DONE;
}

/* Takes up the checkpoint, else the finished run in OUT; without --resume both are another run's. */
static int resume(struct run *run) {
    bool has_checkpoint = access(run->checkpoint, F_OK) == 0;
    const char *from = has_checkpoint ? run->checkpoint : run->out;
    if (!run->settings->resume) {
        if (has_checkpoint)
            complain(0,
                     "note: the checkpoint of an earlier run, '%s', will be replaced; --resume "
                     "would go on with it",
                     run->checkpoint);
        return EXIT_DONE;
    }
    if (access(from, F_OK) != 0) {
        complain(0, "there is no run to resume in '%s'; starting a new one", run->out);
        return EXIT_DONE;
    }
    if (dpr_trainer_resume(run->trainer, from) != DPR_OK)
        return fail(run->context);
    run->progress.first_epoch = dpr_trainer_epochs_done(run->trainer);
    complain(0, "resuming '%s' after %u epochs, %llu steps", from, run->progress.first_epoch,
             (unsigned long long)dpr_trainer_steps_done(run->trainer));
    return EXIT_DONE;
}

static int prepare(struct run *run) {
    dpr_shape image = {0};
    int status = set_names(run);
    if (status == EXIT_DONE)
        status = try_out(run->out);
    if (status == EXIT_DONE && run->settings->net != NULL) {
        run->net = read_net(run->settings->net, &run->net_name);
        if (run->net == NULL)
            return EXIT_FAILED;
        if (dpr_net_check(run->context, run->net_name, run->net, &image) != DPR_OK)
            return fail(run->context);
    }
    if (status == EXIT_DONE && run->settings->log != NULL) {
        run->progress.log = fopen(run->settings->log, "ae");
        if (run->progress.log == NULL)
            return complain(EXIT_FAILED, "cannot write --log '%s': %s", run->settings->log,
                            strerror(errno));
    }
    if (status == EXIT_DONE)
        status = open_data(run, image);
    if (status == EXIT_DONE)
        status = make_model(run);
    if (status == EXIT_DONE)
        status = make_trainer(run);
    return status == EXIT_DONE ? resume(run) : status;
}

/* ---- training ---- */

static int save_checkpoint(struct run *run) {
    if (dpr_trainer_save(run->trainer, run->checkpoint) != DPR_OK)
        return fail(run->context);
    run->saved = now_seconds();
    return EXIT_DONE;
}

static int stop_early(struct run *run) {
    int status = save_checkpoint(run);
    progress_clear(&run->progress);
    if (status != EXIT_DONE)
        return status;
    return complain(EXIT_INTERRUPTED,
                    "interrupted after %u epochs, %llu steps; nothing is lost: '%s' holds the "
                    "run.\nTo go on, give the same command with --resume.",
                    dpr_trainer_epochs_done(run->trainer),
                    (unsigned long long)dpr_trainer_steps_done(run->trainer), run->checkpoint);
}

static int failed_run(const struct run *run) {
    progress_clear(&run->progress);
    fail(run->context);
    if (access(run->checkpoint, F_OK) == 0)
        complain(0, "the last good checkpoint is '%s'", run->checkpoint);
    return EXIT_FAILED;
}

static int train(struct run *run) {
    run->progress.began = run->saved = now_seconds();
    while (!dpr_trainer_finished(run->trainer)) {
        dpr_epoch_report report;
        dpr_status status = dpr_trainer_epoch(run->trainer, &report);
        if (status == DPR_E_INTERRUPTED && interrupted)
            return stop_early(run);
        if (status != DPR_OK && status != DPR_E_INTERRUPTED)
            return failed_run(run);
        if (status == DPR_OK)
            progress_epoch(&run->progress, &report, (unsigned)run->settings->epochs);
        if (save_checkpoint(run) != EXIT_DONE)
            return EXIT_FAILED;
        if (interrupted && !dpr_trainer_finished(run->trainer))
            return stop_early(run);
    }
    return EXIT_DONE;
}

/* ---- the result ---- */

static void print_done_json(const struct run *run, const dpr_evaluation *test, const char *hash) {
    double seconds = now_seconds() - run->began;
    out_value *line = out_object();
    out_set(line, "done", out_flag(true));
    out_set(line, "model", out_text(run->out));
    out_set(line, "test_accuracy", out_real(test->accuracy));
    out_set(line, "test_accuracy_plain", out_real(test->accuracy));
    out_set(line, "weights_sha256", out_text(hash));
    out_set(line, "parameters", out_count(dpr_model_parameters(run->model)));
    out_set(line, "seconds", out_real(seconds));
    out_set(line, "decode_seconds", out_real(run->decode_seconds));
    out_print(line, stdout);
}

static void print_done(const struct run *run, const dpr_evaluation *test, const char *hash) {
    char count[32];
    if (test->n > 0)
        printf("test accuracy %.2f %% (%.2f to %.2f, 95 %% interval, %llu images)\n",
               100 * test->accuracy, 100 * test->accuracy_low, 100 * test->accuracy_high,
               (unsigned long long)test->n);
    printf("model %s: %s parameters, sha256 of the weights %.16s…\n", run->out,
           grouped(dpr_model_parameters(run->model), count), hash);
}

/* The model is on disk before the test half is looked at, once. */
static int finish(struct run *run) {
    dpr_evaluation test = {.accuracy = (double)NAN}; /* null in JSON */
    dpr_data *data = NULL;
    const dpr_data_info *info = dpr_model_describe(run->model);
    dpr_open_options options = dpr_open_options_default();
    char hash[65];
    options.image = info->image;
    options.fit = info->fit;
    options.n_classes = info->n_classes;
    options.class_names = info->class_names;
    if (dpr_trainer_save(run->trainer, run->out) != DPR_OK ||
        dpr_model_weights_sha256(run->model, hash) != DPR_OK)
        return fail(run->context);
    unlink(run->checkpoint);
    double began = now_seconds();
    dpr_status status = dpr_data_open(run->context, run->data, DPR_TEST, &options, &data);
    run->decode_seconds += now_seconds() - began;
    if (status == DPR_OK && data != NULL)
        status = dpr_evaluate(run->model, data, &test);
    dpr_data_destroy(data);
    if (status == DPR_E_DATA)
        complain(0, "no test accuracy: %s", dpr_error(run->context));
    else if (status != DPR_OK)
        return fail(run->context);
    (run->settings->json ? print_done_json : print_done)(run, &test, hash);
    if (run->progress.log != NULL && ferror(run->progress.log))
        return complain(EXIT_FAILED, "could not write --log '%s'", run->settings->log);
    return EXIT_DONE;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int command_train(const struct settings *settings) {
    struct run run = {.settings = settings,
                      .data = settings->words[0],
                      .began = now_seconds(),
                      .progress = {.json = settings->json,
                                   .quiet = settings->quiet,
                                   .bar = !settings->quiet && isatty(STDERR_FILENO)}};
    int status = EXIT_FAILED;
    catch_signals();
    run.context = open_context(settings);
    if (run.context != NULL)
        status = prepare(&run);
    if (status == EXIT_DONE)
        status = train(&run);
    if (status == EXIT_DONE)
        status = finish(&run);
    if (run.progress.log != NULL && fclose(run.progress.log) != 0 && status == EXIT_DONE)
        status = complain(EXIT_FAILED, "could not write --log '%s'", settings->log);
    dpr_trainer_destroy(run.trainer);
    dpr_model_destroy(run.model);
    dpr_data_destroy(run.validation);
    dpr_data_destroy(run.train);
    dpr_context_destroy(run.context);
    free(run.net);
    free(run.out);
    free(run.checkpoint);
    return status;
}
