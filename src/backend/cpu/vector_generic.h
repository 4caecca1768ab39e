/* One float as a vector, for every machine: the compiler makes vectors of what it can, as chains of elementwise ops use them (chain_text.h). A comparison with NaN is false, as in C. */
#ifndef DPR_BACKEND_CPU_VECTOR_GENERIC_H
#define DPR_BACKEND_CPU_VECTOR_GENERIC_H

#include <math.h>
#define LANES 1
#define VECTOR float
#define VLOAD(p) (*(p))
#define VSTORE(p, v) (*(p) = (v))
#define VBROADCAST(p) (*(p))
#define VADD(a, b) ((a) + (b))
#define VSUBTRACT(a, b) ((a) - (b))
#define VMULTIPLY(a, b) ((a) * (b))
#define VMULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#define VDIVIDE(a, b) ((a) / (b))
#define VSQRT(a) sqrtf(a)
#define VRELU(a) relu(a)
#define VSTEP(a) ((a) > 0 ? 1.0F : 0.0F)

static inline float relu(float x) {
    return x < 0 ? 0 : x;
}

#endif
