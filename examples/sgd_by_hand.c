/* One step of stochastic gradient descent, by hand and by the engine: the same numbers. The backward half is not written here;
 * dpr_gradients makes it out of the forward ops. */
#include <deeper/deeper.h>
#include <math.h>
#include <stdio.h>

enum { B = 2, IN = 3, OUT = 2 };
static const float X[B * IN] = {1, -2, 0.5F, 0, 1, 3};
static const float TARGET[B * OUT] = {1, 0, 0, 1};
static const float W[IN * OUT] = {0.1F, -0.2F, 0.3F, 0.4F, -0.5F, 0.6F};
static const double RATE = 0.1;

/* The chain rule by hand: p = softmax(xW); dL/dW = xᵀ(p − t)/B; W − rate·dL/dW. */
static void step_by_hand(double w[IN * OUT]) {
    double gradient[IN * OUT] = {0};
    for (int b = 0; b < B; b++) {
        double z[OUT] = {0}, total = 0;
        for (int j = 0; j < OUT; j++) {
            for (int i = 0; i < IN; i++)
                z[j] += (double)X[b * IN + i] * (double)W[i * OUT + j];
            total += exp(z[j]);
        }
        for (int j = 0; j < OUT; j++)
            for (int i = 0; i < IN; i++)
                gradient[i * OUT + j] +=
                    (double)X[b * IN + i] * (exp(z[j]) / total - (double)TARGET[b * OUT + j]) / B;
    }
    for (int k = 0; k < IN * OUT; k++)
        w[k] = (double)W[k] - RATE * gradient[k];
}

static dpr_status step_by_engine(dpr_context *context, float w[IN * OUT]) {
    dpr_graph *g = dpr_graph_create(context);
    dpr_store *store = NULL;
    dpr_program *program = NULL;
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(B, IN));
    dpr_value target = dpr_input(g, "target", DPR_F32, dpr_shape_of(B, OUT));
    dpr_value weights = dpr_parameter(g, "w", dpr_shape_of(IN, OUT), DPR_INIT_ZERO), gradient = 0;
    dpr_value rows = dpr_softmax_cross_entropy(g, dpr_matmul(g, x, weights, 0), target);
    dpr_status status = dpr_gradients(g, dpr_mean(g, rows, 1, false), &weights, 1, &gradient);
    dpr_value next = dpr_subtract(g, weights, dpr_scale(g, gradient, RATE));
    dpr_value update = dpr_assign(g, weights, next);
    if (status == DPR_OK && (status = dpr_store_create(context, &store)) == DPR_OK &&
        (status = dpr_program_create(g, store, &update, 1, NULL, &program)) == DPR_OK &&
        (status = dpr_store_write(store, "x", X, sizeof X)) == DPR_OK &&
        (status = dpr_store_write(store, "target", TARGET, sizeof TARGET)) == DPR_OK &&
        (status = dpr_store_write(store, "w", W, sizeof W)) == DPR_OK &&
        (status = dpr_program_run(program, 1, NULL, NULL)) == DPR_OK)
        status = dpr_store_read(store, "w", w, sizeof W);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    return status;
}

int main(void) {
    dpr_context *context;
    double by_hand[IN * OUT];
    float by_engine[IN * OUT];
    int wrong = 0;
    if (dpr_context_create(NULL, &context) || step_by_engine(context, by_engine)) {
        fprintf(stderr, "sgd_by_hand: %s\n", dpr_error(context));
        return 1;
    }
    step_by_hand(by_hand);
    printf("before   by hand   by the engine\n");
    for (int k = 0; k < IN * OUT; k++) {
        printf("%6.3f %9.6f %9.6f\n", (double)W[k], by_hand[k], (double)by_engine[k]);
        wrong |= fabs(by_hand[k] - (double)by_engine[k]) > 1e-6;
    }
    dpr_context_destroy(context);
    return wrong;
}
