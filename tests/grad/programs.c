/* Samples of the ops that programs resolve or give a meaning to: leaf, constant, assign, choose,
 * guard. */
#include "grad/samples.h"
#include "grad/session.h"
#include "grad/values.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

static dpr_value leaf_itself(dpr_graph *g, const dpr_value *x) {
    (void)g;
    return x[0];
}
BUILD(plus_constant, dpr_add(g, x[0], dpr_constant(g, 3, dpr_shape_of(2))))
BUILD(choose, dpr_choose(g, dpr_multiply(g, x[0], x[0]), dpr_exp(g, x[1])))

/* ---- leaf ---- */

static const struct grad_sample leaf_samples[] = {
    SAMPLE("leaf", 1, leaf_itself, .shape = {SHAPE(2, 2)}, .linear = 1),
};

static void leaf_values(void) {
    struct session s = session_open();
    dpr_value leaf = dpr_parameter(s.graph, "w", dpr_shape_of(2), DPR_INIT_ONE);
    dpr_value sum = dpr_sum(s.graph, leaf, 1, false);
    session_compile(&s, &sum, 1, false);
    session_run(&s, 1);
    assert_true(session_scalar(&s, sum) == 2);
    session_leaf(&s, "w", NULL)[1] = 5;
    session_run(&s, 1);
    assert_true(session_scalar(&s, sum) == 6);
    session_close(&s);
}

const struct grad_samples samples_leaf = {SAMPLES(leaf_samples), .values = leaf_values};

/* ---- constant ---- */

static const struct grad_sample constant_samples[] = {
    SAMPLE("a constant beside a leaf", 1, plus_constant, .shape = {SHAPE(3, 2)}),
};

static void constant_values(void) {
    static const dpr__constant_param half = {0.5, SHAPE(2, 1)}, one = {-1, SCALAR},
                                     none = {2, SHAPE(0)};
    expect_op(DPR__OP_constant, &half, 0, NULL, REALS((0.5, 0.5), 2, 1));
    expect_op(DPR__OP_constant, &one, 0, NULL, REAL(-1));
    expect_op(DPR__OP_constant, &none, 0, NULL, NOTHING(0));
}

const struct grad_samples samples_constant = {SAMPLES(constant_samples), .values = constant_values};

/* ---- assign: every reader sees the old value; the new one is there in the next tick ---- */

static void assign_values(void) {
    struct session s = session_open();
    dpr_value a = dpr_state(s.graph, "a", DPR_F32, dpr_scalar_shape());
    dpr_value b = dpr_state(s.graph, "b", DPR_F32, dpr_scalar_shape());
    dpr_value n = dpr_state(s.graph, "n", DPR_U64, dpr_scalar_shape());
    dpr_value seen = dpr_scale(s.graph, a, 10);
    dpr_value roots[] = {dpr_assign(s.graph, a, b), dpr_assign(s.graph, b, dpr_add(s.graph, a, b)),
                         dpr_assign(s.graph, n, dpr__increment(s.graph, n)), seen};
    uint64_t count = 0;
    session_compile(&s, roots, 4, true);
    session_leaf(&s, "b", NULL)[0] = 1;
    for (int i = 0; i < 6;
         i++) { /* a, b = b, a + b: Fibonacci's numbers, only if both see the old */
        static const double FIBONACCI[] = {0, 1, 1, 2, 3, 5, 8, 13};
        session_run(&s, 1);
        assert_true(session_scalar(&s, seen) == 10 * FIBONACCI[i]);
        assert_true(*session_leaf(&s, "a", NULL) == FIBONACCI[i + 1]);
        assert_true(*session_leaf(&s, "b", NULL) == FIBONACCI[i + 2]);
    }
    assert_int_equal(dpr_store_read(s.store, "n", &count, sizeof count), DPR_OK);
    assert_int_equal(count, 6);
    session_close(&s);
}

const struct grad_samples samples_assign = {
    .why_none = "a value of the next tick; asking is an error", .values = assign_values};

/* ---- choose ---- */

static const struct grad_sample choose_samples[] = {
    SAMPLE("choose, training", 2, choose, .shape = {SHAPE(2, 2), SHAPE(2, 2)}, .train = true,
           .flat = 2),
    SAMPLE("choose, not training", 2, choose, .shape = {SHAPE(2, 2), SHAPE(2, 2)}, .flat = 1),
    SAMPLE("choose of a batch", 2, choose, .shape = {SHAPE(DPR_BATCH), SHAPE(DPR_BATCH)},
           .train = true, .flat = 2),
};

static void choose_values(void) {
    for (int train = 0; train < 2; train++) {
        struct session s = session_open();
        dpr_value value = dpr_choose(
            s.graph, dpr_constant(s.graph, 1, dpr_scalar_shape()),
            dpr_scale(s.graph, dpr_parameter(s.graph, "w", dpr_scalar_shape(), DPR_INIT_ONE), 2));
        session_compile(&s, &value, 1, train == 1);
        session_run(&s, 1);
        assert_true(session_scalar(&s, value) == (train == 1 ? 1 : 2));
        session_close(&s);
    }
}

const struct grad_samples samples_choose = {SAMPLES(choose_samples), .values = choose_values};

/* ---- guard ---- */

static void guard_values(void) {
    static const double BAD[] = {(double)NAN, HUGE_VAL, -HUGE_VAL};
    struct session s = session_open();
    dpr_value x = dpr_input(s.graph, "x", DPR_F32, dpr_scalar_shape());
    dpr_value n = dpr_state(s.graph, "n", DPR_I32, dpr_scalar_shape());
    dpr_graph_scope(s.graph, "loss");
    dpr_value roots[] = {dpr_guard(s.graph, dpr_scale(s.graph, x, 2)),
                         dpr_assign(s.graph, n, dpr__increment(s.graph, n))};
    int32_t count = 0;
    uint64_t done = 9;
    session_compile(&s, roots, 2, true);
    session_run(&s, 2);
    for (int i = 0; i < 3; i++) {
        session_leaf(&s, "x", NULL)[0] = BAD[i];
        assert_int_equal(dpr_program_run(s.program, 5, NULL, &done), DPR_E_NON_FINITE);
        assert_int_equal(done, 0);
        assert_non_null(strstr(dpr_error(s.context), "'x'"));
    }
    assert_int_equal(dpr_store_read(s.store, "n", &count, sizeof count), DPR_OK);
    assert_int_equal(count, 2); /* the state is as before the ticks that were stopped */
    session_close(&s);
}

/* The value is the operand's, also to readers in the same program. */
BUILD(guarded_sum, dpr_guard(g, dpr_sum(g, x[0], 1, false)))
BUILD(guarded, dpr_guard(g, x[0]))

static const struct grad_sample guard_samples[] = {
    SAMPLE("guard", 1, guarded, .shape = {SCALAR}, .linear = 1),
    SAMPLE("guarded sum", 1, guarded_sum, .shape = {SHAPE(3)}, .linear = 1),
};

const struct grad_samples samples_guard = {SAMPLES(guard_samples), .values = guard_values};
