/* Help for the tests of passes: a context of one way to run. */
#ifndef DPR_TESTS_PASS_SUPPORT_H
#define DPR_TESTS_PASS_SUPPORT_H

#include <deeper/deeper.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* With `disabled` passes off; NULL is each option's default. */
static inline dpr_context *context_of(const char *disabled, const char *device, unsigned threads,
                                      const char *precision) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.precision = precision;
    options.disabled_passes = disabled;
    options.device = device;
    options.threads = threads;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    return context;
}

static inline dpr_context *context_with(const char *disabled, const char *device,
                                        unsigned threads) {
    return context_of(disabled, device, threads, NULL);
}

#endif
