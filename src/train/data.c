/* Sets of images: what is checked, who frees. */
#include "train/data.h"
#include "base/context.h"
#include "ir/shape.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dpr_data_info dpr_data_info_default(void) {
    return (dpr_data_info){.size = sizeof(dpr_data_info), .fit = DPR_FIT};
}

void dpr__info_release(dpr_context *context, dpr_data_info *info) {
    if (info->class_names != NULL)
        for (uint32_t i = 0; i < info->n_classes; i++)
            dpr__free(context, (void *)(uintptr_t)info->class_names[i]);
    dpr__free(context, (void *)(uintptr_t)info->class_names);
    info->class_names = NULL;
}

dpr_status dpr__info_copy(dpr_context *context, const dpr_data_info *from, dpr_data_info *out) {
    *out = dpr_data_info_default();
    memcpy(out, from, from->size < sizeof *out ? from->size : sizeof *out);
    out->size = sizeof *out;
    if (out->class_names == NULL)
        return DPR_OK;
    const char *const *names = out->class_names;
    char **copies;
    out->class_names = NULL;
    DPR_TRY(dpr__allocate(context, out->n_classes, sizeof *copies, &copies));
    out->class_names = (const char *const *)copies;
    for (uint32_t i = 0; i < out->n_classes; i++) {
        dpr_status status = dpr__duplicate(context, names[i], &copies[i]);
        if (status != DPR_OK) {
            dpr__info_release(context, out);
            return status;
        }
    }
    return DPR_OK;
}

const char *dpr__class_name(const dpr_data_info *info, uint32_t index, char number[16]) {
    if (info->class_names != NULL && index < info->n_classes)
        return info->class_names[index];
    snprintf(number, 16, "%u", index);
    return number;
}

dpr_status dpr__info_match(dpr_context *context, const dpr_data_info *wanted,
                           const dpr_data_info *data) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    if (!dpr__shape_equal(&wanted->image, &data->image))
        return DPR_FAIL(context, DPR_E_MISMATCH,
                        "the network takes images of %s, the data has %s; open the data with the "
                        "network's image shape",
                        dpr__shape_text(&wanted->image, a), dpr__shape_text(&data->image, b));
    if (wanted->n_classes != data->n_classes)
        return DPR_FAIL(context, DPR_E_MISMATCH,
                        "the network tells %u classes apart, the data has %u", wanted->n_classes,
                        data->n_classes);
    if (wanted->class_names == NULL || data->class_names == NULL)
        return DPR_OK;
    for (uint32_t i = 0; i < wanted->n_classes; i++)
        if (strcmp(wanted->class_names[i], data->class_names[i]) != 0)
            return DPR_FAIL(context, DPR_E_MISMATCH,
                            "class %u is '%s' for the network and '%s' in the data", i,
                            wanted->class_names[i], data->class_names[i]);
    return DPR_OK;
}

/* ---- creating ---- */

size_t dpr__image_bytes(const dpr_data_info *info) {
    return (size_t)dpr__shape_count(&info->image);
}

static dpr_status check(dpr_context *context, const dpr_data_info *info, bool images,
                        const int32_t *labels, size_t n) {
    const dpr_shape *image = &info->image;
    char shape[DPR__SHAPE_TEXT];
    bool sane = image->rank == 3 && dpr__shape_is_sane(image) && !dpr__shape_has_batch(image) &&
                dpr__shape_count(image) > 0 && image->dim[2] <= DPR__MAX_CHANNELS;
    if (!sane)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "data: an image is (height, width, 1 to 4 channels), not %s",
                        dpr__shape_text(image, shape));
    if (n > INT32_MAX || (n > 0 && (!images || labels == NULL)))
        return DPR_FAIL(context, DPR_E_ARGUMENT, "data: %s",
                        n > INT32_MAX ? "more than 2,147,483,647 images"
                                      : "images and labels must be given");
    if (info->n_classes == 0)
        return DPR_FAIL(context, DPR_E_DATA, "data: there must be at least one class");
    for (size_t i = 0; i < n; i++)
        if (labels[i] < 0 || (uint32_t)labels[i] >= info->n_classes)
            return DPR_FAIL(context, DPR_E_DATA,
                            "data: image %zu has label %d; with %u classes, labels are 0 to %u", i,
                            (int)labels[i], info->n_classes, info->n_classes - 1);
    return DPR_OK;
}

/* The set without pixels. */
static dpr_status make(dpr_context *context, const dpr_data_info *info, const int32_t *labels,
                       size_t n, dpr_data **out) {
    dpr_data *data;
    DPR_TRY(dpr__allocate(context, 1, sizeof *data, &data));
    *data = (dpr_data){.context = context, .labels = labels, .n = n};
    dpr_status status = dpr__info_copy(context, info, &data->info);
    if (status != DPR_OK)
        dpr_data_destroy(data);
    else
        *out = data;
    return status;
}

static bool knows_mean(const dpr_data_info *info) {
    bool known = true;
    for (int64_t c = 0; c < info->image.dim[2]; c++)
        known = known && info->deviation[c] > 0;
    return known;
}

/* From here on destroy releases the caller's memory; after a failure it is still the caller's. */
static dpr_status finish(dpr_data *data, dpr_status status, void (*release)(void *user), void *user,
                         dpr_data **out) {
    if (status != DPR_OK) {
        dpr_data_destroy(data);
        return status;
    }
    data->release = release;
    data->user = user;
    *out = data;
    return DPR_OK;
}

dpr_status dpr_data_create(dpr_context *context, const dpr_data_info *info, const uint8_t *images,
                           const int32_t *labels, size_t n, void (*release)(void *user), void *user,
                           dpr_data **out) {
    dpr_data *data;
    DPR_TRY(check(context, info, images != NULL, labels, n));
    DPR_TRY(make(context, info, labels, n, &data));
    data->pool = (uint8_t *)(uintptr_t)images; /* never written: nothing is loaded */
    data->rows = n;
    return finish(data, knows_mean(&data->info) ? DPR_OK : dpr__data_look(data, true), release,
                  user, out);
}

dpr_status dpr_data_create_loaded(dpr_context *context, const dpr_data_info *info,
                                  dpr_data_load load, const int32_t *labels, size_t n,
                                  size_t memory, void (*release)(void *user), void *user,
                                  dpr_data **out) {
    dpr_data *data;
    DPR_TRY(check(context, info, load != NULL, labels, n));
    DPR_TRY(make(context, info, labels, n, &data));
    data->load = load;
    data->user = user;
    dpr_status status = dpr__pool_create(data, memory);
    if (status == DPR_OK)
        status = dpr__data_look(data, !knows_mean(&data->info));
    return finish(data, status, release, user, out);
}

void dpr_data_destroy(dpr_data *data) {
    if (data == NULL)
        return;
    if (data->release != NULL)
        data->release(data->user);
    dpr__pool_release(data);
    dpr__free(data->context, data->hash);
    dpr__info_release(data->context, &data->info);
    dpr__free(data->context, data);
}

const dpr_data_info *dpr_data_describe(const dpr_data *data) {
    return &data->info;
}

size_t dpr_data_count(const dpr_data *data) {
    return data->n;
}

const uint8_t *dpr_data_images(const dpr_data *data) {
    return data->window == NULL ? data->pool : NULL;
}

const int32_t *dpr_data_labels(const dpr_data *data) {
    return data->labels;
}

size_t dpr_data_memory(const dpr_data *data) {
    return data->rows * dpr__image_bytes(&data->info);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

dpr_status dpr_data_count_shared(const dpr_data *a, const dpr_data *b, size_t *out) {
    char unused[65];
    uint64_t *sorted;
    DPR_TRY(dpr_data_sha256(a, unused)); /* for the hashes */
    DPR_TRY(dpr_data_sha256(b, unused));
    DPR_TRY(dpr__allocate(a->context, b->n, sizeof *sorted, &sorted));
    memcpy(sorted, b->hash, b->n * sizeof *sorted);
    qsort(sorted, b->n, sizeof *sorted, by_value);
    *out = 0;
    for (size_t i = 0; i < a->n; i++)
        *out += bsearch(&a->hash[i], sorted, b->n, sizeof *sorted, by_value) != NULL;
    dpr__free(a->context, sorted);
    return DPR_OK;
}
