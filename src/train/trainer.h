/* One training run. Everything that decides its further course is in the model's store (leaves of
 * kind PARAMETER and STATE), the options, the data, and the few fields marked "kept": a checkpoint
 * is that. */
#ifndef DPR_TRAIN_TRAINER_H
#define DPR_TRAIN_TRAINER_H

#include "train/augment.h"
#include "train/feed.h"
#include "train/health.h"
#include "train/model.h"
#include "train/options.h"
#include "train/step_graph.h"

/* What a stretch of steps, up to step `step` of the run, had in the mean, each step before its update; and the rate of its last. */
typedef struct dpr__curve_point {
    uint64_t step;
    double loss, accuracy, rate;
} dpr__curve_point;

/* The last point of the curve in this epoch: steps, and sums over their images. */
typedef struct dpr__mark {
    uint64_t position;
    double loss_sum, correct;
} dpr__mark;

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
    dpr__curve_point *curve; /* kept */
    size_t n_curve, curve_capacity;
    dpr__mark mark;                     /* kept */
    dpr_ailment findings[DPR_N_CAUSES]; /* kept */
    size_t n_findings;
    unsigned looks;       /* kept: so many times the run's health was looked at (health.h) */
    float *first_weights; /* a sample of those with which the run began */

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

/* The sums of loss and right answers of this epoch; images of its first `position` steps; the rate of the step done last. */
dpr_status dpr__trainer_sums(const dpr_trainer *trainer, double *loss_sum, double *correct);
uint64_t dpr__trainer_images(const dpr_trainer *trainer, uint64_t position);
double dpr__trainer_last_rate(const dpr_trainer *trainer);

/* ---- curve.c ---- */

/* The position at which training must stop next for a point of the curve; takes it where training stands at one. */
uint64_t dpr__trainer_next_mark(const dpr_trainer *trainer);
dpr_status dpr__trainer_take_mark(dpr_trainer *trainer);
/* Room for the points of an epoch, so that no step allocates. */
dpr_status dpr__trainer_reserve_curve(dpr_trainer *trainer);

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
