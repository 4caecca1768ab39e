/* A set of images, and what a network must know of it. Readers take images out of the set's pool: of a set in memory row i of it is
 * image i; of a larger one the first rows are images that stay, and the rest is a window into which others are loaded before they
 * are needed. */
#ifndef DPR_TRAIN_DATA_H
#define DPR_TRAIN_DATA_H

#include "base/memory.h"

enum { DPR__MAX_CHANNELS = 4, DPR__MOST_ROWS = 256 /* that dpr__data_rows gives at once */ };

/* Of a set that is larger than its memory. */
typedef struct dpr__window {
    size_t kept;    /* images 0 … kept − 1 stay in the rows of that number */
    size_t used;    /* rows of the window that hold an image */
    int32_t *place; /* (n) in which row an image lies; −1: in none */
    int32_t *image; /* (rows) of a row of the window that is used */
    uint64_t turn;  /* raised when the window is emptied */
} dpr__window;

struct dpr_data {
    dpr_context *context;
    dpr_data_info info; /* class names owned */
    const int32_t *labels;
    size_t n;
    uint8_t *pool; /* u8 (rows, height, width, channels); owned where images are loaded */
    size_t rows;
    dpr_data_load load;  /* NULL: the caller's pixels are the pool */
    dpr__window *window; /* NULL: all images are in the pool, each at its place */
    uint64_t *hash;      /* (n) of each image; NULL: not yet known */
    char sha256[65];     /* over shape, images and labels: the identity of a training set */
    void (*release)(void *user);
    void *user;
};

/* A deep copy; on failure nothing is left to release. */
dpr_status dpr__info_copy(dpr_context *context, const dpr_data_info *from, dpr_data_info *out);
void dpr__info_release(dpr_context *context, dpr_data_info *info);
/* "7" or the seventh name, for messages; `number` is room for the former. */
const char *dpr__class_name(const dpr_data_info *info, uint32_t index, char number[16]);
/* DPR_E_MISMATCH unless images of `data` have the shape and the classes that `wanted` states; a set
 * without names takes the names of `wanted`. */
dpr_status dpr__info_match(dpr_context *context, const dpr_data_info *wanted,
                           const dpr_data_info *data);

size_t dpr__image_bytes(const dpr_data_info *info);

/* ---- look.c ---- */

/* Looks at every image once, by the context's threads: loads it where the set is loaded, takes its hash, and with `measure` counts its
 * pixels for mean and deviation. */
dpr_status dpr__data_look(dpr_data *data, bool measure);

/* ---- pool.c ---- */

/* The pool for a set of n images that are loaded: all of them where they fit in `memory` bytes (0: any), else at least DPR__MOST_ROWS. */
dpr_status dpr__pool_create(dpr_data *data, size_t memory);
void dpr__pool_release(dpr_data *data);
/* Makes room in the window for `rows` images that are wanted together, at the cost of those that stay.
 * Errors: DPR_E_MEMORY where the whole pool is too small. */
dpr_status dpr__pool_reserve(const dpr_data *data, size_t rows);
/* Empties the window. */
void dpr__pool_clear(const dpr_data *data);
/* Loads images that are in no row yet, by the context's threads; where the window has no room for all of them, *full is true and
 * nothing is loaded. Errors: of loading, then the window is empty; DPR_E_INTERRUPTED when *stop (may be NULL) becomes non-zero. */
dpr_status dpr__pool_load(const dpr_data *data, const int32_t *index, size_t n,
                          const volatile int *stop, bool *full);
/* The row that an image lies in; it must be there. */
int32_t dpr__pool_row(const dpr_data *data, size_t image);
/* Images first … first + n − 1 (n ≤ DPR__MOST_ROWS), one after the other; valid until the window is used again. */
dpr_status dpr__data_rows(const dpr_data *data, size_t first, size_t n, const uint8_t **pixels);

#endif
