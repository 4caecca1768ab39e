/* Every op's reference kernel, and every composition, against values computed by hand. */
#include "grad/samples.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

static void op_has_its_values(void **state) {
    const struct grad_samples *samples = samples_of((size_t)(uintptr_t)*state);
    assert_non_null(samples->values);
    samples->values();
}

int main(void) {
    struct CMUnitTest tests[N_SAMPLES - 1];
    for (size_t i = 1; i < N_SAMPLES; i++)
        tests[i - 1] = (struct CMUnitTest){.name = samples_name(i),
                                           .test_func = op_has_its_values,
                                           .initial_state = (void *)(uintptr_t)i};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
