/* Makes the letters data set: which glyph becomes which image, the jitter, and the IDX files.
 *
 * Image i of a half shows letter i mod 10 of a family that comes round in a fixed turn, so classes and
 * families weigh the same whatever number of faces a family has; then a keyed permutation shuffles. */
#include "data/letters.h"
#include "base/context.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MIN_FAMILIES = 10,
    MIN_SIDE = 8,
    MAX_SIDE = 256,
    MAX_IMAGES = 10000000,
    PROGRESS_STEP = 1000,
};

/* The jitter, uniform within ±: light, since most of the variety comes from the fonts. */
static const double MAX_ANGLE = 0.14;      /* radians: 8 degrees */
static const double MAX_SHEAR = 0.14;      /* of x by y */
static const double MIN_FILL = 0.72;       /* of the frame; at most 1 */
static const double MAX_SHIFT = 1.75 / 28; /* of the frame; in pixels of 28 */

dpr_letters_options dpr_letters_options_default(void) {
    return (dpr_letters_options){
        .size = sizeof(dpr_letters_options), .seed = 1, .train = 60000, .test = 10000, .side = 28};
}

/* ---- paths -------------------------------------------------------------------------------- */

dpr_status dpr__path_join(dpr_context *context, const char *out, const char *name, char **path) {
    size_t length = strlen(out) + strlen(name) + 2;
    DPR_TRY(dpr__allocate(context, length, 1, path));
    dpr__format(context, *path, length, "%s/%s", out, name);
    return DPR_OK;
}

dpr_status dpr__directories_make(dpr_context *context, const char *path) {
    char *part;
    dpr_status status = DPR_OK;
    DPR_TRY(dpr__duplicate(context, path, &part));
    for (char *end = part; status == DPR_OK && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char kept = *end;
        *end = '\0';
        if (mkdir(part, 0777) != 0 && !dpr__is_directory(part))
            status = DPR_FAIL(context, DPR_E_IO, "%s: cannot make this directory: %s", part,
                              strerror(errno));
        *end = kept;
    }
    dpr__free(context, part);
    return status;
}

/* ---- images ------------------------------------------------------------------------------- */

/* −1 … 1 */
static double signed_unit(uint32_t word) {
    return 2 * dpr__unit(word) - 1;
}

void dpr__letter_draw(dpr__renderer *renderer, const dpr__face *face, uint32_t letter,
                      uint64_t seed, uint32_t stream, uint64_t index, uint32_t side,
                      uint8_t *pixels) {
    dpr__draw draw = dpr__philox(seed, DPR__PURPOSE_LETTERS, stream, index);
    double angle = MAX_ANGLE * signed_unit(draw.word[0]);
    double shear = MAX_SHEAR * signed_unit(draw.word[1]);
    double c = cos(angle), s = sin(angle);
    /* rotation · shear: x' = x + shear · y first */
    dpr__pose pose = {.linear = {c, c * shear - s, s, s * shear + c},
                      .fill = MIN_FILL + (1 - MIN_FILL) * dpr__unit(draw.word[2])};
    pose.shift[0] = MAX_SHIFT * side * signed_unit(draw.word[3] << 16);
    pose.shift[1] = MAX_SHIFT * side * signed_unit(draw.word[3] & 0xFFFF0000u);
    dpr__renderer_draw(renderer, &face->letter[letter], &pose, side, pixels);
}

typedef struct letter_maker {
    dpr_context *context;
    const dpr_letters_options *options;
    const dpr__fonts *fonts;
    dpr__renderer *renderer;
    const char *out;
    size_t done, of; /* images */
} letter_maker;

/* The face for the turn-th image of a letter: families in turn, and each family's faces in turn from
 * a start that is drawn, so that a family with few images shows different faces in each letter. */
static const dpr__face *choose_face(const letter_maker *maker, dpr_half half, uint32_t letter,
                                    uint64_t turn) {
    const dpr__fonts *fonts = maker->fonts;
    uint32_t n = fonts->n_half[half];
    DPR_ASSERT(n > 0); /* check_fonts saw to that */
    const dpr__family *family = fonts->half[half][turn % n];
    uint64_t id = (uint64_t)(family - fonts->family) * DPR__LETTERS + letter;
    dpr__draw draw = dpr__philox(maker->options->seed, DPR__PURPOSE_LETTERS, DPR__STREAM_FACE, id);
    uint64_t start = dpr__below(draw.word[0], family->n_faces);
    return &fonts->face[family->face[(start + turn / n) % family->n_faces]];
}

static dpr_status report_progress(letter_maker *maker) {
    const dpr_letters_options *options = maker->options;
    maker->done++;
    if ((maker->done % PROGRESS_STEP == 0 || maker->done == maker->of) && options->progress &&
        options->progress(options->progress_user, maker->done, maker->of) != 0)
        return DPR_FAIL(maker->context, DPR_E_INTERRUPTED,
                        "making letters was stopped; nothing was written");
    return DPR_OK;
}

static dpr_status draw_half(letter_maker *maker, dpr_half half, uint32_t n, uint8_t *pixels,
                            uint8_t *labels) {
    const dpr_letters_options *options = maker->options;
    size_t bytes = (size_t)options->side * options->side;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t letter = i % DPR__LETTERS;
        const dpr__face *face = choose_face(maker, half, letter, i / DPR__LETTERS);
        uint64_t place = dpr__permute(options->seed, DPR__PURPOSE_LETTERS,
                                      DPR__STREAM_ORDER + (uint32_t)half, i, n);
        dpr__letter_draw(maker->renderer, face, letter, options->seed, (uint32_t)half, i,
                         options->side, pixels + place * bytes);
        labels[place] = (uint8_t)letter;
        DPR_TRY(report_progress(maker));
    }
    return DPR_OK;
}

/* ---- files -------------------------------------------------------------------------------- */

/* IDX: magic 0 0 8 rank, then the dimensions, big-endian (LeCun, "The MNIST database"). */
static void put_header(uint8_t *bytes, uint8_t rank, const uint32_t *dim) {
    bytes[0] = bytes[1] = 0;
    bytes[2] = 8; /* unsigned bytes */
    bytes[3] = rank;
    for (uint8_t i = 0; i < rank; i++)
        for (unsigned byte = 0; byte < 4; byte++)
            bytes[4 + 4 * (unsigned)i + byte] = (uint8_t)(dim[i] >> (24 - 8 * byte));
}

static dpr_status write_file(letter_maker *maker, const char *name, const void *bytes, size_t n) {
    char *path;
    DPR_TRY(dpr__path_join(maker->context, maker->out, name, &path));
    dpr_status status = dpr__file_write(maker->context, path, bytes, n);
    dpr__free(maker->context, path);
    return status;
}

/* Both files of one half, headers in front; drawn before any is written. */
typedef struct half_files {
    uint8_t *images, *labels;
    size_t image_bytes, label_bytes;
} half_files;

enum { IMAGES_HEADER = 16, LABELS_HEADER = 8 };

static dpr_status make_half(letter_maker *maker, dpr_half half, uint32_t n, half_files *files) {
    uint32_t side = maker->options->side;
    files->image_bytes = IMAGES_HEADER + (size_t)n * side * side;
    files->label_bytes = LABELS_HEADER + (size_t)n;
    DPR_TRY(dpr__allocate(maker->context, files->image_bytes, 1, &files->images));
    DPR_TRY(dpr__allocate(maker->context, files->label_bytes, 1, &files->labels));
    put_header(files->images, 3, (const uint32_t[]){n, side, side});
    put_header(files->labels, 1, &n);
    return draw_half(maker, half, n, files->images + IMAGES_HEADER, files->labels + LABELS_HEADER);
}

static dpr_status write_all(letter_maker *maker, const half_files *train, const half_files *test) {
    static const char CLASSES[] = "A\nB\nC\nD\nE\nF\nG\nH\nI\nJ\n";
    DPR_TRY(dpr__directories_make(maker->context, maker->out));
    DPR_TRY(write_file(maker, "train-images-idx3-ubyte", train->images, train->image_bytes));
    DPR_TRY(write_file(maker, "train-labels-idx1-ubyte", train->labels, train->label_bytes));
    DPR_TRY(write_file(maker, "t10k-images-idx3-ubyte", test->images, test->image_bytes));
    DPR_TRY(write_file(maker, "t10k-labels-idx1-ubyte", test->labels, test->label_bytes));
    DPR_TRY(dpr__letters_list(maker->fonts, maker->out));
    DPR_TRY(dpr__letters_examples(maker->fonts, maker->renderer, maker->out, maker->options));
    DPR_TRY(dpr__letters_sheet(maker->fonts, maker->renderer, maker->out, maker->options));
    /* Last, so that where it is all is. */
    return write_file(maker, "classes.txt", CLASSES, sizeof CLASSES - 1);
}

static dpr_status make_images(letter_maker *maker) {
    half_files train = {.images = NULL}, test = {.images = NULL};
    dpr_status status = make_half(maker, DPR_TRAIN, maker->options->train, &train);
    if (status == DPR_OK)
        status = make_half(maker, DPR_TEST, maker->options->test, &test);
    if (status == DPR_OK)
        status = write_all(maker, &train, &test);
    dpr__free(maker->context, train.images);
    dpr__free(maker->context, train.labels);
    dpr__free(maker->context, test.images);
    dpr__free(maker->context, test.labels);
    return status;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static dpr_status check_options(dpr_context *context, const dpr_letters_options *options) {
    if (options->side < MIN_SIDE || options->side > MAX_SIDE)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "letters of %u pixels: %d to %d are possible",
                        (unsigned)options->side, MIN_SIDE, MAX_SIDE);
    if (options->train < DPR__LETTERS || options->train > MAX_IMAGES ||
        options->test < DPR__LETTERS || options->test > MAX_IMAGES)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "%u training and %u test letters: %d to %d of each are possible",
                        (unsigned)options->train, (unsigned)options->test, DPR__LETTERS,
                        MAX_IMAGES);
    return DPR_OK;
}

static dpr_status check_fonts(dpr_context *context, const dpr__fonts *fonts) {
    if (fonts->n_families >= MIN_FAMILIES)
        return DPR_OK;
    return DPR_FAIL(
        context, DPR_E_DATA,
        "%u font families have all of the letters A to J (%zu font files, %zu faces not "
        "usable), but at least %d are needed: fetch some with `tools/fetch-fonts "
        "build/fonts` and give --fonts build/fonts, or install font packages",
        (unsigned)fonts->n_families, fonts->files, fonts->rejected, MIN_FAMILIES);
}

dpr_status dpr_letters_make(dpr_context *context, const char *out,
                            const dpr_letters_options *options, dpr_letters_report *report) {
    dpr_letters_options defaults = dpr_letters_options_default();
    dpr__fonts fonts = {.context = NULL};
    dpr__renderer *renderer = NULL;
    options = options ? options : &defaults;
    DPR_TRY(check_options(context, options));
    DPR_TRY(dpr__renderer_create(context, &renderer));
    dpr_status status = dpr__fonts_load(context, options->font_dirs, renderer, &fonts);
    if (status == DPR_OK)
        status = dpr__fonts_group(&fonts, options->seed);
    if (status == DPR_OK)
        status = check_fonts(context, &fonts);
    if (status == DPR_OK) {
        letter_maker maker = {.context = context,
                              .options = options,
                              .fonts = &fonts,
                              .renderer = renderer,
                              .out = out,
                              .of = (size_t)options->train + options->test};
        status = make_images(&maker);
    }
    if (status == DPR_OK && report)
        *report = (dpr_letters_report){.families = fonts.n_families,
                                       .faces = fonts.n_faces,
                                       .train_families = fonts.n_half[DPR_TRAIN],
                                       .test_families = fonts.n_half[DPR_TEST],
                                       .rejected = fonts.rejected};
    dpr__fonts_release(&fonts);
    dpr__renderer_destroy(renderer);
    return status;
}
