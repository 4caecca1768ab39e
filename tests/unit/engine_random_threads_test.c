/* Random graphs, the cpu backend against the oracle: every way to broadcast, reshapes, transposes, sums over any axes, rowwise ops, matmuls, leaves that
 * are given new values; with 1, 2 and 3 threads, each instruction set that the machine has, and passes left out. */
#include "backend/program.h"
#include "base/context.h"
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

enum { SEEDS = 400, NODES = 40, ROOTS = 8, MOST_ELEMENTS = 20000, TICKS = 2, ENTRIES = 5 };

/* A stream of choices. */
struct choices {
    uint64_t seed, n;
};

static uint32_t pick(struct choices *c, uint32_t n) {
    return dpr__below(dpr__philox(c->seed, DPR__PURPOSE_LETTERS, 1, c->n++).word[0], n);
}

static dpr_shape random_shape(struct choices *c) {
    static const int64_t DIMS[] = {1, 1, 2, 3, 5, 16, 17, 33};
    dpr_shape shape = {.rank = pick(c, 4)};
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dim[i] = DIMS[pick(c, 8)];
    return shape;
}

/* The same elements in another shape: 1s put in or left out, or all in one row. */
static dpr_shape other_shape(struct choices *c, dpr_shape shape) {
    dpr_shape out = {0};
    if (pick(c, 3) == 0)
        return dpr_shape_of(dpr__shape_count(&shape));
    for (uint32_t i = 0; i < shape.rank; i++) {
        if (out.rank < 3 && pick(c, 4) == 0)
            out.dim[out.rank++] = 1;
        if (shape.dim[i] != 1)
            out.dim[out.rank++] = shape.dim[i];
    }
    return out;
}

static dpr_value random_unary(struct choices *c, dpr_graph *g, dpr_value a) {
    switch (pick(c, 8)) {
    case 0:
        return dpr_relu(g, a);
    case 1:
        return dpr_tanh(g, a);
    case 2:
        return dpr_sigmoid(g, a);
    case 3:
        return dpr_scale(g, a, -0.7);
    case 4:
        return dpr_gelu(g, a);
    case 5:
        return dpr_softplus(g, a);
    case 6:
        return dpr_exp(g, dpr_tanh(g, a));
    default:
        return dpr_leaky_relu(g, a, 0.1);
    }
}

static dpr_value random_shaping(struct choices *c, dpr_graph *g, dpr_value a) {
    dpr_shape shape = dpr_value_shape(g, a);
    uint32_t permutation[DPR_MAX_RANK];
    unsigned axes = pick(c, 1U << shape.rank);
    switch (pick(c, 5)) {
    case 0:
        return dpr_reshape(g, a, other_shape(c, shape));
    case 1:
        for (uint32_t i = 0; i < shape.rank; i++)
            permutation[i] = (i + 1) % shape.rank;
        return dpr_transpose(g, a, permutation);
    case 2:
        return dpr_sum(g, dpr_tanh(g, a), axes, true);
    case 3:
        return dpr_sum(g, dpr_tanh(g, a), axes, false);
    default:
        return shape.rank > 0 ? dpr_softmax(g, a) : dpr_tanh(g, a);
    }
}

/* Entries of a pool, numbers or bytes; sometimes normalised per channel and made a matrix, as images are. */
static dpr_value random_gather(struct choices *c, dpr_graph *g, dpr_value a) {
    dpr_shape shape = dpr_value_shape(g, a);
    dpr_value index = dpr_input(g, "index", DPR_I32, dpr_shape_of(ENTRIES));
    dpr_value which = dpr_input(g, "which", DPR_I32, dpr_scalar_shape());
    if (pick(c, 2) == 0)
        return shape.rank > 0 ? dpr_scale(g, dpr_gather(g, a, pick(c, 2) ? index : which), 0.5) : 0;
    dpr_value pool = dpr_input(g, "bytes", DPR_U8, dpr_shape_of(7, 5, 4, 3));
    dpr_value x = dpr_cast(g, dpr_gather(g, pool, pick(c, 2) ? index : which), DPR_F32);
    x = dpr_scale(g, x, 1.0 / 255);
    if (dpr__shape_count(&shape) == 3 && shape.rank == 1)
        x = dpr_multiply(g, x, a);
    return pick(c, 2)
               ? x
               : dpr_reshape(g, x, dpr_shape_of(5, dpr_value_shape(g, x).rank == 4 ? 60 : 12));
}

/* One more value, of values that are there; 0 where what was picked does not fit. */
static dpr_value random_value(struct choices *c, dpr_graph *g, const dpr_value *pool, size_t n) {
    dpr_value a = pool[pick(c, (uint32_t)n)], b = pool[pick(c, (uint32_t)n)];
    dpr_shape x = dpr_value_shape(g, a), y = dpr_value_shape(g, b), common;
    unsigned flags = pick(c, 4);
    switch (pick(c, 6)) {
    case 5:
        return random_gather(c, g, a);
    case 0:
    case 1:
        if (!dpr__shape_broadcast(&x, &y, &common) || dpr__shape_count(&common) > MOST_ELEMENTS)
            return 0;
        return pick(c, 2) ? dpr_add(g, a, b) : dpr_multiply(g, a, dpr_tanh(g, b));
    case 2:
        return random_unary(c, g, a);
    case 3:
        return random_shaping(c, g, a);
    default:
        if (x.rank != 2 || y.rank != 2 || x.dim[flags & 1 ? 0 : 1] != y.dim[flags & 2 ? 1 : 0])
            return 0;
        return dpr_scale(g, dpr_matmul(g, a, b, flags), 0.1);
    }
}

struct made {
    dpr_value roots[2 * ROOTS];
    size_t n_roots, n_values;
};

static struct made make(dpr_graph *g, uint64_t seed) {
    struct choices c = {.seed = seed};
    struct made made = {0};
    dpr_value pool[NODES], leaves[6];
    size_t n = 0;
    for (; n < 6; n++) {
        char name[8];
        snprintf(name, sizeof name, "leaf%zu", n);
        pool[n] = leaves[n] = dpr_parameter(g, name, random_shape(&c), DPR_INIT_XAVIER);
    }
    for (int tries = 0; n < NODES && tries < 1000; tries++) {
        dpr_value value = random_value(&c, g, pool, n);
        if (value != 0)
            pool[n++] = value;
    }
    for (; made.n_values < ROOTS; made.n_values++)
        made.roots[made.n_values] = pool[n - 1 - made.n_values * 3];
    made.n_roots = made.n_values;
    for (size_t i = 0; i < 6; i++) {
        dpr_shape leaf = dpr_value_shape(g, leaves[i]), shape;
        for (size_t k = 6; k < n; k++) {
            shape = dpr_value_shape(g, pool[k]);
            if (dpr__shape_equal(&leaf, &shape) && pick(&c, 2) == 0) {
                made.roots[made.n_roots++] = dpr_assign(g, leaves[i], dpr_tanh(g, pool[k]));
                break;
            }
        }
    }
    assert_int_equal(dpr_graph_finish(g), DPR_OK);
    return made;
}

/* Inputs that the graph did not come to use are not in the store. */
static void fill_inputs(dpr_store *store) {
    static const int32_t INDEX[ENTRIES] = {3, 0, 99, 1, -1}, WHICH = 2;
    uint8_t bytes[7 * 5 * 4 * 3];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37);
    if (dpr__store_find(store, "index") != NULL)
        assert_int_equal(dpr_store_write(store, "index", INDEX, sizeof INDEX), DPR_OK);
    if (dpr__store_find(store, "which") != NULL)
        assert_int_equal(dpr_store_write(store, "which", &WHICH, sizeof WHICH), DPR_OK);
    if (dpr__store_find(store, "bytes") != NULL)
        assert_int_equal(dpr_store_write(store, "bytes", bytes, sizeof bytes), DPR_OK);
}

/* All root values and leaves after some ticks, one after the other; *n elements. */
static float *run(uint64_t seed, dpr_context_options options, size_t *n) {
    dpr_context *context;
    dpr_store *store;
    dpr_program *program;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    struct made made = make(g, seed);
    if (dpr_program_create(g, store, made.roots, made.n_roots, NULL, &program) != DPR_OK)
        fail_msg("seed %d: %s", (int)seed, dpr_error(context));
    fill_inputs(store);
    assert_int_equal(dpr_program_run(program, TICKS, NULL, NULL), DPR_OK);
    float *all = calloc((ROOTS + 6) * MOST_ELEMENTS, sizeof *all);
    assert_non_null(all);
    *n = 0;
    for (size_t i = 0; i < made.n_values; i++) {
        dpr_shape shape = dpr_value_shape(g, made.roots[i]);
        size_t count = (size_t)dpr__shape_count(&shape);
        assert_int_equal(dpr_program_read(program, made.roots[i], all + *n, count * sizeof *all),
                         DPR_OK);
        *n += count;
    }
    for (size_t i = 0; i < store->n_slots; i++) {
        if (store->slots[i].kind != DPR_PARAMETER)
            continue;
        dpr__slot_read(&store->slots[i], all + *n);
        *n += store->slots[i].bytes / sizeof *all;
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
    return all;
}

static void compare(uint64_t seed, const float *want, size_t n, dpr_context_options options,
                    double tolerance) {
    size_t got_n;
    float *got = run(seed, options, &got_n);
    assert_int_equal(got_n, n);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance * (1 + fabs((double)want[i]))))
            fail_msg("seed %d, %s, %u threads, without %s: element %zu is %g, not %g", (int)seed,
                     options.cpu_isa ? options.cpu_isa : "best", options.threads,
                     options.disabled_passes ? options.disabled_passes : "-", i, (double)got[i],
                     (double)want[i]);
    free(got);
}

/* Both round operands of products to bf16; where their float32 sums differ by a bit, so may what is rounded next. */
static void the_backends_agree_in_bf16(void **state) {
    (void)state;
    static const char *const PASSES[] = {NULL, "fuse", "layout", "fuse,layout,schedule,memplan"};
    static const char *const ISAS[] = {"generic", "avx2", "avx512", "avx512bf16", "amx"};
    for (uint64_t seed = 0; seed < SEEDS / 2; seed++) {
        size_t n, again;
        dpr_context_options ref = dpr_context_options_default(), cpu;
        ref.precision = "bf16";
        cpu = ref;
        ref.device = "ref";
        float *want = run(seed, ref, &n);
        cpu.threads = 1;
        for (size_t i = 0; i < sizeof PASSES / sizeof *PASSES; i++) {
            cpu.disabled_passes = PASSES[i];
            compare(seed, want, n, cpu, 2e-2);
        }
        cpu.disabled_passes = NULL;
        for (int isa = DPR__ISA_GENERIC; isa <= (int)dpr__isa_detect(); isa++) {
            cpu.cpu_isa = ISAS[isa];
            compare(seed, want, n, cpu, 2e-2);
        }
        cpu.cpu_isa = NULL;
        float *one = run(seed, cpu, &again);
        for (cpu.threads = 2; cpu.threads <= 3; cpu.threads++)
            compare(seed, one, n, cpu, 0); /* the same bits */
        free(one);
        free(want);
    }
}

static void the_backends_agree(void **state) {
    (void)state;
    static const char *const PASSES[] = {NULL,
                                         "fuse",
                                         "simplify",
                                         "schedule",
                                         "memplan",
                                         "layout",
                                         "fuse,simplify,schedule,memplan,layout"};
    static const char *const ISAS[] = {"generic", "avx2", "avx512", "avx512bf16", "amx"};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        size_t n, again;
        dpr_context_options ref = dpr_context_options_default(), cpu = ref;
        ref.device = "ref";
        float *want = run(seed, ref, &n);
        cpu.threads = 1;
        for (size_t i = 0; i < sizeof PASSES / sizeof *PASSES; i++) {
            cpu.disabled_passes = PASSES[i];
            compare(seed, want, n, cpu, 2e-4);
        }
        cpu.disabled_passes = NULL;
        for (int isa = DPR__ISA_GENERIC; isa <= (int)dpr__isa_detect(); isa++) {
            cpu.cpu_isa = ISAS[isa];
            compare(seed, want, n, cpu, 2e-4);
        }
        cpu.cpu_isa = NULL;
        float *one = run(seed, cpu, &again);
        for (cpu.threads = 2; cpu.threads <= 3; cpu.threads++)
            compare(seed, one, n, cpu, 0); /* the same bits */
        free(one);
        free(want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_backends_agree),
                                       cmocka_unit_test(the_backends_agree_in_bf16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
