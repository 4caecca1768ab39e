/* Work on many items (parallel.h). A context serves one thread, so each worker has one of its own; its memory still comes from the
 * caller's hook, which a lock protects. */
#include "base/parallel.h"
#include "base/context.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct shared {
    dpr_context *context;
    pthread_mutex_t lock;
    size_t n;
    dpr_status (*work)(dpr_context *own, void *user, size_t i);
    void *user;
    atomic_size_t next;
    atomic_bool failed; /* no new items are begun; smaller ones have been */
    size_t first_failed;
    dpr_status status;
    char message[DPR__ERROR_BYTES];
};

static void *locked_allocate(void *user, void *memory, size_t bytes) {
    struct shared *shared = user;
    const dpr_context_options *options = &shared->context->options;
    pthread_mutex_lock(&shared->lock);
    void *result = options->allocate(options->allocate_user, memory, bytes);
    pthread_mutex_unlock(&shared->lock);
    return result;
}

static void note_failure(struct shared *shared, size_t i, dpr_status status, const char *message) {
    pthread_mutex_lock(&shared->lock);
    if (shared->status == DPR_OK || i < shared->first_failed) {
        shared->first_failed = i;
        shared->status = status;
        strncpy(shared->message, message, sizeof shared->message - 1);
    }
    pthread_mutex_unlock(&shared->lock);
    atomic_store(&shared->failed, true);
}

/* Device, kernels, precision and passes: what decides bits. */
static void compute_as(dpr_context *own, const dpr_context *other) {
    own->device = other->device;
    own->isa = other->isa;
    own->precision = other->precision;
    memcpy(own->pass_disabled, other->pass_disabled, sizeof own->pass_disabled);
}

static void *live(void *user) {
    struct shared *shared = user;
    dpr_context_options options = dpr_context_options_default();
    dpr_context *own;
    options.allocate = locked_allocate;
    options.allocate_user = shared;
    options.threads = 1;
    dpr_status status = dpr_context_create(&options, &own);
    if (status != DPR_OK) {
        note_failure(shared, 0, status, "out of memory");
    } else {
        compute_as(own, shared->context);
        while (!atomic_load(&shared->failed)) {
            size_t i = atomic_fetch_add(&shared->next, 1);
            if (i >= shared->n)
                break;
            status = shared->work(own, shared->user, i);
            if (status != DPR_OK)
                note_failure(shared, i, status, dpr_error(own));
        }
    }
    dpr_context_destroy(own);
    return NULL;
}

dpr_status dpr__parallel(dpr_context *context, size_t n,
                         dpr_status (*work)(dpr_context *own, void *user, size_t i), void *user) {
    return dpr__parallel_on(context, dpr_context_threads(context), n, work, user);
}

dpr_status dpr__parallel_on(dpr_context *context, unsigned threads, size_t n,
                            dpr_status (*work)(dpr_context *own, void *user, size_t i),
                            void *user) {
    enum { MOST = 64 };
    struct shared shared = {.context = context, .n = n, .work = work, .user = user};
    pthread_t started[MOST];
    unsigned wanted = threads < n ? threads : (unsigned)n, k = 0;
    pthread_mutex_init(&shared.lock, NULL);
    while (k + 1 < wanted && k < MOST && pthread_create(&started[k], NULL, live, &shared) == 0)
        k++;
    live(&shared); /* the caller works too, and alone where no thread can be had */
    for (unsigned i = 0; i < k; i++)
        pthread_join(started[i], NULL);
    pthread_mutex_destroy(&shared.lock);
    if (shared.status == DPR_OK)
        return DPR_OK;
    return DPR_FAIL(context, shared.status, "%s", shared.message);
}
