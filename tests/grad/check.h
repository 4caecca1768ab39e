/* The gradient checker: dpr_gradients against central differences, in double. It is itself tested,
 * by gradients made wrong on purpose. */
#ifndef TESTS_GRAD_CHECK_H
#define TESTS_GRAD_CHECK_H

#include "grad/samples.h"

/* Every value in a check is drawn from this seed. */
enum { CHECK_SEED = 20240607 };

enum mutant { CORRECT, SIGN_FLIPPED, TWICE, ZEROED, ONE_ELEMENT_OFF, N_MUTANTS };

/* What to check: the gradient (order 1), or the gradient of a random projection of the gradient
 * (order 2), with the gradient of leaf `mutated` replaced by a wrong one. */
struct check {
    int order;
    enum mutant mutant;
    uint32_t mutated;
};

struct verdict {
    bool passed;
    double worst;               /* largest signed error ÷ its scale, in absolute value */
    double peak[SAMPLE_LEAVES]; /* largest |difference quotient| of each leaf */
    char message[256];          /* where it failed */
};

/* Each element's error |gradient − difference quotient| may be 1e-6 × the larger of both; where
 * both are below 1/1000 of the leaf's largest, that is the scale. NaN fails. */
struct verdict check_gradient(const struct grad_sample *sample, struct check check);

/* ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ in the leaf, exactly: all numbers are small integers. */
struct verdict check_adjoint(const struct grad_sample *sample, uint32_t leaf, struct check check);

#endif
