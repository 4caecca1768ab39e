/* A linear model of n inputs and k classes: it has (n+1)·k parameters, its derivative is the same everywhere, and a small
 * change of the input moves its logits by at most ‖W‖ times that change. Measured, not quoted. */
#include <deeper/deeper.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEIGHT = 30, WIDTH = 30, INPUTS = HEIGHT * WIDTH, CLASSES = 5 };

static int failed(const dpr_context *context) {
    fprintf(stderr, "linear_model: %s\n", dpr_error(context));
    return 1;
}

/* The largest singular value of W (INPUTS × CLASSES) by power iteration on WᵀW. */
static double spectral_norm(const float *w) {
    double v[CLASSES], norm = 0;
    for (int j = 0; j < CLASSES; j++)
        v[j] = 1 + j;
    for (int round = 0; round < 500; round++) {
        double next[CLASSES] = {0}, length = 0;
        for (int i = 0; i < INPUTS; i++) {
            double wv = 0;
            for (int j = 0; j < CLASSES; j++)
                wv += (double)w[i * CLASSES + j] * v[j];
            for (int j = 0; j < CLASSES; j++)
                next[j] += (double)w[i * CLASSES + j] * wv;
        }
        for (int j = 0; j < CLASSES; j++)
            length += next[j] * next[j];
        length = sqrt(length);
        for (int j = 0; j < CLASSES; j++)
            v[j] = next[j] / length;
        norm = sqrt(length);
    }
    return norm;
}

static int count_parameters(dpr_context *context) {
    dpr_model *model;
    dpr_data_info info = dpr_data_info_default();
    info.n_classes = CLASSES;
    if (dpr_model_from_net(context, "example", "input 30 30 1, linear classes", &info, 1, "auto",
                           &model))
        return failed(context);
    printf("parameters: %llu, and (n+1)k = %d\n", (unsigned long long)dpr_model_parameters(model),
           (INPUTS + 1) * CLASSES);
    int wrong = dpr_model_parameters(model) != (INPUTS + 1) * CLASSES;
    dpr_model_destroy(model);
    return wrong;
}

struct probe {
    dpr_store *store;
    dpr_program *program;
    dpr_value logits, slope;
};

/* logits = x·W + b, and the derivative of the first logit with respect to x, made by the chain rule. */
static int make_probe(dpr_context *context, struct probe *probe) {
    dpr_graph *graph = dpr_graph_create(context);
    dpr_value x = dpr_input(graph, "x", DPR_F32, dpr_shape_of(1, INPUTS));
    dpr_value w = dpr_parameter(graph, "w", dpr_shape_of(INPUTS, CLASSES), DPR_INIT_XAVIER);
    dpr_value b = dpr_parameter(graph, "b", dpr_shape_of(CLASSES), DPR_INIT_ZERO);
    probe->logits = dpr_add(graph, dpr_matmul(graph, x, w, 0), b);
    dpr_value first = dpr_input(graph, "first", DPR_F32, dpr_shape_of(1, CLASSES));
    dpr_value loss = dpr_sum(graph, dpr_multiply(graph, probe->logits, first), 3, false);
    if (dpr_gradients(graph, loss, &x, 1, &probe->slope) ||
        dpr_store_create(context, &probe->store))
        return failed(context);
    if (dpr_program_create(graph, probe->store, (dpr_value[]){probe->logits, probe->slope}, 2, NULL,
                           &probe->program))
        return failed(context);
    dpr_graph_destroy(graph);
    const float one[CLASSES] = {1};
    return dpr_store_write(probe->store, "first", one, sizeof one) != DPR_OK;
}

static int evaluate(dpr_context *context, struct probe *p, const float *x, float *logits,
                    float *slope) {
    if (dpr_store_write(p->store, "x", x, INPUTS * sizeof *x) ||
        dpr_program_run(p->program, 1, NULL, NULL) ||
        dpr_program_read(p->program, p->logits, logits, CLASSES * sizeof *logits) ||
        dpr_program_read(p->program, p->slope, slope, INPUTS * sizeof *slope))
        return failed(context);
    return 0;
}

static int probe_model(dpr_context *context, struct probe *probe) {
    static float x[INPUTS], moved[INPUTS], slope[INPUTS], slope_moved[INPUTS], w[INPUTS * CLASSES];
    float logits[CLASSES], logits_moved[CLASSES];
    double change = 0, answer = 0, slope_change = 0;
    for (int i = 0; i < INPUTS; i++) {
        x[i] = (float)(i * 37 % 101) / 101;
        moved[i] = x[i] + 0.01F * (float)(i * 53 % 97 - 48) / 48;
        change += ((double)moved[i] - (double)x[i]) * ((double)moved[i] - (double)x[i]);
    }
    if (evaluate(context, probe, x, logits, slope) ||
        evaluate(context, probe, moved, logits_moved, slope_moved) ||
        dpr_store_read(probe->store, "w", w, sizeof w))
        return 1;
    for (int j = 0; j < CLASSES; j++)
        answer += ((double)logits_moved[j] - (double)logits[j]) *
                  ((double)logits_moved[j] - (double)logits[j]);
    for (int i = 0; i < INPUTS; i++)
        slope_change += fabs((double)slope[i] - (double)slope_moved[i]);
    double bound = spectral_norm(w) * sqrt(change);
    printf("derivative here and there differ by %g\n", slope_change);
    printf("input moved by %.4f: logits moved by %.4f, at most %.4f\n", sqrt(change), sqrt(answer),
           bound);
    return !(slope_change == 0 && sqrt(answer) <= bound * 1.0001);
}

int main(void) {
    dpr_context *context;
    struct probe probe = {0};
    if (dpr_context_create(NULL, &context))
        return failed(context);
    int wrong =
        count_parameters(context) || make_probe(context, &probe) || probe_model(context, &probe);
    dpr_program_destroy(probe.program);
    dpr_store_destroy(probe.store);
    dpr_context_destroy(context);
    return wrong;
}
