/* Surveys: what `deeper data info` tells. Bad files are counted and listed, not errors. */
#include "base/context.h"
#include "base/sha256.h"
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

static dpr_status look_at(dpr_context *own, void *user, size_t i) {
    struct surveying *s = user;
    const dpr__item *item = &s->listing.items[i];
    struct look *look = &s->looks[i];
    dpr__image image;
    dpr__sha256 hash;
    uint8_t digest[32];
    look->half = item->half;
    dpr_status status = dpr__item_decode(own, &s->listing, item, &image);
    if (status == DPR_E_MEMORY)
        return status;
    if (status != DPR_OK)
        return dpr__duplicate(own, dpr_error(own), &look->why);
    look->height = image.height;
    look->width = image.width;
    look->channels = image.channels;
    dpr__sha256_init(&hash);
    dpr__sha256_add(&hash, &image.height, sizeof image.height);
    dpr__sha256_add(&hash, &image.width, sizeof image.width);
    dpr__sha256_add(&hash, image.pixels, (size_t)image.height * image.width * image.channels);
    dpr__sha256_finish(&hash, digest);
    memcpy(&look->hash, digest, sizeof look->hash);
    dpr__image_release(own, &image);
    return DPR_OK;
}

/* ---- counting ---- */

static int by_hash(const void *a, const void *b) {
    const struct look *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* looks are sorted by hash: equal ones lie together. All but the first of a group in one half are duplicates; a group in both
 * halves counts its test images as duplicates across. */
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

static dpr_status fill_counts(const dpr__listing *listing, struct survey *survey) {
    uint64_t *counts =
        dpr__arena_allocate(&survey->arena, (3 * listing->n_classes + 1) * sizeof *counts);
    if (counts == NULL)
        return DPR_E_MEMORY;
    for (int half = 0; half < 3; half++)
        survey->view.per_class[half] = counts + (size_t)half * listing->n_classes;
    for (size_t i = 0; i < listing->n_items; i++) {
        const dpr__item *item = &listing->items[i];
        counts[(size_t)item->half * listing->n_classes + (size_t)item->label]++;
        survey->view.n[item->half]++;
    }
    return DPR_OK;
}

/* Takes the unreadable ones out of looks; *n is what remains. */
static dpr_status fill_unreadable(struct surveying *s, struct survey *survey, size_t *n) {
    const char **list =
        dpr__arena_allocate(&survey->arena, (s->listing.n_items + 1) * sizeof *list);
    if (list == NULL)
        return DPR_E_MEMORY;
    survey->view.unreadable = list;
    for (size_t i = 0; i < s->listing.n_items; i++) {
        if (s->looks[i].why == NULL) {
            s->looks[(*n)++] = s->looks[i];
            continue;
        }
        list[survey->view.n_unreadable] = copy_text(survey, s->looks[i].why);
        if (list[survey->view.n_unreadable++] == NULL)
            return DPR_E_MEMORY;
        dpr__free(s->context, s->looks[i].why);
        s->looks[i].why = NULL;
    }
    return DPR_OK;
}

static dpr_status fill(struct surveying *s, struct survey *survey) {
    dpr__listing *listing = &s->listing;
    size_t readable = 0;
    if (listing->has[DPR_TRAIN] && !listing->has[DPR_TEST] && listing->image.rank == 0)
        DPR_TRY(dpr__split_test(listing));
    DPR_TRY(dpr__allocate(s->context, listing->n_items, sizeof *s->looks, &s->looks));
    DPR_TRY(dpr__parallel(s->context, listing->n_items, look_at, s));
    survey->view.format = listing->format;
    survey->view.split = listing->split;
    survey->view.ignored = listing->ignored;
    DPR_TRY(fill_names(listing, survey));
    DPR_TRY(fill_counts(listing, survey));
    DPR_TRY(fill_unreadable(s, survey, &readable));
    return measure(s->context, s->looks, readable, &survey->view);
}

dpr_status dpr_survey_create(dpr_context *context, const char *path, dpr_survey **out) {
    struct surveying s = {.context = context};
    struct survey *survey;
    DPR_TRY(dpr__listing_open(context, path, &s.listing));
    dpr_status status = dpr__allocate(context, 1, sizeof *survey, &survey);
    if (status == DPR_OK) {
        survey->context = context;
        dpr__arena_init(&survey->arena, context);
        status = fill(&s, survey);
        for (size_t i = 0; s.looks != NULL && i < s.listing.n_items; i++)
            if (status != DPR_OK)
                dpr__free(context, s.looks[i].why);
        dpr__free(context, s.looks);
        *out = &survey->view;
        if (status != DPR_OK)
            dpr_survey_destroy(&survey->view);
    }
    dpr__listing_release(&s.listing);
    return status;
}

void dpr_survey_destroy(dpr_survey *view) {
    if (view == NULL)
        return;
    struct survey *survey = (struct survey *)view; /* view is its first member */
    dpr_context *context = survey->context;
    dpr__arena_release(&survey->arena);
    dpr__free(context, survey);
}
