/* The net language: parsing operations, unrolling repeats, appending layers to a graph. */
#include "nn/net.h"
#include "base/context.h"
#include "ir/shape.h"
#include "nn/parse.h"
#include "nn/words.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ITEMS = 10000, MOST_DEPTH = 16, MOST_SIDE = 65536 };
static const double MOST_WIDTH = 16777216; /* 2^24 */
static const uint64_t MOST_PARAMETERS = 1U << 31;

struct dpr__net {
    dpr_context *context;
    dpr__arena arena;
    char *name, *text;
    dpr_shape input;
    unsigned input_line, input_column;
    dpr__net_item *items;
    size_t n_items, items_capacity;
    size_t passes; /* of repeat bodies, for the limit */
};

void dpr__net_destroy(dpr__net *net) {
    if (net == NULL)
        return;
    dpr_context *context = net->context;
    dpr__free(context, net->items);
    dpr__arena_release(&net->arena);
    dpr__free(context, net);
}

dpr_shape dpr__net_input(const dpr__net *net) {
    return net->input;
}

/* ---- parsing ---- */

static dpr_status here(const dpr__reader *r, const char *message) {
    return dpr__syntax_error(r, r->token.line, r->token.column, "%s", message);
}

static dpr_status unknown_word(const dpr__reader *r) {
    const char *words[64];
    char help[512];
    size_t n = 0;
    for (; n < dpr__n_words; n++)
        words[n] = dpr__words[n].word;
    words[n++] = "input";
    words[n++] = "repeat";
    if (strcmp(r->token.word, "softmax") == 0)
        return here(r, "the loss contains the softmax; end with 'linear classes'");
    return dpr__syntax_error(r, r->token.line, r->token.column, "unknown operation '%s'; %s",
                             r->token.word, dpr__suggest(r->token.word, words, n, help));
}

/* A whole number from 1 to `most`. */
static dpr_status parse_count(dpr__reader *r, const char *what, double most, double *out) {
    double value;
    if (r->token.kind != DPR__TOKEN_WORD)
        return dpr__syntax_error(r, r->token.line, r->token.column, "%s is missing", what);
    if (!dpr__parse_double(r->context, r->token.word, &value) || value != floor(value) ||
        value < 1 || value > most)
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "%s is '%s'; it must be a whole number from 1 to %.0f", what,
                                 r->token.word, most);
    *out = value;
    return dpr__reader_next(r);
}

static dpr_status parse_argument(dpr__reader *r, const dpr__word *word,
                                 const dpr__argument *argument, double *out) {
    char what[128];
    snprintf(what, sizeof what, "the %s of %s", argument->name, word->word);
    *out = argument->otherwise;
    if (r->token.kind != DPR__TOKEN_WORD && argument->optional)
        return DPR_OK;
    if (argument->kind == DPR__ARGUMENT_WIDTH && r->token.kind == DPR__TOKEN_WORD) {
        static const char *const CLASSES[] = {"classes"};
        if (strcmp(r->token.word, "classes") == 0) {
            *out = DPR__WORD_CLASSES;
            return dpr__reader_next(r);
        }
        if (dpr_nearest_word(r->token.word, CLASSES, 1) != NULL)
            return dpr__syntax_error(r, r->token.line, r->token.column,
                                     "%s is '%s'; did you mean 'classes'?", what, r->token.word);
    }
    if (argument->kind == DPR__ARGUMENT_COUNT || argument->kind == DPR__ARGUMENT_WIDTH)
        return parse_count(r, what, MOST_WIDTH, out);
    if (r->token.kind != DPR__TOKEN_WORD)
        return dpr__syntax_error(r, r->token.line, r->token.column, "%s is missing", what);
    bool rate = argument->kind == DPR__ARGUMENT_RATE;
    if (!dpr__parse_double(r->context, r->token.word, out) || (rate && !(*out >= 0 && *out < 1)))
        return dpr__syntax_error(r, r->token.line, r->token.column, "%s is '%s'; it must be %s",
                                 what, r->token.word, rate ? "at least 0 and below 1" : "a number");
    return dpr__reader_next(r);
}

static dpr_status end_of_operation(dpr__reader *r) {
    if (r->token.kind == DPR__TOKEN_WORD)
        return dpr__syntax_error(r, r->token.line, r->token.column,
                                 "'%s' is left over; one operation a line, or commas between them",
                                 r->token.word);
    if (r->token.kind == DPR__TOKEN_OPEN)
        return here(r, "a block belongs to 'repeat N { … }' only");
    return DPR_OK;
}

static dpr_status parse_input(dpr__net *net, dpr__reader *r) {
    static const char *const WHAT[3] = {"the height of input", "the width of input",
                                        "the number of channels of input"};
    if (net->input.rank != 0)
        return here(r, "input stands here a second time");
    if (net->n_items > 0)
        return here(r, "input comes first");
    net->input_line = r->token.line;
    net->input_column = r->token.column;
    DPR_TRY(dpr__reader_next(r));
    for (int i = 0; i < 3; i++) {
        double value;
        DPR_TRY(parse_count(r, WHAT[i], i < 2 ? MOST_SIDE : 4, &value));
        net->input.dim[i] = (int64_t)value;
    }
    net->input.rank = 3;
    return end_of_operation(r);
}

static const dpr__word *find_word(const char *word) {
    for (size_t i = 0; i < dpr__n_words; i++)
        if (strcmp(dpr__words[i].word, word) == 0)
            return &dpr__words[i];
    return NULL;
}

/* "linear_2": the second linear of the net. */
static const char *layer_name(dpr__net *net, const dpr__word *word) {
    size_t count = 1;
    char name[64];
    for (size_t i = 0; i < net->n_items; i++)
        count += net->items[i].word == word;
    int n = snprintf(name, sizeof name, "%s_%zu", word->word, count);
    return dpr__arena_text(&net->arena, name, (size_t)n);
}

static dpr_status parse_layer(dpr__net *net, dpr__reader *r) {
    const dpr__word *word = find_word(r->token.word);
    if (word == NULL)
        return unknown_word(r);
    if (net->input.rank == 0)
        return here(r, "the first operation must be input: 'input HEIGHT WIDTH CHANNELS'");
    if (net->n_items == MOST_ITEMS)
        return here(r, "the network has more than 10000 operations");
    dpr__net_item item = {.word = word, .line = r->token.line, .column = r->token.column};
    DPR_TRY(dpr__reader_next(r));
    for (int i = 0; i < DPR__MOST_ARGUMENTS && word->argument[i].name != NULL; i++)
        DPR_TRY(parse_argument(r, word, &word->argument[i], &item.argument[i]));
    if (word->flag != NULL && r->token.kind == DPR__TOKEN_WORD) {
        char help[512];
        if (strcmp(r->token.word, word->flag) != 0)
            return dpr__syntax_error(r, r->token.line, r->token.column,
                                     "'%s' does not belong to %s; %s", r->token.word, word->word,
                                     dpr__suggest(r->token.word, &word->flag, 1, help));
        item.flag = true;
        DPR_TRY(dpr__reader_next(r));
    }
    DPR_TRY(end_of_operation(r));
    item.name = layer_name(net, word);
    if (item.name == NULL)
        return DPR_E_MEMORY;
    DPR_TRY(dpr__grow(net->context, &net->items, &net->items_capacity, net->n_items + 1,
                      sizeof *net->items));
    net->items[net->n_items++] = item;
    return DPR_OK;
}

static dpr_status parse_operations(dpr__net *net, dpr__reader *r, unsigned depth);

static dpr_status parse_repeat(dpr__net *net, dpr__reader *r, unsigned depth) {
    const dpr__token start = r->token;
    double times;
    if (depth == MOST_DEPTH)
        return here(r, "repeats are nested too deeply");
    DPR_TRY(dpr__reader_next(r));
    DPR_TRY(parse_count(r, "the count of repeat", MOST_ITEMS, &times));
    while (r->token.kind == DPR__TOKEN_BREAK)
        DPR_TRY(dpr__reader_next(r));
    if (r->token.kind != DPR__TOKEN_OPEN)
        return here(r, "'{' is missing: repeat N { … }");
    DPR_TRY(dpr__reader_next(r));
    const dpr__reader body = *r;
    for (unsigned i = 0; i < (unsigned)times; i++) {
        *r = body;
        if (++net->passes > MOST_ITEMS)
            return dpr__syntax_error(r, start.line, start.column,
                                     "the repeats unroll to more than 10000 passes");
        size_t before = net->n_items;
        DPR_TRY(parse_operations(net, r, depth + 1));
        if (r->token.kind != DPR__TOKEN_CLOSE)
            return dpr__syntax_error(r, start.line, start.column, "this repeat has no closing '}'");
        if (net->n_items == before)
            return dpr__syntax_error(r, start.line, start.column, "this repeat is empty");
    }
    return dpr__reader_next(r); /* past '}' */
}

/* Up to '}' or the end. */
static dpr_status parse_operations(dpr__net *net, dpr__reader *r, unsigned depth) {
    for (;;) {
        while (r->token.kind == DPR__TOKEN_BREAK)
            DPR_TRY(dpr__reader_next(r));
        if (r->token.kind == DPR__TOKEN_END || (r->token.kind == DPR__TOKEN_CLOSE && depth > 0))
            return DPR_OK;
        if (r->token.kind != DPR__TOKEN_WORD)
            return here(r, r->token.kind == DPR__TOKEN_CLOSE
                               ? "'}' closes nothing"
                               : "a block belongs to 'repeat N { … }' only");
        if (strcmp(r->token.word, "input") == 0)
            DPR_TRY(parse_input(net, r));
        else if (strcmp(r->token.word, "repeat") == 0)
            DPR_TRY(parse_repeat(net, r, depth));
        else
            DPR_TRY(parse_layer(net, r));
    }
}

static dpr_status parse(dpr__net *net, const char *name, const char *text) {
    dpr__reader reader;
    net->name = dpr__arena_text(&net->arena, name, strlen(name));
    net->text = net->name ? dpr__arena_text(&net->arena, text, strlen(text)) : NULL;
    if (net->text == NULL)
        return DPR_E_MEMORY;
    DPR_TRY(dpr__reader_begin(&reader, net->context, net->name, net->text));
    DPR_TRY(parse_operations(net, &reader, 0));
    if (net->input.rank == 0)
        return dpr__syntax_error(
            &reader, 1, 1, "the network is empty; it begins with 'input HEIGHT WIDTH CHANNELS'");
    if (net->n_items == 0)
        return dpr__syntax_error(&reader, net->input_line, net->input_column,
                                 "nothing follows input; the shortest network is 'linear classes'");
    return DPR_OK;
}

dpr_status dpr__net_parse(dpr_context *context, const char *name, const char *text,
                          dpr__net **out) {
    dpr__net *net;
    DPR_TRY(dpr__allocate(context, 1, sizeof *net, &net));
    net->context = context;
    dpr__arena_init(&net->arena, context);
    dpr_status status = parse(net, name, text);
    if (status != DPR_OK) {
        dpr__net_destroy(net);
        return status;
    }
    *out = net;
    return DPR_OK;
}

dpr_status dpr_net_check(dpr_context *context, const char *name, const char *net,
                         dpr_shape *image) {
    dpr__net *parsed;
    DPR_TRY(dpr__net_parse(context, name, net, &parsed));
    *image = parsed->input;
    dpr__net_destroy(parsed);
    return DPR_OK;
}

/* ---- appending ---- */

static dpr_status at_item(const dpr__net *net, const dpr__net_item *item, const char *message) {
    dpr__reader reader = {.context = net->context, .name = net->name, .text = net->text};
    return dpr__syntax_error(&reader, item->line, item->column, "%s", message);
}

/* He where a relu-like activation follows (dropout and flatten do not count), else Xavier. */
static dpr_init automatic_init(const dpr__net *net, size_t i) {
    for (i++; i < net->n_items; i++)
        if (!net->items[i].word->transparent)
            return net->items[i].word->relu_like ? DPR_INIT_HE : DPR_INIT_XAVIER;
    return DPR_INIT_XAVIER;
}

static dpr_status choose_init(const dpr__net *net, const char *word, size_t i, dpr_init *out) {
    static const char *const WORDS[] = {"auto", "he", "xavier", "zero"};
    static const dpr_init INITS[] = {DPR_INIT_ZERO, DPR_INIT_HE, DPR_INIT_XAVIER, DPR_INIT_ZERO};
    char help[512];
    for (size_t k = 0; k < 4; k++)
        if (word == NULL || strcmp(word, WORDS[k]) == 0) {
            *out = k == 0 ? automatic_init(net, i) : INITS[k];
            return DPR_OK;
        }
    return DPR_FAIL(net->context, DPR_E_ARGUMENT, "unknown initialisation '%s'; %s", word,
                    dpr__suggest(word, WORDS, 4, help));
}

static dpr_shape without_batch(dpr_shape shape) {
    dpr_shape rest = {.rank = shape.rank - 1};
    for (uint32_t i = 0; i < rest.rank; i++)
        rest.dim[i] = shape.dim[i + 1];
    return rest;
}

static dpr_status append_item(const dpr__net *net, size_t i, dpr__net_build *build,
                              dpr__layering *layering) {
    dpr__net_item item = net->items[i];
    for (int k = 0; k < DPR__MOST_ARGUMENTS; k++)
        if (item.word->argument[k].name != NULL &&
            item.word->argument[k].kind == DPR__ARGUMENT_WIDTH &&
            item.argument[k] == DPR__WORD_CLASSES) {
            if (build->n_classes == 0)
                return at_item(net, &item,
                               "the number of classes is not known here; give --classes N");
            item.argument[k] = build->n_classes;
        }
    DPR_TRY(choose_init(net, build->init, i, &layering->init));
    layering->parameters = layering->flops = 0;
    layering->graph->line = item.line;
    dpr_graph_scope(layering->graph, item.name);
    item.word->append(&item, layering);
    if (layering->graph->status != DPR_OK) {
        char message[DPR__ERROR_BYTES];
        dpr_status status = dpr_graph_finish(layering->graph);
        if (status == DPR_E_MEMORY)
            return status;
        strcpy(message, dpr_error(net->context));
        return at_item(net, &item, message);
    }
    build->layers[i] =
        (dpr_layer){.name = item.name,
                    .op = item.word->word,
                    .output = without_batch(dpr_value_shape(layering->graph, layering->value)),
                    .parameters = layering->parameters,
                    .flops = layering->flops,
                    .line = item.line};
    return DPR_OK;
}

/* The last layer must give one logit for each class. */
static dpr_status check_logits(const dpr__net *net, const dpr__net_build *build) {
    const dpr_layer *last = &build->layers[build->n_layers - 1];
    char message[256], shape[DPR__SHAPE_TEXT];
    if (last->output.rank != 1) {
        snprintf(message, sizeof message,
                 "the network ends with %s for each image; it must end with one number for each "
                 "class: add 'linear classes'",
                 dpr__shape_text(&last->output, shape));
        return at_item(net, &net->items[net->n_items - 1], message);
    }
    if (build->n_classes != 0 && last->output.dim[0] != (int64_t)build->n_classes) {
        snprintf(message, sizeof message,
                 "the network ends with %lld outputs, but there are %u classes; write 'linear "
                 "classes'",
                 (long long)last->output.dim[0], build->n_classes);
        return at_item(net, &net->items[net->n_items - 1], message);
    }
    return DPR_OK;
}

static dpr_status append_all(const dpr__net *net, dpr__net_build *build, dpr__layering *layering) {
    uint64_t parameters = 0;
    for (size_t i = 0; i < net->n_items; i++) {
        DPR_TRY(append_item(net, i, build, layering));
        parameters += layering->parameters;
        if (parameters > MOST_PARAMETERS)
            return at_item(net, &net->items[i], "here the network exceeds 2147483648 parameters");
    }
    build->logits = layering->value;
    return check_logits(net, build);
}

dpr_status dpr__net_append(dpr__net *net, dpr_graph *graph, dpr__net_build *build) {
    dpr__layering layering = {.graph = graph, .value = build->images};
    build->n_layers = net->n_items;
    DPR_TRY(dpr__allocate(net->context, net->n_items, sizeof *build->layers, &build->layers));
    dpr_status status = append_all(net, build, &layering);
    dpr_graph_scope(graph, NULL);
    graph->line = 0;
    if (status != DPR_OK) {
        dpr__free(net->context, build->layers);
        build->layers = NULL;
    }
    return status;
}
