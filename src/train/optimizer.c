/* The updates. w parameter, g gradient (clipped), η learning rate, λ weight decay (only for
 * parameters of rank 2 and more: not for biases):
 *   sgd       w' = w − η(g + λw)
 *   momentum  v' = μv + (g + λw),  w' = w − ηv'
 *   nesterov  v' as above,         w' = w − η((g + λw) + μv')       (Sutskever et al. 2013)
 *   adamw     m' = β₁m + (1 − β₁)g,  s' = β₂s + (1 − β₂)g²,
 *             w' = w − η(m'c₁/(√(s'c₂) + ε) + λw)                  (Loshchilov & Hutter 2019)
 * Clipping by the global norm: g is scaled by c/max(‖all gradients‖, c). */
#include "train/optimizer.h"
#include <string.h>

const char *const dpr__optimizer_words[DPR__N_OPTIMIZERS] = {
#define X(name, word, rate) [DPR__OPTIMIZER_##name] = word,
    DPR__OPTIMIZER_MAP(X)
#undef X
};

const double dpr__optimizer_rates[DPR__N_OPTIMIZERS] = {
#define X(name, word, rate) [DPR__OPTIMIZER_##name] = rate,
    DPR__OPTIMIZER_MAP(X)
#undef X
};

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

struct update {
    const dpr__optimizer *optimizer;
    dpr_graph *graph;
    const dpr__rates *rates;
    dpr_value *roots;
    size_t *n_roots;
};

static void assign(const struct update *update, dpr_value leaf, dpr_value value) {
    update->roots[(*update->n_roots)++] = dpr_assign(update->graph, leaf, value);
}

/* The state leaf "momentum/linear_1.weights" of parameter "linear_1.weights". */
static dpr_value state_of(const struct update *update, const char *prefix, dpr_value weights) {
    dpr_graph *graph = update->graph;
    const char *name = dpr__prefixed(&graph->arena, prefix, dpr__leaf_name(graph, weights));
    if (name == NULL) {
        dpr__graph_latch(graph, DPR_E_MEMORY);
        return 0;
    }
    return dpr_state(graph, name, DPR_F32, dpr_value_shape(graph, weights));
}

/* a·old + b·new. Here and below a statement makes one node: in which order the arguments of a call are computed is each compiler's own,
 * and the chains in strips.def are found by the order of nodes. */
static dpr_value blend(dpr_graph *graph, double a, dpr_value old, double b, dpr_value new) {
    dpr_value right = b == 1 ? new : dpr_scale(graph, new, b);
    dpr_value left = dpr_scale(graph, old, a);
    return dpr_add(graph, left, right);
}

/* What is subtracted, times η: g, v' or g + μv'. */
static dpr_value sgd_direction(const struct update *update, dpr_value weights, dpr_value gradient) {
    dpr_graph *graph = update->graph;
    double momentum = update->optimizer->momentum;
    if (update->optimizer->kind == DPR__OPTIMIZER_SGD)
        return gradient;
    dpr_value velocity = state_of(update, "momentum/", weights);
    dpr_value next = blend(graph, momentum, velocity, 1, gradient);
    assign(update, velocity, next);
    if (update->optimizer->kind == DPR__OPTIMIZER_MOMENTUM)
        return next;
    return blend(graph, momentum, next, 1, gradient);
}

/* The corrected mean over the root of the corrected mean square. The corrections come as inputs: a
 * power of β in the step would be a libm call in every tick. */
static dpr_value adam_direction(const struct update *update, dpr_value weights,
                                dpr_value gradient) {
    dpr_graph *graph = update->graph;
    const dpr__optimizer *o = update->optimizer;
    dpr_value mean = state_of(update, "adam_m/", weights);
    dpr_value square = state_of(update, "adam_v/", weights);
    dpr_value next_mean = blend(graph, o->beta1, mean, 1 - o->beta1, gradient);
    dpr_value gradient2 = dpr_multiply(graph, gradient, gradient);
    dpr_value next_square = blend(graph, o->beta2, square, 1 - o->beta2, gradient2);
    assign(update, mean, next_mean);
    assign(update, square, next_square);
    dpr_value corrected_square = dpr_multiply(graph, next_square, update->rates->correction2);
    dpr_value root = dpr_sqrt(graph, corrected_square);
    dpr_value epsilon = dpr_constant(graph, o->epsilon, dpr_scalar_shape());
    dpr_value divisor = dpr_add(graph, root, epsilon);
    dpr_value corrected_mean = dpr_multiply(graph, next_mean, update->rates->correction1);
    return dpr_divide(graph, corrected_mean, divisor);
}

static void update_one(const struct update *update, dpr_value weights, dpr_value gradient) {
    dpr_graph *graph = update->graph;
    const dpr__optimizer *o = update->optimizer;
    /* A bias moves the logits without stretching them, so there is nothing that decay should
     * hold. */
    bool decays = o->weight_decay > 0 && dpr_value_shape(graph, weights).rank >= 2;
    bool adam = o->kind == DPR__OPTIMIZER_ADAMW;
    if (decays && !adam)
        gradient = blend(graph, o->weight_decay, weights, 1, gradient);
    dpr_value direction =
        adam ? adam_direction(update, weights, gradient) : sgd_direction(update, weights, gradient);
    if (decays && adam)
        direction = blend(graph, o->weight_decay, weights, 1, direction);
    dpr_value change = dpr_multiply(graph, direction, update->rates->minus_rate);
    dpr_value next = dpr_add(graph, weights, change);
    assign(update, weights, next);
}

/* One factor for all gradients, so that their direction stays: c/max(norm, c), where max(a, c) =
 * relu(a − c) + c. */
static dpr_value clip_factor(dpr_graph *graph, double clip_norm, const dpr_value *gradients,
                             size_t n) {
    dpr_value total = 0;
    for (size_t i = 0; i < n; i++) {
        dpr_value square = dpr_multiply(graph, gradients[i], gradients[i]);
        unsigned all = (1U << dpr_value_shape(graph, square).rank) - 1;
        dpr_value sum = dpr_sum(graph, square, all, false);
        total = total == 0 ? sum : dpr_add(graph, total, sum);
    }
    dpr_value limit = dpr_constant(graph, clip_norm, dpr_scalar_shape());
    dpr_value norm = dpr_sqrt(graph, total);
    dpr_value excess = dpr_relu(graph, dpr_subtract(graph, norm, limit));
    return dpr_divide(graph, limit, dpr_add(graph, excess, limit));
}

void dpr__optimizer_append(const dpr__optimizer *optimizer, dpr_graph *graph,
                           const dpr_value *parameters, const dpr_value *gradients, size_t n,
                           const dpr__rates *rates, dpr_value *roots, size_t *n_roots) {
    struct update update = {
        .optimizer = optimizer, .graph = graph, .rates = rates, .roots = roots, .n_roots = n_roots};
    if (graph->status != DPR_OK)
        return;
    dpr__role role = graph->role;
    const char *scope = graph->scope;
    graph->role = DPR__UPDATE;
    dpr_graph_scope(graph, "clip");
    dpr_value factor = 0;
    if (optimizer->clip_norm > 0 && n > 0)
        factor = clip_factor(graph, optimizer->clip_norm, gradients, n);
    for (size_t i = 0; i < n && graph->status == DPR_OK; i++) {
        dpr_graph_scope(graph, dpr__node_of(graph, parameters[i])->name);
        dpr_value gradient = gradients[i];
        if (factor != 0)
            gradient = dpr_multiply(graph, gradient, factor);
        update_one(&update, parameters[i], gradient);
    }
    graph->scope = scope;
    graph->role = role;
}
