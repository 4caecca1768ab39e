/* Loading the images of a run's next steps, where the set is larger than its memory. The order of an epoch is known (ops/order.h), and so are
 * the images that augmentation mixes in; so what the next steps need is loaded before they run, by all threads. */
#ifndef DPR_TRAIN_FEED_H
#define DPR_TRAIN_FEED_H

#include "ir/op.h"
#include "train/data.h"

typedef struct dpr__feed {
    const dpr_data *data;
    const dpr__augment_param *augment; /* NULL: images are taken as they are */
    uint64_t seed, batch, steps;       /* steps of an epoch, images of a step */
    int32_t *wanted;                   /* of one step; NULL: all images are in memory */
    uint64_t epoch, first, end, turn;  /* the steps whose images are there */
} dpr__feed;

/* Makes room in the set's window for the images of a step. */
dpr_status dpr__feed_init(dpr__feed *feed, const dpr_data *data, const dpr__augment_param *augment,
                          uint64_t seed, uint64_t batch, uint64_t steps);
void dpr__feed_release(dpr__feed *feed);
/* Sees to it that the images of step `step` of the epoch are there. Of the `steps` that are to come *ready says for how many they are.
 * Errors: those of loading; DPR_E_INTERRUPTED when *stop (may be NULL) becomes non-zero. */
dpr_status dpr__feed_steps(dpr__feed *feed, uint64_t epoch, uint64_t step, uint64_t steps,
                           const volatile int *stop, uint64_t *ready);

#endif
