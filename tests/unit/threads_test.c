/* The same bits for any number of threads: a wide net on the cpu backend, 1, 2, 3 and 5 members. */
#include "backend/program.h"
#include "ir/graph.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { B = 64, IN = 200, HIDDEN = 300, OUT = 10 };

static float *train(unsigned threads) {
    dpr_context_options context_options = dpr_context_options_default();
    dpr_program_options options = dpr_program_options_default();
    dpr_context *context;
    dpr_store *store;
    dpr_program *program;
    context_options.threads = threads;
    options.batch = B;
    options.train = true;
    assert_int_equal(dpr_context_create(&context_options, &context), DPR_OK);
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(DPR_BATCH, IN));
    dpr_value t = dpr_input(g, "t", DPR_I32, dpr_shape_of(DPR_BATCH));
    dpr_value rows = dpr_input(g, "rows", DPR_I32, dpr_scalar_shape());
    dpr_value w[2] = {dpr_parameter(g, "w1", dpr_shape_of(IN, HIDDEN), DPR_INIT_HE),
                      dpr_parameter(g, "w2", dpr_shape_of(HIDDEN, OUT), DPR_INIT_HE)};
    dpr_value h = dpr_dropout(g, dpr_relu(g, dpr_matmul(g, x, w[0], 0)), 0.3), d[2], roots[4];
    dpr_value losses =
        dpr_softmax_cross_entropy(g, dpr_matmul(g, h, w[1], 0), dpr_one_hot(g, t, OUT));
    dpr_value loss = dpr_batch_mean(g, losses, rows);
    assert_int_equal(dpr_gradients(g, loss, w, 2, d), DPR_OK);
    roots[0] = dpr_guard(g, loss);
    for (int i = 0; i < 2; i++)
        roots[1 + i] = dpr_assign(g, w[i], dpr_subtract(g, w[i], dpr_scale(g, d[i], 0.2)));
    dpr_value tick = dpr_state(g, "tick", DPR_U64, dpr_scalar_shape());
    roots[3] = dpr_assign(g, tick, dpr__increment(g, tick));
    assert_int_equal(dpr_program_create(g, store, roots, 4, &options, &program), DPR_OK);
    static float images[B * IN];
    int32_t labels[B], n = B;
    for (int i = 0; i < B * IN; i++)
        images[i] = (float)(i * 7919 % 1009) / 500 - 1;
    for (int i = 0; i < B; i++)
        labels[i] = i % OUT;
    assert_int_equal(dpr_store_write(store, "x", images, sizeof images), DPR_OK);
    assert_int_equal(dpr_store_write(store, "t", labels, sizeof labels), DPR_OK);
    assert_int_equal(dpr_store_write(store, "rows", &n, sizeof n), DPR_OK);
    assert_int_equal(dpr_program_run(program, 30, NULL, NULL), DPR_OK);
    float *weights = malloc(IN * HIDDEN * sizeof *weights);
    assert_int_equal(dpr_store_read(store, "w1", weights, IN * HIDDEN * sizeof *weights), DPR_OK);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
    return weights;
}

static void same_bits(void **state) {
    (void)state;
    float *one = train(1);
    static const unsigned THREADS[] = {2, 3, 5};
    for (int i = 0; i < 3; i++) {
        float *many = train(THREADS[i]);
        assert_memory_equal(one, many, IN * HIDDEN * sizeof *one);
        free(many);
    }
    free(one);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
