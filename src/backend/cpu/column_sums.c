/* Sums over all dimensions but the last of maps with many pixels: a bias's gradient, a normalisation's statistics. Rows are cut into parts, from shapes
 * alone, each summed from top to bottom by whoever has it; who brings the last part of 32 columns adds the parts in their order. */
#include "backend/cpu/cpu.h"
#include "backend/cpu/matrix.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum {
    LEAST_ROWS = 4096, /* of what is cut */
    PART_ROWS = 1024,
};

static int64_t parts_of(const dpr__row *row) {
    return dpr__ceil_divide(dpr__rows_of(&row->call.src[0].shape), PART_ROWS);
}

static float *part_at(const dpr__row *row, int64_t panel, int64_t part) {
    return row->partial + (panel * parts_of(row) + part) * DPR__PANEL;
}

static void sum_part(const struct matrix *x, int64_t column, int64_t first, int64_t end,
                     float *sum) {
    int64_t left = x->columns - column, n = left < DPR__PANEL ? left : DPR__PANEL;
    memset(sum, 0, DPR__PANEL * sizeof *sum);
    for (int64_t i = first; i < end; i++) {
        const float *src = piece_of(x, i, column);
        if (n == DPR__PANEL || x->in_panels)
            for (int j = 0; j < DPR__PANEL; j++)
                sum[j] += src[j];
        else
            for (int64_t j = 0; j < n; j++)
                sum[j] += src[j];
    }
}

static void combine(const dpr__row *row, int64_t panel) {
    int64_t columns = dpr__columns(&row->call.src[0].shape), left = columns - panel * DPR__PANEL;
    float sum[DPR__PANEL];
    memcpy(sum, part_at(row, panel, 0), sizeof sum);
    for (int64_t part = 1; part < parts_of(row); part++) {
        const float *one = part_at(row, panel, part);
        for (int j = 0; j < DPR__PANEL; j++)
            sum[j] += one[j];
    }
    memcpy((float *)row->call.dst.data + panel * DPR__PANEL, sum,
           (size_t)(left < DPR__PANEL ? left : DPR__PANEL) * sizeof *sum);
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    (void)values, (void)scratch;
    struct matrix x = matrix_of(&row->call.src[0]);
    int64_t rows = dpr__rows_of(&row->call.src[0].shape), parts = parts_of(row);
    for (int64_t t = first; t < last; t++) {
        int64_t panel = t / parts, part = t % parts, end = (part + 1) * PART_ROWS;
        sum_part(&x, panel * DPR__PANEL, part * PART_ROWS, end < rows ? end : rows,
                 part_at(row, panel, part));
        if (dpr__cpu_is_last_part(row, panel, parts))
            combine(row, panel);
    }
}

bool dpr__cpu_is_column_sum(const dpr__call *call, dpr__op_id op) {
    if (op != DPR__OP_sum || call->src[0].dtype != DPR_F32 ||
        (call->src[0].form != DPR__PLAIN && call->src[0].form != DPR__PANELS))
        return false;
    uint32_t rank = call->src[0].shape.rank;
    return rank > 1 && reduced_axes(call) == (1U << (rank - 1)) - 1 && dst_is_row(call) &&
           dpr__rows_of(&call->src[0].shape) >= LEAST_ROWS;
}

dpr_status dpr__cpu_compile_column_sum(dpr__cpu_plan *plan, dpr__row *row) {
    int64_t panels = dpr__ceil_divide(dpr__columns(&row->call.src[0].shape), DPR__PANEL);
    size_t floats = (size_t)(panels * parts_of(row) * DPR__PANEL);
    DPR_TRY(dpr__cpu_make_parts(plan, row, floats, (size_t)panels));
    row->run = run;
    row->kernel = "column_sums";
    row->n_tiles = panels * parts_of(row);
    return DPR_OK;
}
