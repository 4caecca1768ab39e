/* Choosing one thread or all by what ticks took (pace.h). Bursts of slices are compared by their best slice: the first of a burst finds
 * the other members asleep or the caches cold, and any may be interrupted. */
#include "backend/cpu/pace.h"

enum {
    LARGE = 400 << 20, /* flops and bytes of a tick: milliseconds, which all threads share well */
    SLICE = 4,         /* ticks */
    BURST = 8,         /* slices */
    BETWEEN = 30,      /* bursts between two looks at the other way */
};

void dpr__pace_init(dpr__pace *pace, unsigned members, uint64_t work) {
    bool several = members > 1;
    *pace = (dpr__pace){
        .members = members, .tries = several && work < LARGE, .together = several, .left = BURST};
}

static void begin_burst(dpr__pace *pace) {
    bool faster = pace->ns[1] <= pace->ns[0];
    pace->left = BURST;
    pace->best = 0;
    if (pace->ns[1] == 0 || pace->ns[0] == 0)
        pace->together = pace->ns[1] == 0;
    else if (++pace->since % BETWEEN == 0)
        pace->together = !faster;
    else
        pace->together = faster;
}

uint64_t dpr__pace_choose(dpr__pace *pace, uint64_t left, unsigned *members) {
    *members = pace->together ? pace->members : 1;
    return !pace->tries || left < SLICE ? left : SLICE;
}

void dpr__pace_learn(dpr__pace *pace, uint64_t ticks, uint64_t ns) {
    if (!pace->tries || ticks == 0)
        return;
    double sample = (double)ns / (double)ticks;
    if (pace->best == 0 || sample < pace->best)
        pace->best = sample;
    if (--pace->left > 0)
        return;
    pace->ns[pace->together] = pace->best;
    begin_burst(pace);
}
