/* The layers that the words make (words.h). */
#include "nn/words.h"
#include "base/context.h"
#include "ir/shape.h"

/* How many numbers an image is here: the batch, open or bound, does not count. */
static int64_t features(const dpr_graph *graph, dpr_value value) {
    dpr_shape shape = dpr_value_shape(graph, value);
    shape.dim[0] = 1;
    return dpr__shape_count(&shape);
}

/* (batch, …) as (batch, features). */
static dpr_value flat(dpr_graph *graph, dpr_value value) {
    dpr_shape shape = dpr_value_shape(graph, value);
    if (shape.rank == 2)
        return value;
    return dpr_reshape(graph, value, dpr_shape_of(shape.dim[0], features(graph, value)));
}

static void linear(const dpr__net_item *item, dpr__layering *l) {
    dpr_graph *graph = l->graph;
    char name[128];
    dpr_value src = flat(graph, l->value);
    int64_t inputs = dpr_value_shape(graph, src).dim[1], outputs = (int64_t)item->argument[0];
    dpr__format(graph->context, name, sizeof name, "%s.weights", item->name);
    dpr_value weights = dpr_parameter(graph, name, dpr_shape_of(inputs, outputs), l->init);
    l->value = dpr_matmul(graph, src, weights, 0);
    l->parameters = (uint64_t)(inputs * outputs);
    l->flops = 2 * l->parameters;
    if (item->flag)
        return;
    dpr__format(graph->context, name, sizeof name, "%s.bias", item->name);
    l->value =
        dpr_add(graph, l->value, dpr_parameter(graph, name, dpr_shape_of(outputs), DPR_INIT_ZERO));
    l->parameters += (uint64_t)outputs;
    l->flops += (uint64_t)outputs;
}

static void flatten(const dpr__net_item *item, dpr__layering *l) {
    (void)item;
    l->value = flat(l->graph, l->value);
}

static void dropout(const dpr__net_item *item, dpr__layering *l) {
    l->value = dpr_dropout(l->graph, l->value, item->argument[0]);
}

static void leaky_relu(const dpr__net_item *item, dpr__layering *l) {
    l->value = dpr_leaky_relu(l->graph, l->value, item->argument[0]);
    l->flops = (uint64_t)features(l->graph, l->value);
}

#define ACTIVATION(name)                                                                           \
    static void append_##name(const dpr__net_item *item, dpr__layering *l) {                       \
        (void)item;                                                                                \
        l->value = dpr_##name(l->graph, l->value);                                                 \
        l->flops = (uint64_t)features(l->graph, l->value);                                         \
    }
ACTIVATION(relu)
ACTIVATION(sigmoid)
ACTIVATION(tanh)
ACTIVATION(gelu)
ACTIVATION(silu)
ACTIVATION(softplus)
ACTIVATION(mish)

const dpr__word dpr__words[] = {
    {.word = "linear",
     .argument = {{"outputs", DPR__ARGUMENT_WIDTH, false, 0}},
     .flag = "nobias",
     .append = linear,
     .help = "outputs = inputs · weights + bias; flattens by itself"},
    {.word = "relu", .relu_like = true, .append = append_relu, .help = "max(x, 0)"},
    {.word = "leaky_relu",
     .argument = {{"slope", DPR__ARGUMENT_REAL, true, 0.01}},
     .relu_like = true,
     .append = leaky_relu,
     .help = "x above 0, slope·x below"},
    {.word = "gelu", .relu_like = true, .append = append_gelu, .help = "x·Φ(x)"},
    {.word = "silu", .relu_like = true, .append = append_silu, .help = "x·σ(x)"},
    {.word = "mish", .relu_like = true, .append = append_mish, .help = "x·tanh(ln(1 + exp(x)))"},
    {.word = "softplus", .relu_like = true, .append = append_softplus, .help = "ln(1 + exp(x))"},
    {.word = "sigmoid", .append = append_sigmoid, .help = "1/(1 + exp(−x))"},
    {.word = "tanh", .append = append_tanh, .help = "hyperbolic tangent"},
    {.word = "dropout",
     .argument = {{"rate", DPR__ARGUMENT_RATE, false, 0}},
     .transparent = true,
     .append = dropout,
     .help = "in training, zeroes this share of the values and scales up the rest"},
    {.word = "flatten",
     .transparent = true,
     .append = flatten,
     .help = "height × width × channels as one row"},
};
const size_t dpr__n_words = sizeof dpr__words / sizeof *dpr__words;
