/* Training on augmented images: the same bits for any number of threads, on every instruction set, and after a resume in the
 * middle of an epoch; what mixed images are told of their labels; what a resumed run must keep. */
#include "base/cpu.h"
#include "ops/augment.h"
#include "train/model.h"
#include "train_support.h"
#include <math.h>

static const char ALL[] =
    "crop=1,pad=reflect,flip=alternate,rotate=10,scale=0.1,shear=5,translate=0.5,elastic=0.5,"
    "smooth=2,brightness=0.2,contrast=0.2,cutout=2,mixup=0.5,cutmix=1";
static const char CONV[] =
    "input 6 6 1, conv 3x3 8 pad same, relu, maxpool 2, flatten, dropout 0.1, linear classes";
static const char LINEAR[] = "input 6 6 1, linear 40, relu, linear classes";

struct run {
    dpr_context *context;
    struct sample *sample;
    dpr_data *data;
    dpr_model *model;
    dpr_trainer *trainer;
};

static dpr_train_options options_of(const char *augment) {
    dpr_train_options options = dpr_train_options_default();
    options.epochs = 3;
    options.batch = 64;
    options.label_smoothing = 0.1;
    options.augment = augment;
    return options;
}

static struct run begin(const dpr_context_options *machine, const char *net,
                        const dpr_train_options *options) {
    struct run run;
    assert_int_equal(dpr_context_create(machine, &run.context), DPR_OK);
    run.sample = calloc(1, sizeof *run.sample);
    assert_non_null(run.sample);
    run.data = make_data(run.context, run.sample, 300, 5);
    run.model = make_model(run.context, run.data, net, 3);
    OK(run.context, dpr_trainer_create(run.model, run.data, options, &run.trainer));
    return run;
}

static void end(struct run *run) {
    dpr_trainer_destroy(run->trainer);
    dpr_model_destroy(run->model);
    dpr_data_destroy(run->data);
    dpr_context_destroy(run->context);
    free(run->sample);
}

static void finish(struct run *run, char hex[65]) {
    train_to_end(run->context, run->trainer, run->model, hex);
    end(run);
}

static void train(unsigned threads, const char *isa, const char *precision, const char *net,
                  const char *augment, char hex[65]) {
    dpr_context_options machine = dpr_context_options_default();
    const dpr_train_options options = options_of(augment);
    machine.threads = threads;
    machine.cpu_isa = isa;
    machine.precision = precision;
    struct run run = begin(&machine, net, &options);
    finish(&run, hex);
}

static void same_bits_for_any_number_of_threads(void **state) {
    (void)state;
    static const char *const nets[] = {LINEAR, CONV}, *const precisions[] = {"float32", "bf16"};
    for (int isa = 0; isa <= (int)dpr__isa_detect(); isa++)
        for (int way = 0; way < 4; way++) {
            char one[65], more[65];
            const char *word = dpr__isa_name((dpr__isa)isa);
            train(1, word, precisions[way / 2], nets[way % 2], ALL, one);
            for (unsigned threads = 2; threads <= 3; threads++) {
                train(threads, word, precisions[way / 2], nets[way % 2], ALL, more);
                assert_string_equal(one, more);
            }
        }
}

/* Every kind changes the training; one that comes to nothing does not. */
static void kinds_reach_the_training(void **state) {
    (void)state;
    static const char *const kinds[] = {
        "crop=1",         "flip",      "flip=alternate", "rotate=10",       "scale=0.1",
        "shear=10",       "translate", "elastic",        "crop=1,pad=mean", "crop=1,pad=reflect",
        "brightness=0.2", "contrast",  "cutout=2",       "mixup=0.5",       "cutmix"};
    enum { N = sizeof kinds / sizeof *kinds };
    char hex[N][65], plain[65], none[65];
    train(2, NULL, "float32", LINEAR, NULL, plain);
    for (int i = 0; i < N; i++) {
        train(2, NULL, "float32", LINEAR, kinds[i], hex[i]);
        assert_string_not_equal(hex[i], plain);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(hex[i], hex[j]);
    }
    train(2, NULL, "float32", LINEAR, "rotate=1e-9,brightness=1e-9", none);
    assert_string_equal(none, plain);
    train(2, NULL, "float32", CONV, NULL, plain);
    train(2, NULL, "float32", CONV, "elastic=1e-9", none);
    assert_string_equal(none, plain);
}

/* Both devices see the same images: losses differ by rounding only. */
static void as_the_reference_device(void **state) {
    (void)state;
    const dpr_train_options options = options_of(ALL);
    dpr_context_options machine = dpr_context_options_default();
    struct run cpu = begin(&machine, CONV, &options);
    machine.device = "ref";
    struct run ref = begin(&machine, CONV, &options);
    for (int i = 0; i < 7; i++) { /* into the second epoch */
        double a, b;
        OK(cpu.context, dpr_trainer_step(cpu.trainer, &a));
        OK(ref.context, dpr_trainer_step(ref.trainer, &b));
        assert_true(fabs(a - b) < 1e-4);
    }
    end(&cpu);
    end(&ref);
}

/* ---- resume ---- */

static void resume_in_the_middle_of_an_epoch(void **state) {
    (void)state;
    const dpr_train_options options = options_of(ALL);
    const dpr_context_options machine = dpr_context_options_default();
    char whole[65], resumed[65], *path = temporary("run");
    train(0, NULL, "float32", CONV, ALL, whole);
    struct run first = begin(&machine, CONV, &options);
    for (int i = 0; i < 7; i++) /* of five an epoch */
        OK(first.context, dpr_trainer_step(first.trainer, NULL));
    OK(first.context, dpr_trainer_save(first.trainer, path));
    end(&first);
    struct run second = begin(&machine, CONV, &options);
    OK(second.context, dpr_trainer_resume(second.trainer, path));
    finish(&second, resumed);
    assert_string_equal(whole, resumed);
    remove_temporary(path);
}

static dpr_status resume(const char *path, const char *augment, char message[1024]) {
    const dpr_train_options options = options_of(augment);
    const dpr_context_options machine = dpr_context_options_default();
    struct run run = begin(&machine, LINEAR, &options);
    dpr_status status = dpr_trainer_resume(run.trainer, path);
    snprintf(message, 1024, "%s", status == DPR_OK ? "" : dpr_error(run.context));
    end(&run);
    return status;
}

static void save(const char *path, const char *augment) {
    const dpr_train_options options = options_of(augment);
    const dpr_context_options machine = dpr_context_options_default();
    struct run run = begin(&machine, LINEAR, &options);
    OK(run.context, dpr_trainer_step(run.trainer, NULL));
    OK(run.context, dpr_trainer_save(run.trainer, path));
    end(&run);
}

static void a_resumed_run_keeps_it(void **state) {
    (void)state;
    char message[1024], *path = temporary("run");
    save(path, "flip,crop=1,elastic=2");
    assert_int_equal(resume(path, " crop=1, flip=random, elastic=2.0, smooth=4, rotate=0", message),
                     DPR_OK); /* the same in other words */
    assert_int_equal(resume(path, "flip,crop=2", message), DPR_E_MISMATCH);
    if (strstr(message, "augment is \"crop=2,flip=random\" here, but "
                        "crop=1,flip=random,elastic=2,smooth=4 in the run of") == NULL)
        fail_msg("%s", message);
    assert_int_equal(resume(path, NULL, message), DPR_E_MISMATCH);
    remove_temporary(path);
}

/* The record of a version that knew no augmentation, made by blotting the option out. */
static void a_record_without_the_option(void **state) {
    (void)state;
    static const char entry[] = ",\\\"augment\\\":\\\"\\\"";
    static char bytes[1 << 16];
    char message[1024], *path = temporary("run");
    save(path, NULL);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file), at = 0;
    while (at + sizeof entry <= n && memcmp(bytes + at, entry, sizeof entry - 1) != 0)
        at++;
    assert_true(at + sizeof entry <= n);
    memset(bytes + at, ' ', sizeof entry - 1);
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(resume(path, NULL, message), DPR_OK);
    assert_int_equal(resume(path, "flip", message), DPR_E_MISMATCH);
    remove_temporary(path);
}

/* ---- labels ---- */

enum { IMAGES = 50 };

/* What one step of SGD with rate 1 makes of biases that begin at 0, over black images: Σ w (target − ⅓) / Σ w. */
static void expected_bias(const int32_t *labels, const dpr__augment_param *param,
                          const double *weights, double smoothing, double bias[CLASSES]) {
    double sum[CLASSES] = {0}, total = 0;
    for (int i = 0; i < IMAGES; i++) {
        dpr__mix_draw mix;
        dpr__mix_draw_image(param, 9, 0, i, &mix);
        double share = mix.share / 65536.0, target[CLASSES] = {0};
        target[labels[i]] += 1 - share;
        target[labels[mix.partner]] += share;
        double w = weights[labels[i]] * (1 - share) + weights[labels[mix.partner]] * share;
        total += w;
        for (int c = 0; c < CLASSES; c++)
            sum[c] += w * (target[c] * (1 - smoothing) + smoothing / CLASSES - 1.0 / CLASSES);
    }
    for (int c = 0; c < CLASSES; c++)
        bias[c] = sum[c] / total;
}

static void check_labels(const char *augment, const dpr__augment_param *param, bool weigh,
                         double smoothing) {
    dpr_context *context = make_context("cpu", 2);
    static const uint8_t black[IMAGES];
    int32_t labels[IMAGES];
    double weights[CLASSES] = {1, 1, 1}, count[CLASSES] = {0}, want[CLASSES];
    float got[CLASSES];
    dpr_data *data;
    dpr_model *model;
    dpr_trainer *trainer;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(1, 1, 1);
    info.n_classes = CLASSES;
    for (int i = 0; i < IMAGES; i++)
        count[labels[i] = i % 7 % CLASSES]++;
    for (int c = 0; c < CLASSES && weigh; c++)
        weights[c] = IMAGES / (CLASSES * count[c]);
    OK(context, dpr_data_create(context, &info, black, labels, IMAGES, NULL, NULL, &data));
    OK(context, dpr_model_from_net(context, "test", "input 1 1 1, linear classes",
                                   dpr_data_describe(data), 1, "zero", &model));
    dpr_train_options options = options_of(augment);
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.learning_rate = 1;
    options.seed = 9;
    options.class_weights = weigh ? "balanced" : NULL;
    options.label_smoothing = smoothing;
    OK(context, dpr_trainer_create(model, data, &options, &trainer));
    OK(context,
       dpr_trainer_step(trainer, NULL)); /* all images: the set is smaller than the batch */
    OK(context, dpr_store_read(model->store, "linear_1.bias", got, sizeof got));
    expected_bias(labels, param, weights, smoothing, want);
    for (int c = 0; c < CLASSES; c++)
        assert_true(fabs((double)got[c] - want[c]) < 1e-6);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

static void labels_are_mixed_as_images_are(void **state) {
    (void)state;
    const dpr__augment_param none = {.n = IMAGES, .height = 1, .width = 1};
    dpr__augment_param mixup = none, both = none;
    mixup.mixup = both.mixup = 0.7;
    both.cutmix = 1;
    for (int weigh = 0; weigh < 2; weigh++) {
        check_labels("flip", &none, weigh, 0);
        check_labels("mixup=0.7", &mixup, weigh, 0);
        check_labels("mixup=0.7,cutmix=1", &both, weigh, 0.2);
    }
}

/* The model's run record tells what was done, and validation sees images as they are. */
static void record_and_validation(void **state) {
    (void)state;
    dpr_context_options machine = dpr_context_options_default();
    dpr_train_options options = options_of("cutout=6,brightness=1");
    options.epochs = 1;
    struct run run = begin(&machine, LINEAR, &options);
    dpr_trainer_destroy(run.trainer);
    options.validation = run.data;
    options.learning_rate = 1e-30; /* the weights stay */
    dpr_evaluation plain;
    dpr_epoch_report report;
    OK(run.context, dpr_trainer_create(run.model, run.data, &options, &run.trainer));
    OK(run.context, dpr_evaluate(run.model, run.data, &plain));
    double loss = plain.loss;
    OK(run.context, dpr_trainer_epoch(run.trainer, &report));
    assert_true(fabs(report.validation_loss - loss) < 1e-6);
    assert_true(fabs(report.loss - loss) > 1e-3); /* on what the training saw */
    assert_non_null(strstr(dpr_model_run(run.model), "\"augment\":\"brightness=1,cutout=6\""));
    end(&run);
}

static void refused_before_anything_happens(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    struct sample *sample = calloc(1, sizeof *sample);
    assert_non_null(sample);
    dpr_data *data = make_data(context, sample, 30, 5);
    dpr_model *model = make_model(context, data, LINEAR, 3);
    dpr_trainer *trainer = NULL;
    dpr_train_options options = options_of("crop=6");
    FAILS(context, dpr_trainer_create(model, data, &options, &trainer), DPR_E_ARGUMENT,
          "crop=6 would move images of 6 × 6 out of sight");
    options.augment = "rotat=5";
    FAILS(context, dpr_trainer_create(model, data, &options, &trainer), DPR_E_ARGUMENT,
          "did you mean 'rotate'?");
    options.augment = "";
    OK(context, dpr_trainer_create(model, data, &options, &trainer));
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
    free(sample);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_for_any_number_of_threads),
        cmocka_unit_test(kinds_reach_the_training),
        cmocka_unit_test(as_the_reference_device),
        cmocka_unit_test(resume_in_the_middle_of_an_epoch),
        cmocka_unit_test(a_resumed_run_keeps_it),
        cmocka_unit_test(a_record_without_the_option),
        cmocka_unit_test(labels_are_mixed_as_images_are),
        cmocka_unit_test(record_and_validation),
        cmocka_unit_test(refused_before_anything_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
