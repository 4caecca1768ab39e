/* Font families: which faces are one design. A design must not be in both halves, or the test half
 * would ask for what was learnt by heart; so a doubtful pair is rather joined than kept apart. */
#include "base/random.h"
#include "base/sha256.h"
#include "base/text.h"
#include "data/letters.h"
#include <stdlib.h>
#include <string.h>

enum {
    MAX_KEY = 128,
    /* Faces of two names whose ten letters differ by less than this on average (1/256 of a grey
     * level) are one design sold twice. */
    CLONE = 5 * 256,
    TEST_SHARE = 5, /* every fifth family */
};

/* ---- names -------------------------------------------------------------------------------- */

/* Words that tell the members of a family apart, and foundries' marks. */
static const char *const STYLE_WORDS[] = {
    "thin",    "hairline",  "extralight", "ultralight", "light",      "book",     "regular",
    "roman",   "normal",    "medium",     "demi",       "demibold",   "semibold", "semi",
    "bold",    "extrabold", "ultrabold",  "extra",      "ultra",      "heavy",    "black",
    "fat",     "italic",    "oblique",    "slanted",    "inclined",   "upright",  "condensed",
    "cond",    "narrow",    "compressed", "compact",    "extended",   "expanded", "wide",
    "caps",    "smallcaps", "sc",         "swash",      "display",    "caption",  "text",
    "subhead", "deck",      "poster",     "headline",   "title",      "titling",  "small",
    "outline", "shadow",    "inline",     "alternate",  "alternates", "one",      "two",
    "three",   "no",        "nr",         "new",        "std",        "pro",      "adf",
    "urw",     "itc",       "mt",         "lt",         "ps",         "gfs",      "jsmath",
    "otf",     "ttf",       "web",        "unhinted",   "hinted",     "variable", "vf",
    "gx",
};

/* The words of symbol fonts' names. */
static const char *const SYMBOL_WORDS[] = {
    "symbol",    "symbols",    "dingbat",  "dingbats",   "ornaments", "icons",          "icon",
    "emoji",     "barcode",    "braille",  "musical",    "music",     "awesome",        "webdings",
    "wingdings", "opensymbol", "fontello", "glyphicons", "entypo",    "chess",          "dice",
    "arrows",    "powerline",  "keys",     "keyboard",   "futhark",   "futharkadapted", "msam",
    "stmary",    "wasy",       "wasyb",    "feta",
};

static bool is_among(const char *word, size_t length, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strlen(words[i]) == length && memcmp(words[i], word, length) == 0)
            return true;
    return false;
}

/* ASCII letters and digits, lower case; 0 for all else, which parts words. */
static char key_character(char c) {
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : 0;
}

/* The next word of *rest, lower case, cut at MAX_KEY; 0 at the end. */
static size_t next_word(const char **rest, char word[MAX_KEY]) {
    size_t length = 0;
    while (**rest && !key_character(**rest))
        ++*rest;
    for (; **rest && key_character(**rest); ++*rest)
        if (length < MAX_KEY - 1)
            word[length++] = key_character(**rest);
    return length;
}

/* Takes numbers, and style words that are glued on ("freesansboldoblique"), off the end of a word. */
static size_t trim_word(const char *word, size_t length) {
    static const char *const GLUED[] = {"bold",      "italic",  "oblique",
                                        "condensed", "regular", "medium"};
    while (length > 0 && word[length - 1] >= '0' && word[length - 1] <= '9')
        length--;
    for (size_t i = 0; i < sizeof GLUED / sizeof *GLUED; i++) {
        size_t n = strlen(GLUED[i]);
        if (length >= n + 3 && memcmp(word + length - n, GLUED[i], n) == 0)
            return trim_word(word, length - n);
    }
    return length;
}

static size_t join_words(const char *family, bool all, char key[MAX_KEY]) {
    char word[MAX_KEY];
    size_t length, n = 0;
    while ((length = next_word(&family, word)) > 0) {
        size_t kept = all ? length : trim_word(word, length);
        if (!all && is_among(word, kept, STYLE_WORDS, sizeof STYLE_WORDS / sizeof *STYLE_WORDS))
            continue;
        kept = kept < MAX_KEY - 1 - n ? kept : MAX_KEY - 1 - n;
        memcpy(key + n, word, kept);
        n += kept;
    }
    return n;
}

dpr_status dpr__family_key(dpr__arena *arena, const char *family, const char **key) {
    char text[MAX_KEY];
    size_t n = join_words(family, false, text);
    if (n == 0) /* nothing but style words: then they are the name */
        n = join_words(family, true, text);
    *key = n > 0 ? dpr__arena_text(arena, text, n) : dpr__arena_text(arena, "unnamed", 7);
    return *key ? DPR_OK : DPR_E_MEMORY;
}

bool dpr__family_is_symbol(const char *family) {
    char word[MAX_KEY];
    size_t length;
    while ((length = next_word(&family, word)) > 0)
        if (is_among(word, trim_word(word, length), SYMBOL_WORDS,
                     sizeof SYMBOL_WORDS / sizeof *SYMBOL_WORDS))
            return true;
    return false;
}

/* ---- grouping ----------------------------------------------------------------------------- */

/* A total order that only content decides. */
static int compare_faces(const void *a, const void *b) {
    const dpr__face *left = a, *right = b;
    int order = strcmp(left->key, right->key);
    if (order == 0)
        order = strcmp(left->style, right->style);
    if (order == 0)
        order = memcmp(left->digest, right->digest, sizeof left->digest);
    if (order == 0)
        order = (left->index > right->index) - (left->index < right->index);
    return order;
}

static void drop_repeated(dpr__fonts *fonts) {
    size_t kept = 0;
    for (size_t i = 0; i < fonts->n_faces; i++)
        if (kept == 0 || compare_faces(&fonts->face[kept - 1], &fonts->face[i]) != 0)
            fonts->face[kept++] = fonts->face[i];
    fonts->n_faces = kept;
}

/* The family that stands for id's, by a forest in which a root points to itself. */
static uint32_t root_of(uint32_t *parent, uint32_t id) {
    while (parent[id] != id)
        id = parent[id] = parent[parent[id]];
    return id;
}

static uint32_t total_ink(const dpr__face *face) {
    uint32_t sum = 0;
    for (size_t i = 0; i < DPR__LETTERS * (size_t)DPR__LOOK_BYTES; i++)
        sum += face->look[i];
    return sum;
}

static bool are_clones(const dpr__face *a, const dpr__face *b) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < DPR__LETTERS; i++) {
        sum += dpr__look_distance(a->look + i * DPR__LOOK_BYTES, b->look + i * DPR__LOOK_BYTES,
                                  DPR__LOOK_BYTES);
        if (sum >= CLONE * DPR__LETTERS)
            return false;
    }
    return true;
}

/* Joins families that have clones: all pairs, most of them told apart by their ink alone, since
 * |mean a − mean b| ≤ mean |a − b|. The smaller id becomes the root. */
static dpr_status join_clones(dpr__fonts *fonts, uint32_t *parent) {
    const uint32_t far = CLONE * (DPR__LETTERS * DPR__LOOK_BYTES / 256);
    uint32_t *ink;
    DPR_TRY(dpr__allocate(fonts->context, fonts->n_faces, sizeof *ink, &ink));
    for (size_t i = 0; i < fonts->n_faces; i++)
        ink[i] = total_ink(&fonts->face[i]);
    for (size_t i = 0; i < fonts->n_faces; i++)
        for (size_t j = 0; j < i; j++) {
            uint32_t apart = ink[i] > ink[j] ? ink[i] - ink[j] : ink[j] - ink[i];
            if (apart >= far)
                continue;
            uint32_t a = root_of(parent, fonts->face[i].family_id);
            uint32_t b = root_of(parent, fonts->face[j].family_id);
            if (a != b && are_clones(&fonts->face[i], &fonts->face[j]))
                parent[a > b ? a : b] = a > b ? b : a;
        }
    dpr__free(fonts->context, ink);
    return DPR_OK;
}

/* Gives every face the number of its name; parent[] then lets each name stand for itself. */
static uint32_t number_names(dpr__fonts *fonts, uint32_t *parent) {
    uint32_t n = 0;
    for (size_t i = 0; i < fonts->n_faces; i++) {
        if (i > 0 && strcmp(fonts->face[i - 1].key, fonts->face[i].key) != 0)
            n++;
        fonts->face[i].family_id = n;
        parent[n] = n;
    }
    return fonts->n_faces ? n + 1 : 0;
}

/* The names of one family; faces are sorted by name, so equal ones are neighbours. */
static dpr_status name_family(dpr__fonts *fonts, dpr__family *family) {
    dpr__text text;
    char *name = NULL;
    dpr__text_init(&text, fonts->context);
    family->key = fonts->face[family->face[0]].key;
    for (uint32_t i = 0; i < family->n_faces; i++) {
        const char *key = fonts->face[family->face[i]].key;
        if (i == 0 || strcmp(key, fonts->face[family->face[i - 1]].key) != 0)
            dpr__text_add(&text, "%s%s", i > 0 ? " = " : "", key);
    }
    DPR_TRY(dpr__text_finish(&text, &name));
    family->name = dpr__arena_text(&fonts->arena, name, strlen(name));
    dpr__free(fonts->context, name);
    return family->name ? DPR_OK : DPR_E_MEMORY;
}

/* Turns the forest into numbered families with their face lists. */
static dpr_status collect_families(dpr__fonts *fonts, uint32_t *parent, uint32_t n_names) {
    uint32_t *number, n = 0;
    uint32_t *list = dpr__arena_allocate(&fonts->arena, fonts->n_faces * sizeof *list);
    if (!list)
        return DPR_E_MEMORY;
    DPR_TRY(dpr__allocate(fonts->context, n_names, sizeof *number, &number));
    /* A root is the smallest id of its family, so it is numbered before the others ask. */
    for (uint32_t id = 0; id < n_names; id++)
        number[id] = root_of(parent, id) == id ? n++ : number[root_of(parent, id)];
    for (size_t i = 0; i < fonts->n_faces; i++)
        fonts->face[i].family_id = number[fonts->face[i].family_id];
    dpr__free(fonts->context, number);
    DPR_TRY(dpr__allocate(fonts->context, n, sizeof *fonts->family, &fonts->family));
    fonts->n_families = n;
    for (uint32_t id = 0; id < n; id++) {
        fonts->family[id].face = list;
        for (size_t i = 0; i < fonts->n_faces; i++)
            if (fonts->face[i].family_id == id)
                list[fonts->family[id].n_faces++] = (uint32_t)i;
        list += fonts->family[id].n_faces;
        DPR_TRY(name_family(fonts, &fonts->family[id]));
    }
    return DPR_OK;
}

/* ---- halves ------------------------------------------------------------------------------- */

typedef struct lot {
    uint64_t draw;
    uint32_t family;
} lot;

static int compare_lots(const void *a, const void *b) {
    const lot *left = a, *right = b;
    if (left->draw != right->draw)
        return left->draw < right->draw ? -1 : 1;
    return (left->family > right->family) - (left->family < right->family);
}

/* Draws a lot for every family from its name and the seed; the lowest fifth is the test half. A
 * family's lot does not depend on which other fonts there are. */
static dpr_status split_families(dpr__fonts *fonts, uint64_t seed) {
    lot *lots;
    DPR_TRY(dpr__allocate(fonts->context, fonts->n_families, sizeof *lots, &lots));
    for (uint32_t i = 0; i < fonts->n_families; i++) {
        const char *key = fonts->family[i].key;
        uint8_t digest[32];
        uint64_t name = 0;
        dpr__sha256 hash;
        dpr__sha256_init(&hash);
        dpr__sha256_add(&hash, key, strlen(key));
        dpr__sha256_finish(&hash, digest);
        for (unsigned byte = 0; byte < 8; byte++)
            name = name << 8 | digest[byte];
        dpr__draw draw = dpr__philox(seed, DPR__PURPOSE_LETTERS, DPR__STREAM_SPLIT, name);
        lots[i] = (lot){.draw = (uint64_t)draw.word[0] << 32 | draw.word[1], .family = i};
    }
    qsort(lots, fonts->n_families, sizeof *lots, compare_lots);
    uint32_t n_test = (fonts->n_families + TEST_SHARE / 2) / TEST_SHARE;
    for (uint32_t i = 0; i < fonts->n_families; i++)
        fonts->family[lots[i].family].half = i < n_test ? DPR_TEST : DPR_TRAIN;
    dpr__free(fonts->context, lots);
    return DPR_OK;
}

static dpr_status list_halves(dpr__fonts *fonts) {
    for (dpr_half half = DPR_TRAIN; half <= DPR_TEST; half++) {
        fonts->half[half] =
            dpr__arena_allocate(&fonts->arena, fonts->n_families * sizeof *fonts->half[half]);
        if (!fonts->half[half])
            return DPR_E_MEMORY;
    }
    for (uint32_t i = 0; i < fonts->n_families; i++) {
        dpr_half half = fonts->family[i].half;
        fonts->half[half][fonts->n_half[half]++] = &fonts->family[i];
    }
    return DPR_OK;
}

dpr_status dpr__fonts_group(dpr__fonts *fonts, uint64_t seed) {
    uint32_t *parent;
    if (fonts->n_faces == 0)
        return DPR_OK;
    qsort(fonts->face, fonts->n_faces, sizeof *fonts->face, compare_faces);
    drop_repeated(fonts);
    DPR_TRY(dpr__allocate(fonts->context, fonts->n_faces, sizeof *parent, &parent));
    uint32_t n_names = number_names(fonts, parent);
    dpr_status status = join_clones(fonts, parent);
    if (status == DPR_OK)
        status = collect_families(fonts, parent, n_names);
    dpr__free(fonts->context, parent);
    DPR_TRY(status);
    DPR_TRY(split_families(fonts, seed));
    return list_halves(fonts);
}
