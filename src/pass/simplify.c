/* simplify: common subexpressions once, constants folded, identities removed, dead nodes dropped. It
 * changes no bit of any result but where a constant is folded in double and rounded once, and where a sum over a map loses a factor or is taken over what
 * the map's windows have. */
#include "base/context.h"
#include "ir/shape.h"
#include "pass/step.h"
#include <string.h>

/* A hash table of the new graph's nodes: open addressing, power of two. */
struct table {
    dpr_value *slots;
    size_t mask;
};

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n) {
    const unsigned char *p = bytes; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x100000001b3U;
    return hash;
}

static uint64_t hash_node(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    uint64_t hash = hash_bytes(0xcbf29ce484222325U, &node->op, sizeof node->op);
    hash = hash_bytes(hash, dpr__sources_of(graph, value), node->n_src * sizeof(dpr_value));
    return hash_bytes(hash, node->param, dpr__ops[node->op]->param_bytes);
}

static bool same_node(const dpr_graph *graph, dpr_value a, dpr_value b) {
    const dpr__node *x = dpr__node_of(graph, a), *y = dpr__node_of(graph, b);
    return x->op == y->op &&
           memcmp(dpr__sources_of(graph, a), dpr__sources_of(graph, b),
                  x->n_src * sizeof(dpr_value)) == 0 &&
           (dpr__ops[x->op]->param_bytes == 0 ||
            memcmp(x->param, y->param, dpr__ops[x->op]->param_bytes) == 0);
}

/* The first node equal to `value`, which is entered when there is none. */
static dpr_value find_equal(const struct table *table, const dpr_graph *graph, dpr_value value) {
    for (size_t at = hash_node(graph, value) & table->mask;; at = (at + 1) & table->mask) {
        if (table->slots[at] == 0)
            return table->slots[at] = value;
        if (same_node(graph, table->slots[at], value))
            return table->slots[at];
    }
}

static bool is_constant(const dpr_graph *graph, dpr_value value, double *out) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op != DPR__OP_constant)
        return false;
    *out = ((const dpr__constant_param *)node->param)->value;
    return true;
}

/* An elementwise op of constants is a constant: one element through the reference kernel. */
static bool fold(dpr_graph *graph, dpr_value value, double *out) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op == DPR__OP_broadcast || node->op == DPR__OP_reshape)
        return is_constant(graph, dpr__source(graph, value, 0), out);
    if (!dpr__has_trait(node->op, DPR__ELEMENTWISE) || node->dtype != DPR_F32)
        return false;
    double element[2];
    float result;
    dpr__tensor src[2];
    for (uint32_t i = 0; i < node->n_src; i++) {
        if (!is_constant(graph, dpr__source(graph, value, i), &element[i]))
            return false;
        src[i] = (dpr__tensor){DPR_F64, dpr_scalar_shape(), &element[i], DPR__PLAIN};
    }
    dpr__ops[node->op]->reference(
        &(dpr__call){node->param, src, {DPR_F32, dpr_scalar_shape(), &result, DPR__PLAIN}, NULL});
    *out = (double)result;
    return true;
}

/* x·1, x+0, x/1, scale by 1, reshape to the same shape: the operand itself, or 0. */
static dpr_value identity(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    const dpr_value *src = dpr__sources_of(graph, value);
    dpr_value same = 0;
    double c;
    switch (node->op) {
    case DPR__OP_multiply:
    case DPR__OP_divide:
        if (is_constant(graph, src[1], &c) && c == 1)
            same = src[0];
        else if (node->op == DPR__OP_multiply && is_constant(graph, src[0], &c) && c == 1)
            same = src[1];
        break;
    case DPR__OP_scale:
        if (((const dpr__scale_param *)node->param)->factor == 1)
            same = src[0];
        break;
    case DPR__OP_reshape:
    case DPR__OP_broadcast:
        same = src[0];
        break;
    default:
        break;
    }
    if (same == 0 || !dpr__shape_equal(&dpr__node_of(graph, same)->shape, &node->shape))
        return 0;
    return same;
}

/* Elementwise ops broadcast by themselves: an explicit broadcast of an operand is left out where the
 * result keeps its shape. */
static dpr_value without_broadcast(dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (!dpr__has_trait(node->op, DPR__ELEMENTWISE) || node->n_src != 2)
        return 0;
    for (uint32_t i = 0; i < 2; i++) {
        dpr_value pair[2] = {dpr__source(graph, value, 0), dpr__source(graph, value, 1)};
        if (dpr__node_of(graph, pair[i])->op != DPR__OP_broadcast)
            continue;
        pair[i] = dpr__source(graph, pair[i], 0);
        dpr_shape shape;
        if (dpr__shape_broadcast(&dpr__node_of(graph, pair[0])->shape,
                                 &dpr__node_of(graph, pair[1])->shape, &shape) &&
            dpr__shape_equal(&shape, &node->shape))
            return dpr__node_add(graph, node->op, pair, 2, node->param);
    }
    return 0;
}

/* Σ a·v over axes along which v repeats is v·Σ a: no map is multiplied for it. */
static dpr_value without_factor(const struct table *table, dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op != DPR__OP_sum)
        return 0;
    dpr_value product = dpr__source(graph, value, 0);
    if (dpr__node_of(graph, product)->op != DPR__OP_multiply)
        return 0;
    const dpr__sum_param param = *(const dpr__sum_param *)node->param;
    const dpr_shape space = dpr__node_of(graph, product)->shape;
    if (space.rank < 3 || param.axes != (1LL << (space.rank - 1)) - 1)
        return 0;
    for (uint32_t i = 0; i < 2; i++) {
        dpr_value factor = dpr__source(graph, product, i);
        dpr_value other = dpr__source(graph, product, 1 - i);
        if (dpr__node_of(graph, factor)->shape.rank > 1 ||
            !dpr__shape_equal(&dpr__node_of(graph, other)->shape, &space))
            continue;
        dpr_value sum = dpr__node_add(graph, DPR__OP_sum, &other, 1, &param);
        if (sum == 0)
            return 0;
        return dpr_multiply(graph, find_equal(table, graph, sum), factor);
    }
    return 0;
}

bool dpr__puts_maxima(const dpr_graph *graph, dpr_value put) {
    const dpr__node *node = dpr__node_of(graph, put);
    if (node->op != DPR__OP_window_put)
        return false;
    dpr_value index = dpr__source(graph, put, 1);
    const dpr__node *argmax = dpr__node_of(graph, index);
    return argmax->op == DPR__OP_window_argmax && dpr__same_windows(argmax->param, node->param) &&
           dpr__shape_equal(&dpr__node_of(graph, dpr__source(graph, index, 0))->shape,
                            &node->shape);
}

/* A mask after window_put is one before it, with fewer elements: put(d, i)·step(x) = put(d·step(take(x, i)), i), where i was found in x. */
static dpr_value masked_before(const struct table *table, dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    for (uint32_t k = 0; node->op == DPR__OP_multiply && k < 2; k++) {
        dpr_value put = dpr__source(graph, value, k), mask = dpr__source(graph, value, 1 - k);
        if (dpr__node_of(graph, mask)->op != DPR__OP_step || !dpr__puts_maxima(graph, put))
            continue;
        dpr_value index = dpr__source(graph, put, 1), x = dpr__source(graph, mask, 0);
        if (dpr__source(graph, index, 0) != x)
            continue;
        const void *windows = dpr__node_of(graph, index)->param;
        const dpr__window_param image = *(const dpr__window_param *)dpr__node_of(graph, put)->param;
        dpr_value diff = dpr__source(graph, put, 0);
        dpr_value taken =
            dpr__node_add(graph, DPR__OP_window_take, (dpr_value[]){x, index}, 2, windows);
        taken = taken != 0 ? find_equal(table, graph, taken) : 0;
        mask = taken != 0 ? dpr_step(graph, taken) : 0;
        mask = mask != 0 ? find_equal(table, graph, mask) : 0;
        if (mask == 0)
            return 0;
        diff = dpr_multiply(graph, diff, mask);
        return dpr__node_add(graph, DPR__OP_window_put, (dpr_value[]){diff, index}, 2, &image);
    }
    return 0;
}

/* Σ put(d, i) over all but channels is Σ d. */
static dpr_value sum_before(dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op != DPR__OP_sum || !dpr__puts_maxima(graph, dpr__source(graph, value, 0)))
        return 0;
    const dpr__sum_param param = *(const dpr__sum_param *)node->param;
    dpr_value diff = dpr__source(graph, dpr__source(graph, value, 0), 0);
    return param.axes == 7 ? dpr__node_add(graph, DPR__OP_sum, &diff, 1, &param) : 0;
}

static dpr_status rule(dpr__rewrite *rewrite, dpr_value old, dpr_value *out) {
    dpr_graph *graph = rewrite->to;
    dpr_value value = dpr__copy_node(rewrite, old, dpr__node_of(rewrite->from, old)->param), other;
    double constant;
    while (value != 0 && (other = without_broadcast(graph, value)) != 0)
        value = other;
    if (value != 0 && (other = dpr__sink_reshape(graph, value)) != 0)
        value = other;
    if (value != 0 && (other = without_factor(rewrite->user, graph, value)) != 0)
        value = other;
    if (value != 0 && (other = masked_before(rewrite->user, graph, value)) != 0)
        value = other;
    if (value != 0 && (other = sum_before(graph, value)) != 0)
        value = other;
    if (value == 0)
        return DPR_OK; /* the rewrite reports the graph's failure */
    if ((other = identity(graph, value)) != 0)
        value = other;
    else if (fold(graph, value, &constant))
        value = dpr_constant(graph, constant, dpr__node_of(graph, value)->shape);
    if (value != 0 && !dpr__has_trait(dpr__node_of(graph, value)->op, DPR__EFFECT))
        value = find_equal(rewrite->user, graph, value);
    *out = value;
    return DPR_OK;
}

dpr_status dpr__simplify(dpr__step *step) {
    size_t before = step->graph->n_nodes, size = 64;
    while (size < 4 * before) /* a rule may append a few nodes that are then dropped */
        size *= 2;
    struct table table = {.mask = size - 1};
    DPR_TRY(dpr__allocate(step->context, size, sizeof *table.slots, &table.slots));
    dpr_status status = dpr__rewrite_graph(step, step->graph, rule, NULL, &table);
    dpr__free(step->context, table.slots);
    DPR_TRY(status);
    DPR_TRY(dpr__drop_dead(step));
    dpr__log(step->context, DPR_LOG_DEBUG, DPR__TOPIC_PASS, "simplify: %zu nodes, then %zu",
             before - 1, step->graph->n_nodes - 1);
    return DPR_OK;
}
