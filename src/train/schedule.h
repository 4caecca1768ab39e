/* Learning-rate schedules: the factor of each step, computed in double on the host. */
#ifndef DPR_TRAIN_SCHEDULE_H
#define DPR_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* X(name, word, whether the past depends on the total number of steps) */
#define DPR__SCHEDULE_MAP(X)                                                                       \
    X(CONSTANT, "constant", false)                                                                 \
    X(STEP, "step", false)                                                                         \
    X(EXPONENTIAL, "exponential", false)                                                           \
    X(COSINE, "cosine", true)                                                                      \
    X(ONE_CYCLE, "one-cycle", true)                                                                \
    X(LINEAR, "linear", true)

typedef enum dpr__schedule_kind {
#define X(name, word, total) DPR__SCHEDULE_##name,
    DPR__SCHEDULE_MAP(X)
#undef X
        DPR__N_SCHEDULES
} dpr__schedule_kind;

extern const char *const dpr__schedule_words[DPR__N_SCHEDULES];
/* Whether another number of epochs would have changed the steps done so far. */
bool dpr__schedule_needs_total(dpr__schedule_kind kind);

typedef struct dpr__rate_schedule {
    dpr__schedule_kind kind;
    double peak;   /* the learning rate */
    double warmup; /* epochs */
    double step_epochs, decay;
    uint64_t steps; /* updates an epoch */
    uint64_t epochs;
    uint64_t total; /* steps in all; 0: epochs × steps */
} dpr__rate_schedule;

/* The learning rate of step t, 0 ≤ t < total (later steps get the last one's). */
double dpr__schedule_rate(const dpr__rate_schedule *schedule, uint64_t t);

#endif
