/* Forward passes: evaluation of a set, prediction of single images. Both run the same nodes as
 * training does, over leaves that hold one batch of images; so sets of any size share one
 * program. */
#include "base/context.h"
#include "ir/shape.h"
#include "train/metrics.h"
#include "train/model.h"
#include <math.h>
#include <string.h>

struct purpose {
    int64_t batch;
    const char *images, *labels, *rows; /* leaves */
};

static const struct purpose purposes[DPR__N_FORWARDS] = {
    [DPR__FORWARD_ONE] = {1, "predict.images", "predict.labels", "predict.rows"},
    [DPR__FORWARD_MANY] = {DPR__MOST_ROWS, "eval.images", "eval.labels", "eval.rows"},
};

/* From this many images on, the large batch is the faster way. */
enum { MANY = 16 };

void dpr__forward_release(dpr_model *model) {
    for (size_t i = 0; i < DPR__N_FORWARDS; i++) {
        dpr__forward *forward = &model->forward[i];
        dpr_program_destroy(forward->program);
        dpr__free(model->context, forward->classes);
        dpr__free(model->context, forward->rows);
        dpr__free(model->context, forward->sum);
        dpr__free(model->context, forward->view);
        *forward = (dpr__forward){0};
    }
    dpr__free(model->context, model->confusion);
    dpr__free(model->context, model->precision);
    dpr__free(model->context, model->recall);
    model->confusion = NULL;
    model->precision = model->recall = NULL;
}

static void append_roots(const dpr_model *model, dpr_graph *graph, const struct purpose *purpose,
                         dpr_value logits, dpr__forward *forward) {
    dpr_graph_scope(graph, "evaluate");
    dpr_value labels = dpr_input(graph, purpose->labels, DPR_I32, dpr_shape_of(DPR_BATCH));
    dpr_value rows = dpr_input(graph, purpose->rows, DPR_I32, dpr_scalar_shape());
    dpr_value targets = dpr_one_hot(graph, labels, model->info.n_classes);
    dpr_value loss = dpr_softmax_cross_entropy(graph, logits, targets);
    forward->loss = dpr_sum(graph, dpr_prefix(graph, loss, rows), 1, false);
    forward->logits = logits;
    forward->predicted = dpr_argmax(graph, logits);
    forward->probabilities = dpr_softmax(graph, logits);
}

/* All results in one program: the softmax is small beside the matrix products. */
static dpr_status compile(dpr_model *model, const struct purpose *purpose, dpr__forward *forward) {
    dpr_graph *graph;
    dpr_value logits;
    DPR_TRY(dpr__model_forward(model, purpose->images, purpose->rows, &graph, &logits));
    append_roots(model, graph, purpose, logits, forward);
    dpr_status status = dpr_graph_finish(graph);
    dpr_program_options options = dpr_program_options_default();
    options.batch = purpose->batch;
    dpr_value roots[] = {forward->loss, forward->predicted, forward->probabilities, logits};
    if (status == DPR_OK)
        status = dpr_program_create(graph, model->store, roots, model->tta != 0 ? 4 : 3, &options,
                                    &forward->program);
    dpr_graph_destroy(graph);
    return status;
}

/* The program of a purpose, made when it is first wanted. */
static dpr_status prepare(dpr_model *model, size_t which, dpr__forward **out) {
    const struct purpose *purpose = &purposes[which];
    dpr__forward *forward = &model->forward[which];
    *out = forward;
    if (forward->program != NULL)
        return DPR_OK;
    size_t batch = (size_t)purpose->batch, classes = model->info.n_classes;
    forward->batch = purpose->batch;
    if (forward->classes == NULL)
        DPR_TRY(dpr__allocate(model->context, batch, sizeof(int32_t), &forward->classes));
    if (forward->rows == NULL)
        DPR_TRY(dpr__allocate(model->context, batch * classes, sizeof(float), &forward->rows));
    if (model->tta != 0 && forward->sum == NULL)
        DPR_TRY(dpr__allocate(model->context, batch * classes, sizeof(double), &forward->sum));
    if (model->tta != 0 && forward->view == NULL)
        DPR_TRY(dpr__allocate(model->context, batch, (size_t)dpr__shape_count(&model->info.image),
                              &forward->view));
    DPR_TRY(compile(model, purpose, forward));
    return dpr__model_write_normalisation(model);
}

/* The first rows of a leaf; the others keep what they hold. */
static void write_rows(dpr_store *store, const char *leaf, const void *rows, size_t bytes) {
    dpr__slot *slot = dpr__store_find(store, leaf);
    slot->version++;
    memcpy(slot->data, rows, bytes);
}

/* Runs `rows` ≤ batch images through; labels may be NULL, then the loss means nothing. */
static dpr_status run(dpr_model *model, size_t which, const uint8_t *images, const int32_t *labels,
                      size_t rows) {
    const struct purpose *purpose = &purposes[which];
    size_t image_bytes = (size_t)dpr__shape_count(&model->info.image);
    int32_t count = (int32_t)rows;
    write_rows(model->store, purpose->images, images, rows * image_bytes);
    if (labels != NULL)
        write_rows(model->store, purpose->labels, labels, rows * sizeof *labels);
    DPR_TRY(dpr_store_write(model->store, purpose->rows, &count, sizeof count));
    return dpr_program_run(model->forward[which].program, 1, NULL, NULL);
}

/* ---- views ---- */

static dpr_status add_logits(dpr__forward *forward, const dpr__view *view, size_t n) {
    DPR_TRY(dpr_program_read(forward->program, forward->logits, forward->rows,
                             n * sizeof *forward->rows));
    for (size_t i = 0; i < n; i++)
        forward->sum[i] += view->weight * (double)forward->rows[i];
    return DPR_OK;
}

/* After run() of the images as they are: forward->sum is the weighed mean of the logits of all views, in double and in their order. */
static dpr_status run_views(dpr_model *model, size_t which, unsigned tta, const uint8_t *images,
                            size_t rows) {
    dpr__forward *forward = &model->forward[which];
    dpr__view views[DPR__MOST_VIEWS];
    size_t n = dpr__views(tta, views);
    size_t all = (size_t)forward->batch * model->info.n_classes;
    memset(forward->sum, 0, all * sizeof *forward->sum);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            dpr__view_make(&views[i], &model->info.image, images, rows, forward->view);
            DPR_TRY(run(model, which, forward->view, NULL, rows));
        }
        DPR_TRY(add_logits(forward, &views[i], all));
    }
    return DPR_OK;
}

/* Makes logits a softmax; returns ln Σ exp(logits). */
static double soften(double *logits, size_t k) {
    double most = logits[0];
    for (size_t c = 1; c < k; c++)
        most = logits[c] > most ? logits[c] : most;
    double sum = exp(logits[0] - most);
    for (size_t c = 1; c < k; c++)
        sum += exp(logits[c] - most);
    double log_sum = most + log(sum);
    for (size_t c = 0; c < k; c++)
        logits[c] = exp(logits[c] - log_sum);
    return log_sum;
}

/* ---- evaluation ---- */

static dpr_status prepare_counts(dpr_model *model) {
    size_t k = model->info.n_classes;
    if (model->confusion == NULL)
        DPR_TRY(dpr__allocate(model->context, k * k, sizeof(uint64_t), &model->confusion));
    if (model->precision == NULL)
        DPR_TRY(dpr__allocate(model->context, k, sizeof(double), &model->precision));
    if (model->recall == NULL)
        DPR_TRY(dpr__allocate(model->context, k, sizeof(double), &model->recall));
    memset(model->confusion, 0, k * k * sizeof(uint64_t));
    return DPR_OK;
}

/* What a set's images add up to, in double, in the order of the set. */
struct counts {
    double loss, loss_plain;
    uint64_t correct_plain;
};

/* Adds what the views say of one batch to the counts; classes: what they predict. */
static void count_views(const dpr_model *model, dpr__forward *forward, const int32_t *labels,
                        size_t rows, struct counts *counts) {
    size_t k = model->info.n_classes;
    for (size_t i = 0; i < rows; i++) {
        double *logits = forward->sum + i * k, own = logits[labels[i]];
        int32_t best = 0;
        for (size_t c = 1; c < k; c++)
            best = logits[c] > logits[best] ? (int32_t)c : best;
        forward->classes[i] = best;
        counts->loss += soften(logits, k) - own;
    }
}

/* Whom an evaluation tells of each image; NULL: nobody. */
struct listener {
    dpr_visit_prediction *visit;
    void *user;
};

/* Probabilities of the batch that was run, one row after the other. */
static dpr_status tell(dpr_model *model, unsigned tta, size_t first, size_t rows,
                       const struct listener *listener) {
    dpr__forward *forward = &model->forward[DPR__FORWARD_MANY];
    size_t k = model->info.n_classes;
    if (tta == 0)
        DPR_TRY(dpr_program_read(forward->program, forward->probabilities, forward->rows,
                                 (size_t)forward->batch * k * sizeof *forward->rows));
    for (size_t i = 0; tta != 0 && i < rows * k; i++) /* count_views made them softmax */
        forward->rows[i] = (float)forward->sum[i];
    for (size_t i = 0; i < rows; i++)
        listener->visit(listener->user, first + i, (uint32_t)forward->classes[i],
                        forward->rows + i * k);
    return DPR_OK;
}

/* Loss and confusion over the set, batch by batch. */
static dpr_status count(dpr_model *model, const dpr_data *data, unsigned tta,
                        const struct listener *listener, struct counts *counts) {
    dpr__forward *forward;
    DPR_TRY(prepare(model, DPR__FORWARD_MANY, &forward));
    size_t batch = (size_t)forward->batch, k = model->info.n_classes;
    const uint8_t *images;
    *counts = (struct counts){0};
    for (size_t first = 0; first < data->n; first += batch) {
        size_t rows = data->n - first < batch ? data->n - first : batch;
        const int32_t *labels = data->labels + first;
        float sum;
        DPR_TRY(dpr__data_rows(data, first, rows, &images));
        DPR_TRY(run(model, DPR__FORWARD_MANY, images, labels, rows));
        DPR_TRY(dpr_program_read(forward->program, forward->loss, &sum, sizeof sum));
        DPR_TRY(dpr_program_read(forward->program, forward->predicted, forward->classes,
                                 batch * sizeof *forward->classes));
        counts->loss_plain += (double)sum;
        for (size_t i = 0; i < rows; i++)
            counts->correct_plain += forward->classes[i] == labels[i];
        if (tta != 0) {
            DPR_TRY(run_views(model, DPR__FORWARD_MANY, tta, images, rows));
            count_views(model, forward, labels, rows, counts);
        }
        for (size_t i = 0; i < rows; i++)
            model->confusion[(size_t)labels[i] * k + (size_t)forward->classes[i]]++;
        if (listener->visit != NULL)
            DPR_TRY(tell(model, tta, first, rows, listener));
    }
    if (tta == 0)
        counts->loss = counts->loss_plain;
    return DPR_OK;
}

static dpr_status evaluate(dpr_model *model, const dpr_data *data, unsigned tta,
                           const struct listener *listener, dpr_evaluation *out) {
    DPR_TRY(dpr__info_match(model->context, &model->info, &data->info));
    if (data->n == 0)
        return DPR_FAIL(model->context, DPR_E_DATA, "evaluate: the set holds no images");
    struct counts counts;
    DPR_TRY(prepare_counts(model));
    DPR_TRY(count(model, data, tta, listener, &counts));
    dpr_evaluation found = {.size = sizeof found,
                            .n = data->n,
                            .loss = counts.loss / (double)data->n,
                            .loss_plain = counts.loss_plain / (double)data->n,
                            .correct_plain = counts.correct_plain,
                            .accuracy_plain = (double)counts.correct_plain / (double)data->n,
                            .n_classes = model->info.n_classes,
                            .confusion = model->confusion,
                            .precision = model->precision,
                            .recall = model->recall};
    for (size_t c = 0; c < found.n_classes; c++)
        found.correct += model->confusion[c * found.n_classes + c];
    found.accuracy = (double)found.correct / (double)found.n;
    dpr__wilson(found.correct, found.n, &found.accuracy_low, &found.accuracy_high);
    dpr__precision_recall(model->confusion, found.n_classes, model->precision, model->recall);
    *out = found;
    return DPR_OK;
}

dpr_status dpr_evaluate(dpr_model *model, const dpr_data *data, dpr_evaluation *out) {
    return dpr_evaluate_each(model, data, NULL, NULL, out);
}

dpr_status dpr_evaluate_each(dpr_model *model, const dpr_data *data, dpr_visit_prediction *visit,
                             void *user, dpr_evaluation *out) {
    return evaluate(model, data, model->tta, &(struct listener){visit, user}, out);
}

dpr_status dpr__evaluate(dpr_model *model, const dpr_data *data, unsigned tta,
                         dpr_evaluation *out) {
    return evaluate(model, data, tta, &(struct listener){NULL, NULL}, out);
}

/* ---- prediction ---- */

/* Of the batch that was run. */
static dpr_status read_probabilities(dpr_model *model, size_t which, const uint8_t *images,
                                     size_t rows, float *out) {
    dpr__forward *forward = &model->forward[which];
    size_t k = model->info.n_classes;
    if (model->tta == 0) {
        DPR_TRY(dpr_program_read(forward->program, forward->probabilities, forward->rows,
                                 (size_t)forward->batch * k * sizeof *forward->rows));
        memcpy(out, forward->rows, rows * k * sizeof *out);
        return DPR_OK;
    }
    DPR_TRY(run_views(model, which, model->tta, images, rows));
    for (size_t i = 0; i < rows; i++)
        soften(forward->sum + i * k, k);
    for (size_t i = 0; i < rows * k; i++)
        out[i] = (float)forward->sum[i];
    return DPR_OK;
}

dpr_status dpr_predict(dpr_model *model, const uint8_t *images, size_t n, float *probabilities) {
    if (n == 0)
        return DPR_OK;
    size_t which = n < MANY ? DPR__FORWARD_ONE : DPR__FORWARD_MANY;
    dpr__forward *forward;
    DPR_TRY(prepare(model, which, &forward));
    size_t batch = (size_t)forward->batch, k = model->info.n_classes;
    size_t image_bytes = (size_t)dpr__shape_count(&model->info.image);
    for (size_t first = 0; first < n; first += batch) {
        size_t rows = n - first < batch ? n - first : batch;
        DPR_TRY(run(model, which, images + first * image_bytes, NULL, rows));
        DPR_TRY(read_probabilities(model, which, images + first * image_bytes, rows,
                                   probabilities + first * k));
    }
    return DPR_OK;
}
