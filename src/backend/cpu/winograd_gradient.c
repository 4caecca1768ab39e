/* Gradients of 3 × 3 filters of stride 1 in Winograd's form: diff_weights = Gᵀ·[Σ (Bᵀ·src·B) ⊙ (A·diff_dst·Aᵀ)]·G, for each of 36 points one product over
 * tiles, channels × filters (winograd.c). Units of tiles are cut into chunks, from shapes alone; each chunk has sums of its own, which are transformed when it is
 * done. When all are, they are added in their order, and the chain, the update, runs on the gradient. */
#include "backend/cpu/winograd.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum {
    PLANES = DPR__WINOGRAD_PLANES,
    TAPS = 9,
    MOST_TILES = 64, /* so many that a block's sums are worth reading and writing */
    NEAR = 4 << 20,  /* bytes of both maps of a unit, transformed */
    LEAST_TILES = 28,
    CHUNKS = 16, /* some for every thread of a small machine */
    LEAST_CHUNKS = 2,
    PARTIAL_BYTES = 16 << 20,
    SUMS_BYTES = 8 << 20, /* of a thread: more filters go one group after the other */
    APART = 16, /* floats between planes, so that 36 loads do not meet in one set of the cache */
    MOST_DATA = 12 << 20, /* bytes of a whole map, transformed */
};

/* Floats of the sums of 32 filters: 36 planes of c rows, a plane and all. */
static int64_t sums_of_plane(const dpr__cpu_conv *conv) {
    return conv->c * DPR__PANEL + APART;
}
static int64_t sums_of_panel(const dpr__cpu_conv *conv) {
    return PLANES * sums_of_plane(conv);
}

/* What a chunk brings to the gradient of 32 filters: 9 planes of c rows. */
static float *part_of(const dpr__row *row, int64_t chunk, int64_t panel) {
    const dpr__cpu_conv *conv = &row->conv;
    return row->partial +
           (chunk * dpr__cpu_conv_panels(conv) + panel) * TAPS * conv->c * DPR__PANEL;
}

/* For each point channels × tiles by tiles × 32 filters, whose transformed diff's planes begin at `diff`, `plane` floats apart. */
static void multiply(const dpr__row *row, const float *data, const float *diff, int64_t plane,
                     int64_t tiles, int64_t panel, bool add, float *sums) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t left = conv->oc - panel * DPR__PANEL;
    int64_t chunk = row->halves ? DPR__PANEL / 2 : DPR__PANEL;
    dpr__tile_call call = {.by_columns = true,
                           .a_row = DPR__PANEL,
                           .a_chunk = chunk * DPR__PANEL,
                           .a_panel = dpr__cpu_winograd_panel(row),
                           .m = conv->c,
                           .columns = left < DPR__PANEL ? left : DPR__PANEL,
                           .k = row->halves ? dpr__ceil_divide(tiles, 2) : tiles,
                           .c_stride = DPR__PANEL,
                           .add = add};
    for (int64_t q = 0; q < PLANES; q++) {
        call.a = data + q * dpr__cpu_winograd_factor(row, conv->c);
        call.b = diff + q * plane;
        call.c = sums + q * sums_of_plane(conv);
        row->tile->multiply(&call);
    }
}

/* Rows first … first + n − 1 of 32 filters' sums, to 9 planes, `plane` floats apart. */
static void transform_sums(const dpr__row *row, const float *sums, int64_t first, int64_t n,
                           float *taps, int64_t plane) {
    dpr__points src = {.plane = sums_of_plane(&row->conv)}, dst = {.plane = plane};
    for (int64_t i = 0; i < n; i++) {
        src.at[0] = (float *)(uintptr_t)sums + (first + i) * DPR__PANEL;
        dst.at[0] = taps + i * DPR__PANEL;
        row->winograd->sums(&src, &dst, DPR__PANEL);
    }
}

/* Runs the chain on the gradient of 32 filters of channels first … first + n − 1: nine planes of n rows. */
static void put_filters(const dpr__row *row, const dpr__values *values, float *scratch,
                        const float *taps, int64_t panel, int64_t first, int64_t n) {
    for (int64_t tap = 0; tap < TAPS; tap++)
        dpr__chain_run(&row->chain, values, scratch, taps + tap * n * DPR__PANEL,
                       tap * row->conv.c + first, n, panel);
}

/* ---- many tiles: chunks of them ---- */

/* Adds the parts of channels first … first + n − 1: nine planes of n rows. */
static void add_parts(const dpr__row *row, int64_t panel, int64_t first, int64_t n, float *sum) {
    const dpr__cpu_conv *conv = &row->conv;
    for (int64_t tap = 0; tap < TAPS; tap++, sum += n * DPR__PANEL)
        for (int64_t chunk = 0; chunk < conv->chunks; chunk++) {
            const float *part = part_of(row, chunk, panel) + (tap * conv->c + first) * DPR__PANEL;
            for (int64_t i = 0; i < n * DPR__PANEL; i++)
                sum[i] = chunk == 0 ? part[i] : sum[i] + part[i];
        }
}

static void finish(const dpr__row *row, const dpr__values *values, float *scratch, int64_t begin,
                   int64_t end) {
    const dpr__cpu_conv *conv = &row->conv;
    float *taps = scratch + row->tile_at;
    for (int64_t t = begin; t < end; t++) {
        int64_t panel = t % dpr__cpu_conv_panels(conv),
                first = t / dpr__cpu_conv_panels(conv) * conv->channels;
        int64_t left = conv->c - first, n = left < conv->channels ? left : conv->channels;
        add_parts(row, panel, first, n, taps);
        put_filters(row, values, scratch, taps, panel, first, n);
    }
}

/* One chunk for one group of filters. */
static void sum_chunk(const dpr__row *row, const dpr__values *values, float *scratch, int64_t chunk,
                      int64_t from, int64_t to) {
    const dpr__cpu_conv *conv = &row->conv;
    float *data = scratch + conv->copy_at, *diff = scratch + conv->filters_at;
    int64_t plane = dpr__cpu_winograd_factor(row, conv->panels * DPR__PANEL);
    int64_t each = dpr__cpu_winograd_panel(row), last = to * DPR__PANEL;
    float *sums = diff + PLANES * plane;
    int64_t begin = conv->units * chunk / conv->chunks;
    int64_t end = conv->units * (chunk + 1) / conv->chunks;
    for (int64_t u = begin; u < end; u++) {
        dpr__winograd_unit unit = dpr__cpu_winograd_unit(conv, u);
        dpr__cpu_winograd_data(row, values, &unit, true, data);
        dpr__cpu_winograd_diff(row, values, from * DPR__PANEL, last < conv->oc ? last : conv->oc,
                               &unit, diff, plane);
        for (int64_t panel = from; panel < to; panel++)
            multiply(row, data, diff + (panel - from) * each, plane, unit.tiles, panel, u > begin,
                     sums + (panel - from) * sums_of_panel(conv));
    }
    for (int64_t panel = from; panel < to; panel++)
        transform_sums(row, sums + (panel - from) * sums_of_panel(conv), 0, conv->c,
                       part_of(row, chunk, panel), conv->c * DPR__PANEL);
}

static void run_chunks(const dpr__row *row, const dpr__values *values, float *scratch,
                       int64_t first, int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t panels = dpr__cpu_conv_panels(conv), groups = dpr__ceil_divide(panels, conv->panels);
    for (int64_t t = first; t < last; t++) {
        int64_t from = t % groups * conv->panels, to = from + conv->panels;
        sum_chunk(row, values, scratch, t / groups, from, to < panels ? to : panels);
    }
}

/* ---- few tiles, many filters: 32 of these at a time, whose sums nobody stores ---- */

static void run_panels(const dpr__row *row, const dpr__values *values, float *scratch,
                       int64_t first, int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    float *data = scratch + conv->copy_at, *diff = scratch + conv->filters_at;
    int64_t plane = dpr__cpu_winograd_factor(row, DPR__PANEL);
    float *sums = diff + PLANES * plane, *taps = scratch + row->tile_at;
    dpr__winograd_unit all = dpr__cpu_winograd_unit(conv, 0);
    dpr__cpu_winograd_data(row, values, &all, true, data);
    for (int64_t panel = first; panel < last; panel++) {
        int64_t from = panel * DPR__PANEL, to = from + DPR__PANEL;
        dpr__cpu_winograd_diff(row, values, from, to < conv->oc ? to : conv->oc, &all, diff, plane);
        multiply(row, data, diff, plane, all.tiles, panel, false, sums);
        for (int64_t c = 0, n; c < conv->c; c += n) {
            n = conv->c - c < conv->channels ? conv->c - c : conv->channels;
            transform_sums(row, sums, c, n, taps, n * DPR__PANEL);
            put_filters(row, values, scratch, taps, panel, c, n);
        }
    }
}

/* Bytes of one transformed number. */
static int64_t bytes_of(const dpr__row *row) {
    return row->halves ? sizeof(uint16_t) : sizeof(float);
}

/* Each thread transforms all of the map for itself then: it must be small beside the sums of all filters. */
static bool has_few_tiles(const dpr__row *row) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t tiles = conv->n * dpr__ceil_divide(conv->oh, DPR__WINOGRAD_TILE) *
                    dpr__ceil_divide(conv->ow, DPR__WINOGRAD_TILE);
    int64_t data = PLANES * conv->c * tiles * bytes_of(row);
    return data <= MOST_DATA && 2 * tiles <= conv->oc;
}

/* ---- compiling ---- */

static int64_t chunks_of(const dpr__cpu_conv *conv, int64_t units) {
    int64_t bytes =
        TAPS * conv->c * dpr__cpu_conv_panels(conv) * DPR__PANEL * (int64_t)sizeof(float);
    int64_t chunks = PARTIAL_BYTES / bytes;
    chunks = chunks < LEAST_CHUNKS ? LEAST_CHUNKS : chunks > CHUNKS ? CHUNKS : chunks;
    chunks -= chunks % 2; /* as many for each of two threads */
    return chunks < units ? chunks : units;
}

/* As many filters as a thread has room for sums of, in groups of one size. */
static int64_t panels_of_group(const dpr__cpu_conv *conv) {
    int64_t most = SUMS_BYTES / (sums_of_panel(conv) * (int64_t)sizeof(float));
    int64_t groups = dpr__ceil_divide(dpr__cpu_conv_panels(conv), most > 0 ? most : 1);
    return dpr__ceil_divide(dpr__cpu_conv_panels(conv), groups);
}

dpr_status dpr__cpu_compile_winograd_gradient(dpr__cpu_plan *plan, const dpr__group *group,
                                              dpr__row *row, bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value value = step->members[group->first];
    dpr__cpu_conv *conv = &row->conv;
    dpr__cpu_conv_geometry(step, value, conv);
    const char *name = dpr__cpu_winograd_kernels(row, step, value);
    int64_t tiles = NEAR / (PLANES * bytes_of(row) * (conv->c + conv->oc));
    tiles = tiles > MOST_TILES ? MOST_TILES : tiles < LEAST_TILES ? LEAST_TILES : tiles;
    bool few = has_few_tiles(row);
    if (few) {
        conv->unit_images = conv->n;
        conv->unit_rows = dpr__ceil_divide(conv->oh, DPR__WINOGRAD_TILE);
    } else {
        conv->units = dpr__cpu_winograd_cut(conv, tiles);
        conv->chunks = chunks_of(conv, conv->units);
    }
    conv->channels = DPR__PANEL;
    conv->panels = few ? 1 : panels_of_group(conv);
    DPR_TRY(dpr__chain_compile(&plan->arena, step, group, value, conv->channels, &row->chain,
                               supported));
    row->run = few ? run_panels : run_chunks;
    row->n_tiles =
        dpr__ceil_divide(dpr__cpu_conv_panels(conv), conv->panels) * (few ? 1 : conv->chunks);
    if (!few) {
        row->partial_floats =
            (size_t)(conv->chunks * dpr__cpu_conv_panels(conv) * TAPS * conv->c * DPR__PANEL);
        row->finish = finish;
        row->n_finish = dpr__ceil_divide(conv->c, conv->channels) * dpr__cpu_conv_panels(conv);
    }
    row->kernel = dpr__cpu_chosen(plan, name, dpr__node_of(step->graph, value));
    row->flops = row->chain.flops +
                 18U * (uint64_t)(conv->n * conv->oh * conv->ow * conv->oc) * (uint64_t)conv->c;
    row->bytes =
        row->chain.bytes + dpr__value_bytes(step, conv->src) + dpr__value_bytes(step, conv->dst);
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    conv->copy_at = row->tile_at + (size_t)(TAPS * conv->channels * DPR__PANEL);
    conv->filters_at = conv->copy_at + (size_t)(PLANES * dpr__cpu_winograd_factor(row, conv->c));
    int64_t diff = PLANES * dpr__cpu_winograd_factor(row, conv->panels * DPR__PANEL);
    row->scratch_floats = conv->filters_at + (size_t)(diff + conv->panels * sums_of_panel(conv));
    return DPR_OK;
}
