/* Creating graphs and appending nodes. Invariant: a node's sources exist and have smaller ids, and
 * its shape is what its op's shape rule says. */
#include "ir/graph.h"
#include "base/context.h"
#include "ir/shape.h"
#include <string.h>

dpr_graph *dpr_graph_create(dpr_context *context) {
    dpr_graph *graph;
    if (context == NULL || dpr__allocate(context, 1, sizeof *graph, &graph) != DPR_OK)
        return NULL;
    graph->context = context;
    dpr__arena_init(&graph->arena, context);
    graph->scope = "";
    if (dpr__grow(context, &graph->nodes, &graph->nodes_capacity, 64, sizeof *graph->nodes) !=
            DPR_OK ||
        dpr__grow(context, &graph->sources, &graph->sources_capacity, 64, sizeof *graph->sources) !=
            DPR_OK) {
        dpr_graph_destroy(graph);
        return NULL;
    }
    graph->nodes[0].name = "";
    graph->n_nodes = 1;
    return graph;
}

void dpr_graph_destroy(dpr_graph *graph) {
    if (graph == NULL)
        return;
    dpr_context *context = graph->context;
    dpr__free(context, graph->nodes);
    dpr__free(context, graph->sources);
    dpr__free(context, graph->words);
    dpr__free(context, graph->error);
    dpr__arena_release(&graph->arena);
    dpr__free(context, graph);
}

void dpr__graph_latch(dpr_graph *graph, dpr_status status) {
    if (graph->status != DPR_OK)
        return;
    graph->status = status;
    /* The context's message may be overwritten before finish reports this one. */
    char message[DPR__ERROR_BYTES];
    strcpy(message, dpr_error(graph->context));
    if (dpr__duplicate(graph->context, message, &graph->error) != DPR_OK)
        graph->error = NULL;
}

dpr_status dpr_graph_finish(dpr_graph *graph) {
    if (graph->status == DPR_OK)
        return dpr__verify(graph);
    return DPR_FAIL(graph->context, graph->status, "%s",
                    graph->error ? graph->error : dpr_status_text(graph->status));
}

/* ---- words ---- */

/* FNV-1a. */
static uint64_t hash(const char *word) {
    uint64_t value = 0xcbf29ce484222325;
    for (; *word != '\0'; word++)
        value = (value ^ (unsigned char)*word) * 0x100000001b3;
    return value;
}

/* Where the word is, or belongs; there is always an empty place. */
static dpr__interned *place_of(dpr__interned *words, size_t capacity, const char *word) {
    size_t i = (size_t)hash(word) & (capacity - 1);
    while (words[i].word != NULL && strcmp(words[i].word, word) != 0)
        i = (i + 1) & (capacity - 1);
    return &words[i];
}

/* At most half of the places are taken. */
static dpr_status make_room(dpr_graph *graph) {
    dpr__interned *more;
    size_t capacity = graph->words_capacity > 0 ? 2 * graph->words_capacity : 64;
    if (2 * (graph->n_words + 1) <= graph->words_capacity)
        return DPR_OK;
    DPR_TRY(dpr__allocate(graph->context, capacity, sizeof *more, &more));
    for (size_t i = 0; i < graph->words_capacity; i++)
        if (graph->words[i].word != NULL)
            *place_of(more, capacity, graph->words[i].word) = graph->words[i];
    dpr__free(graph->context, graph->words);
    graph->words = more;
    graph->words_capacity = capacity;
    return DPR_OK;
}

const char *dpr__intern(dpr_graph *graph, const char *word) {
    if (make_room(graph) != DPR_OK)
        return NULL;
    dpr__interned *place = place_of(graph->words, graph->words_capacity, word);
    if (place->word == NULL) {
        place->word = dpr__arena_text(&graph->arena, word, strlen(word));
        graph->n_words += place->word != NULL;
    }
    return place->word;
}

dpr_value dpr__find_leaf(const dpr_graph *graph, const char *name) {
    return graph->words_capacity > 0 ? place_of(graph->words, graph->words_capacity, name)->leaf
                                     : 0;
}

void dpr_graph_scope(dpr_graph *graph, const char *name) {
    if (graph->status != DPR_OK)
        return;
    const char *scope = name ? dpr__intern(graph, name) : "";
    if (scope == NULL)
        dpr__graph_latch(graph, DPR_E_MEMORY);
    else
        graph->scope = scope;
}

/* Copies a parameter struct and interns its words, so that equal parameters are equal bytes. */
static const void *copy_param(dpr_graph *graph, const dpr__op *op, const void *param) {
    char *copy = dpr__arena_allocate(&graph->arena, op->param_bytes);
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < op->n_fields; i++) {
        const dpr__field *field = &op->fields[i];
        const void *from = (const char *)param + field->offset;
        void *to = copy + field->offset;
        switch (field->type) {
        case DPR__FIELD_BOOL:
            memcpy(to, from, sizeof(bool));
            break;
        case DPR__FIELD_INT:
            memcpy(to, from, sizeof(int64_t));
            break;
        case DPR__FIELD_REAL:
            memcpy(to, from, sizeof(double));
            break;
        case DPR__FIELD_DTYPE:
            memcpy(to, from, sizeof(dpr_dtype));
            break;
        case DPR__FIELD_SHAPE: {
            const dpr_shape *shape = from;
            dpr_shape clean = {.rank = shape->rank};
            for (uint32_t d = 0; d < shape->rank && d < DPR_MAX_RANK; d++)
                clean.dim[d] = shape->dim[d];
            memcpy(to, &clean, sizeof clean);
            break;
        }
        case DPR__FIELD_WORD: {
            const char *word = dpr__intern(graph, *(const char *const *)from);
            if (word == NULL)
                return NULL;
            memcpy(to, &word, sizeof word);
            break;
        }
        }
    }
    return copy;
}

static dpr_status infer_type(dpr_graph *graph, dpr__op_id op, const dpr_value *src, uint32_t n_src,
                             const void *param, dpr__type *out) {
    dpr__type *types;
    DPR_TRY(dpr__allocate(graph->context, n_src, sizeof *types, &types));
    for (uint32_t i = 0; i < n_src; i++)
        types[i] = (dpr__type){graph->nodes[src[i]].dtype, graph->nodes[src[i]].shape};
    dpr__infer question = {.context = graph->context,
                           .op = dpr__op_names[op],
                           .name = graph->scope,
                           .param = param,
                           .n_src = n_src,
                           .src = types};
    dpr_status status = dpr__ops[op]->infer(&question);
    *out = question.dst;
    dpr__free(graph->context, types);
    DPR_TRY(status);
    if (!dpr__shape_is_sane(&out->shape))
        return DPR_FAIL(graph->context, DPR_E_SHAPE,
                        "%s '%s': the result has a negative dimension or too many elements",
                        dpr__op_names[op], graph->scope);
    return DPR_OK;
}

static dpr_status add(dpr_graph *graph, dpr__op_id op, const dpr_value *src, uint32_t n_src,
                      const void *param, dpr_value *out) {
    dpr_context *context = graph->context;
    if (n_src != dpr__op_arity[op])
        return DPR_FAIL(context, DPR_E_ARGUMENT, "%s takes %u operands, not %u", dpr__op_names[op],
                        dpr__op_arity[op], n_src);
    for (uint32_t i = 0; i < n_src; i++)
        if (src[i] == 0 || src[i] >= graph->n_nodes)
            return DPR_FAIL(context, DPR_E_ARGUMENT,
                            "%s '%s': operand %u is no value of this graph", dpr__op_names[op],
                            graph->scope, i + 1);
    dpr__node node = {.op = op,
                      .role = graph->role,
                      .n_src = n_src,
                      .origin = graph->origin,
                      .line = graph->line,
                      .name = graph->scope};
    if (dpr__ops[op]->param_bytes > 0) {
        node.param = copy_param(graph, dpr__ops[op], param);
        if (node.param == NULL)
            return DPR_E_MEMORY;
    }
    dpr__type type;
    DPR_TRY(infer_type(graph, op, src, n_src, node.param, &type));
    node.dtype = type.dtype;
    node.shape = type.shape;
    DPR_TRY(dpr__grow(context, &graph->sources, &graph->sources_capacity, graph->n_sources + n_src,
                      sizeof *graph->sources));
    DPR_TRY(dpr__grow(context, &graph->nodes, &graph->nodes_capacity, graph->n_nodes + 1,
                      sizeof *graph->nodes));
    node.first_src = (uint32_t)graph->n_sources;
    for (uint32_t i = 0; i < n_src; i++)
        graph->sources[graph->n_sources++] = src[i];
    graph->nodes[graph->n_nodes] = node;
    *out = (dpr_value)graph->n_nodes++;
    if (op == DPR__OP_leaf) {
        const char *name = ((const dpr__leaf_param *)node.param)->name;
        dpr__interned *word = place_of(graph->words, graph->words_capacity, name);
        word->leaf = word->leaf == 0 ? *out : word->leaf;
    }
    return DPR_OK;
}

dpr_value dpr__node_add(dpr_graph *graph, dpr__op_id op, const dpr_value *src, uint32_t n_src,
                        const void *param) {
    dpr_value value = 0;
    if (graph->status == DPR_OK) {
        dpr_status status = add(graph, op, src, n_src, param, &value);
        if (status != DPR_OK)
            dpr__graph_latch(graph, status);
    }
    return value;
}

dpr_shape dpr_value_shape(const dpr_graph *graph, dpr_value value) {
    return value < graph->n_nodes ? graph->nodes[value].shape : dpr_scalar_shape();
}
