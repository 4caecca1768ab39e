/* keep: which values are the same in every tick. What comes of constants and of leaves that neither this program nor its caller
 * changes from tick to tick, weights and running statistics in a prediction above all, is computed once, in the first phases of the
 * plan, and anew when a program or a file has written such a leaf (backend/values.h). */
#include "base/context.h"
#include "pass/step.h"

/* Inputs are the caller's to change at any time. */
static bool is_steady(const dpr_graph *graph, dpr_value leaf) {
    int64_t kind = ((const dpr__leaf_param *)dpr__node_of(graph, leaf)->param)->kind;
    return kind != DPR_INPUT && kind != DPR__DERIVED + DPR_INPUT;
}

static bool is_kept(const dpr_graph *graph, dpr_value value, const bool *kept) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op == DPR__OP_leaf)
        return is_steady(graph, value) && kept[value];
    if (dpr__has_trait(node->op, DPR__EFFECT) || dpr__repeats_in_chains(node))
        return false;
    for (uint32_t i = 0; i < node->n_src; i++)
        if (!kept[dpr__source(graph, value, i)])
            return false;
    return true;
}

void dpr__mark_kept(const dpr_graph *graph, bool *kept) {
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        kept[v] = true;
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (graph->nodes[v].op == DPR__OP_assign)
            kept[dpr__source(graph, v, 0)] = false;
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        kept[v] = is_kept(graph, v, kept);
}

dpr_status dpr__keep(dpr__step *step) {
    DPR_TRY(dpr__allocate(step->context, step->graph->n_nodes, sizeof *step->kept, &step->kept));
    if (!step->per_node && !step->context->pass_disabled[DPR__PASS_KEEP])
        dpr__mark_kept(step->graph, step->kept);
    return DPR_OK;
}
