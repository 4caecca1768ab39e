/* A context's allocator that fails on purpose and counts what is outstanding. One thread at a time. */
#ifndef DPR_TESTS_FAILING_ALLOCATOR_H
#define DPR_TESTS_FAILING_ALLOCATOR_H

#include <deeper/deeper.h>
#include <stdlib.h>

struct failing_allocator {
    long fail_at;   /* the n-th allocation from now fails, and all after it; negative: none */
    long calls;     /* allocations and resizes so far */
    long blocks;    /* outstanding */
    size_t largest; /* bytes of the largest request */
};

static inline void *failing_allocate(void *user, void *memory, size_t bytes) {
    struct failing_allocator *allocator = (struct failing_allocator *)user;
    if (bytes == 0) {
        allocator->blocks -= memory != NULL;
        free(memory);
        return NULL;
    }
    long call = allocator->calls++;
    allocator->largest = bytes > allocator->largest ? bytes : allocator->largest;
    if (allocator->fail_at >= 0 && call >= allocator->fail_at)
        return NULL;
    void *made = realloc(memory, bytes);
    allocator->blocks += made != NULL && memory == NULL;
    return made;
}

static inline void failing_allocator_use(struct failing_allocator *allocator,
                                         dpr_context_options *options) {
    *allocator = (struct failing_allocator){.fail_at = -1};
    options->allocate = failing_allocate;
    options->allocate_user = allocator;
}

#endif
