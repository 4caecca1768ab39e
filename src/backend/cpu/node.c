/* Groups of one node, or of two that one kernel makes: a row kernel where one accepts it, else the op's reference kernel. Kernels that take no panels are given
 * row-major copies, and their result is put back; the plan's bytes count that. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

static void run_rows(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                     int64_t last) {
    (void)values, (void)scratch;
    int64_t end = last * row->tile_units;
    row->rows_run(&row->call, first * row->tile_units, end < row->n_units ? end : row->n_units);
}

static size_t plain_bytes(const dpr__tensor *tensor) {
    return ((size_t)dpr__shape_count(&tensor->shape) * dpr__dtype_bytes(tensor->dtype) + 63) / 64 *
           64;
}

/* Runs the reference kernel on plain copies of what lies in panels. */
static void run_reference(const dpr__row *row, const dpr__values *values, float *scratch,
                          int64_t first, int64_t last) {
    (void)values, (void)scratch, (void)first, (void)last;
    if (row->call.dst.data == NULL)
        return;
    dpr__tensor src[DPR_MAX_RANK], dst = row->call.dst;
    char *plain = (char *)row->partial;
    for (uint32_t i = 0; i < row->n_src; i++) {
        src[i] = row->call.src[i];
        if (src[i].form == DPR__PLAIN)
            continue;
        dpr__form_copy(plain, DPR__PLAIN, src[i].data, src[i].form, &src[i].shape,
                       dpr__dtype_bytes(src[i].dtype));
        src[i].data = plain;
        src[i].form = DPR__PLAIN;
        plain += plain_bytes(&src[i]);
    }
    if (dst.form != DPR__PLAIN)
        dst.data = plain;
    dst.form = DPR__PLAIN;
    row->op->reference(&(dpr__call){.param = row->call.param, .src = src, .dst = dst});
    if (row->call.dst.form != DPR__PLAIN)
        dpr__form_copy(row->call.dst.data, row->call.dst.form, plain, DPR__PLAIN, &dst.shape,
                       dpr__dtype_bytes(dst.dtype));
}

/* The second node of a group, which its kernel makes as well; 0: there is none. */
static dpr_value second_of(const dpr__step *step, uint32_t group) {
    const dpr__group *g = &step->groups[group];
    return g->n > 1 ? step->members[g->first + 1] : 0;
}

static dpr_status set_call(dpr__cpu_plan *plan, dpr__row *row) {
    const dpr__step *step = plan->values.step;
    const dpr__node *node = dpr__node_of(step->graph, row->node);
    dpr__tensor *src = dpr__arena_allocate(&plan->arena, (node->n_src + 1) * sizeof *src);
    if (src == NULL)
        return DPR_E_MEMORY;
    for (uint32_t i = 0; i < node->n_src; i++) {
        dpr_value value = dpr__source(step->graph, row->node, i);
        src[i] = dpr__values_tensor(&plan->values, value);
        /* Of a pool only as much is read as is written. */
        bool pool = (node->op == DPR__OP_gather || node->op == DPR__OP_augment) && i == 0;
        row->bytes += dpr__value_bytes(step, pool ? row->node : value);
    }
    row->call = (dpr__call){
        .param = node->param, .src = src, .dst = dpr__values_tensor(&plan->values, row->node)};
    row->bytes += dpr__value_bytes(step, row->node);
    dpr_value second = second_of(step, row->group);
    if (second != 0) {
        dpr__tensor *taken = dpr__arena_allocate(&plan->arena, sizeof *taken);
        if (taken == NULL)
            return DPR_E_MEMORY;
        *taken = dpr__values_tensor(&plan->values, second);
        row->call.second = taken;
        row->bytes += dpr__value_bytes(step, second);
    }
    row->flops = (uint64_t)dpr__shape_count(&node->shape);
    return DPR_OK;
}

void dpr__cpu_refresh_node(const dpr__cpu_plan *plan, dpr__row *row) {
    const dpr_graph *graph = plan->values.step->graph;
    dpr__tensor *src = (dpr__tensor *)(uintptr_t)row->call.src;
    for (uint32_t s = 0; s < graph->nodes[row->node].n_src; s++)
        src[s].data = plan->values.memory[dpr__source(graph, row->node, s)];
    row->call.dst.data = plan->values.memory[row->node];
    if (row->call.second != NULL)
        ((dpr__tensor *)(uintptr_t)row->call.second)->data =
            plan->values.memory[second_of(plan->values.step, row->group)];
}

/* The reference kernel, and room for plain copies. */
static void use_reference(dpr__row *row, const dpr__node *node) {
    size_t bytes = row->call.dst.form == DPR__PLAIN ? 0 : plain_bytes(&row->call.dst);
    for (uint32_t i = 0; i < node->n_src; i++)
        bytes += row->call.src[i].form == DPR__PLAIN ? 0 : plain_bytes(&row->call.src[i]);
    row->run = run_reference;
    row->kernel = node->op == DPR__OP_guard ? "guard" : "reference";
    row->n_tiles = 1;
    row->bytes += 2 * bytes;
    row->partial_floats = bytes / sizeof *row->partial;
}

static void use_kernel(dpr__row *row, const dpr__kernel *kernel) {
    row->run = run_rows;
    row->rows_run = kernel->run.rows->run;
    row->kernel = kernel->name;
    row->n_units = kernel->run.rows->units(&row->call);
    int64_t unit_bytes = (int64_t)row->bytes / (row->n_units > 0 ? row->n_units : 1) + 1;
    row->tile_units = dpr__ceil_divide(32768, unit_bytes);
    row->n_tiles = dpr__ceil_divide(row->n_units, row->tile_units);
}

static bool has_halves(const dpr__row *row, const dpr__node *node) {
    bool any = dpr__form_is_half(row->call.dst.form);
    for (uint32_t i = 0; i < node->n_src; i++)
        any |= dpr__form_is_half(row->call.src[i].form);
    return any;
}

/* NULL where none accepts the row. */
static const dpr__kernel *find_kernel(const dpr__step *step, const dpr__row *row,
                                      const dpr__node *node) {
    for (size_t i = 0; i < dpr__n_kernels && dpr__shape_count(&node->shape) > 0; i++) {
        const dpr__kernel *kernel = &dpr__kernels[i];
        if (kernel->class == DPR__ROWS && kernel->op == node->op &&
            kernel->run.rows->takes_halves == has_halves(row, node) &&
            kernel->dtype == row->call.src[0].dtype && kernel->isa <= step->context->isa &&
            kernel->run.rows->accepts(&row->call))
            return kernel;
    }
    return NULL;
}

dpr_status dpr__cpu_compile_node(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row) {
    const dpr__step *step = plan->values.step;
    row->node = step->members[group->first];
    const dpr__node *node = dpr__node_of(step->graph, row->node);
    row->op = dpr__ops[node->op];
    row->n_src = node->n_src;
    DPR_TRY(set_call(plan, row));
    const dpr__kernel *kernel = find_kernel(step, row, node);
    if (kernel != NULL)
        use_kernel(row, kernel);
    else
        use_reference(row, node);
    row->kernel = dpr__cpu_chosen(plan, row->kernel, node);
    return DPR_OK;
}
