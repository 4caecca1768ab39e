/* Copies of the model's own leaves, under a prefix: best/linear_1.weights. A leaf may be without one. */
#ifndef DPR_TRAIN_COPIES_H
#define DPR_TRAIN_COPIES_H

#include "backend/store.h"

/* Makes a copy (zeros) of each leaf of that kind. */
dpr_status dpr__copies_make(dpr_store *store, const char *prefix, dpr_leaf_kind kind);
/* Each leaf of that kind into its copy. */
void dpr__copies_take(const dpr_store *store, const char *prefix, dpr_leaf_kind kind);
/* Leaves and their copies change places. */
void dpr__copies_swap(const dpr_store *store, const char *prefix);

#endif
