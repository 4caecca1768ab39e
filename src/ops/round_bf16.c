/* round_bf16: dst = src rounded to the nearest number of bf16 (8 bits of precision), ties to even. Put in by the precision pass; the
 * one kind of value that may be stored as bf16. Its derivative is zero wherever it exists: it is not in the graph that is differentiated. */
#include "ops/op.h"

static void reference(const dpr__call *call) {
    dpr__reference_unary(call, dpr__bf16_of);
}

const dpr__op dpr__op_round_bf16 = {.infer = dpr__infer_unary_f32, .reference = reference};
