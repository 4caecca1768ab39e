/* fuse: covers the graph with groups; makes no new ops. An elementwise node joins the group of its
 * reader or its source where both run over one iteration space and no value would have to leave the group
 * and come back. One contraction, or one gather, a group. Cheap nodes are thus computed where they are used.
 * Sums over all of a map but its channels end the groups that they read, a convolution's, too, so that a map is read once for all of them, or not at all. What is largest in a
 * window is taken as it is found. */
#include "base/context.h"
#include "ir/shape.h"
#include "pass/step.h"
#include <string.h>

enum { MAX_MEMBERS = 48 }; /* each may take a register of the pointwise kernels' scratch */

/* Groups are circular lists; what is known of one stands at its representative. */
struct fusion {
    const dpr_graph *graph;
    const bool *kept; /* (nodes) */
    struct entry {
        uint32_t group; /* representative node; 0: not computed (leaf, constant, view, assign) */
        dpr_value next; /* in the circular list of the group's members */
        uint32_t size;  /* of a representative: members, highest id */
        dpr_value high;
        bool anchored;      /* holds a contraction or a gather */
        bool open;          /* holds neither, or a convolution, whose tiles can be summed */
        bool ends;          /* holds a sum that ends it */
        uint32_t n_readers; /* roots count, too */
        uint32_t seen;      /* the search that saw this node last */
    } * at;                 /* (nodes) */
    dpr_value *stack;       /* (nodes) */
    uint32_t searches;
    bool convolves; /* convolutions take elementwise readers, too */
    bool merges;    /* the pass is on */
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

bool dpr__repeats_in_chains(const dpr__node *node) {
    return (node->op == DPR__OP_prefix || node->op == DPR__OP_broadcast) && node->shape.rank > 2;
}

/* What depends on one point of the space alone: its elements, and, for prefix, its place. */
static bool is_pointwise(const dpr__node *node) {
    return node->dtype == DPR_F32 &&
           (dpr__has_trait(node->op, DPR__ELEMENTWISE) || dpr__repeats_in_chains(node));
}

static bool may_fuse(const struct fusion *fusion, dpr_value value) {
    const dpr__node *node = dpr__node_of(fusion->graph, value);
    if (!is_pointwise(node))
        return false;
    for (uint32_t i = 0; i < node->n_src; i++)
        if (dpr__pattern_of(
                &dpr__node_of(fusion->graph, dpr__source(fusion->graph, value, i))->shape,
                &node->shape) == DPR__NO_PATTERN)
            return false;
    return true;
}

/* The sums of a matrix of few rows are a row kernel's. */
bool dpr__is_channel_sum(const dpr_graph *graph, dpr_value value) {
    enum { MANY_ROWS = 4096 };
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op != DPR__OP_squared_deviations && node->op != DPR__OP_sum)
        return false;
    const dpr_shape *src = &dpr__node_of(graph, dpr__source(graph, value, 0))->shape;
    if (node->op == DPR__OP_squared_deviations || dpr__shape_count(src) == 0)
        return dpr__shape_count(src) > 0;
    const dpr__sum_param *param = node->param;
    return (src->rank > 2 || (src->rank == 2 && src->dim[0] >= MANY_ROWS)) &&
           param->axes == (1LL << (src->rank - 1)) - 1;
}

/* Ends a group; not where groups are of one. */
static bool is_end(const struct fusion *fusion, dpr_value value) {
    return fusion->merges && dpr__is_channel_sum(fusion->graph, value);
}

/* A gather joins its reader where it makes a matrix. Bytes are not stored then: their one reader converts them. */
static bool is_anchor(const struct fusion *fusion, dpr_value value) {
    const dpr__node *node = dpr__node_of(fusion->graph, value);
    if (node->op == DPR__OP_matmul)
        return true;
    if (dpr__has_trait(node->op, DPR__CONVOLUTION))
        return fusion->convolves;
    return node->op == DPR__OP_gather && node->shape.rank == 2 && node->shape.dim[1] > 1 &&
           (node->dtype == DPR_F32 || (node->dtype == DPR_U8 && fusion->at[value].n_readers == 1));
}

/* What may stand in a group with sums: all but an anchor whose kernel cannot sum its tiles. */
static bool is_open(const struct fusion *fusion, dpr_value value) {
    dpr__op_id op = dpr__node_of(fusion->graph, value)->op;
    return !is_anchor(fusion, value) || op == DPR__OP_conv2d || op == DPR__OP_conv2d_data;
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
        bool inside = fusion->at[v].group == to && (may_fuse(fusion, v) || is_end(fusion, v));
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
    b->open &= a->open;
    b->ends |= a->ends;
}

/* Whether two groups would make one that the backends know: not too large, of one anchor, and of none where sums end it; and all
 * or nothing of it is kept. */
static bool may_join(const struct fusion *fusion, uint32_t a, uint32_t b) {
    const struct entry *x = &fusion->at[a], *y = &fusion->at[b];
    if (a == 0 || b == 0 || a == b || x->size + y->size > MAX_MEMBERS ||
        fusion->kept[a] != fusion->kept[b])
        return false;
    bool ends = x->ends || y->ends;
    return !(x->anchored && y->anchored) && !(ends && !(x->open && y->open));
}

/* Merges the group of src with that of its reader, where that is allowed. */
static void try_merge(struct fusion *fusion, dpr_value src, dpr_value reader) {
    const dpr_graph *graph = fusion->graph;
    uint32_t a = fusion->at[src].group, b = fusion->at[reader].group;
    if (!may_join(fusion, a, b))
        return;
    const dpr__node *from = dpr__node_of(graph, src), *to = dpr__node_of(graph, reader);
    bool ends = is_end(fusion, reader);
    if (!(ends || may_fuse(fusion, reader)) ||
        !((is_anchor(fusion, src) && (!ends || is_open(fusion, src))) || may_fuse(fusion, src)))
        return;
    bool same_space = ends ? from->shape.rank > 1 : dpr__shape_equal(&from->shape, &to->shape);
    if (same_space && !must_wait(fusion, a, b))
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

/* Whether some member of group b reads a value that a member of group a reads: once for both, then. */
static bool read_the_same(const struct fusion *fusion, uint32_t a, uint32_t b) {
    const dpr_graph *graph = fusion->graph;
    dpr_value x = a, y;
    do {
        for (uint32_t i = 0; i < graph->nodes[x].n_src; i++) {
            dpr_value src = dpr__source(graph, x, i);
            y = b;
            do {
                for (uint32_t k = 0; k < graph->nodes[y].n_src; k++)
                    if (dpr__source(graph, y, k) == src && dpr__node_of(graph, src)->shape.rank > 1)
                        return true;
                y = fusion->at[y].next;
            } while (y != b);
        }
        x = fusion->at[x].next;
    } while (x != a);
    return false;
}

static const dpr_shape *space_of(const dpr_graph *graph, dpr_value member) {
    if (dpr__is_channel_sum(graph, member))
        member = dpr__source(graph, member, 0);
    return &dpr__node_of(graph, member)->shape;
}

const dpr_shape *dpr__group_space(const dpr__step *step, const dpr__group *group) {
    dpr_value first = step->members[group->first];
    return group->kind == DPR__GROUP_REDUCE ? space_of(step->graph, first)
                                            : &dpr__node_of(step->graph, first)->shape;
}

/* Sums of one map that nothing ties together, such as a mean and the squares around it. */
static void merge_ends(struct fusion *fusion) {
    const dpr_graph *graph = fusion->graph;
    for (dpr_value x = 1; x < graph->n_nodes; x++)
        for (dpr_value y = x + 1; fusion->at[x].ends && y < graph->n_nodes; y++) {
            uint32_t a = fusion->at[x].group, b = fusion->at[y].group;
            if (is_end(fusion, x) && fusion->at[b].ends && is_end(fusion, y) &&
                may_join(fusion, a, b) &&
                dpr__shape_equal(space_of(graph, x), space_of(graph, y)) &&
                read_the_same(fusion, a, b) && !must_wait(fusion, a, b) && !must_wait(fusion, b, a))
                merge(fusion, a, b);
        }
}

/* window_take of the map in which window_argmax found its indices. */
static void merge_maxima(struct fusion *fusion) {
    const dpr_graph *graph = fusion->graph;
    for (dpr_value v = 1; v < graph->n_nodes; v++) {
        const dpr__node *take = &graph->nodes[v];
        if (take->op != DPR__OP_window_take)
            continue;
        dpr_value index = dpr__source(graph, v, 1);
        const dpr__node *argmax = dpr__node_of(graph, index);
        if (argmax->op == DPR__OP_window_argmax &&
            dpr__source(graph, index, 0) == dpr__source(graph, v, 0) &&
            dpr__same_windows(argmax->param, take->param) && fusion->at[index].size == 1)
            merge(fusion, v, index);
    }
}

/* Whether the group's anchor is a convolution whose kernel makes tiles of whole pixels (not a product of matrices, and not by Winograd), and whose products are
 * read once, where the chain begins: what is pooled takes their place in the tile. */
static bool makes_tiles(const struct fusion *fusion, uint32_t group) {
    const dpr_graph *graph = fusion->graph;
    dpr_value member = group;
    while (!is_anchor(fusion, member) && fusion->at[member].next != group)
        member = fusion->at[member].next;
    const dpr__conv_param *p = dpr__node_of(graph, member)->param;
    if (dpr__node_of(graph, member)->op != DPR__OP_conv2d || p->groups > 1 || p->winograd != 0 ||
        fusion->at[member].n_readers != 1 || fusion->at[group].ends)
        return false;
    const dpr_shape *taps = &dpr__node_of(graph, dpr__source(graph, member, 1))->shape;
    return taps->dim[0] * taps->dim[1] > 1;
}

/* A pooling whose windows lie beside each other takes each tile of a convolution, as the chain left it, where nobody else reads the map; of one panel, since a tile has the pixels of one. */
static void merge_pools(struct fusion *fusion) {
    const dpr_graph *graph = fusion->graph;
    for (dpr_value v = 1; v < graph->n_nodes; v++) {
        if (graph->nodes[v].op != DPR__OP_window_argmax || fusion->at[v].size > 2)
            continue;
        dpr_value map = dpr__source(graph, v, 0);
        uint32_t from = fusion->at[v].group, to = fusion->at[map].group;
        const dpr_shape *shape = &dpr__node_of(graph, map)->shape;
        if (to != 0 && shape->dim[3] <= DPR__PANEL && may_fuse(fusion, map) &&
            fusion->at[map].n_readers == fusion->at[v].size && makes_tiles(fusion, to) &&
            fusion->kept[v] == fusion->kept[map] &&
            dpr__windows_tile(graph->nodes[v].param, shape, &graph->nodes[v].shape))
            merge(fusion, from, to);
    }
}

/* window_put that one filters' gradient reads by itself. */
static void merge_puts(struct fusion *fusion) {
    const dpr_graph *graph = fusion->graph;
    for (dpr_value v = 1; v < graph->n_nodes; v++) {
        if (!dpr__sums_maxima(graph, v))
            continue;
        dpr_value put = dpr__source(graph, v, 1);
        if (fusion->at[put].n_readers == 1 && fusion->at[put].size == 1 &&
            fusion->kept[put] == fusion->kept[v])
            merge(fusion, put, fusion->at[v].group);
    }
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
    if (fusion->at[fusion->at[first].group].ends)
        return DPR__GROUP_REDUCE;
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
    struct fusion fusion = {.graph = graph,
                            .kept = step->kept,
                            .convolves = !step->per_node,
                            .merges = !step->per_node && !context->pass_disabled[DPR__PASS_FUSE]};
    dpr_status status = dpr__allocate(context, n, sizeof *fusion.at, &fusion.at);
    if (status == DPR_OK)
        status = dpr__allocate(context, n, sizeof *fusion.stack, &fusion.stack);
    if (status == DPR_OK) {
        for (dpr_value v = 1; v < n; v++)
            if (is_computed(graph->nodes[v].op))
                fusion.at[v] = (struct entry){.group = v, .next = v, .size = 1, .high = v};
        count_readers(step, &fusion);
        for (dpr_value v = 1; v < n; v++) {
            fusion.at[v].anchored = is_anchor(&fusion, v);
            fusion.at[v].ends = is_end(&fusion, v);
            fusion.at[v].open = is_open(&fusion, v);
        }
        if (fusion.merges) {
            merge_all(&fusion);
            merge_ends(&fusion);
            merge_maxima(&fusion);
            merge_pools(&fusion);
            merge_puts(&fusion);
        }
        status = emit(step, &fusion);
    }
    dpr__free(context, fusion.at);
    dpr__free(context, fusion.stack);
    if (status == DPR_OK)
        dpr__log(context, DPR_LOG_DEBUG, DPR__TOPIC_PASS, "fuse: %zu nodes in %zu groups", n - 1,
                 step->n_groups);
    return status;
}
