/* kernel */
/* Winograd's transforms rounded to pairs of bf16, avx512bf16. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/pair_avx512.h"

enum { PLANES = 36, LANES = 16 };

static void channels(const float *points, float *dst, int64_t plane) {
    for (int q = 0; q < PLANES; q++, points += DPR__PANEL, dst += plane)
        _mm512_storeu_si512(dst, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(points + LANES),
                                                              _mm512_loadu_ps(points)));
}

static void pairs(const float *first, const float *second, float *dst, int64_t plane) {
    for (int q = 0; q < PLANES; q++, dst += plane - DPR__PANEL)
        for (int half = 0; half < 2; half++, first += LANES, second += LANES, dst += LANES) {
            const __m512i both =
                (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(second), _mm512_loadu_ps(first));
            _mm512_storeu_si512(dst, interleaved(both));
        }
}

const dpr__winograd_half_kernel dpr__winograd_half_avx512bf16 = {channels, pairs};

/* The op winograd_filters, rounded: an even number of channels, in units of pairs of rows of 32 filters. */
static bool accepts_panels(const dpr__call *call) {
    return ((const dpr__winograd_filters_param *)call->param)->bf16 &&
           call->src[0].form == DPR__PANELS && call->dst.form == DPR__HALF_PAIRS &&
           call->dst.shape.dim[2] % 2 == 0;
}

static int64_t pairs_of_rows(const dpr__call *call) {
    const int64_t *dim = call->dst.shape.dim;
    return (dim[3] + DPR__PANEL - 1) / DPR__PANEL * dim[2] / 2;
}

extern const dpr__winograd_kernel dpr__winograd_avx512;

static void transform_filters(const dpr__call *call, int64_t first, int64_t last) {
    int64_t c = call->dst.shape.dim[2];
    float points[2][PLANES * DPR__PANEL];
    for (int64_t i = first; i < last; i++) {
        int64_t panel = 2 * i / c, row = 2 * i % c;
        float *src = (float *)call->src[0].data + (panel * 9 * c + row) * DPR__PANEL;
        for (int k = 0; k < 2; k++) {
            dpr__points from = {.at = {src + k * DPR__PANEL}, .plane = c * DPR__PANEL};
            dpr__points to = {.at = {points[k]}, .plane = DPR__PANEL};
            dpr__winograd_avx512.filter(&from, &to, DPR__PANEL);
        }
        pairs(points[0], points[1],
              (float *)call->dst.data + (panel * PLANES * c + row) / 2 * DPR__PANEL,
              c / 2 * DPR__PANEL);
    }
}
const dpr__rows_kernel dpr__winograd_half_filters_avx512bf16 = {accepts_panels, pairs_of_rows,
                                                                transform_filters, true};
