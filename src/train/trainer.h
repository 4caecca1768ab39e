/* One training run. Everything that decides its further course is in the model's store (leaves of
 * kind PARAMETER and STATE), the options, the data, and the few fields marked "kept": a checkpoint
 * is that. */
#ifndef DPR_TRAIN_TRAINER_H
#define DPR_TRAIN_TRAINER_H

#include "train/augment.h"
#include "train/model.h"
#include "train/options.h"
#include "train/step_graph.h"

struct dpr_trainer {
    dpr_context *context;
    dpr_model *model;
    const dpr_data *data;
    dpr_train_options options; /* settled */
    char *data_name;
    char *augment_text; /* options.augment in its one spelling; "" without */
    dpr__augment_param augment;
    char data_sha256[65], validation_sha256[65]; /* the latter "" without a validation set */
    dpr__groups groups;
    dpr__step_plan plan;
    dpr__rate_schedule schedule; /* of parameters in no group */

    dpr_program *program;
    dpr_value loss; /* root */
    uint64_t steps; /* per epoch */
    uint64_t batch; /* images in a step but the last */
    float *table;   /* (steps) */

    uint64_t position, tick;   /* leaves "batch" and "tick", as last read */
    unsigned epochs_done;      /* kept */
    bool finished;             /* kept */
    bool swapped;              /* kept: the best weights are in place, the last ones in best/… */
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
/* Reads position and tick back from the store. */
dpr_status dpr__trainer_sync(dpr_trainer *trainer);
/* Everything after the last step of an epoch. report may be NULL. */
dpr_status dpr__trainer_end_epoch(dpr_trainer *trainer, dpr_epoch_report *report);
/* Exchanges the weights with those in best/…, when the run watches a validation set with
 * patience. */
void dpr__trainer_swap_best(dpr_trainer *trainer);

/* The run as JSON (checkpoint.c). */
dpr_status dpr__trainer_record(const dpr_trainer *trainer, char **out);

#endif
