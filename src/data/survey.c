/* Surveys: what `deeper data info` tells. Bad files are counted and listed, not errors. Images are the
 * same where the hashes of size and pixels are. */
#include "base/context.h"
#include "data/looks.h"
#include <stdlib.h>
#include <string.h>

/* The survey and all that its pointers lead to. */
struct survey {
    dpr_survey view;
    dpr_context *context;
    dpr__arena arena;
};

/* ---- counting ---- */

static int by_hash(const void *a, const void *b) {
    const dpr__look *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* looks are sorted by hash: equal ones lie together. All but the first of a group in one half are
 * duplicates; a group in both halves counts its test images as duplicates across. A validation part
 * counts as training half. */
static void count_duplicates(const dpr__look *looks, size_t n, dpr_survey *out) {
    for (size_t i = 0, end; i < n; i = end) {
        size_t test = 0;
        for (end = i; end < n && looks[end].hash == looks[i].hash; end++)
            test += looks[end].half == DPR_TEST;
        size_t train = end - i - test;
        out->duplicates_train += train > 1 ? train - 1 : 0;
        out->duplicates_test += test > 1 ? test - 1 : 0;
        out->duplicates_across += train > 0 ? test : 0;
    }
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static dpr_status measure_side(dpr_context *context, const dpr__look *looks, size_t n, bool height,
                               uint32_t *least, uint32_t *most, uint32_t *median) {
    uint32_t *side;
    DPR_TRY(dpr__allocate(context, n, sizeof *side, &side));
    for (size_t i = 0; i < n; i++)
        side[i] = height ? looks[i].height : looks[i].width;
    qsort(side, n, sizeof *side, by_number);
    *least = side[0];
    *most = side[n - 1];
    *median = side[n / 2];
    dpr__free(context, side);
    return DPR_OK;
}

static int by_size(const void *a, const void *b) {
    const dpr__look *x = a, *y = b;
    if (x->height != y->height)
        return x->height < y->height ? -1 : 1;
    if (x->width != y->width)
        return x->width < y->width ? -1 : 1;
    return x->channels < y->channels ? -1 : x->channels > y->channels;
}

static dpr_status measure(dpr_context *context, dpr__look *looks, size_t n, dpr_survey *out) {
    if (n == 0)
        return DPR_OK;
    qsort(looks, n, sizeof *looks, by_hash);
    count_duplicates(looks, n, out);
    qsort(looks, n, sizeof *looks, by_size);
    out->n_sizes = 1;
    for (size_t i = 1; i < n; i++)
        out->n_sizes += by_size(&looks[i - 1], &looks[i]) != 0;
    if (out->n_sizes == 1)
        out->image = dpr_shape_of(looks->height, looks->width, looks->channels);
    DPR_TRY(measure_side(context, looks, n, true, &out->min_height, &out->max_height,
                         &out->median_height));
    return measure_side(context, looks, n, false, &out->min_width, &out->max_width,
                        &out->median_width);
}

/* ---- assembling ---- */

static char *copy_text(struct survey *survey, const char *text) {
    return dpr__arena_text(&survey->arena, text, strlen(text));
}

/* Names, or numbers where the set has none. */
static dpr_status fill_names(const dpr__listing *listing, struct survey *survey) {
    const char **names =
        dpr__arena_allocate(&survey->arena, (listing->n_classes + 1) * sizeof *names);
    for (uint32_t i = 0; names != NULL && i < listing->n_classes; i++) {
        char number[16];
        dpr__format(listing->context, number, sizeof number, "%u", i);
        names[i] = copy_text(survey, listing->class_names ? listing->class_names[i] : number);
        if (names[i] == NULL)
            return DPR_E_MEMORY;
    }
    survey->view.class_names = names;
    survey->view.n_classes = listing->n_classes;
    return names != NULL ? DPR_OK : DPR_E_MEMORY;
}

static dpr_status fill_counts(const dpr__looks *looks, struct survey *survey) {
    size_t n_classes = looks->listing.n_classes;
    uint64_t *counts = dpr__arena_allocate(&survey->arena, (3 * n_classes + 1) * sizeof *counts);
    if (counts == NULL)
        return DPR_E_MEMORY;
    for (int half = 0; half < 3; half++)
        survey->view.per_class[half] = counts + (size_t)half * n_classes;
    for (size_t i = 0; i < looks->n; i++) {
        counts[(size_t)looks->looks[i].half * n_classes + (size_t)looks->looks[i].label]++;
        survey->view.n[looks->looks[i].half]++;
    }
    return DPR_OK;
}

static dpr_status fill_unreadable(const dpr__looks *looks, struct survey *survey) {
    size_t n = looks->n_unreadable;
    const char **list = dpr__arena_allocate(&survey->arena, (n + 1) * sizeof *list);
    if (list == NULL)
        return DPR_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        if ((list[i] = copy_text(survey, looks->unreadable[i])) == NULL)
            return DPR_E_MEMORY;
    survey->view.unreadable = list;
    survey->view.n_unreadable = n;
    return DPR_OK;
}

static dpr_status fill(dpr__looks *looks, struct survey *survey) {
    const dpr__listing *listing = &looks->listing;
    survey->view.format = listing->format;
    survey->view.split = listing->split;
    survey->view.ignored = listing->ignored;
    DPR_TRY(fill_names(listing, survey));
    DPR_TRY(fill_unreadable(looks, survey));
    DPR_TRY(fill_counts(looks, survey));
    return measure(looks->context, looks->looks, looks->n, &survey->view);
}

dpr_status dpr_survey_create(dpr_context *context, const char *path, dpr_survey **out) {
    dpr__looks looks;
    struct survey *survey;
    DPR_TRY(dpr__looks_take(context, path, &(dpr__looking){0}, &looks));
    dpr_status status = dpr__allocate(context, 1, sizeof *survey, &survey);
    if (status == DPR_OK) {
        survey->context = context;
        dpr__arena_init(&survey->arena, context);
        status = fill(&looks, survey);
        if (status == DPR_OK)
            *out = &survey->view;
        else
            dpr_survey_destroy(&survey->view);
    }
    dpr__looks_release(&looks);
    return status;
}

void dpr_survey_destroy(dpr_survey *survey) {
    if (survey == NULL)
        return;
    struct survey *whole = (struct survey *)survey; /* the view is its first member */
    dpr_context *context = whole->context;
    dpr__arena_release(&whole->arena);
    dpr__free(context, whole);
}
