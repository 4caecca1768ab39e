/* Windows along one axis of an image, for convolutions and pooling: element k of window o lies at
 * at = o·stride − before + k·dilation; outside 0 … extent−1 it is padding. The number of windows is
 * (extent + before + after − dilation·(kernel − 1) − 1)/stride + 1, rounded down. */
#ifndef DPR_OPS_AXIS_H
#define DPR_OPS_AXIS_H

#include "ops/op.h"

/* No extent, kernel, stride, dilation or padding is larger, so that no sum of them overflows. */
enum { DPR__AXIS_MOST = 65536 };

typedef struct dpr__axis {
    int64_t extent, kernel, stride, dilation, before, after;
    int64_t n; /* windows */
} dpr__axis;

/* Fails unless every number is in its range and at least one window fits; sets n. `name` is "height" or
 * "width", for the message. */
dpr_status dpr__axis_check(const dpr__infer *question, const char *name, dpr__axis *axis);

/* The number of windows of what dpr__axis_check let through. */
static inline int64_t dpr__axis_count(const dpr__axis *a) {
    return (a->extent + a->before + a->after - a->dilation * (a->kernel - 1) - 1) / a->stride + 1;
}

/* Where element k of window o lies; −1 in the padding. */
static inline int64_t dpr__axis_at(const dpr__axis *a, int64_t o, int64_t k) {
    int64_t at = o * a->stride - a->before + k * a->dilation;
    return at < a->extent && at >= 0 ? at : -1;
}

/* The window whose element k lies at `at`; −1 where there is none. */
static inline int64_t dpr__axis_window(const dpr__axis *a, int64_t at, int64_t k) {
    int64_t from = at + a->before - k * a->dilation;
    return from >= 0 && from % a->stride == 0 && from / a->stride < a->n ? from / a->stride : -1;
}

/* Reference loops: puts element(call, view, its four indices) at every place of a result of four dimensions. */
typedef double dpr__element4(const dpr__call *call, const void *view, const int64_t at[4]);
void dpr__reference4(const dpr__call *call, const void *view, dpr__element4 *element);

/* The linear index of an element of a tensor of four dimensions. */
static inline int64_t dpr__index4(const dpr_shape *shape, int64_t a, int64_t b, int64_t c,
                                  int64_t d) {
    return ((a * shape->dim[1] + b) * shape->dim[2] + c) * shape->dim[3] + d;
}

#endif
