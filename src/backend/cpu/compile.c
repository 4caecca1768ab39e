/* Groups to rows: chooses kernels, cuts tiles. Tiles come from shapes alone, never from the number of threads. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum {
    POINTWISE_TILE = 8192, /* elements: some 32 KB a stream */
    SERIAL_COST = 40000,   /* flops + bytes under which waking a second thread costs more */
};

static const dpr__node *node_of(const dpr__cpu_plan *plan, dpr_value value) {
    return dpr__node_of(plan->values.step->graph, value);
}

/* Says which kernel was chosen, and why no better one. Returns its name. */
static const char *chosen(dpr__cpu_plan *plan, const char *name, const dpr__node *node) {
    dpr_context *context = plan->values.step->context;
    const char *why = "";
    for (size_t i = 0; i < dpr__n_kernels && dpr__kernels[i].name != name; i++)
        if (dpr__kernels[i].op == node->op && dpr__kernels[i].isa > context->isa)
            why = "; better ones need instructions beyond what this machine or --cpu-isa allows";
    if (strcmp(name, "reference") == 0)
        why = "; no faster kernel takes these axes or types";
    dpr__log(context, DPR_LOG_DEBUG, DPR__TOPIC_DISPATCH, "%s '%s': %s%s", dpr__op_names[node->op],
             node->name, name, why);
    return name;
}

/* ---- pointwise programs ---- */

static dpr__operand operand(const dpr__cpu_plan *plan, const dpr__group *group, dpr_value src,
                            const dpr_shape *space) {
    const dpr__step *step = plan->values.step;
    for (uint32_t m = 0; m < group->n; m++)
        if (step->members[group->first + m] == src)
            return (dpr__operand){.is_register = true, .reg = (uint16_t)m};
    const dpr__node *node = node_of(plan, src);
    return (dpr__operand){.pattern = (uint8_t)dpr__pattern_of(&node->shape, space),
                          .bytes = (uint8_t)dpr__dtype_bytes(node->dtype),
                          .value = src};
}

/* Whether an instruction after `from` reads memory that the leaf behind `store` lies in. */
static bool read_later(const dpr__cpu_plan *plan, const dpr__instruction *program, uint32_t n,
                       uint32_t from, dpr_value store) {
    const dpr__placement *placements = plan->values.step->placements;
    if (placements[store].home != DPR__HOME_LEAF)
        return false; /* the arena's blocks of one phase never meet */
    for (uint32_t i = from + 1; i < n; i++)
        for (uint32_t s = 0; s < program[i].n_src; s++) {
            const dpr__operand *src = &program[i].src[s];
            if (!src->is_register && placements[src->value].home == DPR__HOME_LEAF &&
                placements[src->value].leaf == placements[store].leaf)
                return true;
        }
    return false;
}

/* The group's elementwise members as instructions; member i's result is register i. Returns NULL when memory
 * is out; *supported is false when a member has no kernel or an operand no pattern. */
static dpr__instruction *make_program(dpr__cpu_plan *plan, const dpr__group *group, uint32_t skip,
                                      bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr__instruction *program = dpr__arena_allocate(&plan->arena, (group->n + 1) * sizeof *program);
    *supported = true;
    for (uint32_t m = skip; program != NULL && m < group->n; m++) {
        dpr_value value = step->members[group->first + m];
        const dpr__node *node = node_of(plan, value);
        dpr_dtype dtype = node_of(plan, dpr__source(step->graph, value, 0))->dtype;
        const dpr__kernel *kernel =
            dpr__kernel_find(DPR__SPAN, node->op, dtype, step->context->isa);
        dpr__instruction *i = &program[m];
        *i = (dpr__instruction){
            .run = kernel ? kernel->run.span : NULL, .param = node->param, .n_src = node->n_src};
        if (step->placements[value].home != DPR__HOME_NONE)
            i->store = value;
        for (uint32_t s = 0; s < node->n_src; s++) {
            i->src[s] = operand(plan, group, dpr__source(step->graph, value, s), &node->shape);
            if (!i->src[s].is_register && i->src[s].pattern == DPR__NO_PATTERN)
                *supported = false;
        }
        if (kernel == NULL)
            *supported = false;
    }
    for (uint32_t m = skip; program != NULL && m < group->n; m++)
        program[m].direct =
            program[m].store != 0 && !read_later(plan, program, group->n, m, program[m].store);
    return program;
}

/* Where every operand is one element for each point or one for all, the space is one long row. */
static bool is_flat(const dpr__row *row) {
    for (uint32_t i = 0; i < row->n_instructions; i++)
        for (uint32_t s = 0; s < row->program[i].n_src; s++) {
            const dpr__operand *src = &row->program[i].src[s];
            if (!src->is_register && (src->pattern == DPR__ROW || src->pattern == DPR__COLUMN))
                return false;
        }
    return true;
}

static void cut_pointwise(dpr__row *row) {
    if (is_flat(row)) {
        row->columns *= row->rows;
        row->rows = 1;
    }
    row->tile_columns = row->columns < POINTWISE_TILE ? row->columns : POINTWISE_TILE;
    row->tile_rows = row->tile_columns > 0 ? POINTWISE_TILE / row->tile_columns : 1;
    row->tile_rows = row->tile_rows < 1 ? 1 : row->tile_rows;
}

static int64_t ceil_divide(int64_t a, int64_t b) {
    return b > 0 ? (a + b - 1) / b : 0;
}

static void count_tiles(dpr__row *row) {
    row->n_tiles =
        ceil_divide(row->rows, row->tile_rows) * ceil_divide(row->columns, row->tile_columns);
}

/* Flops and bytes of the elementwise part. */
static void count_program(const dpr__cpu_plan *plan, dpr__row *row, uint32_t first) {
    uint64_t elements = (uint64_t)(row->rows * row->columns);
    for (uint32_t i = first; i < row->n_instructions; i++) {
        row->flops += elements;
        if (row->program[i].store != 0)
            row->bytes += elements * sizeof(float);
        for (uint32_t s = 0; s < row->program[i].n_src; s++)
            if (!row->program[i].src[s].is_register)
                row->bytes += dpr__value_bytes(plan->values.step, row->program[i].src[s].value);
    }
}

static dpr_status compile_pointwise(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                    bool *supported) {
    const dpr__node *first = node_of(plan, plan->values.step->members[group->first]);
    row->program = make_program(plan, group, 0, supported);
    if (row->program == NULL)
        return DPR_E_MEMORY;
    row->n_instructions = group->n;
    row->columns = dpr__columns(&first->shape);
    row->rows = dpr__rows_of(&first->shape);
    row->run = dpr__cpu_run_pointwise;
    row->kernel = chosen(plan, "pointwise", first);
    count_program(plan, row, 0);
    cut_pointwise(row);
    count_tiles(row);
    return DPR_OK;
}

/* ---- contractions ---- */

static void set_strides(const dpr__matmul_param *param, const dpr_shape *a, const dpr_shape *b,
                        dpr__tile_call *call) {
    int64_t a_columns = a->dim[1], b_columns = b->dim[1];
    call->a_row = param->transpose_a ? 1 : a_columns;
    call->a_column = param->transpose_a ? a_columns : 1;
    call->b_row = param->transpose_b ? 1 : b_columns;
    call->b_column = param->transpose_b ? b_columns : 1;
    call->k = param->transpose_a ? a->dim[0] : a->dim[1];
}

/* Largest tiles that still give some for every thread of a small machine; from the shape alone. */
static void cut_contraction(dpr__row *row) {
    row->tile_rows = row->rows < DPR__TILE_M ? row->rows : DPR__TILE_M;
    row->tile_columns = row->columns < DPR__TILE_N ? row->columns : DPR__TILE_N;
    count_tiles(row);
    while (row->n_tiles < 4 && (row->tile_columns > 64 || row->tile_rows > 16)) {
        if (row->tile_columns > 64)
            row->tile_columns = (ceil_divide(row->tile_columns, 2) + 31) / 32 * 32;
        else
            row->tile_rows = ceil_divide(row->tile_rows, 2);
        count_tiles(row);
    }
}

static dpr_status compile_contraction(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                      bool *supported) {
    const dpr__step *step = plan->values.step;
    row->product = step->members[group->first];
    const dpr__node *node = node_of(plan, row->product);
    const dpr__kernel *kernel = dpr__kernel_find(DPR__TILE, node->op, DPR_F32, step->context->isa);
    row->program = make_program(plan, group, 1, supported);
    if (row->program == NULL)
        return DPR_E_MEMORY;
    row->n_instructions = group->n;
    row->rows = node->shape.dim[0];
    row->columns = node->shape.dim[1];
    row->a = dpr__source(step->graph, row->product, 0);
    row->b = dpr__source(step->graph, row->product, 1);
    row->keep_product = step->placements[row->product].home != DPR__HOME_NONE;
    set_strides(node->param, &node_of(plan, row->a)->shape, &node_of(plan, row->b)->shape,
                &row->contraction);
    row->tile = kernel->run.tile;
    row->run = dpr__cpu_run_contraction;
    row->kernel = chosen(plan, kernel->name, node);
    row->flops = 2U * (uint64_t)row->rows * (uint64_t)row->columns * (uint64_t)row->contraction.k;
    row->bytes = dpr__value_bytes(step, row->a) + dpr__value_bytes(step, row->b) +
                 (row->keep_product ? dpr__value_bytes(step, row->product) : 0);
    count_program(plan, row, 1);
    cut_contraction(row);
    return DPR_OK;
}

/* ---- everything else ---- */

static dpr_status set_call(dpr__cpu_plan *plan, dpr__row *row) {
    const dpr__step *step = plan->values.step;
    const dpr__node *node = node_of(plan, row->node);
    dpr__tensor *src = dpr__arena_allocate(&plan->arena, (node->n_src + 1) * sizeof *src);
    if (src == NULL)
        return DPR_E_MEMORY;
    for (uint32_t i = 0; i < node->n_src; i++) {
        dpr_value value = dpr__source(step->graph, row->node, i);
        src[i] = dpr__values_tensor(&plan->values, value);
        /* A gather reads as much of its pool as it writes. */
        bool pool = node->op == DPR__OP_gather && i == 0;
        row->bytes += dpr__value_bytes(step, pool ? row->node : value);
    }
    row->call = (dpr__call){node->param, src, dpr__values_tensor(&plan->values, row->node)};
    row->bytes += dpr__value_bytes(step, row->node);
    row->flops = (uint64_t)dpr__shape_count(&node->shape);
    return DPR_OK;
}

static dpr_status compile_node(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row) {
    const dpr__step *step = plan->values.step;
    row->node = step->members[group->first];
    const dpr__node *node = node_of(plan, row->node);
    row->op = dpr__ops[node->op];
    DPR_TRY(set_call(plan, row));
    row->run = dpr__cpu_run_reference;
    row->kernel = node->op == DPR__OP_guard ? "guard" : "reference";
    row->n_tiles = row->n_units = row->tile_units = 1;
    for (size_t i = 0; i < dpr__n_kernels; i++) {
        const dpr__kernel *kernel = &dpr__kernels[i];
        if (kernel->class != DPR__ROWS || kernel->op != node->op ||
            kernel->dtype != row->call.src[0].dtype || kernel->isa > step->context->isa ||
            !kernel->run.rows->accepts(&row->call) || dpr__shape_count(&node->shape) == 0)
            continue;
        row->run = dpr__cpu_run_rows;
        row->rows_run = kernel->run.rows->run;
        row->kernel = kernel->name;
        row->n_units = kernel->run.rows->units(&row->call);
        int64_t unit_bytes = (int64_t)row->bytes / (row->n_units > 0 ? row->n_units : 1) + 1;
        row->tile_units = ceil_divide(32768, unit_bytes);
        row->n_tiles = ceil_divide(row->n_units, row->tile_units);
        break;
    }
    row->kernel = chosen(plan, row->kernel, node);
    return DPR_OK;
}

/* A pointwise group that the vector kernels do not support runs its one node by the reference: fuse made larger
 * groups only of what they support. */
dpr_status dpr__cpu_compile_group(dpr__cpu_plan *plan, uint32_t g, dpr__row *row) {
    const dpr__group *group = &plan->values.step->groups[g];
    bool supported = true;
    *row = (dpr__row){.group = g, .phase = group->phase};
    if (group->kind == DPR__GROUP_CONTRACT)
        DPR_TRY(compile_contraction(plan, group, row, &supported));
    else if (group->kind == DPR__GROUP_POINTWISE)
        DPR_TRY(compile_pointwise(plan, group, row, &supported));
    else
        DPR_TRY(compile_node(plan, group, row));
    if (!supported && group->kind == DPR__GROUP_POINTWISE && group->n == 1) {
        *row = (dpr__row){.group = g, .phase = group->phase};
        DPR_TRY(compile_node(plan, group, row));
    } else if (!supported) {
        return DPR_FAIL(plan->values.step->context, DPR_E_UNSUPPORTED,
                        "cpu: no kernel for a member of group %u", g);
    }
    row->serial = row->n_tiles <= 1 || row->flops + row->bytes < SERIAL_COST;
    return DPR_OK;
}
