/* Whitening of a first layer: eigenvectors, what the filters do to patches, that they are frozen, kept and left alone; and kernels that begin
 * as a partial identity. */
#include "train/whitening.h"
#include "train_support.h"
#include <math.h>

static const char NET[] = "input 6 6 1, conv 2x2 8 pad valid init whitening, relu, linear classes";
enum { VALUES = 4, OUTPUTS = 8 }; /* of its kernel */

/* ---- eigenvectors ---- */

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* A·v = λ·v, orthonormal, falling, signs fixed. */
static void expect_eigen(const double *matrix, size_t n) {
    double *a = calloc(2 * n * n + n, sizeof *a), *vectors = a + n * n, *values = vectors + n * n;
    double size = 0;
    memcpy(a, matrix, n * n * sizeof *a);
    for (size_t i = 0; i < n * n; i++)
        size = fmax(size, fabs(matrix[i]));
    dpr__eigen(a, n, values, vectors);
    for (size_t i = 0; i < n; i++) {
        const double *v = vectors + i * n;
        size_t most = 0;
        for (size_t k = 0; k < n; k++) {
            assert_true(fabs(dot(matrix + k * n, v, n) - values[i] * v[k]) <= 1e-12 * size);
            assert_true(fabs(dot(v, vectors + k * n, n) - (i == k)) < 1e-12);
            most = fabs(v[k]) > fabs(v[most]) ? k : most;
        }
        assert_true(v[most] > 0);
        assert_true(i == 0 || values[i] <= values[i - 1]);
    }
    free(a);
}

static void eigenvectors(void **state) {
    (void)state;
    static const double zero[9] = {0}, one[1] = {-3}, equal[9] = {2, 0, 0, 0, 2, 0, 0, 0, 2},
                        swap[4] = {0, 1, 1, 0};
    double matrix[27 * 27];
    expect_eigen(zero, 3);
    expect_eigen(one, 1);
    expect_eigen(equal, 3);
    expect_eigen(swap, 2);
    uint32_t noise = 1;
    for (size_t i = 0; i < 27; i++)
        for (size_t k = 0; k <= i; k++) {
            noise = noise * 1664525U + 1013904223U;
            matrix[i * 27 + k] = matrix[k * 27 + i] = (double)(noise >> 8) / (1 << 23) - 1;
        }
    expect_eigen(matrix, 27);
    for (size_t i = 0; i < 27 * 27; i++) /* of rank 1 */
        matrix[i] = (double)(i / 27 + 1) * (double)(i % 27 + 1);
    expect_eigen(matrix, 27);
}

/* ---- filters ---- */

struct setup {
    dpr_context *context;
    struct sample sample;
    dpr_data *data;
    dpr_model *model;
    float filters[VALUES * OUTPUTS];
};

static struct setup *start(const char *net) {
    struct setup *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->context = make_context("cpu", 1);
    s->data = make_data(s->context, &s->sample, 200, 4);
    s->model = make_model(s->context, s->data, net, 1);
    return s;
}

static void stop(struct setup *s) {
    dpr_model_destroy(s->model);
    dpr_data_destroy(s->data);
    dpr_context_destroy(s->context);
    free(s);
}

static void read_filters(struct setup *s, const dpr_model *model) {
    OK(s->context, dpr_store_read(model->store, "conv_1.weights", s->filters, sizeof s->filters));
}

/* Means of the products of what two outputs give for every patch of the set. */
static double product_of(const struct setup *s, int a, int b) {
    const dpr_data_info *info = &s->model->info;
    double sum = 0;
    for (int i = 0; i < 200; i++)
        for (int y = 0; y < SIDE - 1; y++)
            for (int x = 0; x < SIDE - 1; x++) {
                double of_a = 0, of_b = 0;
                for (int p = 0; p < VALUES; p++) {
                    int place = i * PIXELS + (y + p / 2) * SIDE + x + p % 2;
                    double pixel =
                        (s->sample.images[place] / 255.0 - info->mean[0]) / info->deviation[0];
                    of_a += pixel * (double)s->filters[p * OUTPUTS + a];
                    of_b += pixel * (double)s->filters[p * OUTPUTS + b];
                }
                sum += of_a * of_b;
            }
    return sum / (200 * (SIDE - 1) * (SIDE - 1));
}

/* Each direction to variance 1, and different ones without correlation; the second half is the first one's negative. */
static void patches_become_white(void **state) {
    (void)state;
    struct setup *s = start(NET);
    dpr_train_options options = dpr_train_options_default();
    dpr_trainer *trainer;
    read_filters(s, s->model);
    for (int i = 0; i < VALUES * OUTPUTS; i++)
        assert_true(s->filters[i] == 0);
    OK(s->context, dpr_trainer_create(s->model, s->data, &options, &trainer));
    read_filters(s, s->model);
    for (int a = 0; a < OUTPUTS; a++)
        for (int b = 0; b < OUTPUTS; b++) {
            double wanted = a == b ? 1 : a % 4 == b % 4 ? -1 : 0;
            if (!(fabs(product_of(s, a, b) - wanted) < 0.01))
                fail_msg("outputs %d and %d: %g, not %g", a, b, product_of(s, a, b), wanted);
        }
    dpr_trainer_destroy(trainer);
    stop(s);
}

/* No step moves them, the file has them, and a run that begins from them leaves them as they are, whatever its images. */
static void are_frozen_and_kept(void **state) {
    (void)state;
    struct setup *s = start(NET);
    dpr_train_options options = dpr_train_options_default();
    dpr_trainer *trainer;
    dpr_model *loaded;
    float wanted[VALUES * OUTPUTS], bias[OUTPUTS];
    char *path = temporary("model");
    options.epochs = 2;
    assert_int_equal(dpr_model_parameters(s->model), 8 + (25 * 8 + 1) * 3);
    OK(s->context, dpr_trainer_create(s->model, s->data, &options, &trainer));
    read_filters(s, s->model);
    memcpy(wanted, s->filters, sizeof wanted);
    OK(s->context, dpr_trainer_epoch(trainer, NULL));
    OK(s->context, dpr_trainer_epoch(trainer, NULL));
    read_filters(s, s->model);
    assert_memory_equal(s->filters, wanted, sizeof wanted);
    OK(s->context, dpr_store_read(s->model->store, "conv_1.bias", bias, sizeof bias));
    assert_true(bias[0] != 0); /* which is trained */
    OK(s->context, dpr_trainer_save(trainer, path));
    dpr_trainer_destroy(trainer);
    OK(s->context, dpr_model_load(s->context, path, &loaded));
    read_filters(s, loaded);
    assert_memory_equal(s->filters, wanted, sizeof wanted);
    memset(s->sample.images, 9, sizeof s->sample.images / 2);
    OK(s->context, dpr_trainer_create(loaded, s->data, &options, &trainer));
    read_filters(s, loaded);
    assert_memory_equal(s->filters, wanted, sizeof wanted);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(loaded);
    remove_temporary(path);
    stop(s);
}

/* Images of one colour have no direction to whiten: finite filters all the same. */
static void black_images(void **state) {
    (void)state;
    struct setup *s = start(NET);
    dpr_train_options options = dpr_train_options_default();
    dpr_trainer *trainer;
    memset(s->sample.images, 0, sizeof s->sample.images);
    OK(s->context, dpr_trainer_create(s->model, s->data, &options, &trainer));
    OK(s->context, dpr_trainer_epoch(trainer, NULL));
    dpr_trainer_destroy(trainer);
    stop(s);
}

/* ---- a partial identity ---- */

/* With its first two outputs a 3 × 3 kernel gives the channels that it gets; so does one of 2 × 2. The others are drawn. */
static void dirac_begins_as_identity(void **state) {
    (void)state;
    static const struct {
        const char *net;
        int places, middle;
    } CASES[] = {{"input 4 4 2, conv 3x3 5 init dirac, linear classes", 9, 4},
                 {"input 4 4 2, conv 2x2 5 init dirac, linear classes", 4, 0},
                 {"input 4 4 2, conv 1x5 5 init dirac, linear classes", 5, 2}};
    dpr_context *context = make_context("cpu", 1);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        float weights[9 * 2 * 5], most = 0;
        dpr_model *model;
        dpr_data_info info = dpr_data_info_default();
        info.n_classes = 3;
        OK(context, dpr_model_from_net(context, "x", CASES[i].net, &info, 1, "auto", &model));
        int n = CASES[i].places * 2 * 5;
        OK(context,
           dpr_store_read(model->store, "conv_1.weights", weights, (size_t)n * sizeof *weights));
        for (int k = 0; k < n; k++) {
            int output = k % 5, channel = k / 5 % 2, place = k / 10;
            if (output < 2)
                assert_true(weights[k] == (output == channel && place == CASES[i].middle));
            else
                most = fmaxf(most, fabsf(weights[k]));
        }
        double bound = 1 / sqrt(CASES[i].places * 2);
        assert_true((double)most <= bound && (double)most > 0.7 * bound);
        dpr_model_destroy(model);
    }
    dpr_context_destroy(context);
}

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *net, *says;
    } CASES[] = {
        {"input 6 6 1, conv 2x2 8 init whitning, linear 3", "did you mean 'whitening'?"},
        {"input 6 6 1, conv 2x2 8 init, linear 3", "the init of conv is missing"},
        {"input 6 6 1, conv 2x2 7 init whitening, linear 3", "even number of outputs"},
        {"input 6 6 1, conv 2x2 10 init whitening, linear 3", "at most two for each value"},
        {"input 6 6 1, relu, conv 2x2 8 init whitening, linear 3", "is for the first layer"},
        {"input 6 6 4, conv 9x9 8 init whitening, linear 3", "at most 256 values"},
        {"input 6 6 2, conv 3x3 8 groups 2 init dirac, linear 3", "without groups"},
        {"input 6 6 2, depthwise 3x3 init dirac, linear 3", "'init' does not belong to depthwise"}};
    dpr_context *context = make_context("cpu", 1);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        dpr_model *model;
        dpr_data_info info = dpr_data_info_default();
        dpr_status status =
            dpr_model_from_net(context, "x", CASES[i].net, &info, 1, "auto", &model);
        if (status != DPR_E_SYNTAX || strstr(dpr_error(context), CASES[i].says) == NULL)
            fail_msg("%s: %d %s", CASES[i].net, (int)status, dpr_error(context));
    }
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvectors),
        cmocka_unit_test(patches_become_white),
        cmocka_unit_test(are_frozen_and_kept),
        cmocka_unit_test(black_images),
        cmocka_unit_test(dirac_begins_as_identity),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
