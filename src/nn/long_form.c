/* Reading the long form of a graph back (ir/print.c). Text from outside is hostile: every id, count and field is checked, and the shape
 * rules check the rest. */
#include "base/context.h"
#include "ir/shape.h"
#include "nn/net.h"
#include "nn/parse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 1000000, MOST_PARAM = 256 };

/* A line on its way to a node. */
struct reading {
    dpr_graph *graph;
    dpr__reader reader;
    dpr__op_id op;
    dpr_value src[DPR_MAX_RANK];
    uint32_t n_src;
    unsigned char param[MOST_PARAM];
    uint64_t fields;                 /* bit i: field i was given */
    char words[4][DPR__TOKEN_BYTES]; /* what WORD fields point to until the node is made */
    unsigned n_words;
    char name[DPR__TOKEN_BYTES];
    unsigned line;
    dpr_value origin;
    dpr__role role;
};

static dpr_status wrong(const struct reading *r, const char *message) {
    const dpr__token *token = &r->reader.token;
    return dpr__syntax_error(&r->reader, token->line, token->column, "%s", message);
}

static bool whole_number(const char *text, uint64_t most, uint64_t *out) {
    return dpr__parse_u64(text, out) && *out <= most;
}

/* "%7": a node that is there already. */
static dpr_status parse_value(const struct reading *r, const char *text, dpr_value *out) {
    uint64_t id;
    if (text[0] != '%' || !whole_number(text + 1, UINT32_MAX, &id) || id == 0 ||
        id >= r->graph->n_nodes)
        return wrong(r, "an operand is %N, the number of an earlier line");
    *out = (dpr_value)id;
    return DPR_OK;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes the percent-encoding; false for a broken one. */
static bool decode(const char *text, char out[DPR__TOKEN_BYTES]) {
    for (; *text != '\0'; text++, out++) {
        *out = *text;
        if (*text != '%')
            continue;
        int high = hex_digit(text[1]), low = high >= 0 ? hex_digit(text[2]) : -1;
        if (low < 0 || high * 16 + low == 0)
            return false;
        *out = (char)(high * 16 + low);
        text += 2;
    }
    *out = '\0';
    return true;
}

/* "[batch*28*28*1]" */
static bool parse_shape(const char *text, dpr_shape *out) {
    char copy[DPR__TOKEN_BYTES];
    size_t n = strlen(text);
    *out = (dpr_shape){0};
    if (n < 2 || text[0] != '[' || text[n - 1] != ']')
        return false;
    memcpy(copy, text + 1, n - 2);
    copy[n - 2] = '\0';
    for (char *part = copy; part != NULL && n > 2;) {
        char *next = strchr(part, '*');
        uint64_t dim;
        if (next != NULL)
            *next++ = '\0';
        if (out->rank == DPR_MAX_RANK)
            return false;
        if (strcmp(part, "batch") == 0)
            out->dim[out->rank++] = DPR_BATCH;
        else if (whole_number(part, (uint64_t)1 << 40, &dim))
            out->dim[out->rank++] = (int64_t)dim;
        else
            return false;
        part = next;
    }
    return true;
}

static bool parse_dtype(const char *text, dpr_dtype *out) {
    for (dpr_dtype dtype = DPR_F32; dtype <= DPR_U64; dtype++)
        if (strcmp(text, dpr__dtype_name(dtype)) == 0) {
            *out = dtype;
            return true;
        }
    return false;
}

static bool parse_int(const char *text, int64_t *out) {
    uint64_t value;
    bool negative = text[0] == '-';
    if (!whole_number(text + negative, INT64_MAX, &value))
        return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* Puts a field's value at its place in the parameter struct. */
static bool set_field(struct reading *r, const dpr__field *field, const char *text) {
    void *at = r->param + field->offset;
    switch (field->type) {
    case DPR__FIELD_BOOL:
        *(bool *)at = text[0] == '1';
        return strcmp(text, "0") == 0 || strcmp(text, "1") == 0;
    case DPR__FIELD_INT:
        return parse_int(text, at);
    case DPR__FIELD_REAL:
        return dpr__parse_double(r->graph->context, text, at);
    case DPR__FIELD_SHAPE:
        return parse_shape(text, at);
    case DPR__FIELD_DTYPE:
        return parse_dtype(text, at);
    case DPR__FIELD_WORD:
        if (r->n_words == sizeof r->words / sizeof *r->words ||
            !decode(text, r->words[r->n_words]) || !dpr__utf8_is_clean(r->words[r->n_words]))
            return false;
        *(const char **)at = r->words[r->n_words++];
        return true;
    }
    return false;
}

static dpr_status parse_role(struct reading *r, const char *text) {
    char help[512];
    for (int role = DPR__FORWARD; role <= DPR__DATA; role++)
        if (strcmp(text, dpr__role_names[role]) == 0) {
            r->role = (dpr__role)role;
            return DPR_OK;
        }
    return dpr__syntax_error(&r->reader, r->reader.token.line, r->reader.token.column,
                             "unknown role '%s'; %s", text,
                             dpr__suggest(text, dpr__role_names, 4, help));
}

/* name=value: a field of the op, or what every node has. */
static dpr_status parse_setting(struct reading *r, char *name, const char *value) {
    const dpr__op *op = dpr__ops[r->op];
    uint64_t number;
    for (size_t i = 0; i < op->n_fields; i++) {
        if (strcmp(op->fields[i].name, name) != 0)
            continue;
        if (r->fields >> i & 1)
            return wrong(r, "this field stands here twice");
        r->fields |= 1ULL << i;
        return set_field(r, &op->fields[i], value) ? DPR_OK
                                                   : wrong(r, "this field's value is malformed");
    }
    if (strcmp(name, "role") == 0)
        return parse_role(r, value);
    bool is_line = strcmp(name, "line") == 0;
    if (!is_line && strcmp(name, "origin") != 0)
        return wrong(r, "this op has no such field");
    if (!whole_number(value, UINT32_MAX, &number) || (!is_line && number >= r->graph->n_nodes))
        return wrong(r, is_line ? "a line is a whole number" : "an origin is an earlier node");
    if (is_line)
        r->line = (unsigned)number;
    else
        r->origin = (dpr_value)number;
    return DPR_OK;
}

static dpr_status parse_rest(struct reading *r) {
    while (r->reader.token.kind == DPR__TOKEN_WORD) {
        char *word = r->reader.token.word, *equals = strchr(word, '=');
        if (word[0] == '%') {
            if (r->n_src == DPR_MAX_RANK)
                return wrong(r, "too many operands");
            DPR_TRY(parse_value(r, word, &r->src[r->n_src++]));
        } else if (word[0] == '@') {
            if (!decode(word + 1, r->name) || !dpr__utf8_is_clean(r->name))
                return wrong(r, "this name is malformed");
        } else if (equals != NULL) {
            *equals = '\0';
            DPR_TRY(parse_setting(r, word, equals + 1));
        } else {
            return wrong(r, "here stands %N, name=value or @name");
        }
        DPR_TRY(dpr__reader_next(&r->reader));
    }
    if (r->reader.token.kind != DPR__TOKEN_BREAK && r->reader.token.kind != DPR__TOKEN_END)
        return wrong(r, "a node ends with its line");
    return DPR_OK;
}

/* "%7 = matmul" */
static dpr_status parse_head(struct reading *r) {
    const char *word = r->reader.token.word;
    uint64_t id;
    char help[512];
    if (word[0] != '%' || !whole_number(word + 1, MOST_NODES, &id) || id != r->graph->n_nodes)
        return wrong(r, "a line begins with the node's number, one more than the last: %N = op …");
    DPR_TRY(dpr__reader_next(&r->reader));
    if (r->reader.token.kind != DPR__TOKEN_WORD || strcmp(word, "=") != 0)
        return wrong(r, "'=' is missing");
    DPR_TRY(dpr__reader_next(&r->reader));
    if (r->reader.token.kind != DPR__TOKEN_WORD)
        return wrong(r, "the op is missing");
    for (unsigned op = DPR__OP_none + 1; op < DPR__N_OPS; op++)
        if (strcmp(word, dpr__op_names[op]) == 0)
            r->op = (dpr__op_id)op;
    if (r->op == DPR__OP_none)
        return dpr__syntax_error(&r->reader, r->reader.token.line, r->reader.token.column,
                                 "unknown op '%s'; %s", word,
                                 dpr__suggest(word, dpr__op_names + 1, DPR__N_OPS - 1, help));
    return dpr__reader_next(&r->reader);
}

static dpr_status parse_node(struct reading *r) {
    const unsigned line = r->reader.token.line;
    DPR_TRY(parse_head(r));
    DPR_TRY(parse_rest(r));
    if (r->fields != (1ULL << dpr__ops[r->op]->n_fields) - 1)
        return dpr__syntax_error(&r->reader, line, 1, "a field of %s is missing",
                                 dpr__op_names[r->op]);
    dpr_graph_scope(r->graph, r->name);
    r->graph->line = r->line;
    r->graph->origin = r->origin;
    r->graph->role = r->role;
    if (dpr__node_add(r->graph, r->op, r->src, r->n_src, r->param) != 0)
        return DPR_OK;
    dpr_status status = dpr_graph_finish(r->graph);
    dpr__error_prefix(r->graph->context, "%s:%u", r->reader.name, line);
    return status;
}

static dpr_status parse_all(dpr_graph *graph, const char *name, const char *text) {
    dpr__reader reader;
    DPR_TRY(dpr__reader_begin(&reader, graph->context, name, text));
    while (reader.token.kind != DPR__TOKEN_END) {
        if (reader.token.kind == DPR__TOKEN_BREAK) {
            DPR_TRY(dpr__reader_next(&reader));
            continue;
        }
        struct reading reading = {.graph = graph, .reader = reader};
        DPR_TRY(parse_node(&reading));
        reader = reading.reader;
    }
    return DPR_OK;
}

/* The next dropout of the graph gets a draw of its own. */
static void count_draws(dpr_graph *graph) {
    for (dpr_value value = 1; value < graph->n_nodes; value++)
        if (graph->nodes[value].op == DPR__OP_draw) {
            int64_t ordinal = ((const dpr__draw_param *)graph->nodes[value].param)->ordinal;
            if (ordinal >= (int64_t)graph->n_draws && ordinal < UINT32_MAX)
                graph->n_draws = (uint32_t)ordinal + 1;
        }
}

dpr_status dpr__graph_parse(dpr_graph *graph, const char *name, const char *text) {
    dpr_status status = parse_all(graph, name, text);
    if (status != DPR_OK)
        dpr__graph_latch(graph, status);
    dpr_graph_scope(graph, NULL);
    graph->line = 0;
    graph->origin = 0;
    graph->role = DPR__FORWARD;
    count_draws(graph);
    return status;
}
