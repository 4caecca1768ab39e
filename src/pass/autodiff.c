/* Reverse-mode differentiation: walks the graph from the loss back to its leaves and lets each op's
 * gradient rule append ordinary nodes. Nothing here knows any op; what it makes can be differentiated
 * again. The chain rule: ∂loss/∂src = Σ over the readers of src of (∂loss/∂reader)·(∂reader/∂src). */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include <string.h>

struct walk {
    dpr_graph *graph;
    size_t n;        /* nodes of the graph before differentiation */
    bool *depends;   /* (n) on one of wrt */
    dpr_value *diff; /* (n) ∂loss/∂node, summed so far; 0: nothing arrived yet */
};

static void mark_dependent(const struct walk *walk, const dpr_value *wrt, size_t n_wrt) {
    for (size_t i = 0; i < n_wrt; i++)
        walk->depends[wrt[i]] = true;
    for (dpr_value value = 1; value < walk->n; value++) {
        const dpr__node *node = dpr__node_of(walk->graph, value);
        if (dpr__has_trait(node->op, DPR__ZERO_GRADIENT))
            continue;
        for (uint32_t i = 0; i < node->n_src; i++)
            if (walk->depends[dpr__source(walk->graph, value, i)])
                walk->depends[value] = true;
    }
}

static dpr_status no_gradient(const struct walk *walk, dpr_value value) {
    const dpr__node *node = dpr__node_of(walk->graph, value);
    char shape[DPR__SHAPE_TEXT];
    return DPR_FAIL(walk->graph->context, DPR_E_NO_GRADIENT,
                    "the loss cannot be differentiated through %s '%s' (node %u, %s): the op has "
                    "no gradient",
                    dpr__op_names[node->op], node->name, value,
                    dpr__shape_text(&node->shape, shape));
}

/* Asks the rule of one node and adds what it gives to what its sources have got. */
static dpr_status step_back(const struct walk *walk, dpr_value value) {
    dpr_graph *graph = walk->graph;
    const dpr__node node = *dpr__node_of(graph, value); /* a copy: rules let the array grow */
    dpr_value src[DPR_MAX_RANK], diff_src[DPR_MAX_RANK] = {0};
    bool needed[DPR_MAX_RANK];
    DPR_ASSERT(node.n_src <= DPR_MAX_RANK);
    for (uint32_t i = 0; i < node.n_src; i++) {
        src[i] = dpr__source(graph, value, i);
        needed[i] = walk->depends[src[i]];
    }
    const dpr__op *op = dpr__ops[node.op];
    if (op->gradient == NULL)
        return no_gradient(walk, value);
    graph->origin = value;
    graph->scope = node.name;
    graph->line = node.line;
    op->gradient(&(dpr__gradient){.graph = graph,
                                  .param = node.param,
                                  .dst = value,
                                  .diff_dst = walk->diff[value],
                                  .src = src,
                                  .needed = needed,
                                  .diff_src = diff_src});
    for (uint32_t i = 0; i < node.n_src; i++) {
        if (!needed[i] || diff_src[i] == 0)
            continue;
        dpr_value *sum = &walk->diff[src[i]];
        *sum = *sum == 0 ? diff_src[i] : dpr_add(graph, *sum, diff_src[i]);
    }
    return graph->status;
}

static dpr_status check(dpr_graph *graph, dpr_value loss, const dpr_value *wrt, size_t n) {
    if (loss == 0 || loss >= graph->n_nodes)
        return DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                        "gradients: the loss is no value of this graph");
    const dpr__node *node = dpr__node_of(graph, loss);
    char shape[DPR__SHAPE_TEXT];
    if (node->dtype != DPR_F32 || node->shape.rank != 0)
        return DPR_FAIL(graph->context, DPR_E_SHAPE,
                        "gradients: the loss must be an f32 scalar; '%s' is %s %s", node->name,
                        dpr__dtype_name(node->dtype), dpr__shape_text(&node->shape, shape));
    for (size_t i = 0; i < n; i++)
        if (wrt[i] == 0 || wrt[i] >= graph->n_nodes ||
            dpr__node_of(graph, wrt[i])->dtype != DPR_F32)
            return DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                            "gradients: variable %zu is no f32 value of this graph", i + 1);
    return DPR_OK;
}

/* Hands out the gradients; those of leaves are named, for the drawing. */
static void collect(const struct walk *walk, const dpr_value *wrt, size_t n, dpr_value *out) {
    dpr_graph *graph = walk->graph;
    for (size_t i = 0; i < n && graph->status == DPR_OK; i++) {
        out[i] = walk->diff[wrt[i]];
        if (out[i] == 0) {
            graph->origin = wrt[i];
            out[i] = dpr_constant(graph, 0, dpr__node_of(graph, wrt[i])->shape);
        }
        const dpr__node *node = dpr__node_of(graph, wrt[i]);
        if (node->op != DPR__OP_leaf || out[i] == 0 || out[i] < walk->n)
            continue;
        char name[256];
        dpr__format(graph->context, name, sizeof name, "gradient of %s",
                    ((const dpr__leaf_param *)node->param)->name);
        const char *interned = dpr__intern(graph, name);
        if (interned == NULL)
            dpr__graph_latch(graph, DPR_E_MEMORY);
        else
            graph->nodes[out[i]].name = interned;
    }
}

static dpr_status differentiate(const struct walk *walk, dpr_value loss, const dpr_value *wrt,
                                size_t n, dpr_value *out) {
    dpr_graph *graph = walk->graph;
    mark_dependent(walk, wrt, n);
    graph->role = DPR__BACKWARD;
    graph->origin = loss;
    graph->scope = dpr__node_of(graph, loss)->name;
    walk->diff[loss] = dpr_constant(graph, 1, dpr_scalar_shape());
    for (dpr_value value = loss; value > 0 && graph->status == DPR_OK; value--)
        if (walk->depends[value] && walk->diff[value] != 0 &&
            dpr__node_of(graph, value)->op != DPR__OP_leaf)
            DPR_TRY(step_back(walk, value));
    if (graph->status == DPR_OK)
        collect(walk, wrt, n, out);
    return graph->status;
}

dpr_status dpr_gradients(dpr_graph *graph, dpr_value loss, const dpr_value *wrt, size_t n,
                         dpr_value *out) {
    if (graph->status != DPR_OK)
        return dpr_graph_finish(graph);
    dpr_context *context = graph->context;
    const dpr_graph before = *graph;
    struct walk walk = {.graph = graph, .n = graph->n_nodes};
    dpr_status status = check(graph, loss, wrt, n);
    if (status == DPR_OK)
        status = dpr__allocate(context, walk.n, sizeof *walk.depends, &walk.depends);
    if (status == DPR_OK)
        status = dpr__allocate(context, walk.n, sizeof *walk.diff, &walk.diff);
    if (status == DPR_OK)
        status = differentiate(&walk, loss, wrt, n, out);
    if (status != DPR_OK)
        dpr__graph_latch(graph, status);
    dpr__free(context, walk.depends);
    dpr__free(context, walk.diff);
    graph->scope = before.scope;
    graph->line = before.line;
    graph->origin = before.origin;
    graph->role = before.role;
    return status;
}
