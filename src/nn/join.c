/* Layers that bring paths together: squeeze and excite, residuals, branches. */
#include "base/context.h"
#include "ir/shape.h"
#include "nn/words.h"

/* ---- squeeze and excite (Hu et al. 2018) ---- */

/* src · weights + bias, with parameters "PART.weights" and "PART.bias". */
static dpr_value dense(const dpr__net_item *item, dpr__layering *l, dpr_value src, const char *part,
                       int64_t outputs, dpr_init init) {
    char name[64];
    int64_t inputs = dpr_value_shape(l->graph, src).dim[1];
    dpr__format(l->graph->context, name, sizeof name, "%s.weights", part);
    dpr_value weights = dpr__layer_parameter(item, l, name, dpr_shape_of(inputs, outputs),
                                             l->forced ? l->init : init);
    dpr__format(l->graph->context, name, sizeof name, "%s.bias", part);
    dpr_value bias = dpr__layer_parameter(item, l, name, dpr_shape_of(outputs), DPR_INIT_ZERO);
    l->flops += (uint64_t)(outputs * (2 * inputs + 1));
    return dpr_add(l->graph, dpr_matmul(l->graph, src, weights, 0), bias);
}

void dpr__append_squeeze_excite(const dpr__net_item *item, dpr__layering *l) {
    dpr_graph *graph = l->graph;
    if (!dpr__layer_is_picture(item, l))
        return;
    dpr_shape shape = dpr_value_shape(graph, l->value);
    int64_t channels = shape.dim[3];
    int64_t inner = channels / (int64_t)dpr__number_of(item, "reduction").value;
    dpr_value means = dpr_global_average_pool(graph, l->value);
    dpr_value x = dense(item, l, means, "reduce", inner > 1 ? inner : 1, DPR_INIT_HE);
    x = dense(item, l, dpr_relu(graph, x), "expand", channels, DPR_INIT_XAVIER);
    x = dpr_reshape(graph, dpr_sigmoid(graph, x), dpr_shape_of(shape.dim[0], 1, 1, channels));
    l->value = dpr_multiply(graph, l->value, x);
    dpr__layer_see_all(l);
    l->flops += 2 * dpr__layer_features(l, l->value);
}

/* ---- residuals (He et al. 2016) ---- */

static dpr_value shortcut_fails(const dpr__layering *l, const char *why, const dpr_shape *in,
                                const dpr_shape *out) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    dpr__graph_latch(l->graph, DPR_FAIL(l->graph->context, DPR_E_SHAPE,
                                        "the residual's input is %s and its operations give %s; %s",
                                        dpr__shape_text(in, a), dpr__shape_text(out, b), why));
    return 0;
}

/* No stride brings `in` rows or columns to `out`: which sizes there are next to it. */
static dpr_value stride_fails(const dpr__layering *l, int axis, const dpr_shape *in,
                              const dpr_shape *out) {
    char why[200];
    int64_t had = in->dim[axis], wanted = out->dim[axis];
    int64_t wide = (had - 1) / wanted + 1; /* the least stride that gives no more than wanted */
    int64_t less = (had - 1) / wide + 1, more = wide > 1 ? (had - 1) / (wide - 1) + 1 : 0;
    if (wide > 1)
        dpr__format(l->graph->context, why, sizeof why,
                    "a shortcut's %s can be %lld with stride %lld or %lld with stride %lld, but "
                    "not %lld; 'pad same' gives such sizes",
                    axis == 0 ? "height" : "width", (long long)more, (long long)(wide - 1),
                    (long long)less, (long long)wide, (long long)wanted);
    else
        dpr__format(l->graph->context, why, sizeof why,
                    "a shortcut's %s cannot grow; 'pad same' adds no more than keeps the size",
                    axis == 0 ? "height" : "width");
    return shortcut_fails(l, why, in, out);
}

/* The stride at which windows of one pixel give `out` of `in` rows; 0: none does. */
static int64_t stride_between(int64_t in, int64_t out) {
    int64_t stride = out > 0 ? (in - 1) / out + 1 : 0;
    return stride > 0 && (in - 1) / stride + 1 == out ? stride : 0;
}

/* Option A: every stride-th pixel, and channels of zeros around those that are there. */
static dpr_value pad_shortcut(dpr__layering *l, dpr_value src, const dpr_shape *in,
                              const dpr_shape *out, const int64_t stride[2]) {
    uint32_t last = in->rank - 1;
    int64_t more = out->dim[last] - in->dim[last];
    dpr_pool_options options = dpr_pool_options_default();
    if (more < 0)
        return shortcut_fails(
            l, "'pad' adds channels and takes none away: leave the word out, or give more channels",
            in, out);
    for (int axis = 0; axis < 2; axis++) {
        options.kernel[axis] = 1;
        options.stride[axis] = stride[axis];
    }
    if (stride[0] != 1 || stride[1] != 1)
        src = dpr_average_pool(l->graph, src, &options);
    return more > 0 ? dpr_pad(l->graph, src, last + 1, more / 2, more - more / 2) : src;
}

/* Option B: a convolution of one pixel, or a matrix, then batch normalisation. */
static dpr_value project_shortcut(const dpr__net_item *item, dpr__layering *l, dpr_value src,
                                  const dpr_shape *in, const dpr_shape *out,
                                  const int64_t stride[2]) {
    static const int64_t kernel[2] = {1, 1};
    dpr_conv_options conv = dpr_conv_options_default();
    dpr_batch_norm_options norm = dpr_batch_norm_options_default();
    if (in->rank == 3) {
        conv.stride[0] = stride[0];
        conv.stride[1] = stride[1];
        src = dpr__layer_conv(item, l, src, kernel, out->dim[2], &conv);
    } else {
        dpr_shape shape = dpr_shape_of(in->dim[0], out->dim[0]);
        src =
            dpr_matmul(l->graph, src, dpr__layer_parameter(item, l, "weights", shape, l->init), 0);
        l->flops += 2 * l->parameters;
    }
    return dpr__layer_batch_norm(item, l, src, true, true, &norm);
}

/* The residual's input in the shape of its operations' result. */
static dpr_value shortcut(const dpr__net_item *item, dpr__layering *l, dpr_value src) {
    dpr_shape in = dpr__layer_shape(l, src), out = dpr__layer_shape(l, l->value);
    int64_t stride[2] = {1, 1};
    if (l->graph->status != DPR_OK || dpr__shape_equal(&in, &out))
        return src;
    if (in.rank != out.rank || (in.rank != 3 && in.rank != 1))
        return shortcut_fails(l, "a picture and a row of numbers cannot be added", &in, &out);
    for (int axis = 0; axis < 2 && in.rank == 3; axis++) {
        stride[axis] = stride_between(in.dim[axis], out.dim[axis]);
        if (stride[axis] == 0)
            return stride_fails(l, axis, &in, &out);
    }
    if (dpr__flag_of(item, "pad"))
        return pad_shortcut(l, src, &in, &out, stride);
    return project_shortcut(item, l, src, &in, &out, stride);
}

void dpr__append_residual(const dpr__net_item *item, dpr__layering *l) {
    const dpr__opened *opened = &l->opened[l->n_opened];
    l->value = dpr_add(l->graph, opened->ends[0], shortcut(item, l, opened->in));
    l->flops += dpr__layer_features(l, l->value);
}

/* ---- branches ---- */

/* The parts may differ in their last dimension alone. */
static bool parts_fit(const dpr__layering *l, const dpr__opened *opened) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    dpr_shape first = dpr__layer_shape(l, opened->ends[0]);
    for (size_t i = 1; i < opened->n_ends; i++) {
        dpr_shape shape = dpr__layer_shape(l, opened->ends[i]), same = shape;
        same.dim[same.rank - 1] = first.dim[first.rank - 1];
        if (dpr__shape_equal(&same, &first))
            continue;
        dpr__graph_latch(l->graph,
                         DPR_FAIL(l->graph->context, DPR_E_SHAPE,
                                  "part 1 of the branch gives %s and part %zu %s; they may differ "
                                  "in their channels alone",
                                  dpr__shape_text(&first, a), i + 1, dpr__shape_text(&shape, b)));
        return false;
    }
    return true;
}

void dpr__append_branch(const dpr__net_item *item, dpr__layering *l) {
    const dpr__opened *opened = &l->opened[l->n_opened];
    dpr_shape shape = dpr_value_shape(l->graph, l->value);
    (void)item;
    if (l->graph->status == DPR_OK && parts_fit(l, opened))
        l->value = dpr_concat(l->graph, opened->ends, opened->n_ends, shape.rank - 1);
}
