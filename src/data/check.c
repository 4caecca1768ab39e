/* Checks: what may be wrong with a set (tools.h). Every image is looked at once; the parts compare what was seen. */
#include "data/check.h"
#include "base/context.h"
#include <stdlib.h>
#include <string.h>

enum { UNBALANCED = 5, FAR_SIDE = 4, FAR_RATIO = 3 };

static const char *const NAMES[] = {
#define X(name, text) text,
    DPR_FINDING_MAP(X)
#undef X
};

static const struct {
    const char *what, *remedy;
} WORDS[] = {
    [DPR_FINDING_UNREADABLE] = {"files that cannot be read", "fetch them again, or take them away"},
    [DPR_FINDING_ONE_CLASS] = {"classes in the whole set", "a second one is needed to tell apart"},
    [DPR_FINDING_EMPTY_CLASS] = {"classes without an image in one half",
                                 "add images, or take the class away"},
    [DPR_FINDING_IMBALANCE] = {"classes with less than a fifth of the largest class's training "
                               "images",
                               "add images, or train with --class-weights balanced"},
    [DPR_FINDING_TWO_LABELS] = {"images whose very pixels are in another class, too",
                                "one of the two labels is wrong: look at them"},
    [DPR_FINDING_ACROSS] = {"test images that are training images, too",
                            "take them out of one half: the test would be too good"},
    [DPR_FINDING_DUPLICATE] = {"images that occur again in their half",
                               "take the copies away: they count twice"},
    [DPR_FINDING_NEAR_TWO_LABELS] = {"images of which almost the same picture is in another class",
                                     "one of the two labels may be wrong: look at them"},
    [DPR_FINDING_NEAR_ACROSS] = {"test images of which almost the same picture is a training image",
                                 "take them out of one half: the test would be too good"},
    [DPR_FINDING_NEAR] = {"images of which almost the same picture is in their half again",
                          "harmless if few; else they count twice"},
    [DPR_FINDING_LABEL] = {"images whose label a model that has not seen them doubts",
                           "look at them: some are labelled wrong, some are only odd"},
    [DPR_FINDING_BLANK] = {"images of one colour", "take them away: there is nothing to see"},
    [DPR_FINDING_GREY] = {"grey images where most have colours",
                          "all right if new pictures may be grey, too"},
    [DPR_FINDING_COLOUR] = {"coloured images where most are grey",
                            "all right if new pictures may have colours, too"},
    [DPR_FINDING_SIZE] = {"images whose size or proportions are far from the median",
                          "see what --fit makes of them: data preview"},
};

enum { KINDS = sizeof WORDS / sizeof *WORDS };

dpr_check_options dpr_check_options_default(void) {
    return (dpr_check_options){.size = sizeof(dpr_check_options), .folds = 4, .seed = 1};
}

/* ---- findings ---- */

dpr_check_image dpr__check_image(const dpr__checking *c, const dpr__look *look) {
    return (dpr_check_image){.path = c->looks.listing.items[look->item].path,
                             .half = look->half,
                             .index = c->features[look->item].index,
                             .label = (uint32_t)look->label,
                             .item = look->item};
}

dpr_suspect dpr__check_suspect(const dpr__checking *c, const dpr__look *look,
                               const dpr__look *twin) {
    dpr_suspect out = {.image = dpr__check_image(c, look),
                       .has_twin = twin != NULL,
                       .height = look->height,
                       .width = look->width};
    if (twin != NULL)
        out.twin = dpr__check_image(c, twin);
    return out;
}

dpr_status dpr__suspects_add(const dpr__checking *c, dpr__suspects *suspects,
                             const dpr_suspect *suspect) {
    DPR_TRY(dpr__grow(c->context, &suspects->list, &suspects->capacity, suspects->n + 1,
                      sizeof *suspects->list));
    suspects->list[suspects->n++] = *suspect;
    return DPR_OK;
}

static dpr_finding *find(dpr__checking *c, dpr_finding_kind kind, size_t count) {
    dpr_finding *finding = &c->findings[kind];
    *finding = (dpr_finding){.kind = kind,
                             .name = NAMES[kind],
                             .what = WORDS[kind].what,
                             .remedy = WORDS[kind].remedy,
                             .count = count};
    return finding;
}

static int by_item(const void *a, const void *b) {
    const dpr_suspect *x = a, *y = b;
    return x->image.item < y->image.item ? -1 : x->image.item > y->image.item;
}

dpr_status dpr__check_found(dpr__checking *c, dpr_finding_kind kind, dpr__suspects *suspects) {
    size_t bytes = suspects->n * sizeof *suspects->list;
    if (suspects->n > 0) {
        if (kind != DPR_FINDING_LABEL)
            qsort(suspects->list, suspects->n, sizeof *suspects->list, by_item);
        dpr_suspect *list = dpr__arena_allocate(&c->arena, bytes);
        if (list == NULL)
            return DPR_E_MEMORY;
        memcpy(list, suspects->list, bytes);
        dpr_finding *finding = find(c, kind, suspects->n);
        finding->suspects = list;
        finding->n_suspects = suspects->n;
    }
    dpr__free(c->context, suspects->list);
    *suspects = (dpr__suspects){0};
    return DPR_OK;
}

void dpr__check_found_lines(dpr__checking *c, dpr_finding_kind kind, const char *const *lines,
                            size_t n) {
    if (n == 0)
        return;
    dpr_finding *finding = find(c, kind, n);
    finding->lines = lines;
    finding->n_lines = n;
}

dpr_status dpr__check_progress(const dpr__checking *c, const char *what, size_t done, size_t of) {
    const dpr_check_options *o = &c->options;
    if (o->progress == NULL || o->progress(o->progress_user, what, done, of) == 0)
        return DPR_OK;
    return DPR_FAIL(c->context, DPR_E_INTERRUPTED, "the check was stopped");
}

/* ---- looking ---- */

static dpr_status begin(void *user, const dpr__listing *listing) {
    dpr__checking *c = user;
    size_t n = listing->n_items, count[3] = {0};
    DPR_TRY(dpr__allocate(c->context, n, sizeof *c->features, &c->features));
    DPR_TRY(dpr__allocate_untouched(c->context, n, DPR__THUMB_BYTES, &c->thumbs));
    for (size_t i = 0; i < n; i++)
        c->features[i].index = (uint32_t)count[listing->items[i].half]++;
    return DPR_OK;
}

static dpr_status look_closer(dpr_context *own, void *user, size_t item, const dpr__image *image) {
    dpr__checking *c = user;
    return dpr__check_features(own, image, &c->features[item], c->thumbs + item * DPR__THUMB_BYTES);
}

static int tell_progress(void *user, size_t done, size_t of) {
    return dpr__check_progress(user, "looking at images", done, of) != DPR_OK;
}

/* ---- what single images show ---- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double area(const dpr__look *look) {
    return (double)look->height * look->width;
}

static double ratio(const dpr__look *look) {
    return (double)look->width / look->height;
}

static dpr_status median(const dpr__checking *c, double (*of)(const dpr__look *), double *out) {
    double *values;
    DPR_TRY(dpr__allocate(c->context, c->looks.n, sizeof *values, &values));
    for (size_t i = 0; i < c->looks.n; i++)
        values[i] = of(&c->looks.looks[i]);
    qsort(values, c->looks.n, sizeof *values, by_value);
    *out = values[c->looks.n / 2];
    dpr__free(c->context, values);
    return DPR_OK;
}

static bool is_far(double value, double median, double times) {
    return value > median * times || value * times < median;
}

/* Shares one pass over all images: each is asked by every test, and a suspect of those that it does not pass. */
static dpr_status find_single(dpr__checking *c, dpr__suspects found[KINDS]) {
    double middle_area, middle_ratio;
    size_t coloured = 0;
    DPR_TRY(median(c, area, &middle_area));
    DPR_TRY(median(c, ratio, &middle_ratio));
    for (size_t i = 0; i < c->looks.n; i++)
        coloured += c->features[c->looks.looks[i].item].coloured;
    bool most_coloured = 2 * coloured >= c->looks.n;
    for (size_t i = 0; i < c->looks.n; i++) {
        const dpr__look *look = &c->looks.looks[i];
        const dpr__features *features = &c->features[look->item];
        const dpr_suspect suspect = dpr__check_suspect(c, look, NULL);
        bool far = is_far(area(look), middle_area, FAR_SIDE * FAR_SIDE) ||
                   is_far(ratio(look), middle_ratio, FAR_RATIO);
        bool mixed = coloured > 0 && features->coloured != most_coloured && !features->blank;
        if (features->blank)
            DPR_TRY(dpr__suspects_add(c, &found[DPR_FINDING_BLANK], &suspect));
        if (mixed)
            DPR_TRY(dpr__suspects_add(
                c, &found[most_coloured ? DPR_FINDING_GREY : DPR_FINDING_COLOUR], &suspect));
        if (far)
            DPR_TRY(dpr__suspects_add(c, &found[DPR_FINDING_SIZE], &suspect));
    }
    return DPR_OK;
}

static dpr_status check_single(dpr__checking *c) {
    static const dpr_finding_kind OF_ONE[] = {DPR_FINDING_BLANK, DPR_FINDING_GREY,
                                              DPR_FINDING_COLOUR, DPR_FINDING_SIZE};
    dpr__suspects found[KINDS] = {{0}};
    dpr_status status = find_single(c, found);
    for (size_t i = 0; i < sizeof OF_ONE / sizeof *OF_ONE; i++) {
        if (status == DPR_OK)
            status = dpr__check_found(c, OF_ONE[i], &found[OF_ONE[i]]);
        dpr__free(c->context, found[OF_ONE[i]].list);
    }
    return status;
}

/* ---- classes ---- */

static dpr_status name_classes(dpr__checking *c) {
    const dpr__listing *listing = &c->looks.listing;
    const char **names = dpr__arena_allocate(&c->arena, (listing->n_classes + 1) * sizeof *names);
    for (uint32_t i = 0; names != NULL && i < listing->n_classes; i++) {
        char number[16];
        dpr__format(c->context, number, sizeof number, "%u", i);
        names[i] = listing->class_names != NULL
                       ? listing->class_names[i]
                       : dpr__arena_text(&c->arena, number, strlen(number));
        if (names[i] == NULL)
            return DPR_E_MEMORY;
    }
    c->view.class_names = names;
    c->view.n_classes = listing->n_classes;
    return names != NULL ? DPR_OK : DPR_E_MEMORY;
}

/* counts: (3 × n_classes). A class that is in no half at all is empty, too. */
static void find_classes(dpr__checking *c, const size_t *counts, const char **empty,
                         const char **rare) {
    uint32_t n = c->view.n_classes;
    size_t n_empty = 0, n_rare = 0, most = 0;
    for (uint32_t i = 0; i < n; i++)
        most = counts[i] > most ? counts[i] : most;
    for (uint32_t i = 0; i < n; i++) {
        bool gap = false;
        for (uint32_t half = 0; half < 3; half++)
            gap = gap || (c->view.n[half] > 0 && counts[half * n + i] == 0);
        if (gap)
            empty[n_empty++] = c->view.class_names[i];
        else if (counts[i] * UNBALANCED < most)
            rare[n_rare++] = c->view.class_names[i];
    }
    if (n == 1)
        dpr__check_found_lines(c, DPR_FINDING_ONE_CLASS, c->view.class_names, 1);
    dpr__check_found_lines(c, DPR_FINDING_EMPTY_CLASS, empty, n_empty);
    dpr__check_found_lines(c, DPR_FINDING_IMBALANCE, rare, n_rare);
}

static dpr_status check_classes(dpr__checking *c) {
    size_t *counts, n;
    DPR_TRY(name_classes(c));
    n = c->view.n_classes;
    const char **empty = dpr__arena_allocate(&c->arena, (n + 1) * sizeof *empty);
    const char **rare = dpr__arena_allocate(&c->arena, (n + 1) * sizeof *rare);
    if (empty == NULL || rare == NULL)
        return DPR_E_MEMORY;
    DPR_TRY(dpr__allocate(c->context, 3 * n, sizeof *counts, &counts));
    for (size_t i = 0; i < c->looks.n; i++) {
        const dpr__look *look = &c->looks.looks[i];
        counts[(size_t)look->half * n + (size_t)look->label]++;
        c->view.n[look->half]++;
    }
    find_classes(c, counts, empty, rare);
    dpr__free(c->context, counts);
    return DPR_OK;
}

/* ---- all of it ---- */

struct place {
    uint64_t hash;
    uint32_t look;
};

static int by_hash(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->look < y->look ? -1 : x->look > y->look;
}

/* Places in looks.looks by hash: equal images lie together, and the order is as good as random. */
static dpr_status sort_looks(const dpr__checking *c, uint32_t **out) {
    struct place *places;
    DPR_TRY(dpr__allocate(c->context, c->looks.n, sizeof **out, out));
    DPR_TRY(dpr__allocate(c->context, c->looks.n, sizeof *places, &places));
    for (size_t i = 0; i < c->looks.n; i++)
        places[i] = (struct place){c->looks.looks[i].hash, (uint32_t)i};
    qsort(places, c->looks.n, sizeof *places, by_hash);
    for (size_t i = 0; i < c->looks.n; i++)
        (*out)[i] = places[i].look;
    dpr__free(c->context, places);
    return DPR_OK;
}

static dpr_status compare(dpr__checking *c, const uint32_t *sorted) {
    DPR_TRY(dpr__check_duplicates(c, sorted));
    DPR_TRY(dpr__check_near(c, sorted));
    return dpr__check_labels(c, sorted);
}

static dpr_status run(dpr__checking *c, const char *path) {
    const dpr__looking how = {
        .closer = look_closer, .begin = begin, .progress = tell_progress, .user = c};
    uint32_t *sorted = NULL;
    DPR_TRY(dpr__allocate(c->context, KINDS, sizeof *c->findings, &c->findings));
    DPR_TRY(dpr__looks_take(c->context, path, &how, &c->looks));
    dpr__check_found_lines(c, DPR_FINDING_UNREADABLE, c->looks.unreadable, c->looks.n_unreadable);
    DPR_TRY(check_classes(c));
    if (c->looks.n > 0) {
        DPR_TRY(check_single(c));
        dpr_status status = sort_looks(c, &sorted);
        if (status == DPR_OK)
            status = compare(c, sorted);
        dpr__free(c->context, sorted);
        DPR_TRY(status);
    }
    for (size_t i = 0; i < KINDS; i++)
        if (c->findings[i].count > 0)
            c->findings[c->view.n_findings++] = c->findings[i];
    c->view.findings = c->findings;
    return DPR_OK;
}

static dpr_status read_options(dpr_context *context, const dpr_check_options *options,
                               dpr_check_options *out) {
    *out = dpr_check_options_default();
    if (options != NULL)
        memcpy(out, options, options->size < sizeof *out ? options->size : sizeof *out);
    if (out->folds == 1 || out->folds > DPR__MOST_FOLDS)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "folds is %u; a cross-validation has 2 to %d of them, 0 leaves it out",
                        out->folds, DPR__MOST_FOLDS);
    return DPR_OK;
}

dpr_status dpr_check_create(dpr_context *context, const char *path,
                            const dpr_check_options *options, dpr_check **out) {
    dpr__checking *c;
    dpr_check_options all;
    DPR_TRY(read_options(context, options, &all));
    DPR_TRY(dpr__allocate(context, 1, sizeof *c, &c));
    c->context = context;
    c->options = all;
    dpr__arena_init(&c->arena, context);
    dpr_status status = run(c, path);
    if (status == DPR_OK)
        *out = &c->view;
    else
        dpr_check_destroy(&c->view);
    return status;
}

void dpr_check_destroy(dpr_check *check) {
    if (check == NULL)
        return;
    dpr__checking *c = (dpr__checking *)check; /* the view is its first member */
    dpr_context *context = c->context;
    if (c->looks.context != NULL)
        dpr__looks_release(&c->looks);
    dpr__free(context, c->features);
    dpr__free(context, c->thumbs);
    dpr__free(context, c->findings);
    dpr__arena_release(&c->arena);
    dpr__free(context, c);
}
