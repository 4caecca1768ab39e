/* Samples of the window ops: pooling, and its gradients. */
#include "grad/samples.h"
#include "grad/session.h"
#include "grad/values.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <cmocka.h>

#define NOT_A_NUMBER ((double)NAN)

/* X(name, title, kernel, stride, padding at top, left, bottom and right, height, width; elements of a window; shapes of
 * images and of one element for each window) */
/* clang-format off */
#define WINDOWS(X) \
    X(plain, "2 × 2", (2, 2, 2, 2, 0, 0, 0, 0, 4, 4), 4, (DPR_BATCH, 4, 4, 1), (DPR_BATCH, 2, 2, 1)) \
    X(overlapping, "overlapping", (3, 2, 1, 1, 0, 0, 0, 0, 4, 4), 6, (1, 4, 4, 2), (1, 2, 3, 2)) \
    X(strided, "strided, with a rest", (2, 3, 3, 2, 0, 0, 0, 0, 6, 6), 6, (1, 6, 6, 1), (1, 2, 2, 1)) \
    X(padded, "padded unevenly", (3, 3, 2, 2, 1, 0, 2, 1, 3, 3), 9, \
      (DPR_BATCH, 3, 3, 2), (DPR_BATCH, 2, 1, 2)) \
    X(larger, "larger than the image", (5, 4, 1, 1, 2, 2, 2, 2, 2, 3), 20, (2, 2, 3, 1), (2, 2, 4, 1)) \
    X(pixel, "of one element", (1, 1, 1, 1, 0, 0, 0, 0, 2, 2), 1, (1, 2, 2, 3), (1, 2, 2, 3))
/* clang-format on */

/* Every element of a window has its turn. */
static void write_index(dpr_store *store, int64_t places) {
    const dpr__slot *slot = dpr__store_find(store, "index");
    assert_non_null(slot);
    for (size_t i = 0; i < slot->bytes; i++)
        ((uint8_t *)slot->data)[i] = (uint8_t)((int64_t)(i * 5 + 1) % places);
}

/* An op of one real operand and an index. */
static dpr_value indexed(dpr_graph *g, dpr__op_id op, dpr_value x, dpr_shape map,
                         const dpr__window_param *param) {
    dpr_value index = dpr_input(g, "index", DPR_U8, map);
    return dpr__node_add(g, op, (dpr_value[]){x, index}, 2, param);
}

#define X(name, title, numbers, places, image, map)                                                \
    static const dpr__window_param name = {UNPACK numbers};                                        \
    static void write_##name(dpr_store *store) {                                                   \
        write_index(store, places);                                                                \
    }                                                                                              \
    BUILD(take_##name, indexed(g, DPR__OP_window_take, x[0], dpr_shape_of map, &name))             \
    BUILD(put_##name, indexed(g, DPR__OP_window_put, x[0], dpr_shape_of map, &name))               \
    BUILD(sum_##name, dpr__node_add(g, DPR__OP_window_sum, x, 1, &name))                           \
    BUILD(spread_##name, dpr__node_add(g, DPR__OP_window_spread, x, 1, &name))
WINDOWS(X)
#undef X

static const dpr__window_param squares = {2, 2, 2, 2, 0, 0, 0, 0, 2, 4},
                               pairs = {1, 2, 1, 1, 0, 0, 0, 0, 1, 3},
                               corner = {2, 2, 1, 1, 1, 1, 0, 0, 1, 1};

/* ---- window_argmax ---- */

static void window_argmax_values(void) {
    static const dpr__window_param margins = {2, 2, 2, 2, 1, 1, 1, 1, 0, 0},
                                   whole = {16, 16, 1, 1, 0, 0, 0, 0, 0, 0};
    double numbers[256] = {0};
    EXPECT(window_argmax, &squares, BYTES((2, 0), 1, 1, 2, 1),
           REALS((1, 3, 2, 2, 4, 0, 2, 1), 1, 2, 4, 1)); /* the first of equals */
    EXPECT(window_argmax, &margins, BYTES((3, 2, 1, 0), 1, 2, 2, 1),
           REALS((-1, -2, -3, -4), 1, 2, 2, 1)); /* padding never wins */
    EXPECT(window_argmax, &pairs, BYTES((1, 0, 0, 1), 1, 1, 2, 2),
           REALS((1, 9, 2, 8, 2, 8.5), 1, 1, 3, 2)); /* channel by channel */
    EXPECT(window_argmax, &squares, BYTES((1, 3), 1, 1, 2, 1),
           REALS((1, NOT_A_NUMBER, -1, 2, NOT_A_NUMBER, 7, 3, NOT_A_NUMBER), 1, 2, 4,
                 1)); /* the first NaN */
    EXPECT(window_argmax, &squares, BYTES((0), 1, 1, 1, 1),
           REALS((-HUGE_VAL, -HUGE_VAL, -HUGE_VAL, -HUGE_VAL), 1, 2, 2, 1));
    numbers[255] = 1;
    EXPECT(window_argmax, &whole, BYTES((255), 1, 1, 1, 1),
           ((dpr__tensor){DPR_F64, dpr_shape_of(1, 16, 16, 1), numbers, DPR__PLAIN}));
    EXPECT(window_argmax, &squares, BYTES((0), 0, 1, 2, 1), NOTHING(0, 2, 4, 1));
}

const struct grad_samples samples_window_argmax = {.why_none = "its result is an integer",
                                                   .values = window_argmax_values};

/* ---- window_take, window_put ---- */

static const struct grad_sample window_take_samples[] = {
#define X(name, title, numbers, places, image, map)                                                \
    SAMPLE("window_take, " title, 1, take_##name, .shape = {SHAPE image}, .write = write_##name,   \
           .linear = 1),
    WINDOWS(X)
#undef X
};

static void window_take_values(void) {
    static const dpr__window_param columns = {1, 2, 1, 1, 0, 0, 0, 0, 0, 0};
    const dpr__tensor five = REALS((5), 1, 1, 1, 1);
    EXPECT(window_take, &squares, REALS((4, 2), 1, 1, 2, 1),
           REALS((1, 3, 2, 2, 4, 0, 2, 1), 1, 2, 4, 1), BYTES((2, 0), 1, 1, 2, 1));
    EXPECT(window_take, &corner, REALS((5), 1, 1, 1, 1), five, BYTES((3), 1, 1, 1, 1));
    EXPECT(window_take, &corner, REALS((0), 1, 1, 1, 1), five, BYTES((0), 1, 1, 1, 1));
    EXPECT(window_take, &corner, REALS((0), 1, 1, 1, 1), five, BYTES((255), 1, 1, 1, 1));
    EXPECT(window_take, &columns, REALS((2, 0), 1, 2, 1, 1), REALS((1, 2, 3, 4), 1, 2, 2, 1),
           BYTES((1, 2), 1, 2, 1, 1)); /* 2 would be in the image, but is outside the window */
    EXPECT(window_take, &columns, REALS((0, NOT_A_NUMBER), 1, 2, 1, 1),
           REALS((1, 2, 3, NOT_A_NUMBER), 1, 2, 2, 1), BYTES((2, 1), 1, 2, 1, 1));
    EXPECT(window_take, &squares, NOTHING(0, 1, 2, 1), NOTHING(0, 2, 4, 1), BYTES((0), 0, 1, 2, 1));
}

const struct grad_samples samples_window_take = {SAMPLES(window_take_samples),
                                                 .values = window_take_values};

static const struct grad_sample window_put_samples[] = {
#define X(name, title, numbers, places, image, map)                                                \
    SAMPLE("window_put, " title, 1, put_##name, .shape = {SHAPE map}, .write = write_##name,       \
           .linear = 1),
    WINDOWS(X)
#undef X
};

static void window_put_values(void) {
    EXPECT(window_put, &squares, REALS((0, 0, 20, 0, 10, 0, 0, 0), 1, 2, 4, 1),
           REALS((10, 20), 1, 1, 2, 1), BYTES((2, 0), 1, 1, 2, 1));
    EXPECT(window_put, &pairs, REALS((0, 30, 0), 1, 1, 3, 1), REALS((10, 20), 1, 1, 2, 1),
           BYTES((1, 0), 1, 1, 2, 1)); /* both to one place */
    EXPECT(window_put, &pairs, REALS((0, 20, 0), 1, 1, 3, 1), REALS((10, 20), 1, 1, 2, 1),
           BYTES((9, 0), 1, 1, 2, 1)); /* outside the window */
    EXPECT(window_put, &corner, REALS((0), 1, 1, 1, 1), REALS((7), 1, 1, 1, 1),
           BYTES((2), 1, 1, 1, 1)); /* into the padding */
    EXPECT(window_put, &squares, NOTHING(0, 2, 4, 1), NOTHING(0, 1, 2, 1), BYTES((0), 0, 1, 2, 1));
}

const struct grad_samples samples_window_put = {SAMPLES(window_put_samples),
                                                .values = window_put_values};

/* ---- window_sum, window_spread ---- */

static const struct grad_sample window_sum_samples[] = {
#define X(name, title, numbers, places, image, map)                                                \
    SAMPLE("window_sum, " title, 1, sum_##name, .shape = {SHAPE image}, .linear = 1),
    WINDOWS(X)
#undef X
};

static void window_sum_values(void) {
    static const dpr__window_param each = {2, 2, 1, 1, 0, 0, 0, 0, 0, 0},
                                   margin = {2, 2, 2, 2, 1, 1, 0, 0, 0, 0};
    const dpr__tensor nine = REALS((1, 2, 3, 4, 5, 6, 7, 8, 9), 1, 3, 3, 1);
    EXPECT(window_sum, &each, REALS((12, 16, 24, 28), 1, 2, 2, 1), nine);
    EXPECT(window_sum, &margin, REALS((1, 5, 11, 28), 1, 2, 2, 1), nine);
    EXPECT(window_sum, &pairs, REALS((4, 6, 8, 10), 1, 1, 2, 2),
           REALS((1, 2, 3, 4, 5, 6), 1, 1, 3, 2));
    EXPECT(window_sum, &each, NOTHING(0, 2, 2, 1), NOTHING(0, 3, 3, 1));
}

const struct grad_samples samples_window_sum = {SAMPLES(window_sum_samples),
                                                .values = window_sum_values};

static const struct grad_sample window_spread_samples[] = {
#define X(name, title, numbers, places, image, map)                                                \
    SAMPLE("window_spread, " title, 1, spread_##name, .shape = {SHAPE map}, .linear = 1),
    WINDOWS(X)
#undef X
};

static void window_spread_values(void) {
    static const dpr__window_param each = {2, 2, 1, 1, 0, 0, 0, 0, 3, 3},
                                   rest = {2, 1, 2, 1, 0, 0, 0, 0, 3, 1};
    EXPECT(window_spread, &each, REALS((1, 3, 2, 4, 10, 6, 3, 7, 4), 1, 3, 3, 1),
           REALS((1, 2, 3, 4), 1, 2, 2, 1));
    EXPECT(window_spread, &rest, REALS((5, 5, 0), 1, 3, 1, 1), REALS((5), 1, 1, 1, 1));
    EXPECT(window_spread, &each, NOTHING(0, 3, 3, 1), NOTHING(0, 2, 2, 1));
}

const struct grad_samples samples_window_spread = {SAMPLES(window_spread_samples),
                                                   .values = window_spread_values};
