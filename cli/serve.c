/* deeper serve MODEL */
#include "cli.h"
#include "json.h"
#include "signals.h"
#include <string.h>

void server_url(const char *host, unsigned port, char out[300]) {
    bool v6 = strchr(host, ':') != NULL; /* RFC 3986, section 3.2.2 */
    snprintf(out, 300, "http://%s%.255s%s:%u/", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static void print_address(const struct settings *settings, const dpr_server *server) {
    char url[300];
    server_url(settings->server.host, dpr_server_port(server), url);
    if (settings->json) {
        out_value *line = out_object();
        out_set(line, "url", out_text(url));
        out_print(line, stdout);
    } else {
        printf("serving %s\n", url);
        fflush(stdout);
    }
}

static int serve(dpr_context *context, dpr_model *model, const struct settings *settings) {
    dpr_server_options options = settings->server;
    dpr_server *server;
    options.name = report_title(settings->words[0]);
    options.top = settings->top;
    if (dpr_server_create(model, &options, &server) != DPR_OK)
        return fail(context);
    print_address(settings, server);
    note(settings, "Ctrl-C ends it, when what was asked is answered");
    dpr_server_run(server, &signals_stop);
    dpr_server_destroy(server);
    return EXIT_DONE;
}

int command_serve(const struct settings *settings) {
    dpr_context *context;
    dpr_model *model = NULL;
    signals_watch(true); /* what is in flight is answered, and the command ends well */
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = load_model(context, settings, &model);
    if (status == EXIT_DONE)
        status = serve(context, model, settings);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
