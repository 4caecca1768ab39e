/* The plan of a model's training step, to be looked at: compiled over a store of its own, never run. */
#include "backend/program.h"
#include "base/context.h"
#include "train/step_graph.h"

enum { STEPS = 100 }; /* of a made-up epoch: only the size of the rates' table depends on it */

static dpr_status plan_text(const dpr_model *model, const dpr__step_graph *step, unsigned batch,
                            char **text) {
    dpr_store *store;
    dpr_program *program;
    dpr_program_options options = dpr_program_options_default();
    options.batch = batch;
    options.train = true;
    DPR_TRY(dpr_store_create(model->context, &store));
    dpr_status status =
        dpr_program_create(step->graph, store, step->roots, step->n_roots, &options, &program);
    if (status == DPR_OK) {
        status = dpr__program_plan_text(program, text);
        dpr_program_destroy(program);
    }
    dpr_store_destroy(store);
    return status;
}

dpr_status dpr_model_plan(const dpr_model *model, unsigned batch, char **text) {
    dpr__step_plan plan = {.n = (int64_t)batch * STEPS,
                           .steps = STEPS,
                           .optimizer = {.kind = DPR__OPTIMIZER_NESTEROV, .momentum = 0.9}};
    dpr__step_graph step;
    if (batch < 1)
        return DPR_FAIL(model->context, DPR_E_ARGUMENT, "a plan needs a batch of at least 1");
    DPR_TRY(dpr__step_graph_create(model, &plan, &step));
    dpr_status status = plan_text(model, &step, batch, text);
    dpr__step_graph_release(&step);
    return status;
}
