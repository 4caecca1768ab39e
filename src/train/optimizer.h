/* Optimisers: the updates of a training step, as nodes of its graph. */
#ifndef DPR_TRAIN_OPTIMIZER_H
#define DPR_TRAIN_OPTIMIZER_H

#include "train/smoothing.h"

/* X(name, word, default learning rate). Muon is for parameters of rank 2 and more. */
#define DPR__OPTIMIZER_MAP(X)                                                                      \
    X(SGD, "sgd", 0.1)                                                                             \
    X(MOMENTUM, "momentum", 0.05)                                                                  \
    X(NESTEROV, "nesterov", 0.05)                                                                  \
    X(ADAMW, "adamw", 0.001)                                                                       \
    X(MUON, "muon", 0.02)

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
    double momentum;
    double weight_decay, vector_decay; /* of rank 2 and more; of less: biases, normalisations */
    double beta1, beta2, epsilon;
    double clip_norm;    /* 0: none */
    unsigned muon_steps; /* of Newton and Schulz's iteration */
    bool renormalise;    /* muon: weights are first brought to their norm */
} dpr__optimizer;

/* What changes from step to step, as f32 scalars: −η, whose sign thus costs no operation an element, and
 * AdamW's corrections 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ) for update t = 1, 2, … (0 for the others). In steps where `active` (0:
 * always 1) is 0, neither weights nor state move. */
typedef struct dpr__rates {
    dpr_value minus_rate, correction1, correction2, active;
} dpr__rates;

/* What one parameter's update goes by. */
typedef struct dpr__update_rule {
    dpr__optimizer optimizer;
    size_t rate; /* index of its rates */
    bool frozen; /* there is no update */
} dpr__update_rule;

enum { DPR__MAX_UPDATES = 3 + DPR__MAX_SMOOTHED }; /* assigns for one parameter */

/* The updates of n parameters by their gradients (0 where a parameter is frozen). */
typedef struct dpr__updates {
    dpr_graph *graph;
    const dpr_value *parameters, *gradients;
    size_t n;
    const dpr__optimizer *optimizer;
    const dpr__rates *rates;
    const dpr__update_rule *groups;  /* (n): in place of *optimizer and rates[0]; NULL: none */
    const dpr__smoothing *smoothing; /* NULL: none */
} dpr__updates;

/* Appends the update of each parameter, with role UPDATE, and puts the assigns in roots[*n_roots …] (room for
 * DPR__MAX_UPDATES × n). optimizer->clip_norm is over all gradients. Failures latch in the graph. */
void dpr__optimizer_append(const dpr__updates *updates, dpr_value *roots, size_t *n_roots);

#endif
