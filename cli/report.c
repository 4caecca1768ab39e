/* deeper report MODEL DATA */
#include "cli.h"
#include "json.h"
#include "place.h"
#include <stdlib.h>
#include <string.h>

int open_shown_half(dpr_context *context, const struct settings *settings, const char *data,
                    const dpr_model *model, const char *missing, dpr_data **out) {
    dpr_open_options options = options_for_model(model);
    options.memory = settings->data.memory;
    dpr_status status = dpr_data_open(context, data, DPR_TEST, &options, out);
    if (status == DPR_E_DATA && missing != NULL) {
        note(settings, "there will be no %s: %s", missing, dpr_error(context));
        return EXIT_DONE;
    }
    return status == DPR_OK ? EXIT_DONE : fail_reading(context, status, data);
}

const char *report_title(const char *model) {
    const char *name = strrchr(model, '/');
    return name != NULL ? name + 1 : model;
}

static void print_result(const struct settings *settings, const char *path) {
    if (settings->json) {
        out_value *line = out_object();
        out_set(line, "out", out_text(path));
        out_print(line, stdout);
    } else {
        printf("report %s\n", path);
    }
}

static int make_report(dpr_context *context, const struct settings *settings, dpr_model *model,
                       const dpr_data *test) {
    dpr_report *report;
    if (dpr_report_create(model, test, &report) != DPR_OK)
        return fail(context);
    char *path = settings->out != NULL ? strdup(settings->out)
                                       : name_beside(settings->words[0], ".report.html");
    int status = EXIT_DONE;
    if (path == NULL)
        status = fail(NULL);
    else if (dpr_report_write(report, NULL, report_title(settings->words[0]), path) != DPR_OK)
        status = fail(context);
    if (status == EXIT_DONE)
        print_result(settings, path);
    free(path);
    dpr_report_destroy(report);
    return status;
}

int command_report(const struct settings *settings) {
    dpr_context *context;
    dpr_model *model = NULL;
    dpr_data *test = NULL;
    if (settings->out != NULL && is_model_file(settings->out))
        return complain(EXIT_FAILED, "--out '%s' is a model, which a page would replace",
                        settings->out);
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = load_model(context, settings, &model);
    if (status == EXIT_DONE)
        status = open_shown_half(context, settings, settings->words[1], model, "results", &test);
    if (status == EXIT_DONE)
        status = make_report(context, settings, model, test);
    dpr_data_destroy(test);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
