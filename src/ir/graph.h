/* The graph: nodes in topological order (a node's sources have smaller ids), one result each. */
#ifndef DPR_IR_GRAPH_H
#define DPR_IR_GRAPH_H

#include "base/memory.h"
#include "base/text.h"
#include "ir/op.h"

typedef enum dpr__role { DPR__FORWARD, DPR__BACKWARD, DPR__UPDATE, DPR__DATA } dpr__role;
extern const char *const dpr__role_names[]; /* as printed */

typedef struct dpr__node {
    dpr__op_id op;
    dpr_dtype dtype;
    dpr__role role;
    uint32_t n_src, first_src; /* in graph->sources */
    dpr_value origin;          /* forward node whose gradient rule made this one; 0 otherwise */
    unsigned line;             /* of the net text; 0 otherwise */
    const char *name;          /* scope it was made in: "linear_1"; never NULL */
    const void *param;         /* the op's parameter struct; NULL where it has none */
    dpr_shape shape;           /* logical; DPR_BATCH until specialised */
} dpr__node;

/* A word that the graph knows, and the leaf of that name (0: none). */
typedef struct dpr__interned {
    const char *word;
    dpr_value leaf;
} dpr__interned;

struct dpr_graph {
    dpr_context *context;
    dpr__arena arena;     /* names and parameters */
    dpr__interned *words; /* a hash table with open addressing; its size is a power of two */
    size_t n_words, words_capacity;
    dpr__node *nodes; /* nodes[0] is unused: id 0 is "none" */
    size_t n_nodes, nodes_capacity;
    dpr_value *sources;
    size_t n_sources, sources_capacity;
    dpr_status status; /* the first failure, with its message in error */
    char *error;
    /* what new nodes are given */
    const char *scope;
    unsigned line;
    dpr_value origin;
    dpr__role role;
    uint32_t n_draws; /* ordinal of the next dropout */
};

static inline const dpr__node *dpr__node_of(const dpr_graph *graph, dpr_value value) {
    return &graph->nodes[value];
}
static inline const dpr_value *dpr__sources_of(const dpr_graph *graph, dpr_value value) {
    return graph->sources + graph->nodes[value].first_src;
}
static inline dpr_value dpr__source(const dpr_graph *graph, dpr_value value, uint32_t i) {
    return dpr__sources_of(graph, value)[i];
}
static inline bool dpr__has_trait(dpr__op_id op, unsigned trait) {
    return (dpr__op_traits[op] & trait) != 0;
}

/* Appends a node; param (may be NULL) is copied, its words interned. 0 on failure, which latches. */
dpr_value dpr__node_add(dpr_graph *graph, dpr__op_id op, const dpr_value *src, uint32_t n_src,
                        const void *param);
/* Latches a failure that the context already holds the message of. */
void dpr__graph_latch(dpr_graph *graph, dpr_status status);
/* Interned: equal words have equal addresses in one graph. */
const char *dpr__intern(dpr_graph *graph, const char *word);
/* The leaf of that name; 0: none. */
dpr_value dpr__find_leaf(const dpr_graph *graph, const char *name);

/* Makes nodes at the graph's low level that have no public builder. */
dpr_value dpr__leaf(dpr_graph *graph, const char *name, dpr_leaf_kind kind, dpr_dtype dtype,
                    dpr_shape shape, dpr_init init);
dpr_value dpr__order(dpr_graph *graph, dpr_value seed, dpr_value epoch, dpr_value batch, int64_t n,
                     bool shuffle);
dpr_value dpr__rows(dpr_graph *graph, dpr_value batch, int64_t n);
/* Over the first `rows` rows (i32 scalar) of src, for each element of its last axis: the mean, and Σ (src − mean)². f32 (channels). */
dpr_value dpr__channel_mean(dpr_graph *graph, dpr_value src, dpr_value rows);
dpr_value dpr__squared_deviations(dpr_graph *graph, dpr_value src, dpr_value rows);
/* src: pool, index, seed, epoch, and in which rows of the pool the images of index and their partners lie. */
dpr_value dpr__augment(dpr_graph *graph, const dpr__augment_param *param, const dpr_value src[6]);
/* One of mix_partner and mix_share, for the images that index names. */
dpr_value dpr__augment_mix(dpr_graph *graph, dpr__op_id op, const dpr__augment_param *param,
                           dpr_value index, dpr_value seed, dpr_value epoch);
dpr_value dpr__increment(dpr_graph *graph, dpr_value src);
dpr_value dpr__draw_node(dpr_graph *graph, dpr_value seed, dpr_value tick, dpr_shape shape);
/* Sums `diff` over what broadcasting repeated, back to `shape`: the gradient of a broadcast. */
dpr_value dpr__unbroadcast(dpr_graph *graph, dpr_value diff, dpr_shape shape);

/* Structure, types (every shape rule asked again) and the rule on reductions over the batch. */
dpr_status dpr__verify(const dpr_graph *graph);

/* The long form, which the net language reads back: `%7 = matmul %3 %5 transpose_b=1`. */
dpr_status dpr__print(const dpr_graph *graph, char **out);

#endif
