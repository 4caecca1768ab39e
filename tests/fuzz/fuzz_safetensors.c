/* Model files from strangers: any bytes give a model or a message, never a crash, a leak or a hang. */
#include "train/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    dpr_context *context;
    dpr_model *model;
    dpr_context_options options = dpr_context_options_default();
    options.threads = 1;
    if (dpr_context_create(&options, &context) == DPR_OK &&
        dpr__model_parse(context, "fuzz", bytes, n, &model) == DPR_OK)
        dpr_model_destroy(model);
    dpr_context_destroy(context);
    return 0;
}
