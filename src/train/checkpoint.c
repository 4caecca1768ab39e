/* Checkpoints: the model file with all state leaves, and the run record in the metadata. Resuming
 * checks everything that would change the result before it touches the trainer. */
#include "base/clock.h"
#include "base/context.h"
#include "base/text.h"
#include "train/trainer.h"
#include <limits.h>
#include <string.h>

/* ---- the record ---- */

static void add_double(dpr__text *text, const char *key, double value) {
    dpr__text_add(text, ",\"%s\":", key);
    dpr__json_add_double(text, value);
}

static void add_flag(dpr__text *text, const char *key, bool value) {
    dpr__text_add(text, ",\"%s\":%s", key, value ? "true" : "false");
}

static void add_report(dpr__text *text, const dpr_epoch_report *report) {
    dpr__text_add(text, "{\"epoch\":%u", report->epoch);
    add_double(text, "loss", report->loss);
    add_double(text, "train_accuracy", report->accuracy);
    if (report->has_validation) {
        add_double(text, "val_loss", report->validation_loss);
        add_double(text, "val_accuracy", report->validation_accuracy);
        add_double(text, "val_low", report->validation_low);
        add_double(text, "val_high", report->validation_high);
    }
    add_double(text, "images_per_second", report->images_per_second);
    add_double(text, "lr", report->learning_rate);
    add_double(text, "seconds", report->seconds);
    add_flag(text, "best", report->best);
    add_flag(text, "finished", report->finished);
    dpr__text_add(text, "}");
}

/* Rows of step, loss, accuracy and rate; then the mark. */
static void add_curve(dpr__text *text, const dpr_trainer *trainer) {
    dpr__text_add(text, ",\"steps_per_epoch\":%llu,\"curve\":[",
                  (unsigned long long)trainer->steps);
    for (size_t i = 0; i < trainer->n_curve; i++) {
        const dpr__curve_point *p = &trainer->curve[i];
        dpr__text_add(text, "%s[%llu,", i > 0 ? "," : "", (unsigned long long)p->step);
        dpr__json_add_double(text, p->loss);
        dpr__text_add(text, ",");
        dpr__json_add_double(text, p->accuracy);
        dpr__text_add(text, ",");
        dpr__json_add_double(text, p->rate);
        dpr__text_add(text, "]");
    }
    dpr__text_add(text, "],\"mark\":[%llu,", (unsigned long long)trainer->mark.position);
    dpr__json_add_double(text, trainer->mark.loss_sum);
    dpr__text_add(text, ",");
    dpr__json_add_double(text, trainer->mark.correct);
    dpr__text_add(text, "]");
}

static double seconds_of_epoch(const dpr_trainer *trainer) {
    return trainer->busy_seconds_before + (double)(dpr__now_ns() - trainer->began_ns) * 1e-9;
}

dpr_status dpr_trainer_run(const dpr_trainer *trainer, char **json) {
    dpr__text text;
    dpr__text_init(&text, trainer->context);
    dpr__text_add(&text, "{\"data\":");
    dpr__text_json(&text, trainer->data_name);
    dpr__text_add(&text, ",\"command\":");
    dpr__text_json(&text, trainer->command);
    dpr__text_add(&text, ",\"data_sha256\":\"%s\",\"validation_sha256\":\"%s\",\"images\":%zu",
                  trainer->data_sha256, trainer->validation_sha256, trainer->data->n);
    dpr__text_add(&text, ",\"init\":");
    dpr__text_json(&text, trainer->model->init);
    dpr__text_add(&text, ",\"init_seed\":%llu,\"version\":\"%s\",\"isa\":",
                  (unsigned long long)trainer->model->seed, dpr_version());
    dpr__text_json(&text, dpr_context_isa(trainer->context));
    dpr__text_add(&text, ",\"precision\":\"%s\"", dpr_context_precision(trainer->context));
    dpr__text_add(&text, ",\"device\":\"%s\",\"threads\":%u",
                  trainer->context->device == DPR__DEVICE_REF ? "ref" : "cpu",
                  dpr_context_threads(trainer->context));
    dpr__text_add(&text, ",\"options\":");
    dpr__options_write(&trainer->options, &text);
    dpr__text_add(&text, ",\"epochs_done\":%u,\"steps_done\":%llu,\"best_epoch\":%u",
                  trainer->epochs_done, (unsigned long long)trainer->tick, trainer->best_epoch);
    add_flag(&text, "finished", trainer->finished);
    add_flag(&text, "best_in_place", trainer->swapped);
    add_double(&text, "best_accuracy", trainer->best_accuracy);
    add_double(&text, "epoch_seconds", trainer->finished ? 0 : seconds_of_epoch(trainer));
    dpr__text_add(&text, ",\"history\":[");
    for (unsigned i = 0; i < trainer->epochs_done; i++) {
        dpr__text_add(&text, "%s", i > 0 ? "," : "");
        add_report(&text, &trainer->history[i]);
    }
    dpr__text_add(&text, "]");
    dpr__findings_write(trainer, &text);
    add_curve(&text, trainer);
    dpr__text_add(&text, "}");
    return dpr__text_finish(&text, json);
}

dpr_status dpr_trainer_save(const dpr_trainer *trainer, const char *path) {
    char *run;
    DPR_TRY(dpr_trainer_run(trainer, &run));
    dpr_status status = dpr__model_write(trainer->model, path, run, true);
    dpr__free(trainer->context, run);
    return status;
}

/* ---- reading it back ---- */

/* What a record says, beside what must simply be equal. */
struct kept {
    uint64_t epochs, epochs_done, best_epoch;
    bool finished, swapped;
    double best_accuracy, epoch_seconds;
    dpr_epoch_report *history; /* epochs_done; owned until it is handed to the trainer */
    dpr__curve_point *curve;   /* likewise */
    size_t n_curve;
    dpr__mark mark;
    uint64_t looks;
    dpr_ailment findings[DPR_N_CAUSES];
    size_t n_findings;
};

struct resuming {
    dpr_trainer *trainer;
    dpr_context *context;
    const char *path;
    dpr__safetensors *file;
    const dpr__json *run;
};

static dpr_status bad_record(const struct resuming *r, const char *key) {
    return DPR_FAIL(r->context, DPR_E_FORMAT, "%s: the run record's '%s' is missing or wrong",
                    r->path, key);
}

static bool get_flag(const dpr__json *object, const char *key, bool *out) {
    const dpr__json *value = dpr__json_get(object, key);
    *out = value != NULL && value->type == DPR__JSON_TRUE;
    return value != NULL && (value->type == DPR__JSON_TRUE || value->type == DPR__JSON_FALSE);
}

static bool get_double(const struct resuming *r, const dpr__json *object, const char *key,
                       double *out) {
    return dpr__json_double(r->context, dpr__json_get(object, key), out);
}

static bool read_report(const struct resuming *r, const dpr__json *item, dpr_epoch_report *out) {
    uint64_t epoch;
    out->size = sizeof *out;
    out->has_validation = dpr__json_get(item, "val_accuracy") != NULL;
    if (out->has_validation && !(get_double(r, item, "val_loss", &out->validation_loss) &&
                                 get_double(r, item, "val_accuracy", &out->validation_accuracy) &&
                                 get_double(r, item, "val_low", &out->validation_low) &&
                                 get_double(r, item, "val_high", &out->validation_high)))
        return false;
    if (!dpr__json_u64(dpr__json_get(item, "epoch"), &epoch) || epoch > UINT_MAX)
        return false;
    out->epoch = (unsigned)epoch;
    return get_double(r, item, "loss", &out->loss) &&
           get_double(r, item, "train_accuracy", &out->accuracy) &&
           get_double(r, item, "images_per_second", &out->images_per_second) &&
           get_double(r, item, "lr", &out->learning_rate) &&
           get_double(r, item, "seconds", &out->seconds) && get_flag(item, "best", &out->best) &&
           get_flag(item, "finished", &out->finished);
}

static dpr_status read_history(const struct resuming *r, struct kept *kept) {
    const dpr__json *history = dpr__json_get(r->run, "history");
    if (history == NULL || history->type != DPR__JSON_ARRAY || history->n != kept->epochs_done)
        return bad_record(r, "history");
    DPR_TRY(dpr__allocate(r->context, history->n, sizeof *kept->history, &kept->history));
    dpr_epoch_report *report = kept->history;
    for (const dpr__json *item = history->first; item; item = item->next, report++)
        if (!read_report(r, item, report))
            return bad_record(r, "history");
    return DPR_OK;
}

/* An array of n numbers. */
static bool read_numbers(const struct resuming *r, const dpr__json *array, double *out, size_t n) {
    if (array == NULL || array->type != DPR__JSON_ARRAY || array->n != n)
        return false;
    for (const dpr__json *item = array->first; item != NULL; item = item->next)
        if (!dpr__json_double(r->context, item, out++))
            return false;
    return true;
}

/* Runs of older versions have none. */
static dpr_status read_curve(const struct resuming *r, struct kept *kept) {
    enum { COLUMNS = 4 };
    const dpr__json *curve = dpr__json_get(r->run, "curve"), *mark = dpr__json_get(r->run, "mark");
    double row[COLUMNS];
    if (curve == NULL)
        return DPR_OK;
    if (curve->type != DPR__JSON_ARRAY)
        return bad_record(r, "curve");
    DPR_TRY(dpr__allocate(r->context, curve->n + 1, sizeof *kept->curve, &kept->curve));
    for (const dpr__json *item = curve->first; item != NULL; item = item->next) {
        if (!read_numbers(r, item, row, COLUMNS) || !(row[0] >= 0 && row[0] < 1e18))
            return bad_record(r, "curve");
        kept->curve[kept->n_curve++] = (dpr__curve_point){(uint64_t)row[0], row[1], row[2], row[3]};
    }
    if (!read_numbers(r, mark, row, COLUMNS - 1) || !(row[0] >= 0 && row[0] < 1e18))
        return bad_record(r, "mark");
    kept->mark = (dpr__mark){(uint64_t)row[0], row[1], row[2]};
    return DPR_OK;
}

/* Likewise. */
static dpr_status read_health(const struct resuming *r, struct kept *kept) {
    const dpr__json *health = dpr__json_get(r->run, "health");
    if (health == NULL)
        return DPR_OK;
    if (!dpr__json_u64(dpr__json_get(r->run, "looks"), &kept->looks) || kept->looks > 64)
        return bad_record(r, "looks");
    if (health->type != DPR__JSON_ARRAY || health->n > DPR_N_CAUSES)
        return bad_record(r, "health");
    for (const dpr__json *item = health->first; item != NULL; item = item->next)
        if (!dpr__finding_read(r->context, r->trainer->model, item,
                               &kept->findings[kept->n_findings++]))
            return bad_record(r, "health");
    return DPR_OK;
}

/* Values that only a record made by hand can have are refused here, so that go_on need not ask. */
static dpr_status read_kept(const struct resuming *r, struct kept *kept) {
    const dpr__json *options = dpr__json_get(r->run, "options");
    if (!dpr__json_u64(dpr__json_get(options, "epochs"), &kept->epochs))
        return bad_record(r, "epochs");
    if (!dpr__json_u64(dpr__json_get(r->run, "epochs_done"), &kept->epochs_done) ||
        kept->epochs_done > kept->epochs || kept->epochs > 1000000)
        return bad_record(r, "epochs_done");
    if (!dpr__json_u64(dpr__json_get(r->run, "best_epoch"), &kept->best_epoch) ||
        kept->best_epoch > kept->epochs_done)
        return bad_record(r, "best_epoch");
    if (!get_double(r, r->run, "best_accuracy", &kept->best_accuracy))
        return bad_record(r, "best_accuracy");
    if (!get_double(r, r->run, "epoch_seconds", &kept->epoch_seconds))
        return bad_record(r, "epoch_seconds");
    if (!get_flag(r->run, "finished", &kept->finished))
        return bad_record(r, "finished");
    if (!get_flag(r->run, "best_in_place", &kept->swapped))
        return bad_record(r, "best_in_place");
    DPR_TRY(read_history(r, kept));
    DPR_TRY(read_curve(r, kept));
    return read_health(r, kept);
}

/* ---- what must be equal ---- */

static dpr_status differs(const struct resuming *r, const char *what, const char *here,
                          const char *there) {
    return DPR_FAIL(r->context, DPR_E_MISMATCH,
                    "%s is '%.200s' here, but '%.200s' in the run of '%s'; a resumed run must keep "
                    "it",
                    what, here, there ? there : "", r->path);
}

/* Comments, blanks, and what repeats and blocks spare do not make another network. */
static bool same_net(const struct resuming *r, const char *there) {
    dpr__net *net;
    if (dpr__net_parse(r->context, r->path, there, &net) != DPR_OK)
        return false;
    bool same = dpr__net_equal(net, r->trainer->model->net);
    dpr__net_destroy(net);
    return same;
}

/* The metadata that a file of this model would have, against what the file has. */
static dpr_status compare_network(const struct resuming *r) {
    dpr__metadata here[DPR__MODEL_KEYS];
    DPR_TRY(dpr__model_metadata(r->trainer->model, &r->file->arena, here));
    for (size_t i = 0; i < DPR__MODEL_KEYS; i++) {
        const char *there = dpr__safetensors_metadata(r->file, here[i].key);
        if (there == NULL && strcmp(here[i].key, "tta") == 0)
            there = dpr__tta_words[0]; /* of a run that knew no other */
        bool net = strcmp(here[i].key, "net") == 0;
        if (there == NULL || (strcmp(here[i].value, there) != 0 && !(net && same_net(r, there))))
            return differs(r, here[i].key, here[i].value, there);
    }
    return DPR_OK;
}

static dpr_status compare_word(const struct resuming *r, const char *key, const char *what,
                               const char *here) {
    const char *there = dpr__json_string(dpr__json_get(r->run, key));
    return there != NULL && strcmp(there, here) == 0 ? DPR_OK : differs(r, what, here, there);
}

/* Before the network: another set, or another part of it held back, also changes the normalisation. */
static dpr_status compare_data(const struct resuming *r) {
    const char *there = dpr__json_string(dpr__json_get(r->run, "data_sha256"));
    if (there != NULL && strcmp(there, r->trainer->data_sha256) == 0)
        return DPR_OK;
    return DPR_FAIL(r->context, DPR_E_MISMATCH,
                    "the training set is not that of the run of '%s' (its SHA-256 differs): other "
                    "images, another part held back for validation, or another way to bring them "
                    "to size",
                    r->path);
}

/* The first weights are gone, but a run asked for with others is another run. */
static dpr_status compare_init(const struct resuming *r) {
    const dpr_model *model = r->trainer->model;
    const dpr__json *seed = dpr__json_get(r->run, "init_seed");
    char here[32];
    uint64_t there;
    DPR_TRY(compare_word(r, "init", "init", model->init));
    dpr__format(r->context, here, sizeof here, "%llu", (unsigned long long)model->seed);
    if (!dpr__json_u64(seed, &there) || there != model->seed)
        return differs(r, "the seed of the first weights", here, seed ? seed->text : NULL);
    return DPR_OK;
}

/* What was laid out for a number of epochs; NULL: nothing. */
static const char *laid_out(const dpr_trainer *trainer) {
    for (size_t k = 0; k < trainer->groups.n_rates; k++)
        if (dpr__rate_rule_needs_total(&trainer->groups.rate[k]))
            return dpr__schedule_words[trainer->groups.rate[k].schedule.kind];
    bool slows = trainer->options.lookahead > 0 && trainer->options.lookahead_power > 0;
    return slows ? "lookahead" : NULL;
}

/* More epochs may be asked for, unless that would have changed the steps done so far. */
static dpr_status compare_epochs(const struct resuming *r, const struct kept *kept) {
    const dpr_trainer *trainer = r->trainer;
    unsigned here = trainer->options.epochs;
    unsigned long long there = kept->epochs, done = kept->epochs_done;
    if (here == there)
        return DPR_OK;
    if (here < there)
        return DPR_FAIL(
            r->context, DPR_E_MISMATCH,
            "epochs is %u here, but %llu in the run of '%s'; a resumed run may get more, "
            "not fewer",
            here, there, r->path);
    const char *what = laid_out(trainer);
    if (what == NULL)
        return DPR_OK;
    if (!kept->finished)
        return DPR_FAIL(r->context, DPR_E_MISMATCH,
                        "epochs is %u here, but the %s schedule of the run of '%s' was laid out "
                        "for %llu; finish it first, then ask for more",
                        here, what, r->path, there);
    dpr__log(r->context, DPR_LOG_WARNING, DPR__TOPIC_TRAIN,
             "going on to %u epochs: the first %llu followed the %s schedule for %llu epochs", here,
             done, what, there);
    return DPR_OK;
}

/* Kernels of another ISA add in another order: allowed, since the machine may have been
 * replaced. */
static void warn_of_machine(const struct resuming *r) {
    const char *isa = dpr__json_string(dpr__json_get(r->run, "isa"));
    const char *device = dpr__json_string(dpr__json_get(r->run, "device"));
    const char *here = r->context->device == DPR__DEVICE_REF ? "ref" : "cpu";
    if (isa == NULL || device == NULL || strcmp(isa, dpr_context_isa(r->context)) != 0 ||
        strcmp(device, here) != 0)
        dpr__log(r->context, DPR_LOG_WARNING, DPR__TOPIC_TRAIN,
                 "'%s' was trained with %.32s (%.32s), this is %s (%s): sums are added in another "
                 "order, so the last bits of the weights may differ from a run left alone",
                 r->path, isa ? isa : "an unknown ISA", device ? device : "unknown device",
                 dpr_context_isa(r->context), here);
}

/* What numbers are rounded to is part of what is trained. */
static dpr_status compare_precision(const struct resuming *r) {
    const char *there = dpr__json_string(dpr__json_get(r->run, "precision"));
    const char *here = dpr_context_precision(r->context);
    if (there == NULL)
        there = "float32"; /* of a run that knew no other */
    if (strcmp(there, here) == 0)
        return DPR_OK;
    return DPR_FAIL(
        r->context, DPR_E_MISMATCH,
        "precision is %s here, but %.32s in the run of '%s'; resume with --precision %.32s", here,
        there, r->path, there);
}

static dpr_status compare(const struct resuming *r, const struct kept *kept) {
    const dpr_trainer *trainer = r->trainer;
    DPR_TRY(compare_precision(r));
    DPR_TRY(compare_data(r));
    DPR_TRY(compare_network(r));
    if (trainer->options.patience > 0)
        DPR_TRY(compare_word(r, "validation_sha256", "the validation set's SHA-256",
                             trainer->validation_sha256));
    DPR_TRY(dpr__options_compare(r->context, r->path, &trainer->options,
                                 dpr__json_get(r->run, "options")));
    DPR_TRY(compare_init(r));
    DPR_TRY(compare_epochs(r, kept));
    warn_of_machine(r);
    return DPR_OK;
}

/* ---- taking it up ---- */

/* Counters that no run of these options can have would send the step graph astray. */
static dpr_status check_counters(const struct resuming *r, const struct kept *kept) {
    const dpr_trainer *trainer = r->trainer;
    const dpr__stored *batch = dpr__safetensors_find(r->file, "batch");
    const dpr__stored *tick = dpr__safetensors_find(r->file, "tick");
    const dpr__stored *epoch = dpr__safetensors_find(r->file, "epoch");
    const dpr__stored *seed = dpr__safetensors_find(r->file, "seed");
    int32_t position;
    uint64_t ticks, epochs, first;
    if (batch == NULL || batch->bytes != sizeof position || tick == NULL ||
        tick->bytes != sizeof ticks || epoch == NULL || epoch->bytes != sizeof epochs ||
        seed == NULL || seed->bytes != sizeof first)
        return DPR_FAIL(r->context, DPR_E_FORMAT,
                        "%s: a model without the state of a training run; there is nothing to "
                        "resume",
                        r->path);
    memcpy(&position, batch->data, sizeof position);
    memcpy(&ticks, tick->data, sizeof ticks);
    memcpy(&epochs, epoch->data, sizeof epochs);
    memcpy(&first, seed->data, sizeof first);
    uint64_t begun = kept->epochs_done - (kept->finished ? 1 : 0);
    if ((kept->finished ? kept->epochs_done == 0 : kept->epochs_done == kept->epochs) ||
        position < 0 || (uint64_t)position > trainer->steps || epochs != begun ||
        ticks != begun * trainer->steps + (uint64_t)position || first != trainer->options.seed ||
        (kept->finished && (uint64_t)position != trainer->steps) ||
        (kept->swapped && !kept->finished))
        return DPR_FAIL(r->context, DPR_E_FORMAT,
                        "%s: the counters of the training run do not fit together", r->path);
    return DPR_OK;
}

/* The trainer after the file's leaves are in the store. */
static dpr_status go_on(dpr_trainer *trainer, struct kept *kept) {
    dpr__free(trainer->context, trainer->history);
    trainer->history = kept->history;
    trainer->history_capacity = (size_t)kept->epochs_done;
    kept->history = NULL;
    dpr__free(trainer->context, trainer->curve);
    trainer->curve = kept->curve;
    trainer->n_curve = kept->n_curve;
    trainer->curve_capacity = kept->curve != NULL ? kept->n_curve + 1 : 0;
    trainer->mark = kept->mark;
    kept->curve = NULL;
    trainer->looks = (unsigned)kept->looks;
    trainer->n_findings = kept->n_findings;
    memcpy(trainer->findings, kept->findings, sizeof kept->findings);
    trainer->epochs_done = (unsigned)kept->epochs_done;
    trainer->best_epoch = (unsigned)kept->best_epoch;
    trainer->best_accuracy = kept->best_accuracy;
    trainer->finished = kept->finished;
    trainer->swapped = kept->swapped;
    DPR_TRY(dpr__trainer_sync(trainer));
    unsigned patience = trainer->options.patience;
    bool spent = patience > 0 && trainer->epochs_done - trainer->best_epoch >= patience;
    if (trainer->finished && !spent && trainer->epochs_done < trainer->options.epochs) {
        trainer->finished = false; /* more epochs are asked for */
        trainer->history[trainer->epochs_done - 1].finished = false;
        if (trainer->swapped)
            dpr__trainer_swap_result(trainer);
        return dpr__trainer_begin_epoch(trainer);
    }
    if (trainer->finished)
        return DPR_OK;
    DPR_TRY(dpr__trainer_fill_tables(trainer));
    DPR_TRY(dpr__trainer_reserve_curve(trainer));
    trainer->began_ns = trainer->reported_ns = dpr__now_ns();
    trainer->busy_ns = trainer->busy_steps = trainer->busy_images = 0;
    trainer->busy_seconds_before = kept->epoch_seconds;
    return trainer->position == trainer->steps ? dpr__trainer_end_epoch(trainer, NULL) : DPR_OK;
}

static dpr_status resume(struct resuming *r, struct kept *kept) {
    const char *run = dpr__safetensors_metadata(r->file, "run");
    if (run == NULL || run[0] == 0)
        return DPR_FAIL(r->context, DPR_E_FORMAT,
                        "%s: no record of a training run; there is nothing to resume", r->path);
    DPR_TRY(dpr__json_parse(&r->file->arena, r->path, run, strlen(run), &r->run));
    DPR_TRY(read_kept(r, kept));
    DPR_TRY(compare(r, kept));
    DPR_TRY(check_counters(r, kept));
    dpr_model *model = r->trainer->model;
    char *copy;
    DPR_TRY(dpr__duplicate(r->context, run, &copy));
    /* The last thing that can fail, before the first that changes anything. */
    dpr_status status = dpr__model_copy_leaves(model, r->path, r->file);
    if (status != DPR_OK) {
        dpr__free(r->context, copy);
        return status;
    }
    dpr__free(r->context, model->run);
    model->run = copy;
    return go_on(r->trainer, kept);
}

dpr_status dpr_trainer_resume(dpr_trainer *trainer, const char *path) {
    dpr__safetensors file;
    struct kept kept = {0};
    DPR_TRY(dpr__safetensors_read(trainer->context, path, &file));
    struct resuming r = {
        .trainer = trainer, .context = trainer->context, .path = path, .file = &file};
    dpr_status status = resume(&r, &kept);
    dpr__free(trainer->context, kept.history);
    dpr__free(trainer->context, kept.curve);
    dpr__safetensors_release(&file);
    return status;
}
