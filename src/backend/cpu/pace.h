/* How many threads a plan's ticks are worth. Handing work over costs a fraction of a microsecond where the cores share a cache,
 * and several times that where they do not, which a program cannot know and which may change while it runs; so small plans try
 * both ways and keep to the faster, looking again now and then. The results are the same bits either way. */
#ifndef DPR_BACKEND_CPU_PACE_H
#define DPR_BACKEND_CPU_PACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dpr__pace {
    unsigned members; /* of the team */
    bool tries;       /* the plan is small enough for one thread to win */
    bool together;    /* how the burst that goes on is run; a burst is some slices of ticks */
    double ns[2];     /* a tick alone, together: the last burst's best slice; 0: not known */
    double best;      /* of this burst */
    uint32_t left;    /* slices of this burst */
    uint32_t since;   /* bursts since the other way was tried */
} dpr__pace;

/* work: flops and bytes of a tick. */
void dpr__pace_init(dpr__pace *pace, unsigned members, uint64_t work);
/* How many of the ticks that are left to run next, and by how many members. */
uint64_t dpr__pace_choose(dpr__pace *pace, uint64_t left, unsigned *members);
/* What they took. */
void dpr__pace_learn(dpr__pace *pace, uint64_t ticks, uint64_t ns);

#endif
