/* Almost the same picture: the same photo in another size, compression, brightness or cut.
 *
 * Candidates are pairs whose difference hashes (Krawetz 2013, "Kind of like that": is each of 8 × 8 pixels darker than its right neighbour?)
 * differ in at most 11 of 64 bits. Four tables of 16 of these bits find them without comparing all pairs: one of the four parts
 * differs in 2 bits at most (multi-index hashing: Norouzi, Punjani & Fleet 2012, section 3). Where many images share a part, as a common
 * background makes them, only some of those are looked at, and the other tables must give the pair.
 *
 * A hash says too little: digits are all alike. So the pictures are compared by d = 1 − the correlation of their 16 × 16 grey thumbs without the
 * means of rows and columns, since sky above and sea below make no two photos the same. A pair is one picture where
 * d ≤ 0.1, and where it stands apart from what is common in this set: of all images (of a large set: of 65,536) fewer than four lie beyond d, but within 5·d. On
 * photos hardly any other image lies there; among handwritten ones hundreds do (the ratio test of Lowe 2004, section 7.1, for
 * groups of copies of any size). Measured (test images with a twin in training): CIFAR-10 some 140, all of one class and
 * pictures that people call the same; MNIST one in 10,000 (and two pairs in training). */
#include "base/context.h"
#include "base/parallel.h"
#include "data/check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTS = 4,      /* of a hash */
    PART_BITS = 16, /* values of a part: 1 << 16 */
    VALUES = 1 << PART_BITS,
    PART_AWAY = 2, /* bits in which a part may differ */
    AWAY = PARTS * (PART_AWAY + 1) - 1,
    MASKS = 1 + PART_BITS + PART_BITS * (PART_BITS - 1) / 2,
    MOST_OF_BUCKET =
        128, /* that are looked at, and that an image looks at in all: so that a set of */
    MOST_SCANNED = 4096, /* pictures that are much alike stays feasible */
    MOST_CANDIDATES = 64,
    CROWD = 4,
    CROWD_SAMPLE = 65536, /* images among which a crowd is looked for: */
    /* of more, sets in which every image has a twin would take quadratic time */
    BLOCK = 512, /* of them between two looks at who is left */
    PART = 2048, /* images between two tellings of progress */
};
static const float FAR = 0.1F, APART = 5, FLOOR = 0.002F; /* FLOOR: what rounding makes of d = 0 */

struct twins {
    uint32_t *list; /* own memory */
    size_t n;
};

struct near {
    dpr__checking *c;
    uint32_t *look;  /* (n) places in looks.looks: one of each group of equals that has detail */
    uint64_t *print; /* (n) their hashes, and */
    const int8_t **thumb; /* (n) thumbs, of */
    float *norm;          /* (n) these lengths */
    size_t n;
    uint32_t *start[PARTS]; /* (VALUES + 1) where a value's bucket begins */
    uint32_t *entry[PARTS]; /* (n) of the buckets */
    uint32_t mask[MASKS];   /* the ways to differ in at most PART_AWAY bits */
    struct twins *twins;    /* (n) */
    size_t first;           /* of the images that are looked at now */
};

struct candidate {
    float distance;
    uint32_t i;
    uint32_t crowd;
};

static uint32_t part_of(uint64_t print, int part) {
    return (uint32_t)(print >> (part * PART_BITS)) & (VALUES - 1);
}

/* How many bits are set: sums of pairs, of fours, of bytes, of all. The compiler's own would be a call. */
static int bits(uint64_t x) {
    x -= x >> 1 & 0x5555555555555555;
    x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (int)(x * 0x0101010101010101 >> 56);
}

static float distance(const struct near *near, size_t i, size_t j) {
    return 1 - (float)dpr__thumb_product(near->thumb[i], near->thumb[j]) /
                   (near->norm[i] * near->norm[j]);
}

static bool is_listed(const struct candidate *list, size_t n, uint32_t j) {
    while (n > 0 && list[n - 1].i != j)
        n--;
    return n > 0;
}

/* Returns how many it looked at. */
static uint32_t scan_bucket(const struct near *near, size_t i, int part, uint32_t value,
                            struct candidate *list, size_t *n) {
    const uint32_t *bucket = near->entry[part] + near->start[part][value];
    uint32_t size = near->start[part][value + 1] - near->start[part][value];
    uint32_t scanned = size < MOST_OF_BUCKET ? size : MOST_OF_BUCKET;
    uint64_t own = near->print[i];
    for (uint32_t k = 0; k < scanned && *n < MOST_CANDIDATES; k++) {
        uint32_t j = bucket[size > scanned ? (i + k) % size : k];
        if (j == i || bits(own ^ near->print[j]) > AWAY)
            continue;
        float d = distance(near, i, j);
        if (d <= FAR && !is_listed(list, *n, j)) /* another table may have given it */
            list[(*n)++] = (struct candidate){fmaxf(d, FLOOR), j, 0};
    }
    return scanned;
}

/* Buckets of the own parts come first, then those that differ in one bit, then in two. */
static size_t find_candidates(const struct near *near, size_t i, struct candidate *list) {
    uint64_t print = near->print[i];
    size_t n = 0;
    uint32_t scanned = 0;
    for (int k = 0; k < MASKS && scanned < MOST_SCANNED; k++)
        for (int part = 0; part < PARTS; part++)
            scanned += scan_bucket(near, i, part, part_of(print, part) ^ near->mask[k], list, &n);
    return n;
}

static int by_distance(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

/* Counts those of a block that lie close behind each candidate. */
static void count_crowd(const struct near *near, size_t i, size_t first, size_t end,
                        struct candidate *list, size_t n) {
    float farthest = APART * list[n - 1].distance;
    for (size_t j = first; j < end; j++) {
        float d = j == i ? 0 : distance(near, i, j);
        for (size_t k = 0; d <= farthest && k < n && list[k].distance < d; k++)
            list[k].crowd += d <= APART * list[k].distance;
    }
}

/* How many of the candidates, the nearest first, stand apart from all others. The images come in order of their hash, which is as good as
 * random: in a crowd the first blocks tell, and the first CROWD_SAMPLE stand for all. */
static size_t stand_apart(const struct near *near, size_t i, struct candidate *list, size_t n) {
    size_t all = near->n < CROWD_SAMPLE ? near->n : CROWD_SAMPLE;
    for (size_t first = 0; first < all && n > 0; first += BLOCK) {
        size_t end = first + BLOCK < all ? first + BLOCK : all;
        count_crowd(near, i, first, end, list, n);
        while (n > 0 && list[n - 1].crowd >= CROWD)
            n--;
    }
    return n;
}

static dpr_status seek(dpr_context *own, void *user, size_t place) {
    struct near *near = user;
    size_t i = near->first + place;
    struct candidate list[MOST_CANDIDATES];
    size_t n = find_candidates(near, i, list);
    if (n == 0)
        return DPR_OK;
    qsort(list, n, sizeof *list, by_distance);
    n = stand_apart(near, i, list, n);
    if (n == 0)
        return DPR_OK;
    DPR_TRY(dpr__allocate(own, n, sizeof(uint32_t), &near->twins[i].list));
    for (size_t k = 0; k < n; k++)
        near->twins[i].list[k] = list[k].i;
    near->twins[i].n = n;
    return DPR_OK;
}

/* Part by part, so that somebody can be told how far it is. */
static dpr_status seek_all(struct near *near) {
    for (; near->first < near->n; near->first += PART) {
        size_t part = near->n - near->first < PART ? near->n - near->first : PART;
        DPR_TRY(dpr__parallel(near->c->context, part, seek, near));
        DPR_TRY(dpr__check_progress(near->c, "comparing images", near->first + part, near->n));
    }
    return DPR_OK;
}

/* ---- tables ---- */

static void make_masks(struct near *near) {
    size_t n = 0;
    for (int away = 0; away <= PART_AWAY; away++)
        for (uint32_t mask = 0; mask < VALUES; mask++)
            if (bits(mask) == away)
                near->mask[n++] = mask;
}

static dpr_status make_table(struct near *near, int part) {
    DPR_TRY(dpr__allocate(near->c->context, VALUES + 1, sizeof(uint32_t), &near->start[part]));
    DPR_TRY(dpr__allocate(near->c->context, near->n, sizeof(uint32_t), &near->entry[part]));
    uint32_t *start = near->start[part];
    for (size_t i = 0; i < near->n; i++)
        start[part_of(near->print[i], part) + 1]++;
    for (size_t v = 0; v < VALUES; v++)
        start[v + 1] += start[v];
    for (size_t i = near->n;
         i-- > 0;) /* filled from the end, so start becomes the bucket's begin again */
        near->entry[part][--start[part_of(near->print[i], part) + 1]] = (uint32_t)i;
    /* now start[v + 1] is where v begins */
    memmove(start, start + 1, VALUES * sizeof *start);
    start[VALUES] = (uint32_t)near->n;
    return DPR_OK;
}

static dpr_status choose_images(struct near *near, const uint32_t *sorted) {
    const dpr__checking *c = near->c;
    const dpr__looks *looks = &c->looks;
    DPR_TRY(dpr__allocate(c->context, looks->n, sizeof *near->look, &near->look));
    DPR_TRY(dpr__allocate(c->context, looks->n, sizeof *near->print, &near->print));
    DPR_TRY(dpr__allocate(c->context, looks->n, sizeof *near->thumb, &near->thumb));
    DPR_TRY(dpr__allocate(c->context, looks->n, sizeof *near->norm, &near->norm));
    for (size_t i = 0; i < looks->n; i++) {
        const dpr__look *look = &looks->looks[sorted[i]];
        bool again = i > 0 && look->hash == looks->looks[sorted[i - 1]].hash;
        if (again || !(c->features[look->item].norm > 0))
            continue;
        near->look[near->n] = sorted[i];
        near->print[near->n] = c->features[look->item].print;
        near->thumb[near->n] = c->thumbs + (size_t)look->item * DPR__THUMB_BYTES;
        near->norm[near->n++] = c->features[look->item].norm;
    }
    return DPR_OK;
}

/* ---- findings ---- */

struct pair {
    uint32_t first, second; /* places in looks.looks */
};

static int by_place(const void *a, const void *b) {
    const struct pair *x = a, *y = b;
    if (x->second != y->second)
        return x->second < y->second ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Each pair once, whoever of the two found it. A validation part counts as training half. */
static dpr_status list_pairs(const struct near *near, struct pair **pairs, size_t *n) {
    size_t all = 0;
    *n = 0;
    for (size_t i = 0; i < near->n; i++)
        all += near->twins[i].n;
    DPR_TRY(dpr__allocate(near->c->context, all, sizeof **pairs, pairs));
    for (size_t i = 0, at = 0; i < near->n; i++)
        for (size_t k = 0; k < near->twins[i].n; k++) {
            uint32_t a = near->look[i], b = near->look[near->twins[i].list[k]];
            const dpr__look *looks = near->c->looks.looks;
            bool test = looks[a].half == DPR_TEST;
            bool swap = test == (looks[b].half == DPR_TEST) ? a > b : test;
            (*pairs)[at++] = swap ? (struct pair){b, a} : (struct pair){a, b};
        }
    qsort(*pairs, all, sizeof **pairs, by_place);
    for (size_t i = 0; i < all; i++)
        if (i == 0 || by_place(&(*pairs)[i], &(*pairs)[i - 1]) != 0)
            (*pairs)[(*n)++] = (*pairs)[i];
    return DPR_OK;
}

/* Of each image one pair of each kind. The second is the suspect: a test image, where one of the two is. */
static dpr_status sort_pairs(dpr__checking *c, const struct pair *pairs, size_t n,
                             dpr__suspects found[3]) {
    bool said[3] = {false};
    for (size_t i = 0; i < n; i++) {
        const dpr__look *a = &c->looks.looks[pairs[i].first], *b = &c->looks.looks[pairs[i].second];
        const dpr_suspect suspect = dpr__check_suspect(c, b, a);
        bool across = b->half == DPR_TEST && a->half != DPR_TEST;
        bool is[3] = {a->label != b->label, across, !across && a->label == b->label};
        if (i == 0 || pairs[i].second != pairs[i - 1].second)
            memset(said, 0, sizeof said);
        is[2] = is[2] && !said[1];
        for (int k = 0; k < 3; k++) {
            if (is[k] && !said[k])
                DPR_TRY(dpr__suspects_add(c, &found[k], &suspect));
            said[k] = said[k] || is[k];
        }
    }
    return DPR_OK;
}

static dpr_status tell(struct near *near) {
    static const dpr_finding_kind KINDS[] = {DPR_FINDING_NEAR_TWO_LABELS, DPR_FINDING_NEAR_ACROSS,
                                             DPR_FINDING_NEAR};
    dpr__suspects found[3] = {{0}};
    struct pair *pairs;
    size_t n;
    DPR_TRY(list_pairs(near, &pairs, &n));
    dpr_status status = sort_pairs(near->c, pairs, n, found);
    for (int k = 0; k < 3; k++) {
        if (status == DPR_OK)
            status = dpr__check_found(near->c, KINDS[k], &found[k]);
        dpr__free(near->c->context, found[k].list);
    }
    dpr__free(near->c->context, pairs);
    return status;
}

static dpr_status find(struct near *near, const uint32_t *sorted) {
    DPR_TRY(dpr__check_progress(near->c, "comparing images", 0, 1));
    DPR_TRY(choose_images(near, sorted));
    DPR_TRY(dpr__allocate(near->c->context, near->n, sizeof *near->twins, &near->twins));
    make_masks(near);
    for (int part = 0; part < PARTS; part++)
        DPR_TRY(make_table(near, part));
    DPR_TRY(seek_all(near));
    return tell(near);
}

dpr_status dpr__check_near(dpr__checking *c, const uint32_t *sorted) {
    struct near near = {.c = c};
    dpr_status status = find(&near, sorted);
    for (size_t i = 0; near.twins != NULL && i < near.n; i++)
        dpr__free(c->context, near.twins[i].list);
    dpr__free(c->context, near.twins);
    for (int part = 0; part < PARTS; part++) {
        dpr__free(c->context, near.start[part]);
        dpr__free(c->context, near.entry[part]);
    }
    dpr__free(c->context, near.look);
    dpr__free(c->context, near.print);
    dpr__free(c->context, near.thumb);
    dpr__free(c->context, near.norm);
    return status;
}
