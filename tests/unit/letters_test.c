/* The letters data set, from fonts that this test makes itself: TrueType files whose letters are
 * patterns of squares, so that what is sound, doubled, missing or a clone is known. */
#include "base/context.h"
#include "base/file.h"
#include "data/letters.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { SKIPPED = 77, MAX_FONT = 1 << 16, GOOD_FAMILIES = 12 };

/* ---- a font maker -------------------------------------------------------------------------- */

typedef struct test_font {
    const char *family, *style;
    uint32_t design;    /* decides the patterns of all letters */
    uint32_t n_letters; /* 9: J is missing */
    int empty,
        doubled; /* a letter without ink; a letter that looks like the one before (−1: none) */
    bool symbol; /* encoded as a symbol font */
} test_font;

typedef struct file_bytes {
    uint8_t data[MAX_FONT];
    size_t n;
} file_bytes;

static void put16(file_bytes *out, uint32_t value) {
    assert_true(out->n + 2 <= MAX_FONT);
    out->data[out->n++] = (uint8_t)(value >> 8);
    out->data[out->n++] = (uint8_t)value;
}

static void put32(file_bytes *out, uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xFFFF);
}

/* A pattern of 5 × 5 squares; the outer ones are set, so that all glyphs have the same frame. */
static uint32_t pattern(uint32_t design, uint32_t letter) {
    uint32_t x = design * 2654435761u + letter * 40503u + 12345u;
    for (int i = 0; i < 4; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
    }
    return (x & 0x1FFFFFF) | 1 | 1 << 24;
}

/* glyf: one contour of four points for each square. */
static void put_glyph(file_bytes *out, uint32_t squares) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < 25; i++)
        n += squares >> i & 1;
    if (n == 0)
        return;
    put16(out, n);
    put16(out, 0), put16(out, 0), put16(out, 1000), put16(out, 1000);
    for (uint32_t i = 0; i < n; i++)
        put16(out, 4 * i + 3);
    put16(out, 0); /* no instructions */
    for (uint32_t i = 0; i < 2 * n; i++)
        put16(out, 0x0101); /* flags of two points: on the curve, 16-bit coordinates */
    for (int axis = 0; axis < 2; axis++)
        for (uint32_t i = 0, last = 0; i < 25; i++)
            for (uint32_t point = 0; (squares >> i & 1) && point < 4; point++) {
                static const uint32_t CORNER[2][4] = {{0, 0, 1, 1}, {0, 1, 1, 0}};
                uint32_t at = 200 * ((axis ? i / 5 : i % 5) + CORNER[axis][point]);
                put16(out, at - last);
                last = at;
            }
}

static void put_cmap(file_bytes *out, const test_font *font) {
    uint32_t first = font->symbol ? 0xF041 : 0x41;
    put16(out, 0), put16(out, 1);
    put16(out, 3), put16(out, font->symbol ? 0 : 1), put32(out, 12);
    put16(out, 4), put16(out, 32), put16(out, 0);
    put16(out, 4), put16(out, 4), put16(out, 1), put16(out, 0); /* two segments */
    put16(out, first + font->n_letters - 1), put16(out, 0xFFFF), put16(out, 0);
    put16(out, first), put16(out, 0xFFFF);
    put16(out, 1 - first), put16(out, 1); /* glyph = character + this */
    put16(out, 0), put16(out, 0);
}

static void put_names(file_bytes *out, const test_font *font) {
    const char *text[] = {font->family, font->style};
    put16(out, 0), put16(out, 2), put16(out, 30);
    uint32_t offset = 0;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t n = 2 * (uint32_t)strlen(text[i]);
        put16(out, 3), put16(out, 1), put16(out, 0x409), put16(out, i + 1);
        put16(out, n), put16(out, offset);
        offset += n;
    }
    for (uint32_t i = 0; i < 2; i++)
        for (const char *c = text[i]; *c; c++)
            put16(out, (uint8_t)*c);
}

/* head, hhea and maxp: mostly zeros. */
static void put_head(file_bytes *out) {
    put32(out, 0x10000), put32(out, 0), put32(out, 0), put32(out, 0x5F0F3CF5);
    put16(out, 0), put16(out, 1000);
    for (int i = 0; i < 4; i++)
        put32(out, 0);
    put16(out, 0), put16(out, 0), put16(out, 1000), put16(out, 1000);
    put16(out, 0), put16(out, 8), put16(out, 2), put16(out, 1), put16(out, 0); /* long loca */
}

static void put_hhea(file_bytes *out) {
    put32(out, 0x10000), put16(out, 1000), put16(out, 0), put16(out, 0), put16(out, 1000);
    for (int i = 0; i < 11; i++)
        put16(out, 0);
    put16(out, 1);
}

static void put_maxp(file_bytes *out, uint32_t n_glyphs) {
    put32(out, 0x10000), put16(out, n_glyphs), put16(out, 100), put16(out, 25);
    for (int i = 0; i < 11; i++)
        put16(out, i == 2 ? 1 : 0);
}

/* The whole file: a directory of tables, sorted by tag, then the tables. */
static void make_font(const test_font *font, file_bytes *out) {
    static const char TAGS[][5] = {"cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "name"};
    enum { N = 8 };
    static file_bytes table[N];
    memset(table, 0, sizeof table);
    put_cmap(&table[0], font);
    put32(&table[5], 0);
    for (uint32_t glyph = 0; glyph <= DPR__LETTERS; glyph++) {
        uint32_t letter = glyph - 1;
        if (font->doubled >= 0 && letter == (uint32_t)font->doubled)
            letter--;
        uint32_t squares = glyph == 0 ? 0x1F8C63F : pattern(font->design, letter);
        put_glyph(&table[1], glyph > 0 && (int)glyph - 1 == font->empty ? 0 : squares);
        put32(&table[5], (uint32_t)table[1].n);
    }
    put_head(&table[2]);
    put_hhea(&table[3]);
    put16(&table[4], 1000), put16(&table[4], 0);
    for (int i = 0; i < DPR__LETTERS; i++)
        put16(&table[4], 0);
    put_maxp(&table[6], DPR__LETTERS + 1);
    put_names(&table[7], font);
    out->n = 0;
    put32(out, 0x10000), put16(out, N), put16(out, 128), put16(out, 3), put16(out, 0);
    uint32_t offset = 12 + 16 * N;
    for (int i = 0; i < N; i++) {
        memcpy(out->data + out->n, TAGS[i], 4);
        out->n += 4;
        put32(out, 0), put32(out, offset), put32(out, (uint32_t)table[i].n);
        offset += (uint32_t)(table[i].n + 3) / 4 * 4;
    }
    for (int i = 0; i < N; i++) {
        assert_true(out->n + table[i].n + 3 <= MAX_FONT);
        memcpy(out->data + out->n, table[i].data, table[i].n);
        out->n += table[i].n;
        while (out->n % 4)
            out->data[out->n++] = 0;
    }
}

/* ---- files -------------------------------------------------------------------------------- */

typedef struct fixture {
    char root[64];
    dpr_context *context;
    long live, until_failure; /* allocations; negative: none fails */
} fixture;

/* Good until sixteen calls later. */
static char *path_in(const fixture *f, const char *name) {
    static char path[16][512];
    static int turn;
    turn = (turn + 1) % 16;
    snprintf(path[turn], sizeof path[turn], "%s/%s", f->root, name);
    return path[turn];
}

static void write_bytes(const fixture *f, const char *name, const void *data, size_t n) {
    FILE *file = fopen(path_in(f, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void write_font(const fixture *f, const char *name, const test_font *font) {
    static file_bytes file;
    make_font(font, &file);
    write_bytes(f, name, file.data, file.n);
}

static size_t read_bytes(const fixture *f, const char *name, uint8_t **out) {
    size_t n = 0;
    assert_int_equal(dpr__file_read(f->context, path_in(f, name), 1 << 28, out, &n), DPR_OK);
    return n;
}

static void make_directory(const fixture *f, const char *name) {
    assert_int_equal(mkdir(path_in(f, name), 0777), 0);
}

static const test_font SOUND = {.style = "Regular", .n_letters = 10, .empty = -1, .doubled = -1};

/* GOOD_FAMILIES families, two faces each, in a directory, under names that sort by `order`. */
static void write_good(const fixture *f, const char *directory, uint32_t order) {
    for (uint32_t i = 0; i < 2 * GOOD_FAMILIES; i++) {
        char name[64], family[64];
        test_font font = SOUND;
        snprintf(family, sizeof family, "Testface %c%s", 'A' + (int)(i / 2), i % 2 ? " Bold" : "");
        snprintf(name, sizeof name, "%s/%u.ttf", directory, (unsigned)(i ^ order));
        font.family = family;
        font.design = i;
        write_font(f, name, &font);
    }
}

/* The context's memory, counted; the allocation at which until_failure reaches 0 fails. */
static void *counting(void *user, void *memory, size_t n) {
    fixture *f = user;
    if (n == 0) {
        f->live -= memory != NULL;
        free(memory);
        return NULL;
    }
    if (f->until_failure == 0 || (f->until_failure > 0 && --f->until_failure == 0))
        return NULL;
    f->live += memory == NULL;
    return realloc(memory, n);
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    dpr_context_options options = dpr_context_options_default();
    assert_non_null(f);
    strcpy(f->root, "/tmp/deeper-letters-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    f->until_failure = -1;
    options.allocate = counting;
    options.allocate_user = f;
    assert_int_equal(dpr_context_create(&options, &f->context), DPR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    char command[128];
    dpr_context_destroy(f->context);
    snprintf(command, sizeof command, "rm -rf '%s'", f->root);
    int failed = system(command);
    failed |= f->live != 0; /* nothing leaked */
    free(f);
    return failed;
}

static dpr_letters_options options_for(const char **dirs) {
    dpr_letters_options options = dpr_letters_options_default();
    options.font_dirs = dirs;
    options.train = 400;
    options.test = 100;
    return options;
}

/* ---- names -------------------------------------------------------------------------------- */

static void test_family_keys(void **state) {
    static const char *const CASES[][2] = {
        {"DejaVu Sans", "dejavusans"},
        {"DejaVu Sans Condensed Bold", "dejavusans"},
        {"DejaVu Sans Mono", "dejavusansmono"},
        {"FreeSansBoldOblique", "freesans"},
        {"Gillius ADF No2 Cond", "gillius"},
        {"LM Roman 10", "lm"},
        {"Lobster Two", "lobster"},
        {"Black", "black"},
        {"\xE6\x98\x8E", "unnamed"},
        {"", "unnamed"},
    };
    fixture *f = *state;
    dpr__arena arena;
    dpr__arena_init(&arena, f->context);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const char *key;
        assert_int_equal(dpr__family_key(&arena, CASES[i][0], &key), DPR_OK);
        assert_string_equal(key, CASES[i][1]);
    }
    char longest[4000];
    const char *key;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(dpr__family_key(&arena, longest, &key), DPR_OK);
    assert_true(strlen(key) < 200);
    dpr__arena_release(&arena);
}

static void test_symbol_names(void **state) {
    (void)state;
    assert_true(dpr__family_is_symbol("Standard Symbols PS"));
    assert_true(dpr__family_is_symbol("D050000L Dingbats"));
    assert_true(dpr__family_is_symbol("jsMath-msam10"));
    assert_false(dpr__family_is_symbol("Symbolic Sans"));
    assert_false(dpr__family_is_symbol(""));
}

/* ---- which fonts serve --------------------------------------------------------------------- */

static void load(fixture *f, const char *directory, dpr__fonts *fonts) {
    const char *dirs[] = {path_in(f, directory), NULL};
    dpr__renderer *renderer;
    assert_int_equal(dpr__renderer_create(f->context, &renderer), DPR_OK);
    assert_int_equal(dpr__fonts_load(f->context, dirs, renderer, fonts), DPR_OK);
    assert_int_equal(dpr__fonts_group(fonts, 1), DPR_OK);
    dpr__renderer_destroy(renderer);
}

static void test_bad_faces_are_dropped(void **state) {
    fixture *f = *state;
    dpr__fonts fonts;
    test_font bad = SOUND;
    static file_bytes file;
    bad.family = "Bad";
    bad.design = 99;
    make_directory(f, "fonts");
    write_good(f, "fonts", 0);
    bad.n_letters = 9;
    write_font(f, "fonts/missing.ttf", &bad);
    bad.n_letters = 10, bad.empty = 3;
    write_font(f, "fonts/empty.ttf", &bad);
    bad.empty = -1, bad.doubled = 8;
    write_font(f, "fonts/doubled.OTF", &bad);
    bad.doubled = -1, bad.symbol = true;
    write_font(f, "fonts/symbol.ttf", &bad);
    bad.symbol = false, bad.family = "Some Dingbats";
    write_font(f, "fonts/named.ttf", &bad);
    bad.family = "Bad";
    make_font(&bad, &file);
    write_bytes(f, "fonts/truncated.ttf", file.data, 300);
    write_bytes(f, "fonts/garbage.ttf", "This is not a font at all.", 26);
    write_bytes(f, "fonts/nothing.pfb", "", 0);
    write_bytes(f, "fonts/README", "not counted", 11);
    assert_int_equal(mkfifo(path_in(f, "fonts/pipe.ttf"), 0600), 0);
    load(f, "fonts", &fonts);
    assert_int_equal(fonts.files, 2 * GOOD_FAMILIES + 8);
    assert_int_equal(fonts.broken, 3);
    assert_int_equal(fonts.rejected, 8);
    assert_int_equal(fonts.n_faces, 2 * GOOD_FAMILIES);
    assert_int_equal(fonts.n_families, GOOD_FAMILIES);
    dpr__fonts_release(&fonts);
}

static void test_families_and_clones(void **state) {
    fixture *f = *state;
    dpr__fonts fonts;
    test_font font = SOUND;
    make_directory(f, "fonts");
    make_directory(f, "fonts/deeper");
    write_good(f, "fonts", 0);
    font.family = "Testface A"; /* the same file again: counts once */
    font.design = 0;
    write_font(f, "fonts/deeper/again.ttf", &font);
    font.family = "Klone"; /* the same letters under another name: one family */
    font.design = 6;
    write_font(f, "fonts/deeper/clone.ttf", &font);
    assert_int_equal(symlink(f->root, path_in(f, "fonts/circle")), 0);
    load(f, "fonts", &fonts);
    assert_int_equal(fonts.n_faces, 2 * GOOD_FAMILIES + 1);
    assert_int_equal(fonts.n_families, GOOD_FAMILIES);
    uint32_t clones = 0, test = 0;
    for (uint32_t i = 0; i < fonts.n_families; i++) {
        bool joined = strcmp(fonts.family[i].name, "klone = testfaced") == 0;
        clones += joined;
        test += fonts.family[i].half == DPR_TEST;
        assert_int_equal(fonts.family[i].n_faces, joined ? 3 : 2);
        for (uint32_t k = 0; k < fonts.family[i].n_faces; k++)
            assert_int_equal(fonts.face[fonts.family[i].face[k]].family_id, i);
    }
    assert_int_equal(clones, 1);
    assert_int_equal(test, 2);
    dpr__fonts_release(&fonts);
}

/* Whatever bytes a font file has, reading it ends with a reason or with outlines. */
static void test_hostile_bytes(void **state) {
    fixture *f = *state;
    static file_bytes file, bent;
    test_font font = SOUND;
    dpr__renderer *renderer;
    static uint8_t pixels[64 * 64];
    const dpr__pose upright = {.linear = {1, 0, 0, 1}, .fill = 1};
    font.family = "Testface";
    make_font(&font, &file);
    assert_int_equal(dpr__renderer_create(f->context, &renderer), DPR_OK);
    for (size_t i = 0; i < file.n; i++) {
        dpr__arena arena;
        dpr__face face = {.index = 0};
        uint32_t n_faces;
        const char *why;
        dpr__arena_init(&arena, f->context);
        bent = file;
        bent.data[i] ^= i % 3 ? 0xFF : 0x80;
        if (i % 5 == 0)
            bent.n = i;
        assert_int_equal(
            dpr__renderer_read(renderer, bent.data, bent.n, 0, &arena, &face, &n_faces, &why),
            DPR_OK);
        for (int letter = 0; !why && letter < DPR__LETTERS; letter++)
            dpr__renderer_draw(renderer, &face.letter[letter], &upright, 64, pixels);
        dpr__arena_release(&arena);
    }
    dpr__renderer_destroy(renderer);
}

/* ---- drawing ------------------------------------------------------------------------------ */

/* Ink is as large as the frame, and no jitter takes any of it away. */
static void test_ink_stays_in_the_frame(void **state) {
    static const double SHIFTS[] = {0, 5, -5};
    enum { SIDE = 30 };
    int32_t xy[] = {0, 0, 1000, 0, 1000, 400, 0, 400};
    unsigned char tags[] = {1, 1, 1, 1};
    uint16_t ends[] = {3};
    fixture *f = *state;
    const dpr__outline box = {.n_points = 4, .n_contours = 1, .xy = xy, .tags = tags, .ends = ends};
    const dpr__outline nothing = {.n_points = 0};
    uint8_t pixels[SIDE * SIDE];
    dpr__renderer *renderer;
    assert_int_equal(dpr__renderer_create(f->context, &renderer), DPR_OK);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            dpr__pose pose = {.linear = {1, 0, 0, 1}, .fill = 0.8, .shift = {SHIFTS[i], SHIFTS[j]}};
            uint32_t ink = 0;
            assert_int_equal(dpr__renderer_draw(renderer, &box, &pose, SIDE, pixels), 255);
            for (size_t k = 0; k < sizeof pixels; k++)
                ink += pixels[k];
            /* 24 × 9.6 pixels */
            assert_in_range(ink, 255 * 229, 255 * 232);
        }
    dpr__pose full = {.linear = {0, -1, 1, 0}, .fill = 1}; /* a quarter turn: 12 × 30 */
    assert_int_equal(dpr__renderer_draw(renderer, &box, &full, SIDE, pixels), 255);
    assert_int_equal(pixels[15], 255);
    assert_int_equal(pixels[SIDE * SIDE - 15], 255);
    assert_int_equal(pixels[5], 0);
    assert_int_equal(dpr__renderer_draw(renderer, &nothing, &full, SIDE, pixels), 0);
    dpr__renderer_destroy(renderer);
}

/* ---- the set ------------------------------------------------------------------------------- */

static const char *const FILES[] = {
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
    "classes.txt",
    "fonts.txt",
    "contact-sheet.png",
    "examples/A.png",
    "examples/C.png",
    "examples/G.png",
};
enum { N_FILES = sizeof FILES / sizeof *FILES };

static bool same_file(const fixture *f, const char *a, const char *b, const char *name) {
    char first[128], second[128];
    uint8_t *left, *right;
    snprintf(first, sizeof first, "%s/%s", a, name);
    snprintf(second, sizeof second, "%s/%s", b, name);
    size_t n = read_bytes(f, first, &left), m = read_bytes(f, second, &right);
    bool same = n == m && memcmp(left, right, n) == 0;
    dpr__free(f->context, left);
    dpr__free(f->context, right);
    return same;
}

static void check_idx(const fixture *f, const char *out, const char *half, uint32_t n) {
    char name[128];
    uint8_t *images, *labels;
    uint32_t count[DPR__LETTERS] = {0}, runs = 0;
    snprintf(name, sizeof name, "%s/%s-images-idx3-ubyte", out, half);
    assert_int_equal(read_bytes(f, name, &images), 16 + n * 28 * 28);
    const uint8_t header[] = {0, 0,  8, 3, 0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0, 0,
                              0, 28, 0, 0, 0, 28};
    assert_memory_equal(images, header, sizeof header);
    snprintf(name, sizeof name, "%s/%s-labels-idx1-ubyte", out, half);
    assert_int_equal(read_bytes(f, name, &labels), 8 + n);
    assert_int_equal(labels[3], 1);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t brightest = 0;
        assert_in_range(labels[8 + i], 0, DPR__LETTERS - 1);
        count[labels[8 + i]]++;
        runs += i > 0 && labels[8 + i] == (labels[7 + i] + 1) % DPR__LETTERS;
        for (uint32_t k = 0; k < 28 * 28; k++)
            brightest = images[16 + i * 784 + k] > brightest ? images[16 + i * 784 + k] : brightest;
        assert_true(brightest > 128);
    }
    for (uint32_t letter = 0; letter < DPR__LETTERS; letter++)
        assert_int_equal(count[letter], n / DPR__LETTERS);
    assert_true(runs < n / 4); /* shuffled: a tenth is expected */
    dpr__free(f->context, images);
    dpr__free(f->context, labels);
}

static void test_the_set(void **state) {
    fixture *f = *state;
    dpr_letters_report report;
    make_directory(f, "fonts");
    write_good(f, "fonts", 0);
    const char *dirs[] = {path_in(f, "fonts"), NULL};
    dpr_letters_options options = options_for(dirs);
    assert_int_equal(dpr_letters_make(f->context, path_in(f, "new/out/"), &options, &report),
                     DPR_OK);
    assert_int_equal(report.families, GOOD_FAMILIES);
    assert_int_equal(report.faces, 2 * GOOD_FAMILIES);
    assert_int_equal(report.train_families, GOOD_FAMILIES - 2);
    assert_int_equal(report.test_families, 2);
    assert_int_equal(report.rejected, 0);
    check_idx(f, "new/out", "train", 400);
    check_idx(f, "new/out", "t10k", 100);
    uint8_t *classes;
    read_bytes(f, "new/out/classes.txt", &classes);
    assert_string_equal((char *)classes, "A\nB\nC\nD\nE\nF\nG\nH\nI\nJ\n");
    dpr__free(f->context, classes);
    for (size_t i = 0; i < N_FILES; i++) {
        char name[64];
        snprintf(name, sizeof name, "new/out/%s", FILES[i]);
        assert_true(dpr__file_exists(path_in(f, name)));
    }
}

static void test_same_seed_same_bytes(void **state) {
    fixture *f = *state;
    make_directory(f, "fonts");
    make_directory(f, "other");
    write_good(f, "fonts", 0);
    write_good(f, "other", 13); /* the same fonts under other file names */
    const char *dirs[] = {path_in(f, "fonts"), NULL}, *others[] = {path_in(f, "other"), NULL};
    dpr_letters_options options = options_for(dirs), shuffled = options_for(others);
    assert_int_equal(dpr_letters_make(f->context, path_in(f, "a"), &options, NULL), DPR_OK);
    assert_int_equal(dpr_letters_make(f->context, path_in(f, "b"), &shuffled, NULL), DPR_OK);
    options.seed = 2;
    assert_int_equal(dpr_letters_make(f->context, path_in(f, "c"), &options, NULL), DPR_OK);
    for (size_t i = 0; i < N_FILES; i++)
        assert_true(same_file(f, "a", "b", FILES[i]));
    assert_false(same_file(f, "a", "c", FILES[0]));
    assert_false(same_file(f, "a", "c", FILES[1]));
}

static int stop_at_once(void *user, size_t done, size_t of) {
    (void)user;
    assert_true(done <= of);
    return 1;
}

static void test_refusals(void **state) {
    fixture *f = *state;
    make_directory(f, "empty");
    make_directory(f, "fonts");
    write_good(f, "fonts", 0);
    const char *out = path_in(f, "out"), *empty[] = {path_in(f, "empty"), NULL};
    const char *nowhere[] = {path_in(f, "nowhere"), NULL}, *good[] = {path_in(f, "fonts"), NULL};
    dpr_letters_options options = options_for(empty);
    assert_int_equal(dpr_letters_make(f->context, out, &options, NULL), DPR_E_DATA);
    assert_non_null(strstr(dpr_error(f->context), "fetch-fonts"));
    options.font_dirs = nowhere;
    assert_int_equal(dpr_letters_make(f->context, out, &options, NULL), DPR_E_IO);
    assert_non_null(strstr(dpr_error(f->context), "nowhere"));
    options.font_dirs = good;
    options.side = 4;
    assert_int_equal(dpr_letters_make(f->context, out, &options, NULL), DPR_E_ARGUMENT);
    options.side = 28;
    options.test = 0;
    assert_int_equal(dpr_letters_make(f->context, out, &options, NULL), DPR_E_ARGUMENT);
    options.test = 100;
    options.progress = stop_at_once;
    assert_int_equal(dpr_letters_make(f->context, out, &options, NULL), DPR_E_INTERRUPTED);
    assert_false(dpr__is_directory(out));
    options.progress = NULL;
    write_bytes(f, "file", "x", 1);
    assert_int_equal(dpr_letters_make(f->context, path_in(f, "file/out"), &options, NULL),
                     DPR_E_IO);
}

/* Memory that runs out anywhere is reported, and nothing leaks (tear_down counts). */
static void test_every_allocation_may_fail(void **state) {
    fixture *f = *state;
    make_directory(f, "fonts");
    write_good(f, "fonts", 0);
    const char *dirs[] = {path_in(f, "fonts"), NULL}, *out = path_in(f, "out");
    dpr_letters_options options = options_for(dirs);
    dpr_status status;
    long n = 1, live = f->live;
    do {
        f->until_failure = n;
        status = dpr_letters_make(f->context, out, &options, NULL);
        bool failed = f->until_failure == 0;
        f->until_failure = -1;
        assert_int_equal(status, failed ? DPR_E_MEMORY : DPR_OK);
        assert_int_equal(f->live, live);
        n += 1 + n / 40;
    } while (status != DPR_OK);
    assert_true(n > 100);
}

int main(void) {
    fixture *f = NULL;
    dpr__renderer *renderer;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_family_keys, set_up, tear_down),
        cmocka_unit_test(test_symbol_names),
        cmocka_unit_test_setup_teardown(test_bad_faces_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_families_and_clones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ink_stays_in_the_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_seed_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_allocation_may_fail, set_up, tear_down),
    };
    set_up((void **)&f);
    dpr_status status = dpr__renderer_create(f->context, &renderer);
    if (status == DPR_E_UNSUPPORTED)
        printf("skipped: %s\n", dpr_error(f->context));
    else
        dpr__renderer_destroy(renderer);
    tear_down((void **)&f);
    return status == DPR_E_UNSUPPORTED ? SKIPPED : cmocka_run_group_tests(tests, NULL, NULL);
}
