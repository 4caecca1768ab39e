/* IDX files, plain or gzip: magic 00 00 08 d, then d dimensions as big-endian 32-bit numbers, then bytes. Images have three dimensions (n, height,
 * width) or four (… channels); labels have one. A file is known by content; its name tells the half. */
#include "base/context.h"
#include "base/file.h"
#include "data/source.h"
#include <stdio.h>
#include <string.h>

#define MOST_BYTES ((size_t)1 << 33)

/* The files of one half. */
struct half {
    const char *images_path, *labels_path;
    uint8_t *images, *labels; /* whole files, unpacked */
    size_t n, header, pixels; /* images; bytes before them; bytes of one */
};

static bool is_gzip(const uint8_t *bytes, size_t n) {
    return n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_idx(const uint8_t *bytes, size_t n) {
    return n >= 8 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 8 &&
           (bytes[3] == 1 || bytes[3] == 3 || bytes[3] == 4);
}

/* Reads a file that may be gzip'ed; *bytes is NULL when it is no IDX file. `head` of a plain file decides first. */
static dpr_status read_idx(dpr_context *context, const char *path, uint8_t **bytes, size_t *n) {
    uint8_t head[8];
    FILE *file = fopen(path, "rbe");
    *bytes = NULL;
    size_t got = file != NULL ? fread(head, 1, sizeof head, file) : 0;
    if (file != NULL)
        fclose(file);
    if (!is_gzip(head, got) && !is_idx(head, got))
        return DPR_OK;
    uint8_t *raw;
    DPR_TRY(dpr__file_read(context, path, MOST_BYTES, &raw, n));
    if (is_gzip(raw, *n)) {
        uint8_t *unpacked;
        dpr_status status = dpr__gunzip(context, path, raw, *n, MOST_BYTES, &unpacked, n);
        dpr__free(context, raw);
        DPR_TRY(status);
        raw = unpacked;
    }
    if (!is_idx(raw, *n)) {
        dpr__free(context, raw);
        return DPR_OK;
    }
    *bytes = raw;
    return DPR_OK;
}

static int half_of(const char *name) {
    static const struct {
        const char *begin;
        dpr_half half;
    } NAMES[] = {
        {"train", DPR_TRAIN}, {"t10k", DPR_TEST}, {"test", DPR_TEST}, {"val", DPR_VALIDATION}};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strncmp(name, NAMES[i].begin, strlen(NAMES[i].begin)) == 0)
            return (int)NAMES[i].half;
    return -1;
}

/* The size that the header promises against the size that the file has. */
static dpr_status check_size(dpr_context *context, const char *path, const uint8_t *bytes, size_t n,
                             struct half *half, dpr_shape *image) {
    unsigned rank = bytes[3];
    size_t header = 4 + 4 * (size_t)rank, entry = 1;
    if (n < header)
        return DPR_FAIL(context, DPR_E_FORMAT, "'%s' is cut off in its header; fetch it again",
                        path);
    for (unsigned i = 1; i < rank; i++) {
        uint32_t extent = big_endian(bytes + 4 + 4 * i);
        if (extent < 1 || extent > DPR__MOST_SIDE || entry > DPR__MOST_PIXELS / extent)
            return DPR_FAIL(context, DPR_E_FORMAT, "'%s': dimension %u of its images is %u", path,
                            i, extent);
        entry *= extent;
    }
    uint32_t count = big_endian(bytes + 4);
    if (count > (n - header) / entry || n - header != count * entry)
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "'%s': its header promises %u entries of %zu bytes, but %zu bytes follow; "
                        "fetch it again",
                        path, count, entry, n - header);
    if (rank > 1) {
        *image = dpr_shape_of(big_endian(bytes + 8), big_endian(bytes + 12),
                              rank == 4 ? big_endian(bytes + 16) : 1);
        if (image->dim[2] != 1 && image->dim[2] != 3)
            return DPR_FAIL(context, DPR_E_FORMAT,
                            "'%s': images of %lld channels; there can be 1 or 3", path,
                            (long long)image->dim[2]);
        *half = (struct half){.images_path = path,
                              .labels_path = half->labels_path,
                              .labels = half->labels,
                              .n = count,
                              .header = header,
                              .pixels = entry};
    }
    return DPR_OK;
}

static dpr_status take_file(dpr__listing *listing, const char *name, struct half halves[3],
                            size_t n_labels[3], bool *found) {
    dpr_context *context = listing->context;
    const char *path = dpr__listing_text(listing, "%s/%s", listing->root, name);
    uint8_t *bytes;
    size_t n;
    dpr_shape image = {0};
    if (path == NULL)
        return DPR_E_MEMORY;
    if (dpr__is_directory(path))
        return DPR_OK;
    DPR_TRY(read_idx(context, path, &bytes, &n));
    if (bytes == NULL)
        return DPR_OK;
    DPR_TRY(dpr__listing_keep(listing, bytes));
    *found = true;
    int which = half_of(name);
    if (which < 0)
        return DPR_FAIL(context, DPR_E_DATA,
                        "'%s' is an IDX file, but its name does not tell its half; it must begin "
                        "with train, test, t10k or val",
                        path);
    struct half *half = &halves[which];
    bool labels = bytes[3] == 1;
    if ((labels ? half->labels_path : half->images_path) != NULL)
        return DPR_FAIL(context, DPR_E_DATA,
                        "'%s' and '%s' both hold the same thing; take one away",
                        labels ? half->labels_path : half->images_path, path);
    DPR_TRY(check_size(context, path, bytes, n, half, &image));
    if (labels) {
        half->labels_path = path;
        half->labels = bytes;
        n_labels[which] = n - 8;
        return DPR_OK;
    }
    half->images = bytes;
    if (listing->image.rank != 0 && memcmp(&listing->image, &image, sizeof image) != 0)
        return DPR_FAIL(context, DPR_E_DATA,
                        "'%s': its images have another size than those of the "
                        "other half",
                        path);
    listing->image = image;
    return DPR_OK;
}

static dpr_status add_half(dpr__listing *listing, const struct half *half, size_t n_labels,
                           dpr_half which) {
    if (half->images_path == NULL && half->labels_path == NULL)
        return DPR_OK;
    if (half->images_path == NULL || half->labels_path == NULL)
        return DPR_FAIL(listing->context, DPR_E_DATA, "'%s' has no file of %s beside it",
                        half->images_path ? half->images_path : half->labels_path,
                        half->images_path ? "labels" : "images");
    if (half->n != n_labels)
        return DPR_FAIL(listing->context, DPR_E_DATA, "'%s' holds %zu images, '%s' %zu labels",
                        half->images_path, half->n, half->labels_path, n_labels);
    if (half->n == 0)
        return DPR_FAIL(listing->context, DPR_E_DATA, "'%s' holds no images", half->images_path);
    listing->has[which] = true;
    for (size_t i = 0; i < half->n; i++) {
        dpr__item item = {.pixels = half->images + half->header + i * half->pixels,
                          .label = half->labels[8 + i],
                          .half = which};
        if (listing->class_names != NULL && item.label >= (int32_t)listing->n_classes)
            return DPR_FAIL(listing->context, DPR_E_DATA,
                            "'%s': label %zu is %d, but classes.txt names %u classes",
                            half->labels_path, i + 1, item.label, listing->n_classes);
        DPR_TRY(dpr__listing_add(listing, &item));
    }
    return DPR_OK;
}

dpr_status dpr__idx_list(dpr__listing *listing, bool *found) {
    struct half halves[3] = {{0}};
    size_t n_labels[3] = {0}, n;
    const char **names;
    bool named = false;
    *found = false;
    DPR_TRY(dpr__directory_read(listing, listing->root, &names, &n));
    for (size_t i = 0; i < n; i++)
        DPR_TRY(take_file(listing, names[i], halves, n_labels, found));
    if (!*found)
        return DPR_OK;
    listing->format = "IDX";
    DPR_TRY(dpr__names_read(listing, "classes.txt", &named));
    for (int half = 0; half < 3; half++)
        DPR_TRY(add_half(listing, &halves[half], n_labels[half], (dpr_half)half));
    for (size_t i = 0; !named && i < listing->n_items; i++)
        if (listing->items[i].label >= (int32_t)listing->n_classes)
            listing->n_classes = (uint32_t)listing->items[i].label + 1;
    return DPR_OK;
}
