/* Lookahead over other optimisers: slow weights, the steps at which they move, and running statistics that move with them. */
#include "train_by_hand.h"

static struct by_hand h;

static void begin(void) {
    begin_by_hand(&h, 160); /* five steps an epoch */
    h.options.optimizer = "momentum";
    h.options.learning_rate = 0.1;
    h.options.lookahead = 3;
}

/* After updates 3 and 5 of each epoch's five, counted through: 3, 5, 6, 9, 10, 12, 15. */
static bool moves(int t) {
    return (t + 1) % 3 == 0 || (t + 1) % 5 == 0;
}

static void by_hand(void **state) {
    (void)state;
    for (int power = 0; power <= 3; power += 3) {
        double v[N_BY_HAND] = {0}, slow[N_BY_HAND];
        begin();
        h.options.lookahead_alpha = power == 0 ? 0.5 : 0.2262;
        h.options.lookahead_power = power;
        start_by_hand(&h);
        memcpy(slow, h.w, sizeof slow);
        for (int t = 0; t < 15; t++) {
            double x = (t + 1) / 15.0, share = power == 0 ? 0.5 : 1 - 0.7738 * x * x * x;
            step_both(&h);
            for (int i = 0; i < N_BY_HAND; i++) {
                h.w[i] -= 0.1 * (v[i] = 0.9 * v[i] + h.g[i]);
                if (moves(t))
                    h.w[i] = slow[i] += share * (h.w[i] - slow[i]);
            }
            same_by_hand(&h, "", h.w, t);
            same_by_hand(&h, "slow/", slow, t);
        }
        end_by_hand(&h);
    }
}

/* What is frozen is not drawn anywhere, though its slow weights may lie elsewhere. */
static void frozen_weights_rest(void **state) {
    (void)state;
    static const char *const rules[] = {"linear_1.*:freeze-after=4steps", NULL};
    double frozen[N_BY_HAND], now[N_BY_HAND];
    begin();
    h.options.groups = rules;
    start_by_hand(&h);
    for (int t = 0; t < 4; t++) /* the third has moved the slow ones, the fourth has not */
        OK(h.context, dpr_trainer_step(h.trainer, NULL));
    read_leaves(&h, "", frozen);
    read_leaves(&h, "slow/", now);
    assert_memory_not_equal(frozen, now, W2 * sizeof *now);
    while (!dpr_trainer_finished(h.trainer))
        OK(h.context, dpr_trainer_epoch(h.trainer, NULL));
    read_leaves(&h, "", now);
    assert_memory_equal(frozen, now, W2 * sizeof *now);
    assert_memory_not_equal(frozen + W2, now + W2, HIDDEN * CLASSES * sizeof *now);
    end_by_hand(&h);
}

/* Statistics of the two weights between which the slow ones lie: as close as the weights are. At the moments when slow ones move the
 * leaf has them. */
static void statistics_move_with_them(void **state) {
    (void)state;
    float slow[4], now[4];
    begin();
    h.model =
        make_model(h.context, h.data,
                   "input 6 6 1, conv 3x3 4, batchnorm, relu, global_avgpool, linear classes", 3);
    OK(h.context, dpr_trainer_create(h.model, h.data, &h.options, &h.trainer));
    OK(h.context, dpr_store_read(h.model->store, "slow/batchnorm_1.variance", slow, sizeof slow));
    assert_true(slow[0] == 1); /* what the run begins with */
    for (int t = 0; t < 15; t++) {
        float before = slow[0];
        OK(h.context, dpr_trainer_step(h.trainer, NULL));
        OK(h.context,
           dpr_store_read(h.model->store, "slow/batchnorm_1.variance", slow, sizeof slow));
        OK(h.context, dpr_store_read(h.model->store, "batchnorm_1.variance", now, sizeof now));
        assert_int_equal(memcmp(slow, now, sizeof now) == 0, moves(t));
        assert_int_equal(slow[0] != before, moves(t));
    }
    end_by_hand(&h);
}

/* A power above 0 depends on the length of the run, as some schedules do. */
static void a_power_knows_the_end(void **state) {
    (void)state;
    char *path = temporary("run.safetensors");
    for (int power = 0; power < 2; power++) {
        begin();
        h.options.lookahead_power = power;
        start_by_hand(&h);
        OK(h.context, dpr_trainer_step(h.trainer, NULL));
        OK(h.context, dpr_trainer_save(h.trainer, path));
        dpr_trainer_destroy(h.trainer);
        h.options.epochs++;
        OK(h.context, dpr_trainer_create(h.model, h.data, &h.options, &h.trainer));
        if (power > 0)
            FAILS(h.context, dpr_trainer_resume(h.trainer, path), DPR_E_MISMATCH,
                  "epochs is 4 here, but the lookahead schedule");
        else
            OK(h.context, dpr_trainer_resume(h.trainer, path));
        end_by_hand(&h);
    }
    remove_temporary(path);
}

static void options_have_ranges(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    dpr_train_options options;
#define BAD(field, value, says)                                                                    \
    options = dpr_train_options_default();                                                         \
    options.field = (value);                                                                       \
    FAILS(context, dpr_train_options_check(context, &options), DPR_E_ARGUMENT, says)
    BAD(lookahead, 1000001, "lookahead is 1000001");
    BAD(lookahead_alpha, 0, "lookahead_alpha is 0; it must be above 0 and at most 1");
    BAD(lookahead_alpha, 1.5, "lookahead_alpha is 1.5");
    BAD(lookahead_power, -1, "lookahead_power is -1");
    BAD(lookahead_power, 101, "lookahead_power is 101");
#undef BAD
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(frozen_weights_rest),
        cmocka_unit_test(statistics_move_with_them),
        cmocka_unit_test(a_power_knows_the_end),
        cmocka_unit_test(options_have_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
