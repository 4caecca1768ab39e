/* A contact sheet of a training set: what it holds, or what augmentation makes of it. */
#include "base/context.h"
#include "data/canvas.h"
#include "train/data.h"
#include <deeper/tools.h>
#include <string.h>

enum {
    ROWS = 10,
    COLUMNS = 9,
    GAP = 4,      /* pixels between cells, and around the sheet */
    OWN_GAP = 16, /* between an image and what is made of it */
    GROUND = 48,  /* grey between the cells, so that their frames can be seen */
    SIDE = 96,    /* small images are enlarged to no more than this */
};

struct sheet {
    const dpr_data *data;
    const char *augment;
    uint64_t seed;
    size_t rows, zoom; /* zoom: sheet pixels for one of the image's */
    dpr__canvas canvas;
    uint8_t *cell; /* an image */
};

/* The rank-th image of a class, or −1: there are fewer. */
static int32_t find_image(const dpr_data *data, uint32_t class, size_t rank) {
    for (size_t i = 0; i < data->n; i++)
        if ((uint32_t)data->labels[i] == class && rank-- == 0)
            return (int32_t)i;
    return -1;
}

/* Rows are classes, spread over all; where there are fewer, they come again with other images. */
static int32_t image_at(const struct sheet *s, size_t row, size_t rank) {
    uint32_t n = s->data->info.n_classes;
    size_t class = n > ROWS ? row * n / ROWS : row % n;
    size_t turns = n > ROWS ? 1 : s->rows / n + 1;
    return find_image(s->data, (uint32_t) class, rank * turns + (n > ROWS ? 0 : row / n));
}

/* The row's image, and what the epochs 1, 2, … make of it; without augmentation other images of its class. */
static dpr_status draw_row(const struct sheet *s, size_t row, size_t y) {
    const int64_t *dim = s->data->info.image.dim;
    size_t x = GAP, step = (size_t)dim[1] * s->zoom + GAP;
    for (unsigned column = 0; column < COLUMNS; column++, x += step) {
        bool changed = s->augment != NULL && column > 0;
        int32_t image = image_at(s, row, s->augment != NULL ? 0 : column);
        if (image < 0)
            continue;
        if (changed)
            DPR_TRY(dpr_data_augment(s->data, s->augment, s->seed, column, &image, 1, s->cell));
        else
            DPR_TRY(dpr_data_augment(s->data, NULL, s->seed, 1, &image, 1, s->cell));
        dpr__canvas_place(&s->canvas, y, changed ? x + OWN_GAP - GAP : x, s->cell, (size_t)dim[0],
                          (size_t)dim[1], s->zoom);
    }
    return DPR_OK;
}

dpr_status dpr_data_preview(const dpr_data *data, const char *augment, uint64_t seed,
                            const char *path) {
    const int64_t *dim = data->info.image.dim;
    struct sheet s = {.data = data, .augment = augment, .seed = seed};
    size_t height = (size_t)dim[0], width = (size_t)dim[1], channels = (size_t)dim[2];
    size_t side = height > width ? height : width;
    if (data->n == 0 || channels == 2 || channels == 4)
        return DPR_FAIL(data->context, DPR_E_DATA, "preview: %s",
                        data->n == 0 ? "the set holds no images"
                                     : "only images of one or three channels can be shown");
    s.zoom = side < SIDE ? SIDE / side : 1;
    s.rows = data->n < ROWS ? data->n : ROWS;
    size_t sheet_width = COLUMNS * (width * s.zoom + GAP) + (augment != NULL ? OWN_GAP : GAP);
    size_t sheet_height = s.rows * (height * s.zoom + GAP) + GAP;
    DPR_TRY(dpr__allocate(data->context, height * width, channels, &s.cell));
    dpr_status status =
        dpr__canvas_init(data->context, sheet_height, sheet_width, channels, GROUND, &s.canvas);
    for (size_t row = 0; row < s.rows && status == DPR_OK; row++)
        status = draw_row(&s, row, GAP + row * (height * s.zoom + GAP));
    if (status == DPR_OK)
        status = dpr_png_write(
            data->context, path, s.canvas.pixels,
            dpr_shape_of((int64_t)sheet_height, (int64_t)sheet_width, (int64_t)channels));
    dpr__free(data->context, s.canvas.pixels);
    dpr__free(data->context, s.cell);
    return status;
}
