/* Drawing a graph as Graphviz text: the forward graph from top to bottom, and beside each op, on its rank, the gradient nodes
 * that its gradient rule appended. What is drawn is read off the nodes' op, role, origin and name. */
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "ir/graph.h"
#include "ir/shape.h"
#include "view/graphviz.h"
#include <string.h>

struct drawing {
    const dpr_graph *graph;
    const dpr_graph_view *view;
    bool *drawn;       /* (nodes) needed by a result, and worth a box */
    dpr_value *beside; /* (nodes) the forward node on whose rank a gradient node stands; 0: none */
    dpr__text text;
};

/* Colours that stay apart for the colour-blind and in grey print (Okabe & Ito 2008, lightened). */
#define FORWARD_COLOUR "#d6e6f4"
#define BACKWARD_COLOUR "#fbe3c0"
#define GRADIENT_COLOUR "#f2b36b"
#define PARAMETER_COLOUR "#cdeadf"
#define INPUT_COLOUR "#eeeeee"

static bool is_backward(const dpr__node *node) {
    return node->role == DPR__BACKWARD;
}

static bool is_gradient(const dpr__node *node) {
    return is_backward(node) && strncmp(node->name, "gradient of ", 12) == 0;
}

/* A number that steers many ops, such as how many rows of the batch are images: named in their labels, its edges would cross the
 * whole drawing. */
static bool is_count(const dpr__node *node) {
    return node->op == DPR__OP_leaf && node->shape.rank == 0 && node->dtype == DPR_I32 &&
           ((const dpr__leaf_param *)node->param)->kind == DPR_INPUT;
}

/* Results: the gradients that were asked for, and forward ops that no forward op reads. What only becomes a running
 * statistic of the next step is left out. */
static void mark(struct drawing *d) {
    const dpr_graph *graph = d->graph;
    for (dpr_value v = 1; v < graph->n_nodes; v++) {
        const dpr__node *node = &graph->nodes[v];
        d->drawn[v] = is_gradient(node) ||
                      (!is_backward(node) && node->role != DPR__UPDATE && node->op != DPR__OP_leaf);
    }
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        for (uint32_t i = 0; i < graph->nodes[v].n_src && !is_backward(&graph->nodes[v]); i++)
            d->drawn[dpr__source(graph, v, i)] = false; /* read: drawn if its reader is */
    for (dpr_value v = (dpr_value)graph->n_nodes; v-- > 1;) {
        const dpr__node *node = &graph->nodes[v];
        if (is_backward(node) && !d->view->backward)
            d->drawn[v] = false;
        for (uint32_t i = 0; d->drawn[v] && i < node->n_src; i++)
            d->drawn[dpr__source(graph, v, i)] = true;
    }
    for (dpr_value v = 1; v < graph->n_nodes; v++) {
        const dpr__node *node = &graph->nodes[v];
        /* Constants are parts of their readers' labels; only the seed of the chain rule is a box. */
        if (node->op == DPR__OP_constant && !(is_backward(node) && node->shape.rank == 0 &&
                                              node->origin != 0 && d->beside[node->origin] == 0))
            d->drawn[v] = false;
        if (is_count(node))
            d->drawn[v] = false;
        d->beside[v] = is_backward(node) ? node->origin : 0;
        while (d->beside[v] != 0 && is_backward(&graph->nodes[d->beside[v]]))
            d->beside[v] = graph->nodes[d->beside[v]].origin;
    }
}

static void add_escaped(dpr__text *text, const char *words) {
    for (const char *p = words; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            dpr__text_bytes(text, "\\", 1);
        dpr__text_bytes(text, p, 1);
    }
}

/* "× 0.5", "+ 1": what a constant operand does; "rows": which count is read. */
static void add_small_operands(struct drawing *d, const dpr__node *node, dpr_value value) {
    for (uint32_t i = 0; i < node->n_src; i++) {
        const dpr__node *src = dpr__node_of(d->graph, dpr__source(d->graph, value, i));
        if (src->op == DPR__OP_constant && !is_backward(src))
            dpr__text_add(&d->text, node->op == DPR__OP_scale ? " of %g" : " %g",
                          ((const dpr__constant_param *)src->param)->value);
        if (is_count(src)) {
            dpr__text_add(&d->text, " ");
            add_escaped(&d->text, ((const dpr__leaf_param *)src->param)->name);
        }
    }
}

static void add_op(struct drawing *d, const dpr__node *node, dpr_value value) {
    dpr__text_add(&d->text, "%s", dpr__op_names[node->op]);
    if (node->op == DPR__OP_scale)
        dpr__text_add(&d->text, " × %g", ((const dpr__scale_param *)node->param)->factor);
    if (node->op == DPR__OP_matmul) {
        const dpr__matmul_param *p = node->param;
        dpr__text_add(&d->text, " a%s · b%s", p->transpose_a ? "ᵀ" : "", p->transpose_b ? "ᵀ" : "");
    }
    add_small_operands(d, node, value);
}

static void add_label(struct drawing *d, dpr_value value) {
    const dpr__node *node = dpr__node_of(d->graph, value);
    char shape[DPR__SHAPE_TEXT];
    if (node->op == DPR__OP_leaf) {
        add_escaped(&d->text, ((const dpr__leaf_param *)node->param)->name);
    } else if (node->op == DPR__OP_constant) {
        dpr__text_add(&d->text, "∂loss/∂loss = %g",
                      ((const dpr__constant_param *)node->param)->value);
    } else if (is_gradient(node)) {
        add_escaped(&d->text, node->name);
        dpr__text_add(&d->text, "\\n");
        add_op(d, node, value);
    } else {
        add_op(d, node, value);
    }
    dpr__text_add(&d->text, "\\n%s", dpr__shape_text(&node->shape, shape));
}

static const char *look(const dpr__node *node) {
    if (node->op == DPR__OP_leaf)
        return ((const dpr__leaf_param *)node->param)->kind == DPR_PARAMETER
                   ? "shape=box style=\"filled\" fillcolor=\"" PARAMETER_COLOUR "\""
                   : "shape=ellipse style=\"filled\" fillcolor=\"" INPUT_COLOUR "\"";
    if (is_gradient(node))
        return "shape=box style=\"filled,bold\" fillcolor=\"" GRADIENT_COLOUR "\" penwidth=2";
    if (is_backward(node))
        return "shape=box style=\"filled,rounded\" fillcolor=\"" BACKWARD_COLOUR "\"";
    return "shape=box style=\"filled,rounded\" fillcolor=\"" FORWARD_COLOUR "\"";
}

static void add_node(struct drawing *d, dpr_value value) {
    const dpr__node *node = dpr__node_of(d->graph, value);
    dpr__text_add(&d->text, "  n%u [label=\"", value);
    add_label(d, value);
    dpr__text_add(&d->text, "\" %s", look(node));
    if (!is_backward(node) && node->op != DPR__OP_leaf)
        dpr__text_add(&d->text, " group=forward"); /* one straight column */
    dpr__text_add(&d->text, " tooltip=\"");
    add_escaped(&d->text, node->name);
    dpr__text_add(&d->text, "\"];\n");
}

/* Forward edges lay out the drawing; those of the backward half, which flows up, must not turn it over. */
static void add_edges(struct drawing *d, dpr_value value) {
    const dpr__node *to = dpr__node_of(d->graph, value);
    for (uint32_t i = 0; i < to->n_src; i++) {
        dpr_value src = dpr__source(d->graph, value, i);
        const dpr__node *from = dpr__node_of(d->graph, src);
        if (!d->drawn[src])
            continue;
        const char *style = !is_backward(to) ? "weight=8"
                            : is_backward(from)
                                ? "constraint=false color=\"#b8610a\" penwidth=1.6"
                                : "constraint=false color=\"#9a9a9a\" style=dashed arrowsize=0.6";
        dpr__text_add(&d->text, "  n%u -> n%u [%s];\n", src, value, style);
    }
}

/* A gradient node stands on the rank of the op that it comes from, later ones farther out. */
static void add_rank(struct drawing *d, dpr_value value) {
    dpr_value before = value;
    bool any = false;
    for (dpr_value v = 1; v < d->graph->n_nodes; v++) {
        if (!d->drawn[v] || d->beside[v] != value)
            continue;
        if (!any)
            dpr__text_add(&d->text, "  { rank=same; n%u;", value);
        dpr__text_add(&d->text, " n%u;", v);
        any = true;
    }
    if (!any)
        return;
    dpr__text_add(&d->text, " }\n");
    for (dpr_value v = 1; v < d->graph->n_nodes; v++)
        if (d->drawn[v] && d->beside[v] == value) {
            dpr__text_add(&d->text, "  n%u -> n%u [style=invis];\n", before, v);
            before = v;
        }
}

static void add_title(struct drawing *d) {
    dpr__text_add(&d->text, "  labelloc=t fontsize=18 label=\"");
    if (d->view->title != NULL) {
        add_escaped(&d->text, d->view->title);
        dpr__text_add(&d->text, "\\n");
    }
    dpr__text_add(&d->text, d->view->backward
                                ? "blue: forward, downwards   orange: backward, upwards, made from "
                                  "the forward ops by the chain rule"
                                : "forward");
    dpr__text_add(&d->text, "\";\n");
}

static void write_dot(struct drawing *d) {
    const dpr_graph *graph = d->graph;
    dpr__text_add(&d->text, "digraph deeper {\n  rankdir=TB nodesep=0.3 ranksep=0.35;\n"
                            "  node [fontname=\"Helvetica\" fontsize=11 margin=\"0.12,0.06\"];\n"
                            "  edge [arrowsize=0.8];\n");
    add_title(d);
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (d->drawn[v])
            add_node(d, v);
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (d->drawn[v])
            add_edges(d, v);
    for (dpr_value v = 1; v < graph->n_nodes; v++)
        if (d->drawn[v] && !is_backward(&graph->nodes[v]))
            add_rank(d, v);
    dpr__text_add(&d->text, "}\n");
}

dpr_status dpr_graph_dot(dpr_graph *graph, const dpr_graph_view *view, char **out) {
    dpr_context *context = graph->context;
    struct drawing d = {.graph = graph, .view = view};
    DPR_TRY(dpr_graph_finish(graph));
    dpr_status status = dpr__allocate(context, graph->n_nodes, sizeof *d.drawn, &d.drawn);
    if (status == DPR_OK)
        status = dpr__allocate(context, graph->n_nodes, sizeof *d.beside, &d.beside);
    if (status == DPR_OK) {
        mark(&d);
        dpr__text_init(&d.text, context);
        write_dot(&d);
        status = dpr__text_finish(&d.text, out);
    }
    dpr__free(context, d.drawn);
    dpr__free(context, d.beside);
    return status;
}

static bool ends_with(const char *path, const char *ending) {
    size_t n = strlen(path), m = strlen(ending);
    return n > m && strcmp(path + n - m, ending) == 0;
}

static dpr_status write_drawing(dpr_context *context, const char *path, const char *dot) {
    if (ends_with(path, ".dot"))
        return dpr__file_write(context, path, dot, strlen(dot));
    if (ends_with(path, ".svg"))
        return dpr__graphviz(context, dot, "-Tsvg", path);
    if (ends_with(path, ".png"))
        return dpr__graphviz(context, dot, "-Tpng", path);
    return DPR_FAIL(context, DPR_E_ARGUMENT,
                    "cannot draw '%s': the name must end in .dot, .svg or .png", path);
}

dpr_status dpr_graph_draw(dpr_graph *graph, const dpr_graph_view *view, const char *path) {
    char *dot;
    DPR_TRY(dpr_graph_dot(graph, view, &dot));
    dpr_status status = write_drawing(graph->context, path, dot);
    dpr__free(graph->context, dot);
    return status;
}
