/* Makes tests/unit/data_jpeg_samples.h: small JPEG files of each kind that a reader meets.
 *     cc make_jpeg_samples.c -ljpeg -o make && ./make > ../unit/data_jpeg_samples.h
 * Each shows six squares of 8 × 8 pixels, three across and two down, of the colours in SQUARES. */
#include <stdio.h>
#include <stdlib.h>
/* after stdio.h, which it needs */
#include <jpeglib.h>

enum { SIDE = 8, ACROSS = 3, DOWN = 2, WIDTH = SIDE * ACROSS, HEIGHT = SIDE * DOWN };

static const unsigned char SQUARES[DOWN * ACROSS][3] = {
    {255, 0, 0}, {0, 200, 0}, {0, 0, 255}, {250, 250, 250}, {20, 20, 20}, {200, 100, 50}};

struct kind {
    const char *name;
    J_COLOR_SPACE given, stored;
    int progressive, adobe;
};

/* Grey is the square's red; CMYK has no black ink; with Adobe's marker 255 is no ink. */
static void put_pixel(const struct kind *kind, const unsigned char *rgb, unsigned char *out) {
    for (int c = 0; c < 3; c++)
        out[c] = rgb[c];
    if (kind->given != JCS_CMYK)
        return;
    for (int c = 0; c < 4; c++) {
        int ink = c < 3 ? 255 - rgb[c] : 0;
        out[c] = (unsigned char)(kind->adobe ? 255 - ink : ink);
    }
}

static void make(const struct kind *kind) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL, row[WIDTH * 4];
    unsigned long n = 0;
    int planes = kind->given == JCS_GRAYSCALE ? 1 : kind->given == JCS_CMYK ? 4 : 3;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &n);
    jpeg.image_width = WIDTH;
    jpeg.image_height = HEIGHT;
    jpeg.input_components = planes;
    jpeg.in_color_space = kind->given;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, kind->stored);
    jpeg_set_quality(&jpeg, 98, TRUE);
    for (int c = 0; c < planes; c++)
        jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;
    jpeg.optimize_coding = TRUE;
    jpeg.write_Adobe_marker = (boolean)kind->adobe;
    if (kind->progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < HEIGHT; y++) {
        JSAMPROW line = row;
        for (int x = 0; x < WIDTH; x++) {
            unsigned char pixel[4];
            put_pixel(kind, SQUARES[y / SIDE * ACROSS + x / SIDE], pixel);
            for (int c = 0; c < planes; c++)
                row[x * planes + c] = pixel[c];
        }
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    printf("\nstatic const unsigned char bytes_of_%s[] = {", kind->name);
    for (unsigned long i = 0; i < n; i++)
        printf("%s0x%02x,", i % 16 == 0 ? "\n    " : " ", bytes[i]);
    printf("\n};\n");
    free(bytes);
}

static void print_table(const struct kind *kinds, size_t n) {
    printf("\nenum {");
    for (size_t i = 0; i < n; i++)
        printf(" %s,", kinds[i].name);
    printf(" N_JPEGS };\nstatic const struct {\n    const char *name;\n    const unsigned char "
           "*bytes;\n"
           "    size_t n;\n} JPEG[N_JPEGS] = {\n");
    for (size_t i = 0; i < n; i++)
        printf("    {\"%s\", bytes_of_%s, sizeof bytes_of_%s},\n", kinds[i].name, kinds[i].name,
               kinds[i].name);
    printf("};\n\n#endif\n");
}

int main(void) {
    static const struct kind KINDS[] = {
        {"JPEG_GREY", JCS_GRAYSCALE, JCS_GRAYSCALE, 0, 0},
        {"JPEG_COLOUR", JCS_RGB, JCS_YCbCr, 0, 0},
        {"JPEG_PROGRESSIVE", JCS_RGB, JCS_YCbCr, 1, 0},
        {"JPEG_RGB", JCS_RGB, JCS_RGB, 0, 1},
        {"JPEG_CMYK", JCS_CMYK, JCS_CMYK, 0, 0},
        {"JPEG_CMYK_ADOBE", JCS_CMYK, JCS_CMYK, 0, 1},
        {"JPEG_YCCK", JCS_CMYK, JCS_YCCK, 0, 1},
    };
    printf("/* Made by tests/golden/make_jpeg_samples.c. */\n"
           "#ifndef DPR_TESTS_DATA_JPEG_SAMPLES_H\n#define DPR_TESTS_DATA_JPEG_SAMPLES_H\n"
           "\n#include <stddef.h>\n\n/* clang-format off */\n");
    printf("enum { SQUARE = %d, SQUARES_ACROSS = %d, SQUARES_DOWN = %d };\n"
           "static inline const unsigned char *square_colour(int square) {\n"
           "    static const unsigned char RGB[%d][3] = {",
           SIDE, ACROSS, DOWN, DOWN * ACROSS);
    for (int i = 0; i < DOWN * ACROSS; i++)
        printf("{%d, %d, %d}, ", SQUARES[i][0], SQUARES[i][1], SQUARES[i][2]);
    printf("};\n    return RGB[square];\n}\n");
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        make(&KINDS[i]);
    print_table(KINDS, sizeof KINDS / sizeof *KINDS);
    return 0;
}
