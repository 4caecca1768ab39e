/* Runs of a sweep side by side and one after the other give the same bits. */
#include "train_support.h"
#include <deeper/tools.h>

enum { NETS = 4, SEEDS = 3 };

static const char *const nets[NETS] = {
    "input 6 6 1, linear classes", "input 6 6 1, linear 7, relu, dropout 0.3, linear classes",
    "input 6 6 1, linear 6, relu, linear 6, relu, linear classes",
    "input 6 6 1, conv 3x3 4, batchnorm, relu, global_avgpool, linear classes"};

static struct sample samples[3];

struct heard {
    size_t runs;
    double share;
};

static void on_progress(void *user, const dpr_sweep_progress *progress) {
    struct heard *heard = user;
    assert_true(progress->share >= 0 && progress->share <= 1);
    heard->share = progress->share;
}

/* In the order of the plan, whatever the order in which they end. */
static void on_finished(void *user, const dpr_sweep_run *run, const dpr_sweep_row *row) {
    struct heard *heard = user;
    assert_int_equal(run->case_index, heard->runs % NETS);
    assert_int_equal(run->seed, 1 + heard->runs / NETS);
    assert_true(row->learning_rate > 0);
    heard->runs++;
}

static void run_sweep(unsigned threads, unsigned jobs, char weights[NETS * SEEDS][65],
                      double accuracies[NETS * SEEDS]) {
    static const char *const files[] = {"runs.jsonl", "runs.csv", "sweep.json", "sweep.html"};
    dpr_context *context = make_context("cpu", threads);
    char *directory = temporary("sweep"), path[200];
    dpr_data *train = make_data(context, &samples[0], 300, 1),
             *validation = make_data(context, &samples[1], 60, 2),
             *test = make_data(context, &samples[2], 120, 3);
    dpr_sweep_case cases[NETS];
    struct heard heard = {.runs = 0};
    dpr_sweep_options options = dpr_sweep_options_default();
    dpr_sweep *sweep;
    const dpr_sweep_run *runs;
    for (size_t i = 0; i < NETS; i++) {
        cases[i] = (dpr_sweep_case){.name = nets[i],
                                    .settings = "",
                                    .net = nets[i],
                                    .init = "auto",
                                    .training = dpr_train_options_default()};
        cases[i].training.epochs = 2;
        cases[i].training.batch = 16;
    }
    options.cases = cases;
    options.n_cases = NETS;
    options.seeds = SEEDS;
    options.budget = "epochs";
    options.jobs = jobs;
    options.directory = directory;
    options.progress = on_progress;
    options.finished = on_finished;
    options.user = &heard;
    OK(context, dpr_sweep_create(context, train, validation, test, &options, &sweep));
    OK(context, dpr_sweep_train(sweep));
    assert_int_equal(heard.runs, NETS * SEEDS);
    assert_int_equal(dpr_sweep_runs(sweep, &runs), NETS * SEEDS);
    for (size_t k = 0; k < NETS * SEEDS; k++) {
        strcpy(weights[k], runs[k].weights_sha256);
        accuracies[k] = runs[k].test_accuracy;
    }
    dpr_sweep_destroy(sweep);
    dpr_data_destroy(test);
    dpr_data_destroy(validation);
    dpr_data_destroy(train);
    dpr_context_destroy(context);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    rmdir(directory);
    remove_temporary(directory);
}

static void same_bits(void **state) {
    static char alone[NETS * SEEDS][65], beside[NETS * SEEDS][65];
    double a[NETS * SEEDS], b[NETS * SEEDS];
    (void)state;
    run_sweep(2, 1, alone, a);
    static const unsigned jobs[] = {0, 3, 7};
    for (size_t i = 0; i < 3; i++) {
        run_sweep(2, jobs[i], beside, b);
        for (size_t k = 0; k < NETS * SEEDS; k++) {
            assert_string_equal(alone[k], beside[k]);
            assert_true(a[k] == b[k]);
        }
    }
    assert_string_not_equal(alone[0], alone[NETS]); /* of another seed */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
