/* turn: a convolution's data gradient reads its filters turned (ops/turn_filters.c). They are turned once a step, as a node that the plan shows, and not
 * in every tile. What has groups stays as it is. */
#include "base/context.h"
#include "pass/step.h"

static dpr_status rule(dpr__rewrite *rewrite, dpr_value old, dpr_value *out) {
    const dpr__node *node = dpr__node_of(rewrite->from, old);
    dpr__conv_param param;
    if (node->op != DPR__OP_conv2d_data ||
        (param = *(const dpr__conv_param *)node->param).groups != 1 || param.turned != 0) {
        *out = dpr__copy_node(rewrite, old, node->param);
        return DPR_OK;
    }
    dpr_value src[2];
    for (uint32_t i = 0; i < 2; i++)
        src[i] = rewrite->map[dpr__source(rewrite->from, old, i)];
    src[1] = dpr__node_add(rewrite->to, DPR__OP_turn_filters, &src[1], 1, NULL);
    param.turned = 1;
    *out = dpr__node_add(rewrite->to, DPR__OP_conv2d_data, src, 2, &param);
    return DPR_OK;
}

dpr_status dpr__turn(dpr__step *step) {
    bool any = false;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        any |= step->graph->nodes[v].op == DPR__OP_conv2d_data;
    if (!any || step->per_node || step->leaves_are_f64)
        return DPR_OK;
    return dpr__rewrite_graph(step, step->graph, rule, NULL, NULL);
}
