/* Opening one half of a set: list, make the halves, check the classes, load the pixels, some of them again and again where memory is short. What comes out
 * depends on the files and the options alone, not on threads or the order of a directory. */
#include "base/context.h"
#include "base/text.h"
#include "data/source.h"
#include "ir/shape.h"
#include "train/data.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char *const HALF_NAMES[] = {"training", "validation", "test"};

dpr_open_options dpr_open_options_default(void) {
    return (dpr_open_options){.size = sizeof(dpr_open_options), .fit = DPR_FIT};
}

static dpr_status check_options(dpr_context *context, const char *path, dpr_half half,
                                const dpr_open_options *options) {
    const dpr_shape *image = &options->image;
    char text[DPR__SHAPE_TEXT];
    if (half > DPR_TEST || options->fit > DPR_STRETCH)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "%s: there is no such %s", path,
                        half > DPR_TEST ? "half" : "fit");
    if (!(options->validation >= 0 && options->validation < 1))
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "%s: the validation part must be a fraction from 0 to below 1", path);
    bool sane = image->rank == 0 || image->rank == 3;
    for (uint32_t i = 0; sane && i < image->rank; i++)
        sane = image->dim[i] >= 0 && image->dim[i] <= DPR__MOST_SIDE;
    if (sane && image->rank == 3)
        sane = image->dim[2] == 0 || image->dim[2] == 1 || image->dim[2] == 3;
    if (!sane)
        return DPR_FAIL(
            context, DPR_E_SHAPE,
            "%s: images cannot be brought to %s; a network's input is (height, width, 1 "
            "or 3 channels)",
            path, dpr__shape_text(image, text));
    return DPR_OK;
}

/* ---- classes -------------------------------------------------------------------------------- */

/* The class's name, or its number where the set names none. */
static const char *class_text(const dpr__listing *listing, uint32_t class, char number[16]) {
    dpr__format(listing->context, number, 16, "%u", class);
    return listing->class_names != NULL ? listing->class_names[class] : number;
}

static dpr_status lacks(const dpr__listing *listing, uint32_t class, dpr_half with,
                        dpr_half without) {
    char number[16];
    return DPR_FAIL(listing->context, DPR_E_DATA,
                    "%s: class '%s' is in the %s half but not in the %s half; add images of it "
                    "there, or take it away here",
                    listing->root, class_text(listing, class, number), HALF_NAMES[with],
                    HALF_NAMES[without]);
}

/* What is trained must be tested, and the other way round. A validation part may lack classes. */
static dpr_status compare_halves(const dpr__listing *listing, const size_t *count[3]) {
    for (uint32_t c = 0; c < listing->n_classes; c++) {
        bool in[3] = {count[DPR_TRAIN][c] > 0, count[DPR_VALIDATION][c] > 0,
                      count[DPR_TEST][c] > 0};
        if (listing->has[DPR_TRAIN] && !in[DPR_TRAIN] && (in[DPR_TEST] || in[DPR_VALIDATION]))
            return lacks(listing, c, in[DPR_TEST] ? DPR_TEST : DPR_VALIDATION, DPR_TRAIN);
        if (listing->has[DPR_TEST] && !in[DPR_TEST] && in[DPR_TRAIN])
            return lacks(listing, c, DPR_TRAIN, DPR_TEST);
    }
    return DPR_OK;
}

static dpr_status check_halves(const dpr__listing *listing) {
    size_t *counts;
    const size_t *count[3];
    DPR_TRY(dpr__allocate(listing->context, listing->n_classes, 3 * sizeof *counts, &counts));
    for (size_t i = 0; i < listing->n_items; i++)
        counts[(size_t)listing->items[i].half * listing->n_classes +
               (size_t)listing->items[i].label]++;
    for (int half = 0; half < 3; half++)
        count[half] = counts + (size_t)half * listing->n_classes;
    dpr_status status = compare_halves(listing, count);
    dpr__free(listing->context, counts);
    return status;
}

static dpr_status wrong_name(const dpr__listing *listing, const dpr_open_options *options,
                             const char *name) {
    const char *near = dpr_nearest_word(name, options->class_names, options->n_classes);
    return DPR_FAIL(listing->context, DPR_E_MISMATCH,
                    "%s: its class '%s' is none of the model's; the nearest is '%s'", listing->root,
                    name, near != NULL ? near : options->class_names[0]);
}

/* Renumbers the labels by the names that the model has; the order may differ, the names may not. */
static dpr_status take_names(dpr__listing *listing, const dpr_open_options *options,
                             int32_t *place) {
    for (uint32_t c = 0; c < listing->n_classes; c++) {
        place[c] = -1;
        for (uint32_t m = 0; m < options->n_classes && place[c] < 0; m++)
            if (strcmp(listing->class_names[c], options->class_names[m]) == 0)
                place[c] = (int32_t)m;
        if (place[c] < 0)
            return wrong_name(listing, options, listing->class_names[c]);
    }
    for (size_t i = 0; i < listing->n_items; i++)
        listing->items[i].label = place[listing->items[i].label];
    for (uint32_t c = 0; c < listing->n_classes; c++)
        listing->class_names[c] = options->class_names[c];
    return DPR_OK;
}

static dpr_status match_classes(dpr__listing *listing, const dpr_open_options *options) {
    dpr_context *context = listing->context;
    int32_t *place;
    if (options->n_classes == 0)
        return DPR_OK;
    if (listing->n_classes != options->n_classes)
        return DPR_FAIL(context, DPR_E_MISMATCH, "%s: has %u classes, but the model %u; %s",
                        listing->root, listing->n_classes, options->n_classes,
                        listing->class_names != NULL
                            ? "use a model that was trained on such data"
                            : "if the last ones only have no image here, name all in classes.txt");
    if (listing->class_names == NULL || options->class_names == NULL)
        return DPR_OK;
    DPR_TRY(dpr__allocate(context, listing->n_classes, sizeof *place, &place));
    dpr_status status = take_names(listing, options, place);
    dpr__free(context, place);
    return status;
}

/* ---- pixels --------------------------------------------------------------------------------- */

/* What images are loaded from, for as long as the set does that; else it goes when all are in memory. */
struct opening {
    dpr_context *context;
    dpr__listing listing;
    uint32_t height, width, channels; /* of the result */
    dpr_fit fit;
    bool any_size;          /* nobody asked for a size: all must have the first one's */
    bool any_channels;      /* nobody asked for channels: 1 if all are grey */
    atomic_bool met_colour; /* among images that were thought grey: start again */
    const dpr__item **items;
    int32_t *labels;
    size_t n;
};

static void release_listing(struct opening *o) {
    dpr__free(o->context, o->items);
    o->items = NULL;
    dpr__listing_release(&o->listing);
    o->listing = (dpr__listing){.context = o->context};
}

static void release(void *user) {
    struct opening *o = user;
    dpr_context *context = o->context;
    release_listing(o);
    dpr__free(context, o->labels);
    dpr__free(context, o);
}

static dpr_status bring(dpr_context *own, struct opening *o, const dpr__item *item,
                        const dpr__image *image, uint8_t *dst) {
    if (o->any_size && (image->height != o->height || image->width != o->width))
        return DPR_FAIL(own, DPR_E_SHAPE,
                        "%s: is %u × %u pixels, but '%s' %u × %u; say what size the network takes: "
                        "input HEIGHT WIDTH CHANNELS",
                        item->path, image->height, image->width, o->items[0]->path, o->height,
                        o->width);
    if (o->any_channels && image->channels > o->channels) {
        atomic_store(&o->met_colour, true);
        return DPR_OK;
    }
    return dpr__image_bring(own, image, o->height, o->width, o->channels, o->fit, dst);
}

static dpr_status load(dpr_context *own, void *user, size_t i, uint8_t *pixels) {
    struct opening *o = user;
    dpr__image image;
    if (atomic_load(&o->met_colour))
        return DPR_OK;
    DPR_TRY(dpr__item_open(own, o->items[i], &image));
    dpr_status status = bring(own, o, o->items[i], &image, pixels);
    dpr__item_release(own, o->items[i], &image);
    return status;
}

/* What is not asked for is as in the first image. */
static dpr_status settle_shape(struct opening *o, const dpr_open_options *options) {
    dpr_shape want = options->image.rank == 3 ? options->image : dpr_shape_of(0, 0, 0);
    dpr__image first = {0}, opened;
    o->fit = options->fit;
    o->any_size = want.dim[0] == 0 && want.dim[1] == 0;
    o->any_channels = want.dim[2] == 0;
    if (want.dim[0] == 0 || want.dim[1] == 0 || o->any_channels) {
        DPR_TRY(dpr__item_open(o->context, o->items[0], &opened));
        first = opened; /* for its sizes */
        dpr__item_release(o->context, o->items[0], &opened);
    }
    o->height = want.dim[0] != 0 ? (uint32_t)want.dim[0] : first.height;
    o->width = want.dim[1] != 0 ? (uint32_t)want.dim[1] : first.width;
    o->channels = want.dim[2] != 0 ? (uint32_t)want.dim[2] : first.channels;
    return DPR_OK;
}

/* ---- the set -------------------------------------------------------------------------------- */

/* Half of what is free now, so that the rest of the machine, and the training itself, keep theirs. What is packed lies in memory anyway. */
static size_t memory_for(const struct opening *o, const dpr_open_options *options) {
    if (o->items[0]->path == NULL)
        return 0;
    return options->memory != 0 ? options->memory : dpr__free_memory() / 2;
}

static dpr_status make_data(struct opening *o, const dpr_open_options *options, dpr_data **out) {
    const dpr__listing *listing = &o->listing;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(o->height, o->width, o->channels);
    info.fit = options->fit;
    info.n_classes = listing->n_classes;
    info.class_names = listing->class_names != NULL ? listing->class_names : options->class_names;
    DPR_TRY(dpr_data_create_loaded(o->context, &info, load, o->labels, o->n, memory_for(o, options),
                                   release, o, out));
    if (!atomic_load(&o->met_colour))
        return DPR_OK;
    o->channels = 3; /* grey images among coloured ones are repeated in all three */
    atomic_store(&o->met_colour, false);
    (*out)->release = NULL; /* this is not the end of what images are loaded from */
    dpr_data_destroy(*out);
    *out = NULL;
    return make_data(o, options, out);
}

/* The items of the half that is wanted; none is an error but for a validation part. */
static dpr_status choose_items(struct opening *o) {
    const dpr__listing *listing = &o->listing;
    DPR_TRY(dpr__allocate(o->context, listing->n_items, sizeof *o->items, &o->items));
    DPR_TRY(dpr__allocate(o->context, listing->n_items, sizeof *o->labels, &o->labels));
    for (size_t i = 0; i < listing->n_items; i++)
        if (listing->items[i].half == listing->wanted) {
            o->labels[o->n] = listing->items[i].label;
            o->items[o->n++] = &listing->items[i];
        }
    if (o->n == 0 && listing->wanted != DPR_VALIDATION)
        return DPR_FAIL(o->context, DPR_E_DATA, "%s: has no %s half%s", listing->root,
                        HALF_NAMES[listing->wanted],
                        listing->has[DPR_TEST] ? "; it can only be evaluated" : "");
    return DPR_OK;
}

static dpr_status prepare(dpr__listing *listing, const dpr_open_options *options) {
    if (listing->has[DPR_TRAIN] && !listing->has[DPR_TEST])
        DPR_TRY(dpr__split_test(listing));
    DPR_TRY(check_halves(listing));
    DPR_TRY(match_classes(listing, options));
    if (options->validation > 0 && listing->has[DPR_TRAIN] && !listing->has[DPR_VALIDATION] &&
        listing->wanted != DPR_TEST)
        DPR_TRY(dpr__split_validation(listing, options->validation));
    return DPR_OK;
}

/* What was decided about the memory of the half that was opened. */
static void say_where(const struct opening *o, const dpr_data *data, char text[128]) {
    size_t all = o->n * dpr__image_bytes(&data->info), here = dpr_data_memory(data);
    size_t unit = all < 10000000 ? 1000 : 1000000;
    const char *name = unit == 1000 ? "kB" : "MB";
    size_t units = (all + unit - 1) / unit, kept = (here + unit - 1) / unit;
    if (o->items[0]->path == NULL)
        text[0] = '\0';
    else if (here == all)
        snprintf(text, 128, "; all %zu %s in memory", units, name);
    else
        snprintf(text, 128, "; %zu of %zu %s in memory, the rest is decoded when it is needed",
                 kept, units, name);
}

/* One line on the whole set, when its training half is opened; what goes without saying is left out. On another half only that it is not
 * all in memory. */
static void say_what_was_opened(const struct opening *o, const dpr_data *data) {
    const dpr__listing *listing = &o->listing;
    static const char *const USES[] = {"images to train on", "to validate", "to test"};
    char text[512], where[128];
    size_t n[3] = {0}, at = 0;
    for (size_t i = 0; i < listing->n_items; i++)
        n[listing->items[i].half]++;
    for (int half = 0; half < 3; half++)
        if (n[half] > 0)
            at += (size_t)snprintf(text + at, sizeof text - at, ", %zu %s", n[half], USES[half]);
    if (listing->made_split)
        at += (size_t)snprintf(text + at, sizeof text - at, " (a fifth of each class)");
    if (listing->ignored > 0)
        snprintf(text + at, sizeof text - at, "; %zu hidden or foreign files ignored",
                 listing->ignored);
    say_where(o, data, where);
    if (listing->wanted == DPR_TRAIN)
        dpr__log(o->context, DPR_LOG_INFO, DPR__TOPIC_DATA, "%s: %s, %u class%s%s%s", listing->root,
                 listing->format, listing->n_classes, listing->n_classes == 1 ? "" : "es", text,
                 where);
    else if (dpr_data_images(data) == NULL)
        dpr__log(o->context, DPR_LOG_INFO, DPR__TOPIC_DATA, "%s: %s half%s", listing->root,
                 HALF_NAMES[listing->wanted], where);
}

static void warn_of_one_class(const dpr__listing *listing) {
    if (listing->wanted == DPR_TRAIN && listing->n_classes == 1)
        dpr__log(listing->context, DPR_LOG_WARNING, DPR__TOPIC_DATA,
                 "%s: has one class only, so there is nothing to tell apart", listing->root);
}

/* After success the set releases the opening, or what is left of it; else the caller does. */
static dpr_status open_items(struct opening *o, const dpr_open_options *options, dpr_data **out) {
    DPR_TRY(settle_shape(o, options));
    DPR_TRY(make_data(o, options, out));
    say_what_was_opened(o, *out);
    warn_of_one_class(&o->listing);
    if (dpr_data_images(*out) != NULL)
        release_listing(o);
    return DPR_OK;
}

dpr_status dpr_data_open(dpr_context *context, const char *path, dpr_half half,
                         const dpr_open_options *options, dpr_data **out) {
    dpr_open_options all = dpr_open_options_default();
    struct opening *o;
    dpr_data *data = NULL;
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    DPR_TRY(check_options(context, path, half, &all));
    DPR_TRY(dpr__allocate(context, 1, sizeof *o, &o));
    o->context = context;
    o->listing.wanted = half;
    dpr_status status = dpr__listing_open(context, path, &o->listing);
    if (status != DPR_OK) {
        dpr__free(context, o);
        return status;
    }
    status = prepare(&o->listing, &all);
    if (status == DPR_OK)
        status = choose_items(o);
    if (status == DPR_OK && o->n > 0)
        status = open_items(o, &all, &data);
    if (data == NULL)
        release(o);
    if (status == DPR_OK)
        *out = data;
    return status;
}
