/* deeper summary NET|MODEL */
#include "cli.h"
#include "json.h"

static int at_least(int width, const char *text) {
    return text_width(text) > width ? text_width(text) : width;
}

/* The layer's name behind lines that show residuals and branches: "┌ " where a body begins, "├ " where a branch's next one does,
 * "└ " where they are joined. */
static const char *tree_name(const dpr_layer *layers, size_t i, char out[256]) {
    const dpr_layer *layer = &layers[i];
    unsigned before = i > 0 ? layers[i - 1].depth : 0, begin = layer->depth - layer->begins;
    size_t n = 0;
    out[0] = '\0';
    for (unsigned level = 0; level < layer->depth; level++)
        n += (size_t)snprintf(out + n, 256 - n, "%s ",
                              level < begin    ? "│"
                              : level < before ? "├"
                                               : "┌");
    bool joins = before > layer->depth;
    snprintf(out + n, 256 - n, "%s%.64s", joins ? "└ " : "", layer->name);
    return out;
}

static void print_table(const dpr_model *model) {
    const dpr_layer *layers;
    size_t n = dpr_model_layers(model, &layers);
    const dpr_shape *image = &dpr_model_describe(model)->image;
    char shape[160], count[32], flops[32], label[256];
    uint64_t total = 0;
    int name = 5, op = 9, output = at_least(6, shape_text(image, shape));
    for (size_t i = 0; i < n; i++) {
        name = at_least(name, tree_name(layers, i, label));
        op = at_least(op, layers[i].op);
        output = at_least(output, shape_text(&layers[i].output, shape));
    }
    printf("%-*s  %-*s  %-*s  %14s  %14s\n", name, "layer", op, "operation", output, "output",
           "parameters", "flops an image");
    printf("%-*s  %-*s  %s\n", name, "input", op, "", shape_text(image, shape));
    for (size_t i = 0; i < n; i++) {
        print_column(tree_name(layers, i, label), name + 2);
        print_column(layers[i].op, op + 2);
        print_column(shape_text(&layers[i].output, shape), output);
        printf("  %14s  %14s\n", grouped(layers[i].parameters, count),
               grouped(layers[i].flops, flops));
        total += layers[i].flops;
    }
    printf("%-*s  %14s  %14s\n", name + op + output + 4, "total",
           grouped(dpr_model_parameters(model), count), grouped(total, flops));
}

static void print_json(const dpr_model *model) {
    const dpr_layer *layers;
    size_t n = dpr_model_layers(model, &layers);
    out_value *all = out_object(), *array = out_array();
    out_set(all, "parameters", out_count(dpr_model_parameters(model)));
    for (size_t i = 0; i < n; i++) {
        out_value *layer = out_object(), *output = out_array(), *field = out_array();
        for (uint32_t d = 0; d < layers[i].output.rank; d++)
            out_append(output, out_count((uint64_t)layers[i].output.dim[d]));
        for (int axis = 0; axis < 2; axis++)
            out_append(field, out_count((uint64_t)layers[i].field.size[axis]));
        out_set(layer, "name", out_text(layers[i].name));
        out_set(layer, "op", out_text(layers[i].op));
        out_set(layer, "depth", out_count(layers[i].depth));
        out_set(layer, "output", output);
        out_set(layer, "receptive_field", field);
        out_set(layer, "parameters", out_count(layers[i].parameters));
        out_set(layer, "flops", out_count(layers[i].flops));
        out_append(array, layer);
    }
    out_set(all, "layers", array);
    out_print(all, stdout);
}

int command_summary(const struct settings *settings) {
    dpr_context *context;
    dpr_model *model = NULL;
    int status = open_context(settings, NULL, &context);
    if (status == EXIT_DONE)
        status = open_net_or_model(context, settings, &model);
    if (status == EXIT_DONE)
        (settings->json ? print_json : print_table)(model);
    dpr_model_destroy(model);
    dpr_context_destroy(context);
    return status;
}
