/* Programs in double for tests (session.h). */
#include "grad/session.h"
#include "grad/samples.h"
#include "ir/shape.h"
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <cmocka.h>

void session_expect_ok(const struct session *session, dpr_status status, const char *what) {
    if (status != DPR_OK)
        fail_msg("%s: %s", what, dpr_error(session->context));
}

struct session session_open(void) {
    struct session session = {0};
    dpr_context_options options = dpr_context_options_default();
    options.device = "ref";
    options.threads = 1;
    assert_int_equal(dpr_context_create(&options, &session.context), DPR_OK);
    session.graph = dpr_graph_create(session.context);
    assert_non_null(session.graph);
    assert_int_equal(dpr__store_create(session.context, DPR_F64, &session.store), DPR_OK);
    return session;
}

void session_close(struct session *session) {
    dpr_program_destroy(session->program);
    dpr_store_destroy(session->store);
    dpr_graph_destroy(session->graph);
    dpr_context_destroy(session->context);
}

void session_compile(struct session *session, const dpr_value *roots, size_t n, bool train) {
    dpr_program_options options = dpr_program_options_default();
    options.batch = SAMPLE_BATCH;
    options.train = train;
    session_expect_ok(session, dpr_graph_finish(session->graph), "graph");
    session_expect_ok(
        session,
        dpr_program_create(session->graph, session->store, roots, n, &options, &session->program),
        "program");
}

void session_run(const struct session *session, uint64_t ticks) {
    session_expect_ok(session, dpr_program_run(session->program, ticks, NULL, NULL), "run");
}

void session_write(dpr_store *store, const char *leaf, const void *value, size_t bytes) {
    if (dpr_store_write(store, leaf, value, bytes) != DPR_OK)
        fail_msg("%s", dpr_error(store->context));
}

double *session_leaf(const struct session *session, const char *leaf, int64_t *n) {
    const dpr__slot *slot = dpr__store_find(session->store, leaf);
    if (slot == NULL || slot->dtype != DPR_F64)
        fail_msg("the store has no real leaf '%s'", leaf);
    if (n != NULL)
        *n = dpr__shape_count(&slot->shape);
    return slot->data;
}

void session_read(const struct session *session, dpr_value root, void *out, size_t bytes) {
    session_expect_ok(session, dpr_program_read(session->program, root, out, bytes), "read");
}

double session_scalar(const struct session *session, dpr_value root) {
    double value;
    session_read(session, root, &value, sizeof value);
    return value;
}
