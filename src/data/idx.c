/* IDX files, plain or gzip: magic 00 00 TYPE RANK, then RANK dimensions as big-endian 32-bit numbers,
 * then the entries. Images have rank 3 (n, height, width) or 4 (n, height, width, channels), labels
 * rank 1, both of unsigned bytes. A file is known by content; its name only tells the half. */
#include "base/context.h"
#include "base/file.h"
#include "data/source.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MOST_BYTES ((size_t)1 << 33) /* of an IDX file, unpacked */
enum { UNSIGNED_BYTES = 8, MOST_RANK = 4, MOST_HEADER = 4 + 4 * MOST_RANK };

/* An IDX file of the directory. */
struct file {
    const char *path;
    bool gzip;
    unsigned rank;
};

/* The two files of one half; path NULL: there is none. */
struct half {
    struct file images, labels;
};

/* ---- finding -------------------------------------------------------------------------------- */

static bool is_gzip(const uint8_t *bytes, size_t n) {
    return n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

static bool is_idx(const uint8_t *bytes, size_t n) {
    return n >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14 &&
           bytes[3] >= 1 && bytes[3] <= MOST_RANK;
}

static bool is_named_idx(const char *name) {
    return strcasestr(name, "-ubyte") != NULL && strcasestr(name, "idx") != NULL;
}

/* The first bytes of the file's contents, unpacked where it is gzip. */
static dpr_status read_head(dpr_context *context, const char *path, uint8_t head[4], size_t *n,
                            bool *gzip) {
    uint8_t raw[4096], *unpacked;
    size_t got = dpr__file_head(path, raw, sizeof raw);
    *gzip = is_gzip(raw, got);
    *n = got < 4 ? got : 4;
    memcpy(head, raw, *n);
    if (!*gzip)
        return DPR_OK;
    DPR_TRY(dpr__gunzip(context, path, raw, got, 4, &unpacked, n));
    memcpy(head, unpacked, *n);
    dpr__free(context, unpacked);
    return DPR_OK;
}

/* Looks at one file; out->path stays NULL when it is none of ours. A damaged .gz is ours if it is named
 * like MNIST's. */
static dpr_status look(dpr_context *context, const dpr__entry *entry, struct file *out) {
    uint8_t head[4] = {0};
    size_t n = 0;
    bool named = is_named_idx(entry->name);
    *out = (struct file){0};
    dpr_status status = read_head(context, entry->path, head, &n, &out->gzip);
    if (status == DPR_E_MEMORY || (status != DPR_OK && named))
        return status;
    if (status != DPR_OK || !is_idx(head, n)) {
        if (!named)
            return DPR_OK;
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "%s: does not begin like an IDX file (00 00 08 …); fetch it again",
                        entry->path);
    }
    if (head[2] != UNSIGNED_BYTES || head[3] == 2)
        return DPR_FAIL(
            context, DPR_E_FORMAT,
            "%s: IDX type 0x%02x of rank %u; images are unsigned bytes (0x08) of rank 3 "
            "or 4, labels of rank 1; convert it",
            entry->path, head[2], head[3]);
    out->path = entry->path;
    out->rank = head[3];
    return DPR_OK;
}

/* By its name; a pair that does not say is one set, to be split. */
static dpr_half half_of(const char *name) {
    if (strcasestr(name, "train") != NULL)
        return DPR_TRAIN;
    if (strcasestr(name, "t10k") != NULL || strcasestr(name, "test") != NULL)
        return DPR_TEST;
    return strcasestr(name, "val") != NULL ? DPR_VALIDATION : DPR_TRAIN;
}

/* "x" and "x.gz": the same file, unpacked by hand. */
static bool is_packed_twin(const char *plain, const char *packed) {
    size_t n = strlen(plain);
    return strncmp(plain, packed, n) == 0 && strcasecmp(packed + n, ".gz") == 0;
}

static dpr_status take(dpr__listing *listing, const dpr__entry *entry, struct half halves[3]) {
    struct file file;
    DPR_TRY(look(listing->context, entry, &file));
    if (file.path == NULL) {
        listing->ignored += strcmp(entry->name, "classes.txt") != 0;
        return DPR_OK;
    }
    struct half *half = &halves[half_of(entry->name)];
    struct file *place = file.rank == 1 ? &half->labels : &half->images;
    if (place->path == NULL)
        *place = file;
    else if (is_packed_twin(place->path, file.path))
        listing->ignored++;
    else
        return DPR_FAIL(listing->context, DPR_E_DATA,
                        "%s: holds %s of the same half as '%s'; keep one set in a directory",
                        file.path, file.rank == 1 ? "labels" : "images", place->path);
    return DPR_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What a header says: dim[0] entries of `entry` bytes, after `header` bytes. */
struct layout {
    size_t header, entry, bytes;
    uint32_t dim[MOST_RANK];
};

static dpr_status read_layout(dpr_context *context, const struct file *file, const uint8_t *bytes,
                              size_t n, struct layout *out) {
    *out = (struct layout){.header = 4 + 4 * (size_t)file->rank, .entry = 1};
    if (n < out->header)
        return DPR_FAIL(context, DPR_E_FORMAT, "%s: cut off in its header; fetch it again",
                        file->path);
    for (unsigned i = 0; i < file->rank; i++)
        out->dim[i] = big_endian(bytes + 4 + 4 * i);
    for (unsigned i = 1; i < file->rank; i++) {
        if (out->dim[i] < 1 || out->dim[i] > DPR__MOST_SIDE ||
            out->entry > DPR__MOST_PIXELS / out->dim[i])
            return DPR_FAIL(context, DPR_E_FORMAT,
                            "%s: dimension %u in its header is %u, which no image has; fetch it "
                            "again",
                            file->path, i + 1, out->dim[i]);
        out->entry *= out->dim[i];
    }
    if (file->rank == 4 && out->dim[3] != 1 && out->dim[3] != 3)
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "%s: its images have %u channels; the last dimension must be 1 or 3",
                        file->path, out->dim[3]);
    if (out->dim[0] > INT32_MAX || out->dim[0] > (MOST_BYTES - out->header) / out->entry)
        return DPR_FAIL(
            context, DPR_E_FORMAT,
            "%s: its header promises %u entries of %zu bytes, more than a set may have; "
            "fetch it again",
            file->path, out->dim[0], out->entry);
    out->bytes = out->header + out->dim[0] * out->entry;
    return DPR_OK;
}

static dpr_status check_size(dpr_context *context, const struct file *file,
                             const struct layout *layout, size_t n) {
    if (n == layout->bytes)
        return DPR_OK;
    return DPR_FAIL(context, DPR_E_FORMAT,
                    "%s: its header promises %u entries of %zu bytes, but it %s; fetch it again",
                    file->path, layout->dim[0], layout->entry,
                    n < layout->bytes ? "is cut off" : "goes on after them");
}

/* The header decides how much is unpacked: what a .gz claims to hold is checked before there is memory
 * for it. One byte more is asked for, to see that the data ends. */
static dpr_status unpack(dpr_context *context, const struct file *file, const uint8_t *packed,
                         size_t n_packed, uint8_t **bytes, struct layout *layout) {
    uint8_t *head;
    size_t n;
    DPR_TRY(dpr__gunzip(context, file->path, packed, n_packed, MOST_HEADER, &head, &n));
    dpr_status status = read_layout(context, file, head, n, layout);
    dpr__free(context, head);
    DPR_TRY(status);
    DPR_TRY(dpr__gunzip(context, file->path, packed, n_packed, layout->bytes + 1, bytes, &n));
    status = check_size(context, file, layout, n);
    if (status != DPR_OK)
        dpr__free(context, *bytes);
    return status;
}

static dpr_status read_file(dpr_context *context, const struct file *file, uint8_t **bytes,
                            struct layout *layout) {
    uint8_t *raw;
    size_t n;
    DPR_TRY(dpr__file_read(context, file->path, MOST_BYTES, &raw, &n));
    dpr_status status;
    if (file->gzip) {
        status = unpack(context, file, raw, n, bytes, layout);
    } else {
        status = read_layout(context, file, raw, n, layout);
        if (status == DPR_OK)
            status = check_size(context, file, layout, n);
    }
    if (file->gzip || status != DPR_OK)
        dpr__free(context, raw);
    else
        *bytes = raw;
    return status;
}

/* ---- listing -------------------------------------------------------------------------------- */

static dpr_status add_items(dpr__listing *listing, const struct half *half, dpr_half which,
                            const uint8_t *labels, size_t n, const uint8_t *pixels, size_t entry) {
    for (size_t i = 0; i < n; i++) {
        dpr__item item = {.pixels = pixels != NULL ? pixels + i * entry : NULL,
                          .shape = &listing->shape[which],
                          .label = labels[i],
                          .half = which};
        if (listing->class_names != NULL && labels[i] >= listing->n_classes)
            return DPR_FAIL(listing->context, DPR_E_DATA,
                            "%s: label %zu is %u, but classes.txt names the classes 0 to %u",
                            half->labels.path, i + 1, labels[i], listing->n_classes - 1);
        DPR_TRY(dpr__listing_add(listing, &item));
    }
    return DPR_OK;
}

static dpr_status add_half(dpr__listing *listing, const struct half *half, dpr_half which) {
    dpr_context *context = listing->context;
    struct layout labels = {0}, images = {0};
    uint8_t *label_bytes, *pixels = NULL;
    if (half->images.path == NULL || half->labels.path == NULL)
        return DPR_FAIL(context, DPR_E_DATA, "%s: there is no file of %s for it; put it beside",
                        half->images.path ? half->images.path : half->labels.path,
                        half->images.path ? "labels" : "images");
    DPR_TRY(read_file(context, &half->labels, &label_bytes, &labels));
    DPR_TRY(dpr__listing_keep(listing, label_bytes));
    if (labels.dim[0] == 0)
        return DPR_FAIL(context, DPR_E_DATA, "%s: holds no labels; fetch it again",
                        half->labels.path);
    if (dpr__listing_needs(listing, which)) {
        DPR_TRY(read_file(context, &half->images, &pixels, &images));
        DPR_TRY(dpr__listing_keep(listing, pixels));
        if (images.dim[0] != labels.dim[0])
            return DPR_FAIL(context, DPR_E_DATA,
                            "%s: holds %u images, but '%s' %u labels; fetch both again",
                            half->images.path, images.dim[0], half->labels.path, labels.dim[0]);
        listing->shape[which] =
            dpr_shape_of(images.dim[1], images.dim[2], half->images.rank == 4 ? images.dim[3] : 1);
        pixels += images.header;
    }
    return add_items(listing, half, which, label_bytes + labels.header, labels.dim[0], pixels,
                     images.entry);
}

/* Bare labels show how many classes there are. */
static void count_classes(dpr__listing *listing) {
    for (size_t i = 0; i < listing->n_items; i++)
        if ((uint32_t)listing->items[i].label >= listing->n_classes)
            listing->n_classes = (uint32_t)listing->items[i].label + 1;
}

static dpr_status add_halves(dpr__listing *listing, const struct half halves[3]) {
    for (int i = 0; i < 3; i++)
        listing->has[i] = halves[i].images.path != NULL || halves[i].labels.path != NULL;
    for (int i = 0; i < 3; i++) {
        const struct half *half = &halves[i];
        size_t before = listing->n_items;
        if (!listing->has[i])
            continue;
        dpr_status status = add_half(listing, half, (dpr_half)i);
        if (status != DPR_OK) {
            listing->n_items = before;
            listing->has[i] = false;
        }
        DPR_TRY(dpr__listing_bad(listing, half->images.path ? half->images.path : half->labels.path,
                                 status));
    }
    return DPR_OK;
}

dpr_status dpr__idx_list(dpr__listing *listing, bool *found) {
    struct half halves[3] = {0};
    dpr__entry *entries;
    size_t n;
    bool named = false;
    *found = false;
    DPR_TRY(dpr__directory_read(listing, listing->root, &entries, &n));
    for (size_t i = 0; i < n; i++) {
        if (entries[i].hidden)
            listing->ignored++;
        else if (entries[i].kind == DPR__KIND_FILE)
            DPR_TRY(dpr__listing_bad(listing, entries[i].path, take(listing, &entries[i], halves)));
    }
    *found = listing->n_bad > 0;
    for (int i = 0; i < 3; i++)
        *found = *found || halves[i].images.path != NULL || halves[i].labels.path != NULL;
    if (!*found) {
        listing->ignored = 0; /* the next format counts anew */
        return DPR_OK;
    }
    listing->format = "IDX";
    DPR_TRY(dpr__names_read(listing, "classes.txt", &named));
    DPR_TRY(add_halves(listing, halves));
    if (!named)
        count_classes(listing);
    return DPR_OK;
}
