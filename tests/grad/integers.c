/* Samples of the ops on integers, data and random draws. None has a gradient. */
#include "base/random.h"
#include "grad/samples.h"
#include "grad/values.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

static void equal_values(void) {
    EXPECT(equal, NULL, REALS((1, 0, 1), 3), INTEGERS((1, 2, INT32_MIN), 3),
           INTEGERS((1, 3, INT32_MIN), 3));
    EXPECT(equal, NULL, REAL(0), INTEGER(INT32_MAX), INTEGER(INT32_MAX - 1));
    EXPECT(equal, NULL, NOTHING(0), INTEGERS((0), 0), INTEGERS((0), 0));
}

const struct grad_samples samples_equal = {.why_none = "its operands are integers",
                                           .values = equal_values};

static void one_hot_values(void) {
    static const dpr__one_hot_param three = {3}, one = {1};
    EXPECT(one_hot, &three, REALS((0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0), 4, 3),
           INTEGERS((2, 0, 3, -1), 4));
    EXPECT(one_hot, &three, REALS((0, 1, 0), 3), INTEGER(1));
    EXPECT(one_hot, &one, REALS((1, 0), 2, 1), INTEGERS((0, 1), 2));
    EXPECT(one_hot, &three, NOTHING(0, 3), INTEGERS((0), 0));
}

const struct grad_samples samples_one_hot = {.why_none = "its operand is an integer",
                                             .values = one_hot_values};

static void cast_values(void) {
    static const dpr__cast_param f32 = {DPR_F32};
    EXPECT(cast, &f32, REALS((0, 1, 255), 3), BYTES((0, 1, 255), 3));
    EXPECT(cast, &f32, REALS((-7, 16777216), 2), INTEGERS((-7, 16777216), 2));
    EXPECT(cast, &f32, REAL(3), INTEGER(3));
    EXPECT(cast, &f32, NOTHING(0, 2), BYTES((0), 0, 2));
}

const struct grad_samples samples_cast = {.why_none = "its operand is an integer",
                                          .values = cast_values};

static void gather_values(void) {
    EXPECT(gather, NULL, REALS((5, 6, 1, 2, 5, 6, 1, 2), 4, 2), REALS((1, 2, 3, 4, 5, 6), 3, 2),
           INTEGERS((2, 0, 3, -1), 4)); /* the last two are clamped */
    EXPECT(gather, NULL, REALS((3, 4), 2), REALS((1, 2, 3, 4, 5, 6), 3, 2), INTEGER(1));
    EXPECT(gather, NULL, REAL(9), REALS((8, 9), 2), INTEGER(7));
    EXPECT(gather, NULL, BYTES((3, 4, 255, 0), 2, 2), BYTES((255, 0, 3, 4), 2, 2),
           INTEGERS((1, 0), 2));
    EXPECT(gather, NULL, INTEGERS((-5, -5), 2), INTEGERS((7, -5), 2), INTEGERS((1, 1), 2));
    /* 2^53 + 1 and 2^64 − 1 are no doubles. */
    EXPECT(gather, NULL, COUNTERS((UINT64_MAX, 9007199254740993), 2),
           COUNTERS((9007199254740993, UINT64_MAX), 2), INTEGERS((1, 0), 2));
    EXPECT(gather, NULL, NOTHING(0, 2), REALS((1, 2), 1, 2), INTEGERS((0), 0));
    EXPECT(gather, NULL, NOTHING(2, 0), NOTHING(1, 0), INTEGERS((0, 5), 2));
}

const struct grad_samples samples_gather = {.why_none = "the pool is data; asking is an error",
                                            .values = gather_values};

/* ---- order and rows: five images in batches of three ---- */

static void shuffled_orders_are_permutations(void) {
    enum { N = 1000, B = 64, BATCHES = (N + B - 1) / B };
    static int32_t place[3][BATCHES * B];
    const dpr__order_param param = {N, true, B};
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        int seen[N] = {0};
        for (int32_t batch = 0; batch < BATCHES; batch++) {
            dpr__tensor src[3] = {COUNTER(7), COUNTER(epoch), INTEGER(batch)};
            dpr__ops[DPR__OP_order]->reference(
                &(dpr__call){&param,
                             src,
                             {DPR_I32, dpr_shape_of(B), &place[epoch][batch * B], DPR__PLAIN},
                             NULL});
        }
        for (int i = 0; i < N; i++) {
            assert_in_range(place[epoch][i], 0, N - 1);
            seen[place[epoch][i]]++;
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(seen[i], 1);
        for (int i = N; i < BATCHES * B; i++)
            assert_int_equal(place[epoch][i], 0);
    }
    for (int a = 0; a < 3; a++) /* unlike each other: of 1000 places, one on average agrees */
        for (int i = 0, same = 0; i < N; i++) {
            same += place[a][i] == place[(a + 1) % 3][i];
            assert_true(same < 12);
        }
}

static void order_values(void) {
    static const dpr__order_param plain = {5, false, 3}, shuffled_one = {1, true, 3};
    EXPECT(order, &plain, INTEGERS((0, 1, 2), 3), COUNTER(1), COUNTER(0), INTEGER(0));
    EXPECT(order, &plain, INTEGERS((3, 4, 0), 3), COUNTER(1), COUNTER(9), INTEGER(1));
    EXPECT(order, &plain, INTEGERS((0, 0, 0), 3), COUNTER(1), COUNTER(0), INTEGER(2));
    EXPECT(order, &plain, INTEGERS((0, 0, 0), 3), COUNTER(1), COUNTER(0), INTEGER(INT32_MAX));
    EXPECT(order, &plain, INTEGERS((0, 0, 0), 3), COUNTER(1), COUNTER(0), INTEGER(INT32_MIN));
    EXPECT(order, &shuffled_one, INTEGERS((0, 0, 0), 3), COUNTER(1), COUNTER(0), INTEGER(0));
    shuffled_orders_are_permutations();
}

const struct grad_samples samples_order = {.why_none = "its operands are integers",
                                           .values = order_values};

static void rows_values(void) {
    static const dpr__rows_param five = {5, 3}, largest = {INT32_MAX, INT32_MAX};
    EXPECT(rows, &five, INTEGER(3), INTEGER(0));
    EXPECT(rows, &five, INTEGER(2), INTEGER(1));
    EXPECT(rows, &five, INTEGER(0), INTEGER(2));
    EXPECT(rows, &five, INTEGER(3), INTEGER(-1));
    EXPECT(rows, &largest, INTEGER(0), INTEGER(INT32_MAX));
    EXPECT(rows, &largest, INTEGER(INT32_MAX), INTEGER(INT32_MIN));
}

const struct grad_samples samples_rows = {.why_none = "its operand is an integer",
                                          .values = rows_values};

static void increment_values(void) {
    EXPECT(increment, NULL, INTEGERS((1, 0, INT32_MIN), 3), INTEGERS((0, -1, INT32_MAX), 3));
    EXPECT(increment, NULL, COUNTERS((9007199254740994, 0), 2),
           COUNTERS((9007199254740993, UINT64_MAX), 2)); /* beyond what a double holds */
    EXPECT(increment, NULL, INTEGERS((0), 0), INTEGERS((0), 0));
}

const struct grad_samples samples_increment = {.why_none = "its operand is an integer",
                                               .values = increment_values};

/* ---- draw ---- */

enum { DRAWN = 10 };

static void draw(uint64_t seed, uint64_t tick, int64_t ordinal, int64_t n, double *out) {
    const dpr__draw_param param = {ordinal, dpr_shape_of(n)};
    dpr__tensor src[2] = {COUNTER(seed), COUNTER(tick)};
    dpr__ops[DPR__OP_draw]->reference(
        &(dpr__call){&param, src, {DPR_F64, dpr_shape_of(n), out, DPR__PLAIN}, NULL});
}

/* The definition, written a second time: ops/draw.h. */
static double drawn(uint64_t seed, uint64_t tick, uint32_t ordinal, uint64_t element) {
    dpr__draw words =
        dpr__philox(seed + tick * 0x9E3779B97F4A7C15U, DPR__PURPOSE_DROPOUT, ordinal, element / 4);
    return dpr__unit(words.word[element % 4]);
}

static void draw_values(void) {
    static const dpr__draw_param one = {3, SCALAR}, none = {3, SHAPE(0, 2)};
    const uint64_t seed = 0xFEDCBA9876543210U, tick = 9007199254740993; /* no doubles */
    double x[DRAWN], y[DRAWN];
    draw(seed, tick, 3, DRAWN, x);
    for (uint64_t i = 0; i < DRAWN; i++) {
        assert_true(x[i] == drawn(seed, tick, 3, i));
        assert_true(x[i] >= 0 && x[i] < 1);
    }
    draw(seed, tick, 3, DRAWN - 3, y); /* the first elements do not depend on the size */
    for (int i = 0; i < DRAWN - 3; i++)
        assert_true(x[i] == y[i]);
    EXPECT(draw, &one, REAL(drawn(5, 6, 3, 0)), COUNTER(5), COUNTER(6));
    EXPECT(draw, &none, NOTHING(0, 2), COUNTER(5), COUNTER(6));
    for (int other = 0; other < 3; other++) { /* another seed, tick, ordinal: other draws */
        draw(seed + (other == 0), tick + (other == 1), 3 + (other == 2), DRAWN, y);
        int same = 0;
        for (int i = 0; i < DRAWN; i++)
            same += x[i] == y[i];
        assert_int_equal(same, 0);
    }
}

const struct grad_samples samples_draw = {.why_none = "it depends on integers only",
                                          .values = draw_values};
