/* Where the values of a plan lie in memory: arena, constants, and the store's leaves. Shared by the backends
 * that compute in the host's memory. */
#ifndef DPR_BACKEND_VALUES_H
#define DPR_BACKEND_VALUES_H

#include "backend/store.h"
#include "pass/step.h"

typedef struct dpr__values {
    dpr__step *step;
    dpr_store *store;
    char *arena;
    /* Leaves whose form here is not the store's, and derived ones, as they are here. */
    char *shadows;
    dpr_value *shadowed; /* which */
    size_t n_shadowed;
    dpr_value *steady; /* leaves of which values are kept */
    size_t n_steady;
    bool
        stale; /* one of them has changed: what is kept is to be computed. Its backend says when it has been */
    size_t *assigned; /* slots that the step writes */
    size_t n_assigned;
    uint64_t moves; /* of the store, when the addresses were taken up */
    uint64_t
        *version; /* (nodes) of the slot that a shadow, or what is kept, was last taken from, + 1 */
    size_t *slot; /* (nodes) of each leaf: index in store->slots; of a derived one its master's */
    void **memory; /* (nodes) address of each stored value; NULL otherwise */
} dpr__values;

/* Makes or finds the leaves in the store, allocates and touches the arena, writes the constants. */
dpr_status dpr__values_init(dpr__values *values, dpr__step *step, dpr_store *store);
void dpr__values_release(dpr__values *values);
/* Before a run: takes up the leaves' present addresses, which may have been bound anew since the last one, fills
 * the shadows whose leaf has changed, and says whether what is kept is stale. *moved: addresses are new. After it: gives what shadows hold back to the store, and says what
 * changed. Errors: DPR_E_ARGUMENT names a leaf that the step assigns and that is bound to the caller's memory; DPR_E_MISMATCH one that
 * holds less than the step reads of it. */
dpr_status dpr__values_enter(dpr__values *values, bool *moved);
void dpr__values_leave(dpr__values *values);
/* Between runs: where a stored value lies now, since leaves move. NULL: it is not stored, or its leaf holds less than it. */
const void *dpr__values_find(const dpr__values *values, dpr_value value);
/* Before a tick: saves leaves whose old value is committed to others. After it: gives leaves that could
 * not be written in place their new values. */
void dpr__values_save(const dpr__values *values);
void dpr__values_commit(const dpr__values *values);
/* A stored value as kernels see it. */
dpr__tensor dpr__values_tensor(const dpr__values *values, dpr_value value);

#endif
