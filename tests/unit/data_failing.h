/* A fixture for tests of readers under an allocator that fails: its context, and a directory. */
#ifndef DPR_TESTS_DATA_FAILING_H
#define DPR_TESTS_DATA_FAILING_H

#include "data_support.h"
#include "support/failing_allocator.h"

struct fixture {
    dpr_context *context;
    struct failing_allocator allocator;
    struct tree tree;
};

static inline int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    dpr_context_options options = dpr_context_options_default();
    options.threads = 1;
    failing_allocator_use(&f->allocator, &options);
    assert_int_equal(dpr_context_create(&options, &f->context), DPR_OK);
    tree_make(&f->tree);
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    struct fixture *f = *state;
    tree_remove(&f->tree);
    dpr_context_destroy(f->context);
    assert_int_equal(f->allocator.blocks, 0);
    free(f);
    return 0;
}

#endif
