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

/* Pixels of a map: rows that overlap, some parts of k, and what is no number behind the last of them. */
static void test_pixels(int64_t m, int64_t row, int64_t k, int64_t parts, int64_t columns) {
    enum { MOST = 1 << 14 };
    static float a[MOST], b[MOST], want[64 * DPR__PANEL], got[64 * DPR__PANEL];
    int64_t pitch = (m - 1) * row + k, stride = columns > 16 ? 32 : 16;
    memset(a, 0xff, sizeof a);
    assert_true(parts * pitch <= MOST && parts * k * DPR__PANEL <= MOST && m <= 64);
    for (int64_t i = 0; i < 2 * parts * pitch; i++)
        ((uint16_t *)(void *)a)[i] = dpr__to_bf16((float)(i * 37 % 101) / 16 - 3);
    for (int64_t i = 0; i < 2 * parts * k * DPR__PANEL; i++)
        ((uint16_t *)(void *)b)[i] = dpr__to_bf16((float)(i * 53 % 97) / 16 - 3);
    dpr__tile_call call = {.a = a,
                           .a_chunk = CHUNK,
                           .a_row = row,
                           .b = b,
                           .m = m,
                           .columns = columns,
                           .k = k,
                           .parts = parts,
                           .a_part = pitch,
                           .b_part = k * DPR__PANEL,
                           .c = want,
                           .c_stride = stride};
    dpr__matmul_bf16_avx512bf16.multiply(&call);
    call.c = got;
    dpr__matmul_bf16_emulated.multiply(&call);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < columns; j++)
            if (!(fabsf(got[i * stride + j] - want[i * stride + j]) <=
                  1e-5F * (float)(k * parts + 1)))
                fail_msg("%lld pixels %lld apart, %lld x %lld: (%lld, %lld) is %g, not %g",
                         (long long)m, (long long)row, (long long)parts, (long long)k, (long long)i,
                         (long long)j, (double)got[i * stride + j], (double)want[i * stride + j]);
}

/* Rows that may be read beyond m, among them what is no number; c is not written there. Rows of b lie 32 floats apart or more. */
static void test_beyond(int64_t m, int64_t k, int64_t columns, int64_t b_row, bool add) {
    enum { MOST = 64, GUARD = 77 };
    static float a[(MOST + 16) * 64], b[64 * 96], packed[64 * DPR__PANEL];
    static float want[MOST * DPR__PANEL], got[MOST * DPR__PANEL];
    memset(a, 0xff, sizeof a);
    for (int64_t i = 0; i < 2 * m * k; i++)
        ((uint16_t *)(void *)a)[i] = dpr__to_bf16((float)(i * 37 % 101) / 16 - 3);
    for (int64_t i = 0; i < 2 * k * b_row; i++)
        ((uint16_t *)(void *)b)[i] = dpr__to_bf16((float)(i * 53 % 97) / 16 - 3);
    for (int64_t l = 0; l < k; l++)
        memcpy(packed + l * DPR__PANEL, b + l * b_row, DPR__PANEL * sizeof *b);
    for (size_t i = 0; i < sizeof got / sizeof *got; i++)
        want[i] = got[i] = GUARD;
    dpr__tile_call call = {.a = a,
                           .a_chunk = CHUNK,
                           .a_row = k,
                           .reads_beyond = true,
                           .b = packed,
                           .m = m,
                           .columns = columns,
                           .k = k,
                           .c = want,
                           .c_stride = DPR__PANEL,
                           .add = add};
    dpr__matmul_bf16_avx512bf16.multiply(&call);
    call.c = got;
    call.b = b;
    call.b_row = b_row;
    dpr__matmul_bf16_emulated.multiply(&call);
    for (int64_t i = 0; i < MOST; i++)
        for (int64_t j = 0; j < (i < m ? columns : DPR__PANEL); j++)
            if (!(fabsf(got[i * DPR__PANEL + j] - want[i * DPR__PANEL + j]) <=
                  (i < m ? 1e-5F * (float)(k + 1) : 0)))
                fail_msg("%lld rows, k %lld, %lld columns: (%lld, %lld) is %g, not %g",
                         (long long)m, (long long)k, (long long)columns, (long long)i, (long long)j,
                         (double)got[i * DPR__PANEL + j], (double)want[i * DPR__PANEL + j]);
}

static void rows_beyond(void **state) {
    (void)state;
    static const int64_t M[] = {1, 7, 15, 16, 17, 31, 32, 33, 47, 48, 49, 62},
                         K[] = {1, 8, 15, 16, 17, 24, 32, 50};
    for (size_t i = 0; i < sizeof M / sizeof *M; i++)
        for (size_t l = 0; l < sizeof K / sizeof *K; l++)
            for (int64_t columns = 10; columns <= 32; columns += 11)
                for (int64_t b_row = 32; b_row <= 96; b_row += 32)
                    for (int add = 0; add < 2; add++)
                        test_beyond(M[i], K[l], columns, b_row, add);
}

/* Parts of some runs each, with what is no number between them, as the sum of as many calls. */
static void test_runs(int64_t runs, int64_t parts, int64_t k) {
    enum { M = 37, GAP = 16 };
    static float a[6 * M * 64], b[6 * 64 * DPR__PANEL], want[M * DPR__PANEL], got[M * DPR__PANEL];
    const int64_t run = M * k + GAP;
    memset(a, 0xff, sizeof a);
    for (int64_t r = 0; r < runs * parts; r++)
        for (int64_t i = 0; i < 2 * M * k; i++)
            ((uint16_t *)(void *)(a + r * run))[i] = dpr__to_bf16((float)((r + i) % 31) / 8 - 2);
    for (int64_t i = 0; i < 2 * runs * parts * k * DPR__PANEL; i++)
        ((uint16_t *)(void *)b)[i] = dpr__to_bf16((float)(i * 53 % 97) / 16 - 3);
    dpr__tile_call call = {.a = a,
                           .a_chunk = CHUNK,
                           .a_row = k,
                           .reads_beyond = true,
                           .b = b,
                           .m = M,
                           .columns = DPR__PANEL,
                           .k = k,
                           .parts = parts,
                           .a_part = runs * run,
                           .b_part = runs * k * DPR__PANEL,
                           .runs = runs,
                           .a_run = run,
                           .b_run = k * DPR__PANEL,
                           .c = got,
                           .c_stride = DPR__PANEL};
    dpr__matmul_bf16_emulated.multiply(&call);
    call.c = want;
    call.parts = call.runs = 1;
    for (int64_t r = 0; r < runs * parts; r++, call.a += run, call.b += k * DPR__PANEL) {
        call.add = r > 0;
        dpr__matmul_bf16_avx512bf16.multiply(&call);
    }
    for (int64_t i = 0; i < M * DPR__PANEL; i++)
        assert_true(fabsf(got[i] - want[i]) <= 1e-4F * (float)(k * parts * runs + 1));
}

static void runs_of_parts(void **state) {
    (void)state;
    static const int64_t K[] = {1, 8, 16, 24, 32};
    for (size_t l = 0; l < sizeof K / sizeof *K; l++)
        for (int64_t runs = 1; runs < 4; runs++)
            for (int64_t parts = 1; parts < 3; parts++)
                test_runs(runs, parts, K[l]);
}

static void pixels(void **state) {
    (void)state;
    static const int64_t M[] = {1, 16, 31, 32, 48}, ROW[] = {8, 9, 16, 40},
                         K[] = {1, 8, 16, 24, 50};
    for (size_t i = 0; i < sizeof M / sizeof *M; i++)
        for (size_t j = 0; j < sizeof ROW / sizeof *ROW; j++)
            for (size_t l = 0; l < sizeof K / sizeof *K; l++)
                for (int64_t parts = 1; parts < 4; parts++)
                    for (int64_t columns = 12; columns <= 20; columns += 8)
                        test_pixels(M[i], ROW[j], K[l], parts, columns);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products), cmocka_unit_test(pixels), cmocka_unit_test(rows_beyond),
        cmocka_unit_test(runs_of_parts), cmocka_unit_test(rows_are_turned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
