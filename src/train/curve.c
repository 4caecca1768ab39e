/* The curve of a run: loss, accuracy and rate of the stretches between marks, some for each epoch. Where marks lie depends on the options alone, so that a run that
 * was stopped has the points of one left alone; training ends a piece at each mark and reads two sums. */
#include "train/trainer.h"

enum {
    MOST_POINTS = 200
}; /* of a run; one of more epochs has none, for its epochs are points enough */

/* Marks of an epoch. */
static uint64_t marks(const dpr_trainer *trainer) {
    uint64_t n = MOST_POINTS / trainer->options.epochs;
    return n < trainer->steps ? n : trainer->steps;
}

uint64_t dpr__trainer_next_mark(const dpr_trainer *trainer) {
    uint64_t n = marks(trainer);
    if (n == 0)
        return trainer->steps;
    uint64_t k = trainer->position * n / trainer->steps + 1;
    return (trainer->steps * k + n - 1) / n;
}

dpr_status dpr__trainer_reserve_curve(dpr_trainer *trainer) {
    return dpr__grow(trainer->context, &trainer->curve, &trainer->curve_capacity,
                     trainer->n_curve + marks(trainer), sizeof *trainer->curve);
}

dpr_status dpr__trainer_take_mark(dpr_trainer *trainer) {
    uint64_t n = marks(trainer), k = trainer->position * n / trainer->steps;
    if (n == 0 || trainer->position == 0 || (trainer->steps * k + n - 1) / n != trainer->position ||
        trainer->position <= trainer->mark.position)
        return DPR_OK;
    dpr__mark here = {.position = trainer->position};
    DPR_TRY(dpr__trainer_sums(trainer, &here.loss_sum, &here.correct));
    double images = (double)(dpr__trainer_images(trainer, here.position) -
                             dpr__trainer_images(trainer, trainer->mark.position));
    trainer->curve[trainer->n_curve++] =
        (dpr__curve_point){.step = trainer->tick,
                           .loss = (here.loss_sum - trainer->mark.loss_sum) / images,
                           .accuracy = (here.correct - trainer->mark.correct) / images,
                           .rate = dpr__trainer_last_rate(trainer)};
    trainer->mark = here;
    return DPR_OK;
}
