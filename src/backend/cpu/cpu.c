/* The cpu backend: one persistent team walks the plan in lockstep. A barrier stands between two phases where one
 * of them is shared; phases that are too small to share run on the caller alone. */
#include "backend/cpu/cpu.h"
#include "base/clock.h"
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
    dpr__free_aligned(context, plan->parts);
    dpr__free(context, plan->rows);
    dpr__free(context, plan->phase_serial);
    dpr__free(context, plan->phase_finishes);
    dpr__free(context, plan->phase_end);
    dpr__free(context, plan->row_ns);
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
    DPR_TRY(dpr__allocate(context, step->n_phases, sizeof *plan->phase_finishes,
                          &plan->phase_finishes));
    for (uint32_t g = 0; g < step->n_groups; g++)
        DPR_TRY(dpr__cpu_compile_group(plan, g, &plan->rows[g]));
    plan->n_rows = step->n_groups;
    plan->first_phase = step->n_kept_phases;
    plan->serial = true;
    for (uint32_t phase = 0; phase < step->n_phases; phase++)
        plan->phase_serial[phase] = true;
    for (size_t i = 0; i < plan->n_rows; i++) {
        plan->phase_end[plan->rows[i].phase] = i + 1;
        plan->phase_serial[plan->rows[i].phase] &= plan->rows[i].serial;
        plan->phase_finishes[plan->rows[i].phase] |= plan->rows[i].finish != NULL;
        plan->serial &= plan->rows[i].serial || plan->rows[i].phase < plan->first_phase;
        if (plan->rows[i].tile != NULL && plan->rows[i].tile->leave != NULL)
            plan->tiles = plan->rows[i].tile;
    }
    return DPR_OK;
}

/* Rows that make sums in parts join them before their phase ends, so that only the rows of one phase need places apart. */
static dpr_status make_parts(dpr__cpu_plan *plan) {
    size_t at = 0, most = 0;
    for (size_t i = 0; i < plan->n_rows; i++) {
        dpr__row *row = &plan->rows[i];
        at = i > 0 && row[-1].phase == row->phase ? at : 0;
        row->partial_at = at;
        at += dpr__cpu_whole_lines(row->partial_floats);
        most = at > most ? at : most;
    }
    DPR_TRY(dpr__allocate_aligned(plan->values.step->context, most * sizeof *plan->parts, 64,
                                  &plan->parts));
    for (size_t i = 0; i < plan->n_rows; i++)
        plan->rows[i].partial = plan->parts + plan->rows[i].partial_at;
    return DPR_OK;
}

/* Scratch in builds that check: no number, so that what is read and was never written is seen. */
#ifdef NDEBUG
enum { UNTOUCHED = 0 };
#else
enum { UNTOUCHED = 0xff };
#endif

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
        memset(*scratch, UNTOUCHED, floats * sizeof **scratch); /* now, not in the first tick */
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
        status = make_parts(plan);
    if (status == DPR_OK)
        status = make_team(plan);
    if (status != DPR_OK) {
        destroy(plan);
        return status;
    }
    uint64_t work = 0;
    for (size_t i = 0; i < plan->n_rows; i++)
        if (plan->rows[i].phase >= plan->first_phase)
            work += plan->rows[i].flops + plan->rows[i].bytes;
    dpr__pace_init(&plan->pace, plan->serial ? 1 : dpr__team_size(step->context->team), work);
    *out = plan;
    return DPR_OK;
}

/* ---- running ---- */

/* A member's share of a row's tiles. */
static void run_tiles(dpr__cpu_plan *plan, dpr__row *row, dpr__row_run *run, int64_t n_tiles,
                      unsigned member) {
    int64_t first = 0, last = n_tiles;
    if (row->serial) {
        if (member != 0)
            return;
    } else {
        first = n_tiles * member / plan->members;
        last = n_tiles * (member + 1) / plan->members;
    }
    if (first == last)
        return;
    uint64_t begin = plan->timed ? dpr__now_ns() : 0;
    if (row->op != &dpr__op_guard)
        run(row, &plan->values, plan->scratch[member], first, last);
    else if (!isfinite(*(const float *)row->call.src[0].data))
        atomic_store_explicit(&plan->failed, true, memory_order_relaxed);
    if (plan->timed)
        plan->row_ns[(size_t)(row - plan->rows) * plan->n_scratch + member] +=
            dpr__now_ns() - begin;
}

/* The rows of a phase, or what is left of them. Once a guard spoke no row runs any more, but all barriers are kept. */
static void run_rows(dpr__cpu_plan *plan, uint32_t phase, unsigned member, bool finish) {
    if (atomic_load_explicit(&plan->failed, memory_order_relaxed))
        return;
    for (size_t i = phase == 0 ? 0 : plan->phase_end[phase - 1]; i < plan->phase_end[phase]; i++) {
        dpr__row *row = &plan->rows[i];
        if (!finish)
            run_tiles(plan, row, row->run, row->n_tiles, member);
        else if (row->finish != NULL)
            run_tiles(plan, row, row->finish, row->n_finish, member);
    }
}

static void run_phase(dpr__cpu_plan *plan, uint32_t phase, unsigned member) {
    run_rows(plan, phase, member, false);
    if (!plan->phase_finishes[phase])
        return;
    if (plan->members > 1 && !plan->phase_serial[phase])
        dpr__team_barrier(plan->values.step->context->team, member);
    run_rows(plan, phase, member, true);
}

/* Member 0, when all rows of a tick are done: new values for leaves, and whether there is another tick. */
static void finish_tick(dpr__cpu_plan *plan) {
    bool failed = atomic_load_explicit(&plan->failed, memory_order_relaxed);
    if (!failed) {
        dpr__values_commit(&plan->values);
        plan->done++;
    }
    plan->ended = failed || plan->done == plan->ticks || (plan->stop != NULL && *plan->stop != 0);
    if (!plan->ended)
        dpr__values_save(&plan->values);
}

/* Two phases that member 0 runs alone need no barrier between them. It ends a tick and begins the next, with the phases that it runs alone, before the others hear of it: so a tick has one
 * barrier beside those between phases. */
static void work_together(dpr__cpu_plan *plan, unsigned member) {
    dpr__team *team = plan->values.step->context->team;
    uint32_t alone = plan->first_phase; /* phases from there to here member 0 runs alone */
    while (alone < plan->values.step->n_phases && plan->phase_serial[alone])
        alone++;
    for (bool first = true;; first = false) {
        if (member == 0) {
            if (!first)
                finish_tick(plan);
            for (uint32_t phase = plan->first_phase; phase < alone && !plan->ended; phase++)
                run_phase(plan, phase, 0);
        }
        dpr__team_barrier(team, member);
        if (plan->ended)
            return;
        for (uint32_t phase = alone; phase < plan->values.step->n_phases; phase++) {
            if (phase > alone && !(plan->phase_serial[phase] && plan->phase_serial[phase - 1]))
                dpr__team_barrier(team, member);
            run_phase(plan, phase, member);
        }
        dpr__team_barrier(team, member);
    }
}

static void work_alone(dpr__cpu_plan *plan) {
    while (!plan->ended) {
        for (uint32_t phase = plan->first_phase; phase < plan->values.step->n_phases; phase++)
            run_phase(plan, phase, 0);
        finish_tick(plan);
    }
}

/* What is kept. */
static void prepare(dpr__cpu_plan *plan, unsigned member) {
    for (uint32_t phase = 0; phase < plan->first_phase; phase++) {
        run_phase(plan, phase, member);
        if (plan->members > 1)
            dpr__team_barrier(plan->values.step->context->team, member);
    }
}

static void work(void *user, unsigned member) {
    dpr__cpu_plan *plan = user;
    if (plan->values.stale)
        prepare(plan, member);
    else if (plan->members > 1)
        work_together(plan, member);
    else
        work_alone(plan);
    if (plan->tiles != NULL)
        plan->tiles->leave();
}

/* Leaves may have moved since the last run; so may what calls of row kernels point at. */
static dpr_status enter(dpr__cpu_plan *plan) {
    bool moved;
    DPR_TRY(dpr__values_enter(&plan->values, &moved));
    for (size_t i = 0; moved && i < plan->n_rows; i++)
        if (plan->rows[i].node != 0)
            dpr__cpu_refresh_node(plan, &plan->rows[i]);
    return DPR_OK;
}

/* Computes what is kept. */
static void run_kept(dpr__cpu_plan *plan) {
    plan->members = dpr__team_size(plan->values.step->context->team);
    if (plan->first_phase > 0)
        dpr__team_run(plan->values.step->context->team, work, plan);
    plan->values.stale = false;
}

/* Up to `ticks` more, by so many members. */
static void run_slice(dpr__cpu_plan *plan, uint64_t ticks, unsigned members) {
    plan->members = members;
    plan->ticks = plan->done + ticks;
    plan->ended = false;
    dpr__values_save(&plan->values);
    if (members == 1)
        dpr__team_run_alone(work, plan);
    else
        dpr__team_run(plan->values.step->context->team, work, plan);
}

static dpr_status run(void *p, uint64_t ticks, const volatile int *stop, uint64_t *done) {
    dpr__cpu_plan *plan = p;
    plan->done = 0;
    plan->stop = stop;
    atomic_store(&plan->failed, false);
    *done = 0;
    DPR_TRY(enter(plan));
    if (plan->values.stale)
        run_kept(plan);
    while (plan->done < ticks && (stop == NULL || *stop == 0) && !atomic_load(&plan->failed)) {
        unsigned members;
        uint64_t slice = dpr__pace_choose(&plan->pace, ticks - plan->done, &members);
        uint64_t before = plan->done, begin = dpr__now_ns();
        run_slice(plan, slice, members);
        dpr__pace_learn(&plan->pace, plan->done - before, dpr__now_ns() - begin);
    }
    dpr__values_leave(&plan->values);
    *done = plan->done;
    return atomic_load(&plan->failed) ? DPR_E_NON_FINITE : DPR_OK;
}

static dpr_status time_rows(void *p) {
    dpr__cpu_plan *plan = p;
    dpr_context *context = plan->values.step->context;
    size_t n = plan->n_rows * plan->n_scratch;
    if (plan->row_ns == NULL)
        DPR_TRY(dpr__allocate(context, n, sizeof *plan->row_ns, &plan->row_ns));
    memset(plan->row_ns, 0, n * sizeof *plan->row_ns);
    plan->timed = true;
    return DPR_OK;
}

/* ---- looking in ---- */

static const void *value_of(void *p, dpr_value value) {
    return dpr__values_find(&((dpr__cpu_plan *)p)->values, value);
}

static size_t rows(void *p) {
    return ((dpr__cpu_plan *)p)->n_rows;
}

static dpr__row_view row_view(void *p, size_t i) {
    const dpr__cpu_plan *plan = p;
    const dpr__row *row = &plan->rows[i];
    uint64_t ns = 0; /* of the slowest member */
    for (unsigned m = 0; plan->timed && m < plan->n_scratch; m++) {
        uint64_t own = plan->row_ns[i * plan->n_scratch + m];
        ns = own > ns ? own : ns;
    }
    return (dpr__row_view){.kernel = row->kernel,
                           .chain = row->chain_name,
                           .ns = ns,
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
                                       .time_rows = time_rows,
                                       .value = value_of,
                                       .rows = rows,
                                       .row = row_view};
