/* Glyph outlines and their drawings, by FreeType; the only file that knows it.
 *
 * Outlines are read once in font units and drawn without FreeType's scaling, hinting or bitmaps: we
 * map the points ourselves and use only its exact-coverage rasteriser, which is integer arithmetic
 * and gives the same pixels on every machine. FreeType takes its memory from the context. */
#include "data/letters.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_BBOX_H
#include FT_MODULE_H
#include FT_OUTLINE_H
#include FT_SYSTEM_H
#include FT_TRUETYPE_TABLES_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_POINTS = 32767,          /* FreeType counts points in a short */
    MAX_FACES = 256,             /* of one file; more is a hostile header */
    MAX_BLOCK_BYTES = 128 << 20, /* one allocation; more is a hostile header */
    NORMAL_EXTENT = 1 << 14,     /* ink is measured at this size */
    PANOSE_SYMBOL = 5,           /* OS/2 bFamilyType: "Latin symbol" */
};

struct dpr__renderer {
    dpr_context *context;
    struct FT_MemoryRec_ memory;
    FT_Library library;
    FT_Vector *point; /* MAX_POINTS, of the glyph being drawn */
    bool out_of_memory;
};

/* ---- memory ------------------------------------------------------------------------------- */

static void *memory_allocate(FT_Memory memory, long bytes) {
    dpr__renderer *renderer = memory->user;
    void *block = NULL;
    if (bytes < 0 || bytes > MAX_BLOCK_BYTES)
        return NULL;
    if (dpr__allocate(renderer->context, (size_t)bytes, 1, &block) != DPR_OK) {
        renderer->out_of_memory = true;
        return NULL;
    }
    return block;
}

static void memory_free(FT_Memory memory, void *block) {
    dpr__renderer *renderer = memory->user;
    dpr__free(renderer->context, block);
}

static void *memory_resize(FT_Memory memory, long old_bytes, long new_bytes, void *block) {
    void *moved = memory_allocate(memory, new_bytes);
    if (moved && block) {
        memcpy(moved, block, (size_t)(old_bytes < new_bytes ? old_bytes : new_bytes));
        memory_free(memory, block);
    }
    return moved;
}

dpr_status dpr__renderer_create(dpr_context *context, dpr__renderer **out) {
    dpr__renderer *renderer;
    DPR_TRY(dpr__allocate(context, 1, sizeof *renderer, &renderer));
    renderer->context = context;
    renderer->memory = (struct FT_MemoryRec_){
        .user = renderer, .alloc = memory_allocate, .free = memory_free, .realloc = memory_resize};
    dpr_status status =
        dpr__allocate(context, MAX_POINTS, sizeof *renderer->point, &renderer->point);
    if (status == DPR_OK && FT_New_Library(&renderer->memory, &renderer->library))
        status = DPR_FAIL(context, DPR_E_MEMORY, "FreeType could not be started");
    if (status == DPR_OK)
        FT_Add_Default_Modules(renderer->library);
    if (status == DPR_OK && renderer->out_of_memory)
        status = DPR_E_MEMORY;
    if (status != DPR_OK) {
        dpr__renderer_destroy(renderer);
        return status;
    }
    *out = renderer;
    return DPR_OK;
}

void dpr__renderer_destroy(dpr__renderer *renderer) {
    if (!renderer)
        return;
    if (renderer->library)
        FT_Done_Library(renderer->library);
    dpr__free(renderer->context, renderer->point);
    dpr__free(renderer->context, renderer);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Far outside any sound font, and small enough for the sums that follow. */
static int32_t coordinate(FT_Pos value) {
    const FT_Pos limit = 1 << 24;
    return (int32_t)(value < -limit ? -limit : value > limit ? limit : value);
}

/* Copies the glyph in the face's slot. */
static dpr_status copy_outline(dpr__arena *arena, const FT_Outline *source, dpr__outline *outline) {
    uint32_t n_points = (uint32_t)source->n_points, n_contours = (uint32_t)source->n_contours;
    outline->xy = dpr__arena_allocate(arena, (n_points + 1) * 2 * sizeof *outline->xy);
    outline->tags = dpr__arena_allocate(arena, n_points + 1);
    outline->ends = dpr__arena_allocate(arena, (n_contours + 1) * sizeof *outline->ends);
    if (!outline->xy || !outline->tags || !outline->ends)
        return DPR_E_MEMORY;
    for (uint32_t i = 0; i < n_points; i++) {
        outline->xy[2 * i] = coordinate(source->points[i].x);
        outline->xy[2 * i + 1] = coordinate(source->points[i].y);
        outline->tags[i] = (unsigned char)source->tags[i];
    }
    for (uint32_t i = 0; i < n_contours; i++)
        outline->ends[i] = (uint16_t)source->contours[i];
    outline->even_odd = (source->flags & FT_OUTLINE_EVEN_ODD_FILL) != 0;
    outline->n_points = n_points;
    outline->n_contours = n_contours;
    return DPR_OK;
}

/* The glyph as an outline; *loaded false when the font has none that is sound. */
static dpr_status read_glyph(FT_Face face, FT_UInt glyph, dpr__arena *arena, dpr__outline *outline,
                             bool *loaded) {
    *loaded = false;
    if (FT_Load_Glyph(face, glyph, FT_LOAD_NO_SCALE) != 0 ||
        face->glyph->format != FT_GLYPH_FORMAT_OUTLINE)
        return DPR_OK;
    FT_Outline *source = &face->glyph->outline;
    if (FT_Outline_Check(source) != 0)
        return DPR_OK;
    *loaded = true;
    return copy_outline(arena, source, outline);
}

/* Symbol fonts put pictures where letters are: they say so by their encoding, by PANOSE, or in
 * their name. */
static const char *refusal(FT_Face face) {
    if (!FT_IS_SCALABLE(face))
        return "a bitmap font";
    if (FT_Select_Charmap(face, FT_ENCODING_UNICODE) != 0)
        return "a symbol font (no Unicode encoding)";
    const TT_OS2 *os2 = FT_Get_Sfnt_Table(face, FT_SFNT_OS2);
    if (os2 && os2->version != 0xFFFF && os2->panose[0] == PANOSE_SYMBOL)
        return "a symbol font (by its PANOSE number)";
    if (face->family_name && dpr__family_is_symbol(face->family_name))
        return "a symbol font (by its name)";
    for (uint32_t i = 0; i < DPR__LETTERS; i++)
        if (FT_Get_Char_Index(face, 'A' + i) == 0)
            return "a letter is missing";
    return NULL;
}

static dpr_status read_face(FT_Face source, dpr__arena *arena, dpr__face *face, const char **why) {
    const char *family = source->family_name ? source->family_name : "";
    const char *style = source->style_name ? source->style_name : "";
    bool loaded;
    *why = refusal(source);
    if (*why)
        return DPR_OK;
    face->family = dpr__arena_text(arena, family, strlen(family));
    face->style = dpr__arena_text(arena, style, strlen(style));
    if (!face->family || !face->style)
        return DPR_E_MEMORY;
    for (uint32_t i = 0; i < DPR__LETTERS; i++) {
        FT_UInt glyph = FT_Get_Char_Index(source, 'A' + i);
        DPR_TRY(read_glyph(source, glyph, arena, &face->letter[i], &loaded));
        if (!loaded) {
            *why = "a letter is broken";
            return DPR_OK;
        }
    }
    return read_glyph(source, 0, arena, &face->notdef, &loaded);
}

dpr_status dpr__renderer_read(dpr__renderer *renderer, const uint8_t *bytes, size_t n,
                              uint32_t index, dpr__arena *arena, dpr__face *face, uint32_t *n_faces,
                              const char **why) {
    FT_Face source = NULL;
    *n_faces = 0;
    *why = "not a font file, or a broken one";
    FT_Error error =
        FT_New_Memory_Face(renderer->library, bytes, (FT_Long)n, (FT_Long)index, &source);
    dpr_status status = DPR_OK;
    if (!error) {
        *n_faces = (uint32_t)(source->num_faces < MAX_FACES ? source->num_faces : MAX_FACES);
        face->index = index;
        status = read_face(source, arena, face, why);
        FT_Done_Face(source);
    }
    /* The hook's failure left its message; a font is not to blame for it. */
    return renderer->out_of_memory ? DPR_E_MEMORY : status;
}

/* ---- drawing ------------------------------------------------------------------------------ */

/* Points = scale · linear · xy + offset, rounded. */
static void map_points(const dpr__outline *outline, const double linear[4], double scale,
                       double offset_x, double offset_y, FT_Vector *out) {
    for (uint32_t i = 0; i < outline->n_points; i++) {
        double x = outline->xy[2 * i], y = outline->xy[2 * i + 1];
        out[i].x = lround(scale * (linear[0] * x + linear[1] * y) + offset_x);
        out[i].y = lround(scale * (linear[2] * x + linear[3] * y) + offset_y);
    }
}

static double clamp(double value, double limit) {
    return value < -limit ? -limit : value > limit ? limit : value;
}

/* Puts the outline's ink into the frame, in FreeType's 1/64 pixels. */
static bool fit_outline(const dpr__outline *outline, const dpr__pose *pose, uint32_t side,
                        FT_Outline *shape) {
    int32_t extent = 1;
    FT_BBox ink;
    for (uint32_t i = 0; i < 2 * outline->n_points; i++) {
        int32_t distance = abs(outline->xy[i]);
        extent = distance > extent ? distance : extent;
    }
    double normal = (double)NORMAL_EXTENT / extent;
    map_points(outline, pose->linear, normal, 0, 0, shape->points);
    /* The exact box of the curves: control points may lie outside the ink. */
    if (FT_Outline_Get_BBox(shape, &ink) != 0)
        return false;
    double width = (double)(ink.xMax - ink.xMin), height = (double)(ink.yMax - ink.yMin);
    double longer = width > height ? width : height, frame = 64.0 * side;
    if (!(longer > 0))
        return false;
    double scale = pose->fill * frame / longer;
    double x = 64 * clamp(pose->shift[0], (frame - scale * width) / 128);
    double y = 64 * clamp(pose->shift[1], (frame - scale * height) / 128);
    map_points(outline, pose->linear, normal * scale,
               frame / 2 + x - scale * (double)(ink.xMin + ink.xMax) / 2,
               frame / 2 + y - scale * (double)(ink.yMin + ink.yMax) / 2, shape->points);
    return true;
}

uint8_t dpr__renderer_draw(dpr__renderer *renderer, const dpr__outline *outline,
                           const dpr__pose *pose, uint32_t side, uint8_t *pixels) {
    FT_Outline shape = {.points = renderer->point};
    uint8_t brightest = 0;
    memset(pixels, 0, (size_t)side * side);
    if (outline->n_points == 0)
        return 0;
    /* Through void *: the types of these fields differ between FreeType versions. */
    shape.tags = (void *)outline->tags;
    shape.contours = (void *)outline->ends;
    shape.n_points = (short)outline->n_points;
    shape.n_contours = (short)outline->n_contours;
    shape.flags = outline->even_odd ? FT_OUTLINE_EVEN_ODD_FILL : 0;
    if (!fit_outline(outline, pose, side, &shape))
        return 0;
    FT_Bitmap bitmap = {.rows = side,
                        .width = side,
                        .pitch = (int)side,
                        .buffer = pixels,
                        .num_grays = 256,
                        .pixel_mode = FT_PIXEL_MODE_GRAY};
    if (FT_Outline_Get_Bitmap(renderer->library, &shape, &bitmap) != 0)
        return 0;
    for (size_t i = 0; i < (size_t)side * side; i++)
        brightest = pixels[i] > brightest ? pixels[i] : brightest;
    return brightest;
}
