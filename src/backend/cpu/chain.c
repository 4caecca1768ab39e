/* Running chains (chain.h). Nothing here allocates or decides; see chain_compile.c. */
#include "backend/cpu/chain.h"
#include <string.h>

enum { SPAN = DPR__CHAIN_SPAN, MOST = DPR__CHAIN_MOST };

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* n times the element of 1 or 4 bytes (u8; f32, i32). */
static void repeat(void *dst, const void *element, size_t bytes, size_t n) {
    if (bytes == 1) {
        memset(dst, *(const unsigned char *)element, n);
        return;
    }
    const float one = *(const float *)element;
    for (size_t i = 0; i < n; i++)
        ((float *)dst)[i] = one;
}

/* ---- spans ---- */

/* What an instruction reads of a memory operand for the span at element `at`. */
static const void *span_of(const dpr__memory *m, const void *memory, const float *scratch,
                           int64_t at) {
    return m->pattern == DPR__FULL ? (const char *)memory + (size_t)at * m->bytes
                                   : (const void *)(scratch + m->splat);
}

int64_t dpr__chain_valid(const dpr__chain *chain, const int32_t *rows, int64_t base) {
    int64_t entries = *rows < 0 ? 0 : least(*rows, chain->entries);
    int64_t valid = entries * chain->entry_elements - base;
    return valid < 0 ? 0 : valid;
}

/* src in the rows that count, then zeros. */
static void run_prefix(const dpr__chain *chain, const void *rows, const float *src, float *dst,
                       int64_t first, int64_t n) {
    int64_t kept = least(n, dpr__chain_valid(chain, rows, first));
    memmove(dst, src, (size_t)kept * sizeof *dst);
    memset(dst + kept, 0, (size_t)(n - kept) * sizeof *dst);
}

/* Rows of 32 at element `at` of a tile whose element 0 is element `base` of the space. */
static void add_to_sums(const dpr__chain *chain, const void *const *memory, const float *const *reg,
                        float *scratch, int64_t base, int64_t at, int64_t n) {
    for (uint32_t k = 0; k < chain->n_sums; k++) {
        const dpr__chain_sum *sum = &chain->sums[k];
        const float *src =
            sum->src.is_register ? reg[sum->src.index] : (const float *)memory[sum->src.index] + at;
        float *total = scratch + sum->at, *squares = total + DPR__PANEL;
        if (at == 0) {
            memset(total, 0, 2 * DPR__PANEL * sizeof *total);
            memcpy(squares + DPR__PANEL, src, DPR__PANEL * sizeof *src);
        }
        if (!sum->squares) {
            chain->adds->add(src, n / DPR__PANEL, total);
            continue;
        }
        int64_t valid = least(n, dpr__chain_valid(chain, memory[sum->rows], base + at));
        chain->adds->add_squares(src, valid / DPR__PANEL, squares + DPR__PANEL, total, squares);
    }
}

/* Whether a register may be another, or what repeats in scratch: an instruction that only copies, all that counts. */
static bool is_alias(const dpr__chain *chain, const dpr__instruction *op, const void *const *memory,
                     int64_t first, int64_t n) {
    if (!op->copies || op->output >= 0 ||
        (!op->src[0].is_register && chain->memory[op->src[0].index].pattern == DPR__FULL))
        return false;
    return !op->prefix || dpr__chain_valid(chain, memory[op->src[1].index], first) >= n;
}

static void run_span(const dpr__chain *chain, const void *const *memory, float *const *output,
                     const float *tile, float *scratch, int64_t base, int64_t at, int64_t n) {
    const float *reg[MOST];
    if (tile != NULL)
        reg[0] = tile + at;
    for (uint32_t i = 0; i < chain->n; i++) {
        const dpr__instruction *op = &chain->instructions[i];
        const void *src[2] = {scratch, scratch}; /* of an op without: never read */
        for (uint32_t s = 0; s < op->n_src; s++) {
            uint16_t index = op->src[s].index;
            src[s] = op->src[s].is_register
                         ? (const void *)reg[index]
                         : span_of(&chain->memory[index], memory[index], scratch, at);
        }
        if (is_alias(chain, op, memory, base + at, n)) {
            reg[i + 1] = src[0];
            continue;
        }
        float *dst =
            op->output >= 0 ? output[op->output] + at : scratch + chain->registers + i * SPAN;
        if (op->prefix)
            run_prefix(chain, memory[op->src[1].index], src[0], dst, base + at, n);
        else
            op->run(op->param, src[0], src[1], dst, (size_t)n);
        reg[i + 1] = dst;
    }
    add_to_sums(chain, memory, reg, scratch, base, at, n);
    for (uint32_t o = 0; o < chain->n_outputs; o++)
        if (!chain->outputs[o].direct && output[o] != NULL &&
            output[o] + at != reg[chain->outputs[o].reg])
            memcpy(output[o] + at, reg[chain->outputs[o].reg], (size_t)n * sizeof(float));
}

/* Elements 0 … n−1 of a tile that begins at element `base` of the space; FULL operands lie in order, ROW operands hold 32 elements. */
static void run_spans(const dpr__chain *chain, const void *const *memory, float *const *output,
                      const float *tile, float *scratch, int64_t base, int64_t n) {
    for (uint32_t k = 0; k < chain->n_memory; k++) {
        const dpr__memory *m = &chain->memory[k];
        if (m->pattern == DPR__SCALAR)
            repeat(scratch + m->splat, memory[k], m->bytes, SPAN);
        else if (m->pattern == DPR__ROW)
            for (size_t i = 0; i < SPAN; i += DPR__PANEL)
                memcpy((char *)(scratch + m->splat) + i * m->bytes, memory[k],
                       DPR__PANEL * m->bytes);
    }
    for (int64_t at = 0; at < n; at += SPAN) {
        for (uint32_t k = 0; k < chain->n_memory; k++) {
            const dpr__memory *m = &chain->memory[k];
            for (int64_t i = at; m->pattern == DPR__COLUMN && i < least(at + SPAN, n);
                 i += DPR__PANEL)
                repeat((char *)(scratch + m->splat) + (size_t)(i - at) * m->bytes,
                       (const char *)memory[k] + (size_t)(i / DPR__PANEL) * m->bytes, m->bytes,
                       DPR__PANEL);
        }
        run_span(chain, memory, output, tile, scratch, base, at, least(SPAN, n - at));
    }
}

/* ---- panels ---- */

/* Copies rows × n elements between a plain matrix and rows of 32. */
static void copy_rows(char *dst, size_t dst_row, const char *src, size_t src_row, int64_t rows,
                      size_t bytes) {
    for (int64_t i = 0; i < rows; i++)
        memcpy(dst + (size_t)i * dst_row, src + (size_t)i * src_row, bytes);
}

/* Where row `row` of a panel of a value begins, in elements. */
static int64_t row_at(const dpr__chain *chain, dpr__form form, int64_t row_floats, int64_t row,
                      int64_t panel) {
    if (form == DPR__PLAIN)
        return row * row_floats + panel * DPR__PANEL;
    return panel * chain->rows * chain->fold * DPR__PANEL + row * row_floats;
}

/* One element for each row of a narrow map, as many times as the row has floats. */
static const void *repeat_rows(const dpr__chain *chain, const dpr__memory *m, const char *memory,
                               float *scratch, int64_t row, int64_t rows) {
    char *dst = (char *)(scratch + m->stage);
    size_t each = (size_t)chain->row_floats;
    for (size_t i = 0; i < (size_t)(rows * chain->fold); i++)
        repeat(dst + i * each * m->bytes, memory + ((size_t)(row * chain->fold) + i) * m->bytes,
               m->bytes, each);
    return dst;
}

/* A row of a narrow map's columns, for each row of it in 32 floats. */
static const void *repeat_columns(const dpr__chain *chain, const dpr__memory *m, const char *memory,
                                  float *scratch) {
    char *dst = (char *)(scratch + m->stage);
    for (int64_t i = 0; i < chain->fold; i++)
        memcpy(dst + (size_t)(i * chain->row_floats) * m->bytes, memory,
               (size_t)chain->columns * m->bytes);
    return dst;
}

static const void *panel_operand(const dpr__chain *chain, const dpr__memory *m, const char *memory,
                                 float *scratch, int64_t row, int64_t rows, int64_t panel) {
    int64_t n = least(DPR__PANEL, chain->columns - panel * DPR__PANEL);
    if (chain->fold > 1 && m->lies == DPR__ROW)
        return repeat_columns(chain, m, memory, scratch);
    if (chain->fold > 1 && m->lies == DPR__COLUMN)
        return repeat_rows(chain, m, memory, scratch, row, rows);
    switch (m->pattern) {
    case DPR__FULL:
        if (dpr__form_is_half(m->form)) {
            chain->halves->load((const uint16_t *)(const void *)memory +
                                    (panel * chain->rows + row) * DPR__PANEL,
                                rows, scratch + m->stage);
            return scratch + m->stage;
        }
        if (!m->staged)
            return memory + (size_t)((panel * chain->rows + row) * DPR__PANEL) * m->bytes;
        copy_rows((char *)(scratch + m->stage), (size_t)chain->row_floats * m->bytes,
                  memory + (size_t)row_at(chain, m->form, m->row_floats, row * chain->fold, panel) *
                               m->bytes,
                  (size_t)m->row_floats * m->bytes, rows * chain->fold, (size_t)n * m->bytes);
        return scratch + m->stage;
    case DPR__ROW:
        if (dpr__form_is_half(m->form)) { /* one row, which is whole */
            chain->halves->load((const uint16_t *)(const void *)memory + panel * DPR__PANEL, 1,
                                scratch + m->stage);
            return scratch + m->stage;
        }
        memory += (size_t)(panel * DPR__PANEL) * m->bytes;
        if (n == DPR__PANEL)
            return memory;
        memcpy(scratch + m->stage, memory, (size_t)n * m->bytes); /* it may end here */
        return scratch + m->stage;
    case DPR__COLUMN:
        return memory + (size_t)row * m->bytes;
    case DPR__SCALAR:
    case DPR__NO_PATTERN:
        break;
    }
    return memory;
}

/* Strips know no prefix that ends within them. */
static bool is_valid(const dpr__chain *chain, const void *const *memory, int64_t base, int64_t n) {
    for (uint32_t i = 0; i < chain->n; i++)
        if (chain->instructions[i].prefix &&
            dpr__chain_valid(chain, memory[chain->instructions[i].src[1].index], base) < n)
            return false;
    return true;
}

static void run(const dpr__chain *chain, const void *const *memory, float *const *output,
                const float *tile, float *scratch, int64_t base, int64_t n) {
    int64_t whole = 0;
    if (chain->strip != NULL && n >= DPR__PANEL && is_valid(chain, memory, base, n)) {
        whole = n / DPR__PANEL * DPR__PANEL;
        chain->strip(&(dpr__strip_call){.tile = tile,
                                        .memory = (const float *const *)memory,
                                        .output = output,
                                        .constant = chain->constants},
                     0, n / DPR__PANEL);
    }
    if (whole == n)
        return;
    const void *rest[MOST];
    float *rest_output[MOST];
    for (uint32_t k = 0; k < chain->n_memory; k++)
        rest[k] = chain->memory[k].pattern == DPR__FULL
                      ? (const char *)memory[k] + (size_t)whole * chain->memory[k].bytes
                      : memory[k];
    for (uint32_t o = 0; o < chain->n_outputs; o++)
        rest_output[o] = output[o] == NULL ? NULL : output[o] + whole;
    run_spans(chain, rest, rest_output, tile == NULL ? NULL : tile + whole, scratch, base + whole,
              n - whole);
}

/* Rows of floats, src_row apart, to where a value lies that the chain's rows are not. */
static void put_output(const dpr__chain *chain, const dpr__output *output, char *memory,
                       const float *src, int64_t src_row, int64_t row, int64_t rows,
                       int64_t panel) {
    int64_t n = least(DPR__PANEL, chain->columns - panel * DPR__PANEL);
    if (!dpr__form_is_half(output->form)) {
        float *dst = (float *)(void *)memory +
                     row_at(chain, output->form, output->row_floats, row * chain->fold, panel);
        src_row = chain->fold > 1 ? chain->row_floats : src_row;
        copy_rows((char *)dst, (size_t)output->row_floats * sizeof *dst, (const char *)src,
                  (size_t)src_row * sizeof *dst, rows * chain->fold, (size_t)n * sizeof *dst);
        return;
    }
    int64_t pairs = (chain->rows + 1) / 2;
    uint16_t *as_rows = NULL, *as_pairs = NULL;
    if (output->form != DPR__HALF_PAIRS)
        as_rows = (uint16_t *)(void *)memory + (panel * chain->rows + row) * DPR__PANEL;
    if (output->form != DPR__HALF_ROWS)
        as_pairs = (uint16_t *)(void *)(memory + output->pairs_at) +
                   (panel * pairs + row / 2) * (2 * DPR__PANEL);
    chain->halves->store(src, src_row, rows, n, as_rows, as_pairs);
}

void dpr__chain_put(const dpr__chain *chain, const dpr__values *values, const float *src,
                    int64_t src_row, int64_t row, int64_t rows, int64_t panel) {
    put_output(chain, &chain->outputs[0], values->memory[chain->outputs[0].value], src, src_row,
               row, rows, panel);
}

/* Where the chain writes an output; NULL: it is made of another. What is the tile itself stays there until it is put where it belongs. */
static float *output_of(const dpr__chain *chain, const dpr__output *out, const dpr__values *values,
                        float *scratch, const float *tile, int64_t row, int64_t panel) {
    if (out->same_as >= 0)
        return NULL;
    if (out->in_tile)
        return (float *)(uintptr_t)tile;
    if (out->staged)
        return out->reg == 0 ? (float *)(uintptr_t)tile : scratch + out->stage;
    return (float *)values->memory[out->value] + (panel * chain->rows + row) * DPR__PANEL;
}

void dpr__chain_open(const dpr__chain *chain, const dpr__values *values, float *scratch,
                     const float *tile, int64_t row, int64_t rows, int64_t panel,
                     dpr__chain_tile *open) {
    for (uint32_t k = 0; k < chain->n_memory; k++)
        open->memory[k] =
            panel_operand(chain, &chain->memory[k], values->memory[chain->memory[k].value], scratch,
                          row, rows, panel);
    for (uint32_t o = 0; o < chain->n_outputs; o++) {
        const dpr__output *out = &chain->outputs[o];
        open->output[o] = output_of(chain, out, values, scratch, tile, row, panel);
    }
    for (uint32_t o = chain->n_outputs; o < DPR__STRIP_OUTPUTS; o++)
        open->output[o] = NULL;
    open->call = (dpr__strip_call){.tile = tile,
                                   .memory = (const float *const *)open->memory,
                                   .output = open->output,
                                   .constant = chain->constants};
    for (uint32_t k = chain->n_memory; k < DPR__STRIP_LEAST; k++)
        open->memory[k] = chain->constants;
    open->row = row;
    open->rows = rows;
    open->panel = panel;
}

void dpr__chain_compute(const dpr__chain *chain, float *scratch, const dpr__chain_tile *open) {
    run(chain, open->memory, open->output, open->call.tile, scratch, open->row * DPR__PANEL,
        open->rows * DPR__PANEL);
}

void dpr__chain_close(const dpr__chain *chain, const dpr__values *values,
                      const dpr__chain_tile *open) {
    for (uint32_t o = 0; o < chain->n_outputs; o++)
        if (chain->outputs[o].staged)
            put_output(chain, &chain->outputs[o], values->memory[chain->outputs[o].value],
                       chain->outputs[o].same_as >= 0 ? open->output[chain->outputs[o].same_as]
                                                      : open->output[o],
                       DPR__PANEL, open->row, open->rows, open->panel);
}

void dpr__chain_run(const dpr__chain *chain, const dpr__values *values, float *scratch,
                    const float *tile, int64_t row, int64_t rows, int64_t panel) {
    dpr__chain_tile open;
    dpr__chain_open(chain, values, scratch, tile, row, rows, panel, &open);
    dpr__chain_compute(chain, scratch, &open);
    dpr__chain_close(chain, values, &open);
}

/* ---- flat ---- */

/* One element for each column, or row, of a plain space, as one for each point. */
static const void *spread(const dpr__chain *chain, const dpr__memory *m, const char *memory,
                          float *scratch, int64_t first, int64_t n) {
    char *dst = (char *)(scratch + m->stage);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = first + i;
        int64_t from = m->lies == DPR__ROW ? at % chain->columns : at / chain->columns;
        memcpy(dst + (size_t)i * m->bytes, memory + (size_t)from * m->bytes, m->bytes);
    }
    return dst;
}

void dpr__chain_run_flat(const dpr__chain *chain, const dpr__values *values, float *scratch,
                         int64_t first, int64_t n) {
    const void *memory[MOST];
    float *output[MOST];
    for (uint32_t k = 0; k < chain->n_memory; k++) {
        const dpr__memory *m = &chain->memory[k];
        memory[k] = values->memory[m->value];
        if (m->staged)
            memory[k] = spread(chain, m, memory[k], scratch, first, n);
        else if (m->pattern == DPR__FULL)
            memory[k] = (const char *)memory[k] + (size_t)first * m->bytes;
    }
    for (uint32_t k = chain->n_memory; k < DPR__STRIP_LEAST; k++)
        memory[k] = chain->constants;
    for (uint32_t o = 0; o < chain->n_outputs; o++)
        output[o] = (float *)values->memory[chain->outputs[o].value] + first;
    for (uint32_t o = chain->n_outputs; o < DPR__STRIP_OUTPUTS; o++)
        output[o] = NULL;
    run(chain, memory, output, NULL, scratch, first, n);
}
