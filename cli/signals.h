/* Signals that end a long run in order: Ctrl-C, SIGTERM, SIGHUP. A second one ends the process at once. */
#ifndef DEEPER_CLI_SIGNALS_H
#define DEEPER_CLI_SIGNALS_H

#include <stdbool.h>

/* Non-zero once a signal came: what trainers look at between steps. */
extern volatile int signals_stop;
/* Which one. */
int signals_number(void);
/* As if Ctrl-C had come, for the first time. */
void signals_pretend(void);
/* Begins, or ends, to take signals so; what was ignored (nohup) stays ignored. */
void signals_watch(bool on);

#endif
