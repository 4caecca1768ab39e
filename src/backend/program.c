/* Compiling a graph over a store and running it; finding the culprit when a guard speaks. */
#include "backend/program.h"
#include "base/context.h"
#include "base/text.h"
#include "ir/shape.h"
#include <math.h>
#include <string.h>

dpr_program_options dpr_program_options_default(void) {
    return (dpr_program_options){
        .size = sizeof(dpr_program_options), .batch = 1, .train = false, .seed = 1};
}

void dpr_program_destroy(dpr_program *program) {
    if (program == NULL)
        return;
    dpr_context *context = program->context;
    if (program->plan != NULL)
        program->backend->destroy(program->plan);
    dpr__step_destroy(program->step);
    dpr__free(context, program->root_ids);
    dpr__free(context, program);
}

static dpr_status compile(dpr_program *program, dpr_graph *graph, const dpr_value *roots, size_t n,
                          const dpr_program_options *options) {
    program->backend = dpr__backend_for(program->context, program->store);
    DPR_TRY(dpr__allocate(program->context, n, sizeof *program->root_ids, &program->root_ids));
    for (; program->n_roots < n; program->n_roots++)
        program->root_ids[program->n_roots] = roots[program->n_roots];
    dpr__step_options step = {.batch = options->batch,
                              .train = options->train,
                              .seed = options->seed,
                              .per_node = program->backend->per_node,
                              .leaves_are_f64 = program->store->real == DPR_F64};
    DPR_TRY(dpr__step_create(graph, roots, n, &step, &program->step));
    return program->backend->compile(program->step, program->store, &program->plan);
}

dpr_status dpr_program_create(dpr_graph *graph, dpr_store *store, const dpr_value *roots, size_t n,
                              const dpr_program_options *options, dpr_program **out) {
    dpr_program *program;
    dpr_program_options defaults = dpr_program_options_default();
    DPR_TRY(dpr__allocate(graph->context, 1, sizeof *program, &program));
    program->context = graph->context;
    program->store = store;
    dpr_status status = compile(program, graph, roots, n, options ? options : &defaults);
    if (status != DPR_OK) {
        dpr_program_destroy(program);
        return status;
    }
    *out = program;
    return DPR_OK;
}

/* The node of the step's graph that a root became; 0 when it is none. */
static dpr_value step_root(const dpr_program *program, dpr_value root) {
    for (size_t i = 0; i < program->n_roots; i++)
        if (program->root_ids[i] == root)
            return program->step->roots[i];
    return 0;
}

static const char *leaf_name(const dpr__step *step, dpr_value leaf) {
    return ((const dpr__leaf_param *)dpr__node_of(step->graph, leaf)->param)->name;
}

dpr_status dpr_program_read(const dpr_program *program, dpr_value root, void *dst, size_t bytes) {
    const dpr__step *step = program->step;
    dpr_value node = step_root(program, root);
    const void *value = node == 0 ? NULL : program->backend->value(program->plan, node);
    if (value == NULL && node != 0 && step->placements[node].home == DPR__HOME_LEAF)
        return DPR_FAIL(program->context, DPR_E_MISMATCH,
                        "leaf '%s' has become smaller than this program was compiled for",
                        leaf_name(step, step->placements[node].leaf));
    if (value == NULL)
        return DPR_FAIL(program->context, DPR_E_ARGUMENT, "value %u is no root of this program",
                        root);
    const dpr_shape *shape = &dpr__node_of(step->graph, node)->shape;
    size_t element = dpr__element_bytes(step, node);
    if (bytes != (size_t)dpr__shape_count(shape) * element)
        return DPR_FAIL(program->context, DPR_E_SHAPE, "value %u has %zu bytes, not %zu", root,
                        (size_t)dpr__shape_count(shape) * element, bytes);
    dpr__form_copy(dst, DPR__PLAIN, value, step->forms[node], shape, element);
    return DPR_OK;
}

/* ---- not finite: who began it? ---- */

static bool is_finite(const dpr__step *step, dpr_value value, const void *memory) {
    const dpr__node *node = dpr__node_of(step->graph, value);
    if (node->dtype != DPR_F32 || memory == NULL)
        return true;
    int64_t n = dpr__shape_count(&node->shape);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(step->leaves_are_f64 ? ((const double *)memory)[i]
                                           : (double)((const float *)memory)[i]))
            return false;
    return true;
}

static void keep_culprit(dpr_program *program, const char *op, const char *name) {
    program->culprit_op = op;
    dpr__format(program->context, program->culprit, sizeof program->culprit, "%s", name);
}

static dpr_status name_culprit(dpr_program *program, const dpr__step *step, void *plan) {
    for (dpr_value v = 1; v < step->graph->n_nodes; v++) {
        const dpr__node *node = dpr__node_of(step->graph, v);
        if (is_finite(step, v, dpr__backend_ref.value(plan, v)))
            continue;
        bool leaf = node->op == DPR__OP_leaf;
        keep_culprit(program, leaf ? "update" : dpr__op_names[node->op],
                     leaf ? leaf_name(step, v) : node->name);
        if (leaf)
            return DPR_FAIL(program->context, DPR_E_NON_FINITE,
                            "the loss is not finite: '%s' already held a value that is not",
                            leaf_name(step, v));
        return DPR_FAIL(program->context, DPR_E_NON_FINITE,
                        "the loss is not finite: the first op whose output was not is %s '%s'%s",
                        dpr__op_names[node->op], node->name,
                        node->role == DPR__BACKWARD ? " (backward)" : "");
    }
    return DPR_FAIL(program->context, DPR_E_NON_FINITE,
                    "the loss is not finite, though every op is when computed by the reference");
}

/* The state is as before the failed tick, so the oracle can run it again, node by node. */
static dpr_status replay(dpr_program *program) {
    dpr__step_options options = {.batch = 1,
                                 .per_node = true,
                                 .leaves_are_f64 = program->store->real == DPR_F64,
                                 .rounded = true};
    dpr__step *step;
    void *plan;
    dpr_value *roots;
    size_t n = 0;
    program->culprit_op = NULL;
    DPR_TRY(dpr__allocate(program->context, program->step->n_roots, sizeof *roots, &roots));
    for (size_t i = 0; i < program->step->n_roots; i++)
        if (program->step->roots[i] != 0)
            roots[n++] = program->step->roots[i];
    dpr_status status = dpr__step_create(program->step->graph, roots, n, &options, &step);
    dpr__free(program->context, roots);
    DPR_TRY(status);
    status = dpr__backend_ref.compile(step, program->store, &plan);
    if (status == DPR_OK) {
        uint64_t done;
        (void)dpr__backend_ref.run(plan, 1, NULL, &done);
        status = name_culprit(program, step, plan);
        dpr__backend_ref.destroy(plan);
    }
    dpr__step_destroy(step);
    return status;
}

dpr_status dpr_program_run(dpr_program *program, uint64_t ticks, const volatile int *stop,
                           uint64_t *done) {
    uint64_t count = 0;
    dpr_status status = program->backend->run(program->plan, ticks, stop, &count);
    if (done != NULL)
        *done = count;
    return status == DPR_E_NON_FINITE ? replay(program) : status;
}
