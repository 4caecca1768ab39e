/* Features: units whose likes, likenesses and deaths are known from weights made by hand; what ascent gains; what one image shows. */
#include "../support/failing_allocator.h"
#include "train_support.h"
#include "view/features.h"
#include <math.h>

struct setup {
    dpr_context *context;
    struct sample sample;
    dpr_data *data;
    dpr_model *model;
    dpr_features *features;
};

enum { IMAGES = 60 };

static struct setup *start(const char *net) {
    struct setup *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->context = make_context("cpu", 1);
    s->data = make_data(s->context, &s->sample, IMAGES, 4);
    s->model = make_model(s->context, s->data, net, 1);
    return s;
}

static void look(struct setup *s, unsigned steps, size_t images) {
    dpr_features_options options = dpr_features_options_default();
    options.steps = steps;
    options.images = images;
    OK(s->context, dpr_features_create(s->model, s->data, &options, &s->features));
}

static void stop(struct setup *s) {
    dpr_features_destroy(s->features);
    dpr_model_destroy(s->model);
    dpr_data_destroy(s->data);
    dpr_context_destroy(s->context);
    free(s);
}

/* Unit 0: the first row of the image; 1: three times that, and more; 2: never; 3: always; 4: the last row. */
static void set_units(struct setup *s) {
    enum { UNITS = 5 };
    float weights[PIXELS][UNITS] = {{0}}, bias[UNITS] = {0, 1.5F, -1e6F, 1e6F, 0};
    for (int p = 0; p < SIDE; p++) {
        weights[p][0] = 1;
        weights[p][1] = 3;
        weights[PIXELS - 1 - p][4] = 1;
    }
    OK(s->context, dpr_store_write(s->model->store, "linear_1.weights", weights, sizeof weights));
    OK(s->context, dpr_store_write(s->model->store, "linear_1.bias", bias, sizeof bias));
}

static double first_row(const struct setup *s, int image) {
    const dpr_data_info *info = dpr_model_describe(s->model);
    double sum = 0;
    for (int p = 0; p < SIDE; p++)
        sum += (s->sample.images[image * PIXELS + p] / 255.0 - info->mean[0]) / info->deviation[0];
    return sum;
}

static void units_are_counted(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, linear 5, relu, linear classes");
    const dpr_feature_layer *layers;
    set_units(s);
    look(s, 1, IMAGES);
    assert_int_equal(dpr_features_layers(s->features, &layers), 2);
    assert_string_equal(layers[0].name, "relu_1");
    assert_string_equal(layers[1].name, "linear_2");
    assert_true(layers[0].gate && !layers[1].gate);
    assert_int_equal(layers[0].n_images, IMAGES);
    assert_int_equal(layers[0].dead, 1);
    assert_int_equal(layers[0].alike, 2);
    assert_int_equal(layers[0].likeness_to[0], 1);
    assert_int_equal(layers[0].likeness_to[1], 0);
    assert_true(layers[0].likeness[0] > 0.99F);
    assert_true(layers[0].likeness[2] == 0 && layers[0].likeness[4] < 0.9F);
    uint32_t active = 0;
    for (int i = 0; i < IMAGES; i++)
        active += first_row(s, i) > 0;
    assert_in_range(active, 1, IMAGES - 1);
    assert_int_equal(layers[0].active[0], active);
    assert_int_equal(layers[0].active[2], 0);
    assert_int_equal(layers[0].active[3], IMAGES);
    stop(s);
}

static void peaks_are_the_largest(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, linear 5, relu, linear classes");
    set_units(s);
    look(s, 1, IMAGES);
    const dpr__peak *peaks = s->features->layers[0].peaks;
    for (int i = 0; i < DPR__PEAKS; i++) {
        assert_true(fabs((double)peaks[i].value - first_row(s, peaks[i].image)) < 1e-4);
        assert_true(i == 0 || peaks[i].value <= peaks[i - 1].value);
    }
    int above = 0;
    for (int i = 0; i < IMAGES; i++)
        above += first_row(s, i) > (double)peaks[DPR__PEAKS - 1].value + 1e-4;
    assert_int_equal(above, DPR__PEAKS - 1);
    /* of fewer images than peaks the rest is empty */
    dpr_features_destroy(s->features);
    look(s, 1, 4);
    peaks = s->features->layers[0].peaks;
    for (int i = 0; i < 4; i++) /* the 0th, 15th, 30th, 45th, each once */
        for (int j = 0; j <= i; j++)
            assert_true(peaks[i].image % 15 == 0 && (i == j) == (peaks[i].image == peaks[j].image));
    assert_int_equal(peaks[4].image, -1);
    stop(s);
}

/* A filter that is its middle pixel finds the brightest one, and is shown what lies around it. */
static void crops_lie_around_the_peak(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, conv 3x3 1, relu, linear classes");
    const float filter[9] = {0, 0, 0, 0, 1, 0, 0, 0, 0};
    uint8_t crop[PIXELS];
    size_t height, width;
    OK(s->context, dpr_store_write(s->model->store, "conv_1.weights", filter, sizeof filter));
    look(s, 1, IMAGES);
    const dpr__unit_layer *l = &s->features->layers[0];
    for (int i = 0; i < DPR__PEAKS; i++) {
        const dpr__peak *peak = &l->peaks[i];
        const uint8_t *image = s->sample.images + peak->image * PIXELS;
        size_t top = peak->y > 0 ? peak->y - 1 : 0, left = peak->x > 0 ? peak->x - 1 : 0;
        OK(s->context, dpr__peak_crop(s->features, l, peak, crop, &height, &width));
        assert_int_equal(height, 3 - (peak->y == 0) - (peak->y == SIDE - 1));
        assert_int_equal(width, 3 - (peak->x == 0) - (peak->x == SIDE - 1));
        for (size_t y = 0; y < height; y++)
            assert_memory_equal(crop + y * width, image + (top + y) * SIDE + left, width);
        for (int p = 0; p < PIXELS; p++)
            assert_true(image[p] <= image[peak->y * SIDE + peak->x]);
    }
    stop(s);
}

/* What the unit makes of the middle of an image. */
static double value_of(struct setup *s, const dpr__unit_layer *l, uint32_t unit,
                       const uint8_t *image) {
    float values[PIXELS * 8];
    size_t middle = (size_t)(l->height / 2) * l->width + l->width / 2;
    OK(s->context, dpr_probe_run(s->features->probe, image, 1));
    OK(s->context, dpr_probe_output(s->features->probe, l->layer, values));
    return (double)values[middle * l->units + unit];
}

static void ascent_excites_more_than_any_image(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, conv 3x3 4, relu, linear 8, relu, linear classes");
    look(s, 120, IMAGES);
    for (size_t k = 0; k < s->features->n_layers; k++) {
        const dpr__unit_layer *l = &s->features->layers[k];
        for (uint32_t i = 0; i < l->facts.shown; i++) {
            uint32_t unit = l->shown[i];
            double made = value_of(s, l, unit, l->made + i * PIXELS), best = -(double)INFINITY;
            for (int image = 0; image < IMAGES; image++)
                best = fmax(best, value_of(s, l, unit, s->sample.images + image * PIXELS));
            if (best > 0 && made <= best) /* never active: nothing to be gained */
                fail_msg("layer %zu, unit %u: %g is made, an image has %g", k, unit, made, best);
        }
    }
    stop(s);
}

static void occlusion_is_what_predictions_lose(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, conv 3x3 4, relu, linear classes");
    look(s, 1, IMAGES);
    OK(s->context, dpr_features_explain(s->features, s->sample.images, "one"));
    const dpr__explained *e = &s->features->explained;
    assert_int_equal(e->patch, 2);
    float whole[CLASSES], part[CLASSES];
    OK(s->context, dpr_predict(s->model, s->sample.images, 1, whole));
    assert_memory_equal(whole, e->probabilities, sizeof whole);
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++) {
            uint8_t image[PIXELS], grey = (uint8_t)(255 * s->model->info.mean[0] + 0.5);
            memcpy(image, s->sample.images, PIXELS);
            for (size_t i = y > 0 ? y - 1 : 0; i <= y; i++)
                for (size_t j = x > 0 ? x - 1 : 0; j <= x; j++)
                    image[i * SIDE + j] = grey;
            OK(s->context, dpr_predict(s->model, image, 1, part));
            float lost = whole[e->class_index] - part[e->class_index];
            assert_true(fabsf(lost - e->occlusion[y * SIDE + x]) < 1e-6F);
        }
    assert_int_equal(e->cam_height, SIDE);
    stop(s);
}

/* Colours of weights: −most is blue, 0 is white, most is red; in three channels 0 is grey. */
static void weights_are_painted(void **state) {
    (void)state;
    uint8_t rgb[9];
    dpr__paint_signed((const float[]){-2, 0, 2}, 3, 2, rgb);
    assert_true(rgb[2] > rgb[0] && rgb[6] > rgb[8]);
    assert_memory_equal(rgb + 3, ((const uint8_t[]){255, 255, 255}), 3);
    dpr__paint_signed((const float[]){1, 1, 1}, 3, 0, rgb); /* all are nothing */
    assert_memory_equal(rgb, ((const uint8_t[]){255, 255, 255}), 3);
    struct setup *s = start("input 6 6 1, conv 3x3 4, relu, linear classes");
    dpr__canvas canvas;
    OK(s->context, dpr__first_weights(s->model, 3, &canvas));
    assert_int_equal(canvas.width, 3 * (3 * 16 + 4) + 4);
    assert_int_equal(canvas.height, 3 * 16 + 8);
    dpr__free(s->context, canvas.pixels);
    stop(s);
    s = start(
        "input 6 6 1, avgpool 2, conv 3x3 4, relu, linear classes"); /* still filters over all channels */
    OK(s->context, dpr__first_weights(s->model, 3, &canvas));
    assert_non_null(canvas.pixels);
    dpr__free(s->context, canvas.pixels);
    stop(s);
    s = start("input 6 6 1, avgpool 2, linear 4, relu, linear classes"); /* 9 inputs are no image */
    OK(s->context, dpr__first_weights(s->model, 3, &canvas));
    assert_null(canvas.pixels);
    stop(s);
}

/* Of a set that is sorted by class, what is kept to compare units is spread over it; and of wide layers some units are compared. */
static void what_is_compared_is_spread(void **state) {
    (void)state;
    static uint8_t images[900 * PIXELS];
    static int32_t labels[900];
    struct setup *s = start("input 6 6 1, linear 2, relu, linear classes");
    float weights[PIXELS][2] = {{1, 0}, {0, 1}}, bias[2] = {0, 0};
    dpr_data_info info = *dpr_model_describe(s->model);
    dpr_data *data;
    /* Two pixels go together in the first 500 images, against each other in the rest: over all they hardly do. */
    for (int i = 0; i < 900; i++) {
        images[i * PIXELS] = (uint8_t)(i % 2 == 0 ? 255 : 0);
        images[i * PIXELS + 1] = (uint8_t)((i % 2 == 0) == (i < 500) ? 255 : 0);
    }
    OK(s->context, dpr_store_write(s->model->store, "linear_1.weights", weights, sizeof weights));
    OK(s->context, dpr_store_write(s->model->store, "linear_1.bias", bias, sizeof bias));
    OK(s->context, dpr_data_create(s->context, &info, images, labels, 900, NULL, NULL, &data));
    dpr_features_options options = dpr_features_options_default();
    const dpr_feature_layer *layers;
    options.steps = 1;
    OK(s->context, dpr_features_create(s->model, data, &options, &s->features));
    dpr_features_layers(s->features, &layers);
    assert_true(fabsf(layers[0].likeness[0]) < 0.3F);
    dpr_features_destroy(s->features);
    s->features = NULL;
    dpr_model *wide;
    OK(s->context,
       dpr_model_from_net(s->context, "net", "input 6 6 1, linear 5000, relu, linear classes",
                          &info, 1, "auto", &wide));
    OK(s->context, dpr_features_create(wide, s->data, &options, &s->features));
    dpr_features_layers(s->features, &layers);
    assert_int_equal(layers[0].compared, 2048);
    dpr_features_destroy(s->features);
    s->features = NULL;
    dpr_model_destroy(wide);
    dpr_data_destroy(data);
    stop(s);
}

static void layers_are_spread(void **state) {
    (void)state;
    static const char net[] = "input 6 6 1, linear 4, relu, linear 4, tanh, linear 4, relu, linear "
                              "4, relu, linear 4, gelu, linear classes";
    static const unsigned wanted[] = {1, 0, 1, 0, 0, 1};
    struct setup *s = start(net);
    dpr_features_options options = dpr_features_options_default();
    const dpr_feature_layer *layers;
    options.layers = 3;
    options.steps = 1;
    OK(s->context, dpr_features_create(s->model, NULL, &options, &s->features));
    assert_int_equal(dpr_features_layers(s->features, &layers), 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(layers[i].shown > 0, wanted[i]);
    assert_true(layers[0].n_images == 0 && layers[0].active == NULL);
    assert_false(layers[1].gate);
    stop(s);
}

static int stop_at_once(void *user, size_t done, size_t of) {
    (void)of;
    *(size_t *)user = done;
    return 1;
}

static void says_what_is_wrong(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, linear 4, relu, linear classes");
    dpr_features_options options = dpr_features_options_default();
    size_t done = 0;
    options.progress = stop_at_once;
    options.progress_user = &done;
    FAILS(s->context, dpr_features_create(s->model, s->data, &options, &s->features),
          DPR_E_INTERRUPTED, "stopped");
    assert_int_equal(done, 1);
    options = dpr_features_options_default();
    options.units = 0;
    FAILS(s->context, dpr_features_create(s->model, s->data, &options, &s->features),
          DPR_E_ARGUMENT, "1 to 4096");
    options.units = 1U << 30;
    FAILS(s->context, dpr_features_create(s->model, s->data, &options, &s->features),
          DPR_E_ARGUMENT, "1 to 4096");
    char *page = temporary("page.html");
    look(s, 1, 0); /* a set that nobody looks at */
    OK(s->context, dpr_features_write(s->features, "name", page));
    remove_temporary(page);
    dpr_features_destroy(s->features);
    options = dpr_features_options_default(); /* of a caller that knows fewer fields */
    options.size = offsetof(dpr_features_options, steps);
    options.steps = 1000000000;
    OK(s->context, dpr_features_create(s->model, NULL, &options, &s->features));
    dpr_features_destroy(s->features);
    look(s, 1, 5);
    FAILS(s->context, dpr_features_write(s->features, "name", "page.pdf"), DPR_E_ARGUMENT,
          "must end with .html or .png");
    stop(s);
    s = start("input 6 6 1, linear 4, relu, linear classes");
    dpr_data_info info = dpr_data_info_default();
    dpr_model *model;
    info.n_classes = 3;
    OK(s->context, dpr_model_from_net(s->context, "net", "input 6 6 2, linear classes", &info, 1,
                                      "auto", &model));
    FAILS(s->context, dpr_features_create(model, NULL, NULL, &s->features), DPR_E_SHAPE,
          "1 or 3 channels");
    dpr_model_destroy(model);
    stop(s);
}

static dpr_status all_of_it(const dpr_context_options *options, const char *path) {
    static struct sample sample;
    dpr_context *context;
    dpr_data *data = NULL;
    dpr_model *model = NULL;
    dpr_features *features = NULL;
    dpr_data_info info = dpr_data_info_default();
    dpr_features_options wanted = dpr_features_options_default();
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    wanted.steps = 2;
    fill_sample(&sample, 20, 1);
    dpr_status status = dpr_context_create(options, &context);
    if (status == DPR_OK)
        status =
            dpr_data_create(context, &info, sample.images, sample.labels, 20, NULL, NULL, &data);
    if (status == DPR_OK)
        status = dpr_model_from_net(context, "net", "input 6 6 1, conv 3x3 2, relu, linear classes",
                                    &info, 1, "auto", &model);
    if (status == DPR_OK)
        status = dpr_features_create(model, data, &wanted, &features);
    if (status == DPR_OK)
        status = dpr_features_explain(features, sample.images, "image");
    if (status == DPR_OK)
        status = dpr_features_write(features, "name", path);
    dpr_features_destroy(features);
    dpr_model_destroy(model);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
    return status;
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    struct failing_allocator allocator;
    dpr_context_options options = dpr_context_options_default();
    failing_allocator_use(&allocator, &options);
    options.threads = 1;
    char *page = temporary("page.html");
    assert_int_equal(all_of_it(&options, page), DPR_OK);
    long calls = allocator.calls;
    for (long at = 0; at < calls; at++) {
        failing_allocator_use(&allocator, &options);
        allocator.fail_at = at;
        assert_int_equal(all_of_it(&options, page), DPR_E_MEMORY);
        assert_int_equal(allocator.blocks, 0);
    }
    remove_temporary(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_counted),
        cmocka_unit_test(peaks_are_the_largest),
        cmocka_unit_test(crops_lie_around_the_peak),
        cmocka_unit_test(ascent_excites_more_than_any_image),
        cmocka_unit_test(occlusion_is_what_predictions_lose),
        cmocka_unit_test(weights_are_painted),
        cmocka_unit_test(what_is_compared_is_spread),
        cmocka_unit_test(layers_are_spread),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
