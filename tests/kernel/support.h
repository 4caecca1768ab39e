/* What the tests of kernels share: fixed streams of numbers, comparison with what the reference says, and guard words around results. */
#ifndef TESTS_KERNEL_SUPPORT_H
#define TESTS_KERNEL_SUPPORT_H

#include "backend/cpu/kernel.h"
#include "base/random.h"
#include "ir/shape.h"
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { GUARD = 16, MOST = 1100 };
static const float GUARD_VALUE = -12345.5F;

/* A fixed stream of values in (−3, 3), some exactly 0. */
static inline float value_at(uint32_t stream, uint64_t i) {
    dpr__draw draw = dpr__philox(7, DPR__PURPOSE_LETTERS, stream, i);
    return draw.word[1] % 11 == 0 ? 0 : (float)(6 * dpr__unit(draw.word[0]) - 3);
}

static inline void fill(float *x, int64_t n, uint32_t stream) {
    for (int64_t i = 0; i < n; i++)
        x[i] = value_at(stream, (uint64_t)i);
}

static inline bool runs_here(const dpr__kernel *kernel) {
    if (kernel->isa <= dpr__isa_detect())
        return true;
    print_message("skipped %s: this machine has no %s\n", kernel->name, dpr__isa_name(kernel->isa));
    return false;
}

static inline void expect_near(const char *name, float got, float want, double tolerance,
                               int64_t at) {
    if ((isnan(got) && isnan(want)) || got == want)
        return;
    double error = fabs((double)got - (double)want);
    if (!(error <= tolerance))
        fail_msg("%s: element %lld is %.9g, the reference says %.9g", name, (long long)at,
                 (double)got, (double)want);
}

static inline void expect_guards(const char *name, const float *begin, const float *end) {
    for (int i = 1; i <= GUARD; i++)
        if (begin[-i] != GUARD_VALUE || end[i - 1] != GUARD_VALUE)
            fail_msg("%s writes outside its result", name);
}

static inline void set_guarded(float *x, int64_t n) {
    for (int64_t i = 0; i < n + 2 * GUARD; i++)
        x[i] = GUARD_VALUE;
}

#endif
