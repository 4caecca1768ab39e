/* The long form: every node of a graph, one a line, so that graphs built by calls can be kept as text.
 *
 *     %7 = matmul %3 %5 transpose_a=0 transpose_b=1 @linear_1 line=4 role=backward origin=3
 *
 * Parameters come in the order of the op's fields; words are percent-encoded, so that a line splits at
 * blanks. The net language reads it back (nn/long_form.c): print, parse, print is the identity. */
#include "base/context.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include <ctype.h>
#include <string.h>

const char *const dpr__role_names[] = {"forward", "backward", "update", "data"};

static void add_word(dpr__text *text, const char *word) {
    for (const char *p = word; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x80 && (isalnum(c) || strchr("_./-", *p) != NULL))
            dpr__text_bytes(text, p, 1);
        else
            dpr__text_add(text, "%%%02X", c);
    }
}

/* [batch*28*28*1]; a scalar is []. */
static void add_shape(dpr__text *text, const dpr_shape *shape) {
    dpr__text_add(text, "[");
    for (uint32_t i = 0; i < shape->rank; i++) {
        if (shape->dim[i] == DPR_BATCH)
            dpr__text_add(text, "%sbatch", i > 0 ? "*" : "");
        else
            dpr__text_add(text, "%s%lld", i > 0 ? "*" : "", (long long)shape->dim[i]);
    }
    dpr__text_add(text, "]");
}

static void add_field(dpr__text *text, const dpr__field *field, const void *param) {
    const void *at = (const char *)param + field->offset;
    dpr__text_add(text, " %s=", field->name);
    switch (field->type) {
    case DPR__FIELD_BOOL:
        dpr__text_add(text, "%d", *(const bool *)at);
        break;
    case DPR__FIELD_INT:
        dpr__text_add(text, "%lld", (long long)*(const int64_t *)at);
        break;
    case DPR__FIELD_REAL:
        dpr__text_add(text, "%.17g", *(const double *)at);
        break;
    case DPR__FIELD_SHAPE:
        add_shape(text, at);
        break;
    case DPR__FIELD_WORD:
        add_word(text, *(const char *const *)at);
        break;
    case DPR__FIELD_DTYPE:
        dpr__text_add(text, "%s", dpr__dtype_name(*(const dpr_dtype *)at));
        break;
    }
}

static void add_node(dpr__text *text, const dpr_graph *graph, dpr_value value) {
    const dpr__node *node = dpr__node_of(graph, value);
    const dpr__op *op = dpr__ops[node->op];
    dpr__text_add(text, "%%%u = %s", value, dpr__op_names[node->op]);
    for (uint32_t i = 0; i < node->n_src; i++)
        dpr__text_add(text, " %%%u", dpr__source(graph, value, i));
    for (size_t i = 0; i < op->n_fields; i++)
        add_field(text, &op->fields[i], node->param);
    if (node->name[0] != '\0') {
        dpr__text_add(text, " @");
        add_word(text, node->name);
    }
    if (node->line != 0)
        dpr__text_add(text, " line=%u", node->line);
    if (node->role != DPR__FORWARD)
        dpr__text_add(text, " role=%s", dpr__role_names[node->role]);
    if (node->origin != 0)
        dpr__text_add(text, " origin=%u", node->origin);
    dpr__text_add(text, "\n");
}

dpr_status dpr__print(const dpr_graph *graph, char **out) {
    dpr__text text;
    dpr__text_init(&text, graph->context);
    for (dpr_value value = 1; value < graph->n_nodes; value++)
        add_node(&text, graph, value);
    return dpr__text_finish(&text, out);
}
