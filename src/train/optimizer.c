/* The updates. w parameter, g gradient (clipped), η learning rate, λ weight decay:
 *   sgd       w' = w − η(g + λw)
 *   momentum  v' = μv + (g + λw),  w' = w − ηv'
 *   nesterov  v' as above,         w' = w − η((g + λw) + μv')       (Sutskever et al. 2013)
 *   adamw     m' = β₁m + (1 − β₁)g,  s' = β₂s + (1 − β₂)g²,
 *             w' = w − η(m'c₁/(√(s'c₂) + ε) + λw)                  (Loshchilov & Hutter 2019)
 *   muon      v' = μv + g,  w' = w̃ − η(N(g + μv') + λw̃), N the nearest orthogonal matrix, w̃ = w or w·√columns/‖w‖
 *                                                                  (Jordan 2024)
 * Clipping by the global norm: g is scaled by c/max(‖all gradients‖, c). */
#include "train/optimizer.h"
#include <math.h>

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

/* One parameter's update. */
struct update {
    const dpr__optimizer *optimizer;
    dpr_graph *graph;
    const dpr__rates *rates;
    const dpr__smoothing *smoothing;
    dpr_value *roots;
    size_t *n_roots;
};

static void assign(const struct update *update, dpr_value leaf, dpr_value value) {
    update->roots[(*update->n_roots)++] = dpr_assign(update->graph, leaf, value);
}

/* In a step that does not update the parameter, neither it nor its state moves. */
static dpr_value if_active(const struct update *update, dpr_value leaf, dpr_value value) {
    dpr_value active = update->rates->active;
    return active == 0 ? value : dpr__mix(update->graph, active, value, leaf);
}

static void assign_state(const struct update *update, dpr_value leaf, dpr_value value) {
    assign(update, leaf, if_active(update, leaf, value));
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
    dpr_value velocity = dpr__state_beside(graph, "momentum/", weights);
    dpr_value next = blend(graph, momentum, velocity, 1, gradient);
    assign_state(update, velocity, next);
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
    dpr_value mean = dpr__state_beside(graph, "adam_m/", weights);
    dpr_value square = dpr__state_beside(graph, "adam_v/", weights);
    dpr_value next_mean = blend(graph, o->beta1, mean, 1 - o->beta1, gradient);
    dpr_value gradient2 = dpr_multiply(graph, gradient, gradient);
    dpr_value next_square = blend(graph, o->beta2, square, 1 - o->beta2, gradient2);
    assign_state(update, mean, next_mean);
    assign_state(update, square, next_square);
    dpr_value corrected_square = dpr_multiply(graph, next_square, update->rates->correction2);
    dpr_value root = dpr_sqrt(graph, corrected_square);
    dpr_value epsilon = dpr_constant(graph, o->epsilon, dpr_scalar_shape());
    dpr_value divisor = dpr_add(graph, root, epsilon);
    dpr_value corrected_mean = dpr_multiply(graph, next_mean, update->rates->correction1);
    return dpr_divide(graph, corrected_mean, divisor);
}

/* Of a matrix g, about U·Vᵀ where g = U·S·Vᵀ, by the odd polynomial X ← aX + (bA + cA²)X, A = XXᵀ, which moves each singular
 * value of X towards 1 and leaves the singular vectors alone. It begins from g/‖g‖, whose singular values are at most 1. The coefficients
 * are Jordan's (2024): steep at 0, so that few steps do, at the price of ending between 0.7 and 1.2. A is made of the shorter side;
 * for the other it stands on the right. */
static dpr_value orthogonal(dpr_graph *graph, dpr_value g, unsigned steps) {
    const double a = 3.4445, b = -4.7750, c = 2.0315;
    dpr_shape shape = dpr_value_shape(graph, g);
    bool tall = shape.dim[0] > shape.dim[1];
    dpr_value squares = dpr_sum(graph, dpr_multiply(graph, g, g), 3, false);
    dpr_value norm = dpr_sqrt(graph, squares);
    dpr_value tiny = dpr_constant(graph, 1e-7, dpr_scalar_shape());
    dpr_value x = dpr_divide(graph, g, dpr_add(graph, norm, tiny));
    for (unsigned i = 0; i < steps; i++) {
        dpr_value gram = dpr_matmul(graph, x, x, tall ? DPR_TRANSPOSE_A : DPR_TRANSPOSE_B);
        dpr_value gram2 = dpr_matmul(graph, gram, gram, 0);
        dpr_value factor = blend(graph, b, gram, c, gram2);
        dpr_value moved = tall ? dpr_matmul(graph, x, factor, 0) : dpr_matmul(graph, factor, x, 0);
        x = blend(graph, a, x, 1, moved);
    }
    return x;
}

/* A kernel is the matrix of (kh·kw·c) rows, a column for each filter. */
static dpr_value muon_direction(const struct update *update, dpr_value weights,
                                dpr_value gradient) {
    dpr_graph *graph = update->graph;
    dpr_shape shape = dpr_value_shape(graph, weights);
    int64_t columns = shape.dim[shape.rank - 1], rows = 1;
    for (uint32_t i = 0; i + 1 < shape.rank; i++)
        rows *= shape.dim[i];
    dpr_value direction = sgd_direction(update, weights, gradient);
    direction = dpr_reshape(graph, direction, dpr_shape_of(rows, columns));
    direction = orthogonal(graph, direction, update->optimizer->muon_steps);
    return dpr_reshape(graph, direction, shape);
}

/* w·√columns/‖w‖: a filter's norm is 1 on average, so that a rate means the same to every layer, and at all times. */
static dpr_value renormalised(dpr_graph *graph, dpr_value weights) {
    dpr_shape shape = dpr_value_shape(graph, weights);
    unsigned all = (1U << shape.rank) - 1;
    dpr_value squares = dpr_sum(graph, dpr_multiply(graph, weights, weights), all, false);
    dpr_value norm = dpr_sqrt(graph, squares);
    dpr_value tiny = dpr_constant(graph, 1e-7, dpr_scalar_shape());
    norm = dpr_add(graph, norm, tiny);
    double wanted = sqrt((double)shape.dim[shape.rank - 1]);
    dpr_value factor = dpr_divide(graph, dpr_constant(graph, wanted, dpr_scalar_shape()), norm);
    return dpr_multiply(graph, weights, factor);
}

static dpr_value direction_of(const struct update *update, dpr_value weights, dpr_value gradient) {
    switch (update->optimizer->kind) {
    case DPR__OPTIMIZER_ADAMW:
        return adam_direction(update, weights, gradient);
    case DPR__OPTIMIZER_MUON:
        return muon_direction(update, weights, gradient);
    default:
        return sgd_direction(update, weights, gradient);
    }
}

static void update_one(const struct update *update, dpr_value weights, dpr_value gradient) {
    dpr_graph *graph = update->graph;
    const dpr__optimizer *o = update->optimizer;
    bool matrix = dpr_value_shape(graph, weights).rank >= 2;
    double decay = matrix ? o->weight_decay : o->vector_decay;
    bool decays = decay > 0, muon = o->kind == DPR__OPTIMIZER_MUON;
    bool apart = muon || o->kind == DPR__OPTIMIZER_ADAMW; /* decay is no part of the gradient */
    dpr_value from = muon && o->renormalise ? renormalised(graph, weights) : weights;
    if (decays && !apart)
        gradient = blend(graph, decay, weights, 1, gradient);
    dpr_value direction = direction_of(update, weights, gradient);
    if (decays && apart)
        direction = blend(graph, decay, from, 1, direction);
    dpr_value change = dpr_multiply(graph, direction, update->rates->minus_rate);
    dpr_value next = dpr_add(graph, from, change);
    next = if_active(update, weights, next);
    next = dpr__smooth(graph, update->smoothing, update->rates->active, weights, next,
                       update->roots, update->n_roots);
    assign(update, weights, next);
}

/* ---- all of them ---- */

static const dpr__optimizer *optimizer_of(const dpr__updates *updates, size_t i) {
    return updates->groups != NULL ? &updates->groups[i].optimizer : updates->optimizer;
}

static const dpr__rates *rates_of(const dpr__updates *updates, size_t i) {
    return &updates->rates[updates->groups != NULL ? updates->groups[i].rate : 0];
}

/* One factor for all gradients, so that their direction stays: c/max(norm, c), where max(a, c) =
 * relu(a − c) + c. What is not updated in this step does not count. */
static dpr_value clip_factor(const dpr__updates *updates, double clip_norm) {
    dpr_graph *graph = updates->graph;
    dpr_value total = 0;
    for (size_t i = 0; i < updates->n; i++) {
        dpr_value gradient = updates->gradients[i], active = rates_of(updates, i)->active;
        if (gradient == 0)
            continue;
        dpr_value square = dpr_multiply(graph, gradient, gradient);
        unsigned all = (1U << dpr_value_shape(graph, square).rank) - 1;
        dpr_value sum = dpr_sum(graph, square, all, false);
        if (active != 0)
            sum = dpr_multiply(graph, sum, active);
        total = total == 0 ? sum : dpr_add(graph, total, sum);
    }
    dpr_value limit = dpr_constant(graph, clip_norm, dpr_scalar_shape());
    dpr_value norm = dpr_sqrt(graph, total);
    dpr_value excess = dpr_relu(graph, dpr_subtract(graph, norm, limit));
    return dpr_divide(graph, limit, dpr_add(graph, excess, limit));
}

void dpr__optimizer_append(const dpr__updates *updates, dpr_value *roots, size_t *n_roots) {
    dpr_graph *graph = updates->graph;
    double clip_norm = updates->optimizer->clip_norm;
    if (graph->status != DPR_OK)
        return;
    dpr__role role = graph->role;
    const char *scope = graph->scope;
    graph->role = DPR__UPDATE;
    dpr_graph_scope(graph, "clip");
    dpr_value factor = 0;
    if (clip_norm > 0 && updates->n > 0)
        factor = clip_factor(updates, clip_norm);
    for (size_t i = 0; i < updates->n && graph->status == DPR_OK; i++) {
        dpr_value weights = updates->parameters[i], gradient = updates->gradients[i];
        struct update update = {.optimizer = optimizer_of(updates, i),
                                .graph = graph,
                                .rates = rates_of(updates, i),
                                .smoothing = updates->smoothing,
                                .roots = roots,
                                .n_roots = n_roots};
        if (gradient == 0)
            continue;
        dpr_graph_scope(graph, dpr__node_of(graph, weights)->name);
        if (factor != 0)
            gradient = dpr_multiply(graph, gradient, factor);
        update_one(&update, weights, gradient);
    }
    graph->scope = scope;
    graph->role = role;
}
