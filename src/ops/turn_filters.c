/* turn_filters: (kh kw c/groups oc) → (kh kw oc/groups c), dst[ky, kx, o, i] = src[kh − 1 − ky, kw − 1 − kx, i, o] in each group: filters as the
 * gradient of a convolution's data reads them. Not for users: the pass `prepare` puts it where one turning serves a whole step; reversing axes is in no
 * composition. Gradient: turn_filters again, which is its own inverse. */
#include "ops/op.h"

static dpr_status infer(dpr__infer *q) {
    int64_t groups = ((const dpr__turn_param *)q->param)->groups;
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_rank(q, 0, 4));
    const int64_t *dim = q->src[0].shape.dim;
    if (groups < 1 || dim[3] % groups != 0)
        return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                        "turn_filters '%s': %lld groups do not divide %lld filters", q->name,
                        (long long)groups, (long long)dim[3]);
    q->dst = (dpr__type){DPR_F32, dpr_shape_of(dim[0], dim[1], dim[3] / groups, dim[2] * groups)};
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_turn_filters, &q->diff_dst, 1, q->param);
}

static void reference(const dpr__call *call) {
    const int64_t *dim = call->src[0].shape.dim;
    int64_t filters = dim[0] * dim[1], c = dim[2], oc = dim[3];
    int64_t groups = ((const dpr__turn_param *)call->param)->groups, n = oc / groups;
    for (int64_t f = 0; f < filters; f++)
        for (int64_t i = 0; i < c; i++)
            for (int64_t o = 0; o < oc; o++)
                dpr__put(&call->dst, ((f * n + o % n) * groups + o / n) * c + i,
                         dpr__get(&call->src[0], ((filters - 1 - f) * c + i) * oc + o));
}

static const dpr__field fields[] = {DPR__FIELD(dpr__turn_param, groups, INT)};

const dpr__op dpr__op_turn_filters = {.infer = infer,
                                      .gradient = gradient,
                                      .reference = reference,
                                      .fields = fields,
                                      .n_fields = sizeof fields / sizeof *fields,
                                      .param_bytes = sizeof(dpr__turn_param)};
