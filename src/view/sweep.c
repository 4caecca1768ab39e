/* The runs of a sweep. First the rates that are to be tried, then each case with each seed; small ones side by side, each on one thread with a context
 * of its own, the others one after the other. What a run gives depends on none of this, since the engine's results do not depend on threads. */
#include "view/sweep.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/parallel.h"
#include "train/data.h"
#include <math.h>
#include <pthread.h>
#include <string.h>

/* One training. */
struct job {
    struct stage *stage;
    size_t i;     /* case */
    int rate;     /* tuning: which one is tried; else −1 */
    size_t run;   /* else which run */
    double cost;  /* in operations */
    double share; /* of it that is done */
    dpr_train_options training;
    dpr__sweep_kind kind;
    char key[DPR__SWEEP_KEY];
};

/* Jobs that do not wait for each other, and what all stages of this process know. The lock protects all that jobs share. */
struct stage {
    dpr_sweep *sweep;
    struct job *jobs;
    size_t n;
    pthread_mutex_t lock;
    uint64_t began_ns, told_ns;
    double done, all; /* operations */
    size_t n_told;    /* runs that `finished` has heard of */
};

/* ---- telling ---- */

static void tell_runs(struct stage *stage) {
    const dpr_sweep *sweep = stage->sweep;
    for (; stage->n_told < sweep->n_runs && sweep->runs[stage->n_told].done; stage->n_told++) {
        const dpr_sweep_run *run = &sweep->runs[stage->n_told];
        if (sweep->options.finished != NULL)
            sweep->options.finished(sweep->options.user, run, &sweep->rows[run->case_index]);
    }
}

static void tell_progress(struct stage *stage) {
    const dpr_sweep *sweep = stage->sweep;
    dpr_sweep_progress progress = {.runs = sweep->n_runs, .seconds_left = -1};
    double now = stage->done, seconds = 1e-9 * (double)(dpr__now_ns() - stage->began_ns);
    for (size_t k = 0; k < stage->n; k++)
        now += stage->jobs[k].cost * stage->jobs[k].share;
    for (size_t k = 0; k < sweep->n_runs; k++)
        progress.done += sweep->runs[k].done;
    progress.share = stage->all > 0 ? fmin(1, now / stage->all) : 1;
    if (progress.share > 0.005)
        progress.seconds_left = seconds * (1 - progress.share) / progress.share;
    sweep->options.progress(sweep->options.user, &progress);
}

/* Called by a trainer some times a second. */
static int on_progress(void *user, const dpr_progress *now) {
    enum { BETWEEN_NS = 100000000 };
    struct job *job = user;
    struct stage *stage = job->stage;
    double epoch = now->steps > 0 ? (double)now->step / (double)now->steps : 0;
    pthread_mutex_lock(&stage->lock);
    job->share = (now->epoch - 1 + epoch) / now->epochs;
    if (dpr__now_ns() - stage->told_ns >= BETWEEN_NS) {
        stage->told_ns = dpr__now_ns();
        tell_progress(stage);
    }
    pthread_mutex_unlock(&stage->lock);
    return 0;
}

/* ---- one run ---- */

dpr_status dpr__sweep_view(dpr_context *own, const dpr_data *data, dpr_data **out) {
    *out = NULL;
    return data == NULL ? DPR_OK
                        : dpr_data_create(own, &data->info, data->pool, data->labels, data->n, NULL,
                                          NULL, out);
}

static dpr_status evaluate(dpr_model *model, const dpr_data *data, double *accuracy, double *loss) {
    dpr_evaluation found;
    if (data == NULL)
        return DPR_OK;
    DPR_TRY(dpr_evaluate(model, data, &found));
    *accuracy = found.accuracy;
    *loss = found.loss;
    return DPR_OK;
}

/* Trains until the end, or until the loss is not finite: then the weights are those of before. */
static dpr_status train(dpr_model *model, const dpr_data *data, const dpr_train_options *training,
                        dpr__sweep_result *result) {
    dpr_trainer *trainer;
    uint64_t began = dpr__now_ns();
    DPR_TRY(dpr_trainer_create(model, data, training, &trainer));
    dpr_status status = DPR_OK;
    while (status == DPR_OK && !dpr_trainer_finished(trainer))
        status = dpr_trainer_epoch(trainer, NULL);
    result->diverged = status == DPR_E_NON_FINITE;
    result->epochs = dpr_trainer_epochs_done(trainer);
    result->seconds = 1e-9 * (double)(dpr__now_ns() - began);
    dpr_trainer_destroy(trainer);
    return result->diverged ? DPR_OK : status;
}

/* sets: for training, validation, test. Only a run looks at the last. */
static dpr_status train_and_test(dpr_context *own, const struct job *job,
                                 const dpr_data *const *sets, dpr__sweep_result *result) {
    double unused;
    dpr_train_options training = job->training;
    dpr_model *model;
    *result = (dpr__sweep_result){.done = true,
                                  .val_accuracy = (double)NAN,
                                  .val_loss = (double)NAN,
                                  .test_accuracy = (double)NAN};
    training.validation = training.validation != NULL ? sets[1] : NULL;
    DPR_TRY(dpr__sweep_model(job->stage->sweep, job->i, own, training.seed, &model));
    dpr_status status = train(model, sets[0], &training, result);
    if (status == DPR_OK)
        status = evaluate(model, sets[1], &result->val_accuracy, &result->val_loss);
    if (status == DPR_OK && job->kind == DPR__SWEEP_RUN)
        status = evaluate(model, sets[2], &result->test_accuracy, &unused);
    if (status == DPR_OK)
        status = dpr_model_weights_sha256(model, result->weights_sha256);
    dpr_model_destroy(model);
    return status;
}

static void set_run(const dpr_sweep *sweep, dpr_sweep_run *run, const dpr__sweep_result *result,
                    const char *line) {
    run->diverged = result->diverged;
    run->epochs = result->epochs;
    run->flops = (uint64_t)dpr__sweep_flops(sweep, run->case_index, result->epochs);
    run->val_accuracy = result->val_accuracy;
    run->val_loss = result->val_loss;
    run->test_accuracy = result->test_accuracy;
    run->seconds = result->seconds;
    memcpy(run->weights_sha256, result->weights_sha256, sizeof run->weights_sha256);
    run->json = line;
    run->done = true;
}

/* Under the lock: the run is on disk before anybody hears of it. */
static dpr_status finish_job(dpr_context *own, struct job *job, const dpr__sweep_result *result) {
    struct stage *stage = job->stage;
    dpr_sweep *sweep = stage->sweep;
    char *line;
    DPR_TRY(
        dpr__sweep_line(sweep, own, job->i, job->key, job->kind, &job->training, result, &line));
    DPR_TRY(dpr__sweep_keep(sweep, own, job->key, line, result));
    if (job->kind == DPR__SWEEP_TUNING)
        sweep->plans[job->i].tries[job->rate] = *result;
    else
        set_run(sweep, &sweep->runs[job->run], result, line);
    job->share = 1;
    tell_runs(stage);
    return DPR_OK;
}

static dpr_status do_job(dpr_context *own, void *user, size_t k) {
    struct stage *stage = user;
    const dpr_sweep *sweep = stage->sweep;
    struct job *job = &stage->jobs[k];
    const dpr_data *sets[] = {sweep->train, sweep->validation, sweep->test};
    dpr_data *views[3] = {NULL, NULL, NULL};
    dpr__sweep_result result;
    dpr_status status = DPR_OK;
    if (sweep->options.stop != NULL && *sweep->options.stop)
        return DPR_FAIL(own, DPR_E_INTERRUPTED, "interrupted");
    for (size_t i = 0; i < 3 && own != sweep->context && status == DPR_OK; i++) {
        status = dpr__sweep_view(own, sets[i], &views[i]);
        sets[i] = views[i];
    }
    if (status == DPR_OK)
        status = train_and_test(own, job, sets, &result);
    if (status == DPR_OK) {
        pthread_mutex_lock(&stage->lock);
        status = finish_job(own, job, &result);
        pthread_mutex_unlock(&stage->lock);
    }
    for (size_t i = 0; i < 3; i++)
        dpr_data_destroy(views[i]);
    return status;
}

/* ---- stages ---- */

/* Adds the job unless an earlier sweep has done it: then takes what that found. */
static dpr_status add_job(struct stage *stage, size_t i, int rate, size_t run) {
    dpr_sweep *sweep = stage->sweep;
    dpr_context *context = sweep->context;
    const dpr__sweep_plan *plan = &sweep->plans[i];
    bool tuning = rate >= 0;
    struct job job = {.stage = stage, .i = i, .rate = rate, .run = run};
    char *line;
    job.kind = tuning ? DPR__SWEEP_TUNING : DPR__SWEEP_RUN;
    job.training =
        dpr__sweep_training(sweep, i, tuning ? sweep->options.seed : sweep->runs[run].seed,
                            tuning ? plan->rates[rate] : sweep->rows[i].learning_rate,
                            tuning ? plan->tune_epochs : sweep->rows[i].epochs);
    job.cost = dpr__sweep_flops(sweep, i, job.training.epochs);
    DPR_TRY(dpr__sweep_key(sweep, context, i, &job.training, job.kind, job.key));
    const dpr__sweep_result *found = dpr__sweep_find(sweep, job.key);
    job.training.stop = sweep->options.stop;
    if (found != NULL && tuning)
        sweep->plans[i].tries[rate] = *found;
    if (found != NULL && !tuning) {
        DPR_TRY(dpr__sweep_line(sweep, context, i, job.key, job.kind, &job.training, found, &line));
        const char *kept = dpr__arena_text(&sweep->arena, line, strlen(line));
        dpr__free(context, line);
        if (kept == NULL)
            return DPR_E_MEMORY;
        set_run(sweep, &sweep->runs[run], found, kept);
    }
    if (found == NULL)
        stage->jobs[stage->n++] = job;
    return DPR_OK;
}

/* What is to be tuned; then, with the rates known, the runs. */
static dpr_status add_tuning(struct stage *stage) {
    for (size_t i = 0; i < stage->sweep->options.n_cases; i++)
        for (int k = DPR__SWEEP_FIRST_RATE;
             k <= DPR__SWEEP_LAST_RATE && stage->sweep->plans[i].tuned; k++)
            DPR_TRY(add_job(stage, i, k, 0));
    return DPR_OK;
}

/* One rate further for every network whose best rate is at an edge. What an earlier sweep found is passed over at once. */
static dpr_status add_further(struct stage *stage) {
    int rate;
    for (size_t i = 0; i < stage->sweep->options.n_cases; i++)
        while (dpr__sweep_widen(stage->sweep, i, &rate))
            DPR_TRY(add_job(stage, i, rate, 0));
    return DPR_OK;
}

static dpr_status add_runs(struct stage *stage) {
    dpr_sweep *sweep = stage->sweep;
    for (size_t i = 0; i < sweep->options.n_cases; i++)
        dpr__sweep_choose_rate(sweep, i);
    for (size_t k = 0; k < sweep->n_runs; k++) {
        size_t i = sweep->runs[k].case_index;
        if (!sweep->runs[k].done && sweep->rows[i].learning_rate > 0)
            DPR_TRY(add_job(stage, i, -1, k));
    }
    return DPR_OK;
}

/* Small jobs first, side by side. Pointers to jobs are handed out from here on. */
static dpr_status do_jobs(struct stage *stage) {
    dpr_sweep *sweep = stage->sweep;
    dpr_context *context = sweep->context;
    unsigned jobs = sweep->options.jobs;
    size_t small = 0;
    for (size_t k = 0; k < stage->n; k++)
        if (dpr__sweep_is_small(sweep, stage->jobs[k].i)) {
            struct job job = stage->jobs[k];
            memmove(stage->jobs + small + 1, stage->jobs + small, (k - small) * sizeof job);
            stage->jobs[small++] = job;
        }
    for (size_t k = 0; k < stage->n && sweep->options.progress != NULL; k++) {
        stage->jobs[k].training.progress = on_progress;
        stage->jobs[k].training.progress_user = &stage->jobs[k];
    }
    DPR_TRY(dpr__parallel_on(context, jobs > 0 ? jobs : dpr_context_threads(context), small, do_job,
                             stage));
    for (size_t k = small; k < stage->n; k++)
        DPR_TRY(do_job(context, stage, k));
    for (size_t k = 0; k < stage->n; k++)
        stage->done += stage->jobs[k].cost;
    stage->n = 0;
    return DPR_OK;
}

/* Operations of all jobs, and of all runs, though some may be found once their rate is known. */
static double work_left(const struct stage *stage) {
    const dpr_sweep *sweep = stage->sweep;
    double sum = 0;
    for (size_t k = 0; k < stage->n; k++)
        sum += stage->jobs[k].cost;
    for (size_t k = 0; k < sweep->n_runs; k++)
        if (!sweep->runs[k].done)
            sum += dpr__sweep_flops(sweep, sweep->runs[k].case_index,
                                    sweep->rows[sweep->runs[k].case_index].epochs);
    return sum;
}

static dpr_status do_all(struct stage *stage) {
    DPR_TRY(dpr__sweep_budget(stage->sweep));
    DPR_TRY(add_tuning(stage));
    stage->began_ns = dpr__now_ns();
    do {
        stage->all = stage->done + work_left(stage);
        DPR_TRY(do_jobs(stage));
        DPR_TRY(add_further(stage));
    } while (stage->n > 0);
    DPR_TRY(add_runs(stage));
    stage->all = stage->done;
    for (size_t k = 0; k < stage->n; k++)
        stage->all += stage->jobs[k].cost;
    tell_runs(stage);
    return do_jobs(stage);
}

static dpr_status write_all(dpr_sweep *sweep) {
    dpr__text text;
    DPR_TRY(dpr__sweep_judge(sweep));
    DPR_TRY(dpr__sweep_write_csv(sweep));
    dpr__text_init(&text, sweep->context);
    dpr__text_add(&text, "%s\n", sweep->json);
    DPR_TRY(dpr__sweep_write(sweep, "sweep.json", &text, text.status));
    return dpr__sweep_write_page(sweep);
}

dpr_status dpr_sweep_train(dpr_sweep *sweep) {
    struct stage stage = {.sweep = sweep};
    size_t most = sweep->options.n_cases * DPR__SWEEP_RATES;
    DPR_TRY(dpr__allocate(sweep->context, most > sweep->n_runs ? most : sweep->n_runs,
                          sizeof *stage.jobs, &stage.jobs));
    pthread_mutex_init(&stage.lock, NULL);
    dpr_status status = do_all(&stage);
    pthread_mutex_destroy(&stage.lock);
    dpr__free(sweep->context, stage.jobs);
    if (status == DPR_OK || status == DPR_E_INTERRUPTED) {
        dpr_status written = write_all(sweep);
        status = status == DPR_OK ? written : status;
    }
    return status;
}

/* ---- making and asking ---- */

dpr_status dpr_sweep_create(dpr_context *context, const dpr_data *train, const dpr_data *validation,
                            const dpr_data *test, const dpr_sweep_options *options,
                            dpr_sweep **out) {
    dpr_sweep *sweep;
    DPR_TRY(dpr__allocate(context, 1, sizeof *sweep, &sweep));
    sweep->context = context;
    sweep->train = train;
    sweep->validation = validation;
    sweep->test = test;
    sweep->options = dpr_sweep_options_default();
    memcpy(&sweep->options, options,
           options->size < sizeof sweep->options ? options->size : sizeof sweep->options);
    dpr__arena_init(&sweep->arena, context);
    dpr_status status = dpr__sweep_plan_all(sweep);
    if (status == DPR_OK)
        status = dpr__sweep_open(sweep);
    if (status == DPR_OK)
        *out = sweep;
    else
        dpr_sweep_destroy(sweep);
    return status;
}

void dpr_sweep_destroy(dpr_sweep *sweep) {
    if (sweep == NULL)
        return;
    dpr_context *context = sweep->context;
    for (size_t i = 0; i < sweep->n_entries; i++)
        dpr__free(context, sweep->entries[i].line);
    dpr__free(context, sweep->entries);
    dpr__free(context, sweep->plans);
    dpr__free(context, sweep->rows);
    dpr__free(context, sweep->runs);
    dpr__free(context, sweep->verdict);
    dpr__free(context, sweep->json);
    dpr__arena_release(&sweep->arena);
    dpr__free(context, sweep);
}

size_t dpr_sweep_runs(const dpr_sweep *sweep, const dpr_sweep_run **runs) {
    *runs = sweep->runs;
    return sweep->n_runs;
}

size_t dpr_sweep_rows(const dpr_sweep *sweep, const dpr_sweep_row **rows) {
    *rows = sweep->rows;
    return sweep->options.n_cases;
}

const char *dpr_sweep_verdict(const dpr_sweep *sweep) {
    return sweep->verdict != NULL ? sweep->verdict : "";
}

const char *dpr_sweep_json(const dpr_sweep *sweep) {
    return sweep->json != NULL ? sweep->json : "";
}
