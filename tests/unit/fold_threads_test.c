/* Batch norm of running statistics, and other numbers for each channel, in the weights of what they follow. */
#include "backend/program.h"
#include "base/context.h"
#include "ir/shape.h"
#include "pass_support.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 3, SIDE = 9, IN = 7, CHANNELS = 35, OUT = 5, N = BATCH * SIDE * SIDE * CHANNELS };

/* A convolution with a bias and a linear layer, a batch norm behind each: product (less bias), map, logits. */
struct net {
    dpr_graph *g;
    dpr_value product, map, logits;
};

static dpr_value normalised(dpr_graph *g, dpr_value x, const char *scope, int64_t channels) {
    static const char *const NAMES[] = {"scale", "shift", "mean", "variance"};
    dpr_value leaf[4];
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.%s", scope, NAMES[i]);
        leaf[i] = i < 2 ? dpr_parameter(g, name, dpr_shape_of(channels), DPR_INIT_ONE)
                        : dpr_state(g, name, DPR_F32, dpr_shape_of(channels));
    }
    return dpr_batch_norm(g, x, leaf[0], leaf[1], leaf[2], leaf[3], 0, NULL, NULL);
}

static struct net make_net(dpr_context *context) {
    struct net n = {.g = dpr_graph_create(context)};
    dpr_graph *g = n.g;
    dpr_conv_options conv = dpr_conv_options_default();
    conv.pad[0] = conv.pad[1] = conv.pad[2] = conv.pad[3] = 1;
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(BATCH, SIDE, SIDE, IN));
    dpr_value w = dpr_parameter(g, "w", dpr_shape_of(3, 3, IN, CHANNELS), DPR_INIT_HE);
    dpr_value b = dpr_parameter(g, "b", dpr_shape_of(CHANNELS), DPR_INIT_ONE);
    dpr_value last = dpr_parameter(g, "last", dpr_shape_of(CHANNELS, OUT), DPR_INIT_HE);
    n.product = dpr_conv2d(g, x, w, &conv);
    n.map = dpr_relu(g, normalised(g, dpr_add(g, b, n.product), "first", CHANNELS));
    dpr_value pixels = dpr_sum(g, n.map, 1U << 1 | 1U << 2, false);
    n.logits = normalised(g, dpr_matmul(g, pixels, last, 0), "second", OUT);
    return n;
}

static void fill(dpr_store *store, const char *leaf, size_t n, double least, double most) {
    float values[BATCH * SIDE * SIDE * IN];
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(least + (most - least) * (double)(i * 7919 % 2003) / 2003);
    assert_int_equal(dpr_store_write(store, leaf, values, n * sizeof *values), DPR_OK);
}

struct outcome {
    float map[N], logits[BATCH * OUT], later[BATCH * OUT];
};

/* later: when a statistic has been written. */
static void run(dpr_context *context, struct outcome *out) {
    struct net n = make_net(context);
    dpr_store *store;
    dpr_program *program;
    dpr_value roots[] = {n.map, n.logits};
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(n.g, store, roots, 2, NULL, &program), DPR_OK);
    fill(store, "x", BATCH * SIDE * SIDE * IN, -1, 1);
    fill(store, "b", CHANNELS, -1, 1);
    fill(store, "first.scale", CHANNELS, -1, 2);
    fill(store, "first.shift", CHANNELS, -1, 1);
    fill(store, "first.mean", CHANNELS, -2, 2);
    fill(store, "first.variance", CHANNELS, 0.1, 2);
    fill(store, "second.variance", OUT, 50, 90);
    assert_int_equal(dpr_program_run(program, 1, NULL, NULL), DPR_OK);
    assert_int_equal(dpr_program_read(program, n.map, out->map, sizeof out->map), DPR_OK);
    assert_int_equal(dpr_program_read(program, n.logits, out->logits, sizeof out->logits), DPR_OK);
    fill(store, "first.mean", CHANNELS, -1, 3);
    assert_int_equal(dpr_program_run(program, 1, NULL, NULL), DPR_OK);
    assert_int_equal(dpr_program_read(program, n.logits, out->later, sizeof out->later), DPR_OK);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
}

static void expect_near(const float *got, const float *want, size_t n, double tolerance) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance * (1 + fabs((double)want[i]))))
            fail_msg("number %zu is %.9g, not %.9g", i, (double)got[i], (double)want[i]);
}

static struct outcome want, got, more;

static void compare(const char *precision, double tolerance) {
    run(context_of(NULL, "ref", 1, precision), &want);
    assert_memory_not_equal(want.later, want.logits, sizeof want.later);
    run(context_of(NULL, "cpu", 1, precision), &got);
    expect_near(got.map, want.map, N, tolerance);
    expect_near(got.logits, want.logits, BATCH * OUT, tolerance);
    expect_near(got.later, want.later, BATCH * OUT, tolerance);
    for (unsigned threads = 2; threads <= 3; threads++) {
        run(context_of(NULL, "cpu", threads, precision), &more);
        assert_memory_equal(&more, &got, sizeof got); /* the same bits */
    }
    run(context_of("fold", "cpu", 2, precision), &more);
    assert_memory_not_equal(more.map, got.map, sizeof more.map); /* it was done */
    expect_near(more.map, got.map, N, tolerance);
    expect_near(more.logits, got.logits, BATCH * OUT, tolerance);
    run(context_of("keep", "cpu", 2, precision), &more);
    assert_memory_equal(&more, &got, sizeof got);
}

static void folded_is_as_good(void **state) {
    (void)state;
    compare(NULL, 1e-5);
}

static void folded_is_as_good_in_bf16(void **state) {
    (void)state;
    compare("bf16", 2e-2);
}

/* What a step computes in every tick, of one op. */
static size_t count_op(const dpr__step *step, dpr__op_id op) {
    size_t n = 0;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        n += step->graph->nodes[v].op == op && !step->kept[v];
    return n;
}

static void expect_ops(const struct net *n, const dpr_value *roots, size_t n_roots, bool train,
                       size_t multiplies, size_t adds) {
    dpr__step *step;
    dpr__step_options options = {.batch = 1, .train = train};
    assert_int_equal(dpr__step_create(n->g, roots, n_roots, &options, &step), DPR_OK);
    assert_int_equal(count_op(step, DPR__OP_multiply), multiplies);
    assert_int_equal(count_op(step, DPR__OP_add), adds);
    dpr__step_destroy(step);
}

static void what_others_read_stays(void **state) {
    (void)state;
    dpr_context *context = context_of(NULL, "cpu", 1, NULL);
    struct net n = make_net(context);
    dpr_value roots[] = {n.logits, n.product};
    expect_ops(&n, roots, 1, false, 0, 2);
    expect_ops(&n, roots, 2, false, 1, 4); /* the first is left: bias, mean, shift */
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
}

/* Statistics of the batch are no numbers that are kept. */
static void training_stays_as_it_is(void **state) {
    (void)state;
    dpr_context *context = context_of("fold", "cpu", 1, NULL);
    struct net n = make_net(context);
    dpr__step *step;
    dpr__step_options options = {.batch = 1, .train = true};
    assert_int_equal(dpr__step_create(n.g, &n.logits, 1, &options, &step), DPR_OK);
    size_t multiplies = count_op(step, DPR__OP_multiply), adds = count_op(step, DPR__OP_add);
    dpr__step_destroy(step);
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
    context = context_of(NULL, "cpu", 1, NULL);
    n = make_net(context);
    expect_ops(&n, &n.logits, 1, true, multiplies, adds);
    assert_true(multiplies >= 2);
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_is_as_good), cmocka_unit_test(folded_is_as_good_in_bf16),
        cmocka_unit_test(what_others_read_stays), cmocka_unit_test(training_stays_as_it_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
