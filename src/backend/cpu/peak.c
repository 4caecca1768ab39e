/* The machine's peak, measured: what a bench is held against. Every member multiplies one tile whose operands stay in its caches, at the
 * same time, and the best of its repetitions counts. */
#include "backend/cpu/cpu.h"
#include "base/clock.h"
#include "base/context.h"

/* SIDE rows: whole register blocks of 4, 14 or 16 rows, which most kernels have; those of others lack one row at most. */
enum { SIDE = 112, DEPTH = 256, REPEATS = 1000, LONGEST_NS = 5000000 };

struct peak {
    const dpr__kernel *kernel;
    bool halves;   /* each float is a pair of bf16 */
    float *memory; /* for each member: a, b, c */
    size_t each;
    uint64_t ns[1024];
};

static void multiply(void *user, unsigned member) {
    struct peak *peak = user;
    float *a = peak->memory + member * peak->each, *b = a + SIDE * DEPTH;
    dpr__tile_call call = {.a = a,
                           .a_chunk = SIDE * (peak->halves ? DPR__PANEL / 2 : DPR__PANEL),
                           .a_row = peak->halves ? DPR__PANEL / 2 : DPR__PANEL,
                           .b = b,
                           .m = SIDE,
                           .columns = DPR__PANEL,
                           .k = DEPTH,
                           .c = b + DEPTH * DPR__PANEL,
                           .c_stride = DPR__PANEL};
    const dpr__tile_kernel *kernel = peak->kernel->run.tile;
    peak->ns[member] = UINT64_MAX;
    uint64_t end = dpr__now_ns() + LONGEST_NS;
    for (int i = 0; i < REPEATS; i++) {
        uint64_t begin = dpr__now_ns();
        if (i > 2 && begin > end)
            break;
        kernel->multiply(&call);
        uint64_t ns = dpr__now_ns() - begin;
        peak->ns[member] = ns < peak->ns[member] ? ns : peak->ns[member];
    }
    if (kernel->leave != NULL)
        kernel->leave();
}

dpr_status dpr_bench_peak(dpr_context *context, const char *precision, double *gflops) {
    dpr__precision_word word;
    DPR_TRY(dpr__precision_of(context, precision, &word));
    bool halves = word == DPR__PRECISION_BF16;
    struct peak peak = {.halves = halves,
                        .kernel = dpr__kernel_find(halves ? DPR__HALF_TILE : DPR__TILE,
                                                   DPR__OP_matmul, DPR_F32, context->isa),
                        .each = SIDE * DEPTH + DEPTH * DPR__PANEL + SIDE * DPR__PANEL};
    if (context->device == DPR__DEVICE_REF) {
        *gflops = 0;
        return DPR_OK;
    }
    if (context->team == NULL)
        DPR_TRY(dpr__team_create(context, context->threads, &context->team));
    unsigned n = dpr__team_size(context->team);
    DPR_TRY(dpr__allocate_aligned(context, n * peak.each * sizeof(float), 64, &peak.memory));
    dpr__team_run(context->team, multiply, &peak);
    *gflops = 0;
    for (unsigned i = 0; i < n; i++)
        *gflops += (halves ? 4.0 : 2.0) * SIDE * DPR__PANEL * DEPTH / (double)peak.ns[i];
    dpr__free_aligned(context, peak.memory);
    return DPR_OK;
}
