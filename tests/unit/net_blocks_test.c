/* The net language's convolutional half: windows, normalisation, residuals, branches, blocks, presets. */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include "nn/net.h"
#include "support/failing_allocator.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static dpr_context *context;

static int setup(void **state) {
    (void)state;
    return dpr_context_create(NULL, &context) != DPR_OK;
}

static int teardown(void **state) {
    (void)state;
    dpr_context_destroy(context);
    return 0;
}

/* ---- a net and its graph ---- */

struct built {
    dpr__net *net;
    dpr_graph *graph;
    dpr__net_build build;
    dpr_status status;
};

static struct built build(const char *text, const char *init) {
    struct built b = {.graph = dpr_graph_create(context)};
    bool of_data;
    b.status = dpr__net_parse(context, "x.net", text, &b.net);
    if (b.status != DPR_OK)
        return b;
    dpr_shape in = dpr__net_input(b.net, &of_data);
    b.build.images = dpr_input(b.graph, "images", DPR_F32,
                               dpr_shape_of(DPR_BATCH, in.dim[0], in.dim[1], in.dim[2]));
    b.build.rows = dpr_input(b.graph, "rows", DPR_I32, dpr_scalar_shape());
    b.build.n_classes = 10;
    b.build.init = init;
    b.status = dpr__net_append(b.net, b.graph, &b.build);
    if (b.status == DPR_OK)
        b.status = dpr_graph_finish(b.graph);
    return b;
}

static struct built good(const char *text) {
    struct built b = build(text, NULL);
    if (b.status != DPR_OK)
        fail_msg("%s\n%s", text, dpr_error(context));
    return b;
}

static void drop(struct built *b) {
    dpr__net_build_release(context, &b->build);
    dpr__net_destroy(b->net);
    dpr_graph_destroy(b->graph);
}

static void refuses(const char *text, const char *want) {
    struct built b = build(text, NULL);
    if (b.status == DPR_OK)
        fail_msg("accepted: %s", text);
    if (strstr(dpr_error(context), want) == NULL)
        fail_msg("for: %s\nwanted: %s\nsaid:   %s", text, want, dpr_error(context));
    drop(&b);
}

static const dpr_layer *find(const struct built *b, const char *name) {
    for (size_t i = 0; i < b->build.n_layers; i++)
        if (strcmp(b->build.layers[i].name, name) == 0)
            return &b->build.layers[i];
    fail_msg("no layer '%s'", name);
    return NULL;
}

static void has_shape(const struct built *b, const char *name, dpr_shape want) {
    char has[DPR__SHAPE_TEXT], wants[DPR__SHAPE_TEXT];
    const dpr_layer *layer = find(b, name);
    if (!dpr__shape_equal(&layer->output, &want))
        fail_msg("%s is %s, not %s", name, dpr__shape_text(&layer->output, has),
                 dpr__shape_text(&want, wants));
}

/* One layer between an input and the end: its shape. */
static void gives(const char *input, const char *layer, dpr_shape want) {
    char text[256], name[64];
    snprintf(text, sizeof text, "input %s, %s, linear classes", input, layer);
    snprintf(name, sizeof name, "%.*s_1", (int)strcspn(layer, " "), layer);
    struct built b = good(text);
    has_shape(&b, name, want);
    drop(&b);
}

static uint64_t parameters_of(const char *text) {
    struct built b = good(text);
    uint64_t sum = 0;
    for (size_t i = 0; i < b.build.n_layers; i++)
        sum += b.build.layers[i].parameters;
    drop(&b);
    return sum;
}

static const dpr__leaf_param *leaf(const struct built *b, const char *name) {
    for (dpr_value v = 1; v < b->graph->n_nodes; v++) {
        const dpr__leaf_param *param = b->graph->nodes[v].param;
        if (b->graph->nodes[v].op == DPR__OP_leaf && strcmp(param->name, name) == 0)
            return param;
    }
    return NULL;
}

/* ---- layers ---- */

static void windows_have_shapes(void **state) {
    (void)state;
    gives("28 28 1", "conv 3x3 8", dpr_shape_of(28, 28, 8));
    gives("28 28 1", "conv 3 8", dpr_shape_of(28, 28, 8));
    gives("28 20 1", "conv 3x5 8 pad valid", dpr_shape_of(26, 16, 8));
    gives("28 28 1", "conv 3x3 8 stride 2", dpr_shape_of(14, 14, 8));
    gives("27 28 1", "conv 3x3 8 pad same stride 2", dpr_shape_of(14, 14, 8));
    gives("28 28 1", "conv 2x2 8", dpr_shape_of(28, 28, 8));
    gives("28 28 1", "conv 4x4 8 stride 3", dpr_shape_of(10, 10, 8));
    gives("28 28 1", "conv 3x3 8 dilation 2", dpr_shape_of(28, 28, 8));
    gives("28 28 1", "conv 3x3 8 dilation 2x1 pad valid", dpr_shape_of(24, 26, 8));
    gives("28 28 1", "conv 5x5 6 pad 2", dpr_shape_of(28, 28, 6));
    gives("28 28 1", "conv 5x5 6 pad 0x2", dpr_shape_of(24, 28, 6));
    gives("28 28 1", "conv 1x1 classes", dpr_shape_of(28, 28, 10));
    gives("28 28 3", "depthwise 3x3 stride 2", dpr_shape_of(14, 14, 3));
    gives("28 28 3", "maxpool 2", dpr_shape_of(14, 14, 3));
    gives("27 27 3", "maxpool 2", dpr_shape_of(13, 13, 3));
    gives("28 28 3", "maxpool 3x3 stride 2 pad 1", dpr_shape_of(14, 14, 3));
    gives("28 28 3", "maxpool 3 stride 1 pad same", dpr_shape_of(28, 28, 3));
    gives("27 27 3", "maxpool 2 pad same", dpr_shape_of(14, 14, 3));
    gives("28 28 3", "avgpool 4x7", dpr_shape_of(7, 4, 3));
    gives("28 28 3", "global_avgpool", dpr_shape_of(3));
    gives("28 28 3", "batchnorm", dpr_shape_of(28, 28, 3));
    gives("28 28 3", "layernorm epsilon 1e-6", dpr_shape_of(28, 28, 3));
    gives("28 28 3", "groupnorm 3", dpr_shape_of(28, 28, 3));
    gives("28 28 3", "squeeze_excite 2", dpr_shape_of(28, 28, 3));
    gives("28 28 3", "scale 0.5", dpr_shape_of(28, 28, 3));
}

static void layers_count_parameters(void **state) {
    (void)state;
    const uint64_t rest = 2 * 2 * 8 * 10 + 10;
    assert_int_equal(parameters_of("input 2 2 3, conv 3x3 8, linear classes"), 27 * 8 + 8 + rest);
    assert_int_equal(parameters_of("input 2 2 3, conv 3x3 8 nobias, linear classes"),
                     27 * 8 + rest);
    assert_int_equal(parameters_of("input 2 2 4, conv 3x3 8 groups 2, linear classes"),
                     18 * 8 + 8 + rest);
    /* no bias before batchnorm, also across lines; not when something stands between */
    assert_int_equal(
        parameters_of("input 2 2 3, conv 3x3 8\n# a remark\nbatchnorm, linear classes"),
        27 * 8 + 16 + rest);
    assert_int_equal(parameters_of("input 2 2 3, conv 3x3 8, relu, batchnorm, linear classes"),
                     27 * 8 + 8 + 16 + rest);
    assert_int_equal(parameters_of("input 2 2 3, conv 3x3 8, batchnorm noscale, linear classes"),
                     27 * 8 + 8 + rest);
    assert_int_equal(
        parameters_of("input 2 2 3, conv 3x3 8, batchnorm noshift noscale, linear classes"),
        27 * 8 + rest);
    assert_int_equal(parameters_of("input 2 2 3, depthwise 3x3, conv 1x1 8, linear classes"),
                     27 + 3 + 24 + 8 + rest);
    assert_int_equal(parameters_of("input 2 2 3, conv 1 8, squeeze_excite 4, linear classes"),
                     24 + 8 + (8 * 2 + 2) + (2 * 8 + 8) + rest);
    struct built b = good("input 6 6 3, conv 3x3 8, batchnorm, conv 2 4, linear classes");
    assert_int_equal(find(&b, "conv_1")->flops, 2 * 27 * 8 * 36);
    assert_int_equal(find(&b, "conv_2")->flops, 2 * 32 * 4 * 36 + 4 * 36);
    assert_int_equal(find(&b, "batchnorm_1")->flops, 2 * 8 * 36);
    drop(&b);
}

static void options_are_checked(void **state) {
    (void)state;
    refuses("input 4 4 1, conv 3y3 8", "x.net:1:19: the kernel of conv is '3y3'");
    refuses("input 4 4 1, conv 0 8", "must be a whole number from 1 to 65536, or two as in 3x5");
    refuses("input 4 4 1, conv 3x 8", "or two as in 3x5");
    refuses("input 4 4 1, conv 3x3", "the outputs of conv is missing");
    refuses("input 4 4 1, conv 16 3x5",
            "x.net:1:22: the kernel of conv comes first: 'conv 3x5 16'");
    refuses("input 4 4 1, conv 3x3 8 strid 2", "did you mean 'stride'?");
    refuses("input 4 4 1, conv 3x3 8 stride", "the stride of conv is missing");
    refuses("input 4 4 1, conv 3x3 8 stride 0", "the stride of conv is '0'");
    refuses("input 4 4 1, conv 3x3 8 stride 1 pad 1 stride 1",
            "'stride' stands here a second time");
    refuses("input 4 4 1, conv 3x3 8 pad sam", "it must be same, valid, or pixels");
    refuses("input 4 4 1, conv 3x3 8 7", "'7' does not belong to conv; it is one of: stride");
    refuses("input 4 4 1, maxpool 2 groups 2", "'groups' does not belong to maxpool");
    refuses("input 4 4 1, batchnorm momentum 1", "at least 0 and below 1");
    refuses("input 4 4 1, batchnorm epsilon 0", "above 0 and below 1");
    refuses("input 4 4 1, groupnorm", "the groups of groupnorm is missing");
    refuses("input 4 4 1, scale", "the factor of scale is missing");
    refuses("input 4 4 3, conv 3x3 8 groups 2, linear classes",
            "x.net:1:14: 2 groups do not divide the 3 channels here and 8 outputs");
    refuses("input 4 4 3, flatten, conv 3x3 8, linear classes",
            "conv works on pictures (height × width × channels), but here each image is 48");
    refuses("input 4 4 3, conv 7x7 8 pad valid, linear classes", "x.net:1:14: ");
    refuses("input 4 4 3, global_avgpool, maxpool 2, linear classes", "maxpool works on pictures");
}

/* ---- residuals and branches ---- */

static void projections_and_padding(void **state) {
    (void)state;
    struct built b =
        good("input 9 8 3\n"
             "residual { conv 3x3 3 }\n"
             "residual {\n  conv 3x3 8 stride 2, relu, conv 3x3 8\n}\n"
             "residual pad { conv 3x3 13 stride 2 }\n"
             "flatten\n"
             "residual { linear 20 }, residual { linear 20 }, residual pad { linear 21 }\n"
             "linear classes");
    has_shape(&b, "residual_1", dpr_shape_of(9, 8, 3));
    has_shape(&b, "residual_2", dpr_shape_of(5, 4, 8));
    has_shape(&b, "residual_3", dpr_shape_of(3, 2, 13));
    assert_int_equal(find(&b, "residual_1")->parameters, 0);
    assert_int_equal(find(&b, "residual_2")->parameters, 3 * 8 + 16);
    assert_int_equal(find(&b, "residual_2")->line, 3);
    assert_int_equal(find(&b, "residual_3")->parameters, 0);
    assert_int_equal(find(&b, "residual_4")->parameters, 78 * 20 + 40);
    assert_int_equal(find(&b, "residual_5")->parameters, 0);
    assert_int_equal(find(&b, "residual_6")->parameters, 0);
    assert_int_equal(b.build.n_updates, 4); /* of the two projections */
    assert_non_null(leaf(&b, "residual_2.weights"));
    assert_int_equal(leaf(&b, "residual_2.variance")->kind, DPR_STATISTIC);
    assert_int_equal(leaf(&b, "residual_2.variance")->init, DPR_INIT_ONE);
    drop(&b);
    refuses("input 8 8 3\nresidual {\n  conv 3x3 4, global_avgpool }\nlinear classes",
            "x.net:2:1: the residual's input is 8 × 8 × 3 and its operations give 4; a picture and "
            "a row of numbers cannot be added");
    refuses("input 8 9 3, residual { conv 1x3 3 pad valid }, linear classes",
            "a shortcut's width can be 9 with stride 1 or 5 with stride 2, but not 7");
    refuses("input 8 8 3, residual { conv 3x3 3 pad 2 }, linear classes",
            "a shortcut's height cannot grow");
    refuses("input 8 8 3, residual pad { conv 3x3 2 }, linear classes", "takes none away");
    refuses("input 8 8 3, residual { }, linear classes", "this residual is empty");
    refuses("input 8 8 3, residual { relu", "this residual has no closing '}'");
    refuses("input 8 8 3, residual relu", "'relu' does not belong to residual; it is one of: pad");
    refuses("input 8 8 3, residual, relu", "'{' is missing: residual { … }");
}

/* Where residuals and branches begin, and how deep each layer lies in them. */
static void layers_know_their_depth(void **state) {
    static const struct {
        const char *name;
        unsigned depth, begins;
    } want[] = {{"relu_1", 0, 0}, {"conv_1", 2, 2},     {"relu_2", 2, 0},   {"residual_2", 1, 0},
                {"relu_3", 1, 0}, {"residual_1", 0, 0}, {"conv_2", 1, 1},   {"conv_3", 2, 2},
                {"relu_4", 2, 0}, {"residual_3", 1, 0}, {"branch_1", 0, 0}, {"linear_1", 0, 0}};
    struct built b = build("input 8 8 3, relu, residual { residual { conv 3x3 3, relu }, relu }\n"
                           "branch { } { conv 1x1 4 } { residual { conv 1x1 3, relu } } { }\n"
                           "linear classes",
                           "auto");
    (void)state;
    assert_int_equal(b.build.n_layers, sizeof want / sizeof *want);
    for (size_t i = 0; i < b.build.n_layers; i++) {
        assert_string_equal(b.build.layers[i].name, want[i].name);
        assert_int_equal(b.build.layers[i].depth, want[i].depth);
        assert_int_equal(b.build.layers[i].begins, want[i].begins);
    }
    drop(&b);
}

static void branches_put_channels_together(void **state) {
    (void)state;
    struct built b = good("input 8 8 3\n"
                          "branch {\n conv 1x1 4\n} {\n conv 3x3 5, branch { relu } { tanh }\n}\n"
                          "{ maxpool 3 stride 1 pad 1 } { }\n"
                          "branch { global_avgpool } { conv 1 2, global_avgpool }, linear classes");
    has_shape(&b, "branch_2", dpr_shape_of(8, 8, 10));
    has_shape(&b, "branch_1", dpr_shape_of(8, 8, 4 + 10 + 3 + 3));
    has_shape(&b, "branch_3", dpr_shape_of(22));
    drop(&b);
    refuses("input 8 8 3, branch { relu }, linear classes", "this branch has one part");
    refuses("input 8 8 3, branch { } { }, linear classes", "this branch is empty");
    refuses("input 8 8 3, branch { relu } { relu", "this branch has no closing '}'");
    refuses("input 8 8 3\nbranch { relu } { maxpool 2 }\nlinear classes",
            "x.net:2:1: part 1 of the branch gives 8 × 8 × 3 and part 2 4 × 4 × 3");
    refuses("input 8 8 3, branch { relu } { relu } { relu } { relu } { relu } { relu } { relu } "
            "{ relu } { relu }, linear classes",
            "more than 8 parts");
}

/* ---- first weights ---- */

/* conv_1: He; 2: Xavier; 3, 4: He, 4 past the end of its residual; 5: He, into the next; 6: Xavier; 7: He, past its branch and
 * not into the next part; 8, 9: Xavier. */
static void init_looks_through(void **state) {
    (void)state;
    static const char text[] =
        "input 8 8 3\n"
        "conv 3x3 4, batchnorm, maxpool 2, relu\n"
        "conv 3x3 4, batchnorm, tanh\n"
        "residual { conv 3x3 4, relu, conv 3x3 4, batchnorm }, relu\n"
        "conv 3x3 4\n"
        "residual { batchnorm, relu, conv 3x3 8 stride 2 }, tanh\n"
        "branch { conv 1 4 } { conv 1 4, tanh } { conv 1 4, branch { tanh } { tanh } }, relu\n"
        "linear classes";
    struct built b = good(text);
    static const dpr_init WANT[] = {DPR_INIT_HE, DPR_INIT_XAVIER, DPR_INIT_HE,
                                    DPR_INIT_HE, DPR_INIT_HE,     DPR_INIT_XAVIER,
                                    DPR_INIT_HE, DPR_INIT_XAVIER, DPR_INIT_XAVIER};
    for (int i = 0; i < 9; i++) {
        char name[64];
        snprintf(name, sizeof name, "conv_%d.weights", i + 1);
        if (leaf(&b, name)->init != WANT[i])
            fail_msg("%s: %d", name, (int)leaf(&b, name)->init);
    }
    assert_int_equal(leaf(&b, "residual_2.weights")->init, DPR_INIT_XAVIER);
    assert_int_equal(leaf(&b, "batchnorm_1.scale")->init, DPR_INIT_ONE);
    drop(&b);
    b = build("input 8 8 3, conv 3 4, relu, squeeze_excite 2, linear classes", "xavier");
    assert_int_equal(leaf(&b, "conv_1.weights")->init, DPR_INIT_XAVIER);
    assert_int_equal(leaf(&b, "squeeze_excite_1.reduce.weights")->init, DPR_INIT_XAVIER);
    drop(&b);
}

/* The spread of a kernel's first weights is by the inputs of one output: kh·kw·channels. */
static void kernels_begin_with_the_right_spread(void **state) {
    (void)state;
    enum { N = 5 * 5 * 16 * 64 };
    dpr_graph *graph = dpr_graph_create(context);
    dpr_store *store;
    dpr_program *program;
    static float weights[N];
    double squares = 0, most = 0;
    dpr_value he = dpr_parameter(graph, "he", dpr_shape_of(5, 5, 16, 64), DPR_INIT_HE);
    dpr_value xavier = dpr_parameter(graph, "xavier", dpr_shape_of(5, 5, 16, 64), DPR_INIT_XAVIER);
    dpr_value root = dpr_sum(graph, dpr_add(graph, he, xavier), 15, false);
    assert_int_equal(dpr_graph_finish(graph), DPR_OK);
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(graph, store, &root, 1, NULL, &program), DPR_OK);
    assert_int_equal(dpr_store_read(store, "he", weights, sizeof weights), DPR_OK);
    for (int i = 0; i < N; i++)
        squares += (double)weights[i] * (double)weights[i];
    assert_true(fabs(sqrt(squares / N) / sqrt(2.0 / 400) - 1) < 0.02);
    assert_int_equal(dpr_store_read(store, "xavier", weights, sizeof weights), DPR_OK);
    for (int i = 0; i < N; i++)
        most = fmax(most, fabs((double)weights[i]));
    assert_true(fabs(most / sqrt(6.0 / (400 + 25 * 64)) - 1) < 0.01);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(graph);
}

/* ---- blocks ---- */

static void blocks_are_filled_in(void **state) {
    (void)state;
    struct built b = good("block unit(c, k, name)\n{\n  conv 3x$k $c, $name\n}\n"
                          "block flat { flatten, tanh }\n"
                          "input 8 8 3\n"
                          "block two(c) { unit($c, 1, relu), unit($c, 5, gelu) }\n"
                          "repeat 2 { two(4) }, two(\n 6\n)\n"
                          "flat, flat()\nlinear classes");
    has_shape(&b, "conv_4", dpr_shape_of(8, 8, 4));
    has_shape(&b, "conv_6", dpr_shape_of(8, 8, 6));
    assert_int_equal(find(&b, "conv_2")->parameters, 15 * 4 * 4 + 4);
    assert_int_equal(find(&b, "conv_1")->line, 3);
    assert_string_equal(find(&b, "gelu_3")->op, "gelu");
    assert_non_null(find(&b, "tanh_2"));
    drop(&b);
}

static void errors_in_blocks_show_both_places(void **state) {
    (void)state;
    refuses("input 8 8 3\nblock unit(c, s) {\n  conv 3x3 $c strid $s\n}\nunit(16, 2)\n",
            "x.net:3:15: 'strid' does not belong to conv; did you mean 'stride'?\n"
            "      conv 3x3 $c strid $s\n"
            "                  ^\n"
            "x.net:5:1: in this call of 'unit', where c = 16, s = 2\n"
            "    unit(16, 2)\n"
            "    ^");
    refuses("input 8 8 3\nblock unit(c) { conv 3x3 $c }\nblock two(d) { unit($d), unit(x) }\n"
            "relu, two(16)",
            "x.net:2:26: the outputs of conv is 'x'; it must be a whole number from 1 to 16777216\n"
            "    block unit(c) { conv 3x3 $c }\n"
            "                             ^\n"
            "x.net:3:26: in this call of 'unit', where c = x\n"
            "    block two(d) { unit($d), unit(x) }\n"
            "                             ^\n"
            "x.net:4:7: in this call of 'two', where d = 16\n"
            "    relu, two(16)\n"
            "          ^");
    /* a mistake of meaning, too */
    refuses("input 8 8 3\nblock unit(c) { conv 3x3 $c groups 2 }\nunit(16)\nlinear classes",
            "x.net:2:17: 2 groups do not divide the 3 channels here and 16 outputs\n"
            "    block unit(c) { conv 3x3 $c groups 2 }\n"
            "                    ^\n"
            "x.net:3:1: in this call of 'unit', where c = 16\n");
}

static void blocks_are_checked(void **state) {
    (void)state;
    refuses("input 8 8 3\nblock unit(c) { unit($c) }\nunit(3)", "block 'unit' calls 'unit'");
    refuses("input 8 8 3\nblock a { b }\nblock b { relu }\na",
            "block 'a' calls 'b'; a block may call");
    refuses("input 8 8 3\nblock unit(c) { conv 3 $c }\nunti(3)", "did you mean 'unit'?");
    refuses("input 8 8 3\nblock unit(c, s) { conv 3 $c }\nunit(3)",
            "x.net:3:1: block 'unit' has 2 arguments, not 1: unit(c, s)");
    refuses("input 8 8 3\nblock unit(width) { conv 3 $widht }\nunit(3)",
            "'$widht' is no argument of block 'unit'; did you mean 'width'?");
    refuses("input 8 8 3\nblock unit { conv 3 $c }\nunit", "block 'unit' has no arguments");
    refuses("input 8 8 3\nconv 3 $c", "it stands outside of all blocks");
    refuses("input 8 8 3\nblock conv(c) { relu }", "'conv' is an operation already");
    refuses("input 8 8 3\nblock a { relu }\nblock a { tanh }",
            "x.net:3:7: block 'a' is defined already");
    refuses("input 8 8 3\nblock 3a { relu }", "begins with a letter");
    refuses("input 8 8 3\nblock a(b, b) { relu }", "two arguments are called 'b'");
    refuses("input 8 8 3\nblock a(b-c) { relu }", "cannot be the name of an argument");
    refuses("input 8 8 3\nblock a(b c) { relu }", "',' is missing");
    refuses("input 8 8 3\nblock a(b { relu }", "')' is missing");
    refuses("input 8 8 3\nblock a(b) relu", "'{' is missing: block NAME");
    refuses("input 8 8 3\nblock a(b) { relu", "this block has no closing '}'");
    refuses("input 8 8 3\nblock a { }\na", "x.net:2:9: this block is empty");
    refuses("input 8 8 3\nblock", "the name of the block is missing");
    refuses("input 8 8 3\nrepeat 2 { block a { relu } }", "outside of all braces");
    refuses("input 8 8 3\nblock a { relu }\na { relu }", "'{' belongs to repeat");
    refuses("input 8 8 3, relu(3)", "round brackets belong to the arguments of a block");
    refuses("block a { relu }\na\ninput 8 8 3", "the first operation must be input");
    refuses("input 8 8 3\nblock a(b,c,d,e,f,g,h,i,j) { relu }", "at most 8 arguments");
    refuses(
        "input 8 8 3\nblock a(x) { relu $x$x$x$x$x$x$x$x }\nblock b(x) { a($x$x$x$x$x$x$x$x) }\n"
        "block c(x) { b($x$x$x$x$x$x$x$x) }\nc(12345678)",
        "too long");
}

/* Each block calls the one before it ten times: refused early, and not after a night. */
static void unrolling_has_a_limit(void **state) {
    (void)state;
    char text[4096] = "input 8 8 3\nblock b0 { relu }\n";
    for (int i = 1; i < 12; i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "block b%d { repeat 10 { b%d } }\n", i, i - 1);
    }
    strcat(text, "b11");
    refuses(text, "more than 10000");
    strcpy(text, "input 8 8 3\nblock b0 { relu }\n");
    for (int i = 1; i < 60; i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "block b%d { b%d }\n", i, i - 1);
    }
    strcat(text, "b59");
    refuses(text, "nested too deeply");
}

/* ---- input data, presets ---- */

static void input_may_be_the_data_s(void **state) {
    (void)state;
    dpr_shape image;
    bool of_data;
    dpr_model *model;
    dpr_data_info info = dpr_data_info_default();
    const char *text = "input data, linear classes", *sized = "input data 6 5 3, linear classes";
    assert_int_equal(dpr_net_check(context, "x", text, &image, &of_data), DPR_OK);
    assert_true(of_data && image.rank == 0);
    assert_int_equal(dpr_net_check(context, "x", sized, &image, &of_data), DPR_OK);
    assert_true(of_data && image.rank == 3 && image.dim[0] == 6);
    assert_int_equal(dpr_net_check(context, "x", "input 6 5 3, relu", &image, &of_data), DPR_OK);
    assert_true(!of_data && image.rank == 3);
    info.n_classes = 2;
    assert_int_equal(dpr_model_from_net(context, "x", text, &info, 1, "auto", &model),
                     DPR_E_ARGUMENT);
    assert_non_null(strstr(dpr_error(context), "'input data' takes the size of the data"));
    assert_int_equal(dpr_model_from_net(context, "x", sized, &info, 1, "auto", &model), DPR_OK);
    assert_int_equal(dpr_model_parameters(model), 6 * 5 * 3 * 2 + 2);
    dpr_model_destroy(model);
    info.image = dpr_shape_of(4, 4, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            dpr_model_from_net(context, "x", i ? text : sized, &info, 1, "auto", &model), DPR_OK);
        assert_int_equal(dpr_model_parameters(model), 4 * 4 * 2 + 2);
        dpr_model_destroy(model);
    }
    refuses("input data 6, relu", "the width of input is missing");
    refuses("input data 6 6 3 3, relu", "'3' is left over");
}

static void presets_have_the_counts_of_their_papers(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint64_t parameters;
    } WANT[] = {
        {"preset:linear", 7850},        {"preset:mlp", 814090},        {"preset:lenet5", 61706},
        {"preset:mnist-cnn", 1199882},  {"preset:resnet8", 75290},     {"preset:resnet20", 269722},
        {"preset:resnet32", 464154},    {"preset:resnet44", 658586},   {"preset:resnet56", 853018},
        {"preset:resnet18", 11173962},  {"preset:vgg-small", 3249098}, {"preset:airbench", 1971640},
        {"preset:airbench94", 1971352}, {"preset:glyph-cnn", 279402},  {"preset:small-cnn", 113962},
        {"preset:photo-cnn", 244010},   {"preset:mobilenet", 3217226}};
    size_t n;
    dpr_data_info info = dpr_data_info_default();
    dpr_model *model;
    (void)dpr_preset_names(&n);
    assert_int_equal(n, sizeof WANT / sizeof *WANT);
    info.n_classes = 10;
    for (size_t i = 0; i < n; i++) {
        if (dpr_model_from_net(context, WANT[i].name, WANT[i].name, &info, 1, "zero", &model) !=
            DPR_OK)
            fail_msg("%s", dpr_error(context));
        if (dpr_model_parameters(model) != WANT[i].parameters)
            fail_msg("%s has %llu parameters, not %llu", WANT[i].name,
                     (unsigned long long)dpr_model_parameters(model),
                     (unsigned long long)WANT[i].parameters);
        /* the file keeps the text, not the name: a preset may change */
        assert_string_equal(dpr_model_net(model), dpr_preset_text(WANT[i].name + 7));
        dpr_model_destroy(model);
    }
    assert_null(dpr_preset_text("resnt20"));
    assert_int_equal(dpr_model_from_net(context, "x", "preset:resnt20", &info, 1, "auto", &model),
                     DPR_E_ARGUMENT);
    assert_string_equal(dpr_error(context), "unknown preset 'resnt20'; did you mean 'resnet20'?");
}

/* Presets are made for both usual sizes; but airbench94's 24 whitening filters need colours. */
static void presets_take_other_sizes(void **state) {
    (void)state;
    size_t n;
    const char *const *names = dpr_preset_names(&n);
    static const int64_t SIZES[][3] = {{28, 28, 1}, {32, 32, 3}};
    dpr_data_info info = dpr_data_info_default();
    info.n_classes = 26;
    for (size_t i = 0; i < 2 * n; i++) {
        dpr_model *model;
        info.image = dpr_shape_of(SIZES[i % 2][0], SIZES[i % 2][1], SIZES[i % 2][2]);
        bool refused = strcmp(names[i / 2], "airbench94") == 0 && info.image.dim[2] == 1;
        dpr_status status = dpr_model_from_net(context, names[i / 2], dpr_preset_text(names[i / 2]),
                                               &info, 1, "zero", &model);
        if ((status != DPR_OK) != refused)
            fail_msg("%s", dpr_error(context));
        if (!refused)
            dpr_model_destroy(model);
    }
}

/* ---- memory ---- */

static dpr_status make_and_draw(dpr_context *own) {
    static const char text[] = "input 6 6 2\n"
                               "block unit(c, s) { conv 3x3 $c stride $s, batchnorm, relu }\n"
                               "residual { unit(4, 2) }, branch { unit(2, 1) } { }\n"
                               "squeeze_excite 2, linear classes";
    dpr_data_info info = dpr_data_info_default();
    dpr_model *model;
    dpr_graph *graph;
    info.n_classes = 3;
    dpr_status status = dpr_model_from_net(own, "x", text, &info, 1, "auto", &model);
    if (status != DPR_OK)
        return status;
    status = dpr_model_graph(model, true, &graph);
    if (status == DPR_OK)
        dpr_graph_destroy(graph);
    dpr_model_destroy(model);
    return status;
}

/* Whichever allocation fails, nothing leaks, and nothing but memory is blamed. */
static void any_allocation_may_fail(void **state) {
    (void)state;
    dpr_status status = DPR_E_MEMORY;
    long n = 0;
    for (; status != DPR_OK; n++) {
        struct failing_allocator allocator;
        dpr_context_options options = dpr_context_options_default();
        dpr_context *own;
        failing_allocator_use(&allocator, &options);
        assert_int_equal(dpr_context_create(&options, &own), DPR_OK);
        allocator.fail_at = allocator.calls + n;
        status = make_and_draw(own);
        if (status != DPR_OK && status != DPR_E_MEMORY)
            fail_msg("allocation %ld: %s", n, dpr_error(own));
        dpr_context_destroy(own);
        assert_int_equal(allocator.blocks, 0);
    }
    assert_true(n > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(windows_have_shapes),
                                       cmocka_unit_test(layers_count_parameters),
                                       cmocka_unit_test(options_are_checked),
                                       cmocka_unit_test(projections_and_padding),
                                       cmocka_unit_test(layers_know_their_depth),
                                       cmocka_unit_test(branches_put_channels_together),
                                       cmocka_unit_test(init_looks_through),
                                       cmocka_unit_test(kernels_begin_with_the_right_spread),
                                       cmocka_unit_test(blocks_are_filled_in),
                                       cmocka_unit_test(errors_in_blocks_show_both_places),
                                       cmocka_unit_test(blocks_are_checked),
                                       cmocka_unit_test(unrolling_has_a_limit),
                                       cmocka_unit_test(input_may_be_the_data_s),
                                       cmocka_unit_test(presets_have_the_counts_of_their_papers),
                                       cmocka_unit_test(presets_take_other_sizes),
                                       cmocka_unit_test(any_allocation_may_fail)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
