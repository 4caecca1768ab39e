/* What depends on weights alone is computed once, and anew when somebody has written them. */
#include "backend/program.h"
#include "base/context.h"
#include "pass_support.h"
#include <stdint.h>
#include <string.h>

enum { ROWS = 3, IN = 40, OUT = 35 };

/* y = x · w², and a counter that each tick raises. */
struct net {
    dpr_graph *g;
    dpr_value x, w, square, y, roots[2];
};

static struct net make_net(dpr_context *context) {
    struct net n = {.g = dpr_graph_create(context)};
    n.x = dpr_input(n.g, "x", DPR_F32, dpr_shape_of(ROWS, IN));
    n.w = dpr_parameter(n.g, "w", dpr_shape_of(IN, OUT), DPR_INIT_ONE);
    n.square = dpr_multiply(n.g, n.w, n.w);
    n.y = dpr_matmul(n.g, n.x, n.square, 0);
    dpr_value count = dpr_state(n.g, "count", DPR_U64, dpr_scalar_shape());
    n.roots[0] = n.y;
    n.roots[1] = dpr_assign(n.g, count, dpr__increment(n.g, count));
    return n;
}

static dpr_program *program_of(const struct net *n, dpr_store *store, const dpr_value *roots,
                               size_t n_roots) {
    dpr_program *program;
    assert_int_equal(dpr_program_create(n->g, store, roots, n_roots, NULL, &program), DPR_OK);
    return program;
}

/* All numbers of y are `number`. */
static void expect(dpr_program *program, dpr_value y, float number) {
    float got[ROWS * OUT];
    assert_int_equal(dpr_program_run(program, 2, NULL, NULL), DPR_OK);
    assert_int_equal(dpr_program_read(program, y, got, sizeof got), DPR_OK);
    for (size_t i = 0; i < ROWS * OUT; i++)
        assert_true(got[i] == number);
}

static void write_all(dpr_store *store, const char *leaf, size_t n, float number) {
    float values[IN * OUT];
    for (size_t i = 0; i < n; i++)
        values[i] = number;
    assert_int_equal(dpr_store_write(store, leaf, values, n * sizeof *values), DPR_OK);
}

static void writers_are_noticed(dpr_context *context) {
    struct net n = make_net(context);
    dpr_store *store;
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    dpr_program *predicts = program_of(&n, store, n.roots, 2);
    dpr_value doubled = dpr_assign(n.g, n.w, dpr_scale(n.g, n.w, 2));
    dpr_program *trains = program_of(&n, store, (dpr_value[]){doubled, n.y}, 2);
    write_all(store, "x", ROWS * IN, 1);
    expect(predicts, n.y, IN);
    write_all(store, "w", IN * OUT, 2);
    expect(predicts, n.y, 4 * IN);
    write_all(store, "x", ROWS * IN, 3);
    expect(predicts, n.y, 12 * IN);
    expect(trains, n.y, 3 * 16 * IN); /* its second tick sees what the first has written */
    expect(predicts, n.y, 3 * 64 * IN);
    expect(trains, n.y, 3 * 256 * IN);
    write_all(store, "w", IN * OUT, 1);
    expect(predicts, n.y, 3 * IN);
    dpr_program_destroy(predicts);
    dpr_program_destroy(trains);
    dpr_store_destroy(store);
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
}

static void what_is_kept_follows_its_leaves(void **state) {
    (void)state;
    writers_are_noticed(context_with(NULL, "ref", 1));
    for (unsigned threads = 1; threads <= 3; threads++)
        writers_are_noticed(context_with(NULL, "cpu", threads));
    writers_are_noticed(context_with("keep", "cpu", 2));
    writers_are_noticed(context_with("fuse,layout,memplan", "cpu", 2));
}

/* Weights that change behind the store's back, with their version as before: who keeps does not look. */
static void nothing_is_computed_twice(void **state) {
    (void)state;
    for (int off = 0; off < 2; off++) {
        dpr_context *context = context_with(off ? "keep" : NULL, "cpu", 2);
        struct net n = make_net(context);
        dpr_store *store;
        assert_int_equal(dpr_store_create(context, &store), DPR_OK);
        dpr_program *program = program_of(&n, store, n.roots, 2);
        write_all(store, "x", ROWS * IN, 1);
        expect(program, n.y, IN);
        dpr__slot *w = dpr__store_find(store, "w");
        for (size_t i = 0; i < w->room / sizeof(float); i++)
            ((float *)w->data)[i] = 5;
        expect(program, n.y, off ? 25 * IN : IN);
        w->version++;
        expect(program, n.y, 25 * IN);
        dpr_program_destroy(program);
        dpr_store_destroy(store);
        dpr_graph_destroy(n.g);
        dpr_context_destroy(context);
    }
}

/* A leaf that is given a kept value is given it in every tick, whoever else has written it. */
static void leaves_are_given_what_is_kept(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 2);
    struct net n = make_net(context);
    dpr_store *store;
    float got[IN * OUT];
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    dpr_value leaf = dpr_state(n.g, "copy", DPR_F32, dpr_shape_of(IN, OUT));
    dpr_value roots[] = {dpr_assign(n.g, leaf, n.square), dpr_add(n.g, leaf, n.w)};
    dpr_program *program = program_of(&n, store, roots, 2);
    for (int run = 0; run < 2; run++) {
        write_all(store, "copy", IN * OUT, 7);
        assert_int_equal(dpr_program_run(program, 1, NULL, NULL), DPR_OK);
        assert_int_equal(dpr_program_read(program, roots[1], got, sizeof got), DPR_OK);
        assert_true(got[0] == 8);
        assert_int_equal(dpr_store_read(store, "copy", got, sizeof got), DPR_OK);
        assert_true(got[IN * OUT - 1] == 1);
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
}

static dpr__step *step_of(const struct net *n, const dpr_value *roots, size_t n_roots) {
    dpr__step *step;
    dpr__step_options options = {.batch = 1};
    assert_int_equal(dpr__step_create(n->g, roots, n_roots, &options, &step), DPR_OK);
    return step;
}

/* Kept nodes that are computed. */
static size_t count_kept(const dpr__step *step) {
    size_t n = 0;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        n += step->kept[v] && step->group_of[v] != 0;
    return n;
}

/* Neither what comes of inputs, nor of leaves that the step writes. */
static void what_changes_is_not_kept(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    struct net n = make_net(context);
    dpr__step *step = step_of(&n, n.roots, 2);
    assert_int_equal(count_kept(step), 1);
    assert_int_equal(step->n_kept_phases, 1);
    dpr__step_destroy(step);
    dpr_value roots[2] = {n.y, dpr_assign(n.g, n.w, n.square)};
    step = step_of(&n, roots, 2);
    assert_int_equal(count_kept(step), 0);
    assert_int_equal(step->n_kept_phases, 0);
    dpr__step_destroy(step);
    dpr_value of_x = dpr_exp(n.g, n.x);
    step = step_of(&n, &of_x, 1);
    assert_int_equal(count_kept(step), 0);
    dpr__step_destroy(step);
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
}

/* The checker of memory plans objects to a kept value that dies, and to one that comes of what changes. */
static void broken_plans_fail_the_checker(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    struct net n = make_net(context);
    dpr__step *step = step_of(&n, n.roots, 2);
    unsigned caught = 0;
    assert_int_equal(dpr__check_memory(step), DPR_OK);
    for (dpr_value v = 1; v < step->graph->n_nodes; v++) {
        dpr__placement *p = &step->placements[v];
        if (!step->kept[v] || step->group_of[v] == 0)
            continue;
        assert_int_equal(p->last_phase, step->n_phases);
        p->last_phase--;
        assert_int_not_equal(dpr__check_memory(step), DPR_OK);
        p->last_phase++;
        caught++;
    }
    assert_int_equal(caught, 1);
    assert_int_equal(dpr__check_memory(step), DPR_OK);
    step->n_kept_phases++; /* the product, which reads x */
    assert_int_not_equal(dpr__check_memory(step), DPR_OK);
    dpr__step_destroy(step);
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_kept_follows_its_leaves),
                                       cmocka_unit_test(nothing_is_computed_twice),
                                       cmocka_unit_test(leaves_are_given_what_is_kept),
                                       cmocka_unit_test(what_changes_is_not_kept),
                                       cmocka_unit_test(broken_plans_fail_the_checker)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
