/* mix_partner(index, seed, epoch): which image of the set is mixed into each of the batch's by augment; the image itself where
 * nothing is mixed. An op, since it must be the draw that augment makes. */
#include "ops/augment.h"
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    return dpr__infer_mix(q, DPR_I32);
}

static void reference(const dpr__call *call) {
    for (int64_t i = 0; i < dpr__shape_count(&call->dst.shape); i++) {
        dpr__mix_draw mix;
        dpr__mix_draw_image(call->param, *(const uint64_t *)call->src[1].data,
                            *(const uint64_t *)call->src[2].data,
                            ((const int32_t *)call->src[0].data)[i], &mix);
        ((int32_t *)call->dst.data)[i] = mix.partner;
    }
}

const dpr__op dpr__op_mix_partner = {.infer = infer,
                                     .reference = reference,
                                     .fields = dpr__augment_fields,
                                     .n_fields = DPR__AUGMENT_FIELDS,
                                     .param_bytes = sizeof(dpr__augment_param)};
