/* Sweeps: widths of equal size, Student's distribution and Holm's correction against known values, the library's entry against bad plans and damaged
 * files, and the page's words. tests/cli/sweep_test.py runs whole sweeps. */
#include "../support/failing_allocator.h"
#include "train_support.h"
#include "view/sweep.h"
#include <deeper/tools.h>
#include <math.h>
#include <sys/stat.h>

static char *directory;

/* ---- widths ---- */

enum { MOST = 8 };

static dpr_data_info info_of(int64_t height, int64_t width, uint32_t classes) {
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(height, width, 1);
    info.n_classes = classes;
    return info;
}

static uint64_t count(const dpr_data_info *info, const unsigned *widths, unsigned depth) {
    uint64_t inputs = (uint64_t)(info->image.dim[0] * info->image.dim[1]), n = 0;
    for (unsigned i = 0; i < depth; i++) {
        n += (inputs + 1) * widths[i];
        inputs = widths[i];
    }
    return n + (inputs + 1) * info->n_classes;
}

/* All counts within 1 % of the shallowest's, widths within a few units of each other. */
static void check_widths(dpr_context *context, const dpr_data_info *info, uint64_t parameters,
                         const unsigned *depths, size_t n) {
    unsigned widths[MOST][DPR_SWEEP_DEEPEST];
    size_t shallowest = 0;
    OK(context, dpr_sweep_widths(context, info, parameters, depths, n, widths));
    for (size_t i = 1; i < n; i++)
        shallowest = depths[i] < depths[shallowest] ? i : shallowest;
    double reference = (double)count(info, widths[shallowest], depths[shallowest]);
    for (size_t i = 0; i < n; i++) {
        unsigned low = widths[i][0], high = low;
        for (unsigned k = 0; k < depths[i]; k++) {
            low = widths[i][k] < low ? widths[i][k] : low;
            high = widths[i][k] > high ? widths[i][k] : high;
        }
        double own = (double)count(info, widths[i], depths[i]);
        assert_true(low >= 1);
        assert_true(high - low <= 17);
        if (fabs(own - reference) > 0.01 * reference)
            fail_msg("depth %u of %llu: %.0f, not %.0f", depths[i], (unsigned long long)parameters,
                     own, reference);
    }
}

static void widths_of_equal_size(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    const dpr_data_info digits = info_of(28, 28, 10), tiny = info_of(2, 2, 2);
    const unsigned issue[] = {1, 2, 3, 4, 6, 8}, deep[] = {64, 3, 32}, two[] = {2, 1};
    check_widths(context, &digits, 100000, issue, 6);
    check_widths(context, &digits, 10000, issue, 6);
    check_widths(context, &digits, 300000, issue, 6);
    check_widths(context, &digits, 1000000000, issue, 6);
    check_widths(context, &digits, 1000000, deep, 3);
    check_widths(context, &tiny, 500, two, 2);
    unsigned widths[1][DPR_SWEEP_DEEPEST];
    OK(context, dpr_sweep_widths(context, &digits, 795010, (const unsigned[]){1}, 1, widths));
    assert_int_equal(widths[0][0], 1000);
    OK(context, dpr_sweep_widths(context, &digits, 795010 + 397, (const unsigned[]){1}, 1, widths));
    assert_int_equal(widths[0][0], 1000); /* the nearest */
    OK(context, dpr_sweep_widths(context, &digits, 795010 + 398, (const unsigned[]){1}, 1, widths));
    assert_int_equal(widths[0][0], 1001);
    dpr_context_destroy(context);
}

static void hostile_widths(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    const dpr_data_info info = info_of(28, 28, 10);
    unsigned widths[MOST][DPR_SWEEP_DEEPEST];
#define REFUSED(parameters, says, ...)                                                             \
    FAILS(context,                                                                                 \
          dpr_sweep_widths(context, &info, (parameters), (const unsigned[]){__VA_ARGS__},          \
                           sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned), widths),    \
          DPR_E_ARGUMENT, says)
    REFUSED(0, "at least 805", 1);
    REFUSED(804, "at least 805", 1);
    REFUSED(805, "with 8 hidden layers", 1, 8);
    REFUSED(UINT64_MAX, "too many", 1);
    REFUSED(100000, "a depth is 0", 1, 0);
    REFUSED(100000, "a depth is 65", 65);
    REFUSED(100000, "depth 2 is given twice", 2, 1, 2);
    FAILS(context, dpr_sweep_widths(context, &info, 1000, NULL, 0, widths), DPR_E_ARGUMENT,
          "no depths");
    dpr_context_destroy(context);
}

/* ---- statistics ---- */

static void near(double value, double wanted, double within) {
    if (!(fabs(value - wanted) <= within))
        fail_msg("%.10g, not %.10g", value, wanted);
}

/* Quantiles of two-sided 95 % from Abramowitz & Stegun 1964, table 26.10; shares in closed form: nu 1 is Cauchy's, nu 2 is t/√(2 + t²). */
static void students_distribution(void **state) {
    (void)state;
    near(dpr__student_quantile(0.95, 1), 12.706, 6e-4);
    near(dpr__student_quantile(0.95, 2), 4.303, 6e-4);
    near(dpr__student_quantile(0.95, 4), 2.776, 6e-4);
    near(dpr__student_quantile(0.95, 5), 2.571, 6e-4);
    near(dpr__student_quantile(0.95, 9), 2.262, 6e-4);
    near(dpr__student_quantile(0.99, 10), 3.169, 6e-4);
    near(dpr__student_quantile(0.95, 120), 1.980, 6e-4);
    for (double t = 0; t < 50; t = 1.5 * t + 0.1) {
        near(dpr__student_inside(t, 1), 2 / 3.14159265358979323846 * atan(t), 1e-14);
        near(dpr__student_inside(t, 2), t / sqrt(2 + t * t), 1e-14);
        /* far out normal: 2Φ(t) − 1 */
        near(dpr__student_inside(t, 1000000), erf(t / sqrt(2)), 1e-6);
    }
    near(dpr__student_inside(HUGE_VAL, 3), 1, 1e-14);
    near(dpr__student_inside(HUGE_VAL, 4), 1, 1e-14);
}

static void intervals_and_tests(void **state) {
    (void)state;
    double mean, half;
    /* mean 3, standard deviation √2.5: t = 3/√0.5 */
    const double values[] = {1, 2, 3, 4, 5};
    dpr__mean_interval(values, 5, &mean, &half);
    near(mean, 3, 1e-12);
    near(half, 2.776445 * sqrt(0.5), 1e-5);
    near(dpr__t_test(values, 5), 1 - dpr__student_inside(3 / sqrt(0.5), 4), 1e-12);
    near(dpr__t_test(values, 5), 0.01324, 1e-4);
    dpr__mean_interval(values, 1, &mean, &half);
    near(mean, 1, 0);
    assert_true(isnan(half));
    near(dpr__t_test((const double[]){-1, 1}, 2), 1, 1e-12);
    near(dpr__t_test((const double[]){0, 0, 0}, 3), 1, 0);
    /* alike, and not 0: no variance is known; the sign test's 2 · 2⁻ⁿ */
    const double alike[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    near(dpr__t_test(alike, 2), 0.5, 0);
    near(dpr__t_test(alike, 3), 0.25, 0);
    near(dpr__t_test(alike, 6), 0.03125, 0);
    near(dpr__t_test((const double[]){-0.3 + 0.2, -0.1, -0.1}, 3), 0.25, 0); /* to rounding */
    dpr__mean_interval(alike, 6, &mean, &half);
    near(mean, 0.1, 1e-15);
    assert_true(isnan(half));
    dpr__mean_interval((const double[]){0, 0}, 2, &mean, &half);
    assert_true(isnan(half));
}

/* Corrected as in Holm 1979: 0.01 · 4, max(0.013 · 3, before), 0.03 · 2, max(0.04, before). */
static void holms_correction(void **state) {
    (void)state;
    const double p[] = {0.03, 0.01, (double)NAN, 0.04, 0.013}, one[] = {0.2},
                 all[] = {0.5, 0.9, 0.5, 0};
    double found[5];
    dpr__holm(p, 5, found);
    near(found[1], 0.04, 1e-15);
    near(found[4], 0.04, 1e-15);
    near(found[0], 0.06, 1e-15);
    near(found[3], 0.06, 1e-15);
    assert_true(isnan(found[2]));
    dpr__holm(one, 1, found);
    near(found[0], 0.2, 0);
    dpr__holm(all, 4, found);
    near(found[3], 0, 0);
    for (int i = 0; i < 3; i++)
        near(found[i], 1, 0);
}

/* ---- plans ---- */

struct made {
    dpr_context *context;
    struct sample samples[2];
    dpr_data *train, *test;
    dpr_sweep_case cases[3];
    dpr_sweep_options options;
    dpr_sweep *sweep;
};

static const char *const nets[] = {"input 6 6 1, linear classes",
                                   "input 6 6 1, linear 4, relu, linear classes",
                                   "input 6 6 1, linear 5, relu, linear classes"};

static dpr_status open_set(struct made *m, int half, int n, dpr_data **out) {
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    fill_sample(&m->samples[half], n, (uint32_t)half + 1);
    return dpr_data_create(m->context, &info, m->samples[half].images, m->samples[half].labels,
                           (size_t)n, NULL, NULL, out);
}

/* Three networks of a rate that is given, two seeds, one epoch. */
static dpr_status begin(struct made *m, const dpr_context_options *options) {
    *m = (struct made){.options = dpr_sweep_options_default()};
    for (size_t i = 0; i < 3; i++) {
        m->cases[i] = (dpr_sweep_case){.name = i == 1 ? "four <b>" : "net",
                                       .settings = "",
                                       .net = nets[i],
                                       .init = "auto",
                                       .training = dpr_train_options_default(),
                                       .against = i > 0};
        m->cases[i].training.learning_rate = 0.1;
        m->cases[i].training.epochs = 1;
    }
    m->options.cases = m->cases;
    m->options.n_cases = 3;
    m->options.seeds = 2;
    m->options.directory = directory;
    dpr_status status = dpr_context_create(options, &m->context);
    if (status == DPR_OK)
        status = open_set(m, 0, 60, &m->train);
    return status == DPR_OK ? open_set(m, 1, 40, &m->test) : status;
}

static void clean(struct made *m) {
    static const char *const files[] = {"runs.jsonl", "runs.csv", "sweep.json", "sweep.html"};
    char path[200];
    dpr_sweep_destroy(m->sweep);
    dpr_data_destroy(m->test);
    dpr_data_destroy(m->train);
    dpr_context_destroy(m->context);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    rmdir(directory);
}

static dpr_status create(struct made *m) {
    return dpr_sweep_create(m->context, m->train, NULL, m->test, &m->options, &m->sweep);
}

static void refuse(struct made *m, dpr_status status, const char *says) {
    FAILS(m->context, create(m), status, says);
    m->sweep = NULL;
    assert_int_not_equal(access(directory, F_OK), 0); /* nothing is made before all is checked */
}

static void bad_plans(void **state) {
    (void)state;
    struct made m;
    dpr_context_options options = dpr_context_options_default();
    assert_int_equal(begin(&m, &options), DPR_OK);
    m.options.budget = "flop";
    refuse(&m, DPR_E_ARGUMENT, "'flop'");
    m.options.budget = "flops";
    m.options.seeds = 0;
    refuse(&m, DPR_E_ARGUMENT, "seeds");
    m.options.seeds = 2;
    m.options.n_cases = 0;
    refuse(&m, DPR_E_ARGUMENT, "a case at least");
    m.options.n_cases = 3;
    m.cases[1].against = 3;
    refuse(&m, DPR_E_ARGUMENT, "case 1");
    m.cases[1].against = 2; /* which is compared itself */
    refuse(&m, DPR_E_ARGUMENT, "case 1");
    m.cases[1].against = 1;
    m.cases[2].net = nets[1];
    refuse(&m, DPR_E_ARGUMENT, "the same network");
    m.cases[2].net = "input 6 6 1, linera classes";
    refuse(&m, DPR_E_SYNTAX, "linear");
    m.cases[2].net = nets[2];
    m.cases[2].training.momentum = 2;
    refuse(&m, DPR_E_ARGUMENT, "net: momentum is 2");
    m.cases[2].training.momentum = 0.9;
    m.cases[2].training.learning_rate = 0;
    refuse(&m, DPR_E_ARGUMENT, "no validation set");
    m.cases[2].training.learning_rate = 0.1;
    m.options.seeds = 10000;
    char *wordy = memset(malloc(4000), 'x', 4000);
    wordy[3999] = '\0';
    m.cases[2].settings = wordy;
    refuse(&m, DPR_E_ARGUMENT, "too many runs");
    m.cases[2].settings = "";
    free(wordy);
    m.options.seeds = 2;
    m.cases[2].training.epochs = 20;
    refuse(&m, DPR_E_ARGUMENT, "net: epochs are 20, and 1 where it is compared");
    m.options.budget = "seconds";
    refuse(&m, DPR_E_ARGUMENT, "budget of seconds");
    m.options.budget = "epochs";
    OK(m.context, create(&m));
    clean(&m);
}

/* What is told in epochs keeps its share of a run. */
static void scaled_schedules(void **state) {
    (void)state;
    struct made m;
    dpr_context_options options = dpr_context_options_default();
    assert_int_equal(begin(&m, &options), DPR_OK);
    for (size_t i = 0; i < 3; i++) {
        m.cases[i].training.epochs = 10;
        m.cases[i].training.swa = 6;
        m.cases[i].training.warmup = 2;
        m.cases[i].training.step_epochs = 3;
        m.cases[i].training.schedule = i == 2 ? "exponential" : "step";
        m.cases[i].training.decay = 0.25;
    }
    OK(m.context, create(&m));
    const struct { unsigned epochs, swa; } wanted[] = {{10, 6}, {5, 3}, {2, 2}, {1, 1}, {40, 21}};
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
        dpr_train_options step = dpr__sweep_training(m.sweep, 1, 7, 0.1, wanted[k].epochs);
        dpr_train_options exponential = dpr__sweep_training(m.sweep, 2, 7, 0.1, wanted[k].epochs);
        assert_int_equal(step.epochs, wanted[k].epochs);
        assert_int_equal(step.swa, wanted[k].swa);
        near(step.warmup, 0.2 * wanted[k].epochs, 1e-12);
        near(step.step_epochs, 0.3 * wanted[k].epochs, 1e-12);
        near(step.decay, 0.25, 0);
        near(pow(exponential.decay, wanted[k].epochs), pow(0.25, 10), 1e-12);
        OK(m.context, dpr_train_options_check(m.context, &step));
    }
    clean(&m);
}

static char *read_file(const char *name) {
    static char text[1 << 18];
    char path[200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void one_sweep(void **state) {
    (void)state;
    struct made m;
    const dpr_sweep_run *runs;
    const dpr_sweep_row *rows;
    dpr_context_options options = dpr_context_options_default();
    assert_int_equal(begin(&m, &options), DPR_OK);
    OK(m.context, create(&m));
    assert_string_equal(dpr_sweep_verdict(m.sweep), "");
    OK(m.context, dpr_sweep_train(m.sweep));
    assert_int_equal(dpr_sweep_runs(m.sweep, &runs), 6);
    assert_int_equal(dpr_sweep_rows(m.sweep, &rows), 3);
    assert_int_equal(runs[4].case_index, 1);
    assert_int_equal(runs[4].seed, 2);
    near(rows[1].mean, (runs[1].test_accuracy + runs[4].test_accuracy) / 2, 1e-15);
    near(rows[2].difference, rows[2].mean - rows[1].mean, 1e-15);
    assert_int_equal(rows[0].depth, 0);
    assert_int_equal(rows[1].depth, 1);
    assert_int_equal(rows[1].widths[0], 4);
    assert_int_equal(rows[1].parameters, 37 * 4 + 5 * 3);
    /* 60 images, once: products are made forward, and for the gradients of weights and of hidden units, not of images; the relu's 4, thrice */
    assert_int_equal(rows[0].flops, 60 * 2 * (2 * 36 + 1) * CLASSES);
    assert_int_equal(rows[1].flops,
                     60 * (2 * (2 * 36 + 1) * 4 + 3 * 4 + 3 * (2 * 4 + 1) * CLASSES));
    const char *page = read_file("sweep.html");
    assert_non_null(strstr(page, "four &lt;b&gt;"));
    assert_null(strstr(page, "four <b>"));
    assert_non_null(strstr(page, "</html>"));
    clean(&m);
}

/* What may change bits changes the names of runs: passes, and the version. */
static void runs_of_other_passes(void **state) {
    (void)state;
    static const char *const disabled[] = {NULL, "fuse", "simplify"};
    char keys[3][DPR__SWEEP_KEY];
    struct made m;
    for (size_t i = 0; i < 3; i++) {
        dpr_context_options options = dpr_context_options_default();
        options.disabled_passes = disabled[i];
        assert_int_equal(begin(&m, &options), DPR_OK);
        OK(m.context, create(&m));
        dpr_train_options training = dpr__sweep_training(m.sweep, 1, 1, 0.1, 1);
        OK(m.context, dpr__sweep_key(m.sweep, m.context, 1, &training, DPR__SWEEP_RUN, keys[i]));
        assert_non_null(strstr(m.sweep->identity, dpr_version()));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[k], keys[i]);
        clean(&m);
    }
}

static void without_a_test_set(void **state) {
    (void)state;
    struct made m;
    const dpr_sweep_run *runs;
    const dpr_sweep_row *rows;
    dpr_context_options options = dpr_context_options_default();
    assert_int_equal(begin(&m, &options), DPR_OK);
    OK(m.context, dpr_sweep_create(m.context, m.train, m.test, NULL, &m.options, &m.sweep));
    OK(m.context, dpr_sweep_train(m.sweep));
    dpr_sweep_runs(m.sweep, &runs);
    dpr_sweep_rows(m.sweep, &rows);
    assert_true(isnan(runs[1].test_accuracy));
    near(rows[1].mean, (runs[1].val_accuracy + runs[4].val_accuracy) / 2, 1e-15);
    assert_non_null(strstr(dpr_sweep_verdict(m.sweep), "validation accuracy"));
    assert_non_null(strstr(read_file("sweep.html"), "Of the validation half"));
    clean(&m);
}

/* What somebody put in the place of runs.jsonl. */
static void damaged_runs(void **state) {
    (void)state;
    static const char *const damaged[] = {
        "{",
        "[]",
        "{}",
        "{\"run\":\"0123456789abcdef\"}",
        "{\"run\":\"0123456789abcde\",\"weights_sha256\":\"\",\"diverged\":false,\"val_accuracy\":"
        "null,\"val_loss\":null,\"test_accuracy\":1,\"seconds\":1,\"epochs\":1}",
        "{\"run\":\"0123456789abcdef\",\"weights_sha256\":\"\",\"diverged\":false,\"val_accuracy\":"
        "null,\"val_loss\":null,\"test_accuracy\":1.5,\"seconds\":1,\"epochs\":1}",
        "{\"run\":\"0123456789abcdef\",\"weights_sha256\":\"\",\"diverged\":0,\"val_accuracy\":"
        "null,\"val_loss\":null,\"test_accuracy\":1,\"seconds\":1,\"epochs\":1}",
        "{\"run\":\"0123456789abcdef\",\"weights_sha256\":\"\",\"diverged\":false,\"val_accuracy\":"
        "null,\"val_loss\":null,\"seconds\":1,\"epochs\":1}",
        "{\"run\":\"0123456789abcdef\",\"weights_sha256\":\"\",\"diverged\":false,\"val_accuracy\":"
        "null,\"val_loss\":null,\"test_accuracy\":1,\"seconds\":1}",
        "{\"run\":\"0123456789abcdef\",\"weights_sha256\":\"\",\"diverged\":false,\"val_accuracy\":"
        "null,\"val_loss\":null,\"test_accuracy\":1,\"seconds\":1,\"epochs\":1.5}"};
    struct made m;
    char path[200];
    dpr_context_options options = dpr_context_options_default();
    assert_int_equal(begin(&m, &options), DPR_OK);
    snprintf(path, sizeof path, "%s/runs.jsonl", directory);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        mkdir(directory, 0777);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fprintf(file, "\n%s\n", damaged[i]);
        fclose(file);
        FAILS(m.context, create(&m), DPR_E_FORMAT, "line 2");
        m.sweep = NULL;
        assert_non_null(strstr(dpr_error(m.context), "runs.jsonl"));
    }
    clean(&m);
}

/* A crash while the last line is added leaves a part of it: that run is made again, and no other. */
static void torn_line(void **state) {
    (void)state;
    struct made m;
    const dpr_sweep_run *runs;
    char path[200], before[6][65];
    dpr_context_options options = dpr_context_options_default();
    assert_int_equal(begin(&m, &options), DPR_OK);
    snprintf(path, sizeof path, "%s/runs.jsonl", directory);
    OK(m.context, create(&m));
    OK(m.context, dpr_sweep_train(m.sweep));
    dpr_sweep_runs(m.sweep, &runs);
    for (size_t k = 0; k < 6; k++)
        strcpy(before[k], runs[k].weights_sha256);
    char *whole = strdup(read_file("runs.jsonl"));
    size_t n = strlen(whole), last = n - 1;
    while (whole[last - 1] != '\n')
        last--;
    const size_t torn[] = {n - 1, n - 2, last + 1, last};
    for (size_t i = 0; i < 4; i++) {
        dpr_sweep_destroy(m.sweep);
        FILE *file =
            fopen(path, "wb"); /* seconds make a line that is made again longer or shorter */
        assert_non_null(file);
        assert_int_equal(fwrite(whole, 1, torn[i], file), torn[i]);
        fclose(file);
        OK(m.context, create(&m));
        dpr_sweep_runs(m.sweep, &runs);
        assert_int_equal(m.sweep->n_entries, 5);
        const char *kept = read_file("runs.jsonl");
        assert_int_equal(strlen(kept), last);
        assert_memory_equal(kept, whole, last);
        OK(m.context, dpr_sweep_train(m.sweep));
        dpr_sweep_runs(m.sweep, &runs);
        for (size_t k = 0; k < 6; k++)
            assert_string_equal(runs[k].weights_sha256, before[k]);
        kept = read_file("runs.jsonl");
        assert_memory_equal(kept, whole, last + sizeof "{\"run\":\"" + DPR__SWEEP_KEY - 2);
        assert_int_equal(kept[strlen(kept) - 1], '\n');
    }
    free(whole);
    clean(&m);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    long n = 0;
    for (bool ended = false; !ended; n += n < 60 ? 1 : 41) {
        struct failing_allocator allocator;
        dpr_context_options options = dpr_context_options_default();
        struct made m;
        failing_allocator_use(&allocator, &options);
        options.threads = 1;
        allocator.fail_at = n;
        dpr_status status = begin(&m, &options);
        if (status == DPR_OK)
            status = create(&m);
        if (status == DPR_OK)
            status = dpr_sweep_train(m.sweep);
        ended = status == DPR_OK;
        if (!ended && status != DPR_E_MEMORY)
            fail_msg("allocation %ld: status %d, %s", n, (int)status, dpr_error(m.context));
        clean(&m);
        if (allocator.blocks != 0)
            fail_msg("allocation %ld: %ld blocks leaked", n, allocator.blocks);
    }
    assert_true(n > 1000);
}

int main(void) {
    directory = temporary("runs");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths_of_equal_size),   cmocka_unit_test(hostile_widths),
        cmocka_unit_test(students_distribution),  cmocka_unit_test(intervals_and_tests),
        cmocka_unit_test(holms_correction),       cmocka_unit_test(bad_plans),
        cmocka_unit_test(scaled_schedules),       cmocka_unit_test(one_sweep),
        cmocka_unit_test(runs_of_other_passes),   cmocka_unit_test(without_a_test_set),
        cmocka_unit_test(damaged_runs),           cmocka_unit_test(torn_line),
        cmocka_unit_test(any_allocation_may_fail)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_temporary(directory);
    return failed;
}
