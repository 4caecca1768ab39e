/* The order of the passes, and the step's life. */
#include "pass/step.h"
#include "base/context.h"

/* Debug builds verify after every pass; release builds trust the tests. */
static dpr_status verified(dpr__step *step, dpr_status status) {
    DPR_TRY(status);
#ifndef NDEBUG
    DPR_TRY(dpr__verify(step->graph));
#else
    (void)step;
#endif
    return DPR_OK;
}

static dpr_status run_passes(dpr__step *step, const dpr_graph *graph, const dpr_value *roots,
                             const dpr__step_options *options) {
    const bool *disabled = step->context->pass_disabled;
    DPR_TRY(verified(step, dpr__specialise(step, graph, roots, options)));
    if (!disabled[DPR__PASS_SIMPLIFY] && !options->per_node)
        DPR_TRY(verified(step, dpr__simplify(step)));
    if (!disabled[DPR__PASS_FOLD] && !options->per_node)
        DPR_TRY(verified(step, dpr__fold(step)));
    DPR_TRY(verified(step, dpr__precision(step)));
    DPR_TRY(verified(step, dpr__prepare(step)));
    DPR_TRY(dpr__keep(step));
    DPR_TRY(dpr__fuse(step));
    DPR_TRY(dpr__layout(step));
    DPR_TRY(dpr__schedule(step));
    DPR_TRY(dpr__plan_memory(step));
#ifndef NDEBUG
    DPR_TRY(dpr__check_memory(step));
#endif
    return DPR_OK;
}

dpr_status dpr__step_create(dpr_graph *graph, const dpr_value *roots, size_t n_roots,
                            const dpr__step_options *options, dpr__step **out) {
    dpr_context *context = graph->context;
    dpr__step *step;
    DPR_TRY(dpr_graph_finish(graph));
    DPR_TRY(dpr__allocate(context, 1, sizeof *step, &step));
    *step = (dpr__step){.context = context,
                        .n_roots = n_roots,
                        .per_node = options->per_node,
                        .seed = options->seed,
                        .leaves_are_f64 = options->leaves_are_f64,
                        .rounded = options->rounded};
    dpr_status status = dpr__allocate(context, n_roots, sizeof *step->roots, &step->roots);
    if (status == DPR_OK)
        status = run_passes(step, graph, roots, options);
    if (status != DPR_OK) {
        dpr__step_destroy(step);
        return status;
    }
    *out = step;
    return DPR_OK;
}

void dpr__step_destroy(dpr__step *step) {
    if (step == NULL)
        return;
    dpr_context *context = step->context;
    dpr_graph_destroy(step->graph);
    dpr__free(context, step->roots);
    dpr__free(context, step->kept);
    dpr__free(context, step->group_of);
    dpr__free(context, step->groups);
    dpr__free(context, step->members);
    dpr__free(context, step->forms);
    dpr__free(context, step->entries);
    dpr__free(context, step->placements);
    dpr__free(context, step->commits);
    dpr__free(context, step);
}
