/* Looking inside a model: one program that keeps what every layer computes, and one at a time that differentiates a layer's output with respect to the
 * pixels, or a logit with respect to a layer. Gradients are those of predictions: dropout does nothing, batch normalisation takes its running statistics. */
#include "base/context.h"
#include "ir/shape.h"
#include "train/model.h"
#include <math.h>
#include <string.h>

/* ∂(Σ weights·to)/∂from. */
struct slope {
    dpr_program *program;      /* NULL: none yet */
    size_t to, from;           /* layers; from == n_layers: the pixels */
    dpr_value value, gradient; /* of `from` */
};

enum { SLOPES = 2 };

struct dpr_probe {
    dpr_model *model;
    unsigned batch;
    dpr_program *forward;             /* NULL until images are run */
    dpr_value *outputs;               /* its layers', n_layers */
    size_t rows;                      /* images of the last run */
    struct slope slopes[SLOPES];      /* the last that were wanted; */
    struct slope *slope;              /* of these the last */
    float *pixels, *weights, *values; /* scratch of one image and one layer: see make_scratch */
};

static dpr_context *context_of(const dpr_probe *probe) {
    return probe->model->context;
}

static size_t floats(const dpr_shape *shape) {
    return (size_t)dpr__shape_count(shape);
}

/* Room for the whole batch of what a layer makes: programs are read and leaves are written whole. */
static dpr_status make_scratch(dpr_probe *probe) {
    size_t most = 0, image = floats(&probe->model->info.image);
    for (size_t i = 0; i < probe->model->n_layers; i++) {
        size_t n = floats(&probe->model->layers[i].output);
        most = n > most ? n : most;
    }
    most = image > most ? image : most;
    DPR_TRY(dpr__allocate(context_of(probe), probe->batch, image * sizeof(float), &probe->pixels));
    DPR_TRY(dpr__allocate(context_of(probe), probe->batch, most * sizeof(float), &probe->weights));
    return dpr__allocate(context_of(probe), probe->batch, most * sizeof(float), &probe->values);
}

dpr_status dpr_probe_create(dpr_model *model, unsigned batch, dpr_probe **out) {
    dpr_probe *probe;
    if (batch == 0)
        return DPR_FAIL(model->context, DPR_E_ARGUMENT, "probe: a batch has at least one image");
    DPR_TRY(dpr__allocate(model->context, 1, sizeof *probe, &probe));
    *probe = (dpr_probe){.model = model, .batch = batch};
    dpr_status status = make_scratch(probe);
    if (status != DPR_OK)
        dpr_probe_destroy(probe);
    else
        *out = probe;
    return status;
}

void dpr_probe_destroy(dpr_probe *probe) {
    if (probe == NULL)
        return;
    dpr_context *context = context_of(probe);
    dpr_program_destroy(probe->forward);
    for (size_t i = 0; i < SLOPES; i++)
        dpr_program_destroy(probe->slopes[i].program);
    dpr__free(context, probe->outputs);
    dpr__free(context, probe->pixels);
    dpr__free(context, probe->weights);
    dpr__free(context, probe->values);
    dpr__free(context, probe);
}

static dpr_status check_layer(const dpr_probe *probe, size_t layer) {
    if (layer >= probe->model->n_layers)
        return DPR_FAIL(context_of(probe), DPR_E_ARGUMENT, "probe: layer %zu of %zu", layer,
                        probe->model->n_layers);
    return DPR_OK;
}

static dpr_status check_rows(const dpr_probe *probe, size_t n) {
    if (n > probe->batch)
        return DPR_FAIL(context_of(probe), DPR_E_ARGUMENT,
                        "probe: %zu images at a time, it was made for %u", n, probe->batch);
    return DPR_OK;
}

/* ---- forward ---- */

static dpr_status compile(const dpr_probe *probe, dpr_graph *graph, const dpr_value *roots,
                          size_t n, dpr_program **out) {
    DPR_TRY(dpr_graph_finish(graph));
    dpr_program_options options = dpr_program_options_default();
    options.batch = probe->batch;
    DPR_TRY(dpr_program_create(graph, probe->model->store, roots, n, &options, out));
    dpr_status status = dpr__model_write_normalisation(probe->model);
    if (status != DPR_OK) {
        dpr_program_destroy(*out);
        *out = NULL;
    }
    return status;
}

static dpr_status compile_forward(dpr_probe *probe) {
    dpr__net_build build = {0};
    dpr_graph *graph = dpr_graph_create(context_of(probe));
    if (graph == NULL)
        return DPR_E_MEMORY;
    dpr_status status =
        dpr__model_append_leaves(probe->model, graph, DPR_U8, "probe.images", "probe.rows", &build);
    if (status == DPR_OK)
        status = compile(probe, graph, build.outputs, build.n_layers, &probe->forward);
    if (status == DPR_OK) {
        probe->outputs = build.outputs;
        build.outputs = NULL;
    }
    dpr__net_build_release(context_of(probe), &build);
    dpr_graph_destroy(graph);
    return status;
}

/* The first n rows of a leaf; those up to the batch become zero, so that nothing depends on what ran before. */
static void write_rows(const dpr_probe *probe, const char *leaf, const void *rows, size_t n,
                       size_t row_bytes) {
    dpr__slot *slot = dpr__store_find(probe->model->store, leaf);
    slot->version++;
    memcpy(slot->data, rows, n * row_bytes);
    memset((char *)slot->data + n * row_bytes, 0, (probe->batch - n) * row_bytes);
}

dpr_status dpr_probe_run(dpr_probe *probe, const uint8_t *images, size_t n) {
    DPR_TRY(check_rows(probe, n));
    if (probe->forward == NULL)
        DPR_TRY(compile_forward(probe));
    write_rows(probe, "probe.images", images, n, floats(&probe->model->info.image));
    probe->rows = n;
    return dpr_program_run(probe->forward, 1, NULL, NULL);
}

/* The first n rows of a root whose rows have `each` numbers. */
static dpr_status read_rows(const dpr_probe *probe, const dpr_program *program, dpr_value root,
                            size_t each, size_t n, float *out) {
    DPR_TRY(dpr_program_read(program, root, probe->values, probe->batch * each * sizeof *out));
    memcpy(out, probe->values, n * each * sizeof *out);
    return DPR_OK;
}

dpr_status dpr_probe_output(const dpr_probe *probe, size_t layer, float *values) {
    DPR_TRY(check_layer(probe, layer));
    if (probe->forward == NULL)
        return DPR_FAIL(context_of(probe), DPR_E_ARGUMENT, "probe: no images were run");
    return read_rows(probe, probe->forward, probe->outputs[layer],
                     floats(&probe->model->layers[layer].output), probe->rows, values);
}

/* ---- backward ---- */

enum { NAME = 32 };
/* Layers differ in shape, so each has a leaf of its own. */
static const char *weights_leaf(const dpr_probe *probe, size_t layer, char out[NAME]) {
    dpr__format(context_of(probe), out, NAME, "probe.weights/%zu", layer);
    return out;
}

/* Σ weights·value of the rows that are images. */
static dpr_value append_objective(const dpr_probe *probe, dpr_graph *graph, size_t layer,
                                  const dpr__net_build *build) {
    char name[NAME];
    dpr_value value = build->outputs[layer];
    dpr_shape shape = dpr_value_shape(graph, value);
    unsigned of_an_image = ((1U << shape.rank) - 1) & ~1U;
    dpr_graph_scope(graph, "objective");
    dpr_value weights = dpr_input(graph, weights_leaf(probe, layer, name), DPR_F32, shape);
    value = dpr_sum(graph, dpr_multiply(graph, value, weights), of_an_image, false);
    return dpr_sum(graph, dpr_prefix(graph, value, build->rows), 1, false);
}

static dpr_status append_slope(const dpr_probe *probe, dpr_graph *graph, struct slope *slope) {
    dpr__net_build build = {0};
    dpr_status status = dpr__model_append_leaves(probe->model, graph, DPR_F32, "probe.pixels",
                                                 "probe.rows", &build);
    if (status == DPR_OK) {
        dpr_value objective = append_objective(probe, graph, slope->to, &build);
        slope->value = slope->from < build.n_layers ? build.outputs[slope->from]
                                                    : dpr__find_leaf(graph, "probe.pixels");
        status = dpr_graph_finish(graph);
        if (status == DPR_OK)
            status = dpr_gradients(graph, objective, &slope->value, 1, &slope->gradient);
    }
    dpr__net_build_release(context_of(probe), &build);
    return status;
}

/* The program of ∂to/∂from; the one that was wanted before the last goes. */
static dpr_status want_slope(dpr_probe *probe, size_t to, size_t from) {
    struct slope *slope = NULL;
    for (size_t i = 0; i < SLOPES; i++) {
        struct slope *one = &probe->slopes[i];
        if (one->program != NULL && one->to == to && one->from == from) {
            probe->slope = one;
            return DPR_OK;
        }
        if (slope == NULL || slope == probe->slope)
            slope = one;
    }
    dpr_program_destroy(slope->program);
    *slope = (struct slope){.to = to, .from = from};
    probe->slope = slope;
    dpr_graph *graph = dpr_graph_create(context_of(probe));
    if (graph == NULL)
        return DPR_E_MEMORY;
    dpr_status status = append_slope(probe, graph, slope);
    if (status == DPR_OK)
        status =
            compile(probe, graph, (dpr_value[]){slope->gradient, slope->value}, 2, &slope->program);
    dpr_graph_destroy(graph);
    return status;
}

/* Runs n pixel images, with weights for what the slope differentiates. */
static dpr_status run_slope(dpr_probe *probe, const float *pixels, const float *weights, size_t n) {
    char name[NAME];
    const dpr_model *model = probe->model;
    size_t to = probe->slope->to;
    int32_t count = (int32_t)n;
    write_rows(probe, "probe.pixels", pixels, n, floats(&model->info.image) * sizeof *pixels);
    write_rows(probe, weights_leaf(probe, to, name), weights, n,
               floats(&model->layers[to].output) * sizeof *weights);
    DPR_TRY(dpr_store_write(model->store, "probe.rows", &count, sizeof count));
    return dpr_program_run(probe->slope->program, 1, NULL, NULL);
}

dpr_status dpr_probe_gradient(dpr_probe *probe, size_t layer, const float *pixels,
                              const float *weights, size_t n, float *gradient) {
    const dpr_model *model = probe->model;
    DPR_TRY(check_layer(probe, layer));
    DPR_TRY(check_rows(probe, n));
    DPR_TRY(want_slope(probe, layer, model->n_layers));
    DPR_TRY(run_slope(probe, pixels, weights, n));
    return read_rows(probe, probe->slope->program, probe->slope->gradient,
                     floats(&model->info.image), n, gradient);
}

/* ---- of one class ---- */

/* The slope of one image's logit: what want_slope has made. */
static dpr_status run_logit(dpr_probe *probe, const uint8_t *image, uint32_t class_index) {
    const dpr_model *model = probe->model;
    if (class_index >= model->info.n_classes)
        return DPR_FAIL(context_of(probe), DPR_E_ARGUMENT, "probe: class %u of %u", class_index,
                        model->info.n_classes);
    for (size_t i = 0; i < floats(&model->info.image); i++)
        probe->pixels[i] = image[i];
    memset(probe->weights, 0, model->info.n_classes * sizeof *probe->weights);
    probe->weights[class_index] = 1;
    return run_slope(probe, probe->pixels, probe->weights, 1);
}

dpr_status dpr_probe_saliency(dpr_probe *probe, const uint8_t *image, uint32_t class_index,
                              float *map) {
    const dpr_model *model = probe->model;
    const dpr_shape *shape = &model->info.image;
    size_t channels = (size_t)shape->dim[2], pixels = floats(shape) / channels;
    DPR_TRY(want_slope(probe, model->n_layers - 1, model->n_layers));
    DPR_TRY(run_logit(probe, image, class_index));
    DPR_TRY(read_rows(probe, probe->slope->program, probe->slope->gradient, pixels * channels, 1,
                      probe->pixels));
    for (size_t i = 0; i < pixels; i++) {
        map[i] = 0;
        for (size_t c = 0; c < channels; c++)
            map[i] = fmaxf(map[i], fabsf(probe->pixels[i * channels + c]));
    }
    return DPR_OK;
}

dpr_status dpr_probe_grad_cam(dpr_probe *probe, const uint8_t *image, uint32_t class_index,
                              size_t layer, float *map) {
    const dpr_model *model = probe->model;
    DPR_TRY(check_layer(probe, layer));
    const dpr_shape *shape = &model->layers[layer].output;
    if (shape->rank != 3)
        return DPR_FAIL(context_of(probe), DPR_E_SHAPE,
                        "grad-cam: the output of layer '%s' is no picture",
                        model->layers[layer].name);
    size_t channels = (size_t)shape->dim[2], places = floats(shape) / channels;
    float *maps = probe->weights; /* free again once the slope has run */
    DPR_TRY(want_slope(probe, model->n_layers - 1, layer));
    DPR_TRY(run_logit(probe, image, class_index));
    DPR_TRY(
        read_rows(probe, probe->slope->program, probe->slope->value, places * channels, 1, maps));
    DPR_TRY(dpr_program_read(probe->slope->program, probe->slope->gradient, probe->values,
                             probe->batch * places * channels * sizeof *probe->values));
    memset(map, 0, places * sizeof *map);
    for (size_t c = 0; c < channels; c++) {
        double alpha = 0;
        for (size_t i = 0; i < places; i++)
            alpha += (double)probe->values[i * channels + c];
        alpha /= (double)places;
        for (size_t i = 0; i < places; i++)
            map[i] += (float)alpha * maps[i * channels + c];
    }
    for (size_t i = 0; i < places; i++)
        map[i] = fmaxf(map[i], 0);
    return DPR_OK;
}
