/* Surveys: what `deeper data info` tells. Bad files are counted and listed, not errors. Images are the
 * same where the hashes of size and pixels are. */
#include "base/context.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "base/text.h"
#include "data/source.h"
#include "ir/shape.h"
#include <stdlib.h>
#include <string.h>

/* What is learned of one image. */
struct look {
    uint64_t hash;
    uint32_t height, width, channels;
    dpr_half half;
    int32_t label;
    char *why; /* unreadable: the reason; else NULL */
};

struct surveying {
    dpr_context *context;
    dpr__listing listing;
    struct look *looks; /* (listing.n_items) */
};

/* The survey and all that its pointers lead to. */
struct survey {
    dpr_survey view;
    dpr_context *context;
    dpr__arena arena;
};

static uint64_t hash_image(const dpr__image *image) {
    size_t bytes = (size_t)image->height * image->width * image->channels;
    const uint64_t all[3] = {image->height, image->width, dpr__hash(image->pixels, bytes)};
    return dpr__hash(all, sizeof all);
}

static dpr_status look_at(dpr_context *own, void *user, size_t i) {
    struct surveying *s = user;
    const dpr__item *item = &s->listing.items[i];
    struct look *look = &s->looks[i];
    dpr__image image;
    *look = (struct look){.half = item->half, .label = item->label};
    dpr_status status = dpr__item_open(own, item, &image);
    if (status == DPR_E_MEMORY)
        return status;
    if (status != DPR_OK)
        return dpr__duplicate(own, dpr_error(own), &look->why);
    look->height = image.height;
    look->width = image.width;
    look->channels = image.channels;
    look->hash = hash_image(&image);
    dpr__item_release(own, item, &image);
    return DPR_OK;
}

/* ---- counting ---- */

static int by_hash(const void *a, const void *b) {
    const struct look *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* looks are sorted by hash: equal ones lie together. All but the first of a group in one half are
 * duplicates; a group in both halves counts its test images as duplicates across. A validation part
 * counts as training half. */
static void count_duplicates(const struct look *looks, size_t n, dpr_survey *out) {
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

static dpr_status measure_side(dpr_context *context, const struct look *looks, size_t n,
                               bool height, uint32_t *least, uint32_t *most, uint32_t *median) {
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
    const struct look *x = a, *y = b;
    if (x->height != y->height)
        return x->height < y->height ? -1 : 1;
    if (x->width != y->width)
        return x->width < y->width ? -1 : 1;
    return x->channels < y->channels ? -1 : x->channels > y->channels;
}

static dpr_status measure(dpr_context *context, struct look *looks, size_t n, dpr_survey *out) {
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

/* Of the readable images, which lie at the front of looks. */
static dpr_status fill_counts(const struct surveying *s, size_t readable, struct survey *survey) {
    size_t n_classes = s->listing.n_classes;
    uint64_t *counts = dpr__arena_allocate(&survey->arena, (3 * n_classes + 1) * sizeof *counts);
    if (counts == NULL)
        return DPR_E_MEMORY;
    for (int half = 0; half < 3; half++)
        survey->view.per_class[half] = counts + (size_t)half * n_classes;
    for (size_t i = 0; i < readable; i++) {
        counts[(size_t)s->looks[i].half * n_classes + (size_t)s->looks[i].label]++;
        survey->view.n[s->looks[i].half]++;
    }
    return DPR_OK;
}

/* Takes the unreadable ones out of looks; *readable is what remains. */
static dpr_status fill_unreadable(struct surveying *s, struct survey *survey, size_t *readable) {
    const dpr__listing *listing = &s->listing;
    dpr_survey *view = &survey->view;
    const char **list =
        dpr__arena_allocate(&survey->arena, (listing->n_bad + listing->n_items + 1) * sizeof *list);
    if (list == NULL)
        return DPR_E_MEMORY;
    view->unreadable = list;
    for (size_t i = 0; i < listing->n_bad; i++)
        if ((list[view->n_unreadable++] = copy_text(survey, listing->bad[i])) == NULL)
            return DPR_E_MEMORY;
    for (size_t i = 0; i < listing->n_items; i++) {
        char *why = s->looks[i].why;
        s->looks[i].why = NULL;
        if (why == NULL) {
            s->looks[(*readable)++] = s->looks[i];
            continue;
        }
        list[view->n_unreadable] = copy_text(survey, why);
        dpr__free(s->context, why);
        if (list[view->n_unreadable++] == NULL)
            return DPR_E_MEMORY;
    }
    return DPR_OK;
}

static dpr_status fill(struct surveying *s, struct survey *survey) {
    dpr__listing *listing = &s->listing;
    size_t readable = 0;
    if (listing->has[DPR_TRAIN] && !listing->has[DPR_TEST])
        DPR_TRY(dpr__split_test(listing));
    DPR_TRY(dpr__allocate(s->context, listing->n_items, sizeof *s->looks, &s->looks));
    DPR_TRY(dpr__parallel(s->context, listing->n_items, look_at, s));
    survey->view.format = listing->format;
    survey->view.split = listing->split;
    survey->view.ignored = listing->ignored;
    DPR_TRY(fill_names(listing, survey));
    DPR_TRY(fill_unreadable(s, survey, &readable));
    DPR_TRY(fill_counts(s, readable, survey));
    return measure(s->context, s->looks, readable, &survey->view);
}

/* What was made while surveying; reasons remain in looks only after a failure. */
static void release(struct surveying *s) {
    for (size_t i = 0; s->looks != NULL && i < s->listing.n_items; i++)
        dpr__free(s->context, s->looks[i].why);
    dpr__free(s->context, s->looks);
    dpr__listing_release(&s->listing);
}

dpr_status dpr_survey_create(dpr_context *context, const char *path, dpr_survey **out) {
    struct surveying s = {.context = context, .listing = {.survey = true}};
    struct survey *survey;
    DPR_TRY(dpr__listing_open(context, path, &s.listing));
    dpr_status status = dpr__allocate(context, 1, sizeof *survey, &survey);
    if (status == DPR_OK) {
        survey->context = context;
        dpr__arena_init(&survey->arena, context);
        status = fill(&s, survey);
        if (status == DPR_OK)
            *out = &survey->view;
        else
            dpr_survey_destroy(&survey->view);
    }
    release(&s);
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
