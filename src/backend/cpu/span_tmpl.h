/* The elementwise kernels whose loops the compiler turns into vector code; included once per ISA with SPAN(name)
 * giving the function's name. Each element is computed alone, so all ISAs give the same bits. */
#include "backend/cpu/functions.h"
#include "backend/cpu/kernel.h"
#include <math.h>

#define SPAN_PROTOTYPE(op)                                                                         \
    dpr__span_kernel SPAN(op);                                                                     \
    void SPAN(op)(const void *param, const void *a, const void *b, float *dst, size_t n)

#define UNARY_SPAN(op, type, expression)                                                           \
    SPAN_PROTOTYPE(op) {                                                                           \
        const type *src = a;                                                                       \
        (void)param, (void)b;                                                                      \
        for (size_t i = 0; i < n; i++) {                                                           \
            const type x = src[i];                                                                 \
            dst[i] = (expression);                                                                 \
        }                                                                                          \
    }

#define BINARY_SPAN(op, expression)                                                                \
    SPAN_PROTOTYPE(op) {                                                                           \
        const float *src_a = a, *src_b = b;                                                        \
        (void)param;                                                                               \
        for (size_t i = 0; i < n; i++) {                                                           \
            const float x = src_a[i], y = src_b[i];                                                \
            dst[i] = (expression);                                                                 \
        }                                                                                          \
    }

BINARY_SPAN(add_f32, x + y)
BINARY_SPAN(multiply_f32, x *y)
BINARY_SPAN(divide_f32, x / y)
UNARY_SPAN(relu_f32, float, x < 0 ? 0 : x) /* NaN stays NaN */
UNARY_SPAN(step_f32, float, x > 0 ? 1.0F : 0.0F)
UNARY_SPAN(sqrt_f32, float, sqrtf(x))
UNARY_SPAN(round_bf16_f32, float, dpr__from_bf16(dpr__to_bf16(x)))
UNARY_SPAN(exp_f32, float, exponential_of_any(x))
UNARY_SPAN(erf_f32, float, error_function(x))
UNARY_SPAN(tanh_f32, float, hyperbolic_tangent(x))
UNARY_SPAN(sigmoid_f32, float, logistic(x))
UNARY_SPAN(cast_u8, uint8_t, (float)x)
UNARY_SPAN(cast_i32, int32_t, (float)x)

SPAN_PROTOTYPE(scale_f32) {
    const float *src = a;
    const float factor = (float)((const dpr__scale_param *)param)->factor;
    (void)b;
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] * factor;
}

#undef SPAN_PROTOTYPE
#undef UNARY_SPAN
#undef BINARY_SPAN
