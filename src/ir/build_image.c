/* The builders for images: convolution, pooling, padding, slicing (build.c has the others). */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include <string.h>

/* ---- convolution ---- */

dpr_conv_options dpr_conv_options_default(void) {
    return (dpr_conv_options){
        .size = sizeof(dpr_conv_options), .stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
}

dpr_value dpr_conv2d(dpr_graph *graph, dpr_value src, dpr_value weights,
                     const dpr_conv_options *options) {
    dpr_conv_options o = dpr_conv_options_default();
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    dpr__conv_param param = {.stride_h = o.stride[0],
                             .stride_w = o.stride[1],
                             .dilation_h = o.dilation[0],
                             .dilation_w = o.dilation[1],
                             .pad_top = o.pad[0],
                             .pad_left = o.pad[1],
                             .pad_bottom = o.pad[2],
                             .pad_right = o.pad[3],
                             .groups = o.groups};
    return dpr__node_add(graph, DPR__OP_conv2d, (dpr_value[]){src, weights}, 2, &param);
}

/* ---- pooling ---- */

dpr_pool_options dpr_pool_options_default(void) {
    return (dpr_pool_options){.size = sizeof(dpr_pool_options), .kernel = {2, 2}, .stride = {2, 2}};
}

static dpr__window_param window_of(const dpr_pool_options *options) {
    dpr_pool_options o = dpr_pool_options_default();
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    return (dpr__window_param){.kernel_h = o.kernel[0],
                               .kernel_w = o.kernel[1],
                               .stride_h = o.stride[0],
                               .stride_w = o.stride[1],
                               .pad_top = o.pad[0],
                               .pad_left = o.pad[1],
                               .pad_bottom = o.pad[2],
                               .pad_right = o.pad[3]};
}

/* The index is found once and serves the gradient as well, which then needs neither src nor dst. */
dpr_value dpr_max_pool(dpr_graph *graph, dpr_value src, const dpr_pool_options *options) {
    dpr__window_param param = window_of(options);
    dpr_value index = dpr__node_add(graph, DPR__OP_window_argmax, &src, 1, &param);
    return dpr__node_add(graph, DPR__OP_window_take, (dpr_value[]){src, index}, 2, &param);
}

dpr_value dpr_average_pool(dpr_graph *graph, dpr_value src, const dpr_pool_options *options) {
    dpr__window_param param = window_of(options);
    dpr_value sum = dpr__node_add(graph, DPR__OP_window_sum, &src, 1, &param);
    return dpr_scale(graph, sum, 1 / ((double)param.kernel_h * (double)param.kernel_w));
}

dpr_value dpr_global_average_pool(dpr_graph *graph, dpr_value src) {
    char text[DPR__SHAPE_TEXT];
    dpr_shape shape = dpr_value_shape(graph, src);
    if (graph->status == DPR_OK && (shape.rank != 4 || shape.dim[1] < 1 || shape.dim[2] < 1)) {
        dpr__graph_latch(graph, DPR_FAIL(graph->context, DPR_E_SHAPE,
                                         "global_average_pool '%s': the operand is %s; it must be "
                                         "images, n × height × width × channels",
                                         graph->scope, dpr__shape_text(&shape, text)));
        return 0;
    }
    return dpr_mean(graph, src, 1U << 1 | 1U << 2, false);
}

/* ---- along one axis ---- */

static dpr_value padded(dpr_graph *graph, dpr__op_id op, dpr_value src, unsigned axis,
                        int64_t before, int64_t after) {
    dpr__pad_param param = {.axis = axis, .before = before, .after = after};
    return dpr__node_add(graph, op, &src, 1, &param);
}

dpr_value dpr_pad(dpr_graph *graph, dpr_value src, unsigned axis, int64_t before, int64_t after) {
    return padded(graph, DPR__OP_pad, src, axis, before, after);
}

dpr_value dpr_pad_reflect(dpr_graph *graph, dpr_value src, unsigned axis, int64_t before,
                          int64_t after) {
    return padded(graph, DPR__OP_pad_reflect, src, axis, before, after);
}

dpr_value dpr_slice(dpr_graph *graph, dpr_value src, unsigned axis, int64_t first, int64_t count) {
    dpr__slice_param param = {.axis = axis, .first = first, .count = count};
    return dpr__node_add(graph, DPR__OP_slice, &src, 1, &param);
}

/* The extent of the concatenation along the axis. The sum would broadcast extents of 1, so what differs
 * elsewhere is refused here. */
static dpr_status check_concat(const dpr_graph *graph, const dpr_value *src, size_t n,
                               unsigned axis, int64_t *whole) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    if (n == 0)
        return DPR_FAIL(graph->context, DPR_E_ARGUMENT, "concat '%s': there are no operands",
                        graph->scope);
    dpr_shape first = dpr_value_shape(graph, src[0]);
    if (axis < 1 || axis >= first.rank)
        return DPR_FAIL(graph->context, DPR_E_ARGUMENT,
                        "concat '%s': axis %u of %s; it must be one of its axes, and not 0, the "
                        "batch",
                        graph->scope, axis, dpr__shape_text(&first, a));
    *whole = 0;
    for (size_t i = 0; i < n; i++) {
        dpr_shape shape = dpr_value_shape(graph, src[i]), other = first;
        if (axis < shape.rank)
            other.dim[axis] = shape.dim[axis];
        if (!dpr__shape_equal(&shape, &other) || shape.dim[axis] < 1)
            return DPR_FAIL(graph->context, DPR_E_SHAPE,
                            "concat '%s': operand %zu is %s, the first %s; they may differ along "
                            "axis %u alone, and must have a number there",
                            graph->scope, i + 1, dpr__shape_text(&shape, a),
                            dpr__shape_text(&first, b), axis);
        *whole +=
            shape.dim[axis]; /* each is at most 2^40: it would take 2^23 operands to overflow */
    }
    return DPR_OK;
}

dpr_value dpr_concat(dpr_graph *graph, const dpr_value *src, size_t n, unsigned axis) {
    int64_t whole = 0, before = 0;
    dpr_value sum = 0;
    if (graph->status != DPR_OK)
        return 0;
    dpr_status status = check_concat(graph, src, n, axis, &whole);
    if (status != DPR_OK)
        dpr__graph_latch(graph, status);
    for (size_t i = 0; i < n && graph->status == DPR_OK; i++) {
        int64_t extent = dpr_value_shape(graph, src[i]).dim[axis];
        dpr_value part =
            n == 1 ? src[0] : dpr_pad(graph, src[i], axis, before, whole - before - extent);
        sum = sum == 0 ? part : dpr_add(graph, sum, part);
        before += extent;
    }
    return graph->status == DPR_OK ? sum : 0;
}
