/* Samples of conv2d, conv2d_data and conv2d_weights: each kind of convolution for all three. */
#include "grad/samples.h"
#include "grad/values.h"
#include "ir/form.h"
#include "ops/winograd.h"

/* X(name, title, stride, dilation, padding at top, left, bottom and right, groups, height, width, kernel; shapes of src,
 * weights and dst) */
/* clang-format off */
#define CONVOLUTIONS(X) \
    X(plain, "plain", (1, 1, 1, 1, 0, 0, 0, 0, 1, 4, 5, 3, 2), \
      (DPR_BATCH, 4, 5, 1), (3, 2, 1, 2), (DPR_BATCH, 2, 4, 2)) \
    X(pixel, "1 × 1", (1, 1, 1, 1, 0, 0, 0, 0, 1, 2, 3, 1, 1), \
      (2, 2, 3, 4), (1, 1, 4, 3), (2, 2, 3, 3)) \
    X(strided, "strided, with a rest", (2, 3, 1, 1, 0, 0, 0, 0, 1, 7, 7, 3, 3), \
      (1, 7, 7, 1), (3, 3, 1, 2), (1, 3, 2, 2)) \
    X(dilated, "dilated", (1, 1, 3, 2, 0, 0, 0, 0, 1, 6, 7, 2, 3), \
      (1, 6, 7, 1), (2, 3, 1, 2), (1, 3, 3, 2)) \
    X(padded, "padded unevenly", (1, 1, 1, 1, 1, 0, 2, 1, 1, 3, 3, 3, 3), \
      (DPR_BATCH, 3, 3, 2), (3, 3, 2, 1), (DPR_BATCH, 4, 2, 1)) \
    X(grouped, "in groups", (1, 1, 1, 1, 0, 0, 0, 0, 2, 3, 3, 2, 2), \
      (1, 3, 3, 4), (2, 2, 2, 6), (1, 2, 2, 6)) \
    X(depthwise, "depthwise", (1, 1, 1, 1, 1, 1, 1, 1, 3, 4, 4, 3, 3), \
      (1, 4, 4, 3), (3, 3, 1, 3), (1, 4, 4, 3)) \
    X(multiplied, "depthwise, two results for each channel", (2, 2, 1, 1, 1, 1, 0, 0, 2, 3, 3, 2, 2), \
      (DPR_BATCH, 3, 3, 2), (2, 2, 1, 4), (DPR_BATCH, 2, 2, 4)) \
    X(larger, "kernel larger than the image", (1, 1, 1, 1, 2, 2, 2, 2, 1, 2, 2, 5, 5), \
      (2, 2, 2, 2), (5, 5, 2, 1), (2, 2, 2, 1)) \
    X(far, "padded beyond the kernel", (1, 2, 1, 1, 3, 0, 0, 3, 1, 2, 2, 2, 2), \
      (1, 2, 2, 2), (2, 2, 2, 2), (1, 4, 2, 2)) \
    X(mixed, "everything at once", (2, 1, 1, 2, 1, 1, 0, 2, 2, 5, 5, 3, 2), \
      (1, 5, 5, 2), (3, 2, 1, 2), (1, 2, 6, 2))
/* clang-format on */

#define X(name, title, numbers, src, weights, dst)                                                 \
    static const dpr__conv_param name = {UNPACK numbers, 0, 0, 0};                                 \
    BUILD(name##_conv2d, dpr__node_add(g, DPR__OP_conv2d, x, 2, &name))                            \
    BUILD(name##_data, dpr__node_add(g, DPR__OP_conv2d_data, x, 2, &name))                         \
    BUILD(name##_weights, dpr__node_add(g, DPR__OP_conv2d_weights, x, 2, &name))
CONVOLUTIONS(X)
#undef X

/* ---- conv2d ---- */

/* Through the public builder, whose options must arrive where they belong. */
static dpr_value built(dpr_graph *g, const dpr_value *x) {
    dpr_conv_options o = dpr_conv_options_default();
    o.stride[0] = 2;
    o.dilation[1] = 2;
    o.pad[0] = o.pad[1] = 1;
    o.pad[3] = 2;
    o.groups = 2;
    return dpr_conv2d(g, x[0], x[1], &o);
}
BUILD(by_default, dpr_conv2d(g, x[0], x[1], NULL))

static const struct grad_sample conv2d_samples[] = {
#define X(name, title, numbers, src, weights, dst)                                                 \
    SAMPLE("conv2d, " title, 2, name##_conv2d, .shape = {SHAPE src, SHAPE weights}, .linear = 3),
    CONVOLUTIONS(X)
#undef X
        SAMPLE("conv2d, by its builder", 2, built, .shape = {SHAPE(1, 5, 5, 2), SHAPE(3, 2, 1, 2)},
               .linear = 3),
    SAMPLE("conv2d, default options", 2, by_default,
           .shape = {SHAPE(DPR_BATCH, 3, 3, 2), SHAPE(2, 2, 2, 3)}, .linear = 3),
};

static const dpr__tensor nine = {
    DPR_F64, {4, {1, 3, 3, 1}}, (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9}, DPR__PLAIN};

static void conv2d_values(void) {
    static const dpr__conv_param one = {1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
                                 every_second = {2, 2, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
                                 wide = {1, 1, 2, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
                                 two = {1, 1, 1, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};
    const dpr__tensor square = REALS((1, 2, 3, 4), 2, 2, 1, 1);
    EXPECT(conv2d, &one, REALS((37, 47, 67, 77), 1, 2, 2, 1), nine, square);
    EXPECT(conv2d, &one, REALS((201, 2010, 403, 4030), 1, 1, 2, 2), REALS((1, 2, 3, 4), 1, 1, 2, 2),
           REALS((1, 10, 100, 1000), 1, 1, 2, 2));
    EXPECT(conv2d, &one, REALS((10, 20), 2, 1, 1, 1), REALS((1, 2), 2, 1, 1, 1),
           REALS((10), 1, 1, 1, 1)); /* two images */
    EXPECT(conv2d, &every_second, REALS((1, 5, 11, 28), 1, 2, 2, 1), nine,
           REALS((1, 1, 1, 1), 2, 2, 1, 1));
    EXPECT(conv2d, &wide, REALS((64), 1, 1, 1, 1), nine, square);
    EXPECT(conv2d, &two, REALS((7, 22), 1, 1, 1, 2), REALS((1, 2, 3, 4), 1, 1, 1, 4),
           REALS((1, 2, 3, 4), 1, 1, 2, 2));
    EXPECT(conv2d, &two, REALS((5, 10, 21, 28), 1, 1, 1, 4), REALS((5, 7), 1, 1, 1, 2),
           REALS((1, 2, 3, 4), 1, 1, 1, 4));
    EXPECT(conv2d, &one, NOTHING(0, 2, 2, 1), NOTHING(0, 3, 3, 1), square);
}

const struct grad_samples samples_conv2d = {SAMPLES(conv2d_samples), .values = conv2d_values};

/* ---- conv2d_data ---- */

/* With filters as turn_filters leaves them. */
static dpr_value data_of_turned(dpr_graph *g, const dpr_value *x) {
    static const dpr__conv_param turned = {.stride_h = 2,
                                           .stride_w = 1,
                                           .dilation_h = 1,
                                           .dilation_w = 2,
                                           .pad_top = 1,
                                           .pad_right = 1,
                                           .groups = 1,
                                           .height = 4,
                                           .width = 5,
                                           .turned = 1};
    return dpr__node_add(g, DPR__OP_conv2d_data, x, 2, &turned);
}
static const dpr__turn_param whole = {1}, halves = {2};

static dpr_value data_turning(dpr_graph *g, const dpr_value *x) {
    dpr_value filters = dpr__node_add(g, DPR__OP_turn_filters, &x[1], 1, &whole);
    return data_of_turned(g, (dpr_value[]){x[0], filters});
}
/* In two groups of two channels and three. */
static dpr_value data_of_turned_groups(dpr_graph *g, const dpr_value *x) {
    static const dpr__conv_param turned = {.stride_h = 1,
                                           .stride_w = 1,
                                           .dilation_h = 1,
                                           .dilation_w = 1,
                                           .groups = 2,
                                           .height = 3,
                                           .width = 3,
                                           .turned = 1};
    return dpr__node_add(g, DPR__OP_conv2d_data, x, 2, &turned);
}
static dpr_value data_turning_groups(dpr_graph *g, const dpr_value *x) {
    dpr_value filters = dpr__node_add(g, DPR__OP_turn_filters, &x[1], 1, &halves);
    return data_of_turned_groups(g, (dpr_value[]){x[0], filters});
}

static const struct grad_sample conv2d_data_samples[] = {
    SAMPLE("conv2d_data, turned", 2, data_of_turned,
           .shape = {SHAPE(1, 2, 4, 2), SHAPE(3, 2, 2, 1)}, .linear = 3),
    SAMPLE("conv2d_data, turning", 2, data_turning, .shape = {SHAPE(1, 2, 4, 2), SHAPE(3, 2, 1, 2)},
           .linear = 3),
    SAMPLE("conv2d_data, turned in groups", 2, data_of_turned_groups,
           .shape = {SHAPE(1, 2, 2, 6), SHAPE(2, 2, 3, 4)}, .linear = 3),
    SAMPLE("conv2d_data, turning in groups", 2, data_turning_groups,
           .shape = {SHAPE(1, 2, 2, 6), SHAPE(2, 2, 2, 6)}, .linear = 3),
#define X(name, title, numbers, src, weights, dst)                                                 \
    SAMPLE("conv2d_data, " title, 2, name##_data, .shape = {SHAPE dst, SHAPE weights}, .linear = 3),
    CONVOLUTIONS(X)
#undef X
};

static void conv2d_data_values(void) {
    static const dpr__conv_param one = {1, 1, 1, 1, 0, 0, 0, 0, 1, 3, 3, 0, 0, 0, 0, 0},
                                 every_second = {2, 2, 1, 1, 0, 0, 0, 0, 1, 3, 3, 0, 0, 0, 0, 0},
                                 around = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0},
                                 two = {1, 1, 1, 1, 0, 0, 0, 0, 2, 1, 1, 0, 0, 0, 0, 0};
    const dpr__tensor square = REALS((1, 2, 3, 4), 2, 2, 1, 1);
    EXPECT(conv2d_data, &one, REALS((1, 4, 4, 6, 20, 16, 9, 24, 16), 1, 3, 3, 1),
           REALS((1, 2, 3, 4), 1, 2, 2, 1), square);
    EXPECT(conv2d_data, &every_second, REALS((5, 10, 0, 15, 20, 0, 0, 0, 0), 1, 3, 3, 1),
           REALS((5), 1, 1, 1, 1), square); /* the last row and column are in no window */
    EXPECT(conv2d_data, &around, REALS((20), 1, 1, 1, 1), REALS((4), 1, 1, 1, 1),
           REALS((1, 2, 3, 4, 5, 6, 7, 8, 9), 3, 3, 1, 1));
    EXPECT(conv2d_data, &two, REALS((10, 30, 200, 400), 1, 1, 1, 4), REALS((10, 100), 1, 1, 1, 2),
           REALS((1, 2, 3, 4), 1, 1, 2, 2));
    EXPECT(conv2d_data, &one, NOTHING(0, 3, 3, 1), NOTHING(0, 2, 2, 1), square);
    /* the same in turned filters */
    static const dpr__conv_param turned = {1, 1, 1, 1, 0, 0, 0, 0, 2, 1, 1, 0, 0, 1, 0, 0};
    EXPECT(conv2d_data, &turned, REALS((10, 30, 200, 400), 1, 1, 1, 4),
           REALS((10, 100), 1, 1, 1, 2), REALS((1, 3, 2, 4), 1, 1, 1, 4));
}

const struct grad_samples samples_conv2d_data = {SAMPLES(conv2d_data_samples),
                                                 .values = conv2d_data_values};

/* ---- turn_filters ---- */

BUILD(turning, dpr__node_add(g, DPR__OP_turn_filters, x, 1, &whole))
BUILD(turning_groups, dpr__node_add(g, DPR__OP_turn_filters, x, 1, &halves))

static const struct grad_sample turn_filters_samples[] = {
    SAMPLE("turn_filters", 1, turning, .shape = {SHAPE(2, 3, 1, 2)}, .linear = 1),
    SAMPLE("turn_filters, in groups", 1, turning_groups, .shape = {SHAPE(2, 1, 3, 4)}, .linear = 1),
};

static void turn_filters_values(void) {
    EXPECT(turn_filters, &whole, REALS((5, 7, 6, 8, 1, 3, 2, 4), 2, 1, 2, 2),
           REALS((1, 2, 3, 4, 5, 6, 7, 8), 2, 1, 2, 2));
    EXPECT(turn_filters, &whole, NOTHING(1, 1, 3, 0), NOTHING(1, 1, 0, 3));
    EXPECT(turn_filters, &halves, REALS((5, 6, 7, 8, 1, 2, 3, 4), 2, 1, 1, 4),
           REALS((1, 3, 2, 4, 5, 7, 6, 8), 2, 1, 2, 2));
}

const struct grad_samples samples_turn_filters = {SAMPLES(turn_filters_samples),
                                                  .values = turn_filters_values};

/* ---- winograd_filters ---- */

/* What is transformed is a product of a row's tap and a column's: points of the middle one, and of the first. */
static void winograd_filters_values(void) {
    static const dpr__conv_param same = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0},
                                 back = {1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 0, 0, 1, 1, 0};
    static const dpr__winograd_filters_param exact = {false}, rounded = {true};
    const double a = DPR__WINOGRAD_SCALE_A, b = DPR__WINOGRAD_SCALE_B;
    const double middle_tap[6] = {
        0, a * DPR__WINOGRAD_A, -a * DPR__WINOGRAD_A, b * DPR__WINOGRAD_B, -b * DPR__WINOGRAD_B, 0};
    const double first_tap[6] = {DPR__WINOGRAD_FIRST, a, a, b, b, 0};
    double middle[36], first[36], half[36];
    for (int i = 0; i < 36; i++) {
        middle[i] = middle_tap[i / 6] * middle_tap[i % 6];
        first[i] = first_tap[i / 6] * first_tap[i % 6];
        half[i] = dpr__bf16_of(first[i]);
    }
    const dpr__tensor of_middle = {DPR_F64, dpr_shape_of(6, 6, 1, 1), middle, DPR__PLAIN},
                      of_first = {DPR_F64, dpr_shape_of(6, 6, 1, 1), first, DPR__PLAIN},
                      of_halves = {DPR_F64, dpr_shape_of(6, 6, 1, 1), half, DPR__PLAIN},
                      image = REALS((1, 2, 3, 4), 1, 2, 2, 1);
    const dpr__tensor tap_4 = REALS((0, 0, 0, 0, 1, 0, 0, 0, 0), 3, 3, 1, 1),
                      tap_0 = REALS((1, 0, 0, 0, 0, 0, 0, 0, 0), 3, 3, 1, 1);
    EXPECT(winograd_filters, &exact, of_middle, tap_4);
    EXPECT(winograd_filters, &exact, of_first, tap_0);
    EXPECT(winograd_filters, &rounded, of_halves, tap_0);
    /* What reads them gives back the image, or shifts it. */
    EXPECT(conv2d, &same, image, image, of_middle);
    EXPECT(conv2d_data, &back, image, image, of_middle);
    EXPECT(conv2d, &same, REALS((0, 0, 0, 1), 1, 2, 2, 1), image, of_first);
    EXPECT(conv2d_data, &back, REALS((0, 0, 0, 1), 1, 2, 2, 1), image, of_first);
}

const struct grad_samples samples_winograd_filters = {
    .why_none = "passes put it behind the derivative", .values = winograd_filters_values};

/* ---- conv2d_weights ---- */

static const struct grad_sample conv2d_weights_samples[] = {
#define X(name, title, numbers, src, weights, dst)                                                 \
    SAMPLE("conv2d_weights, " title, 2, name##_weights, .shape = {SHAPE src, SHAPE dst},           \
           .linear = 3),
    CONVOLUTIONS(X)
#undef X
};

static void conv2d_weights_values(void) {
    static const dpr__conv_param square = {1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 2, 2, 0, 0, 0},
                                 pixel_of = {1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0},
                                 around = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 3, 3, 0, 0, 0},
                                 two = {1, 1, 1, 1, 0, 0, 0, 0, 2, 0, 0, 1, 1, 0, 0, 0};
    EXPECT(conv2d_weights, &square, REALS((37, 47, 67, 77), 2, 2, 1, 1), nine,
           REALS((1, 2, 3, 4), 1, 2, 2, 1));
    EXPECT(conv2d_weights, &pixel_of, REALS((31), 1, 1, 1, 1), REALS((2, 3), 2, 1, 1, 1),
           REALS((5, 7), 2, 1, 1, 1)); /* two images */
    EXPECT(conv2d_weights, &around, REALS((0, 0, 0, 0, 6, 0, 0, 0, 0), 3, 3, 1, 1),
           REALS((2), 1, 1, 1, 1), REALS((3), 1, 1, 1, 1));
    EXPECT(conv2d_weights, &two, REALS((10, 300, 20, 400), 1, 1, 2, 2),
           REALS((1, 2, 3, 4), 1, 1, 1, 4), REALS((10, 100), 1, 1, 1, 2));
    EXPECT(conv2d_weights, &square, REALS((0, 0, 0, 0), 2, 2, 1, 1), NOTHING(0, 3, 3, 1),
           NOTHING(0, 2, 2, 1)); /* empty sums */
}

const struct grad_samples samples_conv2d_weights = {SAMPLES(conv2d_weights_samples),
                                                    .values = conv2d_weights_values};
