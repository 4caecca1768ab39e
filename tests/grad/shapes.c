/* Samples of reshape, transpose and broadcast. */
#include "grad/samples.h"
#include "grad/values.h"

#define VIEW(title, f, ...) SAMPLE(title, 1, f, .shape = {__VA_ARGS__}, .linear = 1)

/* ---- reshape ---- */

BUILD(flatten, dpr_reshape(g, x[0], dpr_shape_of(6)))
BUILD(flatten_batch, dpr_reshape(g, x[0], dpr_shape_of(DPR_BATCH, 6)))
BUILD(move_batch, dpr_reshape(g, x[0], dpr_shape_of(2, DPR_BATCH, 2)))
BUILD(to_matrix, dpr_reshape(g, x[0], dpr_shape_of(1, 1)))

static const struct grad_sample reshape_samples[] = {
    VIEW("reshape", flatten, SHAPE(2, 3)),
    VIEW("reshape of a batch", flatten_batch, SHAPE(DPR_BATCH, 2, 3)),
    VIEW("reshape that moves the batch", move_batch, SHAPE(DPR_BATCH, 4)),
    VIEW("reshape of a scalar", to_matrix, SCALAR),
};

static void reshape_values(void) {
    static const dpr__shape_param row = {SHAPE(6)}, scalar = {SCALAR}, none = {SHAPE(0, 5)},
                                  pairs = {SHAPE(2, 2)};
    EXPECT(reshape, &row, REALS((1, 2, 3, 4, 5, 6), 6), REALS((1, 2, 3, 4, 5, 6), 2, 3));
    EXPECT(reshape, &scalar, REAL(1), REALS((1), 1, 1));
    EXPECT(reshape, &none, NOTHING(0, 5), NOTHING(3, 0));
    EXPECT(reshape, &pairs, INTEGERS((1, 2, 3, 4), 2, 2), INTEGERS((1, 2, 3, 4), 4));
}

const struct grad_samples samples_reshape = {SAMPLES(reshape_samples), .values = reshape_values};

/* ---- transpose ---- */

BUILD(swap, dpr_transpose(g, x[0], (uint32_t[]){1, 0}))
BUILD(rotate, dpr_transpose(g, x[0], (uint32_t[]){2, 0, 1}))
BUILD(swap_inner, dpr_transpose(g, x[0], (uint32_t[]){0, 2, 1}))
BUILD(shuffle, dpr_transpose(g, x[0], (uint32_t[]){3, 1, 0, 2}))

static const struct grad_sample transpose_samples[] = {
    VIEW("transpose", swap, SHAPE(2, 3)),
    VIEW("transpose that rotates", rotate, SHAPE(2, 3, 4)),
    VIEW("transpose of four axes", shuffle, SHAPE(2, 3, 2, 4)),
    VIEW("transpose of a batch", swap_inner, SHAPE(DPR_BATCH, 2, 3)),
    VIEW("transpose that moves the batch", swap, SHAPE(DPR_BATCH, 2)),
};

static void transpose_values(void) {
    static const dpr__transpose_param two = {SHAPE(1, 0)}, three = {SHAPE(2, 0, 1)},
                                      none = {SCALAR};
    EXPECT(transpose, &two, REALS((1, 4, 2, 5, 3, 6), 3, 2), REALS((1, 2, 3, 4, 5, 6), 2, 3));
    /* dst[i][j][k] = src[j][k][i] */
    EXPECT(transpose, &three, REALS((1, 3, 5, 7, 2, 4, 6, 8), 2, 2, 2),
           REALS((1, 2, 3, 4, 5, 6, 7, 8), 2, 2, 2));
    EXPECT(transpose, &none, REAL(5), REAL(5));
    EXPECT(transpose, &two, NOTHING(3, 0), NOTHING(0, 3));
}

const struct grad_samples samples_transpose = {SAMPLES(transpose_samples),
                                               .values = transpose_values};

/* ---- broadcast ---- */

BUILD(to_rows, dpr_broadcast(g, x[0], dpr_shape_of(2, 3)))
BUILD(to_columns, dpr_broadcast(g, x[0], dpr_shape_of(3, 2, 2)))
BUILD(to_batch, dpr_broadcast(g, x[0], dpr_shape_of(DPR_BATCH, 3)))

static const struct grad_sample broadcast_samples[] = {
    VIEW("broadcast of a row", to_rows, SHAPE(3)),
    VIEW("broadcast of a scalar", to_rows, SCALAR),
    VIEW("broadcast to the same shape", to_rows, SHAPE(2, 3)),
    VIEW("broadcast of a column", to_columns, SHAPE(2, 1)),
    VIEW("broadcast to a batch", to_batch, SHAPE(3)),
    VIEW("broadcast of one row to a batch", to_batch, SHAPE(1, 3)),
    VIEW("broadcast within a batch", to_batch, SHAPE(DPR_BATCH, 1)),
};

static void broadcast_values(void) {
    static const dpr__shape_param rows = {SHAPE(2, 3)}, none = {SHAPE(0, 3)};
    EXPECT(broadcast, &rows, REALS((1, 2, 3, 1, 2, 3), 2, 3), REALS((1, 2, 3), 3));
    EXPECT(broadcast, &rows, REALS((1, 1, 1, 2, 2, 2), 2, 3), REALS((1, 2), 2, 1));
    EXPECT(broadcast, &rows, REALS((4, 4, 4, 4, 4, 4), 2, 3), REAL(4));
    EXPECT(broadcast, &none, NOTHING(0, 3), REALS((1, 2, 3), 1, 3));
}

const struct grad_samples samples_broadcast = {SAMPLES(broadcast_samples),
                                               .values = broadcast_values};
