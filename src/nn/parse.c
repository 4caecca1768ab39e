/* The tokenizer of the net language (parse.h). */
#include "nn/parse.h"
#include "base/context.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20 };

/* Appends "name:line:column: message", the line, and a caret. */
static void show_place(const dpr__reader *reader, unsigned line, unsigned column,
                       const char *message, char out[DPR__ERROR_BYTES]) {
    const char *start = reader->text;
    for (unsigned i = 1; i < line && *start != '\0'; i++) {
        start += strcspn(start, "\n");
        start += *start == '\n';
    }
    size_t length = strcspn(start, "\r\n"), used = strlen(out);
    const char *more = length > 120 ? " …" : "";
    if (length > 120)
        length = 120;
    snprintf(out + used, DPR__ERROR_BYTES - used, "%s%s:%u:%u: %s\n    %.*s%s\n    %*s^",
             used > 0 ? "\n" : "", reader->name, line, column, message, (int)length, start, more,
             column - 1 < length ? (int)column - 1 : (int)length, "");
}

/* "in this call of basic, where c = 16, s = 1" */
static void describe_call(const dpr__block_call *call, char out[256]) {
    size_t used = (size_t)snprintf(out, 256, "in this call of '%.60s'", call->block);
    for (size_t i = 0; i < call->n && used < 255; i++)
        used += (size_t)snprintf(out + used, 256 - used, "%s%.30s = %.30s",
                                 i > 0 ? ", " : ", where ", call->parameter[i], call->value[i]);
}

dpr_status dpr__syntax_error(const dpr__reader *reader, unsigned line, unsigned column,
                             const char *format, ...) {
    enum { MOST_CALLS = 3 };
    char message[512], whole[DPR__ERROR_BYTES] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    show_place(reader, line, column, message, whole);
    const dpr__block_call *call = reader->call;
    for (int i = 0; i < MOST_CALLS && call != NULL; i++, call = call->outer) {
        describe_call(call, message);
        show_place(reader, call->line, call->column, message, whole);
    }
    return DPR_FAIL(reader->context, DPR_E_SYNTAX, "%s", whole);
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
    return c != '\0' && strchr(" \t\r\n,{}()#", c) == NULL;
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
        token->kind = *p == '{'   ? DPR__TOKEN_OPEN
                      : *p == '}' ? DPR__TOKEN_CLOSE
                      : *p == '(' ? DPR__TOKEN_ROUND_OPEN
                      : *p == ')' ? DPR__TOKEN_ROUND_CLOSE
                                  : DPR__TOKEN_BREAK;
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

/* The value of parameter `name` (n letters); NULL when the block has none of that name. */
static const char *value_of(const dpr__block_call *call, const char *name, size_t n) {
    for (size_t i = 0; call != NULL && i < call->n; i++)
        if (strlen(call->parameter[i]) == n && memcmp(call->parameter[i], name, n) == 0)
            return call->value[i];
    return NULL;
}

static dpr_status no_such_parameter(const dpr__reader *r, const char *name, size_t n) {
    char word[DPR__TOKEN_BYTES], help[512];
    snprintf(word, sizeof word, "%.*s", (int)n, name);
    if (r->call == NULL)
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "'$%s' is no argument of a block: it stands outside of all blocks",
                                 word);
    if (r->call->n == 0)
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "block '%s' has no arguments, so '$%s' stands for nothing",
                                 r->call->block, word);
    return dpr__syntax_error(r, r->token.line, r->token.column,
                             "'$%s' is no argument of block '%s'; %s", word, r->call->block,
                             dpr__suggest(word, r->call->parameter, r->call->n, help));
}

dpr_status dpr__reader_fill(dpr__reader *r) {
    char filled[DPR__TOKEN_BYTES];
    size_t used = 0;
    if (r->token.kind != DPR__TOKEN_WORD || strchr(r->token.word, '$') == NULL)
        return DPR_OK;
    for (const char *p = r->token.word; *p != '\0';) {
        const char *piece = p;
        size_t n = 1;
        if (*p == '$') {
            size_t name = strspn(p + 1, DPR__NAME_LETTERS);
            piece = value_of(r->call, p + 1, name);
            if (piece == NULL)
                return no_such_parameter(r, p + 1, name);
            n = strlen(piece);
            p += name;
        }
        p++;
        if (used + n >= sizeof filled)
            return dpr__syntax_error(r, r->token.line, r->token.column,
                                     "with its arguments filled in, this word is too long");
        memcpy(filled + used, piece, n);
        used += n;
    }
    memcpy(r->token.word, filled, used);
    r->token.word[used] = '\0';
    return DPR_OK;
}

dpr_status dpr__reader_fill_next(dpr__reader *r) {
    DPR_TRY(dpr__reader_next(r));
    return dpr__reader_fill(r);
}

bool dpr__reader_sees(const dpr__reader *r, const char *word) {
    return r->token.kind == DPR__TOKEN_WORD && strcmp(r->token.word, word) == 0;
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
