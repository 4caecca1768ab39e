/* layout: the form of every stored value. Matrices lie in panels, the operand form of the matrix kernels, from the moment
 * that they are computed; so nothing is packed for a product but what must be turned. A value that is also
 * seen under another shape stays plain, since a view is the same bytes, and so does a pool. A gather of one
 * entry of an input need not copy it: products read it in its pool. Leaves lie as the store keeps them; where the
 * step wants another form, the backend converts them when a run begins and ends (values.h). */
#include "base/context.h"
#include "ir/form.h"
#include "ir/shape.h"
#include "pass/step.h"

/* Marks what some reshape shows under another shape, and pools: an entry of one is consecutive. */
static void mark_plain(const dpr__step *step, bool *plain) {
    const dpr_graph *graph = step->graph;
    for (dpr_value v = 1; v < graph->n_nodes; v++) {
        if (dpr__has_trait(graph->nodes[v].op, DPR__VIEW))
            plain[dpr__owner(graph, v)] = true;
        if (graph->nodes[v].op == DPR__OP_gather)
            plain[dpr__owner(graph, dpr__source(graph, v, 0))] = true;
    }
}

static bool is_fixed_input(const dpr_graph *graph, dpr_value leaf) {
    const dpr__node *node = dpr__node_of(graph, leaf);
    if (node->op != DPR__OP_leaf || ((const dpr__leaf_param *)node->param)->kind != DPR_INPUT)
        return false;
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (graph->nodes[v].op == DPR__OP_assign && dpr__source(graph, v, 0) == leaf)
            return false;
    return true;
}

/* One entry of an input, which only left operands of products read: they read it where it is. */
static bool is_entry(const dpr__step *step, dpr_value value) {
    const dpr_graph *graph = step->graph;
    const dpr__node *node = dpr__node_of(graph, value);
    if (step->per_node || step->leaves_are_f64 || step->context->pass_disabled[DPR__PASS_MEMPLAN] ||
        node->op != DPR__OP_gather || !dpr__form_fits_panels(node->dtype, &node->shape) ||
        dpr__node_of(graph, dpr__source(graph, value, 1))->shape.rank != 0 ||
        !is_fixed_input(graph, dpr__owner(graph, dpr__source(graph, value, 0))))
        return false;
    for (size_t i = 0; i < step->n_roots; i++)
        if (dpr__owner(graph, step->roots[i]) == value)
            return false;
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        for (uint32_t i = 0; i < graph->nodes[v].n_src; i++)
            if (dpr__owner(graph, dpr__source(graph, v, i)) == value &&
                (graph->nodes[v].op != DPR__OP_matmul || i != 0 ||
                 dpr__source(graph, v, i) != value))
                return false;
    return true;
}

/* What products and others want of a rounded matrix: rows as the left operand, pairs along the rows as the right one, and the other way
 * round of its transpose; a right transpose is turned from pairs. Filters are the right operand of a convolution. Whoever else reads it reads rows. */
static dpr__form half_form(const dpr__step *step, dpr_value value) {
    const dpr_graph *graph = step->graph;
    bool rows = false, pairs = false;
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        for (uint32_t i = 0; i < graph->nodes[v].n_src; i++) {
            if (dpr__owner(graph, dpr__source(graph, v, i)) != value ||
                graph->nodes[v].op == DPR__OP_assign)
                continue;
            const dpr__matmul_param *param = graph->nodes[v].param;
            bool product = graph->nodes[v].op == DPR__OP_matmul;
            bool filters = i == 1 && dpr__has_trait(graph->nodes[v].op, DPR__CONVOLUTION) &&
                           graph->nodes[v].op != DPR__OP_conv2d_weights;
            bool as_pairs = filters || (product && (i == 1 || param->transpose_a));
            pairs |= as_pairs;
            rows |= !as_pairs;
        }
    return !pairs ? DPR__HALF_ROWS : rows ? DPR__HALF_BOTH : DPR__HALF_PAIRS;
}

/* A copy of a leaf is assigned in the form in which products read it. */
static dpr_value assigned_leaf(const dpr_graph *graph, dpr_value value) {
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (graph->nodes[v].op == DPR__OP_assign && dpr__source(graph, v, 1) == value)
            return dpr__source(graph, v, 0);
    return 0;
}

/* A map, which would fill a fraction of its panels if it has few channels: not filters, nor what is computed of them, element by element, which lies as they
 * do, nor what a gather puts into panels. */
static bool is_map(const dpr__step *step, dpr_value value) {
    const dpr__node *node = dpr__node_of(step->graph, value);
    if (node->shape.rank <= 2 || node->op == DPR__OP_conv2d_weights ||
        node->op == DPR__OP_turn_filters || node->op == DPR__OP_winograd_filters)
        return false;
    for (uint32_t i = 0; dpr__has_trait(node->op, DPR__ELEMENTWISE) && i < node->n_src; i++) {
        dpr_value src = dpr__source(step->graph, value, i);
        if (step->forms[dpr__owner(step->graph, src)] == DPR__PANELS &&
            dpr__shape_equal(&dpr__node_of(step->graph, src)->shape, &node->shape))
            return false;
    }
    return true;
}

static dpr__form form_of(const dpr__step *step, dpr_value value) {
    const dpr__node *node = dpr__node_of(step->graph, value);
    const dpr__leaf_param *leaf = node->param;
    switch (node->op) {
    case DPR__OP_leaf:
        if (leaf->kind >= DPR__DERIVED)
            return !dpr__form_fits_panels(node->dtype, &node->shape) ? DPR__PLAIN
                                                                     : half_form(step, value);
        return dpr__form_of_leaf((dpr_leaf_kind)leaf->kind, node->dtype, &node->shape);
    case DPR__OP_constant:
        return DPR__PLAIN;
    case DPR__OP_round_bf16:
        if (!dpr__form_fits_panels(node->dtype, &node->shape))
            return DPR__PLAIN;
        if (assigned_leaf(step->graph, value) != 0)
            return step->forms[assigned_leaf(step->graph, value)];
        return half_form(step, value);
    default:
        if (!dpr__form_fits_panels(node->dtype, &node->shape) || step->entries[value])
            return DPR__PLAIN;
        if (node->op == DPR__OP_winograd_filters &&
            ((const dpr__winograd_filters_param *)node->param)->bf16)
            return DPR__HALF_PAIRS;
        if (!is_map(step, value))
            return DPR__PANELS;
        if (dpr__columns(&node->shape) < DPR__FEWEST_CHANNELS)
            return DPR__PLAIN;
        return dpr__form_fits_narrow(node->dtype, &node->shape) && node->op != DPR__OP_gather
                   ? DPR__NARROW
                   : DPR__PANELS;
    }
}

dpr_status dpr__layout(dpr__step *step) {
    size_t n = step->graph->n_nodes, n_panels = 0;
    bool *plain;
    DPR_TRY(dpr__allocate(step->context, n, sizeof *step->forms, &step->forms));
    DPR_TRY(dpr__allocate(step->context, n, sizeof *step->entries, &step->entries));
    for (dpr_value v = 1; v < n; v++)
        step->entries[v] = is_entry(step, v);
    if (step->per_node || step->leaves_are_f64 || step->context->pass_disabled[DPR__PASS_LAYOUT])
        return DPR_OK;
    DPR_TRY(dpr__allocate(step->context, n, sizeof *plain, &plain));
    mark_plain(step, plain);
    for (dpr_value v = 1; v < n; v++)
        if (dpr__owner(step->graph, v) == v && !plain[v])
            step->forms[v] = form_of(step, v);
    for (dpr_value v = 1; v < n; v++) {
        step->forms[v] = step->forms[dpr__owner(step->graph, v)];
        n_panels += step->forms[v] == DPR__PANELS;
    }
    dpr__free(step->context, plain);
    dpr__log(step->context, DPR_LOG_DEBUG, DPR__TOPIC_PASS, "layout: %zu nodes in panels",
             n_panels);
    return DPR_OK;
}
