/* Groups to chains (chain.h): instructions, their operands, and the text by which a compiled strip is found. */
#include "backend/cpu/chain.h"
#include "base/context.h"
#include "base/text.h"
#include "ir/shape.h"
#include <ctype.h>
#include <string.h>

enum { MOST_OPERANDS = DPR__CHAIN_MOST };

struct compiling {
    const dpr__step *step;
    const dpr__group *group;
    dpr_value anchor;
    dpr__chain *chain;
    uint16_t reg_of[MOST_OPERANDS]; /* register + 1 of each member; 0: none yet */
    bool aliased[MOST_OPERANDS];    /* no instruction of its own */
    const dpr_shape *space;
    bool supported;
};

static const dpr__node *node_of(const struct compiling *c, dpr_value value) {
    return dpr__node_of(c->step->graph, value);
}

/* ---- operands ---- */

/* The register of a value that the chain makes; false when it comes from memory. */
static bool in_register(const struct compiling *c, dpr_value value, uint16_t *reg) {
    for (uint32_t m = 0; m < c->group->n; m++)
        if (c->step->members[c->group->first + m] == value && c->reg_of[m] != 0) {
            *reg = (uint16_t)(c->reg_of[m] - 1);
            return true;
        }
    return false;
}

static uint16_t memory_operand(struct compiling *c, dpr_value value) {
    dpr__chain *chain = c->chain;
    for (uint32_t k = 0; k < chain->n_memory; k++)
        if (chain->memory[k].value == value)
            return (uint16_t)k;
    const dpr__node *node = node_of(c, value);
    dpr__pattern pattern = dpr__pattern_of(&node->shape, c->space);
    c->supported &= pattern != DPR__NO_PATTERN && chain->n_memory < MOST_OPERANDS;
    chain->memory[chain->n_memory] =
        (dpr__memory){.value = value, .lies = pattern, .bytes = dpr__dtype_bytes(node->dtype)};
    return (uint16_t)chain->n_memory++;
}

/* A matrix that is seen as another matrix of as many elements has no panels in this space. */
static bool lies_in_panels(const struct compiling *c, dpr_value value) {
    return c->step->forms[value] != DPR__PLAIN;
}

/* ---- instructions ---- */

/* The bytes that a gather took are converted as it takes them: the cast is the tile itself. */
static bool is_cast_of_anchor(const struct compiling *c, dpr_value value) {
    return c->anchor != 0 && node_of(c, value)->op == DPR__OP_cast &&
           dpr__source(c->step->graph, value, 0) == c->anchor;
}

/* A value that is only stored as bf16 is rounded when it is stored. */
static bool is_rounded_by_store(const struct compiling *c, dpr_value value) {
    if (node_of(c, value)->op != DPR__OP_round_bf16 || !dpr__form_is_half(c->step->forms[value]))
        return false;
    for (uint32_t m = 0; m < c->group->n; m++) {
        dpr_value member = c->step->members[c->group->first + m];
        for (uint32_t i = 0; i < node_of(c, member)->n_src; i++)
            if (dpr__source(c->step->graph, member, i) == value)
                return false;
    }
    return true;
}

static void add_output(struct compiling *c, dpr_value value, uint16_t reg) {
    if (c->step->placements[value].home != DPR__HOME_NONE)
        c->chain->outputs[c->chain->n_outputs++] = (dpr__output){.value = value, .reg = reg};
}

static bool is_of_windows(dpr__op_id op) {
    return op == DPR__OP_window_argmax || op == DPR__OP_window_take || op == DPR__OP_window_put;
}

/* What pools a convolution's tile finds it there (conv_copy.c). What window_put would read is no member. */
static void leave_in_tile(struct compiling *c, dpr_value value) {
    uint16_t reg;
    for (uint32_t o = 0; o < c->chain->n_outputs; o++)
        if (c->chain->outputs[o].value == value)
            return;
    if (in_register(c, value, &reg))
        c->chain->outputs[c->chain->n_outputs++] =
            (dpr__output){.value = value, .reg = reg, .in_tile = true};
}

/* broadcast: the operand is read as the space sees it; prefix: see run_prefix. */
static void copy_span(const void *param, const void *a, const void *b, float *dst, size_t n) {
    (void)param, (void)b;
    memmove(dst, a, n * sizeof *dst);
}

static dpr__operand operand_of(struct compiling *c, dpr_value value) {
    dpr__operand operand = {0};
    operand.is_register = in_register(c, value, &operand.index);
    if (!operand.is_register)
        operand.index = memory_operand(c, value);
    return operand;
}

static void add_sum(struct compiling *c, dpr_value value) {
    const dpr_graph *graph = c->step->graph;
    dpr__chain_sum *sum = &c->chain->sums[c->chain->n_sums++];
    *sum = (dpr__chain_sum){.value = value, .src = operand_of(c, dpr__source(graph, value, 0))};
    sum->squares = node_of(c, value)->op == DPR__OP_squared_deviations;
    if (sum->squares)
        sum->rows = memory_operand(c, dpr__source(graph, value, 1));
}

static dpr__span_kernel *span_kernel(const struct compiling *c, const dpr__node *node,
                                     dpr_dtype dtype) {
    if (node->op == DPR__OP_broadcast || node->op == DPR__OP_prefix)
        return copy_span;
    const dpr__kernel *kernel = dpr__kernel_find(DPR__SPAN, node->op, dtype, c->step->context->isa);
    return kernel != NULL ? kernel->run.span : NULL;
}

static bool is_same(dpr__operand a, dpr__operand b) {
    return a.is_register == b.is_register && a.index == b.index;
}

/* Cheap nodes have copies for each reader (pass/prepare.c), some of which meet here: a number that the chain has made is not made again. */
static bool is_made(struct compiling *c, uint32_t member, const dpr__instruction *op) {
    const dpr__node *node = node_of(c, c->step->members[c->group->first + member]);
    for (uint32_t m = 0; m < member; m++) {
        const dpr__node *made = node_of(c, c->step->members[c->group->first + m]);
        if (c->reg_of[m] < 2 || c->aliased[m] || made->op != node->op ||
            (node->param != NULL &&
             memcmp(made->param, node->param, dpr__ops[node->op]->param_bytes) != 0))
            continue;
        const dpr__instruction *other = &c->chain->instructions[c->reg_of[m] - 2];
        bool same = true;
        for (uint32_t s = 0; s < op->n_src; s++)
            same &= is_same(op->src[s], other->src[s]);
        if (same) {
            c->reg_of[member] = c->reg_of[m];
            c->aliased[member] = true;
        }
    }
    return c->aliased[member];
}

static void add_instruction(struct compiling *c, uint32_t member) {
    const dpr_graph *graph = c->step->graph;
    dpr_value value = c->step->members[c->group->first + member];
    const dpr__node *node = node_of(c, value);
    dpr_dtype dtype = node_of(c, dpr__source(graph, value, 0))->dtype;
    dpr__instruction *op = &c->chain->instructions[c->chain->n];
    *op = (dpr__instruction){.run = span_kernel(c, node, dtype),
                             .param = node->param,
                             .n_src = node->n_src,
                             .output = -1,
                             .copies = dpr__repeats_in_chains(node),
                             .prefix = node->op == DPR__OP_prefix};
    c->supported &= op->run != NULL;
    for (uint32_t s = 0; s < node->n_src; s++)
        op->src[s] = operand_of(c, dpr__source(graph, value, s));
    if (is_made(c, member, op)) {
        add_output(c, value, (uint16_t)(c->reg_of[member] - 1));
        return;
    }
    c->chain->n++;
    c->reg_of[member] = (uint16_t)(c->chain->n + 1);
    add_output(c, value, (uint16_t)c->chain->n);
}

/* Whether an instruction after number `from` reads the memory that output o overwrites. */
static bool read_later(const struct compiling *c, uint32_t from, const dpr__output *output) {
    const dpr__placement *placements = c->step->placements;
    if (placements[output->value].home != DPR__HOME_LEAF)
        return false; /* the arena's blocks of one phase never meet */
    for (uint32_t i = from + 1; i < c->chain->n; i++)
        for (uint32_t s = 0; s < c->chain->instructions[i].n_src; s++) {
            dpr__operand src = c->chain->instructions[i].src[s];
            dpr_value value = src.is_register ? 0 : c->chain->memory[src.index].value;
            if (value != 0 && placements[value].home == DPR__HOME_LEAF &&
                placements[value].leaf == placements[output->value].leaf)
                return true;
        }
    return false;
}

static void set_direct(struct compiling *c) {
    for (uint32_t o = 0; o < c->chain->n_outputs; o++) {
        dpr__output *output = &c->chain->outputs[o];
        uint32_t from = output->reg == 0 ? 0 : output->reg - 1U;
        output->direct = output->same_as < 0 && output->reg != 0 &&
                         c->chain->instructions[from].output < 0 && !read_later(c, from, output);
        if (output->direct)
            c->chain->instructions[from].output = (int)o;
    }
}

/* ---- where things lie ---- */

static size_t take(dpr__chain *chain, size_t floats) {
    size_t at = chain->scratch_floats;
    chain->scratch_floats += (floats + 15) / 16 * 16; /* whole cache lines */
    return at;
}

/* The space's own values that lie narrow make the chain's rows hold some of them each. */
static void choose_fold(struct compiling *c) {
    dpr__chain *chain = c->chain;
    bool narrow = false;
    for (uint32_t k = 0; k < chain->n_memory; k++)
        narrow |= chain->memory[k].lies == DPR__FULL &&
                  c->step->forms[chain->memory[k].value] == DPR__NARROW;
    for (uint32_t o = 0; o < chain->n_outputs; o++)
        narrow |= c->step->forms[chain->outputs[o].value] == DPR__NARROW;
    chain->row_floats = dpr__form_row(narrow ? DPR__NARROW : DPR__PANELS, c->space);
    chain->fold = DPR__PANEL / chain->row_floats;
    chain->rows /= chain->fold;
}

/* In panels as soon as something lies in panels, or a tile comes so; flat otherwise. */
static void choose_space(struct compiling *c) {
    dpr__chain *chain = c->chain;
    chain->in_panels = c->anchor != 0 || chain->n_sums > 0;
    for (uint32_t k = 0; k < chain->n_memory; k++)
        chain->in_panels |= lies_in_panels(c, chain->memory[k].value);
    for (uint32_t o = 0; o < chain->n_outputs; o++)
        chain->in_panels |= lies_in_panels(c, chain->outputs[o].value);
    chain->columns = dpr__columns(c->space);
    chain->rows = dpr__rows_of(c->space);
    choose_fold(c);
    chain->entries = c->space->rank > 0 ? c->space->dim[0] : 1;
    chain->entry_elements = chain->entries == 0 ? 0 : chain->rows / chain->entries;
    chain->entry_elements *= chain->in_panels ? DPR__PANEL : chain->columns;
    for (uint32_t k = 0; k < chain->n_memory; k++) { /* in one row, a bias is both */
        dpr__memory *m = &chain->memory[k];
        if (chain->in_panels && chain->fold == 1 && chain->rows == 1 && m->lies == DPR__FULL &&
            !lies_in_panels(c, m->value))
            m->lies = DPR__ROW;
    }
}

/* A master beside its rounded copy: the copy is made of what was just stored. */
static int twin_of(const struct compiling *c, uint32_t o) {
    for (uint32_t i = 0; i < c->chain->n_outputs; i++)
        if (i != o && c->chain->outputs[i].reg == c->chain->outputs[o].reg &&
            c->step->forms[c->chain->outputs[i].value] == DPR__PANELS)
            return (int)i;
    return -1;
}

static void place_scratch(struct compiling *c, int64_t tile_rows) {
    dpr__chain *chain = c->chain;
    const dpr__form form = chain->fold > 1 ? DPR__NARROW : DPR__PANELS;
    size_t tile = chain->in_panels ? (size_t)tile_rows * DPR__PANEL : DPR__FLAT_TILE;
    chain->registers = take(chain, (size_t)chain->n * DPR__CHAIN_SPAN);
    for (uint32_t k = 0; k < chain->n_memory; k++) {
        dpr__memory *m = &chain->memory[k];
        bool across = m->lies == DPR__ROW || m->lies == DPR__COLUMN;
        bool repeated = chain->fold > 1 && m->lies == DPR__COLUMN;
        m->pattern = (!chain->in_panels && across) || repeated ? DPR__FULL : m->lies;
        m->form = c->step->forms[m->value];
        m->row_floats = dpr__form_row(m->form, c->space);
        m->staged =
            chain->in_panels ? (m->lies == DPR__FULL && m->form != form) || repeated : across;
        if (m->staged)
            m->stage = take(chain, tile);
        else if (m->pattern == DPR__ROW)
            m->stage = take(chain, DPR__PANEL);
        if (m->pattern != DPR__FULL)
            m->splat = take(chain, DPR__CHAIN_SPAN);
    }
    for (uint32_t o = 0; o < chain->n_outputs; o++) {
        dpr__output *output = &chain->outputs[o];
        output->form = c->step->forms[output->value];
        output->pairs_at = dpr__form_pairs_at(output->form, &node_of(c, output->value)->shape);
        output->row_floats = dpr__form_row(output->form, c->space);
        output->staged = chain->in_panels && output->form != form && !output->in_tile;
        output->same_as = output->staged && dpr__form_is_half(output->form) ? twin_of(c, o) : -1;
        if (output->staged && output->same_as < 0)
            output->stage = take(chain, tile);
    }
    for (uint32_t k = 0; k < chain->n_sums; k++)
        chain->sums[k].at = take(chain, 3 * (size_t)DPR__PANEL);
}

/* ---- strips ---- */

static void add_operand(dpr__text *text, const dpr__chain *chain, dpr__operand operand) {
    static const char *const WORDS[] = {[DPR__FULL] = "FULL",
                                        [DPR__ROW] = "ROW",
                                        [DPR__COLUMN] = "COLUMN",
                                        [DPR__SCALAR] = "SCALAR"};
    if (operand.is_register)
        dpr__text_add(text, ",R(%u)", operand.index);
    else
        dpr__text_add(text, ",%s(%u)", WORDS[chain->memory[operand.index].pattern], operand.index);
}

/* "ADD(1,R(0),ROW(0)) RELU(2,R(1)) STORE(0,R(2))" */
static void write_text(struct compiling *c, dpr__text *text) {
    const dpr__chain *chain = c->chain;
    uint32_t i = 0, n_constants = 0;
    for (uint32_t m = 0; m < c->group->n; m++) {
        if (c->reg_of[m] < 2 ||
            c->aliased[m]) /* the tile, or a value that is rounded when stored */
            continue;
        const dpr__node *node = node_of(c, c->step->members[c->group->first + m]);
        const dpr__instruction *op = &chain->instructions[i++];
        char name[32] = "";
        for (size_t k = 0; dpr__op_names[node->op][k] != 0 && k + 1 < sizeof name; k++)
            name[k] = (char)toupper((unsigned char)dpr__op_names[node->op][k]);
        dpr__text_add(text, "%s%s(%u", i > 1 ? " " : "", name, i);
        for (uint32_t s = 0; s < op->n_src; s++)
            add_operand(text, chain, op->src[s]);
        if (node->op == DPR__OP_scale)
            dpr__text_add(text, ",C(%u)", n_constants++);
        dpr__text_add(text, ")");
    }
    for (uint32_t o = 0; o < chain->n_outputs; o++)
        if (chain->outputs[o].same_as < 0)
            dpr__text_add(text, "%sSTORE(%u,R(%u))", i + o > 0 ? " " : "", o,
                          chain->outputs[o].reg);
}

static void take_constants(struct compiling *c) {
    for (uint32_t i = 0; i < c->chain->n; i++)
        for (uint32_t k = 0; k < dpr__n_kernels; k++)
            if (dpr__kernels[k].class == DPR__SPAN && dpr__kernels[k].op == DPR__OP_scale &&
                dpr__kernels[k].run.span == c->chain->instructions[i].run) {
                const dpr__scale_param *param = c->chain->instructions[i].param;
                c->chain->constants[c->chain->n_constants++] = (float)param->factor;
                break;
            }
}

static dpr_status find_strip(struct compiling *c) {
    dpr_context *context = c->step->context;
    dpr__text writer;
    char *text;
    dpr__text_init(&writer, context);
    write_text(c, &writer);
    DPR_TRY(dpr__text_finish(&writer, &text));
    c->chain->name = c->anchor != 0 && c->chain->n == 0 ? "" : "spans";
    for (size_t i = 0; i < dpr__n_strips; i++) {
        if (strcmp(dpr__strips[i].text, text) != 0)
            continue;
        int isa = (int)context->isa;
        while (isa > 0 && dpr__strips[i].run[isa] == NULL)
            isa--;
        c->chain->strip = dpr__strips[i].run[isa];
        c->chain->strip_id = (dpr__strip_id)i;
        c->chain->name = dpr__strips[i].name;
    }
    if (c->chain->strip == NULL && c->chain->n > 0)
        dpr__log(context, DPR_LOG_DEBUG, DPR__TOPIC_DISPATCH, "no strip for %s", text);
    dpr__free(context, text);
    return DPR_OK;
}

/* ---- all ---- */

static void count(struct compiling *c) {
    dpr__chain *chain = c->chain;
    chain->flops = chain->n * (uint64_t)dpr__shape_count(c->space);
    for (uint32_t k = 0; k < chain->n_memory; k++)
        chain->bytes += dpr__value_bytes(c->step, chain->memory[k].value);
    for (uint32_t o = 0; o < chain->n_outputs; o++)
        chain->bytes +=
            chain->outputs[o].in_tile ? 0 : dpr__value_bytes(c->step, chain->outputs[o].value);
    chain->flops += chain->n_sums * (uint64_t)dpr__shape_count(c->space);
}

dpr_status dpr__chain_compile(dpr__arena *arena, const dpr__step *step, const dpr__group *group,
                              dpr_value anchor, int64_t tile_rows, dpr__chain *chain,
                              bool *supported) {
    *chain = (dpr__chain){0};
    size_t n = group->n + 1;
    chain->instructions = dpr__arena_allocate(arena, n * sizeof *chain->instructions);
    chain->memory = dpr__arena_allocate(arena, (MOST_OPERANDS + 2) * sizeof *chain->memory);
    chain->outputs = dpr__arena_allocate(arena, n * sizeof *chain->outputs);
    chain->sums = dpr__arena_allocate(arena, n * sizeof *chain->sums);
    chain->constants =
        dpr__arena_allocate(arena, (n + DPR__STRIP_LEAST) * sizeof *chain->constants);
    if (chain->instructions == NULL || chain->memory == NULL || chain->outputs == NULL ||
        chain->sums == NULL || chain->constants == NULL)
        return DPR_E_MEMORY;
    struct compiling c = {.step = step,
                          .group = group,
                          .anchor = anchor,
                          .chain = chain,
                          .space = dpr__group_space(step, group),
                          .supported = true};
    for (uint32_t m = 0; m < group->n; m++) {
        dpr_value value = step->members[group->first + m];
        uint16_t reg;
        if (value == anchor || is_cast_of_anchor(&c, value)) {
            c.reg_of[m] = 1;
            if (node_of(&c, value)->dtype == DPR_F32)
                add_output(&c, value, 0);
        } else if (is_rounded_by_store(&c, value) &&
                   in_register(&c, dpr__source(step->graph, value, 0), &reg)) {
            c.reg_of[m] = (uint16_t)(reg + 1);
            c.aliased[m] = true;
            add_output(&c, value, reg);
        } else if (dpr__is_channel_sum(step->graph, value)) {
            add_sum(&c, value);
        } else if (is_of_windows(node_of(&c, value)->op)) {
            leave_in_tile(&c, dpr__source(step->graph, value, 0));
        } else {
            add_instruction(&c, m);
        }
    }
    chain->halves =
        dpr__kernel_find(DPR__HALVES, DPR__OP_round_bf16, DPR_F32, step->context->isa)->run.halves;
    chain->adds = dpr__kernel_find(DPR__SUMS, DPR__OP_sum, DPR_F32, step->context->isa)->run.sums;
    choose_space(&c);
    place_scratch(&c, tile_rows);
    set_direct(&c);
    take_constants(&c);
    count(&c);
    *supported = c.supported;
    chain->name = "spans";
    return c.supported && chain->n_sums == 0 ? find_strip(&c) : DPR_OK;
}
