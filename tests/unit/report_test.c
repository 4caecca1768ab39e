/* Reports from records that no run writes, without a test set, and with too little memory. Numbers and form are checked by tests/cli/report_test.py. */
#include "../support/failing_allocator.h"
#include "train_support.h"
#include <deeper/tools.h>
#include <unistd.h>

static const char NET[] = "input 6 6 1, linear 4, relu, linear classes";
static char *page_path; /* in a directory of its own */

struct made {
    dpr_context *context;
    dpr_data *data;
    dpr_model *model;
    dpr_report *report;
};

/* The report of a new model, with or without a set. */
static dpr_status make(struct made *m, const dpr_context_options *options, bool tested) {
    static struct sample sample;
    dpr_data_info info = dpr_data_info_default();
    *m = (struct made){0};
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    fill_sample(&sample, 40, 1);
    dpr_status status = dpr_context_create(options, &m->context);
    if (status == DPR_OK)
        status = dpr_data_create(m->context, &info, sample.images, sample.labels, 40, NULL, NULL,
                                 &m->data);
    if (status == DPR_OK)
        status = dpr_model_from_net(m->context, "net", NET, &info, 1, "auto", &m->model);
    if (status == DPR_OK)
        status = dpr_report_create(m->model, tested ? m->data : NULL, &m->report);
    return status;
}

static void clean(struct made *m) {
    dpr_report_destroy(m->report);
    dpr_model_destroy(m->model);
    dpr_data_destroy(m->data);
    dpr_context_destroy(m->context);
}

static char *read_page(void) {
    static char text[1 << 20];
    FILE *file = fopen(page_path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    unlink(page_path);
    return text;
}

static void without_a_test_set(void **state) {
    (void)state;
    struct made m;
    dpr_context_options options = dpr_context_options_default();
    assert_int_equal(make(&m, &options, false), DPR_OK);
    assert_null(dpr_report_evaluation(m.report));
    OK(m.context, dpr_report_write(m.report, NULL, "a <name>", page_path));
    const char *page = read_page();
    assert_non_null(strstr(page, "<h1>a &lt;name&gt;</h1>"));
    assert_non_null(strstr(page, "No test images were looked at"));
    assert_non_null(strstr(page, "No step is told of yet"));
    assert_null(strstr(page, "id=\"results\""));
    clean(&m);
}

static void while_it_trains(void **state) {
    (void)state;
    struct made m;
    dpr_context_options options = dpr_context_options_default();
    static const char RUN[] =
        "{\"epochs_done\":1,\"options\":{\"epochs\":3},\"steps_per_epoch\":2,"
        "\"history\":[{\"epoch\":1,\"loss\":2}],\"curve\":[[1,3,0.1,1],[2,1,0.2,1],[3,1,0.5,1]]}";
    assert_int_equal(make(&m, &options, false), DPR_OK);
    OK(m.context, dpr_report_write_progress(m.model, RUN, "name", page_path));
    const char *page = read_page();
    assert_non_null(strstr(page, "1 of 3 epochs are done"));
    assert_non_null(strstr(page, "from 3 at the beginning to 1 after 1.5 epochs"));
    assert_non_null(strstr(page, "The run record tells nothing of it"));
    FAILS(m.context, dpr_report_write_progress(m.model, "{", "name", page_path), DPR_E_FORMAT,
          "run record");
    clean(&m);
}

/* Whoever edits a model's file may write any record. */
static void strange_records(void **state) {
    (void)state;
    static const char *const strange[] = {
        "{}",
        "[]",
        "5",
        "{\"history\":5,\"options\":[],\"data\":{}}",
        "{\"history\":[1,\"a\",{\"epoch\":1e308,\"loss\":1e308},{\"epoch\":-1e308,\"loss\":-1e308}]"
        "}",
        "{\"history\":[{\"epoch\":1,\"loss\":\"x\",\"lr\":0}],\"command\":7,\"options\":{\"a\":{"
        "\"b\":[1]}}}",
        "{\"history\":[{\"epoch\":3,\"loss\":2},{\"epoch\":3,\"loss\":2,\"val_loss\":null}],"
        "\"command\":\"</code><script>\"}",
        "{\"history\":[{\"epoch\":1,\"loss\":1e17},{\"epoch\":2,\"loss\":100000000000000016}]}",
        "{\"history\":[{\"epoch\":1,\"loss\":1e-320},{\"epoch\":2,\"loss\":2e-320}]}",
        "{\"history\":[{\"epoch\":1,\"loss\":1}],\"steps_per_epoch\":1e-300,\"curve\":[[1,2],[],7]"
        "}",
        "{\"health\":7}",
        "{\"health\":{\"cause\":\"stuck\"},\"looks\":-1}",
        "{\"health\":[7,[],{\"cause\":\"<script>\",\"layer\":\"\",\"op\":\"\",\"epoch\":1,\"step\":"
        "1,"
        "\"value\":0,\"rate\":0}]}"};
    struct made m;
    dpr_context_options options = dpr_context_options_default();
    assert_int_equal(make(&m, &options, true), DPR_OK);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        OK(m.context, dpr_report_write(m.report, strange[i], "name", page_path));
        const char *page = read_page();
        assert_null(strstr(page, "<script"));
        assert_null(strstr(page, " nan"));
        assert_null(strstr(page, "Mnan"));
        assert_null(strstr(page, " inf"));
        assert_non_null(strstr(page, "</html>"));
    }
    FAILS(m.context, dpr_report_write(m.report, "{", "name", page_path), DPR_E_FORMAT,
          "run record");
    assert_int_not_equal(access(page_path, F_OK), 0);
    clean(&m);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    assert_int_equal(setenv("PATH", "", 1), 0); /* Graphviz is slow */
    long n = 0;
    for (bool ended = false; !ended; n++) {
        struct failing_allocator allocator;
        dpr_context_options options = dpr_context_options_default();
        struct made m;
        failing_allocator_use(&allocator, &options);
        options.threads = 1;
        allocator.fail_at = n;
        dpr_status status = make(&m, &options, true);
        if (status == DPR_OK)
            status = dpr_report_write(m.report, "{\"history\":[{\"epoch\":1,\"loss\":1}]}", "name",
                                      page_path);
        ended = status == DPR_OK;
        if (!ended && status != DPR_E_MEMORY)
            fail_msg("allocation %ld: status %d, %s", n, (int)status, dpr_error(m.context));
        assert_int_equal(access(page_path, F_OK) == 0, ended);
        clean(&m);
        if (allocator.blocks != 0)
            fail_msg("allocation %ld: %ld blocks leaked", n, allocator.blocks);
    }
    unlink(page_path);
    assert_true(n > 100);
}

int main(void) {
    page_path = temporary("page.html");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_test_set), cmocka_unit_test(while_it_trains),
        cmocka_unit_test(strange_records), cmocka_unit_test(any_allocation_may_fail)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_temporary(page_path);
    return failed;
}
