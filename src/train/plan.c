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
    WARM_UP = 100, /* ticks before those that are timed, where they take no longer than SECOND */
    SECOND = 1000000000, /* ns of each of the three parts of a timing */
    PORTION = 10,
    LEAST = 3 /* ticks between two looks at the clock; that are timed, at least */
};

struct planning {
    const dpr_model *model;
    bool train;
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
    for (; ticks < WARM_UP && dpr__now_ns() - begin < SECOND; ticks += PORTION)
        DPR_TRY(run_ticks(p, PORTION));
    *each = (dpr__now_ns() - begin) / ticks + 1;
    return DPR_OK;
}

/* After a warm-up, twice about a second of ticks (at least LEAST): without the clock between rows, for *tick_us, then with it.
 * *ticks: of each. */
static dpr_status time_ticks(const struct planning *p, uint64_t *ticks, double *tick_us) {
    uint64_t each;
    if (p->program->backend->time_rows == NULL)
        return DPR_FAIL(p->model->context, DPR_E_UNSUPPORTED, "the %s device times no rows",
                        p->program->backend->name);
    fill_inputs(p);
    DPR_TRY(warm_up(p, &each));
    *ticks = SECOND / each > LEAST ? SECOND / each : LEAST;
    uint64_t begin = dpr__now_ns();
    DPR_TRY(run_ticks(p, *ticks));
    *tick_us = (double)(dpr__now_ns() - begin) / 1000 / (double)*ticks;
    DPR_TRY(p->program->backend->time_rows(p->program->plan));
    return run_ticks(p, *ticks);
}

static dpr_status plan_text(struct planning *p, unsigned batch, dpr_plan_kind kind, char **text) {
    dpr_program_options options = dpr_program_options_default();
    uint64_t ticks = 0;
    double tick_us = 0;
    options.batch = batch;
    options.train = p->train;
    DPR_TRY(dpr_store_create(p->model->context, &p->store));
    DPR_TRY(dpr_program_create(p->step->graph, p->store, p->step->roots, p->step->n_roots, &options,
                               &p->program));
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

dpr_status dpr_model_plan(const dpr_model *model, unsigned batch, bool train, dpr_plan_kind kind,
                          char **text) {
    dpr__step_graph step;
    if (batch < 1)
        return DPR_FAIL(model->context, DPR_E_ARGUMENT, "a plan needs a batch of at least 1");
    DPR_TRY(train ? make_training(model, batch, &step) : make_prediction(model, &step));
    struct planning planning = {.model = model, .train = train, .step = &step};
    dpr_status status = plan_text(&planning, batch, kind, text);
    dpr_program_destroy(planning.program);
    dpr_store_destroy(planning.store);
    dpr__step_graph_release(&step);
    return status;
}
