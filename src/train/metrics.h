/* Figures of merit of a classifier. */
#ifndef DPR_TRAIN_METRICS_H
#define DPR_TRAIN_METRICS_H

#include <stdint.h>

/* 95 % interval of a share of `correct` in n trials (Wilson 1927): the p for which the observed
 * share lies within 1.96 standard errors. n 0: [0, 1]. */
void dpr__wilson(uint64_t correct, uint64_t n, double *low, double *high);

/* Of the images called c, the share that is (precision); of those that are c, the share called so
 * (recall). confusion (true × predicted), k classes; NaN where there are none. */
void dpr__precision_recall(const uint64_t *confusion, uint32_t k, double *precision,
                           double *recall);

#endif
