/* prepare: what fuse and the kernels want of a graph.
 * - A convolution's data gradient reads its filters turned (ops/turn_filters.c). They are turned once a step, as a node that the plan shows, and
 *   not in every tile. Depthwise filters stay as they are, and those of few channels: their kernels read them so (backend/cpu/depthwise.c, conv_spread.c).
 * - 3 × 3 filters are transformed for Winograd's algorithm, once a step, too; but where a map is small beside them, their convolution does it with some at a
 *   time, and nobody stores four times what there was. Neither is done again where filters are kept (keep.c).
 * - Filters that a convolution reads in bf16 are rounded once a step, and lie in pairs from then on.
 * - What one add or multiply makes of a map and of a number for each channel is made anew for each of its readers, and what is made of that in turn: less
 *   than storing and reading it.
 * - A relu of such a map is made once more for all of its readers in the backward half, where these read what it is made of anyway: forward and backward then
 *   share one stored map for each convolution and its batch norm, not two.
 * - Of what a pooling left of a map's gradient, a filters' gradient of few channels has a window_put of its own, which joins its group and is not stored.
 * - An operand that repeats along the middle of a map is repeated by a node: chains read whole maps, rows, columns and numbers. */
#include "base/context.h"
#include "ir/shape.h"
#include "pass/step.h"

bool dpr__is_depthwise(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    if (!dpr__has_trait(node->op, DPR__CONVOLUTION))
        return false;
    dpr_value other = node->op == DPR__OP_conv2d_weights ? dpr__source(graph, value, 1) : value;
    int64_t groups = ((const dpr__conv_param *)node->param)->groups;
    return groups > 1 && groups == dpr__columns(&dpr__node_of(graph, other)->shape) &&
           groups == dpr__columns(&dpr__node_of(graph, dpr__source(graph, value, 0))->shape);
}

struct prepare {
    bool *kept;        /* (nodes) */
    bool *read_back;   /* (nodes) a map that the backward half reads, as it is or made cheap */
    dpr_value *remade; /* (nodes) what the backward half reads for a relu; 0: not made yet */
};

static bool is_cheap(const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    uint32_t maps = 0;
    if (node->op != DPR__OP_add && node->op != DPR__OP_multiply && node->op != DPR__OP_scale)
        return false;
    for (uint32_t i = 0; i < node->n_src; i++) {
        dpr__pattern pattern = dpr__pattern_of(
            &dpr__node_of(graph, dpr__source(graph, value, i))->shape, &node->shape);
        maps += pattern == DPR__FULL;
        if (pattern == DPR__NO_PATTERN)
            return false;
    }
    return maps == 1 && node->shape.rank > 2;
}

/* A copy of what is cheap, and of what is cheap of that it is made of; else the new node. */
static dpr_value copy_of(dpr__rewrite *rewrite, dpr_value old) {
    const dpr__node *node = dpr__node_of(rewrite->from, old);
    dpr_value src[2] = {0};
    if (!is_cheap(rewrite->from, old))
        return rewrite->map[old];
    for (uint32_t i = 0; i < node->n_src; i++)
        src[i] = copy_of(rewrite, dpr__source(rewrite->from, old, i));
    dpr_graph_scope(rewrite->to, node->name);
    return dpr__node_add(rewrite->to, node->op, src, node->n_src, node->param);
}

/* The map of which cheap ones make `value`. */
static dpr_value base_of(const dpr_graph *graph, dpr_value value) {
    while (is_cheap(graph, value)) {
        dpr_value first = dpr__source(graph, value, 0);
        dpr__pattern pattern =
            dpr__pattern_of(&dpr__node_of(graph, first)->shape, &dpr__node_of(graph, value)->shape);
        value = pattern == DPR__FULL ? first : dpr__source(graph, value, 1);
    }
    return value;
}

static void mark_read_back(const dpr_graph *graph, bool *read_back) {
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        for (uint32_t i = 0; graph->nodes[v].role == DPR__BACKWARD && i < graph->nodes[v].n_src;
             i++)
            read_back[base_of(graph, dpr__source(graph, v, i))] = true;
}

/* Whether `reader`, of the backward half, is to have `src` made once more. */
static bool is_remade(const dpr__rewrite *rewrite, dpr_value src, const dpr__node *reader) {
    const struct prepare *prepare = rewrite->user;
    const dpr__node *node = dpr__node_of(rewrite->from, src);
    if (node->op != DPR__OP_relu || node->role != DPR__FORWARD || reader->role != DPR__BACKWARD)
        return false;
    dpr_value map = dpr__source(rewrite->from, src, 0);
    return is_cheap(rewrite->from, map) && prepare->read_back[base_of(rewrite->from, map)];
}

static dpr_value remade(dpr__rewrite *rewrite, dpr_value old) {
    dpr_value *again = &((struct prepare *)rewrite->user)->remade[old];
    if (*again == 0) {
        dpr_value src = copy_of(rewrite, dpr__source(rewrite->from, old, 0));
        dpr_graph_scope(rewrite->to, dpr__node_of(rewrite->from, old)->name);
        *again = dpr__node_add(rewrite->to, DPR__OP_relu, &src, 1, NULL);
    }
    return *again;
}

/* The new node for source i of an old one: a copy of its own of what is cheap. */
static dpr_value source_for(dpr__rewrite *rewrite, dpr_value old, uint32_t i) {
    const dpr__node *node = dpr__node_of(rewrite->from, old);
    dpr_value src = dpr__source(rewrite->from, old, i);
    if (dpr__has_trait(node->op, DPR__EFFECT))
        return rewrite->map[src];
    dpr_value copy = is_remade(rewrite, src, node) ? remade(rewrite, src) : copy_of(rewrite, src);
    dpr_graph_scope(rewrite->to, node->name);
    return copy;
}

static bool is_repeated(const dpr__rewrite *rewrite, const dpr__node *node, dpr_value src) {
    return dpr__has_trait(node->op, DPR__ELEMENTWISE) && node->dtype == DPR_F32 &&
           dpr__pattern_of(&dpr__node_of(rewrite->to, src)->shape, &node->shape) == DPR__NO_PATTERN;
}

/* F(4×4, 3×3) pays where products are large beside transforms: many channels on both sides, and many tiles, where filters are transformed in
 * every step; where these are kept, so many that reading 36 numbers for 9 costs less than they save. By shapes alone, as every choice of another order of sums. */
static bool pays_winograd(const dpr_graph *graph, dpr_value value, bool kept) {
    enum { LEAST_CHANNELS = 16, LEAST_TILES = 16, LEAST_KEPT = 4 };
    const dpr__node *node = dpr__node_of(graph, value);
    const dpr__conv_param *p = node->param;
    bool sums_filters = node->op == DPR__OP_conv2d_weights;
    const dpr_shape *map =
        sums_filters ? &dpr__node_of(graph, dpr__source(graph, value, 1))->shape : &node->shape;
    const dpr_shape *taps =
        sums_filters ? &node->shape : &dpr__node_of(graph, dpr__source(graph, value, 1))->shape;
    return taps->dim[0] == 3 && taps->dim[1] == 3 && p->groups == 1 && p->stride_h == 1 &&
           p->stride_w == 1 && p->dilation_h == 1 && p->dilation_w == 1 &&
           taps->dim[2] >= LEAST_CHANNELS && taps->dim[3] >= LEAST_CHANNELS &&
           map->dim[0] * ((map->dim[1] + 3) / 4) * ((map->dim[2] + 3) / 4) >=
               (kept ? LEAST_KEPT : LEAST_TILES);
}

/* Each thread takes some panels of filters then, and transforms all of the map for itself. */
static bool has_few_tiles(const dpr_graph *graph, dpr_value value) {
    enum { LEAST_CHANNELS = 256, MOST_DATA = 12 << 20 };
    const dpr_shape *dst = &dpr__node_of(graph, value)->shape;
    const dpr_shape *src = &dpr__node_of(graph, dpr__source(graph, value, 0))->shape;
    int64_t tiles = dst->dim[0] * ((dst->dim[1] + 3) / 4) * ((dst->dim[2] + 3) / 4);
    return dst->dim[3] >= LEAST_CHANNELS && 4 * tiles <= dst->dim[3] &&
           36 * tiles * src->dim[3] * (int64_t)sizeof(float) <= MOST_DATA;
}

/* Data of so few channels that lanes over them would be empty, while a window of them has enough. */
static bool spreads(const dpr_graph *graph, dpr_value value) {
    enum { MOST_CHANNELS = 8, LEAST_WINDOW = 24, MOST_WINDOW = 512, MOST_PIXELS = 1 << 16 };
    const dpr__node *node = dpr__node_of(graph, value);
    const dpr_shape *taps = &dpr__node_of(graph, dpr__source(graph, value, 1))->shape;
    int64_t channels = node->shape.dim[3], window = taps->dim[0] * taps->dim[1] * channels;
    return ((const dpr__conv_param *)node->param)->groups == 1 && channels <= MOST_CHANNELS &&
           window >= LEAST_WINDOW && window <= MOST_WINDOW &&
           node->shape.dim[1] * node->shape.dim[2] <= MOST_PIXELS;
}

bool dpr__sums_maxima(const dpr_graph *graph, dpr_value value) {
    enum { MOST_CHANNELS = 16 };
    const dpr__node *node = dpr__node_of(graph, value);
    if (node->op != DPR__OP_conv2d_weights)
        return false;
    const dpr__conv_param *p = node->param;
    dpr_value put = dpr__source(graph, value, 1);
    return p->groups == 1 && p->bf16 == 0 && p->winograd == 0 && p->dilation_w == 1 &&
           node->shape.dim[2] <= MOST_CHANNELS && node->shape.dim[3] <= MOST_CHANNELS &&
           dpr__puts_maxima(graph, put) &&
           dpr__windows_tile(dpr__node_of(graph, put)->param, &dpr__node_of(graph, put)->shape,
                             &dpr__node_of(graph, dpr__source(graph, put, 0))->shape);
}

/* Products of pairs of bf16 pay wherever there is no Winograd; beside it, where they are made by AMX and a gradient of filters has the pixels to fill tiles. Winograd's own pay where the machine has an instruction for them and they fill panels. By shapes, and by what class of machine this is. */
int64_t dpr__convolves_in_bf16(const dpr__step *step, const dpr_graph *graph, dpr_value value,
                               const bool *kept) {
    enum { LEAST_CHANNELS = 16, LEAST_FOR_WINOGRAD = 32, LEAST_PIXELS = 16 };
    const dpr__node *node = dpr__node_of(graph, value);
    dpr_value second = dpr__source(graph, value, 1);
    bool sums_filters = node->op == DPR__OP_conv2d_weights;
    const dpr_shape *taps = sums_filters ? &node->shape : &dpr__node_of(graph, second)->shape;
    int64_t c = taps->dim[2], oc = taps->dim[3], least = c < oc ? c : oc;
    dpr__isa isa = step->context->isa;
    if (((const dpr__conv_param *)node->param)->groups != 1 || least < LEAST_CHANNELS ||
        c % 2 != 0 || oc % 2 != 0)
        return 0;
    const dpr_shape *map = &dpr__node_of(graph, sums_filters ? second : value)->shape;
    bool fills_tiles = !sums_filters || map->dim[1] * map->dim[2] >= LEAST_PIXELS;
    if ((isa >= DPR__ISA_AMX && fills_tiles) || !pays_winograd(graph, value, kept[second]))
        return DPR__BF16_OPERANDS;
    return isa >= DPR__ISA_AVX512BF16 && least >= LEAST_FOR_WINOGRAD ? DPR__BF16_WINOGRAD : 0;
}

static dpr_value convolution(dpr__rewrite *rewrite, dpr_value old, dpr_value *src) {
    const dpr__node *node = dpr__node_of(rewrite->from, old);
    dpr_graph *to = rewrite->to;
    dpr__conv_param param = *(const dpr__conv_param *)node->param;
    const bool *kept = ((const struct prepare *)rewrite->user)->kept;
    bool sums_filters = node->op == DPR__OP_conv2d_weights;
    if (param.bf16 == DPR__BF16_WINOGRAD ||
        (param.bf16 == 0 &&
         pays_winograd(rewrite->from, old, kept[dpr__source(rewrite->from, old, 1)])))
        param.winograd = DPR__FILTERS_TRANSFORMED;
    if (param.winograd && pays_winograd(rewrite->from, old, false) && !sums_filters &&
        param.turned == 0 && has_few_tiles(rewrite->from, old))
        param.winograd = DPR__FILTERS_PLAIN;
    if (node->op == DPR__OP_conv2d_data && param.turned == 0 &&
        param.winograd != DPR__FILTERS_PLAIN && !dpr__is_depthwise(rewrite->from, old) &&
        !spreads(rewrite->from, old)) {
        const dpr__turn_param turn = {param.groups};
        src[1] = dpr__node_add(to, DPR__OP_turn_filters, &src[1], 1, &turn);
        param.turned = 1;
    }
    const dpr__winograd_filters_param filters = {.bf16 = param.bf16 == DPR__BF16_WINOGRAD};
    if (param.bf16 == DPR__BF16_OPERANDS && !sums_filters)
        src[1] = dpr__node_add(to, DPR__OP_round_bf16, &src[1], 1, NULL);
    if (param.winograd == DPR__FILTERS_TRANSFORMED && !sums_filters)
        src[1] = dpr__node_add(to, DPR__OP_winograd_filters, &src[1], 1, &filters);
    dpr_value value = dpr__node_add(to, node->op, src, 2, &param);
    if (value == 0 || !dpr__sums_maxima(to, value))
        return value;
    const dpr__window_param window = *(const dpr__window_param *)dpr__node_of(to, src[1])->param;
    dpr_value put[2] = {dpr__source(to, src[1], 0), dpr__source(to, src[1], 1)};
    src[1] = dpr__node_add(to, DPR__OP_window_put, put, 2, &window);
    return dpr__node_add(to, node->op, src, 2, &param);
}

static dpr_status rule(dpr__rewrite *rewrite, dpr_value old, dpr_value *out) {
    const dpr__node *node = dpr__node_of(rewrite->from, old);
    dpr_graph *to = rewrite->to;
    dpr_value src[DPR_MAX_RANK];
    for (uint32_t i = 0; i < node->n_src; i++) {
        src[i] = source_for(rewrite, old, i);
        if (src[i] != 0 && is_repeated(rewrite, node, src[i]))
            src[i] = dpr_broadcast(to, src[i], node->shape);
    }
    if (dpr__has_trait(node->op, DPR__CONVOLUTION))
        *out = convolution(rewrite, old, src);
    else
        *out = dpr__node_add(to, node->op, src, node->n_src, node->param);
    return DPR_OK;
}

dpr_status dpr__prepare(dpr__step *step) {
    bool maps = false;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        maps |= step->graph->nodes[v].shape.rank > 2;
    if (!maps || step->per_node || step->leaves_are_f64)
        return DPR_OK;
    size_t n = step->graph->n_nodes;
    struct prepare prepare = {0};
    dpr_status status = dpr__allocate(step->context, n, sizeof *prepare.kept, &prepare.kept);
    if (status == DPR_OK)
        status = dpr__allocate(step->context, n, sizeof *prepare.read_back, &prepare.read_back);
    if (status == DPR_OK)
        status = dpr__allocate(step->context, n, sizeof *prepare.remade, &prepare.remade);
    if (status == DPR_OK) {
        dpr__mark_kept(step->graph, prepare.kept);
        mark_read_back(step->graph, prepare.read_back);
        status = dpr__rewrite_graph(step, step->graph, rule, NULL, &prepare);
    }
    dpr__free(step->context, prepare.kept);
    dpr__free(step->context, prepare.read_back);
    dpr__free(step->context, prepare.remade);
    return status == DPR_OK ? dpr__drop_dead(step) : status;
}
