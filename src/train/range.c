/* The learning-rate range test (Smith 2017, section 3.3): training steps under a rate that grows by the same factor at each. */
#include "base/context.h"
#include "train/trainer.h"
#include <math.h>
#include <string.h>

/* The smoothed loss is Σ b^(t−i)·loss_i / Σ b^(t−i): a mean over some 1/(1 − b) updates. */
static const double KEPT = 0.95;
/* Where it is above so many times its lowest value the test ends: nothing but noise comes after. */
static const double ENOUGH = 4;
/* Without bounds a test goes from so many times the optimiser's usual rate to so many. */
static const double LOWEST = 1e-4, HIGHEST = 1e3;
enum { FEWEST = 20 };

dpr_rate_test_options dpr_rate_test_options_default(void) {
    return (dpr_rate_test_options){.size = sizeof(dpr_rate_test_options), .updates = 350};
}

void dpr_rate_test_destroy(dpr_context *context, dpr_rate_test *test) {
    if (test != NULL)
        dpr__free(context, (double *)(uintptr_t)test->rate);
    dpr__free(context, test);
}

/* ---- the course ---- */

struct testing {
    dpr_trainer *trainer;
    dpr_rate_test *test;
    const dpr_rate_test_options *asked;
    double low, growth; /* the rate of update t is low·growth^t */
    uint64_t updates;
    double *rate, *loss, *smooth; /* test's */
};

/* What counts of the training to come: nothing but the weights of the last update is asked for. */
static dpr_status take_options(dpr_context *context, const dpr_train_options *given,
                               dpr_train_options *out) {
    dpr_train_options options = dpr_train_options_default();
    if (given != NULL)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    options.size = sizeof options;
    options.schedule = dpr__schedule_words[DPR__SCHEDULE_CONSTANT];
    options.validation = NULL;
    options.patience = options.swa = options.lookahead = 0;
    options.warmup = options.ema = 0;
    options.progress = NULL;
    options.stop = NULL;
    return dpr__options_settle(context, &options, out);
}

/* Epochs that hold the updates. */
static unsigned epochs_for(const struct testing *t, const dpr_train_options *options,
                           const dpr_data *data) {
    uint64_t steps = (data->n + options->batch - 1) / options->batch;
    uint64_t an_epoch = (steps + options->accumulate - 1) / options->accumulate;
    return (unsigned)((t->updates + an_epoch - 1) / an_epoch);
}

/* The exponential schedule, but rising: peak·decay^epoch with a decay above 1. Groups keep their factors. */
static dpr_status set_course(const struct testing *t) {
    dpr_trainer *trainer = t->trainer;
    double scale = t->low / trainer->options.learning_rate;
    for (size_t k = 0; k < trainer->groups.n_rates; k++) {
        dpr__rate_schedule *schedule = &trainer->groups.rate[k].schedule;
        schedule->kind = DPR__SCHEDULE_EXPONENTIAL;
        schedule->peak *= scale;
        schedule->decay = pow(t->growth, (double)schedule->steps);
    }
    trainer->looks = 64; /* its health is no matter */
    return dpr__trainer_fill_tables(trainer);
}

/* The mean loss of the steps of one update; *finite is false where it has none. */
static dpr_status update(const struct testing *t, double *loss, bool *finite) {
    const dpr_trainer *trainer = t->trainer;
    unsigned steps = 0;
    bool ended = false;
    *loss = 0;
    for (; steps < trainer->options.accumulate && !ended; steps++) {
        double one;
        dpr_status status = dpr_trainer_step(t->trainer, &one);
        *finite = status != DPR_E_NON_FINITE;
        if (!*finite)
            return DPR_OK;
        DPR_TRY(status);
        *loss += one;
        ended = trainer->position == 0 || trainer->finished;
    }
    *loss /= steps;
    return DPR_OK;
}

static dpr_status run(struct testing *t) {
    dpr_rate_test *test = t->test;
    double sum = 0, weight = 0;
    bool finite = true;
    for (uint64_t i = 0; i < t->updates && !test->diverged; i++) {
        if (t->asked->progress != NULL &&
            t->asked->progress(t->asked->progress_user, (size_t)i, (size_t)t->updates) != 0)
            return DPR_FAIL(t->trainer->context, DPR_E_INTERRUPTED,
                            "the range test is interrupted after update %llu of %llu",
                            (unsigned long long)i, (unsigned long long)t->updates);
        DPR_TRY(update(t, &t->loss[i], &finite));
        test->diverged = !finite;
        if (!finite)
            break;
        sum = KEPT * sum + t->loss[i];
        weight = KEPT * weight + 1;
        t->rate[i] = t->low * pow(t->growth, (double)i);
        t->smooth[i] = sum / weight;
        if (t->smooth[i] < t->smooth[test->lowest])
            test->lowest = (size_t)i;
        test->diverged = t->smooth[i] > ENOUGH * t->smooth[test->lowest];
        test->n++;
    }
    if (t->asked->progress != NULL)
        (void)t->asked->progress(t->asked->progress_user, (size_t)t->updates, (size_t)t->updates);
    return DPR_OK;
}

/* ---- choosing ---- */

/* The update by which the smoothed loss has done so much of its fall. Where the loss goes to nothing, or stays noisy, its lowest value may lie anywhere
 * behind; on the slope this place is certain. */
static const double DONE = 0.95;
/* What is chosen, over the rate there, but never above the rate at the lowest loss. A rate that grows meets a network that has hardly learnt, and the
 * smoothing lags some twenty updates behind, momentum ten more; AdamW and Muon take steps of the rate's size whatever the gradient, so that one too high
 * shows late. Measured on MNIST and letters (docs/training.md). */
static const double reach[DPR__N_OPTIMIZERS] = {[DPR__OPTIMIZER_SGD] = 4,
                                                [DPR__OPTIMIZER_MOMENTUM] = 3,
                                                [DPR__OPTIMIZER_NESTEROV] = 3,
                                                [DPR__OPTIMIZER_ADAMW] = 1,
                                                [DPR__OPTIMIZER_MUON] = 0.3};
/* Of the loss of the first updates: less of a fall is noise. */
static const double FALLEN = 0.95;

static double to_two_digits(double x) {
    double unit = pow(10, floor(log10(x)) - 1);
    return round(x / unit) * unit;
}

static void choose(const struct testing *t) {
    dpr_rate_test *test = t->test;
    const dpr_train_options *options = &t->trainer->options;
    dpr__optimizer_kind kind = t->trainer->plan.optimizer.kind;
    double first = 0;
    size_t n = test->n < FEWEST / 2 ? test->n : FEWEST / 2;
    for (size_t i = 0; i < n; i++)
        first += t->loss[i] / (double)n;
    if (n == 0 || t->smooth[test->lowest] > FALLEN * fmin(first, t->loss[0]))
        return;
    double low = t->smooth[test->lowest], enough = low + (1 - DONE) * (t->loss[0] - low);
    while (t->smooth[test->fallen] > enough)
        test->fallen++;
    double rate = fmin(reach[kind] * t->rate[test->fallen], t->rate[test->lowest]);
    test->suggested = to_two_digits(rate);
    if (kind == DPR__OPTIMIZER_MUON) /* they grew together */
        test->suggested_rest =
            to_two_digits(rate * options->rest_learning_rate / options->learning_rate);
}

static dpr_status check(dpr_context *context, const dpr_rate_test_options *o) {
    if (!(o->low > 0 && o->low < o->high && o->high <= 1e6))
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "range test: rates from %.10g to %.10g; they must be above 0, at most "
                        "1000000, and rise",
                        o->low, o->high);
    if (o->updates < FEWEST)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "range test: %u updates; it takes at least %d",
                        o->updates, FEWEST);
    return DPR_OK;
}

static dpr_status make(struct testing *t, dpr_model *model, const dpr_data *data,
                       dpr_train_options *options) {
    size_t n = (size_t)t->updates;
    DPR_TRY(dpr__allocate(model->context, 1, sizeof *t->test, &t->test));
    t->test->size = sizeof *t->test;
    DPR_TRY(dpr__allocate(model->context, 3 * n, sizeof(double), &t->rate));
    t->test->rate = t->rate;
    t->test->loss = t->loss = t->rate + n;
    t->test->smooth = t->smooth = t->loss + n;
    options->epochs = epochs_for(t, options, data);
    DPR_TRY(dpr_trainer_create(model, data, options, &t->trainer));
    DPR_TRY(set_course(t));
    DPR_TRY(run(t));
    choose(t);
    return DPR_OK;
}

dpr_status dpr_rate_test_run(dpr_model *model, const dpr_data *data,
                             const dpr_train_options *options, const dpr_rate_test_options *test,
                             dpr_rate_test **out) {
    dpr_rate_test_options asked = dpr_rate_test_options_default();
    dpr_train_options settled;
    DPR_TRY(take_options(model->context, options, &settled));
    if (test != NULL)
        memcpy(&asked, test, test->size < sizeof asked ? test->size : sizeof asked);
    double usual = dpr__health_usual_rate(&settled);
    asked.low = asked.low != 0 ? asked.low : LOWEST * usual;
    asked.high = asked.high != 0 ? asked.high : HIGHEST * usual;
    DPR_TRY(check(model->context, &asked));
    struct testing t = {.asked = &asked,
                        .low = asked.low,
                        .growth = pow(asked.high / asked.low, 1.0 / (asked.updates - 1)),
                        .updates = asked.updates};
    dpr_status status = make(&t, model, data, &settled);
    dpr_trainer_destroy(t.trainer);
    if (status == DPR_OK)
        *out = t.test;
    else
        dpr_rate_test_destroy(model->context, t.test);
    return status;
}
