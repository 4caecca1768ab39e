/* Listings: what lies in a directory, in the terms that all formats share. Nothing here trusts a name:
 * devices and pipes are never opened, text must be clean UTF-8. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "data/source.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MOST_NAMES = 65536, MOST_TEXT = 1 << 24 };

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

dpr_status dpr__listing_class(dpr__listing *listing, const char *name) {
    if (listing->n_classes == MOST_NAMES)
        return DPR_FAIL(listing->context, DPR_E_DATA, "%s: more than %d classes", listing->root,
                        MOST_NAMES);
    DPR_TRY(dpr__grow(listing->context, &listing->class_names, &listing->class_names_capacity,
                      listing->n_classes + 1, sizeof *listing->class_names));
    listing->class_names[listing->n_classes++] = name;
    return DPR_OK;
}

dpr_status dpr__listing_bad(dpr__listing *listing, const char *path, dpr_status status) {
    if (status == DPR_OK || status == DPR_E_MEMORY || !listing->survey)
        return status;
    const char *message = dpr_error(listing->context);
    bool named = strncmp(message, path, strlen(path)) == 0;
    DPR_TRY(dpr__grow(listing->context, &listing->bad, &listing->bad_capacity, listing->n_bad + 1,
                      sizeof *listing->bad));
    const char *line = named ? dpr__listing_text(listing, "%s", message)
                             : dpr__listing_text(listing, "%s: %s", path, message);
    if (line == NULL)
        return DPR_E_MEMORY;
    listing->bad[listing->n_bad++] = line;
    return DPR_OK;
}

char *dpr__listing_text(dpr__listing *listing, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = n < 0 ? NULL : dpr__arena_allocate(&listing->arena, (size_t)n + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

/* ---- directories and names ---- */

static bool is_hidden(const char *name) {
    static const char *const LEFT_BEHIND[] = {"Thumbs.db", "ehthumbs.db", "desktop.ini",
                                              "__MACOSX"};
    for (size_t i = 0; i < sizeof LEFT_BEHIND / sizeof *LEFT_BEHIND; i++)
        if (strcasecmp(name, LEFT_BEHIND[i]) == 0)
            return true;
    return name[0] == '.';
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const dpr__entry *)a)->name, ((const dpr__entry *)b)->name);
}

/* Of links, and where the directory does not say what it holds. */
static void ask_file(dpr__entry *entry) {
    struct stat own, target;
    entry->link = lstat(entry->path, &own) == 0 && S_ISLNK(own.st_mode);
    bool known = stat(entry->path, &target) == 0;
    entry->lost = entry->link && !known;
    entry->kind = known && S_ISREG(target.st_mode)   ? DPR__KIND_FILE
                  : known && S_ISDIR(target.st_mode) ? DPR__KIND_DIRECTORY
                                                     : DPR__KIND_OTHER;
}

static dpr_status describe(dpr__listing *listing, const char *directory, const struct dirent *from,
                           dpr__entry *out) {
    size_t n = strlen(directory), m = strlen(from->d_name);
    char *path = dpr__arena_allocate(&listing->arena, n + m + 2);
    if (path == NULL)
        return DPR_E_MEMORY;
    memcpy(path, directory, n);
    path[n] = '/';
    memcpy(path + n + 1, from->d_name, m);
    *out = (dpr__entry){.name = path + n + 1, .path = path, .hidden = is_hidden(from->d_name)};
    if (from->d_type == DT_REG)
        out->kind = DPR__KIND_FILE;
    else if (from->d_type == DT_DIR)
        out->kind = DPR__KIND_DIRECTORY;
    else
        ask_file(out);
    return DPR_OK;
}

/* What this program writes beside a set, or into it. */
static bool is_ours(const dpr__entry *entry) {
    static const char *const ENDS[] = {".safetensors", ".safetensors.lock", ".report.html"};
    size_t n = strlen(entry->name);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        size_t m = strlen(ENDS[i]);
        if (entry->kind == DPR__KIND_FILE && n > m && strcmp(entry->name + n - m, ENDS[i]) == 0)
            return true;
    }
    return false;
}

static dpr_status read_entries(dpr__listing *listing, DIR *directory, const char *path,
                               dpr__entry **list, size_t *n) {
    size_t capacity = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        DPR_TRY(dpr__grow(listing->context, list, &capacity, *n + 1, sizeof **list));
        DPR_TRY(describe(listing, path, entry, *list + *n));
        *n += !is_ours(*list + *n);
    }
    if (errno != 0)
        return DPR_FAIL(listing->context, DPR_E_IO, "%s: cannot read the directory: %s", path,
                        strerror(errno));
    return DPR_OK;
}

dpr_status dpr__directory_read(dpr__listing *listing, const char *path, dpr__entry **entries,
                               size_t *n) {
    dpr__entry *list = NULL;
    DIR *directory = opendir(path);
    *n = 0;
    if (directory == NULL)
        return DPR_FAIL(listing->context, DPR_E_IO,
                        "%s: cannot read the directory: %s; check the path and its permissions",
                        path, strerror(errno));
    dpr_status status = read_entries(listing, directory, path, &list, n);
    closedir(directory);
    if (status == DPR_OK) {
        *entries = dpr__arena_allocate(&listing->arena, (*n + 1) * sizeof **entries);
        status = *entries != NULL ? DPR_OK : DPR_E_MEMORY;
    }
    if (status == DPR_OK && *n > 0) {
        memcpy(*entries, list, *n * sizeof *list);
        qsort(*entries, *n, sizeof **entries, by_name);
    }
    if (status != DPR_OK)
        *n = 0;
    dpr__free(listing->context, list);
    return status;
}

size_t dpr__file_head(const char *path, uint8_t *head, size_t n) {
    FILE *file = fopen(path, "rbe");
    size_t got = file != NULL ? fread(head, 1, n, file) : 0;
    if (file != NULL)
        fclose(file);
    return got;
}

static dpr_status add_line(dpr__listing *listing, const char *file, unsigned line, const char *text,
                           size_t n) {
    char *name = dpr__arena_text(&listing->arena, text, n);
    if (name == NULL)
        return DPR_E_MEMORY;
    if (strlen(name) != n || !dpr__utf8_is_clean(name))
        return DPR_FAIL(listing->context, DPR_E_FORMAT,
                        "%s: line %u is no clean UTF-8 text; one class name a line is read", file,
                        line);
    for (uint32_t i = 0; i < listing->n_classes; i++)
        if (strcmp(listing->class_names[i], name) == 0)
            return DPR_FAIL(listing->context, DPR_E_FORMAT,
                            "%s: line %u: the name '%s' stands there twice; classes need "
                            "different names",
                            file, line, name);
    return dpr__listing_class(listing, name);
}

static dpr_status add_lines(dpr__listing *listing, const char *path, const char *bytes, size_t n) {
    const char *at = bytes, *end = bytes + n;
    if (n >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3; /* a byte order mark, as some editors write */
    for (unsigned line = 1; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        size_t shown = (size_t)(stop - at);
        while (shown > 0 && (at[shown - 1] == '\r' || at[shown - 1] == ' '))
            shown--;
        if (shown > 0)
            DPR_TRY(add_line(listing, path, line, at, shown));
        at = newline != NULL ? newline + 1 : end;
    }
    if (listing->n_classes == 0)
        return DPR_FAIL(listing->context, DPR_E_FORMAT,
                        "%s: holds no names; write one class name a line, or remove it", path);
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
    DPR_TRY(dpr__file_read(listing->context, path, MOST_TEXT, &bytes, &n));
    dpr_status status = add_lines(listing, path, (const char *)bytes, n);
    dpr__free(listing->context, bytes);
    return status;
}

/* ---- opening ---- */

/* Splitting takes its images from the training half. */
bool dpr__listing_needs(const dpr__listing *listing, dpr_half half) {
    bool splits = !listing->has[DPR_TEST] || !listing->has[listing->wanted];
    return listing->survey || half == listing->wanted || (half == DPR_TRAIN && splits);
}

static dpr_status list(dpr__listing *listing, const char *path) {
    bool found = false;
    listing->root = dpr__listing_text(listing, "%s", path);
    if (listing->root == NULL)
        return DPR_E_MEMORY;
    if (!dpr__is_directory(path))
        return DPR_FAIL(listing->context, DPR_E_IO, "%s: %s", path,
                        dpr__file_exists(path)
                            ? "is a file; a data set is a directory (unpack archives first)"
                            : "does not exist; check the path");
    DPR_TRY(dpr__idx_list(listing, &found));
    if (!found)
        DPR_TRY(dpr__cifar_list(listing, &found));
    if (!found)
        DPR_TRY(dpr__folder_list(listing));
    if (listing->n_items == 0 && listing->n_bad == 0)
        DPR_TRY(dpr__folder_refuse_loose(listing, path));
    if (listing->n_items == 0 && listing->n_bad == 0)
        return DPR_FAIL(listing->context, DPR_E_DATA,
                        "%s: holds no images; a data set is a directory of IDX files, of CIFAR-10 "
                        "binary files, or of one folder of PNG and JPEG files for each class",
                        path);
    return DPR_OK;
}

dpr_status dpr__listing_open(dpr_context *context, const char *path, dpr__listing *out) {
    out->context = context;
    out->split = "as the files are";
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
    dpr__free(context, listing->bad);
    dpr__arena_release(&listing->arena);
}

dpr_status dpr__item_open(dpr_context *context, const dpr__item *item, dpr__image *out) {
    uint8_t *bytes;
    size_t n;
    if (item->path == NULL) {
        const int64_t *dim = item->shape->dim;
        *out = (dpr__image){(uint32_t)dim[0], (uint32_t)dim[1], (uint32_t)dim[2],
                            (uint8_t *)(uintptr_t)item->pixels};
        return DPR_OK;
    }
    DPR_TRY(dpr__file_read(context, item->path, DPR__MOST_FILE, &bytes, &n));
    dpr_status status = dpr__image_decode(context, item->path, bytes, n, DPR__MOST_PIXELS, out);
    dpr__free(context, bytes);
    return status;
}

void dpr__item_release(dpr_context *context, const dpr__item *item, dpr__image *image) {
    if (item->path != NULL)
        dpr__image_release(context, image);
}
