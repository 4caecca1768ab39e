/* Whichever allocation fails, training, saving and resuming end with DPR_E_MEMORY, nothing leaks,
 * and a checkpoint that was there stays whole. */
#include "train_support.h"

/* The n-th allocation from now fails; blocks are counted. */
struct memory {
    long until_failure; /* −1: never */
    long blocks;
};

static void *allocate(void *user, void *block, size_t bytes) {
    struct memory *memory = user;
    if (bytes == 0) {
        memory->blocks -= block != NULL;
        free(block);
        return NULL;
    }
    if (memory->until_failure == 0)
        return NULL;
    if (memory->until_failure > 0)
        memory->until_failure--;
    void *made = realloc(block, bytes);
    memory->blocks += made != NULL && block == NULL;
    return made;
}

struct work {
    dpr_context *context;
    struct sample *sample;
    const char *path;
    dpr_data *data;
    dpr_model *model, *loaded;
    dpr_trainer *trainer, *again;
    char hex[65];
};

static dpr_status open_data(struct work *w, int n) {
    dpr_data_info info = dpr_data_info_default();
    static const char *const names[CLASSES] = {"a", "b", "c"};
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    info.class_names = names;
    return dpr_data_create(w->context, &info, w->sample->images, w->sample->labels, (size_t)n, NULL,
                           NULL, &w->data);
}

/* One of everything that allocates. */
static dpr_status do_work(struct work *w) {
    static const char net[] = "input 6 6 1, linear 4, relu, dropout 0.2, linear classes";
    static const char *const groups[] = {"linear_1.bias:freeze", "*:freeze-until=1steps", NULL};
    dpr_train_options options = dpr_train_options_default();
    dpr_evaluation found;
    dpr_graph *graph;
    float rows[20 * CLASSES];
    dpr_status status = open_data(w, 20);
#define THEN(call)                                                                                 \
    if (status == DPR_OK)                                                                          \
    status = (call)
    options.epochs = 2;
    options.batch = 8;
    options.optimizer = "adamw";
    options.class_weights = "balanced";
    options.patience = 5;
    options.validation = w->data;
    options.data_name = "sample";
    options.augment = "crop=1,flip,mixup=1";
    options.groups = groups;
    THEN(dpr_model_from_net(w->context, "net", net, dpr_data_describe(w->data), 1, "auto",
                            &w->model));
    THEN(dpr_trainer_create(w->model, w->data, &options, &w->trainer));
    THEN(dpr_trainer_epoch(w->trainer, NULL));
    THEN(dpr_trainer_save(w->trainer, w->path));
    THEN(dpr_model_load(w->context, w->path, &w->loaded));
    THEN(dpr_model_set_tta(w->loaded, "flip,translate"));
    THEN(dpr_predict(w->loaded, w->sample->images, 20, rows));
    THEN(dpr_predict(w->loaded, w->sample->images, 1, rows));
    THEN(dpr_evaluate(w->loaded, w->data, &found));
    dpr_model_destroy(w->loaded);
    w->loaded = NULL;
    THEN(dpr_model_from_net(w->context, "net", net, dpr_data_describe(w->data), 1, "auto",
                            &w->loaded));
    THEN(dpr_trainer_create(w->loaded, w->data, &options, &w->again));
    THEN(dpr_trainer_resume(w->again, w->path));
    THEN(dpr_trainer_epoch(w->again, NULL));
    THEN(dpr_model_graph(w->loaded, true, &graph));
    if (status == DPR_OK)
        dpr_graph_destroy(graph);
    THEN(dpr_model_weights_sha256(w->loaded, w->hex));
#undef THEN
    return status;
}

/* The program that takes statistics again, which only a run with averages and such statistics makes. */
static dpr_status do_average(struct work *w) {
    dpr_train_options options = dpr_train_options_default();
    dpr_status status = open_data(w, 20);
    options.epochs = options.swa = 1;
    options.batch = 10;
    if (status == DPR_OK)
        status = dpr_model_from_net(w->context, "net", "input 6 6 1, batchnorm, linear classes",
                                    dpr_data_describe(w->data), 1, "auto", &w->model);
    if (status == DPR_OK)
        status = dpr_trainer_create(w->model, w->data, &options, &w->trainer);
    if (status == DPR_OK)
        status = dpr_trainer_epoch(w->trainer, NULL);
    return status == DPR_OK ? dpr_model_weights_sha256(w->model, w->hex) : status;
}

static void clean_up(struct work *w) {
    dpr_trainer_destroy(w->trainer);
    dpr_trainer_destroy(w->again);
    dpr_model_destroy(w->model);
    dpr_model_destroy(w->loaded);
    dpr_data_destroy(w->data);
    dpr_context_destroy(w->context);
}

/* Runs the work with allocation number n failing; true when it came to its end before that. */
static bool sweep(dpr_status (*work)(struct work *w), struct sample *sample, const char *path,
                  long n, char hex[65]) {
    struct memory memory = {.until_failure = n};
    struct work w = {.sample = sample, .path = path};
    dpr_context_options options = dpr_context_options_default();
    options.allocate = allocate;
    options.allocate_user = &memory;
    options.threads = 1;
    dpr_status status = dpr_context_create(&options, &w.context);
    if (status == DPR_OK)
        status = work(&w);
    if (status != DPR_OK && status != DPR_E_MEMORY)
        fail_msg("allocation %ld: status %d, %s", n, (int)status, dpr_error(w.context));
    memcpy(hex, w.hex, 65);
    clean_up(&w);
    if (memory.blocks != 0)
        fail_msg("allocation %ld: %ld blocks leaked", n, memory.blocks);
    return status == DPR_OK;
}

static void any_allocation_may_fail(void **state) {
    dpr_status (*const work)(struct work * w) = *state == NULL ? do_work : do_average;
    struct sample *sample = calloc(1, sizeof *sample);
    char *path = temporary("model.safetensors");
    char first[65], last[65];
    assert_non_null(sample);
    fill_sample(sample, 20, 1);
    assert_true(sweep(work, sample, path, -1, first));
    long n = 0;
    while (!sweep(work, sample, path, n, last))
        n++;
    assert_true(n > 100);
    assert_string_equal(first, last);
    free(sample);
    remove_temporary(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test_prestate(any_allocation_may_fail, (void *)"average"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
