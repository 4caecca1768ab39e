/* sink: reshape(normalise(gather(pool))) becomes normalise(gather(reshape(pool))), so that a batch of images is a matrix from the
 * moment that it is gathered, and one kernel gathers, converts and normalises it into the operand form of the first product.
 * Only what leads to data is turned so; a reshape behind a layer stays where it is. */
#include "ir/shape.h"
#include "pass/step.h"

/* How an elementwise op reads this source: each element once, one for all, or one for each column. */
static bool is_full(const dpr_shape *src, const dpr_shape *space) {
    return dpr__shape_equal(src, space);
}
static bool is_row(const dpr_shape *src, const dpr_shape *space) {
    return src->rank == 1 && src->dim[0] == space->dim[space->rank - 1];
}

/* Whether value is data, or an elementwise function of data and of what broadcasts over it. */
static bool is_of_data(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op == DPR__OP_leaf)
        return ((const dpr__leaf_param *)node->param)->kind == DPR_INPUT;
    if (node->op == DPR__OP_gather)
        return is_of_data(graph, dpr__source(graph, value, 0));
    if (!dpr__has_trait(node->op, DPR__ELEMENTWISE) || node->shape.rank < 2)
        return false;
    bool any = false;
    for (uint32_t i = 0; i < node->n_src; i++) {
        dpr_value src = dpr__source(graph, value, i);
        const dpr_shape *shape = &dpr__node_of(graph, src)->shape;
        if (is_full(shape, &node->shape)) {
            if (!is_of_data(graph, src))
                return false;
            any = true;
        } else if (dpr__shape_count(shape) != 1 && !is_row(shape, &node->shape)) {
            return false;
        }
    }
    return any;
}

static dpr_value reshaped(dpr_graph *graph, dpr_value value, const dpr_shape *shape);

/* gather(pool n × item, index) as index × item of another shape. */
static dpr_value reshaped_gather(dpr_graph *graph, dpr_value value, const dpr_shape *shape) {
    dpr_value src[2] = {dpr__source(graph, value, 0), dpr__source(graph, value, 1)};
    const dpr_shape *pool = &dpr__node_of(graph, src[0])->shape;
    uint32_t skip = dpr__node_of(graph, src[1])->shape.rank; /* dimensions of the index */
    dpr_shape item = {.rank = 1, .dim = {pool->dim[0]}};
    for (uint32_t i = skip; i < shape->rank; i++)
        item.dim[item.rank++] = shape->dim[i];
    src[0] = reshaped(graph, src[0], &item);
    return dpr__node_add(graph, DPR__OP_gather, src, 2, NULL);
}

/* One number for each channel: the same for each pixel of a row of the matrix. */
static dpr_value repeated_row(dpr_graph *graph, dpr_value value, const dpr_shape *space,
                              const dpr_shape *shape) {
    dpr_shape item = {.rank = space->rank - 1}, row = {.rank = 1, .dim = {shape->dim[1]}};
    for (uint32_t i = 0; i < item.rank; i++)
        item.dim[i] = space->dim[i + 1];
    return reshaped(graph, dpr_broadcast(graph, value, item), &row);
}

static dpr_value reshaped(dpr_graph *graph, dpr_value value, const dpr_shape *shape) {
    dpr__node node = *dpr__node_of(graph, value); /* a copy: nodes move when one is added */
    if (dpr__shape_equal(&node.shape, shape))
        return value;
    if (node.op == DPR__OP_gather)
        return reshaped_gather(graph, value, shape);
    if (!dpr__has_trait(node.op, DPR__ELEMENTWISE))
        return dpr_reshape(graph, value, *shape);
    dpr_value src[2];
    for (uint32_t i = 0; i < node.n_src; i++) {
        src[i] = dpr__source(graph, value, i);
        const dpr_shape from = dpr__node_of(graph, src[i])->shape;
        if (is_full(&from, &node.shape))
            src[i] = reshaped(graph, src[i], shape);
        else if (dpr__shape_count(&from) != 1)
            src[i] = repeated_row(graph, src[i], &node.shape, shape);
        else if (from.rank > 0)
            src[i] = dpr_reshape(graph, src[i], dpr_scalar_shape());
    }
    dpr_graph_scope(graph, node.name);
    graph->role = node.role;
    return dpr__node_add(graph, node.op, src, node.n_src, node.param);
}

dpr_value dpr__sink_reshape(dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op != DPR__OP_reshape || node->shape.rank != 2)
        return 0;
    dpr_value src = dpr__source(graph, value, 0);
    const dpr__node *from = dpr__node_of(graph, src);
    const dpr_shape shape = node->shape;
    if (from->shape.rank < 2 || !is_of_data(graph, src) || from->op == DPR__OP_leaf)
        return 0;
    /* A gather with an index vector must keep its first dimension; all must, for rows to stay rows. */
    if (from->shape.dim[0] != shape.dim[0])
        return 0;
    return reshaped(graph, src, &shape);
}
