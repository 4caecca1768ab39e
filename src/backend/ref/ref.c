/* ref: the oracle. Runs the nodes one by one with the ops' reference kernels, every value stored. Never fast,
 * always right; float or double as the store is. */
#include "backend/backend.h"
#include "backend/values.h"
#include <math.h>

struct plan {
    dpr__values values;
};

static void destroy(void *p) {
    struct plan *plan = p;
    dpr_context *context = plan->values.step->context;
    dpr__values_release(&plan->values);
    dpr__free(context, plan);
}

static dpr_status compile(dpr__step *step, dpr_store *store, void **out) {
    struct plan *plan;
    DPR_TRY(dpr__allocate(step->context, 1, sizeof *plan, &plan));
    dpr_status status = dpr__values_init(&plan->values, step, store);
    if (status != DPR_OK) {
        destroy(plan);
        return status;
    }
    *out = plan;
    return DPR_OK;
}

static bool run_node(const dpr__values *values, dpr_value value) {
    const dpr_graph *graph = values->step->graph;
    const dpr__node *node = dpr__node_of(graph, value);
    dpr__tensor src[DPR_MAX_RANK];
    for (uint32_t i = 0; i < node->n_src; i++)
        src[i] = dpr__values_tensor(values, dpr__source(graph, value, i));
    if (node->op == DPR__OP_guard)
        return isfinite(src[0].dtype == DPR_F64 ? *(double *)src[0].data
                                                : (double)*(float *)src[0].data);
    if (values->memory[value] != NULL)
        dpr__ops[node->op]->reference(
            &(dpr__call){node->param, src, dpr__values_tensor(values, value), NULL});
    return true;
}

static dpr_status run(void *p, uint64_t ticks, const volatile int *stop, uint64_t *done) {
    struct plan *plan = p;
    const dpr__step *step = plan->values.step;
    bool finite = true, moved;
    *done = 0;
    DPR_TRY(dpr__values_enter(&plan->values, &moved));
    for (; *done < ticks && (stop == NULL || *stop == 0); ++*done) {
        dpr__values_save(&plan->values);
        for (size_t g = 0; finite && g < step->n_groups; g++)
            finite = run_node(&plan->values, step->members[step->groups[g].first]);
        if (!finite)
            break;
        dpr__values_commit(&plan->values);
    }
    dpr__values_leave(&plan->values);
    return finite ? DPR_OK : DPR_E_NON_FINITE;
}

static const void *value_of(void *p, dpr_value value) {
    return dpr__values_find(&((struct plan *)p)->values, value);
}

static size_t rows(void *p) {
    return ((struct plan *)p)->values.step->n_groups;
}

static dpr__row_view row(void *p, size_t i) {
    const dpr__step *step = ((struct plan *)p)->values.step;
    return (dpr__row_view){.kernel = "reference",
                           .chain = "",
                           .group = (uint32_t)i,
                           .phase = step->groups[i].phase,
                           .n_tiles = 1,
                           .serial = true};
}

const dpr__backend dpr__backend_ref = {.name = "ref",
                                       .per_node = true,
                                       .compile = compile,
                                       .destroy = destroy,
                                       .run = run,
                                       .value = value_of,
                                       .rows = rows,
                                       .row = row};
