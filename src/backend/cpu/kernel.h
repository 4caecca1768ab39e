/* The kinds of kernel that kernels.def lists, and what they are called with. */
#ifndef DPR_BACKEND_CPU_KERNEL_H
#define DPR_BACKEND_CPU_KERNEL_H

#include "base/cpu.h"
#include "ir/op.h"

/* SPAN: an elementwise op over n consecutive elements; b is NULL for unary ops. dst may be a or b, exactly. */
typedef void dpr__span_kernel(const void *param, const void *a, const void *b, float *dst,
                              size_t n);

/* TILE: c (m × n, row-major, row stride ldc) = a (m × k) · b (k × n); element (i, l) of a lies at
 * a[i·a_row + l·a_column], likewise b. k is cut every DPR__TILE_K; each c element is summed in one fixed
 * order, which depends on k alone. */
enum { DPR__TILE_M = 128, DPR__TILE_N = 256, DPR__TILE_K = 256 };
typedef struct dpr__tile_call {
    const float *a, *b;
    int64_t a_row, a_column, b_row, b_column;
    int64_t m, n, k; /* m ≤ DPR__TILE_M, n ≤ DPR__TILE_N */
    float *c;
    int64_t ldc;
    bool
        b_is_packed; /* `packed` holds this b from the last call, whose n and k were the same, k ≤ DPR__TILE_K */
    float *packed; /* 64-byte aligned scratch of DPR__TILE_PACKED floats */
} dpr__tile_call;
enum { DPR__TILE_PACKED = (DPR__TILE_M + 16 + DPR__TILE_N + 32) * DPR__TILE_K };
typedef void dpr__tile_kernel(const dpr__tile_call *call);

/* ROWS: any other op, cut into units that are computed alone: rows, columns, elements. */
typedef struct dpr__rows_kernel {
    bool (*accepts)(const dpr__call *call);
    int64_t (*units)(const dpr__call *call);
    void (*run)(const dpr__call *call, int64_t first, int64_t last);
} dpr__rows_kernel;

typedef enum dpr__kernel_class { DPR__SPAN, DPR__TILE, DPR__ROWS } dpr__kernel_class;

typedef struct dpr__kernel {
    const char *name;
    dpr__kernel_class class;
    dpr__op_id op;
    dpr_dtype dtype; /* of the first source */
    dpr__isa isa;
    union {
        dpr__span_kernel *span;
        dpr__tile_kernel *tile;
        const dpr__rows_kernel *rows;
    } run;
} dpr__kernel;

/* All rows of kernels.def, best first. */
extern const dpr__kernel dpr__kernels[];
extern const size_t dpr__n_kernels;

/* The first kernel for op, dtype and class whose ISA is at most `cap`; NULL when there is none. */
const dpr__kernel *dpr__kernel_find(dpr__kernel_class class, dpr__op_id op, dpr_dtype dtype,
                                    dpr__isa cap);

#endif
