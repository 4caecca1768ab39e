/* fuse: covers the graph with groups; makes no new ops. An elementwise node joins the group of its
 * reader or its source where both run over one iteration space and no value would have to leave the group
 * and come back. One contraction, or one gather, a group. Cheap nodes are thus computed where they are used. */
#include "base/context.h"
#include "ir/shape.h"
#include "pass/step.h"

enum { MAX_MEMBERS = 24 }; /* each may take a register of the pointwise kernels' scratch */

/* Groups are circular lists; what is known of one stands at its representative. */
struct fusion {
    const dpr_graph *graph;
    struct entry {
        uint32_t group; /* representative node; 0: not computed (leaf, constant, view, assign) */
        dpr_value next; /* in the circular list of the group's members */
        uint32_t size;  /* of a representative: members, highest id */
        dpr_value high;
        bool anchored;      /* holds a matmul or a gather */
        uint32_t n_readers; /* roots count, too */
        uint32_t seen;      /* the search that saw this node last */
    } * at;                 /* (nodes) */
    dpr_value *stack;       /* (nodes) */
    uint32_t searches;
    bool convolves; /* convolutions take elementwise readers, too */
};

static bool is_computed(dpr__op_id op) {
    return op != DPR__OP_leaf && op != DPR__OP_constant && !dpr__has_trait(op, DPR__VIEW) &&
           op != DPR__OP_assign;
}

dpr_value dpr__owner(const dpr_graph *graph, dpr_value value) {
    for (;;) {
        if (dpr__has_trait(graph->nodes[value].op, DPR__VIEW) ||
            graph->nodes[value].op == DPR__OP_guard)
            value = dpr__source(graph, value, 0);
        else if (graph->nodes[value].op == DPR__OP_assign)
            value = dpr__source(graph, value, 1);
        else
            return value;
    }
}

static bool may_fuse(const struct fusion *fusion, dpr_value value) {
    const dpr__node *node = dpr__node_of(fusion->graph, value);
    if (!dpr__has_trait(node->op, DPR__ELEMENTWISE) || node->dtype != DPR_F32)
        return false;
    for (uint32_t i = 0; i < node->n_src; i++)
        if (dpr__pattern_of(
                &dpr__node_of(fusion->graph, dpr__source(fusion->graph, value, i))->shape,
                &node->shape) == DPR__NO_PATTERN)
            return false;
    return true;
}

/* A gather joins its reader where it makes a matrix. Bytes are not stored then: their one reader converts them. */
static bool is_anchor(const struct fusion *fusion, dpr_value value) {
    const dpr__node *node = dpr__node_of(fusion->graph, value);
    if (node->op == DPR__OP_matmul)
        return true;
    if (dpr__has_trait(node->op, DPR__CONVOLUTION))
        return fusion->convolves && ((const dpr__conv_param *)node->param)->groups == 1;
    return node->op == DPR__OP_gather && node->shape.rank == 2 && node->shape.dim[1] > 1 &&
           (node->dtype == DPR_F32 || (node->dtype == DPR_U8 && fusion->at[value].n_readers == 1));
}

static void see(struct fusion *fusion, dpr_value value, size_t *depth) {
    if (fusion->at[value].seen == fusion->searches)
        return;
    fusion->at[value].seen = fusion->searches;
    fusion->stack[(*depth)++] = value;
}

/* Puts all members of a group on the stack: a group waits for all that any member needs. */
static void see_group(struct fusion *fusion, uint32_t group, size_t *depth) {
    dpr_value member = group;
    do {
        see(fusion, member, depth);
        member = fusion->at[member].next;
    } while (member != group);
}

/* Whether some value of group `from` must be complete before group `to` can start: it is needed by way of
 * a third group, or by `to`'s contraction. Walks from `to` towards the leaves, whole groups at a time: a group
 * of low ids may wait for one of high ids, so ids cannot shorten the walk. */
static bool must_wait(struct fusion *fusion, uint32_t from, uint32_t to) {
    const dpr_graph *graph = fusion->graph;
    size_t depth = 0;
    fusion->searches++;
    see_group(fusion, to, &depth);
    while (depth > 0) {
        dpr_value v = fusion->stack[--depth];
        bool inside = fusion->at[v].group == to && may_fuse(fusion, v);
        for (uint32_t i = 0; i < graph->nodes[v].n_src; i++) {
            dpr_value direct = dpr__source(graph, v, i), src = dpr__owner(graph, direct);
            uint32_t group = fusion->at[src].group;
            if (group == from && !(inside && src == direct))
                return true;
            if (group != 0 && group != from)
                see_group(fusion, group, &depth);
        }
    }
    return false;
}

static void merge(struct fusion *fusion, uint32_t from, uint32_t to) {
    struct entry *a = &fusion->at[from], *b = &fusion->at[to];
    dpr_value member = from;
    do {
        fusion->at[member].group = to;
        member = fusion->at[member].next;
    } while (member != from);
    dpr_value next = a->next; /* two circles become one */
    a->next = b->next;
    b->next = next;
    b->size += a->size;
    b->high = a->high > b->high ? a->high : b->high;
    b->anchored |= a->anchored;
}

/* Merges the group of src with that of its reader, where that is allowed. */
static void try_merge(struct fusion *fusion, dpr_value src, dpr_value reader) {
    const dpr_graph *graph = fusion->graph;
    uint32_t a = fusion->at[src].group, b = fusion->at[reader].group;
    if (a == 0 || b == 0 || a == b || fusion->at[a].size + fusion->at[b].size > MAX_MEMBERS)
        return;
    if (fusion->at[a].anchored && fusion->at[b].anchored)
        return;
    const dpr__node *from = dpr__node_of(graph, src), *to = dpr__node_of(graph, reader);
    if (!may_fuse(fusion, reader) || !(is_anchor(fusion, src) || may_fuse(fusion, src)))
        return;
    if (dpr__shape_equal(&from->shape, &to->shape) && !must_wait(fusion, a, b))
        merge(fusion, a, b);
}

/* Later readers first: step(h) goes to the backward group that needs it, not to the forward group
 * that made h. */
static void merge_all(struct fusion *fusion) {
    const dpr_graph *graph = fusion->graph;
    for (dpr_value reader = (dpr_value)graph->n_nodes; reader-- > 1;)
        for (uint32_t i = 0; i < graph->nodes[reader].n_src; i++)
            try_merge(fusion, dpr__source(graph, reader, i), reader);
}

dpr__pattern dpr__pattern_of(const dpr_shape *operand, const dpr_shape *space) {
    if (dpr__shape_count(operand) == 1)
        return dpr__shape_count(space) == 1 ? DPR__FULL : DPR__SCALAR;
    if (dpr__shape_count(operand) == dpr__shape_count(space))
        return DPR__FULL;
    if (dpr__shape_count(operand) == dpr__columns(space) &&
        operand->dim[operand->rank - 1] == dpr__columns(space))
        return DPR__ROW;
    if (operand->rank == space->rank && operand->dim[operand->rank - 1] == 1 &&
        dpr__shape_count(operand) == dpr__rows_of(space))
        return DPR__COLUMN;
    return DPR__NO_PATTERN;
}

static dpr__group_kind kind_of(const struct fusion *fusion, dpr_value first, uint32_t n) {
    dpr__op_id op = dpr__node_of(fusion->graph, first)->op;
    if (is_anchor(fusion, first) && (n > 1 || fusion->graph->nodes[first].dtype == DPR_F32))
        return op == DPR__OP_gather ? DPR__GROUP_GATHER : DPR__GROUP_CONTRACT;
    return may_fuse(fusion, first) ? DPR__GROUP_POINTWISE : DPR__GROUP_NODE;
}

static void emit_group(dpr__step *step, const struct fusion *fusion, dpr_value lowest) {
    dpr__group *group = &step->groups[step->n_groups++];
    uint32_t id = fusion->at[lowest].group;
    *group = (dpr__group){.first = (uint32_t)step->n_members};
    for (int anchor = 1; anchor >= 0; anchor--)
        for (dpr_value v = lowest; v <= fusion->at[id].high; v++)
            if (fusion->at[v].group == id && is_anchor(fusion, v) == anchor) {
                step->members[step->n_members++] = v;
                step->group_of[v] = (uint32_t)step->n_groups;
            }
    group->n = (uint32_t)step->n_members - group->first;
    group->kind = kind_of(fusion, step->members[group->first], group->n);
}

static void count_readers(const dpr__step *step, struct fusion *fusion) {
    const dpr_graph *graph = fusion->graph;
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        for (uint32_t i = 0; i < graph->nodes[v].n_src; i++)
            fusion->at[dpr__source(graph, v, i)].n_readers++;
    for (size_t i = 0; i < step->n_roots; i++)
        fusion->at[step->roots[i]].n_readers++;
}

/* Writes out groups and members; the anchor comes first in its group. */
static dpr_status emit(dpr__step *step, const struct fusion *fusion) {
    size_t n = fusion->graph->n_nodes;
    DPR_TRY(dpr__allocate(step->context, n, sizeof *step->group_of, &step->group_of));
    DPR_TRY(dpr__allocate(step->context, n, sizeof *step->groups, &step->groups));
    DPR_TRY(dpr__allocate(step->context, n, sizeof *step->members, &step->members));
    for (dpr_value v = 1; v < n; v++)
        if (fusion->at[v].group != 0 && step->group_of[v] == 0)
            emit_group(step, fusion, v);
    return DPR_OK;
}

dpr_status dpr__fuse(dpr__step *step) {
    dpr_context *context = step->context;
    const dpr_graph *graph = step->graph;
    size_t n = graph->n_nodes;
    struct fusion fusion = {.graph = graph, .convolves = !step->per_node};
    dpr_status status = dpr__allocate(context, n, sizeof *fusion.at, &fusion.at);
    if (status == DPR_OK)
        status = dpr__allocate(context, n, sizeof *fusion.stack, &fusion.stack);
    if (status == DPR_OK) {
        for (dpr_value v = 1; v < n; v++)
            if (is_computed(graph->nodes[v].op))
                fusion.at[v] = (struct entry){.group = v, .next = v, .size = 1, .high = v};
        count_readers(step, &fusion);
        for (dpr_value v = 1; v < n; v++)
            fusion.at[v].anchored = is_anchor(&fusion, v);
        if (!step->per_node && !context->pass_disabled[DPR__PASS_FUSE])
            merge_all(&fusion);
        status = emit(step, &fusion);
    }
    dpr__free(context, fusion.at);
    dpr__free(context, fusion.stack);
    if (status == DPR_OK)
        dpr__log(context, DPR_LOG_DEBUG, DPR__TOPIC_PASS, "fuse: %zu nodes in %zu groups", n - 1,
                 step->n_groups);
    return status;
}
