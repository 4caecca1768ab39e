/* The table of samples that ops.def makes (samples.h). */
#include "grad/samples.h"

static const struct grad_samples *const TABLE[N_SAMPLES] = {
#define OP(id, arity, traits) [DPR__OP_##id] = &samples_##id,
#include "ir/ops.def"
#undef OP
    [DPR__N_OPS] = &samples_compositions,
};

const struct grad_samples *samples_of(size_t i) {
    return TABLE[i];
}

const char *samples_name(size_t i) {
    return i < DPR__N_OPS ? dpr__op_names[i] : "compositions";
}
