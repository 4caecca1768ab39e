/* order(seed, epoch, batch): which image each row of a minibatch takes. Position p = batch·B + row of
 * the epoch's permutation of 0 … n−1, keyed by (seed, SHUFFLE; epoch), or p itself without shuffle;
 * rows past the last image take image 0. */
#include "ops/order.h"
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    const dpr__order_param *p = q->param;
    static const dpr_dtype DTYPES[3] = {DPR_U64, DPR_U64, DPR_I32};
    for (uint32_t i = 0; i < 3; i++) {
        DPR_TRY(dpr__expect_dtype(q, i, DTYPES[i]));
        DPR_TRY(dpr__expect_rank(q, i, 0));
    }
    DPR_TRY(dpr__expect_images(q, p->n, p->batch));
    q->dst = (dpr__type){DPR_I32, dpr_shape_of(p->batch)};
    return DPR_OK;
}

static void reference(const dpr__call *call) {
    const dpr__order_param *p = call->param;
    uint64_t seed = *(const uint64_t *)call->src[0].data;
    uint64_t epoch = *(const uint64_t *)call->src[1].data;
    int64_t first = *(const int32_t *)call->src[2].data * p->batch;
    int32_t *dst = call->dst.data;
    for (int64_t i = 0; i < p->batch; i++) {
        int64_t position = first + i;
        bool inside = position >= 0 && position < p->n;
        if (p->shuffle)
            dst[i] = dpr__order_at(seed, epoch, position, p->n);
        else
            dst[i] = inside ? (int32_t)position : 0;
    }
}

static const dpr__field fields[] = {DPR__FIELD(dpr__order_param, n, INT),
                                    DPR__FIELD(dpr__order_param, shuffle, BOOL),
                                    DPR__FIELD(dpr__order_param, batch, INT)};

const dpr__op dpr__op_order = {.infer = infer,
                               .reference = reference,
                               .fields = fields,
                               .n_fields = 3,
                               .param_bytes = sizeof(dpr__order_param)};
