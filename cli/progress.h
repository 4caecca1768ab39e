/* What train shows while it runs: a bar on a terminal, a line an epoch, JSON lines. */
#ifndef DEEPER_CLI_PROGRESS_H
#define DEEPER_CLI_PROGRESS_H

#include "cli.h"

struct progress {
    bool json, quiet, bar; /* bar: stderr is a terminal */
    FILE *log;             /* --log; NULL: none */
    double began;          /* now_seconds() when training began */
    unsigned first_epoch;  /* epochs done before */
};

/* Redraws the bar. */
void progress_bar(const struct progress *progress, const dpr_progress *now);
void progress_clear(const struct progress *progress);
/* After an epoch. */
void progress_epoch(const struct progress *progress, const dpr_epoch_report *report,
                    unsigned epochs);

#endif
