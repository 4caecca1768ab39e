/* A training run computed again in double, by the formulas of a two-layer network and nothing of the engine's but the order of
 * the images: what the features of the optimisers are held against. */
#ifndef DPR_TESTS_TRAIN_BY_HAND_H
#define DPR_TESTS_TRAIN_BY_HAND_H

#include "base/random.h"
#include "train/trainer.h"
#include "train_support.h"
#include <math.h>

enum {
    HIDDEN = 5,
    W1 = 0,
    B1 = W1 + PIXELS * HIDDEN,
    W2 = B1 + HIDDEN,
    B2 = W2 + HIDDEN * CLASSES,
    N_BY_HAND = B2 + CLASSES,
    N_PARTS = 4
};
static const char net_by_hand[] = "input 6 6 1, linear 5, relu, linear classes";

static const struct part {
    const char *leaf;
    int first, rows, columns;
} parts[N_PARTS] = {{"linear_1.weights", W1, PIXELS, HIDDEN},
                    {"linear_1.bias", B1, 1, HIDDEN},
                    {"linear_2.weights", W2, HIDDEN, CLASSES},
                    {"linear_2.bias", B2, 1, CLASSES}};

struct by_hand {
    dpr_context *context;
    struct sample *sample;
    dpr_data *data;
    dpr_model *model;
    dpr_train_options options;
    dpr_trainer *trainer;
    double w[N_BY_HAND], g[N_BY_HAND], weight; /* the last gradient's sum of class weights */
    double class_weight[CLASSES];
    double tolerance;
};

/* Over `prefix` ("" for the weights themselves) of all parts. */
static inline void read_leaves(const struct by_hand *h, const char *prefix, double *out) {
    for (int p = 0; p < N_PARTS; p++) {
        float values[PIXELS * HIDDEN];
        char name[64];
        size_t n = (size_t)(parts[p].rows * parts[p].columns);
        snprintf(name, sizeof name, "%s%s", prefix, parts[p].leaf);
        OK(h->context, dpr_store_read(h->model->store, name, values, n * sizeof *values));
        for (size_t i = 0; i < n; i++)
            out[parts[p].first + (int)i] = (double)values[i];
    }
}

static inline void begin_by_hand(struct by_hand *h, int images) {
    *h = (struct by_hand){
        .context = make_context("cpu", 1), .class_weight = {1, 1, 1}, .tolerance = 1e-5};
    h->sample = calloc(1, sizeof *h->sample);
    assert_non_null(h->sample);
    h->data = make_data(h->context, h->sample, images, 1);
    h->options = dpr_train_options_default();
    h->options.batch = 32;
    h->options.epochs = 3;
    h->options.schedule = "constant";
}

static inline void start_by_hand(struct by_hand *h) {
    h->model = make_model(h->context, h->data, net_by_hand, 3);
    OK(h->context, dpr_trainer_create(h->model, h->data, &h->options, &h->trainer));
    read_leaves(h, "", h->w);
}

static inline void end_by_hand(struct by_hand *h) {
    dpr_trainer_destroy(h->trainer);
    dpr_model_destroy(h->model);
    dpr_data_destroy(h->data);
    dpr_context_destroy(h->context);
    free(h->sample);
}

/* Adds one image's part of the gradient of Σ w·(−log p). */
static inline void add_image(struct by_hand *h, size_t image) {
    const dpr_data_info *info = &h->model->info;
    double x[PIXELS], hidden[HIDDEN], diff[HIDDEN], p[CLASSES], sum = 0;
    int label = h->data->labels[image];
    for (int i = 0; i < PIXELS; i++)
        x[i] = (h->data->pool[image * PIXELS + (size_t)i] / 255.0 - info->mean[0]) /
               info->deviation[0];
    for (int j = 0; j < HIDDEN; j++) {
        hidden[j] = h->w[B1 + j];
        for (int i = 0; i < PIXELS; i++)
            hidden[j] += x[i] * h->w[W1 + i * HIDDEN + j];
        hidden[j] = hidden[j] > 0 ? hidden[j] : 0;
    }
    for (int c = 0; c < CLASSES; c++) {
        p[c] = h->w[B2 + c];
        for (int j = 0; j < HIDDEN; j++)
            p[c] += hidden[j] * h->w[W2 + j * CLASSES + c];
        sum += p[c] = exp(p[c]);
    }
    for (int c = 0; c < CLASSES; c++)
        p[c] = h->class_weight[label] * (p[c] / sum - (c == label));
    for (int j = 0; j < HIDDEN; j++) {
        diff[j] = 0;
        for (int c = 0; c < CLASSES; c++) {
            diff[j] += p[c] * h->w[W2 + j * CLASSES + c];
            h->g[W2 + j * CLASSES + c] += hidden[j] * p[c];
        }
        diff[j] = hidden[j] > 0 ? diff[j] : 0;
        h->g[B1 + j] += diff[j];
        for (int i = 0; i < PIXELS; i++)
            h->g[W1 + i * HIDDEN + j] += x[i] * diff[j];
    }
    for (int c = 0; c < CLASSES; c++)
        h->g[B2 + c] += p[c];
    h->weight += h->class_weight[label];
}

/* h->g: of the mean loss over the images at positions first … first + count − 1 of an epoch. */
static inline void gradient_by_hand(struct by_hand *h, uint32_t epoch, uint64_t first,
                                    uint64_t count) {
    memset(h->g, 0, sizeof h->g);
    h->weight = 0;
    for (uint64_t at = first; at < first + count && at < h->data->n; at++)
        add_image(
            h, (size_t)dpr__permute(h->options.seed, DPR__PURPOSE_SHUFFLE, epoch, at, h->data->n));
    for (int i = 0; i < N_BY_HAND; i++)
        h->g[i] /= h->weight;
}

/* The gradient of the step that the trainer makes next, then that step. */
static inline void step_both(struct by_hand *h) {
    gradient_by_hand(h, h->trainer->epochs_done, h->trainer->position * h->options.batch,
                     h->options.batch);
    OK(h->context, dpr_trainer_step(h->trainer, NULL));
}

static inline void same_by_hand(const struct by_hand *h, const char *prefix, const double *wanted,
                                int step) {
    double got[N_BY_HAND];
    read_leaves(h, prefix, got);
    for (int p = 0; p < N_PARTS; p++)
        for (int i = 0; i < parts[p].rows * parts[p].columns; i++) {
            double a = got[parts[p].first + i], b = wanted[parts[p].first + i];
            if (!(fabs(a - b) <= h->tolerance))
                fail_msg("step %d, %s%s, element %d: %.9g instead of %.9g", step, prefix,
                         parts[p].leaf, i, a, b);
        }
}

#endif
