/* Timing: what dpr_bench and dpr_bench_peak refuse, and that they measure something. */
#include "train_support.h"
#include <math.h>

static void a_peak_has_a_precision_that_there_is(void **state) {
    (void)state;
    static const char *const DEVICES[] = {"cpu", "ref"};
    for (int d = 0; d < 2; d++) {
        dpr_context *context = make_context(DEVICES[d], 2);
        double gflops = -1;
        FAILS(context, dpr_bench_peak(context, NULL, &gflops), DPR_E_ARGUMENT, "float32, bf16");
        FAILS(context, dpr_bench_peak(context, "fp16", &gflops), DPR_E_ARGUMENT,
              "did you mean 'bf16'?");
        FAILS(context, dpr_bench_peak(context, "float64", &gflops), DPR_E_ARGUMENT,
              "did you mean 'float32'?");
        FAILS(context, dpr_bench_peak(context, "", &gflops), DPR_E_ARGUMENT, "float32, bf16");
        assert_true(gflops == -1); /* outputs are set only on DPR_OK */
        static const char *const PRECISIONS[] = {"float32", "bf16"};
        for (int p = 0; p < 2; p++) {
            OK(context, dpr_bench_peak(context, PRECISIONS[p], &gflops));
            assert_true(d == 0 ? gflops > 0 : gflops == 0);
        }
        dpr_context_destroy(context);
    }
}

static void a_bench_needs_a_net_and_sane_numbers(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    dpr_bench_result result;
    dpr_bench_options options = dpr_bench_options_default();
    FAILS(context, dpr_bench(context, &options, &result), DPR_E_ARGUMENT, "a net is needed");
    options.net = "input 6 6 1, linear 8, relu, linear classes";
    options.batch = 0;
    FAILS(context, dpr_bench(context, &options, &result), DPR_E_ARGUMENT, "a batch from 1");
    options.batch = 4;
    options.seconds = 0;
    FAILS(context, dpr_bench(context, &options, &result), DPR_E_ARGUMENT, "3600 seconds");
    options.seconds = 0.01;
    for (int train = 0; train < 2; train++) {
        options.train = train != 0;
        OK(context, dpr_bench(context, &options, &result));
        assert_true(result.step_us > 0 && result.step_us_p10 <= result.step_us);
        assert_true((result.end_to_end_images_per_second > 0) == options.train);
    }
    options.step_only = true;
    OK(context, dpr_bench(context, &options, &result));
    assert_true(result.step_us > 0 && result.end_to_end_images_per_second == 0);
    dpr_context_destroy(context);
}

/* Multiply-adds of one image, counted by hand: forward, and in a training step, where each layer is multiplied three times but the
 * first, whose data has no gradient. */
static const struct {
    const char *net;
    double forward, first;
} WORK[] = {
    {"input 28 28 1, linear 32, relu, linear classes", 784 * 32 + 32 * 10, 784 * 32},
    {"preset:lenet5", 28 * 28 * 25 * 6 + 10 * 10 * 25 * 6 * 16 + 400 * 120 + 120 * 84 + 84 * 10,
     28 * 28 * 25 * 6},
    /* A stride of two: what its data gradient puts between pixels is no work. */
    {"input 8 8 3, conv 3x3 8, relu, conv 3x3 16 stride 2, relu, linear classes",
     64 * 27 * 8 + 16 * 72 * 16 + 256 * 10, 64 * 27 * 8},
    /* Stages of 16, 32, 64 channels at 32, 16, 8 pixels a side, six convolutions each: 41 million. */
    {"preset:resnet20",
     1024 * 27 * 16 + 6 * 1024 * 144 * 16 + 256 * 144 * 32 + 5 * 256 * 288 * 32 + 64 * 288 * 64 +
         5 * 64 * 576 * 64 + 64 * 10,
     1024 * 27 * 16},
    /* 2 × 4 channels in, 8 out, in groups. */
    {"input 4 4 4, conv 1x1 8, conv 3x3 8 groups 2, linear classes",
     16 * 4 * 8 + 16 * 9 * 4 * 8 + 128 * 10, 16 * 4 * 8},
};

static void work_is_that_of_hand_counts(void **state) {
    (void)state;
    enum { BATCH = 2 };
    dpr_context *context = make_context("cpu", 2);
    dpr_bench_options options = dpr_bench_options_default();
    options.batch = BATCH;
    options.seconds = 1e-6;
    options.step_only = true;
    for (size_t i = 0; i < sizeof WORK / sizeof *WORK; i++)
        for (int train = 0; train < 2; train++) {
            dpr_bench_result result;
            options.net = WORK[i].net;
            options.train = train != 0;
            OK(context, dpr_bench(context, &options, &result));
            double expected = train ? 3 * WORK[i].forward - WORK[i].first : WORK[i].forward;
            double counted = result.gflops * result.step_us * 1000 / BATCH / 2;
            if (fabs(counted - expected) > 1e-9 * expected)
                fail_msg("%s, train %d: %.1f multiply-adds instead of %.1f", WORK[i].net, train,
                         counted, expected);
        }
    dpr_context_destroy(context);
}

/* Three steps and a warm-up, whatever time they take: a set of 16,384 images or eight batches would take hours and gigabytes. */
static void slow_networks_take_few_steps(void **state) {
    (void)state;
    dpr_context *context = make_context("ref", 1);
    dpr_bench_options options = dpr_bench_options_default();
    dpr_bench_result result;
    options.net = "input 64 64 3, conv 3x3 2, global_avgpool, linear classes";
    options.batch = 64;
    options.seconds = 1e-6;
    OK(context, dpr_bench(context, &options, &result));
    assert_true(result.step_us > 0 && result.end_to_end_images_per_second > 0);
    dpr_context_destroy(context);
}

/* Every layer that multiplies takes time both ways, and all together less than a step, which has barriers, too. */
static void layers_take_time(void **state) {
    (void)state;
    enum { MOST = 16 };
    dpr_context *context = make_context("cpu", 1);
    dpr_data_info info = dpr_data_info_default();
    dpr_layer_time times[MOST];
    const dpr_layer *layers;
    dpr_model *model;
    double step_us, sum = 0;
    info.n_classes = 10;
    OK(context,
       dpr_model_from_net(
           context, "net",
           "input 12 12 3, conv 3x3 8, batchnorm, relu, maxpool 2, linear 20, relu, linear classes",
           &info, 1, "auto", &model));
    size_t n = dpr_model_layers(model, &layers);
    assert_in_range(n, 1, MOST - 1);
    FAILS(context, dpr_model_time_layers(model, 0, 0.01, times, &step_us), DPR_E_ARGUMENT,
          "at least 1");
    FAILS(context, dpr_model_time_layers(model, 32, (double)NAN, times, &step_us), DPR_E_ARGUMENT,
          "more than 0");
    OK(context, dpr_model_time_layers(model, 32, 0.05, times, &step_us));
    for (size_t i = 0; i <= n; i++) {
        bool multiplies = i < n && strstr("conv linear", layers[i].op) != NULL;
        sum += times[i].forward_us + times[i].backward_us;
        if (multiplies && !(times[i].forward_us > 0 && times[i].backward_us > 0))
            fail_msg("%s: %g and %g us", layers[i].name, times[i].forward_us, times[i].backward_us);
    }
    assert_true(times[n].forward_us > 0 && times[n].backward_us == 0);
    assert_true(sum > 0.2 * step_us);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    context = make_context("ref", 1);
    OK(context,
       dpr_model_from_net(context, "net", "input 4 4 1, linear classes", &info, 1, "auto", &model));
    FAILS(context, dpr_model_time_layers(model, 1, 0.01, times, &step_us), DPR_E_UNSUPPORTED,
          "times no rows");
    dpr_model_destroy(model);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_peak_has_a_precision_that_there_is),
                                       cmocka_unit_test(a_bench_needs_a_net_and_sane_numbers),
                                       cmocka_unit_test(work_is_that_of_hand_counts),
                                       cmocka_unit_test(slow_networks_take_few_steps),
                                       cmocka_unit_test(layers_take_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
