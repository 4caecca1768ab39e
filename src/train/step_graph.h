/* The graph of one training step: data → forward → loss → gradients → updates → counters. */
#ifndef DPR_TRAIN_STEP_GRAPH_H
#define DPR_TRAIN_STEP_GRAPH_H

#include "train/augment.h"
#include "train/groups.h"
#include "train/model.h"

/* Leaves of the step that the host writes or reads by name; dropout adds none of its own.
 *   STATE  seed u64, epoch u64, batch i32 (position in the epoch), tick u64 (steps so far),
 *          loss_sum f32 (Σ loss × rows of this epoch), correct f32, and the optimiser's
 *   STATISTIC  those of the network's batch normalisations
 *   INPUT  train.images u8 (rows …), train.labels i32 (n), train.rows i32 (n), normalise.*, class_weights f32 (classes),
 *          learning_rate f32 (steps of an epoch), adam_correction_1 and _2 f32 (likewise), active f32 (likewise: whether
 *          parameters are updated), average_weight f32 (likewise, of the new weights in average/…),
 *          lookahead f32, slow_weight f32 (likewise, whether slow/… moves, and by which share), update f32 (likewise, whether
 *          this step ends with one or adds to accumulated/… only); of rate rule k > 0 they are called table.k/learning_rate … */
typedef struct dpr__step_plan {
    int64_t n; /* images in the set */
    int64_t
        pool; /* rows of the pool where images come and go: train.rows says which is in which; 0: all are there, each in its own */
    int64_t steps; /* per epoch */
    double label_smoothing;
    bool class_weights;
    bool sum; /* gradients are of the rows' sum */
    dpr__optimizer optimizer;
    const dpr__augment_param *augment; /* NULL: images are taken as they are */
    const dpr__groups *groups;         /* borrowed; NULL: all parameters follow `optimizer` */
    bool average;                      /* keep averages of the parameters, average/… */
    bool average_statistics;           /* and of the running statistics */
    bool lookahead;                    /* keep slow ones of both, slow/… */
    bool accumulate;                   /* sum gradients until a step that updates */
} dpr__step_plan;

/* The tables that hold an entry for each step of an epoch: X(name, leaf). */
#define DPR__TABLE_MAP(X)                                                                          \
    X(RATE, "learning_rate")                                                                       \
    X(CORRECTION_1, "adam_correction_1")                                                           \
    X(CORRECTION_2, "adam_correction_2")                                                           \
    X(ACTIVE, "active")                                                                            \
    X(AVERAGE, "average_weight")                                                                   \
    X(LOOKAHEAD, "lookahead")                                                                      \
    X(SLOW, "slow_weight")                                                                         \
    X(UPDATE, "update")

typedef enum dpr__table {
#define X(name, leaf) DPR__TABLE_##name,
    DPR__TABLE_MAP(X)
#undef X
        DPR__N_TABLES
} dpr__table;

enum { DPR__TABLE_NAME = 48 };
/* The leaf of a table of rate rule k: its plain name for the first rule. */
const char *dpr__table_name(dpr_context *context, dpr__table table, size_t k,
                            char out[DPR__TABLE_NAME]);
/* Whether the steps of this plan look it up. */
bool dpr__table_wanted(const dpr__step_plan *plan, dpr__table table, size_t k);
size_t dpr__n_rates(const dpr__step_plan *plan);

typedef struct dpr__step_graph {
    dpr_graph *graph;
    dpr_value loss; /* f32 scalar, a root: the mean, whatever is differentiated */
    dpr_value *roots;
    size_t n_roots;
} dpr__step_graph;

dpr_status dpr__step_graph_create(const dpr_model *model, const dpr__step_plan *plan,
                                  dpr__step_graph *out);
/* A step that changes the running statistics and nothing else: the forward pass over the next batch of the set. Its
 * roots assign the statistics, `batch` and `tick`; loss is 0. */
dpr_status dpr__statistics_graph_create(const dpr_model *model, const dpr__step_plan *plan,
                                        dpr__step_graph *out);
/* A step that changes nothing: forward over a batch and back from the mean loss. Its roots are the logits, and layer by layer what dpr__sees_gradient
 * and dpr__sees_units (health.h) ask for: for each of the output's last dimension (unit or channel) the sum of squares of ∂loss/∂output, and how
 * many of its numbers are above 0. loss is 0. */
dpr_status dpr__diagnosis_graph_create(const dpr_model *model, const dpr__step_plan *plan,
                                       dpr__step_graph *out);
void dpr__step_graph_release(dpr__step_graph *step);

#endif
