/* turn_filters: (kh kw c oc) → (kh kw oc c), dst[ky, kx, o, i] = src[kh − 1 − ky, kw − 1 − kx, i, o]: filters as the gradient of a convolution's data
 * reads them. Not for users: the pass `prepare` puts it where one turning serves a whole step; reversing axes is in no composition.
 * Gradient: turn_filters again, which is its own inverse. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_rank(q, 0, 4));
    const int64_t *dim = q->src[0].shape.dim;
    q->dst = (dpr__type){DPR_F32, dpr_shape_of(dim[0], dim[1], dim[3], dim[2])};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_turn_filters, &q->diff_dst, 1, NULL);
}

static void reference(const dpr__call *call) {
    const int64_t *dim = call->src[0].shape.dim;
    int64_t filters = dim[0] * dim[1], c = dim[2], oc = dim[3];
    for (int64_t f = 0; f < filters; f++)
        for (int64_t i = 0; i < c; i++)
            for (int64_t o = 0; o < oc; o++)
                dpr__put(&call->dst, (f * oc + o) * c + i,
                         dpr__get(&call->src[0], ((filters - 1 - f) * c + i) * oc + o));
}

const dpr__op dpr__op_turn_filters = {.infer = infer, .gradient = gradient, .reference = reference};
