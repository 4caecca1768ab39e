/* How much memory a step takes, and why: lives of values, the order of groups, what is made once more, and what rows share. */
#include "backend/program.h"
#include "base/context.h"
#include "ir/shape.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* *user: bytes that are held. */
static void *count_bytes(void *user, void *block, size_t bytes) {
    size_t *held = user, *head = block == NULL ? NULL : (size_t *)block - 2;
    *held -= head == NULL ? 0 : *head;
    if (bytes == 0) {
        free(head);
        return NULL;
    }
    head = realloc(head, bytes + 2 * sizeof *head);
    assert_non_null(head);
    *head = bytes;
    *held += bytes;
    return head + 2;
}

/* Bytes that a program of so many equal convolutions holds beside its leaves and its arena. */
static size_t workspace_of(int layers) {
    dpr_context *context;
    size_t held = 0, before;
    dpr_context_options options = dpr_context_options_default();
    options.allocate = count_bytes;
    options.allocate_user = &held;
    options.threads = 1;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    dpr_store *store;
    dpr_program *program;
    dpr_conv_options conv = dpr_conv_options_default();
    dpr_value w[8], diff[8], roots[8];
    conv.pad[0] = conv.pad[1] = conv.pad[2] = conv.pad[3] = 1;
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(16, 16, 16, 64));
    for (int i = 0; i < layers; i++) {
        char name[8];
        snprintf(name, sizeof name, "w%d", i);
        w[i] = dpr_parameter(g, name, dpr_shape_of(3, 3, 64, 64), DPR_INIT_HE);
        x = dpr_relu(g, dpr_conv2d(g, x, w[i], &conv));
    }
    dpr_value loss = dpr_sum(g, x, 15, false);
    assert_int_equal(dpr_gradients(g, loss, w, (size_t)layers, diff), DPR_OK);
    for (int i = 0; i < layers; i++)
        roots[i] = dpr_assign(g, w[i], dpr_subtract(g, w[i], diff[i]));
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    before = held;
    assert_int_equal(dpr_program_create(g, store, roots, (size_t)layers, NULL, &program), DPR_OK);
    size_t workspace = held - before - program->step->arena_bytes;
    for (size_t i = 0; i < store->n_slots; i++)
        workspace -= store->slots[i].room;
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
    assert_int_equal(held, 0);
    return workspace;
}

/* A filter gradient of 64 channels is summed in 16 parts of 147 kB each. */
static void rows_share_what_they_sum_in_parts(void **state) {
    (void)state;
    size_t two = workspace_of(2), eight = workspace_of(8);
    if (eight > two + (3U << 20))
        fail_msg("%zu bytes for two layers, %zu for eight", two, eight);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_share_what_they_sum_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
