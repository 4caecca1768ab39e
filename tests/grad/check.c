/* The gradient checker (check.h). */
#include "grad/check.h"
#include "base/random.h"
#include "grad/session.h"
#include "ir/shape.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { MOST_ELEMENTS = 64 };

static const char *const LEAF_NAMES[SAMPLE_LEAVES] = {"leaf_0", "leaf_1", "leaf_2"};
static const char *const DIRECTION_NAMES[SAMPLE_LEAVES] = {"direction_0", "direction_1",
                                                           "direction_2"};

struct subject {
    struct session session;
    const struct grad_sample *sample;
    dpr_value loss, diff[SAMPLE_LEAVES];
};

static double draw(uint32_t stream, int64_t i) {
    return dpr__unit(dpr__philox(CHECK_SEED, DPR__PURPOSE_LETTERS, stream, (uint64_t)i).word[0]);
}

/* Away from 0 by a tenth, on either side: for kinks at 0, and so that no weight makes an error
 * vanish. */
static double nonzero(double unit) {
    double x = 4 * unit - 2;
    return x < 0 ? x * 0.95 - 0.1 : x * 0.95 + 0.1;
}

/* −4 … 4 without 0. */
static double integer(double unit) {
    double x = floor(8 * unit) - 4;
    return x < 0 ? x : x + 1;
}

/* Σ value × a random weight of each element: the loss that sees every element. Rows beyond the
 * batch do not occur here; the prefix, which keeps them all, is what the graph's rule on sums over
 * a batch asks for. */
static dpr_value weigh(dpr_graph *graph, dpr_value value, const char *weights) {
    dpr_shape shape = dpr_value_shape(graph, value);
    dpr_value product = dpr_multiply(graph, value, dpr_input(graph, weights, DPR_F32, shape));
    if (dpr__shape_has_batch(&shape))
        product =
            dpr_prefix(graph, product, dpr_input(graph, "all_rows", DPR_I32, dpr_scalar_shape()));
    return dpr_sum(graph, product, (1U << shape.rank) - 1, false);
}

static dpr_value mutate(dpr_graph *graph, dpr_value diff, enum mutant mutant) {
    dpr_shape shape = dpr_value_shape(graph, diff);
    switch (mutant) {
    case SIGN_FLIPPED:
        return dpr_scale(graph, diff, -1);
    case TWICE:
        return dpr_scale(graph, diff, 2);
    case ZEROED:
        return dpr_constant(graph, 0, shape);
    case ONE_ELEMENT_OFF:
        return dpr_add(graph, diff, dpr_input(graph, "off", DPR_F32, shape));
    default:
        return diff;
    }
}

static void build(struct subject *subject, struct check check) {
    const struct grad_sample *sample = subject->sample;
    dpr_graph *g = subject->session.graph;
    dpr_value leaf[SAMPLE_LEAVES], roots[1 + SAMPLE_LEAVES];
    uint32_t n = sample->n_leaves;
    for (uint32_t i = 0; i < n; i++)
        leaf[i] = dpr_parameter(g, LEAF_NAMES[i], sample->shape[i], DPR_INIT_ZERO);
    dpr_graph_scope(g, sample->name);
    subject->loss = weigh(g, sample->build(g, leaf), "upstream");
    if (check.order == 2) {
        dpr_value first[SAMPLE_LEAVES], loss = 0;
        session_expect_ok(&subject->session, dpr_gradients(g, subject->loss, leaf, n, first),
                          sample->name);
        for (uint32_t i = 0; i < n; i++) {
            dpr_value part = weigh(g, first[i], DIRECTION_NAMES[i]);
            loss = loss == 0 ? part : dpr_add(g, loss, part);
        }
        subject->loss = loss;
    }
    session_expect_ok(&subject->session, dpr_gradients(g, subject->loss, leaf, n, subject->diff),
                      sample->name);
    if (check.mutant != CORRECT)
        subject->diff[check.mutated] = mutate(g, subject->diff[check.mutated], check.mutant);
    roots[0] = subject->loss;
    memcpy(roots + 1, subject->diff, n * sizeof *roots);
    session_compile(&subject->session, roots, 1 + n, sample->train);
}

/* One stream of draws for each leaf, by its name. */
static void fill(const struct subject *subject, bool integers) {
    const struct grad_sample *sample = subject->sample;
    const dpr_store *store = subject->session.store;
    for (size_t s = 0; s < store->n_slots; s++) {
        const dpr__slot *slot = &store->slots[s];
        uint32_t stream = 0, i = 0;
        if (slot->dtype != DPR_F64)
            continue;
        for (const char *c = slot->name; *c != '\0'; c++)
            stream = stream * 31 + (unsigned char)*c;
        while (i < sample->n_leaves && strcmp(slot->name, LEAF_NAMES[i]) != 0)
            i++;
        int64_t n = dpr__shape_count(&slot->shape);
        for (int64_t k = 0; k < n; k++) {
            double unit = draw(stream, k), *x = (double *)slot->data + k;
            if (integers)
                *x = integer(unit);
            else if (i == sample->n_leaves || sample->kink_at_zero)
                *x = nonzero(unit);
            else if (sample->range[i].low < sample->range[i].high)
                *x = sample->range[i].low + unit * (sample->range[i].high - sample->range[i].low);
            else
                *x = 4 * unit - 2;
        }
        if (strcmp(slot->name, "off") == 0) /* one element, the last */
            for (int64_t k = 0; k < n; k++)
                ((double *)slot->data)[k] = k == n - 1 ? (integers ? 1 : 1e-3) : 0;
    }
    if (dpr__store_find(store, "all_rows") != NULL)
        session_write(subject->session.store, "all_rows", &(int32_t){INT32_MAX}, sizeof(int32_t));
    if (sample->write != NULL)
        sample->write(subject->session.store);
}

static double loss_at(const struct subject *subject, double *x, double value) {
    double before = *x;
    *x = value;
    session_run(&subject->session, 1);
    *x = before;
    return session_scalar(&subject->session, subject->loss);
}

/* (8 (f(x+h) − f(x−h)) − (f(x+2h) − f(x−2h))) / 12h: the error is of order h⁴ (Abramowitz & Stegun,
 * 25.3.6), so that h can be large enough for rounding not to matter. */
static double difference_quotient(const struct subject *subject, double *x) {
    const double h = 0x1p-10, at = *x;
    double near = loss_at(subject, x, at + h) - loss_at(subject, x, at - h);
    double far = loss_at(subject, x, at + 2 * h) - loss_at(subject, x, at - 2 * h);
    return (8 * near - far) / (12 * h);
}

static void compare(const struct subject *subject, uint32_t leaf, struct verdict *verdict) {
    double got[MOST_ELEMENTS], want[MOST_ELEMENTS], peak = 0;
    dpr_shape shape = dpr__shape_with_batch(&subject->sample->shape[leaf], SAMPLE_BATCH);
    int64_t n = dpr__shape_count(&shape);
    double *x = dpr__store_find(subject->session.store, LEAF_NAMES[leaf]) == NULL
                    ? NULL /* the program does not read the leaf: a second derivative that is 0 */
                    : session_leaf(&subject->session, LEAF_NAMES[leaf], NULL);
    assert_true(n <= MOST_ELEMENTS);
    session_run(&subject->session, 1);
    session_read(&subject->session, subject->diff[leaf], got, (size_t)n * sizeof *got);
    for (int64_t i = 0; i < n; i++) {
        want[i] = x == NULL ? 0 : difference_quotient(subject, x + i);
        peak = fmax(peak, fabs(want[i]));
    }
    for (int64_t i = 0; i < n; i++) {
        double scale = fmax(fmax(fabs(got[i]), fabs(want[i])), fmax(peak * 1e-3, 1e-4));
        double error = (got[i] - want[i]) / scale; /* signed: a flipped sign is an error of 2 */
        if (!(fabs(error) <= 1e-6) && verdict->passed) {
            verdict->passed = false;
            snprintf(verdict->message, sizeof verdict->message,
                     "leaf %u, element %lld: the gradient is %.12g, differences give %.12g", leaf,
                     (long long)i, got[i], want[i]);
        }
        verdict->worst = fmax(verdict->worst, fabs(error));
    }
    verdict->peak[leaf] = peak;
}

struct verdict check_gradient(const struct grad_sample *sample, struct check check) {
    struct subject subject = {.session = session_open(), .sample = sample};
    struct verdict verdict = {.passed = true};
    build(&subject, check);
    fill(&subject, false);
    for (uint32_t i = 0; i < sample->n_leaves; i++)
        compare(&subject, i, &verdict);
    session_close(&subject.session);
    return verdict;
}

struct verdict check_adjoint(const struct grad_sample *sample, uint32_t leaf, struct check check) {
    struct subject subject = {.session = session_open(), .sample = sample};
    struct verdict verdict = {.passed = true};
    double diff[MOST_ELEMENTS], sum = 0;
    int64_t n;
    build(&subject, check);
    fill(&subject, true);
    session_run(&subject.session, 1);
    const double *x = session_leaf(&subject.session, LEAF_NAMES[leaf], &n);
    assert_true(n <= MOST_ELEMENTS);
    session_read(&subject.session, subject.diff[leaf], diff, (size_t)n * sizeof *diff);
    for (int64_t i = 0; i < n; i++) /* the loss is ⟨A x, y⟩, the gradient Aᵀ y */
        sum += x[i] * diff[i];
    double loss = session_scalar(&subject.session, subject.loss);
    if (sum != loss) {
        verdict.passed = false;
        snprintf(verdict.message, sizeof verdict.message,
                 "leaf %u: <Ax, y> is %.17g, <x, A'y> is %.17g", leaf, loss, sum);
    }
    session_close(&subject.session);
    return verdict;
}
