/* The cpu backend's plan: an array of rows, run in phases by the team. */
#ifndef DPR_BACKEND_CPU_CPU_H
#define DPR_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "backend/cpu/kernel.h"
#include "backend/values.h"
#include "base/team.h"
#include <stdatomic.h>

enum {
    DPR__SPAN_ELEMENTS =
        256, /* of one register of a pointwise program: 1 KB, so that all stay in L1 */
    DPR__SPAN_REGISTERS = 32,
};

/* An operand of an instruction: a register of the program, or stored memory. */
typedef struct dpr__operand {
    bool is_register;
    uint8_t pattern; /* dpr__pattern, of memory */
    uint8_t bytes;   /* of one element */
    uint16_t reg;
    dpr_value value;
} dpr__operand;

/* dst = kernel(src…) on a span. The result goes to memory at once (direct), or to a register from which it is stored
 * when the span is done, since a later instruction still reads what it would overwrite. */
typedef struct dpr__instruction {
    dpr__span_kernel *run;
    const void *param;
    uint32_t n_src;
    dpr__operand src[2];
    dpr_value store; /* 0: not stored */
    bool direct;
} dpr__instruction;

typedef struct dpr__row dpr__row;
struct dpr__row {
    void (*run)(const dpr__row *row, const dpr__values *values, void *scratch, int64_t first,
                int64_t last);
    const char *kernel;
    uint32_t group, phase;
    bool serial; /* too small to share */
    int64_t n_tiles;
    uint64_t flops, bytes;
    /* pointwise programs and contractions: space (rows × columns) in tiles; register i holds the result of
     * instruction i, the register after the last a contraction's tile */
    const dpr__instruction *program;
    uint32_t n_instructions;
    int64_t rows, columns, tile_rows, tile_columns;
    /* contractions */
    dpr__tile_kernel *tile;
    dpr__tile_call contraction; /* strides and k */
    dpr_value a, b;
    bool keep_product; /* the matmul itself is stored */
    dpr_value product;
    /* row kernels and reference kernels */
    void (*rows_run)(const dpr__call *call, int64_t first, int64_t last);
    const dpr__op *op;
    dpr__call call;
    int64_t n_units, tile_units;
    dpr_value node;
};

typedef struct dpr__cpu_plan {
    dpr__values values;
    dpr__row *rows;
    size_t n_rows;
    dpr__arena arena; /* programs, operands */
    bool serial;      /* no row is worth a second thread */
    size_t scratch_bytes;
    char **scratch; /* one for each member */
    unsigned n_scratch;
    bool *phase_serial; /* (phases) */
    size_t *phase_end;  /* (phases) index after the last row */
    /* of the run that is going on */
    unsigned members;
    uint64_t ticks, done;
    const volatile int *stop;
    atomic_bool failed, ended;
} dpr__cpu_plan;

/* Makes the row of a group. */
dpr_status dpr__cpu_compile_group(dpr__cpu_plan *plan, uint32_t group, dpr__row *row);
/* Bytes of scratch that the rows need. */
size_t dpr__cpu_scratch_bytes(void);

/* How rows of each kind run tiles first … last−1. */
void dpr__cpu_run_pointwise(const dpr__row *row, const dpr__values *values, void *scratch,
                            int64_t first, int64_t last);
void dpr__cpu_run_contraction(const dpr__row *row, const dpr__values *values, void *scratch,
                              int64_t first, int64_t last);
void dpr__cpu_run_rows(const dpr__row *row, const dpr__values *values, void *scratch, int64_t first,
                       int64_t last);
void dpr__cpu_run_reference(const dpr__row *row, const dpr__values *values, void *scratch,
                            int64_t first, int64_t last);

#endif
