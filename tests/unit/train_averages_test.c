/* Averages of weights: what enters them, that they are what a run results in, and that the run itself goes on from the last
 * weights; with and without running statistics. */
#include "train_by_hand.h"

static struct by_hand h;

static void begin(void) {
    begin_by_hand(&h, 100); /* four steps an epoch */
    h.options.learning_rate = 0.2;
    h.options.optimizer = "sgd";
    h.options.epochs = 4;
}

static void step_sgd(void) {
    step_both(&h);
    for (int i = 0; i < N_BY_HAND; i++)
        h.w[i] -= 0.2 * h.g[i];
}

/* The mean of all weights so far up to 1/(1 − 0.8) = 5 of them, exponential from there on. */
static void ema_by_hand(void **state) {
    (void)state;
    double average[N_BY_HAND] = {0};
    begin();
    h.options.ema = 0.8;
    start_by_hand(&h);
    for (int t = 0; t < 16; t++) {
        double weight = t < 5 ? 1.0 / (t + 1) : 1 - 0.8;
        step_sgd();
        for (int i = 0; i < N_BY_HAND; i++)
            average[i] += weight * (h.w[i] - average[i]);
        if (t == 15)
            break;
        same_by_hand(&h, "", h.w, t);
        same_by_hand(&h, "average/", average, t);
    }
    assert_true(dpr_trainer_finished(h.trainer));
    same_by_hand(&h, "", average, 15); /* they have changed places */
    same_by_hand(&h, "average/", h.w, 15);
    end_by_hand(&h);
}

static void swa_by_hand(void **state) {
    (void)state;
    double sum[N_BY_HAND] = {0}, mean[N_BY_HAND] = {0};
    begin();
    h.options.swa = 2;
    start_by_hand(&h);
    for (int t = 0; t < 16; t++) {
        int averaged = t / 4; /* ends of epochs 2, 3, 4 */
        step_sgd();
        for (int i = 0; i < N_BY_HAND && t % 4 == 3 && averaged > 0; i++) {
            sum[i] += h.w[i];
            mean[i] = sum[i] / averaged;
        }
        if (t == 15)
            break;
        same_by_hand(&h, "", h.w, t);
        same_by_hand(&h, "average/", mean, t);
    }
    same_by_hand(&h, "", mean, 15);
    same_by_hand(&h, "average/", h.w, 15);
    end_by_hand(&h);
}

/* ---- what counts ---- */

static const char norm_net[] = "input 6 6 1, conv 3x3 4, batchnorm, relu, dropout 0.1\n"
                               "global_avgpool, linear 8, batchnorm noscale, relu, linear classes";

struct run {
    dpr_data *validation;
    struct sample *sample;
};

static struct run begin_run(void) {
    struct run run = {.sample = calloc(1, sizeof *run.sample)};
    assert_non_null(run.sample);
    begin();
    h.options.optimizer = "nesterov";
    h.options.learning_rate = 0.1;
    run.validation = make_data(h.context, run.sample, 150, 2);
    return run;
}

static void start_run(const char *net) {
    h.model = make_model(h.context, h.data, net, 3);
    OK(h.context, dpr_trainer_create(h.model, h.data, &h.options, &h.trainer));
}

static void stop_run(void) {
    dpr_trainer_destroy(h.trainer);
    dpr_model_destroy(h.model);
}

static void end_run(struct run *run) {
    dpr_data_destroy(run->validation);
    free(run->sample);
    end_by_hand(&h);
}

/* Parameters and statistics, as text. */
static char *leaves_of(const dpr_model *model) {
    char *text = calloc(1, 1 << 16);
    size_t at = 0;
    for (size_t i = 0; i < model->store->n_slots; i++) {
        const dpr__slot *slot = &model->store->slots[i];
        float values[512];
        if (!dpr__model_owns(slot->kind))
            continue;
        assert_true(slot->bytes <= sizeof values);
        dpr__slot_read(slot, values);
        at += (size_t)snprintf(text + at, (1 << 16) - at, "%s", slot->name);
        for (size_t k = 0; k < slot->bytes / sizeof *values; k++)
            at += (size_t)snprintf(text + at, (1 << 16) - at, " %a", (double)values[k]);
        assert_true(at < (1 << 16) - 100);
    }
    return text;
}

/* The validation figures are those of the average, and a model in whose file the average stands has the last ones; the last
 * weights are those of a run that keeps no average, or nearly: its step is fused otherwise. */
static void the_average_is_judged_and_kept(void **state) {
    (void)state;
    for (int swa = 0; swa < 2; swa++) {
        struct run run = begin_run();
        dpr_epoch_report report;
        dpr_evaluation found;
        float plain[4], last[4];
        h.options.validation = run.validation;
        start_run(norm_net);
        while (!dpr_trainer_finished(h.trainer))
            OK(h.context, dpr_trainer_epoch(h.trainer, &report));
        double without = report.validation_loss;
        OK(h.context, dpr_store_read(h.model->store, "batchnorm_1.shift", plain, sizeof plain));
        stop_run();
        h.options.ema = swa ? 0 : 0.9;
        h.options.swa = swa ? 3 : 0;
        start_run(norm_net);
        while (!dpr_trainer_finished(h.trainer))
            OK(h.context, dpr_trainer_epoch(h.trainer, &report));
        OK(h.context, dpr_evaluate(h.model, run.validation, &found));
        assert_true(found.loss == report.validation_loss);
        assert_true(found.loss != without);
        assert_true(found.loss < 1.2 * without);
        OK(h.context,
           dpr_store_read(h.model->store, "average/batchnorm_1.shift", last, sizeof last));
        for (int i = 0; i < 4; i++)
            assert_true(fabs((double)(plain[i] - last[i])) < 1e-5);
        end_run(&run);
    }
}

/* Under EMA a running statistic is averaged as a weight is. */
static void ema_averages_statistics(void **state) {
    (void)state;
    struct run run = begin_run();
    double average[4] = {0};
    float now[4];
    h.options.ema = 0.7;
    start_run(norm_net);
    for (int t = 0; t < 16; t++) {
        double weight = t < 3 ? 1.0 / (t + 1) : 1 - 0.7;
        OK(h.context, dpr_trainer_step(h.trainer, NULL));
        bool last = t == 15;
        OK(h.context, dpr_store_read(h.model->store,
                                     last ? "average/batchnorm_1.variance" : "batchnorm_1.variance",
                                     now, sizeof now));
        for (int i = 0; i < 4; i++)
            average[i] += weight * ((double)now[i] - average[i]);
        OK(h.context, dpr_store_read(h.model->store,
                                     last ? "batchnorm_1.variance" : "average/batchnorm_1.variance",
                                     now, sizeof now));
        for (int i = 0; i < 4; i++)
            assert_true(fabs(average[i] - (double)now[i]) < 1e-5);
    }
    end_run(&run);
}

/* Under SWA they are those that the averaged weights have: the same as a run finds that moves no weight. One batch is the whole
 * set, so that there is one set of them. */
static void swa_takes_statistics_again(void **state) {
    (void)state;
    static const char *const still[] = {"*:lr=0", NULL};
    static const char *const leaves[] = {"batchnorm_1.mean", "batchnorm_1.variance",
                                         "batchnorm_2.mean", "batchnorm_2.variance"};
    static const char net[] = "input 6 6 1, conv 3x3 4, batchnorm, relu, global_avgpool\n"
                              "linear 4, batchnorm noscale, relu, linear classes";
    struct run run = begin_run();
    float swa[4][4], found[4], raw[4];
    bool differ = false;
    h.options.batch = 100;
    h.options.epochs = 12;
    h.options.swa = 4;
    start_run(net);
    while (!dpr_trainer_finished(h.trainer))
        OK(h.context, dpr_trainer_epoch(h.trainer, NULL));
    for (int k = 0; k < 4; k++)
        OK(h.context, dpr_store_read(h.model->store, leaves[k], swa[k], sizeof swa[k]));
    OK(h.context, dpr_store_read(h.model->store, "average/batchnorm_1.mean", raw, sizeof raw));
    assert_int_equal(dpr_trainer_steps_done(h.trainer), 12);
    dpr_trainer_destroy(h.trainer);
    h.options.swa = 0;
    h.options.groups = still;
    h.options.epochs = 150;
    OK(h.context, dpr_trainer_create(h.model, h.data, &h.options, &h.trainer));
    while (!dpr_trainer_finished(h.trainer))
        OK(h.context, dpr_trainer_epoch(h.trainer, NULL));
    for (int k = 0; k < 4; k++) {
        OK(h.context, dpr_store_read(h.model->store, leaves[k], found, sizeof found));
        for (int i = 0; i < 4; i++) {
            if (!(fabs((double)(found[i] - swa[k][i])) < 1e-4 * (1 + fabs((double)found[i]))))
                fail_msg("%s, %d: %.7g instead of %.7g", leaves[k], i, (double)swa[k][i],
                         (double)found[i]);
            differ = differ || (k == 0 && fabs((double)(raw[i] - found[i])) > 1e-3);
        }
    }
    assert_true(differ); /* else the last ones would do */
    end_run(&run);
}

/* ---- stopping and going on ---- */

/* Ends the run in h.trainer; what it came to. */
static char *ended(void) {
    while (!dpr_trainer_finished(h.trainer))
        OK(h.context, dpr_trainer_epoch(h.trainer, NULL));
    return leaves_of(h.model);
}

static void same_bits_wherever_it_is_cut(void **state) {
    (void)state;
    char *path = temporary("run.safetensors");
    for (int way = 0; way < 6; way++) {
        struct run run = begin_run();
        h.options.ema = way % 2 ? 0 : 0.9;
        h.options.swa = way % 2 ? 2 : 0;
        h.options.validation = way >= 2 ? run.validation : NULL;
        h.options.patience = way >= 4 ? 1 : 0;
        start_run(norm_net);
        char *wanted = ended();
        stop_run();
        for (int steps = 0; steps <= 16; steps += 1 + steps % 3) {
            start_run(norm_net);
            for (int i = 0; i < steps && !dpr_trainer_finished(h.trainer); i++)
                OK(h.context, dpr_trainer_step(h.trainer, NULL));
            OK(h.context, dpr_trainer_save(h.trainer, path));
            stop_run();
            start_run(norm_net);
            OK(h.context, dpr_trainer_resume(h.trainer, path));
            char *got = ended();
            if (strcmp(got, wanted) != 0)
                fail_msg("way %d, cut after %d steps: other bits", way, steps);
            free(got);
            stop_run();
        }
        free(wanted);
        h.model = NULL;
        h.trainer = NULL;
        end_run(&run);
    }
    remove_temporary(path);
}

/* A finished run that gets more epochs goes on from its last weights, not from their average. */
static void more_epochs_as_if_asked_at_once(void **state) {
    (void)state;
    char *path = temporary("run.safetensors");
    for (int swa = 0; swa < 2; swa++) {
        struct run run = begin_run();
        h.options.ema = swa ? 0 : 0.9;
        h.options.swa = swa ? 2 : 0;
        start_run(norm_net);
        char *wanted = ended();
        stop_run();
        h.options.epochs = 3;
        start_run(norm_net);
        char *shorter = ended();
        OK(h.context, dpr_trainer_save(h.trainer, path));
        stop_run();
        h.options.epochs = 4;
        start_run(norm_net);
        OK(h.context, dpr_trainer_resume(h.trainer, path));
        char *got = ended();
        assert_string_not_equal(shorter, wanted);
        assert_string_equal(got, wanted);
        free(shorter);
        free(wanted);
        free(got);
        end_run(&run);
    }
    remove_temporary(path);
}

static void the_best_average_comes_back(void **state) {
    (void)state;
    struct run run = begin_run();
    dpr_epoch_report report;
    dpr_evaluation found;
    double best = -1, loss = 0;
    h.options.validation = run.validation;
    h.options.patience = 2;
    h.options.epochs = 12;
    h.options.learning_rate = 0.8; /* it wanders */
    h.options.ema = 0.5;
    start_run(norm_net);
    do {
        OK(h.context, dpr_trainer_epoch(h.trainer, &report));
        if (report.validation_accuracy > best) {
            best = report.validation_accuracy;
            loss = report.validation_loss;
        }
    } while (!report.finished);
    OK(h.context, dpr_evaluate(h.model, run.validation, &found));
    assert_true(found.accuracy == best && found.loss == loss);
    end_run(&run);
}

static void one_average_at_most(void **state) {
    (void)state;
    dpr_train_options options = dpr_train_options_default();
    dpr_context *context = make_context("cpu", 1);
#define BAD(field, value, says)                                                                    \
    options.field = (value);                                                                       \
    FAILS(context, dpr_train_options_check(context, &options), DPR_E_ARGUMENT, says)
    BAD(ema, 1, "ema is 1; it must be at least 0 and below 1");
    BAD(ema, -0.5, "ema is -0.5");
    options.ema = 0;
    BAD(swa, 11, "swa is 11, but there are only 10 epochs");
    options.swa = 10;
    OK(context, dpr_train_options_check(context, &options));
    BAD(ema, 0.5, "ema is 0.5 and swa is 10, but a run keeps one average");
#undef BAD
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ema_by_hand),
        cmocka_unit_test(swa_by_hand),
        cmocka_unit_test(the_average_is_judged_and_kept),
        cmocka_unit_test(ema_averages_statistics),
        cmocka_unit_test(swa_takes_statistics_again),
        cmocka_unit_test(same_bits_wherever_it_is_cut),
        cmocka_unit_test(more_epochs_as_if_asked_at_once),
        cmocka_unit_test(the_best_average_comes_back),
        cmocka_unit_test(one_average_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
