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

/* ---- images ---- */

static dpr_value small_pool(dpr_graph *g, dpr_value x, bool largest) {
    dpr_pool_options o = dpr_pool_options_default();
    o.kernel[0] = 3;
    o.stride[0] = o.stride[1] = o.pad[0] = o.pad[3] = 1;
    return largest ? dpr_max_pool(g, x, &o) : dpr_average_pool(g, x, &o);
}

BUILD(max_pool, dpr_max_pool(g, x[0], NULL))
BUILD(max_pool_small, small_pool(g, x[0], true))
BUILD(max_pool_square, dpr_max_pool(g, dpr_multiply(g, x[0], x[0]), NULL))
BUILD(average_pool, dpr_average_pool(g, x[0], NULL))
BUILD(average_pool_small, small_pool(g, x[0], false))
BUILD(global_average, dpr_global_average_pool(g, x[0]))
BUILD(conv_with_itself, dpr_conv2d(g, x[0], dpr_reshape(g, x[0], dpr_shape_of(2, 2, 2, 1)), NULL))
BUILD(concat_two, dpr_concat(g, x, 2, 1))
BUILD(concat_channels, dpr_concat(g, x, 3, 3))
BUILD(concat_one, dpr_concat(g, x, 1, 1))

/* ---- norms ---- */

/* Of two channels, with epsilon large enough that a batch of a few rows has a smooth variance. */
static dpr_value batch_norm_of(dpr_graph *g, dpr_value src, dpr_value scale, dpr_value shift,
                               bool prefix) {
    dpr_batch_norm_options o = dpr_batch_norm_options_default();
    dpr_value rows = prefix ? dpr_input(g, "rows", DPR_I32, dpr_scalar_shape()) : 0;
    o.epsilon = 0.01;
    return dpr_batch_norm(g, src, scale, shift, dpr_state(g, "mean", DPR_F32, dpr_shape_of(2)),
                          dpr_state(g, "variance", DPR_F32, dpr_shape_of(2)), rows, &o, NULL);
}

static dpr_value batch_norm_running(dpr_graph *g, const dpr_value *x) {
    return dpr_batch_norm(g, x[0], 0, 0, x[1], x[2], 0, NULL, NULL);
}

BUILD(batch_norm, batch_norm_of(g, x[0], x[1], x[2], true))
BUILD(batch_norm_all, batch_norm_of(g, x[0], x[1], x[2], false))
BUILD(batch_norm_bare, batch_norm_of(g, x[0], 0, 0, true))
BUILD(batch_norm_relu, dpr_relu(g, batch_norm_of(g, x[0], x[1], 0, true)))
BUILD(layer_norm, dpr_layer_norm(g, x[0], x[1], x[2], 0.01))
BUILD(layer_norm_bare, dpr_layer_norm(g, x[0], 0, 0, 0.01))
BUILD(group_norm, dpr_group_norm(g, x[0], 2, x[1], x[2], 0.01))
BUILD(group_norm_one, dpr_group_norm(g, x[0], 1, 0, 0, 0.01))

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
    SAMPLE("max_pool", 1, max_pool, .shape = {SHAPE(DPR_BATCH, 4, 4, 1)}),
    SAMPLE("max_pool, overlapping and padded", 1, max_pool_small, .shape = {SHAPE(1, 4, 4, 2)}),
    SAMPLE("max_pool of squares", 1, max_pool_square, .shape = {SHAPE(1, 5, 4, 2)}),
    SAMPLE("average_pool", 1, average_pool, .shape = {SHAPE(DPR_BATCH, 4, 4, 1)}, .linear = 1),
    SAMPLE("average_pool, overlapping and padded", 1, average_pool_small,
           .shape = {SHAPE(1, 4, 4, 2)}),
    SAMPLE("global_average_pool", 1, global_average, .shape = {SHAPE(DPR_BATCH, 2, 3, 2)}),
    SAMPLE("conv2d with itself", 1, conv_with_itself, .shape = {SHAPE(1, 2, 2, 2)}),
    SAMPLE("concat", 2, concat_two, .shape = {SHAPE(DPR_BATCH, 2), SHAPE(DPR_BATCH, 3)}),
    SAMPLE("concat of channels", 3, concat_channels,
           .shape = {SHAPE(1, 2, 2, 1), SHAPE(1, 2, 2, 3), SHAPE(1, 2, 2, 2)}),
    SAMPLE("concat of one", 1, concat_one, .shape = {SHAPE(2, 3)}, .linear = 1),
    SAMPLE("batch_norm, training", 3, batch_norm,
           .shape = {SHAPE(DPR_BATCH, 2, 2, 2), SHAPE(2), SHAPE(2)}, .train = true,
           .write = write_two_rows),
    SAMPLE("batch_norm of all rows", 3, batch_norm_all,
           .shape = {SHAPE(DPR_BATCH, 2, 2), SHAPE(2), SHAPE(2)}, .train = true),
    SAMPLE("batch_norm of a fixed batch", 3, batch_norm_all,
           .shape = {SHAPE(4, 2), SHAPE(2), SHAPE(2)}, .train = true),
    SAMPLE("batch_norm without scale and shift", 1, batch_norm_bare,
           .shape = {SHAPE(DPR_BATCH, 3, 2)}, .train = true, .write = write_two_rows),
    SAMPLE("batch_norm and relu", 2, batch_norm_relu,
           .shape = {SHAPE(DPR_BATCH, 2, 2, 2), SHAPE(2)}, .train = true, .write = write_two_rows),
    SAMPLE("batch_norm, running statistics", 3, batch_norm_running,
           .shape = {SHAPE(DPR_BATCH, 2, 2, 2), SHAPE(2), SHAPE(2)},
           .range = {{-2, 2}, {-2, 2}, {0.5, 2}}),
    SAMPLE("layer_norm", 3, layer_norm, .shape = {SHAPE(DPR_BATCH, 4), SHAPE(4), SHAPE(4)}),
    SAMPLE("layer_norm of pixels", 1, layer_norm_bare, .shape = {SHAPE(2, 2, 2, 3)}),
    SAMPLE("group_norm", 3, group_norm, .shape = {SHAPE(DPR_BATCH, 2, 2, 4), SHAPE(4), SHAPE(4)}),
    SAMPLE("group_norm of one group", 1, group_norm_one, .shape = {SHAPE(2, 2, 2, 3)}),
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

/* ---- values of pooling and norms ---- */

static void pool_values(void) {
    struct session s = session_open();
    dpr_value x = dpr_input(s.graph, "x", DPR_F32, dpr_shape_of(1, 2, 4, 1));
    dpr_value roots[] = {dpr_max_pool(s.graph, x, NULL), dpr_average_pool(s.graph, x, NULL),
                         dpr_global_average_pool(s.graph, x), small_pool(s.graph, x, false),
                         dpr_concat(s.graph, (dpr_value[]){x, x}, 2, 1)};
    double two[2], small[4], tall[16];
    session_compile(&s, roots, 5, false);
    for (int i = 0; i < 8; i++)
        session_leaf(&s, "x", NULL)[i] = i + (i == 4) * 16; /* 0 1 2 3, 20 5 6 7 */
    session_run(&s, 1);
    session_read(&s, roots[0], two, sizeof two);
    assert_true(two[0] == 20 && two[1] == 7);
    session_read(&s, roots[1], two, sizeof two);
    assert_true(two[0] == 6.5 && two[1] == 4.5);
    assert_true(session_scalar(&s, roots[2]) == 5.5);
    session_read(&s, roots[3], small, sizeof small); /* one row of windows of 3 × 2 */
    assert_true(fabs(small[0] - 26.0 / 6) < 1e-15 && fabs(small[3] - 10.0 / 6) < 1e-15);
    session_read(&s, roots[4], tall, sizeof tall);
    for (int i = 0; i < 8; i++)
        assert_true(tall[i] == tall[i + 8] && tall[i] == i + (i == 4) * 16);
    session_close(&s);
}

enum { ROWS = SAMPLE_BATCH, CHANNELS = 2 };

struct normed {
    double dst[ROWS * CHANNELS], running[2][CHANNELS];
};

/* Two channels in a batch of three rows, the last beyond the images; rows 0: none is. epsilon 3 makes the deviations
 * of a variance of 1 whole. The updates are assigned. */
static struct normed batch_normed(int32_t rows, bool train) {
    static const double X[] = {1, 10, 3, 12, 100, 1}, SCALE[] = {4, 6}, SHIFT[] = {0.5, -1},
                        MEAN[] = {4, 8}, VARIANCE[] = {1, 13};
    struct session s = session_open();
    dpr_graph *g = s.graph;
    dpr_shape shape = dpr_shape_of(CHANNELS);
    dpr_batch_norm_options o = dpr_batch_norm_options_default();
    o.epsilon = 3;
    o.momentum = 0.25;
    dpr_value mean = dpr_state(g, "mean", DPR_F32, shape), updates[2];
    dpr_value variance = dpr_state(g, "variance", DPR_F32, shape);
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(DPR_BATCH, CHANNELS));
    dpr_value scale = dpr_parameter(g, "scale", shape, DPR_INIT_ONE);
    dpr_value shift = dpr_parameter(g, "shift", shape, DPR_INIT_ZERO);
    dpr_value counted = rows == 0 ? 0 : dpr_input(g, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value roots[3] = {dpr_batch_norm(g, x, scale, shift, mean, variance, counted, &o, updates)};
    roots[1] = dpr_assign(g, mean, updates[0]);
    roots[2] = dpr_assign(g, variance, updates[1]);
    session_compile(&s, roots, 3, train);
    session_write(s.store, "x", X, sizeof X);
    session_write(s.store, "scale", SCALE, sizeof SCALE);
    session_write(s.store, "shift", SHIFT, sizeof SHIFT);
    session_write(s.store, "mean", MEAN, sizeof MEAN);
    session_write(s.store, "variance", VARIANCE, sizeof VARIANCE);
    if (dpr__store_find(s.store, "rows") != NULL)
        session_write(s.store, "rows", &rows, sizeof rows);
    session_run(&s, 1);
    struct normed normed;
    session_read(&s, roots[0], normed.dst, sizeof normed.dst);
    for (int i = 0; i < CHANNELS; i++) {
        normed.running[0][i] = session_leaf(&s, "mean", NULL)[i];
        normed.running[1][i] = session_leaf(&s, "variance", NULL)[i];
    }
    session_close(&s);
    return normed;
}

static void expect_numbers(const double *got, const double *want, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 1e-14 * fabs(want[i])))
            fail_msg("number %zu is %.17g; it should be %.17g", i, got[i], want[i]);
}

/* Of two rows the means are 2 and 11, the variances 1 (2 unbiased), so that the deviations are 2. */
static void batch_norm_values(void) {
    struct normed two = batch_normed(2, true);
    expect_numbers(two.dst, (double[]){-1.5, -4, 2.5, 2, 196.5, -31}, 6);
    expect_numbers(two.running[0], (double[]){3.5, 8.75}, 2);
    expect_numbers(two.running[1], (double[]){1.25, 10.25}, 2);
    struct normed one = batch_normed(1, true); /* the variance of one element is 0, of both kinds */
    expect_numbers(one.dst, (double[]){0.5, -1}, 2);
    expect_numbers(one.running[0], (double[]){3.25, 8.5}, 2);
    expect_numbers(one.running[1], (double[]){0.75, 9.75}, 2);
    struct normed all = batch_normed(0, true);
    expect_numbers(all.running[0], (double[]){0.75 * 4 + 0.25 * 104 / 3, 0.75 * 8 + 0.25 * 23 / 3},
                   2);
    /* Σx² − (Σx)²/3 = 10010 − 104²/3 and 245 − 23²/3, over 2 */
    expect_numbers(all.running[1],
                   (double[]){0.75 + 0.25 * (10010 - 104.0 * 104 / 3) / 2,
                              0.75 * 13 + 0.25 * (245 - 23.0 * 23 / 3) / 2},
                   2);
    struct normed evaluated = batch_normed(2, false);
    expect_numbers(evaluated.dst, (double[]){-5.5, 2, -1.5, 5, 192.5, -11.5}, 6);
    expect_numbers(evaluated.running[0], (double[]){4, 8}, 2);
    expect_numbers(evaluated.running[1], (double[]){1, 13}, 2);
}

/* Means 2 and 1, variances 1, epsilon 3: halves. */
static void row_norm_values(void) {
    struct session s = session_open();
    dpr_graph *g = s.graph;
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(1, 1, 2, 4));
    dpr_value pair = dpr_slice(g, x, 3, 1, 2); /* 1 0, 3 2 */
    dpr_value scale = dpr_parameter(g, "scale", dpr_shape_of(2), DPR_INIT_ONE);
    dpr_value roots[] = {dpr_group_norm(g, x, 2, 0, 0, 3),
                         dpr_layer_norm(g, dpr_scale(g, pair, 2), scale, scale, 3)};
    static const double X[] = {1, 1, 0, 2, 3, 3, 2, 0}, SCALE[] = {2, 4};
    double grouped[8], row[4];
    session_compile(&s, roots, 2, true);
    session_write(s.store, "x", X, sizeof X);
    session_write(s.store, "scale", SCALE, sizeof SCALE);
    session_run(&s, 1);
    session_read(&s, roots[0], grouped, sizeof grouped);
    expect_numbers(grouped, (double[]){-0.5, -0.5, -0.5, 0.5, 0.5, 0.5, 0.5, -0.5}, 8);
    session_read(&s, roots[1], row, sizeof row); /* ±1/2, times scale, plus scale */
    expect_numbers(row, (double[]){3, 2, 3, 2}, 4);
    session_close(&s);
}

static void composition_values(void) {
    activation_values();
    mean_values();
    dropout_values();
    pool_values();
    batch_norm_values();
    row_norm_values();
}

const struct grad_samples samples_compositions = {SAMPLES(samples), .values = composition_values};
