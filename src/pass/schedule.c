/* schedule: the order of the groups, and which leaves are written in place. The graph's meaning is "state
 * is read old, written new"; a group may write a leaf where it lies when every other reader of the
 * old value comes before it, and it reads the leaf itself only at the point that it writes. Guards come before
 * the first such group, so that a non-finite loss leaves the state as it was. Other leaves are copied at the
 * tick's end (commits). */
#include "base/context.h"
#include "ir/shape.h"
#include "pass/step.h"

struct edge {
    uint32_t from, next; /* next edge to the same group, + 1; 0 ends the list */
};

struct order {
    dpr__step *step;
    size_t n;       /* groups */
    uint32_t *head; /* (n) first edge from a group that must come before, + 1 */
    struct edge *edges;
    size_t n_edges, edges_capacity;
    bool *seen;      /* (n) by a search; placed */
    uint32_t *stack; /* (n) */
};

static dpr_status add_edge(struct order *order, uint32_t from, uint32_t to) {
    DPR_TRY(dpr__grow(order->step->context, &order->edges, &order->edges_capacity,
                      order->n_edges + 1, sizeof *order->edges));
    order->edges[order->n_edges++] = (struct edge){from, order->head[to]};
    order->head[to] = (uint32_t)order->n_edges;
    return DPR_OK;
}

/* Whether a path leads from group `from` to one that is marked in targets. */
static bool leads_to(struct order *order, uint32_t from, const bool *targets) {
    size_t depth = 0;
    for (uint32_t g = 0; g < order->n; g++) {
        order->seen[g] = targets[g];
        if (targets[g])
            order->stack[depth++] = g;
    }
    while (depth > 0) {
        uint32_t g = order->stack[--depth];
        if (g == from)
            return true;
        for (uint32_t e = order->head[g]; e != 0; e = order->edges[e - 1].next) {
            uint32_t before = order->edges[e - 1].from;
            if (!order->seen[before]) {
                order->seen[before] = true;
                order->stack[depth++] = before;
            }
        }
    }
    return false;
}

static dpr_status add_data_edges(struct order *order) {
    const dpr__step *step = order->step;
    for (uint32_t g = 0; g < order->n; g++)
        for (uint32_t m = 0; m < step->groups[g].n; m++) {
            dpr_value member = step->members[step->groups[g].first + m];
            for (uint32_t i = 0; i < step->graph->nodes[member].n_src; i++) {
                dpr_value src = dpr__owner(step->graph, dpr__source(step->graph, member, i));
                uint32_t from = step->group_of[src];
                if (from != 0 && from - 1 != g)
                    DPR_TRY(add_edge(order, from - 1, g));
            }
        }
    return DPR_OK;
}

/* Marks the groups that must come before a write of `leaf`: its readers, but for `writer`, and guards.
 * False when the writer itself reads the leaf at another point than it writes. */
static bool mark_before(const struct order *order, dpr_value leaf, uint32_t writer, bool *before) {
    const dpr__step *step = order->step;
    for (uint32_t g = 0; g < order->n; g++) {
        before[g] = false;
        for (uint32_t m = 0; m < step->groups[g].n; m++) {
            dpr_value member = step->members[step->groups[g].first + m];
            const dpr__node *node = dpr__node_of(step->graph, member);
            before[g] |= node->op == DPR__OP_guard && g != writer;
            for (uint32_t i = 0; i < node->n_src; i++) {
                dpr_value src = dpr__source(step->graph, member, i);
                if (dpr__owner(step->graph, src) != leaf)
                    continue;
                before[g] |= g != writer;
                if (g == writer && !(dpr__has_trait(node->op, DPR__ELEMENTWISE) &&
                                     dpr__pattern_of(&dpr__node_of(step->graph, src)->shape,
                                                     &node->shape) == DPR__FULL))
                    return false;
            }
        }
    }
    return true;
}

/* Lets the group of `value` write `leaf` in place, if it can; *done says so. What is kept is not computed in every tick, in which the leaf is to be
 * written. */
static dpr_status try_in_place(struct order *order, dpr_value leaf, dpr_value value, bool *before,
                               bool *done) {
    dpr__step *step = order->step;
    *done = false;
    if (step->group_of[value] == 0 || step->kept[value] ||
        step->placements[value].home != DPR__HOME_NONE || step->forms[value] != step->forms[leaf])
        return DPR_OK;
    uint32_t writer = step->group_of[value] - 1;
    if (!mark_before(order, leaf, writer, before) || leads_to(order, writer, before))
        return DPR_OK;
    for (uint32_t g = 0; g < order->n; g++)
        if (before[g])
            DPR_TRY(add_edge(order, g, writer));
    step->placements[value] = (dpr__placement){.home = DPR__HOME_LEAF, .leaf = leaf};
    *done = true;
    return DPR_OK;
}

static dpr_status place_assigns(struct order *order) {
    dpr__step *step = order->step;
    dpr_context *context = step->context;
    bool in_place = !step->per_node && !context->pass_disabled[DPR__PASS_SCHEDULE], *before;
    DPR_TRY(dpr__allocate(context, order->n, sizeof *before, &before));
    dpr_status status = DPR_OK;
    for (dpr_value v = 1; status == DPR_OK && v < step->graph->n_nodes; v++) {
        if (step->graph->nodes[v].op != DPR__OP_assign)
            continue;
        dpr_value leaf = dpr__source(step->graph, v, 0);
        dpr_value value = dpr__owner(step->graph, v);
        bool done = false;
        if (in_place)
            status = try_in_place(order, leaf, value, before, &done);
        if (!done && status == DPR_OK)
            step->commits[step->n_commits++] =
                (dpr__commit){.leaf = leaf,
                              .value = value,
                              .from_leaf = step->graph->nodes[value].op == DPR__OP_leaf};
    }
    dpr__free(context, before);
    return status;
}

/* Of the groups that must come before group g and are not placed, the one built first; n: all are placed. */
static uint32_t first_missing(const struct order *order, uint32_t g) {
    uint32_t first = (uint32_t)order->n;
    for (uint32_t e = order->head[g]; e != 0; e = order->edges[e - 1].next) {
        uint32_t before = order->edges[e - 1].from;
        if (!order->seen[before] && before < first)
            first = before;
    }
    return first;
}

/* Places every group that is kept, or every one that is not, in the order in which they were built; what one waits for comes right
 * before it, and nothing else does, so that no value waits long for its reader. */
static void place(struct order *order, bool kept, dpr__group *sorted, size_t *n) {
    const dpr__step *step = order->step;
    for (uint32_t g = 0; g < order->n; g++) {
        size_t depth = 0;
        if (!order->seen[g] && step->kept[step->members[step->groups[g].first]] == kept)
            order->stack[depth++] = g;
        while (depth > 0) {
            uint32_t last = order->stack[depth - 1], missing = first_missing(order, last);
            if (missing < order->n) {
                DPR_ASSERT(depth < order->n); /* no cycle: fuse and try_in_place see to it */
                order->stack[depth++] = missing;
                continue;
            }
            order->seen[last] = true;
            sorted[(*n)++] = step->groups[last];
            depth--;
        }
    }
}

static dpr_status sort(struct order *order) {
    dpr__step *step = order->step;
    dpr__group *sorted;
    size_t n = 0;
    DPR_TRY(dpr__allocate(step->context, order->n, sizeof *sorted, &sorted));
    place(order, true, sorted, &n);
    place(order, false, sorted, &n);
    DPR_ASSERT(n == order->n);
    dpr__free(step->context, step->groups);
    step->groups = sorted;
    for (uint32_t g = 0; g < n; g++)
        for (uint32_t m = 0; m < sorted[g].n; m++)
            step->group_of[step->members[sorted[g].first + m]] = g + 1;
    return DPR_OK;
}

static dpr_status schedule(struct order *order) {
    dpr__step *step = order->step;
    dpr_context *context = step->context;
    size_t n_nodes = step->graph->n_nodes;
    DPR_TRY(dpr__allocate(context, order->n, sizeof *order->head, &order->head));
    DPR_TRY(dpr__allocate(context, order->n, sizeof *order->seen, &order->seen));
    DPR_TRY(dpr__allocate(context, order->n, sizeof *order->stack, &order->stack));
    DPR_TRY(dpr__allocate(context, n_nodes, sizeof *step->placements, &step->placements));
    DPR_TRY(dpr__allocate(context, n_nodes, sizeof *step->commits, &step->commits));
    DPR_TRY(add_data_edges(order));
    DPR_TRY(place_assigns(order));
    for (size_t g = 0; g < order->n; g++)
        order->seen[g] = false;
    return sort(order);
}

dpr_status dpr__schedule(dpr__step *step) {
    struct order order = {.step = step, .n = step->n_groups};
    dpr_status status = schedule(&order);
    dpr_context *context = step->context;
    dpr__free(context, order.head);
    dpr__free(context, order.edges);
    dpr__free(context, order.seen);
    dpr__free(context, order.stack);
    if (status == DPR_OK)
        dpr__log(context, DPR_LOG_DEBUG, DPR__TOPIC_PASS, "schedule: %zu leaves copied at the end",
                 step->n_commits);
    return status;
}
