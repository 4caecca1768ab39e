/* kernel */
/* Chains of elementwise ops, one float at a time: the compiler makes vectors of what it can. */
#include <math.h>
#define STRIP_NAME(name) dpr__##name##_generic
#define LANES 1
#define VECTOR float
#define VLOAD(p) (*(p))
#define VSTORE(p, v) (*(p) = (v))
#define VBROADCAST(p) (*(p))
#define VADD(a, b) ((a) + (b))
#define VMULTIPLY(a, b) ((a) * (b))
#define VDIVIDE(a, b) ((a) / (b))
#define VSQRT(a) sqrtf(a)
#define VRELU(a) relu(a)
#define VSTEP(a) ((a) > 0 ? 1.0F : 0.0F)

static inline float relu(float x) {
    return x < 0 ? 0 : x;
}
#include "backend/cpu/strip_tmpl.h"
