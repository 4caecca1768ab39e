/* Reading text token by token, with messages that show the place. */
#ifndef DPR_NN_PARSE_H
#define DPR_NN_PARSE_H

#include "base/status.h"

typedef enum dpr__token_kind {
    DPR__TOKEN_WORD, /* letters, digits, and . _ + - % / = $ [ ] in any order */
    DPR__TOKEN_OPEN,
    DPR__TOKEN_CLOSE,
    DPR__TOKEN_ROUND_OPEN,
    DPR__TOKEN_ROUND_CLOSE,
    DPR__TOKEN_BREAK, /* end of line, or a comma */
    DPR__TOKEN_END,
} dpr__token_kind;

enum { DPR__TOKEN_BYTES = 512 };

/* What names of blocks and of their arguments are made of. */
#define DPR__NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

typedef struct dpr__token {
    dpr__token_kind kind;
    char word[DPR__TOKEN_BYTES];
    size_t at; /* offset of its first byte */
    unsigned line, column;
} dpr__token;

enum { DPR__MOST_PARAMETERS = 8 };

/* A call of a block whose body is being read: where the call stands, and what its arguments are. */
typedef struct dpr__block_call {
    const char *block;
    size_t index; /* of the block among all: a block sees those before it */
    unsigned line, column;
    const struct dpr__block_call *outer; /* the call whose block this call stands in; NULL: none */
    size_t n;
    const char *parameter[DPR__MOST_PARAMETERS], *value[DPR__MOST_PARAMETERS];
} dpr__block_call;

/* A place in a text. Copying it and putting the copy back goes back. */
typedef struct dpr__reader {
    dpr_context *context;
    const char *name, *text;
    size_t at, line_start;
    unsigned line;
    dpr__token token;            /* the one that is looked at */
    const dpr__block_call *call; /* the block that is read; NULL: none */
} dpr__reader;

/* Looks at the first token. Fails for text that is too long or not clean UTF-8. */
dpr_status dpr__reader_begin(dpr__reader *reader, dpr_context *context, const char *name,
                             const char *text);
dpr_status dpr__reader_next(dpr__reader *reader);

/* Puts the call's arguments in the place of "$name" in the token; the second looks at the next token first. */
dpr_status dpr__reader_fill(dpr__reader *reader);
dpr_status dpr__reader_fill_next(dpr__reader *reader);
/* Whether the token is this word. */
bool dpr__reader_sees(const dpr__reader *reader, const char *word);

/* DPR_E_SYNTAX: "name:line:column: message", the line itself, and a caret under the column; the same for the call of a block
 * that the place is in. */
dpr_status dpr__syntax_error(const dpr__reader *reader, unsigned line, unsigned column,
                             const char *format, ...) DPR__PRINTF(4, 5);

/* ": did you mean 'x'?" or ": it is one of …" for an unknown word. */
const char *dpr__suggest(const char *word, const char *const *words, size_t n, char out[512]);

#endif
