/* Groups that end in sums over all rows of their space: a bias's gradient, a normalisation's statistics and their gradients; convolutions may make what is
 * summed. Rows are cut into tiles, from shapes alone, each summed from top to bottom by whoever has it; when all are done they are added in order.
 * Squared deviations of parts are joined as by Chan, Golub and LeVeque (1983): M = Ma + Mb + δ²·na·nb/(na + nb), δ = mean b − mean a. */
#include "backend/cpu/cpu.h"
#include "base/context.h"
#include <string.h>

enum { TILE_ROWS = 512 };

/* What a part of the rows brings of a sum: 32 sums, or 32 means, then 32 sums of squared deviations; of how many rows. */
enum { PART = 2 * DPR__PANEL + 16, COUNT = 2 * DPR__PANEL };

static float *part_of(const dpr__row *row, int64_t part, int64_t panel, uint32_t sum) {
    return row->partial + ((panel * row->n_parts + part) * row->chain.n_sums + sum) * PART;
}

/* Rows of a tile that count for a sum of squares. */
static int64_t valid_rows(const dpr__row *row, const dpr__values *values, const dpr__tile *tile,
                          const dpr__chain_sum *sum) {
    const dpr__chain *chain = &row->chain;
    int64_t valid = dpr__chain_valid(chain, values->memory[chain->memory[sum->rows].value],
                                     tile->row * DPR__PANEL) /
                    DPR__PANEL;
    return valid < tile->rows ? valid : tile->rows;
}

void dpr__cpu_bring_sums(const dpr__row *row, const dpr__values *values, const float *scratch,
                         const dpr__tile *tile, int64_t number) {
    for (uint32_t k = 0; k < row->chain.n_sums; k++) {
        const dpr__chain_sum *sum = &row->chain.sums[k];
        const float *total = scratch + sum->at, *squares = total + DPR__PANEL;
        const float *shift = squares + DPR__PANEL;
        float *part = part_of(row, number, tile->panel, k);
        memcpy(part, total, 2 * (size_t)DPR__PANEL * sizeof *part);
        int64_t n = sum->squares ? valid_rows(row, values, tile, sum) : 0;
        part[COUNT] = (float)n;
        for (int64_t j = 0; n > 0 && j < DPR__PANEL; j++) {
            float off = total[j] / (float)n;
            part[j] = shift[j] + off;
            part[DPR__PANEL + j] = squares[j] - off * total[j];
        }
    }
}

static void join_squares(float *mean, float *squares, int64_t n, const float *part, int64_t more) {
    float share = (float)more / (float)(n + more);
    for (int j = 0; j < DPR__PANEL; j++) {
        float off = part[j] - mean[j];
        squares[j] += part[DPR__PANEL + j] + off * off * share * (float)n;
        mean[j] += off * share;
    }
}

/* Of n rows that hold some rows of a narrow map each: those are joined, halves by halves. */
static void join_lanes(const dpr__chain *chain, float *total, float *squares, int64_t n,
                       bool is_squares) {
    for (int64_t half = DPR__PANEL / 2; half >= chain->row_floats; half /= 2, n *= 2)
        for (int64_t j = 0; j < half; j++) {
            float off = total[j + half] - total[j];
            squares[j] += squares[j + half] + off * off * 0.5F * (float)n;
            total[j] += is_squares ? off * 0.5F : total[j + half];
        }
}

/* Adds the parts of 32 columns, and puts the result where it belongs. */
static void combine(const dpr__row *row, const dpr__values *values, int64_t panel, uint32_t k) {
    const dpr__chain *chain = &row->chain;
    const dpr__chain_sum *sum = &chain->sums[k];
    float total[DPR__PANEL] = {0}, squares[DPR__PANEL] = {0};
    int64_t n = 0;
    for (int64_t i = 0; i < row->n_parts; i++) {
        const float *part = part_of(row, i, panel, k);
        int64_t more = (int64_t)part[COUNT];
        if (more > 0)
            join_squares(total, squares, n, part, more);
        for (int j = 0; !sum->squares && j < DPR__PANEL; j++)
            total[j] += part[j];
        n += more;
    }
    join_lanes(chain, total, squares, n, sum->squares);
    int64_t left = chain->columns - panel * DPR__PANEL;
    memcpy((float *)values->memory[sum->value] + panel * DPR__PANEL, sum->squares ? squares : total,
           (size_t)(left < DPR__PANEL ? left : DPR__PANEL) * sizeof *total);
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    for (int64_t t = first; t < last; t++) {
        dpr__tile tile = dpr__cpu_tile(row, t);
        dpr__chain_run(&row->chain, values, scratch, NULL, tile.row, tile.rows, tile.panel);
        dpr__cpu_bring_sums(row, values, scratch, &tile, tile.row / row->tile_rows);
    }
}

static void finish(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                   int64_t last) {
    (void)scratch;
    for (int64_t t = first; t < last; t++)
        combine(row, values, t / row->chain.n_sums, (uint32_t)(t % row->chain.n_sums));
}

void dpr__cpu_finish_sums(dpr__row *row, int64_t n_parts) {
    int64_t sums = dpr__ceil_divide(row->chain.columns, DPR__PANEL) * row->chain.n_sums;
    if (sums == 0)
        return;
    row->n_parts = n_parts;
    row->finish = finish;
    row->n_finish = sums;
    row->partial_floats = (size_t)(n_parts * sums * PART);
}

dpr_status dpr__cpu_compile_reduce(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                   bool *supported) {
    DPR_TRY(dpr__cpu_compile_chain(plan, group, row, TILE_ROWS, supported));
    row->kernel = "sums";
    row->run = run;
    dpr__cpu_cut_panels(row);
    dpr__cpu_finish_sums(row, dpr__ceil_divide(row->chain.rows, row->tile_rows));
    return DPR_OK;
}
