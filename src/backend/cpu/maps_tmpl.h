/* kernel */
/* Row kernels of maps, in units of images; included once per ISA, which defines MAPS(name). 32 channels of a pixel are consecutive in panels as in
 * plain maps. In panels all lanes of a piece are computed, so that the compiler knows how many there are; those beyond the last channel hold anything. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/matrix.h"
#include <string.h>

/* A loop over the lanes of a piece: n of them, or all 32. */
#define EACH_LANE(n)                                                                               \
    if ((n) == DPR__PANEL)                                                                         \
        for (int64_t i = 0; i < DPR__PANEL; i++)                                                   \
            LANE;                                                                                  \
    else                                                                                           \
        for (int64_t i = 0; i < (n); i++)                                                          \
        LANE

/* A map and the windows over it, one for each pixel of the result. */
struct windows {
    const dpr__window_param *param;
    int64_t h, w, oh, ow, channels;
};

static struct windows windows_of(const dpr__call *call, const dpr_shape *map,
                                 const dpr_shape *result) {
    return (struct windows){call->param,    map->dim[1],    map->dim[2],
                            result->dim[1], result->dim[2], map->dim[3]};
}

static int64_t images(const dpr__call *call) {
    return call->dst.shape.dim[0];
}

static int64_t lanes_from(int64_t channels, int64_t channel) {
    return channels - channel < DPR__PANEL ? channels - channel : DPR__PANEL;
}

/* How many lanes of a piece may be read and written. */
static int64_t lanes_of(const dpr__tensor *map, int64_t channel) {
    return map->form == DPR__PLAIN ? lanes_from(dpr__columns(&map->shape), channel)
                                   : dpr__form_row(map->form, &map->shape);
}

/* The lanes that two maps have in common. */
static int64_t lanes_of_both(const dpr__tensor *a, const dpr__tensor *b, int64_t channel) {
    int64_t n = lanes_of(a, channel), m = lanes_of(b, channel);
    return n < m ? n : m;
}

/* Windows that lie beside each other and cover the map: each of its pixels is in one. */
static bool are_tiles(const struct windows *w) {
    const dpr__window_param *p = w->param;
    return p->kernel_h == p->stride_h && p->kernel_w == p->stride_w && p->pad_top == 0 &&
           p->pad_left == 0 && w->oh * p->stride_h == w->h && w->ow * p->stride_w == w->w;
}

/* The part of a window that lies on the map: rows y0 … y1 − 1, columns x0 … x1 − 1, and where it begins. */
struct window {
    int64_t top, left, y0, y1, x0, x1;
};

static struct window window_at(const struct windows *w, int64_t oh, int64_t ow) {
    const dpr__window_param *p = w->param;
    struct window at = {.top = oh * p->stride_h - p->pad_top,
                        .left = ow * p->stride_w - p->pad_left};
    at.y0 = at.top < 0 ? 0 : at.top;
    at.x0 = at.left < 0 ? 0 : at.left;
    at.y1 = at.top + p->kernel_h < w->h ? at.top + p->kernel_h : w->h;
    at.x1 = at.left + p->kernel_w < w->w ? at.left + p->kernel_w : w->w;
    return at;
}

/* Calls f for each pixel of a result of images first … last − 1 and each 32 channels. */
typedef void pixel_function(const dpr__call *call, const struct windows *w, int64_t image,
                            const struct window *window, int64_t pixel, int64_t channel);

static void each_pixel(const dpr__call *call, const struct windows *w, int64_t first, int64_t last,
                       pixel_function *f) {
    for (int64_t channel = 0; channel < w->channels; channel += DPR__PANEL)
        for (int64_t n = first; n < last; n++)
            for (int64_t oh = 0; oh < w->oh; oh++)
                for (int64_t ow = 0; ow < w->ow; ow++) {
                    struct window window = window_at(w, oh, ow);
                    f(call, w, n, &window, (n * w->oh + oh) * w->ow + ow, channel);
                }
}

/* A map's 32 channels at a pixel of an image. */
static float *map_at(const dpr__tensor *map, const struct windows *w, int64_t image, int64_t y,
                     int64_t x, int64_t channel) {
    struct matrix m = matrix_of(map);
    return piece_of(&m, (image * w->h + y) * w->w + x, channel);
}

static float *result_at(const dpr__tensor *result, int64_t pixel, int64_t channel) {
    struct matrix m = matrix_of(result);
    return piece_of(&m, pixel, channel);
}

/* ---- maximum ---- */

/* The first of the largest wins; NaN is larger than all, so that it reaches the result. */
static void argmax_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                         const struct window *at, int64_t pixel, int64_t channel) {
    uint8_t *index = (uint8_t *)call->dst.data + pixel * w->channels + channel;
    int64_t n = lanes_of(&call->src[0], channel);
    float best[DPR__PANEL];
    int32_t place[DPR__PANEL] = {0};
    bool any = false;
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++, any = true) {
            const float *src = map_at(&call->src[0], w, image, y, x, channel);
            int32_t here = (int32_t)((y - at->top) * w->param->kernel_w + x - at->left);
            const int32_t first = any ? 0 : -1;
#define LANE                                                                                       \
    do {                                                                                           \
        int32_t larger =                                                                           \
            first | -(src[i] > best[i]) | -((src[i] != src[i]) & (best[i] == best[i]));            \
        best[i] = larger ? src[i] : best[i];                                                       \
        place[i] = larger ? here : place[i];                                                       \
    } while (0)
            if (!any)
                memcpy(best, src, (size_t)n * sizeof *best);
            EACH_LANE(n);
#undef LANE
        }
    n = lanes_from(w->channels, channel);
#define LANE index[i] = (uint8_t)place[i]
    EACH_LANE(n);
#undef LANE
}

static void window_argmax(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_pixel(call, &w, first, last, argmax_pixel);
}
const dpr__rows_kernel MAPS(window_argmax) = {accepts_any, images, window_argmax, false};

/* Indices of a piece as numbers; none is −1 beyond the last channel. */
static void read_index(const dpr__tensor *index, const struct windows *w, int64_t pixel,
                       int64_t channel, int32_t *place) {
    const uint8_t *from = (const uint8_t *)index->data + pixel * w->channels + channel;
    int64_t n = lanes_from(w->channels, channel);
#define LANE place[i] = from[i]
    EACH_LANE(n);
#undef LANE
    for (int64_t i = n; i < DPR__PANEL; i++)
        place[i] = -1;
}

/* What lies on the padding is 0. */
static void take_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                       const struct window *at, int64_t pixel, int64_t channel) {
    int64_t n = lanes_of_both(&call->src[0], &call->dst, channel);
    int32_t place[DPR__PANEL];
    float taken[DPR__PANEL] = {0};
    read_index(&call->src[1], w, pixel, channel, place);
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            const float *src = map_at(&call->src[0], w, image, y, x, channel);
            int32_t here = (int32_t)((y - at->top) * w->param->kernel_w + x - at->left);
#define LANE taken[i] = place[i] == here ? src[i] : taken[i]
            EACH_LANE(n);
#undef LANE
        }
    memcpy(result_at(&call->dst, pixel, channel), taken, (size_t)n * sizeof *taken);
}

static void window_take(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_pixel(call, &w, first, last, take_pixel);
}
const dpr__rows_kernel MAPS(window_take) = {accepts_any, images, window_take, false};

static void clear_map(const dpr__call *call, const struct windows *w, int64_t first, int64_t last) {
    if (are_tiles(w))
        return;
    for (int64_t channel = 0; channel < w->channels; channel += DPR__PANEL)
        for (int64_t i = first * w->h * w->w; i < last * w->h * w->w; i++)
            memset(result_at(&call->dst, i, channel), 0,
                   (size_t)lanes_of(&call->dst, channel) * sizeof(float));
}

static void put_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                      const struct window *at, int64_t pixel, int64_t channel) {
    const float *diff = result_at(&call->src[0], pixel, channel);
    int64_t n = lanes_of_both(&call->src[0], &call->dst, channel);
    int32_t place[DPR__PANEL];
    const bool tiles = are_tiles(w);
    read_index(&call->src[1], w, pixel, channel, place);
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            float *dst = map_at(&call->dst, w, image, y, x, channel);
            int32_t here = (int32_t)((y - at->top) * w->param->kernel_w + x - at->left);
#define LANE dst[i] = (tiles ? 0 : dst[i]) + (place[i] == here ? diff[i] : 0)
            EACH_LANE(n);
#undef LANE
        }
}

static void window_put(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->dst.shape, &call->src[0].shape);
    clear_map(call, &w, first, last);
    each_pixel(call, &w, first, last, put_pixel);
}
const dpr__rows_kernel MAPS(window_put) = {accepts_any, images, window_put, false};

/* ---- sums ---- */

static void sum_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                      const struct window *at, int64_t pixel, int64_t channel) {
    float sum[DPR__PANEL] = {0};
    int64_t n = lanes_of_both(&call->src[0], &call->dst, channel);
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            const float *src = map_at(&call->src[0], w, image, y, x, channel);
#define LANE sum[i] += src[i]
            EACH_LANE(n);
#undef LANE
        }
    memcpy(result_at(&call->dst, pixel, channel), sum, (size_t)n * sizeof *sum);
}

static void window_sum(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_pixel(call, &w, first, last, sum_pixel);
}
const dpr__rows_kernel MAPS(window_sum) = {accepts_any, images, window_sum, false};

static void spread_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                         const struct window *at, int64_t pixel, int64_t channel) {
    const float *diff = result_at(&call->src[0], pixel, channel);
    int64_t n = lanes_of_both(&call->src[0], &call->dst, channel);
    const bool tiles = are_tiles(w);
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            float *dst = map_at(&call->dst, w, image, y, x, channel);
#define LANE dst[i] = (tiles ? 0 : dst[i]) + diff[i]
            EACH_LANE(n);
#undef LANE
        }
}

static void window_spread(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->dst.shape, &call->src[0].shape);
    clear_map(call, &w, first, last);
    each_pixel(call, &w, first, last, spread_pixel);
}
const dpr__rows_kernel MAPS(window_spread) = {accepts_any, images, window_spread, false};

/* ---- all pixels of an image: its sums, and their gradient ---- */

static int64_t pixels_of(const dpr_shape *map) {
    return map->dim[1] * map->dim[2];
}

static bool accepts_pixel_sum(const dpr__call *call) {
    const dpr_shape *src = &call->src[0].shape;
    return src->rank == 4 && reduced_axes(call) == 6 && pixels_of(src) > 0;
}

static void pixel_sum(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    int64_t pixels = pixels_of(&call->src[0].shape);
    for (int64_t c = 0; c < x.columns; c += DPR__PANEL)
        for (int64_t image = first; image < last; image++) {
            int64_t n = lanes_of(&call->src[0], c);
            float sum[DPR__PANEL] = {0};
            for (int64_t p = 0; p < pixels; p++) {
                const float *src = piece_of(&x, image * pixels + p, c);
#define LANE sum[i] += src[i]
                EACH_LANE(n);
#undef LANE
            }
            memcpy(piece_of(&y, image, c), sum,
                   (size_t)lanes_of_both(&call->src[0], &call->dst, c) * sizeof *sum);
        }
}
const dpr__rows_kernel MAPS(pixel_sum) = {accepts_pixel_sum, images, pixel_sum, false};

/* One pixel for all of an image, or for all images. */
static bool accepts_pixel(const dpr__call *call) {
    const dpr_shape *src = &call->src[0].shape, *dst = &call->dst.shape;
    return dst->rank == 4 && dpr__columns(src) == dst->dim[3] && src->rank > 0 &&
           (dpr__shape_count(src) == dst->dim[3] ||
            (dpr__shape_count(src) == dst->dim[3] * dst->dim[0] && src->dim[0] == dst->dim[0]));
}

static void repeat_pixel(const dpr__call *call, int64_t first, int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    int64_t pixels = pixels_of(&call->dst.shape);
    bool each = dpr__rows_of(&call->src[0].shape) > 1;
    for (int64_t c = 0; c < y.columns; c += DPR__PANEL)
        for (int64_t image = first; image < last; image++) {
            const float *src = piece_of(&x, each ? image : 0, c);
            int64_t n = lanes_of_both(&call->src[0], &call->dst, c);
            for (int64_t p = 0; p < pixels; p++) {
                float *dst = piece_of(&y, image * pixels + p, c);
#define LANE dst[i] = src[i]
                EACH_LANE(n);
#undef LANE
            }
        }
}
const dpr__rows_kernel MAPS(broadcast) = {accepts_pixel, images, repeat_pixel, false};

/* ---- more channels, and fewer ---- */

/* As many channels from here on as are consecutive. */
static int64_t run_from(int64_t channel, int64_t left) {
    int64_t run = DPR__PANEL - channel % DPR__PANEL;
    return run < left ? run : left;
}

/* n channels of src from `from` on become those of dst from `to` on; the others are 0. */
static void move_channels(const dpr__call *call, int64_t from, int64_t to, int64_t n, int64_t first,
                          int64_t last) {
    struct matrix x = matrix_of(&call->src[0]), y = matrix_of(&call->dst);
    for (int64_t c = 0; c < y.columns; c += DPR__PANEL)
        for (int64_t row = first; row < last; row++)
            memset(piece_of(&y, row, c), 0, (size_t)lanes_of(&call->dst, c) * sizeof(float));
    for (int64_t done = 0, run = 0; done < n; done += run) {
        run = run_from(to + done, run_from(from + done, n - done));
        int64_t src = (from + done) % DPR__PANEL, dst = (to + done) % DPR__PANEL;
        for (int64_t row = first; row < last; row++)
            memcpy(piece_of(&y, row, to + done) + dst, piece_of(&x, row, from + done) + src,
                   (size_t)run * sizeof(float));
    }
}

static int64_t pixels(const dpr__call *call) {
    return dpr__rows_of(&call->dst.shape);
}

static bool is_last_axis(const dpr__call *call, int64_t axis) {
    return call->dst.shape.rank > 1 && axis == call->dst.shape.rank - 1;
}

static bool accepts_pad(const dpr__call *call) {
    return is_last_axis(call, ((const dpr__pad_param *)call->param)->axis);
}

static void pad(const dpr__call *call, int64_t first, int64_t last) {
    const dpr__pad_param *p = call->param;
    move_channels(call, 0, p->before, dpr__columns(&call->src[0].shape), first, last);
}
const dpr__rows_kernel MAPS(pad) = {accepts_pad, pixels, pad, false};

static bool accepts_slice(const dpr__call *call) {
    return is_last_axis(call, ((const dpr__slice_param *)call->param)->axis);
}

static void slice(const dpr__call *call, int64_t first, int64_t last) {
    const dpr__slice_param *p = call->param;
    move_channels(call, p->first, 0, p->count, first, last);
}
const dpr__rows_kernel MAPS(slice) = {accepts_slice, pixels, slice, false};
