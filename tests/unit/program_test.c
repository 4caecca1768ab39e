/* Programs over a store whose memory moves between runs: bound, resized, cleared; and leaves that must not be written. */
#include "backend/program.h"
#include "base/context.h"
#include "support/failing_allocator.h"
#include "train/model.h"
#include "train_support.h"

static dpr_program *program_of(dpr_graph *graph, dpr_store *store, const dpr_value *roots, size_t n,
                               int64_t batch) {
    dpr_program *program;
    dpr_program_options options = dpr_program_options_default();
    options.batch = batch;
    OK(graph->context, dpr_program_create(graph, store, roots, n, &options, &program));
    return program;
}

static const char *const DEVICES[] = {"ref", "cpu"};

/* ---- reading ---- */

/* A leaf, a view of it and what is computed of it are roots; numbers are those that the leaf has now, wherever they lie. */
static void roots_that_are_leaves_are_read_where_they_are_now(const char *device) {
    dpr_context *context = make_context(device, 1);
    dpr_graph *g = dpr_graph_create(context);
    dpr_store *store;
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(DPR_BATCH, 3));
    dpr_value view = dpr_reshape(g, x, dpr_shape_of(DPR_BATCH, 3, 1));
    dpr_value roots[] = {x, view, dpr_relu(g, x)};
    float first[12], bound[12], got[12];
    for (int i = 0; i < 12; i++) {
        first[i] = (float)i;
        bound[i] = (float)(100 + i);
    }
    OK(context, dpr_store_create(context, &store));
    dpr_program *small = program_of(g, store, roots, 3, 2);
    OK(context, dpr_store_write(store, "x", first, 6 * sizeof *first));
    OK(context, dpr_program_run(small, 1, NULL, NULL));
    for (int i = 0; i < 3; i++) {
        OK(context, dpr_program_read(small, roots[i], got, 6 * sizeof *got));
        assert_memory_equal(got, first, 6 * sizeof *got);
    }
    OK(context, dpr_store_bind(store, "x", bound, 6 * sizeof *bound));
    for (int i = 0; i < 2; i++) {
        OK(context, dpr_program_read(small, roots[i], got, 6 * sizeof *got));
        assert_memory_equal(got, bound, 6 * sizeof *got);
    }
    /* A program with a larger batch gives the leaf memory of its own again. */
    dpr_program *large = program_of(g, store, roots, 3, 4);
    memset(bound, 0, sizeof bound);
    OK(context, dpr_store_write(store, "x", first, sizeof first));
    for (int i = 0; i < 2; i++) {
        OK(context, dpr_program_read(small, roots[i], got, 6 * sizeof *got));
        assert_memory_equal(got, first, 6 * sizeof *got);
        OK(context, dpr_program_read(large, roots[i], got, sizeof got));
        assert_memory_equal(got, first, sizeof got);
    }
    OK(context, dpr_program_run(small, 1, NULL, NULL));
    OK(context, dpr_program_read(small, roots[2], got, 6 * sizeof *got));
    assert_memory_equal(got, first, 6 * sizeof *got);
    dpr_program_destroy(small);
    dpr_program_destroy(large);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
}

static void leaves_are_read_where_they_are_now(void **state) {
    (void)state;
    for (int d = 0; d < 2; d++)
        roots_that_are_leaves_are_read_where_they_are_now(DEVICES[d]);
}

/* A trainer gives the inputs of an earlier one their memory back: a program over them may find less than it was compiled for. */
static void leaves_that_became_smaller_are_refused(void **state) {
    (void)state;
    for (int d = 0; d < 2; d++) {
        dpr_context *context = make_context(DEVICES[d], 1);
        static struct sample sample, other;
        dpr_data *data = make_data(context, &sample, 20, 1);
        dpr_data *less = make_data(context, &other, 10, 2);
        dpr_model *model = make_model(context, data, "input 6 6 1, linear classes", 1);
        dpr_graph *g = dpr_graph_create(context);
        dpr_value labels = dpr_input(g, "train.labels", DPR_I32, dpr_shape_of(20));
        dpr_value roots[] = {labels, dpr_cast(g, labels, DPR_F32)};
        dpr_program *program = program_of(g, model->store, roots, 2, 1);
        dpr_trainer *trainer;
        int32_t got[20];
        OK(context, dpr_program_run(program, 1, NULL, NULL));
        OK(context, dpr_trainer_create(model, data, NULL, &trainer));
        OK(context, dpr_program_read(program, labels, got, sizeof got));
        assert_memory_equal(got, sample.labels, sizeof got);
        dpr_trainer_destroy(trainer);
        OK(context, dpr_trainer_create(model, less, NULL, &trainer));
        FAILS(context, dpr_program_read(program, labels, got, sizeof got), DPR_E_MISMATCH,
              "'train.labels'");
        FAILS(context, dpr_program_run(program, 1, NULL, NULL), DPR_E_MISMATCH, "'train.labels'");
        OK(context, dpr_trainer_step(trainer, NULL));
        dpr_trainer_destroy(trainer);
        dpr_program_destroy(program);
        dpr_graph_destroy(g);
        dpr_model_destroy(model);
        dpr_data_destroy(data);
        dpr_data_destroy(less);
        dpr_context_destroy(context);
    }
}

/* ---- writing ---- */

/* tick' = tick + 1, x' = x / 2: nothing of it may happen while x is the caller's. */
static void a_step_that_assigns_borrowed_memory_is_refused(const char *device, unsigned threads) {
    dpr_context *context = make_context(device, threads);
    dpr_graph *g = dpr_graph_create(context);
    dpr_store *store;
    dpr_value x = dpr_input(g, "x", DPR_F32, dpr_shape_of(2, 3));
    dpr_value tick = dpr_state(g, "tick", DPR_U64, dpr_scalar_shape());
    dpr_value roots[] = {dpr_assign(g, tick, dpr__increment(g, tick)),
                         dpr_assign(g, x, dpr_scale(g, x, 0.5))};
    const float first[6] = {2, 4, 6, 8, 10, 12}, half[6] = {1, 2, 3, 4, 5, 6};
    float bound[6], got[6];
    uint64_t done = 7, ticks;
    memcpy(bound, first, sizeof bound);
    OK(context, dpr_store_create(context, &store));
    dpr_program *program = program_of(g, store, roots, 2, 1);
    OK(context, dpr_store_write(store, "x", first, sizeof first));
    OK(context, dpr_program_run(program, 1, NULL, &done));
    OK(context, dpr_store_read(store, "x", got, sizeof got));
    assert_memory_equal(got, half, sizeof got);
    OK(context, dpr_store_bind(store, "x", bound, sizeof bound));
    for (int again = 0; again < 2; again++) {
        FAILS(context, dpr_program_run(program, 1, NULL, &done), DPR_E_ARGUMENT,
              "'x' is bound to the caller's memory");
        assert_int_equal(done, 0);
        assert_memory_equal(bound, first, sizeof bound);
        OK(context, dpr_store_read(store, "tick", &ticks, sizeof ticks));
        assert_int_equal(ticks, 1);
    }
    dpr_program *late;
    FAILS(context, dpr_program_create(g, store, roots, 2, NULL, &late), DPR_E_ARGUMENT,
          "'x' is bound to the caller's memory");
    /* Other programs may read it. */
    dpr_value sum = dpr_sum(g, x, 3, false);
    float total;
    dpr_program *reader = program_of(g, store, &sum, 1, 1);
    OK(context, dpr_program_run(reader, 1, NULL, NULL));
    OK(context, dpr_program_read(reader, sum, &total, sizeof total));
    assert_true(total == 42);
    dpr_program_destroy(reader);
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
}

static void borrowed_memory_is_never_written(void **state) {
    (void)state;
    for (int d = 0; d < 2; d++)
        for (unsigned threads = 1; threads <= 2; threads++)
            a_step_that_assigns_borrowed_memory_is_refused(DEVICES[d], threads);
}

/* ---- promises of the insides ---- */

/* Timing begins anew, and what it counts in is not lost. */
static void rows_can_be_timed_twice(void **state) {
    (void)state;
    struct failing_allocator allocator;
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    failing_allocator_use(&allocator, &options);
    options.threads = 2;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_graph *g = dpr_graph_create(context);
    dpr_store *store;
    dpr_value x = dpr_state(g, "x", DPR_F32, dpr_shape_of(500, 500));
    dpr_value root = dpr_assign(g, x, dpr_softmax(g, x));
    OK(context, dpr_store_create(context, &store));
    dpr_program *program = program_of(g, store, &root, 1, 1);
    const dpr__backend *backend = program->backend;
    for (int again = 0; again < 2; again++) {
        uint64_t ns = 0;
        OK(context, backend->time_rows(program->plan));
        for (size_t i = 0; i < backend->rows(program->plan); i++)
            ns += backend->row(program->plan, i).ns;
        assert_int_equal(ns, 0);
        OK(context, dpr_program_run(program, 2, NULL, NULL));
        for (size_t i = 0; i < backend->rows(program->plan); i++)
            ns += backend->row(program->plan, i).ns;
        assert_true(ns > 0);
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(g);
    dpr_context_destroy(context);
    assert_int_equal(allocator.blocks, 0);
}

/* Programs that hold a copy of a leaf look at its slot's version: whoever writes raises it. */
static void evaluation_raises_the_versions_of_what_it_writes(void **state) {
    (void)state;
    static const char *const LEAVES[] = {"eval.images", "eval.labels", "eval.rows"};
    static struct sample sample;
    uint64_t versions[3] = {0};
    dpr_context *context = make_context("cpu", 1);
    dpr_data *data = make_data(context, &sample, 20, 1);
    dpr_model *model = make_model(context, data, "input 6 6 1, linear classes", 1);
    dpr_evaluation found;
    for (int again = 0; again < 2; again++) {
        OK(context, dpr_evaluate(model, data, &found));
        for (int i = 0; i < 3; i++) {
            uint64_t version = dpr__store_find(model->store, LEAVES[i])->version;
            assert_true(version > versions[i]);
            versions[i] = version;
        }
    }
    dpr_model_destroy(model);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_read_where_they_are_now),
        cmocka_unit_test(leaves_that_became_smaller_are_refused),
        cmocka_unit_test(borrowed_memory_is_never_written),
        cmocka_unit_test(rows_can_be_timed_twice),
        cmocka_unit_test(evaluation_raises_the_versions_of_what_it_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
