/* Net text and the long form from strangers: any bytes give a graph that verifies, or a message; never a crash, a leak or a hang. */
#include "base/context.h"
#include "nn/net.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void append(dpr_context *context, dpr__net *net) {
    bool of_data;
    dpr_shape in = dpr__net_input(net, &of_data);
    if (in.rank == 0)
        in = dpr_shape_of(9, 8, 3);
    dpr_graph *graph = dpr_graph_create(context);
    dpr_value images = dpr_input(graph, "images", DPR_F32,
                                 dpr_shape_of(DPR_BATCH, in.dim[0], in.dim[1], in.dim[2]));
    dpr__net_build build = {.images = images, .n_classes = 3};
    if (dpr__net_append(net, graph, &build) == DPR_OK) {
        if (dpr_graph_finish(graph) != DPR_OK)
            abort();
        dpr__net_build_release(context, &build);
    } else if (dpr_error(context)[0] == '\0') {
        abort();
    }
    dpr_graph_destroy(graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    dpr_context *context;
    dpr__net *net;
    char *text = malloc(n + 1);
    if (text == NULL || dpr_context_create(NULL, &context) != DPR_OK)
        abort();
    memcpy(text, bytes, n);
    text[n] = '\0';
    if (dpr__net_parse(context, "fuzz", text, &net) == DPR_OK) {
        append(context, net);
        dpr__net_destroy(net);
    }
    dpr_graph *graph = dpr_graph_create(context);
    if (dpr__graph_parse(graph, "fuzz", text) == DPR_OK && dpr_graph_finish(graph) != DPR_OK)
        abort();
    dpr_graph_destroy(graph);
    dpr_context_destroy(context);
    free(text);
    return 0;
}
