/* The table of kernels.def. */
#include "backend/cpu/kernel.h"

#define SPAN_DECLARE(function) dpr__span_kernel function;
#define TILE_DECLARE(function) extern const dpr__tile_kernel function;
#define HALF_TILE_DECLARE(function) extern const dpr__tile_kernel function;
#define HALVES_DECLARE(function) extern const dpr__half_kernel function;
#define WINOGRAD_DECLARE(function) extern const dpr__winograd_kernel function;
#define DEPTHWISE_DECLARE(function) extern const dpr__depthwise_kernel function;
#define HALF_WINOGRAD_DECLARE(function) extern const dpr__winograd_half_kernel function;
#define SUMS_DECLARE(function) extern const dpr__sums_kernel function;
#define PIXELS_DECLARE(function) dpr__pixels_kernel function;
#define SPARSE_DECLARE(function) extern const dpr__sparse_kernel function;
#define ROWS_DECLARE(function) extern const dpr__rows_kernel function;
#define KERNEL(class, op, dtype, isa, function) class##_DECLARE(function)
#include "backend/cpu/kernels.def"
#undef KERNEL

#define SPAN_MEMBER(function) .span = function
#define TILE_MEMBER(function) .tile = &function
#define HALF_TILE_MEMBER(function) .tile = &function
#define HALVES_MEMBER(function) .halves = &function
#define WINOGRAD_MEMBER(function) .winograd = &function
#define DEPTHWISE_MEMBER(function) .depthwise = &function
#define HALF_WINOGRAD_MEMBER(function) .half_winograd = &function
#define SUMS_MEMBER(function) .sums = &function
#define PIXELS_MEMBER(function) .pixels = function
#define SPARSE_MEMBER(function) .sparse = &function
#define ROWS_MEMBER(function) .rows = &function
#define KERNEL(class, op, dtype, isa, function)                                                    \
    {#function,   DPR__##class,   DPR__OP_##op,                                                    \
     DPR_##dtype, DPR__ISA_##isa, {class##_MEMBER(function)}},
const dpr__kernel dpr__kernels[] = {
#include "backend/cpu/kernels.def"
};
#undef KERNEL

const size_t dpr__n_kernels = sizeof dpr__kernels / sizeof *dpr__kernels;

const dpr__kernel *dpr__kernel_find(dpr__kernel_class class, dpr__op_id op, dpr_dtype dtype,
                                    dpr__isa cap) {
    for (size_t i = 0; i < dpr__n_kernels; i++) {
        const dpr__kernel *kernel = &dpr__kernels[i];
        if (kernel->class == class && kernel->op == op && kernel->dtype == dtype &&
            kernel->isa <= cap)
            return kernel;
    }
    return NULL;
}

#define STRIP(name, text)                                                                          \
    dpr__strip_kernel dpr__##name##_generic, dpr__##name##_avx2, dpr__##name##_avx512;
#define UPDATE STRIP
#include "backend/cpu/strips.def"
#undef STRIP

#if defined(__x86_64__)
#define STRIP(name, text)                                                                          \
    {#name, #text, {dpr__##name##_generic, dpr__##name##_avx2, dpr__##name##_avx512}},
#else
#define STRIP(name, text) {#name, #text, {dpr__##name##_generic}},
#endif
const dpr__strip dpr__strips[] = {
#include "backend/cpu/strips.def"
};
#undef STRIP
#undef UPDATE

const size_t dpr__n_strips = sizeof dpr__strips / sizeof *dpr__strips;
