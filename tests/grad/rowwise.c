/* Samples of the ops over the last axis. */
#include "grad/samples.h"
#include "grad/values.h"
#include <math.h>

BUILD(softmax, dpr_softmax(g, x[0]))
BUILD(log_softmax, dpr_log_softmax(g, x[0]))

/* clang-format off */
#define ROWS(f) \
    SAMPLE(#f, 1, f, .shape = {SHAPE(3, 4)}), \
    SAMPLE(#f " of one row", 1, f, .shape = {SHAPE(5)}), \
    SAMPLE(#f " of three axes", 1, f, .shape = {SHAPE(2, 2, 3)}), \
    SAMPLE(#f " of a batch", 1, f, .shape = {SHAPE(DPR_BATCH, 4)}), \
    SAMPLE(#f " of one class", 1, f, .shape = {SHAPE(2, 1)}, .flat = 1)
/* clang-format on */

static const struct grad_sample softmax_samples[] = {ROWS(softmax)};
static const struct grad_sample log_softmax_samples[] = {ROWS(log_softmax)};

static void softmax_values(void) {
    /* e^0 : e^ln 3 = 1 : 3 would need an inexact operand; equal ones and e : 1 do not. */
    EXPECT(softmax, NULL, REALS((0.5, 0.5, 0.73105857863000487925, 0.26894142136999512075), 2, 2),
           REALS((7, 7, 1, 0), 2, 2));
    EXPECT(softmax, NULL, REALS((1, 0, 0, 1, 0.5, 0.5), 3, 2),
           REALS((1e4, -1e4, -1e4, 1e4, 1e4, 1e4), 3, 2));
    EXPECT(softmax, NULL, REALS((0, 1), 2), REALS((-HUGE_VAL, 3), 2));
    EXPECT(softmax, NULL, REALS((1, 1), 2, 1), REALS((-5, 1e4), 2, 1));
    EXPECT(softmax, NULL, NOTHING(0, 3), NOTHING(0, 3));
    EXPECT(softmax, NULL, NOTHING(3, 0), NOTHING(3, 0));
}

static void log_softmax_values(void) {
    const double ln2 = 0.69314718055994530942;
    EXPECT(log_softmax, NULL,
           REALS((-ln2, -ln2, -0.31326168751822283405, -1.31326168751822283405), 2, 2),
           REALS((7, 7, 1, 0), 2, 2));
    EXPECT(log_softmax, NULL, REALS((0, -2e4, -2e4, 0), 2, 2), REALS((1e4, -1e4, -1e4, 1e4), 2, 2));
    EXPECT(log_softmax, NULL, REALS((-HUGE_VAL, 0), 2), REALS((-HUGE_VAL, 3), 2));
    EXPECT(log_softmax, NULL, REALS((0), 1), REALS((1e4), 1));
    EXPECT(log_softmax, NULL, NOTHING(0, 3), NOTHING(0, 3));
    EXPECT(log_softmax, NULL, NOTHING(3, 0), NOTHING(3, 0));
}

const struct grad_samples samples_softmax = {SAMPLES(softmax_samples), .values = softmax_values};
const struct grad_samples samples_log_softmax = {SAMPLES(log_softmax_samples),
                                                 .values = log_softmax_values};

/* ---- softmax_cross_entropy: targets need not sum to 1 ---- */

BUILD(cross_entropy, dpr_softmax_cross_entropy(g, x[0], x[1]))
BUILD(entropy, dpr_softmax_cross_entropy(g, x[0], dpr_softmax(g, x[0])))

static const struct grad_sample cross_entropy_samples[] = {
    SAMPLE("softmax_cross_entropy", 2, cross_entropy, .shape = {SHAPE(3, 4), SHAPE(3, 4)},
           .range = {{-2, 2}, {0.1, 1}}),
    SAMPLE("softmax_cross_entropy of a batch", 2, cross_entropy,
           .shape = {SHAPE(DPR_BATCH, 5), SHAPE(DPR_BATCH, 5)}, .range = {{-2, 2}, {0, 1}}),
    SAMPLE("softmax_cross_entropy of one row", 2, cross_entropy,
           .shape = {SHAPE(1, 2), SHAPE(1, 2)}),
    SAMPLE("entropy: both operands from one leaf", 1, entropy, .shape = {SHAPE(2, 3)}),
};

static void cross_entropy_values(void) {
    /* ln 4; −½ ln ½ − ½ ln ½ = ln 2 */
    EXPECT(softmax_cross_entropy, NULL, REALS((1.38629436111989061883, 1.38629436111989061883), 2),
           REALS((0, 0, 0, 0, 9, 9, 9, 9), 2, 4),
           REALS((0, 1, 0, 0, 0.25, 0.25, 0.25, 0.25), 2, 4));
    /* 0·log 0 counts for nothing; weights of 2 count twice; ±1e4 is exact. */
    EXPECT(softmax_cross_entropy, NULL, REALS((0, 2e4, 4e4, 0), 4),
           REALS((1e4, -1e4, 1e4, -1e4, 1e4, -1e4, 3, -HUGE_VAL), 4, 2),
           REALS((1, 0, 0, 1, 0, 2, 1, 0), 4, 2));
    EXPECT(softmax_cross_entropy, NULL, REALS((HUGE_VAL), 1), REALS((3, -HUGE_VAL), 1, 2),
           REALS((0, 1), 1, 2));
    EXPECT(softmax_cross_entropy, NULL, REALS((0), 1), REALS((5), 1, 1), REALS((1), 1, 1));
    EXPECT(softmax_cross_entropy, NULL, NOTHING(0), NOTHING(0, 3), NOTHING(0, 3));
    EXPECT(softmax_cross_entropy, NULL, REALS((0, 0), 2), NOTHING(2, 0), NOTHING(2, 0));
}

const struct grad_samples samples_softmax_cross_entropy = {SAMPLES(cross_entropy_samples),
                                                           .values = cross_entropy_values};

/* ---- argmax ---- */

static void argmax_values(void) {
    EXPECT(argmax, NULL, INTEGERS((2, 0, 1), 3), REALS((1, 2, 3, 5, 5, 5, -9, -1, -1), 3, 3));
    EXPECT(argmax, NULL, INTEGER(1), REALS((-HUGE_VAL, -1e4), 2));
    EXPECT(argmax, NULL, INTEGERS((0, 0), 2, 1), REALS((4, -4), 2, 1, 1));
    EXPECT(argmax, NULL, INTEGERS((0), 0), NOTHING(0, 3)); /* no rows: nothing is written */
}

const struct grad_samples samples_argmax = {
    .why_none = "the index of the largest is constant wherever it is defined",
    .values = argmax_values};
