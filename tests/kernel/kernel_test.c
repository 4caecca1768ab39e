/* Every row of kernels.def against the reference kernel of its op: sizes 0, 1, tile±1, unaligned, in place, with guard
 * words around the result. A kernel whose ISA this machine lacks is skipped, saying so. */
#include "support.h"

static const int64_t SIZES[] = {0,  1,  2,  3,  4,  5,   7,   8,   9,   15,
                                16, 17, 31, 32, 33, 255, 256, 257, 1025};
enum { N_SIZES = sizeof SIZES / sizeof *SIZES };

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
    dpr__tensor src[2] = {{kernel->dtype, shape, first, DPR__PLAIN},
                          {DPR_F32, shape, b + offset, DPR__PLAIN}};
    dpr__ops[kernel->op]->reference(
        &(dpr__call){param, src, {DPR_F32, shape, want, DPR__PLAIN}, NULL});
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

/* The ways in which the left operand may lie. */
struct way {
    bool by_columns, plain;
};

/* a, m × k, as the kernel wants it; what lies beyond is NaN, so that reading it shows. */
static float *tile_operand(const float *a, int64_t m, int64_t k, struct way way,
                           dpr__tile_call *call) {
    int64_t rows = way.by_columns ? k : m, columns = way.by_columns ? m : k;
    int64_t panels = (columns + DPR__PANEL - 1) / DPR__PANEL;
    int64_t row = way.plain ? columns : DPR__PANEL, panel = way.plain ? DPR__PANEL : rows * row;
    size_t n = (size_t)(panels * rows * DPR__PANEL);
    float *memory = malloc(n * sizeof *memory + sizeof *memory);
    assert_non_null(memory);
    for (size_t i = 0; i < n + 1; i++)
        memory[i] = NAN;
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < k; l++) {
            int64_t r = way.by_columns ? l : i, c = way.by_columns ? i : l;
            memory[1 + c / DPR__PANEL * panel + r * row + c % DPR__PANEL] = a[i * k + l];
        }
    call->by_columns = way.by_columns;
    call->a = memory + 1; /* nothing may rely on alignment */
    call->a_panel = panel;
    call->a_row = row;
    call->a_chunk = way.by_columns ? DPR__PANEL * row : panel;
    return memory;
}

/* Once over all of k, then in two pieces: the same bits. */
static void test_tile(const dpr__kernel *kernel, int64_t m, int64_t n, int64_t k, struct way way) {
    float *a = calloc((size_t)(m * k) + 1, sizeof *a);
    float *b = calloc((size_t)(k * n) + 1, sizeof *b),
          *want = calloc((size_t)(m * n), sizeof *want);
    float *b_panel = calloc((size_t)(k * DPR__PANEL) + 1, sizeof *b_panel);
    int64_t c_floats = m * DPR__PANEL;
    float *got = calloc((size_t)c_floats + 2 * GUARD, sizeof *got);
    float *pieces = calloc((size_t)c_floats, sizeof *pieces);
    fill(a, m * k, 3);
    fill(b, k * n, 4);
    for (int64_t l = 0; l < k; l++)
        for (int64_t j = 0; j < n; j++)
            b_panel[1 + l * DPR__PANEL + j] = b[l * n + j];
    set_guarded(got, c_floats);
    dpr__matmul_param param = {0};
    dpr__tensor src[2] = {{DPR_F32, dpr_shape_of(m, k), a, DPR__PLAIN},
                          {DPR_F32, dpr_shape_of(k, n), b, DPR__PLAIN}};
    dpr__op_matmul.reference(
        &(dpr__call){&param, src, {DPR_F32, dpr_shape_of(m, n), want, DPR__PLAIN}, NULL});
    dpr__tile_call call = {
        .b = b_panel + 1, .m = m, .columns = n, .k = k, .c = got + GUARD, .c_stride = DPR__PANEL};
    float *operand = tile_operand(a, m, k, way, &call);
    kernel->run.tile->multiply(&call);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            expect_near(kernel->name, got[GUARD + i * DPR__PANEL + j], want[i * n + j],
                        1e-6 * (double)(k + 1) * 3, i * n + j);
    expect_guards(kernel->name, got + GUARD, got + GUARD + c_floats);
    call.c = pieces;
    call.k = k / 2 / DPR__PANEL * DPR__PANEL;
    kernel->run.tile->multiply(&call);
    call.a += call.k / DPR__PANEL * call.a_chunk;
    call.b += call.k * DPR__PANEL;
    call.k = k - call.k;
    call.add = true;
    kernel->run.tile->multiply(&call);
    for (int64_t i = 0; i < m; i++)
        assert_memory_equal(pieces + i * DPR__PANEL, got + GUARD + i * DPR__PANEL,
                            (size_t)n * sizeof *got);
    free(a), free(b), free(want), free(b_panel), free(got), free(pieces), free(operand);
}

/* ---- HALF_TILE, HALVES ---- */

static const dpr__half_kernel *halves_of(dpr__isa isa) {
    return dpr__kernel_find(DPR__HALVES, DPR__OP_round_bf16, DPR_F32, isa)->run.halves;
}

/* m × k (or its transpose) and k × n in bf16 forms; the reference multiplies the same rounded numbers. */
static void test_half_tile(const dpr__kernel *kernel, int64_t m, int64_t n, int64_t k,
                           bool by_columns) {
    dpr_shape a_shape = by_columns ? dpr_shape_of(k, m) : dpr_shape_of(m, k);
    dpr_shape b_shape = dpr_shape_of(k, n), c_shape = dpr_shape_of(m, n);
    int64_t pairs = (k + 1) / 2;
    dpr__form a_form = by_columns ? DPR__HALF_PAIRS : DPR__HALF_ROWS;
    float *a = calloc((size_t)(m * k) + 1, sizeof *a), *b = calloc((size_t)(k * n) + 1, sizeof *b);
    float *want = calloc((size_t)(m * n), sizeof *want);
    float *got = calloc((size_t)(m * DPR__PANEL) + 2 * GUARD, sizeof *got);
    char *a_half = calloc(1, dpr__form_bytes(a_form, &a_shape, 4) + 64);
    char *b_half = calloc(1, dpr__form_bytes(DPR__HALF_PAIRS, &b_shape, 4) + 64);
    fill(a, m * k, 3);
    fill(b, k * n, 4);
    dpr__form_copy(a_half + 4, a_form, a, DPR__PLAIN, &a_shape, 4);
    dpr__form_copy(a, DPR__PLAIN, a_half + 4, a_form, &a_shape, 4);
    dpr__form_copy(b_half + 4, DPR__HALF_PAIRS, b, DPR__PLAIN, &b_shape, 4);
    dpr__form_copy(b, DPR__PLAIN, b_half + 4, DPR__HALF_PAIRS, &b_shape, 4);
    dpr__matmul_param param = {.transpose_a = by_columns};
    dpr__tensor src[2] = {{DPR_F32, a_shape, a, DPR__PLAIN}, {DPR_F32, b_shape, b, DPR__PLAIN}};
    dpr__op_matmul.reference(&(dpr__call){&param, src, {DPR_F32, c_shape, want, DPR__PLAIN}, NULL});
    set_guarded(got, m * DPR__PANEL);
    kernel->run.tile->multiply(
        &(dpr__tile_call){.a = (const float *)(const void *)(a_half + 4),
                          .by_columns = by_columns,
                          .a_panel = pairs * DPR__PANEL,
                          .a_chunk = DPR__PANEL / 2 * (by_columns ? DPR__PANEL : m),
                          .a_row = by_columns ? DPR__PANEL : DPR__PANEL / 2,
                          .b = (const float *)(const void *)(b_half + 4),
                          .m = m,
                          .columns = n,
                          .k = pairs,
                          .c = got + GUARD,
                          .c_stride = DPR__PANEL});
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            expect_near(kernel->name, got[GUARD + i * DPR__PANEL + j], want[i * n + j],
                        1e-6 * (double)(k + 1) * 3, i * n + j);
    expect_guards(kernel->name, got + GUARD, got + GUARD + m * DPR__PANEL);
    free(a), free(b), free(want), free(got), free(a_half), free(b_half);
}

static void test_half_turn(const dpr__kernel *kernel) {
    uint16_t src[32 * 32 + 2];
    float dst[32 * 16 + 2 * GUARD];
    for (int i = 0; i < 32 * 32; i++)
        src[2 + i / 64 * 64 + i % 64] =
            (uint16_t)i; /* pair i / 64, column i % 64 / 2, row i % 2 of the pair */
    set_guarded(dst, 32 * 16);
    kernel->run.tile->turn((const float *)(const void *)(src + 2), dst + GUARD);
    const uint16_t *got = (const uint16_t *)(const void *)(dst + GUARD);
    for (int r = 0; r < 32; r++)
        for (int c = 0; c < 32; c++)
            assert_int_equal(got[c / 2 * 64 + 2 * r + c % 2], src[2 + r / 2 * 64 + 2 * c + r % 2]);
    expect_guards(kernel->name, dst + GUARD, dst + GUARD + 32 * 16);
}

static void half_tiles(void **state) {
    (void)state;
    static const int64_t M[] = {1, 2, 3, 4, 5, 9, 10, 11, 13, 14, 15, 31, 32, 33, 64, 128};
    static const int64_t N[] = {2, 7, 8, 9, 10, 15, 16, 17, 31, 32};
    static const int64_t K[] = {1, 2, 3, 31, 32, 33, 63, 64, 65, 257};
    for (size_t t = 0; t < dpr__n_kernels; t++) {
        if (dpr__kernels[t].class != DPR__HALF_TILE || !runs_here(&dpr__kernels[t]))
            continue;
        test_half_turn(&dpr__kernels[t]);
        for (size_t i = 0; i < sizeof M / sizeof *M; i++)
            for (size_t j = 0; j < sizeof N / sizeof *N; j++)
                for (size_t l = 0; l < sizeof K / sizeof *K; l++)
                    for (int by_columns = 0; by_columns < 2; by_columns++)
                        test_half_tile(&dpr__kernels[t], M[i], N[j], K[l], by_columns);
    }
}

/* Each ISA's rounding against the plain one, in every form, and back. */
static void test_halves(dpr__isa isa, int64_t rows, int64_t columns, int64_t src_row) {
    float src[1 + 40 * 37], back[40 * 32];
    uint16_t as_rows[41 * 32 + 2 * GUARD], as_pairs[42 * 32 + 2 * GUARD];
    fill(src, 1 + 40 * 37, 7);
    src[4] = NAN;
    src[5] = INFINITY;
    memset(as_rows, 0xab, sizeof as_rows);
    memset(as_pairs, 0xab, sizeof as_pairs);
    halves_of(isa)->store(src + 1, src_row, rows, columns, as_rows + GUARD, as_pairs + GUARD);
    for (int64_t i = 0; i < (rows + 1) / 2 * 2; i++)
        for (int64_t j = 0; j < 32; j++) {
            uint16_t want = i < rows && j < columns ? dpr__to_bf16(src[1 + i * src_row + j]) : 0;
            assert_int_equal(as_pairs[GUARD + i / 2 * 64 + 2 * j + i % 2], want);
            if (i < rows)
                assert_int_equal(as_rows[GUARD + i * 32 + j], want);
        }
    for (int g = 0; g < GUARD; g++) {
        assert_int_equal(as_rows[g] & as_rows[GUARD + rows * 32 + g], 0xabab);
        assert_int_equal(as_pairs[g] & as_pairs[GUARD + (rows + 1) / 2 * 64 + g], 0xabab);
    }
    halves_of(isa)->load(as_rows + GUARD, rows, back);
    for (int64_t i = 0; i < rows * 32; i++) {
        float want = dpr__from_bf16(as_rows[GUARD + i]);
        assert_memory_equal(&back[i], &want, sizeof want);
    }
}

/* Runs of any length: rounded, and in pairs with what lies some numbers further. */
static void test_runs(dpr__isa isa, int64_t n, int64_t distance) {
    float src[2 * MOST];
    uint16_t rounded[MOST + 2 * GUARD], pairs[2 * MOST + 2 * GUARD];
    fill(src, n + distance, 8);
    if (n > 3)
        src[3] = NAN;
    memset(rounded, 0xab, sizeof rounded);
    memset(pairs, 0xab, sizeof pairs);
    halves_of(isa)->round(src, n, rounded + GUARD);
    halves_of(isa)->pair(src, src + distance, n, pairs + GUARD);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(rounded[GUARD + i], dpr__to_bf16(src[i]));
        assert_int_equal(pairs[GUARD + 2 * i], dpr__to_bf16(src[i]));
        assert_int_equal(pairs[GUARD + 2 * i + 1], dpr__to_bf16(src[i + distance]));
    }
    uint16_t apart[3 * 40];
    memset(apart, 0xab, sizeof apart);
    halves_of(isa)->spread(src, n / DPR__PANEL, apart, 40);
    for (int64_t i = 0; i < 3 * 40; i++)
        assert_int_equal(apart[i], i / 40 < n / DPR__PANEL && i % 40 < DPR__PANEL
                                       ? dpr__to_bf16(src[i / 40 * DPR__PANEL + i % 40])
                                       : 0xabab);
    for (int g = 0; g < GUARD; g++) {
        assert_int_equal(rounded[g] & rounded[GUARD + n + g], 0xabab);
        assert_int_equal(pairs[g] & pairs[GUARD + 2 * n + g], 0xabab);
    }
}

static void runs_of_halves(void **state) {
    (void)state;
    for (int isa = 0; isa <= (int)dpr__isa_detect(); isa++)
        for (int64_t n = 0; n <= 100; n++)
            for (int64_t distance = 1; distance <= 33; distance += 16)
                test_runs((dpr__isa)isa, n, distance);
}

static void halves(void **state) {
    (void)state;
    for (int isa = 0; isa <= (int)dpr__isa_detect(); isa++)
        for (int64_t rows = 0; rows <= 40; rows += rows < 5 ? 1 : 7)
            for (int64_t columns = 1; columns <= 32; columns++)
                for (int64_t src_row = 32; src_row <= 37; src_row += 5)
                    test_halves((dpr__isa)isa, rows, columns, src_row);
}

static void test_turn(const dpr__kernel *kernel) {
    float src[1 + 32 * 32], dst[32 * 32 + 2 * GUARD];
    fill(src, 1 + 32 * 32, 5);
    set_guarded(dst, 32 * 32);
    kernel->run.tile->turn(src + 1, dst + GUARD);
    for (int i = 0; i < 32; i++)
        for (int j = 0; j < 32; j++)
            assert_float_equal(dst[GUARD + 32 * j + i], src[1 + 32 * i + j], 0);
    expect_guards(kernel->name, dst + GUARD, dst + GUARD + 32 * 32);
}

static void tiles(void **state) {
    (void)state;
    static const int64_t M[] = {1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 29, 31, 32, 33, 64, 127, 128};
    static const int64_t N[] = {1, 3, 7, 8, 9, 10, 15, 16, 17, 31, 32};
    static const int64_t K[] = {0, 1, 2, 17, 31, 32, 33, 255, 256, 257, 700};
    for (size_t t = 0; t < dpr__n_kernels; t++) {
        if (dpr__kernels[t].class != DPR__TILE || !runs_here(&dpr__kernels[t]))
            continue;
        test_turn(&dpr__kernels[t]);
        for (size_t i = 0; i < sizeof M / sizeof *M; i++)
            for (size_t j = 0; j < sizeof N / sizeof *N; j++)
                for (size_t l = 0; l < sizeof K / sizeof *K; l++)
                    if (M[i] * N[j] * K[l] < 400000) /* the reference is slow */
                        for (int way = 0; way < 4; way++)
                            test_tile(&dpr__kernels[t], M[i], N[j], K[l],
                                      (struct way){.by_columns = way % 2 == 1, .plain = way > 1});
    }
}

/* ---- STRIP ---- */

/* The chain once more, read from its text and run by the span kernels: the two must give the same bits. */
struct reading {
    const char *at;
    const float *tile, *constants;
    float (*memory)[MOST];
    float results[24][MOST];
    int64_t n;
};

static int read_number(struct reading *r) {
    int number = 0;
    while (*r->at < '0' || *r->at > '9')
        r->at++;
    while (*r->at >= '0' && *r->at <= '9')
        number = 10 * number + (*r->at++ - '0');
    return number;
}

/* Reads ",FULL(0)" and its like, and lays the operand out, one number for each point. */
static void read_operand(struct reading *r, float *out) {
    char kind = *++r->at;
    int index = read_number(r);
    r->at++;
    for (int64_t i = 0; i < r->n; i++)
        out[i] = kind == 'F'   ? r->memory[index][i]
                 : kind == 'R' ? r->memory[index][i % DPR__PANEL] /* ROW, or R(n): below */
                               : r->memory[index][kind == 'C' ? i / DPR__PANEL : 0];
}

static void read_source(struct reading *r, float *out) {
    if (strncmp(r->at, ",R(", 3) != 0) {
        read_operand(r, out);
        return;
    }
    int index = read_number(r);
    r->at++;
    memcpy(out, index == 0 ? r->tile : r->results[index], (size_t)r->n * sizeof *out);
}

/* Runs "ADD(1,R(0),ROW(0)) … STORE(0,R(1))"; the values stored in outputs. */
static void run_text(struct reading *r, float (*outputs)[MOST]) {
    static float a[MOST], b[MOST];
    while (*r->at != 0) {
        char word[32] = "";
        for (size_t k = 0; *r->at != '('; r->at++)
            if (*r->at != ' ')
                word[k++] = (char)(*r->at | 32);
        int number = read_number(r);
        read_source(r, a);
        if (strcmp(word, "store") == 0) {
            memcpy(outputs[number], a, (size_t)r->n * sizeof *a);
            r->at++;
            continue;
        }
        dpr__scale_param scale = {0};
        bool binary = *r->at == ',' && strncmp(r->at, ",C(", 3) != 0;
        if (binary)
            read_source(r, b);
        else if (*r->at == ',') {
            scale.factor = (double)r->constants[read_number(r)];
            r->at++;
        }
        if (strcmp(word, "prefix") == 0 || strcmp(word, "broadcast") == 0) { /* of all rows */
            memcpy(r->results[number], a, (size_t)r->n * sizeof *a);
            r->at++;
            continue;
        }
        dpr__op_id op = 0;
        for (dpr__op_id i = 1; i < DPR__N_OPS; i++)
            op = strcmp(dpr__op_names[i], word) == 0 ? i : op;
        const dpr__kernel *kernel = dpr__kernel_find(DPR__SPAN, op, DPR_F32, DPR__ISA_GENERIC);
        assert_non_null(kernel);
        kernel->run.span(&scale, a, binary ? b : NULL, r->results[number], (size_t)r->n);
        r->at++;
    }
}

static void test_strip(const dpr__strip *strip, int isa, int64_t rows) {
    enum { MEMORY = 10, OUTPUTS = 4 };
    static float memory[MEMORY][MOST], outputs[OUTPUTS][MOST], tile[MOST];
    static float got[OUTPUTS][MOST + 2 * GUARD];
    static struct reading r;
    float constants[DPR__STRIP_LEAST] = {0.9F, -1, 0.25F, 0.99F, 1e-3F, 0.5F};
    const float *operands[MEMORY];
    float *results[OUTPUTS];
    for (int m = 0; m < MEMORY; m++) {
        fill(memory[m], MOST, 10 + (uint32_t)m);
        for (int i = 0; i < MOST && strncmp(strip->name, "adamw", 5) == 0; i++)
            memory[m][i] = fabsf(memory[m][i]) + 0.01F; /* what is rooted and divided by */
        operands[m] = memory[m];
    }
    fill(tile, MOST, 9);
    if (rows > 0)
        tile[3] = NAN;
    for (int o = 0; o < OUTPUTS; o++) {
        set_guarded(got[o], MOST);
        results[o] = got[o] + GUARD;
    }
    const dpr__strip_call call = {tile, operands, results, constants};
    strip->run[isa](&call, 0, rows / 2);
    strip->run[isa](&call, rows / 2, rows - rows / 2);
    r = (struct reading){.at = strip->text,
                         .tile = tile,
                         .constants = constants,
                         .memory = memory,
                         .n = rows * DPR__PANEL};
    for (int o = 0; o < OUTPUTS; o++)
        for (int i = 0; i < MOST; i++)
            outputs[o][i] = GUARD_VALUE;
    run_text(&r, outputs);
    for (int o = 0; o < OUTPUTS; o++)
        for (int64_t i = 0; i < MOST; i++)
            if (memcmp(&results[o][i], &outputs[o][i], sizeof(float)) != 0 &&
                !(isnan(results[o][i]) && isnan(outputs[o][i])))
                fail_msg("%s (%s): output %d, element %lld is %.9g, its ops say %.9g", strip->name,
                         dpr__isa_name((dpr__isa)isa), o, (long long)i, (double)results[o][i],
                         (double)outputs[o][i]);
}

static void strips(void **state) {
    (void)state;
    for (size_t s = 0; s < dpr__n_strips; s++)
        for (int isa = 0; isa <= (int)dpr__isa_detect(); isa++)
            for (int64_t rows = 0; dpr__strips[s].run[isa] != NULL && rows < 35;
                 rows += rows < 3 ? 1 : 15)
                test_strip(&dpr__strips[s], isa, rows);
}

/* ---- UPDATE: strips on sums that are still in registers ---- */

static const dpr__strip_id UPDATES[] = {
#define STRIP(name, text)
#define UPDATE(name, text) DPR__STRIP_##name,
#include "backend/cpu/strips.def"
#undef STRIP
#undef UPDATE
};

enum { MOST_ROWS = 64, UPDATE_K = 37 };

/* What an update reads and writes. Outputs lie on the text's first FULL operands, as weights and their state are updated in place. */
struct update {
    float memory[DPR__STRIP_LEAST][(MOST_ROWS + 1) * DPR__PANEL];
    const float *operands[DPR__STRIP_LEAST];
    float *outputs[DPR__STRIP_OUTPUTS];
    dpr__strip_call call;
};

static void set_update(struct update *u, const dpr__strip *strip, const float *tile) {
    static const float constants[DPR__STRIP_LEAST] = {0.9F, 0.5F, 0.25F, 1e-3F};
    static float first[DPR__STRIP_LEAST * (MOST_ROWS + 1) * DPR__PANEL];
    if (first[0] == 0)
        fill(first, DPR__STRIP_LEAST * (MOST_ROWS + 1) * DPR__PANEL, 20);
    memcpy(u->memory, first, sizeof first);
    size_t n_outputs = 0, o = 0;
    for (const char *at = strip->text; (at = strstr(at, "STORE(")) != NULL; at++)
        n_outputs++;
    memset(u->outputs, 0, sizeof u->outputs);
    for (uint32_t k = 0; k < DPR__STRIP_LEAST; k++) {
        char full[16];
        u->operands[k] = u->memory[k];
        snprintf(full, sizeof full, "FULL(%u)", k);
        if (o < n_outputs && strstr(strip->text, full) != NULL)
            u->outputs[o++] = u->memory[k];
    }
    assert_true(n_outputs > 0 && o == n_outputs);
    u->call = (dpr__strip_call){tile, u->operands, u->outputs, constants};
}

static void expect_update(const char *name, const dpr__strip *strip, const struct update *got,
                          const struct update *want, int64_t m, int64_t columns) {
    for (int k = 0; k < DPR__STRIP_LEAST; k++)
        for (int64_t i = 0; i <= MOST_ROWS; i++) {
            size_t n = (size_t)(i < m ? columns : DPR__PANEL); /* rows beyond the last stay */
            if (memcmp(&got->memory[k][i * DPR__PANEL], &want->memory[k][i * DPR__PANEL],
                       n * sizeof(float)) != 0)
                fail_msg("%s, %s, %lld rows, %lld columns: row %lld of operand %d differs", name,
                         strip->name, (long long)m, (long long)columns, (long long)i, k);
        }
}

/* A transposed a and b as the kernel wants them; k in floats, or in pairs. */
static void set_product(const dpr__kernel *kernel, int64_t m, int64_t columns, float **a, float **b,
                        dpr__tile_call *call) {
    static float plain_a[MOST_ROWS * UPDATE_K], plain_b[UPDATE_K * DPR__PANEL];
    bool halves = kernel->class == DPR__HALF_TILE;
    dpr__form form = halves ? DPR__HALF_PAIRS : DPR__PANELS;
    dpr_shape a_shape = dpr_shape_of(UPDATE_K, m), b_shape = dpr_shape_of(UPDATE_K, columns);
    if (plain_a[0] == 0) {
        fill(plain_a, MOST_ROWS * UPDATE_K, 3);
        fill(plain_b, UPDATE_K * DPR__PANEL, 4);
    }
    *call = (dpr__tile_call){.by_columns = true,
                             .m = m,
                             .columns = columns,
                             .k = halves ? (UPDATE_K + 1) / 2 : UPDATE_K,
                             .c_stride = DPR__PANEL};
    *b = calloc(1, dpr__form_bytes(DPR__PANELS, &b_shape, 4) + 256);
    dpr__form_copy(*b, columns > 1 || halves ? form : DPR__PLAIN, plain_b, DPR__PLAIN, &b_shape, 4);
    for (int64_t l = 0; columns == 1 && !halves && l < UPDATE_K; l++)
        (*b)[l * DPR__PANEL] = plain_b[l];
    call->b = *b;
    if (!halves) {
        *a = tile_operand(plain_a, m, UPDATE_K, (struct way){true, m % 2 == 1}, call);
        return;
    }
    *a = calloc(1, dpr__form_bytes(form, &a_shape, 4));
    dpr__form_copy(*a, form, plain_a, DPR__PLAIN, &a_shape, 4);
    call->a = *a;
    call->a_row = DPR__PANEL;
    call->a_panel = call->k * DPR__PANEL;
    call->a_chunk = DPR__PANEL / 2 * DPR__PANEL;
}

/* The product, then the strip; the product with the strip, of all of k and of its last piece: the same bits. Returns how many rows of
 * sums were never stored. */
static int test_update(const dpr__kernel *kernel, const dpr__strip *strip, int64_t m,
                       int64_t columns) {
    static struct update want, whole, pieces;
    static float sums[MOST_ROWS * DPR__PANEL], c[MOST_ROWS * DPR__PANEL];
    float *a, *b;
    int isa = (int)kernel->isa, in_registers = 0;
    while (strip->run[isa] == NULL)
        isa--;
    dpr__tile_call call;
    set_product(kernel, m, columns, &a, &b, &call);
    call.c = sums;
    kernel->run.tile->multiply(&call);
    set_update(&want, strip, sums);
    strip->run[isa](&want.call, 0, m);
    for (int i = 0; i < MOST_ROWS * DPR__PANEL; i++)
        c[i] = GUARD_VALUE;
    set_update(&whole, strip, c);
    call.c = c;
    call.strip = strip->run[isa];
    call.strip_id = (dpr__strip_id)(strip - dpr__strips);
    call.strip_call = &whole.call;
    kernel->run.tile->multiply(&call);
    expect_update(kernel->name, strip, &whole, &want, m, columns);
    for (int64_t i = 0; i < m; i++)
        in_registers += c[i * DPR__PANEL] == GUARD_VALUE;
    int64_t k = call.k, first = k > DPR__PANEL ? DPR__PANEL : DPR__PANEL / 2;
    set_update(&pieces, strip, c);
    call.k = first;
    call.strip = NULL;
    kernel->run.tile->multiply(&call);
    call.k = k - first;
    call.a += call.a_chunk;
    call.b += first * DPR__PANEL;
    call.add = true;
    call.strip = strip->run[isa];
    call.strip_call = &pieces.call;
    kernel->run.tile->multiply(&call);
    expect_update(kernel->name, strip, &pieces, &want, m, columns);
    free(a), free(b);
    return in_registers;
}

static void updates(void **state) {
    (void)state;
    static const int64_t COLUMNS[] = {1, 16, 17, 32};
    for (size_t t = 0; t < dpr__n_kernels; t++) {
        const dpr__kernel *kernel = &dpr__kernels[t];
        if ((kernel->class != DPR__TILE && kernel->class != DPR__HALF_TILE) || !runs_here(kernel))
            continue;
        for (size_t u = 0; u < sizeof UPDATES / sizeof *UPDATES; u++)
            for (size_t j = 0; j < sizeof COLUMNS / sizeof *COLUMNS; j++) {
                int in_registers = 0;
                for (int64_t m = 1; m <= MOST_ROWS; m++)
                    in_registers += test_update(kernel, &dpr__strips[UPDATES[u]], m, COLUMNS[j]);
                /* Else the two ways that are compared are one. Narrow sums of bf16 are stored first, and those of machines that lack
                 * instructions for bf16. */
                bool fused =
                    kernel->isa > (kernel->class == DPR__TILE ? DPR__ISA_GENERIC : DPR__ISA_AVX512);
                bool narrow = kernel->class == DPR__HALF_TILE && COLUMNS[j] < DPR__PANEL;
                if ((in_registers > 0 && !fused) || (in_registers == 0 && fused && !narrow))
                    fail_msg("%s: %d rows of sums stayed in registers", kernel->name, in_registers);
            }
        if (kernel->run.tile->leave != NULL)
            kernel->run.tile->leave();
    }
}

/* ---- PIXELS ---- */

static void test_pixels(const dpr__kernel *kernel, int64_t pixels, int64_t channels, int64_t n_taps,
                        int64_t dst_row) {
    enum { MOST_TAPS = 30, MOST_PIXELS = 70, REACH = 90 };
    float src[1 + REACH + MOST_PIXELS + DPR__PIXELS_BEYOND], filters[1 + MOST_TAPS * DPR__PANEL];
    float dst[MOST_PIXELS * DPR__PANEL + 2 * GUARD];
    int32_t taps[MOST_TAPS];
    fill(src, 1 + REACH + MOST_PIXELS + DPR__PIXELS_BEYOND, 3);
    fill(filters, 1 + MOST_TAPS * DPR__PANEL, 4);
    for (int32_t t = 0; t < MOST_TAPS; t++)
        taps[t] = t * 37 % REACH;
    int64_t written = pixels == 0 ? 0 : (pixels - 1) * dst_row + DPR__PIXELS_CHANNELS;
    set_guarded(dst, written);
    kernel->run.pixels(&(dpr__pixels_call){src + 1, filters + 1, taps, n_taps, pixels, channels,
                                           dst + GUARD, dst_row});
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t i = 0; i < channels; i++) {
            double want = 0;
            for (int64_t t = 0; t < n_taps; t++)
                want += (double)src[1 + taps[t] + p] * (double)filters[1 + t * DPR__PANEL + i];
            expect_near(kernel->name, dst[GUARD + p * dst_row + i], (float)want, 1e-4, p);
        }
    expect_guards(kernel->name, dst + GUARD, dst + GUARD + written);
    for (int64_t p = 0; p + 1 < pixels; p++)
        for (int64_t i = DPR__PIXELS_CHANNELS; i < dst_row; i++)
            assert_float_equal(dst[GUARD + p * dst_row + i], GUARD_VALUE, 0);
}

static void pixels(void **state) {
    (void)state;
    for (size_t k = 0; k < dpr__n_kernels; k++)
        for (int64_t n = 0; dpr__kernels[k].class == DPR__PIXELS && n < 70; n++)
            for (int64_t channels = 1; channels <= 8; channels++)
                if (runs_here(&dpr__kernels[k])) {
                    test_pixels(&dpr__kernels[k], n, channels, n % 31, 8);
                    test_pixels(&dpr__kernels[k], n, channels, 25, n % 2 == 0 ? 32 : 11);
                }
}

/* ---- SPARSE ---- */

enum { WINDOWS = 7, MOST_VECTORS = 23, REACH = 410, WIDEST = 16 };

/* `windows` and `filters` as the kernel's two directions leave them, by their definition. */
static void go_back(const dpr__sparse_call *call, int64_t lanes, bool sum, float *map,
                    float *filters) {
    for (int64_t p = 0; p < call->pixels; p++)
        for (int64_t c = 0; c < call->channels; c++)
            for (int64_t i = 0; i < call->vectors * lanes; i++) {
                float *window = map + p * call->map_step + call->at[i / lanes] + i % lanes;
                float *filter = filters + c * call->vectors * lanes + i;
                const float number = call->diff[p * call->diff_row + c];
                if (sum)
                    *filter += number * *window;
                else
                    *window += number * *filter;
            }
}

static void test_sparse(const dpr__kernel *kernel, int64_t vectors, int64_t channels,
                        int64_t diff_row, bool sum) {
    const int64_t lanes = kernel->run.sparse->lanes, n_filters = channels * vectors * lanes;
    static float map[REACH + 2 * GUARD], filters[WIDEST * MOST_VECTORS * WIDEST + 2 * GUARD];
    static float want_map[REACH], want_filters[WIDEST * MOST_VECTORS * WIDEST];
    /* nothing lies behind the last pixel */
    float *diff = malloc((size_t)(WINDOWS * diff_row) * sizeof *diff);
    int32_t at[MOST_VECTORS];
    assert_non_null(diff);
    fill(diff, WINDOWS * diff_row, 3);
    for (int64_t i = 0; i < WINDOWS * diff_row; i++)
        diff[i] = i % diff_row >= channels ? NAN : i / diff_row == 2 || i % 3 > 0 ? 0 : diff[i];
    for (int32_t i = 0; i < MOST_VECTORS; i++)
        at[i] = i * WIDEST;
    set_guarded(map, REACH), set_guarded(filters, n_filters);
    fill(map + GUARD, REACH, 4), fill(filters + GUARD, n_filters, 5);
    memcpy(want_map, map + GUARD, sizeof want_map);
    memcpy(want_filters, filters + GUARD, (size_t)n_filters * sizeof *filters);
    const dpr__sparse_call call = {.diff = diff,
                                   .diff_row = diff_row,
                                   .pixels = WINDOWS,
                                   .channels = channels,
                                   .map = map + GUARD,
                                   .map_step = 3,
                                   .at = at,
                                   .vectors = vectors,
                                   .filters = filters + GUARD};
    go_back(&call, lanes, sum, want_map, want_filters);
    (sum ? kernel->run.sparse->sum : kernel->run.sparse->spread)(&call);
    for (int64_t i = 0; i < REACH; i++)
        expect_near(kernel->name, map[GUARD + i], want_map[i], 1e-4, i);
    for (int64_t i = 0; i < n_filters; i++)
        expect_near(kernel->name, filters[GUARD + i], want_filters[i], 1e-4, i);
    expect_guards(kernel->name, map + GUARD, map + GUARD + REACH);
    expect_guards(kernel->name, filters + GUARD, filters + GUARD + n_filters);
    free(diff);
}

static void sparse(void **state) {
    (void)state;
    for (size_t k = 0; k < dpr__n_kernels; k++)
        for (int64_t vectors = 1; dpr__kernels[k].class == DPR__SPARSE &&
                                  runs_here(&dpr__kernels[k]) && vectors <= MOST_VECTORS;
             vectors++)
            for (int64_t channels = 1; channels <= WIDEST; channels++)
                for (int sum = 0; sum < 2; sum++) {
                    test_sparse(&dpr__kernels[k], vectors, channels, channels, sum == 1);
                    test_sparse(&dpr__kernels[k], vectors, channels, channels < 8 ? 8 : 16,
                                sum == 1);
                }
}

/* ---- what a pooling left ---- */

static void test_maxima(const dpr__kernel *kernel, int64_t down, int64_t across, int64_t channels,
                        int64_t rows) {
    enum { COLUMNS = 5, STEP = 3, ROW = 97, TAP_ROW = 53, PLACES = 6 };
    const int64_t lanes = kernel->run.sparse->lanes, pixels = rows * COLUMNS,
                  diff_row = channels + 1;
    const int64_t n_filters = channels * down * across * lanes;
    static const int32_t place[PLACES] = {0, 1, 7, 53, 54, 60};
    static float map[2048], want[6400];
    float *diff = malloc((size_t)(pixels * diff_row + 1) * sizeof *diff);
    uint8_t *index = malloc((size_t)(pixels * channels + 1));
    float *filters = malloc((size_t)(n_filters + 2 * GUARD) * sizeof *filters);
    assert_non_null(diff), assert_non_null(index), assert_non_null(filters);
    assert_true(n_filters <= 6400);
    fill(diff, pixels * diff_row, 3), fill(map, 2048, 4);
    for (int64_t i = 0; i < pixels * channels; i++)
        index[i] = (uint8_t)(i * 5 / 3 % PLACES);
    set_guarded(filters, n_filters);
    fill(filters + GUARD, n_filters, 5);
    memcpy(want, filters + GUARD, (size_t)n_filters * sizeof *want);
    for (int64_t i = 0; i < n_filters * pixels; i++) {
        int64_t p = i / n_filters, f = i % n_filters, c = f / (down * across * lanes);
        int64_t vector = f / lanes % (down * across);
        int64_t at = p / COLUMNS * ROW + p % COLUMNS * STEP + place[index[p * channels + c]] +
                     vector / across * TAP_ROW + vector % across * lanes + f % lanes;
        want[f] += diff[p * diff_row + c] * map[at];
    }
    kernel->run.sparse->sum_maxima(&(dpr__maxima_call){.diff = diff,
                                                       .index = index,
                                                       .diff_row = diff_row,
                                                       .rows = rows,
                                                       .columns = COLUMNS,
                                                       .channels = channels,
                                                       .map = map,
                                                       .map_row = ROW,
                                                       .map_step = STEP,
                                                       .place = place,
                                                       .down = down,
                                                       .across = across,
                                                       .tap_row = TAP_ROW,
                                                       .filters = filters + GUARD});
    for (int64_t i = 0; i < n_filters; i++)
        expect_near(kernel->name, filters[GUARD + i], want[i], 1e-4, i);
    expect_guards(kernel->name, filters + GUARD, filters + GUARD + n_filters);
    free(diff), free(index), free(filters);
}

static void maxima(void **state) {
    (void)state;
    for (size_t k = 0; k < dpr__n_kernels; k++)
        for (int64_t down = 1;
             dpr__kernels[k].class == DPR__SPARSE && runs_here(&dpr__kernels[k]) && down <= 9;
             down++)
            for (int64_t across = 1; across <= 4; across++) {
                test_maxima(&dpr__kernels[k], down, across, 3, 2);
                test_maxima(&dpr__kernels[k], down, across, 1, 0);
                test_maxima(&dpr__kernels[k], down, across, 10, 1);
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
    dpr__tensor src = {DPR_F32, dpr_shape_of(32), x, DPR__PLAIN};
    dpr__op_relu.reference(
        &(dpr__call){NULL, &src, {DPR_F32, dpr_shape_of(32), want, DPR__PLAIN}, NULL});
    int differing = 0;
    for (int i = 0; i < 32; i++)
        differing += !(fabsf(got[i] - want[i]) <= 2e-6F * (fabsf(want[i]) + 1e-3F));
    assert_int_equal(differing, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans),
                                       cmocka_unit_test(tiles),
                                       cmocka_unit_test(strips),
                                       cmocka_unit_test(half_tiles),
                                       cmocka_unit_test(halves),
                                       cmocka_unit_test(runs_of_halves),
                                       cmocka_unit_test(updates),
                                       cmocka_unit_test(pixels),
                                       cmocka_unit_test(sparse),
                                       cmocka_unit_test(maxima),
                                       cmocka_unit_test(a_wrong_kernel_is_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
