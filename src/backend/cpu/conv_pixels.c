/* Convolutions to few channels, whose lanes go over pixels of a row where these fill vectors better than channels do. A kernel reads each tap of a row of
 * pixels in planes: one channel after the other, for each row of the copy (conv_copy.c). Of one channel the copy is planes. */
#include "backend/cpu/cpu.h"
#include "base/context.h"

bool dpr__cpu_pixels_fit(const dpr__cpu_conv *conv) {
    enum { LANES = 16, SUMS = 6, MOST_CHANNELS = 16, LEAST_TAPS = 9 };
    int64_t sums =
        dpr__ceil_divide(conv->ow, LANES) * (conv->oc > SUMS ? DPR__PIXELS_CHANNELS : SUMS);
    return conv->oc <= DPR__PIXELS_CHANNELS && sums < conv->ow && conv->stride_w == 1 &&
           conv->spread_w == 1 && conv->spread_h == 1 &&
           (conv->c == 1 || (conv->c <= MOST_CHANNELS && conv->kh * conv->kw >= LEAST_TAPS));
}

dpr_status dpr__cpu_pixels_choose(dpr__cpu_plan *plan, dpr__row *row) {
    dpr__cpu_conv *conv = &row->conv;
    const dpr__kernel *kernel =
        dpr__kernel_find(DPR__PIXELS, DPR__OP_conv2d, DPR_F32, plan->values.step->context->isa);
    row->n_taps = conv->kh * conv->kw * conv->c;
    int32_t *tap = dpr__arena_allocate(&plan->arena, (size_t)row->n_taps * sizeof *tap);
    if (tap == NULL)
        return DPR_E_MEMORY;
    row->taps = tap;
    for (int64_t kh = 0; kh < conv->kh; kh++)
        for (int64_t kw = 0; kw < conv->kw; kw++)
            for (int64_t c = 0; c < conv->c; c++)
                *tap++ = (int32_t)(kh * conv->dilation_h * conv->pitch + c * conv->width +
                                   kw * conv->dilation_w);
    row->pixels = kernel->run.pixels;
    row->kernel = kernel->name;
    conv->row_floats = row->chain.row_floats; /* no more is written of a pixel */
    return DPR_OK;
}

void dpr__cpu_pixels_planes(const dpr__cpu_conv *conv, int64_t rows, const float *copy,
                            float *planes) {
    const float *end = copy + dpr__cpu_conv_copy_floats(conv, rows);
    if (conv->c == 1)
        return;
    for (; copy < end; copy += conv->pitch, planes += conv->pitch)
        for (int64_t c = 0; c < conv->c; c++)
            for (int64_t x = 0; x < conv->width; x++)
                planes[c * conv->width + x] = copy[x * conv->c + c];
}

void dpr__cpu_pixels_multiply(const dpr__row *row, const float *planes, const float *filters,
                              float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    row->pixels(&(dpr__pixels_call){.src = planes,
                                    .filters = filters,
                                    .taps = row->taps,
                                    .n_taps = row->n_taps,
                                    .pixels = conv->ow,
                                    .channels = conv->oc,
                                    .dst = dst,
                                    .dst_row = conv->row_floats});
}
