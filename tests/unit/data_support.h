/* Help for the tests of readers: a temporary directory, and makers of IDX, gzip, PNG and folder sets
 * that need no library. */
#ifndef DPR_TESTS_DATA_SUPPORT_H
#define DPR_TESTS_DATA_SUPPORT_H

#include <deeper/tools.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- contexts and outcomes ------------------------------------------------------------------ */

static inline dpr_context *make_context(unsigned threads) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.threads = threads;
    if (dpr_context_create(&options, &context) != DPR_OK)
        fail_msg("context: %s", context ? dpr_error(context) : "out of memory");
    return context;
}

static inline void expect_ok(dpr_context *context, dpr_status status, const char *file, int line) {
    if (status == DPR_OK)
        return;
    print_error("%s\n", dpr_error(context));
    _fail(file, line);
}
/* The call succeeds; otherwise the test fails with its message. */
#define OK(context, call) expect_ok(context, call, __FILE__, __LINE__)

static inline void expect_failure(dpr_context *context, dpr_status got, dpr_status wanted,
                                  const char *says, const char *file, int line) {
    if (got == wanted && strstr(dpr_error(context), says) != NULL)
        return;
    print_error("status %d (%s), message: %s\nwanted %d, '%s'\n", (int)got, dpr_status_text(got),
                dpr_error(context), (int)wanted, says);
    _fail(file, line);
}
/* The call fails with `wanted`, and the message holds `says`. */
#define FAILS(context, call, wanted, says)                                                         \
    expect_failure(context, call, wanted, says, __FILE__, __LINE__)

/* ---- files ---------------------------------------------------------------------------------- */

/* A fresh directory; tree_path gives names below it. */
struct tree {
    char root[64];
    char *path[8]; /* the last eight */
    int next;
};

static inline void tree_make(struct tree *tree) {
    memset(tree, 0, sizeof *tree);
    strcpy(tree->root, "/tmp/deeper-data-XXXXXX");
    if (mkdtemp(tree->root) == NULL)
        fail_msg("mkdtemp failed");
}

static inline int tree_remove_one(const char *path, const struct stat *info, int kind,
                                  struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}
static inline void tree_remove(struct tree *tree) {
    nftw(tree->root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (int i = 0; i < 8; i++)
        free(tree->path[i]);
}

static inline const char *tree_path(struct tree *tree, const char *name) {
    char **path = &tree->path[tree->next];
    tree->next = (tree->next + 1) % 8;
    free(*path);
    assert_true(asprintf(path, "%s/%s", tree->root, name) > 0);
    return *path;
}

/* Makes the directories that the name needs, then the file. */
static inline void tree_write(struct tree *tree, const char *name, const void *bytes, size_t n) {
    char *path = strdup(tree_path(tree, name));
    for (char *slash = strchr(path + strlen(tree->root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
        fail_msg("cannot write %s", path);
    free(path);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

struct bytes {
    uint8_t data[1 << 17];
    size_t n;
};

static inline void put(struct bytes *out, const void *bytes, size_t n) {
    assert_true(out->n + n <= sizeof out->data);
    memcpy(out->data + out->n, bytes, n);
    out->n += n;
}
static inline void put8(struct bytes *out, unsigned value) {
    uint8_t byte = (uint8_t)value;
    put(out, &byte, 1);
}
static inline void put32(struct bytes *out, uint32_t value) { /* big-endian */
    for (int shift = 24; shift >= 0; shift -= 8)
        put8(out, value >> shift & 255);
}
static inline void put32_little(struct bytes *out, uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
        put8(out, value >> shift & 255);
}

static inline uint32_t crc32_of(const uint8_t *bytes, size_t n) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* Deflate's stored blocks: no compression. */
static inline void put_stored(struct bytes *out, const uint8_t *bytes, size_t n) {
    for (size_t at = 0, part; at < n || n == 0; at += part) {
        part = n - at < 65535 ? n - at : 65535;
        put8(out, at + part == n);
        put8(out, part & 255), put8(out, (unsigned)part >> 8);
        put8(out, ~part & 255), put8(out, (unsigned)~part >> 8 & 255);
        put(out, bytes + at, part);
        if (n == 0)
            break;
    }
}

/* One member of a gzip file. */
static inline void put_gzip(struct bytes *out, const void *bytes, size_t n) {
    put(out, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
    put_stored(out, bytes, n);
    put32_little(out, crc32_of(bytes, n));
    put32_little(out, (uint32_t)n);
}

/* ---- sets ----------------------------------------------------------------------------------- */

/* IDX bytes of `rank` dimensions; entry i of the data is (i × step + first) & 255. */
static inline void put_idx(struct bytes *out, unsigned rank, const uint32_t *dim, unsigned first,
                           unsigned step) {
    size_t n = 1;
    put8(out, 0), put8(out, 0), put8(out, 8), put8(out, rank);
    for (unsigned i = 0; i < rank; i++) {
        put32(out, dim[i]);
        n *= dim[i];
    }
    for (size_t i = 0; i < n; i++)
        put8(out, ((unsigned)i * step + first) & 255);
}

/* Writes n images of 2 × 3 whose k-th has pixels (7k + first) … and labels k mod classes. */
static inline void write_idx_half(struct tree *tree, const char *images, const char *labels,
                                  uint32_t n, uint32_t classes, unsigned first) {
    struct bytes *out = calloc(1, sizeof *out);
    put_idx(out, 3, (uint32_t[]){n, 2, 3}, first, 7);
    tree_write(tree, images, out->data, out->n);
    out->n = 0;
    put_idx(out, 1, &n, 0, 1);
    for (uint32_t i = 0; i < n; i++)
        out->data[8 + i] = (uint8_t)(i % classes);
    tree_write(tree, labels, out->data, out->n);
    free(out);
}

static inline void write_idx_set(struct tree *tree, uint32_t n_train, uint32_t n_test,
                                 uint32_t classes) {
    write_idx_half(tree, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", n_train, classes, 0);
    write_idx_half(tree, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", n_test, classes, 3);
}

/* ---- PNG ------------------------------------------------------------------------------------ */

enum { PNG_GREY = 0, PNG_RGB = 2, PNG_PALETTE = 3, PNG_GREY_ALPHA = 4, PNG_RGBA = 6 };

static inline void put_chunk(struct bytes *out, const char *type, const uint8_t *body, size_t n) {
    put32(out, (uint32_t)n);
    size_t begin = out->n;
    put(out, type, 4);
    if (n > 0)
        put(out, body, n);
    put32(out, crc32_of(out->data + begin, n + 4));
}

/* rows: height rows of row_bytes each, as the format has them, without filter bytes. */
struct png {
    uint32_t width, height;
    unsigned depth, colour;
    const uint8_t *palette, *transparency; /* may be NULL */
    size_t n_palette, n_transparency;      /* bytes */
    const uint8_t *rows;
    size_t row_bytes;
};

static inline void put_png(struct bytes *out, const struct png *png) {
    struct bytes *part = calloc(1, sizeof *part), *raw = calloc(1, sizeof *raw);
    uint32_t a = 1, b = 0;
    put(out, "\x89PNG\r\n\x1a\n", 8);
    put32(part, png->width), put32(part, png->height);
    put8(part, png->depth), put8(part, png->colour), put(part, "\0\0\0", 3);
    put_chunk(out, "IHDR", part->data, part->n);
    if (png->palette != NULL)
        put_chunk(out, "PLTE", png->palette, png->n_palette);
    if (png->transparency != NULL)
        put_chunk(out, "tRNS", png->transparency, png->n_transparency);
    for (uint32_t y = 0; y < png->height; y++) {
        put8(raw, 0);
        put(raw, png->rows + y * png->row_bytes, png->row_bytes);
    }
    for (size_t i = 0; i < raw->n; i++) {
        a = (a + raw->data[i]) % 65521;
        b = (b + a) % 65521;
    }
    part->n = 0;
    put(part, "\x78\x01", 2);
    put_stored(part, raw->data, raw->n);
    put32(part, b << 16 | a);
    put_chunk(out, "IDAT", part->data, part->n);
    put_chunk(out, "IEND", NULL, 0);
    free(part);
    free(raw);
}

/* Whether this build reads PNG and gzip, which most of these tests need; says so where it does not. */
static inline bool has_libraries(void) {
    dpr_context *context = make_context(1);
    struct tree tree;
    struct bytes *packed = calloc(1, sizeof *packed);
    dpr_data *data;
    tree_make(&tree);
    put_gzip(packed, "\0\0\x08\x01\0\0\0\0", 8);
    tree_write(&tree, "train-labels-idx1-ubyte.gz", packed->data, packed->n);
    bool has = dpr_data_open(context, tree.root, DPR_TRAIN, NULL, &data) != DPR_E_UNSUPPORTED &&
               dpr_png_write(context, tree_path(&tree, "x.png"), (uint8_t[]){0},
                             dpr_shape_of(1, 1, 1)) != DPR_E_UNSUPPORTED;
    if (!has)
        print_message("skipped: %s\n", dpr_error(context));
    tree_remove(&tree);
    dpr_context_destroy(context);
    free(packed);
    return has;
}
enum { SKIPPED = 77 };

/* A PNG of height × width with `channels` (1 or 3), each byte (seed + 5 × its index) & 255. */
static inline void write_png(struct tree *tree, const char *name, uint32_t height, uint32_t width,
                             uint32_t channels, unsigned seed) {
    struct bytes *out = calloc(1, sizeof *out);
    size_t n = (size_t)height * width * channels;
    uint8_t *pixels = malloc(n);
    for (size_t i = 0; i < n; i++)
        pixels[i] = (uint8_t)(seed + 5 * i);
    put_png(out, &(struct png){.width = width,
                               .height = height,
                               .depth = 8,
                               .colour = channels == 3 ? PNG_RGB : PNG_GREY,
                               .rows = pixels,
                               .row_bytes = (size_t)width * channels});
    tree_write(tree, name, out->data, out->n);
    free(pixels);
    free(out);
}

#endif
