/* fold: a batch norm of running statistics, and whatever else is done to a product channel by channel with numbers that are kept (keep.c), goes into
 * the product's weights:
 *     (src · w + a)·s + b   becomes   src · (w·s) + (a·s + b)
 * What stands in parentheses is kept, too; so nothing is left of it in a tick but one addition. Products that somebody else reads stay as they
 * are. This changes bits: each weight is rounded once more. Programs that train have no such numbers, but where layers are frozen. */
#include "base/context.h"
#include "ir/shape.h"
#include "pass/step.h"

/* A node that is product · factor + shift. */
struct affine {
    dpr_value product;       /* of the old graph; 0: it is none of these */
    dpr_value factor, shift; /* of the new graph, for each column; 0: 1 and 0 */
};

struct fold {
    bool *kept;          /* (nodes of the old graph), as the others */
    uint32_t *n_readers; /* roots count, too */
    struct affine *of;
};

static bool is_product(const dpr_graph *graph, const struct fold *fold, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    bool matmul =
        node->op == DPR__OP_matmul && !((const dpr__matmul_param *)node->param)->transpose_b;
    return (matmul || node->op == DPR__OP_conv2d) && fold->kept[dpr__source(graph, value, 1)];
}

/* The source of an add or multiply that is an affine product nobody else reads, the other being a number for each column, or for all. */
static bool find_affine(const dpr_graph *graph, const struct fold *fold, dpr_value value,
                        uint32_t *which) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op != DPR__OP_add && node->op != DPR__OP_multiply)
        return false;
    for (*which = 0; *which < 2; ++*which) {
        dpr_value src = dpr__source(graph, value, *which);
        dpr_value number = dpr__source(graph, value, 1 - *which);
        const dpr_shape *shape = &dpr__node_of(graph, number)->shape;
        bool fits =
            shape->rank == 0 || (shape->rank == 1 && shape->dim[0] == dpr__columns(&node->shape));
        if (fold->of[src].product != 0 && fold->n_readers[src] == 1 && fold->kept[number] && fits)
            return true;
    }
    return false;
}

static dpr_value build(dpr__rewrite *rewrite, const struct affine *affine) {
    const dpr_graph *from = rewrite->from;
    dpr_graph *to = rewrite->to;
    const dpr__node *product = dpr__node_of(from, affine->product);
    const char *scope = to->scope;
    dpr_value src[2] = {rewrite->map[dpr__source(from, affine->product, 0)],
                        rewrite->map[dpr__source(from, affine->product, 1)]};
    dpr_graph_scope(to, product->name);
    if (affine->factor != 0)
        src[1] = dpr_multiply(to, src[1], affine->factor);
    dpr_value value = dpr__node_add(to, product->op, src, 2, product->param);
    dpr_graph_scope(to, scope);
    return affine->shift == 0 ? value : dpr_add(to, value, affine->shift);
}

static dpr_status rule(dpr__rewrite *rewrite, dpr_value old, dpr_value *out) {
    struct fold *fold = rewrite->user;
    const dpr_graph *from = rewrite->from;
    dpr_graph *to = rewrite->to;
    uint32_t which;
    if (!find_affine(from, fold, old, &which)) {
        if (is_product(from, fold, old))
            fold->of[old].product = old;
        *out = dpr__copy_node(rewrite, old, dpr__node_of(from, old)->param);
        return DPR_OK;
    }
    struct affine affine = fold->of[dpr__source(from, old, which)];
    dpr_value number = rewrite->map[dpr__source(from, old, 1 - which)];
    if (dpr__node_of(from, old)->op == DPR__OP_multiply) {
        affine.factor = affine.factor == 0 ? number : dpr_multiply(to, affine.factor, number);
        affine.shift = affine.shift == 0 ? 0 : dpr_multiply(to, affine.shift, number);
    } else {
        affine.shift = affine.shift == 0 ? number : dpr_add(to, affine.shift, number);
    }
    fold->of[old] = affine;
    *out = build(rewrite, &affine);
    return DPR_OK;
}

static void survey(const dpr__step *step, struct fold *fold) {
    const dpr_graph *graph = step->graph;
    dpr__mark_kept(graph, fold->kept);
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        for (uint32_t i = 0; i < graph->nodes[v].n_src; i++)
            fold->n_readers[dpr__source(graph, v, i)]++;
    for (size_t i = 0; i < step->n_roots; i++)
        fold->n_readers[step->roots[i]]++;
}

dpr_status dpr__fold(dpr__step *step) {
    dpr_context *context = step->context;
    struct fold fold = {0};
    size_t n = step->graph->n_nodes;
    dpr_status status = dpr__allocate(context, n, sizeof *fold.kept, &fold.kept);
    if (status == DPR_OK)
        status = dpr__allocate(context, n, sizeof *fold.n_readers, &fold.n_readers);
    if (status == DPR_OK)
        status = dpr__allocate(context, n, sizeof *fold.of, &fold.of);
    if (status == DPR_OK) {
        survey(step, &fold);
        status = dpr__rewrite_graph(step, step->graph, rule, NULL, &fold);
    }
    if (status == DPR_OK)
        status = dpr__drop_dead(step);
    dpr__free(context, fold.kept);
    dpr__free(context, fold.n_readers);
    dpr__free(context, fold.of);
    return status;
}
