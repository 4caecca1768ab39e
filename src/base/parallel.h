/* Work on many items by threads of their own: for what is done once and may fail, such as reading files. */
#ifndef DPR_BASE_PARALLEL_H
#define DPR_BASE_PARALLEL_H

#include "base/status.h"

/* Calls work(own, user, i) for i = 0 … n−1 on as many threads as the context has, 65 at most, each with a context of its
 * own for messages and memory, of one thread, which computes as the caller's does. Returns the failure of the smallest i,
 * with its message; after a failure no further items are begun. */
dpr_status dpr__parallel(dpr_context *context, size_t n,
                         dpr_status (*work)(dpr_context *own, void *user, size_t i), void *user);
/* The same on `threads` of them, 65 at most. */
dpr_status dpr__parallel_on(dpr_context *context, unsigned threads, size_t n,
                            dpr_status (*work)(dpr_context *own, void *user, size_t i), void *user);

#endif
