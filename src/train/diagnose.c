/* A diagnosis (health.h): compiled, run on the first images of the epoch, and thrown away, so that it takes memory for as long as it lasts. */
#include "base/context.h"
#include "train/trainer.h"
#include <math.h>

/* Images of a tick, and of all: enough that a unit which is never above 0 is not just choosy, few enough that a look costs little (health.c). */
enum { TICK = 64, IMAGES = 256 };

struct diagnosing {
    dpr_trainer *trainer;
    const dpr__step_graph *step;
    dpr_program *program;
    size_t rows, ticks;
    float *values, *low, *high; /* a root's; (classes) the range of each logit so far */
    uint32_t class_of_all;
    double **active; /* (layers) of each unit, how often it was above 0; NULL of others */
    dpr__diagnosis *out;
};

/* How many images a tick takes, and how many ticks: these must end where training steps do, or before the end of the first, since images that have to be
 * loaded are loaded for training steps. All rows of all ticks are images. */
static void choose_rows(struct diagnosing *d) {
    size_t batch = (size_t)d->trainer->batch, n = d->trainer->data->n;
    d->rows = batch < TICK ? batch : TICK;
    d->ticks = IMAGES / d->rows;
    size_t most = batch % d->rows == 0 ? n / d->rows : batch / d->rows;
    if (d->ticks > most)
        d->ticks = most;
}

static size_t units_of(const dpr_layer *layer) {
    return (size_t)layer->output.dim[layer->output.rank - 1];
}

/* ---- reading a tick ---- */

static dpr_status read_root(struct diagnosing *d, size_t root, size_t n) {
    return dpr_program_read(d->program, d->step->roots[root], d->values, n * sizeof(float));
}

static uint32_t largest(const float *row, uint32_t n) {
    uint32_t best = 0;
    for (uint32_t c = 1; c < n; c++)
        if (row[c] > row[best])
            best = c;
    return best;
}

static dpr_status read_logits(struct diagnosing *d, bool first) {
    uint32_t k = d->trainer->model->info.n_classes;
    DPR_TRY(read_root(d, 0, d->rows * k));
    if (first) {
        memcpy(d->low, d->values, k * sizeof(float));
        memcpy(d->high, d->values, k * sizeof(float));
        d->class_of_all = largest(d->values, k);
        d->out->one_class = true;
    }
    for (size_t i = 0; i < d->rows; i++) {
        const float *row = d->values + i * k;
        d->out->one_class = d->out->one_class && largest(row, k) == d->class_of_all;
        for (uint32_t c = 0; c < k; c++) {
            d->low[c] = fminf(d->low[c], row[c]);
            d->high[c] = fmaxf(d->high[c], row[c]);
        }
    }
    return DPR_OK;
}

static dpr_status read_layers(struct diagnosing *d) {
    const dpr_model *model = d->trainer->model;
    size_t root = 1;
    for (size_t i = 0; i < model->n_layers; i++) {
        const dpr_layer *layer = &model->layers[i];
        size_t n = units_of(layer);
        if (dpr__sees_gradient(layer)) {
            DPR_TRY(read_root(d, root++, n));
            for (size_t k = 0; k < n; k++)
                d->out->gradient[i] += (double)d->values[k];
        }
        if (d->active[i] == NULL)
            continue;
        DPR_TRY(read_root(d, root++, n));
        for (size_t k = 0; k < n; k++)
            d->active[i][k] += (double)d->values[k];
    }
    return DPR_OK;
}

/* ---- the whole ---- */

static dpr_status make_room(struct diagnosing *d) {
    dpr_context *context = d->trainer->context;
    const dpr_model *model = d->trainer->model;
    size_t k = model->info.n_classes, most = d->rows * k, n = model->n_layers;
    d->out->images = d->rows * d->ticks;
    DPR_TRY(dpr__allocate(context, n, sizeof(double), &d->out->gradient));
    DPR_TRY(dpr__allocate(context, n, sizeof(double), &d->out->dead));
    DPR_TRY(dpr__allocate(context, n, sizeof *d->active, &d->active));
    for (size_t i = 0; i < n; i++) {
        size_t units = units_of(&model->layers[i]);
        most = units > most ? units : most;
        if (dpr__sees_units(&model->layers[i]))
            DPR_TRY(dpr__allocate(context, units, sizeof(double), &d->active[i]));
    }
    DPR_TRY(dpr__allocate(context, most + 2 * k, sizeof(float), &d->values));
    d->low = d->values + most;
    d->high = d->low + k;
    return DPR_OK;
}

/* What was summed becomes what is told. */
static void conclude(struct diagnosing *d) {
    const dpr_model *model = d->trainer->model;
    dpr__diagnosis *out = d->out;
    for (uint32_t c = 0; c < model->info.n_classes; c++)
        out->spread = fmax(out->spread, (double)(d->high[c] - d->low[c]));
    for (size_t i = 0; i < model->n_layers; i++) {
        bool seen = dpr__sees_gradient(&model->layers[i]);
        out->gradient[i] = seen ? sqrt(out->gradient[i]) : (double)NAN;
        out->dead[i] = (double)NAN;
        if (d->active[i] == NULL)
            continue;
        size_t n = units_of(&model->layers[i]), dead = 0;
        for (size_t k = 0; k < n; k++)
            dead += d->active[i][k] == 0;
        out->dead[i] = (double)dead / (double)n;
    }
}

/* Leaf "batch" is the training step's, which goes on as if nothing had been. */
static dpr_status run(struct diagnosing *d) {
    dpr_trainer *trainer = d->trainer;
    dpr_store *store = trainer->model->store;
    int32_t before;
    uint64_t done = 1;
    dpr_status status = DPR_OK;
    DPR_TRY(dpr_store_read(store, "batch", &before, sizeof before));
    for (size_t i = 0; i < d->ticks && status == DPR_OK; i++) {
        int32_t tick = (int32_t)i;
        status = dpr_store_write(store, "batch", &tick, sizeof tick);
        if (status == DPR_OK)
            status =
                dpr__trainer_run(trainer, d->program, i * d->rows / trainer->batch, 1, NULL, &done);
        if (status == DPR_OK)
            status = read_logits(d, i == 0);
        if (status == DPR_OK)
            status = read_layers(d);
    }
    DPR_TRY(dpr_store_write(store, "batch", &before, sizeof before));
    if (status == DPR_OK)
        conclude(d);
    return status;
}

static dpr_status diagnose(struct diagnosing *d) {
    dpr_program_options options = dpr_program_options_default();
    choose_rows(d);
    options.batch = (int64_t)d->rows;
    options.seed = d->trainer->options.seed;
    DPR_TRY(make_room(d));
    DPR_TRY(dpr_program_create(d->step->graph, d->trainer->model->store, d->step->roots,
                               d->step->n_roots, &options, &d->program));
    return run(d);
}

dpr_status dpr__diagnose(dpr_trainer *trainer, dpr__diagnosis *out) {
    dpr__step_graph step;
    dpr_context *context = trainer->context;
    *out = (dpr__diagnosis){0};
    DPR_TRY(dpr__diagnosis_graph_create(trainer->model, &trainer->plan, &step));
    struct diagnosing d = {.trainer = trainer, .step = &step, .out = out};
    dpr_status status = diagnose(&d);
    for (size_t i = 0; d.active != NULL && i < trainer->model->n_layers; i++)
        dpr__free(context, d.active[i]);
    dpr__free(context, d.active);
    dpr__free(context, d.values);
    dpr_program_destroy(d.program);
    dpr__step_graph_release(&step);
    return status;
}

void dpr__diagnosis_release(dpr_context *context, dpr__diagnosis *diagnosis) {
    dpr__free(context, diagnosis->gradient);
    dpr__free(context, diagnosis->dead);
    *diagnosis = (dpr__diagnosis){0};
}
