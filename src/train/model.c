/* Models from net text, and the graphs over them. */
#include "train/model.h"
#include "base/context.h"
#include "base/sha256.h"
#include "ir/shape.h"
#include <string.h>

/* ---- graphs ---- */

dpr_leaf_kind dpr__kind_of(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    return node->op == DPR__OP_leaf ? (dpr_leaf_kind)((const dpr__leaf_param *)node->param)->kind
                                    : DPR_INPUT;
}

dpr_status dpr__parameters_of(const dpr_graph *graph, dpr_value **out, size_t *n) {
    DPR_TRY(dpr__allocate(graph->context, graph->n_nodes, sizeof **out, out));
    *n = 0;
    for (dpr_value value = 1; value < graph->n_nodes; value++)
        if (dpr__kind_of(graph, value) == DPR_PARAMETER)
            (*out)[(*n)++] = value;
    return DPR_OK;
}

/* Bytes, or f32 numbers like them, to zero mean and unit variance: x·scale + shift with scale = 1/(255·deviation) and
 * shift = −mean/deviation, per channel. */
static dpr_value normalise(dpr_graph *graph, dpr_value images, int64_t channels) {
    dpr_shape per_channel = dpr_shape_of(channels);
    dpr__role role = graph->role;
    graph->role = DPR__DATA;
    dpr_graph_scope(graph, "normalise");
    dpr_value scale = dpr_input(graph, "normalise.scale", DPR_F32, per_channel);
    dpr_value shift = dpr_input(graph, "normalise.shift", DPR_F32, per_channel);
    if (graph->status == DPR_OK && dpr__node_of(graph, images)->dtype == DPR_U8)
        images = dpr_cast(graph, images, DPR_F32);
    dpr_value x = dpr_multiply(graph, images, scale);
    x = dpr_add(graph, x, shift);
    dpr_graph_scope(graph, NULL);
    graph->role = role;
    return x;
}

/* A gradient of the first layer's output, say, does without the shift. */
static dpr_status write_if_read(dpr_store *store, const char *leaf, const float *values, size_t n) {
    if (dpr__store_find(store, leaf) == NULL)
        return DPR_OK;
    return dpr_store_write(store, leaf, values, n * sizeof *values);
}

dpr_status dpr__model_write_normalisation(const dpr_model *model) {
    float scale[DPR__MAX_CHANNELS], shift[DPR__MAX_CHANNELS];
    size_t channels = (size_t)model->info.image.dim[2];
    for (size_t c = 0; c < channels; c++) {
        scale[c] = (float)(1 / (255 * model->info.deviation[c]));
        shift[c] = (float)(-model->info.mean[c] / model->info.deviation[c]);
    }
    DPR_TRY(write_if_read(model->store, "normalise.scale", scale, channels));
    return write_if_read(model->store, "normalise.shift", shift, channels);
}

dpr_status dpr__model_append(const dpr_model *model, dpr_graph *graph, dpr__net_build *build) {
    build->images = normalise(graph, build->images, model->info.image.dim[2]);
    build->n_classes = model->info.n_classes;
    build->init = model->init;
    return dpr__net_append(model->net, graph, build);
}

dpr_status dpr__model_append_leaves(const dpr_model *model, dpr_graph *graph, dpr_dtype dtype,
                                    const char *images, const char *rows, dpr__net_build *build) {
    const int64_t *dim = model->info.image.dim;
    dpr__role role = graph->role;
    graph->role = DPR__DATA;
    build->images =
        dpr_input(graph, images, dtype, dpr_shape_of(DPR_BATCH, dim[0], dim[1], dim[2]));
    build->rows = dpr_input(graph, rows, DPR_I32, dpr_scalar_shape());
    graph->role = role;
    return dpr__model_append(model, graph, build);
}

dpr_status dpr__model_forward(const dpr_model *model, const char *images, const char *rows,
                              dpr_graph **out, dpr_value *logits) {
    dpr__net_build build = {0};
    dpr_graph *graph = dpr_graph_create(model->context);
    if (graph == NULL)
        return DPR_E_MEMORY;
    dpr_status status = dpr__model_append_leaves(model, graph, DPR_U8, images, rows, &build);
    *logits = build.logits;
    dpr__net_build_release(model->context, &build);
    if (status == DPR_OK)
        status = dpr_graph_finish(graph);
    if (status != DPR_OK)
        dpr_graph_destroy(graph);
    else
        *out = graph;
    return status;
}

/* Loss and gradients behind a forward graph: what the drawing shows. */
static dpr_status append_backward(const dpr_model *model, dpr_graph *graph, dpr_value logits) {
    dpr_value *parameters, *gradients;
    size_t n;
    dpr_graph_scope(graph, "loss");
    dpr_value labels = dpr_input(graph, "labels", DPR_I32, dpr_shape_of(DPR_BATCH));
    dpr_value rows = dpr_input(graph, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value targets = dpr_one_hot(graph, labels, model->info.n_classes);
    dpr_value loss = dpr_softmax_cross_entropy(graph, logits, targets);
    loss = dpr_batch_mean(graph, loss, rows);
    dpr_graph_scope(graph, NULL);
    DPR_TRY(dpr__parameters_of(graph, &parameters, &n));
    dpr_status status = dpr__allocate(model->context, n, sizeof *gradients, &gradients);
    if (status == DPR_OK) {
        status = dpr_gradients(graph, loss, parameters, n, gradients);
        dpr__free(model->context, gradients);
    }
    dpr__free(model->context, parameters);
    return status == DPR_OK ? dpr_graph_finish(graph) : status;
}

dpr_status dpr_model_graph(const dpr_model *model, bool backward, dpr_graph **out) {
    dpr_graph *graph;
    dpr_value logits;
    DPR_TRY(dpr__model_forward(model, "images", "rows", &graph, &logits));
    dpr_status status = backward ? append_backward(model, graph, logits) : DPR_OK;
    if (status != DPR_OK)
        dpr_graph_destroy(graph);
    else
        *out = graph;
    return status;
}

/* ---- making ---- */

/* Completes info by what the net text says of its input. */
static dpr_status settle_input(dpr_model *model, const char *name) {
    bool of_data;
    dpr_shape input = dpr__net_input(model->net, &of_data);
    dpr_data_info *info = &model->info;
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    if (of_data && info->image.rank != 0)
        input = info->image;
    if (input.rank == 0)
        return DPR_FAIL(model->context, DPR_E_ARGUMENT,
                        "%s: 'input data' takes the size of the data, and here is none; write "
                        "'input HEIGHT WIDTH CHANNELS'",
                        name);
    if (info->image.rank != 0 && !dpr__shape_equal(&info->image, &input))
        return DPR_FAIL(model->context, DPR_E_MISMATCH,
                        "%s: the network's input is %s, the images are %s", name,
                        dpr__shape_text(&input, a), dpr__shape_text(&info->image, b));
    DPR_ASSERT(input.rank == 3 && input.dim[2] <= DPR__MAX_CHANNELS);
    info->image = input; /* data whose shape is not known yet takes the network's */
    for (int64_t c = 0; c < input.dim[2]; c++)
        if (!(info->deviation[c] > 0)) { /* not known */
            info->mean[c] = 0;
            info->deviation[c] = 1;
        }
    return DPR_OK;
}

/* Net text to forward graph, once, to check it and to count; programs append it again later. The layers' strings live in
 * the net, so that they outlive the graph. */
static dpr_status build(dpr_model *model, const char *name, dpr_graph *graph) {
    dpr__net_build build = {0};
    DPR_TRY(dpr__net_parse(model->context, name, model->text, &model->net));
    DPR_TRY(settle_input(model, name));
    DPR_TRY(dpr__model_append_leaves(model, graph, DPR_U8, "images", "rows", &build));
    model->layers = build.layers;
    model->n_layers = build.n_layers;
    build.layers = NULL;
    dpr__net_build_release(model->context, &build);
    DPR_TRY(dpr_graph_finish(graph));
    model->info.n_classes = /* nn checked them */
        (uint32_t)dpr_value_shape(graph, build.logits).dim[1];
    dpr_value *parameters;
    size_t n;
    DPR_TRY(dpr__parameters_of(graph, &parameters, &n));
    for (size_t i = 0; i < n; i++)
        model->n_parameters +=
            (uint64_t)dpr__shape_count(&dpr__node_of(graph, parameters[i])->shape);
    dpr__free(model->context, parameters);
    return DPR_OK;
}

static dpr_status fill(dpr_model *model, const char *name, const char *text,
                       const dpr_data_info *info, const char *init, dpr_graph **graph) {
    dpr_context *context = model->context;
    dpr_data_info none = dpr_data_info_default();
    DPR_TRY(dpr__info_copy(context, info ? info : &none, &model->info));
    DPR_TRY(dpr__duplicate(context, text, &model->text));
    DPR_TRY(dpr__duplicate(context, init ? init : "auto", &model->init));
    DPR_TRY(dpr__duplicate(context, "", &model->run));
    DPR_TRY(dpr_store_create(context, &model->store));
    *graph = dpr_graph_create(context);
    if (*graph == NULL)
        return DPR_E_MEMORY;
    dpr_status status = build(model, name, *graph);
    if (status != DPR_OK)
        dpr_graph_destroy(*graph);
    return status;
}

dpr_status dpr__model_begin(dpr_context *context, const char *name, const char *text,
                            const dpr_data_info *info, const char *init, dpr_model **out,
                            dpr_graph **graph) {
    dpr_model *model;
    DPR_TRY(dpr__allocate(context, 1, sizeof *model, &model));
    model->context = context;
    dpr_status status = fill(model, name, text, info, init, graph);
    if (status != DPR_OK)
        dpr_model_destroy(model);
    else
        *out = model;
    return status;
}

dpr_status dpr__model_materialise(dpr_model *model, const dpr_graph *graph, bool zeros) {
    for (dpr_value value = 1; value < graph->n_nodes; value++) {
        if (!dpr__model_owns(dpr__kind_of(graph, value)))
            continue;
        dpr__leaf_param param = *(const dpr__leaf_param *)dpr__node_of(graph, value)->param;
        size_t slot;
        if (zeros)
            param.init = DPR_INIT_ZERO;
        DPR_TRY(dpr__store_want(model->store, &param, model->seed, &slot));
    }
    return DPR_OK;
}

dpr_status dpr_model_from_net(dpr_context *context, const char *name, const char *net,
                              const dpr_data_info *info, uint64_t seed, const char *init,
                              dpr_model **out) {
    dpr_model *model;
    dpr_graph *graph;
    const char *text;
    DPR_TRY(dpr__preset_resolve(context, net, &text));
    DPR_TRY(dpr__model_begin(context, name, text, info, init, &model, &graph));
    model->seed = seed;
    dpr_status status = dpr__model_materialise(model, graph, false);
    dpr_graph_destroy(graph);
    if (status != DPR_OK)
        dpr_model_destroy(model);
    else
        *out = model;
    return status;
}

void dpr_model_destroy(dpr_model *model) {
    if (model == NULL)
        return;
    dpr_context *context = model->context;
    dpr__forward_release(model);
    dpr__free(context, model->layers);
    dpr__net_destroy(model->net);
    dpr_store_destroy(model->store);
    dpr__info_release(context, &model->info);
    dpr__free(context, model->text);
    dpr__free(context, model->init);
    dpr__free(context, model->run);
    dpr__free(context, model);
}

/* ---- asking ---- */

const dpr_data_info *dpr_model_describe(const dpr_model *model) {
    return &model->info;
}

const char *dpr_model_net(const dpr_model *model) {
    return model->text;
}

dpr_status dpr_model_set_tta(dpr_model *model, const char *views) {
    for (unsigned i = 0; i < DPR__N_TTA; i++)
        if (strcmp(views, dpr__tta_words[i]) == 0) {
            model->tta = i;
            dpr__forward_release(model); /* buffers are made for what is wanted */
            return DPR_OK;
        }
    const char *near = dpr_nearest_word(views, dpr__tta_words, DPR__N_TTA);
    return DPR_FAIL(model->context, DPR_E_ARGUMENT,
                    "tta '%.64s' is neither none, flip, translate nor flip,translate%s%s%s", views,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

const char *dpr_model_tta(const dpr_model *model) {
    return dpr__tta_words[model->tta];
}

uint64_t dpr_model_parameters(const dpr_model *model) {
    return model->n_parameters;
}

const char *dpr_model_run(const dpr_model *model) {
    return model->run;
}

size_t dpr_model_layers(const dpr_model *model, const dpr_layer **layers) {
    *layers = model->layers;
    return model->n_layers;
}

dpr_status dpr_model_weights_sha256(const dpr_model *model, char hex[65]) {
    dpr__sha256 hash;
    uint8_t digest[32];
    dpr__sha256_init(&hash);
    for (size_t i = 0; i < model->store->n_slots; i++) {
        const dpr__slot *slot = &model->store->slots[i];
        void *plain;
        if (slot->kind != DPR_PARAMETER)
            continue;
        DPR_TRY(dpr__allocate(model->context, slot->bytes, 1, &plain));
        dpr__slot_read(slot, plain);
        dpr__sha256_add(&hash, plain, slot->bytes);
        dpr__free(model->context, plain);
    }
    dpr__sha256_finish(&hash, digest);
    dpr__sha256_hex(digest, hex);
    return DPR_OK;
}
