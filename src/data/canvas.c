/* Pictures of pictures (canvas.h). */
#include "data/canvas.h"
#include <string.h>

dpr_status dpr__canvas_init(dpr_context *context, size_t height, size_t width, size_t channels,
                            uint8_t ground, dpr__canvas *out) {
    *out = (dpr__canvas){.height = height, .width = width, .channels = channels};
    DPR_TRY(dpr__allocate(context, height * width, channels, &out->pixels));
    memset(out->pixels, ground, height * width * channels);
    return DPR_OK;
}

void dpr__canvas_place(const dpr__canvas *canvas, size_t y, size_t x, const uint8_t *pixels,
                       size_t height, size_t width, size_t zoom) {
    size_t c = canvas->channels;
    for (size_t i = 0; i < height * zoom; i++)
        for (size_t j = 0; j < width * zoom; j++)
            memcpy(canvas->pixels + ((y + i) * canvas->width + x + j) * c,
                   pixels + (i / zoom * width + j / zoom) * c, c);
}
