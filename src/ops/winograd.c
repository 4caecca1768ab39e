/* The reference of convolutions whose products Winograd's algorithm makes in bf16 (winograd.h): what is multiplied is rounded after its transform, so no sum of
 * pixels and taps says what they mean. dst = Aᵀ·[Σ (G·w·Gᵀ) ⊙ (Bᵀ·src·B)]·A, for each tile of 4 × 4 and each filter summed over channels; diff_weights
 * = Gᵀ·[Σ (Bᵀ·src·B) ⊙ (A·diff_dst·Aᵀ)]·G, for each pair of channels summed over tiles. */
#include "ops/winograd.h"
#include "ops/conv.h"

#define A DPR__WINOGRAD_A
#define B DPR__WINOGRAD_B
#define A2 DPR__WINOGRAD_A2
#define B2 DPR__WINOGRAD_B2
#define OF_A DPR__WINOGRAD_SCALE_A
#define OF_B DPR__WINOGRAD_SCALE_B

static const double OF_DATA[6 * 6] = {
    A2 * B2, 0,      -A2 - B2, 0, 1, 0, 0, -A *B2, -B2, A,  1, 0, 0, A *B2,  -B2, -A,       1, 0,
    0,       -B *A2, -A2,      B, 1, 0, 0, B *A2,  -A2, -B, 1, 0, 0, A2 *B2, 0,   -A2 - B2, 0, 1};
static const double OF_FILTER[6 * 3] = {DPR__WINOGRAD_FIRST,
                                        0,
                                        0,
                                        OF_A,
                                        OF_A *A,
                                        OF_A *A2,
                                        OF_A,
                                        -OF_A *A,
                                        OF_A *A2,
                                        OF_B,
                                        OF_B *B,
                                        OF_B *B2,
                                        OF_B,
                                        -OF_B *B,
                                        OF_B *B2,
                                        0,
                                        0,
                                        1};
static const double OF_DIFF[6 * 4] = {1, 0, 0,  0,     1, A,  A2, A *A2,  1, -A, A2, -A *A2,
                                      1, B, B2, B *B2, 1, -B, B2, -B *B2, 0, 0,  0,  1};

enum { TILE = 4, SIDE = 6, PLANES = 36 };

/* dst (rows × rows) = M·src·Mᵀ for M of rows × columns, or of its transpose. */
static void both_ways(const double *m, int rows, int columns, bool transposed, const double *src,
                      double *dst) {
    double middle[PLANES];
    int row = transposed ? 1 : columns, column = transposed ? rows : 1;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            middle[i * columns + j] = 0;
            for (int k = 0; k < columns; k++)
                middle[i * columns + j] += m[i * row + k * column] * src[k * columns + j];
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            dst[i * rows + j] = 0;
            for (int k = 0; k < columns; k++)
                dst[i * rows + j] += middle[i * columns + k] * m[j * row + k * column];
        }
}

void dpr__winograd_of_filter(const double taps[9], double points[36]) {
    both_ways(OF_FILTER, SIDE, 3, false, taps, points);
}

static void round_all(double points[PLANES]) {
    for (int i = 0; i < PLANES; i++)
        points[i] = dpr__bf16_of(points[i]);
}

/* A place of a tile: image, its first pixel, channel. */
struct place {
    int64_t n, y, x, c;
};

/* side × side pixels from a place on, 0 outside of the map, transformed and rounded. */
static void transform(const dpr__tensor *map, const struct place *at, const double *m, int side,
                      double points[PLANES]) {
    double pixels[PLANES];
    const int64_t *dim = map->shape.dim;
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            int64_t y = at->y + i, x = at->x + j;
            bool inside = y >= 0 && y < dim[1] && x >= 0 && x < dim[2];
            pixels[i * side + j] =
                inside ? dpr__get(map, dpr__index4(&map->shape, at->n, y, x, at->c)) : 0;
        }
    both_ways(m, SIDE, side, false, pixels, points);
    round_all(points);
}

/* The filter from channel `from` of the map to channel `to` of the result, transformed and rounded. */
static void transform_filter(const dpr__call *call, const dpr__conv *conv, bool back,
                             dpr__conv_tap *tap, int64_t from, int64_t to, double points[PLANES]) {
    const dpr__conv_param *p = call->param;
    const int64_t *dim = call->src[1].shape.dim;
    double taps[9];
    bool comes_so = p->winograd == DPR__FILTERS_TRANSFORMED && (!back || p->turned);
    for (int k = 0; comes_so && k < PLANES; k++)
        points[k] = dpr__get(&call->src[1], (k * dim[2] + from) * dim[3] + to);
    if (comes_so)
        return;
    for (int k = 0; k < 9; k++)
        taps[k] = back ? tap(call, conv, (8 - k) / 3, (8 - k) % 3, to, from)
                       : tap(call, conv, k / 3, k % 3, from, to);
    dpr__winograd_of_filter(taps, points);
    round_all(points);
}

static void put_tile(const dpr__tensor *dst, const struct place *at,
                     const double tile[TILE * TILE]) {
    for (int i = 0; i < TILE; i++)
        for (int j = 0; j < TILE; j++)
            if (at->y + i < dst->shape.dim[1] && at->x + j < dst->shape.dim[2])
                dpr__put(dst, dpr__index4(&dst->shape, at->n, at->y + i, at->x + j, at->c),
                         tile[i * TILE + j]);
}

void dpr__winograd_convolve(const dpr__call *call, const dpr__conv *conv, bool back,
                            dpr__conv_tap *tap) {
    const int64_t *dim = call->dst.shape.dim;
    int64_t top = back ? 2 - conv->y.before : conv->y.before;
    int64_t left = back ? 2 - conv->x.before : conv->x.before;
    double data[PLANES], filter[PLANES], sums[PLANES], tile[TILE * TILE];
    struct place at;
    for (at.n = 0; at.n < dim[0]; at.n++)
        for (at.y = 0; at.y < dim[1]; at.y += TILE)
            for (at.x = 0; at.x < dim[2]; at.x += TILE)
                for (at.c = 0; at.c < dim[3]; at.c++) {
                    for (int k = 0; k < PLANES; k++)
                        sums[k] = 0;
                    for (int64_t c = 0; c < call->src[0].shape.dim[3]; c++) {
                        const struct place from = {at.n, at.y - top, at.x - left, c};
                        transform(&call->src[0], &from, OF_DATA, SIDE, data);
                        transform_filter(call, conv, back, tap, c, at.c, filter);
                        for (int k = 0; k < PLANES; k++)
                            sums[k] += data[k] * filter[k];
                    }
                    both_ways(OF_DIFF, TILE, SIDE, true, sums, tile);
                    put_tile(&call->dst, &at, tile);
                }
}

void dpr__winograd_sum_filters(const dpr__call *call, const dpr__conv *conv) {
    const int64_t *dim = call->dst.shape.dim, *map = call->src[1].shape.dim;
    double data[PLANES], diff[PLANES], sums[PLANES], taps[9];
    for (int64_t pair = 0; pair < dim[2] * dim[3]; pair++) {
        struct place at = {.c = pair % dim[3]};
        for (int k = 0; k < PLANES; k++)
            sums[k] = 0;
        for (at.n = 0; at.n < map[0]; at.n++)
            for (at.y = 0; at.y < map[1]; at.y += TILE)
                for (at.x = 0; at.x < map[2]; at.x += TILE) {
                    const struct place from = {at.n, at.y - conv->y.before, at.x - conv->x.before,
                                               pair / dim[3]};
                    transform(&call->src[0], &from, OF_DATA, SIDE, data);
                    transform(&call->src[1], &at, OF_DIFF, TILE, diff);
                    for (int k = 0; k < PLANES; k++)
                        sums[k] += data[k] * diff[k];
                }
        both_ways(OF_FILTER, 3, SIDE, true, sums, taps);
        for (int k = 0; k < 9; k++)
            dpr__put(&call->dst, k * dim[2] * dim[3] + pair, taps[k]);
    }
}
