#ifndef DPR_BASE_CLOCK_H
#define DPR_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of the monotonic clock. */
uint64_t dpr__now_ns(void);

#endif
