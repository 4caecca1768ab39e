/* Splitting by content: which images are held back depends on what they show, not on names, order or chance; the same images always
 * go the same way. Stratified: each class gives its share. */
#include "base/context.h"
#include "base/file.h"
#include "base/sha256.h"
#include "data/source.h"
#include "ir/shape.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TEST_SHARE = 0.2;

static dpr_status hash_item(dpr_context *own, void *user, size_t i) {
    dpr__listing *listing = user;
    dpr__item *item = &listing->items[i];
    uint8_t *bytes = NULL, digest[32];
    size_t n;
    dpr__sha256 hash;
    dpr__sha256_init(&hash);
    if (item->path != NULL) {
        DPR_TRY(dpr__file_read(own, item->path, DPR__MOST_FILE, &bytes, &n));
        dpr__sha256_add(&hash, bytes, n);
        dpr__free(own, bytes);
    } else {
        dpr__sha256_add(&hash, item->pixels, (size_t)dpr__shape_count(&listing->image));
    }
    dpr__sha256_finish(&hash, digest);
    memcpy(&item->hash, digest, sizeof item->hash);
    return DPR_OK;
}

/* By class, then by hash; equal contents lie together. */
static int by_hash(const void *a, const void *b) {
    const dpr__item *x = *(dpr__item *const *)a, *y = *(dpr__item *const *)b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Moves `share` of one class's n items, rounded, from the front or the back; equal contents are not torn apart. */
static void move(dpr__item **items, size_t n, double share, bool front, dpr_half to) {
    size_t count = (size_t)floor(share * (double)n + 0.5);
    if (count == 0 && share > 0 && n > 1)
        count = 1;
    if (count == n && n > 1)
        count = n - 1;
    for (size_t i = 0; i < n; i++) {
        size_t at = front ? i : n - 1 - i, last = front ? count - 1 : n - count;
        bool twin = count > 0 && items[at]->hash == items[last]->hash;
        if (i >= count && !twin)
            break;
        items[at]->half = to;
    }
}

static dpr_status split(dpr__listing *listing, double share, bool front, dpr_half to) {
    dpr_context *context = listing->context;
    dpr__item **train;
    size_t n = 0;
    DPR_TRY(dpr__parallel(context, listing->n_items, hash_item, listing));
    DPR_TRY(dpr__allocate(context, listing->n_items, sizeof(dpr__item *), &train));
    for (size_t i = 0; i < listing->n_items; i++)
        if (listing->items[i].half == DPR_TRAIN)
            train[n++] = &listing->items[i];
    qsort(train, n, sizeof *train, by_hash);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && train[end]->label == train[i]->label;)
            end++;
        move(train + i, end - i, share, front, to);
    }
    dpr__free(context, train);
    listing->has[to] = true;
    return DPR_OK;
}

dpr_status dpr__split_test(dpr__listing *listing) {
    listing->split = "there are no halves, so a fifth of each class, by content, is the test half";
    return split(listing, TEST_SHARE, true, DPR_TEST);
}

dpr_status dpr__split_validation(dpr__listing *listing, double fraction) {
    return split(listing, fraction, false, DPR_VALIDATION);
}
