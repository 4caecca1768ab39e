/* The graph of one training step: data → forward → loss → gradients → updates → counters. */
#ifndef DPR_TRAIN_STEP_GRAPH_H
#define DPR_TRAIN_STEP_GRAPH_H

#include "train/augment.h"
#include "train/model.h"
#include "train/optimizer.h"

/* Leaves of the step that the host writes or reads by name; dropout adds none of its own.
 *   STATE  seed u64, epoch u64, batch i32 (position in the epoch), tick u64 (steps so far),
 *          loss_sum f32 (Σ loss × rows of this epoch), correct f32, and the optimiser's
 *   STATISTIC  those of the network's batch normalisations
 *   INPUT  train.images u8 (n …), train.labels i32 (n), normalise.*, class_weights f32 (classes),
 *          learning_rate f32 (steps of an epoch), adam_correction_1 and _2 f32 (likewise) */
typedef struct dpr__step_plan {
    int64_t n;     /* images in the set */
    int64_t steps; /* per epoch */
    double label_smoothing;
    bool class_weights;
    dpr__optimizer optimizer;
    const dpr__augment_param *augment; /* NULL: images are taken as they are */
} dpr__step_plan;

typedef struct dpr__step_graph {
    dpr_graph *graph;
    dpr_value loss; /* f32 scalar, a root */
    dpr_value *roots;
    size_t n_roots;
} dpr__step_graph;

dpr_status dpr__step_graph_create(const dpr_model *model, const dpr__step_plan *plan,
                                  dpr__step_graph *out);
void dpr__step_graph_release(dpr__step_graph *step);

#endif
