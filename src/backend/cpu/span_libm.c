/* Elementwise kernels that call libm: one source for all ISAs. */
#include "backend/cpu/kernel.h"
#include <math.h>

#define LIBM_SPAN(name, expression)                                                                \
    dpr__span_kernel name;                                                                         \
    void name(const void *param, const void *a, const void *b, float *dst, size_t n) {             \
        const float *src = a;                                                                      \
        (void)param, (void)b;                                                                      \
        for (size_t i = 0; i < n; i++) {                                                           \
            const float x = src[i];                                                                \
            dst[i] = (expression);                                                                 \
        }                                                                                          \
    }

/* σ(x) = 1/(1 + e^−x); for x < 0 as e^x/(1 + e^x), so that the exponential never overflows. */
static float sigmoid(float x) {
    float e = expf(-fabsf(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

LIBM_SPAN(dpr__sigmoid_f32, sigmoid(x))
LIBM_SPAN(dpr__tanh_f32, tanhf(x))
LIBM_SPAN(dpr__exp_f32, expf(x))
LIBM_SPAN(dpr__log_f32, logf(x))
LIBM_SPAN(dpr__erf_f32, erff(x))
LIBM_SPAN(dpr__softplus_f32, (x < 0 ? 0 : x) + log1pf(expf(-fabsf(x))))
