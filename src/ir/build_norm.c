/* The normalisations, as compositions: (src − mean)/√(variance + ε), then scale and shift. A variance is the mean
 * of the squares of differences: E[x²] − E[x]² would cancel. Over the batch these have an op of their own. */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include <math.h>
#include <string.h>

/* ---- what all share ---- */

static dpr_value number(dpr_graph *graph, double value) {
    return dpr_constant(graph, value, dpr_scalar_shape());
}

static bool is_value(const dpr_graph *graph, dpr_value value) {
    return value != 0 && value < graph->n_nodes;
}

/* 0 stands for none where that is allowed. */
static dpr_status check_vector(const dpr_graph *graph, const char *what, const char *word,
                               dpr_value value, bool optional, int64_t channels) {
    char text[DPR__SHAPE_TEXT];
    if (value == 0 && optional)
        return DPR_OK;
    if (!is_value(graph, value))
        return DPR_FAIL(graph->context, DPR_E_ARGUMENT, "%s '%s': the %s is no value of this graph",
                        what, graph->scope, word);
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->dtype == DPR_F32 && node->shape.rank == 1 && node->shape.dim[0] == channels)
        return DPR_OK;
    return DPR_FAIL(graph->context, DPR_E_SHAPE,
                    "%s '%s': the %s is %s %s; it must be f32 %lld, one for each channel", what,
                    graph->scope, word, dpr__dtype_name(node->dtype),
                    dpr__shape_text(&node->shape, text), (long long)channels);
}

/* src: f32 with at least `rank` axes, of which the first alone may be open or empty. */
static dpr_status check_source(const dpr_graph *graph, const char *what, dpr_value src,
                               uint32_t rank) {
    char text[DPR__SHAPE_TEXT];
    if (!is_value(graph, src))
        return DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                        "%s '%s': operand 1 is no value of this graph", what, graph->scope);
    const dpr__node *node = dpr__node_of(graph, src);
    bool fits = node->dtype == DPR_F32 && node->shape.rank >= rank;
    for (uint32_t i = 1; i < node->shape.rank; i++)
        fits &= node->shape.dim[i] >= 1;
    if (fits)
        return DPR_OK;
    return DPR_FAIL(graph->context, DPR_E_SHAPE,
                    "%s '%s': operand 1 is %s %s; it must be f32 with at least %u dimensions, all "
                    "but the first of them numbers above 0",
                    what, graph->scope, dpr__dtype_name(node->dtype),
                    dpr__shape_text(&node->shape, text), rank);
}

static dpr_status check_norm(const dpr_graph *graph, const char *what, dpr_value src, uint32_t rank,
                             dpr_value scale, dpr_value shift, double epsilon) {
    DPR_TRY(check_source(graph, what, src, rank));
    const dpr_shape *shape = &dpr__node_of(graph, src)->shape;
    int64_t channels = shape->dim[shape->rank - 1];
    DPR_TRY(check_vector(graph, what, "scale", scale, true, channels));
    DPR_TRY(check_vector(graph, what, "shift", shift, true, channels));
    if (epsilon > 0 && epsilon < HUGE_VAL)
        return DPR_OK;
    return DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                    "%s '%s': epsilon is %g; it must be a number above 0", what, graph->scope,
                    epsilon);
}

static bool latched(dpr_graph *graph, dpr_status status) {
    if (status != DPR_OK)
        dpr__graph_latch(graph, status);
    return status != DPR_OK;
}

static dpr_value root_of(dpr_graph *graph, dpr_value variance, double epsilon) {
    return dpr_sqrt(graph, dpr_add(graph, variance, number(graph, epsilon)));
}

static dpr_value shifted(dpr_graph *graph, dpr_value value, dpr_value shift) {
    return shift == 0 ? value : dpr_add(graph, value, shift);
}

/* ---- over the batch ---- */

dpr_batch_norm_options dpr_batch_norm_options_default(void) {
    return (dpr_batch_norm_options){
        .size = sizeof(dpr_batch_norm_options), .momentum = 0.1, .epsilon = 1e-5};
}

static dpr_status check_rows(const dpr_graph *graph, dpr_value rows) {
    if (rows == 0 || (is_value(graph, rows) && dpr__node_of(graph, rows)->dtype == DPR_I32 &&
                      dpr__node_of(graph, rows)->shape.rank == 0))
        return DPR_OK;
    return DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                    "batch_norm '%s': the number of rows must be an i32 scalar of this graph",
                    graph->scope);
}

static dpr_status check_batch_norm(const dpr_graph *graph, dpr_value src, dpr_value scale,
                                   dpr_value shift, const dpr_value running[2], dpr_value rows,
                                   const dpr_batch_norm_options *options) {
    static const char WHAT[] = "batch_norm";
    DPR_TRY(check_norm(graph, WHAT, src, 2, scale, shift, options->epsilon));
    const dpr_shape *shape = &dpr__node_of(graph, src)->shape;
    int64_t channels = shape->dim[shape->rank - 1];
    DPR_TRY(check_vector(graph, WHAT, "running mean", running[0], false, channels));
    DPR_TRY(check_vector(graph, WHAT, "running variance", running[1], false, channels));
    DPR_TRY(check_rows(graph, rows));
    if (options->momentum >= 0 && options->momentum <= 1)
        return DPR_OK;
    return DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                    "batch_norm '%s': the momentum is %g; it must be 0 to 1", graph->scope,
                    options->momentum);
}

/* Which rows count: all of them, where the caller does not say. argmax makes an i32 0, and rows makes of it min(B, n − 0·B). */
static dpr_value valid_rows(dpr_graph *graph, const dpr_shape *shape, dpr_value rows) {
    if (rows != 0)
        return rows;
    dpr_value zero = dpr_argmax(graph, dpr_constant(graph, 0, dpr_shape_of(1)));
    int64_t batch = shape->dim[0];
    dpr__rows_param all = {.n = batch == DPR_BATCH ? INT32_MAX : batch, .batch = batch};
    return dpr__node_add(graph, DPR__OP_rows, &zero, 1, &all);
}

/* How many elements of a channel the valid rows hold, as f32. */
static dpr_value count_of(dpr_graph *graph, dpr_value src, dpr_value rows) {
    dpr_shape shape = dpr_value_shape(graph, src);
    double area = 1;
    for (uint32_t i = 1; i + 1 < shape.rank; i++)
        area *= (double)shape.dim[i];
    return dpr_scale(graph, dpr_cast(graph, rows, DPR_F32), area);
}

dpr_value dpr__channel_mean(dpr_graph *graph, dpr_value src, dpr_value rows) {
    unsigned channel = dpr_value_shape(graph, src).rank - 1;
    if (graph->status != DPR_OK)
        return 0;
    dpr_value sum = dpr_sum(graph, dpr_prefix(graph, src, rows), (1U << channel) - 1, false);
    return dpr_divide(graph, sum, count_of(graph, src, rows));
}

/* What a running value becomes: (1 − m)·old + m·new in programs that train. */
static dpr_value update(dpr_graph *graph, dpr_value old, dpr_value new, double momentum) {
    dpr_value next =
        dpr_add(graph, dpr_scale(graph, old, 1 - momentum), dpr_scale(graph, new, momentum));
    return dpr_choose(graph, next, old);
}

dpr_value dpr_batch_norm(dpr_graph *graph, dpr_value src, dpr_value scale, dpr_value shift,
                         dpr_value running_mean, dpr_value running_variance, dpr_value rows,
                         const dpr_batch_norm_options *options, dpr_value updates[2]) {
    dpr_batch_norm_options o = dpr_batch_norm_options_default();
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (updates != NULL)
        updates[0] = updates[1] = 0;
    const dpr_value running[2] = {running_mean, running_variance};
    if (graph->status != DPR_OK ||
        latched(graph, check_batch_norm(graph, src, scale, shift, running, rows, &o)))
        return 0;
    dpr_shape shape = dpr_value_shape(graph, src);
    rows = valid_rows(graph, &shape, rows);
    dpr_value mean = dpr__channel_mean(graph, src, rows);
    dpr_value squares = dpr__squared_deviations(graph, src, rows);
    dpr_value count = count_of(graph, src, rows);
    dpr_value variance = dpr_divide(graph, squares, count);
    if (updates != NULL) {
        /* The unbiased variance divides by max(count − 1, 1) = 1 + relu(count − 2): of one element it is 0. */
        dpr_value two_less = dpr_subtract(graph, count, number(graph, 2));
        dpr_value less = dpr_add(graph, dpr_relu(graph, two_less), number(graph, 1));
        updates[0] = update(graph, running_mean, mean, o.momentum);
        updates[1] = update(graph, running_variance, dpr_divide(graph, squares, less), o.momentum);
    }
    dpr_value centre = dpr_choose(graph, mean, running_mean);
    dpr_value root = root_of(graph, dpr_choose(graph, variance, running_variance), o.epsilon);
    dpr_value factor = dpr_divide(graph, scale == 0 ? number(graph, 1) : scale, root);
    return shifted(graph, dpr_multiply(graph, dpr_subtract(graph, src, centre), factor), shift);
}

/* ---- within a row or an image ---- */

/* (src − mean)/√(variance + ε) with the statistics over `axes`. */
static dpr_value standardised(dpr_graph *graph, dpr_value src, unsigned axes, double epsilon) {
    dpr_value off = dpr_subtract(graph, src, dpr_mean(graph, src, axes, true));
    dpr_value variance = dpr_mean(graph, dpr_multiply(graph, off, off), axes, true);
    dpr_value factor = dpr_divide(graph, number(graph, 1), root_of(graph, variance, epsilon));
    return dpr_multiply(graph, off, factor);
}

static dpr_value scaled(dpr_graph *graph, dpr_value value, dpr_value scale, dpr_value shift) {
    return shifted(graph, scale == 0 ? value : dpr_multiply(graph, value, scale), shift);
}

dpr_value dpr_layer_norm(dpr_graph *graph, dpr_value src, dpr_value scale, dpr_value shift,
                         double epsilon) {
    if (graph->status != DPR_OK ||
        latched(graph, check_norm(graph, "layer_norm", src, 2, scale, shift, epsilon)))
        return 0;
    unsigned last = 1U << (dpr_value_shape(graph, src).rank - 1);
    return scaled(graph, standardised(graph, src, last, epsilon), scale, shift);
}

static dpr_status check_groups(const dpr_graph *graph, dpr_value src, int64_t groups) {
    char text[DPR__SHAPE_TEXT];
    const dpr_shape *shape = &dpr__node_of(graph, src)->shape;
    if (shape->rank == 4 && groups >= 1 && shape->dim[3] % groups == 0)
        return DPR_OK;
    return DPR_FAIL(graph->context, DPR_E_SHAPE,
                    "group_norm '%s': operand 1 is %s, in %lld groups; it must be n × height × "
                    "width × channels, the channels a multiple of the groups",
                    graph->scope, dpr__shape_text(shape, text), (long long)groups);
}

dpr_value dpr_group_norm(dpr_graph *graph, dpr_value src, int64_t groups, dpr_value scale,
                         dpr_value shift, double epsilon) {
    if (graph->status != DPR_OK ||
        latched(graph, check_norm(graph, "group_norm", src, 4, scale, shift, epsilon)) ||
        latched(graph, check_groups(graph, src, groups)))
        return 0;
    dpr_shape shape = dpr_value_shape(graph, src);
    dpr_value grouped = dpr_reshape(
        graph, src,
        dpr_shape_of(shape.dim[0], shape.dim[1] * shape.dim[2], groups, shape.dim[3] / groups));
    grouped = standardised(graph, grouped, 1U << 1 | 1U << 3, epsilon);
    return scaled(graph, dpr_reshape(graph, grouped, shape), scale, shift);
}
