/* All memory goes through the context's one allocator hook; sizes are checked for overflow here. */
#ifndef DPR_BASE_MEMORY_H
#define DPR_BASE_MEMORY_H

#include "base/status.h"

/* Zeroed memory for n items of `size` bytes (n × size may be 0: then a unique pointer).
 * DPR_E_MEMORY says how much was wanted. Aligned for any type; dpr__free frees. */
dpr_status dpr__allocate(dpr_context *context, size_t n, size_t size, void *out /* T** */);
/* The same, not zeroed: large memory that is to be filled, by several threads. */
dpr_status dpr__allocate_untouched(dpr_context *context, size_t n, size_t size,
                                   void *out /* T** */);
/* Zeroed, and aligned to `alignment` (a power of two); only dpr__free_aligned frees it. */
dpr_status dpr__allocate_aligned(dpr_context *context, size_t bytes, size_t alignment,
                                 void *out /* T** */);
void dpr__free(dpr_context *context, void *memory);         /* NULL is allowed */
void dpr__free_aligned(dpr_context *context, void *memory); /* NULL is allowed */

/* Makes room for at least `need` items in a growing array (*items, *capacity), doubling; new items
 * are zero. */
dpr_status dpr__grow(dpr_context *context, void *items /* T** */, size_t *capacity, size_t need,
                     size_t size);

dpr_status dpr__duplicate(dpr_context *context, const char *text, char **out);

/* An arena: memory that is freed all at once; addresses stay valid while it grows. */
typedef struct dpr__arena {
    dpr_context *context;
    struct dpr__chunk *chunks;
} dpr__arena;

void dpr__arena_init(dpr__arena *arena, dpr_context *context);
void dpr__arena_release(dpr__arena *arena);
/* Zeroed; NULL when memory is out (the context then holds the message). */
void *dpr__arena_allocate(dpr__arena *arena, size_t bytes);
char *dpr__arena_text(dpr__arena *arena, const char *text, size_t length);

#endif
