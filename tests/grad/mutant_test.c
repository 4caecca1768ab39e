/* An op whose gradient rule is wrong must not pass the checker. This program has its own `divide`,
 * which the linker takes instead of the library's: the same op, whose rule can be made wrong. */
#include "grad/check.h"
#include "ops/op.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

enum rule { RIGHT, NEGATIVE, DOUBLED, SWAPPED, SECOND_ZERO, SECOND_MISSING, ONE_OFF, N_RULES };

static enum rule rule;

static double quotient(double a, double b) {
    return a / b;
}

static void reference(const dpr__call *call) {
    dpr__reference_binary(call, quotient);
}

static void gradient(const dpr__gradient *q) {
    dpr_graph *g = q->graph;
    dpr_value first = dpr_divide(g, q->diff_dst, q->src[1]);
    dpr_value second = dpr_scale(g, dpr_multiply(g, first, q->dst), -1);
    if (rule == NEGATIVE)
        second = dpr_scale(g, second, -1);
    else if (rule == DOUBLED)
        first = dpr_scale(g, first, 2);
    else if (rule == SECOND_ZERO)
        second = dpr_constant(g, 0, dpr_value_shape(g, second));
    else if (rule == SECOND_MISSING)
        second = 0;
    else if (rule == ONE_OFF) /* in each row, at the largest of the first operand */
        first = dpr_add(g, first, dpr_scale(g, dpr_one_hot(g, dpr_argmax(g, q->src[0]), 3), 1e-3));
    q->diff_src[0] = rule == SWAPPED ? second : first;
    q->diff_src[1] = rule == SWAPPED ? first : second;
}

const dpr__op dpr__op_divide = {
    .infer = dpr__infer_binary_f32, .gradient = gradient, .reference = reference};

BUILD(divide, dpr_divide(g, x[0], x[1]))

static const struct grad_sample sample =
    SAMPLE("divide", 2, divide, .shape = {SHAPE(2, 3), SHAPE(2, 3)}, .range = {{-2, 2}, {0.7, 2}});

static void only_the_right_rule_passes(void **state) {
    (void)state;
    assert_ptr_equal(dpr__ops[DPR__OP_divide]->gradient, gradient);
    for (rule = RIGHT; rule < N_RULES; rule++)
        for (int order = 1; order <= 2; order++) {
            struct verdict verdict = check_gradient(&sample, (struct check){.order = order});
            if (order == 1 && verdict.passed != (rule == RIGHT))
                fail_msg("rule %d: %s", (int)rule, verdict.passed ? "accepted" : verdict.message);
            if (order == 2 && rule == RIGHT && !verdict.passed)
                fail_msg("second order: %s", verdict.message);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_right_rule_passes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
