/* The AMX kernel with its tile instructions played by plain C, for machines that have none: what it loads, in which order it sums and what it
 * leaves to the vector kernel is the same code. Needs AVX512-bf16, on which it rests. */
#define DPR_EMULATE_TILES
#define dpr__matmul_bf16_amx dpr__matmul_bf16_emulated
#include "backend/cpu/tile_half_amx.c"
#undef dpr__matmul_bf16_amx
#include "base/random.h"
#include "ir/op.h"
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <cmocka.h>

static void fill(float *x, int64_t n, uint32_t stream) {
    for (int64_t i = 0; i < n; i++) {
        dpr__draw draw = dpr__philox(7, DPR__PURPOSE_LETTERS, stream, (uint64_t)i);
        x[i] = dpr__from_bf16(dpr__to_bf16((float)(6 * dpr__unit(draw.word[0]) - 3)));
    }
}

static int n_strips;
static void count_rows(const dpr__strip_call *call, int64_t first, int64_t rows) {
    (void)call, (void)first;
    n_strips += (int)rows;
}

static void test_product(int64_t m, int64_t n, int64_t k) {
    dpr_shape a_shape = dpr_shape_of(m, k), b_shape = dpr_shape_of(k, n),
              c_shape = dpr_shape_of(m, n);
    float *a = calloc((size_t)(m * k), 4), *b = calloc((size_t)(k * n), 4);
    float *want = calloc((size_t)(m * n), 4), *got = calloc((size_t)(m * DPR__PANEL), 4);
    char *a_half = calloc(1, dpr__form_bytes(DPR__HALF_ROWS, &a_shape, 4));
    char *b_half = calloc(1, dpr__form_bytes(DPR__HALF_PAIRS, &b_shape, 4));
    fill(a, m * k, 1);
    fill(b, k * n, 2);
    dpr__form_copy(a_half, DPR__HALF_ROWS, a, DPR__PLAIN, &a_shape, 4);
    dpr__form_copy(b_half, DPR__HALF_PAIRS, b, DPR__PLAIN, &b_shape, 4);
    dpr__matmul_param param = {0};
    dpr__tensor src[2] = {{DPR_F32, a_shape, a, DPR__PLAIN}, {DPR_F32, b_shape, b, DPR__PLAIN}};
    dpr__op_matmul.reference(&(dpr__call){&param, src, {DPR_F32, c_shape, want, DPR__PLAIN}, NULL});
    n_strips = 0;
    dpr__tile_call call = {.a = (const float *)(const void *)a_half,
                           .a_chunk = m * CHUNK,
                           .a_row = CHUNK,
                           .b = (const float *)(const void *)b_half,
                           .m = m,
                           .columns = n,
                           .k = (k + 1) / 2,
                           .c = got,
                           .c_stride = DPR__PANEL,
                           .strip = count_rows};
    dpr__matmul_bf16_emulated.multiply(&call);
    assert_int_equal(n_strips, m);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            if (!(fabsf(got[i * DPR__PANEL + j] - want[i * n + j]) <= 3e-6F * (float)(k + 1)))
                fail_msg("%lld x %lld x %lld: element (%lld, %lld) is %g, not %g", (long long)m,
                         (long long)n, (long long)k, (long long)i, (long long)j,
                         (double)got[i * DPR__PANEL + j], (double)want[i * n + j]);
    call.add = true; /* once more on top: twice as much */
    dpr__matmul_bf16_emulated.multiply(&call);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            assert_true(fabsf(got[i * DPR__PANEL + j] - 2 * want[i * n + j]) <=
                        6e-6F * (float)(k + 1));
    free(a), free(b), free(want), free(got), free(a_half), free(b_half);
}

static void products(void **state) {
    (void)state;
    static const int64_t M[] = {1, 15, 16, 17, 31, 32, 33, 48, 63, 64, 128};
    static const int64_t N[] = {1, 10, 16, 17, 32}, K[] = {1, 2, 31, 32, 33, 63, 64, 65, 200};
    for (size_t i = 0; i < sizeof M / sizeof *M; i++)
        for (size_t j = 0; j < sizeof N / sizeof *N; j++)
            for (size_t l = 0; l < sizeof K / sizeof *K; l++)
                test_product(M[i], N[j], K[l]);
}

static void rows_are_turned(void **state) {
    (void)state;
    float src[16 * 32], dst[32 * 16];
    fill(src, 16 * 32, 3);
    dpr__matmul_bf16_emulated.turn_rows(src, dst);
    for (int i = 0; i < 32; i++)
        for (int l = 0; l < 16; l++)
            assert_memory_equal(&dst[i * 16 + l], &src[l * 32 + i], sizeof(float));
}

int main(void) {
    if (dpr__isa_detect() < DPR__ISA_AVX512BF16) {
        puts("skipped: amx_emulated_test: this machine has no AVX512-bf16");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(products),
                                       cmocka_unit_test(rows_are_turned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
