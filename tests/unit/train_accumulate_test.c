/* Accumulation: N batches of B are one batch of N·B, up to rounding, whatever the optimiser and what goes with it; also where an epoch
 * ends before the N-th batch. */
#include "train_by_hand.h"

static struct by_hand h;

enum { IMAGES = 110 }; /* batches of 16: six whole ones and 14 images */

static const char *const groups[] = {"linear_2.*:freeze-until=2steps,lr=0.5",
                                     "*.bias:decay=0.05,schedule=linear,freeze-after=2", NULL};

static void begin(void) {
    begin_by_hand(&h, IMAGES);
    for (int i = 0; i < IMAGES / 2; i++)
        h.sample->labels[i] = 0; /* unbalanced: class weights say something */
    h.options.batch = 16;
    h.options.accumulate = 3;
    h.options.learning_rate = 0.1;
    h.tolerance = 1e-5;
}

/* The same step from the formulas: nothing moves until the third batch, or the last. */
static void by_hand(void **state) {
    (void)state;
    double v[N_BY_HAND] = {0}, counts[CLASSES] = {0};
    begin();
    h.options.optimizer = "momentum";
    h.options.class_weights = "balanced";
    start_by_hand(&h);
    for (int i = 0; i < IMAGES; i++)
        counts[h.sample->labels[i]]++;
    for (int c = 0; c < CLASSES; c++)
        h.class_weight[c] = IMAGES / (CLASSES * counts[c]);
    for (uint32_t epoch = 0; epoch < 3; epoch++)
        for (int i = 0; i < 7; i++) {
            OK(h.context, dpr_trainer_step(h.trainer, NULL));
            if (i % 3 == 2 || i == 6) {
                uint64_t first = (uint64_t)(i / 3 * 3) * 16;
                gradient_by_hand(&h, epoch, first, (uint64_t)(i + 1) * 16 - first);
                for (int k = 0; k < N_BY_HAND; k++)
                    h.w[k] -= 0.1 * (v[k] = 0.9 * v[k] + h.g[k]);
            }
            same_by_hand(&h, "", h.w, (int)epoch * 7 + i);
        }
    end_by_hand(&h);
}

/* One way to train, with batches of 16 in threes and of 48 at once. */
static void compare(const char *name, double tolerance) {
    double once[N_BY_HAND];
    double loss[3], rate[3];
    dpr_epoch_report report;
    dpr_train_options options = h.options;
    begin();
    options.batch = 48;
    options.accumulate = 1;
    h.options = options;
    start_by_hand(&h);
    for (int epoch = 0; epoch < 3; epoch++) {
        OK(h.context, dpr_trainer_epoch(h.trainer, &report));
        loss[epoch] = report.loss;
        rate[epoch] = report.learning_rate;
    }
    assert_int_equal(dpr_trainer_steps_done(h.trainer), 9);
    read_leaves(&h, "", once);
    end_by_hand(&h);
    begin();
    options.batch = 16;
    options.accumulate = 3;
    h.options = options;
    start_by_hand(&h);
    for (int epoch = 0; epoch < 3; epoch++) {
        OK(h.context, dpr_trainer_epoch(h.trainer, &report));
        if (!(fabs(report.loss - loss[epoch]) < 1e-4 * loss[epoch]) ||
            report.learning_rate != rate[epoch])
            fail_msg("%s, epoch %d: loss %.9g instead of %.9g, rate %.9g instead of %.9g", name,
                     epoch, report.loss, loss[epoch], report.learning_rate, rate[epoch]);
    }
    assert_int_equal(dpr_trainer_steps_done(h.trainer), 21);
    h.tolerance = tolerance;
    same_by_hand(&h, "", once, -1);
    end_by_hand(&h);
}

static void as_one_large_batch(void **state) {
    (void)state;
    static const char *const optimizers[] = {"sgd", "nesterov", "adamw", "muon"};
    for (int i = 0; i < 4; i++) {
        h.options = dpr_train_options_default();
        h.options.epochs = 3;
        h.options.optimizer = optimizers[i];
        h.options.weight_decay = 0.01;
        h.options.label_smoothing = 0.1;
        if (i == 2)
            h.options.epsilon = 1e-3; /* a gradient near 0 would move by its sign */
        compare(optimizers[i], i == 3 ? 2e-4 : 1e-5);
        h.options.schedule = "cosine";
        h.options.warmup = 1;
        h.options.clip_norm = 0.1;
        h.options.groups = groups;
        h.options.lookahead = 2;
        h.options.ema = 0.7;
        compare(optimizers[i], i == 3 ? 2e-4 : 1e-5);
        h.options.ema = 0;
        h.options.swa = 2;
        compare(optimizers[i], i == 3 ? 2e-4 : 1e-5);
    }
}

/* More than an epoch has: one update an epoch. */
static void one_update_an_epoch(void **state) {
    (void)state;
    begin();
    h.options.accumulate = 1000000;
    h.options.optimizer = "sgd";
    start_by_hand(&h);
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        OK(h.context, dpr_trainer_epoch(h.trainer, NULL));
        gradient_by_hand(&h, epoch, 0, IMAGES);
        for (int k = 0; k < N_BY_HAND; k++)
            h.w[k] -= 0.1 * h.g[k];
        same_by_hand(&h, "", h.w, (int)epoch);
    }
    end_by_hand(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(as_one_large_batch),
        cmocka_unit_test(one_update_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
