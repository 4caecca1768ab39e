/* The graph of a training step: its nodes have the same numbers whichever compiler built us, and the chains of its updates are those
 * that strips.def lists. */
#include "backend/program.h"
#include "base/sha256.h"
#include "train/step_graph.h"
#include "train_support.h"
#include <ctype.h>

/* Every activation, every option of the loss, and a clipped update. */
static const char EVERYTHING[] =
    "input 6 6 1, linear 40, relu, dropout 0.2, linear 24, leaky_relu 0.1, linear 8, gelu, linear "
    "8, silu, linear 8, mish, "
    "linear 8, softplus, linear 8, sigmoid, linear 8, tanh, linear classes";

static dpr__optimizer optimizer_of(int kind, bool decays) {
    return (dpr__optimizer){.kind = (dpr__optimizer_kind)kind,
                            .momentum = 0.9,
                            .weight_decay = decays ? 0.01 : 0,
                            .beta1 = 0.9,
                            .beta2 = 0.999,
                            .epsilon = 1e-8};
}

static dpr_model *model_of(dpr_context *context, const char *net) {
    dpr_model *model;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    OK(context, dpr_model_from_net(context, "test", net, &info, 1, "auto", &model));
    return model;
}

/* ---- numbers ---- */

static void add_graph(dpr__sha256 *hash, const dpr_graph *graph) {
    char *text;
    OK(graph->context, dpr__print(graph, &text));
    dpr__sha256_add(hash, text, strlen(text));
    dpr_text_destroy(graph->context, text);
}

static void add_step(dpr__sha256 *hash, const dpr_model *model, int kind, unsigned options) {
    dpr__step_graph step;
    dpr__step_plan plan = {.n = 100,
                           .steps = 4,
                           .label_smoothing = options & 1 ? 0.1 : 0,
                           .class_weights = (options & 1) != 0,
                           .optimizer = optimizer_of(kind, options & 2)};
    plan.optimizer.clip_norm = options & 1 ? 1 : 0;
    OK(model->context, dpr__step_graph_create(model, &plan, &step));
    add_graph(hash, step.graph);
    dpr__step_graph_release(&step);
}

/* Ops that no layer makes, and the gradient of a gradient. */
static void add_other_ops(dpr__sha256 *hash, dpr_context *context) {
    dpr_graph *g = dpr_graph_create(context);
    dpr_value a = dpr_parameter(g, "a", dpr_shape_of(4, 5), DPR_INIT_ONE);
    dpr_value b = dpr_parameter(g, "b", dpr_shape_of(4, 5), DPR_INIT_ONE);
    dpr_value wrt[2] = {a, b}, first[2], second[2];
    dpr_value x = dpr_divide(g, dpr_exp(g, a), b);
    x = dpr_log(g, dpr_softmax(g, x));
    x = dpr_subtract(g, x, dpr_log_softmax(g, b));
    x = dpr_matmul(g, x, dpr_sqrt(g, b), DPR_TRANSPOSE_B);
    x = dpr_erf(g, dpr_mean(g, x, 2, false));
    OK(context, dpr_gradients(g, dpr_sum(g, x, 1, false), wrt, 2, first));
    x = dpr_sum(g, dpr_multiply(g, first[0], first[1]), 3, false);
    OK(context, dpr_gradients(g, x, wrt, 2, second));
    add_graph(hash, g);
    dpr_graph_destroy(g);
}

/* C leaves open in which order a call's arguments are computed, so no two of them may make nodes. The hash is of the text of the graphs
 * below: a change that makes other graphs changes it, and gcc and clang must still agree. */
static void nodes_are_numbered_alike_by_every_compiler(void **state) {
    (void)state;
    static const char WANT[] = "84c871a98862221be1244d9ad6986cf5f4dc94ddf247ac59844d2d0bd7e9ad39";
    dpr_context *context = make_context("ref", 1);
    dpr_model *model = model_of(context, EVERYTHING);
    dpr__sha256 hash;
    uint8_t digest[32];
    char hex[65];
    dpr__sha256_init(&hash);
    for (int kind = 0; kind < DPR__OPTIMIZER_MUON; kind++)
        for (unsigned options = 0; options < 4; options++)
            add_step(&hash, model, kind, options);
    add_other_ops(&hash, context);
    dpr__sha256_finish(&hash, digest);
    dpr__sha256_hex(digest, hex);
    assert_string_equal(hex, WANT);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
}

/* ---- chains ---- */

/* Whether a row of the plan is called KERNEL+chain. */
static bool names_chain(const char *plan, const char *chain) {
    size_t n = strlen(chain);
    for (const char *at = strchr(plan, '+'); at != NULL; at = strchr(at + 1, '+'))
        if (strncmp(at + 1, chain, n) == 0 && isspace((unsigned char)at[1 + n]))
            return true;
    return false;
}

/* No product's chain runs one op at a time. */
static void expect_listed(const char *plan) {
    for (const char *at = strstr(plan, "matmul_"); at != NULL; at = strstr(at + 1, "matmul_"))
        if (strncmp(at + strcspn(at, "+ "), "+spans", 6) == 0)
            fail_msg("a chain is not listed: %.120s", at);
}

static void expect_chains(const char *precision, int kind, bool decays) {
    dpr_context *context;
    dpr_context_options machine = dpr_context_options_default();
    machine.precision = precision;
    machine.threads = 1;
    assert_int_equal(dpr_context_create(&machine, &context), DPR_OK);
    dpr_model *model = model_of(context, "input 6 6 1, linear 40, relu, linear classes");
    dpr__step_plan plan = {.n = 100, .steps = 2, .optimizer = optimizer_of(kind, decays)};
    dpr__step_graph step;
    dpr_store *store;
    dpr_program *program;
    dpr_program_options options = dpr_program_options_default();
    char *text, name[64];
    options.batch = 50;
    options.train = true;
    OK(context, dpr__step_graph_create(model, &plan, &step));
    OK(context, dpr_store_create(context, &store));
    OK(context,
       dpr_program_create(step.graph, store, step.roots, step.n_roots, &options, &program));
    OK(context, dpr__program_plan_text(program, 0, 0, false, &text));
    static const char *const SUFFIXES[] = {"", "_decay", "_bias"};
    for (int i = 0; i < 3; i++) {
        bool wanted = i == 2 || (i == 1) == decays;
        snprintf(name, sizeof name, "%s%s", dpr__optimizer_words[kind], SUFFIXES[i]);
        if (names_chain(text, name) != wanted)
            fail_msg("%s%s, %s: the plan %s '%s'", dpr__optimizer_words[kind],
                     decays ? " with decay" : "", precision, wanted ? "lacks" : "has", name);
    }
    expect_listed(text);
    dpr_text_destroy(context, text);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr__step_graph_release(&step);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
}

static void updates_run_as_listed_chains(void **state) {
    (void)state;
    for (int kind = 0; kind < DPR__OPTIMIZER_MUON; kind++)
        for (int decays = 0; decays < 2; decays++) {
            expect_chains("float32", kind, decays != 0);
            expect_chains("bf16", kind, decays != 0);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nodes_are_numbered_alike_by_every_compiler),
                                       cmocka_unit_test(updates_run_as_listed_chains)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
