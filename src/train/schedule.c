/* Schedules. With W warm-up steps and T steps in all, step t < W has the rate peak·(t + 1)/W; after
 * that u = t − W counts from 0 and x = u/(T − W) runs from 0 towards 1:
 *   constant     peak
 *   step         peak·decay^⌊e/step_epochs⌋, e = u in epochs
 *   exponential  peak·decay^e
 *   linear       peak·(1 − x)
 *   cosine       peak·½(1 + cos πx)                               (Loshchilov & Hutter 2017)
 *   one-cycle    peak·(0.04 + 0.96·x/0.3) up to x = 0.3, then a half cosine from peak down to
 *                peak·1e-4                                         (after Smith & Topin 2018) */
#include "train/schedule.h"
#include <math.h>

const char *const dpr__schedule_words[DPR__N_SCHEDULES] = {
#define X(name, word, total) [DPR__SCHEDULE_##name] = word,
    DPR__SCHEDULE_MAP(X)
#undef X
};

bool dpr__schedule_needs_total(dpr__schedule_kind kind) {
    static const bool needs[DPR__N_SCHEDULES] = {
#define X(name, word, total) [DPR__SCHEDULE_##name] = total,
        DPR__SCHEDULE_MAP(X)
#undef X
    };
    return needs[kind];
}

static const double pi = 3.14159265358979323846;

/* From 1 at x = 0 to 0 at x = 1. */
static double half_cosine(double x) {
    return 0.5 * (1 + cos(pi * x));
}

static double one_cycle(double x) {
    const double rise = 0.3, first = 0.04, last = 1e-4;
    if (x < rise)
        return first + (1 - first) * x / rise;
    return last + (1 - last) * half_cosine((x - rise) / (1 - rise));
}

double dpr__schedule_rate(const dpr__rate_schedule *schedule, uint64_t t) {
    uint64_t total = schedule->total > 0 ? schedule->total : schedule->epochs * schedule->steps;
    uint64_t warm = (uint64_t)llround(schedule->warmup * (double)schedule->steps);
    if (t >= total)
        t = total - 1;
    if (t < warm)
        return schedule->peak * (double)(t + 1) / (double)warm;
    double epoch = (double)(t - warm) / (double)schedule->steps;
    double x = (double)(t - warm) / (double)(total - warm);
    switch (schedule->kind) {
    case DPR__SCHEDULE_STEP:
        return schedule->peak * pow(schedule->decay, floor(epoch / schedule->step_epochs));
    case DPR__SCHEDULE_EXPONENTIAL:
        return schedule->peak * pow(schedule->decay, epoch);
    case DPR__SCHEDULE_COSINE:
        return schedule->peak * half_cosine(x);
    case DPR__SCHEDULE_ONE_CYCLE:
        return schedule->peak * one_cycle(x);
    case DPR__SCHEDULE_LINEAR:
        return schedule->peak * (1 - x);
    case DPR__SCHEDULE_CONSTANT:
    case DPR__N_SCHEDULES:
        break;
    }
    return schedule->peak;
}
