/* The backward graph is made from the ops alone: a network nobody wrote a derivative for, differentiated, and each gradient node
 * traced to the forward op that it comes from. Then differentiated again: d²(x³)/dx² = 6x. */
#include <deeper/deeper.h>
#include <stdio.h>

static int failed(const dpr_context *context) {
    fprintf(stderr, "backward_graph: %s\n", dpr_error(context));
    return 1;
}

int main(void) {
    dpr_context *context;
    dpr_store *store;
    dpr_program *program;
    if (dpr_context_create(NULL, &context) || dpr_store_create(context, &store))
        return 1;
    dpr_graph *g = dpr_graph_create(context);
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(3)), first = 0, second = 0;
    dpr_value cube = dpr_multiply(g, dpr_multiply(g, x, x), x);
    if (dpr_gradients(g, dpr_sum(g, cube, 1, false), &x, 1, &first) ||
        dpr_gradients(g, dpr_sum(g, first, 1, false), &x, 1, &second) ||
        dpr_program_create(g, store, (dpr_value[]){cube, first, second}, 3, NULL, &program))
        return failed(context);
    const float at[3] = {-1, 0.5F, 2};
    float value[3], slope[3], curvature[3];
    if (dpr_store_write(store, "x", at, sizeof at) || dpr_program_run(program, 1, NULL, NULL) ||
        dpr_program_read(program, cube, value, sizeof value) ||
        dpr_program_read(program, first, slope, sizeof slope) ||
        dpr_program_read(program, second, curvature, sizeof curvature))
        return failed(context);
    int wrong = 0;
    printf("     x     x^3  slope  curvature\n");
    for (int i = 0; i < 3; i++) {
        printf("%6.2f %7.3f %6.2f %10.2f\n", (double)at[i], (double)value[i], (double)slope[i],
               (double)curvature[i]);
        wrong |= slope[i] != 3 * at[i] * at[i] || curvature[i] != 6 * at[i];
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
    return wrong;
}
