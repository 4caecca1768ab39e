/* The running statistics of batch normalisation: what a step makes of them, and that files and resumed runs keep them. */
#include "base/random.h"
#include "train/model.h"
#include "train_support.h"
#include <math.h>

static const char conv_net[] = "input 6 6 1\n"
                               "conv 3x3 4, batchnorm, relu\n"
                               "residual { conv 3x3 6 stride 2, batchnorm momentum 0.3, gelu }\n"
                               "dropout 0.1, global_avgpool\n"
                               "linear 8, batchnorm noscale, relu\n"
                               "linear classes";

struct setup {
    dpr_context *context;
    struct sample *train_sample, *validation_sample;
    dpr_data *train, *validation;
    dpr_train_options options;
};

static struct setup make(const char *device, unsigned threads, int n) {
    struct setup s = {.context = make_context(device, threads)};
    s.train_sample = calloc(1, sizeof *s.train_sample);
    s.validation_sample = calloc(1, sizeof *s.validation_sample);
    assert_true(s.train_sample != NULL && s.validation_sample != NULL);
    s.train = make_data(s.context, s.train_sample, n, 1);
    s.validation = make_data(s.context, s.validation_sample, 150, 2);
    s.options = dpr_train_options_default();
    s.options.batch = 32;
    s.options.epochs = 4;
    return s;
}

static void drop(struct setup *s) {
    dpr_data_destroy(s->train);
    dpr_data_destroy(s->validation);
    dpr_context_destroy(s->context);
    free(s->train_sample);
    free(s->validation_sample);
}

static dpr_trainer *start(const struct setup *s, dpr_model *model) {
    dpr_trainer *trainer;
    OK(s->context, dpr_trainer_create(model, s->train, &s->options, &trainer));
    return trainer;
}

static float read_one(const struct setup *s, const dpr_model *model, const char *leaf) {
    float value;
    OK(s->context, dpr_store_read(model->store, leaf, &value, sizeof value));
    return value;
}

/* Mean and unbiased variance of the first epoch's minibatch number `batch`, as the network sees it. */
static void statistics_by_hand(const struct setup *s, uint64_t batch, double *mean,
                               double *variance) {
    const dpr_data_info *info = dpr_data_describe(s->train);
    uint64_t first = batch * s->options.batch, end = first + s->options.batch;
    double sum = 0, squares = 0, n = 0;
    end = end < s->train->n ? end : s->train->n;
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t at = first; at < end; at++) {
            size_t i =
                (size_t)dpr__permute(s->options.seed, DPR__PURPOSE_SHUFFLE, 0, at, s->train->n);
            for (size_t p = 0; p < PIXELS; p++) {
                double x =
                    (s->train->pool[i * PIXELS + p] / 255.0 - info->mean[0]) / info->deviation[0];
                if (pass == 0) {
                    sum += x;
                    n++;
                } else {
                    squares += (x - sum / n) * (x - sum / n);
                }
            }
        }
    *mean = sum / n;
    *variance = squares / (n - 1);
}

/* The second minibatch has three images; the other rows do not count. */
static void a_step_updates_them(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct setup s = make(i == 0 ? "cpu" : "ref", 1, 35);
        dpr_model *model = make_model(s.context, s.train,
                                      "input 6 6 1, batchnorm momentum 0.3, linear classes", 1);
        double mean = 0, variance = 1;
        assert_true(read_one(&s, model, "batchnorm_1.mean") == 0);
        assert_true(read_one(&s, model, "batchnorm_1.variance") == 1);
        dpr_trainer *trainer = start(&s, model);
        for (uint64_t batch = 0; batch < 2; batch++) {
            double new_mean, new_variance;
            OK(s.context, dpr_trainer_step(trainer, NULL));
            statistics_by_hand(&s, batch, &new_mean, &new_variance);
            mean = 0.7 * mean + 0.3 * new_mean;
            variance = 0.7 * variance + 0.3 * new_variance;
            double has_mean = (double)read_one(&s, model, "batchnorm_1.mean");
            double has_variance = (double)read_one(&s, model, "batchnorm_1.variance");
            if (!(fabs(has_mean - mean) < 1e-6 && fabs(has_variance - variance) < 1e-6))
                fail_msg("batch %d: %.9g, %.9g instead of %.9g, %.9g", (int)batch, has_mean,
                         has_variance, mean, variance);
        }
        dpr_trainer_destroy(trainer);
        dpr_model_destroy(model);
        drop(&s);
    }
}

/* One image in the last minibatch: its variance is 0, and nothing divides by 0. */
static void one_image_is_enough(void **state) {
    (void)state;
    struct setup s = make("cpu", 1, 33);
    dpr_model *model =
        make_model(s.context, s.train, "input 6 6 1, linear 4, batchnorm, relu, linear classes", 1);
    dpr_trainer *trainer = start(&s, model);
    OK(s.context, dpr_trainer_epoch(trainer, NULL));
    OK(s.context, dpr_trainer_epoch(trainer, NULL));
    OK(s.context, dpr__store_check_finite(model->store));
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    drop(&s);
}

/* ---- files ---- */

/* All leaves but the inputs are the same, to the bit. */
static void same_leaves(const dpr_model *a, const dpr_model *b) {
    size_t compared = 0;
    for (size_t i = 0; i < a->store->n_slots; i++) {
        const dpr__slot *one = &a->store->slots[i], *two = dpr__store_find(b->store, one->name);
        if (!dpr__model_owns(one->kind))
            continue;
        static char first[4096], second[4096]; /* panels have lanes that hold anything */
        assert_true(two != NULL && one->bytes <= sizeof first);
        dpr__slot_read(one, first);
        dpr__slot_read(two, second);
        if (memcmp(first, second, one->bytes) != 0)
            fail_msg("'%s' differs", one->name);
        compared += one->kind == DPR_STATISTIC;
    }
    assert_int_equal(compared, 8); /* of four normalisations */
}

static void the_model_file_has_them(void **state) {
    (void)state;
    struct setup s = make("cpu", 2, 100);
    char *path = temporary("model.safetensors"), before[65], after[65];
    dpr_model *model = make_model(s.context, s.train, conv_net, 1), *loaded;
    dpr_trainer *trainer = start(&s, model);
    static float one[150 * CLASSES], two[150 * CLASSES];
    const float off[4] = {1, 2, 3, 4};
    for (int epoch = 0; epoch < 2; epoch++)
        OK(s.context, dpr_trainer_epoch(trainer, NULL));
    OK(s.context, dpr_model_save(model, path));
    OK(s.context, dpr_model_load(s.context, path, &loaded));
    same_leaves(model, loaded);
    assert_int_equal(dpr_model_parameters(loaded), dpr_model_parameters(model));
    OK(s.context, dpr_predict(model, s.validation->pool, 150, one));
    OK(s.context, dpr_predict(loaded, s.validation->pool, 150, two));
    assert_memory_equal(one, two, sizeof one);
    /* they matter, but are no weights */
    OK(s.context, dpr_model_weights_sha256(loaded, before));
    OK(s.context, dpr_store_write(loaded->store, "batchnorm_1.mean", off, sizeof off));
    OK(s.context, dpr_predict(loaded, s.validation->pool, 150, two));
    OK(s.context, dpr_model_weights_sha256(loaded, after));
    assert_string_equal(before, after);
    assert_memory_not_equal(one, two, sizeof one);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_model_destroy(loaded);
    remove_temporary(path);
    drop(&s);
}

/* A model file without them is refused by name. */
static void a_file_without_them_is_refused(void **state) {
    (void)state;
    struct setup s = make("cpu", 1, 40);
    char *path = temporary("model.safetensors");
    dpr_model *model =
        make_model(s.context, s.train, "input 6 6 1, batchnorm noscale noshift, linear classes", 1);
    OK(s.context, dpr_model_save(model, path));
    FILE *file = fopen(path, "r+b");
    static char bytes[65536];
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    char *name = NULL;
    for (size_t i = 0; i + 18 < n && name == NULL; i++)
        if (memcmp(bytes + i, "batchnorm_1.mean\":", 18) == 0)
            name = bytes + i;
    assert_non_null(name);
    name[0] = 'B';
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    dpr_model *loaded;
    FAILS(s.context, dpr_model_load(s.context, path, &loaded), DPR_E_FORMAT,
          "tensor 'batchnorm_1.mean' is missing");
    dpr_model_destroy(model);
    remove_temporary(path);
    drop(&s);
}

/* ---- resuming ---- */

static void a_resumed_run_has_the_same_bits(void **state) {
    (void)state;
    char *path = temporary("checkpoint.safetensors");
    struct setup s = make("cpu", 1, 100);
    dpr_model *whole = make_model(s.context, s.train, conv_net, 1);
    dpr_trainer *trainer = start(&s, whole);
    while (!dpr_trainer_finished(trainer))
        OK(s.context, dpr_trainer_epoch(trainer, NULL));
    dpr_trainer_destroy(trainer);
    for (int steps = 1; steps < 16; steps += 7) {
        dpr_model *first = make_model(s.context, s.train, conv_net, 1);
        trainer = start(&s, first);
        for (int i = 0; i < steps; i++)
            OK(s.context, dpr_trainer_step(trainer, NULL));
        OK(s.context, dpr_trainer_save(trainer, path));
        dpr_trainer_destroy(trainer);
        dpr_model_destroy(first);
        struct setup other = make("cpu", 2, 100); /* another context, other threads */
        dpr_model *second = make_model(other.context, other.train, conv_net, 1);
        trainer = start(&other, second);
        OK(other.context, dpr_trainer_resume(trainer, path));
        while (!dpr_trainer_finished(trainer))
            OK(other.context, dpr_trainer_epoch(trainer, NULL));
        same_leaves(whole, second);
        dpr_trainer_destroy(trainer);
        dpr_model_destroy(second);
        drop(&other);
    }
    dpr_model_destroy(whole);
    remove_temporary(path);
    drop(&s);
}

/* With patience the model ends as the best epoch left it, statistics included. */
static void the_best_epoch_s_come_back(void **state) {
    (void)state;
    struct setup s = make("cpu", 1, 100);
    dpr_model *model = make_model(s.context, s.train, conv_net, 1);
    dpr_epoch_report report;
    dpr_evaluation found;
    double best = -1, loss = 0;
    s.options.validation = s.validation;
    s.options.patience = 2;
    s.options.epochs = 12;
    s.options.learning_rate = 0.8; /* it wanders */
    dpr_trainer *trainer = start(&s, model);
    while (!dpr_trainer_finished(trainer)) {
        OK(s.context, dpr_trainer_epoch(trainer, &report));
        if (report.validation_accuracy > best) {
            best = report.validation_accuracy;
            loss = report.validation_loss;
        }
    }
    OK(s.context, dpr_evaluate(model, s.validation, &found));
    assert_true(found.accuracy == best && found.loss == loss);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    drop(&s);
}

/* A second run over the model goes on from them, as from the weights. */
static void another_run_goes_on_from_them(void **state) {
    (void)state;
    struct setup s = make("cpu", 1, 100);
    dpr_model *model = make_model(s.context, s.train, conv_net, 1);
    dpr_trainer *trainer = start(&s, model);
    OK(s.context, dpr_trainer_epoch(trainer, NULL));
    float variance[4], again[4];
    OK(s.context, dpr_store_read(model->store, "batchnorm_1.variance", variance, sizeof variance));
    dpr_trainer_destroy(trainer);
    trainer = start(&s, model);
    OK(s.context, dpr_store_read(model->store, "batchnorm_1.variance", again, sizeof again));
    assert_memory_equal(variance, again, sizeof again);
    assert_true(variance[0] != 1);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    drop(&s);
}

static void a_residual_net_learns(void **state) {
    (void)state;
    struct setup s = make("cpu", 2, 300);
    dpr_model *model = make_model(s.context, s.train, conv_net, 1);
    dpr_evaluation found;
    s.options.epochs = 8;
    dpr_trainer *trainer = start(&s, model);
    while (!dpr_trainer_finished(trainer))
        OK(s.context, dpr_trainer_epoch(trainer, NULL));
    OK(s.context, dpr_evaluate(model, s.validation, &found));
    if (!(found.accuracy > 0.8))
        fail_msg("accuracy %.3f", found.accuracy);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    drop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_step_updates_them),
                                       cmocka_unit_test(one_image_is_enough),
                                       cmocka_unit_test(the_model_file_has_them),
                                       cmocka_unit_test(a_file_without_them_is_refused),
                                       cmocka_unit_test(a_resumed_run_has_the_same_bits),
                                       cmocka_unit_test(the_best_epoch_s_come_back),
                                       cmocka_unit_test(another_run_goes_on_from_them),
                                       cmocka_unit_test(a_residual_net_learns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
