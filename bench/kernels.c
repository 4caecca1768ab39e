/* Times every kernel of kernels.def that this machine can run, on one thread: median of repetitions, with GF/s or GB/s. What the figures are
 * to be held against: a core's peak is cycles/s × lanes × 2 × FMA units; the elementwise kernels here work in the first-level cache. */
#include "backend/cpu/kernel.h"
#include "base/clock.h"
#include "base/random.h"
#include "ir/shape.h"
#include <stdio.h>
#include <stdlib.h>

enum { N = 4096, ROWS = 64, COLUMNS = 64, REPETITIONS = 201, TILE = 128, DEPTH = 256 };

static float a[TILE * DEPTH], b[TILE * DEPTH], c[TILE * DEPTH];

static int by_time(const void *x, const void *y) {
    uint64_t p = *(const uint64_t *)x, q = *(const uint64_t *)y;
    return p < q ? -1 : p > q;
}

/* Median nanoseconds of a call. */
static double time_of(void (*call)(const dpr__kernel *kernel), const dpr__kernel *kernel) {
    static uint64_t ns[REPETITIONS];
    for (int i = 0; i < REPETITIONS; i++) {
        uint64_t begin = dpr__now_ns();
        call(kernel);
        ns[i] = dpr__now_ns() - begin;
    }
    qsort(ns, REPETITIONS, sizeof *ns, by_time);
    return (double)ns[REPETITIONS / 2];
}

static void call_span(const dpr__kernel *kernel) {
    static const dpr__scale_param scale = {.factor = 1.5};
    for (int i = 0; i < 16; i++)
        kernel->run.span(&scale, a, b, c, N);
}

static void call_tile(const dpr__kernel *kernel) {
    kernel->run.tile->multiply(&(dpr__tile_call){.a = a,
                                                 .a_chunk = TILE * DPR__PANEL,
                                                 .a_row = DPR__PANEL,
                                                 .b = b,
                                                 .m = TILE,
                                                 .columns = DPR__PANEL,
                                                 .k = DEPTH,
                                                 .c = c});
}

/* Every operand of a strip in one buffer: the chains only add, multiply and divide. */
static const dpr__strip *strip;
static int strip_isa;
static void call_strip(const dpr__kernel *kernel) {
    static const float *const memory[] = {a, b, a, b, a, b, a, b};
    static float *const output[] = {c, c, c};
    (void)kernel;
    for (int i = 0; i < 16; i++)
        strip->run[strip_isa](&(dpr__strip_call){a, memory, output, b}, 0, N / DPR__PANEL);
}

/* One set of arguments does for all row kernels but gather, one_hot and draw, which are bound by memory or by Philox. */
static void call_rows(const dpr__kernel *kernel) {
    static const dpr__sum_param last = {.axes = 2}, first = {.axes = 1};
    dpr_shape space = dpr_shape_of(ROWS, COLUMNS), row = dpr_shape_of(ROWS);
    dpr__tensor src[2] = {{DPR_F32, space, a, DPR__PLAIN}, {DPR_F32, space, b, DPR__PLAIN}};
    dpr__call call = {&last, src, {DPR_F32, space, c, DPR__PLAIN}};
    if (kernel->op == DPR__OP_sum || kernel->op == DPR__OP_argmax ||
        kernel->op == DPR__OP_softmax_cross_entropy)
        call.dst.shape = row;
    if (kernel->op == DPR__OP_sum && !kernel->run.rows->accepts(&call))
        call.param = &first;
    kernel->run.rows->run(&call, 0, kernel->run.rows->units(&call));
}

static void print(const dpr__kernel *kernel, double ns, double work, const char *unit) {
    printf("%-26s %-8s %10.0f ns %8.1f %s\n", kernel->name, dpr__isa_name(kernel->isa), ns,
           work / ns, unit);
}

int main(void) {
    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        a[i] = (float)dpr__unit(dpr__philox(1, DPR__PURPOSE_LETTERS, 0, i).word[0]) + 0.1F;
    for (size_t i = 0; i < sizeof b / sizeof *b; i++)
        b[i] = (float)dpr__unit(dpr__philox(1, DPR__PURPOSE_LETTERS, 1, i).word[0]) + 0.1F;
    for (size_t k = 0; k < dpr__n_kernels; k++) {
        const dpr__kernel *kernel = &dpr__kernels[k];
        if (kernel->isa > dpr__isa_detect()) {
            printf("%-26s %-8s not on this machine\n", kernel->name, dpr__isa_name(kernel->isa));
            continue;
        }
        if (kernel->class == DPR__TILE)
            print(kernel, time_of(call_tile, kernel), 2.0 * TILE * DPR__PANEL * DEPTH, "GF/s");
        else if (kernel->class == DPR__SPAN)
            print(kernel, time_of(call_span, kernel),
                  16.0 * N * sizeof(float) * (1.0 + dpr__op_arity[kernel->op]), "GB/s");
        else if (kernel->op != DPR__OP_gather && kernel->op != DPR__OP_one_hot &&
                 kernel->op != DPR__OP_draw && kernel->op != DPR__OP_order)
            print(kernel, time_of(call_rows, kernel), ROWS * COLUMNS, "elements/ns");
    }
    for (size_t s = 0; s < dpr__n_strips; s++)
        for (strip_isa = 0; strip_isa <= (int)dpr__isa_detect(); strip_isa++) {
            strip = &dpr__strips[s];
            if (strip->run[strip_isa] != NULL)
                printf("%-26s %-8s %10.0f ns %8.1f elements/ns\n", strip->name,
                       dpr__isa_name((dpr__isa)strip_isa), time_of(call_strip, NULL),
                       16.0 * N / time_of(call_strip, NULL));
        }
    return 0;
}
