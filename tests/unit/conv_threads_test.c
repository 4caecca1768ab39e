/* A small convolutional network's training steps on the cpu device against the oracle: every op on images, its
 * gradients, batch normalisation with its running statistics, values of bytes; with 1, 2 and 3 threads, and passes left
 * out. The last batch is smaller. */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { BATCH = 5, ROWS = 4, SIDE = 9, CLASSES = 3, TICKS = 3, PLACES = BATCH * 4 * 4 * 3 };

static const char *const LEAVES[] = {"first", "depth",  "scale", "shift",
                                     "last",  "second", "mean",  "variance"};
enum { N_LEAVES = sizeof LEAVES / sizeof *LEAVES, MOST_FLOATS = 512 };

struct outcome {
    uint8_t places[PLACES]; /* which pixel is the largest, of the images themselves: exact */
    float loss, logits[BATCH * CLASSES], padded[BATCH * (SIDE + 1) * SIDE * 3];
    float leaves[N_LEAVES][MOST_FLOATS];
};

/* What is kept of a network while it is built. */
struct net {
    dpr_graph *g;
    dpr_value images, rows, updates[2];
    dpr_value leaf[N_LEAVES];
};

static dpr_value first_block(struct net *n) {
    dpr_conv_options conv = dpr_conv_options_default(), even = conv;
    even.pad[0] = even.pad[1] = 1;
    conv.pad[0] = conv.pad[1] = conv.pad[2] = 1; /* 9 × 9 × 3 → 9 × 8 × 8 */
    dpr_value x = dpr_conv2d(n->g, n->images, n->leaf[0], &conv);
    x = dpr_batch_norm(n->g, x, n->leaf[2], n->leaf[3], n->leaf[6], n->leaf[7], n->rows, NULL,
                       n->updates);
    x = dpr_conv2d(n->g, dpr_relu(n->g, x), n->leaf[5], &even);
    return dpr_max_pool(n->g, x, NULL); /* 4 × 4 × 8 */
}

static dpr_value second_block(struct net *n, dpr_value x) {
    dpr_conv_options depthwise = dpr_conv_options_default();
    dpr_pool_options pool = dpr_pool_options_default();
    depthwise.groups = 8;
    depthwise.dilation[0] = 2;
    depthwise.stride[1] = 2;
    pool.kernel[0] = 3;
    pool.stride[0] = 1;
    pool.pad[0] = pool.pad[3] = 1;
    dpr_value y = dpr_conv2d(n->g, dpr_pad_reflect(n->g, x, 1, 1, 2), n->leaf[1], &depthwise);
    y = dpr_group_norm(n->g, y, 2, 0, 0, 1e-5);     /* 3 × 2 × 8 */
    dpr_value z = dpr_average_pool(n->g, x, &pool); /* 3 × 2 × 8 */
    z = dpr_layer_norm(n->g, dpr_slice(n->g, z, 3, 3, 4), 0, 0, 1e-5);
    return dpr_concat(n->g, (dpr_value[]){y, z}, 2, 3); /* 3 × 2 × 12 */
}

/* Gradient descent on the first six leaves; the running statistics become what batch_norm says. */
static size_t build(struct net *n, dpr_value roots[4 + N_LEAVES]) {
    dpr_graph *g = n->g;
    n->images = dpr_input(g, "images", DPR_F32, dpr_shape_of(DPR_BATCH, SIDE, SIDE, 3));
    n->rows = dpr_input(g, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value labels = dpr_input(g, "labels", DPR_I32, dpr_shape_of(DPR_BATCH)), diff[6];
    const dpr_shape shapes[N_LEAVES] = {
        dpr_shape_of(3, 3, 3, 8),  dpr_shape_of(3, 2, 1, 8), dpr_shape_of(8), dpr_shape_of(8),
        dpr_shape_of(12, CLASSES), dpr_shape_of(2, 2, 8, 8), dpr_shape_of(8), dpr_shape_of(8)};
    for (int i = 0; i < N_LEAVES; i++)
        n->leaf[i] =
            i < 6 ? dpr_parameter(g, LEAVES[i], shapes[i], i == 3 ? DPR_INIT_ZERO : DPR_INIT_XAVIER)
                  : dpr_state(g, LEAVES[i], DPR_F32, shapes[i]);
    dpr_value x = dpr_global_average_pool(g, second_block(n, first_block(n)));
    dpr_value logits = dpr_matmul(g, x, n->leaf[4], 0);
    dpr_value losses = dpr_softmax_cross_entropy(g, logits, dpr_one_hot(g, labels, CLASSES));
    dpr_value loss = dpr_batch_mean(g, losses, n->rows);
    assert_int_equal(dpr_gradients(g, loss, n->leaf, 6, diff), DPR_OK);
    dpr__window_param window = {2, 2, 2, 2, 0, 0, 0, 0, 0, 0};
    roots[0] = loss;
    roots[1] = logits;
    roots[2] = dpr__node_add(g, DPR__OP_window_argmax, &n->images, 1, &window);
    roots[3] = dpr_pad(g, n->images, 1, 1, 0);
    for (int i = 0; i < 6; i++)
        roots[4 + i] = dpr_assign(g, n->leaf[i], dpr_subtract(g, n->leaf[i], diff[i]));
    for (int i = 0; i < 2; i++)
        roots[10 + i] = dpr_assign(g, n->leaf[6 + i], n->updates[i]);
    assert_int_equal(dpr_graph_finish(g), DPR_OK);
    return 12;
}

static void write_inputs(dpr_store *store) {
    static float images[BATCH][SIDE * SIDE * 3];
    const int32_t labels[BATCH] = {0, 2, 1, 0, 0}, rows = ROWS;
    for (int n = 0; n < BATCH; n++)
        for (int i = 0; i < SIDE * SIDE * 3; i++)
            images[n][i] = (float)((i * 37 + n * 101) % 256) / 255;
    assert_int_equal(dpr_store_write(store, "images", images, sizeof images), DPR_OK);
    assert_int_equal(dpr_store_write(store, "labels", labels, sizeof labels), DPR_OK);
    assert_int_equal(dpr_store_write(store, "rows", &rows, sizeof rows), DPR_OK);
}

static void read_all(dpr_program *program, const dpr_store *store, const struct net *n,
                     const dpr_value *roots, struct outcome *out) {
    assert_int_equal(dpr_program_read(program, roots[0], &out->loss, sizeof out->loss), DPR_OK);
    assert_int_equal(dpr_program_read(program, roots[1], out->logits, sizeof out->logits), DPR_OK);
    assert_int_equal(dpr_program_read(program, roots[2], out->places, sizeof out->places), DPR_OK);
    assert_int_equal(dpr_program_read(program, roots[3], out->padded, sizeof out->padded), DPR_OK);
    for (int i = 0; i < N_LEAVES; i++) {
        dpr_shape shape = dpr_value_shape(n->g, n->leaf[i]);
        size_t bytes = (size_t)dpr__shape_count(&shape) * sizeof(float);
        assert_true(bytes <= sizeof out->leaves[i]);
        assert_int_equal(dpr_store_read(store, LEAVES[i], out->leaves[i], bytes), DPR_OK);
    }
}

static void run(dpr_context_options options, struct outcome *out) {
    dpr_context *context;
    dpr_store *store;
    dpr_program *program;
    dpr_value roots[4 + N_LEAVES];
    memset(out, 0, sizeof *out);
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    struct net n = {.g = dpr_graph_create(context)};
    size_t n_roots = build(&n, roots);
    dpr_program_options how = dpr_program_options_default();
    how.batch = BATCH;
    how.train = true;
    if (dpr_program_create(n.g, store, roots, n_roots, &how, &program) != DPR_OK)
        fail_msg("%s", dpr_error(context));
    write_inputs(store);
    assert_int_equal(dpr_program_run(program, TICKS, NULL, NULL), DPR_OK);
    read_all(program, store, &n, roots, out);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(n.g);
    dpr_context_destroy(context);
}

static void expect_near(const float *got, const float *want, size_t n, double tolerance,
                        const char *what) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance * (1 + fabs((double)want[i]))))
            fail_msg("%s: number %zu is %.9g; it should be %.9g", what, i, (double)got[i],
                     (double)want[i]);
}

static struct outcome want, one, got;

static void compare(dpr_context_options options, double tolerance) {
    static const char *const PASSES[] = {NULL, "fuse", "simplify",
                                         "fuse,simplify,schedule,memplan,layout"};
    dpr_context_options ref = options;
    ref.device = "ref";
    run(ref, &want);
    assert_true(isfinite(want.loss) && want.loss > 0);
    for (int i = 0; i < N_LEAVES; i++) /* shift and the statistics began at 0 */
        assert_true(want.leaves[i][0] != 0);
    for (size_t i = 0; i < sizeof PASSES / sizeof *PASSES; i++) {
        options.disabled_passes = PASSES[i];
        options.threads = 1;
        run(options, &one);
        expect_near(&one.loss, &want.loss, 1, tolerance, "loss");
        expect_near(one.logits, want.logits, BATCH * CLASSES, tolerance, "logits");
        for (int k = 0; k < N_LEAVES; k++)
            expect_near(one.leaves[k], want.leaves[k], MOST_FLOATS, tolerance, LEAVES[k]);
        assert_memory_equal(one.places, want.places, sizeof want.places);
        assert_memory_equal(one.padded, want.padded, sizeof want.padded);
        for (options.threads = 2; options.threads <= 3; options.threads++) {
            run(options, &got);
            assert_memory_equal(&got, &one, sizeof got); /* the same bits */
        }
    }
}

static void the_backends_agree(void **state) {
    (void)state;
    compare(dpr_context_options_default(), 2e-5);
}

/* Where sums differ by a bit, so may what is rounded next. */
static void the_backends_agree_in_bf16(void **state) {
    (void)state;
    dpr_context_options options = dpr_context_options_default();
    options.precision = "bf16";
    compare(options, 2e-2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_backends_agree),
                                       cmocka_unit_test(the_backends_agree_in_bf16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
