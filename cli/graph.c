/* deeper graph NET|MODEL */
#include "cli.h"
#include <string.h>

/* "-" prints Graphviz text. */
static dpr_status draw(dpr_context *context, dpr_graph *graph, const dpr_graph_view *view,
                       const char *path) {
    char *text;
    if (strcmp(path, "-") != 0)
        return dpr_graph_draw(graph, view, path);
    dpr_status status = dpr_graph_dot(graph, view, &text);
    if (status == DPR_OK) {
        fputs(text, stdout);
        dpr_text_destroy(context, text);
    }
    return status;
}

static int print_plan(dpr_context *context, const dpr_model *model,
                      const struct settings *settings) {
    char *text;
    if (dpr_model_plan(model, (unsigned)settings->batch, &text) != DPR_OK)
        return fail(context);
    fputs(text, stdout);
    dpr_text_destroy(context, text);
    return EXIT_DONE;
}

int command_graph(const struct settings *settings) {
    dpr_context *context = open_context(settings);
    dpr_model *model = context ? open_net_or_model(context, settings) : NULL;
    dpr_graph *graph = NULL;
    dpr_graph_view view = {.size = sizeof view, .backward = settings->backward};
    int status = EXIT_FAILED;
    if (model != NULL && settings->plan) {
        status = print_plan(context, model, settings);
    } else if (model != NULL) {
        if (dpr_model_graph(model, settings->backward, &graph) != DPR_OK ||
            draw(context, graph, &view, settings->out) != DPR_OK)
            fail(context);
        else
            status = EXIT_DONE;
    }
    if (status == EXIT_DONE && !settings->plan && strcmp(settings->out, "-") != 0)
        fprintf(stderr, "drawn in %s\n", settings->out);
    dpr_graph_destroy(graph);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
