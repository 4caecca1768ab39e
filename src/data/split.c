/* Splitting by content: which images are held back depends on what they hold, not on names, order or
 * chance; equal contents of a class stay together. Stratified: each class gives its share. */
#include "base/context.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/sha256.h"
#include "base/text.h"
#include "data/source.h"
#include "ir/shape.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TEST_SHARE = 0.2;

/* Of a file's bytes, or of packed pixels. */
static dpr_status hash_item(dpr_context *own, void *user, size_t i) {
    dpr__listing *listing = user;
    dpr__item *item = &listing->items[i];
    uint8_t *bytes = NULL, digest[32];
    size_t n;
    dpr__sha256 hash;
    if (item->half != DPR_TRAIN)
        return DPR_OK;
    dpr__sha256_init(&hash);
    if (item->path != NULL) {
        dpr_status status = dpr__file_read(own, item->path, DPR__MOST_FILE, &bytes, &n);
        if (status != DPR_OK && listing->survey && status != DPR_E_MEMORY)
            return DPR_OK; /* the survey will come to it */
        DPR_TRY(status);
        dpr__sha256_add(&hash, bytes, n);
        dpr__free(own, bytes);
    } else {
        dpr__sha256_add(&hash, item->pixels, (size_t)dpr__shape_count(item->shape));
    }
    dpr__sha256_finish(&hash, digest);
    for (int k = 0; k < 8; k++)
        item->hash = item->hash << 8 | digest[k];
    return DPR_OK;
}

/* By class, then by hash; equal contents lie together. */
static int by_hash(const void *a, const void *b) {
    const dpr__item *x = *(dpr__item *const *)a, *y = *(dpr__item *const *)b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static bool may_cut(dpr__item *const *items, size_t at) {
    return items[at - 1]->hash != items[at]->hash;
}

/* How many of one class's n items, sorted by hash, lie before the cut: the place nearest to `ideal`
 * (1 … n−1) that leaves both sides some and tears no equal contents apart; 0 where there is none. */
static size_t cut_near(dpr__item *const *items, size_t n, size_t ideal) {
    for (size_t step = 0; step < n; step++) {
        if (ideal + step < n && may_cut(items, ideal + step))
            return ideal + step;
        if (step < ideal && may_cut(items, ideal - step))
            return ideal - step;
    }
    return 0;
}

/* At least one, but not all; 0 when there are too few. */
static size_t count_of(size_t n, double share) {
    size_t count = (size_t)floor(share * (double)n + 0.5);
    if (n < 2)
        return 0;
    return count < 1 ? 1 : count > n - 1 ? n - 1 : count;
}

size_t dpr__test_share(size_t n) {
    return count_of(n, TEST_SHARE);
}

/* Moves `share` of one class; returns how many, 0 when it cannot be divided. */
static size_t move(dpr__item **items, size_t n, double share, dpr_half to) {
    size_t count = count_of(n, share), cut = count > 0 ? cut_near(items, n, count) : 0;
    for (size_t i = 0; i < cut; i++)
        items[i]->half = to;
    return cut;
}

static dpr_status indivisible(const dpr__listing *listing, const dpr__item *item, size_t n) {
    char number[16];
    dpr__format(listing->context, number, sizeof number, "%d", (int)item->label);
    return DPR_FAIL(listing->context, DPR_E_DATA,
                    "%s: class '%s' has %zu image%s and cannot be split into a training and a test "
                    "half: it needs at least two different ones",
                    listing->root,
                    listing->class_names ? listing->class_names[item->label] : number, n,
                    n == 1 ? "" : "s");
}

static dpr_status split_sorted(dpr__listing *listing, dpr__item **train, size_t n, double share,
                               dpr_half to) {
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && train[end]->label == train[i]->label;)
            end++;
        size_t moved = move(train + i, end - i, share, to);
        if (moved == 0 && to == DPR_TEST && !listing->survey)
            return indivisible(listing, train[i], end - i);
        listing->has[to] = listing->has[to] || moved > 0;
    }
    return DPR_OK;
}

static dpr_status split(dpr__listing *listing, double share, dpr_half to) {
    dpr_context *context = listing->context;
    dpr__item **train;
    size_t n = 0;
    DPR_TRY(dpr__parallel(context, listing->n_items, hash_item, listing));
    DPR_TRY(dpr__allocate(context, listing->n_items, sizeof(dpr__item *), &train));
    for (size_t i = 0; i < listing->n_items; i++)
        if (listing->items[i].half == DPR_TRAIN)
            train[n++] = &listing->items[i];
    qsort(train, n, sizeof *train, by_hash);
    dpr_status status = split_sorted(listing, train, n, share, to);
    dpr__free(context, train);
    return status;
}

dpr_status dpr__split_test(dpr__listing *listing) {
    listing->made_split = true;
    listing->split = "the files make no test half: a fifth of each class, by content, is it";
    return split(listing, TEST_SHARE, DPR_TEST);
}

dpr_status dpr__split_validation(dpr__listing *listing, double fraction) {
    return split(listing, fraction, DPR_VALIDATION);
}
