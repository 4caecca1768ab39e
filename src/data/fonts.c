/* Finds font files and keeps the faces that can serve: all ten letters there, with ink, and no two
 * alike. A broken file is counted and passed over; it never stops the search. */
#include "base/context.h"
#include "base/file.h"
#include "base/sha256.h"
#include "data/letters.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    MAX_DEPTH = 32,            /* of directories */
    MAX_FILE_BYTES = 64 << 20, /* the largest fonts for Chinese have 30 MB */
    FAINTEST = 80,             /* a glyph whose brightest pixel is darker is hard to see */
    /* Two letters of one face, or a letter and the missing-glyph sign, are the same drawing when they
     * differ by less than this (1/256 of a grey level). E and F in the thinnest fonts differ by 4. */
    SAME_LETTER = 2 * 256,
};

/* Upright and as large as the frame: how glyphs are compared. */
static const dpr__pose UPRIGHT = {.linear = {1, 0, 0, 1}, .fill = 1};

typedef struct font_search {
    dpr__fonts *fonts;
    dpr__renderer *renderer;
    uint8_t *look; /* DPR__LETTERS + 1 drawings of the face at hand; the last is .notdef */
} font_search;

uint32_t dpr__look_distance(const uint8_t *a, const uint8_t *b, size_t n) {
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint32_t)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
    return (uint32_t)((uint64_t)sum * 256 / n);
}

/* ---- faces -------------------------------------------------------------------------------- */

/* NULL when the ten drawings in search->look show ten different letters. */
static const char *inspect(font_search *search, const dpr__face *face) {
    const uint8_t *notdef = search->look + DPR__LETTERS * DPR__LOOK_BYTES;
    bool has_notdef = dpr__renderer_draw(search->renderer, &face->notdef, &UPRIGHT, DPR__LOOK_SIDE,
                                         search->look + DPR__LETTERS * DPR__LOOK_BYTES) > 0;
    for (uint32_t i = 0; i < DPR__LETTERS; i++) {
        uint8_t *look = search->look + i * DPR__LOOK_BYTES;
        if (dpr__renderer_draw(search->renderer, &face->letter[i], &UPRIGHT, DPR__LOOK_SIDE, look) <
            FAINTEST)
            return "a letter has no ink, or too little to be seen";
        for (uint32_t other = 0; other < i; other++)
            if (dpr__look_distance(look, search->look + other * DPR__LOOK_BYTES, DPR__LOOK_BYTES) <
                SAME_LETTER)
                return "two letters look the same";
        if (has_notdef && dpr__look_distance(look, notdef, DPR__LOOK_BYTES) < SAME_LETTER)
            return "a letter looks like the missing-glyph sign";
    }
    return NULL;
}

static dpr_status keep_face(font_search *search, dpr__face *face) {
    dpr__fonts *fonts = search->fonts;
    size_t bytes = (size_t)DPR__LETTERS * DPR__LOOK_BYTES;
    face->look = dpr__arena_allocate(&fonts->arena, bytes);
    if (!face->look)
        return DPR_E_MEMORY;
    memcpy(face->look, search->look, bytes);
    DPR_TRY(dpr__family_key(&fonts->arena, face->family, &face->key));
    DPR_TRY(dpr__grow(fonts->context, &fonts->face, &fonts->face_capacity, fonts->n_faces + 1,
                      sizeof *fonts->face));
    fonts->face[fonts->n_faces++] = *face;
    return DPR_OK;
}

static dpr_status load_faces(font_search *search, const char *path, const uint8_t *bytes,
                             size_t n) {
    dpr__fonts *fonts = search->fonts;
    dpr__sha256 hash;
    dpr__face face = {.index = 0};
    uint32_t n_faces = 1;
    dpr__sha256_init(&hash);
    dpr__sha256_add(&hash, bytes, n);
    dpr__sha256_finish(&hash, face.digest);
    for (uint32_t index = 0; index < n_faces; index++) {
        const char *why;
        uint32_t found;
        DPR_TRY(dpr__renderer_read(search->renderer, bytes, n, index, &fonts->arena, &face, &found,
                                   &why));
        if (index == 0) {
            fonts->broken += found == 0;
            n_faces = found;
        }
        if (!why)
            why = inspect(search, &face);
        if (why) {
            fonts->rejected++;
            dpr__log(fonts->context, DPR_LOG_DEBUG, DPR__TOPIC_DATA, "%s: face %u not used: %s",
                     path, (unsigned)index, why);
        } else {
            DPR_TRY(keep_face(search, &face));
        }
    }
    return DPR_OK;
}

/* ---- files -------------------------------------------------------------------------------- */

static bool is_font_name(const char *name) {
    static const char *const ENDINGS[] = {"ttf", "otf", "ttc", "otc", "pfb", "pfa"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ENDINGS / sizeof *ENDINGS; i++)
        if (strcasecmp(dot + 1, ENDINGS[i]) == 0)
            return true;
    return false;
}

static dpr_status load_file(font_search *search, const char *path) {
    dpr__fonts *fonts = search->fonts;
    uint8_t *bytes = NULL;
    size_t n = 0;
    fonts->files++;
    dpr_status status = dpr__file_read(fonts->context, path, MAX_FILE_BYTES, &bytes, &n);
    if (status == DPR_E_MEMORY)
        return status;
    if (status != DPR_OK) {
        fonts->broken++;
        fonts->rejected++;
        dpr__log(fonts->context, DPR_LOG_DEBUG, DPR__TOPIC_DATA, "not used: %s",
                 dpr_error(fonts->context));
        return DPR_OK;
    }
    status = load_faces(search, path, bytes, n);
    dpr__free(fonts->context, bytes);
    return status;
}

static dpr_status walk(font_search *search, const char *path, unsigned depth);

/* Links to files are followed, links to directories are not: they may lead in circles. */
static dpr_status visit(font_search *search, const char *directory, const char *name,
                        unsigned depth) {
    struct stat link, target;
    char *path;
    dpr_status status = DPR_OK;
    DPR_TRY(dpr__path_join(search->fonts->context, directory, name, &path));
    if (lstat(path, &link) == 0 && S_ISDIR(link.st_mode))
        status = depth < MAX_DEPTH ? walk(search, path, depth + 1) : DPR_OK;
    else if (is_font_name(name) && stat(path, &target) == 0 && S_ISREG(target.st_mode))
        status = load_file(search, path);
    dpr__free(search->fonts->context, path);
    return status;
}

/* A directory inside that cannot be read is passed over; the one that was asked for is not. */
static dpr_status walk(font_search *search, const char *path, unsigned depth) {
    dpr_context *context = search->fonts->context;
    DIR *directory = opendir(path);
    const struct dirent *entry;
    dpr_status status = DPR_OK;
    if (!directory && depth > 0) {
        dpr__log(context, DPR_LOG_WARNING, DPR__TOPIC_DATA, "%s: fonts not read: %s", path,
                 strerror(errno));
        return DPR_OK;
    }
    if (!directory)
        return DPR_FAIL(context, DPR_E_IO, "%s: cannot look for fonts there: %s", path,
                        strerror(errno));
    while (status == DPR_OK && (entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = visit(search, path, entry->d_name, depth);
    closedir(directory);
    return status;
}

/* Where systems and users install fonts; a place that does not exist has none. */
static dpr_status walk_installed(font_search *search) {
    static const char *const PLACES[] = {
        "/usr/share/fonts",
        "/usr/local/share/fonts",
        "/Library/Fonts",
        "/System/Library/Fonts",
    };
    static const char *const HOME_PLACES[] = {".fonts", ".local/share/fonts", "Library/Fonts"};
    const char *home = getenv("HOME");
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++)
        if (dpr__is_directory(PLACES[i]))
            DPR_TRY(walk(search, PLACES[i], 0));
    for (size_t i = 0; home && *home && i < sizeof HOME_PLACES / sizeof *HOME_PLACES; i++) {
        char *path;
        DPR_TRY(dpr__path_join(search->fonts->context, home, HOME_PLACES[i], &path));
        dpr_status status = dpr__is_directory(path) ? walk(search, path, 0) : DPR_OK;
        dpr__free(search->fonts->context, path);
        DPR_TRY(status);
    }
    return DPR_OK;
}

dpr_status dpr__fonts_load(dpr_context *context, const char *const *dirs, dpr__renderer *renderer,
                           dpr__fonts *fonts) {
    font_search search = {.fonts = fonts, .renderer = renderer};
    *fonts = (dpr__fonts){.context = context};
    dpr__arena_init(&fonts->arena, context);
    dpr_status status = dpr__allocate(context, DPR__LETTERS + 1, DPR__LOOK_BYTES, &search.look);
    if (status == DPR_OK && !dirs)
        status = walk_installed(&search);
    for (; status == DPR_OK && dirs && *dirs; dirs++)
        status = walk(&search, *dirs, 0);
    dpr__free(context, search.look);
    if (status != DPR_OK)
        dpr__fonts_release(fonts);
    return status;
}

void dpr__fonts_release(dpr__fonts *fonts) {
    if (!fonts->context)
        return;
    dpr__free(fonts->context, fonts->face);
    dpr__free(fonts->context, fonts->family);
    dpr__arena_release(&fonts->arena);
    *fonts = (dpr__fonts){.context = NULL};
}
