/* The trained weights are the same bits with 1, 2 and 3 threads, for every optimiser, precision and
 * instruction set; and contexts
 * in two threads of the caller's never meet. */
#include "base/cpu.h"
#include "train_support.h"
#include <pthread.h>

static const char *const groups[] = {"linear_1.*:freeze-until=1,lr=0.5", "*.bias:decay=0.1", NULL};

/* A way to train. */
struct way {
    const char *net, *optimizer;
    const char *const *groups;
    double ema;
    unsigned swa, lookahead, accumulate;
};

static void train(unsigned threads, const char *precision, const char *isa, const struct way *way,
                  char hex[65]) {
    dpr_context *context;
    dpr_context_options machine = dpr_context_options_default();
    machine.threads = threads;
    machine.precision = precision;
    machine.cpu_isa = isa;
    assert_int_equal(dpr_context_create(&machine, &context), DPR_OK);
    struct sample *sample = calloc(1, sizeof *sample);
    assert_non_null(sample);
    dpr_data *data = make_data(context, sample, 300, 5);
    dpr_model *model = make_model(context, data, way->net, 3);
    dpr_trainer *trainer;
    dpr_train_options options = dpr_train_options_default();
    options.epochs = 2;
    options.batch = 64;
    options.optimizer = way->optimizer;
    options.groups = way->groups;
    options.ema = way->ema;
    options.swa = way->swa;
    options.lookahead = way->lookahead;
    if (way->accumulate > 0)
        options.accumulate = way->accumulate;
    options.clip_norm = 1;
    options.label_smoothing = 0.1;
    options.class_weights = "balanced";
    OK(context, dpr_trainer_create(model, data, &options, &trainer));
    while (!dpr_trainer_finished(trainer))
        OK(context, dpr_trainer_epoch(trainer, NULL));
    OK(context, dpr_model_weights_sha256(model, hex));
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
    free(sample);
}

static void same_bits_for_any_number_of_threads(void **state) {
    (void)state;
    static const char linear[] = "input 6 6 1, linear classes";
    static const char deep[] =
        "input 6 6 1, linear 200, relu, dropout 0.2, linear 70, gelu, linear classes";
    static const char norm[] = "input 6 6 1, linear 200, batchnorm, relu, linear classes";
    static const char conv[] = "input 6 6 1, conv 3x3 40, batchnorm, relu\n"
                               "conv 3x3 20, batchnorm, relu, maxpool 2, linear classes";
    static const char strided[] = /* of channels enough for bf16 */
        "input 6 6 1, conv 3x3 16, batchnorm, relu, conv 3x3 32 stride 2, batchnorm, relu, "
        "residual { conv 1x1 32, batchnorm }, relu, linear classes";
    static const struct way ways[] = {
        {.net = linear, .optimizer = "nesterov"},
        {.net = linear, .optimizer = "adamw"},
        {.net = deep, .optimizer = "nesterov"},
        {.net = deep, .optimizer = "adamw"},
        {.net = deep, .optimizer = "adamw", .groups = groups, .ema = 0.5},
        {.net = norm, .optimizer = "nesterov", .swa = 1, .accumulate = 2},
        {.net = conv, .optimizer = "muon", .ema = 0.5, .lookahead = 2},
        {.net = strided, .optimizer = "nesterov"}};
    static const char *const precisions[] = {"float32", "bf16"};
    enum { N_WAYS = sizeof ways / sizeof *ways };
    for (int isa = 0; isa <= (int)dpr__isa_detect(); isa++)
        for (size_t i = 0; i < 2 * N_WAYS; i++) {
            const char *word = dpr__isa_name((dpr__isa)isa), *precision = precisions[i & 1];
            const struct way *way = &ways[i / 2];
            char one[65], more[65];
            train(1, precision, word, way, one);
            for (unsigned threads = 2; threads <= 3; threads++) {
                train(threads, precision, word, way, more);
                if (strcmp(one, more) != 0)
                    fail_msg("%u threads: %s, one thread: %s (%s, %s, %s, %s)", threads, more, one,
                             precision, word, way->optimizer, way->net);
            }
        }
}

static void *train_beside(void *hex) {
    static const struct way way = {.net =
                                       "input 6 6 1, linear 40, relu, dropout 0.2, linear classes",
                                   .optimizer = "nesterov"};
    train(2, "float32", NULL, &way, hex);
    return NULL;
}

static void two_contexts_in_two_threads(void **state) {
    (void)state;
    char hex[2][65];
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, train_beside, hex[0]), 0);
    train_beside(hex[1]);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_string_equal(hex[0], hex[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_for_any_number_of_threads),
        cmocka_unit_test(two_contexts_in_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
