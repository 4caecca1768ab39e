/* Lookahead (Zhang et al. 2019), k steps of any optimiser from the slow weights on and then
 *     φ ← φ + α(θ − φ),  θ ← φ      (φ slow/NAME, θ the weights),
 * and averages of weights in the step. A weight of the average that the host writes into a table makes it exponential (Polyak
 * averaging) or that of some chosen steps (SWA, Izmailov et al. 2018): the graph is the same. */
#include "train/smoothing.h"
#include <string.h>

const char *dpr__leaf_name(const dpr_graph *graph, dpr_value value) {
    return ((const dpr__leaf_param *)dpr__node_of(graph, value)->param)->name;
}

const char *dpr__prefixed(dpr__arena *arena, const char *prefix, const char *name) {
    size_t a = strlen(prefix), b = strlen(name);
    char *text = dpr__arena_allocate(arena, a + b + 1);
    if (text != NULL) {
        memcpy(text, prefix, a);
        memcpy(text + a, name, b);
    }
    return text;
}

dpr_value dpr__state_beside(dpr_graph *graph, const char *prefix, dpr_value leaf) {
    const char *name = dpr__prefixed(&graph->arena, prefix, dpr__leaf_name(graph, leaf));
    if (name == NULL) {
        dpr__graph_latch(graph, DPR_E_MEMORY);
        return 0;
    }
    return dpr_state(graph, name, DPR_F32, dpr_value_shape(graph, leaf));
}

dpr_value dpr__mix(dpr_graph *graph, dpr_value weight, dpr_value new, dpr_value old) {
    dpr_value one = dpr_constant(graph, 1, dpr_scalar_shape());
    dpr_value rest = dpr_subtract(graph, one, weight);
    dpr_value kept = dpr_multiply(graph, old, rest);
    dpr_value taken = dpr_multiply(graph, new, weight);
    return dpr_add(graph, kept, taken);
}

static dpr_value only_if(dpr_graph *graph, dpr_value active, dpr_value scalar) {
    return active == 0 ? scalar : dpr_multiply(graph, scalar, active);
}

static dpr_value look_ahead(dpr_graph *graph, const dpr__smoothing *smoothing, dpr_value active,
                            dpr_value leaf, dpr_value value, dpr_value *roots, size_t *n_roots) {
    dpr_value slow = dpr__state_beside(graph, "slow/", leaf);
    dpr_value share = only_if(graph, active, smoothing->slow);
    dpr_value next = dpr__mix(graph, share, value, slow);
    roots[(*n_roots)++] = dpr_assign(graph, slow, next);
    dpr_value now = only_if(graph, active, smoothing->lookahead);
    return dpr__mix(graph, now, next, value);
}

dpr_value dpr__smooth(dpr_graph *graph, const dpr__smoothing *smoothing, dpr_value active,
                      dpr_value leaf, dpr_value value, dpr_value *roots, size_t *n_roots) {
    if (smoothing != NULL && smoothing->lookahead != 0)
        value = look_ahead(graph, smoothing, active, leaf, value, roots, n_roots);
    if (smoothing != NULL && smoothing->average != 0) {
        dpr_value average = dpr__state_beside(graph, "average/", leaf);
        dpr_value next = dpr__mix(graph, smoothing->average, value, average);
        roots[(*n_roots)++] = dpr_assign(graph, average, next);
    }
    return value;
}
