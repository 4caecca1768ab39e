/* The thread team: threads that live as long as the context and walk a plan in lockstep. */
#ifndef DPR_BASE_TEAM_H
#define DPR_BASE_TEAM_H

#include "base/status.h"

typedef struct dpr__team dpr__team;

/* n ≥ 1 members, the caller is member 0. Members spin briefly, then sleep (futex). */
dpr_status dpr__team_create(dpr_context *context, unsigned n, dpr__team **out);
void dpr__team_destroy(dpr__team *team);
unsigned dpr__team_size(const dpr__team *team);

/* Runs work(user, member) on every member, the caller's included; returns when all are done.
 * Subnormals are flushed to zero on each while it works, so that thread counts agree. */
void dpr__team_run(dpr__team *team, void (*work)(void *user, unsigned member), void *user);
/* Runs work(user, 0) on the caller alone, under the same floating-point modes; wakes nobody. */
void dpr__team_run_alone(void (*work)(void *user, unsigned member), void *user);
/* Called by every member inside run: none goes on before all have come. What was written before it
 * is seen after it. */
void dpr__team_barrier(dpr__team *team, unsigned member);

#endif
