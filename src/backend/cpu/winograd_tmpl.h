/* kernel */
/* The transforms of Winograd's F(4×4, 3×3), for 32 channels of a tile at a time; included once per ISA, which defines WINOGRAD_NAME, WINOGRAD_FILTERS and vectors
 * (vector_*.h). Points 0, ±1, ±2, ∞ (Lavin and Gray 2016, section 4.2). Each transform is one of six lines or columns, then of the other. */
#include "backend/cpu/kernel.h"

#define INLINE static inline __attribute__((always_inline))
#define NUMBER(name, value)                                                                        \
    const float name##_value = value;                                                              \
    const VECTOR name = VBROADCAST(&name##_value)

/* a·x + y, rounded as the machine likes. */
#define MORE(a, x, y) VMULTIPLY_ADD(a, x, y)

/* Bᵀ·d */
INLINE void of_data(const VECTOR d[6], VECTOR t[6]) {
    NUMBER(four, 4);
    NUMBER(minus_four, -4);
    NUMBER(minus_five, -5);
    NUMBER(two, 2);
    NUMBER(minus_two, -2);
    const VECTOR p = MORE(minus_four, d[2], d[4]), r = MORE(minus_four, d[1], d[3]);
    const VECTOR q = VSUBTRACT(d[4], d[2]), s = VSUBTRACT(d[3], d[1]);
    t[0] = MORE(four, d[0], MORE(minus_five, d[2], d[4]));
    t[1] = VADD(p, r);
    t[2] = VSUBTRACT(p, r);
    t[3] = MORE(two, s, q);
    t[4] = MORE(minus_two, s, q);
    t[5] = MORE(four, d[1], MORE(minus_five, d[3], d[5]));
}

/* Aᵀ·m */
INLINE void of_products(const VECTOR m[6], VECTOR y[4]) {
    NUMBER(two, 2);
    NUMBER(four, 4);
    NUMBER(eight, 8);
    const VECTOR a = VADD(m[1], m[2]), b = VSUBTRACT(m[1], m[2]);
    const VECTOR c = VADD(m[3], m[4]), d = VSUBTRACT(m[3], m[4]);
    y[0] = VADD(m[0], VADD(a, c));
    y[1] = MORE(two, d, b);
    y[2] = MORE(four, c, a);
    y[3] = VADD(m[5], MORE(eight, d, b));
}

/* A·y */
INLINE void of_diff(const VECTOR y[4], VECTOR z[6]) {
    NUMBER(two, 2);
    NUMBER(minus_two, -2);
    NUMBER(four, 4);
    const VECTOR e = VADD(y[0], y[2]), o = VADD(y[1], y[3]);
    const VECTOR f = MORE(four, y[2], y[0]), g = MORE(four, y[3], y[1]);
    z[0] = y[0];
    z[1] = VADD(e, o);
    z[2] = VSUBTRACT(e, o);
    z[3] = MORE(two, g, f);
    z[4] = MORE(minus_two, g, f);
    z[5] = y[3];
}

/* G·g */
INLINE void of_filter(const VECTOR g[3], VECTOR u[6]) {
    NUMBER(quarter, 1.0F / 4);
    NUMBER(sixth, 1.0F / 6);
    NUMBER(minus_sixth, -1.0F / 6);
    NUMBER(twelfth, 1.0F / 12);
    NUMBER(minus_twelfth, -1.0F / 12);
    NUMBER(least, 1.0F / 24);
    NUMBER(four, 4);
    const VECTOR s = VMULTIPLY(minus_sixth, VADD(g[0], g[2]));
    const VECTOR p = VMULTIPLY(least, MORE(four, g[2], g[0]));
    u[0] = VMULTIPLY(quarter, g[0]);
    u[1] = MORE(minus_sixth, g[1], s);
    u[2] = MORE(sixth, g[1], s);
    u[3] = MORE(twelfth, g[1], p);
    u[4] = MORE(minus_twelfth, g[1], p);
    u[5] = g[2];
}

/* Gᵀ·u */
INLINE void of_sums(const VECTOR u[6], VECTOR w[3]) {
    NUMBER(quarter, 1.0F / 4);
    NUMBER(sixth, 1.0F / 6);
    NUMBER(minus_sixth, -1.0F / 6);
    NUMBER(twelfth, 1.0F / 12);
    NUMBER(least, 1.0F / 24);
    const VECTOR a = VADD(u[1], u[2]), b = VSUBTRACT(u[1], u[2]);
    const VECTOR c = VADD(u[3], u[4]), d = VSUBTRACT(u[3], u[4]);
    w[0] = MORE(quarter, u[0], MORE(minus_sixth, a, VMULTIPLY(least, c)));
    w[1] = MORE(minus_sixth, b, VMULTIPLY(twelfth, d));
    w[2] = MORE(sixth, VSUBTRACT(c, a), u[5]);
}

/* in × in values to out × out, by `line` on columns, then on rows. LOAD(i, j) and STORE(i, j, v) are vectors of one point. */
#define BOTH_WAYS(in, out, line)                                                                   \
    VECTOR middle[out][in];                                                                        \
    _Pragma("GCC unroll 6") for (int j = 0; j < in; j++) {                                         \
        VECTOR from[in], to[out];                                                                  \
        _Pragma("GCC unroll 6") for (int i = 0; i < in; i++) from[i] = LOAD(i, j);                 \
        line(from, to);                                                                            \
        _Pragma("GCC unroll 6") for (int i = 0; i < out; i++) middle[i][j] = to[i];                \
    }                                                                                              \
    _Pragma("GCC unroll 6") for (int i = 0; i < out; i++) {                                        \
        VECTOR to[out];                                                                            \
        line(middle[i], to);                                                                       \
        _Pragma("GCC unroll 6") for (int j = 0; j < out; j++) STORE(i, j, to[j]);                  \
    }

#define TRANSFORM(name, in, out, line)                                                             \
    static void name(const dpr__points *src, const dpr__points *dst, int lanes) {                  \
        for (int64_t lane = 0; lane < lanes; lane += LANES) {                                      \
            BOTH_WAYS(in, out, line)                                                               \
        }                                                                                          \
    }

/* Points of maps lie anywhere; those of transforms a plane apart. */
#define AT_POINT(side, points, i, j) ((points)->at[(i) * (side) + (j)] + lane)
#define IN_PLANE(side, points, i, j)                                                               \
    ((points)->at[0] + ((i) * (side) + (j)) * (points)->plane + lane)

#define LOAD(i, j) VLOAD(AT_POINT(6, src, i, j))
#define STORE(i, j, v) VSTORE(IN_PLANE(6, dst, i, j), v)
TRANSFORM(data, 6, 6, of_data)
#undef LOAD
#define LOAD(i, j) VLOAD(AT_POINT(4, src, i, j))
TRANSFORM(diff, 4, 6, of_diff)
#undef LOAD
#define LOAD(i, j) VLOAD(IN_PLANE(3, src, i, j))
TRANSFORM(filter, 3, 6, of_filter)
#undef LOAD
#undef STORE
#define LOAD(i, j) VLOAD(IN_PLANE(6, src, i, j))
#define STORE(i, j, v) VSTORE(AT_POINT(4, dst, i, j), v)
TRANSFORM(products, 6, 4, of_products)
#undef STORE
#define STORE(i, j, v) VSTORE(IN_PLANE(3, dst, i, j), v)
TRANSFORM(sums, 6, 3, of_sums)
#undef LOAD
#undef STORE

const dpr__winograd_kernel WINOGRAD_NAME = {data, diff, filter, products, sums};

/* The op winograd_filters, in units of rows of 32 filters. */
static bool accepts_panels(const dpr__call *call) {
    return call->src[0].form == DPR__PANELS && call->dst.form == DPR__PANELS;
}

static int64_t filter_rows(const dpr__call *call) {
    const int64_t *dim = call->dst.shape.dim;
    return (dim[3] + DPR__PANEL - 1) / DPR__PANEL * dim[2];
}

static void transform_filters(const dpr__call *call, int64_t first, int64_t last) {
    int64_t c = call->dst.shape.dim[2];
    dpr__points src = {.plane = c * DPR__PANEL}, dst = {.plane = c * DPR__PANEL};
    for (int64_t i = first; i < last; i++) {
        int64_t panel = i / c, row = i % c;
        src.at[0] = (float *)call->src[0].data + (panel * 9 * c + row) * DPR__PANEL;
        dst.at[0] = (float *)call->dst.data + (panel * 36 * c + row) * DPR__PANEL;
        filter(&src, &dst, DPR__PANEL);
    }
}
const dpr__rows_kernel WINOGRAD_FILTERS = {accepts_panels, filter_rows, transform_filters, false};
