/* The learning-rate range test: its course, what it makes of the losses, and whether the rate that it finds is as good as the best of a grid. */
#include "../support/failing_allocator.h"
#include "train_support.h"
#include <math.h>

static const char NET[] = "input 6 6 1, linear 16, relu, linear classes";
enum { IMAGES = 600 };

struct fixture {
    dpr_context *context;
    struct sample *sample;
    dpr_data *data;
};

static struct fixture begin(unsigned threads) {
    struct fixture f = {make_context("cpu", threads), calloc(1, sizeof *f.sample), NULL};
    assert_non_null(f.sample);
    f.data = make_data(f.context, f.sample, IMAGES, 1);
    return f;
}

static void end(struct fixture *f) {
    dpr_data_destroy(f->data);
    free(f->sample);
    dpr_context_destroy(f->context);
}

static dpr_train_options options_of(const char *optimizer) {
    dpr_train_options options = dpr_train_options_default();
    options.optimizer = optimizer;
    options.batch = 32;
    return options;
}

static dpr_rate_test *test_of(struct fixture *f, const dpr_train_options *options,
                              const dpr_rate_test_options *asked) {
    dpr_rate_test *test;
    dpr_model *model = make_model(f->context, f->data, NET, 1);
    OK(f->context, dpr_rate_test_run(model, f->data, options, asked, &test));
    dpr_model_destroy(model);
    return test;
}

/* ---- the course ---- */

static void rates_grow_by_one_factor(void **state) {
    (void)state;
    struct fixture f = begin(1);
    dpr_train_options options = options_of("nesterov");
    dpr_rate_test_options asked = dpr_rate_test_options_default();
    asked.low = 1e-4;
    asked.high = 1e-2;
    asked.updates = 101; /* 19 an epoch: six epochs, the last not to its end */
    dpr_rate_test *test = test_of(&f, &options, &asked);
    assert_int_equal(test->n, 101);
    assert_false(test->diverged);
    double sum = 0, weight = 0;
    size_t lowest = 0;
    for (size_t i = 0; i < test->n; i++) {
        assert_true(fabs(test->rate[i] / (1e-4 * pow(100, (double)i / 100)) - 1) < 1e-9);
        sum = 0.95 * sum + test->loss[i];
        weight = 0.95 * weight + 1;
        assert_true(fabs(test->smooth[i] - sum / weight) < 1e-12);
        lowest = test->smooth[i] < test->smooth[lowest] ? i : lowest;
    }
    assert_int_equal(test->lowest, lowest);
    double done = test->smooth[lowest] + 0.05 * (test->loss[0] - test->smooth[lowest]);
    assert_true(test->smooth[test->fallen] <= done && test->smooth[test->fallen - 1] > done);
    double rate = 3 * test->rate[test->fallen];
    rate = rate < test->rate[lowest] ? rate : test->rate[lowest];
    assert_true(fabs(test->suggested - rate) < 0.05 * rate);
    assert_true(test->suggested_rest == 0);
    dpr_rate_test_destroy(f.context, test);
    end(&f);
}

/* The losses are those of a trainer whose rate is the same at each step: here for as long as the rate hardly grows. */
static void losses_are_those_of_training(void **state) {
    (void)state;
    struct fixture f = begin(2);
    dpr_train_options options = options_of("sgd");
    dpr_rate_test_options asked = dpr_rate_test_options_default();
    asked.low = 0.01;
    asked.high = 0.01 * (1 + 1e-9);
    asked.updates = 30;
    dpr_rate_test *test = test_of(&f, &options, &asked);
    dpr_model *model = make_model(f.context, f.data, NET, 1);
    dpr_trainer *trainer;
    options.learning_rate = 0.01;
    options.schedule = "constant";
    OK(f.context, dpr_trainer_create(model, f.data, &options, &trainer));
    for (size_t i = 0; i < test->n; i++) {
        double loss;
        OK(f.context, dpr_trainer_step(trainer, &loss));
        assert_true(fabs(loss - test->loss[i]) < 1e-5);
    }
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_rate_test_destroy(f.context, test);
    end(&f);
}

/* What says how a course goes on, or what is taken of it in the end, does not count; what says how weights follow does. */
static void only_what_matters_counts(void **state) {
    (void)state;
    static const char *const groups[] = {"linear_1.*:lr=0.1", NULL};
    struct fixture f = begin(1);
    dpr_train_options plain = options_of("nesterov"), other = plain;
    other.schedule = "cosine";
    other.warmup = 3;
    other.patience = 4;
    other.ema = 0.9;
    other.lookahead = 5;
    other.epochs = 99;
    dpr_rate_test *a = test_of(&f, &plain, NULL), *b = test_of(&f, &other, NULL);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->loss, b->loss, a->n * sizeof *a->loss);
    dpr_rate_test_destroy(f.context, b);
    other = plain;
    other.groups = groups;
    b = test_of(&f, &other, NULL);
    assert_true(a->loss[0] == b->loss[0] && a->loss[9] != b->loss[9]);
    dpr_rate_test_destroy(f.context, b);
    other = plain;
    other.accumulate = 4;
    b = test_of(&f, &other, NULL);
    assert_true(b->n > 100);
    assert_true(b->loss[0] != a->loss[0]); /* of four batches */
    dpr_rate_test_destroy(f.context, a);
    dpr_rate_test_destroy(f.context, b);
    end(&f);
}

static void muon_has_two_rates(void **state) {
    (void)state;
    struct fixture f = begin(1);
    dpr_train_options options = options_of("muon");
    options.rest_learning_rate = 0.1;
    dpr_rate_test *test = test_of(&f, &options, NULL);
    assert_true(fabs(test->suggested_rest / test->suggested - 5) < 0.3); /* the usual 0.02 */
    dpr_rate_test_destroy(f.context, test);
    end(&f);
}

/* ---- where nothing is found ---- */

static int stop_at_7(void *user, size_t done, size_t of) {
    (void)user;
    assert_true(of == 350);
    return done == 7;
}

static void refuses_what_makes_no_sense(void **state) {
    (void)state;
    struct fixture f = begin(1);
    dpr_train_options options = options_of("nesterov");
    dpr_model *model = make_model(f.context, f.data, NET, 1);
    dpr_rate_test_options asked = dpr_rate_test_options_default();
    dpr_rate_test *test;
    asked.low = 1;
    asked.high = 0.5;
    FAILS(f.context, dpr_rate_test_run(model, f.data, &options, &asked, &test), DPR_E_ARGUMENT,
          "rates from 1 to 0.5");
    asked.low = -1;
    FAILS(f.context, dpr_rate_test_run(model, f.data, &options, &asked, &test), DPR_E_ARGUMENT,
          "above 0");
    asked = dpr_rate_test_options_default();
    asked.updates = 19;
    FAILS(f.context, dpr_rate_test_run(model, f.data, &options, &asked, &test), DPR_E_ARGUMENT,
          "at least 20");
    asked = dpr_rate_test_options_default();
    asked.progress = stop_at_7;
    FAILS(f.context, dpr_rate_test_run(model, f.data, &options, &asked, &test), DPR_E_INTERRUPTED,
          "after update 7 of 350");
    options.optimizer = "sdg";
    FAILS(f.context, dpr_rate_test_run(model, f.data, &options, NULL, &test), DPR_E_ARGUMENT,
          "sgd");
    dpr_rate_test_destroy(f.context, NULL);
    dpr_model_destroy(model);
    end(&f);
}

static void tells_where_no_rate_helps(void **state) {
    (void)state;
    struct fixture f = begin(1);
    dpr_train_options options = options_of("sgd");
    dpr_rate_test_options asked = dpr_rate_test_options_default();
    asked.low = 1e-9;
    asked.high = 1e-8;
    dpr_rate_test *test = test_of(&f, &options, &asked);
    assert_true(test->suggested == 0);
    dpr_rate_test_destroy(f.context, test);
    asked.low = 1e5; /* diverges at once */
    asked.high = 1e6;
    test = test_of(&f, &options, &asked);
    assert_true(test->suggested == 0 && test->diverged && test->n < 350);
    dpr_rate_test_destroy(f.context, test);
    end(&f);
}

static void memory_may_run_out(void **state) {
    (void)state;
    struct failing_allocator allocator;
    dpr_context *context;
    dpr_context_options machine = dpr_context_options_default();
    dpr_train_options options = options_of("nesterov");
    dpr_rate_test_options asked = dpr_rate_test_options_default();
    struct sample *sample = calloc(1, sizeof *sample);
    dpr_rate_test *test;
    asked.updates = 20;
    machine.threads = 1;
    failing_allocator_use(&allocator, &machine);
    assert_int_equal(dpr_context_create(&machine, &context), DPR_OK);
    dpr_data *data = make_data(context, sample, IMAGES, 1);
    long n = 0;
    for (dpr_status status = DPR_E_MEMORY; status != DPR_OK; n++) {
        dpr_model *model = make_model(context, data, NET, 1);
        allocator.calls = 0;
        allocator.fail_at = n;
        status = dpr_rate_test_run(model, data, &options, &asked, &test);
        allocator.fail_at = -1;
        assert_true(status == DPR_OK || status == DPR_E_MEMORY);
        dpr_model_destroy(model);
    }
    dpr_rate_test_destroy(context, test);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
    assert_int_equal(allocator.blocks, 0);
    assert_true(n > 100);
    free(sample);
}

/* ---- whether it is any good ---- */

static double accuracy_with(struct fixture *f, const dpr_data *test, const char *optimizer,
                            double rate) {
    dpr_train_options options = options_of(optimizer);
    dpr_evaluation found;
    double sum = 0;
    options.epochs = 6;
    options.learning_rate = rate;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        dpr_trainer *trainer;
        dpr_model *model = make_model(f->context, f->data, NET, seed);
        options.seed = seed;
        OK(f->context, dpr_trainer_create(model, f->data, &options, &trainer));
        dpr_status status = DPR_OK;
        while (status == DPR_OK && !dpr_trainer_finished(trainer))
            status = dpr_trainer_epoch(trainer, NULL);
        if (status == DPR_OK) {
            OK(f->context, dpr_evaluate(model, test, &found));
            sum += found.accuracy;
        }
        dpr_trainer_destroy(trainer);
        dpr_model_destroy(model);
    }
    return sum / 3;
}

static void the_rate_is_as_good_as_the_best_of_a_grid(void **state) {
    (void)state;
    static const char *const optimizers[] = {"sgd", "momentum", "nesterov", "adamw", "muon"};
    struct fixture f = begin(1);
    struct sample *sample = calloc(1, sizeof *sample);
    assert_non_null(sample);
    dpr_data *test = make_data(f.context, sample, IMAGES, 2);
    for (size_t k = 0; k < sizeof optimizers / sizeof *optimizers; k++) {
        dpr_train_options options = options_of(optimizers[k]);
        dpr_rate_test *found = test_of(&f, &options, NULL);
        double best = 0, with = accuracy_with(&f, test, optimizers[k], found->suggested);
        for (double rate = 1e-4; rate < 5; rate *= sqrt(10)) {
            double got = accuracy_with(&f, test, optimizers[k], rate);
            best = got > best ? got : best;
        }
        print_message("%s: %.3f at %g, the best of the grid %.3f\n", optimizers[k], with,
                      found->suggested, best);
        assert_true(
            with >
            best - 0.012); /* three standard errors of 1800 images' accuracy, which seeds share */
        dpr_rate_test_destroy(f.context, found);
    }
    dpr_data_destroy(test);
    free(sample);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rates_grow_by_one_factor),
                                       cmocka_unit_test(losses_are_those_of_training),
                                       cmocka_unit_test(only_what_matters_counts),
                                       cmocka_unit_test(muon_has_two_rates),
                                       cmocka_unit_test(refuses_what_makes_no_sense),
                                       cmocka_unit_test(tells_where_no_rate_helps),
                                       cmocka_unit_test(memory_may_run_out),
                                       cmocka_unit_test(the_rate_is_as_good_as_the_best_of_a_grid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
