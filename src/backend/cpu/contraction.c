/* Matrix products, and convolutions of 1 × 1 taps, whose maps are matrices of pixels × channels: a tile of rows × one panel is summed block of k by block of k, then the group's chain runs on it while it is in L1.
 * Operands that lie as the kernel wants them are read in place; others are packed, a block at a time. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum {
    TILE_ROWS = 128,   /* a tile's sums: 16 KB */
    TURNED_ROWS = 512, /* where b is packed for each tile: packed once for more rows */
    LEAST_ROWS = 16,
    NEAR_ROWS = 64,    /* where more rows would not stay near: see rows_of_tile */
    LEAST_AHEAD = 8,   /* of k: else the sums are made before anything could come */
    FAR = 4 << 20,     /* bytes of a chain's operands that do not stay in L2 between two steps */
    BLOCK_K = 256,     /* b's block: 32 KB; b and the sums stay near */
    IN_L2 = 512 << 10, /* bytes of a that stay in L2 while all panels pass */
};

/* ---- packing ---- */

/* Element (i, l) of the factor as the product sees it, as a float. */
static float element(const dpr__factor *f, const float *memory, int64_t i, int64_t l) {
    int64_t r = f->transposed ? l : i, c = f->transposed ? i : l;
    int64_t panel = c / DPR__PANEL, lane = c % DPR__PANEL, pairs = (f->rows + 1) / 2;
    const uint16_t *halves = (const uint16_t *)(const void *)memory;
    switch (f->form) {
    case DPR__PLAIN:
    case DPR__NARROW: /* maps only */
        break;
    case DPR__PANELS:
        return memory[(panel * f->rows + r) * DPR__PANEL + lane];
    case DPR__HALF_ROWS:
    case DPR__HALF_BOTH:
        return dpr__from_bf16(halves[(panel * f->rows + r) * DPR__PANEL + lane]);
    case DPR__HALF_PAIRS:
        return dpr__from_bf16(halves[((panel * pairs + r / 2) * DPR__PANEL + lane) * 2 + r % 2]);
    }
    return memory[r * f->columns + c];
}

/* a's rows row … row + m − 1, k from l on, as the kernel's form by rows. */
static void pack_a(const dpr__factor *a, const float *memory, int64_t row, int64_t m, int64_t l,
                   int64_t k, float *dst) {
    for (int64_t chunk = 0; chunk < k; chunk += DPR__PANEL, dst += m * DPR__PANEL)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < DPR__PANEL && chunk + j < k; j++)
                dst[i * DPR__PANEL + j] = element(a, memory, row + i, l + chunk + j);
}

/* Numbers 2l and 2l + 1 along k of column j of a transposed b in pairs. */
static uint32_t pair_along_k(const dpr__factor *b, const uint32_t *memory, int64_t l, int64_t j) {
    int64_t panel = 2 * l / DPR__PANEL, lane = 2 * l % DPR__PANEL;
    const uint32_t *at = memory + panel * b->panel + j / 2 * DPR__PANEL + lane;
    unsigned shift = j % 2 == 0 ? 0 : 16;
    return (at[0] >> shift & 0xffffU) | (at[1] >> shift & 0xffffU) << 16;
}

/* One row of b's panel, columns beyond the last 0. */
static void pack_b_row(const dpr__row *row, const float *memory, int64_t first, int64_t n,
                       int64_t l, float *dst) {
    for (int64_t j = 0; j < DPR__PANEL; j++) {
        if (!row->halves)
            dst[j] = j < n ? element(&row->b, memory, l, first + j) : 0;
        else
            ((uint32_t *)(void *)dst)[j] =
                j < n ? pair_along_k(&row->b, (const uint32_t *)(const void *)memory, l, first + j)
                      : 0;
    }
}

/* b's panel of columns, k from l on: rows of 32. A transpose of panels is turned 32 × 32 at a time, with the lanes beyond its last
 * column, which make rows beyond k that nothing reads. */
static void pack_b(const dpr__row *row, const float *memory, int64_t panel, int64_t l, int64_t k,
                   float *dst) {
    const dpr__factor *b = &row->b;
    int64_t n = row->chain.columns - panel * DPR__PANEL, i = 0, chunk = row->chunk;
    bool turns = b->panel != 0 && n >= DPR__PANEL;
    for (; turns && i < k; i += chunk)
        row->tile->turn(memory + (l + i) / chunk * b->panel + panel * chunk * DPR__PANEL,
                        dst + i * DPR__PANEL);
    for (; i < k; i++)
        pack_b_row(row, memory, panel * DPR__PANEL, n, l + i, dst + i * DPR__PANEL);
}

/* Rows of a transpose for a kernel that takes them by rows only: all of k, once for all panels. */
static int64_t turned_rows(const dpr__row *row) {
    return dpr__ceil_divide(row->tile_rows, DPR__PANEL) * DPR__PANEL;
}

static void turn_a(const dpr__row *row, const float *memory, const dpr__tile *tile, float *dst) {
    const dpr__factor *a = &row->a;
    float last[DPR__PANEL / 2 * DPR__PANEL];
    for (int64_t l = 0; l < row->k; l += row->chunk)
        for (int64_t i = 0; i < tile->rows; i += DPR__PANEL) {
            const float *src = memory + (tile->row + i) / DPR__PANEL * a->panel + l * DPR__PANEL;
            if (row->k - l < row->chunk) { /* zeros beyond the last pair */
                memset(last, 0, sizeof last);
                memcpy(last, src, (size_t)((row->k - l) * DPR__PANEL) * sizeof *last);
                src = last;
            }
            row->tile->turn_rows(src, dst + l * turned_rows(row) + i * row->chunk);
        }
}

/* ---- running ---- */

static void set_a(const dpr__row *row, const float *memory, const dpr__tile *tile, int64_t l,
                  float *scratch, dpr__tile_call *call) {
    const dpr__factor *a = &row->a;
    call->by_columns = a->transposed && !a->packed && !row->turns_a;
    call->a_row = call->by_columns || !(a->packed || row->turns_a) ? a->row : row->chunk;
    if (a->packed) {
        pack_a(a, memory, tile->row, tile->rows, l, call->k, scratch + a->stage);
        call->a = scratch + a->stage;
        call->a_chunk = tile->rows * DPR__PANEL;
    } else if (row->turns_a) {
        call->a = scratch + a->stage + l * turned_rows(row);
        call->a_chunk = turned_rows(row) * row->chunk;
    } else if (a->transposed) {
        call->a = memory + tile->row / DPR__PANEL * a->panel + l * a->row;
        call->a_panel = a->panel;
        call->a_chunk = row->chunk * a->row;
    } else {
        call->a = memory + l / row->chunk * a->panel + tile->row * a->row;
        call->a_chunk = a->panel;
    }
}

static const float *operand(const dpr__values *values, const dpr__factor *f) {
    const char *memory = values->memory[f->value];
    return (const float *)(const void *)(memory + f->offset);
}

/* The chain's panels beside the product itself: weights and their state in an update, the layer's output in a mask. */
static void set_ahead(const dpr__chain *chain, const dpr__chain_tile *open, dpr__tile_call *call) {
    for (uint32_t k = 0; k < chain->n_memory && call->n_ahead < DPR__MOST_AHEAD; k++)
        if (chain->memory[k].pattern == DPR__FULL && !chain->memory[k].staged)
            call->ahead[call->n_ahead++] = open->memory[k];
}

/* Into call->c. The chain's strip runs on each block of rows in the last block of k; open is NULL where there is no chain. */
static void multiply(const dpr__row *row, const dpr__values *values, const dpr__tile *tile,
                     float *scratch, const dpr__chain_tile *open, dpr__tile_call *call) {
    const float *a = operand(values, &row->a), *b = operand(values, &row->b);
    int64_t left = row->chain.columns - tile->panel * DPR__PANEL;
    call->m = tile->rows;
    call->columns = left < DPR__PANEL ? left : DPR__PANEL;
    for (int64_t l = 0; l < row->k || l == 0; l += BLOCK_K) {
        call->k = row->k - l < BLOCK_K ? row->k - l : BLOCK_K;
        call->add = l > 0;
        if (open != NULL && l + call->k >= row->k) {
            call->strip = row->chain.strip;
            call->strip_id = row->chain.strip_id;
            call->strip_call = &open->call;
            if (call->k >= LEAST_AHEAD && row->chain.bytes > FAR)
                set_ahead(&row->chain, open, call);
        }
        set_a(row, a, tile, l, scratch, call);
        call->b = b + tile->panel * row->b.panel + l * DPR__PANEL;
        if (row->b.packed) {
            pack_b(row, b, tile->panel, l, call->k, scratch + row->b.stage);
            call->b = scratch + row->b.stage;
        }
        row->tile->multiply(call);
    }
}

/* Sums that are the result as they are go to their place at once, but for the columns of a last panel that is not whole. */
static bool stays_as_it_is(const dpr__row *row, const dpr__values *values, const dpr__tile *tile,
                           dpr__tile_call *call) {
    const dpr__chain *chain = &row->chain;
    if (!row->bare || (tile->panel + 1) * DPR__PANEL > chain->columns)
        return false;
    call->c = values->memory[chain->outputs[0].value];
    if (chain->outputs[0].form == DPR__PLAIN) {
        call->c += tile->row * chain->columns + tile->panel * DPR__PANEL;
        call->c_stride = chain->columns;
    } else
        call->c += (tile->panel * chain->rows + tile->row) * DPR__PANEL;
    return true;
}

/* Runs the chain on a tile's products, as they are made or, in their place already, afterwards. */
static void finish_tile(const dpr__row *row, const dpr__values *values, float *scratch,
                        const dpr__tile *tile, dpr__tile_call *call) {
    dpr__chain_tile open;
    if (stays_as_it_is(row, values, tile, call)) {
        multiply(row, values, tile, scratch, NULL, call);
        if (row->chain.n_sums > 0)
            dpr__chain_run(&row->chain, values, scratch, call->c, tile->row, tile->rows,
                           tile->panel);
    } else {
        dpr__chain_open(&row->chain, values, scratch, call->c, tile->row, tile->rows, tile->panel,
                        &open);
        multiply(row, values, tile, scratch, &open, call);
        if (row->chain.strip == NULL)
            dpr__chain_compute(&row->chain, scratch, &open);
        dpr__chain_close(&row->chain, values, &open);
    }
    dpr__cpu_bring_sums(row, values, scratch, tile, tile->row / row->tile_rows);
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    int64_t turned = -1; /* row of the tile whose a is turned */
    for (int64_t t = first; t < last; t++) {
        dpr__tile tile = dpr__cpu_tile(row, t);
        dpr__tile_call call = {.c = scratch + row->tile_at, .c_stride = DPR__PANEL};
        if (row->turns_a && tile.row != turned)
            turn_a(row, operand(values, &row->a), &tile, scratch + row->a.stage);
        turned = tile.row;
        finish_tile(row, values, scratch, &tile, &call);
    }
}

/* The product is the group's only member but for sums, which want rows of 32, and floats: the chain would copy it. */
static bool is_bare(const dpr__chain *chain) {
    return chain->n == 0 && chain->strip == NULL && chain->n_outputs == 1 &&
           chain->outputs[0].reg == 0 && !dpr__form_is_half(chain->outputs[0].form) &&
           (chain->n_sums == 0 || chain->outputs[0].form == DPR__PANELS);
}

/* ---- compiling ---- */

/* A factor as it is stored; place_factor says what its role in the product makes of it. */
static dpr__factor factor_of(const dpr__step *step, dpr_value value, bool transposed) {
    const dpr_shape *shape = &dpr__node_of(step->graph, value)->shape;
    return (dpr__factor){.value = value,
                         .transposed = transposed,
                         .form = step->forms[value],
                         .rows = dpr__rows_of(shape),
                         .columns = dpr__columns(shape)};
}

/* A left operand is read as it lies, in panels or plain; a right one in panels. */
static void place_factor(dpr__factor *f, bool halves, bool by_pairs, bool left) {
    dpr_shape shape = dpr_shape_of(f->rows, f->columns);
    if (halves != dpr__form_is_half(f->form) || (f->form == DPR__PLAIN && !left)) {
        f->packed = true;
        return;
    }
    int64_t rows = halves && by_pairs ? (f->rows + 1) / 2 : f->rows;
    f->row = halves && !by_pairs ? DPR__PANEL / 2 : DPR__PANEL;
    f->panel = rows * f->row;
    if (f->form == DPR__PLAIN) {
        f->row = f->columns;
        f->panel = DPR__PANEL;
    }
    f->offset = halves && by_pairs ? dpr__form_pairs_at(f->form, &shape) : 0;
}

static int64_t n_tiles(int64_t rows, int64_t tile_rows, int64_t columns) {
    return dpr__ceil_divide(rows, tile_rows) * dpr__ceil_divide(columns, DPR__PANEL);
}

/* Large tiles, but some for every thread of a small machine where the work is worth it. A tile of a transpose begins with a panel
 * of it. Few rows are near: of a in L2, where k is long; of a bf16 gradient in L1, where what its update made is rounded afterwards. */
static int64_t rows_of_tile(const dpr__row *row, int64_t rows, int64_t columns) {
    bool by_columns = row->a.transposed && !row->a.packed;
    int64_t most = row->b.packed               ? TURNED_ROWS
                   : row->halves && by_columns ? NEAR_ROWS
                                               : TILE_ROWS,
            least = by_columns ? DPR__PANEL : LEAST_ROWS;
    int64_t tile = rows < most ? (rows > 1 ? rows : 1) : most;
    while (tile > NEAR_ROWS && tile * row->k * (int64_t)sizeof(float) > IN_L2)
        tile = dpr__ceil_divide(tile, 2);
    while (n_tiles(rows, tile, columns) < 4 && tile > least)
        tile = dpr__ceil_divide(tile, 2);
    int64_t multiple = by_columns ? DPR__PANEL : 2; /* whole pairs of rows are stored */
    return dpr__ceil_divide(tile, multiple) * multiple;
}

static void place_scratch(dpr__row *row) {
    size_t at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    row->tile_at = at;
    at += (size_t)row->tile_rows * DPR__PANEL;
    row->b.stage = at;
    at += row->b.packed ? (size_t)BLOCK_K * DPR__PANEL : 0;
    row->a.stage = at;
    at += row->a.packed ? (size_t)row->tile_rows * BLOCK_K : 0;
    if (row->turns_a)
        at +=
            (size_t)turned_rows(row) * (size_t)(dpr__ceil_divide(row->k, row->chunk) * row->chunk);
    row->scratch_floats = at;
}

dpr_status dpr__cpu_compile_contraction(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                        bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value product = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, product);
    const dpr__matmul_param taps = {.transpose_a = node->op == DPR__OP_conv2d_weights};
    const dpr__matmul_param *param = node->op == DPR__OP_matmul ? node->param : &taps;
    row->a = factor_of(step, dpr__source(step->graph, product, 0), param->transpose_a);
    row->b = factor_of(step, dpr__source(step->graph, product, 1), param->transpose_b);
    row->halves = dpr__form_is_half(row->a.form) && dpr__form_is_half(row->b.form);
    row->b.packed = row->b.transposed;
    place_factor(&row->a, row->halves, row->a.transposed, true);
    place_factor(&row->b, row->halves, true, false);
    row->chunk = row->halves ? DPR__PANEL / 2 : DPR__PANEL;
    int64_t k = param->transpose_a ? row->a.rows : row->a.columns;
    row->k = row->halves ? (k + 1) / 2 : k;
    const dpr__kernel *kernel = dpr__kernel_find(row->halves ? DPR__HALF_TILE : DPR__TILE,
                                                 DPR__OP_matmul, DPR_F32, step->context->isa);
    row->tile = kernel->run.tile;
    row->turns_a = row->halves && row->a.transposed && row->tile->turn_rows != NULL;
    uint64_t a_bytes = dpr__value_bytes(step, row->a.value);
    uint64_t b_bytes = dpr__value_bytes(step, row->b.value);
    row->tile_rows = rows_of_tile(row, dpr__rows_of(&node->shape), dpr__columns(&node->shape));
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, product, row->tile_rows, &row->chain,
                               supported));
    row->down_first = !row->turns_a && (row->b.packed || row->a.transposed || a_bytes <= IN_L2);
    row->bare = is_bare(&row->chain);
    row->run = run;
    row->kernel = dpr__cpu_chosen(plan, kernel->name, node);
    row->flops = row->chain.flops +
                 2U * (uint64_t)row->chain.rows * (uint64_t)row->chain.columns * (uint64_t)k;
    row->bytes = row->chain.bytes + a_bytes + b_bytes;
    dpr__cpu_cut_panels(row);
    place_scratch(row);
    dpr__cpu_finish_sums(row, dpr__ceil_divide(row->chain.rows, row->tile_rows));
    return DPR_OK;
}
