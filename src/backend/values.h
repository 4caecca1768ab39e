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
    size_t *slot;  /* (nodes) index in store->slots of each leaf node */
    void **memory; /* (nodes) address of each stored value; NULL otherwise */
} dpr__values;

/* Makes or finds the leaves in the store, allocates and touches the arena, writes the constants. */
dpr_status dpr__values_init(dpr__values *values, dpr__step *step, dpr_store *store);
void dpr__values_release(dpr__values *values);
/* Takes up the leaves' present addresses: they may have been bound anew since the last run. */
void dpr__values_refresh(dpr__values *values);
/* Before a tick: saves leaves whose old value is committed to others. After it: gives leaves that could
 * not be written in place their new values. */
void dpr__values_save(const dpr__values *values);
void dpr__values_commit(const dpr__values *values);
/* A stored value as the reference kernels see it. */
dpr__tensor dpr__values_tensor(const dpr__values *values, dpr_value value);

#endif
