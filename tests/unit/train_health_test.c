/* The health of a run: each fault that is seeded here is named, and no other; runs that are well raise no alarm. A resumed run finds what one left alone
 * finds, once, and looking changes no bit of what is trained. */
#include "../support/failing_allocator.h"
#include "train/trainer.h"
#include "train_support.h"
#include <math.h>

enum { MOST = 8192 };

/* Images of SIDE × SIDE: two rows are bright, which ones tells the class. Then what is wrong with them. */
enum fault { NOTHING, SHUFFLED, ONE_PICTURE, LOPSIDED, FAINT };
struct set {
    uint8_t images[MOST * PIXELS];
    int32_t labels[MOST];
};

static uint32_t draw(uint32_t *state) {
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static dpr_data *make_set(dpr_context *context, struct set *set, int n, enum fault fault,
                          uint32_t salt) {
    uint32_t noise = salt * 2654435761U + 1;
    for (int i = 0; i < n; i++) {
        int bright = (int)(draw(&noise) % CLASSES);
        set->labels[i] = fault == SHUFFLED   ? (int32_t)(draw(&noise) % CLASSES)
                         : fault == LOPSIDED ? draw(&noise) % 20 == 0
                                             : bright;
        for (int p = 0; p < PIXELS; p++) {
            int light = fault == LOPSIDED || p / SIDE / 2 != bright ? 0 : fault == FAINT ? 15 : 60;
            set->images[i * PIXELS + p] = (uint8_t)((int)(draw(&noise) % 190) + light);
        }
        if (fault == ONE_PICTURE)
            memcpy(set->images + i * PIXELS, set->images, PIXELS);
    }
    dpr_data_info info = dpr_data_info_default();
    dpr_data *data;
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    OK(context,
       dpr_data_create(context, &info, set->images, set->labels, (size_t)n, NULL, NULL, &data));
    return data;
}

#define MLP "input 6 6 1, linear 32, relu, linear classes"
#define SIGMOID "linear 16, sigmoid, "
#define LOUD "linear 16, relu, scale 30, "

/* A run, what is wrong with it, and the one cause that is to be named; DPR_N_CAUSES: none. */
struct sample_run {
    const char *name, *net;
    enum fault fault;
    dpr_cause cause;
    const char *layer;
    int n, n_validation; /* images; n 0: MOST */
    unsigned epochs, batch;
    double rate;
    const char *optimizer, *schedule;
    double warmup;
    const char *leaf; /* that is written with `value` before the run */
    float value;
};

#define WELL(name_, net_, ...)                                                                     \
    { .name = name_, .net = net_, .cause = DPR_N_CAUSES, __VA_ARGS__ }
#define ILL(name_, net_, cause_, layer_, ...)                                                      \
    { .name = name_, .net = net_, .cause = DPR_CAUSE_##cause_, .layer = layer_, __VA_ARGS__ }

static const struct sample_run runs[] = {
    WELL("linear", "input 6 6 1, linear classes", .epochs = 8),
    WELL("mlp", MLP, .epochs = 8, .n_validation = 500),
    WELL("mlp by adamw", MLP, .epochs = 8, .optimizer = "adamw"),
    WELL("mlp by muon", MLP, .epochs = 8, .optimizer = "muon"),
    WELL("mlp of a large batch", MLP, .epochs = 40, .batch = 1024),
    WELL("mlp of few images", MLP, .n = 500, .epochs = 100, .schedule = "cosine"),
    WELL("mlp with a long warm-up", MLP, .epochs = 8, .warmup = 7, .rate = 0.003),
    WELL("sigmoid", "input 6 6 1, " SIGMOID SIGMOID "linear classes", .epochs = 12),
    WELL("convolutions",
         "input 6 6 1, conv 3 8, batchnorm, relu, residual { conv 3 8, batchnorm, relu }, "
         "maxpool 2, dropout 0.2, linear classes",
         .epochs = 6, .n_validation = 500),
    WELL("images of one class only", MLP, .n = 1, .epochs = 40),
    ILL("rate 1.5", MLP, RATE_HIGH, "", .epochs = 4, .rate = 1.5),
    ILL("rate 1e-9", MLP, RATE_LOW, "", .epochs = 4, .rate = 1e-9),
    ILL("rate 1e-9 by adamw", MLP, RATE_LOW, "", .epochs = 4, .rate = 1e-9, .optimizer = "adamw"),
    ILL("rate 1e-6, few images", MLP, RATE_LOW, "", .n = 300, .epochs = 20, .rate = 1e-6),
    ILL("units pushed down", MLP, DEAD_RELU, "relu_1", .epochs = 4, .leaf = "linear_1.bias",
        .value = -100),
    ILL("ten sigmoids",
        "input 6 6 1, " SIGMOID SIGMOID SIGMOID SIGMOID SIGMOID SIGMOID SIGMOID SIGMOID SIGMOID
            SIGMOID "linear classes",
        VANISHING, "linear_1", .epochs = 4),
    ILL("loud layers", "input 6 6 1, " LOUD LOUD LOUD "linear classes", EXPLODING, "linear_1",
        .epochs = 4, .rate = 1e-7),
    ILL("lopsided noise", MLP, ONE_CLASS, "", .fault = LOPSIDED, .epochs = 6),
    ILL("one picture", MLP, STUCK, "", .fault = ONE_PICTURE, .epochs = 4),
    ILL("shuffled", MLP, SHUFFLED, "", .fault = SHUFFLED, .epochs = 8),
    ILL("shuffled and learnt by heart", "input 6 6 1, linear 200, relu, linear classes", SHUFFLED,
        "", .fault = SHUFFLED, .n = 100, .n_validation = 500, .epochs = 60, .batch = 10),
    ILL("learnt by heart", "input 6 6 1, linear 200, relu, linear classes", OVERFIT, "",
        .fault = FAINT, .n = 100, .n_validation = 500, .epochs = 60, .batch = 10),
};
enum { N_RUNS = sizeof runs / sizeof *runs };

struct running {
    dpr_context *context;
    struct set *set, *validation_set;
    dpr_data *data, *validation;
    dpr_model *model;
    dpr_trainer *trainer;
};

static void fill_leaf(struct running *r, const char *leaf, float value) {
    dpr__slot *slot = dpr__store_find(r->model->store, leaf);
    assert_non_null(slot);
    float *values = malloc(slot->bytes);
    assert_non_null(values);
    for (size_t i = 0; i < slot->bytes / sizeof *values; i++)
        values[i] = value;
    OK(r->context, dpr_store_write(r->model->store, leaf, values, slot->bytes));
    free(values);
}

static dpr_train_options options_of(const struct sample_run *run, const struct running *r) {
    dpr_train_options options = dpr_train_options_default();
    options.epochs = run->epochs;
    options.batch = run->batch > 0 ? run->batch : 64;
    options.learning_rate = run->rate;
    options.validation = r->validation;
    options.warmup = run->warmup;
    if (run->optimizer != NULL)
        options.optimizer = run->optimizer;
    if (run->schedule != NULL)
        options.schedule = run->schedule;
    return options;
}

static void begin_model(const struct sample_run *run, struct running *r) {
    dpr_train_options options = options_of(run, r);
    r->model = make_model(r->context, r->data, run->net, 1);
    if (run->leaf != NULL)
        fill_leaf(r, run->leaf, run->value);
    OK(r->context, dpr_trainer_create(r->model, r->data, &options, &r->trainer));
}

static void begin(const struct sample_run *run, unsigned threads, struct running *r) {
    *r = (struct running){.context = make_context("cpu", threads),
                          .set = malloc(sizeof *r->set),
                          .validation_set = malloc(sizeof *r->validation_set)};
    assert_non_null(r->set);
    assert_non_null(r->validation_set);
    r->data = make_set(r->context, r->set, run->n > 0 ? run->n : MOST, run->fault, 1);
    if (run->n_validation > 0)
        r->validation = make_set(r->context, r->validation_set, run->n_validation, run->fault, 2);
    begin_model(run, r);
}

static void end_model(struct running *r) {
    dpr_trainer_destroy(r->trainer);
    dpr_model_destroy(r->model);
}

static void end(struct running *r) {
    end_model(r);
    dpr_data_destroy(r->data);
    dpr_data_destroy(r->validation);
    dpr_context_destroy(r->context);
    free(r->set);
    free(r->validation_set);
}

static void run_all(struct running *r) {
    while (!dpr_trainer_finished(r->trainer))
        OK(r->context, dpr_trainer_epoch(r->trainer, NULL));
}

static void print_findings(const struct running *r) {
    const dpr_ailment *found;
    size_t n = dpr_trainer_health(r->trainer, &found);
    for (size_t i = 0; i < n; i++) {
        char *text;
        OK(r->context, dpr_ailment_text(r->context, &found[i], &text));
        print_error("epoch %u, step %llu: %s\n", found[i].epoch, (unsigned long long)found[i].step,
                    text);
        dpr_text_destroy(r->context, text);
    }
}

/* ---- naming ---- */

static void expect(const struct sample_run *run, const struct running *r) {
    const dpr_ailment *found;
    size_t n = dpr_trainer_health(r->trainer, &found), wanted = run->cause != DPR_N_CAUSES;
    bool same = n == wanted &&
                (n == 0 || (found->cause == run->cause && strcmp(found->layer, run->layer) == 0));
    if (same)
        return;
    print_findings(r);
    fail_msg("%s: %zu findings where '%s' at '%s' was wanted", run->name, n,
             dpr_cause_word(run->cause), run->layer ? run->layer : "");
}

static void each_fault_is_named_and_no_other(void **state) {
    (void)state;
    for (int i = 0; i < N_RUNS; i++) {
        struct running r;
        begin(&runs[i], 2, &r);
        run_all(&r);
        expect(&runs[i], &r);
        end(&r);
    }
}

static const struct sample_run *run_called(const char *name) {
    for (int i = 0; i < N_RUNS; i++)
        if (strcmp(runs[i].name, name) == 0)
            return &runs[i];
    fail_msg("no run is called %s", name);
    return NULL;
}

static void a_loss_that_is_not_finite_is_named_by_op_and_layer(void **state) {
    (void)state;
    const struct sample_run run = {.name = "rate 1000",
                                   .net = "input 6 6 1, linear 16, linear 16, linear classes",
                                   .epochs = 4,
                                   .rate = 1000};
    struct running r;
    const dpr_ailment *found;
    begin(&run, 1, &r);
    FAILS(r.context, dpr_trainer_epoch(r.trainer, NULL), DPR_E_NON_FINITE, "(epoch 1, batch ");
    assert_non_null(strstr(dpr_error(r.context), "the first op whose output was not is "));
    assert_non_null(strstr(dpr_error(r.context), "'linear_"));
    assert_non_null(strstr(dpr_error(r.context), "; try a learning rate of 0.05"));
    assert_int_equal(dpr_trainer_health(r.trainer, &found), 1);
    assert_int_equal(found->cause, DPR_CAUSE_NON_FINITE);
    assert_string_equal(found->op, "matmul");
    assert_memory_equal(found->layer, "linear_", 7);
    assert_int_equal(found->step, dpr_trainer_steps_done(r.trainer) + 1);
    assert_true(found->rate == 0.05);
    /* the same again is no other finding */
    assert_int_equal(dpr_trainer_epoch(r.trainer, NULL), DPR_E_NON_FINITE);
    assert_int_equal(dpr_trainer_health(r.trainer, &found), 1);
    end(&r);
}

/* What an update has made not finite was not computed forward. */
static void a_weight_that_is_not_finite_is_named_by_its_layer(void **state) {
    (void)state;
    struct running r;
    const dpr_ailment *found;
    begin(run_called("mlp"), 1, &r);
    fill_leaf(&r, "linear_2.bias", (float)INFINITY);
    FAILS(r.context, dpr_trainer_epoch(r.trainer, NULL), DPR_E_NON_FINITE,
          "'linear_2.bias' already held a value that is not");
    assert_int_equal(dpr_trainer_health(r.trainer, &found), 1);
    assert_string_equal(found->op, "update");
    assert_string_equal(found->layer, "linear_2");
    end(&r);
}

static void every_cause_has_words_and_a_text(void **state) {
    (void)state;
    dpr_context *context = make_context("ref", 1);
    for (int c = 0; c < DPR_N_CAUSES; c++) {
        dpr_ailment finding = {.size = sizeof finding,
                               .cause = (dpr_cause)c,
                               .layer = "relu_7",
                               .op = "matmul",
                               .value = 0.125,
                               .rate = 0.25};
        char *text;
        OK(context, dpr_ailment_text(context, &finding, &text));
        assert_null(strpbrk(text, "{}"));
        assert_non_null(strstr(text, "; "));
        dpr_text_destroy(context, text);
        assert_true(strlen(dpr_cause_word((dpr_cause)c)) > 0);
    }
    dpr_ailment none = {.size = sizeof none, .cause = DPR_N_CAUSES, .layer = "", .op = ""};
    char *text;
    FAILS(context, dpr_ailment_text(context, &none, &text), DPR_E_ARGUMENT, "no cause");
    assert_string_equal(dpr_cause_word(DPR_N_CAUSES), "");
    dpr_context_destroy(context);
}

/* ---- records ---- */

static bool reads(const struct running *r, const char *item, dpr_ailment *out) {
    dpr__arena arena;
    const dpr__json *json;
    dpr__arena_init(&arena, r->context);
    OK(r->context, dpr__json_parse(&arena, "item", item, strlen(item), &json));
    bool good = dpr__finding_read(r->context, r->model, json, out);
    dpr__arena_release(&arena);
    return good;
}

#define ITEM(cause, layer, op, rest)                                                               \
    "{\"cause\":" cause ",\"layer\":" layer ",\"op\":" op ",\"epoch\":2,\"step\":300" rest "}"
#define REST ",\"value\":0.5,\"rate\":0.01"

static void what_no_run_has_found_is_no_finding(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[]",
        "7",
        "null",
        ITEM("\"gloom\"", "\"\"", "\"\"", REST),
        ITEM("7", "\"\"", "\"\"", REST),
        ITEM("\"stuck\"", "\"linear_3\"", "\"\"", REST),
        ITEM("\"stuck\"", "\"linear_1.weights\"", "\"\"", REST),
        ITEM("\"stuck\"", "\"linear\"", "\"\"", REST),
        ITEM("\"stuck\"", "\"\"", "\"mul\"", REST),
        ITEM("\"stuck\"", "\"\"", "null", REST),
        ITEM("\"stuck\"", "\"\"", "\"\"", ",\"value\":1"),
        ITEM("\"stuck\"", "\"\"", "\"\"", ",\"value\":\"x\",\"rate\":0"),
        "{\"cause\":\"stuck\",\"layer\":\"\",\"op\":\"\",\"epoch\":-2,\"step\":3" REST "}"};
    struct running r;
    dpr_ailment found;
    begin(run_called("mlp"), 1, &r);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (reads(&r, bad[i], &found))
            fail_msg("%s is taken for a finding", bad[i]);
    assert_true(reads(&r, ITEM("\"non-finite\"", "\"linear_2\"", "\"matmul\"", REST), &found));
    assert_int_equal(found.cause, DPR_CAUSE_NON_FINITE);
    assert_string_equal(found.layer, "linear_2");
    assert_string_equal(found.op, "matmul");
    assert_int_equal(found.epoch, 2);
    assert_int_equal(found.step, 300);
    assert_true(found.value == 0.5 && found.rate == 0.01);
    end(&r);
}

/* ---- the same however a run was cut, and by however many threads ---- */

/* From "looks" to the curve in the record. */
static void health_of(const struct running *r, char out[4096]) {
    char *run;
    OK(r->context, dpr_trainer_run(r->trainer, &run));
    const char *at = strstr(run, "\"looks\":");
    assert_non_null(at);
    snprintf(out, 4096, "%.*s", (int)(strstr(at, "\"steps_per_epoch\"") - at), at);
    dpr_text_destroy(r->context, run);
}

static void a_resumed_run_finds_the_same_once(void **state) {
    (void)state;
    static const char *const names[] = {"rate 1.5", "units pushed down", "shuffled", "mlp",
                                        "learnt by heart"};
    char *path = temporary("run.safetensors");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct sample_run *run = run_called(names[i]);
        struct running r;
        char alone[4096], cut[4096];
        begin(run, 1, &r);
        run_all(&r);
        health_of(&r, alone);
        uint64_t steps = dpr_trainer_steps_done(r.trainer);
        for (uint64_t part = 1; part < 8; part += 2) {
            end_model(&r);
            begin_model(run, &r);
            while (dpr_trainer_steps_done(r.trainer) < steps * part / 8)
                OK(r.context, dpr_trainer_step(r.trainer, NULL));
            OK(r.context, dpr_trainer_save(r.trainer, path));
            end_model(&r);
            begin_model(run, &r);
            OK(r.context, dpr_trainer_resume(r.trainer, path));
            run_all(&r);
            health_of(&r, cut);
            assert_string_equal(cut, alone);
        }
        end(&r);
    }
    remove_temporary(path);
}

static void threads_find_the_same(void **state) {
    (void)state;
    const struct sample_run *run = run_called("units pushed down");
    char one[4096], two[4096];
    struct running r;
    for (unsigned threads = 1; threads <= 2; threads++) {
        begin(run, threads, &r);
        run_all(&r);
        health_of(&r, threads == 1 ? one : two);
        end(&r);
    }
    assert_string_equal(one, two);
}

/* ---- nothing else changes ---- */

static void looking_changes_no_bit(void **state) {
    (void)state;
    static const char *const names[] = {"convolutions", "units pushed down", "shuffled"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct running r;
        char hex[2][65];
        for (int blind = 0; blind < 2; blind++) {
            begin(run_called(names[i]), 2, &r);
            if (blind)
                r.trainer->looks = 60;
            train_to_end(r.context, r.trainer, r.model, hex[blind]);
            assert_int_equal(r.trainer->looks > 59, blind);
            end(&r);
        }
        assert_string_equal(hex[0], hex[1]);
    }
}

/* An allocation that fails within a look, or in the resuming of what it has found, leaves a run that goes on when there is memory again. */
static void memory_may_run_out_in_a_look(void **state) {
    (void)state;
    struct failing_allocator allocator;
    dpr_context_options machine = dpr_context_options_default();
    struct running r = {.set = malloc(sizeof *r.set)};
    const struct sample_run *run = run_called("units pushed down");
    assert_non_null(r.set);
    machine.threads = 1;
    failing_allocator_use(&allocator, &machine);
    assert_int_equal(dpr_context_create(&machine, &r.context), DPR_OK);
    r.data = make_set(r.context, r.set, MOST, run->fault, 1);
    begin_model(run, &r);
    for (int i = 0; i < 127;
         i++) /* the first look is due at 128 images of the 64 that a step takes, 64 times */
        OK(r.context, dpr_trainer_step(r.trainer, NULL));
    assert_int_equal(r.trainer->looks, 0);
    long n = 0;
    for (dpr_status status = DPR_E_MEMORY; status != DPR_OK; n++) {
        allocator.calls = 0;
        allocator.fail_at = n;
        long blocks = allocator.blocks;
        status = dpr__health_look(r.trainer, true);
        allocator.fail_at = -1;
        if (status != DPR_OK) {
            assert_int_equal(status, DPR_E_MEMORY);
            assert_int_equal(allocator.blocks, blocks);
            assert_int_equal(r.trainer->n_findings, 0);
        }
    }
    assert_true(n > 50);
    assert_int_equal(r.trainer->n_findings, 1);
    run_all(&r);
    expect(run, &r);
    end(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_named_and_no_other),
        cmocka_unit_test(a_loss_that_is_not_finite_is_named_by_op_and_layer),
        cmocka_unit_test(a_weight_that_is_not_finite_is_named_by_its_layer),
        cmocka_unit_test(every_cause_has_words_and_a_text),
        cmocka_unit_test(what_no_run_has_found_is_no_finding),
        cmocka_unit_test(a_resumed_run_finds_the_same_once),
        cmocka_unit_test(threads_find_the_same),
        cmocka_unit_test(looking_changes_no_bit),
        cmocka_unit_test(memory_may_run_out_in_a_look)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
