/* Ten steps of SGD with momentum of two tiny nets against what PyTorch computes (make_golden.py):
 * normalisation, forward, loss, every gradient and the updates, on both backends. The batch has a
 * sixth row that counts for nothing. */
#include "golden/steps.h"
#include "train/model.h"
#include "train/optimizer.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 10, ROWS = 5, BATCH = 6, MOST = 256 };

struct net {
    const char *text;
    dpr_shape image;
    uint32_t classes;
    double rate, decay, smoothing;
    const double *losses, *gradients; /* (steps), (steps × parameters) */
    size_t n_parameters;
};

static const struct net nets[] = {
    {"input 3 3 1, linear 7, relu, linear classes",
     {3, {3, 3, 1}},
     4,
     0.1,
     0,
     0,
     relu_losses,
     relu_gradients[0],
     sizeof relu_gradients[0] / sizeof(double)},
    {"input 2 3 2, linear 6, tanh, linear 5, gelu, linear classes",
     {3, {2, 3, 2}},
     3,
     0.05,
     0.02,
     0.1,
     smooth_losses,
     smooth_gradients[0],
     sizeof smooth_gradients[0] / sizeof(double)},
};

struct run {
    dpr_context *context;
    dpr_model *model;
    dpr_graph *graph;
    dpr_value loss, parameters[8], gradients[8], roots[40];
    size_t n, n_roots;
    dpr_program *program;
};

static void ok(const struct run *run, dpr_status status) {
    if (status != DPR_OK)
        fail_msg("%s", dpr_error(run->context));
}

static void write_first_weights(struct run *run) {
    for (size_t p = 0; p < run->n; p++) {
        dpr_shape shape = dpr_value_shape(run->graph, run->parameters[p]);
        float values[MOST];
        int count = (int)shape.dim[0] * (shape.rank > 1 ? (int)shape.dim[1] : 1);
        for (int i = 0; i < count; i++)
            values[i] = (float)(((i * 37 + (int)p * 11 + 5) % 101 - 50) / 100.0);
        ok(run, dpr_store_write(run->model->store, dpr__leaf_name(run->graph, run->parameters[p]),
                                values, (size_t)count * sizeof *values));
    }
}

static void write_batch(struct run *run, const struct net *net) {
    uint8_t images[BATCH * 16] = {0};
    int32_t labels[BATCH] = {0}, rows = ROWS;
    int width = (int)(net->image.dim[0] * net->image.dim[1] * net->image.dim[2]);
    for (int row = 0; row < BATCH; row++) {
        labels[row] = (2 * row + 1) % (int)net->classes;
        for (int j = 0; j < width; j++)
            images[row * width + j] = (uint8_t)((row * 53 + j * 29 + row * j % 7 * 13) % 256);
    }
    dpr_store *store = run->model->store;
    ok(run, dpr_store_write(store, "images", images, (size_t)(BATCH * width)));
    ok(run, dpr_store_write(store, "labels", labels, sizeof labels));
    ok(run, dpr_store_write(store, "rows", &rows, sizeof rows));
}

static void build(struct run *run, const struct net *net) {
    dpr_value logits, *parameters;
    ok(run, dpr__model_forward(run->model, "images", "rows", &run->graph, &logits));
    dpr_graph *graph = run->graph;
    dpr_value labels = dpr_input(graph, "labels", DPR_I32, dpr_shape_of(DPR_BATCH));
    dpr_value rows = dpr_input(graph, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value targets =
        dpr_scale(graph, dpr_one_hot(graph, labels, net->classes), 1 - net->smoothing);
    targets = dpr_add(graph, targets,
                      dpr_constant(graph, net->smoothing / net->classes, dpr_scalar_shape()));
    dpr_value loss = dpr_softmax_cross_entropy(graph, logits, targets);
    run->loss = dpr_batch_mean(graph, loss, rows);
    ok(run, dpr__parameters_of(graph, &parameters, &run->n));
    assert_true(run->n <= 8);
    memcpy(run->parameters, parameters, run->n * sizeof *parameters);
    dpr__free(run->context, parameters);
    ok(run, dpr_gradients(graph, run->loss, run->parameters, run->n, run->gradients));
    run->roots[run->n_roots++] = run->loss;
    for (size_t p = 0; p < run->n; p++)
        run->roots[run->n_roots++] = run->gradients[p];
    dpr__optimizer optimizer = {
        .kind = DPR__OPTIMIZER_MOMENTUM, .momentum = 0.9, .weight_decay = net->decay};
    dpr__rates rates = {.minus_rate = dpr_constant(graph, -net->rate, dpr_scalar_shape())};
    const dpr__updates updates = {.graph = graph,
                                  .parameters = run->parameters,
                                  .gradients = run->gradients,
                                  .n = run->n,
                                  .optimizer = &optimizer,
                                  .rates = &rates};
    dpr__optimizer_append(&updates, run->roots, &run->n_roots);
    ok(run, dpr_graph_finish(graph));
    dpr_program_options options = dpr_program_options_default();
    options.batch = BATCH;
    options.train = true;
    ok(run, dpr_program_create(graph, run->model->store, run->roots, run->n_roots, &options,
                               &run->program));
}

static void near(const char *what, int step, size_t element, double got, double wanted) {
    if (!(fabs(got - wanted) <= 1e-5))
        fail_msg("%s, step %d, element %zu: %.9g, PyTorch has %.9g", what, step + 1, element, got,
                 wanted);
}

static void compare_step(struct run *run, const struct net *net, int step) {
    float loss, values[MOST];
    ok(run, dpr_program_run(run->program, 1, NULL, NULL));
    ok(run, dpr_program_read(run->program, run->loss, &loss, sizeof loss));
    near("loss", step, 0, (double)loss, net->losses[step]);
    const double *wanted = net->gradients + (size_t)step * net->n_parameters;
    for (size_t p = 0; p < run->n; p++) {
        dpr_shape shape = dpr_value_shape(run->graph, run->parameters[p]);
        size_t count = (size_t)(shape.dim[0] * (shape.rank > 1 ? shape.dim[1] : 1));
        ok(run, dpr_program_read(run->program, run->gradients[p], values, count * sizeof *values));
        for (size_t i = 0; i < count; i++)
            near(dpr__leaf_name(run->graph, run->parameters[p]), step, i, (double)values[i],
                 *wanted++);
    }
    assert_ptr_equal(wanted, net->gradients + (size_t)(step + 1) * net->n_parameters);
}

static void compare(const char *device, const struct net *net) {
    struct run run = {0};
    dpr_context_options options = dpr_context_options_default();
    options.device = device;
    options.threads = 2;
    assert_int_equal(dpr_context_create(&options, &run.context), DPR_OK);
    dpr_data_info info = dpr_data_info_default();
    info.image = net->image;
    info.n_classes = net->classes;
    for (int c = 0; c < 4; c++) {
        info.mean[c] = 0.4;
        info.deviation[c] = 0.3;
    }
    ok(&run, dpr_model_from_net(run.context, "golden", net->text, &info, 1, "auto", &run.model));
    build(&run, net);
    ok(&run, dpr__model_write_normalisation(run.model));
    write_first_weights(&run);
    write_batch(&run, net);
    for (int step = 0; step < STEPS; step++)
        compare_step(&run, net, step);
    dpr_program_destroy(run.program);
    dpr_graph_destroy(run.graph);
    dpr_model_destroy(run.model);
    dpr_context_destroy(run.context);
}

static void relu_net_on_ref(void **state) {
    (void)state;
    compare("ref", &nets[0]);
}
static void relu_net_on_cpu(void **state) {
    (void)state;
    compare("cpu", &nets[0]);
}
static void smooth_net_on_ref(void **state) {
    (void)state;
    compare("ref", &nets[1]);
}
static void smooth_net_on_cpu(void **state) {
    (void)state;
    compare("cpu", &nets[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relu_net_on_ref),
        cmocka_unit_test(relu_net_on_cpu),
        cmocka_unit_test(smooth_net_on_ref),
        cmocka_unit_test(smooth_net_on_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
