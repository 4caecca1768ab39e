/* The training loop: what an epoch reports, patience, interruptions, losses that are not finite. */
#include "base/random.h"
#include "train/trainer.h"
#include "train_support.h"
#include <math.h>

static const char linear_net[] = "input 6 6 1, linear classes";
static const char deep_net[] = "input 6 6 1, linear 16, relu, dropout 0.2, linear classes";

struct setup {
    dpr_context *context;
    struct sample *train_sample, *validation_sample;
    dpr_data *train, *validation;
    dpr_model *model;
    dpr_train_options options;
    dpr_trainer *trainer;
};

static void make(struct setup *s, const char *net, int n) {
    *s = (struct setup){.context = make_context("cpu", 1)};
    s->train_sample = calloc(1, sizeof *s->train_sample);
    s->validation_sample = calloc(1, sizeof *s->validation_sample);
    assert_true(s->train_sample != NULL && s->validation_sample != NULL);
    s->train = make_data(s->context, s->train_sample, n, 1);
    s->validation = make_data(s->context, s->validation_sample, 200, 2);
    s->model = make_model(s->context, s->train, net, 1);
    s->options = dpr_train_options_default();
    s->options.batch = 32;
}

static void start(struct setup *s) {
    OK(s->context, dpr_trainer_create(s->model, s->train, &s->options, &s->trainer));
}

static void drop(struct setup *s) {
    dpr_trainer_destroy(s->trainer);
    dpr_model_destroy(s->model);
    dpr_data_destroy(s->train);
    dpr_data_destroy(s->validation);
    dpr_context_destroy(s->context);
    free(s->train_sample);
    free(s->validation_sample);
}

static void learns(void **state) {
    (void)state;
    struct setup s;
    dpr_epoch_report report;
    dpr_evaluation found;
    make(&s, deep_net, 300);
    start(&s);
    for (unsigned epoch = 1; epoch <= 10; epoch++) {
        assert_false(dpr_trainer_finished(s.trainer));
        OK(s.context, dpr_trainer_epoch(s.trainer, &report));
        assert_int_equal(report.epoch, epoch);
        assert_int_equal(dpr_trainer_epochs_done(s.trainer), epoch);
        assert_int_equal(dpr_trainer_steps_done(s.trainer), epoch * 10);
        assert_true(report.images_per_second > 0 && report.seconds > 0);
        assert_false(report.has_validation);
        assert_int_equal(report.finished, epoch == 10);
    }
    assert_true(dpr_trainer_finished(s.trainer));
    const dpr_epoch_report *history;
    assert_int_equal(dpr_trainer_history(s.trainer, &history), 10);
    assert_true(history[9].loss < history[0].loss / 2);
    OK(s.context, dpr_evaluate(s.model, s.validation, &found));
    assert_true(found.accuracy > 0.9);
    FAILS(s.context, dpr_trainer_epoch(s.trainer, NULL), DPR_E_ARGUMENT, "finished");
    FAILS(s.context, dpr_trainer_step(s.trainer, NULL), DPR_E_ARGUMENT, "finished");
    assert_non_null(strstr(dpr_model_run(s.model), "\"epochs_done\":10"));
    drop(&s);
}

/* With a rate that changes nothing, an epoch's loss and accuracy are the evaluation's: every image
 * counts once, the four of the last batch too. */
static void counts_every_image_once(void **state) {
    (void)state;
    struct setup s;
    dpr_epoch_report report;
    dpr_evaluation found;
    make(&s, linear_net, 100);
    s.options.learning_rate = 1e-12;
    start(&s);
    OK(s.context, dpr_evaluate(s.model, s.train, &found));
    for (int epoch = 0; epoch < 2; epoch++) {
        OK(s.context, dpr_trainer_epoch(s.trainer, &report));
        assert_true(fabs(report.loss - found.loss) < 1e-5);
        assert_true(fabs(report.accuracy - found.accuracy) < 1e-9);
    }
    drop(&s);
}

/* Cross entropy of the first batch of an epoch by hand, from the model's probabilities:
 * Σ w·(smoothed target · −log p) / Σ w over the images that the epoch's permutation puts first. */
static double loss_by_hand(struct setup *s, const double *weights) {
    double smooth = s->options.label_smoothing, sum = 0, divisor = 0;
    for (uint64_t position = 0; position < s->options.batch; position++) {
        size_t i =
            (size_t)dpr__permute(s->options.seed, DPR__PURPOSE_SHUFFLE, 0, position, s->train->n);
        double loss = 0, w = weights[s->train->labels[i]];
        float p[CLASSES];
        OK(s->context, dpr_predict(s->model, s->train->pool + i * PIXELS, 1, p));
        for (int c = 0; c < CLASSES; c++)
            loss -=
                ((c == s->train->labels[i]) * (1 - smooth) + smooth / CLASSES) * log((double)p[c]);
        sum += w * loss;
        divisor += w;
    }
    return sum / divisor;
}

static void weighs_and_smooths(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        struct setup s;
        double weights[CLASSES] = {1, 1, 1}, counts[CLASSES] = {0}, loss;
        make(&s, linear_net, 50);
        for (size_t i = 0; i < 25; i++)
            s.train_sample->labels[i] = 0; /* unbalanced */
        for (size_t i = 0; i < 50; i++)
            counts[s.train_sample->labels[i]]++;
        s.options.batch = 20;
        s.options.label_smoothing = variant & 1 ? 0.1 : 0;
        s.options.class_weights = variant & 2 ? "balanced" : "";
        for (int c = 0; c < CLASSES && variant & 2; c++)
            weights[c] = 50 / (CLASSES * counts[c]);
        start(&s);
        double wanted = loss_by_hand(&s, weights);
        OK(s.context, dpr_trainer_step(s.trainer, &loss));
        if (!(fabs(loss - wanted) < 1e-5))
            fail_msg("variant %d: %.9g instead of %.9g", variant, loss, wanted);
        drop(&s);
    }
}

/* Named weights count in the loss as they stand; a class that is not named weighs 1. */
static void weighs_named_classes(void **state) {
    (void)state;
    const double weights[CLASSES] = {2.5, 1, 0.25};
    struct setup s;
    double loss;
    make(&s, linear_net, 50);
    s.options.batch = 20;
    char text[] = "2=0.25,0=2.5";
    s.options.class_weights = text;
    start(&s);
    memset(text, 'x', sizeof text - 1); /* the trainer has its own copy */
    double wanted = loss_by_hand(&s, weights);
    OK(s.context, dpr_trainer_step(s.trainer, &loss));
    assert_true(fabs(loss - wanted) < 1e-5);
    drop(&s);
}

static void refuses_class_weights(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {{"balance", "did you mean 'balanced'?"},
                 {"nothing of it", "'nothing of it' is neither"},
                 {"3=1", "no class '3'; the classes are '0' to '2'"},
                 {"0=1,0=2", "class '0' is given twice"},
                 {"0=1,", "'' is neither"},
                 {"0=0", "'0' of class '0' is no number from 1e-06"},
                 {"1=nan", "'nan' of class '1'"},
                 {"1=-2", "'-2' of class '1'"},
                 {"1=", "'' of class '1'"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setup s;
        make(&s, linear_net, 50);
        s.options.class_weights = cases[i].text;
        FAILS(s.context, dpr_trainer_create(s.model, s.train, &s.options, &s.trainer),
              DPR_E_ARGUMENT, cases[i].says);
        drop(&s);
    }
}

/* The weights of one class's biases after an epoch of plain gradient descent. */
static void biases_after(const char *reduction, double rate, const char *weights, float *biases,
                         double *loss) {
    struct setup s;
    dpr_epoch_report report;
    make(&s, linear_net, 64);
    s.options.optimizer = "sgd";
    s.options.schedule = "constant";
    s.options.learning_rate = rate;
    s.options.loss_reduction = reduction;
    s.options.class_weights = weights;
    start(&s);
    OK(s.context, dpr_trainer_epoch(s.trainer, &report));
    OK(s.context,
       dpr_store_read(s.model->store, "linear_1.bias", biases, CLASSES * sizeof *biases));
    *loss = report.loss;
    drop(&s);
}

/* The sum's gradient is 32 times the mean's in steps of 32 rows; what is reported is the mean with both. */
static void sums_and_means(void **state) {
    (void)state;
    float mean[CLASSES], sum[CLASSES], weighed[CLASSES];
    double loss_of_mean, loss_of_sum, loss_of_weighed;
    biases_after("mean", 0.32, "", mean, &loss_of_mean);
    biases_after("sum", 0.01, "", sum, &loss_of_sum);
    biases_after("sum", 0.005, "0=2,1=2,2=2", weighed, &loss_of_weighed);
    for (int c = 0; c < CLASSES; c++) {
        assert_true(fabs((double)mean[c]) > 1e-3);
        assert_true(fabs((double)(mean[c] - sum[c])) < 1e-5);
        assert_true(fabs((double)(mean[c] - weighed[c])) < 1e-5);
    }
    assert_true(fabs(loss_of_mean - loss_of_sum) < 1e-5);
    assert_true(fabs(loss_of_mean - loss_of_weighed) < 1e-5);
}

/* Every step of three epochs applies the schedule's rate and AdamW's corrections of just that step:
 * seen from the outside, by the change of one weight and the optimiser's state after it. */
static void every_step_has_its_rate(void **state) {
    (void)state;
    static const char *const optimizers[] = {"momentum", "adamw"};
    for (int adam = 0; adam < 2; adam++) {
        struct setup s;
        float before[CLASSES], after[CLASSES], m[CLASSES], v[CLASSES];
        make(&s, linear_net, 100);
        s.options.epochs = 3;
        s.options.optimizer = optimizers[adam];
        s.options.learning_rate = 0.1;
        s.options.warmup = 0.5;
        start(&s);
        dpr_store *store = s.model->store;
        for (uint64_t t = 0; t < 12; t++) {
            OK(s.context, dpr_store_read(store, "linear_1.bias", before, sizeof before));
            OK(s.context, dpr_trainer_step(s.trainer, NULL));
            OK(s.context, dpr_store_read(store, "linear_1.bias", after, sizeof after));
            OK(s.context,
               dpr_store_read(store, adam ? "adam_m/linear_1.bias" : "momentum/linear_1.bias", m,
                              sizeof m));
            if (adam)
                OK(s.context, dpr_store_read(store, "adam_v/linear_1.bias", v, sizeof v));
            double rate = dpr__schedule_rate(&s.trainer->schedule, t);
            for (int c = 0; c < CLASSES; c++) {
                double direction = (double)m[c];
                if (adam)
                    direction = direction / (1 - pow(0.9, (double)(t + 1))) /
                                (sqrt((double)v[c] / (1 - pow(0.999, (double)(t + 1)))) + 1e-8);
                assert_true(fabs((double)(before[c] - after[c]) - rate * direction) < 1e-6);
            }
        }
        drop(&s);
    }
}

static void steps_make_an_epoch(void **state) {
    (void)state;
    struct setup s;
    char by_step[65], by_epoch[65];
    double loss;
    make(&s, deep_net, 100);
    s.options.epochs = 2;
    start(&s);
    for (int i = 0; i < 8; i++) {
        OK(s.context, dpr_trainer_step(s.trainer, &loss));
        assert_true(loss > 0);
        assert_int_equal(dpr_trainer_epochs_done(s.trainer), (i + 1) / 4);
    }
    assert_true(dpr_trainer_finished(s.trainer));
    OK(s.context, dpr_model_weights_sha256(s.model, by_step));
    drop(&s);
    make(&s, deep_net, 100);
    s.options.epochs = 2;
    start(&s);
    OK(s.context, dpr_trainer_step(s.trainer, NULL)); /* one by itself, then the rest */
    OK(s.context, dpr_trainer_epoch(s.trainer, NULL));
    OK(s.context, dpr_trainer_epoch(s.trainer, NULL));
    OK(s.context, dpr_model_weights_sha256(s.model, by_epoch));
    assert_string_equal(by_step, by_epoch);
    drop(&s);
}

/* Labels of no sense, so that the accuracy goes up and down: the best weights must be back at the
 * end. */
static void patience_brings_the_best_back(void **state) {
    (void)state;
    struct setup s;
    dpr_epoch_report report;
    dpr_evaluation found;
    unsigned best = 0, epochs = 0;
    double best_accuracy = 0;
    make(&s, linear_net, 200);
    for (int i = 0; i < 200; i++)
        s.train_sample->labels[i] = s.validation_sample->labels[i] = i * i % 7 % CLASSES;
    s.options.validation = s.validation;
    s.options.patience = 3;
    s.options.epochs = 200;
    s.options.schedule = "constant";
    s.options.optimizer = "sgd";
    s.options.learning_rate = 2;
    start(&s);
    do {
        OK(s.context, dpr_trainer_epoch(s.trainer, &report));
        assert_true(report.has_validation);
        assert_true(report.validation_low <= report.validation_accuracy &&
                    report.validation_accuracy <= report.validation_high);
        assert_int_equal(report.best, best == 0 || report.validation_accuracy > best_accuracy);
        if (report.best) {
            best = report.epoch;
            best_accuracy = report.validation_accuracy;
        }
        epochs++;
    } while (!report.finished);
    assert_int_equal(epochs, best + 3);
    assert_true(epochs < 200);
    assert_true(report.validation_accuracy < best_accuracy); /* else nothing would be seen */
    OK(s.context, dpr_evaluate(s.model, s.validation, &found));
    assert_true(found.accuracy == best_accuracy);
    drop(&s);
}

static int count_calls(void *user, const dpr_progress *progress) {
    int *calls = user;
    assert_true(progress->step >= 1 && progress->step <= progress->steps);
    assert_int_equal(progress->steps, 4);
    assert_int_equal(progress->epochs, 10);
    ++*calls;
    return *calls >= 3; /* the third call stops */
}

static void progress_is_told_and_can_stop(void **state) {
    (void)state;
    struct setup s;
    int calls = 0;
    make(&s, linear_net, 100);
    s.options.progress = count_calls;
    s.options.progress_user = &calls;
    start(&s);
    OK(s.context, dpr_trainer_epoch(s.trainer, NULL)); /* told at least when the steps are done */
    assert_true(calls >= 1);
    while (calls < 3)
        OK(s.context, dpr_trainer_epoch(s.trainer, NULL));
    drop(&s);
}

static void stop_interrupts(void **state) {
    (void)state;
    struct setup s;
    volatile int stop = 1;
    make(&s, linear_net, 100);
    s.options.stop = &stop;
    start(&s);
    FAILS(s.context, dpr_trainer_epoch(s.trainer, NULL), DPR_E_INTERRUPTED, "interrupted after");
    assert_int_equal(dpr_trainer_steps_done(s.trainer), 0);
    stop = 0;
    OK(s.context, dpr_trainer_epoch(s.trainer, NULL)); /* and goes on */
    assert_int_equal(dpr_trainer_epochs_done(s.trainer), 1);
    drop(&s);
}

static void non_finite_loss_is_explained(void **state) {
    (void)state;
    struct setup s;
    dpr_status status = DPR_OK;
    make(&s, "input 6 6 1, linear 8, linear 8, linear 8, linear classes", 300);
    s.options.learning_rate = 500;
    s.options.schedule = "constant";
    start(&s);
    for (int i = 0; i < 9 && status == DPR_OK; i++)
        status = dpr_trainer_epoch(s.trainer, NULL);
    FAILS(s.context, status, DPR_E_NON_FINITE, "not finite");
    assert_non_null(strstr(dpr_error(s.context), "learning rate of 0.05"));
    char step[64];
    snprintf(step, sizeof step, "step %llu (epoch %u, batch ",
             (unsigned long long)(dpr_trainer_steps_done(s.trainer) + 1),
             dpr_trainer_epochs_done(s.trainer) + 1);
    assert_non_null(strstr(dpr_error(s.context), step));
    drop(&s);
}

static void save_refuses_what_is_not_finite(void **state) {
    (void)state;
    struct setup s;
    char *path = temporary("m.safetensors");
    float bias[CLASSES] = {0, NAN, 0};
    make(&s, linear_net, 50);
    start(&s);
    OK(s.context, dpr_store_write(s.model->store, "linear_1.bias", bias, sizeof bias));
    FAILS(s.context, dpr_trainer_save(s.trainer, path), DPR_E_NON_FINITE, "linear_1.bias");
    FAILS(s.context, dpr_model_save(s.model, path), DPR_E_NON_FINITE, path);
    assert_int_not_equal(access(path, F_OK), 0);
    drop(&s);
    remove_temporary(path);
}

static void a_second_run_over_a_model_starts_afresh(void **state) {
    (void)state;
    struct setup s;
    struct sample *sample = calloc(1, sizeof *sample);
    char twice[65], once[65];
    make(&s, linear_net, 100);
    s.options.epochs = 1;
    start(&s);
    OK(s.context, dpr_trainer_epoch(s.trainer, NULL));
    dpr_trainer_destroy(s.trainer);
    char *path = temporary("m.safetensors");
    OK(s.context, dpr_model_save(s.model, path));
    for (int more = 0; more < 2; more++) { /* fewer images, then more, than the first run had */
        dpr_data *data = make_data(s.context, sample, more ? 300 : 60, 9);
        dpr_model *loaded;
        OK(s.context, dpr_trainer_create(s.model, data, &s.options, &s.trainer));
        OK(s.context, dpr_trainer_epoch(s.trainer, NULL));
        OK(s.context, dpr_model_weights_sha256(s.model, twice));
        dpr_trainer_destroy(s.trainer);
        OK(s.context, dpr_model_load(s.context, path, &loaded));
        OK(s.context, dpr_trainer_create(loaded, data, &s.options, &s.trainer));
        OK(s.context, dpr_trainer_epoch(s.trainer, NULL));
        OK(s.context, dpr_model_weights_sha256(loaded, once));
        assert_string_equal(twice, once);
        dpr_trainer_destroy(s.trainer);
        OK(s.context, dpr_model_save(loaded, path));
        dpr_model_destroy(loaded);
        dpr_data_destroy(data);
    }
    s.trainer = NULL;
    drop(&s);
    free(sample);
    remove_temporary(path);
}

static void refuse(struct setup *s, const char *says) {
    FAILS(s->context, dpr_trainer_create(s->model, s->train, &s->options, &s->trainer),
          DPR_E_ARGUMENT, says);
    s->options = dpr_train_options_default();
}

static void options_have_ranges(void **state) {
    (void)state;
    struct setup s;
    make(&s, linear_net, 50);
    s.options = dpr_train_options_default();
#define BAD(field, value)                                                                          \
    s.options.field = (value);                                                                     \
    refuse(&s, #field)
    BAD(epochs, 0);
    BAD(epochs, 1000001);
    BAD(batch, 0);
    BAD(batch, 1048577);
    BAD(accumulate, 0);
    BAD(accumulate, 1000001);
    BAD(learning_rate, -0.1);
    BAD(learning_rate, (double)INFINITY);
    BAD(learning_rate, (double)NAN);
    BAD(learning_rate, 1001);
    BAD(momentum, 1);
    BAD(momentum, -0.1);
    BAD(weight_decay, -1);
    BAD(beta1, 1);
    BAD(beta2, 1);
    BAD(epsilon, 0);
    BAD(warmup, -1);
    BAD(step_epochs, 0);
    BAD(decay, 0);
    BAD(decay, 1.5);
    BAD(label_smoothing, 1);
    BAD(clip_norm, -1);
    BAD(patience, 3); /* without a validation set */
    BAD(optimizer, "adamq");
    BAD(schedule, NULL);
#undef BAD
    s.options.optimizer = "nestrov";
    refuse(&s, "did you mean 'nesterov'");
    drop(&s);
}

static void data_must_fit(void **state) {
    (void)state;
    struct setup s;
    static const uint8_t images[25] = {0};
    static const int32_t labels[1] = {0};
    dpr_data *other;
    dpr_data_info info = dpr_data_info_default();
    make(&s, linear_net, 50);
    info.image = dpr_shape_of(5, 5, 1);
    info.n_classes = CLASSES;
    OK(s.context, dpr_data_create(s.context, &info, images, labels, 1, NULL, NULL, &other));
    FAILS(s.context, dpr_trainer_create(s.model, other, &s.options, &s.trainer), DPR_E_MISMATCH,
          "images");
    s.options.validation = other;
    FAILS(s.context, dpr_trainer_create(s.model, s.train, &s.options, &s.trainer), DPR_E_MISMATCH,
          "images");
    dpr_data_destroy(other);
    info.image = dpr_shape_of(6, 6, 1);
    OK(s.context, dpr_data_create(s.context, &info, NULL, NULL, 0, NULL, NULL, &other));
    s.options.validation = NULL;
    FAILS(s.context, dpr_trainer_create(s.model, other, &s.options, &s.trainer), DPR_E_DATA,
          "no images");
    s.options.validation = other;
    FAILS(s.context, dpr_trainer_create(s.model, s.train, &s.options, &s.trainer), DPR_E_DATA,
          "empty");
    dpr_data_destroy(other);
    drop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns),
        cmocka_unit_test(counts_every_image_once),
        cmocka_unit_test(weighs_and_smooths),
        cmocka_unit_test(weighs_named_classes),
        cmocka_unit_test(refuses_class_weights),
        cmocka_unit_test(sums_and_means),
        cmocka_unit_test(every_step_has_its_rate),
        cmocka_unit_test(steps_make_an_epoch),
        cmocka_unit_test(patience_brings_the_best_back),
        cmocka_unit_test(progress_is_told_and_can_stop),
        cmocka_unit_test(stop_interrupts),
        cmocka_unit_test(non_finite_loss_is_explained),
        cmocka_unit_test(save_refuses_what_is_not_finite),
        cmocka_unit_test(a_second_run_over_a_model_starts_afresh),
        cmocka_unit_test(options_have_ranges),
        cmocka_unit_test(data_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
