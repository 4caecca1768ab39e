/* CIFAR-10 binary files: records of one label byte, then 32 × 32 bytes each of red, green and blue (Krizhevsky 2009). */
#include "base/context.h"
#include "base/file.h"
#include "data/source.h"
#include <string.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, CLASSES = 10 };

/* Planes to pixels. */
static void interleave(const uint8_t *planes, uint8_t *pixels) {
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] = planes[c * PLANE + i];
}

static dpr_status add_records(dpr__listing *listing, const char *path, const uint8_t *bytes,
                              size_t n, dpr_half half) {
    uint8_t *pixels;
    size_t count = n / RECORD;
    if (n == 0 || n % RECORD != 0)
        return DPR_FAIL(listing->context, DPR_E_FORMAT,
                        "'%s' has %zu bytes, which is no whole number of CIFAR-10's records of %d; "
                        "fetch it again",
                        path, n, RECORD);
    DPR_TRY(dpr__allocate(listing->context, count, 3 * PLANE, &pixels));
    DPR_TRY(dpr__listing_keep(listing, pixels));
    listing->has[half] = true;
    for (size_t i = 0; i < count; i++) {
        dpr__item item = {
            .pixels = pixels + i * 3 * PLANE, .label = bytes[i * RECORD], .half = half};
        if (item.label >= CLASSES)
            return DPR_FAIL(listing->context, DPR_E_FORMAT,
                            "'%s': record %zu has label %d; there are 10 classes", path, i + 1,
                            item.label);
        interleave(bytes + i * RECORD + 1, pixels + i * 3 * PLANE);
        DPR_TRY(dpr__listing_add(listing, &item));
    }
    return DPR_OK;
}

static bool is_batch(const char *name, dpr_half *half) {
    size_t n = strlen(name);
    *half = strncmp(name, "test_batch", 10) == 0 ? DPR_TEST : DPR_TRAIN;
    return n > 4 && strcmp(name + n - 4, ".bin") == 0 &&
           (*half == DPR_TEST || strncmp(name, "data_batch", 10) == 0);
}

dpr_status dpr__cifar_list(dpr__listing *listing, bool *found) {
    const char **names;
    size_t n_names;
    bool named;
    *found = false;
    DPR_TRY(dpr__directory_read(listing, listing->root, &names, &n_names));
    for (size_t i = 0; i < n_names; i++) {
        dpr_half half;
        if (!is_batch(names[i], &half))
            continue;
        const char *path = dpr__listing_text(listing, "%s/%s", listing->root, names[i]);
        uint8_t *bytes;
        size_t n;
        if (path == NULL)
            return DPR_E_MEMORY;
        *found = true;
        DPR_TRY(dpr__file_read(listing->context, path, (size_t)1 << 32, &bytes, &n));
        dpr_status status = add_records(listing, path, bytes, n, half);
        dpr__free(listing->context, bytes);
        DPR_TRY(status);
    }
    if (!*found)
        return DPR_OK;
    listing->format = "CIFAR-10 binary";
    listing->image = dpr_shape_of(SIDE, SIDE, 3);
    DPR_TRY(dpr__names_read(listing, "batches.meta.txt", &named));
    if (named && listing->n_classes != CLASSES)
        return DPR_FAIL(listing->context, DPR_E_FORMAT,
                        "'%s/batches.meta.txt' names %u classes; CIFAR-10 has 10", listing->root,
                        listing->n_classes);
    listing->n_classes = CLASSES;
    return DPR_OK;
}
