/* leaf: a value that lives in the store: parameter, state or input. It has no sources and is not
 * computed. */
#include "ops/op.h"
#include <string.h>

static dpr_status infer(dpr__infer *q) {
    const dpr__leaf_param *p = q->param;
    if (p->name[0] == '\0')
        return DPR_FAIL(q->context, DPR_E_ARGUMENT, "a leaf needs a name");
    if (p->dtype > DPR_U64 || p->dtype == DPR_F64)
        return DPR_FAIL(q->context, DPR_E_DTYPE, "leaf '%s': it can be f32, u8, i32 or u64",
                        p->name);
    bool derived = p->kind >= DPR__DERIVED && p->kind <= DPR__DERIVED + DPR_STATE &&
                   strncmp(p->name, DPR__DERIVED_PREFIX, sizeof DPR__DERIVED_PREFIX - 1) == 0;
    if ((!derived && (p->kind < DPR_PARAMETER || p->kind > DPR_STATISTIC)) ||
        p->init < DPR_INIT_ZERO || p->init > DPR_INIT_WHITENING ||
        (p->init >= DPR_INIT_DIRAC && p->shape.rank != 4))
        return DPR_FAIL(q->context, DPR_E_ARGUMENT, "leaf '%s': no such kind or initialiser",
                        p->name);
    if (p->kind == DPR_PARAMETER && p->dtype != DPR_F32)
        return DPR_FAIL(q->context, DPR_E_DTYPE, "leaf '%s': a parameter is f32", p->name);
    q->dst = (dpr__type){p->dtype, p->shape};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    (void)q; /* no sources */
}

static const dpr__field fields[] = {
    DPR__FIELD(dpr__leaf_param, name, WORD), DPR__FIELD(dpr__leaf_param, kind, INT),
    DPR__FIELD(dpr__leaf_param, init, INT), DPR__FIELD(dpr__leaf_param, dtype, DTYPE),
    DPR__FIELD(dpr__leaf_param, shape, SHAPE)};

const dpr__op dpr__op_leaf = {.infer = infer,
                              .gradient = gradient,
                              .fields = fields,
                              .n_fields = sizeof fields / sizeof *fields,
                              .param_bytes = sizeof(dpr__leaf_param)};
