/* A training that is watched: train --serve. */
#ifndef DEEPER_CLI_LIVE_H
#define DEEPER_CLI_LIVE_H

#include "cli.h"

struct live {
    dpr_live *page; /* NULL: nobody watches, and nothing here does anything */
    unsigned epoch; /* in which it was paused last, */
    double paused;  /* and for how many seconds of this epoch */
};

/* Listens where --serve says, and prints the address and the token. `model`: the file that is being made. Returns EXIT_DONE, or another status after a message. */
int live_begin(struct live *live, dpr_context *context, const struct settings *settings,
               const char *model);
/* Shows how far it is, and waits while it is to be paused, but not when *stop. now->seconds loses the pauses before. Returns the seconds that it waited. */
double live_progress(struct live *live, dpr_progress *now, const volatile int *stop);
/* Tells how the run ended, and ends the page. `status` is the command's. */
void live_end(struct live *live, const dpr_context *context, int status,
              const struct train_result *result);

#endif
