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
        int64_t from = index[i / row->entry_rows];
        from = from < 0 ? 0 : from >= row->n_entries ? row->n_entries - 1 : from;
        int64_t at = (from * row->entry_rows + i % row->entry_rows) * row->chain.columns + column;
        if (row->pool_bytes == 1)
            row->cast(NULL, (const uint8_t *)values->memory[row->pool] + at, NULL, dst, (size_t)n);
        else if (n == DPR__PANEL) /* a length that the compiler knows */
            memcpy(dst, (const float *)values->memory[row->pool] + at, DPR__PANEL * sizeof *dst);
        else
            memcpy(dst, (const float *)values->memory[row->pool] + at, (size_t)n * sizeof *dst);
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
    row->entry_rows = dpr__node_of(step->graph, row->index)->shape.rank == 0 ? row->chain.rows : 1;
    row->pool_bytes = dpr__dtype_bytes(node->dtype);
    row->flops = row->chain.flops;
    row->bytes =
        row->chain.bytes + (uint64_t)(row->chain.rows * row->chain.columns) * row->pool_bytes;
    row->run = run;
    if (row->chain.n == 0 && row->chain.n_outputs == 1 && !row->chain.outputs[0].staged)
        row->run = run_plain;
    row->cast = dpr__kernel_find(DPR__SPAN, DPR__OP_cast, DPR_U8, step->context->isa)->run.span;
    row->kernel = dpr__cpu_chosen(plan, node->dtype == DPR_U8 ? "gather_u8" : "gather_f32", node);
    dpr__cpu_cut_panels(row);
    row->tile_at = (row->chain.scratch_floats + 15) / 16 * 16;
    row->scratch_floats = row->tile_at + (size_t)row->tile_rows * DPR__PANEL;
    return DPR_OK;
}
