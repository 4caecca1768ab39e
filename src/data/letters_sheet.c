/* What people look at: the contact sheet, three example letters, and the list of families. */
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "data/letters.h"
#include <string.h>

enum {
    COLUMNS = 28,
    GAP = 4,       /* pixels between cells, and around the sheet */
    HALF_GAP = 20, /* between the training rows above and the test rows below */
    GROUND = 48,   /* grey between the cells, so that the frames can be seen */
    EXAMPLES = 3,
};

static dpr_status write_png(const dpr__fonts *fonts, const char *out, const char *name,
                            const uint8_t *pixels, dpr_shape image) {
    char *path;
    DPR_TRY(dpr__path_join(fonts->context, out, name, &path));
    dpr_status status = dpr_png_write(fonts->context, path, pixels, image);
    dpr__free(fonts->context, path);
    return status;
}

/* A random face of the position-th family of a half, in an order drawn for this stream; families come
 * round again when position is beyond their number. */
static const dpr__face *draw_face(const dpr__fonts *fonts, uint64_t seed, uint32_t stream,
                                  dpr_half half, uint32_t position) {
    uint32_t n = fonts->n_half[half];
    DPR_ASSERT(n > 0); /* as in letters.c */
    uint64_t place = dpr__permute(seed, DPR__PURPOSE_LETTERS, stream, position % n, n);
    const dpr__family *family = fonts->half[half][place];
    dpr__draw draw = dpr__philox(seed, DPR__PURPOSE_LETTERS, stream, UINT64_C(1) << 32 | position);
    return &fonts->face[family->face[dpr__below(draw.word[0], family->n_faces)]];
}

/* Copies one image to its place on the sheet. */
static void place_cell(uint8_t *sheet, size_t width, size_t x, size_t y, const uint8_t *cell,
                       size_t side) {
    for (size_t row = 0; row < side; row++)
        memcpy(sheet + (y + row) * width + x, cell + row * side, side);
}

static void draw_sheet(const dpr__fonts *fonts, dpr__renderer *renderer, uint64_t seed,
                       uint32_t side, uint8_t *cell, uint8_t *sheet, size_t width) {
    static const dpr_half HALVES[] = {DPR_TRAIN, DPR_TEST};
    size_t y = GAP;
    for (size_t h = 0; h < 2; h++, y += HALF_GAP - GAP)
        for (uint32_t letter = 0; letter < DPR__LETTERS; letter++, y += side + GAP)
            for (uint32_t column = 0; column < COLUMNS; column++) {
                uint32_t stream = DPR__STREAM_SHEET + (uint32_t)HALVES[h];
                const dpr__face *face = draw_face(fonts, seed, stream, HALVES[h], column);
                dpr__letter_draw(renderer, face, letter, seed, stream, letter * COLUMNS + column,
                                 side, cell);
                place_cell(sheet, width, GAP + (size_t)column * (side + GAP), y, cell, side);
            }
}

dpr_status dpr__letters_sheet(const dpr__fonts *fonts, dpr__renderer *renderer, const char *out,
                              const dpr_letters_options *options) {
    size_t side = options->side;
    size_t width = GAP + COLUMNS * (side + GAP);
    size_t height = HALF_GAP + GAP + 2 * DPR__LETTERS * (side + GAP) - GAP + GAP;
    uint8_t *sheet, *cell;
    DPR_TRY(dpr__allocate(fonts->context, width * height + side * side, 1, &sheet));
    cell = sheet + width * height;
    memset(sheet, GROUND, width * height);
    draw_sheet(fonts, renderer, options->seed, options->side, cell, sheet, width);
    dpr_status status = write_png(fonts, out, "contact-sheet.png", sheet,
                                  dpr_shape_of((int64_t)height, (int64_t)width, 1));
    dpr__free(fonts->context, sheet);
    return status;
}

dpr_status dpr__letters_examples(const dpr__fonts *fonts, dpr__renderer *renderer, const char *out,
                                 const dpr_letters_options *options) {
    static const char LETTERS[EXAMPLES] = {'A', 'C', 'G'};
    size_t side = options->side;
    char *directory;
    uint8_t *pixels;
    DPR_TRY(dpr__path_join(fonts->context, out, "examples", &directory));
    dpr_status status = dpr__directories_make(fonts->context, directory);
    if (status == DPR_OK)
        status = dpr__allocate(fonts->context, side, side, &pixels);
    if (status == DPR_OK) {
        for (uint32_t i = 0; status == DPR_OK && i < EXAMPLES; i++) {
            char name[] = "?.png";
            name[0] = LETTERS[i];
            const dpr__face *face =
                draw_face(fonts, options->seed, DPR__STREAM_EXAMPLE, DPR_TEST, i);
            dpr__letter_draw(renderer, face, (uint32_t)(LETTERS[i] - 'A'), options->seed,
                             DPR__STREAM_EXAMPLE, i, options->side, pixels);
            status = write_png(fonts, directory, name, pixels,
                               dpr_shape_of((int64_t)side, (int64_t)side, 1));
        }
        dpr__free(fonts->context, pixels);
    }
    dpr__free(fonts->context, directory);
    return status;
}

dpr_status dpr__letters_list(const dpr__fonts *fonts, const char *out) {
    dpr__text text;
    char *list, *path;
    dpr__text_init(&text, fonts->context);
    dpr__text_add(&text, "# half\tfaces\tfamily (names joined by = are clones)\n");
    for (uint32_t i = 0; i < fonts->n_families; i++) {
        const dpr__family *family = &fonts->family[i];
        dpr__text_add(&text, "%s\t%u\t%s\n", family->half == DPR_TEST ? "test" : "train",
                      (unsigned)family->n_faces, family->name);
    }
    DPR_TRY(dpr__text_finish(&text, &list));
    dpr_status status = dpr__path_join(fonts->context, out, "fonts.txt", &path);
    if (status == DPR_OK) {
        status = dpr__file_write(fonts->context, path, list, strlen(list));
        dpr__free(fonts->context, path);
    }
    dpr__free(fonts->context, list);
    return status;
}
