/* Test-time augmentation: the views and their weights, what predictions and evaluations make of them, and that the file keeps them. */
#include "train/model.h"
#include "train_support.h"
#include <math.h>

static void weights_add_up_to_one(void **state) {
    (void)state;
    static const size_t wanted[DPR__N_TTA] = {1, 2, 3, 6};
    for (unsigned tta = 0; tta < DPR__N_TTA; tta++) {
        dpr__view views[DPR__MOST_VIEWS];
        double sum = 0;
        size_t n = dpr__views(tta, views);
        assert_int_equal(n, wanted[tta]);
        assert_true(!views[0].mirrored && views[0].shift == 0);
        for (size_t i = 0; i < n; i++)
            sum += views[i].weight;
        assert_true(sum == 1);
    }
}

static void expect_view(bool mirrored, int shift, dpr_shape image, const uint8_t wanted[24]) {
    const dpr__view view = {.mirrored = mirrored, .shift = shift};
    uint8_t images[24], out[24];
    for (int i = 0; i < 24; i++)
        images[i] = (uint8_t)i;
    dpr__view_make(&view, &image, images, 2, out);
    assert_memory_equal(out, wanted, 24);
}

/* Two images of 2 × 3 pixels of two channels, 0,1 2,3 4,5 over 6,7 8,9 10,11 and 12 more; of 3 × 4 pixels, 0 1 2 3 over 4 5 6 7 and so on. */
static void moves_pixels(void **state) {
    (void)state;
    const dpr_shape colours = dpr_shape_of(2, 3, 2), grey = dpr_shape_of(3, 4, 1);
    expect_view(false, 0, colours,
                (const uint8_t[24]){0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                    12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
    expect_view(true, 0, colours,
                (const uint8_t[24]){4,  5,  2,  3,  0,  1,  10, 11, 8,  9,  6,  7,
                                    16, 17, 14, 15, 12, 13, 22, 23, 20, 21, 18, 19});
    expect_view(false, 1, grey,
                (const uint8_t[24]){5,  6,  7,  6,  9,  10, 11, 10, 5,  6,  7,  6,
                                    17, 18, 19, 18, 21, 22, 23, 22, 17, 18, 19, 18});
    expect_view(true, 1, grey, (const uint8_t[24]){6,  7,  6,  5,  10, 11, 10, 9,  6,  7,  6,  5,
                                                   18, 19, 18, 17, 22, 23, 22, 21, 18, 19, 18, 17});
    expect_view(false, -1, grey,
                (const uint8_t[24]){5,  4,  5,  6,  1,  0,  1,  2,  5,  4,  5,  6,
                                    17, 16, 17, 18, 13, 12, 13, 14, 17, 16, 17, 18});
    expect_view(true, -1, grey,
                (const uint8_t[24]){6,  5,  4,  5,  2,  1,  0,  1,  6,  5,  4,  5,
                                    18, 17, 16, 17, 14, 13, 12, 13, 18, 17, 16, 17});
    const dpr_shape dot = dpr_shape_of(1, 1, 1); /* nothing to reflect */
    const dpr__view view = {.shift = 1};
    uint8_t pixel = 7, out = 0;
    dpr__view_make(&view, &dot, &pixel, 1, &out);
    assert_int_equal(out, 7);
}

struct setup {
    dpr_context *context;
    struct sample sample;
    dpr_data *data;
    dpr_model *model;
};

static struct setup *start(void) {
    static const char net[] = "input 6 6 1, conv 3x3 4, relu, linear classes";
    struct setup *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->context = make_context("cpu", 1);
    s->data = make_data(s->context, &s->sample, 300, 4);
    s->model = make_model(s->context, s->data, net, 1);
    return s;
}

static void stop(struct setup *s) {
    dpr_model_destroy(s->model);
    dpr_data_destroy(s->data);
    dpr_context_destroy(s->context);
    free(s);
}

/* Logarithms of probabilities differ from logits by one number an image, which a softmax takes away: so the weighed mean of those of the
 * views, each predicted by itself, has the softmax that is wanted. */
static void predict_by_hand(struct setup *s, unsigned tta, size_t n, double *out) {
    dpr__view views[DPR__MOST_VIEWS];
    uint8_t images[40 * PIXELS];
    float p[40 * CLASSES];
    size_t n_views = dpr__views(tta, views);
    memset(out, 0, n * CLASSES * sizeof *out);
    OK(s->context, dpr_model_set_tta(s->model, "none"));
    for (size_t v = 0; v < n_views; v++) {
        dpr__view_make(&views[v], &s->data->info.image, s->sample.images, n, images);
        OK(s->context, dpr_predict(s->model, images, n, p));
        for (size_t i = 0; i < n * CLASSES; i++)
            out[i] += views[v].weight * log((double)p[i]);
    }
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++)
            sum += exp(out[i * CLASSES + (size_t)c]);
        for (int c = 0; c < CLASSES; c++)
            out[i * CLASSES + (size_t)c] = exp(out[i * CLASSES + (size_t)c]) / sum;
    }
}

/* One image at a time and many, and the same again after another setting. */
static void averages_logits(void **state) {
    (void)state;
    struct setup *s = start();
    for (unsigned tta = 0; tta < DPR__N_TTA; tta++)
        for (size_t n = 3; n <= 40; n += 37) {
            double wanted[40 * CLASSES];
            float got[40 * CLASSES];
            predict_by_hand(s, tta, n, wanted);
            OK(s->context, dpr_model_set_tta(s->model, dpr__tta_words[tta]));
            OK(s->context, dpr_predict(s->model, s->sample.images, n, got));
            for (size_t i = 0; i < n * CLASSES; i++)
                assert_true(fabs((double)got[i] - wanted[i]) < 1e-6);
        }
    stop(s);
}

/* An evaluation of 300 images (two batches) is what predictions say, and the plain figures are those without views. */
static void evaluates_both_ways(void **state) {
    (void)state;
    struct setup *s = start();
    dpr_evaluation plain, both;
    float p[300 * CLASSES];
    double loss = 0;
    uint64_t correct = 0;
    OK(s->context, dpr_evaluate(s->model, s->data, &plain));
    assert_true(plain.loss == plain.loss_plain && plain.accuracy == plain.accuracy_plain);
    OK(s->context, dpr_model_set_tta(s->model, "flip,translate"));
    OK(s->context, dpr_evaluate(s->model, s->data, &both));
    OK(s->context, dpr_predict(s->model, s->sample.images, 300, p));
    for (int i = 0; i < 300; i++) {
        const float *own = p + (ptrdiff_t)i * CLASSES;
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            best = own[c] > own[best] ? c : best;
        correct += best == s->sample.labels[i];
        loss -= log((double)own[s->sample.labels[i]]) / 300;
    }
    assert_int_equal(both.correct, correct);
    assert_true(fabs(both.loss - loss) < 1e-6);
    assert_true(both.loss != plain.loss);
    assert_int_equal(both.correct_plain, plain.correct);
    assert_true(both.loss_plain == plain.loss && both.accuracy_plain == plain.accuracy);
    uint64_t diagonal = 0;
    for (size_t c = 0; c < CLASSES; c++)
        diagonal += both.confusion[c * CLASSES + c];
    assert_int_equal(diagonal, correct);
    stop(s);
}

/* An epoch's validation is of the image as it is; the file keeps the views; another setting is another run. */
static void is_kept(void **state) {
    (void)state;
    struct setup *s = start();
    char *path = temporary("model");
    dpr_train_options options = dpr_train_options_default();
    dpr_epoch_report report;
    dpr_trainer *trainer;
    dpr_evaluation found;
    dpr_model *loaded;
    options.epochs = 1;
    options.validation = s->data;
    OK(s->context, dpr_model_set_tta(s->model, "flip"));
    OK(s->context, dpr_trainer_create(s->model, s->data, &options, &trainer));
    OK(s->context, dpr_trainer_epoch(trainer, &report));
    OK(s->context, dpr_trainer_save(trainer, path));
    OK(s->context, dpr_evaluate(s->model, s->data, &found));
    assert_true(report.validation_loss == found.loss_plain && found.loss != found.loss_plain);
    double loss = found.loss;
    OK(s->context, dpr_model_load(s->context, path, &loaded));
    assert_string_equal(dpr_model_tta(loaded), "flip");
    OK(s->context, dpr_evaluate(loaded, s->data, &found));
    assert_true(found.loss == loss);
    dpr_model_destroy(loaded);
    OK(s->context, dpr_model_set_tta(s->model, "none"));
    FAILS(s->context, dpr_trainer_resume(trainer, path), DPR_E_MISMATCH,
          "tta is 'none' here, but 'flip'");
    dpr_trainer_destroy(trainer);
    remove_temporary(path);
    stop(s);
}

static void refuses_unknown_words(void **state) {
    (void)state;
    struct setup *s = start();
    OK(s->context, dpr_model_set_tta(s->model, "translate"));
    FAILS(s->context, dpr_model_set_tta(s->model, "translte"), DPR_E_ARGUMENT,
          "did you mean 'translate'?");
    FAILS(s->context, dpr_model_set_tta(s->model, ""), DPR_E_ARGUMENT, "neither none, flip");
    assert_string_equal(dpr_model_tta(s->model), "translate");
    stop(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_add_up_to_one),
        cmocka_unit_test(moves_pixels),
        cmocka_unit_test(averages_logits),
        cmocka_unit_test(evaluates_both_ways),
        cmocka_unit_test(is_kept),
        cmocka_unit_test(refuses_unknown_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
