/* Rebuilding a graph node by node: the one loop that specialise and simplify share. */
#include "pass/step.h"
#include <string.h>

/* The leaf of which a derived leaf is the rounded copy: nothing may read it, but it must be there. */
static void mark_master(const dpr_graph *graph, dpr_value derived, bool *needed) {
    const dpr__leaf_param *param = dpr__node_of(graph, derived)->param;
    const char *name = param->name + sizeof DPR__DERIVED_PREFIX - 1;
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (graph->nodes[v].op == DPR__OP_leaf &&
            strcmp(((const dpr__leaf_param *)graph->nodes[v].param)->name, name) == 0)
            needed[v] = true;
}

static void mark_needed(const dpr_graph *graph, const dpr_value *roots, size_t n_roots,
                        bool *needed) {
    for (size_t i = 0; i < n_roots; i++)
        needed[roots[i]] = true; /* root 0 marks the unused node 0 */
    for (dpr_value value = (dpr_value)graph->n_nodes; value-- > 1;) {
        if (!needed[value])
            continue;
        for (uint32_t i = 0; i < graph->nodes[value].n_src; i++)
            needed[dpr__source(graph, value, i)] = true;
    }
    for (dpr_value value = 1; value < graph->n_nodes; value++)
        if (needed[value] && graph->nodes[value].op == DPR__OP_leaf &&
            ((const dpr__leaf_param *)graph->nodes[value].param)->kind >= DPR__DERIVED)
            mark_master(graph, value, needed);
}

dpr_value dpr__copy_node(dpr__rewrite *rewrite, dpr_value old, const void *param) {
    const dpr__node *node = dpr__node_of(rewrite->from, old);
    dpr_value src[DPR_MAX_RANK];
    for (uint32_t i = 0; i < node->n_src; i++)
        src[i] = rewrite->map[dpr__source(rewrite->from, old, i)];
    return dpr__node_add(rewrite->to, node->op, src, node->n_src, param);
}

static dpr_status copy_all(dpr__rewrite *rewrite, const bool *needed, dpr__rewrite_rule *rule) {
    const dpr_graph *from = rewrite->from;
    dpr_graph *to = rewrite->to;
    for (dpr_value old = 1; old < from->n_nodes; old++) {
        if (!needed[old])
            continue;
        const dpr__node *node = dpr__node_of(from, old);
        dpr_graph_scope(to, node->name);
        to->line = node->line;
        to->role = node->role;
        to->origin = rewrite->map[node->origin];
        DPR_TRY(rule(rewrite, old, &rewrite->map[old]));
        if (to->status != DPR_OK)
            return dpr_graph_finish(to);
    }
    to->origin = 0;
    return DPR_OK;
}

dpr_status dpr__rewrite_graph(dpr__step *step, const dpr_graph *from, dpr__rewrite_rule *rule,
                              const dpr__step_options *options, void *user) {
    dpr_context *context = step->context;
    bool *needed = NULL;
    dpr__rewrite rewrite = {.step = step, .from = from, .options = options, .user = user};
    dpr_status status = dpr__allocate(context, from->n_nodes, sizeof *needed, &needed);
    if (status == DPR_OK)
        status = dpr__allocate(context, from->n_nodes, sizeof *rewrite.map, &rewrite.map);
    if (status == DPR_OK && (rewrite.to = dpr_graph_create(context)) == NULL)
        status = DPR_E_MEMORY;
    if (status == DPR_OK) {
        mark_needed(from, step->roots, step->n_roots, needed);
        rewrite.to->n_draws = from->n_draws;
        status = copy_all(&rewrite, needed, rule);
    }
    if (status == DPR_OK) {
        for (size_t i = 0; i < step->n_roots; i++)
            step->roots[i] = rewrite.map[step->roots[i]];
        dpr_graph_destroy(step->graph);
        step->graph = rewrite.to;
    } else {
        dpr_graph_destroy(rewrite.to);
    }
    dpr__free(context, needed);
    dpr__free(context, rewrite.map);
    return status;
}

static dpr_status copy_rule(dpr__rewrite *rewrite, dpr_value old, dpr_value *out) {
    *out = dpr__copy_node(rewrite, old, dpr__node_of(rewrite->from, old)->param);
    return DPR_OK;
}

dpr_status dpr__drop_dead(dpr__step *step) {
    return dpr__rewrite_graph(step, step->graph, copy_rule, NULL, NULL);
}
