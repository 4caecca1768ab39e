/* One look at every image of a set, both halves: what surveys count and checks compare. What cannot be read is listed, no error. */
#ifndef DPR_DATA_LOOKS_H
#define DPR_DATA_LOOKS_H

#include "data/source.h"

typedef struct dpr__look {
    uint64_t hash; /* of size and pixels: equal images have equal ones */
    uint32_t height, width, channels;
    uint32_t item; /* in the listing */
    dpr_half half;
    int32_t label;
} dpr__look;

typedef struct dpr__looks {
    dpr_context *context;
    dpr__listing listing; /* surveying; split where the files make no test half */
    dpr__look *looks;     /* (n) of the readable images, in the order of the listing */
    size_t n;
    const char **unreadable; /* "path: reason" */
    size_t n_unreadable;
    char **why; /* (listing.n_items) the reasons among them that are ours */
} dpr__looks;

/* What else is wanted of each image: called on several threads at once with the item's place in the listing. */
typedef dpr_status dpr__look_closer(dpr_context *own, void *user, size_t item,
                                    const dpr__image *image);
typedef struct dpr__looking {
    dpr__look_closer *closer; /* may be NULL */
    /* Called once the listing is there, before `closer`; may be NULL. */
    dpr_status (*begin)(void *user, const dpr__listing *listing);
    /* Called now and then; may be NULL; DPR_E_INTERRUPTED where it returns non-zero. */
    int (*progress)(void *user, size_t done, size_t of);
    void *user;
} dpr__looking;

/* Errors: those of listings; DPR_E_INTERRUPTED. *out is to be released after success; else it is zero. */
dpr_status dpr__looks_take(dpr_context *context, const char *path, const dpr__looking *how,
                           dpr__looks *out);
void dpr__looks_release(dpr__looks *looks);

#endif
