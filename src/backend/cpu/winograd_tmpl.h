/* kernel */
/* The transforms of Winograd's F(4×4, 3×3), for 32 channels of a tile at a time; included once per ISA, which defines WINOGRAD_NAME, WINOGRAD_FILTERS and vectors. */
#include "backend/cpu/winograd_lines.h"

#define TO_6_PLANES(i, j, v) VSTORE(PLANE_POINT(6, dst, i, j), v)
#define TO_3_PLANES(i, j, v) VSTORE(PLANE_POINT(3, dst, i, j), v)
#define TO_4_MAP(i, j, v) VSTORE(MAP_POINT(4, dst, i, j), v)

#define TRANSFORM(name, in, out, line, load, store)                                                \
    static void name(const dpr__points *src, const dpr__points *dst, int lanes) {                  \
        for (int64_t lane = 0; lane < lanes; lane += LANES) {                                      \
            BOTH_WAYS(in, out, line, load, store)                                                  \
        }                                                                                          \
    }
TRANSFORM(data, 6, 6, of_data, FROM_6_MAP, TO_6_PLANES)
TRANSFORM(diff, 4, 6, of_diff, FROM_4_MAP, TO_6_PLANES)
TRANSFORM(filter, 3, 6, of_filter, FROM_3_PLANES, TO_6_PLANES)
TRANSFORM(products, 6, 4, of_products, FROM_6_PLANES, TO_4_MAP)
TRANSFORM(sums, 6, 3, of_sums, FROM_6_PLANES, TO_3_PLANES)

const dpr__winograd_kernel WINOGRAD_NAME = {data, diff, filter, products, sums};

/* The op winograd_filters, in units of rows of 32 filters. */
static bool accepts_panels(const dpr__call *call) {
    return !((const dpr__winograd_filters_param *)call->param)->bf16 &&
           call->src[0].form == DPR__PANELS && call->dst.form == DPR__PANELS;
}

static int64_t filter_rows(const dpr__call *call) {
    const int64_t *dim = call->dst.shape.dim;
    return (dim[3] + DPR__PANEL - 1) / DPR__PANEL * dim[2];
}

static void transform_filters(const dpr__call *call, int64_t first, int64_t last) {
    int64_t c = call->dst.shape.dim[2];
    dpr__points src = {.plane = c * DPR__PANEL}, dst = {.plane = c * DPR__PANEL};
    for (int64_t i = first; i < last; i++) {
        int64_t panel = i / c, row = i % c;
        src.at[0] = (float *)call->src[0].data + (panel * 9 * c + row) * DPR__PANEL;
        dst.at[0] = (float *)call->dst.data + (panel * 36 * c + row) * DPR__PANEL;
        filter(&src, &dst, DPR__PANEL);
    }
}
const dpr__rows_kernel WINOGRAD_FILTERS = {accepts_panels, filter_rows, transform_filters, false};
