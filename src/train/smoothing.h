/* What happens to the new value of a parameter or statistic on its way into its leaf: Lookahead may draw it back, and averages of it
 * are kept. */
#ifndef DPR_TRAIN_SMOOTHING_H
#define DPR_TRAIN_SMOOTHING_H

#include "ir/graph.h"

/* f32 scalars of this step; 0: not wanted. */
typedef struct dpr__smoothing {
    /* Lookahead: in a step where `lookahead` is 1, slow/NAME moves by `slow` of its distance to the new value, which becomes
     * it; in others both scalars are 0. */
    dpr_value lookahead, slow;
    dpr_value
        average; /* weight of the new value in average/NAME: a' = (1 − weight)·a + weight·value */
} dpr__smoothing;

enum { DPR__MAX_SMOOTHED = 2 }; /* assigns for one value, that of its leaf aside */

/* Appends what `smoothing` (NULL: nothing) makes of the leaf's new value, and puts its assigns in roots[*n_roots …]. Where
 * `active` (f32 scalar; 0: always 1) is 0 the leaf rests, and Lookahead with it. Returns what the leaf is to be given. */
dpr_value dpr__smooth(dpr_graph *graph, const dpr__smoothing *smoothing, dpr_value active,
                      dpr_value leaf, dpr_value value, dpr_value *roots, size_t *n_roots);

/* The state leaf "momentum/linear_1.weights" of leaf "linear_1.weights". */
dpr_value dpr__state_beside(dpr_graph *graph, const char *prefix, dpr_value leaf);
/* (1 − weight)·old + weight·new, weight being a f32 scalar: old and new themselves at 0 and 1, for finite values. */
dpr_value dpr__mix(dpr_graph *graph, dpr_value weight, dpr_value new, dpr_value old);

/* The name of leaf `value`. */
const char *dpr__leaf_name(const dpr_graph *graph, dpr_value value);
/* prefix followed by name, in the arena; NULL when memory is out. */
const char *dpr__prefixed(dpr__arena *arena, const char *prefix, const char *name);

#endif
