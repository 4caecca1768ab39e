/* The model file: safetensors, with what describes the network in the metadata (docs/training.md).
 * Files are hostile: nothing is made from the net text before the file is known to hold its
 * weights. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "ir/shape.h"
#include "train/model.h"
#include <string.h>

static const char format[] = "1";
static const char *const fit_words[] = {
    [DPR_FIT] = "fit", [DPR_CROP] = "crop", [DPR_STRETCH] = "stretch"};

/* ---- metadata as text ---- */

static void add_classes(dpr__text *text, const dpr_data_info *info) {
    dpr__text_add(text, "[");
    for (uint32_t i = 0; info->class_names != NULL && i < info->n_classes; i++) {
        dpr__text_add(text, "%s", i > 0 ? "," : "");
        dpr__text_json(text, info->class_names[i]);
    }
    dpr__text_add(text, "]");
}

static void add_doubles(dpr__text *text, const double *values, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        dpr__text_add(text, "%s", i > 0 ? " " : "");
        dpr__json_add_double(text, values[i]);
    }
}

/* Moves a finished text into the arena. */
static dpr_status keep(dpr__arena *arena, dpr__text *text, const char **out) {
    char *made;
    DPR_TRY(dpr__text_finish(text, &made));
    *out = dpr__arena_text(arena, made, strlen(made));
    dpr__free(arena->context, made);
    return *out == NULL ? DPR_E_MEMORY : DPR_OK;
}

dpr_status dpr__model_metadata(const dpr_model *model, dpr__arena *arena, dpr__metadata *items) {
    static const char *const keys[DPR__MODEL_KEYS] = {
        "deeper", "net", "image", "n_classes", "classes", "fit", "mean", "deviation", "tta"};
    const dpr_data_info *info = &model->info;
    const int64_t *dim = info->image.dim;
    for (size_t i = 0; i < DPR__MODEL_KEYS; i++) {
        dpr__text text;
        dpr__text_init(&text, model->context);
        switch (i) {
        case 0:
            dpr__text_add(&text, "%s", format);
            break;
        case 1:
            dpr__text_bytes(&text, model->text, strlen(model->text));
            break;
        case 2:
            dpr__text_add(&text, "%lld %lld %lld", (long long)dim[0], (long long)dim[1],
                          (long long)dim[2]);
            break;
        case 3:
            dpr__text_add(&text, "%u", info->n_classes);
            break;
        case 4:
            add_classes(&text, info);
            break;
        case 5:
            dpr__text_add(&text, "%s", fit_words[info->fit]);
            break;
        case 6:
            add_doubles(&text, info->mean, dim[2]);
            break;
        case 7:
            add_doubles(&text, info->deviation, dim[2]);
            break;
        case 8:
            dpr__text_add(&text, "%s", dpr__tta_words[model->tta]);
            break;
        default:
            break;
        }
        items[i].key = keys[i];
        DPR_TRY(keep(arena, &text, &items[i].value));
    }
    return DPR_OK;
}

/* ---- writing ---- */

/* The row-major copies of the slots of one kind, appended to tensors. */
static dpr_status list_leaves(const dpr_store *store, dpr_leaf_kind kind, dpr__arena *arena,
                              dpr__stored *tensors, size_t *n) {
    for (size_t i = 0; i < store->n_slots; i++) {
        const dpr__slot *slot = &store->slots[i];
        if (slot->kind != kind)
            continue;
        void *plain = dpr__arena_allocate(arena, slot->bytes);
        if (plain == NULL)
            return DPR_E_MEMORY;
        dpr__slot_read(slot, plain);
        tensors[(*n)++] = (dpr__stored){.name = slot->name,
                                        .dtype = slot->dtype,
                                        .shape = slot->shape,
                                        .data = plain,
                                        .bytes = slot->bytes};
    }
    return DPR_OK;
}

/* Parameters first, in the order of the net text: the order that weights_sha256 is over. Then the running statistics, which
 * the model needs as well. */
static dpr_status write_leaves(const dpr_model *model, const char *path,
                               const dpr__metadata *metadata, size_t n_metadata, bool state) {
    const dpr_store *store = model->store;
    dpr__arena arena;
    dpr__stored *tensors;
    size_t n = 0;
    DPR_TRY(dpr__allocate(model->context, store->n_slots, sizeof *tensors, &tensors));
    dpr__arena_init(&arena, model->context);
    dpr_status status = list_leaves(store, DPR_PARAMETER, &arena, tensors, &n);
    if (status == DPR_OK)
        status = list_leaves(store, DPR_STATISTIC, &arena, tensors, &n);
    if (status == DPR_OK && state)
        status = list_leaves(store, DPR_STATE, &arena, tensors, &n);
    if (status == DPR_OK)
        status = dpr__safetensors_write(model->context, path, tensors, n, metadata, n_metadata);
    dpr__arena_release(&arena);
    dpr__free(model->context, tensors);
    return status;
}

dpr_status dpr__model_write(const dpr_model *model, const char *path, const char *run, bool state) {
    dpr_status status = dpr__store_check_finite(model->store);
    if (status != DPR_OK) {
        dpr__error_prefix(model->context, "%s is not written", path);
        return status;
    }
    dpr__metadata metadata[DPR__MODEL_KEYS + 1];
    dpr__arena arena;
    dpr__arena_init(&arena, model->context);
    status = dpr__model_metadata(model, &arena, metadata);
    metadata[DPR__MODEL_KEYS] = (dpr__metadata){.key = "run", .value = run};
    if (status == DPR_OK)
        status = write_leaves(model, path, metadata, DPR__MODEL_KEYS + 1, state);
    dpr__arena_release(&arena);
    return status;
}

dpr_status dpr_model_save(const dpr_model *model, const char *path) {
    return dpr__model_write(model, path, model->run, false);
}

/* ---- reading ---- */

struct loading {
    dpr_context *context;
    const char *name;
    const dpr__safetensors *file;
    dpr__arena *arena;
};

static dpr_status bad_key(const struct loading *loading, const char *key) {
    return DPR_FAIL(loading->context, DPR_E_FORMAT, "%s: metadata '%s' is missing or wrong",
                    loading->name, key);
}

/* "a b c" → doubles; false unless there are exactly n. */
static bool split_doubles(const struct loading *loading, const char *key, double *out, size_t n) {
    const char *text = dpr__safetensors_metadata(loading->file, key);
    for (size_t i = 0; text != NULL && i < n; i++) {
        char word[64];
        size_t length = strcspn(text, " ");
        if (length == 0 || length >= sizeof word)
            return false;
        memcpy(word, text, length);
        word[length] = 0;
        if (!dpr__parse_double(loading->context, word, &out[i]) ||
            (text[length] == ' ') != (i + 1 < n))
            return false;
        text += length + 1;
    }
    return text != NULL;
}

/* Small bounds: what is beyond them is no image, and products stay far from overflow. */
static dpr_status read_image(const struct loading *loading, dpr_data_info *info) {
    double dim[3];
    if (!split_doubles(loading, "image", dim, 3))
        return bad_key(loading, "image");
    info->image.rank = 3;
    for (int i = 0; i < 3; i++) {
        if (!(dim[i] >= 1 && dim[i] <= 1 << 20))
            return bad_key(loading, "image");
        info->image.dim[i] = (int64_t)dim[i];
    }
    if (info->image.dim[2] > DPR__MAX_CHANNELS)
        return bad_key(loading, "image");
    return DPR_OK;
}

/* Names are shown on terminals and in pages, so control characters in them are refused. */
static dpr_status read_classes(const struct loading *loading, dpr_data_info *info) {
    const char *count = dpr__safetensors_metadata(loading->file, "n_classes");
    const char *text = dpr__safetensors_metadata(loading->file, "classes");
    const dpr__json *names;
    uint64_t n;
    if (count == NULL || !dpr__parse_u64(count, &n) || n < 1 || n > INT32_MAX)
        return bad_key(loading, "n_classes");
    if (text == NULL)
        return bad_key(loading, "classes");
    DPR_TRY(dpr__json_parse(loading->arena, loading->name, text, strlen(text), &names));
    if (names->type != DPR__JSON_ARRAY || (names->n != 0 && names->n != n))
        return bad_key(loading, "classes");
    info->n_classes = (uint32_t)n;
    if (names->n == 0)
        return DPR_OK;
    const char **list = dpr__arena_allocate(loading->arena, names->n * sizeof *list);
    if (list == NULL)
        return DPR_E_MEMORY;
    info->class_names = list;
    for (const dpr__json *item = names->first; item; item = item->next, list++) {
        *list = dpr__json_string(item);
        if (*list == NULL || !dpr__utf8_is_clean(*list))
            return bad_key(loading, "classes");
    }
    return DPR_OK;
}

static dpr_status read_info(const struct loading *loading, dpr_data_info *info) {
    *info = dpr_data_info_default();
    DPR_TRY(read_image(loading, info));
    DPR_TRY(read_classes(loading, info));
    size_t channels = (size_t)info->image.dim[2];
    if (!split_doubles(loading, "mean", info->mean, channels))
        return bad_key(loading, "mean");
    if (!split_doubles(loading, "deviation", info->deviation, channels))
        return bad_key(loading, "deviation");
    for (size_t c = 0; c < channels; c++) /* tiny ones would make the scale infinite */
        if (!(info->deviation[c] >= 1e-6))
            return bad_key(loading, "deviation");
    const char *fit = dpr__safetensors_metadata(loading->file, "fit");
    for (size_t i = 0; fit != NULL && i < sizeof fit_words / sizeof *fit_words; i++)
        if (strcmp(fit, fit_words[i]) == 0) {
            info->fit = (dpr_fit)i;
            return DPR_OK;
        }
    return bad_key(loading, "fit");
}

static dpr_status check_tensor(dpr_context *context, const char *name, const dpr__safetensors *file,
                               const char *leaf, dpr_dtype dtype, const dpr_shape *shape,
                               const dpr__stored **out) {
    char has[DPR__SHAPE_TEXT], wants[DPR__SHAPE_TEXT];
    const dpr__stored *tensor = dpr__safetensors_find(file, leaf);
    if (tensor == NULL)
        return DPR_FAIL(context, DPR_E_FORMAT, "%s: tensor '%s' is missing", name, leaf);
    if (tensor->dtype != dtype || !dpr__shape_equal(&tensor->shape, shape))
        return DPR_FAIL(context, DPR_E_FORMAT, "%s: tensor '%s' is %s %s, the network needs %s %s",
                        name, leaf, dpr__dtype_name(tensor->dtype),
                        dpr__shape_text(&tensor->shape, has), dpr__dtype_name(dtype),
                        dpr__shape_text(shape, wants));
    *out = tensor;
    return DPR_OK;
}

dpr_status dpr__model_copy_leaves(dpr_model *model, const char *name,
                                  const dpr__safetensors *file) {
    const dpr_store *store = model->store;
    for (int copy = 0; copy <= 1; copy++) /* check all, then copy all */
        for (size_t i = 0; i < store->n_slots; i++) {
            dpr__slot *slot = &store->slots[i];
            const dpr__stored *tensor;
            if (slot->kind == DPR_INPUT)
                continue;
            DPR_TRY(check_tensor(model->context, name, file, slot->name, slot->dtype, &slot->shape,
                                 &tensor));
            if (copy)
                dpr__slot_write(slot, tensor->data);
        }
    return DPR_OK;
}

/* A file without the key is of a model without views. */
static dpr_status read_tta(const struct loading *loading, unsigned *out) {
    const char *there = dpr__safetensors_metadata(loading->file, "tta");
    for (*out = 0; there != NULL && *out < DPR__N_TTA; (*out)++)
        if (strcmp(there, dpr__tta_words[*out]) == 0)
            return DPR_OK;
    return there == NULL ? DPR_OK : bad_key(loading, "tta");
}

/* Before memory is taken for a leaf of the model, its tensor must be there; so the file's size
 * bounds it. */
static dpr_status check_leaves(const struct loading *loading, const dpr_graph *graph) {
    for (dpr_value value = 1; value < graph->n_nodes; value++) {
        const dpr__leaf_param *param = dpr__node_of(graph, value)->param;
        const dpr__stored *tensor;
        if (dpr__model_owns(dpr__kind_of(graph, value)))
            DPR_TRY(check_tensor(loading->context, loading->name, loading->file, param->name,
                                 param->dtype, &param->shape, &tensor));
    }
    return DPR_OK;
}

static dpr_status read_weights(const struct loading *loading, dpr_model *model,
                               const dpr_graph *graph) {
    const char *run = dpr__safetensors_metadata(loading->file, "run");
    DPR_TRY(check_leaves(loading, graph));
    DPR_TRY(dpr__model_materialise(model, graph, true));
    DPR_TRY(dpr__model_copy_leaves(model, loading->name, loading->file));
    if (run != NULL) {
        dpr__free(model->context, model->run);
        model->run = NULL;
        DPR_TRY(dpr__duplicate(model->context, run, &model->run));
    }
    return dpr__store_check_finite(model->store);
}

static dpr_status load(const struct loading *loading, dpr_model **out) {
    const char *version = dpr__safetensors_metadata(loading->file, "deeper");
    const char *net = dpr__safetensors_metadata(loading->file, "net");
    if (version == NULL || net == NULL)
        return DPR_FAIL(loading->context, DPR_E_FORMAT,
                        "%s: a safetensors file, but no model of this program: its metadata lacks "
                        "'%s'",
                        loading->name, version == NULL ? "deeper" : "net");
    if (strcmp(version, format) != 0)
        return DPR_FAIL(loading->context, DPR_E_UNSUPPORTED,
                        "%s: model format %.16s; this version reads format %s", loading->name,
                        version, format);
    dpr_data_info info;
    unsigned tta;
    DPR_TRY(read_info(loading, &info));
    DPR_TRY(read_tta(loading, &tta));
    dpr_model *model;
    dpr_graph *graph;
    DPR_TRY(dpr__model_begin(loading->context, loading->name, net, &info, NULL, &model, &graph));
    model->tta = tta;
    dpr_status status = read_weights(loading, model, graph);
    dpr_graph_destroy(graph);
    if (status != DPR_OK)
        dpr_model_destroy(model);
    else
        *out = model;
    return status;
}

/* Messages from deep inside do not know the file's name. */
static dpr_status load_named(dpr_context *context, const char *name, dpr__safetensors *file,
                             dpr_model **out) {
    struct loading loading = {
        .context = context, .name = name, .file = file, .arena = &file->arena};
    dpr_status status = load(&loading, out);
    if (status != DPR_OK && strstr(dpr_error(context), name) == NULL)
        dpr__error_prefix(context, "%s", name);
    dpr__safetensors_release(file);
    return status;
}

dpr_status dpr__model_parse(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                            dpr_model **out) {
    dpr__safetensors file;
    DPR_TRY(dpr__safetensors_parse(context, name, bytes, n, &file));
    return load_named(context, name, &file, out);
}

dpr_status dpr_model_load(dpr_context *context, const char *path, dpr_model **out) {
    dpr__safetensors file;
    DPR_TRY(dpr__safetensors_read(context, path, &file));
    return load_named(context, path, &file, out);
}
