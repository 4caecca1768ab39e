/* Stands in for letters_render.c in a build without FreeType: the letters cannot be made, and the
 * message names the package. */
#include "data/letters.h"

dpr_status dpr__renderer_create(dpr_context *context, dpr__renderer **out) {
    (void)out;
    return DPR_FAIL(context, DPR_E_UNSUPPORTED,
                    "the letters data set needs FreeType, which this build lacks: install "
                    "libfreetype-dev (Debian, Ubuntu) or freetype (elsewhere) and build again");
}

void dpr__renderer_destroy(dpr__renderer *renderer) {
    (void)renderer;
}

dpr_status dpr__renderer_read(dpr__renderer *renderer, const uint8_t *bytes, size_t n,
                              uint32_t index, dpr__arena *arena, dpr__face *face, uint32_t *n_faces,
                              const char **why) {
    (void)renderer, (void)bytes, (void)n, (void)index, (void)arena, (void)face;
    *n_faces = 0;
    *why = "this build lacks FreeType";
    return DPR_OK;
}

uint8_t dpr__renderer_draw(dpr__renderer *renderer, const dpr__outline *outline,
                           const dpr__pose *pose, uint32_t side, uint8_t *pixels) {
    (void)renderer, (void)outline, (void)pose, (void)side, (void)pixels;
    return 0;
}
