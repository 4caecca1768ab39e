/* The cpu backend: one persistent team walks the plan in lockstep. A barrier stands between two phases where one
 * of them is shared; phases that are too small to share run on the caller alone. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include <math.h>
#include <string.h>

/* ---- making ---- */

static void destroy(void *p) {
    dpr__cpu_plan *plan = p;
    dpr_context *context = plan->values.step->context;
    dpr__values_release(&plan->values);
    for (unsigned i = 0; i < plan->n_scratch; i++)
        dpr__free_aligned(context, plan->scratch[i]);
    dpr__free(context, plan->scratch);
    dpr__free(context, plan->rows);
    dpr__free(context, plan->phase_serial);
    dpr__free(context, plan->phase_end);
    dpr__arena_release(&plan->arena);
    dpr__free(context, plan);
}

static dpr_status make_rows(dpr__cpu_plan *plan) {
    const dpr__step *step = plan->values.step;
    dpr_context *context = step->context;
    DPR_TRY(dpr__allocate(context, step->n_groups, sizeof *plan->rows, &plan->rows));
    DPR_TRY(
        dpr__allocate(context, step->n_phases, sizeof *plan->phase_serial, &plan->phase_serial));
    DPR_TRY(dpr__allocate(context, step->n_phases, sizeof *plan->phase_end, &plan->phase_end));
    for (uint32_t g = 0; g < step->n_groups; g++)
        DPR_TRY(dpr__cpu_compile_group(plan, g, &plan->rows[g]));
    plan->n_rows = step->n_groups;
    plan->serial = true;
    for (uint32_t phase = 0; phase < step->n_phases; phase++)
        plan->phase_serial[phase] = true;
    for (size_t i = 0; i < plan->n_rows; i++) {
        plan->phase_end[plan->rows[i].phase] = i + 1;
        plan->phase_serial[plan->rows[i].phase] &= plan->rows[i].serial;
        plan->serial &= plan->rows[i].serial;
    }
    return DPR_OK;
}

static dpr_status make_team(dpr__cpu_plan *plan) {
    dpr_context *context = plan->values.step->context;
    if (context->team == NULL)
        DPR_TRY(dpr__team_create(context, context->threads, &context->team));
    unsigned n = dpr__team_size(context->team);
    size_t floats = 0;
    for (size_t i = 0; i < plan->n_rows; i++)
        floats = plan->rows[i].scratch_floats > floats ? plan->rows[i].scratch_floats : floats;
    DPR_TRY(dpr__allocate(context, n, sizeof *plan->scratch, &plan->scratch));
    for (; plan->n_scratch < n; plan->n_scratch++) {
        float **scratch = &plan->scratch[plan->n_scratch];
        DPR_TRY(dpr__allocate_aligned(context, floats * sizeof **scratch, 64, scratch));
        memset(*scratch, 0, floats * sizeof **scratch); /* touched now, not in the first tick */
    }
    return DPR_OK;
}

static dpr_status compile(dpr__step *step, dpr_store *store, void **out) {
    dpr__cpu_plan *plan;
    DPR_TRY(dpr__allocate(step->context, 1, sizeof *plan, &plan));
    dpr__arena_init(&plan->arena, step->context);
    dpr_status status = dpr__values_init(&plan->values, step, store);
    if (status == DPR_OK)
        status = make_rows(plan);
    if (status == DPR_OK)
        status = make_team(plan);
    if (status != DPR_OK) {
        destroy(plan);
        return status;
    }
    *out = plan;
    return DPR_OK;
}

/* ---- running ---- */

static void run_row(dpr__cpu_plan *plan, const dpr__row *row, unsigned member) {
    if (row->op == &dpr__op_guard) {
        if (member == 0 && !isfinite(*(const float *)row->call.src[0].data))
            atomic_store_explicit(&plan->failed, true, memory_order_relaxed);
        return;
    }
    int64_t first = 0, last = row->n_tiles;
    if (row->serial) {
        if (member != 0)
            return;
    } else {
        first = row->n_tiles * member / plan->members;
        last = row->n_tiles * (member + 1) / plan->members;
    }
    if (first < last)
        row->run(row, &plan->values, plan->scratch[member], first, last);
}

/* One tick by one member. Once a guard spoke no row runs any more, but all barriers are kept. */
static void run_tick(dpr__cpu_plan *plan, unsigned member) {
    const dpr__step *step = plan->values.step;
    size_t i = 0;
    for (uint32_t phase = 0; phase < step->n_phases; phase++) {
        /* Two phases that member 0 runs alone need no barrier between them. */
        if (phase > 0 && plan->members > 1 &&
            !(plan->phase_serial[phase] && plan->phase_serial[phase - 1]))
            dpr__team_barrier(step->context->team, member);
        if (!atomic_load_explicit(&plan->failed, memory_order_relaxed))
            for (; i < plan->phase_end[phase]; i++)
                run_row(plan, &plan->rows[i], member);
        i = plan->phase_end[phase];
    }
}

/* Member 0 ends the tick: new values for leaves, and whether there is another. */
static void finish_tick(dpr__cpu_plan *plan) {
    bool failed = atomic_load_explicit(&plan->failed, memory_order_relaxed);
    if (!failed) {
        dpr__values_commit(&plan->values);
        plan->done++;
    }
    bool ended = failed || plan->done == plan->ticks || (plan->stop != NULL && *plan->stop != 0);
    atomic_store_explicit(&plan->ended, ended, memory_order_relaxed);
    if (!ended)
        dpr__values_save(&plan->values);
}

static void work(void *user, unsigned member) {
    dpr__cpu_plan *plan = user;
    dpr__team *team = plan->values.step->context->team;
    while (!atomic_load_explicit(&plan->ended, memory_order_relaxed)) {
        run_tick(plan, member);
        if (plan->members > 1)
            dpr__team_barrier(team, member);
        if (member == 0)
            finish_tick(plan);
        if (plan->members > 1)
            dpr__team_barrier(team, member);
    }
}

/* Leaves may have moved since the last run; so may what calls of row kernels point at. */
static void enter(dpr__cpu_plan *plan) {
    dpr__values_enter(&plan->values);
    for (size_t i = 0; i < plan->n_rows; i++)
        if (plan->rows[i].node != 0)
            dpr__cpu_refresh_node(plan, &plan->rows[i]);
}

static dpr_status run(void *p, uint64_t ticks, const volatile int *stop, uint64_t *done) {
    dpr__cpu_plan *plan = p;
    enter(plan);
    plan->ticks = ticks;
    plan->done = 0;
    plan->stop = stop;
    atomic_store(&plan->failed, false);
    atomic_store(&plan->ended, ticks == 0 || (stop != NULL && *stop != 0));
    dpr__values_save(&plan->values);
    dpr__team *team = plan->values.step->context->team;
    plan->members = plan->serial ? 1 : dpr__team_size(team);
    if (plan->members == 1)
        dpr__team_run_alone(work, plan);
    else
        dpr__team_run(team, work, plan);
    dpr__values_leave(&plan->values);
    *done = plan->done;
    return atomic_load(&plan->failed) ? DPR_E_NON_FINITE : DPR_OK;
}

/* ---- looking in ---- */

static const void *value_of(void *p, dpr_value value) {
    return ((dpr__cpu_plan *)p)->values.memory[value];
}

static size_t rows(void *p) {
    return ((dpr__cpu_plan *)p)->n_rows;
}

static dpr__row_view row_view(void *p, size_t i) {
    const dpr__row *row = &((dpr__cpu_plan *)p)->rows[i];
    return (dpr__row_view){.kernel = row->kernel,
                           .group = row->group,
                           .phase = row->phase,
                           .n_tiles = row->n_tiles,
                           .serial = row->serial,
                           .flops = row->flops,
                           .bytes = row->bytes};
}

const dpr__backend dpr__backend_cpu = {.name = "cpu",
                                       .per_node = false,
                                       .compile = compile,
                                       .destroy = destroy,
                                       .run = run,
                                       .value = value_of,
                                       .rows = rows,
                                       .row = row_view};
