/* Gathers that make a matrix: each row is found by its index, converted where the pool holds bytes, and put into its panel; the
 * group's chain (normalisation) runs on the tile while it is in L1. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum { TILE_ROWS = 32 };

static void take(const dpr__row *row, const dpr__values *values, const dpr__tile *tile,
                 float *dst) {
    const int32_t *index = values->memory[row->index];
    int64_t column = tile->panel * DPR__PANEL, left = row->chain.columns - column;
    int64_t n = left < DPR__PANEL ? left : DPR__PANEL;
    for (int64_t i = tile->row; i < tile->row + tile->rows; i++, dst += DPR__PANEL) {
        int64_t from = dpr__clamped(index[i / row->entry_rows], row->n_entries);
        int64_t at = (from * row->entry_rows + i % row->entry_rows) * row->chain.columns + column;
        if (row->pool_bytes == 1) {
            const uint8_t *src = (const uint8_t *)values->memory[row->pool] + at;
            /* Too many rows go side by side for the hardware to fetch ahead. */
            __builtin_prefetch(src + 64);
            row->cast(NULL, src, NULL, dst, (size_t)n);
        } else if (n == DPR__PANEL) {
            /* A length that the compiler knows. */
            const float *src = (const float *)values->memory[row->pool] + at;
            __builtin_prefetch(src + DPR__PANEL);
            __builtin_prefetch(src + DPR__PANEL + 16);
            memcpy(dst, src, DPR__PANEL * sizeof *dst);
        } else {
            memcpy(dst, (const float *)values->memory[row->pool] + at, (size_t)n * sizeof *dst);
        }
    }
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    for (int64_t t = first; t < last; t++) {
        dpr__tile tile = dpr__cpu_tile(row, t);
        take(row, values, &tile, scratch + row->tile_at);
        dpr__chain_run(&row->chain, values, scratch, scratch + row->tile_at, tile.row, tile.rows,
                       tile.panel);
    }
}

/* Nothing is computed: rows go where they belong. */
static void run_plain(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                      int64_t last) {
    (void)scratch;
    float *dst = values->memory[row->chain.outputs[0].value];
    for (int64_t t = first; t < last; t++) {
        dpr__tile tile = dpr__cpu_tile(row, t);
        take(row, values, &tile, dst + (tile.panel * row->chain.rows + tile.row) * DPR__PANEL);
    }
}

/* Rows of one entry are rounded as they are read. */
static void run_rounded(const dpr__row *row, const dpr__values *values, float *scratch,
                        int64_t first, int64_t last) {
    (void)scratch;
    const dpr__chain *chain = &row->chain;
    int64_t from = dpr__clamped(*(const int32_t *)values->memory[row->index], row->n_entries);
    const float *entry =
        (const float *)values->memory[row->pool] + from * chain->rows * chain->columns;
    for (int64_t t = first; t < last; t++) {
        dpr__tile tile = dpr__cpu_tile(row, t);
        const float *src = entry + tile.row * chain->columns + tile.panel * DPR__PANEL;
        dpr__chain_put(chain, values, src, chain->columns, tile.row, tile.rows, tile.panel);
    }
}

/* Nothing is copied: readers find the entry in its pool. */
static void run_entry(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                      int64_t last) {
    (void)scratch, (void)first, (void)last;
    int64_t from = dpr__clamped(*(const int32_t *)values->memory[row->index], row->n_entries);
    values->memory[row->entry] =
        (float *)values->memory[row->pool] + from * row->chain.rows * row->chain.columns;
}

static void compile_entry(dpr__cpu_plan *plan, dpr_value gather, dpr__row *row) {
    row->entry = gather;
    row->n_tiles = 1;
    row->bytes = sizeof(int32_t);
    row->run = run_entry;
    row->kernel = dpr__cpu_chosen(plan, "entry", dpr__node_of(plan->values.step->graph, gather));
}

static bool is_rounded_entry(const dpr__row *row) {
    return row->chain.n == 0 && row->chain.n_outputs == 1 && row->entry_rows == row->chain.rows &&
           row->pool_bytes == sizeof(float) && dpr__form_is_half(row->chain.outputs[0].form);
}

dpr_status dpr__cpu_compile_gather(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                   bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value gather = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, gather);
    row->pool = dpr__source(step->graph, gather, 0);
    row->index = dpr__source(step->graph, gather, 1);
    row->tile_rows = TILE_ROWS;
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, gather, row->tile_rows, &row->chain,
                               supported));
    row->n_entries = dpr__node_of(step->graph, row->pool)->shape.dim[0];
    if (step->placements[gather].home == DPR__HOME_ENTRY) {
        compile_entry(plan, gather, row);
        return DPR_OK;
    }
    row->entry_rows = dpr__node_of(step->graph, row->index)->shape.rank == 0 ? row->chain.rows : 1;
    row->pool_bytes = dpr__dtype_bytes(node->dtype);
    row->flops = row->chain.flops;
    row->bytes =
        row->chain.bytes + (uint64_t)(row->chain.rows * row->chain.columns) * row->pool_bytes;
    row->run = run;
    if (row->chain.n == 0 && row->chain.n_outputs == 1 && !row->chain.outputs[0].staged)
        row->run = run_plain;
    else if (is_rounded_entry(row)) {
        row->run = run_rounded;
        row->tile_rows = 8;
    }
    row->cast = dpr__kernel_find(DPR__SPAN, DPR__OP_cast, DPR_U8, step->context->isa)->run.span;
    row->kernel = dpr__cpu_chosen(plan, node->dtype == DPR_U8 ? "gather_u8" : "gather_f32", node);
    dpr__cpu_cut_panels(row);
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    row->scratch_floats = row->tile_at + (size_t)row->tile_rows * DPR__PANEL;
    return DPR_OK;
}
