/* Building the training step. Invariant: everything that differs between two steps of an epoch
 * comes from a leaf, so that one program runs a whole epoch without the host. */
#include "train/step_graph.h"
#include "base/context.h"
#include "base/text.h"
#include "train/health.h"

struct building {
    const dpr_model *model;
    const dpr__step_plan *plan;
    dpr_graph *graph;
    dpr_value epoch, batch, tick;   /* leaves */
    dpr_value rows, labels, images; /* of this minibatch */
    dpr_value partners,
        share; /* labels (batch) and parts (batch 1) of what is mixed in; 0: nothing is */
    dpr__net_build net;
    dpr_value loss; /* the mean over the rows, which is reported: sum / weight */
    dpr_value sum, weight;
    dpr_value objective; /* what is differentiated: that mean, or the sum */
    dpr__rates *rates;   /* (dpr__n_rates), owned */
    dpr__smoothing smoothing;
    dpr_value update; /* accumulating: 1 in a step that updates, else 0 */
};

/* The rows of the pool that images lie in. */
static dpr_value rows_of(struct building *b, dpr_value index) {
    if (b->plan->pool == 0)
        return index;
    return dpr_gather(b->graph,
                      dpr_input(b->graph, "train.rows", DPR_I32, dpr_shape_of(b->plan->n)), index);
}

/* The images of index, changed; and what is mixed into them. */
static dpr_value append_augment(struct building *b, dpr_value pool, dpr_value labels,
                                dpr_value index, dpr_value seed) {
    dpr_graph *graph = b->graph;
    const dpr__augment_param *param = b->plan->augment;
    dpr_value own = rows_of(b, index), partner = own;
    if (dpr__augment_mixes(param)) {
        dpr_value of = dpr__augment_mix(graph, DPR__OP_mix_partner, param, index, seed, b->epoch);
        partner = rows_of(b, of);
        b->partners = dpr_gather(graph, labels, of);
        b->share = dpr__augment_mix(graph, DPR__OP_mix_share, param, index, seed, b->epoch);
    }
    return dpr__augment(graph, param, (dpr_value[]){pool, index, seed, b->epoch, own, partner});
}

/* Which images this step takes, and how many of the rows are images. */
static void append_data(struct building *b) {
    dpr_graph *graph = b->graph;
    const int64_t *dim = b->model->info.image.dim;
    int64_t n = b->plan->n;
    graph->role = DPR__DATA;
    dpr_graph_scope(graph, "data");
    dpr_value seed = dpr_state(graph, "seed", DPR_U64, dpr_scalar_shape());
    b->epoch = dpr_state(graph, "epoch", DPR_U64, dpr_scalar_shape());
    b->batch = dpr_state(graph, "batch", DPR_I32, dpr_scalar_shape());
    b->tick = dpr_state(graph, "tick", DPR_U64, dpr_scalar_shape());
    int64_t pool_rows = b->plan->pool > 0 ? b->plan->pool : n;
    dpr_value pool =
        dpr_input(graph, "train.images", DPR_U8, dpr_shape_of(pool_rows, dim[0], dim[1], dim[2]));
    dpr_value labels = dpr_input(graph, "train.labels", DPR_I32, dpr_shape_of(n));
    dpr_value index = dpr__order(graph, seed, b->epoch, b->batch, n, true);
    b->rows = dpr__rows(graph, b->batch, n);
    b->images = b->plan->augment == NULL ? dpr_gather(graph, pool, rows_of(b, index))
                                         : append_augment(b, pool, labels, index, seed);
    b->labels = dpr_gather(graph, labels, index);
    dpr_graph_scope(graph, NULL);
    graph->role = DPR__FORWARD;
}

/* own + share·(partner's − own). */
static dpr_value mixed(struct building *b, dpr_value own, dpr_value partners, dpr_value share) {
    dpr_value difference = dpr_subtract(b->graph, partners, own);
    return dpr_add(b->graph, own, dpr_multiply(b->graph, difference, share));
}

/* What the logits of each row should be, (batch × k): one-hot, of two classes where images are mixed. */
static dpr_value append_targets(struct building *b, int64_t k) {
    dpr_value own = dpr_one_hot(b->graph, b->labels, k);
    if (b->partners == 0)
        return own;
    dpr_value share = dpr_reshape(b->graph, b->share, dpr_shape_of(DPR_BATCH, 1));
    return mixed(b, own, dpr_one_hot(b->graph, b->partners, k), share);
}

/* The weight of each row's class, (batch); of its two classes, by their parts, where images are mixed. */
static dpr_value append_row_weights(struct building *b, int64_t k) {
    dpr_value weights = dpr_input(b->graph, "class_weights", DPR_F32, dpr_shape_of(k));
    dpr_value own = dpr_gather(b->graph, weights, b->labels);
    if (b->partners == 0)
        return own;
    return mixed(b, own, dpr_gather(b->graph, weights, b->partners), b->share);
}

/* Cross entropy of each row against targets that are smoothed to t(1 − ε) + ε/k. */
static dpr_value row_losses(struct building *b) {
    dpr_graph *graph = b->graph;
    int64_t k = b->model->info.n_classes;
    double smooth = b->plan->label_smoothing;
    dpr_value targets = append_targets(b, k);
    if (smooth > 0) {
        dpr_value share = dpr_constant(graph, smooth / (double)k, dpr_scalar_shape());
        targets = dpr_add(graph, dpr_scale(graph, targets, 1 - smooth), share);
    }
    return dpr_softmax_cross_entropy(graph, b->net.logits, targets);
}

/* Σ l, or with class weights Σ w·l; and its mean, which the number of rows or Σ w divides. */
static void append_loss(struct building *b) {
    dpr_graph *graph = b->graph;
    dpr_graph_scope(graph, "loss");
    dpr_value per_row = row_losses(b);
    if (b->plan->class_weights) {
        dpr_value of_row = append_row_weights(b, b->model->info.n_classes);
        per_row = dpr_multiply(graph, per_row, of_row);
        b->weight = dpr_sum(graph, dpr_prefix(graph, of_row, b->rows), 1, false);
    }
    b->sum = dpr_sum(graph, dpr_prefix(graph, per_row, b->rows), 1, false);
    if (!b->plan->class_weights)
        b->weight = dpr_cast(graph, b->rows, DPR_F32);
    b->loss = dpr_divide(graph, b->sum, b->weight);
    b->objective = b->plan->sum || b->plan->accumulate ? b->sum : b->loss;
    dpr_graph_scope(graph, NULL);
}

static void add_root(dpr__step_graph *out, dpr_value root) {
    out->roots[out->n_roots++] = root;
}

/* The epoch's sums and the counters of the next step. */
static void append_counters(struct building *b, dpr__step_graph *out) {
    dpr_graph *graph = b->graph;
    dpr_graph_scope(graph, "counters");
    dpr_value hit = dpr_equal(graph, dpr_argmax(graph, b->net.logits), b->labels);
    dpr_value hits = dpr_sum(graph, dpr_prefix(graph, hit, b->rows), 1, false);
    dpr_value weighed = dpr_multiply(graph, b->loss, dpr_cast(graph, b->rows, DPR_F32));
    graph->role = DPR__UPDATE;
    dpr_value loss_sum = dpr_state(graph, "loss_sum", DPR_F32, dpr_scalar_shape());
    dpr_value correct = dpr_state(graph, "correct", DPR_F32, dpr_scalar_shape());
    add_root(out, dpr_assign(graph, loss_sum, dpr_add(graph, loss_sum, weighed)));
    add_root(out, dpr_assign(graph, correct, dpr_add(graph, correct, hits)));
    add_root(out, dpr_assign(graph, b->batch, dpr__increment(graph, b->batch)));
    add_root(out, dpr_assign(graph, b->tick, dpr__increment(graph, b->tick)));
    dpr_graph_scope(graph, NULL);
    graph->role = DPR__FORWARD;
}

/* ---- tables ---- */

static const char *const table_leaves[DPR__N_TABLES] = {
#define X(name, leaf) [DPR__TABLE_##name] = leaf,
    DPR__TABLE_MAP(X)
#undef X
};

const char *dpr__table_name(dpr_context *context, dpr__table table, size_t k,
                            char out[DPR__TABLE_NAME]) {
    if (k == 0)
        return table_leaves[table];
    dpr__format(context, out, DPR__TABLE_NAME, "table.%zu/%s", k, table_leaves[table]);
    return out;
}

size_t dpr__n_rates(const dpr__step_plan *plan) {
    return plan->groups != NULL ? plan->groups->n_rates : 1;
}

bool dpr__table_wanted(const dpr__step_plan *plan, dpr__table table, size_t k) {
    const dpr__rate_rule *rule = plan->groups != NULL ? &plan->groups->rate[k] : NULL;
    if (table == DPR__TABLE_AVERAGE) /* one for all parameters */
        return k == 0 && plan->average;
    if (table == DPR__TABLE_LOOKAHEAD || table == DPR__TABLE_SLOW)
        return k == 0 && plan->lookahead;
    if (table == DPR__TABLE_UPDATE)
        return k == 0 && plan->accumulate;
    if (rule != NULL && !rule->used)
        return false;
    switch (table) {
    case DPR__TABLE_CORRECTION_1:
    case DPR__TABLE_CORRECTION_2:
        return rule != NULL ? rule->adam : plan->optimizer.kind == DPR__OPTIMIZER_ADAMW;
    case DPR__TABLE_ACTIVE:
        return plan->accumulate || (rule != NULL && (rule->first > 0 || rule->end != UINT64_MAX));
    default:
        return true;
    }
}

/* This step's entry of a table over the steps of an epoch; 0: the plan does without it. */
static dpr_value look_up(struct building *b, dpr__table table, size_t k) {
    char name[DPR__TABLE_NAME];
    if (!dpr__table_wanted(b->plan, table, k))
        return 0;
    dpr_value leaf = dpr_input(b->graph, dpr__table_name(b->graph->context, table, k, name),
                               DPR_F32, dpr_shape_of(b->plan->steps));
    return dpr_gather(b->graph, leaf, b->batch);
}

/* Before the gradients, so that they stand in an early phase of the plan. */
static dpr_status append_rates(struct building *b) {
    dpr_graph *graph = b->graph;
    size_t n = dpr__n_rates(b->plan);
    DPR_TRY(dpr__allocate(graph->context, n, sizeof *b->rates, &b->rates));
    graph->role = DPR__UPDATE;
    dpr_graph_scope(graph, "rates");
    for (size_t k = 0; k < n; k++) {
        dpr_value rate = look_up(b, DPR__TABLE_RATE, k);
        if (rate == 0)
            continue;
        b->rates[k].minus_rate = dpr_scale(graph, rate, -1);
        b->rates[k].correction1 = look_up(b, DPR__TABLE_CORRECTION_1, k);
        b->rates[k].correction2 = look_up(b, DPR__TABLE_CORRECTION_2, k);
        b->rates[k].active = look_up(b, DPR__TABLE_ACTIVE, k);
    }
    b->update = look_up(b, DPR__TABLE_UPDATE, 0);
    b->smoothing.average = look_up(b, DPR__TABLE_AVERAGE, 0);
    b->smoothing.lookahead = look_up(b, DPR__TABLE_LOOKAHEAD, 0);
    b->smoothing.slow = look_up(b, DPR__TABLE_SLOW, 0);
    dpr_graph_scope(graph, NULL);
    graph->role = DPR__FORWARD;
    return DPR_OK;
}

/* ---- updates ---- */

/* The network says what its running statistics become. */
static void append_statistics(struct building *b, dpr__step_graph *out) {
    dpr_graph *graph = b->graph;
    dpr__smoothing smoothing = b->smoothing;
    if (!b->plan->average_statistics)
        smoothing.average = 0;
    graph->role = DPR__UPDATE;
    for (size_t i = 0; i < b->net.n_updates; i++) {
        dpr_value leaf = dpr__source(graph, b->net.updates[i], 0);
        dpr_value value = dpr__source(graph, b->net.updates[i], 1);
        dpr_graph_scope(graph, dpr__node_of(graph, leaf)->name);
        dpr_value next = dpr__smooth(graph, &smoothing, 0, leaf, value, out->roots, &out->n_roots);
        add_root(out, next == value ? b->net.updates[i] : dpr_assign(graph, leaf, next));
    }
    dpr_graph_scope(graph, NULL);
    graph->role = DPR__FORWARD;
}

/* gradients[i] of each parameter; 0 of those that are frozen, and what only they need is never computed. */
static dpr_status append_gradients(struct building *b, const dpr_value *parameters, size_t n,
                                   dpr_value *gradients) {
    const dpr__groups *groups = b->plan->groups;
    dpr_value *trained;
    size_t n_trained = 0;
    DPR_TRY(dpr__allocate(b->graph->context, n, sizeof *trained, &trained));
    for (size_t i = 0; i < n; i++)
        if (groups == NULL || !groups->group[i].frozen)
            trained[n_trained++] = parameters[i];
    dpr_status status = dpr_gradients(b->graph, b->objective, trained, n_trained, gradients);
    for (size_t i = n; status == DPR_OK && i-- > 0;) /* from the last, into their places */
        gradients[i] = groups == NULL || !groups->group[i].frozen ? gradients[--n_trained] : 0;
    dpr__free(b->graph->context, trained);
    return status;
}

/* leaf' = (leaf + value)·(1 − update); the sum is returned. */
static dpr_value add_up(struct building *b, dpr_value leaf, dpr_value value, dpr__step_graph *out) {
    dpr_graph *graph = b->graph;
    dpr_value one = dpr_constant(graph, 1, dpr_scalar_shape());
    dpr_value keep = dpr_subtract(graph, one, b->update);
    dpr_value sum = dpr_add(graph, leaf, value);
    add_root(out, dpr_assign(graph, leaf, dpr_multiply(graph, sum, keep)));
    return sum;
}

/* Of several batches the gradient is Σ over their rows w·∂loss/∂θ divided by Σ w: as one batch of all rows would have it, whatever
 * class weights the rows have and however many the last batch of an epoch lacks. With the loss reduced to its sum nothing divides. */
static void accumulate(struct building *b, const dpr_value *parameters, size_t n,
                       dpr_value *gradients, dpr__step_graph *out) {
    dpr_graph *graph = b->graph;
    graph->role = DPR__UPDATE;
    dpr_graph_scope(graph, "accumulate");
    dpr_value leaf, weight = 0;
    if (!b->plan->sum) {
        leaf = dpr_state(graph, "accumulated_weight", DPR_F32, dpr_scalar_shape());
        weight = add_up(b, leaf, b->weight, out);
    }
    for (size_t i = 0; i < n; i++) {
        if (gradients[i] == 0)
            continue;
        dpr_graph_scope(graph, dpr__node_of(graph, parameters[i])->name);
        leaf = dpr__state_beside(graph, "accumulated/", parameters[i]);
        gradients[i] = add_up(b, leaf, gradients[i], out);
        if (!b->plan->sum)
            gradients[i] = dpr_divide(graph, gradients[i], weight);
    }
    dpr_graph_scope(graph, NULL);
    graph->role = DPR__FORWARD;
}

static dpr_status append_updates(struct building *b, const dpr_value *parameters, size_t n,
                                 dpr__step_graph *out) {
    dpr_value *gradients;
    const dpr__groups *groups = b->plan->groups;
    DPR_ASSERT(groups == NULL || groups->n == n);
    DPR_TRY(dpr__allocate(b->graph->context, n, sizeof *gradients, &gradients));
    dpr_status status = append_gradients(b, parameters, n, gradients);
    const dpr__updates updates = {.graph = b->graph,
                                  .parameters = parameters,
                                  .gradients = gradients,
                                  .n = n,
                                  .optimizer = &b->plan->optimizer,
                                  .rates = b->rates,
                                  .groups = groups != NULL ? groups->group : NULL,
                                  .smoothing = &b->smoothing};
    if (status == DPR_OK && b->plan->accumulate)
        accumulate(b, parameters, n, gradients, out);
    if (status == DPR_OK)
        dpr__optimizer_append(&updates, out->roots, &out->n_roots);
    dpr__free(b->graph->context, gradients);
    return status;
}

static dpr_status build(struct building *b, dpr__step_graph *out) {
    append_data(b);
    b->net.images = b->images;
    b->net.rows = b->rows;
    DPR_TRY(dpr__model_append(b->model, b->graph, &b->net));
    append_loss(b);
    dpr_value *parameters;
    size_t n;
    DPR_TRY(dpr__parameters_of(b->graph, &parameters, &n));
    /* loss, guard and four counters beside the updates, and what accumulates */
    size_t most = 6 + (1 + DPR__MAX_SMOOTHED) * b->net.n_updates + (DPR__MAX_UPDATES + 1) * n + 1;
    dpr_status status = dpr__allocate(b->graph->context, most, sizeof *out->roots, &out->roots);
    if (status == DPR_OK) {
        out->loss = b->loss;
        add_root(out, b->loss);
        add_root(out, dpr_guard(b->graph, b->loss));
        append_counters(b, out);
        status = append_rates(b);
    }
    if (status == DPR_OK) {
        append_statistics(b, out);
        status = append_updates(b, parameters, n, out);
    }
    dpr__free(b->graph->context, parameters);
    return status == DPR_OK ? dpr_graph_finish(b->graph) : status;
}

static dpr_status build_statistics(struct building *b, dpr__step_graph *out) {
    append_data(b);
    b->net.images = b->images;
    b->net.rows = b->rows;
    DPR_TRY(dpr__model_append(b->model, b->graph, &b->net));
    DPR_TRY(
        dpr__allocate(b->graph->context, b->net.n_updates + 2, sizeof *out->roots, &out->roots));
    for (size_t i = 0; i < b->net.n_updates; i++)
        add_root(out, b->net.updates[i]);
    add_root(out, dpr_assign(b->graph, b->batch, dpr__increment(b->graph, b->batch)));
    add_root(out, dpr_assign(b->graph, b->tick, dpr__increment(b->graph, b->tick)));
    return dpr_graph_finish(b->graph);
}

/* ∂loss/∂output of the layers that are asked about; 0 of the others. */
static dpr_status append_slopes(struct building *b, dpr_value *slopes) {
    size_t n = 0;
    dpr_value *outputs = b->net.outputs;
    for (size_t i = 0; i < b->net.n_layers; i++)
        if (dpr__sees_gradient(&b->net.layers[i]))
            slopes[n++] = outputs[i];
    DPR_TRY(dpr_gradients(b->graph, b->loss, slopes, n, slopes));
    for (size_t i = b->net.n_layers; i-- > 0;) /* from the last, into their places */
        slopes[i] = dpr__sees_gradient(&b->net.layers[i]) ? slopes[--n] : 0;
    return DPR_OK;
}

/* All rows of a diagnosis are images, so sums over them need no prefix, as forward ones would. Over all axes but the last: these sums have kernels. */
static void append_findings(struct building *b, const dpr_value *slopes, dpr__step_graph *out) {
    dpr_graph *graph = b->graph;
    graph->role = DPR__UPDATE;
    for (size_t i = 0; i < b->net.n_layers; i++) {
        dpr_value output = b->net.outputs[i];
        unsigned axes = (1U << (dpr_value_shape(graph, output).rank - 1)) - 1;
        dpr_graph_scope(graph, b->net.layers[i].name);
        if (slopes[i] != 0)
            add_root(out, dpr_sum(graph, dpr_multiply(graph, slopes[i], slopes[i]), axes, false));
        if (dpr__sees_units(&b->net.layers[i]))
            add_root(out, dpr_sum(graph, dpr_step(graph, output), axes, false));
    }
    dpr_graph_scope(graph, NULL);
    graph->role = DPR__FORWARD;
}

static dpr_status build_diagnosis(struct building *b, dpr__step_graph *out) {
    dpr_value *slopes;
    append_data(b);
    b->net.images = b->images;
    b->net.rows = b->rows;
    DPR_TRY(dpr__model_append(b->model, b->graph, &b->net));
    append_loss(b);
    DPR_TRY(
        dpr__allocate(b->graph->context, 2 * b->net.n_layers + 1, sizeof *out->roots, &out->roots));
    DPR_TRY(dpr__allocate(b->graph->context, b->net.n_layers, sizeof *slopes, &slopes));
    add_root(out, b->net.logits);
    dpr_status status = append_slopes(b, slopes);
    if (status == DPR_OK)
        append_findings(b, slopes, out);
    dpr__free(b->graph->context, slopes);
    return status == DPR_OK ? dpr_graph_finish(b->graph) : status;
}

static dpr_status create(const dpr_model *model, const dpr__step_plan *plan,
                         dpr_status (*fill)(struct building *b, dpr__step_graph *out),
                         dpr__step_graph *out) {
    *out = (dpr__step_graph){.graph = dpr_graph_create(model->context)};
    if (out->graph == NULL)
        return DPR_E_MEMORY;
    struct building b = {.model = model, .plan = plan, .graph = out->graph};
    dpr_status status = fill(&b, out);
    dpr__net_build_release(model->context, &b.net);
    dpr__free(model->context, b.rates);
    if (status != DPR_OK)
        dpr__step_graph_release(out);
    return status;
}

dpr_status dpr__step_graph_create(const dpr_model *model, const dpr__step_plan *plan,
                                  dpr__step_graph *out) {
    return create(model, plan, build, out);
}

dpr_status dpr__statistics_graph_create(const dpr_model *model, const dpr__step_plan *plan,
                                        dpr__step_graph *out) {
    return create(model, plan, build_statistics, out);
}

dpr_status dpr__diagnosis_graph_create(const dpr_model *model, const dpr__step_plan *plan,
                                       dpr__step_graph *out) {
    return create(model, plan, build_diagnosis, out);
}

void dpr__step_graph_release(dpr__step_graph *step) {
    if (step->graph != NULL)
        dpr__free(step->graph->context, step->roots);
    dpr_graph_destroy(step->graph);
    *step = (dpr__step_graph){0};
}
