/* One training run. Everything that decides its further course is in the model's store (leaves of
 * kind PARAMETER and STATE), the options, the data, and the few fields marked "kept": a checkpoint
 * is that. */
#ifndef DPR_TRAIN_TRAINER_H
#define DPR_TRAIN_TRAINER_H

#include "train/augment.h"
#include "train/feed.h"
#include "train/model.h"
#include "train/options.h"
#include "train/step_graph.h"

struct dpr_trainer {
    dpr_context *context;
    dpr_model *model;
    const dpr_data *data;
    dpr_train_options options; /* settled */
    char *data_name, *command, *class_weights_text;
    char *augment_text; /* options.augment in its one spelling; "" without */
    dpr__augment_param augment;
    char data_sha256[65], validation_sha256[65]; /* the latter "" without a validation set */
    dpr__groups groups;
    dpr__step_plan plan;
    dpr__feed feed;
    dpr__rate_schedule schedule; /* the run's own */

    dpr_program *program;
    dpr_program *statistics; /* the forward pass for averaged weights' statistics; NULL: not yet */
    dpr_value loss;          /* root */
    uint64_t steps;          /* per epoch */
    uint64_t batch;          /* images in a step but the last */
    float *table;            /* (steps) */
    float *class_weights;    /* (classes); NULL: all alike */

    uint64_t position, tick; /* leaves "batch" and "tick", as last read */
    unsigned epochs_done;    /* kept */
    bool finished;           /* kept */
    bool swapped; /* kept: the weights of best/… or average/… are in place, the last ones there */
    unsigned best_epoch;       /* kept; 0: none yet */
    double best_accuracy;      /* kept */
    dpr_epoch_report *history; /* kept; one per epoch done */
    size_t history_capacity;

    /* of the current epoch, in this process */
    uint64_t began_ns, busy_ns, busy_steps, busy_images, reported_ns;
    double busy_seconds_before; /* kept: spent on this epoch before a resume */
};

/* Starts epoch number trainer->epochs_done: counters, sums, tables. */
dpr_status dpr__trainer_begin_epoch(dpr_trainer *trainer);
/* Fills the tables of rates for the current epoch. */
dpr_status dpr__trainer_fill_tables(dpr_trainer *trainer);
/* Runs up to `ticks` steps of a program that takes images in the epoch's order, from step `position` on. *done says how many.
 * Errors: as of dpr_program_run, and of loading images. */
dpr_status dpr__trainer_run(dpr_trainer *trainer, dpr_program *program, uint64_t position,
                            uint64_t ticks, const volatile int *stop, uint64_t *done);
/* Reads position and tick back from the store. */
dpr_status dpr__trainer_sync(dpr_trainer *trainer);
/* Everything after the last step of an epoch. report may be NULL. */
dpr_status dpr__trainer_end_epoch(dpr_trainer *trainer, dpr_epoch_report *report);
/* Exchanges the last weights with those that the run results in: the best with patience, else the average; without
 * either nothing happens. */
void dpr__trainer_swap_result(dpr_trainer *trainer);

/* ---- averages.c ---- */

/* Whether there is an average after that many epochs. */
bool dpr__trainer_averages(const dpr_trainer *trainer, unsigned epoch);
/* Puts averages in the place of parameters and statistics, or back. */
dpr_status dpr__trainer_enter_average(dpr_trainer *trainer);
void dpr__trainer_leave_average(dpr_trainer *trainer);
/* Of the weights after update t in average/…. */
double dpr__trainer_average_weight(const dpr_trainer *trainer, uint64_t t);

/* Lookahead: whether weights become the slow ones after update t, and by which share these move then (else 0). */
bool dpr__trainer_looks_ahead(const dpr_trainer *trainer, uint64_t t);
double dpr__trainer_slow_weight(const dpr_trainer *trainer, uint64_t t);

#endif
