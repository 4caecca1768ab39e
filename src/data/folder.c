/* Image folders: one folder for each class, at the top or below train/, test/ and val/. Hidden files
 * and files that are no images are counted and left alone; a file that is named like an image is taken
 * for one, and if it is none, reading it says so. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "data/source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_DEPTH = 8 }; /* of folders below a class's */

/* The halves' folders, and the classes' folders in each. */
struct half {
    const char *path; /* NULL: there is none */
    dpr__entry *classes;
    size_t n;
};

/* Whatever the case of letters. */
static bool is_half_name(const char *name, dpr_half *half) {
    static const struct {
        const char *name;
        dpr_half half;
    } NAMES[] = {{"train", DPR_TRAIN},          {"training", DPR_TRAIN}, {"test", DPR_TEST},
                 {"testing", DPR_TEST},         {"val", DPR_VALIDATION}, {"valid", DPR_VALIDATION},
                 {"validation", DPR_VALIDATION}};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcasecmp(name, NAMES[i].name) == 0) {
            *half = NAMES[i].half;
            return true;
        }
    return false;
}

static bool is_named_like_image(const dpr__entry *entry) {
    static const char *const ENDINGS[] = {".png",  ".jpg",  ".jpeg", ".jpe",  ".jfif",
                                          ".gif",  ".bmp",  ".tif",  ".tiff", ".webp",
                                          ".heic", ".avif", ".jp2"};
    const char *dot = strrchr(entry->name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof ENDINGS / sizeof *ENDINGS; i++)
        if (strcasecmp(dot, ENDINGS[i]) == 0)
            return true;
    return false;
}

/* An image by its name or, whatever its name, by its first bytes. Image formats that are not read are
 * taken too: to leave out part of a set without a word would be worse than an error. */
static bool looks_like_image(const dpr__entry *entry) {
    if (is_named_like_image(entry))
        return true;
    uint8_t head[8];
    size_t n = dpr__file_head(entry->path, head, sizeof head);
    return dpr__is_image(head, n);
}

/* Images of one class, in all depths; links to folders are not followed, so there are no circles. */
static dpr_status add_images(dpr__listing *listing, const char *directory, int32_t label,
                             dpr_half half, int depth) {
    dpr__entry *entries;
    size_t n;
    DPR_TRY(dpr__listing_bad(listing, directory,
                             dpr__directory_read(listing, directory, &entries, &n)));
    for (size_t i = 0; i < n; i++) {
        dpr__item item = {.path = entries[i].path, .label = label, .half = half};
        bool folder = entries[i].kind == DPR__KIND_DIRECTORY;
        if (!entries[i].hidden && folder && !entries[i].link && depth < MOST_DEPTH)
            DPR_TRY(add_images(listing, entries[i].path, label, half, depth + 1));
        else if (!entries[i].hidden && entries[i].kind == DPR__KIND_FILE &&
                 looks_like_image(&entries[i]))
            DPR_TRY(dpr__listing_add(listing, &item));
        else if (!entries[i].hidden && entries[i].lost && is_named_like_image(&entries[i]))
            DPR_TRY(dpr__listing_bad(
                listing, entries[i].path,
                DPR_FAIL(listing->context, DPR_E_IO,
                         "%s: is a link to a file that is not there; mend it, or take it away",
                         entries[i].path)));
        else
            listing->ignored++;
    }
    return DPR_OK;
}

/* The folders in a half's folder; other entries are counted. */
static dpr_status find_classes(dpr__listing *listing, const char *path, struct half *out,
                               size_t *others) {
    dpr__entry *entries;
    size_t n;
    DPR_TRY(dpr__directory_read(listing, path, &entries, &n));
    *out = (struct half){.path = path, .classes = entries};
    for (size_t i = 0; i < n; i++)
        if (!entries[i].hidden && entries[i].kind == DPR__KIND_DIRECTORY)
            entries[out->n++] = entries[i];
    *others = n - out->n;
    return DPR_OK;
}

/* train/ and the like are halves where they hold folders; else they may be classes of that name. */
static dpr_status find_halves(dpr__listing *listing, struct half halves[3]) {
    struct half root;
    size_t others, in_halves = 0, n_halves = 0;
    DPR_TRY(find_classes(listing, listing->root, &root, &others));
    for (size_t i = 0; i < root.n; i++) {
        struct half found;
        dpr_half half;
        size_t ignored;
        if (!is_half_name(root.classes[i].name, &half))
            continue;
        DPR_TRY(find_classes(listing, root.classes[i].path, &found, &ignored));
        if (found.n == 0)
            continue;
        if (halves[half].path != NULL)
            return DPR_FAIL(listing->context, DPR_E_DATA,
                            "%s: is the same half as '%s'; take one away", found.path,
                            halves[half].path);
        halves[half] = found;
        in_halves += ignored;
        n_halves++;
    }
    listing->ignored = others + in_halves + (n_halves > 0 ? root.n - n_halves : 0);
    if (n_halves == 0)
        halves[DPR_TRAIN] = root;
    return DPR_OK;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of all halves, sorted bytewise, each once. */
static dpr_status name_classes(dpr__listing *listing, const struct half halves[3]) {
    uint32_t kept = 0;
    for (int h = 0; h < 3; h++)
        for (size_t i = 0; i < halves[h].n; i++) {
            if (!dpr__utf8_is_clean(halves[h].classes[i].name))
                return DPR_FAIL(listing->context, DPR_E_DATA,
                                "%s: folder %zu's name is no clean UTF-8 text; rename it",
                                halves[h].path, i + 1);
            DPR_TRY(dpr__listing_class(listing, halves[h].classes[i].name));
        }
    if (listing->n_classes == 0)
        return DPR_OK;
    const char **names = listing->class_names;
    qsort(names, listing->n_classes, sizeof *names, by_text);
    for (uint32_t i = 0; i < listing->n_classes; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    listing->n_classes = kept;
    return DPR_OK;
}

static int32_t class_index(const dpr__listing *listing, const char *name) {
    const char **found = bsearch(&name, listing->class_names, listing->n_classes,
                                 sizeof *listing->class_names, by_text);
    return (int32_t)(found - listing->class_names);
}

static dpr_status add_half(dpr__listing *listing, const struct half *half, dpr_half which) {
    for (size_t i = 0; i < half->n; i++) {
        const dpr__entry *class = &half->classes[i];
        size_t before = listing->n_items;
        DPR_TRY(add_images(listing, class->path, class_index(listing, class->name), which, 0));
        if (listing->n_items == before && !listing->survey)
            return DPR_FAIL(
                listing->context, DPR_E_DATA,
                "%s: class '%s' has no PNG or JPEG images there; put some in, or remove "
                "the folder",
                class->path, class->name);
    }
    return DPR_OK;
}

dpr_status dpr__folder_list(dpr__listing *listing) {
    struct half halves[3] = {0};
    listing->format = "image folder";
    DPR_TRY(find_halves(listing, halves));
    DPR_TRY(name_classes(listing, halves));
    for (int i = 0; i < 3; i++) {
        listing->has[i] = halves[i].n > 0;
        DPR_TRY(add_half(listing, &halves[i], (dpr_half)i));
    }
    return DPR_OK;
}

dpr_status dpr__folder_refuse_loose(dpr__listing *listing, const char *path) {
    dpr__entry *entries;
    size_t n, loose = 0;
    DPR_TRY(dpr__directory_read(listing, path, &entries, &n));
    for (size_t i = 0; i < n; i++)
        loose += !entries[i].hidden && entries[i].kind == DPR__KIND_FILE &&
                 looks_like_image(&entries[i]);
    if (loose == 0)
        return DPR_OK;
    return DPR_FAIL(
        listing->context, DPR_E_DATA,
        "%s: %zu picture%s in it, and none in a class's folder; put those of each class "
        "into a folder with the class's name",
        path, loose, loose == 1 ? " lies" : "s lie");
}

/* A subfolder that cannot be read does not keep the others from being shown. */
static dpr_status show(dpr__listing *listing, const char *path, void (*visit)(void *, const char *),
                       void *user) {
    DPR_TRY(add_images(listing, path, 0, DPR_TRAIN, 0));
    for (size_t i = 0; i < listing->n_items; i++)
        visit(user, listing->items[i].path);
    if (listing->n_bad > 0)
        return DPR_FAIL(listing->context, DPR_E_IO, "%s", listing->bad[0]);
    if (listing->n_items == 0)
        return DPR_FAIL(listing->context, DPR_E_DATA, "%s: holds no PNG or JPEG files", path);
    return DPR_OK;
}

dpr_status dpr_folder_images(dpr_context *context, const char *path,
                             void (*visit)(void *user, const char *path), void *user) {
    dpr__listing listing = {.context = context, .survey = true};
    dpr__arena_init(&listing.arena, context);
    dpr_status status = show(&listing, path, visit, user);
    dpr__listing_release(&listing);
    return status;
}
