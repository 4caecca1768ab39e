/* Samples of what build.c composes of ops: builders like those of ops, and checked alike. */
#include "grad/samples.h"
#include "grad/session.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <cmocka.h>

BUILD(subtract, dpr_subtract(g, x[0], x[1]))
BUILD(leaky_relu, dpr_leaky_relu(g, x[0], 0.1))
BUILD(gelu, dpr_gelu(g, x[0]))
BUILD(silu, dpr_silu(g, x[0]))
BUILD(mish, dpr_mish(g, x[0]))
BUILD(mean_rows, dpr_mean(g, x[0], 2, false))
BUILD(mean_all, dpr_mean(g, x[0], 7, true))
BUILD(batch_mean, dpr_batch_mean(g, x[0], dpr_input(g, "rows", DPR_I32, dpr_scalar_shape())))
BUILD(batch_loss, dpr_batch_mean(g, dpr_softmax_cross_entropy(g, x[0], x[1]),
                                 dpr_input(g, "rows", DPR_I32, dpr_scalar_shape())))
BUILD(dropout, dpr_dropout(g, dpr_multiply(g, x[0], x[0]), 0.4))

static void write_two_rows(dpr_store *store) {
    session_write(store, "rows", &(int32_t){2}, sizeof(int32_t));
}

/* A fixed tick, so that every run of the program drops the same elements. */
static void write_tick(dpr_store *store) {
    session_write(store, "seed", &(uint64_t){9}, sizeof(uint64_t));
    session_write(store, "tick", &(uint64_t){5}, sizeof(uint64_t));
}

static const struct grad_sample samples[] = {
    SAMPLE("subtract", 2, subtract, .shape = {SHAPE(2, 3), SHAPE(3)}),
    SAMPLE("subtract from a row", 2, subtract, .shape = {SHAPE(2), SHAPE(DPR_BATCH, 2)}),
    SAMPLE("leaky_relu", 1, leaky_relu, .shape = {SHAPE(3, 4)}, .kink_at_zero = true),
    SAMPLE("gelu", 1, gelu, .shape = {SHAPE(DPR_BATCH, 4)}),
    SAMPLE("silu", 1, silu, .shape = {SHAPE(3, 4)}),
    SAMPLE("mish", 1, mish, .shape = {SHAPE(3, 4)}),
    SAMPLE("mean of rows", 1, mean_rows, .shape = {SHAPE(DPR_BATCH, 4)}),
    SAMPLE("mean of everything", 1, mean_all, .shape = {SHAPE(2, 2, 3)}),
    SAMPLE("batch_mean", 1, batch_mean, .shape = {SHAPE(DPR_BATCH)}, .write = write_two_rows),
    SAMPLE("batch_mean of a loss", 2, batch_loss,
           .shape = {SHAPE(DPR_BATCH, 3), SHAPE(DPR_BATCH, 3)}, .range = {{-2, 2}, {0.1, 1}},
           .write = write_two_rows),
    SAMPLE("dropout, training", 1, dropout, .shape = {SHAPE(4, 4)}, .train = true,
           .write = write_tick),
    SAMPLE("dropout of a batch", 1, dropout, .shape = {SHAPE(DPR_BATCH, 8)}, .train = true,
           .write = write_tick),
    SAMPLE("dropout, not training", 1, dropout, .shape = {SHAPE(4, 4)}, .write = write_tick),
};

/* ---- values ---- */

static double value_of(dpr_value (*build)(dpr_graph *, const dpr_value *), double x) {
    struct session s = session_open();
    dpr_value leaf = dpr_parameter(s.graph, "x", dpr_scalar_shape(), DPR_INIT_ZERO);
    dpr_value value = build(s.graph, &leaf);
    session_compile(&s, &value, 1, true);
    *session_leaf(&s, "x", NULL) = x;
    session_run(&s, 1);
    double result = session_scalar(&s, value);
    session_close(&s);
    return result;
}

static void activation_values(void) {
    assert_true(value_of(leaky_relu, 2) == 2);
    assert_true(fabs(value_of(leaky_relu, -2) + 0.2) < 1e-15);
    assert_true(value_of(gelu, 0) == 0);
    assert_true(fabs(value_of(gelu, 1) - 0.84134474606854294859) < 1e-15);  /* Φ(1) */
    assert_true(fabs(value_of(gelu, -1) + 0.15865525393145705141) < 1e-15); /* −Φ(−1) */
    assert_true(value_of(mish, 0) == 0);
    assert_true(fabs(value_of(mish, 1) - 0.86509838826731034) < 1e-12);
    assert_true(value_of(silu, 0) == 0);
    assert_true(fabs(value_of(silu, 1) - 0.73105857863000487925) < 1e-15);
    assert_true(value_of(silu, -1e4) == 0);
}

/* The third row is beyond the batch's images: it holds a number that would show. */
static void mean_values(void) {
    struct session s = session_open();
    dpr_value x = dpr_input(s.graph, "x", DPR_F32, dpr_shape_of(DPR_BATCH));
    dpr_value rows = dpr_input(s.graph, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value m = dpr_input(s.graph, "m", DPR_F32, dpr_shape_of(2, 2));
    dpr_value roots[] = {dpr_batch_mean(s.graph, x, rows), dpr_mean(s.graph, m, 1, false)};
    double columns[2];
    session_compile(&s, roots, 2, false);
    for (int i = 0; i < 3; i++)
        session_leaf(&s, "x", NULL)[i] = i == 2 ? 1e30 : 1 + 2 * i;
    for (int i = 0; i < 4; i++)
        session_leaf(&s, "m", NULL)[i] = i * i;
    write_two_rows(s.store);
    session_run(&s, 1);
    assert_true(session_scalar(&s, roots[0]) == 2);
    session_read(&s, roots[1], columns, sizeof columns);
    assert_true(columns[0] == 2 && columns[1] == 5);
    session_close(&s);
}

/* Of 4000 elements at rate 0.25 some 1000 are dropped (deviation 27); the others become 4/3. Two
 * dropouts in one graph, and two ticks, drop different ones; evaluation drops none. */
static void dropout_values(void) {
    enum { N = 4000 };
    static double kept[3][N];
    struct session s = session_open();
    dpr_value one = dpr_constant(s.graph, 1, dpr_shape_of(N));
    dpr_value roots[] = {dpr_dropout(s.graph, one, 0.25), dpr_dropout(s.graph, one, 0.25)};
    session_compile(&s, roots, 2, true);
    for (int run = 0; run < 2; run++) {
        session_write(s.store, "tick", &(uint64_t){(uint64_t)run}, sizeof(uint64_t));
        session_run(&s, 1);
        session_read(&s, roots[0], kept[2 * run], sizeof kept[0]);
        if (run == 0)
            session_read(&s, roots[1], kept[1], sizeof kept[0]);
    }
    session_close(&s);
    for (int k = 0; k < 3; k++) {
        int dropped = 0, same = 0;
        for (int i = 0; i < N; i++) {
            assert_true(kept[k][i] == 0 || fabs(kept[k][i] - 4.0 / 3) < 1e-15);
            dropped += kept[k][i] == 0;
            same += kept[k][i] == kept[(k + 1) % 3][i];
        }
        assert_in_range(dropped, 1000 - 135, 1000 + 135);
        assert_in_range(same, 2500 - 155, 2500 + 155); /* ¼² + ¾² = ⅝ agree when independent */
    }
    s = session_open();
    one = dpr_constant(s.graph, 1, dpr_shape_of(N));
    roots[0] = dpr_dropout(s.graph, dpr_scale(s.graph, one, 3), 0.25);
    session_compile(&s, roots, 1, false);
    session_run(&s, 1);
    session_read(&s, roots[0], kept[0], sizeof kept[0]);
    for (int i = 0; i < N; i++)
        assert_true(kept[0][i] == 3);
    session_close(&s);
}

static void composition_values(void) {
    activation_values();
    mean_values();
    dropout_values();
}

const struct grad_samples samples_compositions = {SAMPLES(samples), .values = composition_values};
