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
