/* The memory plan: phases between barriers, how long each stored value lives, and one arena in which values
 * that never live together share bytes. The plan is data; check_memory.c checks it independently. */
#include "base/context.h"
#include "ir/shape.h"
#include "pass/step.h"
#include <stdlib.h>

enum { ALIGNMENT = 64 }; /* a cache line, and the widest vector */

size_t dpr__element_bytes(const dpr__step *step, dpr_value value) {
    dpr_dtype dtype = dpr__node_of(step->graph, value)->dtype;
    return dpr__dtype_bytes(dtype == DPR_F32 && step->leaves_are_f64 ? DPR_F64 : dtype);
}

size_t dpr__value_bytes(const dpr__step *step, dpr_value value) {
    const dpr_shape *shape = &dpr__node_of(step->graph, value)->shape;
    return dpr__form_bytes(step->forms[value], shape, dpr__element_bytes(step, value));
}

bool dpr__writes_leaf(const dpr__step *step, dpr_value member) {
    return step->placements[member].home == DPR__HOME_LEAF &&
           dpr__owner(step->graph, member) == member;
}

/* Whether group g must wait for a group of the phase that began with group `start`. */
static bool depends_on_phase(const dpr__step *step, uint32_t start, uint32_t g) {
    const dpr__group *group = &step->groups[g];
    for (uint32_t m = 0; m < group->n; m++) {
        dpr_value member = step->members[group->first + m];
        for (uint32_t i = 0; i < step->graph->nodes[member].n_src; i++) {
            uint32_t from =
                step->group_of[dpr__owner(step->graph, dpr__source(step->graph, member, i))];
            if (from > start && from - 1 < g)
                return true;
        }
        /* A leaf written in place waits for its readers and for the guards. */
        if (!dpr__writes_leaf(step, member))
            continue;
        dpr_value leaf = step->placements[member].leaf;
        for (uint32_t other = start; other < g; other++)
            for (uint32_t k = 0; k < step->groups[other].n; k++) {
                dpr_value reader = step->members[step->groups[other].first + k];
                if (step->graph->nodes[reader].op == DPR__OP_guard)
                    return true;
                for (uint32_t i = 0; i < step->graph->nodes[reader].n_src; i++)
                    if (dpr__owner(step->graph, dpr__source(step->graph, reader, i)) == leaf)
                        return true;
            }
    }
    return false;
}

static bool is_kept(const dpr__step *step, uint32_t g) {
    return step->kept[step->members[step->groups[g].first]];
}

static void set_phases(dpr__step *step) {
    uint32_t start = 0, phase = 0;
    for (uint32_t g = 0; g < step->n_groups; g++) {
        if (g > start && (step->per_node || is_kept(step, start) != is_kept(step, g) ||
                          depends_on_phase(step, start, g))) {
            phase++;
            start = g;
        }
        step->groups[g].phase = phase;
        if (is_kept(step, g))
            step->n_kept_phases = phase + 1;
    }
    step->n_phases = phase + 1;
}

/* The value is needed until the end of `phase`. */
static void keep(dpr__step *step, dpr_value value, uint32_t phase) {
    dpr_value owner = dpr__owner(step->graph, value);
    dpr__placement *placement = &step->placements[owner];
    const dpr__node *node = dpr__node_of(step->graph, owner);
    if (placement->home == DPR__HOME_NONE) {
        *placement = (dpr__placement){.home = DPR__HOME_ARENA};
        if (step->entries[owner]) {
            placement->home = DPR__HOME_ENTRY;
        } else if (node->op == DPR__OP_constant) {
            placement->home = DPR__HOME_CONSTANT;
            placement->last_phase = step->n_phases;
        } else if (node->op == DPR__OP_leaf) {
            placement->home = DPR__HOME_LEAF;
            placement->leaf = owner;
        } else {
            placement->first_phase = step->groups[step->group_of[owner] - 1].phase;
        }
    }
    placement->bytes = dpr__value_bytes(step, owner);
    if (placement->last_phase < phase)
        placement->last_phase = phase;
}

static void set_lives(dpr__step *step) {
    const dpr_graph *graph = step->graph;
    for (uint32_t g = 0; g < step->n_groups; g++)
        for (uint32_t m = 0; m < step->groups[g].n; m++) {
            dpr_value member = step->members[step->groups[g].first + m];
            for (uint32_t i = 0; i < graph->nodes[member].n_src; i++) {
                dpr_value src = dpr__source(graph, member, i);
                /* Only a value that leaves its group is stored; for ever, where later ticks read it. */
                dpr_value owner = dpr__owner(graph, src);
                bool stays = step->kept[owner] && !step->kept[member];
                if (step->group_of[owner] != g + 1)
                    keep(step, src, stays ? step->n_phases : step->groups[g].phase);
            }
        }
    for (size_t i = 0; i < step->n_roots; i++)
        if (step->roots[i] != 0)
            keep(step, step->roots[i], step->n_phases);
    for (size_t i = 0; i < step->n_commits; i++) {
        keep(step, step->commits[i].value, step->n_phases);
        keep(step, step->commits[i].leaf, step->n_phases);
    }
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (dpr__owner(graph, v) != v)
            step->placements[v] = step->placements[dpr__owner(graph, v)];
}

/* One stretch of the arena that is to be placed. */
struct block {
    size_t bytes, *offset;
    uint32_t first, last; /* phases */
    size_t ordinal;       /* makes the order total: the same plan always */
};

static int larger_first(const void *a, const void *b) {
    const struct block *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->ordinal < y->ordinal ? -1 : 1;
}

/* Lowest offset at which the block meets no placed block of its time (first fit by size: Pisarchyk & Lee
 * 2020, "Efficient memory management for deep neural net inference", section 5). */
static size_t lowest_offset(const struct block *blocks, size_t n_placed,
                            const struct block *block) {
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n_placed; i++) {
            const struct block *other = &blocks[i];
            bool same_time = other->first <= block->last && block->first <= other->last;
            if (same_time && offset < *other->offset + other->bytes &&
                *other->offset < offset + block->bytes) {
                offset = *other->offset + other->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

static void place(dpr__step *step, struct block *blocks, size_t n) {
    bool share = !step->per_node && !step->context->pass_disabled[DPR__PASS_MEMPLAN];
    qsort(blocks, n, sizeof *blocks, larger_first);
    for (size_t i = 0; i < n; i++) {
        *blocks[i].offset = share ? lowest_offset(blocks, i, &blocks[i]) : step->unplanned_bytes;
        step->unplanned_bytes += blocks[i].bytes;
        size_t end = *blocks[i].offset + blocks[i].bytes;
        step->arena_bytes = end > step->arena_bytes ? end : step->arena_bytes;
    }
}

static size_t rounded(size_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

dpr_status dpr__plan_memory(dpr__step *step) {
    set_phases(step);
    set_lives(step);
    struct block *blocks;
    size_t n = 0;
    DPR_TRY(dpr__allocate(step->context, step->graph->n_nodes + step->n_commits, sizeof *blocks,
                          &blocks));
    for (dpr_value v = 1; v < step->graph->n_nodes; v++) {
        dpr__placement *p = &step->placements[v];
        if ((p->home == DPR__HOME_ARENA || p->home == DPR__HOME_CONSTANT) &&
            dpr__owner(step->graph, v) == v) {
            blocks[n] =
                (struct block){rounded(p->bytes), &p->offset, p->first_phase, p->last_phase, n};
            n++;
        }
    }
    for (size_t i = 0; i < step->n_commits; i++)
        if (step->commits[i].from_leaf) {
            size_t bytes = rounded(dpr__value_bytes(step, step->commits[i].value));
            blocks[n] = (struct block){bytes, &step->commits[i].offset, 0, step->n_phases, n};
            n++;
        }
    place(step, blocks, n);
    dpr__free(step->context, blocks);
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        step->placements[v].offset = step->placements[dpr__owner(step->graph, v)].offset;
    dpr__log(step->context, DPR_LOG_DEBUG, DPR__TOPIC_PASS,
             "memory: %zu bytes in %u phases; %zu without sharing", step->arena_bytes,
             step->n_phases, step->unplanned_bytes);
    return DPR_OK;
}
