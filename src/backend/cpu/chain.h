/* Chains: the elementwise ops of a group over its iteration space, after a tile of a product or a gather where the group has
 * one. A chain whose text stands in strips.def runs in registers; others one op at a time over spans that stay in L1. */
#ifndef DPR_BACKEND_CPU_CHAIN_H
#define DPR_BACKEND_CPU_CHAIN_H

#include "backend/cpu/kernel.h"
#include "backend/values.h"

/* An operand of an instruction: the result of register `index`, or memory operand `index`. */
typedef struct dpr__operand {
    bool is_register;
    uint16_t index;
} dpr__operand;

typedef struct dpr__instruction {
    dpr__span_kernel *run;
    const void *param;
    uint32_t n_src;
    dpr__operand src[2];
    int output; /* written at once; −1: to its register */
    bool
        copies; /* src[0], but for what a prefix leaves out: where that is nothing, no number moves */
    bool prefix; /* rows beyond those that memory operand src[1] counts become 0 */
} dpr__instruction;

/* A sum over all rows that ends a chain (sum, squared_deviations): what a tile adds to it stands in scratch, 32 columns each. */
typedef struct dpr__chain_sum {
    dpr_value value;
    dpr__operand src;
    bool squares;  /* squared_deviations: the tile's mean, then Σ (src − mean)² */
    uint16_t rows; /* of it: the memory operand that counts rows */
    size_t at;     /* floats into scratch: sums, then squares, then what both were shifted by */
} dpr__chain_sum;

/* A stored value that the chain reads. */
typedef struct dpr__memory {
    dpr_value value;
    dpr__pattern pattern; /* as instructions see it */
    dpr__pattern lies;    /* in a flat chain rows and columns are spread out to FULL first */
    size_t bytes;         /* of one element */
    bool staged;          /* copied to scratch, as the chain's rows of floats or spread out */
    dpr__form form;
    int64_t row_floats;  /* from one row of the value to the next */
    size_t stage, splat; /* floats into scratch: the copy, and a span of it repeated */
} dpr__memory;

typedef struct dpr__output {
    dpr_value value;
    uint16_t reg;
    bool direct;  /* its instruction writes it at once */
    bool staged;  /* not as the chain's rows lie */
    bool in_tile; /* not stored, but left in the tile for whoever pools it */
    int same_as; /* the output in panels that holds the same numbers, of which this one is rounded; −1: none */
    size_t stage;
    dpr__form form;
    int64_t row_floats;
    size_t pairs_at; /* bytes to the pairs of bf16 */
} dpr__output;

/* Register 0 is the tile of an anchored chain; instruction i makes register i + 1. */
typedef struct dpr__chain {
    const char *name;         /* of the kernel, for people */
    dpr__strip_kernel *strip; /* NULL: spans */
    dpr__strip_id strip_id;
    const dpr__half_kernel *halves;
    bool in_panels; /* rows × columns in panels; else `columns` elements in one row */
    int64_t rows, columns;
    /* A narrow map (form.h) has `fold` rows in each of the chain's rows of 32 floats, row_floats apart; others one, of 32. */
    int64_t fold, row_floats;
    dpr__instruction *instructions;
    uint32_t n;
    dpr__memory *memory;
    uint32_t n_memory;
    dpr__output *outputs;
    uint32_t n_outputs;
    dpr__chain_sum *sums;
    uint32_t n_sums;
    const dpr__sums_kernel *adds;
    /* The first dimension, of which prefix and squared_deviations count some, and elements of the chain's tiles in each of it. */
    int64_t entries, entry_elements;
    float *constants;
    uint32_t n_constants;
    size_t registers;      /* floats into scratch */
    size_t scratch_floats; /* what it uses of it */
    uint64_t flops, bytes; /* of the whole space */
} dpr__chain;

enum {
    DPR__FLAT_TILE = 8192, /* most elements of a flat chain's tile: some 32 KB a stream */
    DPR__CHAIN_SPAN = 256, /* elements that an op takes at a time where there is no strip */
};

/* The chain of group's members from `first` on; anchor (0: none) is register 0. `tile_rows`: most rows of a tile. *supported is false,
 * and nothing else said, when a member has no kernel. */
dpr_status dpr__chain_compile(dpr__arena *arena, const dpr__step *step, const dpr__group *group,
                              dpr_value anchor, int64_t tile_rows, dpr__chain *chain,
                              bool *supported);
/* The operands of one tile, resolved: rows row … row + rows − 1, of 32 floats, of panel `panel`; tile: such rows, or NULL. Between open and close every
 * row is computed once, by dpr__chain_compute or by the strip with `call`. */
enum { DPR__CHAIN_MOST = 64 }; /* memory operands, registers */
typedef struct dpr__chain_tile {
    const void *memory[DPR__CHAIN_MOST];
    float *output[DPR__CHAIN_MOST];
    dpr__strip_call call;
    int64_t row, rows, panel;
} dpr__chain_tile;
void dpr__chain_open(const dpr__chain *chain, const dpr__values *values, float *scratch,
                     const float *tile, int64_t row, int64_t rows, int64_t panel,
                     dpr__chain_tile *open);
void dpr__chain_compute(const dpr__chain *chain, float *scratch, const dpr__chain_tile *open);
void dpr__chain_close(const dpr__chain *chain, const dpr__values *values,
                      const dpr__chain_tile *open);
/* All three. */
void dpr__chain_run(const dpr__chain *chain, const dpr__values *values, float *scratch,
                    const float *tile, int64_t row, int64_t rows, int64_t panel);
/* For a chain that computes nothing and has one output, plain or bf16: rows of its tile, src_row floats apart, to their place. */
void dpr__chain_put(const dpr__chain *chain, const dpr__values *values, const float *src,
                    int64_t src_row, int64_t row, int64_t rows, int64_t panel);
/* Elements of the space, from element `base` of it on, that lie in the entries that memory operand `rows` counts. */
int64_t dpr__chain_valid(const dpr__chain *chain, const int32_t *rows, int64_t base);
/* Elements first … first + n − 1 of a flat chain. */
void dpr__chain_run_flat(const dpr__chain *chain, const dpr__values *values, float *scratch,
                         int64_t first, int64_t n);

#endif
