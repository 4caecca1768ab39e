/* Timing a network on synthetic data. The step-only graph reads some float32 batches in turn, so that the gather of a batch is in
 * the timed step but no conversion is; end to end is the trainer itself. A step may take microseconds or seconds: how much is
 * timed follows from the seconds that the caller grants, with LEAST_STEPS as the least. */
#include "backend/program.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/random.h"
#include "ir/shape.h"
#include "ops/conv.h"
#include "train/model.h"
#include "train/optimizer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASSES = 10,
    MOST_BATCHES = 8,      /* of the pool that steps take their batch from */
    POOL_BYTES = 64 << 20, /* it has fewer where they would take more than this, at least one */
    SET =
        16384, /* images of the end-to-end run, where an epoch of them takes no longer than the time granted */
    WARM_UP = 10, /* steps before those that are timed; one is enough where they take long */
    LEAST_STEPS = 3,
    MOST_STEPS = 100000,
};

dpr_bench_options dpr_bench_options_default(void) {
    return (dpr_bench_options){
        .size = sizeof(dpr_bench_options), .batch = 128, .train = true, .seconds = 1};
}

struct bench {
    dpr_context *context;
    dpr_bench_options options;
    dpr_model *model;
    int64_t n_batches; /* in the pool */
    dpr_store *store;  /* of the step-only graph */
    dpr_program *program;
    uint8_t *pixels;
    int32_t *labels;
};

/* ---- the step alone ---- */

static int64_t batches_for(const dpr_shape *image, unsigned batch) {
    int64_t fit = POOL_BYTES / ((int64_t)sizeof(float) * batch * dpr__shape_count(image));
    return fit < 1 ? 1 : fit < MOST_BATCHES ? fit : MOST_BATCHES;
}

static dpr_status append_training(const struct bench *b, dpr_graph *graph,
                                  const dpr__net_build *net, dpr_value which, dpr_value **roots,
                                  size_t *n_roots) {
    dpr_value all_labels =
        dpr_input(graph, "labels", DPR_I32, dpr_shape_of(b->n_batches, b->options.batch));
    dpr_value targets = dpr_one_hot(graph, dpr_gather(graph, all_labels, which), CLASSES);
    dpr_value loss =
        dpr_mean(graph, dpr_softmax_cross_entropy(graph, net->logits, targets), 1, false);
    dpr_value *parameters, *gradients = NULL;
    size_t n;
    DPR_TRY(dpr__parameters_of(graph, &parameters, &n));
    dpr_status status = dpr__allocate(b->context, n, sizeof *gradients, &gradients);
    if (status == DPR_OK)
        status = dpr__allocate(b->context, 3 + net->n_updates + DPR__MAX_UPDATES * n,
                               sizeof **roots, roots);
    if (status == DPR_OK)
        status = dpr_gradients(graph, loss, parameters, n, gradients);
    if (status == DPR_OK) {
        dpr__optimizer momentum = {.kind = DPR__OPTIMIZER_MOMENTUM, .momentum = 0.9};
        dpr__rates rates = {.minus_rate = dpr_constant(graph, -1e-3, dpr_scalar_shape())};
        const dpr__updates updates = {.graph = graph,
                                      .parameters = parameters,
                                      .gradients = gradients,
                                      .n = n,
                                      .optimizer = &momentum,
                                      .rates = &rates};
        dpr__optimizer_append(&updates, *roots, n_roots);
        (*roots)[(*n_roots)++] = dpr_guard(graph, loss);
        for (size_t i = 0; i < net->n_updates; i++)
            (*roots)[(*n_roots)++] = net->updates[i];
    }
    dpr__free(b->context, parameters);
    dpr__free(b->context, gradients);
    return status;
}

static dpr_status append_step(const struct bench *b, dpr_graph *graph, dpr__net_build *build,
                              dpr_value **roots, size_t *n_roots) {
    const dpr_shape in = b->model->info.image;
    dpr_value which = dpr_state(graph, "which", DPR_I32, dpr_scalar_shape());
    dpr_value pool =
        dpr_input(graph, "images", DPR_F32,
                  dpr_shape_of(b->n_batches, b->options.batch, in.dim[0], in.dim[1], in.dim[2]));
    *build = (dpr__net_build){.images = dpr_gather(graph, pool, which), .n_classes = CLASSES};
    DPR_TRY(dpr__net_append(b->model->net, graph, build));
    if (b->options.train)
        DPR_TRY(append_training(b, graph, build, which, roots, n_roots));
    else
        DPR_TRY(dpr__allocate(b->context, 2, sizeof **roots, roots));
    if (!b->options.train)
        (*roots)[(*n_roots)++] = build->logits;
    (*roots)[(*n_roots)++] = dpr_assign(graph, which, dpr__increment(graph, which));
    return dpr_graph_finish(graph);
}

/* Any values do, but subnormal ones. */
static void fill_inputs(const struct bench *b) {
    dpr__slot *images = dpr__store_find(b->store, "images");
    dpr__slot *labels = dpr__store_find(b->store, "labels");
    images->version++;
    if (labels != NULL)
        labels->version++;
    for (size_t i = 0; i < images->bytes / sizeof(float); i++)
        ((float *)images->data)[i] =
            (float)(2 * dpr__unit(dpr__philox(1, DPR__PURPOSE_INIT, 1, i).word[0]) - 1);
    for (size_t i = 0; labels != NULL && i < labels->bytes / sizeof(int32_t); i++)
        ((int32_t *)labels->data)[i] = (int32_t)(i % CLASSES);
}

static dpr_status compile_step(struct bench *b) {
    dpr_graph *graph = dpr_graph_create(b->context);
    dpr_value *roots = NULL;
    size_t n_roots = 0;
    dpr__net_build build = {0};
    dpr_program_options options = dpr_program_options_default();
    if (graph == NULL)
        return DPR_E_MEMORY;
    options.train = b->options.train;
    dpr_status status = append_step(b, graph, &build, &roots, &n_roots);
    dpr__net_build_release(b->context, &build);
    if (status == DPR_OK)
        status = dpr_store_create(b->context, &b->store);
    if (status == DPR_OK)
        status = dpr_program_create(graph, b->store, roots, n_roots, &options, &b->program);
    if (status == DPR_OK)
        fill_inputs(b);
    dpr__free(b->context, roots);
    dpr_graph_destroy(graph);
    return status;
}

static void release_step(struct bench *b) {
    dpr_program_destroy(b->program);
    dpr_store_destroy(b->store);
    b->program = NULL;
    b->store = NULL;
}

static int by_time(const void *x, const void *y) {
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

/* Nominal work of a product: twice its multiply-adds, those with the zeros of padding included, those with zeros that a kernel puts
 * between pixels not. A convolution and its two gradients all multiply each element of its result with the kh · kw · c / groups
 * taps of a filter. */
static double product_flops(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    dpr_shape a, b, dst = node->shape;
    if (node->op == DPR__OP_matmul) {
        a = dpr_value_shape(graph, dpr__source(graph, value, 0));
        bool turned = ((const dpr__matmul_param *)node->param)->transpose_a;
        return 2.0 * (double)dpr__shape_count(&dst) * (double)a.dim[turned ? 0 : 1];
    }
    if (!dpr__has_trait(node->op, DPR__CONVOLUTION))
        return 0;
    a = dpr_value_shape(graph, dpr__source(graph, value, 0));
    b = dpr_value_shape(graph, dpr__source(graph, value, 1));
    const dpr_shape *result = node->op == DPR__OP_conv2d        ? &dst
                              : node->op == DPR__OP_conv2d_data ? &a
                                                                : &b;
    /* Filters that are transformed for Winograd's method count as they were. */
    dpr_shape filters = node->op == DPR__OP_conv2d_weights ? dst : dpr__conv_taps(node->param, &b);
    return 2.0 * (double)dpr__shape_count(result) * (double)dpr__shape_count(&filters) /
           (double)result->dim[3];
}

static double step_flops(const dpr_program *program) {
    const dpr__step *step = program->step;
    double flops = 0;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        flops += step->group_of[v] != 0 && !step->kept[v] ? product_flops(step->graph, v) : 0;
    return flops;
}

/* One step; *ns: what it took. Counts on from the pool's first batch. */
static dpr_status time_step(const struct bench *b, size_t i, uint64_t *ns) {
    int32_t zero = 0;
    if (i % (size_t)b->n_batches == 0)
        DPR_TRY(dpr_store_write(b->store, "which", &zero, sizeof zero));
    uint64_t begin = dpr__now_ns();
    DPR_TRY(dpr_program_run(b->program, 1, NULL, NULL));
    *ns = dpr__now_ns() - begin;
    return DPR_OK;
}

/* Warms up for at most the time granted, then fills ns[MOST_STEPS] with *n steps. */
static dpr_status time_all(const struct bench *b, uint64_t *ns, size_t *n) {
    const uint64_t granted = (uint64_t)(1e9 * b->options.seconds);
    uint64_t spent = 0;
    size_t i = 0;
    for (; i < WARM_UP && spent < granted; i++, spent += ns[0])
        DPR_TRY(time_step(b, i, &ns[0]));
    uint64_t end = dpr__now_ns() + granted;
    for (*n = 0; *n < MOST_STEPS && (*n < LEAST_STEPS || dpr__now_ns() < end); i++, ++*n)
        DPR_TRY(time_step(b, i, &ns[*n]));
    return DPR_OK;
}

static dpr_status time_steps(const struct bench *b, dpr_bench_result *result) {
    uint64_t *ns;
    size_t n = 0;
    DPR_TRY(dpr__allocate(b->context, MOST_STEPS, sizeof *ns, &ns));
    dpr_status status = time_all(b, ns, &n);
    if (status == DPR_OK) {
        qsort(ns, n, sizeof *ns, by_time);
        size_t middle = n / 2, tenth = n / 10;
        result->step_us = (double)ns[middle] / 1000;
        result->step_us_p10 = (double)ns[tenth] / 1000;
        result->images_per_second = b->options.batch / result->step_us * 1e6;
        result->gflops = step_flops(b->program) / result->step_us / 1000;
    }
    dpr__free(b->context, ns);
    return status;
}

/* ---- end to end ---- */

static dpr_status time_run(struct bench *b, const dpr_data *data, dpr_bench_result *result) {
    dpr_train_options options = dpr_train_options_default();
    dpr_trainer *trainer;
    dpr_epoch_report report;
    double best = 0, seconds = 0;
    options.epochs = 1000;
    options.batch = b->options.batch;
    options.learning_rate = 1e-4;
    DPR_TRY(dpr_trainer_create(b->model, data, &options, &trainer));
    dpr_status status = DPR_OK;
    for (int epoch = 0; status == DPR_OK && (epoch < 2 || seconds < b->options.seconds); epoch++) {
        status = dpr_trainer_epoch(trainer, &report);
        seconds += status == DPR_OK ? report.seconds : 0;
        if (status == DPR_OK && report.images_per_second > best)
            best = report.images_per_second;
    }
    dpr_trainer_destroy(trainer);
    result->end_to_end_images_per_second = best;
    return status;
}

/* Images of a set of which an epoch takes no longer than the time granted, at the pace of the steps; never fewer than LEAST_STEPS
 * batches, unless SET is. */
static int64_t images_for(const struct bench *b, const dpr_bench_result *result) {
    double steps = result->images_per_second * b->options.seconds / b->options.batch;
    double n = floor(steps > LEAST_STEPS ? steps : LEAST_STEPS) * b->options.batch;
    return n < SET ? (int64_t)n : SET;
}

static dpr_status time_end_to_end(struct bench *b, dpr_bench_result *result) {
    dpr_data_info info = dpr_data_info_default();
    dpr_data *data;
    info.image = b->model->info.image;
    info.n_classes = CLASSES;
    size_t pixels = (size_t)dpr__shape_count(&info.image);
    size_t n = (size_t)images_for(b, result);
    DPR_TRY(dpr__allocate(b->context, n, pixels, &b->pixels));
    DPR_TRY(dpr__allocate(b->context, n, sizeof *b->labels, &b->labels));
    for (size_t i = 0; i < n * pixels; i++)
        b->pixels[i] = (uint8_t)(i * 2654435761U >> 13);
    for (size_t i = 0; i < n; i++)
        b->labels[i] = (int32_t)(i % CLASSES);
    DPR_TRY(dpr_data_create(b->context, &info, b->pixels, b->labels, n, NULL, NULL, &data));
    dpr_status status = time_run(b, data, result);
    dpr_data_destroy(data);
    return status;
}

/* ---- all ---- */

static dpr_status bench(struct bench *b, dpr_bench_result *result) {
    dpr_data_info info = dpr_data_info_default();
    info.n_classes = CLASSES;
    if (b->options.net == NULL || b->options.batch < 1 || b->options.batch > 65536 ||
        !(b->options.seconds > 0 && b->options.seconds <= 3600))
        return DPR_FAIL(b->context, DPR_E_ARGUMENT,
                        "bench: a net is needed, a batch from 1 to 65536, and up to 3600 seconds");
    DPR_TRY(dpr_model_from_net(b->context, "net", b->options.net, &info, 1, "auto", &b->model));
    b->n_batches = batches_for(&b->model->info.image, b->options.batch);
    DPR_TRY(compile_step(b));
    DPR_TRY(time_steps(b, result));
    release_step(b); /* the trainer has its own */
    return b->options.train && !b->options.step_only ? time_end_to_end(b, result) : DPR_OK;
}

dpr_status dpr_bench(dpr_context *context, const dpr_bench_options *options,
                     dpr_bench_result *result) {
    struct bench b = {.context = context, .options = dpr_bench_options_default()};
    memcpy(&b.options, options,
           options->size < sizeof b.options ? options->size : sizeof b.options);
    *result = (dpr_bench_result){.size = sizeof *result};
    dpr_status status = bench(&b, result);
    release_step(&b);
    dpr_model_destroy(b.model);
    dpr__free(context, b.pixels);
    dpr__free(context, b.labels);
    return status;
}
