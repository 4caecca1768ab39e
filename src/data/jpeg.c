/* JPEG by libjpeg-turbo: baseline and progressive; grey, YCbCr, RGB, CMYK and YCCK. Its errors come
 * back by longjmp, which never leaves dpr__jpeg_decode; nothing is printed. A file that is cut off
 * or damaged is unreadable: libjpeg would fill the rest with grey, and such pictures teach nonsense. */
#include "data/source.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
/* after stdio.h, which they need */
#include <jpeglib.h>

#include <jerror.h>

/* A Huffman-coded block of 8 × 8 takes a bit at least, an arithmetic-coded one a fraction of one. */
enum { PIXELS_PER_BYTE = 8 * 64 * 64 };
/* Progressive files refine the picture scan by scan. Encoders make about ten; a small file of
 * thousands of empty scans over a large picture would keep us busy for hours. */
enum { MOST_SCANS = 500 };

struct manager {
    struct jpeg_error_mgr base;
    jmp_buf jump;
    char why[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr info) {
    struct manager *manager = (struct manager *)(void *)info->err;
    info->err->format_message(info, manager->why);
    longjmp(manager->jump, 1);
}

/* Warnings have level −1. Those that mean lost picture data are errors; stray bytes between segments
 * or an odd header are common in sound photos. */
static void on_message(j_common_ptr info, int level) {
    static const int LOST[] = {JWRN_JPEG_EOF, JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE,
                               JWRN_ARITH_BAD_CODE, JWRN_MUST_RESYNC};
    for (size_t i = 0; level < 0 && i < sizeof LOST / sizeof *LOST; i++)
        if (info->err->msg_code == LOST[i])
            on_error(info);
}

static void on_progress(j_common_ptr info) {
    struct manager *manager = (struct manager *)(void *)info->err;
    if (((j_decompress_ptr)info)->input_scan_number <= MOST_SCANS)
        return;
    snprintf(manager->why, sizeof manager->why, "more than %d scans", MOST_SCANS);
    longjmp(manager->jump, 1);
}

static void print_nothing(j_common_ptr info) {
    (void)info;
}

/* Adobe writes CMYK inverted: 255 is no ink. So a channel is simply colour × black / 255. */
static void from_cmyk(const uint8_t *src, uint8_t *dst, size_t pixels, bool inverted) {
    for (size_t i = 0; i < pixels; i++, src += 4, dst += 3)
        for (int c = 0; c < 3; c++) {
            int colour = inverted ? src[c] : 255 - src[c], black = inverted ? src[3] : 255 - src[3];
            dst[c] = (uint8_t)((colour * black + 127) / 255);
        }
}

/* Everything that libjpeg may jump out of. */
static dpr_status decode(dpr_context *context, const char *name, size_t n, uint64_t most,
                         struct jpeg_decompress_struct *jpeg, uint8_t **row, dpr__image *out) {
    jpeg_read_header(jpeg, TRUE);
    bool grey = jpeg->jpeg_color_space == JCS_GRAYSCALE;
    bool cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = grey ? JCS_GRAYSCALE : cmyk ? JCS_CMYK : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    DPR_TRY(dpr__image_allocate(context, name, jpeg->image_height, jpeg->image_width, grey ? 1 : 3,
                                most, (uint64_t)n * PIXELS_PER_BYTE, out));
    jpeg_start_decompress(jpeg);
    size_t bytes = (size_t)jpeg->output_width * out->channels;
    if (cmyk)
        DPR_TRY(dpr__allocate(context, jpeg->output_width, 4, row));
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *line = out->pixels + jpeg->output_scanline * bytes;
        JSAMPROW target = cmyk ? *row : line;
        jpeg_read_scanlines(jpeg, &target, 1);
        if (cmyk)
            from_cmyk(*row, line, jpeg->output_width, jpeg->saw_Adobe_marker);
    }
    jpeg_finish_decompress(jpeg);
    return DPR_OK;
}

dpr_status dpr__jpeg_decode(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                            uint64_t most, dpr__image *out) {
    struct jpeg_decompress_struct jpeg = {0};
    struct manager manager;
    struct jpeg_progress_mgr progress = {.progress_monitor = on_progress};
    uint8_t *row = NULL;
    dpr_status status;
    *out = (dpr__image){0};
    jpeg.err = jpeg_std_error(&manager.base);
    manager.base.error_exit = on_error;
    manager.base.emit_message = on_message;
    manager.base.output_message = print_nothing;
    /* row and *out are only changed through pointers, so they are right after a jump. */
    if (setjmp(manager.jump) == 0) {
        jpeg_create_decompress(&jpeg);
        jpeg.progress = &progress;
        jpeg_mem_src(&jpeg, bytes, (unsigned long)n);
        status = decode(context, name, n, most, &jpeg, &row, out);
    } else {
        status = DPR_FAIL(context, DPR_E_FORMAT,
                          "%s: no readable JPEG: %s; fetch it again, or take it away", name,
                          manager.why);
    }
    jpeg_destroy_decompress(&jpeg);
    dpr__free(context, row);
    if (status != DPR_OK)
        dpr__image_release(context, out);
    return status;
}
