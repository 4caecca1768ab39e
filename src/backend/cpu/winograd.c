/* Convolutions of 3 × 3 and stride 1, forward and back to the data, by Winograd's F(4×4, 3×3): a tile of 4 × 4 results takes 36 products instead of 144,
 *   dst = Aᵀ·[(G·w·Gᵀ) ⊙ (Bᵀ·src·B)]·A    (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016)
 * summed over channels before the last transform, so that for each of 36 points there is one matrix product, tiles × channels × filters. Filters come transformed
 * (ops/winograd_filters.c). A unit of tiles goes through all steps before the next begins, and stays in L2; threads share its panels of filters, too. */
#include "backend/cpu/winograd.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

enum {
    PLANES = DPR__WINOGRAD_PLANES,
    TILE = DPR__WINOGRAD_TILE,
    IN_L2 = 512 << 10, /* bytes of a unit's transformed data */
    MOST_TILES = 56,   /* four or two blocks of the matrix kernel's 14 rows */
    LEAST_TILES = 14,
    APART = 16, /* floats between planes, so that 36 stores do not meet in one set of the cache */
};

/* ---- units ---- */

static int64_t tiles_down(const dpr__cpu_conv *conv) {
    return dpr__ceil_divide(conv->oh, TILE);
}
static int64_t tiles_across(const dpr__cpu_conv *conv) {
    return dpr__ceil_divide(conv->ow, TILE);
}

/* So many parts of n that none is larger than `most`, even in size, and an even number where there are some. */
static int64_t parts_of(int64_t n, int64_t most) {
    int64_t parts = dpr__ceil_divide(n, most);
    parts += parts % 2;
    return parts < n ? parts : n;
}

int64_t dpr__cpu_winograd_cut(dpr__cpu_conv *conv, int64_t tiles) {
    int64_t down = tiles_down(conv), across = tiles_across(conv), image = down * across;
    conv->unit_images = 1;
    conv->unit_rows = down;
    if (tiles < image) {
        int64_t rows = tiles / across > 0 ? tiles / across : 1;
        conv->unit_rows = dpr__ceil_divide(down, dpr__ceil_divide(down, rows));
        return conv->n * dpr__ceil_divide(down, conv->unit_rows);
    }
    conv->unit_images = dpr__ceil_divide(conv->n, parts_of(conv->n, tiles / image));
    return dpr__ceil_divide(conv->n, conv->unit_images);
}

int64_t dpr__cpu_winograd_tiles(const dpr__cpu_conv *conv) {
    return conv->unit_images * conv->unit_rows * tiles_across(conv);
}

dpr__winograd_unit dpr__cpu_winograd_unit(const dpr__cpu_conv *conv, int64_t number) {
    int64_t down = tiles_down(conv), parts = dpr__ceil_divide(down, conv->unit_rows);
    dpr__winograd_unit unit = {.image = number / parts * conv->unit_images,
                               .down = number % parts * conv->unit_rows};
    int64_t images = conv->n - unit.image, rows = down - unit.down;
    unit.images = images < conv->unit_images ? images : conv->unit_images;
    unit.rows = rows < conv->unit_rows ? rows : conv->unit_rows;
    unit.tiles = unit.images * unit.rows * tiles_across(conv);
    int64_t left = conv->oh - unit.down * TILE; /* pixel rows of an image from here on */
    int64_t high = left < unit.rows * TILE ? left : unit.rows * TILE;
    unit.pixel = (unit.image * conv->oh + unit.down * TILE) * conv->ow;
    unit.pixels = unit.images * high * conv->ow;
    return unit;
}

int64_t dpr__cpu_winograd_plane(const dpr__cpu_conv *conv, int64_t channels) {
    return dpr__ceil_divide(channels, DPR__PANEL) * dpr__cpu_winograd_tiles(conv) * DPR__PANEL +
           APART;
}

/* What 32 channels of a tile take, in floats. */
static int64_t width_of(const dpr__row *row) {
    return row->halves ? DPR__PANEL / 2 : DPR__PANEL;
}

/* Rows of filters, or pairs of them. */
static int64_t depth_of(const dpr__row *row, int64_t channels) {
    return row->halves ? channels / 2 : channels;
}

int64_t dpr__cpu_winograd_panel(const dpr__row *row) {
    int64_t tiles = dpr__cpu_winograd_tiles(&row->conv);
    return (row->halves ? tiles + tiles % 2 : tiles) * width_of(row);
}

int64_t dpr__cpu_winograd_factor(const dpr__row *row, int64_t channels) {
    return dpr__ceil_divide(channels, DPR__PANEL) * dpr__cpu_winograd_panel(row) + APART;
}

/* ---- transforms ---- */

/* Half a panel's lanes, where no more are used. */
static int lanes_of(int64_t channels) {
    return channels <= DPR__PANEL / 2 ? DPR__PANEL / 2 : DPR__PANEL;
}

/* What lies outside of a map. */
static float nothing[DPR__PANEL] __attribute__((aligned(64)));

/* A map h × w, whose pixels' channels lie `pixel` floats apart from `map` on: side × side points from (y, x) on. */
static void set_points(float *map, int64_t pixel, int64_t h, int64_t w, int64_t y, int64_t x,
                       int side, float *outside, dpr__points *points) {
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            bool inside = y + i >= 0 && y + i < h && x + j >= 0 && x + j < w;
            points->at[i * side + j] = inside ? map + ((y + i) * w + x + j) * pixel : outside;
        }
}

/* Points of fewer than 32 channels, which may lie at the map's end. */
static void copy_points(dpr__points *points, int n, int64_t channels, float copy[36][DPR__PANEL]) {
    for (int i = 0; i < n; i++) {
        memset(copy[i], 0, sizeof copy[i]);
        memcpy(copy[i], points->at[i], (size_t)channels * sizeof *copy[i]);
        points->at[i] = copy[i];
    }
}

/* A map as the transforms read it. */
struct map {
    dpr__winograd_transform *step;
    const dpr__winograd_half_kernel *half; /* NULL: what is multiplied stays in float32 */
    bool pairs_tiles;
    const float *data;
    dpr__form form;
    int64_t n, h, w, channels;
    int64_t pixel;       /* floats from one to the next */
    int64_t first, last; /* channels that are transformed: first, a multiple of 32, to last − 1 */
    int side;            /* of the points that are read around a tile, from `pad` before it on */
    int64_t pad_top, pad_left;
};

/* Channels c … c + 31 of tile t. Pairs of them are whole: there the last are zeros. */
static void transform_tile(const dpr__cpu_conv *conv, const struct map *map,
                           const dpr__winograd_unit *unit, int64_t c, int64_t t,
                           const dpr__points *planes) {
    int64_t across = tiles_across(conv), pixels = map->h * map->w, left = map->channels - c;
    int64_t image = unit->image + t / across / unit->rows;
    int64_t y = (unit->down + t / across % unit->rows) * TILE, x = t % across * TILE;
    bool panels = map->form == DPR__PANELS;
    bool whole = map->half != NULL && !map->pairs_tiles && left < DPR__PANEL;
    const float *from = panels ? map->data + (c / DPR__PANEL * map->n + image) * pixels * DPR__PANEL
                               : map->data + image * pixels * map->pixel + c;
    float copy[PLANES][DPR__PANEL];
    dpr__points src;
    set_points((float *)(uintptr_t)from, map->pixel, map->h, map->w, y - map->pad_top,
               x - map->pad_left, map->side, nothing, &src);
    if (whole || (!panels && map->pixel - c < lanes_of(left)))
        copy_points(&src, map->side * map->side, left < DPR__PANEL ? left : DPR__PANEL, copy);
    map->step(&src, planes, whole ? DPR__PANEL : lanes_of(left));
}

/* The same of tile t, or of two, to pairs. */
static void transform_half(const dpr__cpu_conv *conv, const struct map *map,
                           const dpr__winograd_unit *unit, int64_t c, int64_t t, int64_t plane,
                           float *dst) {
    float points[2][PLANES * DPR__PANEL] __attribute__((aligned(64)));
    for (int64_t k = 0; k < (map->pairs_tiles ? 2 : 1); k++) {
        const dpr__points near = {.at = {points[k]}, .plane = DPR__PANEL};
        if (t + k < unit->tiles)
            transform_tile(conv, map, unit, c, t + k, &near);
        else
            memset(points[k], 0, sizeof points[k]);
    }
    if (map->pairs_tiles)
        map->half->pairs(points[0], points[1], dst, plane);
    else
        map->half->channels(points[0], dst, plane);
}

static void transform(const dpr__row *row, const struct map *map, const dpr__winograd_unit *unit,
                      int64_t plane, float *dst) {
    int64_t panel = dpr__cpu_winograd_panel(row), width = width_of(row);
    for (int64_t c = map->first; c < map->last; c += DPR__PANEL, dst += panel)
        for (int64_t t = 0; t < unit->tiles; t += map->pairs_tiles ? 2 : 1) {
            const dpr__points planes = {.at = {dst + t * width}, .plane = plane};
            if (map->half != NULL)
                transform_half(&row->conv, map, unit, c, t, plane, planes.at[0]);
            else
                transform_tile(&row->conv, map, unit, c, t, &planes);
        }
}

static int64_t row_floats(const dpr__step *step, dpr_value value) {
    return dpr__form_row(step->forms[value], &dpr__node_of(step->graph, value)->shape);
}

void dpr__cpu_winograd_data(const dpr__row *row, const dpr__values *values,
                            const dpr__winograd_unit *unit, bool tiles, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    const struct map map = {.step = row->winograd->data,
                            .half = row->half_winograd,
                            .pairs_tiles = row->halves && tiles,
                            .data = values->memory[conv->src],
                            .form = values->step->forms[conv->src],
                            .n = conv->n,
                            .h = conv->h,
                            .w = conv->w,
                            .channels = conv->c,
                            .pixel = row_floats(values->step, conv->src),
                            .last = conv->c,
                            .side = 6,
                            .pad_top = conv->pad_top,
                            .pad_left = conv->pad_left};
    transform(row, &map, unit, dpr__cpu_winograd_factor(row, conv->c), dst);
}

void dpr__cpu_winograd_diff(const dpr__row *row, const dpr__values *values, int64_t first,
                            int64_t last, const dpr__winograd_unit *unit, float *dst,
                            int64_t plane) {
    const dpr__cpu_conv *conv = &row->conv;
    const struct map map = {.step = row->winograd->diff,
                            .half = row->half_winograd,
                            .pairs_tiles = row->halves,
                            .data = values->memory[conv->dst],
                            .form = values->step->forms[conv->dst],
                            .n = conv->n,
                            .h = conv->oh,
                            .w = conv->ow,
                            .channels = conv->oc,
                            .pixel = row_floats(values->step, conv->dst),
                            .first = first,
                            .last = last,
                            .side = TILE};
    transform(row, &map, unit, plane, dst);
}

void dpr__cpu_winograd_products(const dpr__row *row, const float *products, int64_t panel,
                                const dpr__winograd_unit *unit, float *pixels) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t left = conv->oc - panel * DPR__PANEL;
    int64_t across = tiles_across(conv), top = unit->down * TILE;
    int64_t high = unit->pixels / conv->ow / unit->images; /* pixel rows of an image here */
    float outside[DPR__PANEL];
    dpr__points planes = {.plane = dpr__cpu_winograd_plane(conv, DPR__PANEL)}, dst;
    for (int64_t t = 0; t < unit->tiles; t++) {
        int64_t image = t / across / unit->rows;
        int64_t y = (unit->down + t / across % unit->rows) * TILE - top, x = t % across * TILE;
        set_points(pixels + image * high * conv->ow * conv->row_floats, conv->row_floats, high,
                   conv->ow, y, x, TILE, outside, &dst);
        planes.at[0] = (float *)(uintptr_t)products + t * DPR__PANEL;
        row->winograd->products(&planes, &dst, lanes_of(left));
    }
}

/* ---- running ---- */

/* For each point tiles × channels by channels × 32 filters: n channels from `first` on, a multiple of 32, added to the products of those before. Planes of
 * filters have n rows, and are `plane` floats apart. */
static void multiply(const dpr__row *row, const float *data, const float *filters, int64_t plane,
                     int64_t first, int64_t n, int64_t tiles, int64_t panel, float *products) {
    const dpr__cpu_conv *conv = &row->conv;
    int64_t left = conv->oc - panel * DPR__PANEL, each = dpr__cpu_winograd_panel(row);
    dpr__tile_call call = {.a_row = width_of(row),
                           .a_chunk = each,
                           .m = tiles,
                           .columns = left < DPR__PANEL ? left : DPR__PANEL,
                           .k = depth_of(row, n),
                           .c_stride = DPR__PANEL,
                           .add = first > 0};
    for (int64_t q = 0; q < PLANES; q++) {
        call.a = data + q * dpr__cpu_winograd_factor(row, conv->c) + first / DPR__PANEL * each;
        call.b = filters + q * plane;
        call.c = products + q * dpr__cpu_winograd_plane(conv, DPR__PANEL);
        row->tile->multiply(&call);
    }
}

/* Products of unit `number`, for 32 filters, to the result. */
static void put_products(const dpr__row *row, const dpr__values *values, float *scratch,
                         const float *products, int64_t panel, const dpr__winograd_unit *unit,
                         int64_t number) {
    float *pixels =
        row->bare ? dpr__cpu_conv_place(row, values, unit->pixel, panel) : scratch + row->tile_at;
    dpr__cpu_winograd_products(row, products, panel, unit, pixels);
    dpr__cpu_conv_close(row, values, scratch, pixels, unit->pixel, unit->pixels, panel, number);
}

static void run(const dpr__row *row, const dpr__values *values, float *scratch, int64_t first,
                int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    float *data = scratch + conv->copy_at;
    float *products = data + PLANES * dpr__cpu_winograd_factor(row, conv->c);
    int64_t panels = dpr__cpu_conv_panels(conv), transformed = -1, depth = depth_of(row, conv->c);
    for (int64_t t = first; t < last; t++) {
        int64_t number = t / panels, panel = t % panels;
        dpr__winograd_unit unit = dpr__cpu_winograd_unit(conv, number);
        if (number != transformed)
            dpr__cpu_winograd_data(row, values, &unit, false, data);
        transformed = number;
        multiply(
            row, data,
            dpr__cpu_conv_filters(conv, values, PLANES * depth, panel, scratch + conv->filters_at),
            depth * DPR__PANEL, 0, conv->c, unit.tiles, panel, products);
        put_products(row, values, scratch, products, panel, &unit, number);
    }
}

/* ---- few tiles, many filters: 32 of these at a time, transformed where they are multiplied ---- */

enum {
    ROWS = 64, /* of filters' channels, or pairs of them, at a time: stay in L2 */
    TAP =
        DPR__PANEL * DPR__PANEL + 16, /* floats between two taps: not all in one set of the cache */
    PLANE = ROWS * DPR__PANEL + APART,
};

/* Of diff_dst's channels first … first + 31 and a panel of the data's, the filters: taps in reverse, each 32 × 32, for a convolution of diff_dst. */
static void turn_filters(const dpr__row *row, const dpr__values *values, int64_t first,
                         int64_t panel, float *taps) {
    const dpr__cpu_conv *conv = &row->conv;
    const float *weights = values->memory[conv->weights];
    int64_t column = panel * DPR__PANEL, rows = conv->oc - column, columns = conv->c - first;
    bool plain = values->step->forms[conv->weights] == DPR__PLAIN;
    bool whole = !plain && rows >= DPR__PANEL;
    rows = rows < DPR__PANEL ? rows : DPR__PANEL;
    columns = columns < DPR__PANEL ? columns : DPR__PANEL;
    float part[DPR__PANEL * DPR__PANEL] = {0};
    for (int64_t tap = 0; tap < conv->kh * conv->kw; tap++) {
        int64_t at = tap * conv->oc + column, next = plain ? conv->c : DPR__PANEL;
        const float *from = plain ? weights + at * conv->c + first
                                  : weights + (first / DPR__PANEL * 9 * conv->oc + at) * DPR__PANEL;
        for (int64_t i = 0; !whole && i < rows; i++)
            memcpy(part + i * DPR__PANEL, from + i * next, (size_t)columns * sizeof *part);
        conv->turn(whole ? from : part, taps + (8 - tap) * TAP);
    }
}

/* Rows first … first + n − 1 of a panel of filters to 36 planes; taps: [9][c][32], or room for turned ones. */
static void transform_filters(const dpr__row *row, const dpr__values *values, const float *filters,
                              int64_t first, int64_t n, int64_t panel, float *taps, float *dst) {
    const dpr__cpu_conv *conv = &row->conv;
    float points[2][PLANES * DPR__PANEL] __attribute__((aligned(64)));
    dpr__points src = {.plane = conv->turn != NULL ? TAP : conv->c * DPR__PANEL},
                planes = {.plane = row->halves ? DPR__PANEL : PLANE};
    for (int64_t i = 0; i < n; i++) {
        if (conv->turn != NULL && i % DPR__PANEL == 0)
            turn_filters(row, values, first + i, panel, taps);
        src.at[0] = conv->turn != NULL ? taps + i % DPR__PANEL * DPR__PANEL
                                       : (float *)(uintptr_t)filters + (first + i) * DPR__PANEL;
        planes.at[0] = row->halves ? points[i % 2] : dst + i * DPR__PANEL;
        row->winograd->filter(&src, &planes, DPR__PANEL);
        if (row->halves && i % 2 == 1)
            row->half_winograd->pairs(points[0], points[1], dst + i / 2 * DPR__PANEL, PLANE);
    }
}

static void run_panels(const dpr__row *row, const dpr__values *values, float *scratch,
                       int64_t first, int64_t last) {
    const dpr__cpu_conv *conv = &row->conv;
    float *data = scratch + conv->copy_at;
    float *products = data + PLANES * dpr__cpu_winograd_factor(row, conv->c);
    float *transformed = products + PLANES * dpr__cpu_winograd_plane(conv, DPR__PANEL);
    float *taps = transformed + PLANES * PLANE;
    dpr__winograd_unit all = dpr__cpu_winograd_unit(conv, 0);
    int64_t rows = row->halves ? 2 * ROWS : ROWS;
    dpr__cpu_winograd_data(row, values, &all, false, data);
    for (int64_t panel = first; panel < last; panel++) {
        const float *filters = conv->turn != NULL
                                   ? NULL
                                   : dpr__cpu_conv_filters(conv, values, 9 * conv->c, panel, taps);
        for (int64_t c = 0; c < conv->c; c += rows) {
            int64_t n = conv->c - c < rows ? conv->c - c : rows;
            transform_filters(row, values, filters, c, n, panel, taps, transformed);
            multiply(row, data, transformed, PLANE, c, n, all.tiles, panel, products);
        }
        put_products(row, values, scratch, products, panel, &all, 0);
    }
}

/* ---- compiling ---- */

static void place_scratch(dpr__row *row, const dpr__step *step, int64_t pixels) {
    dpr__cpu_conv *conv = &row->conv;
    bool plain = step->forms[conv->weights] == DPR__PLAIN, panels = row->run == run_panels;
    row->tile_at = dpr__cpu_whole_lines(row->chain.scratch_floats);
    conv->copy_at = row->tile_at + (size_t)pixels * DPR__PANEL;
    conv->filters_at =
        conv->copy_at + (size_t)(PLANES * (dpr__cpu_winograd_factor(row, conv->c) +
                                           dpr__cpu_winograd_plane(conv, DPR__PANEL)));
    row->scratch_floats = conv->filters_at;
    if (panels)
        row->scratch_floats += (size_t)(PLANES * PLANE + 9 * TAP);
    if (plain)
        row->scratch_floats += (size_t)((panels ? 9 : PLANES) * conv->c * DPR__PANEL);
}

const char *dpr__cpu_winograd_kernels(dpr__row *row, const dpr__step *step, dpr_value value) {
    const dpr__isa isa = step->context->isa;
    const dpr__conv_param *param = dpr__node_of(step->graph, value)->param;
    row->halves = param->bf16 == DPR__BF16_WINOGRAD;
    row->winograd = dpr__kernel_find(DPR__WINOGRAD, DPR__OP_conv2d, DPR_F32, isa)->run.winograd;
    row->tile =
        dpr__kernel_find(row->halves ? DPR__HALF_TILE : DPR__TILE, DPR__OP_matmul, DPR_F32, isa)
            ->run.tile;
    if (!row->halves)
        return "winograd_f32";
    row->half_winograd =
        dpr__kernel_find(DPR__HALF_WINOGRAD, DPR__OP_conv2d, DPR_F32, isa)->run.half_winograd;
    return "winograd_bf16";
}

dpr_status dpr__cpu_compile_winograd(dpr__cpu_plan *plan, const dpr__group *group, dpr__row *row,
                                     bool *supported) {
    const dpr__step *step = plan->values.step;
    dpr_value value = step->members[group->first];
    dpr__cpu_conv *conv = &row->conv;
    dpr__cpu_conv_geometry(step, value, conv);
    const char *name = dpr__cpu_winograd_kernels(row, step, value);
    int64_t tiles = IN_L2 / (PLANES * (int64_t)sizeof(float) * depth_of(row, conv->c));
    tiles = tiles > MOST_TILES ? MOST_TILES : tiles < LEAST_TILES ? LEAST_TILES : tiles;
    const dpr__conv_param *param = dpr__node_of(step->graph, value)->param;
    int64_t panels = dpr__cpu_conv_panels(conv);
    bool by_panels = param->winograd == DPR__FILTERS_PLAIN;
    if (by_panels && dpr__node_of(step->graph, value)->op == DPR__OP_conv2d_data)
        conv->turn = dpr__kernel_find(DPR__TILE, DPR__OP_matmul, DPR_F32, step->context->isa)
                         ->run.tile->turn;
    row->n_tiles = panels * dpr__cpu_winograd_cut(conv, tiles);
    if (row->n_tiles == 1) /* some for each thread of a small machine */
        row->n_tiles = dpr__cpu_winograd_cut(conv, dpr__cpu_winograd_tiles(conv) / 2);
    if (by_panels) {
        conv->unit_images = conv->n;
        conv->unit_rows = tiles_down(conv);
        row->n_tiles = panels;
    }
    dpr__winograd_unit most = dpr__cpu_winograd_unit(conv, 0);
    DPR_TRY(
        dpr__chain_compile(&plan->arena, step, group, value, most.pixels, &row->chain, supported));
    dpr__cpu_conv_set_rows(conv, &row->chain);
    if (row->halves && !by_panels) /* transformed filters come in pairs, others as they are */
        conv->halves = row->chain.halves;
    row->run = by_panels ? run_panels : run;
    row->bare = dpr__cpu_conv_is_bare(conv, &row->chain);
    row->kernel = dpr__cpu_chosen(plan, name, dpr__node_of(step->graph, value));
    row->flops = row->chain.flops +
                 18U * (uint64_t)(conv->n * conv->oh * conv->ow * conv->oc) * (uint64_t)conv->c;
    row->bytes = row->chain.bytes + dpr__value_bytes(step, conv->src) +
                 dpr__value_bytes(step, conv->weights);
    place_scratch(row, step, most.pixels);
    dpr__cpu_finish_sums(row, row->n_tiles / panels);
    return DPR_OK;
}
