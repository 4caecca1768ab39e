/* kernel */
/* Row kernels of windows over maps, pooling and its gradients, in units of images; included once per ISA, which defines MAPS(name) and MOST_VECTORS, 1 or 4. Of a pixel's
 * channels 32, 16 or eight go together, as vectors of eight; what is left of a plain map's is copied to one. In other forms lanes beyond the last channel are
 * computed, too, from whatever they hold. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/matrix.h"
#include <math.h>
#include <string.h>

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi" /* what takes vectors is inlined */
#endif
#define INLINE static inline __attribute__((always_inline))

enum { EIGHT = 8 };
typedef float floats __attribute__((vector_size(32)));
typedef int32_t words __attribute__((vector_size(32)));
typedef int16_t halves __attribute__((vector_size(16))); /* on the way to bytes */
typedef uint8_t bytes __attribute__((vector_size(8)));
typedef float float_vector __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint8_t byte_vector __attribute__((vector_size(8), aligned(1), may_alias));

/* n of eight lanes, which the compiler knows where they are all. */
INLINE floats load(const float *at, int64_t n) {
    floats x = {0};
    if (n == EIGHT)
        return *(const float_vector *)at;
    memcpy(&x, at, (size_t)n * sizeof *at);
    return x;
}

INLINE void store(float *at, floats x, int64_t n) {
    if (n == EIGHT)
        *(float_vector *)at = x;
    else
        memcpy(at, &x, (size_t)n * sizeof *at);
}

/* Indices have as many bytes as the map has channels: those of vector j. Four or more are two words that overlap. */
enum { WORD = 4 };

INLINE words load_index(const uint8_t *at, int64_t j, int64_t channels) {
    bytes x = {0};
    int64_t left = channels - j * EIGHT;
    at += j * EIGHT;
    if (left >= EIGHT) {
        x = *(const byte_vector *)at;
    } else if (left >= WORD) {
        uint32_t first, last;
        memcpy(&first, at, WORD);
        memcpy(&last, at + left - WORD, WORD);
        x = (bytes)(first | (uint64_t)last << 8 * (left - WORD));
    } else if (left > 0) {
        memcpy(&x, at, (size_t)left);
    }
    return __builtin_convertvector(x, words);
}

INLINE void store_index(uint8_t *at, words place, int64_t j, int64_t channels) {
    const bytes x = __builtin_convertvector(__builtin_convertvector(place, halves), bytes);
    int64_t left = channels - j * EIGHT;
    at += j * EIGHT;
    if (left >= EIGHT) {
        *(byte_vector *)at = x;
    } else if (left >= WORD) {
        uint64_t all = (uint64_t)x, last = all >> 8 * (left - WORD);
        memcpy(at, &all, WORD);
        memcpy(at + left - WORD, &last, WORD);
    } else if (left > 0) {
        memcpy(at, &x, (size_t)left);
    }
}

INLINE floats choose(words mask, floats a, floats b) {
    return (floats)((mask & (words)a) | (~mask & (words)b));
}

/* ---- windows ---- */

/* A map and the windows over it, one for each pixel of the result. */
struct windows {
    const dpr__window_param *param;
    int64_t h, w, oh, ow, channels;
    bool tiles; /* windows lie beside each other and cover the map: each of its pixels is in one */
    bool squares; /* and have 2 × 2 pixels */
};

static struct windows windows_of(const dpr__call *call, const dpr_shape *map,
                                 const dpr_shape *result) {
    const dpr__window_param *p = call->param;
    struct windows w = {p,           map->dim[1], map->dim[2], result->dim[1], result->dim[2],
                        map->dim[3], false,       false};
    w.tiles = dpr__windows_tile(p, map, result);
    w.squares = w.tiles && p->kernel_h == 2 && p->kernel_w == 2;
    return w;
}

/* The part of a window that lies on the map: rows y0 … y1 − 1, columns x0 … x1 − 1, and where it begins. */
struct window {
    int64_t top, left, y0, y1, x0, x1;
};

static inline struct window window_at(const struct windows *w, int64_t oh, int64_t ow) {
    const dpr__window_param *p = w->param;
    struct window at = {.top = oh * p->stride_h - p->pad_top,
                        .left = ow * p->stride_w - p->pad_left};
    at.y0 = at.top < 0 ? 0 : at.top;
    at.x0 = at.left < 0 ? 0 : at.left;
    at.y1 = at.top + p->kernel_h < w->h ? at.top + p->kernel_h : w->h;
    at.x1 = at.left + p->kernel_w < w->w ? at.left + p->kernel_w : w->w;
    return at;
}

/* Some channels of one image: of the map, of the result, and of what was found in each window. */
struct views {
    float *map, *result;
    uint8_t *index;
    int64_t map_pixel, result_pixel; /* floats from one pixel to the next */
    int64_t channels;                /* from here on */
};

INLINE float *map_at(const struct windows *w, const struct views *s, int64_t y, int64_t x) {
    return s->map + (y * w->w + x) * s->map_pixel;
}

#define EACH_VECTOR(v) _Pragma("GCC unroll 4") for (int j = 0; j < (v); j++)

/* ---- what is done for one window: v vectors, of n lanes each ---- */

/* The first of the largest wins; NaN is larger than all, so that it reaches the result. */
INLINE void meet(floats value, int32_t here, floats *best, words *place) {
    const words larger = ~(value <= *best) & (*best <= INFINITY); /* a NaN stays */
    *best = choose(larger, value, *best);
    *place = (larger & here) | (~larger & *place);
}

INLINE void argmax_at(const struct windows *w, const struct views *s, const struct window *at,
                      int64_t pixel, int v, int64_t n) {
    floats best[MOST_VECTORS];
    words place[MOST_VECTORS];
    const int32_t corner = (int32_t)((at->y0 - at->top) * w->param->kernel_w + at->x0 - at->left);
    EACH_VECTOR(v) {
        best[j] = load(map_at(w, s, at->y0, at->x0) + j * EIGHT, n);
        place[j] = (words){0} + corner;
    }
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            const float *src = map_at(w, s, y, x);
            const int32_t here = (int32_t)((y - at->top) * w->param->kernel_w + x - at->left);
            EACH_VECTOR(v) meet(load(src + j * EIGHT, n), here, &best[j], &place[j]);
        }
    EACH_VECTOR(v) {
        if (s->index != NULL)
            store_index(s->index + pixel * w->channels, place[j], j, s->channels);
        if (s->result != NULL)
            store(s->result + pixel * s->result_pixel + j * EIGHT, best[j], n);
    }
}

/* Of eight lanes and a window of 2 × 2 pixels, whose loops would take longer than what is done in them. */
INLINE void argmax_of_square(const struct windows *w, const struct views *s, int64_t oh,
                             int64_t ow) {
    const float *top = map_at(w, s, 2 * oh, 2 * ow), *bottom = map_at(w, s, 2 * oh + 1, 2 * ow);
    const int64_t pixel = oh * w->ow + ow;
    floats best = load(top, EIGHT);
    words place = {0};
    meet(load(top + s->map_pixel, EIGHT), 1, &best, &place);
    meet(load(bottom, EIGHT), 2, &best, &place);
    meet(load(bottom + s->map_pixel, EIGHT), 3, &best, &place);
    if (s->index != NULL)
        store_index(s->index + pixel * w->channels, place, 0, s->channels);
    if (s->result != NULL)
        store(s->result + pixel * s->result_pixel, best, EIGHT);
}

/* What lies on the padding is 0. */
INLINE void take_at(const struct windows *w, const struct views *s, const struct window *at,
                    int64_t pixel, int v, int64_t n) {
    floats taken[MOST_VECTORS];
    words place[MOST_VECTORS];
    EACH_VECTOR(v) {
        taken[j] = (floats){0};
        place[j] = load_index(s->index + pixel * w->channels, j, s->channels);
    }
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            const float *src = map_at(w, s, y, x);
            const int32_t here = (int32_t)((y - at->top) * w->param->kernel_w + x - at->left);
            EACH_VECTOR(v)
            taken[j] = choose(place[j] == here, load(src + j * EIGHT, n), taken[j]);
        }
    EACH_VECTOR(v) store(s->result + pixel * s->result_pixel + j * EIGHT, taken[j], n);
}

INLINE void put_at(const struct windows *w, const struct views *s, const struct window *at,
                   int64_t pixel, int v, int64_t n) {
    floats diff[MOST_VECTORS];
    words place[MOST_VECTORS];
    EACH_VECTOR(v) {
        diff[j] = load(s->result + pixel * s->result_pixel + j * EIGHT, n);
        place[j] = load_index(s->index + pixel * w->channels, j, s->channels);
    }
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            float *dst = map_at(w, s, y, x);
            const int32_t here = (int32_t)((y - at->top) * w->param->kernel_w + x - at->left);
            EACH_VECTOR(v) {
                const floats more = (floats)((place[j] == here) & (words)diff[j]);
                store(dst + j * EIGHT, w->tiles ? more : load(dst + j * EIGHT, n) + more, n);
            }
        }
}

INLINE void put_to_square(const struct windows *w, const struct views *s, int64_t oh, int64_t ow) {
    float *top = map_at(w, s, 2 * oh, 2 * ow), *bottom = map_at(w, s, 2 * oh + 1, 2 * ow);
    const int64_t pixel = oh * w->ow + ow;
    const words diff = (words)load(s->result + pixel * s->result_pixel, EIGHT);
    const words place = load_index(s->index + pixel * w->channels, 0, s->channels);
    store(top, (floats)((place == 0) & diff), EIGHT);
    store(top + s->map_pixel, (floats)((place == 1) & diff), EIGHT);
    store(bottom, (floats)((place == 2) & diff), EIGHT);
    store(bottom + s->map_pixel, (floats)((place == 3) & diff), EIGHT);
}

INLINE void sum_at(const struct windows *w, const struct views *s, const struct window *at,
                   int64_t pixel, int v, int64_t n) {
    floats sum[MOST_VECTORS];
    EACH_VECTOR(v) sum[j] = (floats){0};
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            const float *src = map_at(w, s, y, x);
            EACH_VECTOR(v) sum[j] += load(src + j * EIGHT, n);
        }
    EACH_VECTOR(v) store(s->result + pixel * s->result_pixel + j * EIGHT, sum[j], n);
}

INLINE void spread_at(const struct windows *w, const struct views *s, const struct window *at,
                      int64_t pixel, int v, int64_t n) {
    floats diff[MOST_VECTORS];
    EACH_VECTOR(v) diff[j] = load(s->result + pixel * s->result_pixel + j * EIGHT, n);
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            float *dst = map_at(w, s, y, x);
            EACH_VECTOR(v)
            store(dst + j * EIGHT, w->tiles ? diff[j] : load(dst + j * EIGHT, n) + diff[j], n);
        }
}

/* ---- over all windows of an image, for each number of vectors ---- */

typedef void image_function(const struct windows *w, const struct views *s, int64_t lanes);

#define OVER_WINDOWS(name, suffix, v, n)                                                           \
    static void name##_##suffix(const struct windows *w, const struct views *s, int64_t lanes) {   \
        (void)lanes;                                                                               \
        for (int64_t oh = 0; oh < w->oh; oh++)                                                     \
            for (int64_t ow = 0; ow < w->ow; ow++) {                                               \
                const struct window at = window_at(w, oh, ow);                                     \
                name##_at(w, s, &at, oh * w->ow + ow, v, n);                                       \
            }                                                                                      \
    }
#define OVER_SQUARES(name)                                                                         \
    static void name##s(const struct windows *w, const struct views *s, int64_t lanes) {           \
        (void)lanes;                                                                               \
        for (int64_t oh = 0; oh < w->oh; oh++)                                                     \
            for (int64_t ow = 0; ow < w->ow; ow++)                                                 \
                name(w, s, oh, ow);                                                                \
    }
/* [squares][vectors]; 0: one that is not whole. */
#if MOST_VECTORS > 1
#define IMAGES(name, square)                                                                       \
    OVER_WINDOWS(name, rest, 1, lanes)                                                             \
    OVER_WINDOWS(name, 8, 1, EIGHT)                                                                \
    OVER_WINDOWS(name, 16, 2, EIGHT)                                                               \
    OVER_WINDOWS(name, 32, 4, EIGHT)                                                               \
    static image_function *const name##_images[2][5] = {                                           \
        {name##_rest, name##_8, name##_16, NULL, name##_32},                                       \
        {name##_rest, square, name##_16, NULL, name##_32}};
#else
#define IMAGES(name, square)                                                                       \
    OVER_WINDOWS(name, rest, 1, lanes)                                                             \
    OVER_WINDOWS(name, 8, 1, EIGHT)                                                                \
    static image_function *const name##_images[2][2] = {{name##_rest, name##_8},                   \
                                                        {name##_rest, square}};
#endif
OVER_SQUARES(argmax_of_square)
OVER_SQUARES(put_to_square)
IMAGES(argmax, argmax_of_squares)
IMAGES(take, take_8)
IMAGES(put, put_to_squares)
IMAGES(sum, sum_8)
IMAGES(spread, spread_8)

static int64_t images(const dpr__call *call) {
    return call->dst.shape.dim[0];
}

/* How many lanes from a channel on may be read and written. */
static int64_t lanes_from(const dpr__tensor *map, int64_t channel) {
    int64_t stored = map->form == DPR__PANELS ? DPR__PANEL - channel % DPR__PANEL
                                              : dpr__form_row(map->form, &map->shape) - channel;
    return stored < DPR__PANEL ? stored : DPR__PANEL;
}

/* Images first … last − 1, some channels at a time. Neither a result nor an index need be there. */
static void each_image(const struct windows *w, const dpr__tensor *map, const dpr__tensor *result,
                       const dpr__tensor *index,
                       image_function *const functions[2][MOST_VECTORS + 1], int64_t first,
                       int64_t last) {
    struct matrix x = matrix_of(map), y = result != NULL ? matrix_of(result) : x;
    for (int64_t c = 0, vectors, lanes; c<w->channels; c += vectors> 0 ? vectors * EIGHT : lanes) {
        lanes = lanes_from(map, c);
        if (result != NULL && lanes_from(result, c) < lanes)
            lanes = lanes_from(result, c);
        vectors = lanes / EIGHT > MOST_VECTORS ? MOST_VECTORS : lanes / EIGHT;
        vectors = vectors == 3 ? 2 : vectors;
        for (int64_t n = first; n < last; n++) {
            struct views views = {
                .map = piece_of(&x, n * w->h * w->w, c) + c % DPR__PANEL,
                .map_pixel = x.row,
                .result_pixel = y.row,
                .channels = w->channels - c,
            };
            if (result != NULL)
                views.result = piece_of(&y, n * w->oh * w->ow, c) + c % DPR__PANEL;
            if (index != NULL && index->data != NULL)
                views.index = (uint8_t *)index->data + n * w->oh * w->ow * w->channels + c;
            functions[w->squares][vectors](w, &views, lanes);
        }
    }
}

/* Where windows overlap, or leave something out, a map is cleared before it is added to. */
static void clear_map(const struct windows *w, const dpr__tensor *map, int64_t first,
                      int64_t last) {
    struct matrix m = matrix_of(map);
    for (int64_t c = 0; !w->tiles && c < w->channels; c += DPR__PANEL)
        for (int64_t i = first * w->h * w->w; i < last * w->h * w->w; i++)
            memset(piece_of(&m, i, c), 0, (size_t)lanes_from(map, c) * sizeof(float));
}

/* ---- ops ---- */

/* With what it finds, where the group takes that as well. */
static void window_argmax(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_image(&w, &call->src[0], call->second, &call->dst, argmax_images, first, last);
}
const dpr__rows_kernel MAPS(window_argmax) = {accepts_any, images, window_argmax, false};

static void window_take(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_image(&w, &call->src[0], &call->dst, &call->src[1], take_images, first, last);
}
const dpr__rows_kernel MAPS(window_take) = {accepts_any, images, window_take, false};

static void window_put(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->dst.shape, &call->src[0].shape);
    clear_map(&w, &call->dst, first, last);
    each_image(&w, &call->dst, &call->src[0], &call->src[1], put_images, first, last);
}
const dpr__rows_kernel MAPS(window_put) = {accepts_any, images, window_put, false};

static void window_sum(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_image(&w, &call->src[0], &call->dst, NULL, sum_images, first, last);
}
const dpr__rows_kernel MAPS(window_sum) = {accepts_any, images, window_sum, false};

static void window_spread(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->dst.shape, &call->src[0].shape);
    clear_map(&w, &call->dst, first, last);
    each_image(&w, &call->dst, &call->src[0], NULL, spread_images, first, last);
}
const dpr__rows_kernel MAPS(window_spread) = {accepts_any, images, window_spread, false};
