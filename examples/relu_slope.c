/* relu and its derivative, as the engine computes them: 0 below 0, 1 above, and 0 at 0 by definition. Plotted. */
#include <deeper/deeper.h>
#include <stdio.h>

enum { N = 13 };

int main(void) {
    dpr_context *context;
    if (dpr_context_create(NULL, &context))
        return 1;
    dpr_graph *graph = dpr_graph_create(context);
    dpr_store *store = NULL;
    dpr_program *program = NULL;
    dpr_value x = dpr_input(graph, "x", DPR_F32, dpr_shape_of(N)), slope = 0;
    dpr_value y = dpr_relu(graph, x);
    float at[N], value[N], derivative[N];
    for (int i = 0; i < N; i++)
        at[i] = 0.5F * (float)(i - N / 2);
    if (dpr_gradients(graph, dpr_sum(graph, y, 1, false), &x, 1, &slope) ||
        dpr_store_create(context, &store) ||
        dpr_program_create(graph, store, (dpr_value[]){y, slope}, 2, NULL, &program) ||
        dpr_store_write(store, "x", at, sizeof at) || dpr_program_run(program, 1, NULL, NULL) ||
        dpr_program_read(program, y, value, sizeof value) ||
        dpr_program_read(program, slope, derivative, sizeof derivative)) {
        fprintf(stderr, "relu_slope: %s\n", dpr_error(context));
        return 1;
    }
    int wrong = 0;
    printf("     x  relu  slope\n");
    for (int i = 0; i < N; i++) {
        printf("%6.1f %5.1f %6.0f  |%*s\n", (double)at[i], (double)value[i], (double)derivative[i],
               1 + (int)(value[i] * 10), "*");
        wrong |= derivative[i] != (at[i] > 0 ? 1.0F : 0.0F);
        wrong |= value[i] != (at[i] > 0 ? at[i] : 0.0F);
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(graph);
    dpr_context_destroy(context);
    return wrong;
}
