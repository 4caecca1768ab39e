/* The net: from text to items (unroll.c), from items to layers of a graph. */
#include "nn/net.h"
#include "base/context.h"
#include "ir/shape.h"
#include "nn/items.h"
#include <stdio.h>
#include <string.h>

static const uint64_t MOST_PARAMETERS = 1U << 31;

void dpr__net_destroy(dpr__net *net) {
    if (net == NULL)
        return;
    dpr_context *context = net->context;
    dpr__free(context, net->items);
    dpr__arena_release(&net->arena);
    dpr__free(context, net);
}

dpr_shape dpr__net_input(const dpr__net *net, bool *of_data) {
    *of_data = net->of_data;
    return net->input;
}

static dpr_status parse(dpr__net *net, const char *name, const char *text) {
    net->name = dpr__arena_text(&net->arena, name, strlen(name));
    net->text = net->name ? dpr__arena_text(&net->arena, text, strlen(text)) : NULL;
    return net->text == NULL ? DPR_E_MEMORY : dpr__net_unroll(net);
}

dpr_status dpr__net_parse(dpr_context *context, const char *name, const char *text,
                          dpr__net **out) {
    dpr__net *net;
    DPR_TRY(dpr__allocate(context, 1, sizeof *net, &net));
    net->context = context;
    dpr__arena_init(&net->arena, context);
    dpr_status status = parse(net, name, text);
    if (status != DPR_OK) {
        dpr__net_destroy(net);
        return status;
    }
    *out = net;
    return DPR_OK;
}

static bool items_equal(const dpr__net_item *a, const dpr__net_item *b) {
    for (size_t i = 0; i < DPR__MOST_ARGUMENTS; i++)
        if (a->argument[i].value != b->argument[i].value ||
            a->argument[i].second != b->argument[i].second)
            return false;
    return a->kind == b->kind && a->word == b->word;
}

bool dpr__net_equal(const dpr__net *a, const dpr__net *b) {
    for (size_t i = 0; i < a->n_items && i < b->n_items; i++)
        if (!items_equal(&a->items[i], &b->items[i]))
            return false;
    return a->n_items == b->n_items;
}

dpr_status dpr_net_check(dpr_context *context, const char *name, const char *net, dpr_shape *image,
                         bool *of_data) {
    dpr__net *parsed;
    const char *text;
    DPR_TRY(dpr__preset_resolve(context, net, &text));
    DPR_TRY(dpr__net_parse(context, name, text, &parsed));
    *image = dpr__net_input(parsed, of_data);
    dpr__net_destroy(parsed);
    return DPR_OK;
}

/* ---- what an item is, by those around it ---- */

/* He where a relu-like activation follows, else Xavier. What does not change the kind of the values (dropout, pooling,
 * normalisation) does not count; from the end of a branch's part the look goes on behind the branch. */
static dpr_init automatic_init(const dpr__net *net, size_t i) {
    size_t skipping = 0; /* branches whose other parts are passed over */
    for (i++; i < net->n_items; i++) {
        const dpr__net_item *item = &net->items[i];
        bool branch = item->word->most_bodies > 1;
        if (branch && (item->kind == DPR__ITEM_NEXT ? skipping == 0
                                                    : skipping > 0 && item->kind == DPR__ITEM_OPEN))
            skipping++;
        else if (branch && skipping > 0 && item->kind == DPR__ITEM_CLOSE)
            skipping--;
        else if (skipping == 0 && !item->word->transparent)
            return item->word->relu_like ? DPR_INIT_HE : DPR_INIT_XAVIER;
    }
    return DPR_INIT_XAVIER;
}

static dpr_status choose_init(const dpr__net *net, const char *word, size_t i,
                              dpr__layering *layering) {
    char help[512];
    for (size_t k = 0; k < DPR__INIT_DIRAC; k++)
        if (word == NULL || strcmp(word, dpr__init_words[k]) == 0) {
            layering->forced = k != DPR__INIT_AUTO;
            layering->init = layering->forced ? dpr__inits[k] : automatic_init(net, i);
            return DPR_OK;
        }
    return DPR_FAIL(net->context, DPR_E_ARGUMENT, "unknown initialisation '%s'; %s", word,
                    dpr__suggest(word, dpr__init_words, DPR__INIT_DIRAC, help));
}

static bool is_normalised(const dpr__net *net, size_t i) {
    return i + 1 < net->n_items && net->items[i + 1].word->normalises;
}

/* ---- appending ---- */

static dpr_status at_item(const dpr__net *net, const dpr__net_item *item, const char *message) {
    dpr__reader reader = {
        .context = net->context, .name = net->name, .text = net->text, .call = item->call};
    return dpr__syntax_error(&reader, item->line, item->column, "%s", message);
}

/* The least field that holds both: their places lie alike. */
static dpr_field join_fields(const dpr_field *a, const dpr_field *b) {
    dpr_field both = *a;
    if (a->step[0] == 0 || b->step[0] == 0) /* one sees the whole image */
        return a->step[0] == 0 ? *a : *b;
    for (int axis = 0; axis < 2; axis++) {
        int64_t end_a = a->first[axis] + a->size[axis], end_b = b->first[axis] + b->size[axis];
        both.first[axis] = a->first[axis] < b->first[axis] ? a->first[axis] : b->first[axis];
        both.size[axis] = (end_a > end_b ? end_a : end_b) - both.first[axis];
    }
    return both;
}

/* Brackets: keeps what a body is given, and what it gives. */
static void step_over_bracket(const dpr__net_item *item, dpr__layering *layering) {
    if (item->kind == DPR__ITEM_OPEN) {
        layering->opened[layering->n_opened++] = (dpr__opened){
            .in = layering->value, .in_field = layering->field, .from = layering->from};
        layering->begun++;
        return;
    }
    dpr__opened *opened = &layering->opened[layering->n_opened - 1];
    opened->field =
        opened->n_ends > 0 ? join_fields(&layering->field, &opened->field) : layering->field;
    opened->ends[opened->n_ends++] = layering->value;
    layering->begun -= layering->begun > 0; /* the body that ends here was empty */
    if (item->kind == DPR__ITEM_NEXT) {
        layering->value = opened->in;
        layering->field = opened->in_field;
        layering->from = opened->from;
        layering->begun++;
    } else {
        bool residual = item->word->most_bodies == 1; /* then what it was given is added */
        layering->field = residual ? join_fields(&opened->field, &opened->in_field) : opened->field;
        layering->n_opened--; /* its entry stays readable until the next one opens */
    }
}

static dpr_status append_layer(const dpr__net *net, const dpr__net_item *item,
                               dpr__net_build *build, dpr__layering *layering) {
    dpr_graph *graph = layering->graph;
    layering->parameters = layering->flops = 0;
    graph->line = item->line;
    dpr_graph_scope(graph, item->name);
    item->word->append(item, layering);
    if (graph->status != DPR_OK) {
        char message[DPR__ERROR_BYTES];
        dpr_status status = dpr_graph_finish(graph);
        if (status == DPR_E_MEMORY)
            return status;
        strcpy(message, dpr_error(net->context));
        return at_item(net, item, message);
    }
    dpr_shape output = dpr__layer_shape(layering, layering->value);
    if (output.rank != 3)
        dpr__layer_see_all(layering);
    build->outputs[build->n_layers] = layering->value;
    build->layers[build->n_layers] = (dpr_layer){.name = item->name,
                                                 .op = item->word->word,
                                                 .output = output,
                                                 .field = layering->field,
                                                 .from = layering->from,
                                                 .activation = item->word->activation,
                                                 .gate = item->word->gate,
                                                 .parameters = layering->parameters,
                                                 .flops = layering->flops,
                                                 .line = item->line,
                                                 .depth = (unsigned)layering->n_opened,
                                                 .begins = layering->begun};
    layering->begun = 0;
    layering->from = (int)build->n_layers++;
    return DPR_OK;
}

static dpr_status append_item(const dpr__net *net, size_t i, dpr__net_build *build,
                              dpr__layering *layering) {
    dpr__net_item item = net->items[i];
    for (int k = 0; k < DPR__MOST_ARGUMENTS && item.word->argument[k].name != NULL; k++)
        if (item.word->argument[k].kind == DPR__ARGUMENT_WIDTH &&
            item.argument[k].value == DPR__NUMBER_CLASSES) {
            if (build->n_classes == 0)
                return at_item(net, &item,
                               "the number of classes is not known here; give --classes N");
            item.argument[k].value = build->n_classes;
        }
    if (item.kind != DPR__ITEM_LAYER)
        step_over_bracket(&item, layering);
    if (item.kind == DPR__ITEM_OPEN || item.kind == DPR__ITEM_NEXT)
        return DPR_OK;
    DPR_TRY(choose_init(net, build->init, i, layering));
    layering->normalised = is_normalised(net, i);
    return append_layer(net, &item, build, layering);
}

/* The last layer must give one logit for each class. */
static dpr_status check_logits(const dpr__net *net, const dpr__net_build *build) {
    const dpr_layer *last = &build->layers[build->n_layers - 1];
    char message[256], shape[DPR__SHAPE_TEXT];
    if (last->output.rank != 1) {
        snprintf(message, sizeof message,
                 "the network ends with %s for each image; it must end with one number for each "
                 "class: add 'linear classes'",
                 dpr__shape_text(&last->output, shape));
        return at_item(net, &net->items[net->n_items - 1], message);
    }
    if (build->n_classes != 0 && last->output.dim[0] != (int64_t)build->n_classes) {
        snprintf(message, sizeof message,
                 "the network ends with %lld outputs, but there are %u classes; write 'linear "
                 "classes'",
                 (long long)last->output.dim[0], build->n_classes);
        return at_item(net, &net->items[net->n_items - 1], message);
    }
    return DPR_OK;
}

static dpr_status append_all(const dpr__net *net, dpr__net_build *build, dpr__layering *layering) {
    uint64_t parameters = 0;
    DPR_TRY(dpr__allocate(net->context, net->n_layers, sizeof *build->layers, &build->layers));
    DPR_TRY(dpr__allocate(net->context, net->n_layers, sizeof *build->outputs, &build->outputs));
    for (size_t i = 0; i < net->n_items; i++) {
        DPR_TRY(append_item(net, i, build, layering));
        parameters += layering->parameters;
        if (parameters > MOST_PARAMETERS)
            return at_item(net, &net->items[i], "here the network exceeds 2147483648 parameters");
    }
    build->logits = layering->value;
    return check_logits(net, build);
}

void dpr__net_build_release(dpr_context *context, dpr__net_build *build) {
    dpr__free(context, build->layers);
    dpr__free(context, build->outputs);
    dpr__free(context, build->updates);
    build->layers = NULL;
    build->outputs = NULL;
    build->updates = NULL;
    build->n_layers = build->n_updates = 0;
}

dpr_status dpr__net_append(dpr__net *net, dpr_graph *graph, dpr__net_build *build) {
    dpr__layering layering = {
        .graph = graph, .value = build->images, .images = build->images, .rows = build->rows};
    layering.image = dpr__layer_shape(&layering, build->images);
    layering.field = (dpr_field){.step = {1, 1}, .size = {1, 1}};
    layering.from = -1;
    build->layers = NULL;
    build->outputs = NULL;
    build->n_layers = 0;
    dpr_status status = append_all(net, build, &layering);
    build->updates = layering.updates;
    build->n_updates = layering.n_updates;
    dpr_graph_scope(graph, NULL);
    graph->line = 0;
    if (status != DPR_OK)
        dpr__net_build_release(net->context, build);
    return status;
}
