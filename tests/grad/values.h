/* Reference kernels against numbers computed by hand, in double and in float. */
#ifndef TESTS_GRAD_VALUES_H
#define TESTS_GRAD_VALUES_H

#include "ir/op.h"

/* Tensors of literals: reals((1, 2, 3), 3), and so on; the shape follows the numbers. */
#define UNPACK(...) __VA_ARGS__
#define REALS(numbers, ...)                                                                        \
    ((dpr__tensor){DPR_F64, dpr_shape_of(__VA_ARGS__), (double[]){UNPACK numbers}, DPR__PLAIN})
#define REAL(number) ((dpr__tensor){DPR_F64, {0}, (double[]){number}, DPR__PLAIN})
#define INTEGERS(numbers, ...)                                                                     \
    ((dpr__tensor){DPR_I32, dpr_shape_of(__VA_ARGS__), (int32_t[]){UNPACK numbers}, DPR__PLAIN})
#define INTEGER(number) ((dpr__tensor){DPR_I32, {0}, (int32_t[]){number}, DPR__PLAIN})
#define BYTES(numbers, ...)                                                                        \
    ((dpr__tensor){DPR_U8, dpr_shape_of(__VA_ARGS__), (uint8_t[]){UNPACK numbers}, DPR__PLAIN})
#define COUNTERS(numbers, ...)                                                                     \
    ((dpr__tensor){DPR_U64, dpr_shape_of(__VA_ARGS__), (uint64_t[]){UNPACK numbers}, DPR__PLAIN})
#define COUNTER(number) ((dpr__tensor){DPR_U64, {0}, (uint64_t[]){number}, DPR__PLAIN})
#define NOTHING(...) ((dpr__tensor){DPR_F64, dpr_shape_of(__VA_ARGS__), (double[1]){0}, DPR__PLAIN})

/* Asks the op's shape rule for the result's type, runs its kernel, and compares: integers exactly,
 * reals to 1e-14 relative in double and one unit in the last place in float (numbers given as reals
 * should be exact in float). Sources and result are guarded against writes past their ends. At most
 * six sources. */
void expect_op(dpr__op_id op, const void *param, uint32_t n_src, const dpr__tensor *src,
               dpr__tensor want);
#define EXPECT(op, param, want, ...)                                                               \
    expect_op(DPR__OP_##op, param,                                                                 \
              (uint32_t)(sizeof((dpr__tensor[]){__VA_ARGS__}) / sizeof(dpr__tensor)),              \
              (dpr__tensor[]){__VA_ARGS__}, want)

#endif
