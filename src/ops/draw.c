/* draw(seed, tick): uniform in [0, 1) (multiples of 2^-24), the same for the same (seed, tick, ordinal,
 * element), whatever ran before. Which random word an element takes: ops/draw.h. */
#include "ops/draw.h"
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    for (uint32_t i = 0; i < 2; i++) {
        DPR_TRY(dpr__expect_dtype(q, i, DPR_U64));
        DPR_TRY(dpr__expect_rank(q, i, 0));
    }
    q->dst = (dpr__type){DPR_F32, ((const dpr__draw_param *)q->param)->shape};
    return DPR_OK;
}

static void reference(const dpr__call *call) {
    int64_t n = dpr__shape_count(&call->dst.shape);
    float units[4];
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            dpr__dropout_block(call, (uint64_t)i / 4, units);
        dpr__put(&call->dst, i, (double)units[i % 4]);
    }
}

static const dpr__field fields[] = {DPR__FIELD(dpr__draw_param, ordinal, INT),
                                    DPR__FIELD(dpr__draw_param, shape, SHAPE)};

const dpr__op dpr__op_draw = {.infer = infer,
                              .reference = reference,
                              .fields = fields,
                              .n_fields = 2,
                              .param_bytes = sizeof(dpr__draw_param)};
