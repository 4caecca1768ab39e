/* The training loop: epochs of steps, their tables of rates, validation, patience. */
#include "train/trainer.h"
#include "base/clock.h"
#include "base/context.h"
#include "ir/shape.h"
#include "train/class_weights.h"
#include "train/copies.h"
#include "train/whitening.h"
#include <math.h>
#include <string.h>

static dpr_store *store_of(const dpr_trainer *trainer) {
    return trainer->model->store;
}

/* ---- making ---- */

/* Inputs whose size is that of a run's set, not of the model's. */
static bool is_sized(const char *name) {
    static const char *const prefixes[] = {"train.",      "learning_rate",  "adam_correction_",
                                           "active",      "average_weight", "lookahead",
                                           "slow_weight", "update",         "table."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* Readies the leaves that a run writes: state begins at zero (statistics go on), and an input that an earlier run over
 * this model left with another number of rows gives its memory back. */
static void clear_leaves(dpr_store *store) {
    for (dpr__slot *slot = store->slots; slot < store->slots + store->n_slots; slot++) {
        if (slot->kind == DPR_STATE) {
            memset(slot->data, 0, slot->room);
            slot->version++;
        }
        if (slot->kind != DPR_INPUT || !is_sized(slot->name))
            continue;
        if (!slot->borrowed)
            dpr__free_aligned(store->context, slot->data);
        slot->data = NULL;
        store->moves++;
        slot->borrowed = false;
        slot->bytes = slot->room = 0;
        slot->shape.dim[0] = 0;
    }
}

static dpr_status lend(dpr_store *store, const char *name, dpr_dtype dtype, dpr_shape shape,
                       const void *memory) {
    const dpr__leaf_param leaf = {
        .name = name, .kind = DPR_INPUT, .init = DPR_INIT_ZERO, .dtype = dtype, .shape = shape};
    return dpr__store_lend(store, &leaf, memory);
}

/* Before the program is made, since the set may be most of what there is room for. */
static dpr_status bind_data(const dpr_trainer *trainer) {
    const dpr_data *data = trainer->data;
    const int64_t *dim = data->info.image.dim;
    dpr_store *store = store_of(trainer);
    const dpr_shape pool = dpr_shape_of((int64_t)data->rows, dim[0], dim[1], dim[2]);
    const dpr_shape all = dpr_shape_of((int64_t)data->n);
    DPR_TRY(lend(store, "train.images", DPR_U8, pool, data->pool));
    if (data->window != NULL)
        DPR_TRY(lend(store, "train.rows", DPR_I32, all, data->window->place));
    return lend(store, "train.labels", DPR_I32, all, data->labels);
}

/* The only program of a run: first, last and all steps between are the same. */
static dpr_status compile(dpr_trainer *trainer) {
    dpr__step_graph step;
    DPR_TRY(dpr__step_graph_create(trainer->model, &trainer->plan, &step));
    dpr_program_options options = dpr_program_options_default();
    options.batch = (int64_t)trainer->batch;
    options.train = true;
    options.seed = trainer->options.seed;
    dpr_status status = dpr_program_create(step.graph, store_of(trainer), step.roots, step.n_roots,
                                           &options, &trainer->program);
    if (status == DPR_OK)
        status = dpr__whiten(trainer->model, step.graph, trainer->data);
    trainer->loss = step.loss;
    dpr__step_graph_release(&step);
    return status;
}

/* The pixels that stand for the mean are those that the model's normalisation brings to 0. */
static dpr_status prepare_augment(dpr_trainer *trainer) {
    dpr__augment_param *param = &trainer->augment;
    DPR_TRY(dpr__augment_parse(trainer->context, trainer->options.augment, param));
    DPR_TRY(dpr__augment_text(trainer->context, param, &trainer->augment_text));
    trainer->options.augment = trainer->augment_text[0] != '\0' ? trainer->augment_text : NULL;
    return dpr__augment_fit(trainer->context, &trainer->model->info, trainer->data->n, param);
}

static dpr_status prepare_class_weights(dpr_trainer *trainer) {
    dpr_context *context = trainer->context;
    dpr_train_options *options = &trainer->options;
    const char *text = options->class_weights != NULL ? options->class_weights : "";
    DPR_TRY(dpr__duplicate(context, text, &trainer->class_weights_text));
    options->class_weights = trainer->class_weights_text;
    if (options->class_weights[0] == 0)
        return DPR_OK;
    DPR_TRY(dpr__allocate(context, trainer->data->info.n_classes, sizeof *trainer->class_weights,
                          &trainer->class_weights));
    return dpr__class_weights(&trainer->model->info, trainer->data, options->class_weights,
                              trainer->class_weights);
}

/* Everything that can be refused before the store is touched. */
static dpr_status prepare(dpr_trainer *trainer, const dpr_train_options *given) {
    const dpr_data *data = trainer->data;
    DPR_TRY(dpr__options_settle(trainer->context, given, &trainer->options));
    const dpr_train_options *options = &trainer->options;
    DPR_TRY(dpr__info_match(trainer->context, &trainer->model->info, &data->info));
    if (data->n == 0)
        return DPR_FAIL(trainer->context, DPR_E_DATA, "train: the set holds no images");
    DPR_TRY(prepare_augment(trainer));
    if (options->validation != NULL) {
        DPR_TRY(
            dpr__info_match(trainer->context, &trainer->model->info, &options->validation->info));
        if (options->validation->n == 0)
            return DPR_FAIL(trainer->context, DPR_E_DATA, "train: the validation set is empty");
        DPR_TRY(dpr_data_sha256(options->validation, trainer->validation_sha256));
    }
    DPR_TRY(dpr_data_sha256(data, trainer->data_sha256));
    DPR_TRY(prepare_class_weights(trainer));
    DPR_TRY(dpr__duplicate(trainer->context, options->data_name ? options->data_name : "",
                           &trainer->data_name));
    DPR_TRY(dpr__duplicate(trainer->context, options->command ? options->command : "",
                           &trainer->command));
    trainer->batch = options->batch < data->n ? options->batch : data->n;
    trainer->steps = (data->n + trainer->batch - 1) / trainer->batch;
    uint64_t updates = (trainer->steps + options->accumulate - 1) / options->accumulate;
    const dpr__manner manner = dpr__options_manner(options, updates);
    trainer->schedule = manner.schedule;
    const dpr__augment_param *augment = options->augment ? &trainer->augment : NULL;
    DPR_TRY(dpr__feed_init(&trainer->feed, data, augment, options->seed, trainer->batch,
                           trainer->steps));
    trainer->plan = (dpr__step_plan){.n = (int64_t)data->n,
                                     .pool = data->window != NULL ? (int64_t)data->rows : 0,
                                     .steps = (int64_t)trainer->steps,
                                     .label_smoothing = options->label_smoothing,
                                     .class_weights = trainer->class_weights != NULL,
                                     .sum = dpr__options_sum(options),
                                     .optimizer = manner.optimizer,
                                     .augment = augment,
                                     .groups = &trainer->groups,
                                     .average = options->ema > 0 || options->swa > 0,
                                     .average_statistics = options->ema > 0,
                                     .lookahead = options->lookahead > 0,
                                     .accumulate = options->accumulate > 1};
    DPR_TRY(dpr__groups_resolve(store_of(trainer), options->groups, &manner, &trainer->groups));
    return dpr__allocate(trainer->context, trainer->steps, sizeof *trainer->table, &trainer->table);
}

/* The store's part: leaves at zero, program, data, first epoch. */
static dpr_status begin(dpr_trainer *trainer) {
    dpr_store *store = store_of(trainer);
    clear_leaves(store);
    DPR_TRY(bind_data(trainer));
    DPR_TRY(compile(trainer));
    DPR_TRY(dpr__model_write_normalisation(trainer->model));
    if (trainer->class_weights != NULL)
        DPR_TRY(dpr_store_write(store, "class_weights", trainer->class_weights,
                                trainer->data->info.n_classes * sizeof *trainer->class_weights));
    if (trainer->options.patience > 0) {
        DPR_TRY(dpr__copies_make(store, "best/", DPR_PARAMETER));
        DPR_TRY(dpr__copies_make(store, "best/", DPR_STATISTIC));
    }
    if (trainer->options.swa > 0)
        DPR_TRY(dpr__copies_make(store, "average/", DPR_STATISTIC));
    dpr__copies_take(store, "slow/", DPR_PARAMETER);
    dpr__copies_take(store, "slow/", DPR_STATISTIC);
    DPR_TRY(dpr_store_write(store, "seed", &trainer->options.seed, sizeof(uint64_t)));
    DPR_TRY(dpr__health_begin(trainer));
    return dpr__trainer_begin_epoch(trainer);
}

dpr_status dpr_trainer_create(dpr_model *model, const dpr_data *data,
                              const dpr_train_options *options, dpr_trainer **out) {
    dpr_trainer *trainer;
    DPR_TRY(dpr__allocate(model->context, 1, sizeof *trainer, &trainer));
    trainer->context = model->context;
    trainer->model = model;
    trainer->data = data;
    dpr_status status = prepare(trainer, options);
    if (status == DPR_OK)
        status = begin(trainer);
    if (status != DPR_OK)
        dpr_trainer_destroy(trainer);
    else
        *out = trainer;
    return status;
}

void dpr_trainer_destroy(dpr_trainer *trainer) {
    if (trainer == NULL)
        return;
    dpr_program_destroy(trainer->program);
    dpr_program_destroy(trainer->statistics);
    dpr__feed_release(&trainer->feed);
    dpr__groups_release(trainer->context, &trainer->groups);
    dpr__free(trainer->context, trainer->table);
    dpr__free(trainer->context, trainer->class_weights);
    dpr__free(trainer->context, trainer->class_weights_text);
    dpr__free(trainer->context, trainer->data_name);
    dpr__free(trainer->context, trainer->command);
    dpr__free(trainer->context, trainer->augment_text);
    dpr__free(trainer->context, trainer->history);
    dpr__free(trainer->context, trainer->curve);
    dpr__free(trainer->context, trainer->first_weights);
    dpr__free(trainer->context, trainer);
}

/* ---- epochs ---- */

/* Updates that the run has made before step `position` of the current epoch. */
static uint64_t updates_before(const dpr_trainer *trainer, uint64_t position) {
    return trainer->epochs_done * trainer->schedule.steps + position / trainer->options.accumulate;
}

/* Whether step i of an epoch ends with an update: every N-th, and the last. */
static bool updates_after(const dpr_trainer *trainer, uint64_t i) {
    return (i + 1) % trainer->options.accumulate == 0 || i + 1 == trainer->steps;
}

/* A table's entry for step i of this epoch, by rate rule k. */
static double entry(const dpr_trainer *trainer, dpr__table table, size_t k, uint64_t i) {
    const dpr__rate_rule *rule = &trainer->groups.rate[k];
    const dpr__optimizer *optimizer = &trainer->plan.optimizer;
    uint64_t t = updates_before(trainer, i);
    bool made = updates_after(trainer, i), active = dpr__rate_rule_active(rule, t);
    double updates = active ? (double)(t - rule->first + 1) : 1; /* since their state began */
    switch (table) {
    case DPR__TABLE_CORRECTION_1:
        return 1 / (1 - pow(optimizer->beta1, updates));
    case DPR__TABLE_CORRECTION_2:
        return 1 / (1 - pow(optimizer->beta2, updates));
    case DPR__TABLE_ACTIVE:
        return made && active;
    case DPR__TABLE_UPDATE:
        return made;
    case DPR__TABLE_AVERAGE:
        return made ? dpr__trainer_average_weight(trainer, t) : 0;
    case DPR__TABLE_LOOKAHEAD:
        return made && dpr__trainer_looks_ahead(trainer, t);
    case DPR__TABLE_SLOW:
        return made ? dpr__trainer_slow_weight(trainer, t) : 0;
    case DPR__TABLE_RATE:
    case DPR__N_TABLES:
        break;
    }
    return dpr__rate_rule_rate(rule, t);
}

static dpr_status fill_table(const dpr_trainer *trainer, dpr__table table, size_t k) {
    char name[DPR__TABLE_NAME];
    for (uint64_t i = 0; i < trainer->steps; i++)
        trainer->table[i] = (float)entry(trainer, table, k, i);
    return dpr_store_write(store_of(trainer), dpr__table_name(trainer->context, table, k, name),
                           trainer->table, trainer->steps * sizeof *trainer->table);
}

dpr_status dpr__trainer_fill_tables(dpr_trainer *trainer) {
    for (int table = 0; table < DPR__N_TABLES; table++)
        for (size_t k = 0; k < trainer->groups.n_rates; k++)
            if (dpr__table_wanted(&trainer->plan, (dpr__table)table, k))
                DPR_TRY(fill_table(trainer, (dpr__table)table, k));
    return DPR_OK;
}

dpr_status dpr__trainer_sync(dpr_trainer *trainer) {
    int32_t batch;
    DPR_TRY(dpr_store_read(store_of(trainer), "batch", &batch, sizeof batch));
    trainer->position = (uint64_t)batch;
    return dpr_store_read(store_of(trainer), "tick", &trainer->tick, sizeof trainer->tick);
}

dpr_status dpr__trainer_begin_epoch(dpr_trainer *trainer) {
    dpr_store *store = store_of(trainer);
    uint64_t epoch = trainer->epochs_done;
    int32_t batch = 0;
    float zero = 0;
    DPR_TRY(dpr__trainer_fill_tables(trainer));
    DPR_TRY(dpr_store_write(store, "epoch", &epoch, sizeof epoch));
    DPR_TRY(dpr_store_write(store, "batch", &batch, sizeof batch));
    DPR_TRY(dpr_store_write(store, "loss_sum", &zero, sizeof zero));
    DPR_TRY(dpr_store_write(store, "correct", &zero, sizeof zero));
    trainer->began_ns = trainer->reported_ns = dpr__now_ns();
    trainer->busy_ns = trainer->busy_steps = trainer->busy_images = 0;
    trainer->busy_seconds_before = 0;
    trainer->mark = (dpr__mark){0};
    DPR_TRY(dpr__trainer_reserve_curve(trainer));
    return dpr__trainer_sync(trainer);
}

uint64_t dpr__trainer_images(const dpr_trainer *trainer, uint64_t position) {
    uint64_t images = position * trainer->batch;
    return images < trainer->data->n ? images : trainer->data->n;
}

dpr_status dpr__trainer_sums(const dpr_trainer *trainer, double *loss_sum, double *correct) {
    float sums[2];
    DPR_TRY(dpr_store_read(store_of(trainer), "loss_sum", &sums[0], sizeof sums[0]));
    DPR_TRY(dpr_store_read(store_of(trainer), "correct", &sums[1], sizeof sums[1]));
    *loss_sum = (double)sums[0];
    *correct = (double)sums[1];
    return DPR_OK;
}

/* Mean loss and accuracy of the epoch so far. */
static dpr_status read_means(const dpr_trainer *trainer, double *loss, double *accuracy) {
    double images = (double)dpr__trainer_images(trainer, trainer->position);
    DPR_TRY(dpr__trainer_sums(trainer, loss, accuracy));
    *loss = images > 0 ? *loss / images : 0;
    *accuracy = images > 0 ? *accuracy / images : 0;
    return DPR_OK;
}

static double images_per_second(const dpr_trainer *trainer) {
    return trainer->busy_ns > 0 ? (double)trainer->busy_images * 1e9 / (double)trainer->busy_ns : 0;
}

static double epoch_seconds(const dpr_trainer *trainer) {
    return trainer->busy_seconds_before + (double)(dpr__now_ns() - trainer->began_ns) * 1e-9;
}

/* Of the step done last, which the report and the progress show. */
double dpr__trainer_last_rate(const dpr_trainer *trainer) {
    uint64_t last = trainer->position > 0 ? trainer->position - 1 : 0;
    return dpr__schedule_rate(&trainer->schedule, updates_before(trainer, last));
}

/* ---- the end of an epoch ---- */

static dpr_status validate(dpr_trainer *trainer, dpr_epoch_report *report) {
    dpr_evaluation found;
    if (trainer->options.validation == NULL)
        return DPR_OK;
    DPR_TRY(dpr__evaluate(trainer->model, trainer->options.validation, 0, &found));
    report->has_validation = true;
    report->validation_loss = found.loss;
    report->validation_accuracy = found.accuracy;
    report->validation_low = found.accuracy_low;
    report->validation_high = found.accuracy_high;
    report->best = trainer->best_epoch == 0 || found.accuracy > trainer->best_accuracy;
    return DPR_OK;
}

/* The weights that count are those of the average, where there is one. */
static dpr_status judge(dpr_trainer *trainer, dpr_epoch_report *report) {
    bool averaged = dpr__trainer_averages(trainer, report->epoch);
    if (trainer->options.validation == NULL && report->epoch < trainer->options.epochs)
        return DPR_OK;
    if (averaged)
        DPR_TRY(dpr__trainer_enter_average(trainer));
    dpr_status status = validate(trainer, report);
    if (status == DPR_OK && report->best && trainer->options.patience > 0) {
        dpr__copies_take(store_of(trainer), "best/", DPR_PARAMETER);
        dpr__copies_take(store_of(trainer), "best/", DPR_STATISTIC);
    }
    if (averaged)
        dpr__trainer_leave_average(trainer);
    return status;
}

void dpr__trainer_swap_result(dpr_trainer *trainer) {
    dpr__copies_swap(store_of(trainer), trainer->options.patience > 0 ? "best/" : "average/");
    trainer->swapped = !trainer->swapped;
}

static dpr_status update_run(const dpr_trainer *trainer) {
    char *run;
    DPR_TRY(dpr_trainer_run(trainer, &run));
    dpr__free(trainer->context, trainer->model->run);
    trainer->model->run = run;
    return DPR_OK;
}

dpr_status dpr__trainer_end_epoch(dpr_trainer *trainer, dpr_epoch_report *report) {
    const dpr_train_options *options = &trainer->options;
    dpr_epoch_report made = {.size = sizeof made,
                             .epoch = trainer->epochs_done + 1,
                             .images_per_second = images_per_second(trainer),
                             .learning_rate = dpr__trainer_last_rate(trainer)};
    DPR_TRY(dpr__grow(trainer->context, &trainer->history, &trainer->history_capacity, made.epoch,
                      sizeof *trainer->history));
    DPR_TRY(dpr__trainer_reserve_curve(trainer)); /* of the next epoch */
    DPR_TRY(read_means(trainer, &made.loss, &made.accuracy));
    DPR_TRY(judge(trainer, &made));
    DPR_TRY(dpr__health_look(trainer, made.epoch == options->epochs));
    DPR_TRY(dpr__health_compare(trainer, &made));
    made.seconds = epoch_seconds(trainer);
    if (made.best) {
        trainer->best_epoch = made.epoch;
        trainer->best_accuracy = made.validation_accuracy;
    }
    /* The report is made; from here on the trainer changes, and nothing fails before it is
     * whole. */
    bool spent = options->patience > 0 && made.epoch - trainer->best_epoch >= options->patience;
    trainer->finished = made.finished = spent || made.epoch >= options->epochs;
    trainer->history[trainer->epochs_done++] = made;
    if (!trainer->finished)
        DPR_TRY(dpr__trainer_begin_epoch(trainer));
    else if (options->patience > 0 || dpr__trainer_averages(trainer, made.epoch))
        dpr__trainer_swap_result(trainer);
    if (report != NULL)
        *report = made;
    return update_run(trainer);
}

/* ---- steps ---- */

/* The message of a run that met a loss that is not finite, with the step and a rate to try. */
static dpr_status explain(dpr_trainer *trainer) {
    char message[DPR__ERROR_BYTES];
    dpr__health_non_finite(trainer);
    strcpy(message, dpr_error(trainer->context));
    return DPR_FAIL(trainer->context, DPR_E_NON_FINITE,
                    "step %llu (epoch %u, batch %llu of %llu): %s; try a learning rate of %.3g",
                    (unsigned long long)(trainer->tick + 1), trainer->epochs_done + 1,
                    (unsigned long long)(trainer->position + 1), (unsigned long long)trainer->steps,
                    message, dpr__health_lower_rate(&trainer->options));
}

dpr_status dpr__trainer_run(dpr_trainer *trainer, dpr_program *program, uint64_t position,
                            uint64_t ticks, const volatile int *stop, uint64_t *done) {
    uint64_t ready;
    *done = 0;
    DPR_TRY(dpr__feed_steps(&trainer->feed, trainer->epochs_done, position, ticks, stop, &ready));
    return dpr_program_run(program, ready, stop, done);
}

/* Up to `ticks` steps of this epoch. */
static dpr_status run(dpr_trainer *trainer, uint64_t ticks, const volatile int *stop) {
    uint64_t start = dpr__now_ns(), before = trainer->position, done;
    dpr_status status = dpr__trainer_run(trainer, trainer->program, before, ticks, stop, &done);
    if (status == DPR_E_INTERRUPTED) /* while loading; who calls looks at *stop */
        status = DPR_OK;
    trainer->busy_ns += dpr__now_ns() - start;
    if (status != DPR_OK && status != DPR_E_NON_FINITE)
        return status;
    if (status == DPR_OK)
        DPR_TRY(dpr__trainer_sync(trainer));
    else
        (void)dpr__trainer_sync(trainer); /* the leaves exist; the message must stay */
    trainer->busy_steps += trainer->position - before;
    trainer->busy_images +=
        dpr__trainer_images(trainer, trainer->position) - dpr__trainer_images(trainer, before);
    return status == DPR_OK ? DPR_OK : explain(trainer);
}

static dpr_status refuse_finished(const dpr_trainer *trainer) {
    if (!trainer->finished)
        return DPR_OK;
    return DPR_FAIL(trainer->context, DPR_E_ARGUMENT,
                    "the run is finished after %u epochs; ask for more epochs to go on",
                    trainer->epochs_done);
}

/* After some steps: a point of the curve, and a look where there is one; the last of an epoch gets its look with all that ends it. */
static dpr_status take_stock(dpr_trainer *trainer) {
    DPR_TRY(dpr__trainer_take_mark(trainer));
    bool marked = trainer->position == trainer->mark.position;
    return marked && trainer->position < trainer->steps ? dpr__health_look(trainer, false) : DPR_OK;
}

dpr_status dpr_trainer_step(dpr_trainer *trainer, double *loss) {
    float value;
    if (trainer->position == trainer->steps && !trainer->finished) /* a failure came in between */
        DPR_TRY(dpr__trainer_end_epoch(trainer, NULL));
    DPR_TRY(refuse_finished(trainer));
    DPR_TRY(run(trainer, 1, NULL));
    DPR_TRY(take_stock(trainer));
    DPR_TRY(dpr_program_read(trainer->program, trainer->loss, &value, sizeof value));
    if (loss != NULL)
        *loss = (double)value;
    return trainer->position == trainer->steps ? dpr__trainer_end_epoch(trainer, NULL) : DPR_OK;
}

/* How many steps fit in a tenth of a second, by those done so far; all up to the next mark where
 * nobody wants to hear of progress. */
static uint64_t piece(const dpr_trainer *trainer) {
    uint64_t left = dpr__trainer_next_mark(trainer) - trainer->position;
    if (trainer->options.progress == NULL)
        return left;
    if (trainer->busy_steps == 0 || trainer->busy_ns == 0)
        return 1;
    double fit = 1e8 * (double)trainer->busy_steps / (double)trainer->busy_ns;
    return fit < 1 ? 1 : fit < (double)left ? (uint64_t)fit : left;
}

/* Tells of the progress when a tenth of a second has passed or the epoch's steps are done. */
static dpr_status tell(dpr_trainer *trainer, bool *stopped) {
    uint64_t now = dpr__now_ns();
    bool last = trainer->position == trainer->steps;
    if (trainer->options.progress == NULL || (now - trainer->reported_ns < 90000000 && !last))
        return DPR_OK;
    trainer->reported_ns = now;
    dpr_progress progress = {.epoch = trainer->epochs_done + 1,
                             .epochs = trainer->options.epochs,
                             .step = trainer->position,
                             .steps = trainer->steps,
                             .images_per_second = images_per_second(trainer),
                             .learning_rate = dpr__trainer_last_rate(trainer),
                             .seconds = epoch_seconds(trainer)};
    DPR_TRY(read_means(trainer, &progress.loss, &progress.accuracy));
    *stopped = trainer->options.progress(trainer->options.progress_user, &progress) != 0;
    return DPR_OK;
}

dpr_status dpr_trainer_epoch(dpr_trainer *trainer, dpr_epoch_report *report) {
    const volatile int *stop = trainer->options.stop;
    bool stopped = false;
    DPR_TRY(refuse_finished(trainer));
    while (trainer->position < trainer->steps) {
        if (stopped || (stop != NULL && *stop))
            return DPR_FAIL(trainer->context, DPR_E_INTERRUPTED,
                            "interrupted after step %llu of %llu in epoch %u",
                            (unsigned long long)trainer->position,
                            (unsigned long long)trainer->steps, trainer->epochs_done + 1);
        DPR_TRY(run(trainer, piece(trainer), stop));
        DPR_TRY(take_stock(trainer));
        DPR_TRY(tell(trainer, &stopped));
    }
    return dpr__trainer_end_epoch(trainer, report);
}

/* ---- asking ---- */

unsigned dpr_trainer_epochs_done(const dpr_trainer *trainer) {
    return trainer->epochs_done;
}

uint64_t dpr_trainer_steps_done(const dpr_trainer *trainer) {
    return trainer->tick;
}

bool dpr_trainer_finished(const dpr_trainer *trainer) {
    return trainer->finished;
}

size_t dpr_trainer_history(const dpr_trainer *trainer, const dpr_epoch_report **reports) {
    *reports = trainer->history;
    return trainer->epochs_done;
}
