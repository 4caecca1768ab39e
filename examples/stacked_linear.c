/* Stacking linear layers without a ReLU between them changes nothing: (x·W1)·W2 = x·(W1·W2), which is one linear layer. With a ReLU between
 * them it is another function. */
#include <deeper/deeper.h>
#include <math.h>
#include <stdio.h>

enum { ROWS = 4, IN = 6, HIDDEN = 20, OUT = 3 };

static double difference(const float *a, const float *b) {
    double most = 0;
    for (int i = 0; i < ROWS * OUT; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

static int failed(const dpr_context *context) {
    fprintf(stderr, "stacked_linear: %s\n", dpr_error(context));
    return 1;
}

int main(void) {
    dpr_context *context;
    dpr_store *store;
    dpr_program *program;
    float x[ROWS * IN], two[ROWS * OUT], one[ROWS * OUT], relu[ROWS * OUT];
    for (int i = 0; i < ROWS * IN; i++)
        x[i] = (float)(i * 7 % 11) / 5 - 1;
    if (dpr_context_create(NULL, &context) || dpr_store_create(context, &store))
        return failed(context);
    dpr_graph *g = dpr_graph_create(context);
    dpr_value in = dpr_input(g, "x", DPR_F32, dpr_shape_of(ROWS, IN));
    dpr_value w1 = dpr_parameter(g, "w1", dpr_shape_of(IN, HIDDEN), DPR_INIT_XAVIER);
    dpr_value w2 = dpr_parameter(g, "w2", dpr_shape_of(HIDDEN, OUT), DPR_INIT_XAVIER);
    dpr_value h = dpr_matmul(g, in, w1, 0);
    dpr_value results[3] = {dpr_matmul(g, h, w2, 0), dpr_matmul(g, in, dpr_matmul(g, w1, w2, 0), 0),
                            dpr_matmul(g, dpr_relu(g, h), w2, 0)};
    if (dpr_program_create(g, store, results, 3, NULL, &program) ||
        dpr_store_write(store, "x", x, sizeof x) || dpr_program_run(program, 1, NULL, NULL) ||
        dpr_program_read(program, results[0], two, sizeof two) ||
        dpr_program_read(program, results[1], one, sizeof one) ||
        dpr_program_read(program, results[2], relu, sizeof relu))
        return failed(context);
    printf("two linear layers against the one that they make: differ by %.1e\n",
           difference(two, one));
    printf("with a ReLU between them:                         differ by %.1e\n",
           difference(relu, one));
    int wrong = difference(two, one) > 1e-5 || difference(relu, one) < 0.01;
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
    return wrong;
}
