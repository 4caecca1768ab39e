/* kernel */
/* The chains of strips.def for one ISA, which defines LANES, VECTOR, STRIP_NAME(name) and the V… operations. Each operation rounds
 * as its span kernel does, so both ways give the same bits; stores come last in every text, since an operand may be what
 * is stored. */
#include "backend/cpu/kernel.h"

#define R(n) r##n
#define r0 VLOAD(call->tile + at)
#define FULL(m) VLOAD(call->memory[m] + at)
#define ROW(m) VLOAD(call->memory[m] + j)
#define COLUMN(m) VBROADCAST(call->memory[m] + i)
#define SCALAR(m) VBROADCAST(call->memory[m])
#define C(c) VBROADCAST(call->constant + c)
#define ADD(n, a, b) const VECTOR r##n = VADD(a, b);
#define MULTIPLY(n, a, b) const VECTOR r##n = VMULTIPLY(a, b);
#define DIVIDE(n, a, b) const VECTOR r##n = VDIVIDE(a, b);
#define SCALE(n, a, c) const VECTOR r##n = VMULTIPLY(a, c);
#define RELU(n, a) const VECTOR r##n = VRELU(a);
#define STEP(n, a) const VECTOR r##n = VSTEP(a);
#define SQRT(n, a) const VECTOR r##n = VSQRT(a);
#define STORE(o, a) VSTORE(call->output[o] + at, a);

#define STRIP(name, text)                                                                          \
    dpr__strip_kernel STRIP_NAME(name);                                                            \
    void STRIP_NAME(name)(const dpr__strip_call *call, int64_t first, int64_t rows) {              \
        for (int64_t i = first; i < first + rows; i++)                                             \
            for (int64_t j = 0; j < DPR__PANEL; j += LANES) {                                      \
                const int64_t at = i * DPR__PANEL + j;                                             \
                text                                                                               \
            }                                                                                      \
    }
#include "backend/cpu/strips.def"
