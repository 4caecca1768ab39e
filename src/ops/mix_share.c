/* mix_share(index, seed, epoch): the partner's part in each image that augment makes, 0 … 1 in multiples of 2^-16: of each pixel with
 * mixup, of the area with cutmix. */
#include "ops/augment.h"
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    return dpr__infer_mix(q, DPR_F32);
}

static void reference(const dpr__call *call) {
    for (int64_t i = 0; i < dpr__shape_count(&call->dst.shape); i++) {
        dpr__mix_draw mix;
        dpr__mix_draw_image(call->param, *(const uint64_t *)call->src[1].data,
                            *(const uint64_t *)call->src[2].data,
                            ((const int32_t *)call->src[0].data)[i], &mix);
        dpr__put(&call->dst, i, (double)mix.share / (1 << DPR__SHARE_BITS));
    }
}

const dpr__op dpr__op_mix_share = {.infer = infer,
                                   .reference = reference,
                                   .fields = dpr__augment_fields,
                                   .n_fields = DPR__AUGMENT_FIELDS,
                                   .param_bytes = sizeof(dpr__augment_param)};
