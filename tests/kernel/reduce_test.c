/* Sums over all rows of a map that end a group, with what they are sums of, on the cpu device against the reference: statistics of a batch
 * norm and all its gradients; numbers of rows around a tile's, of channels around a panel's; batches that are not full; instruction sets, threads,
 * passes. */
#include "base/context.h"
#include "ir/graph.h"
#include <deeper/deeper.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_ROWS = 2 * 600, MOST_C = 70, MOST = MOST_ROWS * MOST_C };

struct size {
    int64_t n, h, w, c;
    int32_t valid;
};

struct results {
    float y[MOST], dx[MOST], dscale[MOST_C], dshift[MOST_C], mean[MOST_C], variance[MOST_C];
};

struct way {
    const char *device, *isa;
    unsigned threads;
    const char *disabled;
};

/* y = relu(batch_norm(x·1.5)), the loss Σ y·w over the valid rows. */
static void run(const struct size *s, const struct way *way, struct results *out) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.device = way->device;
    options.cpu_isa = way->isa;
    options.threads = way->threads;
    options.disabled_passes = way->disabled;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    dpr_shape shape = s->h == 0 ? dpr_shape_of(s->n, s->c) : dpr_shape_of(s->n, s->h, s->w, s->c);
    dpr_shape channels = dpr_shape_of(s->c);
    dpr_value x = dpr_input(g, "x", DPR_F32, shape), w = dpr_input(g, "w", DPR_F32, shape);
    dpr_value rows = dpr_input(g, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value scale = dpr_input(g, "scale", DPR_F32, channels);
    dpr_value shift = dpr_input(g, "shift", DPR_F32, channels);
    dpr_value mean = dpr_state(g, "mean", DPR_F32, channels), updates[2];
    dpr_value variance = dpr_state(g, "variance", DPR_F32, channels);
    dpr_value scaled = dpr_scale(g, x, 1.5);
    dpr_value y =
        dpr_relu(g, dpr_batch_norm(g, scaled, scale, shift, mean, variance, rows, NULL, updates));
    dpr_value product = dpr_multiply(g, y, w);
    dpr_value loss = dpr_sum(g, dpr_prefix(g, product, rows), (1U << shape.rank) - 1, false);
    dpr_value gradients[3];
    assert_int_equal(dpr_gradients(g, loss, (dpr_value[]){x, scale, shift}, 3, gradients), DPR_OK);
    dpr_value roots[] = {y,
                         gradients[0],
                         gradients[1],
                         gradients[2],
                         dpr_assign(g, mean, updates[0]),
                         dpr_assign(g, variance, updates[1])};
    dpr_program_options train = dpr_program_options_default();
    train.train = true;
    dpr_store *store;
    dpr_program *program;
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(g, store, roots, 6, &train, &program), DPR_OK);
    static float values[MOST];
    size_t n = (size_t)(s->n * (s->h == 0 ? 1 : s->h * s->w) * s->c), c = (size_t)s->c;
    for (size_t i = 0; i < n; i++)
        values[i] = 3 + (float)(i * 7919 % 101) / 50;
    assert_int_equal(dpr_store_write(store, "x", values, n * 4), DPR_OK);
    assert_int_equal(dpr_store_write(store, "scale", values, c * 4), DPR_OK);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(i * 104729 % 211) / 100 - 1;
    assert_int_equal(dpr_store_write(store, "w", values, n * 4), DPR_OK);
    assert_int_equal(dpr_store_write(store, "shift", values, c * 4), DPR_OK);
    assert_int_equal(dpr_store_write(store, "rows", &s->valid, 4), DPR_OK);
    assert_int_equal(dpr_program_run(program, 2, NULL, NULL), DPR_OK);
    memset(out, 0, sizeof *out);
    assert_int_equal(dpr_program_read(program, y, out->y, n * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[0], out->dx, n * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[1], out->dscale, c * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[2], out->dshift, c * 4), DPR_OK);
    assert_int_equal(dpr_store_read(store, "mean", out->mean, c * 4), DPR_OK);
    assert_int_equal(dpr_store_read(store, "variance", out->variance, c * 4), DPR_OK);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
}

/* Within `tolerance` of the largest number. */
static void expect_near(const char *what, const float *got, const float *want, size_t n,
                        double tolerance) {
    double largest = 1e-3;
    for (size_t i = 0; i < n; i++)
        largest = fabs((double)want[i]) > largest ? fabs((double)want[i]) : largest;
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance * largest))
            fail_msg("%s: element %zu is %.9g, not %.9g", what, i, (double)got[i], (double)want[i]);
}

static const struct size SIZES[] = {
    {1, 1, 1, 1, 1},    {2, 1, 1, 3, 1},      {2, 3, 5, 16, 2},   {2, 16, 16, 31, 2},
    {2, 16, 16, 32, 1}, {3, 19, 9, 33, 3},    {3, 19, 9, 70, 2},  {4, 16, 16, 6, 3},
    {2, 23, 26, 8, 2},  {600, 0, 0, 40, 600}, {600, 0, 0, 5, 77}, {1025, 1, 1, 2, 9},
    {4, 14, 14, 6, 3},  {5, 2, 2, 16, 3},     {2, 4, 1, 11, 1},
};

static void agree_with_the_reference(void **state) {
    (void)state;
    static struct results want, got, again;
    static const char *const ISAS[] = {"generic", "avx2", "avx512"};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        const struct size *s = &SIZES[i];
        size_t n = sizeof want.y / sizeof *want.y;
        run(s, &(struct way){"ref", NULL, 1, NULL}, &want);
        for (int isa = 0; isa < 3 && isa <= (int)dpr__isa_detect(); isa++)
            for (int disabled = 0; disabled < 3; disabled++)
                for (unsigned threads = 1; threads <= 3; threads++) {
                    static const char *const PASSES[] = {NULL, "fuse", "layout"};
                    run(s, &(struct way){"cpu", ISAS[isa], threads, PASSES[disabled]}, &got);
                    expect_near("y", got.y, want.y, n, 3e-6);
                    expect_near("dx", got.dx, want.dx, n, 1e-4);
                    expect_near("dscale", got.dscale, want.dscale, MOST_C, 3e-5);
                    expect_near("dshift", got.dshift, want.dshift, MOST_C, 1e-5);
                    expect_near("mean", got.mean, want.mean, MOST_C, 1e-6);
                    expect_near("variance", got.variance, want.variance, MOST_C, 1e-5);
                    if (threads == 1)
                        again = got;
                    else
                        assert_memory_equal(&again, &got, sizeof got);
                }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agree_with_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
