/* Matrix products: a tile of rows × one panel is summed block of k by block of k, then the group's chain runs on it while it is in L1.
 * Operands that lie as the kernel wants them are read in place; others are packed, a block at a time. */
#include "backend/cpu/cpu.h"
#include "base/context.h"

enum {
    TILE_ROWS = 128,   /* a tile's sums: 16 KB */
    TURNED_ROWS = 512, /* where b is packed for each tile: packed once for more rows */
    LEAST_ROWS = 16,
    BLOCK_K = 256,     /* b's block: 32 KB; b and the sums stay near */
    IN_L2 = 512 << 10, /* bytes of a that stay in L2 while all panels pass */
};

/* ---- packing ---- */

/* Whether element (i, l) of the factor, as the product sees it, is stored at (i, l) or (l, i). */
static float element(const dpr__factor *f, const float *memory, int64_t i, int64_t l) {
    int64_t r = f->transposed ? l : i, c = f->transposed ? i : l;
    return memory[c / DPR__PANEL * f->panel + r * f->row + c % DPR__PANEL];
}

/* a's rows row … row + m − 1, k from l on, as the kernel's form by rows. */
static void pack_a(const dpr__factor *a, const float *memory, int64_t row, int64_t m, int64_t l,
                   int64_t k, float *dst) {
    for (int64_t chunk = 0; chunk < k; chunk += DPR__PANEL, dst += m * DPR__PANEL)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < DPR__PANEL && chunk + j < k; j++)
                dst[i * DPR__PANEL + j] = element(a, memory, row + i, l + chunk + j);
}

/* b's panel of columns, k from l on: rows of 32. A transpose of panels is turned 32 × 32 at a time. */
static void pack_b(const dpr__row *row, const float *memory, int64_t panel, int64_t l, int64_t k,
                   float *dst) {
    const dpr__factor *b = &row->b;
    int64_t n = row->chain.columns - panel * DPR__PANEL, i = 0;
    bool whole = b->transposed && b->row == DPR__PANEL && n >= DPR__PANEL && l % DPR__PANEL == 0;
    for (; whole && i + DPR__PANEL <= k; i += DPR__PANEL)
        row->tile->turn(memory + (l + i) / DPR__PANEL * b->panel + panel * DPR__PANEL * DPR__PANEL,
                        dst + i * DPR__PANEL);
    for (; i < k; i++)
        for (int64_t j = 0; j < DPR__PANEL; j++)
            dst[i * DPR__PANEL + j] = j < n ? element(b, memory, l + i, panel * DPR__PANEL + j) : 0;
}

/* ---- running ---- */

static void set_a(const dpr__row *row, const float *memory, const dpr__tile *tile, int64_t l,
                  float *scratch, dpr__tile_call *call) {
    const dpr__factor *a = &row->a;
    call->by_columns = a->transposed && !a->packed;
    if (a->packed) {
        pack_a(a, memory, tile->row, tile->rows, l, call->k, scratch + a->stage);
        call->a = scratch + a->stage;
        call->a_chunk = tile->rows * DPR__PANEL;
    } else if (a->transposed) {
        call->a = memory + tile->row / DPR__PANEL * a->panel + l * DPR__PANEL;
        call->a_panel = a->panel;
        call->a_chunk = DPR__PANEL * DPR__PANEL;
    } else {
        call->a = memory + l / DPR__PANEL * a->panel + tile->row * DPR__PANEL;
        call->a_chunk = a->panel;
    }
}

static void multiply(const dpr__row *row, const dpr__values *values, const dpr__tile *tile,
                     float *scratch) {
    const float *a = values->memory[row->a.value], *b = values->memory[row->b.value];
    int64_t left = row->chain.columns - tile->panel * DPR__PANEL;
    dpr__tile_call call = {.m = tile->rows,
                           .columns = left < DPR__PANEL ? left : DPR__PANEL,
                           .c = scratch + row->tile_at};
    for (int64_t l = 0; l < row->k || l == 0; l += BLOCK_K) {
        call.k = row->k - l < BLOCK_K ? row->k - l : BLOCK_K;
        call.add = l > 0;
        set_a(row, a, tile, l, scratch, &call);
        call.b = b + tile->panel * row->b.panel + l * DPR__PANEL;
        if (row->b.packed) {
            pack_b(row, b, tile->panel, l, call.k, scratch + row->b.stage);
            call.b = scratch + row->b.stage;
        }
        row->tile->multiply(&call);
    }
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    for (int64_t t = first; t < last; t++) {
        dpr__tile tile = dpr__cpu_tile(row, t);
        multiply(row, values, &tile, scratch);
        dpr__chain_run(&row->chain, values, scratch, scratch + row->tile_at, tile.row, tile.rows,
                       tile.panel);
    }
}

/* ---- compiling ---- */

static dpr__factor factor_of(const dpr__step *step, dpr_value value, bool transposed) {
    const dpr_shape *shape = &dpr__node_of(step->graph, value)->shape;
    bool panels = step->forms[value] == DPR__PANELS;
    return (dpr__factor){.value = value,
                         .transposed = transposed,
                         .packed = !panels,
                         .row = panels ? DPR__PANEL : shape->dim[1],
                         .panel = panels ? DPR__PANEL * shape->dim[0] : DPR__PANEL,
                         .rows = shape->dim[0],
                         .columns = shape->dim[1]};
}

static int64_t n_tiles(int64_t rows, int64_t tile_rows, int64_t columns) {
    return dpr__ceil_divide(rows, tile_rows) * dpr__ceil_divide(columns, DPR__PANEL);
}

/* Large tiles, but some for every thread of a small machine where the work is worth it. A tile of a transpose begins with a panel
 * of it. */
static int64_t rows_of_tile(const dpr__row *row, int64_t rows, int64_t columns) {
    bool by_columns = row->a.transposed && !row->a.packed;
    int64_t most = row->b.packed ? TURNED_ROWS : TILE_ROWS,
            least = by_columns ? DPR__PANEL : LEAST_ROWS;
    int64_t tile = rows < most ? (rows > 1 ? rows : 1) : most;
    while (n_tiles(rows, tile, columns) < 4 && tile > least)
        tile = dpr__ceil_divide(tile, 2);
    return by_columns ? dpr__ceil_divide(tile, DPR__PANEL) * DPR__PANEL : tile;
}

static size_t aligned(size_t floats) {
    return (floats + 15) / 16 * 16;
}

static void place_scratch(dpr__row *row) {
    size_t at = aligned(row->chain.scratch_floats);
    row->tile_at = at;
    at += (size_t)row->tile_rows * DPR__PANEL;
    row->b.stage = at;
    at += row->b.packed ? (size_t)BLOCK_K * DPR__PANEL : 0;
    row->a.stage = at;
    at += row->a.packed ? (size_t)row->tile_rows * BLOCK_K : 0;
    row->scratch_floats = at;
}

dpr_status dpr__cpu_compile_contraction(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                        bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value product = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, product);
    const dpr__matmul_param *param = node->param;
    const dpr__kernel *kernel = dpr__kernel_find(DPR__TILE, node->op, DPR_F32, step->context->isa);
    row->a = factor_of(step, dpr__source(step->graph, product, 0), param->transpose_a);
    row->b = factor_of(step, dpr__source(step->graph, product, 1), param->transpose_b);
    row->b.packed |= row->b.transposed;
    row->k = param->transpose_a ? row->a.rows : row->a.columns;
    row->tile = kernel->run.tile;
    row->tile_rows = rows_of_tile(row, node->shape.dim[0], node->shape.dim[1]);
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, product, row->tile_rows, &row->chain,
                               supported));
    uint64_t a_bytes = dpr__value_bytes(step, row->a.value);
    row->down_first = row->b.packed || a_bytes <= IN_L2;
    row->run = run;
    row->kernel = dpr__cpu_chosen(plan, kernel->name, node);
    row->flops = row->chain.flops +
                 2U * (uint64_t)row->chain.rows * (uint64_t)row->chain.columns * (uint64_t)row->k;
    row->bytes = row->chain.bytes + a_bytes + dpr__value_bytes(step, row->b.value);
    dpr__cpu_cut_panels(row);
    place_scratch(row);
    return DPR_OK;
}
