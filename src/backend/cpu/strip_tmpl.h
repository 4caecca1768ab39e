/* kernel */
/* The chains of strips.def for one ISA, which defines LANES, VECTOR, STRIP_NAME(name) and the V… operations. Each operation rounds
 * as its span kernel does, so both ways give the same bits; stores come last in every text, since an operand may be what
 * is stored. */
#include "backend/cpu/kernel.h"

#define R(n) r##n
#define r0 VLOAD(tile + at)
#define FULL(m) VLOAD(memory##m + at)
#define ROW(m) VLOAD(memory##m + j)
#define COLUMN(m) VBROADCAST(memory##m + i)
#define SCALAR(m) scalar##m
#define C(c) constant##c
#define ADD(n, a, b) const VECTOR r##n = VADD(a, b);
#define MULTIPLY(n, a, b) const VECTOR r##n = VMULTIPLY(a, b);
#define DIVIDE(n, a, b) const VECTOR r##n = VDIVIDE(a, b);
#define SCALE(n, a, c) const VECTOR r##n = VMULTIPLY(a, c);
#define RELU(n, a) const VECTOR r##n = VRELU(a);
#define STEP(n, a) const VECTOR r##n = VSTEP(a);
#define SQRT(n, a) const VECTOR r##n = VSQRT(a);
#define STORE(o, a) VSTORE(output##o + at, a);

/* Read once, before stores that the compiler must take for changes of them; the unused are left out. */
#define ONCE(word, n, p)                                                                           \
    const VECTOR word##n = VBROADCAST(p);                                                          \
    (void)word##n;
#define CONSTANT_ONCE(n) ONCE(constant, n, call->constant + n)
#define SCALAR_ONCE(n) ONCE(scalar, n, call->memory[n])
#define MEMORY_ONCE(n)                                                                             \
    const float *const memory##n = call->memory[n];                                                \
    (void)memory##n;
#define OUTPUT_ONCE(n)                                                                             \
    float *const output##n = call->output[n];                                                      \
    (void)output##n;
#define EACH_OF_EIGHT(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

#define STRIP(name, text)                                                                          \
    dpr__strip_kernel STRIP_NAME(name);                                                            \
    void STRIP_NAME(name)(const dpr__strip_call *call, int64_t first, int64_t rows) {              \
        EACH_OF_EIGHT(CONSTANT_ONCE)                                                               \
        EACH_OF_EIGHT(SCALAR_ONCE)                                                                 \
        EACH_OF_EIGHT(MEMORY_ONCE)                                                                 \
        OUTPUT_ONCE(0) OUTPUT_ONCE(1) OUTPUT_ONCE(2) const float *const tile = call->tile;         \
        (void)tile;                                                                                \
        for (int64_t i = first; i < first + rows; i++)                                             \
            for (int64_t j = 0; j < DPR__PANEL; j += LANES) {                                      \
                const int64_t at = i * DPR__PANEL + j;                                             \
                text                                                                               \
            }                                                                                      \
    }
#include "backend/cpu/strips.def"
