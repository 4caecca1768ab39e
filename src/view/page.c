/* Pages (page.h). */
#include "view/page.h"
#include "base/context.h"
#include "data/source.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void dpr__page_file(dpr__text *page, const char *name) {
    enum { MOST = 1 << 17 };
    size_t i = 0, n;
    uint8_t *text;
    while (strcmp(dpr__page_file_names[i], name) !=
           0) /* one that is not there is a mistake of ours */
        i++;
    const unsigned char *bytes = dpr__page_file_bytes[i];
    if (bytes[0] != 0x1f) {
        dpr__text_bytes(page, (const char *)bytes, dpr__page_file_sizes[i]);
        return;
    }
    if (page->status == DPR_OK)
        page->status =
            dpr__gunzip(page->context, name, bytes, dpr__page_file_sizes[i], MOST, &text, &n);
    if (page->status != DPR_OK)
        return;
    dpr__text_bytes(page, (const char *)text, n);
    dpr__free(page->context, text);
}

void dpr__page_begin(dpr__text *page, const char *title) {
    dpr__page_begin_styled(page, title, NULL);
}

void dpr__page_begin_styled(dpr__text *page, const char *title, const char *style) {
    dpr__text_add(page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                        "<link rel=\"icon\" href=\"data:,\">\n"
                        "<title>");
    dpr__page_text(page, title);
    dpr__text_add(page, "</title>\n<style>\n");
    dpr__page_file(page, "page");
    if (style != NULL)
        dpr__page_file(page, style);
    dpr__text_add(page, "</style>\n</head>\n<body>\n");
}

void dpr__page_end(dpr__text *page) {
    dpr__text_add(page, "</body>\n</html>\n");
}

void dpr__page_text(dpr__text *page, const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p != 0;) {
        size_t n = *p == '\n' || *p == '\t' ? 1 : dpr__utf8_length(p);
        const char *entity = *p == '<'   ? "&lt;"
                             : *p == '>' ? "&gt;"
                             : *p == '&' ? "&amp;"
                             : *p == '"' ? "&quot;"
                             : n == 0    ? "?"
                                         : NULL;
        if (entity != NULL)
            dpr__text_add(page, "%s", entity);
        else
            dpr__text_bytes(page, (const char *)p, n);
        p += n > 0 ? n : 1;
    }
}

/* As many digits as the commands print in JSON. */
static void add_value(dpr__text *page, double number) {
    dpr__text_add(page, "<data value=\"%.15g\">", number);
}

void dpr__page_share(dpr__text *page, double share) {
    if (!isfinite(share)) {
        dpr__text_add(page, "–");
        return;
    }
    add_value(page, share);
    dpr__text_add(page, "%.2f %%</data>", 100 * share);
}

void dpr__page_number(dpr__text *page, double number, int digits) {
    if (!isfinite(number)) {
        dpr__text_add(page, "–");
        return;
    }
    add_value(page, number);
    dpr__text_add(page, "%.*f</data>", digits, number);
}

void dpr__page_count(dpr__text *page, uint64_t count) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < n; i++)
        dpr__text_add(page, "%s%c", i > 0 && (n - i) % 3 == 0 ? "," : "", digits[i]);
}

void dpr__page_table(dpr__text *page, const char *class, const char *caption) {
    dpr__text_add(page,
                  "<div class=\"wide\" role=\"group\" tabindex=\"0\" aria-label=\"%s\"><table "
                  "class=\"%s\"><caption>%s</caption>",
                  caption, class != NULL ? class : "plain", caption);
}

/* ---- pictures ---- */

void dpr__page_base64(dpr__text *page, const unsigned char *bytes, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t b = i + 1 < n ? bytes[i + 1] : 0, c = i + 2 < n ? bytes[i + 2] : 0;
        uint32_t bits = (uint32_t)bytes[i] << 16 | b << 8 | c;
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        i + 1 < n ? digits[bits >> 6 & 63] : '=',
                        i + 2 < n ? digits[bits & 63] : '='};
        dpr__text_bytes(page, four, sizeof four);
    }
}

/* As dpr__png_encode, of a copy that is no larger than asked for. */
static dpr_status encode(dpr_context *context, const uint8_t *pixels, dpr_shape image,
                         uint32_t most, dpr__text *png) {
    dpr__image whole = {.pixels = (uint8_t *)(uintptr_t)pixels,
                        .height = (uint32_t)image.dim[0],
                        .width = (uint32_t)image.dim[1],
                        .channels = (uint32_t)image.dim[2]};
    uint32_t side = whole.height > whole.width ? whole.height : whole.width;
    if (side <= most)
        return dpr__png_encode(context, pixels, image, png);
    uint32_t height = (uint32_t)((uint64_t)whole.height * most / side),
             width = (uint32_t)((uint64_t)whole.width * most / side);
    height += height == 0, width += width == 0;
    uint8_t *small;
    DPR_TRY(dpr__allocate(context, (size_t)height * width, whole.channels, &small));
    dpr_status status = dpr__image_fit(context, &whole, height, width, DPR_STRETCH, small);
    if (status == DPR_OK)
        status = dpr__png_encode(context, small, dpr_shape_of(height, width, image.dim[2]), png);
    dpr__free(context, small);
    return status;
}

void dpr__page_image(dpr__text *page, const uint8_t *pixels, dpr_shape image, uint32_t most,
                     const char *alt) {
    dpr__text png;
    if (page->status != DPR_OK)
        return;
    dpr__text_init(&png, page->context);
    dpr_status status = encode(page->context, pixels, image, most, &png);
    if (status == DPR_OK) {
        dpr__text_add(page, "<img alt=\"");
        dpr__page_text(page, alt);
        dpr__text_add(page, "\" src=\"data:image/png;base64,");
        dpr__page_base64(page, (const unsigned char *)png.data, png.length);
        dpr__text_add(page, "\">");
    } else if (status == DPR_E_UNSUPPORTED || status == DPR_E_SHAPE) {
        dpr__text_add(page, "<p>");
        dpr__page_text(page, alt);
        dpr__text_add(page, "</p>");
    } else {
        page->status = status;
    }
    dpr__text_release(&png);
}
