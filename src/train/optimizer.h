/* Optimisers: the updates of a training step, as nodes of its graph. */
#ifndef DPR_TRAIN_OPTIMIZER_H
#define DPR_TRAIN_OPTIMIZER_H

#include "ir/graph.h"

/* X(name, word, default learning rate) */
#define DPR__OPTIMIZER_MAP(X)                                                                      \
    X(SGD, "sgd", 0.1)                                                                             \
    X(MOMENTUM, "momentum", 0.05)                                                                  \
    X(NESTEROV, "nesterov", 0.05)                                                                  \
    X(ADAMW, "adamw", 0.001)

typedef enum dpr__optimizer_kind {
#define X(name, word, rate) DPR__OPTIMIZER_##name,
    DPR__OPTIMIZER_MAP(X)
#undef X
        DPR__N_OPTIMIZERS
} dpr__optimizer_kind;

extern const char *const dpr__optimizer_words[DPR__N_OPTIMIZERS];
extern const double dpr__optimizer_rates[DPR__N_OPTIMIZERS];

typedef struct dpr__optimizer {
    dpr__optimizer_kind kind;
    double momentum, weight_decay;
    double beta1, beta2, epsilon;
    double clip_norm; /* 0: none */
} dpr__optimizer;

/* What changes from step to step, as f32 scalars: −η, whose sign thus costs no operation an element, and
 * AdamW's corrections 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ) for step t = 1, 2, … (0 for the others). */
typedef struct dpr__rates {
    dpr_value minus_rate, correction1, correction2;
} dpr__rates;

enum { DPR__MAX_UPDATES = 3 }; /* assigns for one parameter */

/* Appends the update of each of n parameters by its gradient, with role UPDATE, and puts the
 * assigns in roots[*n_roots …] (room for DPR__MAX_UPDATES × n). Failures latch in the graph. */
void dpr__optimizer_append(const dpr__optimizer *optimizer, dpr_graph *graph,
                           const dpr_value *parameters, const dpr_value *gradients, size_t n,
                           const dpr__rates *rates, dpr_value *roots, size_t *n_roots);

/* The name of leaf `value`. */
const char *dpr__leaf_name(const dpr_graph *graph, dpr_value value);
/* prefix followed by name, in the arena; NULL when memory is out. */
const char *dpr__prefixed(dpr__arena *arena, const char *prefix, const char *name);

#endif
