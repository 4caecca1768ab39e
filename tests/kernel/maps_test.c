/* What the cpu device does to maps beside convolutions, and to their gradients, against the reference: pooling, prefixes, sums over pixels; wide, narrow
 * and odd numbers of channels; instruction sets, threads and passes. */
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

enum { N = 5, H = 15, W = 16, MOST_C = 70, MOST = N * H * W * MOST_C };

struct pooling {
    bool maximum;
    dpr_pool_options options;
};

static const struct pooling POOLINGS[] = {
    {true, {sizeof(dpr_pool_options), {2, 2}, {2, 2}, {0, 0, 0, 0}}},
    {true, {sizeof(dpr_pool_options), {3, 3}, {2, 2}, {1, 1, 1, 1}}},
    {true, {sizeof(dpr_pool_options), {3, 2}, {1, 1}, {0, 1, 2, 0}}},
    {false, {sizeof(dpr_pool_options), {2, 2}, {2, 2}, {0, 0, 0, 0}}},
    {false, {sizeof(dpr_pool_options), {3, 2}, {2, 1}, {1, 0, 1, 1}}},
};

struct results {
    float y[MOST], dx[MOST], sums[MOST_C];
    size_t n;
};

/* y = pooled (x·1.5 + b)·mask, a mask of pixels; the gradients of x, and of b, which is a sum over all pixels of the first rows' images. */
static void run(const struct pooling *pooling, int64_t c, bool nan, const char *device,
                const char *isa, unsigned threads, const char *disabled, struct results *out) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.device = device;
    options.cpu_isa = isa;
    options.threads = threads;
    options.disabled_passes = disabled;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(N, H, W, c));
    dpr_value rows = dpr_input(g, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value b = dpr_input(g, "b", DPR_F32, dpr_shape_of(c));
    dpr_value mask = dpr_input(g, "mask", DPR_F32, dpr_shape_of(N, H, W, 1));
    dpr_value scaled = dpr_multiply(g, dpr_add(g, dpr_scale(g, x, 1.5), b), mask);
    dpr_value pooled = pooling->maximum ? dpr_max_pool(g, scaled, &pooling->options)
                                        : dpr_average_pool(g, scaled, &pooling->options);
    dpr_value y = dpr_prefix(g, pooled, rows);
    dpr_shape shape = dpr_value_shape(g, y);
    dpr_value loss = dpr_sum(g, dpr_multiply(g, y, dpr_scale(g, y, 0.5)), 15, false), gradients[2];
    assert_int_equal(dpr_gradients(g, loss, (dpr_value[]){x, b}, 2, gradients), DPR_OK);
    dpr_value roots[] = {y, gradients[0], gradients[1]};
    dpr_store *store;
    dpr_program *program;
    size_t nx = (size_t)(N * H * W * c);
    static float values[MOST];
    out->n = 1;
    for (uint32_t i = 0; i < shape.rank; i++)
        out->n *= (size_t)shape.dim[i];
    for (size_t i = 0; i < nx; i++) /* many equal ones: the first must win */
        values[i] = (float)(i * 7919 % 11) - 5;
    if (nan)
        values[nx / 2] = NAN;
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(g, store, roots, 3, NULL, &program), DPR_OK);
    assert_int_equal(dpr_store_write(store, "x", values, nx * 4), DPR_OK);
    assert_int_equal(dpr_store_write(store, "b", values + 3, (size_t)c * 4), DPR_OK);
    static float pixels[N * H * W];
    for (int i = 0; i < N * H * W; i++)
        pixels[i] = i % 5 == 0 ? 0 : (float)(i % 3);
    assert_int_equal(dpr_store_write(store, "mask", pixels, sizeof pixels), DPR_OK);
    int32_t valid = N - 1;
    assert_int_equal(dpr_store_write(store, "rows", &valid, 4), DPR_OK);
    assert_int_equal(dpr_program_run(program, 2, NULL, NULL), DPR_OK);
    assert_int_equal(dpr_program_read(program, y, out->y, out->n * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[0], out->dx, nx * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[1], out->sums, (size_t)c * 4), DPR_OK);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
}

static void expect_near(const char *what, const float *got, const float *want, size_t n,
                        double bound) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= bound) &&
            !(isnan(got[i]) && isnan(want[i])))
            fail_msg("%s[%zu] is %g, not %g", what, i, (double)got[i], (double)want[i]);
}

static void compare(const struct results *got, const struct results *want, int64_t c) {
    expect_near("y", got->y, want->y, want->n, 1e-5);
    expect_near("dx", got->dx, want->dx, (size_t)(N * H * W * c), 1e-4);
    expect_near("db", got->sums, want->sums, (size_t)c, 1e-2);
}

static void maps_agree(void **state) {
    (void)state;
    static struct results want, got, more;
    static const int64_t C[] = {1, 3, 6, 13, 16, 32, 33, MOST_C};
    static const char *const ISAS[] = {"generic", "avx2", NULL};
    for (size_t p = 0; p < sizeof POOLINGS / sizeof *POOLINGS; p++)
        for (size_t i = 0; i < sizeof C / sizeof *C; i++)
            for (int nan = 0; nan < 2; nan++) {
                run(&POOLINGS[p], C[i], nan, "ref", NULL, 1, NULL, &want);
                for (int isa = 0; isa < 3; isa++) {
                    run(&POOLINGS[p], C[i], nan, "cpu", ISAS[isa], 1, NULL, &got);
                    compare(&got, &want, C[i]);
                    run(&POOLINGS[p], C[i], nan, "cpu", ISAS[isa], 2, NULL, &more);
                    compare(&more, &want, C[i]);
                    assert_memory_equal(got.sums, more.sums, (size_t)C[i] * sizeof *got.sums);
                }
                run(&POOLINGS[p], C[i], nan, "cpu", NULL, 2, "layout,fuse", &got);
                compare(&got, &want, C[i]);
            }
}

/* Sums over so many rows that they are cut into parts. */
static void sum_rows(const char *device, unsigned threads, int64_t rows, int64_t c, float *out) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.device = device;
    options.threads = threads;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(rows, c));
    dpr_value sum = dpr_sum(g, dpr_scale(g, x, 0.5), 1, false);
    dpr_store *store;
    dpr_program *program;
    float *values = malloc((size_t)(rows * c) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < rows * c; i++)
        values[i] = (float)(i * 7919 % 2003) / 1000 - 1;
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(g, store, &sum, 1, NULL, &program), DPR_OK);
    assert_int_equal(dpr_store_write(store, "x", values, (size_t)(rows * c) * 4), DPR_OK);
    assert_int_equal(dpr_program_run(program, 2, NULL, NULL), DPR_OK);
    assert_int_equal(dpr_program_read(program, sum, out, (size_t)c * 4), DPR_OK);
    free(values);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
}

static void sums_in_parts_agree(void **state) {
    (void)state;
    static const int64_t ROWS[] = {4095, 4096, 5000, 9217}, C[] = {2, 16, 33};
    float want[MOST_C], got[MOST_C], more[MOST_C];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) {
            sum_rows("ref", 1, ROWS[i], C[j], want);
            sum_rows("cpu", 1, ROWS[i], C[j], got);
            sum_rows("cpu", 3, ROWS[i], C[j], more);
            expect_near("sum", got, want, (size_t)C[j], 4e-6 * 100 * sqrt((double)ROWS[i]));
            assert_memory_equal(got, more, (size_t)C[j] * sizeof *got);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(maps_agree),
                                       cmocka_unit_test(sums_in_parts_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
