/* Looking inside a model: what its layers make of images, and gradients of that with respect to pixels. */
#include "train/model.h"
#include "train_support.h"
#include <math.h>

/* Everything smooth, so that differences tell gradients. */
static const char SMOOTH[] = "input 6 6 1, conv 3x3 4, groupnorm 2, tanh, residual { conv 3x3 6 "
                             "stride 2, batchnorm, silu }, branch { conv 1x1 3 } { avgpool 3 "
                             "stride 1 pad 1 }, sigmoid, linear 5, tanh, linear classes";

struct setup {
    dpr_context *context;
    struct sample sample;
    dpr_data *data;
    dpr_model *model;
    dpr_probe *probe;
};

enum { BATCH = 4 };

static struct setup *start(const char *net) {
    struct setup *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->context = make_context("cpu", 1);
    s->data = make_data(s->context, &s->sample, 20, 4);
    s->model = make_model(s->context, s->data, net, 1);
    OK(s->context, dpr_probe_create(s->model, BATCH, &s->probe));
    return s;
}

static void stop(struct setup *s) {
    dpr_probe_destroy(s->probe);
    dpr_model_destroy(s->model);
    dpr_data_destroy(s->data);
    dpr_context_destroy(s->context);
    free(s);
}

static size_t layer_named(const struct setup *s, const char *name, const dpr_layer **out) {
    size_t n = dpr_model_layers(s->model, out);
    for (size_t i = 0; i < n; i++)
        if (strcmp((*out)[i].name, name) == 0)
            return i;
    fail_msg("no layer %s", name);
    return 0;
}

static void last_layer_is_what_predictions_come_from(void **state) {
    (void)state;
    struct setup *s =
        start("input 6 6 1, conv 3x3 4, batchnorm, relu, dropout 0.5, linear classes");
    const dpr_layer *layers;
    size_t n = dpr_model_layers(s->model, &layers);
    float logits[3 * CLASSES], probabilities[3 * CLASSES];
    OK(s->context, dpr_probe_run(s->probe, s->sample.images, 3));
    OK(s->context, dpr_probe_output(s->probe, n - 1, logits));
    OK(s->context, dpr_predict(s->model, s->sample.images, 3, probabilities));
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++)
            sum += exp((double)logits[i * CLASSES + c]);
        for (int c = 0; c < CLASSES; c++)
            assert_true(fabs(exp((double)logits[i * CLASSES + c]) / sum -
                             (double)probabilities[i * CLASSES + c]) < 1e-6);
    }
    stop(s);
}

/* An image's numbers do not depend on those that it came with. */
static void images_do_not_meet(void **state) {
    (void)state;
    struct setup *s = start(SMOOTH);
    const dpr_layer *layers;
    size_t n = dpr_model_layers(s->model, &layers);
    for (size_t i = 0; i < n; i++) {
        size_t each = (size_t)layers[i].output.dim[0];
        for (uint32_t d = 1; d < layers[i].output.rank; d++)
            each *= (size_t)layers[i].output.dim[d];
        float many[BATCH * 6 * 6 * 8], one[6 * 6 * 8];
        assert_true(each <= 6 * 6 * 8);
        OK(s->context, dpr_probe_run(s->probe, s->sample.images, BATCH));
        OK(s->context, dpr_probe_output(s->probe, i, many));
        OK(s->context, dpr_probe_run(s->probe, s->sample.images + 2 * PIXELS, 1));
        OK(s->context, dpr_probe_output(s->probe, i, one));
        assert_memory_equal(one, many + 2 * each, each * sizeof *one);
    }
    stop(s);
}

static double weighed_output(struct setup *s, size_t layer, size_t each, const uint8_t *image,
                             const float *weights) {
    float values[6 * 6 * 8];
    double sum = 0;
    OK(s->context, dpr_probe_run(s->probe, image, 1));
    OK(s->context, dpr_probe_output(s->probe, layer, values));
    for (size_t i = 0; i < each; i++)
        sum += (double)weights[i] * (double)values[i];
    return sum;
}

/* Of one layer at random weights, against central differences of one grey level, in all pixels. */
static void check_gradient(struct setup *s, size_t layer, size_t each) {
    float weights[6 * 6 * 8], pixels[PIXELS], gradient[PIXELS];
    uint32_t noise = 7;
    double most = 0;
    for (size_t i = 0; i < each; i++) {
        noise = noise * 1664525U + 1013904223U;
        weights[i] = (float)(noise >> 16) / 65536 - 0.5F;
    }
    for (int p = 0; p < PIXELS; p++)
        pixels[p] = s->sample.images[p];
    OK(s->context, dpr_probe_gradient(s->probe, layer, pixels, weights, 1, gradient));
    double error[PIXELS];
    for (int p = 0; p < PIXELS; p++) {
        uint8_t image[PIXELS];
        memcpy(image, s->sample.images, PIXELS);
        assert_in_range(image[p], 1, 254);
        image[p]++;
        double above = weighed_output(s, layer, each, image, weights);
        image[p] -= 2;
        double below = weighed_output(s, layer, each, image, weights);
        error[p] = fabs((above - below) / 2 - (double)gradient[p]);
        most = fmax(most, fabs((double)gradient[p]));
    }
    for (int p = 0; p < PIXELS; p++)
        if (error[p] > 4e-3 * most + 1e-7)
            fail_msg("layer %zu, pixel %d: gradient %g is off by %g", layer, p, (double)gradient[p],
                     error[p]);
    assert_true(most > 0);
}

static void gradients_are_differences(void **state) {
    (void)state;
    struct setup *s = start(SMOOTH);
    const dpr_layer *layers;
    size_t n = dpr_model_layers(s->model, &layers);
    for (int p = 0; p < PIXELS; p++) /* so that there is a level on each side */
        s->sample.images[p] = (uint8_t)(s->sample.images[p] < 1 ? 1 : s->sample.images[p]);
    for (size_t i = 0; i < n; i++) {
        size_t each = (size_t)layers[i].output.dim[0];
        for (uint32_t d = 1; d < layers[i].output.rank; d++)
            each *= (size_t)layers[i].output.dim[d];
        check_gradient(s, i, each);
    }
    stop(s);
}

/* Whether a gradient of the place in the middle is zero where its field does not reach, and not so at the field's corners. */
static void check_field(struct setup *s, size_t layer, const dpr_layer *l) {
    float weights[6 * 6 * 8] = {0}, pixels[PIXELS], gradient[PIXELS];
    int64_t y = l->output.dim[0] / 2, x = l->output.dim[1] / 2, channels = l->output.dim[2];
    for (int p = 0; p < PIXELS; p++)
        pixels[p] = s->sample.images[p];
    for (int64_t c = 0; c < channels; c++)
        weights[(y * l->output.dim[1] + x) * channels + c] = (float)(c + 1);
    OK(s->context, dpr_probe_gradient(s->probe, layer, pixels, weights, 1, gradient));
    const int64_t at[2] = {y, x};
    int64_t low[2], high[2];
    for (int axis = 0; axis < 2; axis++) {
        low[axis] = l->field.first[axis] + at[axis] * l->field.step[axis];
        high[axis] = low[axis] + l->field.size[axis] - 1;
        low[axis] = low[axis] < 0 ? 0 : low[axis];
        high[axis] = high[axis] >= SIDE ? SIDE - 1 : high[axis];
    }
    for (int64_t r = 0; r < SIDE; r++)
        for (int64_t c = 0; c < SIDE; c++)
            if (r < low[0] || r > high[0] || c < low[1] || c > high[1])
                assert_true(gradient[r * SIDE + c] == 0);
    assert_true(gradient[low[0] * SIDE + low[1]] != 0);
    assert_true(gradient[high[0] * SIDE + high[1]] != 0);
}

static void fields_are_what_gradients_reach(void **state) {
    (void)state;
    static const char net[] = "input 6 6 1, conv 3x3 2 stride 2, tanh, residual { conv 3x3 2, tanh "
                              "}, branch { conv 1x1 2 } { avgpool 2 stride 1 pad 1, "
                              "conv 2x2 2 pad valid }, avgpool 1x2 stride 1, linear classes";
    struct setup *s = start(net);
    const dpr_layer *layers;
    size_t n = dpr_model_layers(s->model, &layers);
    for (size_t i = 0; i + 1 < n; i++)
        check_field(s, i, &layers[i]);
    assert_int_equal(layers[n - 1].field.size[0], SIDE);
    assert_int_equal(layers[n - 1].field.step[1], 0);
    stop(s);
    s = start("input 6 6 1, conv 3x3 4, groupnorm 2, conv 3x3 4, linear classes");
    size_t i = layer_named(s, "conv_2", &layers);
    assert_int_equal(layers[i].field.size[0], SIDE);
    check_field(s, i, &layers[i]);
    stop(s);
    static const char *const WHOLE[] = {
        "input 6 6 1, conv 3x3 2, branch { squeeze_excite 1 } { conv 3x3 2 }, linear classes",
        "input 6 6 1, conv 3x3 2, branch { conv 3x3 2 } { squeeze_excite 1 }, linear classes",
        "input 6 6 1, conv 3x3 2, residual { conv 3x3 2, squeeze_excite 1 }, linear classes"};
    for (size_t k = 0; k < sizeof WHOLE / sizeof *WHOLE; k++) {
        s = start(WHOLE[k]);
        size_t n_layers = dpr_model_layers(s->model, &layers);
        const dpr_field *field = &layers[n_layers - 2].field;
        assert_true(field->step[0] == 0 && field->first[1] == 0);
        assert_int_equal(field->size[0], SIDE);
        assert_int_equal(field->size[1], SIDE);
        stop(s);
    }
}

static void layers_tell_where_they_come_from(void **state) {
    (void)state;
    struct setup *s =
        start("input 6 6 1, conv 3x3 4, residual { relu, conv 3x3 4 }, relu, branch { "
              "conv 1x1 2 } { tanh }, linear classes");
    static const int wanted[] = {-1, 0, 1, 2, 3, 4, 4, 6, 7}; /* of a join: its last body's end */
    const dpr_layer *layers;
    size_t n = dpr_model_layers(s->model, &layers);
    assert_int_equal(n, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(layers[i].from, wanted[i]);
    stop(s);
}

static void saliency_is_the_largest_gradient(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, conv 3x3 4, relu, linear classes");
    const dpr_layer *layers;
    size_t n = dpr_model_layers(s->model, &layers);
    float pixels[PIXELS], gradient[PIXELS], map[PIXELS], weights[CLASSES] = {0, 1, 0};
    for (int p = 0; p < PIXELS; p++)
        pixels[p] = s->sample.images[p];
    OK(s->context, dpr_probe_saliency(s->probe, s->sample.images, 1, map));
    OK(s->context, dpr_probe_gradient(s->probe, n - 1, pixels, weights, 1, gradient));
    for (int p = 0; p < PIXELS; p++)
        assert_true(map[p] == fabsf(gradient[p]));
    stop(s);
}

/* Where a layer's numbers go straight into the logits, α of a channel is the mean of its weights over the places. */
static void grad_cam_weighs_channels_by_their_mean_gradient(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, conv 3x3 4, relu, linear classes");
    const dpr_layer *layers;
    size_t layer = layer_named(s, "relu_1", &layers);
    float maps[PIXELS * 4], weights[PIXELS * 4 * CLASSES], map[PIXELS];
    OK(s->context, dpr_probe_run(s->probe, s->sample.images, 1));
    OK(s->context, dpr_probe_output(s->probe, layer, maps));
    OK(s->context, dpr_store_read(s->model->store, "linear_1.weights", weights, sizeof weights));
    double most = 0;
    for (uint32_t c = 0; c < CLASSES; c++) {
        double alpha[4] = {0};
        for (int i = 0; i < PIXELS * 4; i++)
            alpha[i % 4] += (double)weights[i * CLASSES + (int)c] / PIXELS;
        OK(s->context, dpr_probe_grad_cam(s->probe, s->sample.images, c, layer, map));
        for (int p = 0; p < PIXELS; p++) {
            double wanted = 0;
            for (int k = 0; k < 4; k++)
                wanted += (double)maps[p * 4 + k] * alpha[k];
            wanted = fmax(wanted, 0);
            most = fmax(most, wanted);
            assert_true(fabs((double)map[p] - wanted) < 1e-6);
        }
    }
    assert_true(most > 1e-4);
    stop(s);
}

/* Another probe of the same model, with another batch, changes nothing. */
static void probes_live_side_by_side(void **state) {
    (void)state;
    struct setup *s = start(SMOOTH);
    dpr_probe *other;
    float before[PIXELS], between[PIXELS], after[PIXELS];
    OK(s->context, dpr_probe_create(s->model, 9, &other));
    OK(s->context, dpr_probe_saliency(s->probe, s->sample.images, 2, before));
    OK(s->context, dpr_probe_saliency(other, s->sample.images, 2, between));
    OK(s->context, dpr_probe_saliency(s->probe, s->sample.images, 2, after));
    assert_memory_equal(before, between, sizeof before);
    assert_memory_equal(before, after, sizeof before);
    dpr_probe_destroy(other);
    stop(s);
}

static void says_what_is_wrong(void **state) {
    (void)state;
    struct setup *s = start("input 6 6 1, conv 3x3 4, relu, linear classes");
    float map[PIXELS];
    dpr_probe *other;
    FAILS(s->context, dpr_probe_create(s->model, 0, &other), DPR_E_ARGUMENT, "at least one");
    FAILS(s->context, dpr_probe_output(s->probe, 0, map), DPR_E_ARGUMENT, "no images were run");
    FAILS(s->context, dpr_probe_output(s->probe, 3, map), DPR_E_ARGUMENT, "layer 3 of 3");
    FAILS(s->context, dpr_probe_run(s->probe, s->sample.images, BATCH + 1), DPR_E_ARGUMENT,
          "made for 4");
    FAILS(s->context, dpr_probe_saliency(s->probe, s->sample.images, CLASSES, map), DPR_E_ARGUMENT,
          "class 3 of 3");
    FAILS(s->context, dpr_probe_grad_cam(s->probe, s->sample.images, 0, 2, map), DPR_E_SHAPE,
          "'linear_1' is no picture");
    stop(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_layer_is_what_predictions_come_from),
        cmocka_unit_test(images_do_not_meet),
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(fields_are_what_gradients_reach),
        cmocka_unit_test(layers_tell_where_they_come_from),
        cmocka_unit_test(saliency_is_the_largest_gradient),
        cmocka_unit_test(grad_cam_weighs_channels_by_their_mean_gradient),
        cmocka_unit_test(probes_live_side_by_side),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
