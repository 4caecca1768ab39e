/* A set of images in memory, and what a network must know of it. */
#ifndef DPR_TRAIN_DATA_H
#define DPR_TRAIN_DATA_H

#include "base/memory.h"

enum { DPR__MAX_CHANNELS = 4 };

struct dpr_data {
    dpr_context *context;
    dpr_data_info info; /* class names owned */
    const uint8_t *images;
    const int32_t *labels;
    size_t n;
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

#endif
