/* Row kernels of pooling, in units of images: 32 channels of a pixel are consecutive in panels as in plain maps. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/matrix.h"
#include <string.h>

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

static int64_t lanes_from(const struct windows *w, int64_t channel) {
    return w->channels - channel < DPR__PANEL ? w->channels - channel : DPR__PANEL;
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
    int64_t n = lanes_from(w, channel);
    float best[DPR__PANEL];
    bool any = false;
    memset(index, 0, (size_t)n);
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++, any = true) {
            const float *src = map_at(&call->src[0], w, image, y, x, channel);
            uint8_t place = (uint8_t)((y - at->top) * w->param->kernel_w + x - at->left);
            for (int64_t i = 0; i < n; i++) {
                bool larger = !any || src[i] > best[i] || (src[i] != src[i] && best[i] == best[i]);
                best[i] = larger ? src[i] : best[i];
                index[i] = larger ? place : index[i];
            }
        }
}

static void window_argmax(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_pixel(call, &w, first, last, argmax_pixel);
}
const dpr__rows_kernel dpr__window_argmax_images = {accepts_any, images, window_argmax, false};

/* Where index i of a window lies on the map; false: on the padding, where there is nothing. */
static bool place_of(const struct windows *w, const struct window *at, int64_t i, int64_t *y,
                     int64_t *x) {
    *y = at->top + i / w->param->kernel_w;
    *x = at->left + i % w->param->kernel_w;
    return *y >= 0 && *y < w->h && *x >= 0 && *x < w->w;
}

static void take_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                       const struct window *at, int64_t pixel, int64_t channel) {
    const uint8_t *index = (const uint8_t *)call->src[1].data + pixel * w->channels + channel;
    float *dst = result_at(&call->dst, pixel, channel);
    int64_t y, x;
    for (int64_t i = 0; i < lanes_from(w, channel); i++)
        dst[i] = place_of(w, at, index[i], &y, &x)
                     ? map_at(&call->src[0], w, image, y, x, channel)[i]
                     : 0;
}

static void window_take(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_pixel(call, &w, first, last, take_pixel);
}
const dpr__rows_kernel dpr__window_take_images = {accepts_any, images, window_take, false};

static void clear_map(const dpr__call *call, const struct windows *w, int64_t first, int64_t last) {
    for (int64_t channel = 0; channel < w->channels; channel += DPR__PANEL)
        for (int64_t i = first * w->h * w->w; i < last * w->h * w->w; i++)
            memset(result_at(&call->dst, i, channel), 0,
                   (size_t)lanes_from(w, channel) * sizeof(float));
}

static void put_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                      const struct window *at, int64_t pixel, int64_t channel) {
    const uint8_t *index = (const uint8_t *)call->src[1].data + pixel * w->channels + channel;
    const float *diff = result_at(&call->src[0], pixel, channel);
    int64_t y, x;
    for (int64_t i = 0; i < lanes_from(w, channel); i++)
        if (place_of(w, at, index[i], &y, &x))
            map_at(&call->dst, w, image, y, x, channel)[i] += diff[i];
}

static void window_put(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->dst.shape, &call->src[0].shape);
    clear_map(call, &w, first, last);
    each_pixel(call, &w, first, last, put_pixel);
}
const dpr__rows_kernel dpr__window_put_images = {accepts_any, images, window_put, false};

/* ---- sums ---- */

static void sum_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                      const struct window *at, int64_t pixel, int64_t channel) {
    float sum[DPR__PANEL] = {0};
    int64_t n = lanes_from(w, channel);
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            const float *src = map_at(&call->src[0], w, image, y, x, channel);
            for (int64_t i = 0; i < n; i++)
                sum[i] += src[i];
        }
    memcpy(result_at(&call->dst, pixel, channel), sum, (size_t)n * sizeof *sum);
}

static void window_sum(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->src[0].shape, &call->dst.shape);
    each_pixel(call, &w, first, last, sum_pixel);
}
const dpr__rows_kernel dpr__window_sum_images = {accepts_any, images, window_sum, false};

static void spread_pixel(const dpr__call *call, const struct windows *w, int64_t image,
                         const struct window *at, int64_t pixel, int64_t channel) {
    const float *diff = result_at(&call->src[0], pixel, channel);
    int64_t n = lanes_from(w, channel);
    for (int64_t y = at->y0; y < at->y1; y++)
        for (int64_t x = at->x0; x < at->x1; x++) {
            float *dst = map_at(&call->dst, w, image, y, x, channel);
            for (int64_t i = 0; i < n; i++)
                dst[i] += diff[i];
        }
}

static void window_spread(const dpr__call *call, int64_t first, int64_t last) {
    struct windows w = windows_of(call, &call->dst.shape, &call->src[0].shape);
    clear_map(call, &w, first, last);
    each_pixel(call, &w, first, last, spread_pixel);
}
const dpr__rows_kernel dpr__window_spread_images = {accepts_any, images, window_spread, false};
