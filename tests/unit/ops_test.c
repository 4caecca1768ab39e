/* The ops' shape rules: what they must refuse, with a message that names the op and where it stands; shapes
 * that stay open in the batch; kernels that fusion relies on. */
#include "backend/cpu/kernel.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

/* Operands to build the wrong call from. */
struct operands {
    dpr_graph *g;
    dpr_value f[DPR_MAX_RANK + 1];  /* f32 of shapes (), (2), (2 3), (2 3 4), … */
    dpr_value batch;                /* f32 (batch 4) */
    dpr_value n, ns;                /* i32 (), (3) */
    dpr_value u, us;                /* u64 (), (3) */
    dpr_value bytes, empty;         /* u8 (5 2), f32 (3 0) */
    dpr_value images, weights, map; /* f32 (batch 3 4 6), (3 3 3 4), (batch 1 2 4) */
    dpr_value index;                /* u8 (batch 1 2 6) */
};

static struct operands make_operands(dpr_graph *g) {
    struct operands o = {.g = g};
    static const char *const NAMES[] = {"f0", "f1", "f2", "f3", "f4", "f5", "f6"};
    for (uint32_t rank = 0; rank <= DPR_MAX_RANK; rank++) {
        dpr_shape shape = {.rank = rank};
        for (uint32_t i = 0; i < rank; i++)
            shape.dim[i] = 2 + i;
        o.f[rank] = dpr_input(g, NAMES[rank], DPR_F32, shape);
    }
    o.batch = dpr_input(g, "batch", DPR_F32, dpr_shape_of(DPR_BATCH, 4));
    o.n = dpr_input(g, "n", DPR_I32, dpr_scalar_shape());
    o.ns = dpr_input(g, "ns", DPR_I32, dpr_shape_of(3));
    o.u = dpr_input(g, "u", DPR_U64, dpr_scalar_shape());
    o.us = dpr_input(g, "us", DPR_U64, dpr_shape_of(3));
    o.bytes = dpr_input(g, "bytes", DPR_U8, dpr_shape_of(5, 2));
    o.empty = dpr_input(g, "empty", DPR_F32, dpr_shape_of(3, 0));
    o.images = dpr_input(g, "images", DPR_F32, dpr_shape_of(DPR_BATCH, 3, 4, 6));
    o.weights = dpr_input(g, "weights", DPR_F32, dpr_shape_of(3, 3, 3, 4));
    o.map = dpr_input(g, "map", DPR_F32, dpr_shape_of(DPR_BATCH, 1, 2, 4));
    o.index = dpr_input(g, "index", DPR_U8, dpr_shape_of(DPR_BATCH, 1, 2, 6));
    return o;
}

static dpr_value leaf(const struct operands *o, const char *name, int64_t kind, int64_t init,
                      dpr_dtype dtype, dpr_shape shape) {
    dpr__leaf_param param = {name, kind, init, dtype, shape};
    return dpr__node_add(o->g, DPR__OP_leaf, NULL, 0, &param);
}

/* Of five images of 2 × 3 pixels, which lie in the rows `own`. */
static dpr_value augment_rows(const struct operands *o, int64_t channels, dpr_value index,
                              dpr_value seed, double smooth, dpr_value own) {
    const dpr__augment_param param = {
        .n = 5, .height = 2, .width = 3, .elastic = smooth < 4, .smooth = smooth};
    dpr_value pool = dpr_input(o->g, "pool", DPR_U8, dpr_shape_of(5, 2, 3, channels));
    return dpr__augment(o->g, &param, (dpr_value[]){pool, index, seed, o->u, own, index});
}

static dpr_value augment(const struct operands *o, int64_t channels, dpr_value index,
                         dpr_value seed, double smooth) {
    return augment_rows(o, channels, index, seed, smooth, index);
}

static dpr_value mix(const struct operands *o, dpr__op_id op, dpr_value index, dpr_value seed) {
    const dpr__augment_param param = {.n = 5, .height = 2, .width = 3};
    return dpr__augment_mix(o->g, op, &param, index, seed, o->u);
}

static dpr_value order(const struct operands *o, dpr_value seed, dpr_value epoch, dpr_value batch,
                       int64_t n, int64_t size) {
    dpr__order_param param = {n, true, size};
    return dpr__node_add(o->g, DPR__OP_order, (dpr_value[]){seed, epoch, batch}, 3, &param);
}

static dpr_value rows(const struct operands *o, dpr_value batch, int64_t n, int64_t size) {
    dpr__rows_param param = {n, size};
    return dpr__node_add(o->g, DPR__OP_rows, &batch, 1, &param);
}

static dpr_value permuted(const struct operands *o, dpr_value src, dpr_shape permutation) {
    dpr__transpose_param param = {permutation};
    return dpr__node_add(o->g, DPR__OP_transpose, &src, 1, &param);
}

/* ---- images: 3 × 3 kernels over 3 × 4 in two groups of channels are (batch 1 2 …) ---- */

static dpr_value f32(const struct operands *o, dpr_shape shape) {
    return dpr_input(o->g, "other", DPR_F32, shape);
}

static dpr__conv_param conv_param(void) {
    return (dpr__conv_param){1, 1, 1, 1, 0, 0, 0, 0, 2, 3, 4, 3, 3, 0, 0, 0};
}

static dpr_value conv(const struct operands *o, dpr__op_id op, dpr_value a, dpr_value b) {
    dpr__conv_param param = conv_param();
    return dpr__node_add(o->g, op, (dpr_value[]){a, b}, 2, &param);
}

/* The three with one number changed: the n-th of the parameters. */
static dpr_value conv_with(const struct operands *o, dpr__op_id op, int n, int64_t number) {
    dpr__conv_param param = conv_param();
    memcpy((char *)&param + (size_t)n * sizeof number, &number, sizeof number);
    dpr_value src[2] = {op == DPR__OP_conv2d_data ? o->map : o->images,
                        op == DPR__OP_conv2d_weights ? o->map : o->weights};
    return dpr__node_add(o->g, op, src, 2, &param);
}

static dpr__window_param window_param(void) {
    return (dpr__window_param){3, 3, 1, 1, 0, 0, 0, 0, 3, 4};
}

/* Of an image, or of one element for each window, and an index where the op takes one. */
static dpr_value window(const struct operands *o, dpr__op_id op, dpr_value a, dpr_value b) {
    dpr__window_param param = window_param();
    return dpr__node_add(o->g, op, (dpr_value[]){a, b}, b == 0 ? 1 : 2, &param);
}

static dpr_value window_with(const struct operands *o, dpr__op_id op, int n, int64_t number) {
    dpr__window_param param = window_param();
    memcpy((char *)&param + (size_t)n * sizeof number, &number, sizeof number);
    bool spreads = op == DPR__OP_window_spread || op == DPR__OP_window_put;
    dpr_value src[2] = {spreads ? f32(o, dpr_shape_of(DPR_BATCH, 1, 2, 6)) : o->images, o->index};
    return dpr__node_add(o->g, op, src, dpr__op_arity[op], &param);
}

static dpr_value large_window(const struct operands *o, dpr__op_id op) {
    dpr__window_param param = {257, 1, 1, 1, 254, 0, 0, 0, 3, 4};
    bool puts = op == DPR__OP_window_put;
    dpr_value src[2] = {puts ? f32(o, dpr_shape_of(DPR_BATCH, 1, 4, 6)) : o->images, o->index};
    return dpr__node_add(o->g, op, src, dpr__op_arity[op], &param);
}

static dpr_value fold(const struct operands *o, dpr_value src, int64_t axis, int64_t before,
                      int64_t after) {
    dpr__pad_param param = {axis, before, after};
    return dpr__node_add(o->g, DPR__OP_fold_reflect, &src, 1, &param);
}

static dpr_value batch_norm(const struct operands *o, dpr_value src, dpr_value vector,
                            dpr_value running, dpr_value rows, double momentum, double epsilon) {
    dpr_batch_norm_options options = dpr_batch_norm_options_default();
    options.momentum = momentum;
    options.epsilon = epsilon;
    dpr_value updates[2];
    return dpr_batch_norm(o->g, src, vector, 0, running, running, rows, &options, updates);
}

#define CONV2D DPR__OP_conv2d
#define DATA DPR__OP_conv2d_data
#define WEIGHTS DPR__OP_conv2d_weights
#define ARGMAX DPR__OP_window_argmax
#define TAKE DPR__OP_window_take
#define PUT DPR__OP_window_put
#define SUM DPR__OP_window_sum
#define SPREAD DPR__OP_window_spread
#define IMAGE_REFUSALS(X)                                                                          \
    X(E_DTYPE, "conv2d 'here': operand 1 is i32", conv(o, CONV2D, o->n, o->weights))               \
    X(E_DTYPE, "conv2d 'here': operand 2 is u8", conv(o, CONV2D, o->images, o->bytes))             \
    X(E_SHAPE, "operand 1 is 2 × 3; it must have 4", conv(o, CONV2D, o->f[2], o->weights))         \
    X(E_SHAPE, "operand 2 is 2 × 3 × 4; it must", conv(o, CONV2D, o->images, o->f[3]))             \
    X(E_ARGUMENT, "height the stride is 0", conv_with(o, CONV2D, 0, 0))                            \
    X(E_ARGUMENT, "width the stride is 65537", conv_with(o, CONV2D, 1, 65537))                     \
    X(E_ARGUMENT, "height the dilation is -1", conv_with(o, CONV2D, 2, -1))                        \
    X(E_ARGUMENT, "width the dilation is", conv_with(o, CONV2D, 3, INT64_MAX))                     \
    X(E_ARGUMENT, "height the padding before is -1", conv_with(o, CONV2D, 4, -1))                  \
    X(E_ARGUMENT, "width the padding before is", conv_with(o, CONV2D, 5, INT64_MAX))               \
    X(E_ARGUMENT, "height the padding after is", conv_with(o, CONV2D, 6, INT64_MIN))               \
    X(E_ARGUMENT, "width the padding after is 65537", conv_with(o, CONV2D, 7, 65537))              \
    X(E_ARGUMENT, "conv2d 'here': 0 groups", conv_with(o, CONV2D, 8, 0))                           \
    X(E_ARGUMENT, "conv2d_data 'here': 65537 groups", conv_with(o, DATA, 8, 65537))                \
    X(E_ARGUMENT, "conv2d_weights 'here': -2 groups", conv_with(o, WEIGHTS, 8, -2))                \
    X(E_SHAPE, "in 1 groups", conv_with(o, CONV2D, 8, 1))                                          \
    X(E_SHAPE, "multiple of the 2 groups",                                                         \
      conv(o, CONV2D, o->images, f32(o, dpr_shape_of(3, 3, 3, 5))))                                \
    X(E_SHAPE, "3 with dilation 2 reaches over 5; there are 3", conv_with(o, CONV2D, 2, 2))        \
    X(E_SHAPE, "the height is open",                                                               \
      conv(o, CONV2D, f32(o, dpr_shape_of(2, DPR_BATCH, 4, 6)), o->weights))                       \
    X(E_SHAPE, "width the extent is 70000",                                                        \
      conv(o, CONV2D, f32(o, dpr_shape_of(2, 3, 70000, 6)), o->weights))                           \
    X(E_SHAPE, "height the extent is 0",                                                           \
      conv(o, CONV2D, f32(o, dpr_shape_of(2, 0, 4, 6)), o->weights))                               \
    X(E_SHAPE, "channels must be",                                                                 \
      conv(o, CONV2D, f32(o, dpr_shape_of(2, 3, 4, DPR_BATCH)), o->weights))                       \
    X(E_ARGUMENT, "height the kernel is 0",                                                        \
      conv(o, CONV2D, o->images, f32(o, dpr_shape_of(0, 3, 3, 4))))                                \
    X(E_ARGUMENT, "width the kernel is 65537",                                                     \
      conv(o, CONV2D, o->images, f32(o, dpr_shape_of(3, 65537, 3, 4))))                            \
    X(E_SHAPE, "has a negative dimension or too many",                                             \
      dpr_conv2d(o->g, o->images, f32(o, dpr_shape_of(1, 1, 6, (int64_t)1 << 37)), NULL))          \
    X(E_SHAPE, "conv2d_data 'here': operand 1 is batch × 1 × 2 × 4; data of batch × 3 × 5 × 6",    \
      conv_with(o, DATA, 10, 5))                                                                   \
    X(E_SHAPE, "conv2d_data 'here': along the height the extent is 0", conv_with(o, DATA, 9, 0))   \
    X(E_SHAPE, "the width is open", conv_with(o, DATA, 10, DPR_BATCH))                             \
    X(E_SHAPE, "operand 1 is batch × 3 × 4 × 6", conv(o, DATA, o->images, o->weights))             \
    X(E_SHAPE, "third dimension", conv(o, DATA, o->map, f32(o, dpr_shape_of(3, 3, DPR_BATCH, 4)))) \
    X(E_DTYPE, "conv2d_data 'here': operand 2 is u8", conv(o, DATA, o->map, o->index))             \
    X(E_ARGUMENT, "conv2d_weights 'here': along the height the kernel is 0",                       \
      conv_with(o, WEIGHTS, 11, 0))                                                                \
    X(E_SHAPE, "there are 4 and 0 + 0", conv_with(o, WEIGHTS, 12, 5))                              \
    X(E_SHAPE, "operand 2 is batch × 1 × 2 × 4; data of", conv_with(o, WEIGHTS, 12, 2))            \
    X(E_SHAPE, "operand 2 is 5 × 1 × 2 × 4",                                                       \
      conv(o, WEIGHTS, o->images, f32(o, dpr_shape_of(5, 1, 2, 4))))                               \
    X(E_SHAPE, "channels must be",                                                                 \
      conv(o, WEIGHTS, f32(o, dpr_shape_of(DPR_BATCH, 3, 4, 5)), o->map))                          \
    X(E_DTYPE, "conv2d_weights 'here'", conv(o, WEIGHTS, o->bytes, o->map))                        \
    X(E_DTYPE, "window_argmax 'here'", window(o, ARGMAX, o->bytes, 0))                             \
    X(E_SHAPE, "window_argmax 'here'", window(o, ARGMAX, o->f[2], 0))                              \
    X(E_ARGUMENT, "height the kernel is 0", window_with(o, ARGMAX, 0, 0))                          \
    X(E_SHAPE, "width a kernel of 5", window_with(o, ARGMAX, 1, 5))                                \
    X(E_ARGUMENT, "height the stride is 0", window_with(o, SUM, 2, 0))                             \
    X(E_ARGUMENT, "the padding is 3 and 0; each must be smaller", window_with(o, SUM, 4, 3))       \
    X(E_ARGUMENT, "width the padding is 0 and 3", window_with(o, ARGMAX, 7, 3))                    \
    X(E_ARGUMENT, "height the padding before is -1", window_with(o, TAKE, 4, -1))                  \
    X(E_SHAPE, "has no channels", window(o, SUM, f32(o, dpr_shape_of(1, 3, 4, 0)), 0))             \
    X(E_SHAPE, "the width is open", window(o, SUM, f32(o, dpr_shape_of(1, 3, DPR_BATCH, 1)), 0))   \
    X(E_DTYPE, "window_sum 'here'", window(o, SUM, o->index, 0))                                   \
    X(E_SHAPE, "window_sum 'here'", window(o, SUM, o->f[3], 0))                                    \
    X(E_ARGUMENT, "257 × 1", large_window(o, ARGMAX))                                              \
    X(E_ARGUMENT, "257 × 1", large_window(o, TAKE))                                                \
    X(E_ARGUMENT, "257 × 1", large_window(o, PUT))                                                 \
    X(E_DTYPE, "window_take 'here': operand 1", window(o, TAKE, o->index, o->index))               \
    X(E_DTYPE, "window_take 'here': operand 2", window(o, TAKE, o->images, o->map))                \
    X(E_SHAPE, "window_take 'here': operand 1", window(o, TAKE, o->f[3], o->index))                \
    X(E_SHAPE, "operand 2 is batch × 1 × 2 × 6; batch × 3 × 4 × 6 has windows of batch × 1 × 3",   \
      window_with(o, TAKE, 1, 2))                                                                  \
    X(E_DTYPE, "window_put 'here': operand 1", window(o, PUT, o->index, o->index))                 \
    X(E_DTYPE, "window_put 'here': operand 2", window(o, PUT, o->map, o->map))                     \
    X(E_SHAPE, "batch × 1 × 2 × 4 against an index of batch × 1 × 2 × 6",                          \
      window(o, PUT, o->map, o->index))                                                            \
    X(E_SHAPE, "window_put 'here': operand 1 is batch × 1 × 2 × 6", window_with(o, PUT, 9, 5))     \
    X(E_SHAPE, "window_spread 'here': operand 1", window_with(o, SPREAD, 8, 4))                    \
    X(E_SHAPE, "window_spread 'here': along the height", window_with(o, SPREAD, 8, 0))             \
    X(E_SHAPE, "window_spread 'here': operand 1 is 2", window(o, SPREAD, o->f[1], 0))              \
    X(E_DTYPE, "window_spread 'here'", window(o, SPREAD, o->bytes, 0))                             \
    X(E_SHAPE, "global_average_pool 'here'", dpr_global_average_pool(o->g, o->f[3]))               \
    X(E_DTYPE, "pad 'here'", dpr_pad(o->g, o->bytes, 1, 1, 1))                                     \
    X(E_ARGUMENT, "pad 'here': axis 0 of 2 × 3", dpr_pad(o->g, o->f[2], 0, 1, 1))                  \
    X(E_ARGUMENT, "pad 'here': axis 2 of 2 × 3", dpr_pad(o->g, o->f[2], 2, 1, 1))                  \
    X(E_ARGUMENT, "pad 'here': padding of -1 and 1", dpr_pad(o->g, o->f[2], 1, -1, 1))             \
    X(E_ARGUMENT, "pad 'here': padding of 0 and", dpr_pad(o->g, o->f[2], 1, 0, INT64_MAX))         \
    X(E_SHAPE, "pad 'here'", dpr_pad(o->g, o->f[2], 1, (int64_t)1 << 40, 0))                       \
    X(E_SHAPE, "axis 1 of 3 × 0 is empty", dpr_pad(o->g, o->empty, 1, 1, 1))                       \
    X(E_SHAPE, "is open; it must have a number",                                                   \
      dpr_pad(o->g, f32(o, dpr_shape_of(2, DPR_BATCH)), 1, 1, 1))                                  \
    X(E_DTYPE, "slice 'here'", dpr_slice(o->g, o->bytes, 1, 0, 1))                                 \
    X(E_ARGUMENT, "slice 'here': axis 0", dpr_slice(o->g, o->batch, 0, 0, 1))                      \
    X(E_ARGUMENT, "3 elements from 1 on; axis 1 has 3", dpr_slice(o->g, o->f[2], 1, 1, 3))         \
    X(E_ARGUMENT, "0 elements from 0 on", dpr_slice(o->g, o->f[2], 1, 0, 0))                       \
    X(E_ARGUMENT, "1 elements from -1 on", dpr_slice(o->g, o->f[2], 1, -1, 1))                     \
    X(E_ARGUMENT, "slice 'here'", dpr_slice(o->g, o->f[2], 1, INT64_MAX, INT64_MAX))               \
    X(E_ARGUMENT, "each must be 0 to 2 here", dpr_pad_reflect(o->g, o->f[2], 1, 3, 0))             \
    X(E_ARGUMENT, "pad_reflect 'here': padding of 0 and -1",                                       \
      dpr_pad_reflect(o->g, o->f[2], 1, 0, -1))                                                    \
    X(E_ARGUMENT, "pad_reflect 'here': axis 7", dpr_pad_reflect(o->g, o->f[2], 7, 0, 1))           \
    X(E_DTYPE, "pad_reflect 'here'", dpr_pad_reflect(o->g, o->ns, 1, 0, 1))                        \
    X(E_DTYPE, "fold_reflect 'here'", fold(o, o->bytes, 1, 0, 0))                                  \
    X(E_ARGUMENT, "fold_reflect 'here': axis -1", fold(o, o->f[2], -1, 0, 0))                      \
    X(E_ARGUMENT, "fold_reflect 'here': padding", fold(o, o->f[2], 1, INT64_MAX, 1))               \
    X(E_SHAPE, "margins of 1 and 1 leave 1 of 3", fold(o, o->f[2], 1, 1, 1))                       \
    X(E_SHAPE, "margins of 2 and 0 leave 1 of 3", fold(o, o->f[2], 1, 2, 0))                       \
    X(E_SHAPE, "margins of 3 and 3 leave -3 of 3", fold(o, o->f[2], 1, 3, 3))                      \
    X(E_ARGUMENT, "concat 'here': there are no", dpr_concat(o->g, NULL, 0, 1))                     \
    X(E_ARGUMENT, "concat 'here': axis 0", dpr_concat(o->g, &o->f[2], 1, 0))                       \
    X(E_ARGUMENT, "concat 'here': axis 1 of 2;", dpr_concat(o->g, &o->f[1], 2, 1))                 \
    X(E_SHAPE, "operand 2 is 2 × 3 × 4, the first 2 × 3", dpr_concat(o->g, &o->f[2], 2, 1))        \
    X(E_SHAPE, "operand 2 is 2 × 1",                                                               \
      dpr_concat(o->g, (dpr_value[]){o->batch, f32(o, dpr_shape_of(2, 1))}, 2, 1))                 \
    X(E_ARGUMENT, "operand 1 is no value", batch_norm(o, 0, 0, o->f[1], 0, 0.1, 1))                \
    X(E_SHAPE, "batch_norm 'here': operand 1 is f32 2;",                                           \
      batch_norm(o, o->f[1], 0, o->f[1], 0, 0.1, 1))                                               \
    X(E_SHAPE, "batch_norm 'here': operand 1 is u8",                                               \
      batch_norm(o, o->bytes, 0, o->f[1], 0, 0.1, 1))                                              \
    X(E_SHAPE, "operand 1 is f32 3 × 0", batch_norm(o, o->empty, 0, o->f[1], 0, 0.1, 1))           \
    X(E_SHAPE, "the scale is f32 2; it must be f32 3",                                             \
      batch_norm(o, o->f[2], o->f[1], o->f[1], 0, 0.1, 1))                                         \
    X(E_SHAPE, "the scale is i32 3", batch_norm(o, o->f[2], o->ns, o->f[1], 0, 0.1, 1))            \
    X(E_SHAPE, "the running mean is f32 2", batch_norm(o, o->f[2], 0, o->f[1], 0, 0.1, 1))         \
    X(E_ARGUMENT, "running mean is no value", batch_norm(o, o->f[2], 0, 0, 0, 0.1, 1))             \
    X(E_ARGUMENT, "the number of rows must be an i32 scalar",                                      \
      batch_norm(o, o->f[2], 0, f32(o, dpr_shape_of(3)), o->ns, 0.1, 1))                           \
    X(E_ARGUMENT, "the momentum is 1.5",                                                           \
      batch_norm(o, o->f[2], 0, f32(o, dpr_shape_of(3)), o->n, 1.5, 1))                            \
    X(E_ARGUMENT, "epsilon is 0", batch_norm(o, o->f[2], 0, o->f[1], 0, 0.1, 0))                   \
    X(E_ARGUMENT, "layer_norm 'here': epsilon is -1", dpr_layer_norm(o->g, o->f[2], 0, 0, -1))     \
    X(E_SHAPE, "layer_norm 'here': the shift is f32 2",                                            \
      dpr_layer_norm(o->g, o->f[2], 0, o->f[1], 1))                                                \
    X(E_SHAPE, "layer_norm 'here': operand 1", dpr_layer_norm(o->g, o->f[0], 0, 0, 1))             \
    X(E_SHAPE, "group_norm 'here': operand 1", dpr_group_norm(o->g, o->f[3], 2, 0, 0, 1))          \
    X(E_SHAPE, "in 4 groups", dpr_group_norm(o->g, o->images, 4, 0, 0, 1))                         \
    X(E_SHAPE, "in 0 groups", dpr_group_norm(o->g, o->images, 0, 0, 0, 1))                         \
    X(E_SHAPE, "× 6, in 1 groups", dpr_group_norm(o->g, o->f[5], 1, 0, 0, 1))

/* X(status, what the message must hold, call): every refusal of every shape rule. */
#define DEEP ((dpr_shape){.rank = 1000, .dim = {1}})
#define REFUSALS(X)                                                                                \
    X(E_ARGUMENT, "name", leaf(o, "", DPR_INPUT, 0, DPR_F32, dpr_shape_of(1)))                     \
    X(E_ARGUMENT, "'w'", leaf(o, "w", 4, 0, DPR_F32, dpr_shape_of(1)))                             \
    X(E_ARGUMENT, "'w'", leaf(o, "w", -1, 0, DPR_F32, dpr_shape_of(1)))                            \
    X(E_ARGUMENT, "'w'", leaf(o, "w", DPR_INPUT, 4, DPR_F32, dpr_shape_of(1)))                     \
    X(E_ARGUMENT, "'w'", leaf(o, "w", DPR_INPUT, -1, DPR_F32, dpr_shape_of(1)))                    \
    X(E_DTYPE, "'w'", leaf(o, "w", DPR_INPUT, 0, DPR_F64, dpr_shape_of(1)))                        \
    X(E_DTYPE, "'w'", leaf(o, "w", DPR_INPUT, 0, (dpr_dtype)9, dpr_shape_of(1)))                   \
    X(E_DTYPE, "'w'", leaf(o, "w", DPR_PARAMETER, 0, DPR_I32, dpr_shape_of(1)))                    \
    X(E_SHAPE, "leaf", leaf(o, "w", DPR_INPUT, 0, DPR_F32, dpr_shape_of(-5)))                      \
    X(E_SHAPE, "leaf", leaf(o, "w", DPR_INPUT, 0, DPR_F32, DEEP))                                  \
    X(E_SHAPE, "constant", dpr_constant(o->g, 1, dpr_shape_of(-5)))                                \
    X(E_SHAPE, "add 'here'", dpr_add(o->g, o->f[2], o->f[3]))                                      \
    X(E_SHAPE, "2 × 3 and batch × 4", dpr_multiply(o->g, o->f[2], o->batch))                       \
    X(E_DTYPE, "divide 'here': operand 1 is i32", dpr_divide(o->g, o->n, o->f[0]))                 \
    X(E_DTYPE, "divide 'here': operand 2 is i32", dpr_divide(o->g, o->f[0], o->n))                 \
    X(E_DTYPE, "scale 'here'", dpr_scale(o->g, o->n, 2))                                           \
    X(E_DTYPE, "relu 'here'", dpr_relu(o->g, o->u))                                                \
    X(E_DTYPE, "matmul 'here': operand 2 is i32", dpr_matmul(o->g, o->f[2], o->ns, 0))             \
    X(E_SHAPE, "matmul 'here': operand 1 is 2;", dpr_matmul(o->g, o->f[1], o->f[2], 0))            \
    X(E_SHAPE, "inner dimensions", dpr_matmul(o->g, o->f[2], o->f[2], 0))                          \
    X(E_SHAPE, "2 × 3 transposed", dpr_matmul(o->g, o->f[2], o->batch, DPR_TRANSPOSE_A))           \
    X(E_DTYPE, "sum 'here'", dpr_sum(o->g, o->n, 0, false))                                        \
    X(E_ARGUMENT, "sum 'here'", dpr_sum(o->g, o->f[2], 4, false))                                  \
    X(E_ARGUMENT, "sum 'here'", dpr_sum(o->g, o->f[0], 1, true))                                   \
    X(E_DTYPE, "prefix 'here': operand 1", dpr_prefix(o->g, o->ns, o->n))                          \
    X(E_DTYPE, "prefix 'here': operand 2", dpr_prefix(o->g, o->f[2], o->f[0]))                     \
    X(E_SHAPE, "prefix 'here': operand 2", dpr_prefix(o->g, o->f[2], o->ns))                       \
    X(E_SHAPE, "prefix 'here': a scalar", dpr_prefix(o->g, o->f[0], o->n))                         \
    X(E_SHAPE, "2 × 3 cannot become 7", dpr_reshape(o->g, o->f[2], dpr_shape_of(7)))               \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->f[2], dpr_shape_of(-2, -3)))                 \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->f[2], DEEP))                                 \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->batch, dpr_shape_of(4)))                     \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->f[1], dpr_shape_of(DPR_BATCH, 2)))           \
    X(E_SHAPE, "reshape 'here'", dpr_reshape(o->g, o->batch, dpr_shape_of(-1, -1, 4)))             \
    X(E_DTYPE, "transpose 'here'", dpr_transpose(o->g, o->bytes, (uint32_t[]){1, 0}))              \
    X(E_ARGUMENT, "transpose 'here'", dpr_transpose(o->g, o->f[2], (uint32_t[]){0, 0}))            \
    X(E_ARGUMENT, "transpose 'here'", dpr_transpose(o->g, o->f[2], (uint32_t[]){0, 2}))            \
    X(E_ARGUMENT, "transpose 'here'", permuted(o, o->f[2], dpr_shape_of(1, 0, 2)))                 \
    X(E_ARGUMENT, "transpose 'here'", permuted(o, o->f[2], dpr_shape_of(0, -1)))                   \
    X(E_ARGUMENT, "transpose 'here'", permuted(o, o->f[2], DEEP))                                  \
    X(E_DTYPE, "broadcast 'here'", dpr_broadcast(o->g, o->n, dpr_shape_of(2)))                     \
    X(E_SHAPE, "2 × 3 cannot be repeated to 3", dpr_broadcast(o->g, o->f[2], dpr_shape_of(3)))     \
    X(E_SHAPE, "broadcast 'here'", dpr_broadcast(o->g, o->f[2], dpr_shape_of(2, 4)))               \
    X(E_SHAPE, "broadcast 'here'", dpr_broadcast(o->g, o->f[2], dpr_shape_of(-7, 2, 3)))           \
    X(E_SHAPE, "broadcast 'here'", dpr_broadcast(o->g, o->f[0], DEEP))                             \
    X(E_DTYPE, "softmax 'here'", dpr_softmax(o->g, o->ns))                                         \
    X(E_SHAPE, "log_softmax 'here'", dpr_log_softmax(o->g, o->f[0]))                               \
    X(E_DTYPE, "softmax_cross_entropy 'here': operand 2",                                          \
      dpr_softmax_cross_entropy(o->g, o->f[2], o->ns))                                             \
    X(E_SHAPE, "softmax_cross_entropy 'here': operand 1",                                          \
      dpr_softmax_cross_entropy(o->g, o->f[1], o->f[2]))                                           \
    X(E_SHAPE, "targets batch × 4", dpr_softmax_cross_entropy(o->g, o->f[2], o->batch))            \
    X(E_DTYPE, "argmax 'here'", dpr_argmax(o->g, o->ns))                                           \
    X(E_SHAPE, "argmax 'here'", dpr_argmax(o->g, o->f[0]))                                         \
    X(E_SHAPE, "no largest", dpr_argmax(o->g, o->empty))                                           \
    X(E_DTYPE, "equal 'here': operand 1", dpr_equal(o->g, o->f[0], o->n))                          \
    X(E_DTYPE, "equal 'here': operand 2", dpr_equal(o->g, o->n, o->f[0]))                          \
    X(E_SHAPE, "equal 'here': scalar against 3", dpr_equal(o->g, o->n, o->ns))                     \
    X(E_DTYPE, "one_hot 'here'", dpr_one_hot(o->g, o->f[1], 3))                                    \
    X(E_ARGUMENT, "one_hot 'here': 0 classes", dpr_one_hot(o->g, o->ns, 0))                        \
    X(E_SHAPE, "one_hot 'here'",                                                                   \
      dpr_one_hot(o->g, dpr_input(o->g, "deep", DPR_I32, dpr_shape_of(1, 1, 1, 1, 1, 1)), 2))      \
    X(E_SHAPE, "one_hot 'here'", dpr_one_hot(o->g, o->ns, INT64_MAX))                              \
    X(E_DTYPE, "f32 to f32", dpr_cast(o->g, o->f[0], DPR_F32))                                     \
    X(E_DTYPE, "u64 to f32", dpr_cast(o->g, o->u, DPR_F32))                                        \
    X(E_DTYPE, "i32 to u8", dpr_cast(o->g, o->n, DPR_U8))                                          \
    X(E_DTYPE, "i32 to ?", dpr_cast(o->g, o->n, (dpr_dtype)9))                                     \
    X(E_DTYPE, "gather 'here': operand 2", dpr_gather(o->g, o->bytes, o->f[0]))                    \
    X(E_SHAPE, "gather 'here'", dpr_gather(o->g, o->f[0], o->n))                                   \
    X(E_SHAPE, "gather 'here'", dpr_gather(o->g, o->batch, o->n))                                  \
    X(E_SHAPE, "gather 'here'",                                                                    \
      dpr_gather(o->g, o->bytes, dpr_input(o->g, "m", DPR_I32, dpr_shape_of(2, 2))))               \
    X(E_DTYPE, "augment 'here': operand 2", augment(o, 1, o->f[1], o->u, 4))                       \
    X(E_SHAPE, "augment 'here': operand 2", augment(o, 1, o->n, o->u, 4))                          \
    X(E_SHAPE, "augment 'here': operand 3", augment(o, 1, o->ns, o->us, 4))                        \
    X(E_SHAPE, "augment 'here': it takes images of 2 × 3 pixels and 1 to 4 channels",              \
      augment(o, 5, o->ns, o->u, 4))                                                               \
    X(E_DTYPE, "augment 'here': operand 5", augment_rows(o, 1, o->ns, o->u, 4, o->f[1]))           \
    X(E_SHAPE, "augment 'here': it takes as many rows of the pool as images",                      \
      augment_rows(o, 1, o->ns, o->u, 4, dpr_input(o->g, "two", DPR_I32, dpr_shape_of(2))))        \
    X(E_ARGUMENT, "smooth over only 0.5", augment(o, 1, o->ns, o->u, 0.5))                         \
    X(E_DTYPE, "mix_partner 'here': operand 1", mix(o, DPR__OP_mix_partner, o->us, o->u))          \
    X(E_DTYPE, "mix_share 'here': operand 2", mix(o, DPR__OP_mix_share, o->ns, o->n))              \
    X(E_DTYPE, "order 'here': operand 1", order(o, o->n, o->u, o->n, 5, 2))                        \
    X(E_DTYPE, "order 'here': operand 3", order(o, o->u, o->u, o->u, 5, 2))                        \
    X(E_SHAPE, "order 'here': operand 2", order(o, o->u, o->us, o->n, 5, 2))                       \
    X(E_ARGUMENT, "order 'here': 0 images", order(o, o->u, o->u, o->n, 0, 2))                      \
    X(E_ARGUMENT, "order 'here'", order(o, o->u, o->u, o->n, (int64_t)INT32_MAX + 1, 2))           \
    X(E_ARGUMENT, "order 'here'", order(o, o->u, o->u, o->n, 5, 0))                                \
    X(E_ARGUMENT, "order 'here'", order(o, o->u, o->u, o->n, 5, (int64_t)INT32_MAX + 1))           \
    X(E_DTYPE, "rows 'here'", rows(o, o->f[0], 5, 2))                                              \
    X(E_SHAPE, "rows 'here'", rows(o, o->ns, 5, 2))                                                \
    X(E_ARGUMENT, "rows 'here'", rows(o, o->n, INT64_MIN, 2))                                      \
    X(E_ARGUMENT, "rows 'here'", rows(o, o->n, 5, INT64_MIN))                                      \
    X(E_DTYPE, "increment 'here'", dpr__increment(o->g, o->f[0]))                                  \
    X(E_DTYPE, "increment 'here'", dpr__increment(o->g, o->bytes))                                 \
    X(E_DTYPE, "draw 'here': operand 1", dpr__draw_node(o->g, o->n, o->u, dpr_shape_of(2)))        \
    X(E_SHAPE, "draw 'here': operand 2", dpr__draw_node(o->g, o->u, o->us, dpr_shape_of(2)))       \
    X(E_SHAPE, "draw 'here'", dpr__draw_node(o->g, o->u, o->u, dpr_shape_of(-2)))                  \
    X(E_SHAPE, "assign 'here': the leaf is f32 2", dpr_assign(o->g, o->f[1], o->f[2]))             \
    X(E_SHAPE, "the value i32 scalar", dpr_assign(o->g, o->f[0], o->n))                            \
    X(E_SHAPE, "choose 'here'", dpr_choose(o->g, o->f[1], o->f[2]))                                \
    X(E_SHAPE, "choose 'here'", dpr_choose(o->g, o->f[0], o->n))                                   \
    X(E_DTYPE, "guard 'here'", dpr_guard(o->g, o->n))                                              \
    X(E_SHAPE, "guard 'here'", dpr_guard(o->g, o->f[1]))                                           \
    IMAGE_REFUSALS(X)

/* Evaluates only the n-th refusal. */
static dpr_value refusal(const struct operands *o, int n) {
    int i = 0;
#define X(status, words, expression)                                                               \
    if (i++ == n)                                                                                  \
        return expression;
    REFUSALS(X)
#undef X
    return 0;
}

static const struct {
    dpr_status status;
    const char *words, *call;
} REFUSED[] = {
#define X(status, words, expression) {DPR_##status, words, #expression},
    REFUSALS(X)
#undef X
};

static void what_does_not_fit_is_refused_by_name(void **state) {
    (void)state;
    dpr_context *context;
    assert_int_equal(dpr_context_create(NULL, &context), DPR_OK);
    for (int i = 0; i < (int)(sizeof REFUSED / sizeof *REFUSED); i++) {
        dpr_graph *g = dpr_graph_create(context);
        struct operands o = make_operands(g);
        dpr_graph_scope(g, "here");
        size_t before = g->n_nodes;
        dpr_value value = refusal(&o, i);
        dpr_status status = dpr_graph_finish(g);
        if (value != 0 || status != REFUSED[i].status ||
            strstr(dpr_error(context), REFUSED[i].words) == NULL)
            fail_msg("%s: value %u, status %d, message \"%s\"; it should be %d, with \"%s\"",
                     REFUSED[i].call, value, (int)status,
                     status == DPR_OK ? "" : dpr_error(context), (int)REFUSED[i].status,
                     REFUSED[i].words);
        assert_in_range(g->n_nodes, before, before + 2); /* one or two more leaves in some calls */
        dpr_graph_destroy(g);
    }
    dpr_context_destroy(context);
}

static void expect_shape(dpr_graph *g, dpr_value value, dpr_shape want) {
    char got[DPR__SHAPE_TEXT], wanted[DPR__SHAPE_TEXT];
    dpr_shape shape = dpr_value_shape(g, value);
    if (value == 0 || !dpr__shape_equal(&shape, &want))
        fail_msg("%s; it should be %s", dpr__shape_text(&shape, got),
                 dpr__shape_text(&want, wanted));
}

static void the_batch_stays_open(void **state) {
    (void)state;
    dpr_context *context;
    assert_int_equal(dpr_context_create(NULL, &context), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    struct operands o = make_operands(g);
    dpr_value square = dpr_matmul(g, o.batch, o.batch, DPR_TRANSPOSE_B);
    dpr_value index = dpr__order(g, o.u, o.u, o.n, 5, true);
    expect_shape(g, square, dpr_shape_of(DPR_BATCH, DPR_BATCH));
    expect_shape(g, dpr_matmul(g, o.batch, o.batch, DPR_TRANSPOSE_A), dpr_shape_of(4, 4));
    expect_shape(g, dpr_reshape(g, o.batch, dpr_shape_of(2, DPR_BATCH, 2)),
                 dpr_shape_of(2, DPR_BATCH, 2));
    expect_shape(g, dpr_transpose(g, o.batch, (uint32_t[]){1, 0}), dpr_shape_of(4, DPR_BATCH));
    expect_shape(g, dpr_sum(g, o.batch, 2, true), dpr_shape_of(DPR_BATCH, 1));
    expect_shape(g, dpr_sum(g, o.batch, 2, false), dpr_shape_of(DPR_BATCH));
    expect_shape(g, dpr_softmax_cross_entropy(g, o.batch, o.batch), dpr_shape_of(DPR_BATCH));
    expect_shape(g, dpr_argmax(g, o.batch), dpr_shape_of(DPR_BATCH));
    expect_shape(g, index, dpr_shape_of(DPR_BATCH));
    expect_shape(g, dpr_gather(g, o.bytes, index), dpr_shape_of(DPR_BATCH, 2));
    expect_shape(g, dpr_one_hot(g, index, 7), dpr_shape_of(DPR_BATCH, 7));
    expect_shape(g, dpr__rows(g, o.n, 5), dpr_scalar_shape());
    dpr_value nothing = dpr_pad(g, o.images, 1, 0, 0), both[2] = {nothing, o.images};
    expect_shape(g, conv(&o, CONV2D, o.images, o.weights), dpr_shape_of(DPR_BATCH, 1, 2, 4));
    expect_shape(g, conv(&o, DATA, o.map, o.weights), dpr_shape_of(DPR_BATCH, 3, 4, 6));
    expect_shape(g, conv(&o, WEIGHTS, o.images, o.map), dpr_shape_of(3, 3, 3, 4));
    expect_shape(g, dpr_max_pool(g, o.images, NULL), dpr_shape_of(DPR_BATCH, 1, 2, 6));
    expect_shape(g, dpr_average_pool(g, o.images, NULL), dpr_shape_of(DPR_BATCH, 1, 2, 6));
    expect_shape(g, window(&o, SPREAD, f32(&o, dpr_shape_of(DPR_BATCH, 1, 2, 9)), 0),
                 dpr_shape_of(DPR_BATCH, 3, 4, 9));
    expect_shape(g, dpr_global_average_pool(g, o.images), dpr_shape_of(DPR_BATCH, 6));
    expect_shape(g, dpr_pad_reflect(g, o.images, 2, 3, 1), dpr_shape_of(DPR_BATCH, 3, 8, 6));
    expect_shape(g, fold(&o, o.images, 3, 1, 2), dpr_shape_of(DPR_BATCH, 3, 4, 3));
    expect_shape(g, dpr_slice(g, o.images, 3, 2, 4), dpr_shape_of(DPR_BATCH, 3, 4, 4));
    expect_shape(g, dpr_concat(g, both, 2, 2), dpr_shape_of(DPR_BATCH, 3, 8, 6));
    expect_shape(g, dpr_group_norm(g, o.images, 3, 0, 0, 1), dpr_shape_of(DPR_BATCH, 3, 4, 6));
    assert_int_equal(dpr_graph_finish(g), DPR_OK);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
}

/* fuse may join any elementwise f32 op with others, and such a group has no reference to fall back on. */
static void every_elementwise_op_has_a_kernel_for_all_machines(void **state) {
    (void)state;
    for (dpr__op_id op = 1; op < DPR__N_OPS; op++) {
        bool found =
            !dpr__has_trait(op, DPR__ELEMENTWISE) || op == DPR__OP_increment; /* integers */
        for (size_t i = 0; i < dpr__n_kernels; i++)
            found |= dpr__kernels[i].op == op && dpr__kernels[i].class == DPR__SPAN &&
                     dpr__kernels[i].isa == DPR__ISA_GENERIC;
        if (!found)
            fail_msg("%s is elementwise and has no SPAN row at GENERIC", dpr__op_names[op]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(the_batch_stays_open),
        cmocka_unit_test(every_elementwise_op_has_a_kernel_for_all_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
