/* Growing text, and numbers in the C locale whatever the program's (text.h). */
#include "base/text.h"
#include "base/context.h"
#include "base/memory.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dpr__text_init(dpr__text *text, dpr_context *context) {
    *text = (dpr__text){.context = context};
}

void dpr__text_release(dpr__text *text) {
    dpr__free(text->context, text->data);
    text->data = NULL;
}

void dpr__text_bytes(dpr__text *text, const char *bytes, size_t n) {
    if (text->status == DPR_OK)
        text->status =
            dpr__grow(text->context, &text->data, &text->capacity, text->length + n + 1, 1);
    if (text->status != DPR_OK)
        return;
    memcpy(text->data + text->length, bytes, n);
    text->length += n;
    text->data[text->length] = '\0';
}

static int format_in_c(const dpr_context *context, char *out, size_t bytes, const char *format,
                       va_list arguments) {
    locale_t before = uselocale(context->c_locale);
    int n = vsnprintf(out, bytes, format, arguments);
    uselocale(before);
    return n;
}

void dpr__text_add(dpr__text *text, const char *format, ...) {
    char small[512];
    va_list arguments;
    va_start(arguments, format);
    int n = format_in_c(text->context, small, sizeof small, format, arguments);
    va_end(arguments);
    if (n < 0 || text->status != DPR_OK)
        return;
    if ((size_t)n < sizeof small) {
        dpr__text_bytes(text, small, (size_t)n);
        return;
    }
    text->status =
        dpr__grow(text->context, &text->data, &text->capacity, text->length + (size_t)n + 1, 1);
    if (text->status != DPR_OK)
        return;
    va_start(arguments, format);
    format_in_c(text->context, text->data + text->length, (size_t)n + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)n;
}

void dpr__text_json(dpr__text *text, const char *string) {
    dpr__text_bytes(text, "\"", 1);
    for (const char *p = string; *p != '\0';) {
        unsigned char c = (unsigned char)*p;
        size_t n = dpr__utf8_length((const unsigned char *)p);
        if (c == '"' || c == '\\') {
            const char escaped[2] = {'\\', *p};
            dpr__text_bytes(text, escaped, 2);
        } else if (c == '\n') {
            dpr__text_bytes(text, "\\n", 2);
        } else if (c < 0x20 || c == 0x7f) {
            dpr__text_add(text, "\\u%04x", c);
        } else {
            dpr__text_bytes(text, n > 0 ? p : "?", n > 0 ? n : 1);
        }
        p += n > 0 ? n : 1;
    }
    dpr__text_bytes(text, "\"", 1);
}

dpr_status dpr__text_finish(dpr__text *text, char **out) {
    dpr__text_bytes(text, "", 0);
    if (text->status != DPR_OK) {
        dpr__text_release(text);
        return text->status;
    }
    *out = text->data;
    text->data = NULL;
    return DPR_OK;
}

void dpr_text_destroy(dpr_context *context, char *text) {
    dpr__free(context, text);
}

void dpr__format(dpr_context *context, char *out, size_t bytes, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    format_in_c(context, out, bytes, format, arguments);
    va_end(arguments);
}

bool dpr__parse_double(dpr_context *context, const char *text, double *out) {
    /* strtod would also take leading space, "inf", "nan" and hexadecimal. */
    if (text[0] == '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    char *end;
    locale_t before = uselocale(context->c_locale);
    double value = strtod(text, &end);
    uselocale(before);
    if (*end != '\0' || end == text || !isfinite(value))
        return false;
    *out = value;
    return true;
}

bool dpr__parse_u64(const char *text, uint64_t *out) {
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        unsigned digit = (unsigned)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

size_t dpr__utf8_length(const unsigned char *p) {
    static const struct {
        unsigned char first, last, low, high; /* of the lead byte; of the second byte */
        size_t n;
    } FORMS[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    if (*p >= 0x20 && *p < 0x7f)
        return 1;
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (*p < FORMS[i].first || *p > FORMS[i].last)
            continue;
        if (p[1] < FORMS[i].low || p[1] > FORMS[i].high)
            return 0;
        for (size_t k = 2; k < FORMS[i].n; k++)
            if (p[k] < 0x80 || p[k] > 0xbf)
                return 0;
        return FORMS[i].n;
    }
    return 0;
}

bool dpr__utf8_is_clean(const char *text) {
    const unsigned char *p = (const unsigned char *)text;
    while (*p != '\0') {
        size_t n = dpr__utf8_length(p);
        if (n == 0 || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)) /* C1 control characters */
            return false;
        p += n;
    }
    return true;
}
