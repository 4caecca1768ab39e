/* Samples of reshape, transpose, broadcast, and what pads and cuts along one axis. */
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

/* ---- pad, slice ---- */

BUILD(pad_columns, dpr_pad(g, x[0], 1, 1, 2))
BUILD(pad_inner, dpr_pad(g, x[0], 2, 2, 0))
BUILD(pad_channels, dpr_pad(g, x[0], 3, 0, 1))
BUILD(pad_nothing, dpr_pad(g, x[0], 1, 0, 0))

static const struct grad_sample pad_samples[] = {
    VIEW("pad", pad_columns, SHAPE(2, 3)),
    VIEW("pad of an inner axis", pad_inner, SHAPE(2, 2, 3, 2)),
    VIEW("pad of channels", pad_channels, SHAPE(DPR_BATCH, 2, 2, 3)),
    VIEW("pad of a batch's rows", pad_columns, SHAPE(DPR_BATCH, 3)),
    VIEW("pad by nothing", pad_nothing, SHAPE(2, 3)),
};

static void pad_values(void) {
    static const dpr__pad_param columns = {1, 1, 2}, front = {1, 1, 0}, back = {2, 0, 1};
    EXPECT(pad, &columns, REALS((0, 1, 2, 0, 0, 0, 3, 4, 0, 0), 2, 5), REALS((1, 2, 3, 4), 2, 2));
    EXPECT(pad, &front, REALS((0, 0, 1, 2, 3, 4), 1, 3, 2), REALS((1, 2, 3, 4), 1, 2, 2));
    EXPECT(pad, &back, REALS((1, 0, 2, 0), 1, 2, 2), REALS((1, 2), 1, 2, 1));
    EXPECT(pad, &columns, NOTHING(0, 5), NOTHING(0, 2));
}

const struct grad_samples samples_pad = {SAMPLES(pad_samples), .values = pad_values};

BUILD(slice_columns, dpr_slice(g, x[0], 1, 1, 2))
BUILD(slice_inner, dpr_slice(g, x[0], 2, 0, 2))
BUILD(slice_last, dpr_slice(g, x[0], 3, 2, 1))
BUILD(slice_all, dpr_slice(g, x[0], 1, 0, 3))

static const struct grad_sample slice_samples[] = {
    VIEW("slice", slice_columns, SHAPE(2, 4)),
    VIEW("slice of an inner axis", slice_inner, SHAPE(2, 2, 3, 2)),
    VIEW("slice of channels", slice_last, SHAPE(DPR_BATCH, 2, 2, 3)),
    VIEW("slice of a batch's rows", slice_columns, SHAPE(DPR_BATCH, 3)),
    VIEW("slice of everything", slice_all, SHAPE(2, 3)),
};

static void slice_values(void) {
    static const dpr__slice_param middle = {1, 1, 2}, row = {1, 1, 1}, last = {2, 1, 1};
    EXPECT(slice, &middle, REALS((2, 3, 6, 7), 2, 2), REALS((1, 2, 3, 4, 5, 6, 7, 8), 2, 4));
    EXPECT(slice, &row, REALS((3, 4, 7, 8), 2, 1, 2), REALS((1, 2, 3, 4, 5, 6, 7, 8), 2, 2, 2));
    EXPECT(slice, &last, REALS((2, 4, 6, 8), 2, 2, 1), REALS((1, 2, 3, 4, 5, 6, 7, 8), 2, 2, 2));
    EXPECT(slice, &middle, NOTHING(0, 2), NOTHING(0, 4));
}

const struct grad_samples samples_slice = {SAMPLES(slice_samples), .values = slice_values};

/* ---- pad_reflect, fold_reflect ---- */

static const dpr__pad_param both_sides = {1, 2, 1}, in_front = {2, 1, 0}, behind = {3, 0, 2},
                            no_margins = {1, 0, 0};

BUILD(reflect_columns, dpr_pad_reflect(g, x[0], 1, 2, 1))
BUILD(reflect_inner, dpr_pad_reflect(g, x[0], 2, 1, 0))
BUILD(reflect_channels, dpr_pad_reflect(g, x[0], 3, 0, 2))
BUILD(reflect_nothing, dpr_pad_reflect(g, x[0], 1, 0, 0))

static const struct grad_sample pad_reflect_samples[] = {
    VIEW("pad_reflect", reflect_columns, SHAPE(2, 3)),
    VIEW("pad_reflect of many", reflect_columns, SHAPE(2, 6)),
    VIEW("pad_reflect of an inner axis", reflect_inner, SHAPE(2, 2, 3, 2)),
    VIEW("pad_reflect of channels", reflect_channels, SHAPE(DPR_BATCH, 2, 2, 3)),
    VIEW("pad_reflect of a batch's rows", reflect_columns, SHAPE(DPR_BATCH, 3)),
    VIEW("pad_reflect by nothing", reflect_nothing, SHAPE(2, 1)),
};

static void pad_reflect_values(void) {
    EXPECT(pad_reflect, &both_sides, REALS((3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5), 2, 6),
           REALS((1, 2, 3, 4, 5, 6), 2, 3));
    EXPECT(pad_reflect, &in_front, REALS((3, 4, 1, 2, 3, 4), 1, 1, 3, 2),
           REALS((1, 2, 3, 4), 1, 1, 2, 2));
    EXPECT(pad_reflect, &no_margins, REALS((1), 1, 1), REALS((1), 1, 1));
    EXPECT(pad_reflect, &both_sides, NOTHING(0, 6), NOTHING(0, 3));
}

const struct grad_samples samples_pad_reflect = {SAMPLES(pad_reflect_samples),
                                                 .values = pad_reflect_values};

BUILD(fold_columns, dpr__node_add(g, DPR__OP_fold_reflect, x, 1, &both_sides))
BUILD(fold_inner, dpr__node_add(g, DPR__OP_fold_reflect, x, 1, &in_front))
BUILD(fold_channels, dpr__node_add(g, DPR__OP_fold_reflect, x, 1, &behind))
BUILD(fold_nothing, dpr__node_add(g, DPR__OP_fold_reflect, x, 1, &no_margins))

static const struct grad_sample fold_reflect_samples[] = {
    VIEW("fold_reflect", fold_columns, SHAPE(2, 6)),
    VIEW("fold_reflect of many", fold_columns, SHAPE(2, 9)),
    VIEW("fold_reflect of an inner axis", fold_inner, SHAPE(2, 2, 4, 2)),
    VIEW("fold_reflect of channels", fold_channels, SHAPE(DPR_BATCH, 2, 1, 5)),
    VIEW("fold_reflect of no margins", fold_nothing, SHAPE(DPR_BATCH, 1)),
};

static void fold_reflect_values(void) {
    EXPECT(fold_reflect, &both_sides, REALS((3, 12, 6), 1, 3), REALS((1, 2, 3, 4, 5, 6), 1, 6));
    EXPECT(fold_reflect, &in_front, REALS((3, 4, 6, 8), 1, 1, 2, 2),
           REALS((1, 2, 3, 4, 5, 6), 1, 1, 3, 2));
    EXPECT(fold_reflect, &no_margins, REALS((1), 1, 1), REALS((1), 1, 1));
    EXPECT(fold_reflect, &both_sides, NOTHING(0, 3), NOTHING(0, 6));
}

const struct grad_samples samples_fold_reflect = {SAMPLES(fold_reflect_samples),
                                                  .values = fold_reflect_values};
