/* Each optimiser's update against the same recursion written by hand in double. */
#include "backend/store.h"
#include "train/optimizer.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 5, WEIGHTS = 6, BIAS = 3, ALL = WEIGHTS + BIAS };

/* What is computed twice: by the graph in `w`, by hand in the rest. Entries 0 … 5 are a 2 × 3
 * matrix, which weight decay applies to; 6 … 8 a bias, which it does not. */
struct hand {
    double w[ALL], v[ALL], m[ALL], s[ALL];
};

static dpr_context *context;

static void ok(dpr_status status) {
    if (status != DPR_OK)
        fail_msg("%s", dpr_error(context));
}

static double gradient_of(int step, int i) {
    return ((step * 7 + i * 5 + 3) % 11 - 5) * 0.25;
}

static double rate_of(int step) {
    return 0.1 / (step + 1);
}

static void step_by_hand(const dpr__optimizer *o, struct hand *hand, int step) {
    double g[ALL], norm = 0, eta = rate_of(step), t = step + 1;
    for (int i = 0; i < ALL; i++)
        norm += gradient_of(step, i) * gradient_of(step, i);
    norm = sqrt(norm);
    for (int i = 0; i < ALL; i++) {
        double clip = o->clip_norm > 0 && norm > o->clip_norm ? o->clip_norm / norm : 1;
        double decay = i < WEIGHTS ? o->weight_decay : 0, w = hand->w[i];
        g[i] = gradient_of(step, i) * clip + (o->kind == DPR__OPTIMIZER_ADAMW ? 0 : decay * w);
        hand->v[i] = o->momentum * hand->v[i] + g[i];
        hand->m[i] = o->beta1 * hand->m[i] + (1 - o->beta1) * g[i];
        hand->s[i] = o->beta2 * hand->s[i] + (1 - o->beta2) * g[i] * g[i];
        double mean = hand->m[i] / (1 - pow(o->beta1, t));
        double square = hand->s[i] / (1 - pow(o->beta2, t));
        switch (o->kind) {
        case DPR__OPTIMIZER_SGD:
            hand->w[i] = w - eta * g[i];
            break;
        case DPR__OPTIMIZER_MOMENTUM:
            hand->w[i] = w - eta * hand->v[i];
            break;
        case DPR__OPTIMIZER_NESTEROV:
            hand->w[i] = w - eta * (g[i] + o->momentum * hand->v[i]);
            break;
        case DPR__OPTIMIZER_ADAMW:
            hand->w[i] = w - eta * (mean / (sqrt(square) + o->epsilon) + decay * w);
            break;
        case DPR__OPTIMIZER_MUON: /* train_muon_test */
        case DPR__N_OPTIMIZERS:
            break;
        }
    }
}

static dpr_program *build(dpr_store *store, const dpr__optimizer *o) {
    dpr_graph *graph = dpr_graph_create(context);
    assert_non_null(graph);
    dpr_value parameters[] = {dpr_parameter(graph, "weights", dpr_shape_of(2, 3), DPR_INIT_ZERO),
                              dpr_parameter(graph, "bias", dpr_shape_of(3), DPR_INIT_ZERO)};
    dpr_value gradients[] = {dpr_input(graph, "diff_weights", DPR_F32, dpr_shape_of(2, 3)),
                             dpr_input(graph, "diff_bias", DPR_F32, dpr_shape_of(3))};
    dpr_value rate = dpr_input(graph, "rate", DPR_F32, dpr_scalar_shape());
    dpr__rates rates = {.minus_rate = dpr_scale(graph, rate, -1),
                        .correction1 = dpr_input(graph, "c1", DPR_F32, dpr_scalar_shape()),
                        .correction2 = dpr_input(graph, "c2", DPR_F32, dpr_scalar_shape())};
    /* The graph must read them all, whatever the optimiser. */
    dpr_value roots[2 * DPR__MAX_UPDATES + 3] = {rate, rates.correction1, rates.correction2};
    size_t n_roots = 3;
    const dpr__updates updates = {.graph = graph,
                                  .parameters = parameters,
                                  .gradients = gradients,
                                  .n = 2,
                                  .optimizer = o,
                                  .rates = &rates};
    dpr__optimizer_append(&updates, roots, &n_roots);
    ok(dpr_graph_finish(graph));
    dpr_program *program;
    ok(dpr_program_create(graph, store, roots, n_roots, NULL, &program));
    for (dpr_value value = 1; value < graph->n_nodes; value++)
        if (dpr__node_of(graph, value)->op == DPR__OP_assign)
            assert_int_equal(dpr__node_of(graph, value)->role, DPR__UPDATE);
    dpr_graph_destroy(graph);
    return program;
}

static void write_scalar(dpr_store *store, const char *leaf, double value) {
    float single = (float)value;
    ok(dpr_store_write(store, leaf, &single, sizeof single));
}

static void compare(const dpr__optimizer *o) {
    dpr_store *store;
    struct hand hand = {0};
    float w[ALL], g[ALL];
    ok(dpr_store_create(context, &store));
    dpr_program *program = build(store, o);
    for (int i = 0; i < ALL; i++)
        hand.w[i] = (double)(w[i] = (float)(0.5 - 0.125 * i));
    ok(dpr_store_write(store, "weights", w, WEIGHTS * sizeof *w));
    ok(dpr_store_write(store, "bias", w + WEIGHTS, BIAS * sizeof *w));
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < ALL; i++)
            g[i] = (float)gradient_of(step, i);
        ok(dpr_store_write(store, "diff_weights", g, WEIGHTS * sizeof *g));
        ok(dpr_store_write(store, "diff_bias", g + WEIGHTS, BIAS * sizeof *g));
        write_scalar(store, "rate", rate_of(step));
        write_scalar(store, "c1", 1 / (1 - pow(o->beta1, step + 1)));
        write_scalar(store, "c2", 1 / (1 - pow(o->beta2, step + 1)));
        ok(dpr_program_run(program, 1, NULL, NULL));
        step_by_hand(o, &hand, step);
        ok(dpr_store_read(store, "weights", w, WEIGHTS * sizeof *w));
        ok(dpr_store_read(store, "bias", w + WEIGHTS, BIAS * sizeof *w));
        for (int i = 0; i < ALL; i++)
            if (!(fabs((double)w[i] - hand.w[i]) <= 2e-6))
                fail_msg("%s, step %d, element %d: %.9g instead of %.9g",
                         dpr__optimizer_words[o->kind], step, i, (double)w[i], hand.w[i]);
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
}

static void compare_all(const char *device) {
    dpr_context_options options = dpr_context_options_default();
    options.device = device;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    for (int kind = 0; kind < DPR__OPTIMIZER_MUON; kind++)
        for (int variant = 0; variant < 4; variant++) {
            dpr__optimizer o = {.kind = (dpr__optimizer_kind)kind,
                                .momentum = 0.9,
                                .weight_decay = variant & 1 ? 0.05 : 0,
                                .beta1 = 0.8,
                                .beta2 = 0.95,
                                .epsilon = 1e-3,
                                .clip_norm = variant & 2 ? 2 : 0};
            compare(&o);
        }
    dpr_context_destroy(context);
}

static void on_ref(void **state) {
    (void)state;
    compare_all("ref");
}

static void on_cpu(void **state) {
    (void)state;
    compare_all("cpu");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_ref), cmocka_unit_test(on_cpu)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
