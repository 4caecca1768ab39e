/* Parameter groups: who is in them, what they change, when they freeze; and what is said of rules that are wrong. */
#include "train_by_hand.h"

static struct by_hand h;

static void begin(const char *const *rules) {
    begin_by_hand(&h, 100); /* four steps an epoch */
    h.options.groups = rules;
    h.options.learning_rate = 0.2;
    h.options.momentum = 0.9;
    h.options.weight_decay = 0.01;
    h.options.optimizer = "momentum";
}

static double squares(const double *g, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += g[i] * g[i];
    return sum;
}

/* Factor, decay, momentum, a time of freezing at either end, a schedule of one's own, and clipping over what is trained at
 * the time. Later rules win. */
static void rules_change_the_updates(void **state) {
    (void)state;
    static const char *const rules[] = {"*:lr=0.25",
                                        "linear_1.*:lr=0.5",
                                        "vectors:decay=0.1",
                                        "linear_2.weights:freeze-until=2steps,momentum=0.5,lr=2",
                                        "linear_?.bias:freeze-after=1.5,schedule=linear",
                                        "linear_2.bias:freeze-after=1000,schedule=constant",
                                        NULL};
    for (int clip = 0; clip < 2; clip++) {
        double v[N_BY_HAND] = {0};
        begin(rules);
        h.options.clip_norm = clip ? 0.02 : 0;
        start_by_hand(&h);
        for (int t = 0; t < 12; t++) {
            const struct {
                bool trains;
                double rate, decay, momentum;
            } of[N_PARTS] = {{true, 0.1, 0.01, 0.9},
                             {t < 6, 0.1 * (1 - t / 6.0), 0.1, 0.9},
                             {t >= 2, 0.4, 0.01, 0.5},
                             {true, 0.05, 0.1, 0.9}};
            double norm = 0, factor = 1;
            step_both(&h);
            for (int p = 0; p < N_PARTS; p++)
                if (of[p].trains)
                    norm += squares(h.g + parts[p].first, parts[p].rows * parts[p].columns);
            norm = sqrt(norm);
            if (clip && norm > h.options.clip_norm)
                factor = h.options.clip_norm / norm;
            for (int p = 0; p < N_PARTS; p++)
                for (int k = 0; of[p].trains && k < parts[p].rows * parts[p].columns; k++) {
                    int i = parts[p].first + k;
                    v[i] = of[p].momentum * v[i] + h.g[i] * factor + of[p].decay * h.w[i];
                    h.w[i] -= of[p].rate * v[i];
                }
            same_by_hand(&h, "", h.w, t);
            same_by_hand(&h, "momentum/", v, t);
        }
        end_by_hand(&h);
    }
}

/* AdamW's mean and square begin when the parameter thaws, and so do their corrections. */
static void adamw_counts_from_the_thaw(void **state) {
    (void)state;
    static const char *const rules[] = {"linear_1.weights:freeze-until=1", NULL};
    double m[N_BY_HAND] = {0}, s[N_BY_HAND] = {0};
    begin(rules);
    h.options.optimizer = "adamw";
    h.options.learning_rate = 0.01;
    h.options.weight_decay = 0;
    start_by_hand(&h);
    for (int t = 0; t < 10; t++) {
        step_both(&h);
        for (int i = 0; i < N_BY_HAND; i++) {
            double n = i < B1 ? t - 3 : t + 1;
            if (n < 1)
                continue;
            m[i] = 0.9 * m[i] + 0.1 * h.g[i];
            s[i] = 0.999 * s[i] + 0.001 * h.g[i] * h.g[i];
            h.w[i] -= 0.01 * m[i] / (1 - pow(0.9, n)) / (sqrt(s[i] / (1 - pow(0.999, n))) + 1e-8);
        }
        same_by_hand(&h, "adam_m/", m, t);
    }
    double got[N_BY_HAND];
    read_leaves(&h, "", got);
    for (int i = 0; i < N_BY_HAND; i++) /* a gradient near 0 moves by its sign */
        assert_true(fabs(got[i] - h.w[i]) < 2e-3);
    end_by_hand(&h);
}

/* An optimiser of one's own, and parameters that stay as they are, with no state. */
static void one_is_frozen_and_one_has_another_optimizer(void **state) {
    (void)state;
    static const char *const rules[] = {"linear_1.*:freeze", "linear_2.bias:optimizer=sgd", NULL};
    double v[N_BY_HAND] = {0}, first[N_BY_HAND];
    begin(rules);
    start_by_hand(&h);
    memcpy(first, h.w, sizeof first);
    for (int t = 0; t < 8; t++) {
        step_both(&h);
        for (int i = W2; i < B2; i++)
            h.w[i] -= 0.2 * (v[i] = 0.9 * v[i] + h.g[i] + 0.01 * h.w[i]);
        for (int i = B2; i < N_BY_HAND; i++)
            h.w[i] -= 0.2 * h.g[i];
        same_by_hand(&h, "", h.w, t);
    }
    assert_memory_equal(first, h.w, B1 * sizeof *first);
    assert_null(dpr__store_find(h.model->store, "momentum/linear_1.weights"));
    assert_null(dpr__store_find(h.model->store, "momentum/linear_2.bias"));
    assert_non_null(dpr__store_find(h.model->store, "momentum/linear_2.weights"));
    end_by_hand(&h);
}

/* Where all parameters have left the run's own rate, nobody looks it up. */
static void nobody_needs_the_own_rate(void **state) {
    (void)state;
    static const char *const rules[] = {"matrices:lr=0.5", "vectors:lr=0", NULL};
    double first[N_BY_HAND], now[N_BY_HAND];
    begin(rules);
    start_by_hand(&h);
    read_leaves(&h, "", first);
    while (!dpr_trainer_finished(h.trainer))
        OK(h.context, dpr_trainer_epoch(h.trainer, NULL));
    read_leaves(&h, "", now);
    assert_memory_equal(first + B1, now + B1, HIDDEN * sizeof *now);
    assert_memory_equal(first + B2, now + B2, CLASSES * sizeof *now);
    assert_memory_not_equal(first, now, B1 * sizeof *now);
    end_by_hand(&h);
}

/* A schedule of a group's own that ends with the run knows its end; one that ends with a window does not. */
static void a_group_s_schedule_may_know_the_end(void **state) {
    (void)state;
    static const char *const rules[][2] = {{"*.bias:schedule=linear", NULL},
                                           {"*.bias:schedule=linear,freeze-after=2", NULL}};
    char *path = temporary("run.safetensors");
    for (int window = 0; window < 2; window++) {
        begin(rules[window]);
        start_by_hand(&h);
        OK(h.context, dpr_trainer_step(h.trainer, NULL));
        OK(h.context, dpr_trainer_save(h.trainer, path));
        dpr_trainer_destroy(h.trainer);
        h.options.epochs++;
        OK(h.context, dpr_trainer_create(h.model, h.data, &h.options, &h.trainer));
        if (window)
            OK(h.context, dpr_trainer_resume(h.trainer, path));
        else
            FAILS(h.context, dpr_trainer_resume(h.trainer, path), DPR_E_MISMATCH,
                  "the linear schedule");
        end_by_hand(&h);
    }
    remove_temporary(path);
}

/* ---- mistakes ---- */

static void refuse(const char *rule, const char *says) {
    const char *const rules[] = {"*:lr=1", rule, NULL};
    dpr_model *model;
    begin(rules);
    model = make_model(h.context, h.data, net_by_hand, 3);
    FAILS(h.context, dpr_trainer_create(model, h.data, &h.options, &h.trainer), DPR_E_ARGUMENT,
          says);
    if (rule[0] != 0)
        assert_non_null(strstr(dpr_error(h.context), "group"));
    h.trainer = NULL;
    dpr_model_destroy(model);
    end_by_hand(&h);
}

static void mistakes_are_named(void **state) {
    (void)state;
    char longest[400];
    refuse("linear_3.*:lr=1", "no parameter is called 'linear_3.*'; there are linear_1.weights, "
                              "linear_1.bias, linear_2.weights, linear_2.bias; 'matrices'");
    refuse("linear_1:lr=1", "no parameter is called 'linear_1'");
    refuse("", "PATTERN:SETTING");
    refuse("linear_1.bias", "PATTERN:SETTING");
    refuse(":lr=1", "PATTERN:SETTING");
    refuse("*:", "PATTERN:SETTING");
    refuse("*:dcay=1", "setting 'dcay' must be one of lr, decay, momentum, optimizer, schedule, "
                       "freeze, freeze-until, freeze-after; did you mean 'decay'?");
    refuse("*:lr=1,,decay=1", "setting ''");
    refuse("*:lr", "lr '' must be a factor");
    refuse("*:lr=-1", "lr '-1'");
    refuse("*:lr=nan", "lr 'nan'");
    refuse("*:lr=1e7", "lr '1e7'");
    refuse("*:decay=1001", "decay '1001'");
    refuse("*:momentum=1", "momentum '1'");
    refuse("*:optimizer=adam", "did you mean 'adamw'?");
    refuse("*:schedule=cosin", "did you mean 'cosine'?");
    refuse("*:freeze=1", "freeze '1' must be no value");
    refuse("*:freeze-until=2step", "freeze-until '2step' must be epochs");
    refuse("*:freeze-until=2.5steps", "freeze-until '2.5steps'");
    refuse("*:freeze-after=steps", "freeze-after 'steps'");
    refuse("*:freeze-after=-1", "freeze-after '-1'");
    refuse("*:freeze-until=3,freeze-after=2", "would never be trained");
    refuse("*:freeze-after=0", "would never be trained");
    refuse("*:freeze", "every parameter is frozen");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    refuse(longest, "PATTERN:SETTING");
    memcpy(longest, "*:lr=1", 6);
    refuse(longest, "too long");
}

static void patterns_match_as_globs(void **state) {
    (void)state;
    static const struct {
        const char *rule;
        int part; /* the only one that is frozen; −1: none is called so */
    } cases[] = {{"linear_1.weights:freeze", 0},
                 {"*_1.bias:freeze", 1},
                 {"*2*w*:freeze", 2},
                 {"linear_2.b*s:freeze", 3},
                 {"l*2.*a?:freeze", 3},
                 {"*1.weight:freeze", -1},
                 {"??:freeze", -1},
                 {"linear_2.bias?:freeze", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const rules[] = {cases[i].rule, NULL};
        begin(rules);
        h.model = make_model(h.context, h.data, net_by_hand, 3);
        dpr_status status = dpr_trainer_create(h.model, h.data, &h.options, &h.trainer);
        assert_int_equal(status, cases[i].part >= 0 ? DPR_OK : DPR_E_ARGUMENT);
        for (int p = 0; p < N_PARTS && status == DPR_OK; p++)
            assert_int_equal(h.trainer->groups.group[p].frozen, p == cases[i].part);
        if (status != DPR_OK)
            h.trainer = NULL;
        end_by_hand(&h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_change_the_updates),
        cmocka_unit_test(adamw_counts_from_the_thaw),
        cmocka_unit_test(one_is_frozen_and_one_has_another_optimizer),
        cmocka_unit_test(nobody_needs_the_own_rate),
        cmocka_unit_test(a_group_s_schedule_may_know_the_end),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(patterns_match_as_globs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
