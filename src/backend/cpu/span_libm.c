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

LIBM_SPAN(dpr__log_f32, logf(x))
LIBM_SPAN(dpr__softplus_f32, (x < 0 ? 0 : x) + log1pf(expf(-fabsf(x))))
