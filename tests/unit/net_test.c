/* The net language and the long form of graphs: what they make, what they refuse and how they say it. */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include "nn/net.h"
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
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

static void refuses(const char *text, const char *want) {
    dpr__net *net;
    dpr_status status = dpr__net_parse(context, "x.net", text, &net);
    if (status == DPR_OK)
        fail_msg("accepted: %s", text);
    if (strstr(dpr_error(context), want) == NULL)
        fail_msg("for: %s\nwanted: %s\nsaid:   %s", text, want, dpr_error(context));
}

/* ---- parsing ---- */

static void errors_name_place_and_remedy(void **state) {
    (void)state;
    refuses("input 28 28 1\nlienar 10\n",
            "x.net:2:1: unknown operation 'lienar'; did you mean 'linear'?\n"
            "    lienar 10\n    ^");
    refuses("input 28 28 1, linear 10, rellu",
            "x.net:1:27: unknown operation 'rellu'; did you mean 'relu'?");
    refuses("", "the network is empty");
    refuses("# nothing\n\n", "the network is empty");
    refuses("linear 10", "the first operation must be input");
    refuses("input 28 28 1", "nothing follows input");
    refuses("input 28 28", "the number of channels of input is missing");
    refuses("input 28 28 1 1, relu", "'1' is left over");
    refuses("input 28 28 5, relu", "from 1 to 4");
    refuses("input 28 0 1, relu", "the width of input is '0'");
    refuses("input 28 28 1\ninput 28 28 1", "x.net:2:1: input stands here a second time");
    refuses("input 4 4 1, relu, input 4 4 1", "a second time");
    refuses("input 4 4 1, linear", "the outputs of linear is missing");
    refuses("input 4 4 1, linear 1.5", "must be a whole number");
    refuses("input 4 4 1, linear -3", "must be a whole number");
    refuses("input 4 4 1, linear 1e99", "must be a whole number");
    refuses("input 4 4 1, linear nan", "must be a whole number");
    refuses("input 4 4 1, linear clases", "did you mean 'classes'?");
    refuses("input 4 4 1, linear 3 nobais", "did you mean 'nobias'?");
    refuses("input 4 4 1, dropout 1", "at least 0 and below 1");
    refuses("input 4 4 1, dropout inf", "at least 0 and below 1");
    refuses("input 4 4 1, leaky_relu x", "must be a number");
    refuses("input 4 4 1, relu 3", "'3' is left over");
    refuses("input 4 4 1, softmax", "the loss contains the softmax");
    refuses("input 4 4 1, relu {", "'{' belongs to repeat");
    refuses("input 4 4 1, {", "'{' belongs to repeat");
    refuses("input 4 4 1, relu }", "'}' closes nothing");
    refuses("input 4 4 1, repeat 2 relu", "'{' is missing");
    refuses("input 4 4 1, repeat 2 { relu", "has no closing '}'");
    refuses("input 4 4 1, repeat 2 { }", "this repeat is empty");
    refuses("input 4 4 1, repeat 0 { relu }", "must be a whole number from 1");
    refuses("input 4 4 1, repeat 10000 { repeat 10000 { relu } }", "more than 10000");
    refuses("input 4 4 1\001, relu", "control character");
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    char text[1024] = "input 4 4 1, ";
    for (int i = 0; i < 40; i++)
        strcat(text, "repeat 1 { ");
    refuses(text, "nested too deeply");
}

static dpr_layer layer_of(const char *text, uint32_t classes, size_t i, size_t n) {
    dpr__net *net;
    dpr_graph *graph = dpr_graph_create(context);
    assert_int_equal(dpr__net_parse(context, "x", text, &net), DPR_OK);
    bool of_data;
    dpr_shape in = dpr__net_input(net, &of_data);
    dpr_value images = dpr_input(graph, "images", DPR_F32,
                                 dpr_shape_of(DPR_BATCH, in.dim[0], in.dim[1], in.dim[2]));
    dpr__net_build build = {.images = images, .n_classes = classes};
    if (dpr__net_append(net, graph, &build) != DPR_OK)
        fail_msg("%s", dpr_error(context));
    assert_int_equal(build.n_layers, n);
    assert_int_equal(dpr_graph_finish(graph), DPR_OK);
    dpr_layer layer = build.layers[i];
    dpr__net_build_release(context, &build);
    dpr_graph_destroy(graph);
    dpr__net_destroy(net);
    return layer;
}

static void layers_have_shapes_and_counts(void **state) {
    (void)state;
    dpr_layer l = layer_of("input 30 30 1, linear classes", 5, 0, 1);
    assert_int_equal(l.parameters, 4505);
    assert_int_equal(l.output.rank, 1);
    assert_int_equal(l.output.dim[0], 5);
    assert_int_equal(layer_of("input 4 4 3, linear 7 nobias, linear classes", 2, 0, 2).parameters,
                     48 * 7);
    assert_int_equal(
        layer_of("input 4 4 3 # colour\n\nflatten\nrelu,linear classes", 2, 0, 3).output.dim[0],
        48);
    /* repeats unroll, also nested: 2 × (1 + 3) + 1 */
    assert_int_equal(
        layer_of("input 2 2 1, repeat 2 { linear 4, repeat 3 { tanh } }, linear classes", 3, 8, 9)
            .line,
        1);
    assert_int_equal(
        layer_of("input 2 2 1\nrepeat 2 {\n  linear 4\n  gelu\n}\nlinear classes", 3, 2, 5).line,
        3);
}

static void every_activation_builds(void **state) {
    (void)state;
    static const char *const WORDS[] = {"relu", "leaky_relu",  "leaky_relu 0.2", "sigmoid",
                                        "tanh", "gelu",        "silu",           "softplus",
                                        "mish", "dropout 0.5", "flatten"};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        char text[128];
        snprintf(text, sizeof text, "input 2 2 1, linear 4, %s, linear classes", WORDS[i]);
        assert_int_equal(layer_of(text, 3, 1, 3).output.dim[0], 4);
    }
}

static void append_refuses(const char *text, uint32_t classes, const char *init, const char *want) {
    dpr__net *net;
    dpr_graph *graph = dpr_graph_create(context);
    assert_int_equal(dpr__net_parse(context, "x.net", text, &net), DPR_OK);
    dpr_value images = dpr_input(graph, "images", DPR_F32, dpr_shape_of(DPR_BATCH, 4, 4, 1));
    dpr__net_build build = {.images = images, .n_classes = classes, .init = init};
    assert_int_not_equal(dpr__net_append(net, graph, &build), DPR_OK);
    if (strstr(dpr_error(context), want) == NULL)
        fail_msg("wanted: %s\nsaid:   %s", want, dpr_error(context));
    dpr_graph_destroy(graph);
    dpr__net_destroy(net);
}

static void meaning_is_checked_too(void **state) {
    (void)state;
    append_refuses("input 4 4 1\nlinear 3\n", 5, NULL,
                   "x.net:2:1: the network ends with 3 outputs, but there are 5");
    append_refuses("input 4 4 1\nlinear classes\n", 0, NULL, "give --classes N");
    append_refuses("input 4 4 1\nrelu\n", 5, NULL, "add 'linear classes'");
    append_refuses("input 4 4 1\nlinear 16777216\nlinear 200\nlinear classes", 5, NULL,
                   "x.net:3:1: here the network exceeds 2147483648 parameters");
    append_refuses("input 4 4 1\nlinear 16777216\nlinear 16777216\nlinear classes", 5, NULL,
                   "x.net:3:1: leaf 'linear_2': the result has a negative dimension or too many");
    append_refuses("input 4 4 1\nlinear classes\n", 5, "xaver", "did you mean 'xavier'?");
}

static void init_follows_what_comes_after(void **state) {
    (void)state;
    dpr__net *net;
    dpr_graph *graph = dpr_graph_create(context);
    assert_int_equal(
        dpr__net_parse(context, "x",
                       "input 4 4 1, linear 8, dropout 0.1, relu, linear 8, tanh, linear classes",
                       &net),
        DPR_OK);
    dpr__net_build build = {
        .images = dpr_input(graph, "i", DPR_F32, dpr_shape_of(DPR_BATCH, 4, 4, 1)), .n_classes = 3};
    assert_int_equal(dpr__net_append(net, graph, &build), DPR_OK);
    static const dpr_init WANT[] = {DPR_INIT_HE, DPR_INIT_XAVIER, DPR_INIT_XAVIER};
    int seen = 0;
    for (dpr_value v = 1; v < graph->n_nodes; v++) {
        const dpr__leaf_param *p = graph->nodes[v].param;
        if (graph->nodes[v].op == DPR__OP_leaf && strstr(p->name, ".weights") != NULL)
            assert_int_equal(p->init, WANT[seen++]);
    }
    assert_int_equal(seen, 3);
    dpr__net_build_release(context, &build);
    dpr_graph_destroy(graph);
    dpr__net_destroy(net);
}

/* ---- the long form ---- */

/* The ops on images, whose parameters are many numbers, and their gradients. */
static dpr_value add_images(dpr_graph *g) {
    dpr_conv_options conv = {sizeof conv, {2, 1}, {1, 2}, {1, 2, 0, 3}, 2};
    dpr_pool_options pool = {sizeof pool, {3, 2}, {1, 2}, {2, 0, 1, 1}};
    dpr_value x = dpr_input(g, "images", DPR_F32, dpr_shape_of(DPR_BATCH, 7, 9, 4)), d[2];
    dpr_value w = dpr_parameter(g, "kernel", dpr_shape_of(3, 2, 2, 6), DPR_INIT_HE);
    dpr_value y = dpr_max_pool(g, dpr_conv2d(g, x, w, &conv), &pool);
    y = dpr_average_pool(g, dpr_pad_reflect(g, y, 2, 2, 1), &pool);
    y = dpr_concat(g, (dpr_value[]){y, dpr_slice(g, y, 3, 1, 2)}, 2, 3);
    dpr_value rows = dpr_input(g, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value loss = dpr_sum(g, dpr_prefix(g, dpr_multiply(g, y, y), rows), 15, false);
    assert_int_equal(dpr_gradients(g, loss, (dpr_value[]){x, w}, 2, d), DPR_OK);
    return loss;
}

/* A graph with every kind of field, a batch, gradients of gradients. */
static dpr_graph *make_graph(void) {
    dpr_graph *g = dpr_graph_create(context);
    dpr_value x = dpr_input(g, "a name with blanks, ünïcode and 100 %", DPR_F32,
                            dpr_shape_of(DPR_BATCH, 3, 2));
    dpr_value w = dpr_parameter(g, "w", dpr_shape_of(6, 4), DPR_INIT_HE);
    dpr_value pool = dpr_input(g, "pool", DPR_U8, dpr_shape_of(10, 2));
    dpr_value index = dpr_input(g, "index", DPR_I32, dpr_shape_of(DPR_BATCH));
    dpr_graph_scope(g, "layer 1");
    dpr_value h = dpr_matmul(g, dpr_reshape(g, x, dpr_shape_of(DPR_BATCH, 6)), w, 0);
    h = dpr_dropout(g, dpr_leaky_relu(g, h, 0.1), 0.3);
    (void)dpr_transpose(g, h, (uint32_t[]){1, 0});
    (void)dpr_one_hot(g, index, 3);
    (void)dpr_cast(g, dpr_gather(g, pool, index), DPR_F32);
    dpr_value rows = dpr_input(g, "rows", DPR_I32, dpr_scalar_shape()), d, dd;
    dpr_value loss = dpr_batch_mean(g, dpr_sum(g, dpr_multiply(g, h, h), 2, false), rows);
    assert_int_equal(dpr_gradients(g, loss, &w, 1, &d), DPR_OK);
    assert_int_equal(dpr_gradients(g, dpr_sum(g, dpr_scale(g, d, 1.0 / 3), 3, false), &w, 1, &dd),
                     DPR_OK);
    (void)dpr_assign(g, w, dpr_add(g, w, dd));
    (void)add_images(g);
    assert_int_equal(dpr_graph_finish(g), DPR_OK);
    return g;
}

static void print_parse_print_is_the_identity(void **state) {
    (void)state;
    dpr_graph *first = make_graph(), *second = dpr_graph_create(context);
    char *one, *two;
    assert_int_equal(dpr__print(first, &one), DPR_OK);
    if (dpr__graph_parse(second, "long", one) != DPR_OK)
        fail_msg("%s", dpr_error(context));
    assert_int_equal(dpr_graph_finish(second), DPR_OK);
    assert_int_equal(dpr__print(second, &two), DPR_OK);
    assert_string_equal(one, two);
    assert_int_equal(first->n_draws, second->n_draws);
    assert_non_null(strstr(one, "= matmul %"));
    assert_non_null(strstr(one, "[batch*3*2]"));
    assert_non_null(
        strstr(one, " pad_top=1 pad_left=2 pad_bottom=0 pad_right=3 groups=2 height=7"));
    assert_non_null(strstr(one, " axis=2 before=2 after=1"));
    dpr__free(context, one);
    dpr__free(context, two);
    dpr_graph_destroy(first);
    dpr_graph_destroy(second);
}

static void long_form_refuses(const char *text, const char *want) {
    dpr_graph *graph = dpr_graph_create(context);
    assert_int_not_equal(dpr__graph_parse(graph, "g", text), DPR_OK);
    if (strstr(dpr_error(context), want) == NULL)
        fail_msg("for: %s\nwanted: %s\nsaid:   %s", text, want, dpr_error(context));
    assert_int_not_equal(dpr_graph_finish(graph), DPR_OK);
    dpr_graph_destroy(graph);
}

static void the_long_form_is_checked(void **state) {
    (void)state;
    long_form_refuses("%1 = matmull %1 %1", "g:1:6: unknown op 'matmull'; did you mean 'matmul'?");
    long_form_refuses("%2 = relu %1", "one more than the last");
    long_form_refuses("%1 relu %1", "'=' is missing");
    long_form_refuses("%1 =", "the op is missing");
    long_form_refuses("%1 = relu %1", "an earlier line");
    long_form_refuses("%1 = relu %0", "an earlier line");
    long_form_refuses("%1 = relu", "relu takes 1 operands, not 0");
    long_form_refuses("%1 = constant value=1", "a field of constant is missing");
    long_form_refuses("%1 = constant value=nan shape=[]", "malformed");
    long_form_refuses("%1 = constant value=1 shape=[2*-3]", "malformed");
    long_form_refuses("%1 = constant value=1 shape=[1*1*1*1*1*1*1]", "malformed");
    long_form_refuses("%1 = constant value=1 shape=[] value=2", "twice");
    long_form_refuses("%1 = constant value=1 shape=[] colour=2", "no such field");
    long_form_refuses("%1 = constant value=1 shape=[] role=forwards", "did you mean 'forward'?");
    long_form_refuses("%1 = constant value=1 shape=[] origin=1", "an earlier node");
    long_form_refuses("%1 = constant value=1 shape=[] stray", "name=value");
    long_form_refuses("%1 = leaf name=%ZZ kind=0 init=0 dtype=f32 shape=[]", "malformed");
    long_form_refuses("%1 = leaf name=a kind=0 init=0 dtype=f99 shape=[]", "malformed");
    long_form_refuses("%1 = constant value=1 shape=[1099511627776*1099511627776]", "g:1");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_name_place_and_remedy),
                                       cmocka_unit_test(nesting_has_a_limit),
                                       cmocka_unit_test(layers_have_shapes_and_counts),
                                       cmocka_unit_test(every_activation_builds),
                                       cmocka_unit_test(meaning_is_checked_too),
                                       cmocka_unit_test(init_follows_what_comes_after),
                                       cmocka_unit_test(print_parse_print_is_the_identity),
                                       cmocka_unit_test(the_long_form_is_checked)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
