/* Reading text token by token, with messages that show the place. */
#ifndef DPR_NN_PARSE_H
#define DPR_NN_PARSE_H

#include "base/status.h"

typedef enum dpr__token_kind {
    DPR__TOKEN_WORD, /* letters, digits, and . _ + - % / = [ ] in any order */
    DPR__TOKEN_OPEN,
    DPR__TOKEN_CLOSE,
    DPR__TOKEN_BREAK, /* end of line, or a comma */
    DPR__TOKEN_END,
} dpr__token_kind;

enum { DPR__TOKEN_BYTES = 512 };

typedef struct dpr__token {
    dpr__token_kind kind;
    char word[DPR__TOKEN_BYTES];
    size_t at; /* offset of its first byte */
    unsigned line, column;
} dpr__token;

/* A place in a text. Copying it and putting the copy back goes back. */
typedef struct dpr__reader {
    dpr_context *context;
    const char *name, *text;
    size_t at, line_start;
    unsigned line;
    dpr__token token; /* the one that is looked at */
} dpr__reader;

/* Looks at the first token. Fails for text that is too long or not clean UTF-8. */
dpr_status dpr__reader_begin(dpr__reader *reader, dpr_context *context, const char *name,
                             const char *text);
dpr_status dpr__reader_next(dpr__reader *reader);

/* DPR_E_SYNTAX: "name:line:column: message", the line itself, and a caret under the column. */
dpr_status dpr__syntax_error(const dpr__reader *reader, unsigned line, unsigned column,
                             const char *format, ...) DPR__PRINTF(4, 5);

/* ": did you mean 'x'?" or ": it is one of …" for an unknown word. */
const char *dpr__suggest(const char *word, const char *const *words, size_t n, char out[512]);

#endif
