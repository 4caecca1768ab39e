/* constant: every element is one number. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    q->dst = (dpr__type){DPR_F32, ((const dpr__constant_param *)q->param)->shape};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    (void)q; /* no sources */
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__shape_count(&call->dst.shape);
    for (int64_t i = 0; i < n; i++)
        dpr__put(&call->dst, i, ((const dpr__constant_param *)call->param)->value);
}

static const dpr__field fields[] = {DPR__FIELD(dpr__constant_param, value, REAL),
                                    DPR__FIELD(dpr__constant_param, shape, SHAPE)};

const dpr__op dpr__op_constant = {.infer = infer,
                                  .gradient = gradient,
                                  .reference = reference,
                                  .fields = fields,
                                  .n_fields = 2,
                                  .param_bytes = sizeof(dpr__constant_param)};
