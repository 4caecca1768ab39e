/* Layers of products and windows, and what all layers share (words.h). */
#include "base/context.h"
#include "ir/shape.h"
#include "nn/words.h"

/* ---- shared ---- */

uint64_t dpr__layer_features(const dpr__layering *l, dpr_value value) {
    dpr_shape shape = dpr_value_shape(l->graph, value);
    shape.dim[0] = 1;
    return l->graph->status == DPR_OK ? (uint64_t)dpr__shape_count(&shape) : 0;
}

dpr_value dpr__layer_flat(dpr_graph *graph, dpr_value value) {
    dpr_shape shape = dpr_value_shape(graph, value), one = shape;
    if (shape.rank == 2 || graph->status != DPR_OK)
        return value;
    one.dim[0] = 1;
    return dpr_reshape(graph, value, dpr_shape_of(shape.dim[0], dpr__shape_count(&one)));
}

dpr_value dpr__layer_parameter(const dpr__net_item *item, dpr__layering *l, const char *part,
                               dpr_shape shape, dpr_init init) {
    char name[128];
    dpr__format(l->graph->context, name, sizeof name, "%s.%s", item->name, part);
    if (init == DPR_INIT_WHITENING)
        return dpr__leaf(l->graph, name, DPR_STATISTIC, DPR_F32, shape, init);
    dpr_value parameter = dpr_parameter(l->graph, name, shape, init);
    if (parameter != 0) /* then its size is sane */
        l->parameters += (uint64_t)dpr__shape_count(&shape);
    return parameter;
}

dpr_shape dpr__layer_shape(const dpr__layering *l, dpr_value value) {
    dpr_shape shape = dpr_value_shape(l->graph, value);
    for (uint32_t i = 1; i < shape.rank; i++)
        shape.dim[i - 1] = shape.dim[i];
    shape.rank -= shape.rank > 0;
    return shape;
}

/* A field that large tells nothing more; and steps multiply from layer to layer. */
static int64_t within_reason(int64_t x) {
    static const int64_t MOST = (int64_t)1 << 30;
    return x > MOST ? MOST : x < -MOST ? -MOST : x;
}

void dpr__layer_see(dpr__layering *l, const int64_t kernel[2], const int64_t stride[2],
                    const int64_t dilation[2], const int64_t pad[2]) {
    for (int axis = 0; axis < 2; axis++) {
        int64_t step = within_reason(l->field.step[axis]),
                reach = dilation[axis] * (kernel[axis] - 1);
        l->field.first[axis] = within_reason(l->field.first[axis] - pad[axis] * step);
        l->field.size[axis] = within_reason(l->field.size[axis] + within_reason(reach) * step);
        l->field.step[axis] = step * stride[axis];
    }
}

void dpr__layer_see_all(dpr__layering *l) {
    l->field = (dpr_field){.size = {l->image.dim[0], l->image.dim[1]}};
}

bool dpr__layer_is_picture(const dpr__net_item *item, dpr__layering *l) {
    char text[DPR__SHAPE_TEXT];
    dpr_shape shape = dpr__layer_shape(l, l->value);
    if (l->graph->status != DPR_OK)
        return false;
    if (shape.rank == 3)
        return true;
    dpr__graph_latch(l->graph, DPR_FAIL(l->graph->context, DPR_E_SHAPE,
                                        "%s works on pictures (height × width × channels), but "
                                        "here each image is %s",
                                        item->word->word, dpr__shape_text(&shape, text)));
    return false;
}

/* Adds parameter "bias", one number for each of the last dimension. */
static void add_bias(const dpr__net_item *item, dpr__layering *l, int64_t outputs) {
    dpr_value bias = dpr__layer_parameter(item, l, "bias", dpr_shape_of(outputs), DPR_INIT_ZERO);
    l->value = dpr_add(l->graph, l->value, bias);
    l->flops += dpr__layer_features(l, l->value);
}

void dpr__append_linear(const dpr__net_item *item, dpr__layering *l) {
    dpr_value src = dpr__layer_flat(l->graph, l->value);
    int64_t inputs = dpr_value_shape(l->graph, src).dim[1];
    int64_t outputs = (int64_t)dpr__number_of(item, "outputs").value;
    dpr_value weights =
        dpr__layer_parameter(item, l, "weights", dpr_shape_of(inputs, outputs), l->init);
    l->value = dpr_matmul(l->graph, src, weights, 0);
    l->flops = 2 * l->parameters;
    if (!dpr__flag_of(item, "nobias"))
        add_bias(item, l, outputs);
}

/* ---- windows ---- */

static void pair_of(const dpr__net_item *item, const char *name, int64_t out[2]) {
    dpr__number number = dpr__number_of(item, name);
    out[0] = (int64_t)number.value;
    out[1] = (int64_t)number.second;
}

/* `same`: what a window of this size loses at stride 1, half on each side; the odd one below and at the right. */
static void padding_of(const dpr__net_item *item, const int64_t kernel[2],
                       const int64_t dilation[2], int64_t pad[4]) {
    bool same = dpr__number_of(item, "pad").value == DPR__NUMBER_SAME;
    int64_t given[2];
    pair_of(item, "pad", given);
    for (int axis = 0; axis < 2; axis++) {
        int64_t lost = dilation[axis] * (kernel[axis] - 1);
        pad[axis] = same ? lost / 2 : given[axis];
        pad[axis + 2] = same ? lost - lost / 2 : given[axis];
    }
}

dpr_value dpr__layer_conv(const dpr__net_item *item, dpr__layering *l, dpr_value src,
                          const int64_t kernel[2], int64_t outputs,
                          const dpr_conv_options *options) {
    int64_t channels = dpr_value_shape(l->graph, src).dim[3];
    dpr_shape shape = dpr_shape_of(kernel[0], kernel[1], channels / options->groups, outputs);
    dpr_value weights = dpr__layer_parameter(item, l, "weights", shape, l->init);
    dpr_value dst = dpr_conv2d(l->graph, src, weights, options);
    if (dst != 0)
        l->flops +=
            2 * (uint64_t)(kernel[0] * kernel[1] * shape.dim[2]) * dpr__layer_features(l, dst);
    return dst;
}

static void append_conv(const dpr__net_item *item, dpr__layering *l, int64_t outputs,
                        int64_t groups) {
    dpr_conv_options options = dpr_conv_options_default();
    int64_t kernel[2];
    pair_of(item, "kernel", kernel);
    pair_of(item, "stride", options.stride);
    pair_of(item, "dilation", options.dilation);
    padding_of(item, kernel, options.dilation, options.pad);
    options.groups = groups;
    dpr__layer_see(l, kernel, options.stride, options.dilation, options.pad);
    l->value = dpr__layer_conv(item, l, l->value, kernel, outputs, &options);
    if (!dpr__flag_of(item, "nobias") && !l->normalised)
        add_bias(item, l, outputs);
}

/* Whitening filters are the principal components of the patches that the kernel sees, and their negatives (train/whitening.h). */
static bool can_whiten(const dpr__net_item *item, dpr__layering *l, int64_t outputs) {
    dpr__number kernel = dpr__number_of(item, "kernel");
    int64_t values =
        (int64_t)(kernel.value * kernel.second) * dpr_value_shape(l->graph, l->value).dim[3];
    const char *why = NULL;
    if (l->value != l->images)
        why = "is for the first layer: it is computed from patches of the images";
    else if (values > DPR__MOST_WHITENED)
        why = "takes kernels of at most 256 values";
    else if (outputs % 2 != 0 || outputs > 2 * values)
        why = "has an even number of outputs, at most two for each value of the kernel";
    if (why != NULL)
        dpr__graph_latch(l->graph,
                         DPR_FAIL(l->graph->context, DPR_E_SHAPE, "init whitening %s", why));
    return why == NULL;
}

void dpr__append_conv(const dpr__net_item *item, dpr__layering *l) {
    int64_t groups = (int64_t)dpr__number_of(item, "groups").value;
    int64_t outputs = (int64_t)dpr__number_of(item, "outputs").value;
    size_t init = (size_t)dpr__number_of(item, "init").value;
    if (!dpr__layer_is_picture(item, l))
        return;
    if (init != DPR__INIT_AUTO)
        l->init = dpr__inits[init];
    if (init >= DPR__INIT_DIRAC && groups != 1) {
        dpr__graph_latch(l->graph, DPR_FAIL(l->graph->context, DPR_E_SHAPE,
                                            "init %s is for convolutions without groups",
                                            dpr__init_words[init]));
        return;
    }
    if (l->init == DPR_INIT_WHITENING && !can_whiten(item, l, outputs))
        return;
    int64_t channels = dpr_value_shape(l->graph, l->value).dim[3];
    if (channels % groups != 0 || outputs % groups != 0) {
        dpr__graph_latch(
            l->graph, DPR_FAIL(l->graph->context, DPR_E_SHAPE,
                               "%lld groups do not divide the %lld channels here and %lld outputs",
                               (long long)groups, (long long)channels, (long long)outputs));
        return;
    }
    append_conv(item, l, outputs, groups);
}

void dpr__append_depthwise(const dpr__net_item *item, dpr__layering *l) {
    if (!dpr__layer_is_picture(item, l))
        return;
    int64_t channels = dpr_value_shape(l->graph, l->value).dim[3];
    append_conv(item, l, channels, channels);
}

typedef dpr_value (*pool_builder)(dpr_graph *graph, dpr_value src, const dpr_pool_options *options);

/* Without a stride the windows stand side by side. */
static void append_pool(const dpr__net_item *item, dpr__layering *l, pool_builder pool) {
    static const int64_t dilation[2] = {1, 1};
    dpr_pool_options options = dpr_pool_options_default();
    if (!dpr__layer_is_picture(item, l))
        return;
    pair_of(item, "window", options.kernel);
    pair_of(item, dpr__number_of(item, "stride").value == 0 ? "window" : "stride", options.stride);
    padding_of(item, options.kernel, dilation, options.pad);
    dpr__layer_see(l, options.kernel, options.stride, dilation, options.pad);
    l->value = pool(l->graph, l->value, &options);
    l->flops = (uint64_t)(options.kernel[0] * options.kernel[1]) * dpr__layer_features(l, l->value);
}

void dpr__append_max_pool(const dpr__net_item *item, dpr__layering *l) {
    append_pool(item, l, dpr_max_pool);
}

void dpr__append_average_pool(const dpr__net_item *item, dpr__layering *l) {
    append_pool(item, l, dpr_average_pool);
}

void dpr__append_global_average_pool(const dpr__net_item *item, dpr__layering *l) {
    if (!dpr__layer_is_picture(item, l))
        return;
    l->flops = dpr__layer_features(l, l->value);
    l->value = dpr_global_average_pool(l->graph, l->value);
}
