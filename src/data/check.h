/* The parts of a check (check.c): each looks for some kinds of finding. */
#ifndef DPR_DATA_CHECK_H
#define DPR_DATA_CHECK_H

#include "data/looks.h"

enum {
    DPR__THUMB = 16,
    DPR__THUMB_BYTES = DPR__THUMB * DPR__THUMB,
    DPR__LEAST_SIDE = 16,
    DPR__MOST_FOLDS = 20
};

/* What a check learns of one image beside its look. */
typedef struct dpr__features {
    uint64_t print; /* its difference hash (check_near.c) */
    uint32_t index; /* in its half */
    float norm;     /* of its thumb */
    bool blank, coloured;
} dpr__features;

/* A check and all that its pointers lead to. */
typedef struct dpr__checking {
    dpr_check view; /* first, so that it can be found from there */
    dpr_context *context;
    dpr_check_options options;
    dpr__arena arena;
    dpr__looks looks;
    dpr__features *features; /* (items of the listing) */
    int8_t *thumbs;          /* (items × DPR__THUMB_BYTES) */
    dpr_finding *findings;   /* (one of each kind) */
} dpr__checking;

/* Suspects under construction. */
typedef struct dpr__suspects {
    dpr_suspect *list;
    size_t n, capacity;
} dpr__suspects;

/* ---- check_thumb.c ---- */
/* What the item's closer look gives; of images below DPR__LEAST_SIDE, and of those without detail, norm is 0 and the thumb not set. */
dpr_status dpr__check_features(dpr_context *own, const dpr__image *image, dpr__features *out,
                               int8_t thumb[DPR__THUMB_BYTES]);
/* Σ aᵢ·bᵢ of two thumbs. */
int32_t dpr__thumb_product(const int8_t *a, const int8_t *b);

/* ---- check.c ---- */
dpr_check_image dpr__check_image(const dpr__checking *c, const dpr__look *look);
/* A suspect of that look; twin may be NULL. */
dpr_suspect dpr__check_suspect(const dpr__checking *c, const dpr__look *look,
                               const dpr__look *twin);
dpr_status dpr__suspects_add(const dpr__checking *c, dpr__suspects *suspects,
                             const dpr_suspect *suspect);
/* Makes a finding of the suspects and releases them; of none: nothing. */
dpr_status dpr__check_found(dpr__checking *c, dpr_finding_kind kind, dpr__suspects *suspects);
/* Makes a finding of lines (in the arena). */
void dpr__check_found_lines(dpr__checking *c, dpr_finding_kind kind, const char *const *lines,
                            size_t n);
/* DPR_E_INTERRUPTED where the caller wants to stop. */
dpr_status dpr__check_progress(const dpr__checking *c, const char *what, size_t done, size_t of);

/* ---- check_duplicates.c, check_near.c, check_labels.c; sorted: places in looks.looks, by hash, then by place ---- */
dpr_status dpr__check_duplicates(dpr__checking *c, const uint32_t *sorted);
dpr_status dpr__check_near(dpr__checking *c, const uint32_t *sorted);
dpr_status dpr__check_labels(dpr__checking *c, const uint32_t *sorted);

#endif
