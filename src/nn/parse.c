/* The tokenizer of the net language (parse.h). */
#include "nn/parse.h"
#include "base/context.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20 };

dpr_status dpr__syntax_error(const dpr__reader *reader, unsigned line, unsigned column,
                             const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const char *start = reader->text;
    for (unsigned i = 1; i < line && *start != '\0'; i++) {
        start += strcspn(start, "\n");
        start += *start == '\n';
    }
    size_t length = strcspn(start, "\r\n");
    const char *more = length > 120 ? " …" : "";
    if (length > 120)
        length = 120;
    return DPR_FAIL(reader->context, DPR_E_SYNTAX, "%s:%u:%u: %s\n    %.*s%s\n    %*s^",
                    reader->name, line, column, message, (int)length, start, more,
                    column - 1 < length ? (int)column - 1 : (int)length, "");
}

const char *dpr__suggest(const char *word, const char *const *words, size_t n, char out[512]) {
    const char *nearest = dpr_nearest_word(word, words, n);
    if (nearest != NULL) {
        snprintf(out, 512, "did you mean '%s'?", nearest);
        return out;
    }
    size_t length = (size_t)snprintf(out, 512, "it is one of: ");
    for (size_t i = 0; i < n && length < 480; i++)
        length += (size_t)snprintf(out + length, 512 - length, "%s%s", i > 0 ? ", " : "", words[i]);
    return out;
}

static bool in_word(char c) {
    return c != '\0' && strchr(" \t\r\n,{}#", c) == NULL;
}

static void skip_blanks(dpr__reader *r) {
    r->at += strspn(r->text + r->at, " \t\r");
    if (r->text[r->at] == '#')
        r->at += strcspn(r->text + r->at, "\n");
}

dpr_status dpr__reader_next(dpr__reader *r) {
    skip_blanks(r);
    dpr__token *token = &r->token;
    const char *p = r->text + r->at;
    *token =
        (dpr__token){.at = r->at, .line = r->line, .column = (unsigned)(r->at - r->line_start) + 1};
    if (*p == '\0') {
        token->kind = DPR__TOKEN_END;
        return DPR_OK;
    }
    if (!in_word(*p)) {
        token->kind = *p == '{' ? DPR__TOKEN_OPEN : *p == '}' ? DPR__TOKEN_CLOSE : DPR__TOKEN_BREAK;
        r->at++;
        if (*p == '\n') {
            r->line++;
            r->line_start = r->at;
        }
        return DPR_OK;
    }
    size_t n = 0;
    while (in_word(p[n]))
        n++;
    token->kind = DPR__TOKEN_WORD;
    if (n >= DPR__TOKEN_BYTES)
        return dpr__syntax_error(r, token->line, token->column, "a word of %zu letters is too long",
                                 n);
    memcpy(token->word, p, n);
    r->at += n;
    return DPR_OK;
}

dpr_status dpr__reader_begin(dpr__reader *r, dpr_context *context, const char *name,
                             const char *text) {
    *r = (dpr__reader){.context = context, .name = name, .text = text, .line = 1};
    if (strlen(text) > MOST_BYTES)
        return DPR_FAIL(context, DPR_E_SYNTAX, "%s: the text is longer than %d bytes", name,
                        MOST_BYTES);
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 && strchr("\t\r\n", *p) == NULL)
            return DPR_FAIL(
                context, DPR_E_SYNTAX,
                "%s: byte %zu is a control character; this is not the text of a network", name,
                (size_t)(p - text));
    return dpr__reader_next(r);
}
