/* What holds for every graph; asked after building, and after each pass in debug builds. */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"

static dpr_status verify_sources(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op == DPR__OP_none || node->op >= DPR__N_OPS)
        return DPR_FAIL(graph->context, DPR_E_ARGUMENT, "node %u has no valid op", value);
    if (node->n_src != dpr__op_arity[node->op])
        return DPR_FAIL(graph->context, DPR_E_ARGUMENT, "node %u (%s) has %u operands, not %u",
                        value, dpr__op_names[node->op], node->n_src, dpr__op_arity[node->op]);
    for (uint32_t i = 0; i < node->n_src; i++) {
        dpr_value src = dpr__source(graph, value, i);
        if (src == 0 || src >= value)
            return DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                            "node %u (%s): operand %u does not come before it", value,
                            dpr__op_names[node->op], i + 1);
    }
    return DPR_OK;
}

static dpr_status verify_type(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    dpr__type types[DPR_MAX_RANK]; /* no op has more sources than that */
    DPR_ASSERT(node->n_src <= DPR_MAX_RANK);
    for (uint32_t i = 0; i < node->n_src; i++) {
        const dpr__node *src = dpr__node_of(graph, dpr__source(graph, value, i));
        types[i] = (dpr__type){src->dtype, src->shape};
    }
    dpr__infer question = {.context = graph->context,
                           .op = dpr__op_names[node->op],
                           .name = node->name,
                           .param = node->param,
                           .n_src = node->n_src,
                           .src = types};
    DPR_TRY(dpr__ops[node->op]->infer(&question));
    if (question.dst.dtype != node->dtype || !dpr__shape_equal(&question.dst.shape, &node->shape))
        return DPR_FAIL(graph->context, DPR_E_SHAPE,
                        "node %u (%s '%s') does not have the type that its shape rule gives", value,
                        dpr__op_names[node->op], node->name);
    return DPR_OK;
}

/* A sum over the open batch must take rows beyond the last image as zero: its source is a prefix. In the
 * backward half the zeros come from the loss's prefix by the chain rule. */
static dpr_status verify_batch_sum(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op != DPR__OP_sum || node->origin != 0 || node->role != DPR__FORWARD)
        return DPR_OK;
    dpr_value src = dpr__source(graph, value, 0);
    const dpr__sum_param *param = node->param;
    const dpr_shape *shape = &dpr__node_of(graph, src)->shape;
    for (uint32_t i = 0; i < shape->rank; i++)
        if ((param->axes >> i & 1) && shape->dim[i] == DPR_BATCH &&
            dpr__node_of(graph, src)->op != DPR__OP_prefix)
            return DPR_FAIL(graph->context, DPR_E_SHAPE,
                            "sum '%s' goes over the batch, whose last part is smaller; take "
                            "dpr_prefix of its operand, or use dpr_batch_mean",
                            node->name);
    return DPR_OK;
}

dpr_status dpr__verify(const dpr_graph *graph) {
    for (dpr_value value = 1; value < graph->n_nodes; value++) {
        DPR_TRY(verify_sources(graph, value));
        DPR_TRY(verify_type(graph, value));
        DPR_TRY(verify_batch_sum(graph, value));
    }
    return DPR_OK;
}
