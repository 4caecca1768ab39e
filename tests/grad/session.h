/* A context, a graph and a program in double, for tests: opened, compiled, run, closed. Any failure
 * fails the test with the library's message. */
#ifndef TESTS_GRAD_SESSION_H
#define TESTS_GRAD_SESSION_H

#include "backend/store.h"

struct session {
    dpr_context *context;
    dpr_graph *graph;
    dpr_store *store; /* f32 leaves are held in double: the oracle runs every program */
    dpr_program *program;
};

struct session session_open(void);
void session_close(struct session *session);
void session_expect_ok(const struct session *session, dpr_status status, const char *what);
/* Finishes the graph and compiles what the roots need, with a batch of SAMPLE_BATCH. */
void session_compile(struct session *session, const dpr_value *roots, size_t n, bool train);
void session_run(const struct session *session, uint64_t ticks);
/* Gives a leaf that is no real its value. */
void session_write(dpr_store *store, const char *leaf, const void *value, size_t bytes);
/* The memory of a real leaf; *n (may be NULL) is its number of elements. */
double *session_leaf(const struct session *session, const char *leaf, int64_t *n);
/* A root's elements, f32 ones in double. */
void session_read(const struct session *session, dpr_value root, void *out, size_t bytes);
double session_scalar(const struct session *session, dpr_value root);

#endif
