/* Memory (memory.h): every block comes from the context's hook, sizes checked for overflow. */
#include "base/memory.h"
#include "base/context.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *call_hook(dpr_context *context, void *memory, size_t bytes) {
    return context->options.allocate(context->options.allocate_user, memory, bytes);
}

static dpr_status out_of_memory(dpr_context *context, size_t n, size_t size) {
    return DPR_FAIL(context, DPR_E_MEMORY, "out of memory: %zu × %zu bytes were wanted", n, size);
}

dpr_status dpr__allocate_untouched(dpr_context *context, size_t n, size_t size, void *out) {
    void *memory = NULL;
    if (size == 0 || n <= (SIZE_MAX - 1) / size)
        memory = call_hook(context, NULL, n * size > 0 ? n * size : 1);
    if (memory == NULL)
        return out_of_memory(context, n, size);
    memcpy(out, &memory, sizeof memory);
    return DPR_OK;
}

dpr_status dpr__allocate(dpr_context *context, size_t n, size_t size, void *out) {
    void *memory;
    DPR_TRY(dpr__allocate_untouched(context, n, size, &memory));
    memset(memory, 0, n * size);
    memcpy(out, &memory, sizeof memory);
    return DPR_OK;
}

void dpr__free(dpr_context *context, void *memory) {
    if (memory != NULL)
        call_hook(context, memory, 0);
}

/* The hook's block is kept just below the aligned address. Large memory begins at a huge page and asks for such: walking weights of
 * megabytes by pages of 4 KB, a program waits for address translation, and each of them is a fault when first touched. */
dpr_status dpr__allocate_aligned(dpr_context *context, size_t bytes, size_t alignment, void *out) {
    enum { HUGE_PAGE = 2 << 20 };
    bool large = bytes >= HUGE_PAGE / 2;
    void *block = NULL;
    if (large)
        alignment = HUGE_PAGE;
    if (bytes > SIZE_MAX - 2 * (size_t)HUGE_PAGE - sizeof block)
        return out_of_memory(context, bytes, 1);
    size_t length = large ? (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE : bytes;
    block = call_hook(context, NULL, length + alignment + sizeof block);
    if (block == NULL)
        return out_of_memory(context, bytes, 1);
    uintptr_t address = ((uintptr_t)block + sizeof block + alignment - 1) & ~(alignment - 1);
    char *memory = (char *)block + (address - (uintptr_t)block);
    if (large)
        (void)madvise(memory, length, MADV_HUGEPAGE); /* before it is touched; a wish */
    memset(memory, 0, bytes);
    memcpy(memory - sizeof block, &block, sizeof block);
    memcpy(out, &memory, sizeof memory);
    return DPR_OK;
}

void dpr__free_aligned(dpr_context *context, void *memory) {
    void *block = NULL;
    if (memory == NULL)
        return;
    memcpy(&block, (char *)memory - sizeof block, sizeof block);
    dpr__free(context, block);
}

dpr_status dpr__grow(dpr_context *context, void *items, size_t *capacity, size_t need,
                     size_t size) {
    if (need <= *capacity)
        return DPR_OK;
    size_t wanted = *capacity < 8 ? 8 : *capacity;
    while (wanted < need)
        wanted = wanted > SIZE_MAX / 2 ? need : wanted * 2;
    void *memory;
    memcpy(&memory, items, sizeof memory);
    void *grown = wanted <= SIZE_MAX / size ? call_hook(context, memory, wanted * size) : NULL;
    if (grown == NULL)
        return out_of_memory(context, wanted, size);
    memset((char *)grown + *capacity * size, 0, (wanted - *capacity) * size);
    memcpy(items, &grown, sizeof grown);
    *capacity = wanted;
    return DPR_OK;
}

dpr_status dpr__duplicate(dpr_context *context, const char *text, char **out) {
    size_t n = strlen(text) + 1;
    DPR_TRY(dpr__allocate(context, n, 1, out));
    memcpy(*out, text, n);
    return DPR_OK;
}

/* ---- arena ---- */

struct dpr__chunk {
    struct dpr__chunk *next;
    size_t used, capacity;
    max_align_t data[];
};

void dpr__arena_init(dpr__arena *arena, dpr_context *context) {
    *arena = (dpr__arena){.context = context};
}

void dpr__arena_release(dpr__arena *arena) {
    while (arena->chunks != NULL) {
        struct dpr__chunk *next = arena->chunks->next;
        dpr__free(arena->context, arena->chunks);
        arena->chunks = next;
    }
}

void *dpr__arena_allocate(dpr__arena *arena, size_t bytes) {
    enum { CHUNK = 8192 };
    const size_t align = _Alignof(max_align_t);
    struct dpr__chunk *chunk = arena->chunks;
    if (bytes > SIZE_MAX / 2) {
        (void)out_of_memory(arena->context, bytes, 1);
        return NULL;
    }
    bytes = (bytes + align - 1) / align * align;
    if (chunk == NULL || chunk->capacity - chunk->used < bytes) {
        size_t capacity = bytes > CHUNK ? bytes : CHUNK;
        if (dpr__allocate(arena->context, 1, sizeof *chunk + capacity, &chunk) != DPR_OK)
            return NULL;
        chunk->next = arena->chunks;
        chunk->capacity = capacity;
        arena->chunks = chunk;
    }
    void *memory = (char *)chunk->data + chunk->used;
    chunk->used += bytes;
    return memory;
}

char *dpr__arena_text(dpr__arena *arena, const char *text, size_t length) {
    char *copy = dpr__arena_allocate(arena, length + 1);
    if (copy != NULL)
        memcpy(copy, text, length);
    return copy;
}
