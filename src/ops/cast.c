/* cast: u8 or i32 to f32. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    dpr_dtype from = q->src[0].dtype, to = ((const dpr__cast_param *)q->param)->dtype;
    if (to != DPR_F32 || (from != DPR_U8 && from != DPR_I32))
        return DPR_FAIL(q->context, DPR_E_DTYPE, "cast '%s': %s to %s; it can be u8 or i32 to f32",
                        q->name, dpr__dtype_name(from), to <= DPR_U64 ? dpr__dtype_name(to) : "?");
    q->dst = (dpr__type){to, q->src[0].shape};
    return DPR_OK;
}

static double same(double x) {
    return x;
}

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, same);
}

static const dpr__field fields[] = {DPR__FIELD(dpr__cast_param, dtype, DTYPE)};

const dpr__op dpr__op_cast = {.infer = infer,
                              .reference = reference,
                              .fields = fields,
                              .n_fields = 1,
                              .param_bytes = sizeof(dpr__cast_param)};
