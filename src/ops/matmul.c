/* matmul: dst (m × n) = op(a) · op(b); op transposes where the flag is set.
 * Gradient, with C = A·B for the operands as multiplied: dA = dC·Bᵀ, dB = Aᵀ·dC; for a transposed
 * operand the result is transposed, which swaps the factors. So the gradient is matmul again, and no
 * transpose is made. */
#include "ops/op.h"

static int64_t extent(const dpr_shape *shape, bool transposed, int axis) {
    return shape->dim[transposed ? 1 - axis : axis];
}

static dpr_status infer(dpr__infer *q) {
    const dpr__matmul_param *p = q->param;
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    for (uint32_t i = 0; i < 2; i++) {
        DPR_TRY(dpr__expect_dtype(q, i, DPR_F32));
        DPR_TRY(dpr__expect_rank(q, i, 2));
    }
    const dpr_shape *sa = &q->src[0].shape, *sb = &q->src[1].shape;
    if (extent(sa, p->transpose_a, 1) != extent(sb, p->transpose_b, 0))
        return DPR_FAIL(q->context, DPR_E_SHAPE,
                        "matmul '%s': a is %s%s, b is %s%s; the inner dimensions differ", q->name,
                        dpr__shape_text(sa, a), p->transpose_a ? " transposed" : "",
                        dpr__shape_text(sb, b), p->transpose_b ? " transposed" : "");
    q->dst.dtype = DPR_F32;
    q->dst.shape = dpr_shape_of(extent(sa, p->transpose_a, 0), extent(sb, p->transpose_b, 1));
    return DPR_OK;
}

static void gradient(const dpr__gradient *q) {
    const dpr__matmul_param *p = q->param;
    dpr_value a = q->src[0], b = q->src[1], dc = q->diff_dst;
    unsigned ta = p->transpose_a, tb = p->transpose_b;
    if (q->needed[0])
        q->diff_src[0] =
            ta ? dpr_matmul(q->graph, b, dc, (tb ? DPR_TRANSPOSE_A : 0U) | DPR_TRANSPOSE_B)
               : dpr_matmul(q->graph, dc, b, tb ? 0U : DPR_TRANSPOSE_B);
    if (q->needed[1])
        q->diff_src[1] =
            tb ? dpr_matmul(q->graph, dc, a, DPR_TRANSPOSE_A | (ta ? DPR_TRANSPOSE_B : 0U))
               : dpr_matmul(q->graph, a, dc, ta ? 0U : DPR_TRANSPOSE_A);
}

static void reference(const dpr__call *call) {
    const dpr__matmul_param *p = call->param;
    const dpr__tensor *a = &call->src[0], *b = &call->src[1];
    int64_t m = call->dst.shape.dim[0], n = call->dst.shape.dim[1];
    int64_t k = extent(&a->shape, p->transpose_a, 1);
    int64_t a_row = p->transpose_a ? 1 : k, a_col = p->transpose_a ? m : 1;
    int64_t b_row = p->transpose_b ? 1 : n, b_col = p->transpose_b ? k : 1;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += dpr__get(a, i * a_row + l * a_col) * dpr__get(b, l * b_row + j * b_col);
            dpr__put(&call->dst, i * n + j, sum);
        }
}

static const dpr__field fields[] = {DPR__FIELD(dpr__matmul_param, transpose_a, BOOL),
                                    DPR__FIELD(dpr__matmul_param, transpose_b, BOOL)};

const dpr__op dpr__op_matmul = {.infer = infer,
                                .gradient = gradient,
                                .reference = reference,
                                .fields = fields,
                                .n_fields = 2,
                                .param_bytes = sizeof(dpr__matmul_param)};
