/* Opening one half of a set: list, split, decode, bring to one shape. */
#include "base/context.h"
#include "data/source.h"
#include "ir/shape.h"
#include <string.h>

static const char *const HALF_NAMES[] = {"training", "validation", "test"};

dpr_open_options dpr_open_options_default(void) {
    return (dpr_open_options){.size = sizeof(dpr_open_options), .fit = DPR_FIT};
}

/* One half on its way into memory. */
struct opening {
    dpr_context *context;
    const dpr__listing *listing;
    dpr_fit fit;
    uint32_t height, width, channels; /* channels 0: as the images are */
    const dpr__item **items;
    size_t n;
    uint8_t **pixels;       /* (n) fitted, with the image's own channels */
    uint32_t *own_channels; /* (n) */
    bool sized;             /* height and width are what the files have, and all must have */
};

/* What dpr_data borrows and gives back. */
struct memory {
    dpr_context *context;
    uint8_t *images;
    int32_t *labels;
};

static void release_memory(void *user) {
    struct memory *memory = user;
    dpr_context *context = memory->context;
    dpr__free(context, memory->images);
    dpr__free(context, memory->labels);
    dpr__free(context, memory);
}

/* ---- halves and classes ---- */

static dpr_status make_halves(dpr__listing *listing, double validation) {
    if (listing->has[DPR_TRAIN] && !listing->has[DPR_TEST] &&
        strcmp(listing->format, "image folder") == 0)
        DPR_TRY(dpr__split_test(listing));
    if (validation > 0 && listing->has[DPR_TRAIN] && !listing->has[DPR_VALIDATION])
        DPR_TRY(dpr__split_validation(listing, validation));
    return DPR_OK;
}

/* The model's classes against the set's. */
static dpr_status match_classes(const dpr__listing *listing, const dpr_open_options *options) {
    dpr_context *context = listing->context;
    if (options->n_classes == 0)
        return DPR_OK;
    bool both_named = listing->class_names != NULL && options->class_names != NULL;
    for (uint32_t i = 0; both_named && i < listing->n_classes && i < options->n_classes; i++)
        if (strcmp(listing->class_names[i], options->class_names[i]) != 0)
            return DPR_FAIL(context, DPR_E_MISMATCH,
                            "'%s': class %u is '%s' here, but '%s' in the model", listing->root,
                            i + 1, listing->class_names[i], options->class_names[i]);
    /* Bare indices only show the classes that occur, so there may be fewer. */
    if (listing->class_names == NULL ? listing->n_classes > options->n_classes
                                     : listing->n_classes != options->n_classes)
        return DPR_FAIL(context, DPR_E_MISMATCH, "'%s' has %u classes, the model %u", listing->root,
                        listing->n_classes, options->n_classes);
    return DPR_OK;
}

static dpr_status check_labels(const dpr__listing *listing) {
    bool *trained;
    dpr_status status = DPR_OK;
    DPR_TRY(dpr__allocate(listing->context, listing->n_classes, sizeof *trained, &trained));
    for (size_t i = 0; i < listing->n_items; i++)
        if (listing->items[i].half != DPR_TEST)
            trained[listing->items[i].label] = true;
    for (size_t i = 0; listing->has[DPR_TRAIN] && status == DPR_OK && i < listing->n_items; i++)
        if (!trained[listing->items[i].label])
            status = DPR_FAIL(listing->context, DPR_E_DATA,
                              "'%s': class %d is in the test half but not in the training half",
                              listing->root, listing->items[i].label);
    dpr__free(listing->context, trained);
    return status;
}

/* ---- pixels ---- */

static dpr_status load_item(dpr_context *own, void *user, size_t i) {
    struct opening *o = user;
    dpr__image image;
    DPR_TRY(dpr__item_decode(own, o->listing, o->items[i], &image));
    dpr_status status = DPR_OK;
    if (o->sized && (image.height != o->height || image.width != o->width))
        status = DPR_FAIL(own, DPR_E_SHAPE,
                          "'%s' is %u × %u, other images are %u × %u; say what size the network "
                          "takes: 'input HEIGHT WIDTH CHANNELS'",
                          o->items[i]->path ? o->items[i]->path : o->listing->root, image.height,
                          image.width, o->height, o->width);
    if (status == DPR_OK)
        status = dpr__allocate(own, (size_t)o->height * o->width, image.channels, &o->pixels[i]);
    if (status == DPR_OK)
        status = dpr__image_fit(own, &image, o->height, o->width, o->fit, o->pixels[i]);
    o->own_channels[i] = image.channels;
    dpr__image_release(own, &image);
    return status;
}

/* Height and width: as asked, else those of the first image. */
static dpr_status settle_size(struct opening *o, const dpr_open_options *options) {
    const dpr_shape *want = &options->image;
    o->fit = options->fit;
    if (want->rank == 3) {
        o->height = (uint32_t)want->dim[0];
        o->width = (uint32_t)want->dim[1];
        o->channels = (uint32_t)want->dim[2];
    }
    if (o->channels != 0 && o->channels != 1 && o->channels != 3)
        return DPR_FAIL(o->context, DPR_E_SHAPE,
                        "the network's input has %u channels; images have 1 (grey) or 3 (colour)",
                        o->channels);
    if (o->height != 0 && o->width != 0)
        return DPR_OK;
    dpr__image first;
    DPR_TRY(dpr__item_decode(o->context, o->listing, o->items[0], &first));
    o->height = first.height;
    o->width = first.width;
    o->sized = true;
    dpr__image_release(o->context, &first);
    return DPR_OK;
}

static dpr_status gather_pixels(struct opening *o, struct memory *memory) {
    size_t pixels = (size_t)o->height * o->width;
    for (size_t i = 0; o->channels != 3 && i < o->n; i++)
        if (o->channels == 0 && o->own_channels[i] == 3)
            o->channels = 3;
    o->channels = o->channels == 0 ? 1 : o->channels;
    DPR_TRY(dpr__allocate(o->context, o->n, pixels * o->channels, &memory->images));
    DPR_TRY(dpr__allocate(o->context, o->n, sizeof *memory->labels, &memory->labels));
    for (size_t i = 0; i < o->n; i++) {
        dpr__channels_convert(o->pixels[i], o->own_channels[i],
                              memory->images + i * pixels * o->channels, o->channels, pixels);
        memory->labels[i] = o->items[i]->label;
        dpr__free(o->context, o->pixels[i]);
        o->pixels[i] = NULL;
    }
    return DPR_OK;
}

static dpr_status load(struct opening *o, const dpr_open_options *options, dpr_half half,
                       struct memory *memory) {
    dpr_context *context = o->context;
    DPR_TRY(dpr__allocate(context, o->listing->n_items, sizeof *o->items, &o->items));
    for (size_t i = 0; i < o->listing->n_items; i++)
        if (o->listing->items[i].half == half)
            o->items[o->n++] = &o->listing->items[i];
    if (o->n == 0)
        return DPR_FAIL(context, DPR_E_DATA, "'%s' has no %s half", o->listing->root,
                        HALF_NAMES[half]);
    DPR_TRY(dpr__allocate(context, o->n, sizeof *o->pixels, &o->pixels));
    DPR_TRY(dpr__allocate(context, o->n, sizeof *o->own_channels, &o->own_channels));
    DPR_TRY(settle_size(o, options));
    DPR_TRY(dpr__parallel(context, o->n, load_item, o));
    return gather_pixels(o, memory);
}

static dpr_status make_data(const struct opening *o, const dpr_open_options *options,
                            struct memory *memory, dpr_data **out) {
    const dpr__listing *listing = o->listing;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(o->height, o->width, o->channels);
    info.fit = options->fit;
    info.n_classes = options->n_classes != 0 ? options->n_classes : listing->n_classes;
    info.class_names = listing->class_names != NULL ? listing->class_names : options->class_names;
    memset(info.deviation, 0, sizeof info.deviation); /* to be measured */
    return dpr_data_create(o->context, &info, memory->images, memory->labels, o->n, release_memory,
                           memory, out);
}

static dpr_status open_listed(dpr__listing *listing, dpr_half half, const dpr_open_options *options,
                              dpr_data **out) {
    dpr_context *context = listing->context;
    struct opening o = {.context = context, .listing = listing};
    struct memory *memory;
    DPR_TRY(make_halves(listing, options->validation));
    DPR_TRY(match_classes(listing, options));
    DPR_TRY(check_labels(listing));
    if (half == DPR_VALIDATION && !listing->has[half])
        return DPR_OK; /* *out is NULL */
    DPR_TRY(dpr__allocate(context, 1, sizeof *memory, &memory));
    memory->context = context;
    dpr_status status = load(&o, options, half, memory);
    if (status == DPR_OK)
        status = make_data(&o, options, memory, out);
    if (status != DPR_OK)
        release_memory(memory);
    for (size_t i = 0; o.pixels != NULL && i < o.n; i++)
        dpr__free(context, o.pixels[i]);
    dpr__free(context, o.pixels);
    dpr__free(context, o.own_channels);
    dpr__free(context, o.items);
    dpr__log(context, DPR_LOG_INFO, DPR__TOPIC_DATA, "%s: %s, %s half, %zu images; %s; %zu ignored",
             listing->root, listing->format, HALF_NAMES[half], o.n, listing->split,
             listing->ignored);
    return status;
}

dpr_status dpr_data_open(dpr_context *context, const char *path, dpr_half half,
                         const dpr_open_options *options, dpr_data **out) {
    dpr_open_options all = dpr_open_options_default();
    dpr__listing listing;
    *out = NULL;
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    DPR_TRY(dpr__listing_open(context, path, &listing));
    dpr_status status = open_listed(&listing, half, &all, out);
    dpr__listing_release(&listing);
    return status;
}
