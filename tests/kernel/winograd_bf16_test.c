/* Convolutions by Winograd's algorithm whose products are of bf16 (ops/winograd.c), and their gradients, on the cpu device against the reference, with any number of threads, and
 * against float32. */
#include "kernel/convolution_support.h"

static const struct geometry GEOMETRIES[] = {
    G(8, 16, 16, 32, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(40, 7, 7, 32, 40, 3, 3, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(17, 3, 3, 100, 258, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(17, 3, 3, 260, 98, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(3, 16, 13, 64, 96, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 16, 14, 40, 100, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
};

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
        dpr_context_options options = dpr_context_options_default();
        options.threads = 1;
        run(g, OF_LEAF, options, &more);
        options.precision = "bf16";
        run(g, OF_LEAF, options, &got);
        expect_other_bits(&more, &got);
        options.device = "ref";
        run(g, OF_LEAF, options, &want);
        expect_results_alike(i, &got, &want);
        options.device = "cpu";
        for (options.threads = 2; options.threads < 4; options.threads++) {
            run(g, OF_LEAF, options, &more);
            expect_same_bits(&more, &got);
        }
        options.disabled_passes = "layout,fuse";
        run(g, OF_LEAF, options, &got);
        expect_results_alike(i, &got, &want);
    }
}

/* Random data of mean 0 and filters as He et al. draw them: how far results in bf16 are from those of float32, root of the mean square, as a part of
 * these. Direct products of rounded operands give 0.0024; docs/numerics.md has more. */
static void errors_are_small(void **state) {
    (void)state;
    static struct results want, got;
    const struct geometry g = G(16, 8, 8, 64, 64, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1);
    dpr_context_options options = dpr_context_options_default();
    run(&g, OF_LEAF_LINEAR, options, &want);
    options.precision = "bf16";
    run(&g, OF_LEAF_LINEAR, options, &got);
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
