/* Every op and every composition: gradients against differences, gradients of gradients, the
 * adjoint of what is linear; and the checker against gradients that are wrong on purpose. */
#include "grad/check.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>
#include <cmocka.h>

static void every_op_has_what_its_traits_ask_for(void **state) {
    (void)state;
    for (size_t op = 1; op < DPR__N_OPS; op++) {
        const struct grad_samples *samples = samples_of(op);
        const char *name = samples_name(op);
        bool ends_paths = (dpr__op_traits[op] & (DPR__ZERO_GRADIENT | DPR__NO_GRADIENT)) != 0;
        if (ends_paths != (dpr__ops[op]->gradient == NULL))
            fail_msg("%s: its traits and its gradient rule contradict each other", name);
        if (ends_paths != (samples->why_none != NULL) || ends_paths != (samples->n == 0))
            fail_msg("%s: a gradient needs samples, and no gradient a reason", name);
        for (size_t i = 0; i < samples->n; i++)
            if ((dpr__op_traits[op] & DPR__LINEAR) && (samples->sample[i].linear & 1) == 0)
                fail_msg("%s: the op is linear, the sample '%s' does not say so", name,
                         samples->sample[i].name);
    }
}

/* Calls `f`, which fails the test itself, for every sample. */
static void for_each_sample(void (*f)(const struct grad_sample *sample)) {
    size_t n = 0;
    for (size_t i = 1; i < N_SAMPLES; i++)
        for (size_t k = 0; k < samples_of(i)->n; k++, n++)
            f(&samples_of(i)->sample[k]);
    print_message("%zu samples, seed %d\n", n, CHECK_SEED);
}

static double worst;

static void expect_order(const struct grad_sample *sample, int order) {
    struct verdict verdict = check_gradient(sample, (struct check){.order = order});
    if (!verdict.passed)
        fail_msg("%s, order %d, seed %d: %s", sample->name, order, CHECK_SEED, verdict.message);
    for (uint32_t i = 0; order == 1 && i < sample->n_leaves; i++)
        if ((verdict.peak[i] == 0) != ((sample->flat >> i & 1) != 0))
            fail_msg("%s: leaf %u is %sflat, against what the sample says", sample->name, i,
                     verdict.peak[i] == 0 ? "" : "not ");
    worst = fmax(worst, verdict.worst);
}

static void expect_first(const struct grad_sample *sample) {
    expect_order(sample, 1);
}

static void expect_second(const struct grad_sample *sample) {
    expect_order(sample, 2);
}

static void gradients_agree_with_differences(void **state) {
    (void)state;
    worst = 0;
    for_each_sample(expect_first);
    print_message("largest relative error %.1e\n", worst);
}

static void gradients_of_gradients_agree_with_differences(void **state) {
    (void)state;
    worst = 0;
    for_each_sample(expect_second);
    print_message("largest relative error %.1e\n", worst);
}

static void expect_adjoint(const struct grad_sample *sample) {
    for (uint32_t i = 0; i < sample->n_leaves; i++) {
        if (!(sample->linear >> i & 1))
            continue;
        struct verdict verdict = check_adjoint(sample, i, (struct check){.order = 1});
        if (!verdict.passed)
            fail_msg("%s, seed %d: %s", sample->name, CHECK_SEED, verdict.message);
    }
}

static void linear_ops_have_their_adjoints(void **state) {
    (void)state;
    for_each_sample(expect_adjoint);
}

static const char *const MUTANT_NAMES[N_MUTANTS] = {"correct", "sign flipped", "twice", "zeroed",
                                                    "one element off"};

static void expect_mutants_fail(const struct grad_sample *sample) {
    for (uint32_t i = 0; i < sample->n_leaves; i++)
        for (enum mutant m = CORRECT + 1; m < N_MUTANTS; m++) {
            if ((sample->flat >> i & 1) && m != ONE_ELEMENT_OFF)
                continue; /* −0 and 2·0 are right */
            struct check check = {.order = 1, .mutant = m, .mutated = i};
            if (check_gradient(sample, check).passed)
                fail_msg("%s: the checker accepts leaf %u's gradient %s", sample->name, i,
                         MUTANT_NAMES[m]);
        }
}

static void the_checker_refuses_wrong_gradients(void **state) {
    (void)state;
    for_each_sample(expect_mutants_fail);
}

static void expect_mutant_adjoints_fail(const struct grad_sample *sample) {
    for (uint32_t i = 0; i < sample->n_leaves; i++) {
        struct check check = {.order = 1, .mutant = ONE_ELEMENT_OFF, .mutated = i};
        if ((sample->linear >> i & 1) && check_adjoint(sample, i, check).passed)
            fail_msg("%s: the adjoint check accepts leaf %u's gradient with one element off",
                     sample->name, i);
    }
}

static void the_adjoint_check_refuses_wrong_gradients(void **state) {
    (void)state;
    for_each_sample(expect_mutant_adjoints_fail);
}

static dpr_value not_a_number(dpr_graph *graph, const dpr_value *leaf) {
    return dpr_sqrt(graph, leaf[0]);
}

static void the_checker_refuses_nan(void **state) {
    (void)state;
    static const struct grad_sample sample = {.name = "sqrt below 0",
                                              .n_leaves = 1,
                                              .shape = {{1, {3}}},
                                              .build = not_a_number,
                                              .range = {{-2, -1}}};
    assert_false(check_gradient(&sample, (struct check){.order = 1}).passed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_has_what_its_traits_ask_for),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(gradients_of_gradients_agree_with_differences),
        cmocka_unit_test(linear_ops_have_their_adjoints),
        cmocka_unit_test(the_checker_refuses_wrong_gradients),
        cmocka_unit_test(the_adjoint_check_refuses_wrong_gradients),
        cmocka_unit_test(the_checker_refuses_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
