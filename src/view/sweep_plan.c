/* The plan of a sweep: which networks, with which options, for how many epochs; and the rate that tuning found. */
#include "base/clock.h"
#include "base/context.h"
#include "base/parallel.h"
#include "train/optimizer.h"
#include "train/options.h"
#include "train/trainer.h"
#include "view/sweep.h"
#include <math.h>
#include <string.h>

enum {
    MOST_SEEDS = 10000,
    MOST_EPOCHS = 1000000,
    TUNE_PART = 5,        /* a rate is tried for a fifth of the epochs */
    SMALL = 1 << 30,      /* operations of a step: some 10 ms of one core */
    TIMED_NS = 500000000, /* how long a network is timed, */
    WARM_UP = 3,          /* after so many steps, */
    LEAST_STEPS = 5       /* and for so many at least */
};

static const char *const budgets[] = {"flops", "epochs", "seconds"};
enum { BUDGET_FLOPS, BUDGET_EPOCHS, BUDGET_SECONDS, N_BUDGETS };

dpr_sweep_options dpr_sweep_options_default(void) {
    return (dpr_sweep_options){
        .size = sizeof(dpr_sweep_options), .seed = 1, .seeds = 5, .budget = budgets[BUDGET_FLOPS]};
}

/* ---- checking ---- */

static dpr_status check(const dpr_sweep *sweep) {
    const dpr_sweep_options *o = &sweep->options;
    dpr_context *context = sweep->context;
    bool known = false;
    for (size_t i = 0; i < N_BUDGETS; i++)
        known = known || (o->budget != NULL && strcmp(o->budget, budgets[i]) == 0);
    if (!known)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "a sweep's budget is '%s'; it is flops, epochs or seconds",
                        o->budget != NULL ? o->budget : "(null)");
    if (o->n_cases == 0 || o->seeds < 1 || o->seeds > MOST_SEEDS || o->directory == NULL)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "a sweep needs a case at least, 1 to %d seeds and a directory", MOST_SEEDS);
    for (size_t i = 0; i < o->n_cases; i++) {
        size_t against = o->cases[i].against;
        if (against >= o->n_cases || o->cases[against].against != against)
            return DPR_FAIL(context, DPR_E_ARGUMENT,
                            "case %zu of a sweep is compared with %zu, which is none, or is "
                            "compared itself",
                            i, against);
    }
    return DPR_OK;
}

/* "depth 3, dropout=0.5". */
static dpr_status label_case(dpr_sweep *sweep, size_t i) {
    const dpr_sweep_case *own = &sweep->options.cases[i];
    bool both = own->settings[0] != '\0' && own->name[0] != '\0';
    size_t bytes = strlen(own->name) + strlen(own->settings) + sizeof ", ";
    char *label = dpr__arena_allocate(&sweep->arena, bytes);
    if (label == NULL)
        return DPR_E_MEMORY;
    dpr__format(sweep->context, label, bytes, "%s%s%s", own->name, both ? ", " : "", own->settings);
    sweep->plans[i].label = label;
    return DPR_OK;
}

static void name_case(const dpr_sweep *sweep, size_t i) {
    dpr__error_prefix(sweep->context, "%s", sweep->plans[i].label);
}

/* ---- networks ---- */

dpr_status dpr__sweep_model(const dpr_sweep *sweep, size_t i, dpr_context *own, uint64_t seed,
                            dpr_model **out) {
    const dpr_sweep_case *given = &sweep->options.cases[i];
    return dpr_model_from_net(own, given->name, given->net, dpr_data_describe(sweep->train), seed,
                              given->init, out);
}

/* Depth counts what has weights that multiply, but for the last. */
static dpr_status measure_net(dpr_sweep *sweep, size_t i, const dpr_model *model) {
    static const char *const words[] = {"linear", "conv", "depthwise"};
    const dpr_layer *layers;
    size_t n = dpr_model_layers(model, &layers), found = 0;
    bool parameters = false; /* in what came before */
    dpr_sweep_row *row = &sweep->rows[i];
    unsigned *widths = dpr__arena_allocate(&sweep->arena, (n + 1) * sizeof *widths);
    if (widths == NULL)
        return DPR_E_MEMORY;
    for (size_t k = 0; k < n; k++) {
        const dpr_shape *output = &layers[k].output;
        /* Forward, and as much for the gradient of what it computes with and for that of its input, which the image needs none of. */
        int passes = parameters && layers[k].from >= 0 ? 3 : 2;
        sweep->plans[i].flops += passes * (double)layers[k].flops;
        parameters = parameters || layers[k].parameters > 0;
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            if (strcmp(layers[k].op, words[w]) == 0)
                widths[found++] = (unsigned)output->dim[output->rank - 1];
    }
    row->widths = widths;
    row->depth = found > 0 ? (unsigned)found - 1 : 0;
    row->parameters = dpr_model_parameters(model);
    return DPR_OK;
}

static dpr_status plan_rates(const dpr_sweep *sweep, size_t i) {
    dpr__sweep_plan *plan = &sweep->plans[i];
    plan->tuned = sweep->options.cases[i].training.learning_rate == 0;
    if (plan->tuned && sweep->validation == NULL)
        return DPR_FAIL(sweep->context, DPR_E_ARGUMENT,
                        "the learning rate is to be tuned, but there is no validation set to tune "
                        "it on; state a rate, or hold some images back");
    const int middle = DPR__SWEEP_RATES / 2;
    for (int k = 0; k < DPR__SWEEP_RATES; k++)
        plan->rates[k] = plan->training.learning_rate * pow(3, k - middle);
    plan->lowest = DPR__SWEEP_FIRST_RATE;
    plan->highest = DPR__SWEEP_LAST_RATE;
    return DPR_OK;
}

static dpr_status plan_case(dpr_sweep *sweep, size_t i) {
    const dpr_sweep_case *given = &sweep->options.cases[i];
    dpr__sweep_plan *plan = &sweep->plans[i];
    dpr_train_options training = given->training;
    dpr_model *model;
    training.validation = sweep->validation;
    DPR_TRY(dpr__options_settle(sweep->context, &training, &plan->training));
    plan->training.validation = training.patience > 0 ? sweep->validation : NULL;
    DPR_TRY(plan_rates(sweep, i));
    DPR_TRY(dpr__sweep_model(sweep, i, sweep->context, 1, &model));
    dpr_status status = measure_net(sweep, i, model);
    dpr_model_destroy(model);
    sweep->rows[i].name = given->name;
    sweep->rows[i].settings = given->settings;
    sweep->rows[i].against = given->against;
    sweep->rows[i].tuned = plan->tuned;
    sweep->rows[i].learning_rate = plan->tuned ? 0 : plan->training.learning_rate;
    return status;
}

/* The same network with the same options twice compares nothing. A case that is tuned and one that states a rate are two, though their runs are
 * the same where tuning comes to that rate. */
static dpr_status refuse_equal(const dpr_sweep *sweep) {
    size_t n = sweep->options.n_cases;
    char(*keys)[DPR__SWEEP_KEY];
    DPR_TRY(dpr__allocate(sweep->context, n, sizeof *keys, &keys));
    dpr_status status = DPR_OK;
    for (size_t i = 0; i < n && status == DPR_OK; i++) {
        const dpr__sweep_plan *plan = &sweep->plans[i];
        status = dpr__sweep_key(sweep, sweep->context, i, &plan->training, DPR__SWEEP_RUN, keys[i]);
        for (size_t j = 0; j < i && status == DPR_OK; j++)
            if (strcmp(keys[i], keys[j]) == 0 && plan->tuned == sweep->plans[j].tuned)
                status = DPR_FAIL(sweep->context, DPR_E_ARGUMENT,
                                  "'%s' and '%s' are the same network with the same options",
                                  sweep->plans[j].label, plan->label);
    }
    dpr__free(sweep->context, keys);
    return status;
}

/* What decides results beside networks and options. */
static dpr_status identify(dpr_sweep *sweep) {
    const dpr_data *sets[] = {sweep->train, sweep->validation, sweep->test};
    const dpr_context *context = sweep->context;
    char hex[3][65] = {"", "", ""}, passes[DPR__N_PASSES + 1] = "";
    for (size_t i = 0; i < 3; i++)
        if (sets[i] != NULL)
            DPR_TRY(dpr_data_sha256(sets[i], hex[i]));
    for (size_t i = 0; i < DPR__N_PASSES; i++)
        passes[i] = context->pass_disabled[i] ? '0' : '1';
    dpr__format(sweep->context, sweep->identity, sizeof sweep->identity, "%s %s %s %d %s %s %s %s",
                hex[0], hex[1], hex[2], (int)context->device, dpr_context_isa(context),
                dpr_context_precision(context), passes, dpr_version());
    return DPR_OK;
}

/* A budget that is shared makes epochs out of those of the case that others are compared with: there is no second number. */
static dpr_status check_epochs(const dpr_sweep *sweep) {
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        unsigned own = sweep->plans[i].training.epochs;
        unsigned other = sweep->plans[sweep->rows[i].against].training.epochs;
        if (own == other || strcmp(sweep->options.budget, budgets[BUDGET_EPOCHS]) == 0)
            continue;
        dpr_status status =
            DPR_FAIL(sweep->context, DPR_E_ARGUMENT,
                     "epochs are %u, and %u where it is compared; a budget of %s, which they "
                     "share, makes them alike: choose the budget epochs",
                     own, other, sweep->options.budget);
        name_case(sweep, i);
        return status;
    }
    return DPR_OK;
}

dpr_status dpr__sweep_plan_all(dpr_sweep *sweep) {
    dpr_context *context = sweep->context;
    DPR_TRY(check(sweep));
    size_t n = sweep->options.n_cases;
    DPR_TRY(identify(sweep));
    DPR_TRY(dpr__allocate(context, n, sizeof *sweep->plans, &sweep->plans));
    DPR_TRY(dpr__allocate(context, n, sizeof *sweep->rows, &sweep->rows));
    DPR_TRY(dpr__allocate(context, n * sweep->options.seeds, sizeof *sweep->runs, &sweep->runs));
    sweep->n_runs = n * sweep->options.seeds;
    for (size_t i = 0; i < n; i++) {
        DPR_TRY(label_case(sweep, i));
        dpr_status status = plan_case(sweep, i);
        if (status != DPR_OK && status != DPR_E_MEMORY)
            name_case(sweep, i);
        DPR_TRY(status);
    }
    DPR_TRY(check_epochs(sweep));
    DPR_TRY(dpr__sweep_check_size(sweep));
    for (size_t i = 0; i < sweep->n_runs; i++)
        sweep->runs[i] =
            (dpr_sweep_run){.case_index = i % n, .seed = sweep->options.seed + i / n, .json = ""};
    return refuse_equal(sweep);
}

/* ---- runs ---- */

/* To whole epochs, one at least. */
static unsigned scaled(double epochs, double factor) {
    double n = floor(epochs * factor + 0.5);
    return n < 1 ? 1 : n > MOST_EPOCHS ? MOST_EPOCHS : (unsigned)n;
}

/* What is told in epochs keeps its share of the run when the budget or a trial changes their number: a run that is half as long
 * warms up half as long, and averages the last half as many. */
static void scale_schedule(dpr_train_options *training, unsigned own) {
    if (training->epochs == own)
        return;
    double factor = (double)training->epochs / own;
    training->warmup *= factor;
    training->step_epochs *= factor;
    if (strcmp(training->schedule, "exponential") == 0)
        training->decay = pow(training->decay, 1 / factor); /* an epoch */
    if (training->swa > 0)
        training->swa = training->epochs + 1 - scaled(own + 1 - training->swa, factor);
}

dpr_train_options dpr__sweep_training(const dpr_sweep *sweep, size_t i, uint64_t seed, double rate,
                                      unsigned epochs) {
    dpr_train_options training = sweep->plans[i].training;
    training.seed = seed;
    training.learning_rate = rate;
    training.epochs = epochs;
    scale_schedule(&training, sweep->plans[i].training.epochs);
    return training;
}

double dpr__sweep_flops(const dpr_sweep *sweep, size_t i, unsigned epochs) {
    return sweep->plans[i].flops * (double)dpr_data_count(sweep->train) * epochs;
}

double dpr__sweep_flops_ratio(const dpr_sweep *sweep, size_t i, bool tuning) {
    size_t other = sweep->rows[i].against;
    const dpr__sweep_plan *plan = &sweep->plans[i], *reference = &sweep->plans[other];
    if (tuning)
        return plan->tuned && reference->tuned
                   ? dpr__sweep_flops(sweep, i, plan->tune_epochs) /
                         dpr__sweep_flops(sweep, other, reference->tune_epochs)
                   : (double)NAN;
    return (double)sweep->rows[i].flops / (double)sweep->rows[other].flops;
}

bool dpr__sweep_is_small(const dpr_sweep *sweep, size_t i) {
    const dpr_data *sets[] = {sweep->train, sweep->validation, sweep->test};
    for (size_t k = 0; k < 3; k++)
        if (sets[k] != NULL && dpr_data_images(sets[k]) == NULL)
            return false; /* they are loaded when they are needed, for one run at a time */
    if (sweep->options.jobs > 0)
        return sweep->options.jobs > 1;
    return dpr_context_threads(sweep->context) > 1 &&
           sweep->plans[i].flops * sweep->plans[i].training.batch < SMALL;
}

/* Below 0: not all are tried. */
static int best_rate(const dpr__sweep_plan *plan) {
    int best = plan->lowest;
    for (int k = plan->lowest; k <= plan->highest; k++) {
        const dpr__sweep_result *a = &plan->tries[k], *b = &plan->tries[best];
        if (!a->done)
            return -1;
        if (a->val_accuracy > b->val_accuracy ||
            (a->val_accuracy == b->val_accuracy && a->val_loss < b->val_loss))
            best = k;
    }
    return best;
}

bool dpr__sweep_widen(dpr_sweep *sweep, size_t i, int *rate) {
    dpr__sweep_plan *plan = &sweep->plans[i];
    int best = plan->tuned ? best_rate(plan) : -1;
    if (best < 0)
        return false;
    if (best == plan->highest && best + 1 < DPR__SWEEP_RATES)
        *rate = ++plan->highest;
    else if (best == plan->lowest && best > 0)
        *rate = --plan->lowest;
    else
        return false;
    return true;
}

void dpr__sweep_choose_rate(dpr_sweep *sweep, size_t i) {
    const dpr__sweep_plan *plan = &sweep->plans[i];
    int best = plan->tuned ? best_rate(plan) : -1;
    if (best < 0)
        return;
    sweep->rows[i].learning_rate = plan->rates[best];
    sweep->rows[i].at_edge = best == plan->lowest || best == plan->highest;
}

/* ---- the budget ---- */

static dpr_status time_steps(dpr_trainer *trainer, double *seconds_a_step) {
    uint64_t begun = 0, now = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < WARM_UP + LEAST_STEPS || now - begun < TIMED_NS; i++) {
        if (i == WARM_UP)
            begun = dpr__now_ns();
        DPR_TRY(dpr_trainer_step(trainer, NULL));
        now = dpr__now_ns();
        n += i >= WARM_UP;
    }
    *seconds_a_step = 1e-9 * (double)(now - begun) / n;
    return DPR_OK;
}

struct timing {
    dpr_sweep *sweep;
    size_t i;
    dpr__sweep_result result; /* seconds: of an epoch */
};

/* Steps at a rate that changes hardly anything. */
static dpr_status time_case(dpr_context *own, void *user, size_t unused) {
    struct timing *timing = user;
    const dpr_sweep *sweep = timing->sweep;
    dpr_train_options training =
        dpr__sweep_training(sweep, timing->i, 1, 1e-6, sweep->plans[timing->i].training.epochs);
    const dpr_data *train = sweep->train;
    dpr_data *view = NULL;
    dpr_model *model;
    dpr_trainer *trainer = NULL;
    (void)unused;
    training.epochs = MOST_EPOCHS; /* it does not end */
    training.validation = NULL;
    training.patience = 0;
    DPR_TRY(dpr__sweep_model(sweep, timing->i, own, 1, &model));
    dpr_status status = DPR_OK;
    if (own != sweep->context)
        status = dpr__sweep_view(own, train, &view);
    if (status == DPR_OK)
        status = dpr_trainer_create(model, view != NULL ? view : train, &training, &trainer);
    if (status == DPR_OK)
        status = time_steps(trainer, &timing->result.seconds);
    if (status == DPR_OK)
        timing->result.seconds *= (double)trainer->steps;
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_data_destroy(view);
    return status;
}

/* Seconds of an epoch. They are kept, so that a sweep that goes on does so with the epochs that it began with. */
static dpr_status seconds_of(dpr_sweep *sweep, size_t i, double *out) {
    dpr_context *context = sweep->context;
    const dpr_train_options *training = &sweep->plans[i].training;
    struct timing timing = {.sweep = sweep, .i = i};
    char key[DPR__SWEEP_KEY], *line;
    DPR_TRY(dpr__sweep_key(sweep, context, i, training, DPR__SWEEP_TIMING, key));
    const dpr__sweep_result *kept = dpr__sweep_find(sweep, key);
    if (kept == NULL) {
        timing.result.val_accuracy = timing.result.val_loss = timing.result.test_accuracy =
            (double)NAN;
        DPR_TRY(dpr__sweep_is_small(sweep, i) ? dpr__parallel_on(context, 1, 1, time_case, &timing)
                                              : time_case(context, &timing, 0));
        DPR_TRY(dpr__sweep_line(sweep, context, i, key, DPR__SWEEP_TIMING, training, &timing.result,
                                &line));
        DPR_TRY(dpr__sweep_keep(sweep, context, key, line, &timing.result));
        kept = &timing.result;
    }
    *out = kept->seconds;
    return DPR_OK;
}

/* How many times the epochs of its own a case gets. */
static dpr_status factor_of(dpr_sweep *sweep, size_t i, double *out) {
    size_t against = sweep->rows[i].against;
    double own = sweep->plans[i].flops, other = sweep->plans[against].flops;
    *out = 1;
    if (against == i || strcmp(sweep->options.budget, budgets[BUDGET_EPOCHS]) == 0)
        return DPR_OK;
    if (strcmp(sweep->options.budget, budgets[BUDGET_SECONDS]) == 0) {
        DPR_TRY(seconds_of(sweep, i, &own));
        DPR_TRY(seconds_of(sweep, against, &other));
    }
    *out = own > 0 && other > 0 ? other / own : 1;
    return DPR_OK;
}

dpr_status dpr__sweep_budget(dpr_sweep *sweep) {
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        dpr__sweep_plan *plan = &sweep->plans[i];
        unsigned own = plan->training.epochs, tune = sweep->options.tune_epochs;
        double factor;
        DPR_TRY(factor_of(sweep, i, &factor));
        sweep->rows[i].epochs = scaled(own, factor);
        plan->tune_epochs =
            scaled(tune > 0 ? tune : fmax(1, floor((double)own / TUNE_PART + 0.5)), factor);
        sweep->rows[i].flops = (uint64_t)dpr__sweep_flops(sweep, i, sweep->rows[i].epochs);
    }
    return DPR_OK;
}
