/* Listings: what lies in a directory, in the terms that all formats share. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "data/source.h"
#include "ir/shape.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 100000 };

/* ---- parts ---- */

dpr_status dpr__listing_add(dpr__listing *listing, const dpr__item *item) {
    DPR_TRY(dpr__grow(listing->context, &listing->items, &listing->items_capacity,
                      listing->n_items + 1, sizeof *listing->items));
    listing->items[listing->n_items++] = *item;
    return DPR_OK;
}

dpr_status dpr__listing_keep(dpr__listing *listing, uint8_t *blob) {
    dpr_status status = dpr__grow(listing->context, &listing->blobs, &listing->blobs_capacity,
                                  listing->n_blobs + 1, sizeof *listing->blobs);
    if (status != DPR_OK) {
        dpr__free(listing->context, blob);
        return status;
    }
    listing->blobs[listing->n_blobs++] = blob;
    return DPR_OK;
}

char *dpr__listing_text(dpr__listing *listing, const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dpr__arena_text(&listing->arena, text,
                           n < 0                     ? 0
                           : (size_t)n < sizeof text ? (size_t)n
                                                     : sizeof text - 1);
}

/* ---- directories and names ---- */

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

dpr_status dpr__directory_read(dpr__listing *listing, const char *path, const char ***names,
                               size_t *n) {
    dpr_context *context = listing->context;
    const char **list = NULL;
    size_t capacity = 0, count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return DPR_FAIL(context, DPR_E_IO,
                        "cannot read directory '%s': %s; check the path and its "
                        "permissions",
                        path, strerror(errno));
    dpr_status status = DPR_OK;
    for (struct dirent *entry; status == DPR_OK && (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        status = dpr__grow(context, &list, &capacity, count + 1, sizeof *list);
        if (status == DPR_OK && (list[count++] = dpr__arena_text(&listing->arena, entry->d_name,
                                                                 strlen(entry->d_name))) == NULL)
            status = DPR_E_MEMORY;
    }
    closedir(directory);
    if (status == DPR_OK && count > 0)
        qsort(list, count, sizeof *list, by_bytes);
    const char **kept =
        status == DPR_OK ? dpr__arena_allocate(&listing->arena, (count + 1) * sizeof *kept) : NULL;
    if (kept != NULL && count > 0)
        memcpy(kept, list, count * sizeof *kept);
    dpr__free(context, list);
    *names = kept;
    *n = count;
    return status != DPR_OK ? status : kept != NULL ? DPR_OK : DPR_E_MEMORY;
}

static dpr_status add_name(dpr__listing *listing, const char *file, const char *line, size_t n) {
    char *name = dpr__arena_text(&listing->arena, line, n);
    if (name == NULL)
        return DPR_E_MEMORY;
    if (!dpr__utf8_is_clean(name))
        return DPR_FAIL(listing->context, DPR_E_FORMAT, "'%s': name %u is not clean UTF-8 text",
                        file, listing->n_classes + 1);
    for (uint32_t i = 0; i < listing->n_classes; i++)
        if (strcmp(listing->class_names[i], name) == 0)
            return DPR_FAIL(listing->context, DPR_E_FORMAT,
                            "'%s': the name '%s' stands there twice", file, name);
    if (listing->n_classes == MOST_NAMES)
        return DPR_FAIL(listing->context, DPR_E_FORMAT, "'%s': more than %d names", file,
                        MOST_NAMES);
    DPR_TRY(dpr__grow(listing->context, &listing->class_names, &listing->class_names_capacity,
                      listing->n_classes + 1, sizeof *listing->class_names));
    listing->class_names[listing->n_classes++] = name;
    return DPR_OK;
}

dpr_status dpr__names_read(dpr__listing *listing, const char *file, bool *found) {
    const char *path = dpr__listing_text(listing, "%s/%s", listing->root, file);
    uint8_t *bytes;
    size_t n;
    if (path == NULL)
        return DPR_E_MEMORY;
    *found = dpr__file_exists(path);
    if (!*found)
        return DPR_OK;
    DPR_TRY(dpr__file_read(listing->context, path, 1 << 24, &bytes, &n));
    dpr_status status = DPR_OK;
    for (const char *line = (const char *)bytes; status == DPR_OK && *line != '\0';) {
        size_t length = strcspn(line, "\n"), shown = length;
        while (shown > 0 && (line[shown - 1] == '\r' || line[shown - 1] == ' '))
            shown--;
        if (shown > 0)
            status = add_name(listing, path, line, shown);
        line += length + (line[length] == '\n');
    }
    dpr__free(listing->context, bytes);
    if (status == DPR_OK && listing->n_classes == 0)
        status = DPR_FAIL(listing->context, DPR_E_FORMAT, "'%s' holds no names", path);
    return status;
}

/* ---- opening ---- */

static dpr_status list(dpr__listing *listing, const char *path) {
    bool found = false;
    listing->root = dpr__arena_text(&listing->arena, path, strlen(path));
    if (listing->root == NULL)
        return DPR_E_MEMORY;
    if (!dpr__is_directory(path))
        return DPR_FAIL(listing->context, DPR_E_IO, "'%s' %s", path,
                        dpr__file_exists(path) ? "is a file; a data set is a directory"
                                               : "does not exist; check the path");
    DPR_TRY(dpr__idx_list(listing, &found));
    if (!found)
        DPR_TRY(dpr__cifar_list(listing, &found));
    if (!found)
        DPR_TRY(dpr__folder_list(listing));
    if (listing->n_items == 0)
        return DPR_FAIL(listing->context, DPR_E_DATA,
                        "'%s' holds no images; a data set is a directory of IDX files, of CIFAR-10 "
                        "files, or of one folder of PNG and JPEG files for each class",
                        path);
    return DPR_OK;
}

dpr_status dpr__listing_open(dpr_context *context, const char *path, dpr__listing *out) {
    *out = (dpr__listing){.context = context, .split = "as the files are"};
    dpr__arena_init(&out->arena, context);
    dpr_status status = list(out, path);
    if (status != DPR_OK)
        dpr__listing_release(out);
    return status;
}

void dpr__listing_release(dpr__listing *listing) {
    dpr_context *context = listing->context;
    for (size_t i = 0; i < listing->n_blobs; i++)
        dpr__free(context, listing->blobs[i]);
    dpr__free(context, listing->blobs);
    dpr__free(context, listing->items);
    dpr__free(context, listing->class_names);
    dpr__arena_release(&listing->arena);
    *listing = (dpr__listing){.context = context};
    dpr__arena_init(&listing->arena, context);
}

dpr_status dpr__item_decode(dpr_context *context, const dpr__listing *listing,
                            const dpr__item *item, dpr__image *out) {
    uint8_t *bytes;
    size_t n;
    if (item->pixels != NULL) {
        const int64_t *dim = listing->image.dim;
        DPR_TRY(dpr__image_allocate(context, listing->root, (uint64_t)dim[0], (uint64_t)dim[1],
                                    (uint32_t)dim[2], out));
        memcpy(out->pixels, item->pixels, (size_t)dpr__shape_count(&listing->image));
        return DPR_OK;
    }
    DPR_TRY(dpr__file_read(context, item->path, DPR__MOST_FILE, &bytes, &n));
    dpr_status status = dpr__image_decode(context, item->path, bytes, n, out);
    dpr__free(context, bytes);
    return status;
}
