/* Timing: what dpr_bench and dpr_bench_peak refuse, and that they measure something. */
#include "train_support.h"

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
    options.seconds = 0.01;
    for (int train = 0; train < 2; train++) {
        options.train = train != 0;
        OK(context, dpr_bench(context, &options, &result));
        assert_true(result.step_us > 0 && result.step_us_p10 <= result.step_us);
        assert_true((result.end_to_end_images_per_second > 0) == options.train);
    }
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_peak_has_a_precision_that_there_is),
                                       cmocka_unit_test(a_bench_needs_a_net_and_sane_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
