/* The memory of a plan (values.h). */
#include "backend/values.h"
#include "ir/shape.h"
#include <string.h>

enum { LINE = 64 };

static size_t rounded(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

static dpr_status find_leaves(dpr__values *values) {
    dpr__step *step = values->step;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++) {
        if (step->graph->nodes[v].op != DPR__OP_leaf)
            continue;
        dpr__leaf_param param = *(const dpr__leaf_param *)step->graph->nodes[v].param;
        if (param.kind >= DPR__DERIVED) { /* the master itself need not be in the graph */
            param.name += sizeof DPR__DERIVED_PREFIX - 1;
            param.kind -= DPR__DERIVED;
        }
        DPR_TRY(dpr__store_want(values->store, &param, step->seed, &values->slot[v]));
    }
    return DPR_OK;
}

static bool is_derived(const dpr__values *values, dpr_value leaf) {
    const dpr__node *node = dpr__node_of(values->step->graph, leaf);
    return node->op == DPR__OP_leaf && ((const dpr__leaf_param *)node->param)->kind >= DPR__DERIVED;
}

/* A leaf that lies otherwise here than in the store: every program over the store has its own wishes, the
 * store one form. */
static bool is_shadowed(const dpr__values *values, dpr_value leaf) {
    const dpr__step *step = values->step;
    return step->graph->nodes[leaf].op == DPR__OP_leaf &&
           (is_derived(values, leaf) ||
            values->store->slots[values->slot[leaf]].form != step->forms[leaf]);
}

static dpr_status make_shadows(dpr__values *values) {
    const dpr__step *step = values->step;
    size_t bytes = 0, n = step->graph->n_nodes;
    DPR_TRY(dpr__allocate(step->context, n, sizeof *values->steady, &values->steady));
    DPR_TRY(dpr__allocate(step->context, n, sizeof *values->shadowed, &values->shadowed));
    DPR_TRY(dpr__allocate(step->context, n, sizeof *values->assigned, &values->assigned));
    for (dpr_value v = 1; v < n; v++) {
        if (is_shadowed(values, v)) {
            values->shadowed[values->n_shadowed++] = v;
            bytes += rounded(dpr__value_bytes(step, v));
        }
        if (step->graph->nodes[v].op == DPR__OP_leaf && step->kept[v])
            values->steady[values->n_steady++] = v;
        if (step->graph->nodes[v].op == DPR__OP_assign &&
            !is_derived(values, dpr__source(step->graph, v, 0)))
            values->assigned[values->n_assigned++] = values->slot[dpr__source(step->graph, v, 0)];
    }
    DPR_TRY(dpr__allocate_aligned(step->context, bytes, LINE, &values->shadows));
    char *at = values->shadows;
    for (size_t i = 0; i < values->n_shadowed; i++) {
        values->memory[values->shadowed[i]] = at;
        at += rounded(dpr__value_bytes(step, values->shadowed[i]));
    }
    return DPR_OK;
}

static void write_constants(const dpr__values *values) {
    const dpr__step *step = values->step;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++) {
        if (step->placements[v].home != DPR__HOME_CONSTANT ||
            step->graph->nodes[v].op != DPR__OP_constant)
            continue;
        dpr__call call = {.param = step->graph->nodes[v].param,
                          .dst = dpr__values_tensor(values, v)};
        dpr__ops[DPR__OP_constant]->reference(&call);
    }
}

dpr_status dpr__values_init(dpr__values *values, dpr__step *step, dpr_store *store) {
    dpr_context *context = step->context;
    *values = (dpr__values){.step = step, .store = store, .stale = true};
    DPR_TRY(dpr__allocate(context, step->graph->n_nodes, sizeof *values->slot, &values->slot));
    DPR_TRY(dpr__allocate(context, step->graph->n_nodes, sizeof *values->memory, &values->memory));
    DPR_TRY(
        dpr__allocate(context, step->graph->n_nodes, sizeof *values->version, &values->version));
    DPR_TRY(find_leaves(values));
    DPR_TRY(make_shadows(values));
    DPR_TRY(dpr__allocate_aligned(context, step->arena_bytes, LINE, &values->arena));
    bool moved;
    DPR_TRY(dpr__values_enter(values, &moved));
    write_constants(values);
    return DPR_OK;
}

void dpr__values_release(dpr__values *values) {
    if (values->step == NULL)
        return;
    dpr_context *context = values->step->context;
    dpr__free(context, values->slot);
    dpr__free(context, values->version);
    dpr__free(context, values->shadowed);
    dpr__free(context, values->steady);
    dpr__free(context, values->assigned);
    dpr__free(context, values->memory);
    dpr__free_aligned(context, values->arena);
    dpr__free_aligned(context, values->shadows);
}

/* A derived leaf is rounded, in whatever form. */
static void fill_shadow(dpr__values *values, dpr_value leaf) {
    const dpr__step *step = values->step;
    const dpr__slot *slot = &values->store->slots[values->slot[leaf]];
    void *memory = values->memory[leaf];
    dpr__form_copy(memory, step->forms[leaf], slot->data, slot->form, &slot->shape,
                   dpr__element_bytes(step, leaf));
    if (!is_derived(values, leaf) || dpr__form_is_half(step->forms[leaf]))
        return;
    dpr__tensor tensor = dpr__values_tensor(values, leaf);
    tensor.form = DPR__PLAIN; /* lanes past the end may be rounded, too */
    tensor.shape =
        dpr_shape_of((int64_t)(dpr__value_bytes(step, leaf) / dpr__element_bytes(step, leaf)));
    dpr__op_round_bf16.reference(&(dpr__call){NULL, &tensor, tensor, NULL});
}

static uint64_t slot_version(const dpr__values *values, dpr_value leaf) {
    return values->store->slots[values->slot[leaf]].version + 1;
}

static bool has_changed(const dpr__values *values, dpr_value leaf) {
    return values->version[leaf] != slot_version(values, leaf);
}

/* Everything but the shadows, which stay where they are. */
static void take_addresses(dpr__values *values) {
    const dpr__step *step = values->step;
    for (dpr_value v = 1; v < step->graph->n_nodes; v++) {
        const dpr__placement *p = &step->placements[v];
        switch (p->home) {
        case DPR__HOME_NONE:
        case DPR__HOME_ENTRY: /* its gather knows */
            break;
        case DPR__HOME_LEAF:
            if (!is_shadowed(values, p->leaf))
                values->memory[v] = values->store->slots[values->slot[p->leaf]].data;
            else
                values->memory[v] = values->memory[p->leaf];
            break;
        case DPR__HOME_ARENA:
        case DPR__HOME_CONSTANT:
            values->memory[v] = values->arena + p->offset;
            break;
        }
    }
    values->moves = values->store->moves;
}

/* Whether the slot still holds what the step takes its leaf for: inputs can become smaller. */
static bool holds_leaf(const dpr__values *values, dpr_value leaf) {
    const dpr__slot *slot = &values->store->slots[values->slot[leaf]];
    return slot->room >= dpr__form_bytes(slot->form,
                                         &dpr__node_of(values->step->graph, leaf)->shape,
                                         dpr__dtype_bytes(slot->dtype));
}

static dpr_status check_leaves(const dpr__values *values) {
    const dpr__step *step = values->step;
    for (size_t i = 0; i < values->n_assigned; i++) {
        const dpr__slot *slot = &values->store->slots[values->assigned[i]];
        if (slot->borrowed)
            return DPR_FAIL(step->context, DPR_E_ARGUMENT,
                            "leaf '%s' is bound to the caller's memory, which is never written: a "
                            "program that assigns it cannot run",
                            slot->name);
    }
    for (dpr_value v = 1; v < step->graph->n_nodes; v++)
        if (step->graph->nodes[v].op == DPR__OP_leaf && !holds_leaf(values, v))
            return DPR_FAIL(step->context, DPR_E_MISMATCH,
                            "leaf '%s' has become smaller than this program was compiled for",
                            values->store->slots[values->slot[v]].name);
    return DPR_OK;
}

dpr_status dpr__values_enter(dpr__values *values, bool *moved) {
    *moved = values->moves != values->store->moves;
    if (*moved) {
        DPR_TRY(check_leaves(values));
        take_addresses(values);
    }
    for (size_t i = 0; i < values->n_steady; i++)
        values->stale |= has_changed(values, values->steady[i]);
    for (size_t i = 0; i < values->n_shadowed; i++)
        if (has_changed(values, values->shadowed[i]))
            fill_shadow(values, values->shadowed[i]);
    for (size_t i = 0; i < values->n_steady; i++)
        values->version[values->steady[i]] = slot_version(values, values->steady[i]);
    for (size_t i = 0; i < values->n_shadowed; i++)
        values->version[values->shadowed[i]] = slot_version(values, values->shadowed[i]);
    return DPR_OK;
}

const void *dpr__values_find(const dpr__values *values, dpr_value value) {
    const dpr__placement *p = &values->step->placements[value];
    if (p->home != DPR__HOME_LEAF || is_shadowed(values, p->leaf))
        return values->memory[value];
    return holds_leaf(values, p->leaf) ? values->store->slots[values->slot[p->leaf]].data : NULL;
}

/* The slots that the step assigns have changed; shadows of this program are as new as their slots then: a step that assigns a
 * master assigns its copy. */
void dpr__values_leave(dpr__values *values) {
    const dpr__step *step = values->step;
    for (size_t i = 0; i < values->n_shadowed; i++) {
        dpr_value v = values->shadowed[i];
        dpr__slot *slot = &values->store->slots[values->slot[v]];
        if (!is_derived(values, v) && slot->kind != DPR_INPUT)
            dpr__form_copy(slot->data, slot->form, values->memory[v], step->forms[v], &slot->shape,
                           dpr__element_bytes(step, v));
    }
    for (size_t i = 0; i < values->n_assigned; i++)
        values->store->slots[values->assigned[i]].version++;
    for (size_t i = 0; i < values->n_shadowed; i++)
        values->version[values->shadowed[i]] = slot_version(values, values->shadowed[i]);
}

void dpr__values_save(const dpr__values *values) {
    for (size_t i = 0; i < values->step->n_commits; i++) {
        const dpr__commit *commit = &values->step->commits[i];
        if (commit->from_leaf)
            memcpy(values->arena + commit->offset, values->memory[commit->value],
                   dpr__value_bytes(values->step, commit->value));
    }
}

void dpr__values_commit(const dpr__values *values) {
    for (size_t i = 0; i < values->step->n_commits; i++) {
        const dpr__commit *commit = &values->step->commits[i];
        const dpr__step *step = values->step;
        dpr__form_copy(values->memory[commit->leaf], step->forms[commit->leaf],
                       commit->from_leaf ? values->arena + commit->offset
                                         : values->memory[commit->value],
                       step->forms[commit->value], &step->graph->nodes[commit->leaf].shape,
                       dpr__element_bytes(step, commit->leaf));
    }
}

dpr__tensor dpr__values_tensor(const dpr__values *values, dpr_value value) {
    const dpr__node *node = dpr__node_of(values->step->graph, value);
    bool wide = node->dtype == DPR_F32 && values->step->leaves_are_f64;
    return (dpr__tensor){wide ? DPR_F64 : node->dtype, node->shape, values->memory[value],
                         values->step->forms[value]};
}
