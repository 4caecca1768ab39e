/* A convolution with its gradients, for tests of its kernels: what it is of, and what it gives. */
#ifndef TESTS_KERNEL_CONVOLUTION_SUPPORT_H
#define TESTS_KERNEL_CONVOLUTION_SUPPORT_H

#include "base/context.h"
#include "base/cpu.h"
#include "base/random.h"
#include <deeper/deeper.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct geometry {
    int64_t n, h, w, c, oc, kh, kw;
    dpr_conv_options options;
};

#define G(n, h, w, c, oc, kh, kw, ...)                                                             \
    {                                                                                              \
        n, h, w, c, oc, kh, kw, {                                                                  \
            sizeof(dpr_conv_options), __VA_ARGS__                                                  \
        }                                                                                          \
    }

enum { MOST = 1 << 18 };

struct results {
    float y[MOST], dx[MOST], dw[MOST];
    size_t ny, nx, nw;
};

static inline size_t count_of(dpr_shape shape) {
    size_t n = 1;
    for (uint32_t i = 0; i < shape.rank; i++)
        n *= (size_t)shape.dim[i];
    return n;
}

/* Random numbers between −1 and 1, or integers between −3 and 3. */
static inline float number(size_t i, unsigned seed, bool integer) {
    size_t x = (i * 7919 + seed * 104729) % 2003;
    return integer
               ? (float)(x % 7) - 3
               : (float)(2 * dpr__unit(dpr__philox(seed, DPR__PURPOSE_LETTERS, 0, i).word[0]) - 1);
}

static inline void fill(dpr_store *store, const char *leaf, size_t n, unsigned seed,
                        bool integers) {
    float *values = malloc((n + 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] = number(i, seed, integers);
    assert_int_equal(dpr_store_write(store, leaf, values, n * sizeof *values), DPR_OK);
    free(values);
}

/* What is convolved, and what is made of it: of a leaf, relu(conv(x) + b), or conv(x) + b; of a map, relu(conv(relu(x)) + b), as chains store it; of one in integers, 3 conv(2x),
 * whose gradient is computed, too. */
enum kind { OF_LEAF, OF_LEAF_LINEAR, OF_MAP, OF_INTEGERS };

static inline void run(const struct geometry *g, enum kind kind, dpr_context_options options,
                       struct results *out) {
    dpr_context *context;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_graph *graph = dpr_graph_create(context);
    dpr_value x = dpr_input(graph, "x", DPR_F32, dpr_shape_of(g->n, g->h, g->w, g->c));
    dpr_shape filters = dpr_shape_of(g->kh, g->kw, g->c / g->options.groups, g->oc);
    dpr_value w = dpr_parameter(graph, "w", filters, DPR_INIT_HE);
    dpr_value b = dpr_parameter(graph, "b", dpr_shape_of(g->oc), DPR_INIT_ONE);
    dpr_value src = kind == OF_INTEGERS ? dpr_scale(graph, x, 2)
                    : kind == OF_MAP    ? dpr_relu(graph, x)
                                        : x;
    dpr_value y = dpr_conv2d(graph, src, w, &g->options);
    y = kind == OF_INTEGERS ? dpr_scale(graph, y, 3) : dpr_add(graph, y, b);
    if (kind == OF_LEAF || kind == OF_MAP)
        y = dpr_relu(graph, y);
    dpr_shape shape = dpr_value_shape(graph, y);
    dpr_value t = dpr_input(graph, "t", DPR_F32, shape);
    dpr_value loss = dpr_sum(graph, dpr_multiply(graph, y, t), 15, false), gradients[2];
    assert_int_equal(dpr_gradients(graph, loss, (dpr_value[]){x, w}, 2, gradients), DPR_OK);
    dpr_value roots[] = {y, gradients[0], gradients[1]};
    dpr_store *store;
    dpr_program *program;
    out->ny = count_of(shape), out->nw = count_of(filters);
    out->nx = (size_t)(g->n * g->h * g->w * g->c);
    assert_true(out->ny <= MOST && out->nx <= MOST && out->nw <= MOST);
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(graph, store, roots, 3, NULL, &program), DPR_OK);
    fill(store, "x", out->nx, 1, kind == OF_INTEGERS),
        fill(store, "w", out->nw, 2, kind == OF_INTEGERS);
    fill(store, "t", out->ny, 3, kind == OF_INTEGERS);
    for (int tick = 0; tick < 2; tick++) /* the second finds what the first left behind */
        assert_int_equal(dpr_program_run(program, 1, NULL, NULL), DPR_OK);
    assert_int_equal(dpr_program_read(program, y, out->y, out->ny * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[0], out->dx, out->nx * 4), DPR_OK);
    assert_int_equal(dpr_program_read(program, gradients[1], out->dw, out->nw * 4), DPR_OK);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(graph);
    dpr_context_destroy(context);
}

static inline void expect_same_bits(const struct results *got, const struct results *want) {
    assert_memory_equal(got->y, want->y, want->ny * sizeof *got->y);
    assert_memory_equal(got->dx, want->dx, want->nx * sizeof *got->dx);
    assert_memory_equal(got->dw, want->dw, want->nw * sizeof *got->dw);
}

static inline void expect_other_bits(const struct results *got, const struct results *want) {
    assert_memory_not_equal(got->y, want->y, want->ny * sizeof *got->y);
    assert_memory_not_equal(got->dx, want->dx, want->nx * sizeof *got->dx);
    assert_memory_not_equal(got->dw, want->dw, want->nw * sizeof *got->dw);
}

#endif
