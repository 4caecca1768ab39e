/* The `.net` language (docs/net.md): text → layers → nodes of a graph. */
#ifndef DPR_NN_NET_H
#define DPR_NN_NET_H

#include "base/memory.h"
#include "ir/graph.h"

typedef struct dpr__net dpr__net; /* parsed text: layers in order, repeats unrolled */

/* Errors: DPR_E_SYNTAX with name:line:column, the line itself, and the nearest valid word. */
dpr_status dpr__net_parse(dpr_context *context, const char *name, const char *text, dpr__net **out);
void dpr__net_destroy(dpr__net *net);
/* What `input` says: (height, width, channels). */
dpr_shape dpr__net_input(const dpr__net *net);

typedef struct dpr__net_build {
    dpr_value images;   /* f32 (batch, height, width, channels), normalised */
    uint32_t n_classes; /* what `classes` stands for; 0: unknown, then the word is an error */
    const char *init;   /* "auto", "he", "xavier", "zero" */
    /* results */
    dpr_value logits;  /* (batch, classes) */
    dpr_layer *layers; /* one per line that makes nodes; strings live in the net */
    size_t n_layers;   /* dpr__free(context, layers) */
} dpr__net_build;

/* Appends the network to the graph: parameters named "linear_1.weights" (inputs × outputs) and
 * "linear_1.bias". Errors name the line of the text. */
dpr_status dpr__net_append(dpr__net *net, dpr_graph *graph, dpr__net_build *build);

/* Reads the long form that dpr__print writes. */
dpr_status dpr__graph_parse(dpr_graph *graph, const char *name, const char *text);

#endif
