/* The store (store.h): leaves by name, their first values, reading and writing. */
#include "backend/store.h"
#include "base/context.h"
#include "base/random.h"
#include "ir/shape.h"
#include <math.h>
#include <string.h>

enum { ALIGNMENT = 64 };

dpr_status dpr__store_create(dpr_context *context, dpr_dtype real, dpr_store **out) {
    dpr_store *store;
    DPR_TRY(dpr__allocate(context, 1, sizeof *store, &store));
    *store = (dpr_store){.context = context, .real = real, .moves = 1};
    *out = store;
    return DPR_OK;
}

dpr_status dpr_store_create(dpr_context *context, dpr_store **out) {
    return dpr__store_create(context, DPR_F32, out);
}

static void release_data(dpr_store *store, dpr__slot *slot) {
    if (!slot->borrowed)
        dpr__free_aligned(store->context, slot->data);
    slot->data = NULL;
}

void dpr_store_destroy(dpr_store *store) {
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->n_slots; i++) {
        release_data(store, &store->slots[i]);
        dpr__free(store->context, store->slots[i].name);
    }
    dpr__free(store->context, store->slots);
    dpr__free(store->context, store);
}

dpr__slot *dpr__store_find(const dpr_store *store, const char *name) {
    for (size_t i = 0; i < store->n_slots; i++)
        if (strcmp(store->slots[i].name, name) == 0)
            return &store->slots[i];
    return NULL;
}

/* ---- first values ---- */

static void put_real(const dpr__slot *slot, int64_t i, double value) {
    i = dpr__form_index(slot->form, &slot->shape, i);
    if (slot->dtype == DPR_F64)
        ((double *)slot->data)[i] = value;
    else if (slot->dtype == DPR_F32)
        ((float *)slot->data)[i] = (float)value;
}

/* Where output o takes the pixel of its own place in channel o as it is (o below the number of channels). The middle is where padding `same`
 * puts it. The others are as PyTorch draws kernels, which airbench (Jordan 2024) keeps beside a partial identity. */
static double dirac(const dpr_shape *shape, int64_t i, double fan_in, double unit) {
    const int64_t *dim = shape->dim;
    int64_t output = i % dim[3], channel = i / dim[3] % dim[2], place = i / dim[3] / dim[2];
    if (output >= dim[2])
        return (2 * unit - 1) / sqrt(fan_in);
    return channel == output && place == (dim[0] - 1) / 2 * dim[1] + (dim[1] - 1) / 2;
}

/* Element i of parameter number `ordinal` is drawn from (seed, INIT; ordinal, i), so that it does not depend
 * on the order in which leaves are made or on the other layers' sizes. */
static void initialise(dpr__slot *slot, dpr_init init, uint64_t seed) {
    int64_t n = dpr__shape_count(&slot->shape);
    double fan_out = slot->shape.rank > 0 ? (double)slot->shape.dim[slot->shape.rank - 1] : 1;
    double fan_in = fan_out > 0 ? (double)n / fan_out : 1;
    if (slot->shape.rank ==
        4) /* a kernel: each output pixel's inputs, each input pixel's outputs */
        fan_out *= (double)(slot->shape.dim[0] * slot->shape.dim[1]);
    bool drawn = init != DPR_INIT_ZERO && init != DPR_INIT_WHITENING;
    for (int64_t i = 0; i < n && drawn; i++) {
        dpr__draw draw = dpr__philox(seed, DPR__PURPOSE_INIT, (uint32_t)slot->ordinal, (uint64_t)i);
        double value = 1;
        if (init == DPR_INIT_HE)
            value = dpr__normal(draw.word[0], draw.word[1]) * sqrt(2 / fan_in);
        else if (init == DPR_INIT_XAVIER)
            value = (2 * dpr__unit(draw.word[0]) - 1) * sqrt(6 / (fan_in + fan_out));
        else if (init == DPR_INIT_DIRAC)
            value = dirac(&slot->shape, i, fan_in, dpr__unit(draw.word[0]));
        put_real(slot, i, value);
    }
}

/* ---- making and finding ---- */

/* Shapes are equal, or differ in the first dimension of an input, where a program's batch stands. */
static bool same_but_batch(const dpr_shape *a, const dpr_shape *b) {
    dpr_shape c = *b;
    if (a->rank == 0 || a->rank != b->rank)
        return false;
    c.dim[0] = a->dim[0];
    return dpr__shape_equal(a, &c);
}

static dpr_status mismatch(dpr_store *store, const dpr__slot *slot, const dpr__leaf_param *param) {
    char has[DPR__SHAPE_TEXT], wants[DPR__SHAPE_TEXT];
    return DPR_FAIL(store->context, DPR_E_MISMATCH,
                    "leaf '%s' is %s %s in the store, and %s %s in the graph", slot->name,
                    dpr__dtype_name(slot->dtype), dpr__shape_text(&slot->shape, has),
                    dpr__dtype_name(param->dtype), dpr__shape_text(&param->shape, wants));
}

static dpr_status resize_input(dpr_store *store, dpr__slot *slot, const dpr_shape *shape) {
    size_t bytes = (size_t)dpr__shape_count(shape) * dpr__dtype_bytes(slot->dtype);
    if (bytes > slot->bytes) {
        void *data;
        DPR_TRY(dpr__allocate_aligned(store->context, bytes, ALIGNMENT, &data));
        release_data(store, slot);
        slot->version++;
        store->moves++;
        slot->data = data;
        slot->borrowed = false;
        slot->bytes = slot->room = bytes;
        slot->shape = *shape;
    }
    return DPR_OK;
}

dpr_status dpr__store_want(dpr_store *store, const dpr__leaf_param *param, uint64_t seed,
                           size_t *out) {
    dpr_context *context = store->context;
    dpr_dtype dtype = param->dtype == DPR_F32 ? store->real : param->dtype;
    dpr__slot *slot = dpr__store_find(store, param->name);
    if (slot != NULL) {
        *out = (size_t)(slot - store->slots);
        if (slot->dtype != dtype || slot->kind != (dpr_leaf_kind)param->kind)
            return mismatch(store, slot, param);
        if (dpr__shape_equal(&slot->shape, &param->shape))
            return DPR_OK;
        if (slot->kind != DPR_INPUT || !same_but_batch(&slot->shape, &param->shape))
            return mismatch(store, slot, param);
        return resize_input(store, slot, &param->shape);
    }
    DPR_TRY(dpr__grow(context, &store->slots, &store->slots_capacity, store->n_slots + 1,
                      sizeof *store->slots));
    dpr__slot made = {.kind = (dpr_leaf_kind)param->kind,
                      .dtype = dtype,
                      .shape = param->shape,
                      .bytes = (size_t)dpr__shape_count(&param->shape) * dpr__dtype_bytes(dtype),
                      .form = dpr__form_of_leaf((dpr_leaf_kind)param->kind, dtype, &param->shape),
                      .ordinal = store->n_parameters};
    made.room = dpr__form_bytes(made.form, &made.shape, dpr__dtype_bytes(dtype));
    DPR_TRY(dpr__duplicate(context, param->name, &made.name));
    dpr_status status = dpr__allocate_aligned(context, made.room, ALIGNMENT, &made.data);
    if (status != DPR_OK) {
        dpr__free(context, made.name);
        return status;
    }
    memset(made.data, 0, made.room);
    initialise(&made, (dpr_init)param->init, seed);
    store->n_parameters += made.kind == DPR_PARAMETER;
    *out = store->n_slots;
    store->slots[store->n_slots++] = made;
    store->moves++; /* the array of slots may have, too */
    return DPR_OK;
}

/* ---- reading and writing ---- */

void dpr__slot_read(const dpr__slot *slot, void *dst) {
    dpr__form_copy(dst, DPR__PLAIN, slot->data, slot->form, &slot->shape,
                   dpr__dtype_bytes(slot->dtype));
}

void dpr__slot_write(dpr__slot *slot, const void *src) {
    slot->version++;
    dpr__form_copy(slot->data, slot->form, src, DPR__PLAIN, &slot->shape,
                   dpr__dtype_bytes(slot->dtype));
}

static dpr_status find_checked(const dpr_store *store, const char *leaf, size_t bytes,
                               dpr__slot **out) {
    dpr__slot *slot = dpr__store_find(store, leaf);
    if (slot == NULL)
        return DPR_FAIL(store->context, DPR_E_ARGUMENT, "the store has no leaf '%s'", leaf);
    if (bytes != slot->bytes)
        return DPR_FAIL(store->context, DPR_E_SHAPE, "leaf '%s' has %zu bytes, not %zu", leaf,
                        slot->bytes, bytes);
    *out = slot;
    return DPR_OK;
}

dpr_status dpr_store_read(const dpr_store *store, const char *leaf, void *dst, size_t bytes) {
    dpr__slot *slot = NULL;
    DPR_TRY(find_checked(store, leaf, bytes, &slot));
    dpr__slot_read(slot, dst);
    return DPR_OK;
}

dpr_status dpr_store_write(dpr_store *store, const char *leaf, const void *src, size_t bytes) {
    dpr__slot *slot = NULL;
    DPR_TRY(find_checked(store, leaf, bytes, &slot));
    if (slot->borrowed)
        return DPR_FAIL(store->context, DPR_E_ARGUMENT,
                        "leaf '%s' is bound to the caller's memory; write there", leaf);
    dpr__slot_write(slot, src);
    return DPR_OK;
}

static void borrow(dpr_store *store, dpr__slot *slot, const void *memory) {
    release_data(store, slot);
    slot->version++;
    store->moves++;
    slot->data = (void *)(uintptr_t)memory; /* borrowed slots are never written */
    slot->borrowed = true;
}

dpr_status dpr__store_lend(dpr_store *store, const dpr__leaf_param *param, const void *memory) {
    dpr__leaf_param empty = *param;
    dpr__slot *slot = dpr__store_find(store, param->name);
    if (slot == NULL) {
        size_t made;
        empty.shape.dim[0] = 0;
        DPR_TRY(dpr__store_want(store, &empty, 0, &made));
        slot = &store->slots[made];
    }
    DPR_ASSERT(slot->kind == DPR_INPUT && slot->dtype == param->dtype);
    borrow(store, slot, memory);
    slot->shape = param->shape;
    slot->bytes = slot->room =
        (size_t)dpr__shape_count(&param->shape) * dpr__dtype_bytes(slot->dtype);
    return DPR_OK;
}

dpr_status dpr_store_bind(dpr_store *store, const char *leaf, const void *memory, size_t bytes) {
    dpr__slot *slot = NULL;
    DPR_TRY(find_checked(store, leaf, bytes, &slot));
    if (slot->kind != DPR_INPUT)
        return DPR_FAIL(store->context, DPR_E_ARGUMENT,
                        "leaf '%s' is no input; only inputs can be bound", leaf);
    borrow(store, slot, memory);
    return DPR_OK;
}

dpr_status dpr__store_check_finite(const dpr_store *store) {
    for (size_t i = 0; i < store->n_slots; i++) {
        const dpr__slot *slot = &store->slots[i];
        if (slot->kind == DPR_INPUT || (slot->dtype != DPR_F32 && slot->dtype != DPR_F64))
            continue;
        int64_t n = dpr__shape_count(&slot->shape);
        for (int64_t k = 0; k < n; k++) {
            int64_t at = dpr__form_index(slot->form, &slot->shape, k);
            if (!isfinite(slot->dtype == DPR_F32 ? (double)((const float *)slot->data)[at]
                                                 : ((const double *)slot->data)[at]))
                return DPR_FAIL(store->context, DPR_E_NON_FINITE,
                                "'%s' holds a value that is not finite", slot->name);
        }
    }
    return DPR_OK;
}
