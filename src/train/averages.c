/* Lookahead's course, and averages of the weights over a run: what enters them, and how they take the place of the last weights. Running statistics
 * go with them: under EMA as averages themselves, since the weights of a few hundred neighbouring steps have nearly the same
 * ones; under SWA (Izmailov et al. 2018, section 3.2) they are taken again, for weights that are far apart have statistics
 * that their mean has not. */
#include "base/context.h"
#include "train/copies.h"
#include "train/trainer.h"
#include <math.h>

/* Batches that statistics are taken from: at a momentum of 0.1 nothing is left of what was there before. */
enum { BATCHES = 100 };

bool dpr__trainer_averages(const dpr_trainer *trainer, unsigned epoch) {
    const dpr_train_options *options = &trainer->options;
    return options->ema > 0 || (options->swa > 0 && epoch >= options->swa);
}

/* EMA: max(1 − d, 1/(t + 1)), the plain mean of the first 1/(1 − d) updates' weights, so that none weighs more than it should
 * for being the first. SWA: the plain mean of the weights that end the epochs from `swa` on. */
double dpr__trainer_average_weight(const dpr_trainer *trainer, uint64_t t) {
    const dpr_train_options *options = &trainer->options;
    if (options->ema > 0) {
        double mean = 1 / ((double)t + 1), rest = 1 - options->ema;
        return mean > rest ? mean : rest;
    }
    uint64_t epoch = t / trainer->schedule.steps + 1;
    if (epoch < options->swa || (t + 1) % trainer->schedule.steps != 0)
        return 0;
    return 1 / (double)(epoch - options->swa + 1);
}

/* Every k updates, and at the end of an epoch, so that what is validated and kept is never on its way. */
bool dpr__trainer_looks_ahead(const dpr_trainer *trainer, uint64_t t) {
    unsigned k = trainer->options.lookahead;
    return k > 0 && ((t + 1) % k == 0 || (t + 1) % trainer->schedule.steps == 0);
}

/* 1 − (1 − α)((t + 1)/T)^p: α for p = 0; else from 1 down to it, as airbench94 does with p = 3. */
double dpr__trainer_slow_weight(const dpr_trainer *trainer, uint64_t t) {
    const dpr_train_options *options = &trainer->options;
    double x = ((double)t + 1) / (double)(trainer->schedule.steps * trainer->schedule.epochs);
    if (!dpr__trainer_looks_ahead(trainer, t))
        return 0;
    return 1 - (1 - options->lookahead_alpha) * pow(x, options->lookahead_power);
}

static bool has_statistics(const dpr_store *store) {
    for (size_t i = 0; i < store->n_slots; i++)
        if (store->slots[i].kind == DPR_STATISTIC)
            return true;
    return false;
}

static dpr_status compile(dpr_trainer *trainer) {
    dpr__step_graph step;
    DPR_TRY(dpr__statistics_graph_create(trainer->model, &trainer->plan, &step));
    dpr_program_options options = dpr_program_options_default();
    options.batch = (int64_t)trainer->batch;
    options.train = true;
    dpr_status status = dpr_program_create(step.graph, trainer->model->store, step.roots,
                                           step.n_roots, &options, &trainer->statistics);
    dpr__step_graph_release(&step);
    return status;
}

/* Runs batches through the network, from the epoch's first on and over again; the counters are put back. */
static dpr_status take_statistics(dpr_trainer *trainer) {
    dpr_store *store = trainer->model->store;
    int32_t zero = 0, batch;
    uint64_t tick;
    DPR_TRY(dpr_store_read(store, "batch", &batch, sizeof batch));
    DPR_TRY(dpr_store_read(store, "tick", &tick, sizeof tick));
    dpr_status status = DPR_OK;
    uint64_t position = 0, done;
    for (uint64_t left = BATCHES; left > 0 && status == DPR_OK; left -= done) {
        uint64_t now = left < trainer->steps - position ? left : trainer->steps - position;
        if (position == 0)
            status = dpr_store_write(store, "batch", &zero, sizeof zero);
        done = 0;
        if (status == DPR_OK)
            status = dpr__trainer_run(trainer, trainer->statistics, position, now, NULL, &done);
        position = (position + done) % trainer->steps;
    }
    DPR_TRY(dpr_store_write(store, "batch", &batch, sizeof batch));
    DPR_TRY(dpr_store_write(store, "tick", &tick, sizeof tick));
    return status;
}

dpr_status dpr__trainer_enter_average(dpr_trainer *trainer) {
    dpr_store *store = trainer->model->store;
    bool retake = trainer->options.swa > 0 && has_statistics(store);
    if (retake && trainer->statistics == NULL)
        DPR_TRY(compile(trainer));
    if (retake) /* from the last ones, whatever an earlier epoch has found */
        dpr__copies_take(store, "average/", DPR_STATISTIC);
    dpr__copies_swap(store, "average/");
    dpr_status status = retake ? take_statistics(trainer) : DPR_OK;
    if (status != DPR_OK)
        dpr__trainer_leave_average(trainer);
    return status;
}

void dpr__trainer_leave_average(dpr_trainer *trainer) {
    dpr__copies_swap(trainer->model->store, "average/");
}
