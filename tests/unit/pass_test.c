/* The passes: what each must do, that plans pass the independent checker, that broken plans do not, and that programs with
 * every pass on, every pass off, and each one off agree. */
#include "backend/program.h"
#include "base/context.h"
#include "base/random.h"
#include "ir/shape.h"
#include "pass/step.h"
#include "pass_support.h"
#include "train/optimizer.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 40 rows of a gradient make register blocks in which the update runs on the sums. */
enum { B = 6, IN = 5, HIDDEN = 40, OUT = 3 };

/* A two-layer net with dropout, momentum SGD and a counter: a whole training step. */
struct net {
    dpr_graph *graph;
    dpr_value loss, roots[16];
    size_t n_roots;
};

static void add_updates(struct net *net, const dpr_value *p, const dpr_value *gradients, size_t n) {
    const dpr__optimizer momentum = {.kind = DPR__OPTIMIZER_MOMENTUM, .momentum = 0.9};
    dpr_value rate = dpr_input(net->graph, "learning_rate", DPR_F32, dpr_scalar_shape());
    const dpr__rates rates = {.minus_rate = dpr_scale(net->graph, rate, -1)};
    const dpr__updates updates = {.graph = net->graph,
                                  .parameters = p,
                                  .gradients = gradients,
                                  .n = n,
                                  .optimizer = &momentum,
                                  .rates = &rates};
    dpr__optimizer_append(&updates, net->roots, &net->n_roots);
}

static struct net make_net(dpr_context *context) {
    struct net net = {.graph = dpr_graph_create(context)};
    dpr_graph *g = net.graph;
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(DPR_BATCH, IN));
    dpr_value t = dpr_input(g, "t", DPR_F32, dpr_shape_of(DPR_BATCH, OUT));
    dpr_value rows = dpr_input(g, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value p[4], d[4];
    static const char *const NAMES[4] = {"w1", "b1", "w2", "b2"};
    p[0] = dpr_parameter(g, NAMES[0], dpr_shape_of(IN, HIDDEN), DPR_INIT_HE);
    p[1] = dpr_parameter(g, NAMES[1], dpr_shape_of(HIDDEN), DPR_INIT_ZERO);
    p[2] = dpr_parameter(g, NAMES[2], dpr_shape_of(HIDDEN, OUT), DPR_INIT_XAVIER);
    p[3] = dpr_parameter(g, NAMES[3], dpr_shape_of(OUT), DPR_INIT_ZERO);
    dpr_value h = dpr_relu(g, dpr_add(g, dpr_matmul(g, x, p[0], 0), p[1]));
    h = dpr_dropout(g, h, 0.25);
    dpr_value logits = dpr_add(g, dpr_matmul(g, h, p[2], 0), p[3]);
    net.loss = dpr_batch_mean(g, dpr_softmax_cross_entropy(g, logits, t), rows);
    net.roots[net.n_roots++] = dpr_guard(g, net.loss);
    net.roots[net.n_roots++] = net.loss;
    assert_int_equal(dpr_gradients(g, net.loss, p, 4, d), DPR_OK);
    add_updates(&net, p, d, 4);
    dpr_value tick = dpr_state(g, "tick", DPR_U64, dpr_scalar_shape());
    net.roots[net.n_roots++] = dpr_assign(g, tick, dpr__increment(g, tick));
    assert_int_equal(dpr_graph_finish(g), DPR_OK);
    return net;
}

static void feed(dpr_store *store, int32_t rows, float first) {
    float x[B * IN], t[B * OUT] = {0}, rate = 0.1F;
    for (int i = 0; i < B * IN; i++)
        x[i] = (float)(i * 29 % 17) / 8 - 1;
    x[0] = first;
    for (int i = 0; i < B; i++)
        t[i * OUT + i % OUT] = 1;
    assert_int_equal(dpr_store_write(store, "x", x, sizeof x), DPR_OK);
    assert_int_equal(dpr_store_write(store, "t", t, sizeof t), DPR_OK);
    assert_int_equal(dpr_store_write(store, "rows", &rows, sizeof rows), DPR_OK);
    assert_int_equal(dpr_store_write(store, "learning_rate", &rate, sizeof rate), DPR_OK);
}

/* Twenty steps; the weights of layer 1 and the last loss. */
static void train(const char *disabled, const char *device, unsigned threads, float w[IN * HIDDEN],
                  float *loss) {
    dpr_context *context = context_with(disabled, device, threads);
    struct net net = make_net(context);
    dpr_store *store;
    dpr_program *program;
    dpr_program_options options = dpr_program_options_default();
    options.batch = B;
    options.train = true;
    uint64_t done;
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(
        dpr_program_create(net.graph, store, net.roots, net.n_roots, &options, &program), DPR_OK);
    dpr_graph_destroy(net.graph);
    feed(store, B - 1, 0.5F);
    assert_int_equal(dpr_program_run(program, 20, NULL, &done), DPR_OK);
    assert_int_equal(done, 20);
    assert_int_equal(dpr_store_read(store, "w1", w, IN * HIDDEN * sizeof *w), DPR_OK);
    assert_int_equal(dpr_program_read(program, net.loss, loss, sizeof *loss), DPR_OK);
    uint64_t tick;
    assert_int_equal(dpr_store_read(store, "tick", &tick, sizeof tick), DPR_OK);
    assert_int_equal(tick, 20);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_context_destroy(context);
}

static void passes_on_and_off_agree(void **state) {
    (void)state;
    static const char *const DISABLED[] = {"simplify",
                                           "fold",
                                           "keep",
                                           "fuse",
                                           "layout",
                                           "schedule",
                                           "memplan",
                                           "simplify,fuse,schedule,memplan",
                                           "simplify,fold,keep,fuse,layout,schedule,memplan"};
    float want[IN * HIDDEN], got[IN * HIDDEN], want_loss, loss;
    train(NULL, "cpu", 2, want, &want_loss);
    for (size_t i = 0; i < sizeof DISABLED / sizeof *DISABLED; i++) {
        train(DISABLED[i], "cpu", 2, got, &loss);
        assert_true(fabsf(loss - want_loss) < 1e-5F);
        for (int k = 0; k < IN * HIDDEN; k++)
            assert_true(fabsf(got[k] - want[k]) < 1e-5F);
    }
    /* Where the work is cut and in which memory it lies changes no bit. */
    train("schedule,memplan", "cpu", 2, got, &loss);
    assert_memory_equal(got, want, sizeof got);
    train("fold,keep", "cpu", 2, got, &loss);
    assert_memory_equal(got, want, sizeof got);
    train("layout", "cpu", 2, got, &loss);
    assert_memory_equal(got, want, sizeof got);
}

static void the_oracle_agrees(void **state) {
    (void)state;
    float want[IN * HIDDEN], got[IN * HIDDEN], want_loss, loss;
    train(NULL, "ref", 1, want, &want_loss);
    train(NULL, "cpu", 2, got, &loss);
    assert_true(fabsf(loss - want_loss) < 1e-5F);
    for (int k = 0; k < IN * HIDDEN; k++)
        assert_true(fabsf(got[k] - want[k]) < 1e-5F);
}

/* The whole training step; or, to evaluate, the loss alone. */
static dpr__step *step_of(struct net *net, bool train_phase) {
    dpr__step *step;
    dpr__step_options options = {.batch = B, .train = train_phase};
    assert_int_equal(dpr__step_create(net->graph, train_phase ? net->roots : &net->loss,
                                      train_phase ? net->n_roots : 1, &options, &step),
                     DPR_OK);
    return step;
}

static size_t count_op(const dpr__step *step, dpr__op_id op) {
    size_t n = 0;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        n += step->graph->nodes[v].op == op;
    return n;
}

static void specialise_chooses_and_binds_the_batch(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    struct net net = make_net(context);
    dpr__step *training = step_of(&net, true), *other = step_of(&net, false);
    assert_int_equal(count_op(training, DPR__OP_draw), 1);
    assert_int_equal(count_op(other, DPR__OP_draw), 0);
    assert_int_equal(count_op(training, DPR__OP_choose), 0);
    for (dpr_value v = 1; v < training->graph->n_nodes; v++)
        assert_false(dpr__shape_has_batch(&training->graph->nodes[v].shape));
    dpr__step_destroy(training);
    dpr__step_destroy(other);
    dpr_graph_destroy(net.graph);
    dpr_context_destroy(context);
}

static void fuse_takes_bias_relu_and_update_into_the_matmul(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    struct net net = make_net(context);
    dpr__step *step = step_of(&net, true);
    size_t contractions = 0, with_relu = 0, with_update = 0;
    for (size_t g = 0; g < step->n_groups; g++) {
        const dpr__group *group = &step->groups[g];
        if (group->kind != DPR__GROUP_CONTRACT)
            continue;
        contractions++;
        for (uint32_t m = 1; m < group->n; m++) {
            dpr_value member = step->members[group->first + m];
            with_relu += step->graph->nodes[member].op == DPR__OP_relu;
            with_update += step->placements[member].home == DPR__HOME_LEAF;
        }
    }
    assert_int_equal(contractions, 5); /* x·W1, h·W2, and dW1, dW2, dh; dx is not made */
    assert_int_equal(with_relu, 1);
    assert_int_equal(with_update, 4); /* weights and momentum of both layers, in place */
    assert_int_equal(step->n_commits, 0);
    dpr__step_destroy(step);
    dpr_graph_destroy(net.graph);
    dpr_context_destroy(context);
}

static void simplify_finds_equals_and_constants(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    dpr_graph *g = dpr_graph_create(context);
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(4));
    dpr_value a = dpr_relu(g, x), b = dpr_relu(g, x);
    dpr_value two =
        dpr_add(g, dpr_constant(g, 1, dpr_scalar_shape()), dpr_constant(g, 1, dpr_scalar_shape()));
    dpr_value y = dpr_multiply(g, dpr_add(g, a, b), two);
    (void)dpr_exp(g, x); /* dead */
    dpr_value root = dpr_multiply(g, y, dpr_constant(g, 1, dpr_shape_of(4)));
    dpr__step *step;
    dpr__step_options options = {.batch = 1};
    assert_int_equal(dpr__step_create(g, &root, 1, &options, &step), DPR_OK);
    assert_int_equal(count_op(step, DPR__OP_relu), 1);
    assert_int_equal(count_op(step, DPR__OP_exp), 0);
    assert_int_equal(count_op(step, DPR__OP_multiply), 1);
    assert_int_equal(count_op(step, DPR__OP_add), 1);
    dpr__step_destroy(step);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
}

/* State is read old, written new: a swap, and a chain of leaves that are given each other's values. */
static void assigns_read_the_old_values(void **state) {
    (void)state;
    static const char *const DEVICES[] = {"ref", "cpu"};
    for (int d = 0; d < 2; d++) {
        dpr_context *context = context_with(NULL, DEVICES[d], 2);
        dpr_graph *g = dpr_graph_create(context);
        dpr_store *store;
        dpr_program *program;
        dpr_value a = dpr_state(g, "a", DPR_F32, dpr_shape_of(2));
        dpr_value b = dpr_state(g, "b", DPR_F32, dpr_shape_of(2));
        dpr_value c = dpr_state(g, "c", DPR_F32, dpr_shape_of(2));
        dpr_value roots[3] = {dpr_assign(g, a, b), dpr_assign(g, b, a),
                              dpr_assign(g, c, dpr_add(g, dpr_add(g, a, b), c))};
        assert_int_equal(dpr_store_create(context, &store), DPR_OK);
        assert_int_equal(dpr_program_create(g, store, roots, 3, NULL, &program), DPR_OK);
        const float one[2] = {1, 2}, ten[2] = {10, 20};
        assert_int_equal(dpr_store_write(store, "a", one, sizeof one), DPR_OK);
        assert_int_equal(dpr_store_write(store, "b", ten, sizeof ten), DPR_OK);
        assert_int_equal(dpr_program_run(program, 3, NULL, NULL), DPR_OK);
        float got[2];
        assert_int_equal(dpr_store_read(store, "a", got, sizeof got), DPR_OK);
        assert_true(got[0] == 10 && got[1] == 20);
        assert_int_equal(dpr_store_read(store, "c", got, sizeof got), DPR_OK);
        assert_true(got[0] == 33 && got[1] == 66);
        dpr_program_destroy(program);
        dpr_store_destroy(store);
        dpr_graph_destroy(g);
        dpr_context_destroy(context);
    }
}

/* ---- the checker ---- */

/* Random graphs of elementwise ops, matmuls, sums and assigns over 8 × 8 values. */
static dpr__step *random_step(dpr_context *context, uint64_t seed) {
    dpr_graph *g = dpr_graph_create(context);
    dpr_value pool[64], roots[16];
    size_t n = 0, n_roots = 0;
    const dpr_shape shape = dpr_shape_of(8, 8);
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "s%d", i);
        pool[n++] = dpr_state(g, name, DPR_F32, shape);
    }
    for (uint64_t i = 0; n < 40; i++) {
        dpr__draw r = dpr__philox(seed, DPR__PURPOSE_LETTERS, 0, i);
        dpr_value a = pool[dpr__below(r.word[0], (uint32_t)n)];
        dpr_value b = pool[dpr__below(r.word[1], (uint32_t)n)];
        switch (r.word[2] % 5) {
        case 0:
            pool[n++] = dpr_add(g, a, b);
            break;
        case 1:
            pool[n++] = dpr_multiply(g, a, dpr_relu(g, b));
            break;
        case 2:
            pool[n++] = dpr_matmul(g, a, b, r.word[3] % 4);
            break;
        case 3:
            pool[n++] = dpr_add(g, a, dpr_sum(g, b, 1, false));
            break;
        default:
            pool[n++] = dpr_softmax(g, a);
            break;
        }
    }
    for (int i = 0; i < 4; i++)
        roots[n_roots++] = dpr_assign(g, pool[i], pool[n - 1 - (size_t)i]);
    roots[n_roots++] = dpr_guard(g, dpr_sum(g, pool[n - 5], 3, false));
    dpr__step *step;
    dpr__step_options options = {.batch = 1};
    assert_int_equal(dpr__step_create(g, roots, n_roots, &options, &step), DPR_OK);
    dpr_graph_destroy(g);
    return step;
}

static void random_plans_pass_the_checker(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    size_t saved = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        dpr__step *step = random_step(context, seed);
        assert_int_equal(dpr__check_memory(step), DPR_OK);
        saved += step->unplanned_bytes - step->arena_bytes;
        dpr__step_destroy(step);
    }
    assert_true(saved > 0);
    dpr_context_destroy(context);
}

/* Moves a value onto another that lives at the same time, ends a life early, forgets to store, or writes a leaf too
 * soon: the checker must object to each. */
static void broken_plans_fail_the_checker(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    unsigned caught[3] = {0};
    for (uint64_t seed = 0; seed < 50; seed++) {
        dpr__step *step = random_step(context, seed);
        for (dpr_value a = 1; a < step->graph->n_nodes; a++) {
            dpr__placement *p = &step->placements[a], before = *p;
            if (p->home != DPR__HOME_ARENA || p->last_phase == p->first_phase ||
                dpr__owner(step->graph, a) != a)
                continue;
            for (dpr_value b = 1; b < step->graph->n_nodes; b++) {
                const dpr__placement *q = &step->placements[b];
                if (b == a || q->home != DPR__HOME_ARENA || dpr__owner(step->graph, b) != b ||
                    q->first_phase > p->last_phase || p->first_phase > q->last_phase)
                    continue;
                p->offset = q->offset;
                assert_int_not_equal(dpr__check_memory(step), DPR_OK);
                caught[0]++;
                *p = before;
            }
            p->last_phase = p->first_phase;
            assert_int_not_equal(dpr__check_memory(step), DPR_OK);
            caught[1]++;
            *p = before;
            p->home = DPR__HOME_NONE;
            assert_int_not_equal(dpr__check_memory(step), DPR_OK);
            caught[2]++;
            *p = before;
        }
        assert_int_equal(dpr__check_memory(step), DPR_OK);
        dpr__step_destroy(step);
    }
    for (int i = 0; i < 3; i++)
        assert_true(caught[i] > 20);
    dpr_context_destroy(context);
}

static void an_early_write_in_place_fails_the_checker(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    struct net net = make_net(context);
    dpr__step *step = step_of(&net, true);
    unsigned caught = 0;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++) {
        if (step->placements[v].home != DPR__HOME_LEAF || step->group_of[v] == 0)
            continue;
        uint32_t *phase = &step->groups[step->group_of[v] - 1].phase, before = *phase;
        *phase = 0; /* before the guard */
        assert_int_not_equal(dpr__check_memory(step), DPR_OK);
        *phase = before;
        caught++;
    }
    assert_true(caught >= 8);
    dpr__step_destroy(step);
    dpr_graph_destroy(net.graph);
    dpr_context_destroy(context);
}

/* ---- entries ---- */

/* Fewer rows than most tiles have, and more than any; more of k than a product takes at a time (256). */
enum { ENTRIES = 4, WIDE = 35, LONG = 300, FEW = 13, MANY = 150, TICKS = 7, RUNS = 6 };

struct entry_net {
    dpr_graph *graph;
    dpr_value x, roots[4]; /* x·w, xᵀ·(x·w), which' */
    size_t n_roots;
};

static struct entry_net make_entry_net(dpr_context *context, int64_t batch, bool x_is_root,
                                       bool pool_changes) {
    struct entry_net net = {.graph = dpr_graph_create(context)};
    dpr_graph *g = net.graph;
    dpr_value pool = dpr_input(g, "pool", DPR_F32, dpr_shape_of(ENTRIES, batch, LONG));
    dpr_value which = dpr_state(g, "which", DPR_I32, dpr_scalar_shape());
    dpr_value w = dpr_parameter(g, "w", dpr_shape_of(LONG, WIDE), DPR_INIT_HE);
    net.x = dpr_gather(g, pool, which);
    dpr_value y = dpr_matmul(g, net.x, w, 0);
    net.roots[net.n_roots++] = y;
    net.roots[net.n_roots++] = dpr_matmul(g, net.x, y, DPR_TRANSPOSE_A);
    net.roots[net.n_roots++] = dpr_assign(g, which, dpr__increment(g, which));
    if (x_is_root)
        net.roots[net.n_roots++] = net.x;
    if (pool_changes)
        net.roots[net.n_roots++] = dpr_assign(g, pool, dpr_scale(g, pool, 0.5));
    assert_int_equal(dpr_graph_finish(g), DPR_OK);
    return net;
}

/* How many gathers of a step stay in their pool; the checker must object to a pool that is written. */
static unsigned entries_of(dpr_context *context, bool x_is_root, bool pool_changes) {
    struct entry_net net = make_entry_net(context, FEW, x_is_root, pool_changes);
    dpr__step_options options = {.batch = 1};
    dpr__step *step;
    unsigned n = 0;
    assert_int_equal(dpr__step_create(net.graph, net.roots, net.n_roots, &options, &step), DPR_OK);
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        n += step->placements[v].home == DPR__HOME_ENTRY;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++) {
        if (!pool_changes || step->graph->nodes[v].op != DPR__OP_gather)
            continue;
        step->placements[v].home = DPR__HOME_ENTRY;
        assert_int_not_equal(dpr__check_memory(step), DPR_OK);
    }
    dpr__step_destroy(step);
    dpr_graph_destroy(net.graph);
    return n;
}

/* Two pools, and where the leaf's lies in each tick: written, written anew, bound here and there; before the last tick the bytes behind
 * a bound leaf change. The index runs past the last entry and stays there. */
static float pools[2][ENTRIES * MANY * LONG];
static const struct {
    int pool;
    enum { STAYS, IS_WRITTEN, IS_BOUND, CHANGES } how;
} MOVES[TICKS] = {{0, IS_WRITTEN}, {1, IS_WRITTEN}, {0, IS_BOUND}, {1, IS_BOUND},
                  {1, STAYS},      {0, IS_BOUND},   {0, CHANGES}};

static void fill_pools(void) {
    for (size_t i = 0; i < sizeof pools[0] / sizeof *pools[0]; i++) {
        pools[0][i] = (float)(i * 7919 % 2003) / 1000 - 1;
        pools[1][i] = (float)(i * 6271 % 1999) / 1000 - 1;
    }
}

static void move_pool(dpr_store *store, int tick, size_t bytes) {
    float *pool = pools[MOVES[tick].pool];
    switch (MOVES[tick].how) {
    case STAYS:
        break;
    case IS_WRITTEN:
        assert_int_equal(dpr_store_write(store, "pool", pool, bytes), DPR_OK);
        break;
    case IS_BOUND:
        assert_int_equal(dpr_store_bind(store, "pool", pool, bytes), DPR_OK);
        break;
    case CHANGES:
        for (size_t i = 0; i < bytes / sizeof *pool; i++)
            pool[i] = -pool[i] / 2;
        break;
    }
}

static double rounded_if(bool rounds, double x) {
    return rounds ? (double)dpr__from_bf16(dpr__to_bf16((float)x)) : x;
}

struct entry_run {
    float y[TICKS][MANY * WIDE], z[TICKS][LONG * WIDE];
};

/* y = x·w and z = xᵀ·y of a tick, by hand in double; bounds as docs/numerics.md has them. */
static void expect_products(const struct entry_run *run, int tick, int64_t batch, const float *w,
                            bool rounds) {
    static double x[MANY * LONG], weights[LONG * WIDE];
    int entry = tick < ENTRIES ? tick : ENTRIES - 1;
    const float *from = pools[MOVES[tick].pool] + entry * batch * LONG;
    for (int64_t i = 0; i < batch * LONG; i++)
        x[i] = rounded_if(rounds, (double)from[i]);
    for (int i = 0; i < LONG * WIDE; i++)
        weights[i] = rounded_if(rounds, (double)w[i]);
    for (int64_t i = 0; i < batch; i++)
        for (int j = 0; j < WIDE; j++) {
            double sum = 0, got = (double)run->y[tick][i * WIDE + j];
            for (int l = 0; l < LONG; l++)
                sum += x[i * LONG + l] * weights[l * WIDE + j];
            double bound = 3e-6 * (LONG + 1);
            if (rounds) { /* the sum, rounded where it may be: half a step of bf16 */
                bound += fabs(got) / 256;
                assert_true(got == rounded_if(true, got));
            }
            if (!(fabs(got - sum) <= bound))
                fail_msg("tick %d: y[%d][%d] is %.9g, not %.9g", tick, (int)i, j, got, sum);
        }
    for (int l = 0; l < LONG; l++)
        for (int j = 0; j < WIDE; j++) {
            double sum = 0, got = (double)run->z[tick][l * WIDE + j];
            for (int64_t i = 0; i < batch; i++)
                sum += x[i * LONG + l] * (double)run->y[tick][i * WIDE + j];
            if (!(fabs(got - sum) <= 3e-6 * (double)(batch + 1)))
                fail_msg("tick %d: z[%d][%d] is %.9g, not %.9g", tick, l, j, got, sum);
        }
}

static void run_entries(dpr_context *context, int64_t batch, struct entry_run *run) {
    struct entry_net net = make_entry_net(context, batch, false, false);
    dpr_store *store;
    dpr_program *program;
    float w[LONG * WIDE];
    fill_pools();
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(net.graph, store, net.roots, net.n_roots, NULL, &program),
                     DPR_OK);
    assert_int_equal(dpr_store_read(store, "w", w, sizeof w), DPR_OK);
    for (int tick = 0; tick < TICKS; tick++) {
        move_pool(store, tick, (size_t)(ENTRIES * batch * LONG) * sizeof(float));
        assert_int_equal(dpr_program_run(program, 1, NULL, NULL), DPR_OK);
        assert_int_equal(dpr_program_read(program, net.roots[0], run->y[tick],
                                          (size_t)(batch * WIDE) * sizeof(float)),
                         DPR_OK);
        assert_int_equal(dpr_program_read(program, net.roots[1], run->z[tick], sizeof run->z[tick]),
                         DPR_OK);
        expect_products(run, tick, batch, w, context->precision == DPR__PRECISION_BF16);
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(net.graph);
    dpr_context_destroy(context);
}

static void run_all_entries(int64_t batch) {
    static struct entry_run runs[RUNS];
    memset(runs, 0, sizeof runs);
    run_entries(context_with(NULL, "ref", 1), batch, &runs[0]);
    run_entries(context_with(NULL, "cpu", 1), batch, &runs[1]);
    run_entries(context_with(NULL, "cpu", 2), batch, &runs[2]);
    run_entries(context_with("layout", "cpu", 2), batch, &runs[3]);
    run_entries(context_of(NULL, "ref", 1, "bf16"), batch, &runs[4]);
    run_entries(context_of(NULL, "cpu", 2, "bf16"), batch, &runs[5]);
    assert_memory_equal(&runs[1], &runs[2], sizeof runs[1]);
    assert_memory_equal(&runs[1], &runs[3], sizeof runs[1]);
    for (int run = 0; run < RUNS; run++)
        for (int tick = 1; tick < TICKS; tick++) {
            const float *last = runs[run].y[tick - 1], *now = runs[run].y[tick];
            if (MOVES[tick].how == STAYS)
                assert_memory_equal(now, last, sizeof runs[run].y[tick]);
            else
                assert_memory_not_equal(now, last, sizeof runs[run].y[tick]);
        }
}

static void an_entry_of_an_input_stays_in_its_pool(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 1);
    assert_int_equal(entries_of(context, false, false), 1);
    assert_int_equal(entries_of(context, true, false), 0);
    assert_int_equal(entries_of(context, false, true), 0);
    dpr_context_destroy(context);
    run_all_entries(FEW);
    run_all_entries(MANY);
}

/* ---- guards ---- */

static void a_non_finite_loss_leaves_the_state_and_names_the_op(void **state) {
    (void)state;
    dpr_context *context = context_with(NULL, "cpu", 2);
    struct net net = make_net(context);
    dpr_store *store;
    dpr_program *program;
    dpr_program_options options = dpr_program_options_default();
    options.batch = B;
    options.train = true;
    uint64_t done;
    float before[IN * HIDDEN], after[IN * HIDDEN];
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(
        dpr_program_create(net.graph, store, net.roots, net.n_roots, &options, &program), DPR_OK);
    feed(store, B, 0);
    assert_int_equal(dpr_program_run(program, 3, NULL, &done), DPR_OK);
    assert_int_equal(dpr_store_read(store, "w1", before, sizeof before), DPR_OK);
    feed(store, B, INFINITY);
    assert_int_equal(dpr_program_run(program, 5, NULL, &done), DPR_E_NON_FINITE);
    assert_int_equal(done, 0);
    assert_non_null(strstr(dpr_error(context), "'x'"));
    assert_int_equal(dpr_store_read(store, "w1", after, sizeof after), DPR_OK);
    assert_memory_equal(before, after, sizeof before);
    feed(store, B, 3e38F); /* finite, but its product with the weights is not */
    assert_int_equal(dpr_program_run(program, 5, NULL, &done), DPR_E_NON_FINITE);
    assert_true(strstr(dpr_error(context), "matmul") != NULL ||
                strstr(dpr_error(context), "cross_entropy") != NULL);
    feed(store, B, 1); /* and the run can go on */
    assert_int_equal(dpr_program_run(program, 5, NULL, &done), DPR_OK);
    /* relu lets NaN through: a weight that broke in some other way reaches the guard, and is named. */
    for (int i = 0; i < IN * HIDDEN; i++)
        before[i] = NAN;
    assert_int_equal(dpr_store_write(store, "w1", before, sizeof before), DPR_OK);
    assert_int_equal(dpr_program_run(program, 1, NULL, &done), DPR_E_NON_FINITE);
    assert_non_null(strstr(dpr_error(context), "'w1'"));
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(net.graph);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specialise_chooses_and_binds_the_batch),
        cmocka_unit_test(simplify_finds_equals_and_constants),
        cmocka_unit_test(fuse_takes_bias_relu_and_update_into_the_matmul),
        cmocka_unit_test(passes_on_and_off_agree),
        cmocka_unit_test(the_oracle_agrees),
        cmocka_unit_test(assigns_read_the_old_values),
        cmocka_unit_test(random_plans_pass_the_checker),
        cmocka_unit_test(broken_plans_fail_the_checker),
        cmocka_unit_test(an_early_write_in_place_fails_the_checker),
        cmocka_unit_test(an_entry_of_an_input_stays_in_its_pool),
        cmocka_unit_test(a_non_finite_loss_leaves_the_state_and_names_the_op)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
