/* deeper summary NET|MODEL */
#include "cli.h"
#include "json.h"

static void print_table(const dpr_model *model) {
    const dpr_layer *layers;
    size_t n = dpr_model_layers(model, &layers);
    const dpr_data_info *info = dpr_model_describe(model);
    char shape[96], count[32], flops[32];
    uint64_t total = 0;
    printf("%-14s %-11s %-16s %14s %16s\n", "layer", "operation", "output", "parameters",
           "flops an image");
    printf("%-14s %-11s %s\n", "input", "", shape_text(&info->image, shape));
    for (size_t i = 0; i < n; i++) {
        shape_text(&layers[i].output, shape);
        printf("%-14s %-11s %s%*s %14s %16s\n", layers[i].name, layers[i].op, shape,
               16 - text_width(shape), "", grouped(layers[i].parameters, count),
               grouped(layers[i].flops, flops));
        total += layers[i].flops;
    }
    printf("%-43s %14s %16s\n", "total", grouped(dpr_model_parameters(model), count),
           grouped(total, flops));
}

static void print_json(const dpr_model *model) {
    const dpr_layer *layers;
    size_t n = dpr_model_layers(model, &layers);
    out_value *all = out_object(), *array = out_array();
    out_set(all, "parameters", out_count(dpr_model_parameters(model)));
    for (size_t i = 0; i < n; i++) {
        out_value *layer = out_object(), *output = out_array();
        for (uint32_t d = 0; d < layers[i].output.rank; d++)
            out_append(output, out_count((uint64_t)layers[i].output.dim[d]));
        out_set(layer, "name", out_text(layers[i].name));
        out_set(layer, "op", out_text(layers[i].op));
        out_set(layer, "output", output);
        out_set(layer, "parameters", out_count(layers[i].parameters));
        out_set(layer, "flops", out_count(layers[i].flops));
        out_append(array, layer);
    }
    out_set(all, "layers", array);
    out_print(all, stdout);
}

int command_summary(const struct settings *settings) {
    dpr_context *context = open_context(settings);
    dpr_model *model = context ? open_net_or_model(context, settings) : NULL;
    if (model != NULL)
        (settings->json ? print_json : print_table)(model);
    int status = model != NULL ? EXIT_DONE : EXIT_FAILED;
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
