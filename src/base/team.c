/* The thread team (team.h). A work order is a generation number that the caller raises; a barrier is another. Both are
 * waited for by spinning some microseconds and then sleeping in a futex; where there are more members than cores
 * nobody spins. */
#include "base/team.h"
#include "base/context.h"
#include "base/memory.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* A word that members wait on, alone on its cache line. */
typedef struct gate {
    _Alignas(64) _Atomic uint32_t value;
    _Atomic uint32_t sleepers;
} gate;

enum { ROUNDS = 10 }; /* of a barrier: 2¹⁰ members */

struct member {
    gate signals[ROUNDS];               /* how often this member was signalled in each round */
    _Alignas(64) uint32_t seen[ROUNDS]; /* of them */
    struct dpr__team *team;
    pthread_t thread;
    unsigned index;
    int core; /* that it is pinned to; the caller's: the one left for it. −1: none */
};

struct dpr__team {
    gate order; /* generation of the work order */
    dpr_context *context;
    unsigned n, started, spins;
    bool quit;
    void (*work)(void *user, unsigned member);
    void *user;
    struct member *members;
};

/* ---- waiting ---- */

static void relax(void) {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}

/* Returns once the gate's value is no longer `old`. */
static void wait_while(gate *g, uint32_t old, unsigned spins) {
    for (unsigned i = 0; i < spins; i++) {
        if (atomic_load_explicit(&g->value, memory_order_acquire) != old)
            return;
        relax();
    }
    atomic_fetch_add(&g->sleepers, 1);
    while (atomic_load(&g->value) == old)
        futex_wait(&g->value, old);
    atomic_fetch_sub(&g->sleepers, 1);
}

/* Sequentially consistent, so that either the waker sees the sleeper or the sleeper the new value. */
static void open_gate(gate *g) {
    atomic_fetch_add(&g->value, 1);
    if (atomic_load(&g->sleepers) > 0)
        futex_wake_all(&g->value);
}

/* Dissemination (Hensgen, Finkel & Manber 1988, "Two algorithms for barrier synchronization"): in round r member i signals member
 * i + 2^r and waits for member i − 2^r, so two members hand one cache line each way, at the same time. A member that runs ahead into the
 * next barrier signals once more; counting keeps them apart, since nobody is ahead by two. */
void dpr__team_barrier(dpr__team *team, unsigned member) {
    struct member *self = &team->members[member];
    for (unsigned round = 0, distance = 1; distance < team->n; round++, distance *= 2) {
        uint32_t seen = self->seen[round]++;
        open_gate(&team->members[(member + distance) % team->n].signals[round]);
        wait_while(&self->signals[round], seen, team->spins);
    }
}

/* ---- cores ---- */

/* Members are pinned to cores of their own where there are enough; the caller's thread is not ours to pin, so they keep out of its way. */
static void share_cores(dpr__team *team) {
    cpu_set_t mask;
    bool enough = sched_getaffinity(0, sizeof mask, &mask) == 0 && (int)team->n <= CPU_COUNT(&mask);
    int core = 0;
    for (unsigned i = 0; i < team->n; i++, core++) {
        while (enough && !CPU_ISSET((size_t)core, &mask))
            core++;
        team->members[i].core = enough ? core : -1;
    }
}

static void pin(const struct member *member) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)member->core, &one);
    pthread_setaffinity_np(member->thread, sizeof one, &one);
}

/* A member on the core where the caller is now would take turns with it for milliseconds, until the kernel moves one: it gets the core
 * that was left for the caller. */
static void leave_core_of_caller(dpr__team *team) {
    struct member *caller = &team->members[0];
    int here = caller->core < 0 ? -1 : sched_getcpu();
    if (here < 0 || here == caller->core)
        return;
    for (unsigned i = 1; i < team->n; i++)
        if (team->members[i].core == here) {
            team->members[i].core = caller->core;
            caller->core = here;
            pin(&team->members[i]);
        }
}

/* ---- working ---- */

/* Subnormals cost a hundred cycles each on some CPUs; all members treat them alike. */
static unsigned flush_subnormals(void) {
#if defined(__x86_64__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040U); /* FTZ, DAZ */
    return before;
#else
    return 0;
#endif
}

static void restore_modes(unsigned before) {
#if defined(__x86_64__)
    _mm_setcsr(before);
#else
    (void)before;
#endif
}

static void *live(void *argument) {
    struct member *self = argument;
    dpr__team *team = self->team;
    uint32_t generation = 0;
    flush_subnormals();
    for (;;) {
        wait_while(&team->order, generation++, team->spins);
        if (team->quit)
            return NULL;
        team->work(team->user, self->index);
        dpr__team_barrier(team, self->index);
    }
}

void dpr__team_run_alone(void (*work)(void *user, unsigned member), void *user) {
    unsigned modes = flush_subnormals();
    work(user, 0);
    restore_modes(modes);
}

void dpr__team_run(dpr__team *team, void (*work)(void *user, unsigned member), void *user) {
    unsigned modes = flush_subnormals();
    team->work = work;
    team->user = user;
    if (team->n > 1) {
        leave_core_of_caller(team);
        open_gate(&team->order);
    }
    work(user, 0);
    if (team->n > 1)
        dpr__team_barrier(team, 0);
    restore_modes(modes);
}

unsigned dpr__team_size(const dpr__team *team) {
    return team->n;
}

/* ---- life ---- */

/* Signals are the caller's: members take none. */
static dpr_status start_members(dpr__team *team) {
    sigset_t all, before;
    int error = 0;
    share_cores(team);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (team->started = 1; team->started < team->n && error == 0; team->started++) {
        struct member *member = &team->members[team->started];
        member->team = team;
        member->index = team->started;
        error = pthread_create(&member->thread, NULL, live, member);
        if (error != 0)
            break;
        if (member->core >= 0)
            pin(member);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return DPR_FAIL(team->context, DPR_E_MEMORY,
                        "thread %u of %u could not be started; ask for fewer with --threads",
                        team->started + 1, team->n);
    return DPR_OK;
}

dpr_status dpr__team_create(dpr_context *context, unsigned n, dpr__team **out) {
    enum { SPINS = 2000 }; /* some 30 µs */
    dpr__team *team;
    DPR_TRY(dpr__allocate_aligned(context, sizeof *team, _Alignof(dpr__team), &team));
    team->context = context;
    team->n = n;
    team->started = 1;
    team->spins = n <= dpr__usable_cores() ? SPINS : 0;
    dpr_status status = dpr__allocate_aligned(context, n * sizeof *team->members,
                                              _Alignof(struct member), &team->members);
    if (status == DPR_OK)
        memset(team->members, 0, n * sizeof *team->members);
    if (status == DPR_OK)
        status = start_members(team);
    if (status != DPR_OK) {
        dpr__team_destroy(team);
        return status;
    }
    dpr__log(context, DPR_LOG_DEBUG, DPR__TOPIC_TEAM, "%u threads on %u cores", n,
             dpr__usable_cores());
    *out = team;
    return DPR_OK;
}

void dpr__team_destroy(dpr__team *team) {
    if (team == NULL)
        return;
    dpr_context *context = team->context;
    team->quit = true;
    open_gate(&team->order);
    for (unsigned i = 1; i < team->started; i++)
        pthread_join(team->members[i].thread, NULL);
    dpr__free_aligned(context, team->members);
    dpr__free_aligned(context, team);
}
