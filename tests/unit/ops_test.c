/* The ops' shape rules: what they must refuse, with a message that names the op and where it stands; shapes
 * that stay open in the batch; kernels that fusion relies on. */
#include "backend/cpu/kernel.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

/* Operands to build the wrong call from. */
struct operands {
    dpr_graph *g;
    dpr_value f[DPR_MAX_RANK + 1]; /* f32 of shapes (), (2), (2 3), (2 3 4), … */
    dpr_value batch;               /* f32 (batch 4) */
    dpr_value n, ns;               /* i32 (), (3) */
    dpr_value u, us;               /* u64 (), (3) */
    dpr_value bytes, empty;        /* u8 (5 2), f32 (3 0) */
};

static struct operands make_operands(dpr_graph *g) {
    struct operands o = {.g = g};
    static const char *const NAMES[] = {"f0", "f1", "f2", "f3", "f4", "f5", "f6"};
    for (uint32_t rank = 0; rank <= DPR_MAX_RANK; rank++) {
        dpr_shape shape = {.rank = rank};
        for (uint32_t i = 0; i < rank; i++)
            shape.dim[i] = 2 + i;
        o.f[rank] = dpr_input(g, NAMES[rank], DPR_F32, shape);
    }
    o.batch = dpr_input(g, "batch", DPR_F32, dpr_shape_of(DPR_BATCH, 4));
    o.n = dpr_input(g, "n", DPR_I32, dpr_scalar_shape());
    o.ns = dpr_input(g, "ns", DPR_I32, dpr_shape_of(3));
    o.u = dpr_input(g, "u", DPR_U64, dpr_scalar_shape());
    o.us = dpr_input(g, "us", DPR_U64, dpr_shape_of(3));
    o.bytes = dpr_input(g, "bytes", DPR_U8, dpr_shape_of(5, 2));
    o.empty = dpr_input(g, "empty", DPR_F32, dpr_shape_of(3, 0));
    return o;
}

static dpr_value leaf(const struct operands *o, const char *name, int64_t kind, int64_t init,
                      dpr_dtype dtype, dpr_shape shape) {
    dpr__leaf_param param = {name, kind, init, dtype, shape};
    return dpr__node_add(o->g, DPR__OP_leaf, NULL, 0, &param);
}

static dpr_value order(const struct operands *o, dpr_value seed, dpr_value epoch, dpr_value batch,
                       int64_t n, int64_t size) {
    dpr__order_param param = {n, true, size};
    return dpr__node_add(o->g, DPR__OP_order, (dpr_value[]){seed, epoch, batch}, 3, &param);
}

static dpr_value rows(const struct operands *o, dpr_value batch, int64_t n, int64_t size) {
    dpr__rows_param param = {n, size};
    return dpr__node_add(o->g, DPR__OP_rows, &batch, 1, &param);
}

static dpr_value permuted(const struct operands *o, dpr_value src, dpr_shape permutation) {
    dpr__transpose_param param = {permutation};
    return dpr__node_add(o->g, DPR__OP_transpose, &src, 1, &param);
}

/* X(status, what the message must hold, call): every refusal of every shape rule. */
#define DEEP ((dpr_shape){.rank = 1000, .dim = {1}})
#define REFUSALS(X)                                                                                \
    X(E_ARGUMENT, "name", leaf(o, "", DPR_INPUT, 0, DPR_F32, dpr_shape_of(1)))                     \
    X(E_ARGUMENT, "'w'", leaf(o, "w", 3, 0, DPR_F32, dpr_shape_of(1)))                             \
    X(E_ARGUMENT, "'w'", leaf(o, "w", -1, 0, DPR_F32, dpr_shape_of(1)))                            \
    X(E_ARGUMENT, "'w'", leaf(o, "w", DPR_INPUT, 4, DPR_F32, dpr_shape_of(1)))                     \
    X(E_ARGUMENT, "'w'", leaf(o, "w", DPR_INPUT, -1, DPR_F32, dpr_shape_of(1)))                    \
    X(E_DTYPE, "'w'", leaf(o, "w", DPR_INPUT, 0, DPR_F64, dpr_shape_of(1)))                        \
    X(E_DTYPE, "'w'", leaf(o, "w", DPR_INPUT, 0, (dpr_dtype)9, dpr_shape_of(1)))                   \
    X(E_DTYPE, "'w'", leaf(o, "w", DPR_PARAMETER, 0, DPR_I32, dpr_shape_of(1)))                    \
    X(E_SHAPE, "leaf", leaf(o, "w", DPR_INPUT, 0, DPR_F32, dpr_shape_of(-5)))                      \
    X(E_SHAPE, "leaf", leaf(o, "w", DPR_INPUT, 0, DPR_F32, DEEP))                                  \
    X(E_SHAPE, "constant", dpr_constant(o->g, 1, dpr_shape_of(-5)))                                \
    X(E_SHAPE, "add 'here'", dpr_add(o->g, o->f[2], o->f[3]))                                      \
    X(E_SHAPE, "2 × 3 and batch × 4", dpr_multiply(o->g, o->f[2], o->batch))                       \
    X(E_DTYPE, "divide 'here': operand 1 is i32", dpr_divide(o->g, o->n, o->f[0]))                 \
    X(E_DTYPE, "divide 'here': operand 2 is i32", dpr_divide(o->g, o->f[0], o->n))                 \
    X(E_DTYPE, "scale 'here'", dpr_scale(o->g, o->n, 2))                                           \
    X(E_DTYPE, "relu 'here'", dpr_relu(o->g, o->u))                                                \
    X(E_DTYPE, "matmul 'here': operand 2 is i32", dpr_matmul(o->g, o->f[2], o->ns, 0))             \
    X(E_SHAPE, "matmul 'here': operand 1 is 2;", dpr_matmul(o->g, o->f[1], o->f[2], 0))            \
    X(E_SHAPE, "inner dimensions", dpr_matmul(o->g, o->f[2], o->f[2], 0))                          \
    X(E_SHAPE, "2 × 3 transposed", dpr_matmul(o->g, o->f[2], o->batch, DPR_TRANSPOSE_A))           \
    X(E_DTYPE, "sum 'here'", dpr_sum(o->g, o->n, 0, false))                                        \
    X(E_ARGUMENT, "sum 'here'", dpr_sum(o->g, o->f[2], 4, false))                                  \
    X(E_ARGUMENT, "sum 'here'", dpr_sum(o->g, o->f[0], 1, true))                                   \
    X(E_DTYPE, "prefix 'here': operand 1", dpr_prefix(o->g, o->ns, o->n))                          \
    X(E_DTYPE, "prefix 'here': operand 2", dpr_prefix(o->g, o->f[2], o->f[0]))                     \
    X(E_SHAPE, "prefix 'here': operand 2", dpr_prefix(o->g, o->f[2], o->ns))                       \
    X(E_SHAPE, "prefix 'here': a scalar", dpr_prefix(o->g, o->f[0], o->n))                         \
    X(E_SHAPE, "2 × 3 cannot become 7", dpr_reshape(o->g, o->f[2], dpr_shape_of(7)))               \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->f[2], dpr_shape_of(-2, -3)))                 \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->f[2], DEEP))                                 \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->batch, dpr_shape_of(4)))                     \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->f[1], dpr_shape_of(DPR_BATCH, 2)))           \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->batch, dpr_shape_of(-1, -1, 4)))             \
    X(E_DTYPE, "transpose 'here'", dpr_transpose(o->g, o->bytes, (uint32_t[]){1, 0}))              \
    X(E_ARGUMENT, "transpose 'here'", dpr_transpose(o->g, o->f[2], (uint32_t[]){0, 0}))            \
    X(E_ARGUMENT, "transpose 'here'", dpr_transpose(o->g, o->f[2], (uint32_t[]){0, 2}))            \
    X(E_ARGUMENT, "transpose 'here'", permuted(o, o->f[2], dpr_shape_of(1, 0, 2)))                 \
    X(E_ARGUMENT, "transpose 'here'", permuted(o, o->f[2], dpr_shape_of(0, -1)))                   \
    X(E_ARGUMENT, "transpose 'here'", permuted(o, o->f[2], DEEP))                                  \
    X(E_DTYPE, "broadcast 'here'", dpr_broadcast(o->g, o->n, dpr_shape_of(2)))                     \
    X(E_SHAPE, "2 × 3 cannot be repeated to 3", dpr_broadcast(o->g, o->f[2], dpr_shape_of(3)))     \
    X(E_SHAPE, "broadcast 'here'", dpr_broadcast(o->g, o->f[2], dpr_shape_of(2, 4)))               \
    X(E_SHAPE, "broadcast 'here'", dpr_broadcast(o->g, o->f[2], dpr_shape_of(-7, 2, 3)))           \
    X(E_SHAPE, "broadcast 'here'", dpr_broadcast(o->g, o->f[0], DEEP))                             \
    X(E_DTYPE, "softmax 'here'", dpr_softmax(o->g, o->ns))                                         \
    X(E_SHAPE, "log_softmax 'here'", dpr_log_softmax(o->g, o->f[0]))                               \
    X(E_DTYPE, "softmax_cross_entropy 'here': operand 2",                                          \
      dpr_softmax_cross_entropy(o->g, o->f[2], o->ns))                                             \
    X(E_SHAPE, "softmax_cross_entropy 'here': operand 1",                                          \
      dpr_softmax_cross_entropy(o->g, o->f[1], o->f[2]))                                           \
    X(E_SHAPE, "targets batch × 4", dpr_softmax_cross_entropy(o->g, o->f[2], o->batch))            \
    X(E_DTYPE, "argmax 'here'", dpr_argmax(o->g, o->ns))                                           \
    X(E_SHAPE, "argmax 'here'", dpr_argmax(o->g, o->f[0]))                                         \
    X(E_SHAPE, "no largest", dpr_argmax(o->g, o->empty))                                           \
    X(E_DTYPE, "equal 'here': operand 1", dpr_equal(o->g, o->f[0], o->n))                          \
    X(E_DTYPE, "equal 'here': operand 2", dpr_equal(o->g, o->n, o->f[0]))                          \
    X(E_SHAPE, "equal 'here': scalar against 3", dpr_equal(o->g, o->n, o->ns))                     \
    X(E_DTYPE, "one_hot 'here'", dpr_one_hot(o->g, o->f[1], 3))                                    \
    X(E_ARGUMENT, "one_hot 'here': 0 classes", dpr_one_hot(o->g, o->ns, 0))                        \
    X(E_SHAPE, "one_hot 'here'",                                                                   \
      dpr_one_hot(o->g, dpr_input(o->g, "deep", DPR_I32, dpr_shape_of(1, 1, 1, 1, 1, 1)), 2))      \
    X(E_SHAPE, "one_hot 'here'", dpr_one_hot(o->g, o->ns, INT64_MAX))                              \
    X(E_DTYPE, "f32 to f32", dpr_cast(o->g, o->f[0], DPR_F32))                                     \
    X(E_DTYPE, "u64 to f32", dpr_cast(o->g, o->u, DPR_F32))                                        \
    X(E_DTYPE, "i32 to u8", dpr_cast(o->g, o->n, DPR_U8))                                          \
    X(E_DTYPE, "i32 to ?", dpr_cast(o->g, o->n, (dpr_dtype)9))                                     \
    X(E_DTYPE, "gather 'here': operand 2", dpr_gather(o->g, o->bytes, o->f[0]))                    \
    X(E_SHAPE, "gather 'here'", dpr_gather(o->g, o->f[0], o->n))                                   \
    X(E_SHAPE, "gather 'here'", dpr_gather(o->g, o->batch, o->n))                                  \
    X(E_SHAPE, "gather 'here'",                                                                    \
      dpr_gather(o->g, o->bytes, dpr_input(o->g, "m", DPR_I32, dpr_shape_of(2, 2))))               \
    X(E_DTYPE, "order 'here': operand 1", order(o, o->n, o->u, o->n, 5, 2))                        \
    X(E_DTYPE, "order 'here': operand 3", order(o, o->u, o->u, o->u, 5, 2))                        \
    X(E_SHAPE, "order 'here': operand 2", order(o, o->u, o->us, o->n, 5, 2))                       \
    X(E_ARGUMENT, "order 'here': 0 images", order(o, o->u, o->u, o->n, 0, 2))                      \
    X(E_ARGUMENT, "order 'here'", order(o, o->u, o->u, o->n, (int64_t)INT32_MAX + 1, 2))           \
    X(E_ARGUMENT, "order 'here'", order(o, o->u, o->u, o->n, 5, 0))                                \
    X(E_ARGUMENT, "order 'here'", order(o, o->u, o->u, o->n, 5, (int64_t)INT32_MAX + 1))           \
    X(E_DTYPE, "rows 'here'", rows(o, o->f[0], 5, 2))                                              \
    X(E_SHAPE, "rows 'here'", rows(o, o->ns, 5, 2))                                                \
    X(E_ARGUMENT, "rows 'here'", rows(o, o->n, INT64_MIN, 2))                                      \
    X(E_ARGUMENT, "rows 'here'", rows(o, o->n, 5, INT64_MIN))                                      \
    X(E_DTYPE, "increment 'here'", dpr__increment(o->g, o->f[0]))                                  \
    X(E_DTYPE, "increment 'here'", dpr__increment(o->g, o->bytes))                                 \
    X(E_DTYPE, "draw 'here': operand 1", dpr__draw_node(o->g, o->n, o->u, dpr_shape_of(2)))        \
    X(E_SHAPE, "draw 'here': operand 2", dpr__draw_node(o->g, o->u, o->us, dpr_shape_of(2)))       \
    X(E_SHAPE, "draw 'here'", dpr__draw_node(o->g, o->u, o->u, dpr_shape_of(-2)))                  \
    X(E_SHAPE, "assign 'here': the leaf is f32 2", dpr_assign(o->g, o->f[1], o->f[2]))             \
    X(E_SHAPE, "the value i32 scalar", dpr_assign(o->g, o->f[0], o->n))                            \
    X(E_SHAPE, "choose 'here'", dpr_choose(o->g, o->f[1], o->f[2]))                                \
    X(E_SHAPE, "choose 'here'", dpr_choose(o->g, o->f[0], o->n))                                   \
    X(E_DTYPE, "guard 'here'", dpr_guard(o->g, o->n))                                              \
    X(E_SHAPE, "guard 'here'", dpr_guard(o->g, o->f[1]))

/* Evaluates only the n-th refusal. */
static dpr_value refusal(const struct operands *o, int n) {
    int i = 0;
#define X(status, words, expression)                                                               \
    if (i++ == n)                                                                                  \
        return expression;
    REFUSALS(X)
#undef X
    return 0;
}

static const struct {
    dpr_status status;
    const char *words, *call;
} REFUSED[] = {
#define X(status, words, expression) {DPR_##status, words, #expression},
    REFUSALS(X)
#undef X
};

static void what_does_not_fit_is_refused_by_name(void **state) {
    (void)state;
    dpr_context *context;
    assert_int_equal(dpr_context_create(NULL, &context), DPR_OK);
    for (int i = 0; i < (int)(sizeof REFUSED / sizeof *REFUSED); i++) {
        dpr_graph *g = dpr_graph_create(context);
        struct operands o = make_operands(g);
        dpr_graph_scope(g, "here");
        size_t before = g->n_nodes;
        dpr_value value = refusal(&o, i);
        dpr_status status = dpr_graph_finish(g);
        if (value != 0 || status != REFUSED[i].status ||
            strstr(dpr_error(context), REFUSED[i].words) == NULL)
            fail_msg("%s: value %u, status %d, message \"%s\"; it should be %d, with \"%s\"",
                     REFUSED[i].call, value, (int)status,
                     status == DPR_OK ? "" : dpr_error(context), (int)REFUSED[i].status,
                     REFUSED[i].words);
        assert_in_range(g->n_nodes, before, before + 1); /* one more leaf in some calls */
        dpr_graph_destroy(g);
    }
    dpr_context_destroy(context);
}

static void expect_shape(dpr_graph *g, dpr_value value, dpr_shape want) {
    char got[DPR__SHAPE_TEXT], wanted[DPR__SHAPE_TEXT];
    dpr_shape shape = dpr_value_shape(g, value);
    if (value == 0 || !dpr__shape_equal(&shape, &want))
        fail_msg("%s; it should be %s", dpr__shape_text(&shape, got),
                 dpr__shape_text(&want, wanted));
}

static void the_batch_stays_open(void **state) {
    (void)state;
    dpr_context *context;
    assert_int_equal(dpr_context_create(NULL, &context), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    struct operands o = make_operands(g);
    dpr_value square = dpr_matmul(g, o.batch, o.batch, DPR_TRANSPOSE_B);
    dpr_value index = dpr__order(g, o.u, o.u, o.n, 5, true);
    expect_shape(g, square, dpr_shape_of(DPR_BATCH, DPR_BATCH));
    expect_shape(g, dpr_matmul(g, o.batch, o.batch, DPR_TRANSPOSE_A), dpr_shape_of(4, 4));
    expect_shape(g, dpr_reshape(g, o.batch, dpr_shape_of(2, DPR_BATCH, 2)),
                 dpr_shape_of(2, DPR_BATCH, 2));
    expect_shape(g, dpr_transpose(g, o.batch, (uint32_t[]){1, 0}), dpr_shape_of(4, DPR_BATCH));
    expect_shape(g, dpr_sum(g, o.batch, 2, true), dpr_shape_of(DPR_BATCH, 1));
    expect_shape(g, dpr_sum(g, o.batch, 2, false), dpr_shape_of(DPR_BATCH));
    expect_shape(g, dpr_softmax_cross_entropy(g, o.batch, o.batch), dpr_shape_of(DPR_BATCH));
    expect_shape(g, dpr_argmax(g, o.batch), dpr_shape_of(DPR_BATCH));
    expect_shape(g, index, dpr_shape_of(DPR_BATCH));
    expect_shape(g, dpr_gather(g, o.bytes, index), dpr_shape_of(DPR_BATCH, 2));
    expect_shape(g, dpr_one_hot(g, index, 7), dpr_shape_of(DPR_BATCH, 7));
    expect_shape(g, dpr__rows(g, o.n, 5), dpr_scalar_shape());
    assert_int_equal(dpr_graph_finish(g), DPR_OK);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
}

/* fuse may join any elementwise f32 op with others, and such a group has no reference to fall back on. */
static void every_elementwise_op_has_a_kernel_for_all_machines(void **state) {
    (void)state;
    for (dpr__op_id op = 1; op < DPR__N_OPS; op++) {
        bool found =
            !dpr__has_trait(op, DPR__ELEMENTWISE) || op == DPR__OP_increment; /* integers */
        for (size_t i = 0; i < dpr__n_kernels; i++)
            found |= dpr__kernels[i].op == op && dpr__kernels[i].class == DPR__SPAN &&
                     dpr__kernels[i].isa == DPR__ISA_GENERIC;
        if (!found)
            fail_msg("%s is elementwise and has no SPAN row at GENERIC", dpr__op_names[op]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(the_batch_stays_open),
        cmocka_unit_test(every_elementwise_op_has_a_kernel_for_all_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
