/* What the words of strips.def mean in C, for code that has a dpr__strip_call *strip, the place of a vector: its row, its lane and both
 * as `at`, and the vector r0 of the tile. VECTOR and the V… operations come from vector_*.h. Each operation rounds as its span kernel does, so all ways
 * give the same bits; stores come last in every text, since an operand may be what is stored. */
#ifndef DPR_BACKEND_CPU_CHAIN_TEXT_H
#define DPR_BACKEND_CPU_CHAIN_TEXT_H

#define R(n) r##n
#define FULL(m) VLOAD(memory##m + at)
#define ROW(m) VLOAD(memory##m + lane)
#define COLUMN(m) VBROADCAST(memory##m + row)
#define SCALAR(m) scalar##m
#define C(c) constant##c
#define ADD(n, a, b) const VECTOR r##n = VADD(a, b);
#define MULTIPLY(n, a, b) const VECTOR r##n = VMULTIPLY(a, b);
#define DIVIDE(n, a, b) const VECTOR r##n = VDIVIDE(a, b);
#define SCALE(n, a, c) const VECTOR r##n = VMULTIPLY(a, c);
#define RELU(n, a) const VECTOR r##n = VRELU(a);
#define STEP(n, a) const VECTOR r##n = VSTEP(a);
#define SQRT(n, a) const VECTOR r##n = VSQRT(a);
/* Of rows that all count; others go through spans (chain.c). */
#define PREFIX(n, a, rows) const VECTOR r##n = a;
#define BROADCAST(n, a) const VECTOR r##n = a;
#define STORE(o, a) VSTORE(output##o + at, a);

/* Read once, before stores that the compiler must take for changes of them; the unused are left out. */
#define ONCE(type, name, value)                                                                    \
    type name = value;                                                                             \
    (void)name;
#define OPERAND_ONCE(n)                                                                            \
    ONCE(const VECTOR, constant##n, VBROADCAST(strip->constant + n))                               \
    ONCE(const VECTOR, scalar##n, VBROADCAST(strip->memory[n]))                                    \
    ONCE(const float *const, memory##n, strip->memory[n])
#define CHAIN_OPERANDS                                                                             \
    OPERAND_ONCE(0)                                                                                \
    OPERAND_ONCE(1)                                                                                \
    OPERAND_ONCE(2)                                                                                \
    OPERAND_ONCE(3)                                                                                \
    OPERAND_ONCE(4)                                                                                \
    OPERAND_ONCE(5)                                                                                \
    OPERAND_ONCE(6)                                                                                \
    OPERAND_ONCE(7)                                                                                \
    ONCE(float *const, output0, strip->output[0])                                                  \
    ONCE(float *const, output1, strip->output[1])                                                  \
    ONCE(float *const, output2, strip->output[2])

#endif
