/* Layers that bring values to mean 0 and variance 1. */
#include "base/context.h"
#include "ir/shape.h"
#include "nn/words.h"

static int64_t channels_of(const dpr__layering *l, dpr_value value) {
    dpr_shape shape = dpr_value_shape(l->graph, value);
    return shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;
}

static dpr_value scale_of(const dpr__net_item *item, dpr__layering *l, int64_t channels) {
    return dpr__layer_parameter(item, l, "scale", dpr_shape_of(channels), DPR_INIT_ONE);
}

static dpr_value shift_of(const dpr__net_item *item, dpr__layering *l, int64_t channels) {
    return dpr__layer_parameter(item, l, "shift", dpr_shape_of(channels), DPR_INIT_ZERO);
}

static dpr_value running(const dpr__net_item *item, dpr__layering *l, const char *part,
                         int64_t channels, dpr_init init) {
    char name[128];
    dpr__format(l->graph->context, name, sizeof name, "%s.%s", item->name, part);
    return dpr__leaf(l->graph, name, DPR_STATISTIC, DPR_F32, dpr_shape_of(channels), init);
}

/* What `leaf` becomes after a training step. */
static void keep_update(dpr__layering *l, dpr_value leaf, dpr_value value) {
    dpr_graph *graph = l->graph;
    dpr__role role = graph->role;
    graph->role = DPR__UPDATE;
    dpr_value assign = dpr_assign(graph, leaf, value);
    graph->role = role;
    if (assign == 0)
        return;
    dpr_status status = dpr__grow(graph->context, &l->updates, &l->updates_capacity,
                                  l->n_updates + 1, sizeof *l->updates);
    if (status != DPR_OK)
        dpr__graph_latch(graph, status);
    else
        l->updates[l->n_updates++] = assign;
}

dpr_value dpr__layer_batch_norm(const dpr__net_item *item, dpr__layering *l, dpr_value src,
                                bool scale, bool shift, const dpr_batch_norm_options *options) {
    int64_t channels = channels_of(l, src);
    dpr_value updates[2] = {0, 0};
    dpr_value factor = scale ? scale_of(item, l, channels) : 0;
    dpr_value offset = shift ? shift_of(item, l, channels) : 0;
    dpr_value mean = running(item, l, "mean", channels, DPR_INIT_ZERO);
    dpr_value variance = running(item, l, "variance", channels, DPR_INIT_ONE);
    dpr_value dst =
        dpr_batch_norm(l->graph, src, factor, offset, mean, variance, l->rows, options, updates);
    keep_update(l, mean, updates[0]);
    keep_update(l, variance, updates[1]);
    l->flops += 2 * dpr__layer_features(l, dst); /* of a prediction: a factor and an offset */
    return dst;
}

void dpr__append_batch_norm(const dpr__net_item *item, dpr__layering *l) {
    dpr_batch_norm_options options = dpr_batch_norm_options_default();
    options.momentum = dpr__number_of(item, "momentum").value;
    options.epsilon = dpr__number_of(item, "epsilon").value;
    l->value = dpr__layer_batch_norm(item, l, l->value, !dpr__flag_of(item, "noscale"),
                                     !dpr__flag_of(item, "noshift"), &options);
}

/* Sums for mean and variance, then centre, divide, scale, shift. */
static void count_flops(dpr__layering *l) {
    l->flops = 7 * dpr__layer_features(l, l->value);
}

void dpr__append_layer_norm(const dpr__net_item *item, dpr__layering *l) {
    int64_t channels = channels_of(l, l->value);
    l->value = dpr_layer_norm(l->graph, l->value, scale_of(item, l, channels),
                              shift_of(item, l, channels), dpr__number_of(item, "epsilon").value);
    count_flops(l);
}

void dpr__append_group_norm(const dpr__net_item *item, dpr__layering *l) {
    if (!dpr__layer_is_picture(item, l))
        return;
    int64_t channels = channels_of(l, l->value);
    l->value = dpr_group_norm(l->graph, l->value, (int64_t)dpr__number_of(item, "groups").value,
                              scale_of(item, l, channels), shift_of(item, l, channels),
                              dpr__number_of(item, "epsilon").value);
    dpr__layer_see_all(l);
    count_flops(l);
}
