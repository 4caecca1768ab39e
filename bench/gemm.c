/* How fast the engine multiplies matrices that lie as it keeps them: square and layer shapes, all threads, float32 and bf16, as JSON lines.
 * bench/peers/gemm.py holds them against OpenBLAS, MKL and oneDNN. */
#include "base/clock.h"
#include <deeper/deeper.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPETITIONS = 400 };

static const int64_t SHAPES[][3] = {
    {256, 256, 256},  {512, 512, 512},   {1024, 1024, 1024}, {2048, 2048, 2048}, {32, 784, 1024},
    {128, 784, 1024}, {128, 1024, 1024}, {512, 1024, 1024},  {784, 128, 1024},   {1024, 128, 1024}};

static int by_time(const void *x, const void *y) {
    uint64_t p = *(const uint64_t *)x, q = *(const uint64_t *)y;
    return p < q ? -1 : p > q;
}

static dpr_status fill(dpr_store *store, const char *leaf, int64_t n) {
    float *values = malloc((size_t)n * sizeof *values);
    if (values == NULL)
        return DPR_E_MEMORY;
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)(i * 7919 % 2003 - 1001) / 1000;
    dpr_status status = dpr_store_write(store, leaf, values, (size_t)n * sizeof *values);
    free(values);
    return status;
}

/* Median microseconds of c = a·b, m × k by k × n, over about half a second. */
static dpr_status time_product(dpr_context *context, const int64_t shape[3], double *us) {
    static uint64_t ns[REPETITIONS];
    dpr_store *store;
    dpr_program *program = NULL;
    dpr_graph *graph = dpr_graph_create(context);
    int64_t m = shape[0], k = shape[1], n = shape[2];
    dpr_status status = dpr_store_create(context, &store);
    if (status != DPR_OK)
        return status;
    dpr_value a = dpr_state(graph, "a", DPR_F32, dpr_shape_of(m, k));
    dpr_value b = dpr_state(graph, "b", DPR_F32, dpr_shape_of(k, n));
    dpr_value c = dpr_matmul(graph, a, b, 0);
    status = dpr_program_create(graph, store, &c, 1, NULL, &program);
    if (status == DPR_OK)
        status = fill(store, "a", m * k);
    if (status == DPR_OK)
        status = fill(store, "b", k * n);
    size_t count = 0;
    for (uint64_t end = dpr__now_ns() + 600000000U; status == DPR_OK && count < REPETITIONS;
         count++) {
        uint64_t begin = dpr__now_ns();
        if (begin > end && count > 4)
            break;
        status = dpr_program_run(program, 1, NULL, NULL);
        ns[count] = dpr__now_ns() - begin;
    }
    qsort(ns, count, sizeof *ns, by_time);
    *us = count > 0 ? (double)ns[count / 2] / 1000 : 0;
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(graph);
    return status;
}

int main(void) {
    static const char *const PRECISIONS[] = {"float32", "bf16"};
    for (int p = 0; p < 2; p++) {
        dpr_context *context;
        dpr_context_options options = dpr_context_options_default();
        options.precision = PRECISIONS[p];
        if (dpr_context_create(&options, &context) != DPR_OK)
            return 1;
        for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
            double us, work = 2.0;
            if (time_product(context, SHAPES[i], &us) != DPR_OK) {
                fprintf(stderr, "%s\n", dpr_error(context));
                return 1;
            }
            for (int d = 0; d < 3; d++)
                work *= (double)SHAPES[i][d];
            printf(
                "{\"m\": %d, \"k\": %d, \"n\": %d, \"precision\": \"%s\", \"threads\": %u, \"us\": "
                "%.2f, \"gflops\": %.1f}\n",
                (int)SHAPES[i][0], (int)SHAPES[i][1], (int)SHAPES[i][2], PRECISIONS[p],
                dpr_context_threads(context), us, work / us / 1000);
        }
        dpr_context_destroy(context);
    }
    return 0;
}
