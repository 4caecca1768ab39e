/* Samples of matmul, sum and prefix. */
#include "grad/samples.h"
#include "grad/session.h"
#include "grad/values.h"

/* ---- matmul ---- */

BUILD(matmul, dpr_matmul(g, x[0], x[1], 0))
BUILD(matmul_a, dpr_matmul(g, x[0], x[1], DPR_TRANSPOSE_A))
BUILD(matmul_b, dpr_matmul(g, x[0], x[1], DPR_TRANSPOSE_B))
BUILD(matmul_ab, dpr_matmul(g, x[0], x[1], DPR_TRANSPOSE_A | DPR_TRANSPOSE_B))
BUILD(gram, dpr_matmul(g, x[0], x[0], DPR_TRANSPOSE_B))

#define MATMUL(title, f, ...) SAMPLE(title, 2, f, .shape = {__VA_ARGS__}, .linear = 3)

static const struct grad_sample matmul_samples[] = {
    MATMUL("matmul", matmul, SHAPE(2, 3), SHAPE(3, 4)),
    MATMUL("matmul, a transposed", matmul_a, SHAPE(3, 2), SHAPE(3, 4)),
    MATMUL("matmul, b transposed", matmul_b, SHAPE(2, 3), SHAPE(4, 3)),
    MATMUL("matmul, both transposed", matmul_ab, SHAPE(3, 2), SHAPE(4, 3)),
    MATMUL("matmul with one inner element", matmul, SHAPE(2, 1), SHAPE(1, 3)),
    MATMUL("matmul of a batch", matmul, SHAPE(DPR_BATCH, 4), SHAPE(4, 2)),
    MATMUL("matmul over the batch", matmul_a, SHAPE(DPR_BATCH, 2), SHAPE(DPR_BATCH, 4)),
    MATMUL("matmul onto the batch", matmul_b, SHAPE(2, 4), SHAPE(DPR_BATCH, 4)),
    SAMPLE("Gram matrix", 1, gram, .shape = {SHAPE(3, 2)}),
    SAMPLE("Gram matrix of a batch", 1, gram, .shape = {SHAPE(DPR_BATCH, 2)}),
};

static void matmul_values(void) {
    static const dpr__matmul_param plain = {false, false}, a = {true, false}, b = {false, true},
                                   ab = {true, true};
    EXPECT(matmul, &plain, REALS((58, 64, 139, 154), 2, 2), REALS((1, 2, 3, 4, 5, 6), 2, 3),
           REALS((7, 8, 9, 10, 11, 12), 3, 2));
    EXPECT(matmul, &a, REALS((58, 64, 139, 154), 2, 2), REALS((1, 4, 2, 5, 3, 6), 3, 2),
           REALS((7, 8, 9, 10, 11, 12), 3, 2));
    EXPECT(matmul, &b, REALS((58, 64, 139, 154), 2, 2), REALS((1, 2, 3, 4, 5, 6), 2, 3),
           REALS((7, 9, 11, 8, 10, 12), 2, 3));
    EXPECT(matmul, &ab, REALS((58, 64, 139, 154), 2, 2), REALS((1, 4, 2, 5, 3, 6), 3, 2),
           REALS((7, 9, 11, 8, 10, 12), 2, 3));
    EXPECT(matmul, &plain, REALS((6), 1, 1), REALS((2), 1, 1), REALS((3), 1, 1));
    EXPECT(matmul, &plain, REALS((0, 0), 2, 1), NOTHING(2, 0), NOTHING(0, 1)); /* empty sums */
    EXPECT(matmul, &plain, NOTHING(0, 2), NOTHING(0, 3), REALS((1, 2, 3, 4, 5, 6), 3, 2));
}

const struct grad_samples samples_matmul = {SAMPLES(matmul_samples), .values = matmul_values};

/* ---- sum ---- */

BUILD(sum_nothing, dpr_sum(g, x[0], 0, false))
BUILD(sum_first, dpr_sum(g, x[0], 1, false))
BUILD(sum_first_kept, dpr_sum(g, x[0], 1, true))
BUILD(sum_second, dpr_sum(g, x[0], 2, false))
BUILD(sum_second_kept, dpr_sum(g, x[0], 2, true))
BUILD(sum_both, dpr_sum(g, x[0], 3, false))
BUILD(sum_outer, dpr_sum(g, x[0], 5, false))
BUILD(sum_outer_kept, dpr_sum(g, x[0], 5, true))

#define SUM(title, f, ...) SAMPLE(title, 1, f, .shape = {SHAPE(__VA_ARGS__)}, .linear = 1)

static const struct grad_sample sum_samples[] = {
    SUM("sum over no axis", sum_nothing, 2, 3),
    SUM("sum of columns", sum_first, 2, 3),
    SUM("sum of columns, kept", sum_first_kept, 2, 3),
    SUM("sum of rows", sum_second, 2, 3),
    SUM("sum of rows, kept", sum_second_kept, 2, 3),
    SUM("sum of everything", sum_both, 2, 3),
    SUM("sum over an inner axis", sum_second, 2, 3, 4),
    SUM("sum over an inner axis, kept", sum_second_kept, 2, 3, 4),
    SUM("sum over the outer axes", sum_outer, 2, 3, 4),
    SUM("sum over the outer axes, kept", sum_outer_kept, 2, 3, 4),
    SUM("sum over an axis of one", sum_first, 1, 3),
    SUM("sum of a batch's rows", sum_second, DPR_BATCH, 4),
    SUM("sum of a batch's rows, kept", sum_second_kept, DPR_BATCH, 4),
};

static void sum_values(void) {
    static const dpr__sum_param none = {0, false}, columns = {1, false}, rows = {2, true},
                                all = {3, false}, outer = {5, false};
    const dpr__tensor m = REALS((1, 2, 3, 4, 5, 6), 2, 3);
    EXPECT(sum, &none, REALS((1, 2, 3, 4, 5, 6), 2, 3), m);
    EXPECT(sum, &columns, REALS((5, 7, 9), 3), m);
    EXPECT(sum, &rows, REALS((6, 15), 2, 1), m);
    EXPECT(sum, &all, REAL(21), m);
    EXPECT(sum, &outer, REALS((14, 22), 2), REALS((1, 2, 3, 4, 5, 6, 7, 8), 2, 2, 2));
    EXPECT(sum, &columns, REALS((0, 0), 2), NOTHING(0, 2)); /* empty sums */
    EXPECT(sum, &columns, NOTHING(0), NOTHING(2, 0));
    EXPECT(sum, &none, REAL(4), REAL(4));
}

const struct grad_samples samples_sum = {SAMPLES(sum_samples), .values = sum_values};

/* ---- prefix ---- */

static void write_two_rows(dpr_store *store) {
    session_write(store, "rows", &(int32_t){2}, sizeof(int32_t));
}

static void write_no_rows(dpr_store *store) {
    session_write(store, "rows", &(int32_t){0}, sizeof(int32_t));
}

BUILD(prefix, dpr_prefix(g, x[0], dpr_input(g, "rows", DPR_I32, dpr_scalar_shape())))

static const struct grad_sample prefix_samples[] = {
    SAMPLE("prefix", 1, prefix, .shape = {SHAPE(4, 2)}, .write = write_two_rows, .linear = 1),
    SAMPLE("prefix of one axis", 1, prefix, .shape = {SHAPE(4)}, .write = write_two_rows,
           .linear = 1),
    SAMPLE("prefix of a batch", 1, prefix, .shape = {SHAPE(DPR_BATCH, 2, 2)},
           .write = write_two_rows, .linear = 1),
    SAMPLE("prefix of no rows", 1, prefix, .shape = {SHAPE(4)}, .write = write_no_rows, .linear = 1,
           .flat = 1),
};

static void prefix_values(void) {
    const dpr__tensor m = REALS((1, 2, 3, 4, 5, 6), 3, 2);
    EXPECT(prefix, NULL, REALS((1, 2, 3, 4, 0, 0), 3, 2), m, INTEGER(2));
    EXPECT(prefix, NULL, m, m, INTEGER(3));
    EXPECT(prefix, NULL, m, m, INTEGER(100));
    EXPECT(prefix, NULL, REALS((0, 0, 0, 0, 0, 0), 3, 2), m, INTEGER(0));
    EXPECT(prefix, NULL, REALS((0, 0, 0, 0, 0, 0), 3, 2), m, INTEGER(-1));
    EXPECT(prefix, NULL, REALS((7, 0), 2), REALS((7, 8), 2), INTEGER(1));
    EXPECT(prefix, NULL, NOTHING(0, 2), NOTHING(0, 2), INTEGER(1));
    EXPECT(prefix, NULL, NOTHING(2, 0), NOTHING(2, 0), INTEGER(1));
}

const struct grad_samples samples_prefix = {SAMPLES(prefix_samples), .values = prefix_values};

/* ---- squared_deviations ---- */

BUILD(squared_deviations,
      dpr__squared_deviations(g, x[0], dpr_input(g, "rows", DPR_I32, dpr_scalar_shape())))

static const struct grad_sample squared_deviations_samples[] = {
    SAMPLE("squared_deviations", 1, squared_deviations, .shape = {SHAPE(4, 2)},
           .write = write_two_rows),
    SAMPLE("squared_deviations of a batch", 1, squared_deviations,
           .shape = {SHAPE(DPR_BATCH, 2, 2, 2)}, .write = write_two_rows),
    SAMPLE("squared_deviations of no rows", 1, squared_deviations, .shape = {SHAPE(4, 2)},
           .write = write_no_rows, .flat = 1),
};

static void squared_deviations_values(void) {
    const dpr__tensor m = REALS((1, 2, 3, 2, 8, 8), 3, 2);
    EXPECT(squared_deviations, NULL, REALS((2, 0), 2), m, INTEGER(2));
    EXPECT(squared_deviations, NULL, REALS((26, 24), 2), m, INTEGER(3));
    EXPECT(squared_deviations, NULL, REALS((26, 24), 2), m, INTEGER(100));
    EXPECT(squared_deviations, NULL, REALS((0, 0), 2), m, INTEGER(1));
    EXPECT(squared_deviations, NULL, REALS((0, 0), 2), m, INTEGER(0));
    EXPECT(squared_deviations, NULL, REALS((0, 0), 2), NOTHING(0, 2), INTEGER(1));
    EXPECT(squared_deviations, NULL, REALS((14), 1), REALS((1, 2, 3, 6), 2, 2, 1), INTEGER(2));
}

const struct grad_samples samples_squared_deviations = {SAMPLES(squared_deviations_samples),
                                                        .values = squared_deviations_values};
