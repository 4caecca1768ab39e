/* winograd_filters: (3 3 c oc) → (6 6 c oc), G·src·Gᵀ for each pair of channels: filters as Winograd's F(4×4, 3×3) multiplies them (Lavin and Gray,
 * "Fast algorithms for convolutional neural networks", 2016, section 4.2). Not for users: the pass `prepare` puts it where one transform serves a whole
 * step. As a composition it would be four matmuls of tiny matrices for each pair of channels. */
#include "ops/conv.h"

static const double G[6][3] = {{1.0 / 4, 0, 0},
                               {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                               {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                               {1.0 / 24, 1.0 / 12, 1.0 / 6},
                               {1.0 / 24, -1.0 / 12, 1.0 / 6},
                               {0, 0, 1}};
/* A left inverse of G. */
static const double BACK[3][6] = {{4, 0, 0, 0, 0, 0}, {0, -3, 3, 0, 0, 0}, {0, 0, 0, 0, 0, 1}};

static dpr_status infer(dpr__infer *q) {
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_rank(q, 0, 4));
    const int64_t *dim = q->src[0].shape.dim;
    if (dim[0] != 3 || dim[1] != 3)
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "winograd_filters '%s': filters of %lld × %lld; they must be 3 × 3",
                        q->name, (long long)dim[0], (long long)dim[1]);
    q->dst = (dpr__type){DPR_F32, dpr_shape_of(6, 6, dim[2], dim[3])};
    return DPR_OK;
}

static void reference(const dpr__call *call) {
    const int64_t *dim = call->src[0].shape.dim;
    int64_t each = dim[2] * dim[3];
    for (int64_t at = 0; at < 36 * each; at++) {
        int64_t y = at / each / 6, x = at / each % 6;
        double sum = 0;
        for (int64_t i = 0; i < 3; i++)
            for (int64_t j = 0; j < 3; j++)
                sum += G[y][i] * G[x][j] * dpr__get(&call->src[0], (i * 3 + j) * each + at % each);
        dpr__put(&call->dst, at, sum);
    }
}

double dpr__winograd_tap(const dpr__tensor *filters, int64_t ky, int64_t kx, int64_t at) {
    const int64_t *dim = filters->shape.dim;
    double sum = 0;
    for (int64_t i = 0; i < 6; i++)
        for (int64_t j = 0; j < 6; j++)
            if (BACK[ky][i] != 0 && BACK[kx][j] != 0)
                sum += BACK[ky][i] * BACK[kx][j] *
                       dpr__get(filters, (i * 6 + j) * dim[2] * dim[3] + at);
    return sum;
}

dpr_shape dpr__conv_taps(const dpr__conv_param *p, const dpr_shape *weights) {
    dpr_shape taps = *weights;
    if (p->winograd == DPR__FILTERS_TRANSFORMED)
        taps.dim[0] = taps.dim[1] = 3;
    return taps;
}

dpr_status dpr__conv_check_winograd(const dpr__infer *q) {
    const dpr__conv_param *p = q->param;
    const int64_t *dim = q->src[1].shape.dim;
    int64_t side = p->winograd == DPR__FILTERS_TRANSFORMED ? 6 : 3;
    if (p->winograd == 0 ||
        (p->groups == 1 && p->stride_h == 1 && p->stride_w == 1 && p->dilation_h == 1 &&
         p->dilation_w == 1 && dim[0] == side && dim[1] == side))
        return DPR_OK;
    return DPR_FAIL(
        q->context, DPR_E_ARGUMENT,
        "%s '%s': filters for Winograd must be %lld × %lld, in one group, of stride and "
        "dilation 1",
        q->op, q->name, (long long)side, (long long)side);
}

const dpr__op dpr__op_winograd_filters = {.infer = infer, .reference = reference};
