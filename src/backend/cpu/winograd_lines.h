/* The lines of Winograd's transforms for F(4×4, 3×3) on vectors (vector_*.h), and how a transform is made of them: of six lines or columns, then of the
 * other. Points 0, ±a, ±b, ∞ (ops/winograd.h; Lavin and Gray 2016, section 4.2). */
#ifndef DPR_BACKEND_CPU_WINOGRAD_LINES_H
#define DPR_BACKEND_CPU_WINOGRAD_LINES_H

#include "backend/cpu/kernel.h"
#include "ops/winograd.h"

#define INLINE static inline __attribute__((always_inline))
#define NUMBER(name, value)                                                                        \
    const float name##_value = (float)(value);                                                     \
    const VECTOR name = VBROADCAST(&name##_value)

/* a·x + y, rounded as the machine likes. */
#define MORE(a, x, y) VMULTIPLY_ADD(a, x, y)

#define A DPR__WINOGRAD_A
#define B DPR__WINOGRAD_B
#define SCALE_A DPR__WINOGRAD_SCALE_A
#define SCALE_B DPR__WINOGRAD_SCALE_B

/* Bᵀ·d */
INLINE void of_data(const VECTOR d[6], VECTOR t[6]) {
    NUMBER(a, A);
    NUMBER(minus_a, -A);
    NUMBER(b, B);
    NUMBER(minus_b, -B);
    NUMBER(minus_aa, -A * A);
    NUMBER(minus_bb, -B * B);
    NUMBER(minus_sum, -A * A - B * B);
    NUMBER(product, A * A * B * B);
    const VECTOR p = MORE(minus_bb, d[2], d[4]), r = MORE(minus_bb, d[1], d[3]);
    const VECTOR q = MORE(minus_aa, d[2], d[4]), s = MORE(minus_aa, d[1], d[3]);
    t[0] = MORE(product, d[0], MORE(minus_sum, d[2], d[4]));
    t[1] = MORE(a, r, p);
    t[2] = MORE(minus_a, r, p);
    t[3] = MORE(b, s, q);
    t[4] = MORE(minus_b, s, q);
    t[5] = MORE(product, d[1], MORE(minus_sum, d[3], d[5]));
}

/* Aᵀ·m */
INLINE void of_products(const VECTOR m[6], VECTOR y[4]) {
    NUMBER(a, A);
    NUMBER(b, B);
    NUMBER(aa, A * A);
    NUMBER(bb, B * B);
    NUMBER(aaa, A * A * A);
    NUMBER(bbb, B * B * B);
    const VECTOR p = VADD(m[1], m[2]), q = VSUBTRACT(m[1], m[2]);
    const VECTOR r = VADD(m[3], m[4]), s = VSUBTRACT(m[3], m[4]);
    y[0] = VADD(m[0], VADD(p, r));
    y[1] = MORE(b, s, VMULTIPLY(a, q));
    y[2] = MORE(bb, r, VMULTIPLY(aa, p));
    y[3] = MORE(bbb, s, MORE(aaa, q, m[5]));
}

/* A·y */
INLINE void of_diff(const VECTOR y[4], VECTOR z[6]) {
    NUMBER(a, A);
    NUMBER(minus_a, -A);
    NUMBER(b, B);
    NUMBER(minus_b, -B);
    NUMBER(aa, A * A);
    NUMBER(bb, B * B);
    const VECTOR p = MORE(aa, y[2], y[0]), q = MORE(aa, y[3], y[1]);
    const VECTOR r = MORE(bb, y[2], y[0]), s = MORE(bb, y[3], y[1]);
    z[0] = y[0];
    z[1] = MORE(a, q, p);
    z[2] = MORE(minus_a, q, p);
    z[3] = MORE(b, s, r);
    z[4] = MORE(minus_b, s, r);
    z[5] = y[3];
}

/* G·g */
INLINE void of_filter(const VECTOR g[3], VECTOR u[6]) {
    NUMBER(first, DPR__WINOGRAD_FIRST);
    NUMBER(of_a, SCALE_A);
    NUMBER(of_b, SCALE_B);
    NUMBER(a, SCALE_A * A);
    NUMBER(minus_a, -SCALE_A * A);
    NUMBER(b, SCALE_B * B);
    NUMBER(minus_b, -SCALE_B * B);
    NUMBER(aa, A * A);
    NUMBER(bb, B * B);
    const VECTOR p = VMULTIPLY(of_a, MORE(aa, g[2], g[0]));
    const VECTOR q = VMULTIPLY(of_b, MORE(bb, g[2], g[0]));
    u[0] = VMULTIPLY(first, g[0]);
    u[1] = MORE(a, g[1], p);
    u[2] = MORE(minus_a, g[1], p);
    u[3] = MORE(b, g[1], q);
    u[4] = MORE(minus_b, g[1], q);
    u[5] = g[2];
}

/* Gᵀ·u */
INLINE void of_sums(const VECTOR u[6], VECTOR w[3]) {
    NUMBER(first, DPR__WINOGRAD_FIRST);
    NUMBER(of_a, SCALE_A);
    NUMBER(of_b, SCALE_B);
    NUMBER(a, SCALE_A * A);
    NUMBER(b, SCALE_B * B);
    NUMBER(aa, SCALE_A * A * A);
    NUMBER(bb, SCALE_B * B * B);
    const VECTOR p = VADD(u[1], u[2]), q = VSUBTRACT(u[1], u[2]);
    const VECTOR r = VADD(u[3], u[4]), s = VSUBTRACT(u[3], u[4]);
    w[0] = MORE(first, u[0], MORE(of_a, p, VMULTIPLY(of_b, r)));
    w[1] = MORE(a, q, VMULTIPLY(b, s));
    w[2] = MORE(aa, p, MORE(bb, r, u[5]));
}

#undef A
#undef B
#undef SCALE_A
#undef SCALE_B

/* in × in vectors to out × out, by `line` on columns, then on rows. load(i, j) and store(i, j, v) are vectors of one point: of `src`, `dst`, at `lane`. */
#define BOTH_WAYS(in, out, line, load, store)                                                      \
    VECTOR middle[out][in];                                                                        \
    _Pragma("GCC unroll 6") for (int j = 0; j < in; j++) {                                         \
        VECTOR from[in], to[out];                                                                  \
        _Pragma("GCC unroll 6") for (int i = 0; i < in; i++) from[i] = load(i, j);                 \
        line(from, to);                                                                            \
        _Pragma("GCC unroll 6") for (int i = 0; i < out; i++) middle[i][j] = to[i];                \
    }                                                                                              \
    _Pragma("GCC unroll 6") for (int i = 0; i < out; i++) {                                        \
        VECTOR to[out];                                                                            \
        line(middle[i], to);                                                                       \
        _Pragma("GCC unroll 6") for (int j = 0; j < out; j++) store(i, j, to[j]);                  \
    }

/* Points of maps lie anywhere; those of transforms a plane apart. */
#define MAP_POINT(side, points, i, j) ((points)->at[(i) * (side) + (j)] + lane)
#define PLANE_POINT(side, points, i, j)                                                            \
    ((points)->at[0] + ((i) * (side) + (j)) * (points)->plane + lane)
#define FROM_6_MAP(i, j) VLOAD(MAP_POINT(6, src, i, j))
#define FROM_4_MAP(i, j) VLOAD(MAP_POINT(4, src, i, j))
#define FROM_3_PLANES(i, j) VLOAD(PLANE_POINT(3, src, i, j))
#define FROM_6_PLANES(i, j) VLOAD(PLANE_POINT(6, src, i, j))

#endif
