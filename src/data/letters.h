/* The letters data set: A–J rendered from many fonts, training and test halves without a common family.
 *
 * Fonts are known by their content: nothing here depends on file names or on the order of a
 * directory, so the same fonts and the same seed give the same bytes. */
#ifndef DPR_DATA_LETTERS_H
#define DPR_DATA_LETTERS_H

#include "base/memory.h"
#include <deeper/tools.h>

enum {
    DPR__LETTERS = 10,
    DPR__LOOK_SIDE = 32, /* pixels of the drawings by which glyphs are compared */
    DPR__LOOK_BYTES = DPR__LOOK_SIDE * DPR__LOOK_SIDE,
};

/* ---- drawing: letters_render.c, or absent/letters_render_absent.c where FreeType is missing ---- */

/* One glyph in font units: closed contours of lines and Bézier curves, y upwards. */
typedef struct dpr__outline {
    uint32_t n_points, n_contours;
    bool even_odd;       /* the fill rule: even-odd, else non-zero winding */
    int32_t *xy;         /* (n_points, 2) */
    unsigned char *tags; /* n_points: on the curve or a control point, as FreeType has them */
    uint16_t *ends;      /* n_contours: the last point of each */
} dpr__outline;

typedef struct dpr__face {
    const char *family, *style; /* as the font says */
    const char *key;            /* the family, normalised: dpr__family_key */
    uint8_t digest[32];         /* of the file */
    uint32_t index;             /* of the face in the file */
    uint32_t family_id;         /* into dpr__fonts.family */
    dpr__outline letter[DPR__LETTERS];
    dpr__outline notdef; /* what the font draws for a missing character; may be empty */
    uint8_t *look;       /* (DPR__LETTERS, DPR__LOOK_SIDE, DPR__LOOK_SIDE): drawn upright */
} dpr__face;

/* How a glyph is laid into its frame: its ink, bent by `linear` (row-major 2×2), is scaled until its
 * longer side is `fill` of the frame, centred, and moved by `shift` pixels as far as ink stays in. */
typedef struct dpr__pose {
    double linear[4];
    double fill;
    double shift[2];
} dpr__pose;

typedef struct dpr__renderer dpr__renderer;

/* Errors: DPR_E_UNSUPPORTED in a build without FreeType. */
dpr_status dpr__renderer_create(dpr_context *context, dpr__renderer **out);
void dpr__renderer_destroy(dpr__renderer *renderer);
/* Reads face `index` of a font file's bytes: names and outlines, kept in `arena`. *why is NULL, or the
 * reason why this face cannot be used. *n_faces is how many the file has (0: not a font). */
dpr_status dpr__renderer_read(dpr__renderer *renderer, const uint8_t *bytes, size_t n,
                              uint32_t index, dpr__arena *arena, dpr__face *face, uint32_t *n_faces,
                              const char **why);
/* Draws white on black, anti-aliased; returns the brightest pixel (0: no ink). pixels: (side, side). */
uint8_t dpr__renderer_draw(dpr__renderer *renderer, const dpr__outline *outline,
                           const dpr__pose *pose, uint32_t side, uint8_t *pixels);

/* ---- fonts: fonts.c and fonts_family.c ------------------------------------------------------- */

/* Families that must stay in one half: the same normalised name, or clones of each other. */
typedef struct dpr__family {
    const char *name;     /* the member names, joined by " = " */
    const char *key;      /* of its first face */
    const uint32_t *face; /* n_faces indices into dpr__fonts.face */
    uint32_t n_faces;
    dpr_half half; /* DPR_TRAIN or DPR_TEST */
} dpr__family;

typedef struct dpr__fonts {
    dpr_context *context;
    dpr__arena arena; /* everything that faces and families point to */
    dpr__face *face;
    size_t n_faces, face_capacity;
    dpr__family *family;
    uint32_t n_families;
    const dpr__family **half[DPR_TEST + 1]; /* the families of each half, in family's order */
    uint32_t n_half[DPR_TEST + 1];
    size_t files;    /* font files that were looked at */
    size_t broken;   /* of them, not readable as a font */
    size_t rejected; /* faces that cannot be used, broken files included */
} dpr__fonts;

/* Finds the usable faces below the directories (NULL: where systems install fonts), sorted by
 * content. Errors: DPR_E_IO for a given directory that cannot be read. Broken files are counted. */
dpr_status dpr__fonts_load(dpr_context *context, const char *const *dirs, dpr__renderer *renderer,
                           dpr__fonts *fonts);
void dpr__fonts_release(dpr__fonts *fonts);

/* The family name without what tells its members apart (weight, width, slant, optical size, foundry,
 * numbers), lower case, without spaces: "DejaVu Sans Condensed Bold" is "dejavusans". */
dpr_status dpr__family_key(dpr__arena *arena, const char *family, const char **key);
/* Whether the name is that of a symbol font. */
bool dpr__family_is_symbol(const char *family);
/* Sorts faces, drops those that occur twice, groups them into families, joins clones, and gives every
 * fifth family, by a hash of its name and the seed, to the test half. */
dpr_status dpr__fonts_group(dpr__fonts *fonts, uint64_t seed);

/* Mean absolute difference of two drawings, in 1/256 of a grey level. */
uint32_t dpr__look_distance(const uint8_t *a, const uint8_t *b, size_t n);

/* ---- images: letters.c and letters_sheet.c --------------------------------------------------- */

/* Streams of DPR__PURPOSE_LETTERS; the first two are dpr_half. */
enum {
    DPR__STREAM_FACE = 8,
    DPR__STREAM_ORDER = 16, /* + half */
    DPR__STREAM_SPLIT = 24,
    DPR__STREAM_SHEET = 32, /* + half */
    DPR__STREAM_EXAMPLE = 40,
};

/* Draws a letter of a face with the jitter that belongs to (seed, stream, index). */
void dpr__letter_draw(dpr__renderer *renderer, const dpr__face *face, uint32_t letter,
                      uint64_t seed, uint32_t stream, uint64_t index, uint32_t side,
                      uint8_t *pixels);

/* contact-sheet.png, examples/ and fonts.txt in directory `out`. */
dpr_status dpr__letters_sheet(const dpr__fonts *fonts, dpr__renderer *renderer, const char *out,
                              const dpr_letters_options *options);
dpr_status dpr__letters_examples(const dpr__fonts *fonts, dpr__renderer *renderer, const char *out,
                                 const dpr_letters_options *options);
dpr_status dpr__letters_list(const dpr__fonts *fonts, const char *out);

/* "out/name" with directories made on the way, for the caller to dpr__free. */
dpr_status dpr__path_join(dpr_context *context, const char *out, const char *name, char **path);
dpr_status dpr__directories_make(dpr_context *context, const char *path);

#endif
