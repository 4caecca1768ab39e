/* Convolutions by Winograd's algorithm whose products are of bf16 (ops/winograd.c), and their gradients, on the cpu device against the reference, with any number of threads, and
 * against float32. */
#include "base/context.h"
#include "base/random.h"
#include <deeper/deeper.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct geometry {
    int64_t n, h, w, c, oc, kh, kw;
    dpr_conv_options options;
};

#define G(n, h, w, c, oc, kh, kw, ...)                                                             \
    {                                                                                              \
        n, h, w, c, oc, kh, kw, {                                                                  \
            sizeof(dpr_conv_options), __VA_ARGS__                                                  \
        }                                                                                          \
    }

static const struct geometry GEOMETRIES[] = {
    G(8, 16, 16, 32, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(40, 7, 7, 32, 40, 3, 3, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(17, 3, 3, 100, 258, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(17, 3, 3, 260, 98, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(3, 16, 13, 64, 96, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 16, 14, 40, 100, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
};

enum { MOST = 1 << 18 };

struct results {
    float y[MOST], dx[MOST], dw[MOST];
    size_t ny, nx, nw;
};

static size_t count_of(dpr_shape shape) {
    size_t n = 1;
    for (uint32_t i = 0; i < shape.rank; i++)
        n *= (size_t)shape.dim[i];
    return n;
}

static void fill(dpr_store *store, const char *leaf, size_t n, unsigned seed) {
    float *values = malloc(n * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] =
            (float)(2 * dpr__unit(dpr__philox(seed, DPR__PURPOSE_LETTERS, 0, i).word[0]) - 1);
    assert_int_equal(dpr_store_write(store, leaf, values, n * sizeof *values), DPR_OK);
    free(values);
}

struct way {
    const char *device, *precision, *isa;
    unsigned threads;
    const char *disabled; /* passes */
    bool linear;          /* without relu */
};

static void run(const struct geometry *g, struct way way, struct results *out) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.device = way.device;
    options.precision = way.precision;
    options.cpu_isa = way.isa;
    options.threads = way.threads;
    options.disabled_passes = way.disabled;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_graph *graph = dpr_graph_create(context);
    dpr_value x = dpr_input(graph, "x", DPR_F32, dpr_shape_of(g->n, g->h, g->w, g->c));
    dpr_shape filters = dpr_shape_of(g->kh, g->kw, g->c / g->options.groups, g->oc);
    dpr_value w = dpr_parameter(graph, "w", filters, DPR_INIT_HE);
    dpr_value b = dpr_parameter(graph, "b", dpr_shape_of(g->oc), DPR_INIT_ONE);
    dpr_value sum = dpr_add(graph, dpr_conv2d(graph, x, w, &g->options), b);
    dpr_value y = way.linear ? sum : dpr_relu(graph, sum);
    dpr_shape shape = dpr_value_shape(graph, y);
    dpr_value t = dpr_input(graph, "t", DPR_F32, shape);
    dpr_value loss = dpr_sum(graph, dpr_multiply(graph, y, t), 15, false), gradients[2];
    assert_int_equal(dpr_gradients(graph, loss, (dpr_value[]){x, w}, 2, gradients), DPR_OK);
    dpr_value roots[] = {y, gradients[0], gradients[1]};
    dpr_store *store;
    dpr_program *program;
    out->ny = count_of(shape), out->nw = count_of(filters);
    out->nx = (size_t)(g->n * g->h * g->w * g->c);
    assert_true(out->ny <= MOST && out->nx <= MOST && out->nw <= MOST);
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(graph, store, roots, 3, NULL, &program), DPR_OK);
    fill(store, "x", out->nx, 1), fill(store, "w", out->nw, 2), fill(store, "t", out->ny, 3);
    for (int tick = 0; tick < 2; tick++) /* the second finds what the first left behind */
        assert_int_equal(dpr_program_run(program, 1, NULL, NULL), DPR_OK);
    assert_int_equal(dpr_program_read(program, y, out->y, out->ny * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[0], out->dx, out->nx * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[1], out->dw, out->nw * 4), DPR_OK);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(graph);
    dpr_context_destroy(context);
}

/* The same but for roundings that fall the other way, since transforms in float32 differ in their last digits: seldom, and by little. */
static void expect_rounded_alike(const char *what, size_t g, const float *got, const float *want,
                                 size_t n) {
    double error = 0, sum = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = (double)got[i] - (double)want[i];
        assert_true(isfinite(difference));
        error += difference * difference;
        sum += (double)want[i] * (double)want[i];
        most = fabs(difference) > most ? fabs(difference) : most;
    }
    double size = sqrt(sum / (double)n);
    if (sqrt(error / (double)n) > 4e-3 * size || most > 0.1 * size)
        fail_msg("geometry %zu: %s is off by %g in the mean, %g at most, of %g", g, what,
                 sqrt(error / (double)n), most, size);
}

static void expect_results_alike(size_t g, const struct results *got, const struct results *want) {
    expect_rounded_alike("y", g, got->y, want->y, want->ny);
    expect_rounded_alike("dx", g, got->dx, want->dx, want->nx);
    expect_rounded_alike("dw", g, got->dw, want->dw, want->nw);
}

static void geometries_agree_in_bf16(void **state) {
    (void)state;
    static struct results want, got, more;
    if (dpr__isa_detect() < DPR__ISA_AVX512BF16)
        skip();
    for (size_t i = 0; i < sizeof GEOMETRIES / sizeof *GEOMETRIES; i++) {
        const struct geometry *g = &GEOMETRIES[i];
        run(g, (struct way){"cpu", NULL, NULL, 1, NULL, false}, &more);
        run(g, (struct way){"cpu", "bf16", NULL, 1, NULL, false}, &got);
        assert_memory_not_equal(more.y, got.y, got.ny * sizeof *got.y);
        assert_memory_not_equal(more.dx, got.dx, got.nx * sizeof *got.dx);
        assert_memory_not_equal(more.dw, got.dw, got.nw * sizeof *got.dw);
        run(g, (struct way){"ref", "bf16", NULL, 1, NULL, false}, &want);
        expect_results_alike(i, &got, &want);
        for (unsigned threads = 2; threads < 4; threads++) {
            run(g, (struct way){"cpu", "bf16", NULL, threads, NULL, false}, &more);
            assert_memory_equal(more.y, got.y, got.ny * sizeof *got.y);
            assert_memory_equal(more.dx, got.dx, got.nx * sizeof *got.dx);
            assert_memory_equal(more.dw, got.dw, got.nw * sizeof *got.dw);
        }
        run(g, (struct way){"cpu", "bf16", NULL, 2, "layout,fuse", false}, &got);
        expect_results_alike(i, &got, &want);
    }
}

/* Random data of mean 0 and filters as He et al. draw them: how far results in bf16 are from those of float32, root of the mean square, as a part of
 * these. Direct products of rounded operands give 0.0024; docs/numerics.md has more. */
static void errors_are_small(void **state) {
    (void)state;
    static struct results want, got;
    const struct geometry g = G(16, 8, 8, 64, 64, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1);
    run(&g, (struct way){"cpu", NULL, NULL, 2, NULL, true}, &want);
    run(&g, (struct way){"cpu", "bf16", NULL, 2, NULL, true}, &got);
    const float *pair[3][2] = {{got.y, want.y}, {got.dx, want.dx}, {got.dw, want.dw}};
    const size_t n[3] = {want.ny, want.nx, want.nw};
    for (int k = 0; k < 3; k++) {
        double error = 0, sum = 0;
        for (size_t i = 0; i < n[k]; i++) {
            double difference = (double)pair[k][0][i] - (double)pair[k][1][i];
            error += difference * difference;
            sum += (double)pair[k][1][i] * (double)pair[k][1][i];
        }
        assert_true(error <= 0.015 * 0.015 * sum);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(geometries_agree_in_bf16),
                                       cmocka_unit_test(errors_are_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
