/* The table of words (words.h), and the layers that are one call. */
#include "nn/words.h"
#include "base/context.h"
#include <string.h>

static size_t place_of(const dpr__net_item *item, const char *name) {
    size_t i = 0;
    while (strcmp(item->word->argument[i].name, name) !=
           0) /* a name that the table lacks is a mistake of ours */
        i++;
    return i;
}

dpr__number dpr__number_of(const dpr__net_item *item, const char *name) {
    return item->argument[place_of(item, name)];
}

bool dpr__flag_of(const dpr__net_item *item, const char *name) {
    return dpr__number_of(item, name).value != 0;
}

static void append_flatten(const dpr__net_item *item, dpr__layering *l) {
    (void)item;
    l->value = dpr__layer_flat(l->graph, l->value);
}

static void append_dropout(const dpr__net_item *item, dpr__layering *l) {
    l->value = dpr_dropout(l->graph, l->value, dpr__number_of(item, "rate").value);
}

static void append_scale(const dpr__net_item *item, dpr__layering *l) {
    l->value = dpr_scale(l->graph, l->value, dpr__number_of(item, "factor").value);
    l->flops = dpr__layer_features(l, l->value);
}

static void append_leaky_relu(const dpr__net_item *item, dpr__layering *l) {
    l->value = dpr_leaky_relu(l->graph, l->value, dpr__number_of(item, "slope").value);
    l->flops = dpr__layer_features(l, l->value);
}

#define ACTIVATION(name)                                                                           \
    static void append_##name(const dpr__net_item *item, dpr__layering *l) {                       \
        (void)item;                                                                                \
        l->value = dpr_##name(l->graph, l->value);                                                 \
        l->flops = dpr__layer_features(l, l->value);                                               \
    }
ACTIVATION(relu)
ACTIVATION(sigmoid)
ACTIVATION(tanh)
ACTIVATION(gelu)
ACTIVATION(silu)
ACTIVATION(softplus)
ACTIVATION(mish)

#define NUMBER(name_, kind_)                                                                       \
    { .name = name_, .kind = DPR__ARGUMENT_##kind_ }
#define KEYWORD(name_, kind_, otherwise_)                                                          \
    { .name = name_, .kind = DPR__ARGUMENT_##kind_, .keyword = true, .otherwise = (otherwise_) }
#define FLAG(name_) KEYWORD(name_, FLAG, 0)

const char *const dpr__init_words[DPR__N_INITS] = {"auto", "he",    "xavier",
                                                   "zero", "dirac", "whitening"};
const dpr_init dpr__inits[DPR__N_INITS] = {DPR_INIT_ZERO, DPR_INIT_HE,    DPR_INIT_XAVIER,
                                           DPR_INIT_ZERO, DPR_INIT_DIRAC, DPR_INIT_WHITENING};

const dpr__word dpr__words[] = {
    {.word = "linear",
     .argument = {NUMBER("outputs", WIDTH), FLAG("nobias")},
     .append = dpr__append_linear,
     .help = "outputs = inputs · weights + bias; flattens by itself"},
    {.word = "conv",
     .argument = {NUMBER("kernel", PAIR), NUMBER("outputs", WIDTH), KEYWORD("stride", PAIR, 1),
                  KEYWORD("pad", PADDING, DPR__NUMBER_SAME), KEYWORD("dilation", PAIR, 1),
                  KEYWORD("groups", COUNT, 1), KEYWORD("init", INIT, DPR__INIT_AUTO),
                  FLAG("nobias")},
     .append = dpr__append_conv,
     .help = "convolution; no bias where batchnorm follows"},
    {.word = "depthwise",
     .argument = {NUMBER("kernel", PAIR), KEYWORD("stride", PAIR, 1),
                  KEYWORD("pad", PADDING, DPR__NUMBER_SAME), KEYWORD("dilation", PAIR, 1),
                  FLAG("nobias")},
     .append = dpr__append_depthwise,
     .help = "convolution of each channel by itself"},
    {.word = "maxpool",
     .argument = {NUMBER("window", PAIR), KEYWORD("stride", PAIR, 0), KEYWORD("pad", PADDING, 0)},
     .transparent = true,
     .append = dpr__append_max_pool,
     .help = "the largest value of each window; windows side by side without a stride"},
    {.word = "avgpool",
     .argument = {NUMBER("window", PAIR), KEYWORD("stride", PAIR, 0), KEYWORD("pad", PADDING, 0)},
     .transparent = true,
     .append = dpr__append_average_pool,
     .help = "the mean of each window"},
    {.word = "global_avgpool",
     .transparent = true,
     .append = dpr__append_global_average_pool,
     .help = "the mean of each channel over the picture"},
    {.word = "batchnorm",
     .argument = {KEYWORD("momentum", RATE, 0.1), KEYWORD("epsilon", SMALL, 1e-5), FLAG("noscale"),
                  FLAG("noshift")},
     .transparent = true,
     .normalises = true,
     .append = dpr__append_batch_norm,
     .help = "each channel to mean 0 and variance 1 over the batch, then scale and shift"},
    {.word = "layernorm",
     .argument = {KEYWORD("epsilon", SMALL, 1e-5)},
     .transparent = true,
     .append = dpr__append_layer_norm,
     .help = "the same over the channels of each place"},
    {.word = "groupnorm",
     .argument = {NUMBER("groups", COUNT), KEYWORD("epsilon", SMALL, 1e-5)},
     .transparent = true,
     .append = dpr__append_group_norm,
     .help = "the same over the picture, for each group of channels of each image"},
    {.word = "relu",
     .activation = true,
     .gate = true,
     .relu_like = true,
     .append = append_relu,
     .help = "max(x, 0)"},
    {.word = "leaky_relu",
     .argument =
         {{.name = "slope", .kind = DPR__ARGUMENT_REAL, .optional = true, .otherwise = 0.01}},
     .activation = true,
     .relu_like = true,
     .append = append_leaky_relu,
     .help = "x above 0, slope·x below"},
    {.word = "gelu",
     .activation = true,
     .gate = true,
     .relu_like = true,
     .append = append_gelu,
     .help = "x·Φ(x)"},
    {.word = "silu",
     .activation = true,
     .gate = true,
     .relu_like = true,
     .append = append_silu,
     .help = "x·σ(x)"},
    {.word = "mish",
     .activation = true,
     .gate = true,
     .relu_like = true,
     .append = append_mish,
     .help = "x·tanh(ln(1 + exp(x)))"},
    {.word = "softplus",
     .activation = true,
     .relu_like = true,
     .append = append_softplus,
     .help = "ln(1 + exp(x))"},
    {.word = "sigmoid", .activation = true, .append = append_sigmoid, .help = "1/(1 + exp(−x))"},
    {.word = "tanh", .activation = true, .append = append_tanh, .help = "hyperbolic tangent"},
    {.word = "dropout",
     .argument = {NUMBER("rate", RATE)},
     .transparent = true,
     .append = append_dropout,
     .help = "in training, zeroes this share of the values and scales up the rest"},
    {.word = "flatten",
     .transparent = true,
     .append = append_flatten,
     .help = "height × width × channels as one row"},
    {.word = "scale",
     .argument = {NUMBER("factor", REAL)},
     .transparent = true,
     .append = append_scale,
     .help = "factor·x"},
    {.word = "squeeze_excite",
     .argument = {NUMBER("reduction", COUNT)},
     .transparent = true,
     .append = dpr__append_squeeze_excite,
     .help = "each channel × a factor in 0 … 1 that a small network makes of all channels' means"},
    {.word = "residual",
     .argument = {FLAG("pad")},
     .transparent = true,
     .most_bodies = 1,
     .append = dpr__append_residual,
     .help = "adds its input to what its operations give"},
    {.word = "branch",
     .transparent = true,
     .most_bodies = DPR__MOST_BRANCHES,
     .append = dpr__append_branch,
     .help = "the channels that its bodies give, one after the other"},
};
const size_t dpr__n_words = sizeof dpr__words / sizeof *dpr__words;
