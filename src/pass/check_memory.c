/* The independent checker of the memory plan. It shares nothing with memory.c but the plan: it asks of every
 * read and write what must hold, the slow and plain way. */
#include "base/context.h"
#include "pass/step.h"

static bool in_arena(const dpr__placement *p) {
    return p->home == DPR__HOME_ARENA || p->home == DPR__HOME_CONSTANT;
}

static bool bytes_meet(const dpr__placement *a, const dpr__placement *b) {
    return a->bytes > 0 && b->bytes > 0 && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

/* What lies in a pool lives as long as nothing writes the pool. */
static dpr_status check_entry(const dpr__step *step, dpr_value entry) {
    dpr_value pool = dpr__owner(step->graph, dpr__source(step->graph, entry, 0));
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        if (step->graph->nodes[v].op == DPR__OP_assign && dpr__source(step->graph, v, 0) == pool)
            return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                            "plan: entry %u lies in a pool that node %u writes", entry, v);
    return DPR_OK;
}

/* A value read in `phase` by group g must be stored, complete, and still there. */
static dpr_status check_read(const dpr__step *step, dpr_value value, uint32_t g, uint32_t phase) {
    dpr_value owner = dpr__owner(step->graph, value);
    const dpr__placement *p = &step->placements[owner];
    uint32_t producer = step->group_of[owner];
    if (producer == g + 1)
        return DPR_OK;
    if (p->home == DPR__HOME_NONE)
        return DPR_FAIL(step->context, DPR_E_ARGUMENT, "plan: node %u is read but not stored",
                        owner);
    if (producer != 0 && step->groups[producer - 1].phase >= phase)
        return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                        "plan: node %u is read in phase %u but made in phase %u", owner, phase,
                        step->groups[producer - 1].phase);
    bool again = producer != 0 && step->groups[producer - 1].phase < step->n_kept_phases &&
                 phase >= step->n_kept_phases; /* by later ticks */
    if (in_arena(p) && (p->first_phase > phase || p->last_phase < (again ? step->n_phases : phase)))
        return DPR_FAIL(step->context, DPR_E_ARGUMENT, "plan: node %u is read after its life",
                        owner);
    if (p->home == DPR__HOME_ENTRY)
        DPR_TRY(check_entry(step, owner));
    if (p->bytes != dpr__value_bytes(step, owner))
        return DPR_FAIL(step->context, DPR_E_ARGUMENT, "plan: node %u has the wrong size", owner);
    return DPR_OK;
}

/* Group g writes `leaf` in place: no group reads the old value, and no guard speaks, at its time or later. */
static dpr_status check_in_place(const dpr__step *step, dpr_value leaf, uint32_t g) {
    for (uint32_t other = 0; other < step->n_groups; other++) {
        if (other == g || step->groups[other].phase < step->groups[g].phase)
            continue;
        for (uint32_t m = 0; m < step->groups[other].n; m++) {
            dpr_value member = step->members[step->groups[other].first + m];
            const dpr__node *node = dpr__node_of(step->graph, member);
            if (node->op == DPR__OP_guard)
                return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                                "plan: leaf %u is written before guard %u", leaf, member);
            for (uint32_t i = 0; i < node->n_src; i++)
                if (dpr__owner(step->graph, dpr__source(step->graph, member, i)) == leaf)
                    return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                                    "plan: leaf %u is overwritten before node %u reads it", leaf,
                                    member);
        }
    }
    return DPR_OK;
}

/* What is computed once comes of nothing that the caller or this step may change from tick to tick. */
static dpr_status check_kept(const dpr__step *step, dpr_value member) {
    const dpr_graph *graph = step->graph;
    bool steady =
        !dpr__has_trait(graph->nodes[member].op, DPR__EFFECT) && !dpr__writes_leaf(step, member);
    for (uint32_t i = 0; i < graph->nodes[member].n_src; i++) {
        dpr_value src = dpr__owner(graph, dpr__source(graph, member, i));
        const dpr__leaf_param *leaf = graph->nodes[src].param;
        if (graph->nodes[src].op == DPR__OP_leaf)
            steady &= leaf->kind % DPR__DERIVED != DPR_INPUT;
        for (dpr_value v = 1; v < graph->n_nodes; v++)
            steady &= graph->nodes[v].op != DPR__OP_assign || dpr__source(graph, v, 0) != src;
    }
    if (steady)
        return DPR_OK;
    return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                    "plan: node %u is computed once, but reads or writes what changes", member);
}

static dpr_status check_group(const dpr__step *step, uint32_t g) {
    const dpr__group *group = &step->groups[g];
    for (uint32_t m = 0; m < group->n; m++) {
        dpr_value member = step->members[group->first + m];
        if (group->phase < step->n_kept_phases)
            DPR_TRY(check_kept(step, member));
        for (uint32_t i = 0; i < step->graph->nodes[member].n_src; i++)
            DPR_TRY(check_read(step, dpr__source(step->graph, member, i), g, group->phase));
        if (dpr__writes_leaf(step, member))
            DPR_TRY(check_in_place(step, step->placements[member].leaf, g));
        if (step->placements[member].home == DPR__HOME_ARENA &&
            step->placements[member].first_phase > group->phase)
            return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                            "plan: node %u is written before its life", member);
    }
    return DPR_OK;
}

static dpr_status check_overlaps(const dpr__step *step) {
    size_t n = step->graph->n_nodes;
    for (dpr_value a = 1; a < n; a++) {
        const dpr__placement *p = &step->placements[a];
        if (!in_arena(p) || dpr__owner(step->graph, a) != a)
            continue;
        if (p->offset + p->bytes > step->arena_bytes)
            return DPR_FAIL(step->context, DPR_E_ARGUMENT, "plan: node %u leaves the arena", a);
        for (dpr_value b = a + 1; b < n; b++) {
            const dpr__placement *q = &step->placements[b];
            if (in_arena(q) && dpr__owner(step->graph, b) == b && bytes_meet(p, q) &&
                p->first_phase <= q->last_phase && q->first_phase <= p->last_phase)
                return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                                "plan: nodes %u and %u live together and share bytes", a, b);
        }
    }
    return DPR_OK;
}

dpr_status dpr__check_memory(const dpr__step *step) {
    for (uint32_t g = 0; g < step->n_groups; g++)
        DPR_TRY(check_group(step, g));
    for (size_t i = 0; i < step->n_roots; i++)
        if (step->roots[i] != 0)
            DPR_TRY(check_read(step, step->roots[i], UINT32_MAX - 1, step->n_phases));
    for (size_t i = 0; i < step->n_commits; i++)
        DPR_TRY(check_read(step, step->commits[i].value, UINT32_MAX - 1, step->n_phases));
    return check_overlaps(step);
}
