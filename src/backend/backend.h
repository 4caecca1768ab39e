/* What a backend is: it compiles a step into a plan over a store, and runs the plan. New entries need two
 * users. Which backend a context uses is decided in registry.c alone. */
#ifndef DPR_BACKEND_BACKEND_H
#define DPR_BACKEND_BACKEND_H

#include "backend/store.h"
#include "pass/step.h"

/* One row of a plan as people see it. */
typedef struct dpr__row_view {
    const char *kernel, *chain; /* chain: how the elementwise ops run; may be empty */
    uint32_t group, phase;
    int64_t n_tiles;
    bool serial;
    uint64_t flops, bytes;
    uint64_t ns; /* of all ticks since time_rows; 0: not timed */
} dpr__row_view;

typedef struct dpr__backend {
    const char *name;
    bool per_node; /* wants a step with every node stored, groups of one */
    /* The plan borrows step and store. */
    dpr_status (*compile)(dpr__step *step, dpr_store *store, void **plan);
    void (*destroy)(void *plan);
    /* Runs up to `ticks`, looking at *stop (may be NULL) between two; *done counts them. DPR_E_NON_FINITE, without
     * a message and with the store as before the tick, when a guard speaks; what dpr__values_enter refuses. */
    dpr_status (*run)(void *plan, uint64_t ticks, const volatile int *stop, uint64_t *done);
    dpr_status (*time_rows)(void *plan); /* from now on; NULL: cannot */
    /* Memory of a stored value, between runs; NULL: it is not stored, or its leaf holds less than it. */
    const void *(*value)(void *plan, dpr_value value);
    size_t (*rows)(void *plan);
    dpr__row_view (*row)(void *plan, size_t i);
} dpr__backend;

extern const dpr__backend dpr__backend_ref, dpr__backend_cpu;

/* The backend that a context's device asks for; a store in double always takes the oracle. */
const dpr__backend *dpr__backend_for(const dpr_context *context, const dpr_store *store);

#endif
