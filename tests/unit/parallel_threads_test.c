/* Work on many items: each is done once, and of several failures that of the smallest item is reported, whichever thread meets it first. */
#include "base/context.h"
#include "base/parallel.h"
#include "train_support.h"
#include <stdatomic.h>

enum { N = 200 };

struct work {
    atomic_int calls[N];
    size_t slow, fast; /* items that fail; slow waits until fast has */
    atomic_bool failed;
    atomic_int others; /* contexts that are not the caller's */
    dpr_context *caller;
};

static dpr_status count(dpr_context *own, void *user, size_t i) {
    struct work *work = user;
    atomic_fetch_add(&work->calls[i], 1);
    atomic_fetch_add(&work->others, own != work->caller && dpr_context_threads(own) == 1);
    return DPR_OK;
}

static dpr_status fail_twice(dpr_context *own, void *user, size_t i) {
    struct work *work = user;
    count(own, user, i);
    if (i == work->fast) {
        atomic_store(&work->failed, true);
        return DPR_FAIL(own, DPR_E_IO, "item %zu", i);
    }
    if (i == work->slow) {
        while (!atomic_load(&work->failed))
            usleep(100);
        usleep(20000); /* the other failure is noted first */
        return DPR_FAIL(own, DPR_E_DATA, "item %zu", i);
    }
    return DPR_OK;
}

static void each_item_once(void **state) {
    (void)state;
    static const unsigned threads[] = {1, 2, 7, 65, 1000};
    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
        dpr_context *context = make_context("cpu", 2);
        struct work work = {.caller = context};
        OK(context, dpr__parallel_on(context, threads[k], N, count, &work));
        for (size_t i = 0; i < N; i++)
            assert_int_equal(atomic_load(&work.calls[i]), 1);
        assert_int_equal(atomic_load(&work.others), N);
        OK(context, dpr__parallel(context, 0, count, &work));
        OK(context, dpr__parallel(context, N, count, &work));
        assert_int_equal(atomic_load(&work.calls[N - 1]), 2);
        dpr_context_destroy(context);
    }
}

/* Item 3 fails after item 4 has, on another thread. */
static void the_smallest_failure_wins(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 2);
    for (int round = 0; round < 5; round++) {
        struct work work = {.slow = 3, .fast = 4, .caller = context};
        assert_int_equal(dpr__parallel(context, N, fail_twice, &work), DPR_E_DATA);
        assert_string_equal(dpr_error(context), "item 3");
        assert_int_equal(atomic_load(&work.calls[N - 1]),
                         0); /* nothing was begun after a failure */
    }
    dpr_context_destroy(context);
}

/* One thread meets them in order. */
static void alone(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 1);
    struct work work = {.slow = N, .fast = 5, .caller = context};
    assert_int_equal(dpr__parallel(context, N, fail_twice, &work), DPR_E_IO);
    assert_string_equal(dpr_error(context), "item 5");
    assert_int_equal(atomic_load(&work.calls[5]), 1);
    assert_int_equal(atomic_load(&work.calls[6]), 0);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_item_once),
                                       cmocka_unit_test(the_smallest_failure_wins),
                                       cmocka_unit_test(alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
