/* The builders: one call, one node, or a small composition of nodes. Failures latch (ir/graph.h). Those for images
 * are in build_image.c, the normalisations in build_norm.c. */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include <math.h>
#include <string.h>

static dpr_value unary(dpr_graph *graph, dpr__op_id op, dpr_value src) {
    return dpr__node_add(graph, op, &src, 1, NULL);
}

static dpr_value binary(dpr_graph *graph, dpr__op_id op, dpr_value a, dpr_value b) {
    return dpr__node_add(graph, op, (dpr_value[]){a, b}, 2, NULL);
}

/* ---- leaves ---- */

dpr_value dpr__leaf(dpr_graph *graph, const char *name, dpr_leaf_kind kind, dpr_dtype dtype,
                    dpr_shape shape, dpr_init init) {
    /* One leaf, one node: asking again for a name gives the node that is there. */
    dpr_value there = graph->status == DPR_OK ? dpr__find_leaf(graph, name) : 0;
    if (there != 0) {
        const dpr__leaf_param *other = graph->nodes[there].param;
        if (other->dtype == dtype && (dpr_leaf_kind)other->kind == kind &&
            dpr__shape_equal(&other->shape, &shape))
            return there;
        dpr__graph_latch(graph,
                         DPR_FAIL(graph->context, DPR_E_MISMATCH,
                                  "leaf '%s' exists with another kind, type or shape", name));
    }
    dpr__leaf_param param = {
        .name = name, .kind = kind, .init = init, .dtype = dtype, .shape = shape};
    return dpr__node_add(graph, DPR__OP_leaf, NULL, 0, &param);
}

dpr_value dpr_parameter(dpr_graph *graph, const char *name, dpr_shape shape, dpr_init init) {
    return dpr__leaf(graph, name, DPR_PARAMETER, DPR_F32, shape, init);
}

dpr_value dpr_state(dpr_graph *graph, const char *name, dpr_dtype dtype, dpr_shape shape) {
    return dpr__leaf(graph, name, DPR_STATE, dtype, shape, DPR_INIT_ZERO);
}

dpr_value dpr_input(dpr_graph *graph, const char *name, dpr_dtype dtype, dpr_shape shape) {
    return dpr__leaf(graph, name, DPR_INPUT, dtype, shape, DPR_INIT_ZERO);
}

dpr_value dpr_constant(dpr_graph *graph, double value, dpr_shape shape) {
    dpr__constant_param param = {.value = value, .shape = shape};
    return dpr__node_add(graph, DPR__OP_constant, NULL, 0, &param);
}

static dpr_value scalar(dpr_graph *graph, double value) {
    return dpr_constant(graph, value, dpr_scalar_shape());
}

/* ---- elementwise ---- */

dpr_value dpr_add(dpr_graph *graph, dpr_value a, dpr_value b) {
    return binary(graph, DPR__OP_add, a, b);
}
dpr_value dpr_multiply(dpr_graph *graph, dpr_value a, dpr_value b) {
    return binary(graph, DPR__OP_multiply, a, b);
}
dpr_value dpr_divide(dpr_graph *graph, dpr_value a, dpr_value b) {
    return binary(graph, DPR__OP_divide, a, b);
}
dpr_value dpr_subtract(dpr_graph *graph, dpr_value a, dpr_value b) {
    return dpr_add(graph, a, dpr_scale(graph, b, -1));
}
dpr_value dpr_scale(dpr_graph *graph, dpr_value src, double factor) {
    dpr__scale_param param = {.factor = factor};
    return dpr__node_add(graph, DPR__OP_scale, &src, 1, &param);
}
dpr_value dpr_relu(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_relu, src);
}
dpr_value dpr_step(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_step, src);
}
dpr_value dpr_sigmoid(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_sigmoid, src);
}
dpr_value dpr_tanh(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_tanh, src);
}
dpr_value dpr_exp(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_exp, src);
}
dpr_value dpr_log(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_log, src);
}
dpr_value dpr_sqrt(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_sqrt, src);
}
dpr_value dpr_erf(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_erf, src);
}

/* slope·x + (1 − slope)·relu(x): slope below 0 and at 0, 1 above. */
dpr_value dpr_leaky_relu(dpr_graph *graph, dpr_value src, double slope) {
    dpr_value above = dpr_scale(graph, dpr_relu(graph, src), 1 - slope);
    dpr_value line = dpr_scale(graph, src, slope);
    return dpr_add(graph, line, above);
}

/* x·Φ(x) = ½x·(1 + erf(x/√2)) (Hendrycks & Gimpel 2016, section 2). */
dpr_value dpr_gelu(dpr_graph *graph, dpr_value src) {
    dpr_value e = dpr_erf(graph, dpr_scale(graph, src, 0.70710678118654752440));
    dpr_value above = dpr_add(graph, e, scalar(graph, 1));
    dpr_value half = dpr_scale(graph, src, 0.5);
    return dpr_multiply(graph, half, above);
}

dpr_value dpr_softplus(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_softplus, src);
}

/* x·tanh(softplus(x)) (Misra 2019, eq. 1). */
dpr_value dpr_mish(dpr_graph *graph, dpr_value src) {
    return dpr_multiply(graph, src, dpr_tanh(graph, dpr_softplus(graph, src)));
}

dpr_value dpr_silu(dpr_graph *graph, dpr_value src) {
    return dpr_multiply(graph, src, dpr_sigmoid(graph, src));
}

dpr_value dpr__draw_node(dpr_graph *graph, dpr_value seed, dpr_value tick, dpr_shape shape) {
    dpr__draw_param param = {.ordinal = graph->n_draws++, .shape = shape};
    return dpr__node_add(graph, DPR__OP_draw, (dpr_value[]){seed, tick}, 2, &param);
}

dpr_value dpr_dropout(dpr_graph *graph, dpr_value src, double rate) {
    if (graph->status == DPR_OK && !(rate >= 0 && rate < 1)) {
        dpr__graph_latch(graph, DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                                         "dropout '%s': the rate is %g; it must be at least 0 and "
                                         "below 1",
                                         graph->scope, rate));
        return 0;
    }
    dpr_value seed = dpr_state(graph, "seed", DPR_U64, dpr_scalar_shape());
    dpr_value tick = dpr_state(graph, "tick", DPR_U64, dpr_scalar_shape());
    dpr_value draw = dpr__draw_node(graph, seed, tick, dpr_value_shape(graph, src));
    /* Kept where draw ≥ rate: draws are multiples of 2^-24, so half of that decides "equal". */
    dpr_value kept = dpr_step(graph, dpr_subtract(graph, draw, scalar(graph, rate - 0x1p-25)));
    dpr_value dropped = dpr_multiply(graph, src, dpr_scale(graph, kept, 1 / (1 - rate)));
    return dpr_choose(graph, dropped, src);
}

/* ---- contraction and reductions ---- */

dpr_value dpr_matmul(dpr_graph *graph, dpr_value a, dpr_value b, unsigned flags) {
    dpr__matmul_param param = {.transpose_a = (flags & DPR_TRANSPOSE_A) != 0,
                               .transpose_b = (flags & DPR_TRANSPOSE_B) != 0};
    return dpr__node_add(graph, DPR__OP_matmul, (dpr_value[]){a, b}, 2, &param);
}

dpr_value dpr_sum(dpr_graph *graph, dpr_value src, unsigned axes, bool keep) {
    dpr__sum_param param = {.axes = axes, .keep = keep};
    return dpr__node_add(graph, DPR__OP_sum, &src, 1, &param);
}

dpr_value dpr_mean(dpr_graph *graph, dpr_value src, unsigned axes, bool keep) {
    dpr_value sum = dpr_sum(graph, src, axes, keep);
    if (sum == 0)
        return 0;
    dpr_shape shape = dpr_value_shape(graph, src);
    double n = 1;
    for (uint32_t i = 0; i < shape.rank; i++) {
        if ((axes >> i & 1) && shape.dim[i] == DPR_BATCH) {
            dpr__graph_latch(graph, DPR_FAIL(graph->context, DPR_E_SHAPE,
                                             "mean '%s': axis %u is the batch, whose last part is "
                                             "smaller; use dpr_batch_mean",
                                             graph->scope, i));
            return 0;
        }
        if (axes >> i & 1)
            n *= (double)shape.dim[i];
    }
    return dpr_scale(graph, sum, 1 / n);
}

dpr_value dpr_prefix(dpr_graph *graph, dpr_value src, dpr_value rows) {
    return binary(graph, DPR__OP_prefix, src, rows);
}

dpr_value dpr__squared_deviations(dpr_graph *graph, dpr_value src, dpr_value rows) {
    return binary(graph, DPR__OP_squared_deviations, src, rows);
}

dpr_value dpr_batch_mean(dpr_graph *graph, dpr_value src, dpr_value rows) {
    dpr_value sum = dpr_sum(graph, dpr_prefix(graph, src, rows), 1, false);
    return dpr_divide(graph, sum, dpr_cast(graph, rows, DPR_F32));
}

/* ---- shape ---- */

dpr_value dpr_reshape(dpr_graph *graph, dpr_value src, dpr_shape shape) {
    dpr__shape_param param = {.shape = shape};
    return dpr__node_add(graph, DPR__OP_reshape, &src, 1, &param);
}

dpr_value dpr_transpose(dpr_graph *graph, dpr_value src, const uint32_t *permutation) {
    dpr_shape shape = dpr_value_shape(graph, src);
    dpr__transpose_param param = {.permutation = {.rank = shape.rank}};
    for (uint32_t i = 0; i < shape.rank; i++)
        param.permutation.dim[i] = permutation[i];
    return dpr__node_add(graph, DPR__OP_transpose, &src, 1, &param);
}

dpr_value dpr_broadcast(dpr_graph *graph, dpr_value src, dpr_shape shape) {
    dpr__shape_param param = {.shape = shape};
    return dpr__node_add(graph, DPR__OP_broadcast, &src, 1, &param);
}

dpr_value dpr__unbroadcast(dpr_graph *graph, dpr_value diff, dpr_shape shape) {
    dpr_shape from = dpr_value_shape(graph, diff);
    unsigned axes = 0;
    uint32_t extra = from.rank - shape.rank;
    for (uint32_t i = 0; i < from.rank; i++)
        if (i < extra || (shape.dim[i - extra] == 1 && from.dim[i] != 1))
            axes |= 1U << i;
    if (axes != 0)
        diff = dpr_sum(graph, diff, axes, true);
    dpr_shape now = dpr_value_shape(graph, diff);
    return dpr__shape_equal(&now, &shape) ? diff : dpr_reshape(graph, diff, shape);
}

/* ---- rows ---- */

dpr_value dpr_softmax(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_softmax, src);
}
dpr_value dpr_log_softmax(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_log_softmax, src);
}
dpr_value dpr_softmax_cross_entropy(dpr_graph *graph, dpr_value logits, dpr_value targets) {
    return binary(graph, DPR__OP_softmax_cross_entropy, logits, targets);
}
dpr_value dpr_argmax(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_argmax, src);
}
dpr_value dpr_equal(dpr_graph *graph, dpr_value a, dpr_value b) {
    return binary(graph, DPR__OP_equal, a, b);
}

dpr_value dpr_one_hot(dpr_graph *graph, dpr_value indices, int64_t classes) {
    dpr__one_hot_param param = {.classes = classes};
    return dpr__node_add(graph, DPR__OP_one_hot, &indices, 1, &param);
}

dpr_value dpr_cast(dpr_graph *graph, dpr_value src, dpr_dtype dtype) {
    dpr__cast_param param = {.dtype = dtype};
    return dpr__node_add(graph, DPR__OP_cast, &src, 1, &param);
}

dpr_value dpr_gather(dpr_graph *graph, dpr_value pool, dpr_value index) {
    return binary(graph, DPR__OP_gather, pool, index);
}

dpr_value dpr__order(dpr_graph *graph, dpr_value seed, dpr_value epoch, dpr_value batch, int64_t n,
                     bool shuffle) {
    dpr__order_param param = {.n = n, .shuffle = shuffle, .batch = DPR_BATCH};
    return dpr__node_add(graph, DPR__OP_order, (dpr_value[]){seed, epoch, batch}, 3, &param);
}

dpr_value dpr__rows(dpr_graph *graph, dpr_value batch, int64_t n) {
    dpr__rows_param param = {.n = n, .batch = DPR_BATCH};
    return dpr__node_add(graph, DPR__OP_rows, &batch, 1, &param);
}

dpr_value dpr__augment(dpr_graph *graph, const dpr__augment_param *param, const dpr_value src[6]) {
    return dpr__node_add(graph, DPR__OP_augment, src, 6, param);
}

dpr_value dpr__augment_mix(dpr_graph *graph, dpr__op_id op, const dpr__augment_param *param,
                           dpr_value index, dpr_value seed, dpr_value epoch) {
    return dpr__node_add(graph, op, (dpr_value[]){index, seed, epoch}, 3, param);
}

dpr_value dpr__increment(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_increment, src);
}

/* ---- programs ---- */

dpr_value dpr_assign(dpr_graph *graph, dpr_value leaf, dpr_value value) {
    if (graph->status == DPR_OK && leaf < graph->n_nodes && leaf != 0 &&
        graph->nodes[leaf].op != DPR__OP_leaf) {
        dpr__graph_latch(graph,
                         DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                                  "assign '%s': only a leaf can be given a value", graph->scope));
        return 0;
    }
    return binary(graph, DPR__OP_assign, leaf, value);
}

dpr_value dpr_choose(dpr_graph *graph, dpr_value train, dpr_value otherwise) {
    return binary(graph, DPR__OP_choose, train, otherwise);
}

dpr_value dpr_guard(dpr_graph *graph, dpr_value src) {
    return unary(graph, DPR__OP_guard, src);
}
