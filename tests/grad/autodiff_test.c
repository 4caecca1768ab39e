/* dpr_gradients as a whole: paths that meet, paths that end, derivatives of derivatives, and what
 * cannot be differentiated. The rules of the single ops are gradient_test's. */
#include "base/random.h"
#include "grad/samples.h"
#include "grad/session.h"
#include "ir/shape.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { N = 3 };
static const double X[N] = {-1.5, 0.5, 2};

static dpr_value sum_all(dpr_graph *g, dpr_value value) {
    return dpr_sum(g, value, (1U << dpr_value_shape(g, value).rank) - 1, false);
}

static dpr_value gradient_of(const struct session *s, dpr_value loss, dpr_value wrt) {
    dpr_value diff = 0;
    session_expect_ok(s, dpr_gradients(s->graph, loss, &wrt, 1, &diff), "gradients");
    return diff;
}

/* The value of root at x = X; compiles and runs the session, and ends it. */
static void expect_and_close(struct session *s, dpr_value root, const double want[N]) {
    double got[N];
    session_compile(s, &root, 1, false);
    if (dpr__store_find(s->store, "x") != NULL) /* a constant gradient does not read it */
        memcpy(session_leaf(s, "x", NULL), X, sizeof X);
    session_run(s, 1);
    session_read(s, root, got, sizeof got);
    for (int i = 0; i < N; i++)
        if (!(fabs(got[i] - want[i]) <= 1e-14 * fabs(want[i])))
            fail_msg("element %d is %.17g; it should be %.17g", i, got[i], want[i]);
    session_close(s);
}

static dpr_value leaf_x(const struct session *s) {
    return dpr_parameter(s->graph, "x", dpr_shape_of(N), DPR_INIT_ZERO);
}

/* ---- paths ---- */

static void gradients_of_two_paths_are_added(void **state) {
    (void)state;
    struct session s = session_open();
    dpr_graph *g = s.graph;
    dpr_value x = leaf_x(&s);
    /* x² + 3x: x is read three times, twice by one node. */
    dpr_value loss = sum_all(g, dpr_add(g, dpr_multiply(g, x, x), dpr_scale(g, x, 3)));
    expect_and_close(&s, gradient_of(&s, loss, x),
                     (double[]){2 * X[0] + 3, 2 * X[1] + 3, 2 * X[2] + 3});
}

static void paths_that_part_and_meet_give_a_product(void **state) {
    (void)state;
    struct session s = session_open();
    dpr_graph *g = s.graph;
    dpr_value x = leaf_x(&s);
    dpr_value square = dpr_multiply(g, x, x), twice = dpr_scale(g, x, 2);
    dpr_value loss = sum_all(g, dpr_multiply(g, square, twice)); /* 2x³ */
    expect_and_close(&s, gradient_of(&s, loss, x),
                     (double[]){6 * X[0] * X[0], 6 * X[1] * X[1], 6 * X[2] * X[2]});
}

static void an_inner_value_can_be_the_variable(void **state) {
    (void)state;
    struct session s = session_open();
    dpr_graph *g = s.graph;
    dpr_value x = leaf_x(&s), square = dpr_multiply(g, x, x);
    dpr_value loss = sum_all(g, dpr_multiply(g, square, square)); /* ∂(x⁴)/∂(x²) = 2x² */
    expect_and_close(&s, gradient_of(&s, loss, square),
                     (double[]){2 * X[0] * X[0], 2 * X[1] * X[1], 2 * X[2] * X[2]});
}

static void a_variable_that_the_loss_does_not_read_gets_zeros(void **state) {
    (void)state;
    struct session s = session_open();
    dpr_graph *g = s.graph;
    dpr_value x = leaf_x(&s), y = dpr_parameter(g, "y", dpr_shape_of(N), DPR_INIT_ONE);
    expect_and_close(&s, gradient_of(&s, sum_all(g, x), y), (double[N]){0});
}

static void an_op_without_slope_ends_its_path_alone(void **state) {
    (void)state;
    struct session s = session_open();
    dpr_graph *g = s.graph;
    dpr_value x = leaf_x(&s);
    dpr_value loss = sum_all(g, dpr_multiply(g, dpr_step(g, x), x));
    expect_and_close(&s, gradient_of(&s, loss, x), (double[]){0, 1, 1});
}

static void data_beside_the_path_needs_no_gradient(void **state) {
    (void)state;
    struct session s = session_open();
    dpr_graph *g = s.graph;
    dpr_value x = leaf_x(&s), pool = dpr_constant(g, 4, dpr_shape_of(2, N));
    dpr_value index = dpr_input(g, "index", DPR_I32, dpr_scalar_shape());
    dpr_value loss = sum_all(g, dpr_multiply(g, dpr_gather(g, pool, index), x));
    expect_and_close(&s, gradient_of(&s, loss, x), (double[]){4, 4, 4});
}

/* ---- derivatives of derivatives ---- */

static void the_derivatives_of_a_cube(void **state) {
    (void)state;
    for (int order = 1; order <= 4; order++) {
        struct session s = session_open();
        dpr_graph *g = s.graph;
        dpr_value x = leaf_x(&s), value = dpr_multiply(g, dpr_multiply(g, x, x), x);
        double want[N];
        for (int i = 0; i < order; i++)
            value = gradient_of(&s, sum_all(g, value), x);
        for (int i = 0; i < N; i++)
            want[i] = order == 1 ? 3 * X[i] * X[i] : order == 2 ? 6 * X[i] : order == 3 ? 6 : 0;
        expect_and_close(&s, value, want);
    }
}

enum { PARAMETERS = 4, MOST = 12 };
static const char *const NAMES[PARAMETERS] = {"w1", "b1", "w2", "b2"};
static const dpr_shape SHAPES[PARAMETERS] = {SHAPE(3, 4), SHAPE(4), SHAPE(4, 2), SHAPE(2)};

/* tanh layer, cross entropy; its gradient g, and H v = ∂⟨g, v⟩/∂(parameters). */
struct net {
    struct session session;
    dpr_value roots[2 * PARAMETERS]; /* g, then H v */
};

static void fill(double *x, int64_t n, uint32_t stream) {
    for (int64_t i = 0; i < n; i++)
        x[i] = 2 * dpr__unit(dpr__philox(3, DPR__PURPOSE_LETTERS, stream, (uint64_t)i).word[0]) - 1;
}

static struct net make_net(void) {
    struct net net = {.session = session_open()};
    struct session *s = &net.session;
    dpr_graph *g = s->graph;
    dpr_value p[PARAMETERS], projection = dpr_constant(g, 0, dpr_scalar_shape());
    dpr_value rows = dpr_input(g, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(DPR_BATCH, 3));
    dpr_value labels = dpr_input(g, "labels", DPR_I32, dpr_shape_of(DPR_BATCH));
    for (int i = 0; i < PARAMETERS; i++)
        p[i] = dpr_parameter(g, NAMES[i], SHAPES[i], DPR_INIT_ZERO);
    dpr_value hidden = dpr_tanh(g, dpr_add(g, dpr_matmul(g, x, p[0], 0), p[1]));
    dpr_value logits = dpr_add(g, dpr_matmul(g, hidden, p[2], 0), p[3]);
    dpr_value losses = dpr_softmax_cross_entropy(g, logits, dpr_one_hot(g, labels, 2));
    dpr_value loss = dpr_batch_mean(g, losses, rows);
    session_expect_ok(s, dpr_gradients(g, loss, p, PARAMETERS, net.roots), "gradient");
    for (int i = 0; i < PARAMETERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        dpr_value v = dpr_input(g, name, DPR_F32, SHAPES[i]);
        projection = dpr_add(g, projection, sum_all(g, dpr_multiply(g, net.roots[i], v)));
    }
    session_expect_ok(s, dpr_gradients(g, projection, p, PARAMETERS, net.roots + PARAMETERS),
                      "Hessian times vector");
    session_compile(s, net.roots, 2 * PARAMETERS, true);
    int64_t n;
    double *batch = session_leaf(s, "x", &n);
    fill(batch, n, 100);
    session_write(s->store, "rows", &(int32_t){2}, sizeof(int32_t));
    session_write(s->store, "labels", (int32_t[]){0, 1, 1}, 3 * sizeof(int32_t));
    for (uint32_t i = 0; i < PARAMETERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%u", i);
        double *v = session_leaf(s, name, &n);
        fill(v, n, 20 + i);
    }
    return net;
}

/* Puts the parameters at w + h v, runs, and adds factor × the gradient to out. */
static void add_gradient_at(const struct net *net, double h, double factor,
                            double out[PARAMETERS][MOST]) {
    for (uint32_t i = 0; i < PARAMETERS; i++) {
        double v[MOST];
        int64_t n;
        double *w = session_leaf(&net->session, NAMES[i], &n);
        fill(w, n, i);
        fill(v, n, 20 + i);
        for (int64_t k = 0; k < n; k++)
            w[k] += h * v[k];
    }
    session_run(&net->session, 1);
    for (int i = 0; i < PARAMETERS; i++) {
        double g[MOST];
        size_t n = (size_t)dpr__shape_count(&SHAPES[i]);
        session_read(&net->session, net->roots[i], g, n * sizeof *g);
        for (size_t k = 0; k < n; k++)
            out[i][k] += factor * g[k];
    }
}

static void the_hessian_of_a_net_agrees_with_differences_of_its_gradient(void **state) {
    (void)state;
    const double h = 0x1p-10;
    double want[PARAMETERS][MOST] = {{0}}, unused[PARAMETERS][MOST] = {{0}}, worst = 0;
    struct net net = make_net();
    add_gradient_at(&net, h, 8 / (12 * h), want); /* the five-point rule of check.c */
    add_gradient_at(&net, -h, -8 / (12 * h), want);
    add_gradient_at(&net, 2 * h, -1 / (12 * h), want);
    add_gradient_at(&net, -2 * h, 1 / (12 * h), want);
    add_gradient_at(&net, 0, 1, unused);
    for (int i = 0; i < PARAMETERS; i++) {
        double got[MOST];
        size_t n = (size_t)dpr__shape_count(&SHAPES[i]);
        session_read(&net.session, net.roots[PARAMETERS + i], got, n * sizeof *got);
        for (size_t k = 0; k < n; k++) {
            double error = fabs(got[k] - want[i][k]) / fmax(fabs(want[i][k]), 1e-3);
            if (!(error <= 1e-6))
                fail_msg("%s, element %zu: %.12g, differences give %.12g", NAMES[i], k, got[k],
                         want[i][k]);
            worst = fmax(worst, error);
        }
    }
    print_message("largest relative error %.1e\n", worst);
    session_close(&net.session);
}

/* ---- what cannot be differentiated ---- */

static void expect_failure(struct session *s, dpr_value loss, dpr_value wrt, dpr_status status,
                           const char *const *words) {
    dpr_value diff;
    assert_int_equal(dpr_gradients(s->graph, loss, &wrt, 1, &diff), status);
    for (; *words != NULL; words++)
        if (strstr(dpr_error(s->context), *words) == NULL)
            fail_msg("the message lacks \"%s\": %s", *words, dpr_error(s->context));
    assert_int_equal(dpr_graph_finish(s->graph), status); /* it sticks */
    session_close(s);
}

static void a_path_without_gradient_names_op_and_node(void **state) {
    (void)state;
    struct session s = session_open();
    dpr_graph *g = s.graph;
    char node[32];
    dpr_value pool = dpr_parameter(g, "pool", dpr_shape_of(5, 2), DPR_INIT_ONE);
    dpr_value index = dpr_input(g, "index", DPR_I32, dpr_shape_of(DPR_BATCH));
    dpr_graph_scope(g, "embedding_1");
    dpr_value rows = dpr_gather(g, pool, index);
    dpr_graph_scope(g, "loss");
    dpr_value loss = dpr_sum(
        g, dpr_prefix(g, rows, dpr_input(g, "rows", DPR_I32, dpr_scalar_shape())), 3, false);
    snprintf(node, sizeof node, "node %u", rows);
    expect_failure(&s, loss, pool, DPR_E_NO_GRADIENT,
                   (const char *[]){"gather", "'embedding_1'", node, "no gradient", NULL});

    s = session_open();
    dpr_value w = dpr_parameter(s.graph, "w", dpr_scalar_shape(), DPR_INIT_ONE);
    dpr_graph_scope(s.graph, "update");
    dpr_value next = dpr_assign(s.graph, w, dpr_scale(s.graph, w, 2));
    expect_failure(&s, next, w, DPR_E_NO_GRADIENT, (const char *[]){"assign", "'update'", NULL});
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    struct session s = session_open();
    dpr_value x = leaf_x(&s);
    expect_failure(&s, x, x, DPR_E_SHAPE, (const char *[]){"scalar", "f32 3", NULL});
    s = session_open();
    x = leaf_x(&s);
    expect_failure(&s, 0, x, DPR_E_ARGUMENT, (const char *[]){"loss", NULL});
    s = session_open();
    x = leaf_x(&s);
    expect_failure(&s, x + 1, x, DPR_E_ARGUMENT, (const char *[]){"loss", NULL});
    s = session_open();
    x = sum_all(s.graph, leaf_x(&s));
    expect_failure(&s, x, x + 1, DPR_E_ARGUMENT, (const char *[]){"variable 1", NULL});
    s = session_open();
    dpr_value n = dpr_input(s.graph, "n", DPR_I32, dpr_scalar_shape());
    x = sum_all(s.graph, leaf_x(&s));
    expect_failure(&s, x, n, DPR_E_ARGUMENT, (const char *[]){"variable 1", NULL});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_two_paths_are_added),
        cmocka_unit_test(paths_that_part_and_meet_give_a_product),
        cmocka_unit_test(an_inner_value_can_be_the_variable),
        cmocka_unit_test(a_variable_that_the_loss_does_not_read_gets_zeros),
        cmocka_unit_test(an_op_without_slope_ends_its_path_alone),
        cmocka_unit_test(data_beside_the_path_needs_no_gradient),
        cmocka_unit_test(the_derivatives_of_a_cube),
        cmocka_unit_test(the_hessian_of_a_net_agrees_with_differences_of_its_gradient),
        cmocka_unit_test(a_path_without_gradient_names_op_and_node),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
