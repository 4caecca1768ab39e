/* deeper train DATA. What is cheap to get wrong is tried first: options, the network's text, the
 * place of the model; then data is read. The trainer does the training; here are checkpoints,
 * signals and what people see.
 * Invariant: from the first step on, a file holds the run: the checkpoint until OUT is written. */
#include "choose.h"
#include "json.h"
#include "live.h"
#include "place.h"
#include "progress.h"
#include "signals.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The page comes with a checkpoint, so with every one of an epoch that is longer. */
static const double CHECKPOINT_SECONDS = 30, PAGE_SECONDS = 29;

struct run {
    const struct settings *settings;
    const char *data, *net_name;
    dpr_train_options training; /* as given, or as chosen with the network */
    char *net, *command;        /* its text; the command line that makes this model again */
    struct place place;
    dpr_context *context;
    dpr_data *train, *validation, *test;
    dpr_model *model;
    dpr_trainer *trainer;
    dpr_report *report;
    struct progress progress;
    struct live live;       /* of --serve */
    size_t findings_told;   /* of the trainer's, in this process or before */
    struct net_input input; /* of --net */
    struct choice choice;   /* training points to its texts */
    dpr_shape image;        /* that was chosen; rank 0: the network's or the data's */
    double began, saved, paged,
        decode_seconds; /* now_seconds() of the process, the last checkpoint, the last page */
    bool complete;      /* resumed from OUT, and nothing is left to do */
    bool trial;         /* the training half is all that is wanted */
};

/* The log is tried now, but an earlier one is kept until this run begins. */
static int try_log(struct run *run) {
    const char *path = run->settings->log;
    if (path == NULL)
        return EXIT_DONE;
    run->progress.log = fopen(path, "ae");
    if (run->progress.log == NULL)
        return complain(EXIT_FAILED, "cannot write --log '%s': %s", path, strerror(errno));
    return EXIT_DONE;
}

/* ---- preparing ---- */

/* A network that takes the data's size is another one than that which its name stands for, and this is said. */
static void tell_of_size(const struct run *run) {
    char natural[160], here[160];
    const dpr_shape *image = &dpr_data_describe(run->train)->image;
    if (!run->input.of_data || run->input.image.rank == 0)
        return;
    shape_text(&run->input.image, natural);
    if (strcmp(shape_text(image, here), natural) != 0)
        note(run->settings, "%s is made for images of %s; here it takes the data's %s",
             run->net_name, natural, here);
}

/* What the images of one half leave of --data-memory for the next. */
static void take_memory(dpr_open_options *options, const dpr_data *data) {
    size_t taken = data != NULL ? dpr_data_memory(data) : 0;
    if (options->memory != 0)
        options->memory = options->memory > taken ? options->memory - taken : 1;
}

/* A few images may happen to be the same. */
static int warn_of_shared_images(const struct run *run) {
    size_t shared, n = run->test != NULL ? dpr_data_count(run->test) : 0;
    char a[32], b[32];
    if (n == 0)
        return EXIT_DONE;
    if (dpr_data_count_shared(run->test, run->train, &shared) != DPR_OK)
        return fail(run->context);
    if (shared > n / 50)
        complain(EXIT_DONE,
                 "warning: %s of the %s test images are training images, too: the test accuracy "
                 "will not tell what the model makes of new ones",
                 grouped(shared, a), grouped(n, b));
    return EXIT_DONE;
}

/* The test half is read now, so that a broken file shows before the training and not after it; it is
 * looked at in the end. A set without one is no failure. */
static dpr_status open_other_halves(struct run *run, dpr_open_options *options) {
    options->image = dpr_data_describe(run->train)->image;
    take_memory(options, run->train);
    dpr_status status =
        dpr_data_open(run->context, run->data, DPR_VALIDATION, options, &run->validation);
    if (status == DPR_OK) {
        take_memory(options, run->validation);
        status = dpr_data_open(run->context, run->data, DPR_TEST, options, &run->test);
        if (status == DPR_E_DATA) {
            note(run->settings, "there will be no test accuracy: %s", dpr_error(run->context));
            status = DPR_OK;
        }
    }
    return status;
}

static int open_data(struct run *run) {
    double began = now_seconds();
    dpr_open_options options;
    const struct net_input chosen = {.image = run->image};
    dpr_status status =
        open_training_half(run->context, run->settings,
                           run->image.rank != 0 ? &chosen : &run->input, &options, &run->train);
    if (status == DPR_OK && !run->trial)
        status = open_other_halves(run, &options);
    run->decode_seconds += now_seconds() - began;
    if (status != DPR_OK)
        return fail_reading(run->context, status, run->data);
    tell_of_size(run);
    if (run->settings->training.patience > 0 && run->validation == NULL && !run->trial)
        return complain(EXIT_FAILED, "--patience needs a validation part; give --val 0.1");
    return warn_of_shared_images(run);
}

static int make_model(struct run *run) {
    const dpr_data_info *info = dpr_data_describe(run->train);
    const struct settings *s = run->settings;
    dpr_model *model;
    char text[128];
    if (run->net == NULL) {
        snprintf(text, sizeof text, "input %lld %lld %lld\nlinear 1024\nrelu\nlinear classes\n",
                 (long long)info->image.dim[0], (long long)info->image.dim[1],
                 (long long)info->image.dim[2]);
        run->net = strdup(text);
        run->net_name = "net";
    }
    if (run->net == NULL)
        return fail(NULL);
    if (dpr_model_from_net(run->context, run->net_name, run->net, info, s->training.seed, s->init,
                           &model) != DPR_OK)
        return fail(run->context);
    run->model = model;
    if (s->tta != NULL && dpr_model_set_tta(model, s->tta) != DPR_OK)
        return fail(run->context);
    return EXIT_DONE;
}

/* Prints, or where it was printed by an earlier process logs, findings up to number n that were not told yet. */
static int tell_findings(struct run *run, size_t n,
                         void (*tell)(const struct progress *, const dpr_ailment *, const char *)) {
    const dpr_ailment *findings;
    char *text;
    dpr_trainer_health(run->trainer, &findings);
    for (; run->findings_told < n; run->findings_told++) {
        if (dpr_ailment_text(run->context, &findings[run->findings_told], &text) != DPR_OK)
            return fail(run->context);
        tell(&run->progress, &findings[run->findings_told], text);
        dpr_text_destroy(run->context, text);
    }
    return EXIT_DONE;
}

static int tell_new_findings(struct run *run) {
    const dpr_ailment *findings;
    return tell_findings(run, dpr_trainer_health(run->trainer, &findings), progress_finding);
}

/* Called by the trainer some times a second; non-zero makes it stop after this step. */
static int on_progress(void *user, const dpr_progress *now) {
    struct run *run = user;
    if (tell_new_findings(run) != EXIT_DONE)
        return 1;
    dpr_progress seen = *now;
    run->progress.began += live_progress(&run->live, &seen, &signals_stop);
    if (run->live.page != NULL && dpr_live_stops(run->live.page))
        signals_pretend();
    progress_bar(&run->progress, &seen);
    return now_seconds() - run->saved >= CHECKPOINT_SECONDS;
}

static dpr_train_options train_options(const struct run *run) {
    dpr_train_options options = run->training;
    options.groups = run->settings->groups;
    return options;
}

/* What no option row can judge by itself; the message begins with the option's name. */
static int check_options(struct run *run) {
    const dpr_train_options options = train_options(run);
    if (dpr_train_options_check(run->context, &options) == DPR_OK)
        return EXIT_DONE;
    return complain(EXIT_USAGE, "--%s", dpr_error(run->context));
}

static int make_trainer(struct run *run) {
    dpr_train_options options = train_options(run);
    options.validation = run->validation;
    options.stop = &signals_stop;
    options.progress = on_progress;
    options.progress_user = run;
    options.data_name = run->data;
    run->command = command_line(run->settings, "--resume");
    options.command = run->command;
    if (dpr_trainer_create(run->model, run->train, &options, &run->trainer) != DPR_OK)
        return fail(run->context);
    run->progress.epochs = options.epochs;
    return EXIT_DONE;
}

/* Without --resume checkpoint and model are another run's. */
static void say_what_is_replaced(const struct run *run, bool has_checkpoint) {
    if (has_checkpoint)
        note(run->settings,
             "'%s', the checkpoint of an earlier run, is replaced; --resume "
             "would have gone on with it",
             run->place.checkpoint);
    if (is_model_file(run->place.out))
        note(run->settings,
             "'%s', a model that is there already, is replaced when this run is complete; Ctrl-C "
             "and another --out keep it",
             run->place.out);
    if (run->place.report != NULL && access(run->place.report, F_OK) == 0)
        note(run->settings, "'%s', the page of an earlier run, is replaced", run->place.report);
}

/* Takes up the checkpoint, else the run in OUT. */
static int resume(struct run *run) {
    bool has_checkpoint = access(run->place.checkpoint, F_OK) == 0;
    const char *from = has_checkpoint ? run->place.checkpoint : run->place.out;
    if (!run->settings->resume) {
        say_what_is_replaced(run, has_checkpoint);
        return EXIT_DONE;
    }
    if (access(from, F_OK) != 0) {
        note(run->settings, "there is no run to resume in '%s'; a new one begins", run->place.out);
        return EXIT_DONE;
    }
    dpr_status status = dpr_trainer_resume(run->trainer, from);
    if (status == DPR_E_MISMATCH)
        return complain(EXIT_FAILED, "%s; without --resume a new run begins",
                        dpr_error(run->context));
    if (status != DPR_OK)
        return fail(run->context);
    run->progress.first_epoch = dpr_trainer_epochs_done(run->trainer);
    run->complete = !has_checkpoint && dpr_trainer_finished(run->trainer);
    unsigned epochs = run->progress.first_epoch;
    note(run->settings, "'%s' %s after %u epoch%s, %llu steps", from,
         dpr_trainer_finished(run->trainer) ? "was finished" : "goes on", epochs,
         epochs == 1 ? "" : "s", (unsigned long long)dpr_trainer_steps_done(run->trainer));
    return EXIT_DONE;
}

static int read_own_net(struct run *run) {
    run->input.of_data = run->settings->net == NULL;
    if (run->settings->net == NULL)
        return EXIT_DONE;
    run->net = read_net(run->settings->net, "--net", &run->net_name);
    if (run->net == NULL)
        return EXIT_FAILED;
    if (dpr_net_check(run->context, run->net_name, run->net, &run->input.image,
                      &run->input.of_data) != DPR_OK)
        return fail(run->context);
    return EXIT_DONE;
}

/* A network that fixes its own size leaves nothing to say. */
static int take_input_size(struct run *run) {
    unsigned side = run->settings->input_size;
    if (side != 0 && run->net != NULL && !run->input.of_data)
        return complain(EXIT_USAGE, "--input-size is for networks that begin with 'input data'; "
                                    "this one says its size itself");
    if (side != 0)
        run->image = dpr_shape_of(side, side, 0);
    return EXIT_DONE;
}

static void take_choice(struct run *run, const struct choice *choice) {
    const struct settings *s = run->settings;
    dpr_train_options *training = &run->training;
    if (!option_given(s, "epochs"))
        training->epochs = choice->epochs;
    if (!option_given(s, "batch"))
        training->batch = choice->batch;
    if (!option_given(s, "weight-decay"))
        training->weight_decay = choice->weight_decay;
    if (!option_given(s, "label-smoothing"))
        training->label_smoothing = choice->label_smoothing;
    if (!option_given(s, "augment"))
        training->augment = choice->augment;
}

/* Without --net pictures decide on the network, their size and the length of the training (choose.h). */
static int choose(struct run *run) {
    const struct settings *s = run->settings;
    dpr_sizes sizes;
    struct choice *choice = &run->choice;
    if (run->net != NULL)
        return EXIT_DONE;
    if (dpr_data_sizes(run->context, run->data, &sizes) != DPR_OK)
        return fail(run->context);
    *choice = choose_net(&sizes, s->input_size);
    if (choice->net == NULL)
        return EXIT_DONE;
    run->net = strdup(choice->net);
    run->net_name = choice->net;
    run->image = choice->image;
    take_choice(run, choice);
    note(
        s,
        "%zu %s pictures to train on, median side %u: --net %s at %lld × %lld, --epochs %u --batch "
        "%u --weight-decay %g --label-smoothing %g --augment %s; what is given wins",
        sizes.n, sizes.channels == 1 ? "grey" : "colour", sizes.median_side, choice->net,
        (long long)choice->image.dim[0], (long long)choice->image.dim[1], run->training.epochs,
        run->training.batch, run->training.weight_decay, run->training.label_smoothing,
        run->training.augment);
    return run->net != NULL ? EXIT_DONE : fail(NULL);
}

/* What is known before data is read. */
static int read_settings(struct run *run) {
    int status = check_augment(run->context, run->settings);
    if (status == EXIT_DONE)
        status = check_options(run);
    if (status == EXIT_DONE)
        status = read_own_net(run);
    return status == EXIT_DONE ? take_input_size(run) : status;
}

static int read_data(struct run *run) {
    int status = choose(run);
    if (status == EXIT_DONE)
        status = open_data(run);
    return status == EXIT_DONE ? make_model(run) : status;
}

static int prepare(struct run *run) {
    int status = read_settings(run);
    if (status == EXIT_DONE)
        status = place_take(&run->place, run->data, run->settings->out, !run->settings->no_report);
    if (status == EXIT_DONE)
        status = live_begin(&run->live, run->context, run->settings, run->place.out);
    if (status == EXIT_DONE)
        status = try_log(run);
    if (status == EXIT_DONE)
        status = read_data(run);
    if (status == EXIT_DONE)
        status = make_trainer(run);
    return status == EXIT_DONE ? resume(run) : status;
}

/* ---- training ---- */

/* The page: of the whole run where it has been tested, else of how far it is. */
static int write_page(struct run *run) {
    const char *title = report_title(run->place.out);
    char *record;
    if (dpr_trainer_run(run->trainer, &record) != DPR_OK)
        return fail(run->context);
    dpr_status status =
        run->report != NULL
            ? dpr_report_write(run->report, record, title, run->place.report)
            : dpr_report_write_progress(run->model, record, title, run->place.report);
    dpr_text_destroy(run->context, record);
    if (status == DPR_OK)
        return EXIT_DONE;
    progress_clear(&run->progress);
    return fail(run->context);
}

/* After the message. */
static double do_without_page(void) {
    complain(EXIT_DONE, "the training goes on; its page will be tried again in the end");
    return (double)INFINITY;
}

/* What an earlier save left is whole. */
static int fail_to_save(struct run *run) {
    progress_clear(&run->progress);
    fail(run->context);
    if (access(run->place.checkpoint, F_OK) == 0)
        complain(
            EXIT_FAILED,
            "'%s' has what was learned before; once that is mended, --resume goes on from there",
            run->place.checkpoint);
    return EXIT_FAILED;
}

static int save_checkpoint(struct run *run) {
    if (dpr_trainer_save(run->trainer, run->place.checkpoint) != DPR_OK)
        return fail_to_save(run);
    run->saved = now_seconds();
    if (run->place.report != NULL && run->saved - run->paged >= PAGE_SECONDS)
        run->paged = write_page(run) == EXIT_DONE ? run->saved : do_without_page();
    return EXIT_DONE;
}

static int stop_early(const struct run *run) {
    char **given = run->settings->given;
    unsigned epochs = dpr_trainer_epochs_done(run->trainer);
    progress_clear(&run->progress);
    complain(EXIT_FAILED,
             "interrupted after %u epoch%s, %llu steps; '%s' holds the run. To go on:", epochs,
             epochs == 1 ? "" : "s", (unsigned long long)dpr_trainer_steps_done(run->trainer),
             run->place.checkpoint);
    fputc(' ', stderr);
    for (size_t i = 0; given[i] != NULL; i++) {
        fputc(' ', stderr);
        print_quoted(given[i], stderr);
        if (i == 1 && !run->settings->resume) /* after "deeper train": a -- may follow */
            fputs(" --resume", stderr);
    }
    fputc('\n', stderr);
    return EXIT_SIGNAL + signals_number();
}

static int failed_run(struct run *run) {
    progress_clear(&run->progress);
    (void)tell_new_findings(run);
    fail(run->context);
    if (run->place.report != NULL)
        (void)write_page(run); /* which says why, too */
    return complain(EXIT_FAILED, "the last good checkpoint, '%s', stays", run->place.checkpoint);
}

/* Whether the other precision would be much faster here goes by measured rates (some 20 ms), not by what the CPU says it has: there are
 * some whose bf16 instruction is slower than float32's. In float32 only AMX is worth the look. */
static void advise_precision(const struct run *run) {
    double float32, bf16;
    bool in_bf16 = strcmp(dpr_context_precision(run->context), "bf16") == 0;
    if ((!in_bf16 && strcmp(dpr_context_isa(run->context), "amx") != 0) ||
        dpr_bench_peak(run->context, "float32", &float32) != DPR_OK ||
        dpr_bench_peak(run->context, "bf16", &bf16) != DPR_OK || float32 <= 0)
        return;
    if (in_bf16 && bf16 < float32)
        complain(EXIT_DONE, "this CPU multiplies float32 %.1f times as fast as bf16",
                 float32 / bf16);
    else if (!in_bf16 && bf16 > 2 * float32)
        complain(EXIT_DONE, "this CPU multiplies bf16 %.0f times as fast; see --precision bf16",
                 bf16 / float32);
}

static void print_header(const struct run *run) {
    char count[32];
    if (run->progress.json || run->progress.quiet)
        return;
    advise_precision(run);
    printf("%s parameters; device %s (%s), %u threads\n",
           grouped(dpr_model_parameters(run->model), count), run->settings->machine.device,
           dpr_context_isa(run->context), dpr_context_threads(run->context));
    fflush(stdout);
}

/* How many of the first findings were made by the end of an epoch. */
static size_t findings_until(const struct run *run, unsigned epoch) {
    const dpr_ailment *findings;
    size_t all = dpr_trainer_health(run->trainer, &findings), n = 0;
    while (n < all && findings[n].epoch <= epoch)
        n++;
    return n;
}

/* The log holds every epoch and every finding once: those before this process, too, of which nothing else tells again. */
static int begin_log(struct run *run) {
    const dpr_epoch_report *reports;
    const dpr_ailment *findings;
    size_t n = dpr_trainer_history(run->trainer, &reports);
    size_t n_findings = dpr_trainer_health(run->trainer, &findings);
    if (run->progress.log == NULL) {
        run->findings_told = n_findings;
        return EXIT_DONE;
    }
    run->progress.log = freopen(run->settings->log, "we", run->progress.log);
    if (run->progress.log == NULL)
        return complain(EXIT_FAILED, "cannot write --log '%s': %s", run->settings->log,
                        strerror(errno));
    for (size_t i = 0; i < n; i++) {
        if (tell_findings(run, findings_until(run, reports[i].epoch), progress_log_finding) !=
            EXIT_DONE)
            return EXIT_FAILED;
        progress_log(&run->progress, &reports[i]);
    }
    return tell_findings(run, n_findings, progress_log_finding);
}

/* --patience ended the run before its last epoch. */
static void say_patience_ended(const struct run *run) {
    const dpr_epoch_report *reports;
    size_t n = dpr_trainer_history(run->trainer, &reports);
    unsigned best = 0;
    for (size_t i = 0; i < n; i++)
        best = reports[i].best ? reports[i].epoch : best;
    if (n < run->progress.epochs)
        note(run->settings, "no better validation accuracy since epoch %u, whose weights are taken",
             best);
}

static int train(struct run *run) {
    run->progress.began = run->paged = now_seconds();
    if (begin_log(run) != EXIT_DONE)
        return EXIT_FAILED;
    if (!dpr_trainer_finished(run->trainer)) {
        print_header(run);
        if (save_checkpoint(run) != EXIT_DONE) /* from now on --resume finds this run */
            return EXIT_FAILED;
        if (run->live.page != NULL)
            dpr_live_watch(run->live.page, run->trainer, run->model, run->validation);
    }
    while (!dpr_trainer_finished(run->trainer)) {
        dpr_epoch_report report;
        dpr_status status = dpr_trainer_epoch(run->trainer, &report);
        if (status != DPR_OK && status != DPR_E_INTERRUPTED)
            return failed_run(run);
        if (tell_new_findings(run) != EXIT_DONE)
            return EXIT_FAILED;
        if (status == DPR_OK)
            progress_epoch(&run->progress, &report);
        if (run->live.page != NULL)
            dpr_live_look(run->live.page);
        if (save_checkpoint(run) != EXIT_DONE)
            return EXIT_FAILED;
        if (signals_stop && !dpr_trainer_finished(run->trainer))
            return stop_early(run);
    }
    say_patience_ended(run);
    return EXIT_DONE;
}

/* ---- the result ---- */

static out_value *result_json(const struct run *run, const struct train_result *result) {
    double accuracy = result->test.n > 0 ? result->test.accuracy : (double)NAN;
    out_value *line = out_object();
    out_set(line, "done", out_flag(true));
    out_set(line, "model", out_text(run->place.out));
    if (run->place.report != NULL)
        out_set(line, "report", out_text(run->place.report));
    out_set(line, "test_accuracy", out_real(accuracy)); /* null where there is no test half */
    out_set(line, "test_accuracy_plain",
            out_real(result->test.n > 0 ? result->test.accuracy_plain : (double)NAN));
    out_set(line, "weights_sha256", out_text(result->weights_sha256));
    out_set(line, "parameters", out_count(dpr_model_parameters(run->model)));
    out_set(line, "seconds", out_real(result->seconds));
    out_set(line, "decode_seconds", out_real(result->decode_seconds));
    out_set(line, "data_sha256", out_text(result->data_sha256));
    out_set(line, "device", out_text(result->device));
    out_set(line, "isa", out_text(result->isa));
    out_set(line, "precision", out_text(result->precision));
    return line;
}

static void print_result(const struct run *run, const struct train_result *result) {
    char count[32];
    const dpr_evaluation *test = &result->test;
    if (test->n > 0)
        printf("test accuracy %.2f %% (%.2f to %.2f, 95 %% interval, %s images)\n",
               100 * test->accuracy, 100 * test->accuracy_low, 100 * test->accuracy_high,
               grouped(test->n, count));
    if (test->n > 0 && strcmp(dpr_model_tta(run->model), "none") != 0)
        printf("without test-time augmentation %.2f %%\n", 100 * test->accuracy_plain);
    printf("model %s: %s parameters, SHA-256 of the weights %.16s...\n", run->place.out,
           grouped(dpr_model_parameters(run->model), count), result->weights_sha256);
}

/* The last thing, which no number waits for; the model is there whatever happens. */
static int finish_report(struct run *run) {
    int status = write_page(run);
    if (status == EXIT_DONE && !run->settings->json)
        printf("report %s\n", run->place.report);
    return status;
}

/* The model is on disk before anything else can go wrong. */
static int finish(struct run *run, struct train_result *result) {
    *result = (struct train_result){.device = run->settings->machine.device,
                                    .isa = dpr_context_isa(run->context),
                                    .precision = dpr_context_precision(run->context),
                                    .decode_seconds = run->decode_seconds};
    if (!run->complete && dpr_trainer_save(run->trainer, run->place.out) != DPR_OK)
        return fail_to_save(run);
    unlink(run->place.checkpoint);
    result->seconds = now_seconds() - run->began;
    if (dpr_data_sha256(run->train, result->data_sha256) != DPR_OK ||
        dpr_model_weights_sha256(run->model, result->weights_sha256) != DPR_OK)
        return fail(run->context);
    if (dpr_report_create(run->model, run->test, &run->report) != DPR_OK)
        return fail(run->context);
    if (dpr_report_evaluation(run->report) != NULL)
        result->test = *dpr_report_evaluation(run->report);
    if (run->settings->json)
        out_print(result_json(run, result), stdout);
    else
        print_result(run, result);
    if (run->progress.log != NULL)
        out_print(result_json(run, result), run->progress.log);
    return run->place.report == NULL ? EXIT_DONE : finish_report(run);
}

static int close_log(struct run *run, int status) {
    FILE *log = run->progress.log;
    bool bad = log != NULL && ferror(log);
    if (log != NULL && fclose(log) != 0)
        bad = true;
    if (bad)
        return complain(status == EXIT_DONE ? EXIT_FAILED : status, "could not write --log '%s'",
                        run->settings->log);
    return status;
}

static struct run new_run(const struct settings *settings) {
    return (struct run){.settings = settings,
                        .data = settings->words[0],
                        .training = settings->training,
                        .place = {.held = -1},
                        .began = now_seconds(),
                        .progress = {.json = settings->json,
                                     .quiet = settings->quiet,
                                     .bar = !settings->quiet && progress_has_terminal()}};
}

/* Which images are taken, and how a split is made, is said. */
static int open_run(struct run *run) {
    return open_context(run->settings, run->settings->quiet ? NULL : "data:info", &run->context);
}

static void close_run(struct run *run) {
    dpr_report_destroy(run->report);
    dpr_trainer_destroy(run->trainer);
    dpr_model_destroy(run->model);
    dpr_data_destroy(run->test);
    dpr_data_destroy(run->validation);
    dpr_data_destroy(run->train);
    dpr_context_destroy(run->context);
    place_leave(&run->place);
    free(run->net);
    free(run->command);
}

int run_training(const struct settings *settings, struct train_result *result) {
    struct run run = new_run(settings);
    int status = open_run(&run);
    if (status == EXIT_DONE)
        status = prepare(&run);
    if (status == EXIT_DONE) {
        signals_watch(true);
        status = train(&run);
        signals_watch(false);
    }
    if (status == EXIT_DONE)
        status = finish(&run, result);
    status = close_log(&run, status);
    live_end(&run.live, run.context, status, result);
    close_run(&run);
    return status;
}

int run_trial(const struct settings *settings,
              int (*use)(const struct settings *settings, const struct trial *trial)) {
    struct run run = new_run(settings);
    run.trial = true;
    int status = open_run(&run);
    if (status == EXIT_DONE)
        status = read_settings(&run);
    if (status == EXIT_DONE)
        status = read_data(&run);
    if (status == EXIT_DONE)
        status = use(settings, &(struct trial){.context = run.context,
                                               .data = run.train,
                                               .model = run.model,
                                               .options = train_options(&run)});
    close_run(&run);
    return status;
}

int command_train(const struct settings *settings) {
    struct train_result result;
    if (settings->overfit &&
        (settings->out || settings->log || settings->resume || settings->serve))
        return complain(EXIT_USAGE, "--overfit-one-batch writes, goes on and serves nothing; "
                                    "leave out --out, --log, --resume and --serve");
    if (settings->overfit)
        return run_trial(settings, overfit_one_batch);
    return run_training(settings, &result);
}
