/* winograd_filters: (3 3 c oc) → (6 6 c oc), G·src·Gᵀ for each pair of channels, in bf16 rounded: filters as Winograd's F(4×4, 3×3) multiplies them
 * (winograd.h). Not for users: the pass `prepare` puts it where one transform serves a whole
 * step. As a composition it would be four matmuls of tiny matrices for each pair of channels. */
#include "ops/conv.h"
#include "ops/winograd.h"

/* A left inverse of G. */
#define FIRST DPR__WINOGRAD_FIRST
#define HALF_A (0.5 / (DPR__WINOGRAD_SCALE_A * DPR__WINOGRAD_A))
static const double BACK[3][6] = {
    {1 / FIRST, 0, 0, 0, 0, 0}, {0, HALF_A, -HALF_A, 0, 0, 0}, {0, 0, 0, 0, 0, 1}};

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
    bool bf16 = ((const dpr__winograd_filters_param *)call->param)->bf16;
    for (int64_t at = 0; at < each; at++) {
        double taps[9], points[36];
        for (int64_t k = 0; k < 9; k++)
            taps[k] = dpr__get(&call->src[0], k * each + at);
        dpr__winograd_of_filter(taps, points);
        for (int64_t k = 0; k < 36; k++)
            dpr__put(&call->dst, k * each + at, bf16 ? dpr__bf16_of(points[k]) : points[k]);
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

dpr_status dpr__conv_check_winograd(const dpr__infer *q, const dpr_shape *filters, int64_t side) {
    const dpr__conv_param *p = q->param;
    if ((p->winograd == 0 && p->bf16 != DPR__BF16_WINOGRAD) ||
        (p->groups == 1 && p->stride_h == 1 && p->stride_w == 1 && p->dilation_h == 1 &&
         p->dilation_w == 1 && filters->dim[0] == side && filters->dim[1] == side))
        return DPR_OK;
    return DPR_FAIL(
        q->context, DPR_E_ARGUMENT,
        "%s '%s': filters for Winograd must be %lld × %lld, in one group, of stride and "
        "dilation 1",
        q->op, q->name, (long long)side, (long long)side);
}

static const dpr__field fields[] = {DPR__FIELD(dpr__winograd_filters_param, bf16, BOOL)};

const dpr__op dpr__op_winograd_filters = {.infer = infer,
                                          .reference = reference,
                                          .fields = fields,
                                          .n_fields = sizeof fields / sizeof *fields,
                                          .param_bytes = sizeof(dpr__winograd_filters_param)};
