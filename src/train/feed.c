/* Loading ahead (feed.h). */
#include "train/feed.h"
#include "base/clock.h"
#include "base/context.h"
#include "ops/augment.h"
#include "ops/order.h"
#include "train/augment.h"

/* Loading stops after so long, so that progress is told of and large pictures do not all come before the first step. */
static const uint64_t MOST_NS = 100000000;

static bool mixes(const dpr__feed *feed) {
    return feed->augment != NULL && dpr__augment_mixes(feed->augment);
}

dpr_status dpr__feed_init(dpr__feed *feed, const dpr_data *data, const dpr__augment_param *augment,
                          uint64_t seed, uint64_t batch, uint64_t steps) {
    *feed =
        (dpr__feed){.data = data, .augment = augment, .seed = seed, .batch = batch, .steps = steps};
    if (data->window == NULL)
        return DPR_OK;
    size_t most = batch * (mixes(feed) ? 2 : 1);
    DPR_TRY(dpr__pool_reserve(data, most));
    return dpr__allocate(data->context, most, sizeof *feed->wanted, &feed->wanted);
}

void dpr__feed_release(dpr__feed *feed) {
    if (feed->wanted != NULL)
        dpr__free(feed->data->context, feed->wanted);
}

/* The images that a step reads: those of its rows and what is mixed into them. */
static size_t list(const dpr__feed *feed, uint64_t epoch, uint64_t step) {
    size_t n = 0;
    for (uint64_t i = 0; i < feed->batch; i++) {
        int64_t position = (int64_t)(step * feed->batch + i);
        int32_t image = dpr__order_at(feed->seed, epoch, position, (int64_t)feed->data->n);
        feed->wanted[n++] = image;
        if (!mixes(feed))
            continue;
        dpr__mix_draw mix;
        dpr__mix_draw_image(feed->augment, feed->seed, epoch, image, &mix);
        feed->wanted[n++] = mix.partner;
    }
    return n;
}

static dpr_status fill(dpr__feed *feed, uint64_t epoch, uint64_t step, const volatile int *stop) {
    uint64_t began = dpr__now_ns();
    bool full = false;
    dpr__pool_clear(feed->data);
    feed->epoch = epoch;
    feed->first = feed->end = step;
    feed->turn = feed->data->window->turn;
    while (feed->end < feed->steps && !full && dpr__now_ns() - began < MOST_NS) {
        size_t n = list(feed, epoch, feed->end);
        DPR_TRY(dpr__pool_load(feed->data, feed->wanted, n, stop, &full));
        feed->end += !full;
    }
    return DPR_OK;
}

dpr_status dpr__feed_steps(dpr__feed *feed, uint64_t epoch, uint64_t step, uint64_t steps,
                           const volatile int *stop, uint64_t *ready) {
    *ready = steps;
    if (feed->wanted == NULL)
        return DPR_OK;
    bool there = feed->turn == feed->data->window->turn && feed->epoch == epoch &&
                 step >= feed->first && step < feed->end;
    if (!there)
        DPR_TRY(fill(feed, epoch, step, stop));
    uint64_t left = feed->end - step;
    *ready = steps < left ? steps : left;
    return DPR_OK;
}
