/* The report's network: its layers, its text, and its graphs where Graphviz draws them. */
#include "base/context.h"
#include "view/graphviz.h"
#include "view/report.h"
#include <stdio.h>
#include <string.h>

enum {
    MOST_DOT = 24 << 10,
    MOST_DRAWING = 160 << 10
}; /* bytes of a graph's text, and of its picture: larger ones take long, and cannot be read */

static void add_shape(dpr__text *page, const dpr_shape *shape) {
    for (uint32_t i = 0; i < shape->rank; i++)
        dpr__text_add(page, "%s%lld", i > 0 ? " × " : "", (long long)shape->dim[i]);
}

/* What a training step takes, by layer; `times` has one more for the rest. NULL: this device is not timed. */
struct timing {
    dpr_layer_time *times;
    double sum; /* of all, µs */
    unsigned batch;
};

static void add_time(dpr__text *page, const struct timing *t, size_t i) {
    if (t->times == NULL)
        return;
    double us = t->times[i].forward_us + t->times[i].backward_us;
    dpr__text_add(page, "<td>");
    dpr__page_number(page, t->times[i].forward_us, 1);
    dpr__text_add(page, "</td><td>");
    dpr__page_number(page, t->times[i].backward_us, 1);
    dpr__text_add(page, "</td><td>");
    dpr__page_share(page, us / t->sum);
    dpr__text_add(page, "</td>");
}

static void add_head(dpr__text *page, const struct timing *t) {
    dpr__page_table(
        page, NULL,
        "Layers: results, parameters, and floating point operations of one image's way forward");
    dpr__text_add(
        page,
        "\n<thead><tr><th scope=\"col\">layer</th><th scope=\"col\">result</th><th "
        "scope=\"col\">parameters</th><th scope=\"col\">operations</th>%s</tr></thead>\n<tbody>\n",
        t->times != NULL ? "<th scope=\"col\">forward, µs</th><th scope=\"col\">backward, "
                           "µs</th><th scope=\"col\">of a step</th>"
                         : "");
}

static void add_layer(dpr__text *page, const dpr_layer *layer, const struct timing *t, size_t i) {
    dpr__text_add(page, "<tr><th scope=\"row\" class=\"d%u\">",
                  layer->depth < 4 ? layer->depth : 4);
    dpr__page_text(page, layer->name);
    dpr__text_add(page, "</th><td>");
    add_shape(page, &layer->output);
    dpr__text_add(page, "</td><td>");
    dpr__page_count(page, layer->parameters);
    dpr__text_add(page, "</td><td>");
    dpr__page_count(page, layer->flops);
    dpr__text_add(page, "</td>");
    add_time(page, t, i);
    dpr__text_add(page, "</tr>\n");
}

static void add_layers(dpr__text *page, const dpr_model *model, const struct timing *t) {
    const dpr_layer *layers;
    size_t n = dpr_model_layers(model, &layers);
    uint64_t flops = 0;
    add_head(page, t);
    for (size_t i = 0; i < n; i++) {
        flops += layers[i].flops;
        add_layer(page, &layers[i], t, i);
    }
    if (t->times != NULL) {
        dpr__text_add(page,
                      "<tr><th scope=\"row\">data, loss, the rest</th><td></td><td></td><td></td>");
        add_time(page, t, n);
        dpr__text_add(page, "</tr>\n");
    }
    dpr__text_add(page,
                  "</tbody>\n<tfoot><tr><th scope=\"row\">all</th><td></td><td id=\"parameters\">");
    dpr__page_count(page, dpr_model_parameters(model));
    dpr__text_add(page, "</td><td>");
    dpr__page_count(page, flops);
    dpr__text_add(page, "</td>%s</tr></tfoot></table></div>\n",
                  t->times != NULL ? "<td></td><td></td><td></td>" : "");
    if (t->times != NULL)
        dpr__text_add(
            page,
            "<p>Times are of training steps (SGD with Nesterov momentum) of %u made-up images on "
            "%s with %u thread%s, %s, "
            "taken when this page was written; what is computed together counts for the first of "
            "its layers.</p>\n",
            t->batch, dpr_context_isa(model->context), dpr_context_threads(model->context),
            dpr_context_threads(model->context) == 1 ? "" : "s",
            dpr_context_precision(model->context));
}

/* A third of a second in the batch of the run. A device that cannot be timed makes no columns. */
static dpr_status take_times(const dpr_report *report, const dpr__json *record, struct timing *t) {
    uint64_t batch = 128;
    double step_us;
    const dpr_model *model = report->model;
    dpr__json_u64(dpr__json_get(dpr__json_get(record, "options"), "batch"), &batch);
    *t = (struct timing){.batch = batch >= 1 && batch <= 512 ? (unsigned)batch : 128};
    DPR_TRY(dpr__allocate(report->context, model->n_layers + 1, sizeof *t->times, &t->times));
    dpr_status status = dpr_model_time_layers(model, t->batch, 0.33, t->times, &step_us);
    if (status != DPR_OK) {
        dpr__free(report->context, t->times);
        t->times = NULL;
        return status == DPR_E_UNSUPPORTED ? DPR_OK : status;
    }
    for (size_t i = 0; i <= model->n_layers; i++)
        t->sum += t->times[i].forward_us + t->times[i].backward_us;
    return DPR_OK;
}

/* A picture of its own, so that names and styles within it meet none of the page. */
static void add_svg(dpr__text *page, const char *svg, size_t n, const char *alt) {
    dpr__text_add(page, "<div class=\"drawing\"><img alt=\"%s\" src=\"data:image/svg+xml;base64,",
                  alt);
    dpr__page_base64(page, (const unsigned char *)svg, n);
    dpr__text_add(page, "\"></div>\n");
}

static void add_drawing(dpr__text *page, dpr_context *context, const char *dot, bool backward) {
    const char *alt = backward
                          ? "The forward graph, and the graph that computes its gradients beside it"
                          : "The forward graph";
    dpr__text svg;
    dpr__text_init(&svg, context);
    dpr__text_add(page, "<details%s><summary>%s</summary>\n", backward ? "" : " open",
                  backward ? "With the derived backward graph" : "Graph");
    dpr_status status =
        strlen(dot) > MOST_DOT ? DPR_E_SHAPE : dpr__graphviz_text(context, dot, "-Tsvg", &svg);
    if (status == DPR_OK && svg.length <= MOST_DRAWING)
        add_svg(page, svg.data, svg.length, alt);
    else if (status == DPR_OK || status == DPR_E_SHAPE)
        dpr__text_add(page,
                      "<p>It is too large for a page; <code>deeper graph MODEL%s -o "
                      "graph.svg</code> draws it.</p>\n",
                      backward ? " --backward" : "");
    else if (status == DPR_E_UNSUPPORTED)
        dpr__text_add(page, "<p>Graphviz, which lays graphs out, is not installed here; with it "
                            "<code>deeper report</code> draws them.</p>\n");
    else if (status == DPR_E_MEMORY)
        page->status = status;
    else
        dpr__text_add(page, "<p>Graphviz could not draw it.</p>\n");
    dpr__text_add(page, "</details>\n");
    dpr__text_release(&svg);
}

static dpr_status add_graph(dpr__text *page, const dpr_report *report, bool backward) {
    dpr_graph *graph;
    char *dot;
    const dpr_graph_view view = {.size = sizeof view, .backward = backward};
    DPR_TRY(dpr_model_graph(report->model, backward, &graph));
    dpr_status status = dpr_graph_dot(graph, &view, &dot);
    if (status == DPR_OK) {
        add_drawing(page, report->context, dot, backward);
        dpr__free(report->context, dot);
    }
    dpr_graph_destroy(graph);
    return status;
}

dpr_status dpr__report_network(dpr__text *page, const dpr_report *report, const dpr__json *record) {
    struct timing timing;
    DPR_TRY(take_times(report, record, &timing));
    dpr__text_add(page, "<section id=\"network\"><h2>Network</h2>\n");
    add_layers(page, report->model, &timing);
    dpr__free(report->context, timing.times);
    dpr__text_add(page, "<details><summary>As text</summary>\n<pre>");
    dpr__page_text(page, dpr_model_net(report->model));
    dpr__text_add(page, "</pre></details>\n");
    DPR_TRY(add_graph(page, report, false));
    DPR_TRY(add_graph(page, report, true));
    dpr__text_add(page, "</section>\n");
    return page->status;
}
