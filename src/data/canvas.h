/* A picture that is put together of smaller ones. */
#ifndef DPR_DATA_CANVAS_H
#define DPR_DATA_CANVAS_H

#include "base/memory.h"
#include <deeper/deeper.h>

typedef struct dpr__canvas {
    size_t height, width, channels;
    uint8_t *pixels; /* (height, width, channels), dpr__free'd by the owner */
} dpr__canvas;

/* All of it has the grey level `ground`. */
dpr_status dpr__canvas_init(dpr_context *context, size_t height, size_t width, size_t channels,
                            uint8_t ground, dpr__canvas *out);
/* Copies u8 (height, width, channels) to place (y, x), each pixel as a square of zoom × zoom; it must fit there. */
void dpr__canvas_place(const dpr__canvas *canvas, size_t y, size_t x, const uint8_t *pixels,
                       size_t height, size_t width, size_t zoom);

#endif
