/* Image folders: one folder for each class, at the top or below train/, test/ and val/. Hidden files and files that are not named
 * like images are counted and left alone. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "data/source.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Folder names that make a half. */
static const struct {
    const char *name;
    dpr_half half;
} HALVES[] = {{"train", DPR_TRAIN},      {"training", DPR_TRAIN},        {"val", DPR_VALIDATION},
              {"valid", DPR_VALIDATION}, {"validation", DPR_VALIDATION}, {"test", DPR_TEST},
              {"testing", DPR_TEST}};
enum { N_HALVES = sizeof HALVES / sizeof *HALVES };

static bool is_hidden(const char *name) {
    return name[0] == '.';
}

/* An image by its name or, whatever its name, by its first bytes. A file named .jpg that is none is unreadable, not foreign. */
static bool looks_like_image(const char *name, const char *path) {
    static const char *const ENDINGS[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof ENDINGS / sizeof *ENDINGS; i++)
        if (strcasecmp(dot, ENDINGS[i]) == 0)
            return true;
    uint8_t head[8];
    FILE *file = fopen(path, "rbe");
    size_t n = file != NULL ? fread(head, 1, sizeof head, file) : 0;
    if (file != NULL)
        fclose(file);
    return dpr__is_image(head, n);
}

static dpr_status add_class(dpr__listing *listing, const char *directory, int32_t label,
                            dpr_half half) {
    const char **names;
    size_t n;
    DPR_TRY(dpr__directory_read(listing, directory, &names, &n));
    for (size_t i = 0; i < n; i++) {
        dpr__item item = {.label = label, .half = half};
        item.path = dpr__listing_text(listing, "%s/%s", directory, names[i]);
        if (item.path == NULL)
            return DPR_E_MEMORY;
        if (is_hidden(names[i]) || dpr__is_directory(item.path) ||
            !looks_like_image(names[i], item.path)) {
            listing->ignored++;
            continue;
        }
        DPR_TRY(dpr__listing_add(listing, &item));
    }
    return DPR_OK;
}

/* The class's index, made when the name is new. */
static dpr_status class_index(dpr__listing *listing, const char *name, int32_t *out) {
    for (uint32_t i = 0; i < listing->n_classes; i++)
        if (strcmp(listing->class_names[i], name) == 0) {
            *out = (int32_t)i;
            return DPR_OK;
        }
    if (!dpr__utf8_is_clean(name))
        return DPR_FAIL(listing->context, DPR_E_DATA,
                        "'%s': a class's folder has a name that is not clean UTF-8 text; rename it",
                        listing->root);
    DPR_TRY(dpr__grow(listing->context, &listing->class_names, &listing->class_names_capacity,
                      listing->n_classes + 1, sizeof *listing->class_names));
    *out = (int32_t)listing->n_classes;
    listing->class_names[listing->n_classes++] = name;
    return DPR_OK;
}

/* All class folders below `directory`. `first` half to be read makes the classes; in others each class must be known. */
static dpr_status add_half(dpr__listing *listing, const char *directory, dpr_half half, bool first,
                           const char *first_directory) {
    const char **names;
    size_t n, known = 0;
    uint32_t before = listing->n_classes;
    DPR_TRY(dpr__directory_read(listing, directory, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const char *path = dpr__listing_text(listing, "%s/%s", directory, names[i]);
        int32_t label = 0;
        if (path == NULL)
            return DPR_E_MEMORY;
        if (is_hidden(names[i]) || !dpr__is_directory(path)) {
            listing->ignored++;
            continue;
        }
        DPR_TRY(class_index(listing, names[i], &label));
        if (!first && listing->n_classes > before)
            return DPR_FAIL(listing->context, DPR_E_DATA, "class '%s' is in '%s' but not in '%s'",
                            names[i], directory, first_directory);
        known++;
        DPR_TRY(add_class(listing, path, label, half));
    }
    for (uint32_t c = 0; !first && known < before && c < before; c++) {
        const char *path = dpr__listing_text(listing, "%s/%s", directory, listing->class_names[c]);
        if (path == NULL)
            return DPR_E_MEMORY;
        if (!dpr__is_directory(path))
            return DPR_FAIL(listing->context, DPR_E_DATA, "class '%s' is in '%s' but not in '%s'",
                            listing->class_names[c], first_directory, directory);
    }
    return DPR_OK;
}

dpr_status dpr__folder_list(dpr__listing *listing) {
    const char *first = NULL;
    listing->format = "image folder";
    for (int i = 0; i < N_HALVES; i++) {
        const char *path = dpr__listing_text(listing, "%s/%s", listing->root, HALVES[i].name);
        if (path == NULL)
            return DPR_E_MEMORY;
        if (!dpr__is_directory(path))
            continue;
        if (listing->has[HALVES[i].half])
            return DPR_FAIL(listing->context, DPR_E_DATA,
                            "'%s' and another folder are the same half; take one away", path);
        listing->has[HALVES[i].half] = true;
        DPR_TRY(add_half(listing, path, HALVES[i].half, first == NULL, first));
        first = first != NULL ? first : path;
    }
    if (first != NULL)
        return DPR_OK;
    listing->has[DPR_TRAIN] = true;
    return add_half(listing, listing->root, DPR_TRAIN, true, NULL);
}
