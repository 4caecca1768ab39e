/* specialise: one program's graph out of the user's: DPR_BATCH becomes a number, choose takes its side, an
 * assign of a leaf to itself goes. */
#include "ir/shape.h"
#include "pass/step.h"
#include <string.h>

/* Replaces DPR_BATCH in every shape of a parameter struct, and in a field named "batch". */
static dpr_status with_batch(dpr__rewrite *rewrite, const dpr__op *op, const void *param,
                             void *out) {
    memcpy(out, param, op->param_bytes);
    for (size_t i = 0; i < op->n_fields; i++) {
        char *at = (char *)out + op->fields[i].offset;
        if (op->fields[i].type == DPR__FIELD_SHAPE) {
            dpr_shape shape;
            memcpy(&shape, at, sizeof shape);
            shape = dpr__shape_with_batch(&shape, rewrite->options->batch);
            memcpy(at, &shape, sizeof shape);
        } else if (strcmp(op->fields[i].name, "batch") == 0) {
            int64_t batch;
            memcpy(&batch, at, sizeof batch);
            batch = batch == DPR_BATCH ? rewrite->options->batch : batch;
            memcpy(at, &batch, sizeof batch);
        }
    }
    return DPR_OK;
}

static dpr_status rule(dpr__rewrite *rewrite, dpr_value old, dpr_value *out) {
    const dpr__node *node = dpr__node_of(rewrite->from, old);
    const dpr_value *src = dpr__sources_of(rewrite->from, old);
    if (node->op == DPR__OP_choose) {
        *out = rewrite->map[src[rewrite->options->train ? 0 : 1]];
        return DPR_OK;
    }
    if (node->op == DPR__OP_assign && rewrite->map[src[0]] == rewrite->map[src[1]])
        return DPR_OK; /* root 0: nothing to do */
    union {
        dpr__leaf_param leaf;
        dpr__draw_param draw;
        dpr__constant_param constant;
        dpr__transpose_param transpose;
        dpr__order_param order;
        char bytes[256];
    } param;
    const dpr__op *op = dpr__ops[node->op];
    DPR_ASSERT(op->param_bytes <= sizeof param);
    if (op->param_bytes > 0)
        DPR_TRY(with_batch(rewrite, op, node->param, &param));
    *out = dpr__copy_node(rewrite, old, &param);
    return DPR_OK;
}

dpr_status dpr__specialise(dpr__step *step, const dpr_graph *from, const dpr_value *roots,
                           const dpr__step_options *options) {
    if (options->batch < 1)
        return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                        "a program's batch is %lld; it must be at "
                        "least 1",
                        (long long)options->batch);
    for (size_t i = 0; i < step->n_roots; i++) {
        if (roots[i] == 0 || roots[i] >= from->n_nodes)
            return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                            "program: root %zu is no value of the graph", i + 1);
        step->roots[i] = roots[i];
    }
    return dpr__rewrite_graph(step, from, rule, options, NULL);
}
