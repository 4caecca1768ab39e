/* The plan of a model's training step, or of a prediction, to be looked at: compiled over a store of its own; timed over made-up images when asked. */
#include "backend/program.h"
#include "base/clock.h"
#include "base/context.h"
#include "ir/shape.h"
#include "train/model.h"
#include "train/step_graph.h"
#include <string.h>

enum {
    STEPS = 100,   /* of a made-up epoch */
    WARM_UP = 100, /* ticks before those that are timed, where they take no longer than part_ns */
    PORTION = 10   /* ticks between two looks at the clock */
};

struct planning {
    const dpr_model *model;
    bool train;
    uint64_t part_ns,
        least; /* of each of the three parts of a timing; ticks that are timed, at least */
    const dpr__step_graph *step;
    dpr_store *store;
    dpr_program *program;
};

/* Bytes and labels of some pattern, and a rate that moves no weight far. */
static void fill_inputs(const struct planning *p) {
    for (size_t i = 0; i < p->store->n_slots; i++) {
        dpr__slot *slot = &p->store->slots[i];
        size_t n = slot->bytes / dpr__dtype_bytes(slot->dtype);
        for (size_t k = 0; slot->kind == DPR_INPUT && k < n; k++) {
            if (slot->dtype == DPR_U8)
                ((uint8_t *)slot->data)[k] = (uint8_t)(k * 2654435761U >> 13);
            else if (slot->dtype == DPR_I32)
                ((int32_t *)slot->data)[k] = (int32_t)(k % p->model->info.n_classes);
            else
                ((float *)slot->data)[k] = 1e-3F;
        }
        slot->version++;
    }
}

/* An epoch's ticks at a time, from its first image on. */
static dpr_status run_ticks(const struct planning *p, uint64_t ticks) {
    int32_t zero = 0;
    for (; ticks > 0; ticks -= ticks < STEPS ? ticks : STEPS) {
        if (p->train)
            DPR_TRY(dpr_store_write(p->store, "batch", &zero, sizeof zero));
        DPR_TRY(dpr_program_run(p->program, ticks < STEPS ? ticks : STEPS, NULL, NULL));
    }
    return DPR_OK;
}

/* Warms caches, and lets small plans find their number of threads; *each: ns of a tick. */
static dpr_status warm_up(const struct planning *p, uint64_t *each) {
    uint64_t begin = dpr__now_ns(), ticks = 1;
    DPR_TRY(run_ticks(p, 1));
    for (; ticks < WARM_UP && dpr__now_ns() - begin < p->part_ns; ticks += PORTION)
        DPR_TRY(run_ticks(p, PORTION));
    *each = (dpr__now_ns() - begin) / ticks + 1;
    return DPR_OK;
}

/* After a warm-up, twice about part_ns of ticks: without the clock between rows, for *tick_us, then with it.
 * *ticks: of each. */
static dpr_status time_ticks(const struct planning *p, uint64_t *ticks, double *tick_us) {
    uint64_t each;
    if (p->program->backend->time_rows == NULL)
        return DPR_FAIL(p->model->context, DPR_E_UNSUPPORTED, "the %s device times no rows",
                        p->program->backend->name);
    fill_inputs(p);
    DPR_TRY(warm_up(p, &each));
    *ticks = p->part_ns / each > p->least ? p->part_ns / each : p->least;
    uint64_t begin = dpr__now_ns();
    DPR_TRY(run_ticks(p, *ticks));
    *tick_us = (double)(dpr__now_ns() - begin) / 1000 / (double)*ticks;
    DPR_TRY(p->program->backend->time_rows(p->program->plan));
    return run_ticks(p, *ticks);
}

static dpr_status compile(struct planning *p, unsigned batch) {
    dpr_program_options options = dpr_program_options_default();
    options.batch = batch;
    options.train = p->train;
    DPR_TRY(dpr_store_create(p->model->context, &p->store));
    return dpr_program_create(p->step->graph, p->store, p->step->roots, p->step->n_roots, &options,
                              &p->program);
}

static dpr_status plan_text(struct planning *p, unsigned batch, dpr_plan_kind kind, char **text) {
    uint64_t ticks = 0;
    double tick_us = 0;
    DPR_TRY(compile(p, batch));
    if (kind != DPR_PLAN_UNTIMED)
        DPR_TRY(time_ticks(p, &ticks, &tick_us));
    return dpr__program_plan_text(p->program, ticks, tick_us, kind == DPR_PLAN_SLOWEST_FIRST, text);
}

static dpr_status make_prediction(const dpr_model *model, dpr__step_graph *out) {
    dpr_value logits;
    *out = (dpr__step_graph){.n_roots = 1};
    DPR_TRY(dpr__model_forward(model, "images", "rows", &out->graph, &logits));
    dpr_status status = dpr__allocate(model->context, 1, sizeof *out->roots, &out->roots);
    if (status == DPR_OK)
        out->roots[0] = dpr_softmax(out->graph, logits);
    else
        dpr__step_graph_release(out);
    return status;
}

static dpr_status make_training(const dpr_model *model, unsigned batch, dpr__step_graph *out) {
    dpr__step_plan plan = {.n = (int64_t)batch * STEPS,
                           .steps = STEPS,
                           .optimizer = {.kind = DPR__OPTIMIZER_NESTEROV, .momentum = 0.9}};
    return dpr__step_graph_create(model, &plan, out);
}

static void release(struct planning *p, dpr__step_graph *step) {
    dpr_program_destroy(p->program);
    dpr_store_destroy(p->store);
    dpr__step_graph_release(step);
}

static dpr_status check_batch(const dpr_model *model, unsigned batch) {
    return batch < 1
               ? DPR_FAIL(model->context, DPR_E_ARGUMENT, "a plan needs a batch of at least 1")
               : DPR_OK;
}

dpr_status dpr_model_plan(const dpr_model *model, unsigned batch, bool train, dpr_plan_kind kind,
                          char **text) {
    dpr__step_graph step;
    DPR_TRY(check_batch(model, batch));
    DPR_TRY(train ? make_training(model, batch, &step) : make_prediction(model, &step));
    struct planning planning = {
        .model = model, .train = train, .part_ns = 1000000000, .least = 3, .step = &step};
    dpr_status status = plan_text(&planning, batch, kind, text);
    release(&planning, &step);
    return status;
}

/* ---- by layer ---- */

/* Nodes have their layer's name, gradients that of the node that they are of, updates that of a parameter: "linear_1.weights". */
static bool belongs(const char *name, const dpr_layer *layer) {
    size_t n = strlen(layer->name);
    return strncmp(name, layer->name, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

/* The first of a row's nodes that belongs to a layer; 0: none does. */
static dpr_value node_of_layer(const struct planning *p, const dpr__group *group, size_t *layer) {
    const dpr__step *step = p->program->step;
    for (uint32_t m = 0; m < group->n; m++) {
        dpr_value value = step->members[group->first + m];
        const char *name = dpr__node_of(step->graph, value)->name;
        for (*layer = 0; *layer < p->model->n_layers; ++*layer)
            if (belongs(name, &p->model->layers[*layer]))
                return value;
    }
    return 0;
}

static dpr_status time_layers(struct planning *p, unsigned batch, dpr_layer_time *times,
                              double *step_us) {
    uint64_t ticks;
    DPR_TRY(compile(p, batch));
    DPR_TRY(time_ticks(p, &ticks, step_us));
    memset(times, 0, (p->model->n_layers + 1) * sizeof *times);
    for (size_t i = 0; i < p->program->backend->rows(p->program->plan); i++) {
        size_t layer;
        dpr__row_view row = p->program->backend->row(p->program->plan, i);
        dpr_value value = node_of_layer(p, &p->program->step->groups[row.group], &layer);
        double us = (double)row.ns / 1000 / (double)ticks;
        dpr_layer_time *time = &times[value != 0 ? layer : p->model->n_layers];
        if (value == 0 || dpr__node_of(p->program->step->graph, value)->role == DPR__FORWARD)
            time->forward_us += us;
        else
            time->backward_us += us;
    }
    return DPR_OK;
}

dpr_status dpr_model_time_layers(const dpr_model *model, unsigned batch, double seconds,
                                 dpr_layer_time *times, double *step_us) {
    dpr__step_graph step;
    DPR_TRY(check_batch(model, batch));
    if (!(seconds > 0 && seconds < 3600))
        return DPR_FAIL(model->context, DPR_E_ARGUMENT,
                        "times are taken for more than 0 and less than 3600 seconds");
    DPR_TRY(make_training(model, batch, &step));
    struct planning planning = {.model = model,
                                .train = true,
                                .part_ns = (uint64_t)(seconds / 3 * 1e9),
                                .least = 1,
                                .step = &step};
    dpr_status status = time_layers(&planning, batch, times, step_us);
    release(&planning, &step);
    return status;
}
