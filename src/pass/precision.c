/* precision: where numbers are rounded to bf16 is part of the graph's meaning, the same with fusion on and off, and what the reference
 * computes as well. In a bf16 step both operands of every product are rounded, and sums stay in f32:
 *   - a computed operand is rounded once, and all its readers see the rounded value, so that it is only ever stored as bf16;
 *   - a leaf keeps its f32 master for the update; products read a derived leaf, the master's rounded copy, and what assigns the master
 *     assigns the copy. A program that does not assign it fills the copy when the master changes (backend/values.h).
 * Convolutions that are faster so (prepare.c) round what they multiply when they read it, so that whoever else reads a map, an addition of branches or a batch norm, sees
 * all of it: both of their operands, or, where they go by Winograd's algorithm, both after their transform (ops/winograd.c). */
#include "base/context.h"
#include "pass/step.h"
#include <string.h>

struct rounding {
    bool *operand;    /* (nodes of the old graph) of some product */
    bool *kept;       /* (nodes of the old graph) */
    dpr_value *roots; /* assigns of copies, ids in the new graph */
    size_t n_roots;
};

static const dpr__leaf_param *leaf_param(const dpr_graph *graph, dpr_value leaf) {
    return dpr__node_of(graph, leaf)->param;
}

/* Inputs are the caller's to change at any time, so they are rounded in every step. */
static bool is_master(const dpr_graph *graph, dpr_value value) {
    return graph->nodes[value].op == DPR__OP_leaf && leaf_param(graph, value)->kind != DPR_INPUT;
}

/* The rounded copy of a leaf: one leaf, one node. */
static dpr_value derived(dpr_graph *graph, dpr_value leaf) {
    dpr__leaf_param param = *leaf_param(graph, leaf);
    size_t prefix = sizeof DPR__DERIVED_PREFIX - 1, length = strlen(param.name);
    char *name = dpr__arena_allocate(&graph->arena, prefix + length + 1);
    if (name == NULL) {
        dpr__graph_latch(graph, DPR_E_MEMORY);
        return 0;
    }
    memcpy(name, DPR__DERIVED_PREFIX, prefix);
    memcpy(name + prefix, param.name, length);
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (graph->nodes[v].op == DPR__OP_leaf && strcmp(leaf_param(graph, v)->name, name) == 0)
            return v;
    param.name = name;
    param.kind += DPR__DERIVED;
    return dpr__node_add(graph, DPR__OP_leaf, NULL, 0, &param);
}

static dpr_value rounded(dpr_graph *graph, dpr_value value) {
    return dpr__node_add(graph, DPR__OP_round_bf16, &value, 1, NULL);
}

static dpr_value product_of_rounded(dpr__rewrite *rewrite, dpr_value old) {
    dpr_value src[2];
    for (uint32_t i = 0; i < 2; i++) {
        dpr_value operand = dpr__source(rewrite->from, old, i);
        src[i] = rewrite->map[operand];
        if (is_master(rewrite->from, operand))
            src[i] = derived(rewrite->to, src[i]);
    }
    return dpr__node_add(rewrite->to, DPR__OP_matmul, src, 2, rewrite->from->nodes[old].param);
}

static dpr_value convolution(dpr__rewrite *rewrite, dpr_value old, const bool *kept) {
    dpr__conv_param param = *(const dpr__conv_param *)dpr__node_of(rewrite->from, old)->param;
    param.bf16 = dpr__convolves_in_bf16(rewrite->step, rewrite->from, old, kept);
    return dpr__copy_node(rewrite, old, &param);
}

static dpr_status rule(dpr__rewrite *rewrite, dpr_value old, dpr_value *out) {
    struct rounding *rounding = rewrite->user;
    const dpr_graph *from = rewrite->from;
    dpr_graph *to = rewrite->to;
    const dpr__node *node = dpr__node_of(from, old);
    if (node->op == DPR__OP_matmul)
        *out = product_of_rounded(rewrite, old);
    else if (dpr__has_trait(node->op, DPR__CONVOLUTION))
        *out = convolution(rewrite, old, rounding->kept);
    else
        *out = dpr__copy_node(rewrite, old, node->param);
    if (rounding->operand[old] && !is_master(from, old))
        *out = rounded(to, *out);
    if (node->op == DPR__OP_assign && rounding->operand[dpr__source(from, old, 0)]) {
        dpr_value leaf = derived(to, rewrite->map[dpr__source(from, old, 0)]);
        rounding->roots[rounding->n_roots++] =
            dpr_assign(to, leaf, rounded(to, rewrite->map[dpr__source(from, old, 1)]));
    }
    return DPR_OK;
}

/* A reshape is the same bytes as what it shows: the number behind it is what is rounded. */
static void mark_operands(const dpr_graph *graph, bool *operand) {
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        for (uint32_t i = 0; graph->nodes[v].op == DPR__OP_matmul && i < 2; i++)
            operand[dpr__source(graph, v, i)] = true;
}

/* The program reads what its caller asked for; the copies' assigns are only kept alive. */
static dpr_status add_roots(dpr__step *step, const struct rounding *rounding) {
    size_t n = step->n_roots + rounding->n_roots;
    dpr_value *roots;
    DPR_TRY(dpr__allocate(step->context, n, sizeof *roots, &roots));
    for (size_t i = 0; i < n; i++)
        roots[i] = i < step->n_roots ? step->roots[i] : rounding->roots[i - step->n_roots];
    dpr__free(step->context, step->roots);
    step->roots = roots;
    step->n_roots = n;
    return DPR_OK;
}

dpr_status dpr__precision(dpr__step *step) {
    dpr_context *context = step->context;
    struct rounding rounding = {0};
    if (context->precision != DPR__PRECISION_BF16 || step->rounded)
        return DPR_OK;
    size_t n = step->graph->n_nodes;
    dpr_status status = dpr__allocate(context, n, sizeof *rounding.operand, &rounding.operand);
    if (status == DPR_OK)
        status = dpr__allocate(context, n, sizeof *rounding.roots, &rounding.roots);
    if (status == DPR_OK)
        status = dpr__allocate(context, n, sizeof *rounding.kept, &rounding.kept);
    if (status == DPR_OK) {
        mark_operands(step->graph, rounding.operand);
        dpr__mark_kept(step->graph, rounding.kept);
        status = dpr__rewrite_graph(step, step->graph, rule, NULL, &rounding);
    }
    if (status == DPR_OK)
        status = add_roots(step, &rounding);
    dpr__free(context, rounding.operand);
    dpr__free(context, rounding.kept);
    dpr__free(context, rounding.roots);
    return status;
}
