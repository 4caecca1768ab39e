/* How a row runs some of its tiles. Nothing here allocates or decides; see compile.c. */
#include "backend/cpu/cpu.h"
#include <math.h>
#include <string.h>

/* Scratch of one member: registers, two spans for repeated operands, the contraction's tile, packed panels. */
enum {
    REGISTERS_AT = 0,
    SPLAT_AT = REGISTERS_AT + DPR__SPAN_REGISTERS * DPR__SPAN_ELEMENTS,
    TILE_AT = SPLAT_AT + 2 * DPR__SPAN_ELEMENTS,
    PACKED_AT = TILE_AT + DPR__TILE_M * DPR__TILE_N,
    SCRATCH_FLOATS = PACKED_AT + DPR__TILE_PACKED
};

size_t dpr__cpu_scratch_bytes(void) {
    return SCRATCH_FLOATS * sizeof(float);
}

/* ---- pointwise programs ---- */

/* A span of the iteration space: n points of one row. */
struct span {
    int64_t row, column, columns;
    size_t n;
};

static const void *resolve(const dpr__operand *src, const dpr__values *values, float *const *reg,
                           float *splat, const struct span *span) {
    if (src->is_register)
        return reg[src->reg];
    const char *memory = values->memory[src->value];
    switch ((dpr__pattern)src->pattern) {
    case DPR__FULL:
        return memory + (span->row * span->columns + span->column) * src->bytes;
    case DPR__ROW:
        return memory + span->column * src->bytes;
    case DPR__COLUMN:
    case DPR__SCALAR:
    case DPR__NO_PATTERN:
        break;
    }
    int64_t index = src->pattern == DPR__COLUMN ? span->row : 0;
    /* One element repeated; bytes are 1 (u8) or 4 (f32, i32). */
    if (src->bytes == 1) {
        memset(splat, ((const unsigned char *)memory)[index], span->n);
    } else {
        const float element = ((const float *)(const void *)memory)[index];
        for (size_t i = 0; i < span->n; i++)
            splat[i] = element;
    }
    return splat;
}

static float *destination(const dpr__instruction *i, const dpr__values *values,
                          const struct span *span) {
    return (float *)values->memory[i->store] + span->row * span->columns + span->column;
}

/* Runs instructions first … on one span; reg[0] may be a contraction's tile row. */
static void run_span(const dpr__row *row, uint32_t first, const dpr__values *values, float **reg,
                     float *scratch, const struct span *span) {
    float *splat = scratch + SPLAT_AT;
    for (uint32_t k = first; k < row->n_instructions; k++) {
        const dpr__instruction *i = &row->program[k];
        const void *a = resolve(&i->src[0], values, reg, splat, span), *b = NULL;
        if (i->n_src > 1)
            b = resolve(&i->src[1], values, reg, splat + DPR__SPAN_ELEMENTS, span);
        reg[k] = i->direct ? destination(i, values, span)
                           : scratch + REGISTERS_AT + k * DPR__SPAN_ELEMENTS;
        i->run(i->param, a, b, reg[k], span->n);
    }
    for (uint32_t k = first; k < row->n_instructions; k++) {
        const dpr__instruction *i = &row->program[k];
        if (i->store != 0 && !i->direct)
            memcpy(destination(i, values, span), reg[k], span->n * sizeof(float));
    }
}

/* The rectangle of the iteration space that tile number `tile` covers. Tiles go down a block of columns before they go to the next,
 * so that a matmul's packed b serves several. */
struct rectangle {
    int64_t row, column, rows, columns;
};

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static struct rectangle rectangle_of(const dpr__row *row, int64_t tile) {
    int64_t down = (row->rows + row->tile_rows - 1) / row->tile_rows;
    struct rectangle r = {.row = tile % down * row->tile_rows,
                          .column = tile / down * row->tile_columns};
    r.rows = least(row->tile_rows, row->rows - r.row);
    r.columns = least(row->tile_columns, row->columns - r.column);
    return r;
}

static void run_rectangle(const dpr__row *row, uint32_t first, const dpr__values *values,
                          float *scratch, const struct rectangle *r) {
    float *reg[DPR__SPAN_REGISTERS];
    for (int64_t i = 0; i < r->rows; i++)
        for (int64_t j = 0; j < r->columns; j += DPR__SPAN_ELEMENTS) {
            struct span span = {.row = r->row + i,
                                .column = r->column + j,
                                .columns = row->columns,
                                .n = (size_t)least(DPR__SPAN_ELEMENTS, r->columns - j)};
            reg[0] = scratch + TILE_AT + i * DPR__TILE_N + j;
            run_span(row, first, values, reg, scratch, &span);
        }
}

void dpr__cpu_run_pointwise(const dpr__row *row, const dpr__values *values, void *scratch,
                            int64_t first, int64_t last) {
    for (int64_t tile = first; tile < last; tile++) {
        struct rectangle r = rectangle_of(row, tile);
        run_rectangle(row, 0, values, scratch, &r);
    }
}

/* ---- contractions ---- */

static void store_product(const dpr__row *row, const dpr__values *values, const float *tile,
                          const struct rectangle *r) {
    float *dst = values->memory[row->product];
    for (int64_t i = 0; i < r->rows; i++)
        memcpy(dst + (r->row + i) * row->columns + r->column, tile + i * DPR__TILE_N,
               (size_t)r->columns * sizeof *dst);
}

void dpr__cpu_run_contraction(const dpr__row *row, const dpr__values *values, void *scratch,
                              int64_t first, int64_t last) {
    float *tile = (float *)scratch + TILE_AT;
    int64_t packed_column = -1; /* where the b in scratch comes from */
    for (int64_t t = first; t < last; t++) {
        struct rectangle r = rectangle_of(row, t);
        dpr__tile_call call = row->contraction;
        call.b_is_packed = r.column == packed_column;
        packed_column = call.k <= DPR__TILE_K ? r.column : -1;
        call.a = (const float *)values->memory[row->a] + r.row * call.a_row;
        call.b = (const float *)values->memory[row->b] + r.column * call.b_column;
        call.m = r.rows;
        call.n = r.columns;
        call.c = tile;
        call.ldc = DPR__TILE_N;
        call.packed = (float *)scratch + PACKED_AT;
        row->tile(&call);
        if (row->keep_product)
            store_product(row, values, tile, &r);
        if (row->n_instructions > 1)
            run_rectangle(row, 1, values, scratch, &r);
    }
}

/* ---- row kernels and reference kernels ---- */

void dpr__cpu_run_rows(const dpr__row *row, const dpr__values *values, void *scratch, int64_t first,
                       int64_t last) {
    (void)values, (void)scratch;
    row->rows_run(&row->call, first * row->tile_units, least(last * row->tile_units, row->n_units));
}

void dpr__cpu_run_reference(const dpr__row *row, const dpr__values *values, void *scratch,
                            int64_t first, int64_t last) {
    (void)values, (void)scratch, (void)first, (void)last;
    if (row->call.dst.data != NULL)
        row->op->reference(&row->call);
}
