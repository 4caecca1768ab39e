/* What train shows while it runs: a bar on a terminal, a line an epoch, JSON lines. No colours. */
#ifndef DEEPER_CLI_PROGRESS_H
#define DEEPER_CLI_PROGRESS_H

#include "cli.h"

struct progress {
    bool json, quiet, bar;
    FILE *log;            /* --log; NULL: none */
    double began;         /* now_seconds() when training began */
    unsigned first_epoch; /* epochs that were done by then */
    unsigned epochs;      /* in all */
};

/* Whether stderr is a terminal on which a line can be redrawn. */
bool progress_has_terminal(void);
/* Seconds until the end of the run; NaN: not known yet. */
double progress_left(const dpr_progress *now);
/* Redraws the bar. */
void progress_bar(const struct progress *progress, const dpr_progress *now);
/* "looking: 40 %" in a line that is redrawn; `user` is a struct percent. Returns 0, so that it may be a library's callback. */
struct percent {
    const char *doing;
    unsigned shown; /* 101 at first */
};
int progress_percent(void *user, size_t done, size_t of);
void progress_clear(const struct progress *progress);
/* After an epoch. */
void progress_epoch(const struct progress *progress, const dpr_epoch_report *report);
/* When something was found to be wrong; `text` says what. */
void progress_finding(const struct progress *progress, const dpr_ailment *finding,
                      const char *text);
/* The same of an earlier process's part of the run, for the log alone. */
void progress_log(const struct progress *progress, const dpr_epoch_report *report);
void progress_log_finding(const struct progress *progress, const dpr_ailment *finding,
                          const char *text);

#endif
