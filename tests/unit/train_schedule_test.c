/* Learning-rate schedules against their formulas (src/train/schedule.c), and Wilson's interval. */
#include "train/metrics.h"
#include "train/schedule.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void near(double got, double wanted) {
    if (!(fabs(got - wanted) <= 1e-11 * fmax(1, fabs(wanted))))
        fail_msg("%.17g instead of %.17g", got, wanted);
}

/* 4 epochs of 10 steps, rate 2. */
static dpr__rate_schedule make(dpr__schedule_kind kind) {
    return (dpr__rate_schedule){
        .kind = kind, .peak = 2, .step_epochs = 1.5, .decay = 0.25, .steps = 10, .epochs = 4};
}

static void constant(void **state) {
    (void)state;
    dpr__rate_schedule s = make(DPR__SCHEDULE_CONSTANT);
    for (uint64_t t = 0; t < 40; t++)
        near(dpr__schedule_rate(&s, t), 2);
}

static void step(void **state) {
    (void)state;
    dpr__rate_schedule s = make(DPR__SCHEDULE_STEP);
    near(dpr__schedule_rate(&s, 0), 2);
    near(dpr__schedule_rate(&s, 14), 2);
    near(dpr__schedule_rate(&s, 15), 0.5);
    near(dpr__schedule_rate(&s, 29), 0.5);
    near(dpr__schedule_rate(&s, 30), 0.125);
}

static void exponential(void **state) {
    (void)state;
    dpr__rate_schedule s = make(DPR__SCHEDULE_EXPONENTIAL);
    near(dpr__schedule_rate(&s, 0), 2);
    near(dpr__schedule_rate(&s, 5), 1); /* half an epoch: √0.25 */
    near(dpr__schedule_rate(&s, 10), 0.5);
    near(dpr__schedule_rate(&s, 30), 2 * 0.015625);
}

static void linear(void **state) {
    (void)state;
    dpr__rate_schedule s = make(DPR__SCHEDULE_LINEAR);
    near(dpr__schedule_rate(&s, 0), 2);
    near(dpr__schedule_rate(&s, 10), 1.5);
    near(dpr__schedule_rate(&s, 39), 0.05);
}

static void cosine(void **state) {
    (void)state;
    dpr__rate_schedule s = make(DPR__SCHEDULE_COSINE);
    near(dpr__schedule_rate(&s, 0), 2);
    near(dpr__schedule_rate(&s, 20), 1);
    near(dpr__schedule_rate(&s, 10), 1 + sqrt(0.5));
    near(dpr__schedule_rate(&s, 30), 1 - sqrt(0.5));
}

static void one_cycle(void **state) {
    (void)state;
    dpr__rate_schedule s = make(DPR__SCHEDULE_ONE_CYCLE);
    near(dpr__schedule_rate(&s, 0), 0.08);
    near(dpr__schedule_rate(&s, 6), 2 * 0.52); /* half of the rise */
    near(dpr__schedule_rate(&s, 12), 2);
    near(dpr__schedule_rate(&s, 26), 2 * (1e-4 + 0.9999 * 0.5)); /* half of the fall */
    for (uint64_t t = 12; t < 39; t++)
        assert_true(dpr__schedule_rate(&s, t + 1) < dpr__schedule_rate(&s, t));
    assert_true(dpr__schedule_rate(&s, 39) > 2e-4);
}

/* Warm-up of 1.5 epochs: 15 equal rises up to the peak, then the schedule over what is left. */
static void warmup(void **state) {
    (void)state;
    for (int kind = 0; kind < DPR__N_SCHEDULES; kind++) {
        dpr__rate_schedule s = make((dpr__schedule_kind)kind), rest = s;
        s.warmup = 1.5;
        for (uint64_t t = 0; t < 15; t++)
            near(dpr__schedule_rate(&s, t), 2 * (double)(t + 1) / 15);
        rest.steps = 5; /* 25 steps, of which 5 make an epoch */
        rest.epochs = 5;
        rest.step_epochs *= 2;
        if (s.kind == DPR__SCHEDULE_EXPONENTIAL)
            rest.decay = sqrt(rest.decay);
        for (uint64_t t = 15; t < 40; t++)
            near(dpr__schedule_rate(&s, t), dpr__schedule_rate(&rest, t - 15));
    }
}

static void warmup_longer_than_the_run(void **state) {
    (void)state;
    dpr__rate_schedule s = make(DPR__SCHEDULE_COSINE);
    s.warmup = 100;
    near(dpr__schedule_rate(&s, 39), 2 * 40.0 / 1000);
    near(dpr__schedule_rate(&s, 1000000), 2 * 40.0 / 1000); /* beyond the end: the last */
    s.warmup = 4;
    near(dpr__schedule_rate(&s, 39), 2);
}

/* Each bound p is where the observed share lies 1.96 standard errors √(p(1 − p)/n) away. */
static void wilson(void **state) {
    (void)state;
    static const uint64_t cases[][2] = {{8, 10}, {1, 3}, {9821, 10000}, {0, 10}, {10, 10}};
    double low, high;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double n = (double)cases[i][1], share = (double)cases[i][0] / n;
        dpr__wilson(cases[i][0], cases[i][1], &low, &high);
        if (cases[i][0] > 0)
            near((share - low) / sqrt(low * (1 - low) / n), 1.959963984540054);
        else
            assert_true(low == 0);
        if (cases[i][0] < cases[i][1])
            near((high - share) / sqrt(high * (1 - high) / n), 1.959963984540054);
        else
            assert_true(high == 1);
    }
    dpr__wilson(0, 0, &low, &high);
    assert_true(low == 0 && high == 1);
}

static void precision_and_recall(void **state) {
    (void)state;
    static const uint64_t confusion[9] = {3, 1, 0, 2, 4, 0, 0, 0, 0};
    double precision[3], recall[3];
    dpr__precision_recall(confusion, 3, precision, recall);
    near(precision[0], 0.6);
    near(precision[1], 0.8);
    assert_true(isnan(precision[2]));
    near(recall[0], 0.75);
    near(recall[1], 4 / 6.0);
    assert_true(isnan(recall[2]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant),    cmocka_unit_test(step),
        cmocka_unit_test(exponential), cmocka_unit_test(linear),
        cmocka_unit_test(cosine),      cmocka_unit_test(one_cycle),
        cmocka_unit_test(warmup),      cmocka_unit_test(warmup_longer_than_the_run),
        cmocka_unit_test(wilson),      cmocka_unit_test(precision_and_recall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
