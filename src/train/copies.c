/* By the host: once an epoch it costs less than a step. */
#include "train/copies.h"
#include "train/model.h"
#include "train/smoothing.h"
#include <string.h>

dpr_status dpr__copies_make(dpr_store *store, const char *prefix, dpr_leaf_kind kind) {
    dpr__arena arena;
    dpr__arena_init(&arena, store->context);
    dpr_status status = DPR_OK;
    size_t n = store->n_slots;
    for (size_t i = 0; i < n && status == DPR_OK; i++) {
        const dpr__slot *slot = &store->slots[i];
        size_t made;
        if (slot->kind != kind)
            continue;
        dpr__leaf_param param = {.name = dpr__prefixed(&arena, prefix, slot->name),
                                 .kind = DPR_STATE,
                                 .dtype = slot->dtype,
                                 .shape = slot->shape};
        status = param.name == NULL ? DPR_E_MEMORY : dpr__store_want(store, &param, 0, &made);
    }
    dpr__arena_release(&arena);
    return status;
}

/* The leaf's copy; NULL: it has none. */
static dpr__slot *copy_of(const dpr_store *store, const char *prefix, const dpr__slot *leaf) {
    size_t n = strlen(prefix);
    for (size_t i = 0; i < store->n_slots; i++) {
        dpr__slot *slot = &store->slots[i];
        if (strncmp(slot->name, prefix, n) == 0 && strcmp(slot->name + n, leaf->name) == 0) {
            DPR_ASSERT(slot->form == leaf->form && slot->room == leaf->room);
            return slot;
        }
    }
    return NULL;
}

void dpr__copies_take(const dpr_store *store, const char *prefix, dpr_leaf_kind kind) {
    for (size_t i = 0; i < store->n_slots; i++) {
        const dpr__slot *leaf = &store->slots[i];
        dpr__slot *copy = leaf->kind == kind ? copy_of(store, prefix, leaf) : NULL;
        if (copy == NULL)
            continue;
        memcpy(copy->data, leaf->data, leaf->room);
        copy->version++;
    }
}

void dpr__copies_swap(const dpr_store *store, const char *prefix) {
    for (size_t i = 0; i < store->n_slots; i++) {
        dpr__slot *leaf = &store->slots[i];
        dpr__slot *copy = dpr__model_owns(leaf->kind) ? copy_of(store, prefix, leaf) : NULL;
        if (copy == NULL)
            continue;
        float *a = leaf->data, *b = copy->data;
        leaf->version++;
        copy->version++;
        for (size_t k = 0; k < leaf->room / sizeof(float); k++) {
            float kept = a[k];
            a[k] = b[k];
            b[k] = kept;
        }
    }
}
