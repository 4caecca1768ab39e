/* A run that is saved and taken up again ends with the bits of one left alone, wherever it was cut;
 * and what would change the result is refused by name. */
#include "train/trainer.h"
#include "train_support.h"

static const char net[] = "input 6 6 1, linear 12, relu, dropout 0.25, linear classes";
enum { IMAGES = 100, BATCH = 32, STEPS = 4, EPOCHS = 3 };

static dpr_context *context;
static struct sample *train_sample, *validation_sample;
static dpr_data *train, *validation;
static char *path;

static int begin(void **state) {
    (void)state;
    context = make_context("cpu", 1);
    train_sample = calloc(1, sizeof *train_sample);
    validation_sample = calloc(1, sizeof *validation_sample);
    train = make_data(context, train_sample, IMAGES, 1);
    validation = make_data(context, validation_sample, 60, 2);
    for (int i = 0; i < 60; i++) /* of no sense, so that the accuracy goes up and down */
        validation_sample->labels[i] = i * i % 7 % CLASSES;
    path = temporary("run.safetensors");
    return 0;
}
static int end(void **state) {
    (void)state;
    dpr_data_destroy(train);
    dpr_data_destroy(validation);
    free(train_sample);
    free(validation_sample);
    dpr_context_destroy(context);
    remove_temporary(path);
    return 0;
}

static dpr_train_options options_of(const char *optimizer) {
    dpr_train_options options = dpr_train_options_default();
    options.epochs = EPOCHS;
    options.batch = BATCH;
    options.optimizer = optimizer;
    options.weight_decay = 1e-3;
    options.clip_norm = 5;
    return options;
}

struct run {
    dpr_model *model;
    dpr_trainer *trainer;
};

static struct run start(const dpr_train_options *options) {
    struct run run = {.model = make_model(context, train, net, 7)};
    OK(context, dpr_trainer_create(run.model, train, options, &run.trainer));
    return run;
}

static void drop(struct run *run) {
    dpr_trainer_destroy(run->trainer);
    dpr_model_destroy(run->model);
}

/* Ends the run and says what it came to: the weights, and the history without times. */
static char *result(struct run *run) {
    static char text[4096];
    char hex[65];
    const dpr_epoch_report *history;
    while (!dpr_trainer_finished(run->trainer))
        OK(context, dpr_trainer_epoch(run->trainer, NULL));
    OK(context, dpr_model_weights_sha256(run->model, hex));
    int at = snprintf(text, sizeof text, "%s", hex);
    size_t n = dpr_trainer_history(run->trainer, &history);
    for (size_t i = 0; i < n; i++)
        at +=
            snprintf(text + at, sizeof text - (size_t)at, " %u:%a:%a:%a:%a:%d:%d", history[i].epoch,
                     history[i].loss, history[i].accuracy, history[i].learning_rate,
                     history[i].validation_accuracy, history[i].best, history[i].finished);
    return strdup(text);
}

static void cut_at(const dpr_train_options *options, int steps, const char *wanted) {
    struct run first = start(options), second = start(options);
    for (int i = 0; i < steps && !dpr_trainer_finished(first.trainer); i++)
        OK(context, dpr_trainer_step(first.trainer, NULL));
    OK(context, dpr_trainer_save(first.trainer, path));
    drop(&first);
    OK(context, dpr_trainer_resume(second.trainer, path));
    char *got = result(&second);
    if (strcmp(got, wanted) != 0)
        fail_msg("%s, cut after %d steps:\n%s\nwanted\n%s", options->optimizer, steps, got, wanted);
    free(got);
    drop(&second);
}

/* Every optimiser, then what else keeps state between steps. */
static const char *const optimizers[] = {"sgd", "momentum", "nesterov", "adamw", "muon"};
enum { OPTIMIZERS = sizeof optimizers / sizeof *optimizers, VARIANTS = OPTIMIZERS + 5 };

static dpr_train_options variant(size_t i) {
    static const char *const groups[] = {"linear_1.*:freeze-until=1,lr=0.5",
                                         "*.bias:decay=0.1,freeze-after=2", NULL};
    dpr_train_options options = options_of(optimizers[i < OPTIMIZERS ? i : 2]);
    if (i == OPTIMIZERS) {
        options.optimizer = "adamw";
        options.groups = groups;
    }
    if (i == OPTIMIZERS + 1)
        options.ema = 0.9;
    if (i == OPTIMIZERS + 2)
        options.swa = 2;
    if (i == OPTIMIZERS + 3) {
        options.lookahead = 3;
        options.lookahead_power = 1;
    }
    if (i == OPTIMIZERS + 4)
        options.accumulate = 3; /* of four batches an epoch */
    return options;
}

static void same_bits_wherever_it_is_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < VARIANTS; i++) {
        dpr_train_options options = variant(i);
        struct run alone = start(&options);
        char *wanted = result(&alone);
        drop(&alone);
        for (int steps = 0; steps <= EPOCHS * STEPS; steps++)
            cut_at(&options, steps, wanted);
        free(wanted);
    }
}

static void same_bits_with_patience(void **state) {
    (void)state;
    dpr_train_options options = options_of("nesterov");
    options.validation = validation;
    options.patience = 2;
    options.epochs = 8;
    options.class_weights = "balanced";
    options.label_smoothing = 0.05;
    struct run alone = start(&options);
    char *wanted = result(&alone);
    drop(&alone);
    for (int steps = 0; steps <= 8 * STEPS; steps += 3)
        cut_at(&options, steps, wanted);
    free(wanted);
}

/* Cut, saved, resumed and saved again after every single step. */
static void same_bits_when_cut_all_the_time(void **state) {
    (void)state;
    dpr_train_options options = options_of("adamw");
    struct run alone = start(&options);
    char *wanted = result(&alone), *got;
    drop(&alone);
    struct run run = start(&options);
    while (!dpr_trainer_finished(run.trainer)) {
        OK(context, dpr_trainer_step(run.trainer, NULL));
        OK(context, dpr_trainer_save(run.trainer, path));
        drop(&run);
        run = start(&options);
        OK(context, dpr_trainer_resume(run.trainer, path));
    }
    got = result(&run);
    assert_string_equal(got, wanted);
    free(got);
    free(wanted);
    drop(&run);
}

static int save_and_stop(void *user, const dpr_progress *progress) {
    dpr_trainer **trainer = user;
    OK(context, dpr_trainer_save(*trainer, path));
    return progress->epoch == 2;
}

/* A checkpoint from the progress callback, when all steps of an epoch are done but its bookkeeping
 * is not. */
static void same_bits_from_the_callback(void **state) {
    (void)state;
    dpr_train_options options = options_of("momentum");
    struct run alone = start(&options);
    char *wanted = result(&alone), *got;
    drop(&alone);
    dpr_trainer *saved = NULL;
    options.progress = save_and_stop;
    options.progress_user = &saved;
    struct run run = start(&options);
    saved = run.trainer;
    dpr_status status = DPR_OK;
    while (status == DPR_OK && dpr_trainer_epochs_done(run.trainer) < 2)
        status = dpr_trainer_epoch(run.trainer, NULL);
    assert_true(status == DPR_OK || status == DPR_E_INTERRUPTED);
    drop(&run);
    options.progress = NULL;
    run = start(&options);
    OK(context, dpr_trainer_resume(run.trainer, path));
    assert_int_equal(dpr_trainer_steps_done(run.trainer), 2 * STEPS);
    assert_int_equal(dpr_trainer_epochs_done(run.trainer), 2);
    got = result(&run);
    assert_string_equal(got, wanted);
    free(got);
    free(wanted);
    drop(&run);
}

static void finished_runs_stay_finished_or_go_on(void **state) {
    (void)state;
    dpr_train_options options = options_of("nesterov");
    options.schedule = "constant";
    options.epochs = 5;
    struct run alone = start(&options);
    char *wanted = result(&alone), *got;
    drop(&alone);
    options.epochs = 3;
    struct run run = start(&options);
    free(result(&run));
    OK(context, dpr_trainer_save(run.trainer, path));
    drop(&run);
    run = start(&options);
    OK(context, dpr_trainer_resume(run.trainer, path));
    assert_true(dpr_trainer_finished(run.trainer));
    assert_int_equal(dpr_trainer_epochs_done(run.trainer), 3);
    drop(&run);
    options.epochs = 5; /* a constant rate does not know the number of epochs: same bits again */
    run = start(&options);
    OK(context, dpr_trainer_resume(run.trainer, path));
    assert_false(dpr_trainer_finished(run.trainer));
    got = result(&run);
    assert_string_equal(got, wanted);
    free(got);
    free(wanted);
    drop(&run);
    options.epochs = 2;
    run = start(&options);
    FAILS(context, dpr_trainer_resume(run.trainer, path), DPR_E_MISMATCH, "epochs is 2");
    drop(&run);
}

/* With patience the best weights are in place at the end; going on starts from the last ones. */
static void going_on_after_patience(void **state) {
    (void)state;
    dpr_train_options options = options_of("sgd");
    const dpr_epoch_report *history;
    unsigned cut = 0;
    options.schedule = "constant";
    options.learning_rate = 0.5;
    options.validation = validation;
    options.patience = 100;
    options.epochs = 8;
    struct run run = start(&options);
    char *wanted = result(&run), *got;
    size_t n = dpr_trainer_history(run.trainer, &history);
    for (unsigned i = 1; i + 1 < n; i++)
        if (!history[i].best)
            cut = i + 1;
    drop(&run);
    assert_true(cut > 0);
    options.epochs = cut;
    run = start(&options);
    free(result(&run));
    OK(context, dpr_trainer_save(run.trainer, path));
    drop(&run);
    options.epochs = 8;
    run = start(&options);
    OK(context, dpr_trainer_resume(run.trainer, path));
    got = result(&run);
    assert_string_equal(got, wanted);
    free(got);
    free(wanted);
    drop(&run);
}

static void schedules_that_know_the_end(void **state) {
    (void)state;
    dpr_train_options options = options_of("nesterov");
    options.schedule = "cosine";
    struct run run = start(&options);
    OK(context, dpr_trainer_epoch(run.trainer, NULL));
    OK(context, dpr_trainer_save(run.trainer, path));
    options.epochs = EPOCHS + 1;
    struct run longer = start(&options);
    FAILS(context, dpr_trainer_resume(longer.trainer, path), DPR_E_MISMATCH, "cosine");
    free(result(&run));
    OK(context, dpr_trainer_save(run.trainer, path));
    OK(context, dpr_trainer_resume(longer.trainer, path)); /* finished: may be prolonged */
    assert_false(dpr_trainer_finished(longer.trainer));
    OK(context, dpr_trainer_epoch(longer.trainer, NULL));
    assert_true(dpr_trainer_finished(longer.trainer));
    drop(&run);
    drop(&longer);
}

static void refuse(const dpr_train_options *options, const char *says) {
    struct run run = start(options);
    FAILS(context, dpr_trainer_resume(run.trainer, path), DPR_E_MISMATCH, says);
    /* Nothing was touched: the run starts as if nobody had asked. */
    assert_int_equal(dpr_trainer_steps_done(run.trainer), 0);
    drop(&run);
}

static void names_the_option_that_differs(void **state) {
    (void)state;
    dpr_train_options options = options_of("nesterov"), other;
    struct run run = start(&options);
    OK(context, dpr_trainer_step(run.trainer, NULL));
    OK(context, dpr_trainer_save(run.trainer, path));
    drop(&run);
#define OTHER(field, value, says)                                                                  \
    other = options;                                                                               \
    other.field = (value);                                                                         \
    refuse(&other, says)
    OTHER(seed, 2, "seed is 2 here, but 1");
    OTHER(batch, 16, "batch is 16 here, but 32");
    OTHER(accumulate, 2, "accumulate is 2 here, but 1 in");
    OTHER(optimizer, "sgd", "optimizer is \"sgd\" here, but nesterov");
    OTHER(learning_rate, 0.25, "learning_rate is 0.25 here, but 0.05 in");
    OTHER(momentum, 0.5, "momentum is 0.5 here, but 0.9");
    OTHER(weight_decay, 0, "weight_decay is 0 here, but 0.001 in");
    OTHER(beta1, 0.5, "beta1");
    OTHER(beta2, 0.5, "beta2");
    OTHER(epsilon, 0.5, "epsilon");
    OTHER(schedule, "constant", "schedule");
    OTHER(warmup, 0.5, "warmup");
    OTHER(step_epochs, 0.5, "step_epochs");
    OTHER(decay, 0.125, "decay");
    OTHER(label_smoothing, 0.5, "label_smoothing");
    OTHER(clip_norm, 0.5, "clip_norm");
    OTHER(rest_optimizer, "sgd", "rest_optimizer is \"sgd\" here, but nesterov");
    OTHER(rest_learning_rate, 0.5, "rest_learning_rate is 0.5 here, but 0.05");
    OTHER(rest_momentum, 0.5, "rest_momentum is 0.5 here, but 0.9");
    OTHER(muon_steps, 3, "muon_steps is 3 here, but 5");
    OTHER(muon_renormalise, true, "muon_renormalise is true here, but false");
    OTHER(ema, 0.5, "ema is 0.5 here, but 0 in");
    OTHER(lookahead, 2, "lookahead is 2 here, but 0 in");
    OTHER(lookahead_alpha, 0.25, "lookahead_alpha is 0.25 here, but 0.5 in");
    OTHER(lookahead_power, 2, "lookahead_power is 2 here, but 0 in");
    OTHER(swa, 2, "swa is 2 here, but 0 in");
    static const char *const groups[] = {"*:lr=1", NULL};
    OTHER(groups, groups, "groups is [\"*:lr=1\"] here, but an empty list");
    OTHER(class_weights, "balanced", "class_weights is \"balanced\" here, but  in");
    OTHER(loss_reduction, "sum", "loss_reduction is \"sum\" here, but mean");
    other = options;
    other.validation = validation;
    other.patience = 4;
    refuse(&other, "validation");
#undef OTHER
}

static void names_data_and_network_that_differ(void **state) {
    (void)state;
    dpr_train_options options = options_of("nesterov");
    struct run run = start(&options);
    OK(context, dpr_trainer_step(run.trainer, NULL));
    OK(context, dpr_trainer_save(run.trainer, path));
    struct sample *sample = calloc(1, sizeof *sample);
    dpr_data *other = make_data(context, sample, IMAGES, 3);
    dpr_model *model = make_model(context, train, net, 7); /* normalises as before */
    dpr_trainer *trainer;
    OK(context, dpr_trainer_create(model, other, &options, &trainer));
    FAILS(context, dpr_trainer_resume(trainer, path), DPR_E_MISMATCH,
          "the training set is not that of the run");
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    model = make_model(context, train, "input 6 6 1, linear classes", 7);
    OK(context, dpr_trainer_create(model, train, &options, &trainer));
    FAILS(context, dpr_trainer_resume(trainer, path), DPR_E_MISMATCH, "net is 'input 6 6 1, lin");
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    model = make_model(context, train, net, 8);
    OK(context, dpr_trainer_create(model, train, &options, &trainer));
    FAILS(context, dpr_trainer_resume(trainer, path), DPR_E_MISMATCH, "first weights");
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    OK(context,
       dpr_model_from_net(context, "test", net, dpr_data_describe(train), 7, "xavier", &model));
    OK(context, dpr_trainer_create(model, train, &options, &trainer));
    FAILS(context, dpr_trainer_resume(trainer, path), DPR_E_MISMATCH, "init is 'xavier'");
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    /* A model file is no checkpoint. */
    OK(context, dpr_model_save(run.model, path));
    struct run again = start(&options);
    FAILS(context, dpr_trainer_resume(again.trainer, path), DPR_E_FORMAT, "nothing to resume");
    FAILS(context, dpr_trainer_resume(again.trainer, "/nonexistent/x"), DPR_E_IO, "nonexistent");
    drop(&again);
    drop(&run);
    dpr_data_destroy(other);
    free(sample);
}

/* A checkpoint is a model too. */
static void checkpoints_load_as_models(void **state) {
    (void)state;
    dpr_train_options options = options_of("adamw");
    struct run run = start(&options);
    dpr_model *model;
    char saved[65], loaded[65];
    OK(context, dpr_trainer_step(run.trainer, NULL));
    OK(context, dpr_trainer_save(run.trainer, path));
    OK(context, dpr_model_weights_sha256(run.model, saved));
    OK(context, dpr_model_load(context, path, &model));
    OK(context, dpr_model_weights_sha256(model, loaded));
    assert_string_equal(saved, loaded);
    assert_non_null(strstr(dpr_model_run(model), "\"steps_done\":1"));
    dpr_model_destroy(model);
    drop(&run);
}

/* Evaluating and predicting in the middle of a run changes nothing. */
static void looking_changes_nothing(void **state) {
    (void)state;
    dpr_train_options options = options_of("nesterov");
    struct run alone = start(&options), run = start(&options);
    char *wanted = result(&alone), *got;
    dpr_evaluation found;
    float row[CLASSES];
    for (int i = 0; i < 5; i++) {
        OK(context, dpr_trainer_step(run.trainer, NULL));
        OK(context, dpr_evaluate(run.model, validation, &found));
        OK(context, dpr_predict(run.model, train_sample->images, 1, row));
    }
    got = result(&run);
    assert_string_equal(got, wanted);
    free(got);
    free(wanted);
    drop(&alone);
    drop(&run);
}

static void keep_line(void *user, dpr_log_level level, const char *topic, const char *line) {
    assert_int_equal(level, DPR_LOG_WARNING);
    assert_string_equal(topic, "train");
    snprintf(user, 512, "%s", line);
}

/* On another device the run goes on, and says that bits may differ. */
static void another_machine_is_warned_of(void **state) {
    (void)state;
    dpr_train_options options = options_of("nesterov");
    struct run run = start(&options);
    OK(context, dpr_trainer_step(run.trainer, NULL));
    OK(context, dpr_trainer_save(run.trainer, path));
    OK(context, dpr_trainer_resume(run.trainer, path));
    drop(&run);
    char line[512] = "";
    dpr_context *here = context;
    dpr_context_options elsewhere = dpr_context_options_default();
    elsewhere.device = "ref";
    elsewhere.log = keep_line;
    elsewhere.log_user = line;
    assert_int_equal(dpr_context_create(&elsewhere, &context), DPR_OK);
    dpr_data *same = make_data(context, train_sample, IMAGES, 1);
    dpr_model *model = make_model(context, same, net, 7);
    dpr_trainer *trainer;
    OK(context, dpr_trainer_create(model, same, &options, &trainer));
    OK(context, dpr_trainer_resume(trainer, path));
    assert_non_null(strstr(line, "may differ"));
    OK(context, dpr_trainer_epoch(trainer, NULL));
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_data_destroy(same);
    dpr_context_destroy(context);
    context = here;
}

/* ---- checkpoints that lie ---- */

static char *read_whole(size_t *n) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = calloc(1, 65536);
    *n = fread(bytes, 1, 65535, file);
    fclose(file);
    return bytes;
}

static void write_whole(const char *bytes, size_t n) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

/* A finished run of three epochs with `from` in its record replaced by `to`, of the same length. */
static void resume_altered(const char *from, const char *to, dpr_status wanted, const char *says) {
    dpr_train_options options = options_of("sgd");
    struct run run = start(&options);
    size_t n;
    free(result(&run));
    OK(context, dpr_trainer_save(run.trainer, path));
    drop(&run);
    char *bytes = read_whole(&n), *found = NULL;
    for (size_t i = 0; i + strlen(from) < n && found == NULL; i++)
        if (memcmp(bytes + i, from, strlen(from)) == 0)
            found = bytes + i;
    if (found == NULL)
        fail_msg("the checkpoint does not hold %s", from);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(found, to, strlen(to));
    write_whole(bytes, n);
    free(bytes);
    run = start(&options);
    FAILS(context, dpr_trainer_resume(run.trainer, path), wanted, says);
    OK(context, dpr_trainer_epoch(run.trainer, NULL)); /* as if nobody had asked */
    drop(&run);
}

#define Q "\\\""
static void refuses_records_that_lie(void **state) {
    (void)state;
    resume_altered(Q "epochs_done" Q ":3", Q "epochs_done" Q ":2", DPR_E_FORMAT, "history");
    resume_altered(Q "epochs_done" Q ":3", Q "epochs_done" Q ":4", DPR_E_FORMAT, "epochs_done");
    resume_altered(Q "epochs_done" Q ":3", Q "epochs_donk" Q ":3", DPR_E_FORMAT, "epochs_done");
    resume_altered(Q "finished" Q ":true", Q "finished" Q ":null", DPR_E_FORMAT, "finished");
    resume_altered(Q "best_in_place" Q ":f", Q "best_on_place" Q ":f", DPR_E_FORMAT,
                   "best_in_place");
    resume_altered(Q "best_epoch" Q ":0", Q "best_epoch" Q ":9", DPR_E_FORMAT, "best_epoch");
    resume_altered(Q "best_accuracy" Q ":0", Q "best_accurate" Q ":0", DPR_E_FORMAT,
                   "best_accuracy");
    resume_altered(Q "epoch_seconds" Q ":0", Q "epoch_secunds" Q ":0", DPR_E_FORMAT,
                   "epoch_seconds");
    resume_altered(Q "loss" Q ":", Q "lass" Q ":", DPR_E_FORMAT, "history");
    resume_altered(Q "history" Q ":[", Q "histery" Q ":[", DPR_E_FORMAT, "history");
    resume_altered(Q "looks" Q ":0", Q "looks" Q ":x", DPR_E_FORMAT, "JSON");
    resume_altered(Q "looks" Q ":0", Q "locks" Q ":0", DPR_E_FORMAT, "looks");
    resume_altered(Q "health" Q ":[]", Q "health" Q ":{}", DPR_E_FORMAT, "health");
    resume_altered(Q "epochs" Q ":3", Q "epochz" Q ":3", DPR_E_FORMAT, "epochs");
    resume_altered(Q "beta2" Q ":", Q "beto2" Q ":", DPR_E_MISMATCH, "missing");
    resume_altered(Q "data_sha256" Q ":", Q "date_sha256" Q ":", DPR_E_MISMATCH, "SHA-256");
    resume_altered("\"run\":", "\"ran\":", DPR_E_FORMAT, "no record");
    resume_altered("\"tick\":", "\"tock\":", DPR_E_FORMAT, "without the state");
    resume_altered("\"run\":\"{", "\"run\":\"[", DPR_E_FORMAT, "JSON");
}

/* Each counter in turn with another value: the four u64 leaves and the i32 stand where the header
 * says. */
static void refuses_counters_that_lie(void **state) {
    (void)state;
    dpr_train_options options = options_of("sgd");
    static const char *const leaves[] = {"seed", "epoch", "tick", "batch"};
    for (size_t i = 0; i < 4; i++)
        for (int change = 0; change < 2; change++) {
            struct run run = start(&options);
            uint8_t bytes[8] = {0};
            size_t width = i == 3 ? 4 : 8;
            OK(context, dpr_trainer_step(run.trainer, NULL));
            OK(context, dpr_store_read(run.model->store, leaves[i], bytes, width));
            bytes[change ? width - 1 : 0] ^= 0x80; /* a little, and negative or huge */
            OK(context, dpr_store_write(run.model->store, leaves[i], bytes, width));
            OK(context, dpr_trainer_save(run.trainer, path));
            drop(&run);
            run = start(&options);
            FAILS(context, dpr_trainer_resume(run.trainer, path), DPR_E_FORMAT, "counters");
            drop(&run);
        }
}

/* Every byte of the header changed: taken up or refused, and the trainer can be used after it. */
static void survives_damage(void **state) {
    (void)state;
    dpr_train_options options = options_of("momentum");
    struct run run = start(&options);
    size_t n;
    uint64_t header;
    OK(context, dpr_trainer_step(run.trainer, NULL));
    OK(context, dpr_trainer_save(run.trainer, path));
    char *bytes = read_whole(&n);
    memcpy(&header, bytes, sizeof header);
    unsigned refused = 0;
    for (size_t at = 0; at < header + 8; at++) {
        bytes[at] ^= 0x01;
        write_whole(bytes, n);
        refused += dpr_trainer_resume(run.trainer, path) != DPR_OK;
        bytes[at] ^= 0x01;
    }
    assert_true(refused > header / 2);
    for (size_t length = 0; length < n; length += 7) {
        write_whole(bytes, length);
        assert_int_not_equal(dpr_trainer_resume(run.trainer, path), DPR_OK);
    }
    write_whole(bytes, n);
    OK(context, dpr_trainer_resume(run.trainer, path));
    OK(context, dpr_trainer_epoch(run.trainer, NULL));
    free(bytes);
    drop(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_wherever_it_is_cut),
        cmocka_unit_test(same_bits_with_patience),
        cmocka_unit_test(same_bits_when_cut_all_the_time),
        cmocka_unit_test(same_bits_from_the_callback),
        cmocka_unit_test(finished_runs_stay_finished_or_go_on),
        cmocka_unit_test(going_on_after_patience),
        cmocka_unit_test(schedules_that_know_the_end),
        cmocka_unit_test(names_the_option_that_differs),
        cmocka_unit_test(names_data_and_network_that_differ),
        cmocka_unit_test(checkpoints_load_as_models),
        cmocka_unit_test(looking_changes_nothing),
        cmocka_unit_test(another_machine_is_warned_of),
        cmocka_unit_test(refuses_records_that_lie),
        cmocka_unit_test(refuses_counters_that_lie),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
