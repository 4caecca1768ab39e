/* Checks: what the calls refuse, that no allocation that fails is fatal, and that they can be stopped. What they find: tests/cli/check_test.py. */
#include "data_failing.h"

/* Two classes with a copy, an almost-copy across the halves, a torn file and a blank image. */
static void make_set(struct fixture *f) {
    write_png(&f->tree, "train/a/1.png", 16, 20, 3, 0);
    write_png(&f->tree, "train/a/2.png", 16, 20, 3, 0);
    write_png(&f->tree, "train/b/1.png", 17, 20, 1, 3);
    write_png(&f->tree, "test/a/1.png", 16, 20, 3, 3);
    write_png(&f->tree, "test/b/1.png", 18, 20, 3, 9);
    write_png(&f->tree, "test/b/2.png", 1, 1, 1, 9);
    tree_write(&f->tree, "test/b/3.png", "torn", 4);
}

static dpr_status check_once(struct fixture *f, unsigned folds) {
    dpr_check_options options = dpr_check_options_default();
    dpr_check *check;
    options.folds = folds;
    dpr_status status = dpr_check_create(f->context, f->tree.root, &options, &check);
    if (status != DPR_OK)
        return status;
    status = dpr_check_draw(check, 5, tree_path(&f->tree, "sheet.png"));
    dpr_check_destroy(check);
    return status;
}

/* Lets each allocation of a check fail, of many every 64th part; returns where none did. The context keeps its threads, so these come first. */
static long sweep(struct fixture *f, unsigned folds) {
    dpr_status status = DPR_E_MEMORY;
    long n = 0;
    OK(f->context, check_once(f, folds));
    long before = f->allocator.blocks;
    for (; status != DPR_OK && n < 50000; n += 1 + n / 64) {
        f->allocator.calls = 0;
        f->allocator.fail_at = n;
        status = check_once(f, folds);
        f->allocator.fail_at = -1;
        if (status != DPR_OK && status != DPR_E_MEMORY)
            fail_msg("allocation %ld: %s", n, dpr_error(f->context));
        assert_int_equal(f->allocator.blocks, before);
    }
    assert_int_equal(status, DPR_OK);
    return n;
}

static void memory_runs_out(void **state) {
    make_set(*state);
    assert_true(sweep(*state, 0) > 60);
}

/* The same where labels are looked at, by networks that are trained on half of some small images each. */
static void memory_runs_out_in_training(void **state) {
    struct fixture *f = *state;
    make_set(f);
    for (unsigned i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/%c/%u.png", i % 2 == 0 ? 'a' : 'b', 10 + i);
        write_png(&f->tree, name, 4, 4, 1, 12 * i);
    }
    assert_true(sweep(f, 2) > sweep(f, 0) + 100);
}

static const dpr_finding *find(const dpr_check *check, dpr_finding_kind kind) {
    for (size_t i = 0; i < check->n_findings; i++)
        if (check->findings[i].kind == kind)
            return &check->findings[i];
    return NULL;
}

static void findings(void **state) {
    struct fixture *f = *state;
    dpr_check *check;
    make_set(f);
    OK(f->context, dpr_check_create(f->context, f->tree.root, NULL, &check));
    assert_int_equal(check->n[DPR_TRAIN], 3);
    assert_int_equal(check->n[DPR_TEST], 3);
    const dpr_finding *again = find(check, DPR_FINDING_DUPLICATE);
    assert_non_null(again);
    assert_string_equal(again->name, "duplicate");
    assert_int_equal(again->n_suspects, 1);
    assert_non_null(strstr(again->suspects[0].image.path, "/train/a/2.png"));
    assert_non_null(strstr(again->suspects[0].twin.path, "/train/a/1.png"));
    assert_int_equal(find(check, DPR_FINDING_UNREADABLE)->n_lines, 1);
    assert_int_equal(find(check, DPR_FINDING_BLANK)->suspects[0].height, 1);
    assert_null(find(check, DPR_FINDING_ACROSS));
    assert_non_null(strstr(check->not_checked, "fewer than two classes"));
    for (size_t i = 1; i < check->n_findings; i++)
        assert_true(check->findings[i - 1].kind < check->findings[i].kind);
    dpr_check_destroy(check);
}

static int stop_at_once(void *user, const char *what, size_t done, size_t of) {
    (void)what, (void)done, (void)of;
    return ++*(int *)user;
}

static void refusals(void **state) {
    struct fixture *f = *state;
    dpr_check_options options = dpr_check_options_default();
    dpr_check *check;
    int calls = 0;
    FAILS(f->context, dpr_check_create(f->context, f->tree.root, NULL, &check), DPR_E_DATA,
          "holds no images");
    write_png(&f->tree, "a/1.png", 16, 20, 3, 0);
    options.folds = 1;
    FAILS(f->context, dpr_check_create(f->context, f->tree.root, &options, &check), DPR_E_ARGUMENT,
          "folds is 1");
    options.folds = 21;
    FAILS(f->context, dpr_check_create(f->context, f->tree.root, &options, &check), DPR_E_ARGUMENT,
          "2 to 20");
    options = dpr_check_options_default();
    options.progress = stop_at_once;
    options.progress_user = &calls;
    assert_int_equal(dpr_check_create(f->context, f->tree.root, &options, &check),
                     DPR_E_INTERRUPTED);
    assert_int_equal(calls, 1);
    OK(f->context, dpr_check_create(f->context, f->tree.root, NULL, &check));
    FAILS(f->context, dpr_check_draw(check, 0, tree_path(&f->tree, "s.png")), DPR_E_ARGUMENT,
          "1 to 100");
    FAILS(f->context, dpr_check_draw(check, 5, tree_path(&f->tree, "s.png")), DPR_E_DATA,
          "no suspect");
    dpr_check_destroy(check);
    dpr_check_destroy(NULL);
}

/* IDX halves of noise, 16 × 16. */
static void write_noise(struct fixture *f, const char *images, const char *labels, uint32_t n) {
    size_t bytes = (size_t)n * 256;
    uint8_t *all = malloc(16 + bytes);
    const uint8_t head[16] = {0, 0,  8, 3, 0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0, 0,
                              0, 16, 0, 0, 0, 16};
    uint32_t state = n;
    memcpy(all, head, sizeof head);
    for (size_t i = 0; i < bytes; i++)
        all[16 + i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
    tree_write(&f->tree, images, all, 16 + bytes);
    all[3] = 1;
    for (size_t i = 0; i < n; i++)
        all[8 + i] = i % 2;
    tree_write(&f->tree, labels, all, 8 + (size_t)n);
    free(all);
}

struct comparing {
    size_t calls, last, of, stop; /* stop: after so many images; 0: never */
};

static int watch(void *user, const char *what, size_t done, size_t of) {
    struct comparing *now = user;
    if (strcmp(what, "comparing images") != 0)
        return 0;
    assert_true(now->calls == 0 || done > now->last);
    now->calls++;
    now->last = done;
    now->of = of;
    return now->stop > 0 && done >= now->stop;
}

/* Of a large set, comparing is told of in parts, and can be stopped after each. */
static void comparing(void **state) {
    struct fixture *f = *state;
    dpr_check_options options = dpr_check_options_default();
    dpr_check *check;
    struct comparing now = {0};
    write_noise(f, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 2500);
    write_noise(f, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 500);
    options.folds = 0;
    options.progress = watch;
    options.progress_user = &now;
    OK(f->context, dpr_check_create(f->context, f->tree.root, &options, &check));
    assert_int_equal(check->n_findings, 0);
    dpr_check_destroy(check);
    assert_int_equal(now.last, 3000);
    assert_int_equal(now.of, 3000);
    assert_true(now.calls > 2); /* the beginning, parts */
    now = (struct comparing){.stop = 1};
    FAILS(f->context, dpr_check_create(f->context, f->tree.root, &options, &check),
          DPR_E_INTERRUPTED, "stopped");
    assert_true(now.last < 3000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(memory_runs_out), TEST(memory_runs_out_in_training),
                                       TEST(findings), TEST(refusals), TEST(comparing)};
    return has_libraries() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
