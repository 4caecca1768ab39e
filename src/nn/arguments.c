/* What stands behind a word: numbers, pairs, keywords (words.h says which). */
#include "base/context.h"
#include "base/text.h"
#include "nn/items.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double MOST_WIDTH = 16777216; /* 2^24 */

static dpr_status missing(const dpr__reader *r, const char *what) {
    return dpr__syntax_error(r, r->token.line, r->token.column, "%s is missing", what);
}

static bool whole(dpr_context *context, const char *text, double least, double most, double *out) {
    return dpr__parse_double(context, text, out) && *out == floor(*out) && *out >= least &&
           *out <= most;
}

dpr_status dpr__parse_count(dpr__reader *r, const char *what, double most, double *out) {
    if (r->token.kind != DPR__TOKEN_WORD)
        return missing(r, what);
    if (!whole(r->context, r->token.word, 1, most, out))
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "%s is '%s'; it must be a whole number from 1 to %.0f", what,
                                 r->token.word, most);
    return dpr__reader_fill_next(r);
}

static dpr_status parse_width(dpr__reader *r, const char *what, double *out) {
    static const char *const CLASSES[] = {"classes"};
    *out = DPR__NUMBER_CLASSES;
    if (dpr__reader_sees(r, "classes"))
        return dpr__reader_fill_next(r);
    if (r->token.kind == DPR__TOKEN_WORD && dpr_nearest_word(r->token.word, CLASSES, 1) != NULL)
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "%s is '%s'; did you mean 'classes'?", what, r->token.word);
    return dpr__parse_count(r, what, MOST_WIDTH, out);
}

/* "3x5", or "3" for 3x3. */
static bool pair(dpr_context *context, const char *text, double least, dpr__number *out) {
    char first[DPR__TOKEN_BYTES];
    const char *x = strchr(text, 'x');
    size_t n = x != NULL ? (size_t)(x - text) : strlen(text);
    memcpy(first, text, n);
    first[n] = '\0';
    return whole(context, first, least, DPR__MOST_SIDE, &out->value) &&
           whole(context, x != NULL ? x + 1 : first, least, DPR__MOST_SIDE, &out->second);
}

static dpr_status parse_pair(dpr__reader *r, const char *what, bool padding, dpr__number *out) {
    if (r->token.kind != DPR__TOKEN_WORD)
        return missing(r, what);
    if (padding && dpr__reader_sees(r, "same"))
        *out = (dpr__number){DPR__NUMBER_SAME, DPR__NUMBER_SAME};
    else if (padding && dpr__reader_sees(r, "valid"))
        *out = (dpr__number){0, 0};
    else if (!pair(r->context, r->token.word, padding ? 0 : 1, out))
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 padding ? "%s is '%s'; it must be same, valid, or pixels as in 1 "
                                           "or 1x2"
                                         : "%s is '%s'; it must be a whole number from 1 to 65536, "
                                           "or two as in 3x5",
                                 what, r->token.word);
    return dpr__reader_fill_next(r);
}

static dpr_status parse_real(dpr__reader *r, const char *what, dpr__argument_kind kind,
                             double *out) {
    if (r->token.kind != DPR__TOKEN_WORD)
        return missing(r, what);
    bool good = dpr__parse_double(r->context, r->token.word, out);
    if (kind == DPR__ARGUMENT_RATE)
        good = good && *out >= 0 && *out < 1;
    if (kind == DPR__ARGUMENT_SMALL)
        good = good && *out > 0 && *out < 1;
    if (!good)
        return dpr__syntax_error(r, r->token.line, r->token.column, "%s is '%s'; it must be %s",
                                 what, r->token.word,
                                 kind == DPR__ARGUMENT_RATE    ? "at least 0 and below 1"
                                 : kind == DPR__ARGUMENT_SMALL ? "above 0 and below 1"
                                                               : "a number");
    return dpr__reader_fill_next(r);
}

static dpr_status parse_init(dpr__reader *r, const char *what, double *out) {
    char help[512];
    if (r->token.kind != DPR__TOKEN_WORD)
        return missing(r, what);
    for (int i = 0; i < DPR__N_INITS; i++)
        if (dpr__reader_sees(r, dpr__init_words[i])) {
            *out = i;
            return dpr__reader_fill_next(r);
        }
    return dpr__syntax_error(r, r->token.line, r->token.column, "%s is '%s'; %s", what,
                             r->token.word,
                             dpr__suggest(r->token.word, dpr__init_words, DPR__N_INITS, help));
}

static dpr_status parse_argument(dpr__reader *r, const dpr__word *word,
                                 const dpr__argument *argument, dpr__number *out) {
    char what[128];
    snprintf(what, sizeof what, "the %s of %s", argument->name, word->word);
    switch (argument->kind) {
    case DPR__ARGUMENT_FLAG:
        out->value = 1;
        return DPR_OK;
    case DPR__ARGUMENT_PAIR:
    case DPR__ARGUMENT_PADDING:
        return parse_pair(r, what, argument->kind == DPR__ARGUMENT_PADDING, out);
    case DPR__ARGUMENT_COUNT:
        DPR_TRY(dpr__parse_count(r, what, MOST_WIDTH, &out->value));
        break;
    case DPR__ARGUMENT_WIDTH:
        DPR_TRY(parse_width(r, what, &out->value));
        break;
    case DPR__ARGUMENT_INIT:
        DPR_TRY(parse_init(r, what, &out->value));
        break;
    case DPR__ARGUMENT_RATE:
    case DPR__ARGUMENT_SMALL:
    case DPR__ARGUMENT_REAL:
        DPR_TRY(parse_real(r, what, argument->kind, &out->value));
        break;
    }
    out->second = out->value;
    return DPR_OK;
}

static dpr_status unknown_keyword(const dpr__reader *r, const dpr__word *word) {
    const char *words[DPR__MOST_ARGUMENTS];
    char help[512];
    size_t n = 0;
    for (size_t i = 0; i < DPR__MOST_ARGUMENTS && word->argument[i].name != NULL; i++)
        if (word->argument[i].keyword)
            words[n++] = word->argument[i].name;
    if (n == 0)
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "'%s' is left over; one operation a line, or commas between them",
                                 r->token.word);
    return dpr__syntax_error(r, r->token.line, r->token.column, "'%s' does not belong to %s; %s",
                             r->token.word, word->word,
                             dpr__suggest(r->token.word, words, n, help));
}

/* "stride 2 nobias", in any order. */
static dpr_status parse_keywords(dpr__reader *r, dpr__net_item *item) {
    unsigned seen = 0;
    while (r->token.kind == DPR__TOKEN_WORD) {
        size_t i = 0;
        const dpr__argument *argument = item->word->argument;
        while (i < DPR__MOST_ARGUMENTS && argument[i].name != NULL &&
               !(argument[i].keyword && dpr__reader_sees(r, argument[i].name)))
            i++;
        if (i == DPR__MOST_ARGUMENTS || argument[i].name == NULL)
            return unknown_keyword(r, item->word);
        if (seen >> i & 1)
            return dpr__syntax_error(r, r->token.line, r->token.column,
                                     "'%s' stands here a second time", r->token.word);
        seen |= 1U << i;
        DPR_TRY(dpr__reader_fill_next(r));
        DPR_TRY(parse_argument(r, item->word, &argument[i], &item->argument[i]));
    }
    return DPR_OK;
}

/* "conv 16 3x3": other programs take the outputs first. */
static dpr_status check_order(const dpr__reader *r, const dpr__net_item *item, size_t i) {
    dpr__number kernel;
    bool width = item->word->argument[i].kind == DPR__ARGUMENT_WIDTH;
    if (i == 0 || !width || r->token.kind != DPR__TOKEN_WORD ||
        strchr(r->token.word, 'x') == NULL || !pair(r->context, r->token.word, 1, &kernel))
        return DPR_OK;
    return dpr__syntax_error(r, r->token.line, r->token.column,
                             "the %s of %s comes first: '%s %s %.0f'", item->word->argument[0].name,
                             item->word->word, item->word->word, r->token.word,
                             item->argument[0].value);
}

dpr_status dpr__parse_arguments(dpr__reader *r, dpr__net_item *item) {
    for (size_t i = 0; i < DPR__MOST_ARGUMENTS && item->word->argument[i].name != NULL; i++) {
        const dpr__argument *argument = &item->word->argument[i];
        item->argument[i] = (dpr__number){argument->otherwise, argument->otherwise};
        DPR_TRY(check_order(r, item, i));
        if (!argument->keyword && (!argument->optional || r->token.kind == DPR__TOKEN_WORD))
            DPR_TRY(parse_argument(r, item->word, argument, &item->argument[i]));
    }
    return parse_keywords(r, item);
}
