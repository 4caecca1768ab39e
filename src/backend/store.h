/* The store: every leaf of a model, by name. Programs share it; it is the only home of weights. */
#ifndef DPR_BACKEND_STORE_H
#define DPR_BACKEND_STORE_H

#include "base/memory.h"
#include "ir/form.h"
#include "ir/graph.h"

typedef struct dpr__slot {
    char *name;
    dpr_leaf_kind kind;
    dpr_dtype dtype;  /* f32 leaves of an f64 store are DPR_F64 */
    dpr_shape shape;  /* of inputs: with the largest batch seen */
    size_t bytes;     /* of the logical, row-major value */
    dpr__form form;   /* how `data` lies */
    size_t room;      /* bytes behind data */
    void *data;       /* 64-byte aligned, or the caller's when bound */
    bool borrowed;    /* bound to the caller's memory: never written (values.h refuses) */
    uint64_t version; /* raised by whoever writes data: programs that hold a copy look at it */
    size_t ordinal;   /* among the parameters, in the order in which they came */
} dpr__slot;

struct dpr_store {
    dpr_context *context;
    dpr_dtype real; /* DPR_F32; DPR_F64 makes the oracle's double mode */
    dpr__slot *slots;
    size_t n_slots, slots_capacity;
    size_t n_parameters;
    uint64_t moves; /* raised when a slot is made, or its memory moves */
};

/* As dpr_store_create, with the type that f32 leaves are held in. */
dpr_status dpr__store_create(dpr_context *context, dpr_dtype real, dpr_store **out);
/* NULL when there is none. */
dpr__slot *dpr__store_find(const dpr_store *store, const char *name);
/* Row-major in, row-major out, whatever the form; `bytes` of each are slot->bytes. */
void dpr__slot_read(const dpr__slot *slot, void *dst);
void dpr__slot_write(dpr__slot *slot, const void *src);
/* Finds the leaf, or makes and initialises it; `param` has no DPR_BATCH left. Fails with DPR_E_MISMATCH
 * when kind, dtype or shape differ from what the store holds. *out is its index in slots. */
dpr_status dpr__store_want(dpr_store *store, const dpr__leaf_param *param, uint64_t seed,
                           size_t *out);
/* Makes the input `param`, or takes the one of that name, and binds it to the caller's memory: before a program is made that would
 * otherwise make room for it. */
dpr_status dpr__store_lend(dpr_store *store, const dpr__leaf_param *param, const void *memory);
/* DPR_E_NON_FINITE names the first float leaf (inputs aside) that is not finite. */
dpr_status dpr__store_check_finite(const dpr_store *store);

#endif
