/* The `.net` language (docs/net.md): text → layers → nodes of a graph. */
#ifndef DPR_NN_NET_H
#define DPR_NN_NET_H

#include "base/memory.h"
#include "ir/graph.h"

typedef struct dpr__net dpr__net; /* parsed text: layers in order, repeats and blocks unrolled */

/* Errors: DPR_E_SYNTAX with name:line:column, the line itself, and the nearest valid word. */
dpr_status dpr__net_parse(dpr_context *context, const char *name, const char *text, dpr__net **out);
void dpr__net_destroy(dpr__net *net);
/* What `input` says: (height, width, channels). With *of_data the data decides where there is data; rank 0: and only the data. */
dpr_shape dpr__net_input(const dpr__net *net, bool *of_data);

/* Whether both make the same layers of an input of the same size, however they are written; their names follow from their order. */
bool dpr__net_equal(const dpr__net *a, const dpr__net *b);

/* "preset:NAME" to the text of that preset; any other text stays. DPR_E_ARGUMENT offers the nearest name. */
dpr_status dpr__preset_resolve(dpr_context *context, const char *net, const char **text);

typedef struct dpr__net_build {
    dpr_value images;   /* f32 (batch, height, width, channels), normalised */
    dpr_value rows;     /* i32: how many rows of the batch are images; 0: all */
    uint32_t n_classes; /* what `classes` stands for; 0: unknown, then the word is an error */
    const char *init;   /* "auto", "he", "xavier", "zero" */
    /* results */
    dpr_value logits;   /* (batch, classes) */
    dpr_layer *layers;  /* one per line that makes nodes; strings live in the net */
    dpr_value *outputs; /* of the layers */
    size_t n_layers;
    dpr_value *updates; /* assigns of the running statistics: roots of a training step */
    size_t n_updates;
} dpr__net_build;

/* Appends the network to the graph: parameters named "linear_1.weights" (inputs × outputs) and
 * "linear_1.bias", statistics "batchnorm_1.mean". Errors name the line of the text. */
dpr_status dpr__net_append(dpr__net *net, dpr_graph *graph, dpr__net_build *build);
/* Frees the arrays that dpr__net_append made. */
void dpr__net_build_release(dpr_context *context, dpr__net_build *build);

/* Reads the long form that dpr__print writes. */
dpr_status dpr__graph_parse(dpr_graph *graph, const char *name, const char *text);

#endif
