/* rows(batch): how many rows of minibatch number `batch` are images: min(B, n − batch·B), at
 * least 0. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_I32));
    DPR_TRY(dpr__expect_rank(q, 0, 0));
    const dpr__rows_param *p = q->param;
    DPR_TRY(dpr__expect_images(q, p->n, p->batch));
    q->dst = (dpr__type){DPR_I32, dpr_scalar_shape()};
    return DPR_OK;
}

static void reference(const dpr__call *call) {
    const dpr__rows_param *p = call->param;
    int64_t left = p->n - *(const int32_t *)call->src[0].data * p->batch;
    *(int32_t *)call->dst.data = (int32_t)(left < 0 ? 0 : left < p->batch ? left : p->batch);
}

static const dpr__field fields[] = {DPR__FIELD(dpr__rows_param, n, INT),
                                    DPR__FIELD(dpr__rows_param, batch, INT)};

const dpr__op dpr__op_rows = {.infer = infer,
                              .reference = reference,
                              .fields = fields,
                              .n_fields = 2,
                              .param_bytes = sizeof(dpr__rows_param)};
