/* CIFAR-10 binary files: records of one label byte, then 32 × 32 bytes each of red, green and blue
 * (Krizhevsky 2009). The format has no magic number: names tell, and sizes are checked. */
#include "base/context.h"
#include "base/file.h"
#include "data/source.h"
#include <string.h>
#include <strings.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, CLASSES = 10 };
#define MOST_BYTES ((size_t)1 << 32)

/* Planes to pixels. */
static void interleave(const uint8_t *planes, uint8_t *pixels) {
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] = planes[c * PLANE + i];
}

static dpr_status add_records(dpr__listing *listing, const char *path, const uint8_t *bytes,
                              size_t count, dpr_half half) {
    uint8_t *pixels = NULL;
    if (dpr__listing_needs(listing, half)) {
        DPR_TRY(dpr__allocate(listing->context, count, 3 * PLANE, &pixels));
        DPR_TRY(dpr__listing_keep(listing, pixels));
    }
    for (size_t i = 0; i < count; i++) {
        dpr__item item = {.shape = &listing->shape[half], .label = bytes[i * RECORD], .half = half};
        if (item.label >= CLASSES)
            return DPR_FAIL(listing->context, DPR_E_FORMAT,
                            "%s: record %zu has label %d; CIFAR-10's are 0 to 9; fetch it again",
                            path, i + 1, (int)item.label);
        if (pixels != NULL) {
            interleave(bytes + i * RECORD + 1, pixels + i * 3 * PLANE);
            item.pixels = pixels + i * 3 * PLANE;
        }
        DPR_TRY(dpr__listing_add(listing, &item));
    }
    return DPR_OK;
}

static dpr_status add_file(dpr__listing *listing, const char *path, dpr_half half) {
    uint8_t *bytes;
    size_t n, before = listing->n_items;
    DPR_TRY(dpr__file_read(listing->context, path, MOST_BYTES, &bytes, &n));
    dpr_status status =
        n == 0 || n % RECORD != 0
            ? DPR_FAIL(listing->context, DPR_E_FORMAT,
                       "%s: has %zu bytes, which is no whole number of CIFAR-10's records of %d; "
                       "fetch it again",
                       path, n, RECORD)
            : add_records(listing, path, bytes, n / RECORD, half);
    dpr__free(listing->context, bytes);
    if (status != DPR_OK)
        listing->n_items = before;
    return status;
}

static bool is_batch(const dpr__entry *entry, dpr_half *half) {
    size_t n = strlen(entry->name);
    *half = strncmp(entry->name, "test_batch", 10) == 0 ? DPR_TEST : DPR_TRAIN;
    return entry->kind == DPR__KIND_FILE && n > 4 && strcasecmp(entry->name + n - 4, ".bin") == 0 &&
           (*half == DPR_TEST || strncmp(entry->name, "data_batch", 10) == 0);
}

static dpr_status read_names(dpr__listing *listing) {
    bool named;
    DPR_TRY(dpr__names_read(listing, "batches.meta.txt", &named));
    if (named && listing->n_classes != CLASSES)
        return DPR_FAIL(listing->context, DPR_E_FORMAT,
                        "%s/batches.meta.txt: names %u classes; CIFAR-10 has 10; fetch it again",
                        listing->root, listing->n_classes);
    listing->n_classes = CLASSES;
    return DPR_OK;
}

dpr_status dpr__cifar_list(dpr__listing *listing, bool *found) {
    dpr__entry *entries;
    size_t n, ignored = 0;
    dpr_half half;
    DPR_TRY(dpr__directory_read(listing, listing->root, &entries, &n));
    for (size_t i = 0; i < n; i++)
        if (is_batch(&entries[i], &half))
            listing->has[half] = true;
        else if (entries[i].kind == DPR__KIND_FILE)
            ignored += strcmp(entries[i].name, "batches.meta.txt") != 0;
    *found = listing->has[DPR_TRAIN] || listing->has[DPR_TEST];
    if (!*found)
        return DPR_OK;
    listing->format = "CIFAR-10 binary";
    listing->ignored = ignored;
    listing->shape[DPR_TRAIN] = listing->shape[DPR_TEST] = dpr_shape_of(SIDE, SIDE, 3);
    for (size_t i = 0; i < n; i++)
        if (is_batch(&entries[i], &half))
            DPR_TRY(dpr__listing_bad(listing, entries[i].path,
                                     add_file(listing, entries[i].path, half)));
    return read_names(listing);
}
