/* deeper train --overfit-one-batch: whether the network can learn a few images by heart at all. Where it cannot, no training will help. */
#include "cli.h"
#include "json.h"
#include <math.h>
#include <stdlib.h>

/* Steps that may be spent; a pass is a loss below this share of guessing's, every image right. */
enum { BUDGET = 500, SAID = 50 };
static const double NEAR_ZERO = 0.05;

/* The images of one batch, spread over the set: image i·p mod n with a prime p above any n, so that neither sorted nor repeating labels make it lopsided. */
struct batch {
    size_t n;
    uint8_t *pixels;
    int32_t *labels, *index;
};

static dpr_status take_batch(const struct trial *trial, struct batch *out) {
    static const uint64_t PRIME = 2654435761;
    size_t n = dpr_data_count(trial->data);
    const dpr_shape *shape = &dpr_data_describe(trial->data)->image;
    size_t bytes = (size_t)(shape->dim[0] * shape->dim[1] * shape->dim[2]);
    out->n = trial->options.batch < n ? trial->options.batch : n;
    out->pixels = malloc(out->n * bytes);
    out->labels = malloc(out->n * sizeof *out->labels);
    out->index = malloc(out->n * sizeof *out->index);
    if (out->pixels == NULL || out->labels == NULL || out->index == NULL)
        return DPR_E_MEMORY;
    for (size_t i = 0; i < out->n; i++) {
        out->index[i] = (int32_t)(i * PRIME % n);
        out->labels[i] = dpr_data_labels(trial->data)[out->index[i]];
    }
    return dpr_data_augment(trial->data, NULL, 1, 1, out->index, out->n, out->pixels);
}

/* What keeps a network from learning by heart is left out; an epoch is one step. */
static dpr_train_options plain_options(const struct trial *trial) {
    dpr_train_options options = trial->options;
    options.epochs = BUDGET;
    options.schedule = "constant";
    options.augment = options.class_weights = NULL;
    options.warmup = options.weight_decay = options.label_smoothing = options.ema = 0;
    options.patience = options.swa = options.lookahead = 0;
    options.accumulate = 1;
    return options;
}

struct outcome {
    bool passed;
    unsigned steps;
    double loss, accuracy, wanted; /* predictions' on the batch; the loss to come below */
};

/* Looks at what is predicted: without dropout, with running statistics. */
static dpr_status look(const struct trial *trial, const dpr_data *data, struct outcome *out) {
    dpr_evaluation found;
    dpr_status status = dpr_evaluate(trial->model, data, &found);
    if (status != DPR_OK)
        return status;
    out->loss = found.loss;
    out->accuracy = found.accuracy;
    out->passed = found.correct == found.n && found.loss < out->wanted;
    return DPR_OK;
}

static dpr_status learn(const struct settings *settings, const struct trial *trial,
                        const dpr_data *data, dpr_trainer *trainer, struct outcome *out) {
    dpr_status status = DPR_OK;
    out->wanted = NEAR_ZERO * log(dpr_data_describe(data)->n_classes);
    while (status == DPR_OK && !out->passed && out->steps < BUDGET) {
        dpr_epoch_report report;
        status = dpr_trainer_epoch(trainer, &report);
        out->steps++;
        bool said = out->steps % SAID == 0;
        if (status == DPR_OK && (said || report.loss < out->wanted))
            status = look(trial, data, out);
        if (status == DPR_OK && said && !settings->json && !settings->quiet)
            printf("step %3u  loss %.4f  train %.2f %%\n", out->steps, out->loss,
                   100 * out->accuracy);
    }
    return status;
}

/* What is known to go wrong, where something of it was found. */
static int print_findings(const struct trial *trial, const dpr_trainer *trainer) {
    const dpr_ailment *findings;
    size_t n = dpr_trainer_health(trainer, &findings);
    for (size_t i = 0; i < n; i++) {
        char *text;
        if (dpr_ailment_text(trial->context, &findings[i], &text) != DPR_OK)
            return fail(trial->context);
        complain(EXIT_DONE, "warning: %s", text);
        dpr_text_destroy(trial->context, text);
    }
    return EXIT_DONE;
}

static void print_outcome(const struct settings *settings, const struct outcome *o, size_t images) {
    if (settings->json) {
        out_value *line = out_object();
        out_set(line, "passed", out_flag(o->passed));
        out_set(line, "images", out_count(images));
        out_set(line, "steps", out_count(o->steps));
        out_set(line, "loss", out_real(o->loss));
        out_set(line, "accuracy", out_real(o->accuracy));
        out_print(line, stdout);
    } else if (o->passed) {
        printf("passed: %zu images learnt by heart in %u steps, loss %.4f\n", images, o->steps,
               o->loss);
    }
}

static int overfit(const struct settings *settings, const struct trial *trial,
                   const dpr_data *data) {
    const dpr_train_options options = plain_options(trial);
    dpr_trainer *trainer;
    struct outcome outcome = {.passed = false};
    if (dpr_trainer_create(trial->model, data, &options, &trainer) != DPR_OK)
        return fail(trial->context);
    dpr_status status = learn(settings, trial, data, trainer, &outcome);
    int end = status == DPR_OK ? print_findings(trial, trainer) : fail(trial->context);
    if (end == EXIT_DONE)
        print_outcome(settings, &outcome, dpr_data_count(data));
    if (end == EXIT_DONE && !outcome.passed)
        end = complain(EXIT_FAILED,
                       "failed: after %u steps on the same %zu images the loss is %.4f, and %.2f "
                       "%% are right; try the rate that deeper lr finds, and a wider network; or "
                       "see whether equal images have different labels (deeper data info)",
                       outcome.steps, dpr_data_count(data), outcome.loss, 100 * outcome.accuracy);
    dpr_trainer_destroy(trainer);
    return end;
}

int overfit_one_batch(const struct settings *settings, const struct trial *trial) {
    struct batch batch = {0};
    dpr_data *data = NULL;
    dpr_status status = take_batch(trial, &batch);
    if (status == DPR_OK)
        status = dpr_data_create(trial->context, dpr_data_describe(trial->data), batch.pixels,
                                 batch.labels, batch.n, NULL, NULL, &data);
    int end = status == DPR_OK         ? overfit(settings, trial, data)
              : status == DPR_E_MEMORY ? fail(NULL)
                                       : fail(trial->context);
    dpr_data_destroy(data);
    free(batch.pixels);
    free(batch.labels);
    free(batch.index);
    return end;
}
