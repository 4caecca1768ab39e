/* Convolutions and their gradients on the cpu device against the reference, over geometries, instruction sets, threads, and in both precisions. */
#include "kernel/convolution_support.h"

static const struct geometry GEOMETRIES[] = {
    G(2, 5, 5, 1, 6, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 12, 12, 3, 12, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 28, 28, 1, 6, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 1),
    G(3, 14, 14, 6, 16, 5, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(2, 8, 8, 16, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 9, 7, 31, 33, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 8, 8, 32, 64, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 9, 9, 33, 40, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 8, 8, 3, 24, 2, 2, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(1, 7, 9, 5, 7, 3, 2, {2, 3}, {2, 1}, {3, 0, 1, 2}, 1),
    G(1, 6, 6, 200, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 12, 12, 4, 4, 1, 1, {2, 2}, {1, 1}, {0, 0, 0, 0}, 1),
    G(2, 11, 11, 2, 3, 3, 3, {1, 1}, {3, 3}, {3, 3, 3, 3}, 1),
    G(1, 4, 4, 64, 2, 4, 4, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(1, 1, 1, 8, 8, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 4, 5, 3, 5, 1, 1, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 5, 6, 3, 9, 1, 2, {2, 3}, {1, 1}, {2, 1, 3, 2}, 1),
    G(1, 130, 3, 2, 5, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    /* few channels: lanes over pixels, or over what a window has in a row */
    G(3, 10, 17, 1, 8, 5, 3, {1, 1}, {1, 1}, {2, 2, 1, 1}, 1),
    G(2, 9, 33, 4, 5, 3, 3, {2, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 9, 40, 12, 3, 3, 4, {1, 1}, {2, 2}, {0, 2, 3, 3}, 1),
    G(20, 12, 12, 8, 16, 5, 5, {2, 2}, {1, 1}, {2, 2, 2, 2}, 1),
    G(5, 11, 13, 6, 12, 3, 5, {1, 2}, {2, 1}, {1, 1, 0, 3}, 1),
    G(2, 9, 5, 6, 16, 3, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(3, 30, 31, 2, 7, 4, 4, {1, 1}, {1, 1}, {3, 0, 0, 3}, 1),
    /* by Winograd: many channels, some tiles of 4 × 4 */
    G(8, 16, 16, 32, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(32, 8, 8, 24, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(9, 13, 15, 33, 25, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(40, 7, 7, 32, 40, 3, 3, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(60, 5, 6, 24, 30, 3, 3, {1, 1}, {1, 1}, {2, 0, 1, 1}, 1),
    G(128, 4, 4, 32, 31, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(140, 2, 3, 70, 24, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(4, 16, 16, 16, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(3, 17, 15, 17, 48, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(16, 4, 4, 33, 40, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(17, 3, 3, 100, 257, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(17, 3, 3, 260, 99, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(17, 3, 3, 100, 258, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(17, 3, 3, 260, 98, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(3, 16, 13, 64, 96, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 9, 10, 20, 70, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 44, 46, 24, 24, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    /* one image: tiles are panels of filters, or few rows of an image */
    G(1, 5, 4, 40, 130, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 7, 7, 40, 100, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 16, 16, 16, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 13, 15, 32, 30, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 16, 14, 40, 100, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
};

/* Of single pixels, depthwise, in groups: never by Winograd, so that sums of small integers are exact. */
static const struct geometry DIRECT[] = {
    G(3, 5, 7, 33, 40, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(2, 9, 16, 64, 31, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(2, 4, 5, 20, 8, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(5, 3, 3, 290, 260, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(0, 4, 4, 40, 70, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(1, 6, 5, 9, 9, 3, 3, {2, 1}, {1, 1}, {1, 0, 1, 2}, 9),
    G(2, 9, 11, 31, 31, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 31),
    G(3, 8, 8, 32, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 32),
    G(2, 7, 5, 33, 33, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 33),
    G(18, 4, 4, 70, 70, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 70),
    G(2, 16, 16, 16, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 16),
    G(2, 16, 16, 8, 8, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 8),
    G(1, 8, 8, 5, 5, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 5),
    G(2, 7, 7, 3, 3, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 3),
    G(1, 9, 40, 40, 40, 5, 5, {2, 2}, {1, 1}, {2, 2, 2, 2}, 40),
    G(1, 15, 14, 17, 17, 7, 7, {1, 1}, {1, 1}, {3, 3, 3, 3}, 17),
    G(1, 13, 12, 20, 20, 3, 3, {1, 1}, {3, 2}, {3, 2, 3, 2}, 20),
    G(2, 12, 13, 6, 6, 3, 4, {3, 2}, {2, 3}, {1, 4, 2, 0},
      6), /* strides that dilations share factors with */
    G(1, 11, 12, 10, 10, 3, 3, {2, 4}, {2, 2}, {2, 2, 2, 2}, 10),
    G(1, 5, 4, 34, 34, 2, 3, {1, 1}, {1, 1}, {5, 4, 3, 6}, 34), /* padding wider than the filter */
    G(2, 2, 2, 48, 48, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 48), /* filters wider than the map */
    G(1, 1, 1, 64, 64, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 64),
    G(2, 6, 6, 12, 12, 1, 1, {2, 2}, {1, 1}, {0, 0, 0, 0}, 12),
    G(1, 6, 7, 12, 12, 2, 2, {3, 3}, {1, 1}, {0, 0, 0, 0}, 12),
    G(0, 5, 5, 12, 12, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 12),
    G(1, 6, 6, 8, 8, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4),
    G(2, 7, 6, 32, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2),
    G(2, 6, 7, 64, 128, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 2),
    G(1, 8, 8, 96, 48, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4),
    G(2, 5, 7, 34, 66, 3, 2, {2, 1}, {1, 1}, {1, 0, 2, 3}, 2),
    G(1, 7, 7, 51, 21, 3, 3, {1, 1}, {2, 2}, {2, 2, 2, 2}, 3),
    G(1, 6, 5, 70, 70, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 7),
    G(2, 8, 8, 5, 10, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 5), /* two results for each channel */
    G(2, 8, 8, 33, 99, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 33),
    G(1, 8, 8, 16, 8, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 8), /* two channels for each result */
    G(0, 4, 4, 8, 8, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2),
};

/* From 16 channels on, even: bf16 where Winograd does not pay, and with AMX there, too. */
static const struct geometry GEOMETRIES_IN_BF16[] = {
    G(2, 12, 12, 16, 16, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(3, 9, 7, 16, 32, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 13, 33, 18, 34, 3, 3, {2, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 14, 14, 16, 20, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 1),
    G(2, 8, 8, 32, 64, 1, 1, {2, 2}, {1, 1}, {0, 0, 0, 0}, 1),
    G(3, 7, 5, 64, 40, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(2, 11, 11, 22, 26, 3, 3, {1, 1}, {3, 2}, {3, 2, 3, 2}, 1),
    G(2, 9, 9, 16, 48, 3, 2, {2, 3}, {2, 1}, {3, 0, 1, 2}, 1),
    G(1, 6, 6, 200, 32, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 15, 15, 16, 16, 7, 7, {2, 2}, {1, 1}, {3, 3, 3, 3}, 1),
    G(2, 2, 2, 130, 66, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 1, 1, 16, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(1, 130, 3, 16, 16, 2, 2, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(4, 16, 16, 16, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(3, 17, 35, 18, 48, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(2, 5, 5, 15, 16, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    /* small images, some in a tile; more channels than a block's */
    G(37, 4, 4, 24, 64, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(29, 3, 3, 40, 48, 2, 3, {1, 1}, {1, 1}, {1, 0, 1, 1}, 1),
    G(19, 8, 8, 24, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(18, 7, 7, 160, 32, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(17, 7, 7, 16, 16, 2, 2, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(140, 1, 1, 32, 32, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1),
    G(0, 6, 6, 16, 32, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    /* gradients of filters that are summed over some strips of an image, the last of fewer rows, and over some groups of a chunk's images */
    G(1, 27, 31, 144, 18, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(150, 4, 4, 16, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1),
    G(3, 9, 13, 18, 20, 3, 3, {1, 2}, {1, 1}, {1, 1, 1, 1}, 1),
    G(3, 11, 13, 16, 24, 3, 3, {3, 3}, {1, 1}, {1, 1, 1, 1}, 1),
};

static void expect_near(const char *what, size_t g, const float *got, const float *want, size_t n,
                        double terms) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= 3e-6 * (terms + 1)))
            fail_msg("geometry %zu: %s[%zu] is %g, not %g", g, what, i, (double)got[i],
                     (double)want[i]);
}

static const char *const ISAS[] = {"generic", "avx2", "avx512", "avx512bf16", "amx"};

static void expect_same(const struct results *got, const struct results *want) {
    for (size_t i = 0; i < want->ny; i++)
        assert_true(got->y[i] == want->y[i]);
    for (size_t i = 0; i < want->nx; i++)
        assert_true(got->dx[i] == want->dx[i]);
    for (size_t i = 0; i < want->nw; i++)
        assert_true(got->dw[i] == want->dw[i]);
}

static void expect_all_near(size_t i, const struct geometry *g, const struct results *got,
                            const struct results *want) {
    expect_near("y", i, got->y, want->y, want->ny, (double)(g->kh * g->kw * g->c));
    expect_near("dx", i, got->dx, want->dx, want->nx, (double)(g->kh * g->kw * g->oc));
    expect_near("dw", i, got->dw, want->dw, want->nw, (double)(g->n * g->h * g->w));
}

static void expect_agreement(size_t i, const struct geometry *g, const char *precision) {
    static struct results want, got, more;
    dpr_context_options options = dpr_context_options_default();
    enum kind kind = precision != NULL ? OF_MAP : OF_LEAF;
    options.precision = precision;
    for (int isa = 0; isa <= (int)dpr__isa_detect(); isa++) {
        options.cpu_isa = ISAS[isa];
        options.threads = 1;
        options.device = "ref";
        if (isa == 0 || (isa == DPR__ISA_AMX && precision != NULL)) /* what is rounded differs */
            run(g, kind, options, &want);
        options.device = "cpu";
        run(g, kind, options, &got);
        expect_all_near(i, g, &got, &want);
        for (options.threads = 2; options.threads < 4; options.threads++) {
            run(g, kind, options, &more);
            expect_same_bits(&more, &got);
        }
    }
    options.disabled_passes = "layout,fuse";
    run(g, kind, options, &got);
    expect_all_near(i, g, &got, &want);
}

static void geometries_agree(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof GEOMETRIES / sizeof *GEOMETRIES; i++)
        expect_agreement(i, &GEOMETRIES[i], NULL);
}

static void direct_ones_agree(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof DIRECT / sizeof *DIRECT; i++)
        expect_agreement(i, &DIRECT[i], NULL);
}

static double product(const float *a, size_t n, unsigned seed) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)number(i, seed, true);
    return sum;
}

/* ⟨y, t⟩ = ⟨x, dx⟩ = ⟨w, dw⟩, exactly, and exactly what the reference says. */
static void direct_ones_are_exact(void **state) {
    (void)state;
    static struct results want, got;
    for (size_t i = 0; i < sizeof DIRECT / sizeof *DIRECT; i++) {
        dpr_context_options options = dpr_context_options_default();
        options.device = "ref";
        run(&DIRECT[i], OF_INTEGERS, options, &want);
        options.device = "cpu";
        options.threads = 2;
        for (int isa = 0; isa <= (int)dpr__isa_detect(); isa++) {
            options.cpu_isa = ISAS[isa];
            run(&DIRECT[i], OF_INTEGERS, options, &got);
            expect_same(&got, &want);
            assert_true(product(got.y, got.ny, 3) == product(got.dx, got.nx, 1));
            assert_true(product(got.y, got.ny, 3) == product(got.dw, got.nw, 2));
        }
    }
}

static void geometries_agree_in_bf16(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof GEOMETRIES_IN_BF16 / sizeof *GEOMETRIES_IN_BF16; i++)
        expect_agreement(i, &GEOMETRIES_IN_BF16[i], "bf16");
}

/* Operands that bf16 cannot hold give another result than in float32: neither precision passes for the other. */
static void bf16_rounds(void **state) {
    (void)state;
    static struct results exact, rounded;
    dpr_context_options options = dpr_context_options_default();
    const struct geometry *g = &GEOMETRIES_IN_BF16[0];
    run(g, OF_MAP, options, &exact);
    options.precision = "bf16";
    run(g, OF_MAP, options, &rounded);
    expect_other_bits(&rounded, &exact);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(geometries_agree), cmocka_unit_test(direct_ones_agree),
        cmocka_unit_test(direct_ones_are_exact), cmocka_unit_test(geometries_agree_in_bf16),
        cmocka_unit_test(bf16_rounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
