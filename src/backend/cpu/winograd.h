/* What Winograd's convolutions and the gradients of their filters share: units of tiles, and transforms of maps. */
#ifndef DPR_BACKEND_CPU_WINOGRAD_H
#define DPR_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/cpu.h"

enum { DPR__WINOGRAD_PLANES = 36, DPR__WINOGRAD_TILE = 4 };

/* Tiles that are transformed and multiplied together: some rows of tiles of one image, or some whole images, so that their pixels are
 * consecutive. */
typedef struct dpr__winograd_unit {
    int64_t image, images, down, rows; /* first image; rows of tiles from `down` on */
    int64_t pixel, pixels;             /* of the result: the first, how many */
    int64_t tiles;
} dpr__winograd_unit;

/* Sets conv's units to some `tiles` tiles at most, but a row at least. Returns how many units there are. */
int64_t dpr__cpu_winograd_cut(dpr__cpu_conv *conv, int64_t tiles);
dpr__winograd_unit dpr__cpu_winograd_unit(const dpr__cpu_conv *conv, int64_t number);
/* Most tiles of a unit. */
int64_t dpr__cpu_winograd_tiles(const dpr__cpu_conv *conv);

/* Takes the kernels of row->conv's products: of floats, or of pairs of bf16 where the node says so. Returns the row's name. */
const char *dpr__cpu_winograd_kernels(dpr__row *row, const dpr__step *step, dpr_value value);

/* 36 planes of a map's channels, each [channels / 32][tiles][32]: floats of one. */
int64_t dpr__cpu_winograd_plane(const dpr__cpu_conv *conv, int64_t channels);
/* The same of what is multiplied: floats as before, or sixteen pairs of channels for each tile, or 32 channels for each pair of tiles. Of one plane; and of 32 channels. */
int64_t dpr__cpu_winograd_factor(const dpr__row *row, int64_t channels);
int64_t dpr__cpu_winograd_panel(const dpr__row *row);
/* The 6 × 6 points around each tile of src, transformed; by pairs of tiles where these are of bf16 and `tiles` says so. */
void dpr__cpu_winograd_data(const dpr__row *row, const dpr__values *values,
                            const dpr__winograd_unit *unit, bool tiles, float *dst);
/* The 4 × 4 points of each tile of diff_dst, of channels first, a multiple of 32, to last − 1, whose planes are `plane` floats apart; in bf16 by pairs of tiles. */
void dpr__cpu_winograd_diff(const dpr__row *row, const dpr__values *values, int64_t first,
                            int64_t last, const dpr__winograd_unit *unit, float *dst,
                            int64_t plane);
/* 36 planes of a panel's channels, each [tiles][32], to the unit's pixels, 32 floats each. */
void dpr__cpu_winograd_products(const dpr__row *row, const float *products, int64_t panel,
                                const dpr__winograd_unit *unit, float *pixels);

#endif
