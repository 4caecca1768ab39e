/* The thread team: everybody works once a call, barriers hold, the caller's floating-point modes come back; for more members
 * than cores, too. */
#include "base/context.h"
#include "base/team.h"
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { MOST = 8, ROUNDS = 200, BARRIERS = 20 };

struct shared {
    dpr__team *team;
    unsigned n;
    uint64_t cell[MOST]; /* each written by its member alone; barriers make the others' visible */
    atomic_uint wrong;
};

/* Round after round every member adds what its neighbour had: wrong barriers give wrong sums. */
static void work(void *user, unsigned member) {
    struct shared *s = user;
    for (int i = 0; i < BARRIERS; i++) {
        uint64_t neighbour = s->cell[(member + 1) % s->n];
        dpr__team_barrier(s->team, member);
        s->cell[member] += neighbour + 1;
        dpr__team_barrier(s->team, member);
    }
}

static void expect(uint64_t *cell, unsigned n) {
    for (int i = 0; i < BARRIERS; i++) {
        uint64_t old[MOST];
        memcpy(old, cell, sizeof old);
        for (unsigned m = 0; m < n; m++)
            cell[m] = old[m] + old[(m + 1) % n] + 1;
    }
}

static void barriers_hold(void **state) {
    (void)state;
    dpr_context *context;
    assert_int_equal(dpr_context_create(NULL, &context), DPR_OK);
    for (unsigned n = 1; n <= MOST; n = n < 3 ? n + 1 : n * 2 - (n == 3 ? 2 : 0)) {
        struct shared s = {.n = n};
        uint64_t want[MOST] = {0};
        assert_int_equal(dpr__team_create(context, n, &s.team), DPR_OK);
        assert_int_equal(dpr__team_size(s.team), n);
        for (int round = 0; round < (n <= 2 ? ROUNDS : 10); round++) {
            dpr__team_run(s.team, work, &s);
            expect(want, n);
        }
        assert_memory_equal(s.cell, want, n * sizeof *want);
        dpr__team_destroy(s.team);
    }
    dpr__team_destroy(NULL);
    dpr_context_destroy(context);
}

static void halve(void *user, unsigned member) {
    volatile float x = 1e-38F;
    x = x / 1000; /* subnormal, so it becomes 0 */
    atomic_fetch_add(&((struct shared *)user)->wrong, x != 0 ? 1U : 0U);
    (void)member;
}

/* Subnormals are flushed on every member while it works, and only then. */
static void subnormals_are_flushed_alike(void **state) {
    (void)state;
#if defined(__x86_64__)
    dpr_context *context;
    struct shared s = {.n = 3};
    volatile float before = 1e-38F, after = 1e-38F;
    before = before / 1000;
    assert_int_equal(dpr_context_create(NULL, &context), DPR_OK);
    assert_int_equal(dpr__team_create(context, 3, &s.team), DPR_OK);
    dpr__team_run(s.team, halve, &s);
    dpr__team_run_alone(halve, &s);
    after = after / 1000;
    assert_int_equal(s.wrong, 0);
    assert_true(before != 0 && after == before);
    dpr__team_destroy(s.team);
    dpr_context_destroy(context);
#else
    skip();
#endif
}

static void note_core(void *user, unsigned member) {
    ((struct shared *)user)->cell[member] = (uint64_t)sched_getcpu();
}

/* Wherever the caller's thread goes, no member stays on its core. */
static void members_keep_off_the_core_of_the_caller(void **state) {
    (void)state;
    cpu_set_t mask;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    if (CPU_COUNT(&mask) < 2) {
        print_message("skipped: one core\n");
        return;
    }
    dpr_context *context;
    assert_int_equal(dpr_context_create(NULL, &context), DPR_OK);
    struct shared s = {.n = 2};
    assert_int_equal(dpr__team_create(context, 2, &s.team), DPR_OK);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        cpu_set_t one;
        if (!CPU_ISSET(cpu, &mask))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof one, &one), 0);
        dpr__team_run(s.team, note_core, &s);
        assert_int_equal(s.cell[0], cpu);
        assert_int_not_equal(s.cell[1], cpu);
    }
    assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof mask, &mask), 0);
    dpr__team_destroy(s.team);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(barriers_hold),
                                       cmocka_unit_test(subnormals_are_flushed_alike),
                                       cmocka_unit_test(members_keep_off_the_core_of_the_caller)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
