/* deeper graph NET|MODEL */
#include "cli.h"
#include "json.h"
#include <string.h>

/* On standard output, as it is or within JSON. */
static void print_text(const struct settings *settings, const char *text) {
    if (settings->json) {
        out_value *all = out_object();
        out_set(all, "text", out_text(text));
        out_print(all, stdout);
    } else {
        fputs(text, stdout);
    }
}

static int print_plan(dpr_context *context, const dpr_model *model,
                      const struct settings *settings) {
    char *text;
    if (dpr_model_plan(model, settings->training.batch, !settings->plan_predicts, DPR_PLAN_UNTIMED,
                       &text) != DPR_OK)
        return fail(context);
    print_text(settings, text);
    dpr_text_destroy(context, text);
    return EXIT_DONE;
}

static int draw_on_output(dpr_context *context, dpr_graph *graph, const struct settings *settings) {
    char *text;
    if (dpr_graph_dot(graph, &settings->view, &text) != DPR_OK)
        return fail(context);
    print_text(settings, text);
    dpr_text_destroy(context, text);
    return EXIT_DONE;
}

static int draw_in_file(dpr_context *context, dpr_graph *graph, const struct settings *settings) {
    if (dpr_graph_draw(graph, &settings->view, settings->out) != DPR_OK)
        return fail(context);
    if (settings->json) {
        out_value *all = out_object();
        out_set(all, "out", out_text(settings->out));
        out_print(all, stdout);
    } else {
        complain(EXIT_DONE, "drawn in %s", settings->out);
    }
    return EXIT_DONE;
}

static int draw(dpr_context *context, const dpr_model *model, const struct settings *settings) {
    dpr_graph *graph;
    bool on_output = settings->out == NULL || strcmp(settings->out, "-") == 0;
    if (dpr_model_graph(model, settings->view.backward, &graph) != DPR_OK)
        return fail(context);
    int status = (on_output ? draw_on_output : draw_in_file)(context, graph, settings);
    dpr_graph_destroy(graph);
    return status;
}

int command_graph(const struct settings *settings) {
    dpr_context *context;
    dpr_model *model = NULL;
    if (settings->plan && (settings->view.backward || settings->out != NULL))
        return complain(EXIT_USAGE, "--plan prints a text; --backward and --out are of drawings");
    if (settings->plan_predicts && !settings->plan)
        return complain(EXIT_USAGE, "--predict is for --plan");
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = open_net_or_model(context, settings, &model);
    if (status == EXIT_DONE)
        status = (settings->plan ? print_plan : draw)(context, model, settings);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
