/* The tables that ops.def makes. An op listed there without its file fails here, at link. */
#include "ir/op.h"

const dpr__op *const dpr__ops[DPR__N_OPS] = {
#define OP(id, arity, traits) [DPR__OP_##id] = &dpr__op_##id,
#include "ir/ops.def"
#undef OP
};

const char *const dpr__op_names[DPR__N_OPS] = {
    [DPR__OP_none] = "none",
#define OP(id, arity, traits) [DPR__OP_##id] = #id,
#include "ir/ops.def"
#undef OP
};

const unsigned dpr__op_arity[DPR__N_OPS] = {
#define OP(id, arity, traits) [DPR__OP_##id] = arity,
#include "ir/ops.def"
#undef OP
};

/* ops.def writes traits without their prefix. */
enum {
    ELEMENTWISE = DPR__ELEMENTWISE,
    LINEAR = DPR__LINEAR,
    CONVOLUTION = DPR__CONVOLUTION,
    VIEW = DPR__VIEW,
    ZERO_GRADIENT = DPR__ZERO_GRADIENT,
    NO_GRADIENT = DPR__NO_GRADIENT,
    EFFECT = DPR__EFFECT,
};

const unsigned dpr__op_traits[DPR__N_OPS] = {
#define OP(id, arity, traits) [DPR__OP_##id] = (unsigned)(traits),
#include "ir/ops.def"
#undef OP
};
