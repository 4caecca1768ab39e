/* Looks at images (looks.h). */
#include "data/looks.h"
#include "base/context.h"
#include "base/hash.h"
#include "base/parallel.h"

struct taking {
    dpr__looks *looks;
    const dpr__looking *how;
    size_t first; /* item of the part that is looked at now */
};

static uint64_t hash_image(const dpr__image *image) {
    size_t bytes = (size_t)image->height * image->width * image->channels;
    const uint64_t all[3] = {image->height, image->width, dpr__hash(image->pixels, bytes)};
    return dpr__hash(all, sizeof all);
}

static dpr_status look_at(dpr_context *own, void *user, size_t i) {
    const struct taking *t = user;
    size_t number = t->first + i;
    const dpr__item *item = &t->looks->listing.items[number];
    dpr__look *look = &t->looks->looks[number];
    dpr__image image;
    *look = (dpr__look){.half = item->half, .label = item->label, .item = (uint32_t)number};
    dpr_status status = dpr__item_open(own, item, &image);
    if (status == DPR_E_MEMORY)
        return status;
    if (status != DPR_OK)
        return dpr__duplicate(own, dpr_error(own), &t->looks->why[number]);
    look->height = image.height;
    look->width = image.width;
    look->channels = image.channels;
    look->hash = hash_image(&image);
    if (t->how->closer != NULL)
        status = t->how->closer(own, t->how->user, number, &image);
    dpr__item_release(own, item, &image);
    return status;
}

/* Part by part, so that somebody can be told how far it is. */
static dpr_status look_at_all(struct taking *t) {
    enum { PART = 2048 };
    size_t n = t->looks->listing.n_items;
    for (; t->first < n; t->first += PART) {
        size_t part = n - t->first < PART ? n - t->first : PART;
        DPR_TRY(dpr__parallel(t->looks->context, part, look_at, t));
        if (t->how->progress != NULL && t->how->progress(t->how->user, t->first + part, n) != 0)
            return DPR_FAIL(t->looks->context, DPR_E_INTERRUPTED, "%s: stopped",
                            t->looks->listing.root);
    }
    return DPR_OK;
}

/* Those that can be read move to the front. */
static dpr_status sort_out(dpr__looks *looks) {
    const dpr__listing *listing = &looks->listing;
    DPR_TRY(dpr__allocate(looks->context, listing->n_bad + listing->n_items,
                          sizeof *looks->unreadable, &looks->unreadable));
    for (size_t i = 0; i < listing->n_bad; i++)
        looks->unreadable[looks->n_unreadable++] = listing->bad[i];
    for (size_t i = 0; i < listing->n_items; i++)
        if (looks->why[i] != NULL)
            looks->unreadable[looks->n_unreadable++] = looks->why[i];
        else
            looks->looks[looks->n++] = looks->looks[i];
    return DPR_OK;
}

static dpr_status take(dpr__looks *looks, const dpr__looking *how) {
    dpr__listing *listing = &looks->listing;
    struct taking taking = {looks, how, 0};
    if (listing->has[DPR_TRAIN] && !listing->has[DPR_TEST])
        DPR_TRY(dpr__split_test(listing));
    DPR_TRY(dpr__allocate(looks->context, listing->n_items, sizeof *looks->why, &looks->why));
    DPR_TRY(dpr__allocate(looks->context, listing->n_items, sizeof *looks->looks, &looks->looks));
    if (how->begin != NULL)
        DPR_TRY(how->begin(how->user, listing));
    DPR_TRY(look_at_all(&taking));
    return sort_out(looks);
}

dpr_status dpr__looks_take(dpr_context *context, const char *path, const dpr__looking *how,
                           dpr__looks *out) {
    *out = (dpr__looks){.context = context, .listing = {.survey = true}};
    dpr_status status = dpr__listing_open(context, path, &out->listing);
    if (status != DPR_OK) {
        *out = (dpr__looks){0}; /* the listing has released itself */
        return status;
    }
    status = take(out, how);
    if (status != DPR_OK)
        dpr__looks_release(out);
    return status;
}

void dpr__looks_release(dpr__looks *looks) {
    for (size_t i = 0; looks->why != NULL && i < looks->listing.n_items; i++)
        dpr__free(looks->context, looks->why[i]);
    dpr__free(looks->context, looks->why);
    dpr__free(looks->context, looks->looks);
    dpr__free(looks->context, looks->unreadable);
    dpr__listing_release(&looks->listing);
    *looks = (dpr__looks){0};
}
