/* Every row of kernels.def against the reference kernel of its op: sizes 0, 1, tile±1, unaligned, in place, with guard
 * words around the result. A kernel whose ISA this machine lacks is skipped, saying so. */
#include "backend/cpu/kernel.h"
#include "base/random.h"
#include "ir/shape.h"
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { GUARD = 16, MOST = 1100 };
static const float GUARD_VALUE = -12345.5F;

static const int64_t SIZES[] = {0,  1,  2,  3,  4,  5,   7,   8,   9,   15,
                                16, 17, 31, 32, 33, 255, 256, 257, 1025};
enum { N_SIZES = sizeof SIZES / sizeof *SIZES };

/* A fixed stream of values in (−3, 3), some exactly 0. */
static float value_at(uint32_t stream, uint64_t i) {
    dpr__draw draw = dpr__philox(7, DPR__PURPOSE_LETTERS, stream, i);
    return draw.word[1] % 11 == 0 ? 0 : (float)(6 * dpr__unit(draw.word[0]) - 3);
}

static void fill(float *x, int64_t n, uint32_t stream) {
    for (int64_t i = 0; i < n; i++)
        x[i] = value_at(stream, (uint64_t)i);
}

static bool runs_here(const dpr__kernel *kernel) {
    if (kernel->isa <= dpr__isa_detect())
        return true;
    print_message("skipped %s: this machine has no %s\n", kernel->name, dpr__isa_name(kernel->isa));
    return false;
}

static void expect_near(const char *name, float got, float want, double tolerance, int64_t at) {
    if ((isnan(got) && isnan(want)) || got == want)
        return;
    double error = fabs((double)got - (double)want);
    if (!(error <= tolerance))
        fail_msg("%s: element %lld is %.9g, the reference says %.9g", name, (long long)at,
                 (double)got, (double)want);
}

static void expect_guards(const char *name, const float *begin, const float *end) {
    for (int i = 1; i <= GUARD; i++)
        if (begin[-i] != GUARD_VALUE || end[i - 1] != GUARD_VALUE)
            fail_msg("%s writes outside its result", name);
}

static void set_guarded(float *x, int64_t n) {
    for (int64_t i = 0; i < n + 2 * GUARD; i++)
        x[i] = GUARD_VALUE;
}

/* ---- SPAN ---- */

static void test_span(const dpr__kernel *kernel, int64_t n, int64_t offset, bool in_place) {
    static float a[MOST + 8], b[MOST + 8], got[MOST + 2 * GUARD], want[MOST];
    static unsigned char bytes[MOST + 8];
    static int32_t integers[MOST + 8];
    fill(a, n + offset, 1);
    fill(b, n + offset, 2);
    if (kernel->op == DPR__OP_log || kernel->op == DPR__OP_sqrt || kernel->op == DPR__OP_divide)
        for (int64_t i = 0; i < n + offset; i++) {
            a[i] = fabsf(a[i]) + 0.01F;
            b[i] = fabsf(b[i]) + 0.01F;
        }
    for (int64_t i = 0; i < n + offset; i++) {
        bytes[i] = (unsigned char)(i * 37);
        integers[i] = (int32_t)(i * 1000003 - 5);
    }
    if (n > 2)
        a[offset + 2] = NAN; /* it must come out as the reference says */
    void *first = kernel->dtype == DPR_U8    ? (void *)(bytes + offset)
                  : kernel->dtype == DPR_I32 ? (void *)(integers + offset)
                                             : (void *)(a + offset);
    dpr__scale_param scale = {.factor = -0.37};
    dpr__cast_param cast = {.dtype = DPR_F32};
    const void *param = kernel->op == DPR__OP_scale  ? (const void *)&scale
                        : kernel->op == DPR__OP_cast ? (const void *)&cast
                                                     : NULL;
    dpr_shape shape = dpr_shape_of(n);
    dpr__tensor src[2] = {{kernel->dtype, shape, first}, {DPR_F32, shape, b + offset}};
    dpr__ops[kernel->op]->reference(&(dpr__call){param, src, {DPR_F32, shape, want}});
    set_guarded(got, n);
    float *dst = got + GUARD;
    const void *from = first;
    if (in_place && kernel->dtype == DPR_F32) {
        memcpy(dst, first, (size_t)n * sizeof *dst);
        from = dst;
    }
    kernel->run.span(param, from, dpr__op_arity[kernel->op] > 1 ? b + offset : NULL, dst,
                     (size_t)n);
    for (int64_t i = 0; i < n; i++)
        expect_near(kernel->name, dst[i], want[i], 2e-6 * (fabs((double)want[i]) + 1e-3), i);
    expect_guards(kernel->name, dst, dst + n);
}

static void spans(void **state) {
    (void)state;
    for (size_t k = 0; k < dpr__n_kernels; k++) {
        if (dpr__kernels[k].class != DPR__SPAN || !runs_here(&dpr__kernels[k]))
            continue;
        for (int s = 0; s < N_SIZES; s++)
            for (int64_t offset = 0; offset < 2; offset++) {
                test_span(&dpr__kernels[k], SIZES[s], offset, false);
                test_span(&dpr__kernels[k], SIZES[s], offset, true);
            }
    }
}

/* ---- TILE ---- */

static void test_tile(const dpr__kernel *kernel, int64_t m, int64_t n, int64_t k, bool ta,
                      bool tb) {
    size_t a_n = (size_t)(m * k) + 1, b_n = (size_t)(k * n) + 1;
    float *a = calloc(a_n, sizeof *a), *b = calloc(b_n, sizeof *b);
    float *packed = aligned_alloc(64, DPR__TILE_PACKED * sizeof *packed);
    float *want = calloc((size_t)(m * n) + 1, sizeof *want);
    int64_t ldc = n + 3;
    float *got = calloc((size_t)(m * ldc) + 2 * GUARD, sizeof *got);
    assert_non_null(packed);
    /* Offset by one float: nothing may rely on alignment. */
    fill(a, m * k + 1, 3);
    fill(b, k * n + 1, 4);
    set_guarded(got, m * ldc);
    dpr__matmul_param param = {.transpose_a = ta, .transpose_b = tb};
    dpr__tensor src[2] = {{DPR_F32, ta ? dpr_shape_of(k, m) : dpr_shape_of(m, k), a + 1},
                          {DPR_F32, tb ? dpr_shape_of(n, k) : dpr_shape_of(k, n), b + 1}};
    dpr__op_matmul.reference(&(dpr__call){&param, src, {DPR_F32, dpr_shape_of(m, n), want}});
    dpr__tile_call call = {.a = a + 1,
                           .b = b + 1,
                           .a_row = ta ? 1 : k,
                           .a_column = ta ? m : 1,
                           .b_row = tb ? 1 : n,
                           .b_column = tb ? k : 1,
                           .m = m,
                           .n = n,
                           .k = k,
                           .c = got + GUARD,
                           .ldc = ldc,
                           .packed = packed};
    kernel->run.tile(&call);
    if (k <= DPR__TILE_K) { /* again, with b as the first call packed it: the same bits */
        float *once = malloc((size_t)(m * ldc) * sizeof *once + 1);
        assert_non_null(once);
        memcpy(once, got + GUARD, (size_t)(m * ldc) * sizeof *once);
        call.b_is_packed = true;
        kernel->run.tile(&call);
        assert_memory_equal(got + GUARD, once, (size_t)(m * ldc) * sizeof *once);
        free(once);
    }
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++)
            expect_near(kernel->name, got[GUARD + i * ldc + j], want[i * n + j],
                        1e-6 * (double)(k + 1) * 3, i * n + j);
        for (int64_t j = n; j < ldc; j++)
            if (got[GUARD + i * ldc + j] != GUARD_VALUE)
                fail_msg("%s writes beyond a row of its result", kernel->name);
    }
    expect_guards(kernel->name, got + GUARD, got + GUARD + m * ldc);
    free(a), free(b), free(packed), free(want), free(got);
}

static void tiles(void **state) {
    (void)state;
    static const int64_t M[] = {1, 2, 5, 6, 7, 13, 14, 15, 127, 128};
    static const int64_t N[] = {1, 3, 8, 10, 15, 16, 17, 31, 32, 33, 255, 256};
    static const int64_t K[] = {0, 1, 2, 17, 255, 256, 257, 700};
    for (size_t t = 0; t < dpr__n_kernels; t++) {
        if (dpr__kernels[t].class != DPR__TILE || !runs_here(&dpr__kernels[t]))
            continue;
        for (size_t i = 0; i < sizeof M / sizeof *M; i++)
            for (size_t j = 0; j < sizeof N / sizeof *N; j++)
                for (size_t l = 0; l < sizeof K / sizeof *K; l++) {
                    if (M[i] * N[j] * K[l] > 4000000) /* the reference is slow */
                        continue;
                    unsigned flags = (unsigned)(i + j + l); /* all four forms come up */
                    test_tile(&dpr__kernels[t], M[i], N[j], K[l], flags & 1, flags & 2);
                }
        for (unsigned flags = 0; flags < 4; flags++)
            test_tile(&dpr__kernels[t], 29, 45, 300, flags & 1, flags & 2);
    }
}

/* ---- ROWS ---- */

struct rows_case {
    dpr__call call;
    dpr__tensor src[2];
    const void *param;
};

static float pool[MOST * 4], other[MOST * 4];
static int32_t index_values[MOST];
static uint64_t seed = 99, tick = 1234567890123U;
static dpr__sum_param sum_param;
static dpr__one_hot_param one_hot_param = {.classes = 5};
static dpr__draw_param draw_param;

/* Arguments for the kernel over rows × columns; false where it does not take them. */
static bool make_case(const dpr__kernel *kernel, int64_t rows, int64_t columns, bool last,
                      struct rows_case *c) {
    fill(pool, rows * columns, 5);
    fill(other, rows * columns, 6);
    for (int64_t i = 0; i < rows; i++)
        index_values[i] = (int32_t)(i * 7 % 13 - 3); /* some outside */
    dpr_shape space = dpr_shape_of(rows, columns);
    dpr_dtype dtype = kernel->dtype;
    *c = (struct rows_case){.src = {{dtype, space, pool}, {DPR_F32, space, other}}};
    c->call = (dpr__call){NULL, c->src, {DPR_F32, space, NULL}};
    switch (kernel->op) {
    case DPR__OP_softmax_cross_entropy:
        c->call.dst.shape = dpr_shape_of(rows);
        break;
    case DPR__OP_argmax:
        c->call.dst = (dpr__tensor){DPR_I32, dpr_shape_of(rows), NULL};
        break;
    case DPR__OP_sum:
        sum_param = (dpr__sum_param){.axes = last ? 2 : 1};
        c->call.param = &sum_param;
        c->call.dst.shape = last ? dpr_shape_of(rows) : dpr_shape_of(columns);
        break;
    case DPR__OP_gather:
        c->src[1] = (dpr__tensor){DPR_I32, dpr_shape_of(rows), index_values};
        c->call.dst.dtype = dtype;
        break;
    case DPR__OP_one_hot:
        c->src[0] = (dpr__tensor){DPR_I32, dpr_shape_of(rows), index_values};
        c->call.param = &one_hot_param;
        c->call.dst.shape = dpr_shape_of(rows, 5);
        break;
    case DPR__OP_draw:
        draw_param = (dpr__draw_param){.ordinal = 3, .shape = space};
        c->src[0] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &seed};
        c->src[1] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &tick};
        c->call.param = &draw_param;
        break;
    default:
        break;
    }
    return kernel->run.rows->accepts(&c->call);
}

static void test_rows(const dpr__kernel *kernel, int64_t rows, int64_t columns, bool last) {
    struct rows_case c;
    static float want[MOST * 4], got[MOST * 4 + 2 * GUARD];
    if (rows * columns == 0 || !make_case(kernel, rows, columns, last, &c))
        return;
    c.call.dst.data = want;
    dpr__ops[kernel->op]->reference(&c.call);
    size_t bytes = (size_t)dpr__shape_count(&c.call.dst.shape) * dpr__dtype_bytes(c.call.dst.dtype);
    int64_t units = kernel->run.rows->units(&c.call);
    /* In one piece, and cut in two: the same. */
    for (int64_t cut = 0; cut <= units; cut += units > 2 ? units / 2 : 1) {
        set_guarded(got, MOST * 4);
        c.call.dst.data = got + GUARD;
        kernel->run.rows->run(&c.call, 0, cut);
        kernel->run.rows->run(&c.call, cut, units);
        if (c.call.dst.dtype != DPR_F32)
            assert_memory_equal(got + GUARD, want, bytes);
        else
            for (size_t i = 0; i < bytes / sizeof *got; i++)
                expect_near(kernel->name, got[GUARD + i], want[i],
                            4e-6 * (fabs((double)want[i]) + 1) * sqrt((double)(rows + columns)),
                            (int64_t)i);
        for (int i = 0; i < GUARD; i++)
            if (got[i] != GUARD_VALUE || got[GUARD + (bytes + 3) / 4 + (size_t)i] != GUARD_VALUE)
                fail_msg("%s writes outside its result", kernel->name);
    }
}

static void rows(void **state) {
    (void)state;
    static const int64_t ROWS[] = {0, 1, 2, 5, 16, 33}, COLUMNS[] = {0, 1, 2, 10, 15, 16, 17, 100};
    for (size_t k = 0; k < dpr__n_kernels; k++) {
        if (dpr__kernels[k].class != DPR__ROWS || !runs_here(&dpr__kernels[k]))
            continue;
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
            for (size_t j = 0; j < sizeof COLUMNS / sizeof *COLUMNS; j++) {
                test_rows(&dpr__kernels[k], ROWS[i], COLUMNS[j], true);
                test_rows(&dpr__kernels[k], ROWS[i], COLUMNS[j], false);
            }
    }
}

/* The checks themselves can fail: a kernel that is off by one element or writes too far is caught. */
static void broken(const void *param, const void *a, const void *b, float *dst, size_t n) {
    (void)param, (void)b;
    for (size_t i = 0; i < n; i++)
        dst[i] = ((const float *)a)[i] > 0 ? ((const float *)a)[i] : 0;
    if (n > 16)
        dst[16] += 1e-3F;
}

static void a_wrong_kernel_is_seen(void **state) {
    (void)state;
    float x[32], got[32], want[32];
    fill(x, 32, 8);
    broken(NULL, x, NULL, got, 32);
    dpr__tensor src = {DPR_F32, dpr_shape_of(32), x};
    dpr__op_relu.reference(&(dpr__call){NULL, &src, {DPR_F32, dpr_shape_of(32), want}});
    int differing = 0;
    for (int i = 0; i < 32; i++)
        differing += !(fabsf(got[i] - want[i]) <= 2e-6F * (fabsf(want[i]) + 1e-3F));
    assert_int_equal(differing, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans), cmocka_unit_test(tiles),
                                       cmocka_unit_test(rows),
                                       cmocka_unit_test(a_wrong_kernel_is_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
