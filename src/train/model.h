/* A model: net text, the store that holds its weights, preprocessing and class names.
 * Invariant: the store holds every parameter and statistic of the network from the model's creation on. */
#ifndef DPR_TRAIN_MODEL_H
#define DPR_TRAIN_MODEL_H

#include "backend/store.h"
#include "nn/net.h"
#include "train/data.h"
#include "train/safetensors.h"
#include "train/views.h"

/* A compiled forward pass over up to `batch` images (evaluate.c). */
typedef struct dpr__forward {
    dpr_program *program; /* NULL until it is first wanted */
    int64_t batch;
    dpr_value loss, predicted, probabilities, logits; /* roots */
    int32_t *classes;                                 /* (batch) predicted */
    float *rows;   /* (batch × classes) probabilities, or logits of a view */
    double *sum;   /* (batch × classes) of the views' weighed logits; NULL without views */
    uint8_t *view; /* (batch) images; likewise */
} dpr__forward;

/* One image at a time, and many: the same nodes. */
enum { DPR__FORWARD_ONE, DPR__FORWARD_MANY, DPR__N_FORWARDS };

struct dpr_model {
    dpr_context *context;
    char *text, *init,
        *run;      /* net text; how weights began; JSON record of the training run, or "" */
    uint64_t seed; /* of the first weights */
    dpr_data_info info;
    dpr__net *net;
    dpr_layer *layers;
    size_t n_layers;
    dpr_store *store;
    uint64_t n_parameters;

    unsigned tta; /* of its predictions (views.h) */
    dpr__forward forward[DPR__N_FORWARDS];
    uint64_t *confusion; /* the last evaluation's; (classes × classes) */
    double *precision, *recall;
};

/* Parses and checks the network and makes the model without weights; *graph is its forward
 * graph. */
dpr_status dpr__model_begin(dpr_context *context, const char *name, const char *text,
                            const dpr_data_info *info, const char *init, dpr_model **out,
                            dpr_graph **graph);
/* Makes the parameters and statistics in the store: drawn from model->seed, or zeros, which a
 * file's then replace. */
dpr_status dpr__model_materialise(dpr_model *model, const dpr_graph *graph, bool zeros);

/* Whether leaves of this kind are the model's own: in its file, and made with it. */
static inline bool dpr__model_owns(dpr_leaf_kind kind) {
    return kind == DPR_PARAMETER || kind == DPR_STATISTIC;
}

/* Appends build->images, u8 or f32 from 0 to 255, → normalised → logits; build->rows is the caller's, too. The arrays in *build are freed with
 * dpr__net_build_release. */
dpr_status dpr__model_append(const dpr_model *model, dpr_graph *graph, dpr__net_build *build);
/* The same over leaves: `images` (batch, …) of the type, `rows` i32 of them valid. */
dpr_status dpr__model_append_leaves(const dpr_model *model, dpr_graph *graph, dpr_dtype dtype,
                                    const char *images, const char *rows, dpr__net_build *build);
/* A graph with its forward half: images from leaf `images` u8 (batch, …), `rows` i32 of them valid. */
dpr_status dpr__model_forward(const dpr_model *model, const char *images, const char *rows,
                              dpr_graph **out, dpr_value *logits);
/* Writes those leaves that programs of dpr__model_append read; to be called once they have made them. */
dpr_status dpr__model_write_normalisation(const dpr_model *model);
/* The parameter leaves of a graph, in order; *out is freed with dpr__free. */
dpr_status dpr__parameters_of(const dpr_graph *graph, dpr_value **out, size_t *n);
/* The leaf's kind, or DPR_INPUT for what is no leaf. */
dpr_leaf_kind dpr__kind_of(const dpr_graph *graph, dpr_value value);

void dpr__forward_release(dpr_model *model); /* evaluate.c */
/* As dpr_evaluate, with the views `tta` instead of the model's. */
dpr_status dpr__evaluate(dpr_model *model, const dpr_data *data, unsigned tta, dpr_evaluation *out);

/* ---- the file (model_file.c) ---- */

enum { DPR__MODEL_KEYS = 9 }; /* metadata that describes the network; then comes "run" */

/* What model and file must agree on, as text in the arena; items has room for DPR__MODEL_KEYS. */
dpr_status dpr__model_metadata(const dpr_model *model, dpr__arena *arena, dpr__metadata *items);
/* Writes parameters and statistics, and with `state` all state leaves, under the given run record.
 * Refuses leaves that are not finite. */
dpr_status dpr__model_write(const dpr_model *model, const char *path, const char *run, bool state);
/* As dpr_model_load, from bytes that the caller keeps; `name` is used in messages. */
dpr_status dpr__model_parse(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                            dpr_model **out);
/* Copies every leaf that the store has, inputs aside, from the file, after checking that all are
 * there and fit. */
dpr_status dpr__model_copy_leaves(dpr_model *model, const char *name, const dpr__safetensors *file);

#endif
