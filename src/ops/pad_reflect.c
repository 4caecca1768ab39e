/* pad_reflect: src continued along one axis by its mirror image, the edge itself not repeated: (a b c) with
 * before = 2 and after = 1 is (c b a b c b). So before and after are below src's extent e, and
 *     dst[i] = src[m(i − before)],  m(j) = −j for j < 0, 2(e − 1) − j for j ≥ e, else j.
 * Gradient: fold_reflect(g). */
#include "ops/along.h"

static dpr_status infer(dpr__infer *q) {
    const dpr__pad_param *p = q->param;
    int64_t extent;
    DPR_TRY(dpr__along_infer(q, p->axis, &extent));
    DPR_TRY(dpr__along_check_padding(q, p->before, p->after, extent - 1));
    q->dst.shape.dim[p->axis] = p->before + extent + p->after;
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    q->diff_src[0] = dpr__node_add(q->graph, DPR__OP_fold_reflect, &q->diff_dst, 1, q->param);
}

static int64_t mirrored(int64_t j, int64_t extent) {
    return j < 0 ? -j : j < extent ? j : 2 * (extent - 1) - j;
}

static void reference(const dpr__call *call) {
    const dpr__pad_param *p = call->param;
    dpr__along src = dpr__along_axis(&call->src[0].shape, p->axis);
    int64_t wide = p->before + src.extent + p->after, at = 0;
    for (int64_t o = 0; o < src.outer; o++)
        for (int64_t i = 0; i < wide; i++)
            for (int64_t k = 0; k < src.inner; k++) {
                int64_t from = o * src.extent + mirrored(i - p->before, src.extent);
                dpr__put(&call->dst, at++, dpr__get(&call->src[0], from * src.inner + k));
            }
}

const dpr__op dpr__op_pad_reflect = {.infer = infer,
                                     .gradient = gradient,
                                     .reference = reference,
                                     .fields = dpr__pad_fields,
                                     .n_fields = 3,
                                     .param_bytes = sizeof(dpr__pad_param)};
