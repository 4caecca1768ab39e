/* Reading the text of a net: operations in order; repeats and blocks are unrolled by reading their bodies again. A block's body is
 * read at each call, with the call's arguments in the place of "$name". */
#include "base/context.h"
#include "nn/items.h"
#include <stdio.h>
#include <string.h>

enum { MOST_ITEMS = 10000, MOST_BLOCKS = 256, MOST_WORDS = 64 };

struct block {
    char *name;
    size_t n;
    const char *parameter[DPR__MOST_PARAMETERS];
    dpr__reader body; /* looks at its '{' */
};

struct unrolling {
    dpr__net *net;
    dpr__reader reader;
    struct block *blocks;
    size_t n_blocks, blocks_capacity;
    size_t *counts; /* (words) layers so far, for their names */
    size_t passes;  /* of repeats and blocks, for the limit */
};

static dpr_status here(const dpr__reader *r, const char *message) {
    return dpr__syntax_error(r, r->token.line, r->token.column, "%s", message);
}

static dpr_status next(struct unrolling *u) {
    return dpr__reader_fill_next(&u->reader);
}

static dpr_status skip_breaks(struct unrolling *u) {
    while (u->reader.token.kind == DPR__TOKEN_BREAK)
        DPR_TRY(next(u));
    return DPR_OK;
}

static const dpr__word *find_word(const char *word) {
    for (size_t i = 0; i < dpr__n_words; i++)
        if (strcmp(dpr__words[i].word, word) == 0)
            return &dpr__words[i];
    return NULL;
}

/* Blocks that may be called here: those before the one that is being read, so that none calls itself. */
static size_t blocks_in_sight(const struct unrolling *u) {
    return u->reader.call != NULL ? u->reader.call->index : u->n_blocks;
}

static dpr_status unknown_word(const struct unrolling *u) {
    const dpr__reader *r = &u->reader;
    const char *words[MOST_WORDS + MOST_BLOCKS];
    char help[512];
    size_t n = 0, seen = blocks_in_sight(u);
    for (size_t i = seen; i < u->n_blocks; i++)
        if (dpr__reader_sees(r, u->blocks[i].name))
            return dpr__syntax_error(r, r->token.line, r->token.column,
                                     "block '%s' calls '%s'; a block may call those that stand "
                                     "before it, and not itself",
                                     r->call->block, r->token.word);
    DPR_ASSERT(dpr__n_words + 3 <= MOST_WORDS);
    for (; n < dpr__n_words; n++)
        words[n] = dpr__words[n].word;
    words[n++] = "input";
    words[n++] = "repeat";
    words[n++] = "block";
    for (size_t i = 0; i < seen; i++)
        words[n++] = u->blocks[i].name;
    if (dpr__reader_sees(r, "softmax"))
        return here(r, "the loss contains the softmax; end with 'linear classes'");
    return dpr__syntax_error(r, r->token.line, r->token.column, "unknown operation '%s'; %s",
                             r->token.word, dpr__suggest(r->token.word, words, n, help));
}

/* ---- single operations ---- */

static dpr_status end_of_operation(const dpr__reader *r) {
    switch (r->token.kind) {
    case DPR__TOKEN_WORD:
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "'%s' is left over; one operation a line, or commas between them",
                                 r->token.word);
    case DPR__TOKEN_OPEN:
        return here(r, "'{' belongs to repeat, residual, branch and block only");
    case DPR__TOKEN_ROUND_OPEN:
    case DPR__TOKEN_ROUND_CLOSE:
        return here(r, "round brackets belong to the arguments of a block: 'name(16, 2)'");
    case DPR__TOKEN_CLOSE:
    case DPR__TOKEN_BREAK:
    case DPR__TOKEN_END:
        break;
    }
    return DPR_OK;
}

static dpr_status parse_input(struct unrolling *u) {
    static const char *const WHAT[3] = {"the height of input", "the width of input",
                                        "the number of channels of input"};
    dpr__net *net = u->net;
    const dpr__reader *r = &u->reader;
    if (net->input_line != 0)
        return here(r, "input stands here a second time");
    if (net->n_items > 0)
        return here(r, "input comes first");
    net->input_line = r->token.line;
    net->input_column = r->token.column;
    DPR_TRY(next(u));
    net->of_data = dpr__reader_sees(r, "data");
    if (net->of_data)
        DPR_TRY(next(u));
    if (net->of_data && r->token.kind != DPR__TOKEN_WORD)
        return end_of_operation(r);
    for (int i = 0; i < 3; i++) {
        double value;
        DPR_TRY(dpr__parse_count(&u->reader, WHAT[i], i < 2 ? DPR__MOST_SIDE : 4, &value));
        net->input.dim[i] = (int64_t)value;
    }
    net->input.rank = 3;
    return end_of_operation(r);
}

static dpr_status add_item(struct unrolling *u, const dpr__net_item *item) {
    dpr__net *net = u->net;
    if (net->n_items == MOST_ITEMS)
        return here(&u->reader, "the network has more than 10000 operations");
    DPR_TRY(dpr__grow(net->context, &net->items, &net->items_capacity, net->n_items + 1,
                      sizeof *net->items));
    net->items[net->n_items++] = *item;
    net->n_layers += item->kind == DPR__ITEM_LAYER || item->kind == DPR__ITEM_CLOSE;
    return DPR_OK;
}

/* The word that is looked at and what belongs to it, up to a body or the end; "linear_2" is the second linear of the net. */
static dpr_status begin_item(struct unrolling *u, const dpr__word *word, dpr__net_item *item) {
    char name[64];
    const dpr__token *token = &u->reader.token;
    if (u->net->input_line == 0)
        return here(&u->reader, "the first operation must be input: 'input HEIGHT WIDTH CHANNELS'");
    *item = (dpr__net_item){
        .word = word, .line = token->line, .column = token->column, .call = u->reader.call};
    int n = snprintf(name, sizeof name, "%s_%zu", word->word, ++u->counts[word - dpr__words]);
    item->name = dpr__arena_text(&u->net->arena, name, (size_t)n);
    if (item->name == NULL)
        return DPR_E_MEMORY;
    DPR_TRY(next(u));
    return dpr__parse_arguments(&u->reader, item);
}

static dpr_status parse_layer(struct unrolling *u, const dpr__word *word) {
    dpr__net_item item;
    DPR_TRY(begin_item(u, word, &item));
    DPR_TRY(end_of_operation(&u->reader));
    return add_item(u, &item);
}

/* ---- bodies ---- */

static dpr_status parse_operations(struct unrolling *u, unsigned depth);

/* From '{' to past '}', for `what` at `start`. */
static dpr_status parse_body(struct unrolling *u, const char *what, const dpr__token *start,
                             bool may_be_empty, unsigned depth) {
    dpr__reader *r = &u->reader;
    size_t before = u->net->n_items;
    if (depth == DPR__MOST_DEPTH)
        return dpr__syntax_error(r, start->line, start->column,
                                 "repeats, residuals, branches and blocks are nested too deeply");
    DPR_TRY(next(u));
    DPR_TRY(parse_operations(u, depth + 1));
    if (r->token.kind != DPR__TOKEN_CLOSE)
        return dpr__syntax_error(r, start->line, start->column, "this %s has no closing '}'", what);
    if (u->net->n_items == before && !may_be_empty)
        return dpr__syntax_error(r, start->line, start->column, "this %s is empty", what);
    return next(u);
}

static dpr_status expect_body(struct unrolling *u, const char *form) {
    DPR_TRY(skip_breaks(u));
    if (u->reader.token.kind != DPR__TOKEN_OPEN)
        return dpr__syntax_error(&u->reader, u->reader.token.line, u->reader.token.column,
                                 "'{' is missing: %s", form);
    return DPR_OK;
}

static dpr_status count_pass(struct unrolling *u, const dpr__token *start) {
    if (++u->passes > MOST_ITEMS)
        return dpr__syntax_error(&u->reader, start->line, start->column,
                                 "the repeats and blocks unroll to more than 10000 passes");
    return DPR_OK;
}

static dpr_status parse_repeat(struct unrolling *u, unsigned depth) {
    const dpr__token start = u->reader.token;
    double times;
    DPR_TRY(next(u));
    DPR_TRY(dpr__parse_count(&u->reader, "the count of repeat", MOST_ITEMS, &times));
    DPR_TRY(expect_body(u, "repeat N { … }"));
    const dpr__reader body = u->reader;
    for (unsigned i = 0; i < (unsigned)times; i++) {
        u->reader = body;
        DPR_TRY(count_pass(u, &start));
        DPR_TRY(parse_body(u, "repeat", &start, false, depth));
    }
    return DPR_OK;
}

/* Whether another '{' follows, on this line or a later one; if not, the reader stays where it is. */
static dpr_status find_next_body(struct unrolling *u, bool *found) {
    const dpr__reader before = u->reader;
    DPR_TRY(skip_breaks(u));
    *found = u->reader.token.kind == DPR__TOKEN_OPEN;
    if (!*found)
        u->reader = before;
    return DPR_OK;
}

/* residual { … }, branch { … } { … } */
static dpr_status parse_structure(struct unrolling *u, const dpr__word *word, unsigned depth) {
    const dpr__token start = u->reader.token;
    bool branch = word->most_bodies > 1, more = true;
    dpr__net_item item;
    size_t bodies = 0, before;
    DPR_TRY(begin_item(u, word, &item));
    DPR_TRY(expect_body(u, branch ? "branch { … } { … }" : "residual { … }"));
    before = u->net->n_items;
    for (; more; bodies++) {
        if (bodies == word->most_bodies)
            return dpr__syntax_error(&u->reader, start.line, start.column,
                                     "this branch has more than %zu parts", word->most_bodies);
        item.kind = bodies == 0 ? DPR__ITEM_OPEN : DPR__ITEM_NEXT;
        DPR_TRY(add_item(u, &item));
        DPR_TRY(parse_body(u, word->word, &start, branch, depth));
        more = false;
        if (branch)
            DPR_TRY(find_next_body(u, &more));
    }
    if (branch && bodies == 1)
        return dpr__syntax_error(
            &u->reader, start.line, start.column,
            "this branch has one part; it takes two and more: branch { … } { … }");
    if (u->net->n_items == before + bodies)
        return dpr__syntax_error(&u->reader, start.line, start.column, "this %s is empty",
                                 word->word);
    item.kind = DPR__ITEM_CLOSE;
    return add_item(u, &item);
}

/* ---- blocks ---- */

static bool is_name(const char *word) {
    return strspn(word, DPR__NAME_LETTERS) == strlen(word) && !(word[0] >= '0' && word[0] <= '9');
}

/* The words in round brackets, which may be missing. */
static dpr_status parse_list(struct unrolling *u, const char **words, size_t *n) {
    dpr__reader *r = &u->reader;
    *n = 0;
    if (r->token.kind != DPR__TOKEN_ROUND_OPEN)
        return DPR_OK;
    DPR_TRY(next(u));
    for (;;) {
        DPR_TRY(skip_breaks(u));
        if (r->token.kind == DPR__TOKEN_ROUND_CLOSE)
            return next(u);
        if (r->token.kind != DPR__TOKEN_WORD)
            return here(r, "')' is missing");
        if (*n == DPR__MOST_PARAMETERS)
            return here(r, "a block has at most 8 arguments");
        words[*n] = dpr__arena_text(&u->net->arena, r->token.word, strlen(r->token.word));
        if (words[(*n)++] == NULL)
            return DPR_E_MEMORY;
        DPR_TRY(next(u));
        if (r->token.kind == DPR__TOKEN_WORD)
            return here(r, "',' is missing between the arguments");
    }
}

static struct block *find_block(const struct unrolling *u, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(u->blocks[i].name, name) == 0)
            return &u->blocks[i];
    return NULL;
}

static dpr_status check_block_name(const struct unrolling *u) {
    const dpr__reader *r = &u->reader;
    if (r->token.kind != DPR__TOKEN_WORD)
        return here(r, "the name of the block is missing");
    if (!is_name(r->token.word))
        return here(r, "a block's name is made of letters, digits and _, and begins with a letter");
    if (find_word(r->token.word) != NULL || dpr__reader_sees(r, "input") ||
        dpr__reader_sees(r, "repeat") || dpr__reader_sees(r, "block"))
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "'%s' is an operation already; give the block another name",
                                 r->token.word);
    if (find_block(u, u->n_blocks, r->token.word) != NULL)
        return dpr__syntax_error(r, r->token.line, r->token.column, "block '%s' is defined already",
                                 r->token.word);
    if (u->n_blocks == MOST_BLOCKS)
        return here(r, "the network has more than 256 blocks");
    return DPR_OK;
}

static dpr_status check_parameters(const struct unrolling *u, const struct block *block) {
    const dpr__reader *r = &u->reader;
    for (size_t i = 0; i < block->n; i++) {
        if (!is_name(block->parameter[i]))
            return dpr__syntax_error(r, block->body.token.line, block->body.token.column,
                                     "'%s' cannot be the name of an argument: letters, digits and "
                                     "_, and no '$' here",
                                     block->parameter[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(block->parameter[i], block->parameter[k]) == 0)
                return dpr__syntax_error(r, block->body.token.line, block->body.token.column,
                                         "two arguments are called '%s'", block->parameter[i]);
    }
    return DPR_OK;
}

/* To past the '}' that closes the '{' which is looked at, without a look at what stands between. */
static dpr_status skip_body(struct unrolling *u, const dpr__token *start) {
    dpr__reader *r = &u->reader;
    size_t open = 0;
    do {
        if (r->token.kind == DPR__TOKEN_END)
            return dpr__syntax_error(r, start->line, start->column,
                                     "this block has no closing '}'");
        open += r->token.kind == DPR__TOKEN_OPEN;
        open -= r->token.kind == DPR__TOKEN_CLOSE;
        DPR_TRY(dpr__reader_next(r));
    } while (open > 0);
    return dpr__reader_fill(r);
}

/* block NAME(a, b) { … } */
static dpr_status parse_block(struct unrolling *u, unsigned depth) {
    const dpr__token start = u->reader.token;
    struct block block = {0};
    if (depth > 0)
        return here(&u->reader, "a block is defined outside of all braces");
    DPR_TRY(next(u));
    DPR_TRY(check_block_name(u));
    block.name =
        dpr__arena_text(&u->net->arena, u->reader.token.word, strlen(u->reader.token.word));
    if (block.name == NULL)
        return DPR_E_MEMORY;
    DPR_TRY(next(u));
    block.body = u->reader;
    DPR_TRY(parse_list(u, block.parameter, &block.n));
    DPR_TRY(check_parameters(u, &block));
    DPR_TRY(expect_body(u, "block NAME(ARGUMENT, …) { … }"));
    block.body = u->reader;
    DPR_TRY(skip_body(u, &start));
    DPR_TRY(dpr__grow(u->net->context, &u->blocks, &u->blocks_capacity, u->n_blocks + 1,
                      sizeof *u->blocks));
    u->blocks[u->n_blocks++] = block;
    return DPR_OK;
}

static dpr_status wrong_count(const dpr__reader *r, const dpr__token *start,
                              const struct block *block, size_t n) {
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < block->n && used < sizeof list - 1; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.24s", i > 0 ? ", " : "",
                                 block->parameter[i]);
    return dpr__syntax_error(r, start->line, start->column,
                             "block '%.60s' has %zu arguments, not %zu: %.60s(%s)", block->name,
                             block->n, n, block->name, list);
}

/* NAME(16, 2): reads the block's body, and comes back. */
static dpr_status parse_call(struct unrolling *u, const struct block *block, unsigned depth) {
    const dpr__token start = u->reader.token;
    dpr__block_call *call = dpr__arena_allocate(&u->net->arena, sizeof *call);
    if (call == NULL)
        return DPR_E_MEMORY;
    *call = (dpr__block_call){.block = block->name,
                              .index = (size_t)(block - u->blocks),
                              .line = start.line,
                              .column = start.column,
                              .outer = u->reader.call};
    if (u->net->input_line == 0)
        return here(&u->reader, "the first operation must be input: 'input HEIGHT WIDTH CHANNELS'");
    DPR_TRY(count_pass(u, &start));
    DPR_TRY(next(u));
    DPR_TRY(parse_list(u, call->value, &call->n));
    if (call->n != block->n)
        return wrong_count(&u->reader, &start, block, call->n);
    memcpy(call->parameter, block->parameter, sizeof call->parameter);
    DPR_TRY(end_of_operation(&u->reader));
    const dpr__reader after = u->reader;
    u->reader = block->body;
    u->reader.call = call;
    const dpr__token body = u->reader.token;
    DPR_TRY(parse_body(u, "block", &body, false, depth));
    u->reader = after;
    return DPR_OK;
}

/* ---- all ---- */

static dpr_status parse_operation(struct unrolling *u, unsigned depth) {
    const dpr__word *word = find_word(u->reader.token.word);
    const struct block *block = find_block(u, blocks_in_sight(u), u->reader.token.word);
    if (dpr__reader_sees(&u->reader, "input"))
        return parse_input(u);
    if (dpr__reader_sees(&u->reader, "repeat"))
        return parse_repeat(u, depth);
    if (dpr__reader_sees(&u->reader, "block"))
        return parse_block(u, depth);
    if (block != NULL)
        return parse_call(u, block, depth);
    if (word == NULL)
        return unknown_word(u);
    return word->most_bodies > 0 ? parse_structure(u, word, depth) : parse_layer(u, word);
}

/* Up to '}' or the end. */
static dpr_status parse_operations(struct unrolling *u, unsigned depth) {
    const dpr__reader *r = &u->reader;
    for (;;) {
        DPR_TRY(skip_breaks(u));
        if (r->token.kind == DPR__TOKEN_END || (r->token.kind == DPR__TOKEN_CLOSE && depth > 0))
            return DPR_OK;
        if (r->token.kind == DPR__TOKEN_CLOSE)
            return here(r, "'}' closes nothing");
        if (r->token.kind != DPR__TOKEN_WORD)
            return end_of_operation(r);
        DPR_TRY(parse_operation(u, depth));
    }
}

static dpr_status unroll(struct unrolling *u) {
    dpr__net *net = u->net;
    DPR_TRY(dpr__allocate(net->context, dpr__n_words, sizeof *u->counts, &u->counts));
    DPR_TRY(dpr__reader_begin(&u->reader, net->context, net->name, net->text));
    DPR_TRY(dpr__reader_fill(&u->reader));
    DPR_TRY(parse_operations(u, 0));
    if (net->input_line == 0)
        return dpr__syntax_error(
            &u->reader, 1, 1, "the network is empty; it begins with 'input HEIGHT WIDTH CHANNELS'");
    if (net->n_items == 0)
        return dpr__syntax_error(&u->reader, net->input_line, net->input_column,
                                 "nothing follows input; the shortest network is 'linear classes'");
    return DPR_OK;
}

dpr_status dpr__net_unroll(dpr__net *net) {
    struct unrolling u = {.net = net};
    dpr_status status = unroll(&u);
    dpr__free(net->context, u.counts);
    dpr__free(net->context, u.blocks);
    return status;
}
