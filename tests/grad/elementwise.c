/* Samples of the elementwise f32 ops. */
#include "grad/samples.h"
#include "grad/values.h"
#include <math.h>

/* ---- two operands: every way to broadcast, in both roles ---- */

/* clang-format off */
#define BINARY(f, ...) \
    SAMPLE(#f " of equal shapes", 2, f, .shape = {SHAPE(2, 3), SHAPE(2, 3)}, __VA_ARGS__), \
    SAMPLE(#f " with a row", 2, f, .shape = {SHAPE(2, 3), SHAPE(3)}, __VA_ARGS__), \
    SAMPLE(#f " of a row", 2, f, .shape = {SHAPE(3), SHAPE(2, 3)}, __VA_ARGS__), \
    SAMPLE(#f " of a column and a row", 2, f, .shape = {SHAPE(2, 1), SHAPE(1, 3)}, __VA_ARGS__), \
    SAMPLE(#f " with a scalar", 2, f, .shape = {SHAPE(2, 2, 2), SCALAR}, __VA_ARGS__), \
    SAMPLE(#f " of scalars", 2, f, .shape = {SCALAR, SCALAR}, __VA_ARGS__), \
    SAMPLE(#f " of a batch with a row", 2, f, .shape = {SHAPE(DPR_BATCH, 2), SHAPE(2)}, \
           __VA_ARGS__), \
    SAMPLE(#f " of a batch with its column", 2, f, \
           .shape = {SHAPE(DPR_BATCH, 2), SHAPE(DPR_BATCH, 1)}, __VA_ARGS__), \
    SAMPLE(#f " of one row with a batch", 2, f, .shape = {SHAPE(1, 2), SHAPE(DPR_BATCH, 2)}, \
           __VA_ARGS__)
#define UNARY(f, ...) \
    SAMPLE(#f, 1, f, .shape = {SHAPE(2, 3)}, __VA_ARGS__), \
    SAMPLE(#f " of a scalar", 1, f, .shape = {SCALAR}, __VA_ARGS__), \
    SAMPLE(#f " of a batch", 1, f, .shape = {SHAPE(DPR_BATCH, 2)}, __VA_ARGS__)
/* clang-format on */

BUILD(add, dpr_add(g, x[0], x[1]))
BUILD(add_to_itself, dpr_add(g, x[0], x[0]))
BUILD(multiply, dpr_multiply(g, x[0], x[1]))
BUILD(square, dpr_multiply(g, x[0], x[0]))
BUILD(divide, dpr_divide(g, x[0], x[1]))

static const struct grad_sample add_samples[] = {
    BINARY(add, .linear = 0),
    SAMPLE("add to itself", 1, add_to_itself, .shape = {SHAPE(4)}, .linear = 1),
};

static void add_values(void) {
    EXPECT(add, NULL, REALS((1.5, 2, -1), 3), REALS((1, 2, 3), 3), REALS((0.5, 0, -4), 3));
    EXPECT(add, NULL, REALS((11, 12, 21, 22), 2, 2), REALS((10, 20), 2, 1), REALS((1, 2), 2));
    EXPECT(add, NULL, REAL(3), REAL(1), REAL(2));
    EXPECT(add, NULL, NOTHING(0, 2), NOTHING(0, 2), REALS((1, 2), 2));
}

const struct grad_samples samples_add = {SAMPLES(add_samples), .values = add_values};

static const struct grad_sample multiply_samples[] = {
    BINARY(multiply, .linear = 3),
    SAMPLE("square", 1, square, .shape = {SHAPE(4)}),
};

static void multiply_values(void) {
    EXPECT(multiply, NULL, REALS((0.5, 0, -12), 3), REALS((1, 2, 3), 3), REALS((0.5, 0, -4), 3));
    EXPECT(multiply, NULL, REALS((10, 20, 20, 40), 2, 2), REALS((10, 20), 2, 1), REALS((1, 2), 2));
    EXPECT(multiply, NULL, REALS((3, 6), 1, 2), REAL(3), REALS((1, 2), 1, 2));
    EXPECT(multiply, NULL, NOTHING(3, 0), NOTHING(3, 0), REAL(2));
}

const struct grad_samples samples_multiply = {SAMPLES(multiply_samples), .values = multiply_values};

static const struct grad_sample divide_samples[] = {
    BINARY(divide, .range = {{-2, 2}, {0.7, 2}}),
};

static void divide_values(void) {
    EXPECT(divide, NULL, REALS((0.5, -2, HUGE_VAL), 3), REALS((1, 8, 3), 3), REALS((2, -4, 0), 3));
    EXPECT(divide, NULL, REALS((10, 5, 20, 10), 2, 2), REALS((10, 20), 2, 1), REALS((1, 2), 2));
    EXPECT(divide, NULL, REALS(((double)NAN), 1), REALS((0), 1), REALS((0), 1));
    EXPECT(divide, NULL, NOTHING(0), NOTHING(0), NOTHING(1));
}

const struct grad_samples samples_divide = {SAMPLES(divide_samples), .values = divide_values};

/* ---- one operand ---- */

BUILD(scale, dpr_scale(g, x[0], -0.75))
BUILD(relu, dpr_relu(g, x[0]))
BUILD(sigmoid, dpr_sigmoid(g, x[0]))
BUILD(softplus, dpr_softplus(g, x[0]))
BUILD(hyperbolic_tangent, dpr_tanh(g, x[0]))
BUILD(exponential, dpr_exp(g, x[0]))
BUILD(logarithm, dpr_log(g, x[0]))
BUILD(square_root, dpr_sqrt(g, x[0]))
BUILD(error_function, dpr_erf(g, x[0]))

static const struct grad_sample scale_samples[] = {UNARY(scale, .linear = 1)};
/* Scalars with one draw could all fall where relu is flat; a positive range keeps them off it. */
static const struct grad_sample relu_samples[] = {
    SAMPLE("relu", 1, relu, .shape = {SHAPE(4, 4)}, .kink_at_zero = true),
    SAMPLE("relu of a batch", 1, relu, .shape = {SHAPE(DPR_BATCH, 4)}, .kink_at_zero = true),
    SAMPLE("relu above 0", 1, relu, .shape = {SCALAR}, .range = {{0.5, 2}}),
    SAMPLE("relu below 0", 1, relu, .shape = {SHAPE(3)}, .range = {{-2, -0.5}}, .flat = 1),
};
static const struct grad_sample softplus_samples[] = {UNARY(softplus, .linear = 0)};
static const struct grad_sample sigmoid_samples[] = {UNARY(sigmoid, .linear = 0)};
static const struct grad_sample tanh_samples[] = {UNARY(hyperbolic_tangent, .linear = 0)};
static const struct grad_sample exp_samples[] = {UNARY(exponential, .linear = 0)};
static const struct grad_sample log_samples[] = {UNARY(logarithm, .range = {{0.7, 3}})};
static const struct grad_sample sqrt_samples[] = {UNARY(square_root, .range = {{0.7, 3}})};
static const struct grad_sample erf_samples[] = {UNARY(error_function, .linear = 0)};

static void scale_values(void) {
    static const dpr__scale_param half = {0.5};
    EXPECT(scale, &half, REALS((1, -3, 0), 3), REALS((2, -6, 0), 3));
    EXPECT(scale, &half, REAL(4), REAL(8));
    EXPECT(scale, &half, NOTHING(0, 4), NOTHING(0, 4));
}

static void relu_values(void) {
    EXPECT(relu, NULL, REALS((0, 0, 0, 0, 2), 5), REALS((-1, -0x1p-100, 0, -0.0, 2), 5));
    EXPECT(relu, NULL, NOTHING(0), NOTHING(0));
}

static void step_values(void) {
    EXPECT(step, NULL, REALS((0, 0, 0, 1, 1), 5), REALS((-1, 0, -0.0, 0x1p-100, 7), 5));
    EXPECT(step, NULL, NOTHING(2, 0), NOTHING(2, 0));
}

/* ln 2; the ends: x itself, and e^x. */
static void softplus_values(void) {
    EXPECT(
        softplus, NULL,
        REALS((0.69314718055994530942, 1.31326168751822283405, 100, 1.92874984796391778e-22, 0), 5),
        REALS((0, 1, 100, -50, -1000), 5));
    EXPECT(softplus, NULL, NOTHING(0), NOTHING(0));
}

static void sigmoid_values(void) {
    /* 1/(1 + 1/e) and 1/(1 + e); ±1e4 must neither overflow nor turn into NaN. */
    EXPECT(sigmoid, NULL, REALS((0.5, 0.73105857863000487925, 0.26894142136999512075, 1, 0), 5),
           REALS((0, 1, -1, 1e4, -1e4), 5));
    EXPECT(sigmoid, NULL, NOTHING(0), NOTHING(0));
}

static void tanh_values(void) {
    EXPECT(tanh, NULL, REALS((0, 0.76159415595576488812, -0.76159415595576488812, 1, -1), 5),
           REALS((0, 1, -1, 1e4, -1e4), 5));
    EXPECT(tanh, NULL, NOTHING(0), NOTHING(0));
}

static void exp_values(void) {
    EXPECT(exp, NULL, REALS((1, 2.7182818284590452354, 0.13533528323661269189, 0, HUGE_VAL), 5),
           REALS((0, 1, -2, -1e4, 1e4), 5));
    EXPECT(exp, NULL, NOTHING(0), NOTHING(0));
}

static void log_values(void) {
    EXPECT(log, NULL, REALS((0, 0.69314718055994530942, -HUGE_VAL, (double)NAN), 4),
           REALS((1, 2, 0, -1), 4));
    EXPECT(log, NULL, NOTHING(0), NOTHING(0));
}

static void sqrt_values(void) {
    EXPECT(sqrt, NULL, REALS((0, 1.5, 1.4142135623730950488, (double)NAN), 4),
           REALS((0, 2.25, 2, -1), 4));
    EXPECT(sqrt, NULL, NOTHING(0), NOTHING(0));
}

static void erf_values(void) {
    EXPECT(erf, NULL, REALS((0, 0.84270079294971486934, -0.84270079294971486934, 1), 4),
           REALS((0, 1, -1, 30), 4));
    EXPECT(erf, NULL, NOTHING(0), NOTHING(0));
}

static void round_bf16_values(void) {
    /* Eight bits of precision: at 1, steps of 2⁻⁷; ties go to even. */
    EXPECT(round_bf16, NULL, REALS((1, 1, 1.015625, 1.0078125, -1.5, 0, (double)NAN), 7),
           REALS((1, 1.00390625, 1.01171875, 1.00391, -1.5, 0, (double)NAN), 7));
    EXPECT(round_bf16, NULL, NOTHING(2, 0), NOTHING(2, 0));
}

const struct grad_samples samples_scale = {SAMPLES(scale_samples), .values = scale_values};
const struct grad_samples samples_relu = {SAMPLES(relu_samples), .values = relu_values};
const struct grad_samples samples_step = {.why_none = "its derivative is 0 wherever it exists",
                                          .values = step_values};
const struct grad_samples samples_round_bf16 = {
    .why_none = "its derivative is 0 wherever it exists", .values = round_bf16_values};
const struct grad_samples samples_softplus = {SAMPLES(softplus_samples), .values = softplus_values};
const struct grad_samples samples_sigmoid = {SAMPLES(sigmoid_samples), .values = sigmoid_values};
const struct grad_samples samples_tanh = {SAMPLES(tanh_samples), .values = tanh_values};
const struct grad_samples samples_exp = {SAMPLES(exp_samples), .values = exp_values};
const struct grad_samples samples_log = {SAMPLES(log_samples), .values = log_values};
const struct grad_samples samples_sqrt = {SAMPLES(sqrt_samples), .values = sqrt_values};
const struct grad_samples samples_erf = {SAMPLES(erf_samples), .values = erf_values};
