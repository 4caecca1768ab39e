/* Groups to rows, and what all kinds of rows share. Tiles come from shapes alone, never from the number of threads. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum { SERIAL_COST = 40000 }; /* flops + bytes under which waking a second thread costs more */

const char *dpr__cpu_chosen(const dpr__cpu_plan *plan, const char *name, const dpr__node *node) {
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

void dpr__cpu_cut_panels(dpr__row *row) {
    int64_t panels = dpr__ceil_divide(row->chain.columns, DPR__PANEL);
    row->n_tiles =
        row->chain.rows == 0 ? 0 : dpr__ceil_divide(row->chain.rows, row->tile_rows) * panels;
}

dpr__tile dpr__cpu_tile(const dpr__row *row, int64_t number) {
    int64_t down = dpr__ceil_divide(row->chain.rows, row->tile_rows);
    int64_t across = row->n_tiles / down;
    int64_t block = row->down_first ? number % down : number / across;
    dpr__tile tile = {.row = block * row->tile_rows,
                      .panel = row->down_first ? number / down : number % across};
    int64_t left = row->chain.rows - tile.row;
    tile.rows = left < row->tile_rows ? left : row->tile_rows;
    return tile;
}

/* ---- pointwise groups ---- */

static void run_panels(const dpr__row *row, const dpr__values *values, float *scratch,
                       int64_t first, int64_t last) {
    for (int64_t t = first; t < last; t++) {
        dpr__tile tile = dpr__cpu_tile(row, t);
        dpr__chain_run(&row->chain, values, scratch, NULL, tile.row, tile.rows, tile.panel);
    }
}

static void run_flat(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                     int64_t last) {
    int64_t n = row->chain.rows * row->chain.columns;
    for (int64_t t = first; t < last; t++) {
        int64_t at = t * DPR__FLAT_TILE, left = n - at;
        dpr__chain_run_flat(&row->chain, values, scratch, at,
                            left < DPR__FLAT_TILE ? left : DPR__FLAT_TILE);
    }
}

dpr_status dpr__cpu_compile_chain(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                  int64_t tile_rows, bool *supported) {
    row->tile_rows = tile_rows;
    DPR_TRY(dpr__chain_compile(&plan->arena, plan->values.step, group, 0, tile_rows, &row->chain,
                               supported));
    row->scratch_floats = row->chain.scratch_floats;
    row->flops = row->chain.flops;
    row->bytes = row->chain.bytes;
    row->down_first = true;
    return DPR_OK;
}

dpr_status dpr__cpu_compile_pointwise(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                      bool *supported) {
    DPR_TRY(dpr__cpu_compile_chain(plan, group, row, DPR__FLAT_TILE / DPR__PANEL, supported));
    row->kernel = "pointwise";
    row->run = row->chain.in_panels ? run_panels : run_flat;
    if (row->chain.in_panels)
        dpr__cpu_cut_panels(row);
    else
        row->n_tiles = dpr__ceil_divide(row->chain.rows * row->chain.columns, DPR__FLAT_TILE);
    return DPR_OK;
}

/* ---- all ---- */

static dpr_status compile_in_groups(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                    bool *supported) {
    const dpr_graph *graph = plan->values.step->graph;
    dpr_value value = plan->values.step->members[group->first];
    bool filters = dpr__node_of(graph, value)->op == DPR__OP_conv2d_weights;
    if (dpr__is_depthwise(graph, value))
        return filters ? dpr__cpu_compile_depthwise_filters(plan, group, row, supported)
                       : dpr__cpu_compile_depthwise(plan, group, row, supported);
    return filters ? dpr__cpu_compile_grouped_filters(plan, group, row, supported)
                   : dpr__cpu_compile_grouped(plan, group, row, supported);
}

/* A convolution that is one product of matrices in panels: of single pixels, all of them in turn. Filters' gradients, whose sums are as long as there are pixels, only
 * where they have tiles for all threads. */
static bool is_product(const dpr__step *step, dpr_value value) {
    enum { LEAST_FILTERS = 1 << 16, MOST_PIXELS = 4096 };
    const dpr__node *node = dpr__node_of(step->graph, value);
    const dpr__conv_param *p = node->param;
    dpr_value a = dpr__source(step->graph, value, 0), b = dpr__source(step->graph, value, 1);
    bool filters = node->op == DPR__OP_conv2d_weights;
    const dpr_shape *taps = filters ? &node->shape : &dpr__node_of(step->graph, b)->shape;
    if (p->bf16 || taps->dim[0] != 1 || taps->dim[1] != 1 || p->stride_h != 1 || p->stride_w != 1 ||
        p->pad_top != 0 || p->pad_left != 0 || p->pad_bottom != 0 || p->pad_right != 0 ||
        step->forms[a] != DPR__PANELS || step->forms[b] != DPR__PANELS)
        return false;
    if (filters)
        return taps->dim[2] * taps->dim[3] >= LEAST_FILTERS &&
               dpr__rows_of(&dpr__node_of(step->graph, a)->shape) <= MOST_PIXELS;
    return !dpr__form_fits_narrow(DPR_F32, &node->shape);
}

static dpr_status compile_contraction(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                      bool *supported) {
    const dpr__step *step = plan->values.step;
    const dpr__node *node = dpr__node_of(step->graph, step->members[group->first]);
    const dpr__conv_param *conv = node->param;
    bool winograd = dpr__has_trait(node->op, DPR__CONVOLUTION) && conv->winograd;
    if (dpr__has_trait(node->op, DPR__CONVOLUTION) && conv->groups > 1)
        return compile_in_groups(plan, group, row, supported);
    if (dpr__has_trait(node->op, DPR__CONVOLUTION) && !winograd &&
        is_product(step, step->members[group->first]))
        return dpr__cpu_compile_contraction(plan, group, row, supported);
    if (node->op == DPR__OP_conv2d_data && !winograd && !conv->turned)
        return dpr__cpu_compile_spread(plan, group, row, supported);
    switch (node->op) {
    case DPR__OP_conv2d:
    case DPR__OP_conv2d_data:
        return winograd ? dpr__cpu_compile_winograd(plan, group, row, supported)
                        : dpr__cpu_compile_convolution(plan, group, row, supported);
    case DPR__OP_conv2d_weights:
        return winograd ? dpr__cpu_compile_winograd_gradient(plan, group, row, supported)
                        : dpr__cpu_compile_filter_gradient(plan, group, row, supported);
    default:
        return dpr__cpu_compile_contraction(plan, group, row, supported);
    }
}

/* A pointwise group that the vector kernels do not support runs its one node by the reference: fuse made larger
 * groups only of what they support. */
dpr_status dpr__cpu_compile_group(dpr__cpu_plan *plan, uint32_t g, dpr__row *row) {
    const dpr__group *group = &plan->values.step->groups[g];
    bool supported = true;
    *row = (dpr__row){.group = g, .phase = group->phase};
    switch (group->kind) {
    case DPR__GROUP_CONTRACT:
        DPR_TRY(compile_contraction(plan, group, row, &supported));
        break;
    case DPR__GROUP_GATHER:
        DPR_TRY(dpr__cpu_compile_gather(plan, group, row, &supported));
        break;
    case DPR__GROUP_POINTWISE:
        DPR_TRY(dpr__cpu_compile_pointwise(plan, group, row, &supported));
        break;
    case DPR__GROUP_REDUCE:
        DPR_TRY(dpr__cpu_compile_reduce(plan, group, row, &supported));
        break;
    case DPR__GROUP_NODE:
        DPR_TRY(dpr__cpu_compile_node(plan, group, row));
        break;
    }
    if (!supported && group->kind == DPR__GROUP_POINTWISE && group->n == 1) {
        *row = (dpr__row){.group = g, .phase = group->phase};
        DPR_TRY(dpr__cpu_compile_node(plan, group, row));
    } else if (!supported) {
        return DPR_FAIL(plan->values.step->context, DPR_E_UNSUPPORTED,
                        "cpu: no kernel for a member of group %u", g);
    }
    row->chain_name = row->chain.name != NULL ? row->chain.name : "";
    row->serial = row->n_tiles <= 1 || row->flops + row->bytes < SERIAL_COST;
    return DPR_OK;
}
