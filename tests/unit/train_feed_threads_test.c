/* Sets that are larger than their memory: training, evaluation and what else takes images come to the same bits as with all of them in
 * memory, for any number of threads and after a resume; and what a loader that fails, or that is stopped, leaves behind. */
#include "train/data.h"
#include "train_support.h"
#include <stdatomic.h>

enum { N = 600, BYTES = PIXELS };
static const char NET[] =
    "input 6 6 1, conv 3x3 8, batchnorm, relu, maxpool 2, dropout 0.1, linear classes";

/* Where images are loaded from. */
struct source {
    struct sample sample;
    atomic_long loads;
    atomic_long fail_after; /* loads; −1: never */
};

static dpr_status load(dpr_context *own, void *user, size_t i, uint8_t *pixels) {
    struct source *source = user;
    (void)own;
    atomic_fetch_add(&source->loads, 1);
    if (atomic_load(&source->fail_after) >= 0 && atomic_fetch_sub(&source->fail_after, 1) == 0)
        return DPR_E_IO;
    memcpy(pixels, source->sample.images + i * BYTES, BYTES);
    return DPR_OK;
}

struct run {
    dpr_context *context;
    struct source *source;
    dpr_data *data;
    dpr_model *model;
    dpr_trainer *trainer;
};

static dpr_data *open_set(dpr_context *context, struct source *source, size_t rows) {
    dpr_data *data;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    fill_sample(&source->sample, N, 5);
    atomic_store(&source->fail_after, -1);
    OK(context, dpr_data_create_loaded(context, &info, load, source->sample.labels, N, rows * BYTES,
                                       NULL, source, &data));
    return data;
}

static struct run begin(unsigned threads, size_t rows, const dpr_train_options *options) {
    struct run run = {.context = make_context("cpu", threads)};
    run.source = calloc(1, sizeof *run.source);
    assert_non_null(run.source);
    run.data = open_set(run.context, run.source, rows);
    run.model = make_model(run.context, run.data, NET, 3);
    if (options != NULL)
        OK(run.context, dpr_trainer_create(run.model, run.data, options, &run.trainer));
    return run;
}

static void end(struct run *run) {
    dpr_trainer_destroy(run->trainer);
    dpr_model_destroy(run->model);
    dpr_data_destroy(run->data);
    dpr_context_destroy(run->context);
    free(run->source);
}

static void finish(struct run *run, char hex[65]) {
    train_to_end(run->context, run->trainer, run->model, hex);
    end(run);
}

static dpr_train_options options_of(const char *augment, unsigned batch) {
    dpr_train_options options = dpr_train_options_default();
    options.epochs = 2;
    options.batch = batch;
    options.augment = augment;
    options.swa = 1; /* statistics are taken again */
    return options;
}

/* Rows of the pool: all images; a share of them stays; the window alone. */
static const size_t ROWS[] = {N, 570, 256};

static void same_bits_as_in_memory(void **state) {
    (void)state;
    static const char *const augments[] = {NULL, "crop=1,flip", "contrast,mixup=0.5,cutmix=1"};
    for (size_t a = 0; a < 3; a++)
        for (unsigned batch = 47; batch <= 128; batch += 81) {
            char want[65], got[65];
            const dpr_train_options options = options_of(augments[a], batch);
            struct run run = begin(1, N, &options);
            assert_non_null(dpr_data_images(run.data));
            finish(&run, want);
            for (unsigned threads = 1; threads <= 3; threads++) {
                run = begin(threads, ROWS[threads % 3], &options);
                finish(&run, got);
                assert_string_equal(got, want);
            }
        }
}

static void loads_what_does_not_stay(void **state) {
    (void)state;
    const dpr_train_options options = options_of(NULL, 50);
    for (int i = 0; i < 3; i++) {
        char hex[65];
        struct run run = begin(1, ROWS[i], &options);
        assert_int_equal(dpr_data_memory(run.data), ROWS[i] * BYTES);
        assert_int_equal(run.source->loads, N); /* once, for the first look */
        assert_true((dpr_data_images(run.data) != NULL) == (i == 0));
        long stays = i == 0 ? N : (long)run.data->window->kept;
        assert_int_equal(stays, i == 0 ? N : i == 1 ? 570 - 512 : 0);
        OK(run.context, dpr_trainer_epoch(run.trainer, NULL));
        assert_int_equal(run.source->loads, N + N - stays); /* once an epoch */
        finish(&run, hex);
    }
}

static void resumes_in_the_middle(void **state) {
    (void)state;
    char *path = temporary("run.safetensors"), want[65], got[65];
    const dpr_train_options options = options_of("crop=1,mixup=0.5", 64);
    struct run run = begin(1, N, &options);
    finish(&run, want);
    for (size_t first = 0; first < 3; first++) {
        run = begin(2, ROWS[first], &options);
        for (int i = 0; i < 13; i++) /* 10 steps are an epoch */
            OK(run.context, dpr_trainer_step(run.trainer, NULL));
        OK(run.context, dpr_trainer_save(run.trainer, path));
        end(&run);
        run = begin(1, ROWS[(first + 1) % 3], &options);
        OK(run.context, dpr_trainer_resume(run.trainer, path));
        finish(&run, got);
        assert_string_equal(got, want);
    }
    remove_temporary(path);
}

static void evaluates_and_augments_the_same(void **state) {
    (void)state;
    uint8_t want[5 * BYTES], got[5 * BYTES];
    static const int32_t index[5] = {599, 0, 58, 300, 57};
    dpr_evaluation all, some;
    struct run resident = begin(1, N, NULL);
    OK(resident.context, dpr_model_set_tta(resident.model, "flip,translate"));
    OK(resident.context, dpr_evaluate(resident.model, resident.data, &all));
    OK(resident.context, dpr_data_augment(resident.data, "contrast,mixup=1", 7, 2, index, 5, want));
    for (int i = 1; i < 3; i++) {
        struct run run = begin(2, ROWS[i], NULL);
        OK(run.context, dpr_model_set_tta(run.model, "flip,translate"));
        OK(run.context, dpr_evaluate(run.model, run.data, &some));
        assert_true(some.loss == all.loss && some.correct == all.correct &&
                    some.loss_plain == all.loss_plain);
        OK(run.context, dpr_data_augment(run.data, "contrast,mixup=1", 7, 2, index, 5, got));
        assert_memory_equal(got, want, sizeof want);
        const dpr_data_info *a = dpr_data_describe(run.data);
        const dpr_data_info *b = dpr_data_describe(resident.data);
        assert_true(a->mean[0] == b->mean[0] && a->deviation[0] == b->deviation[0]);
        end(&run);
    }
    end(&resident);
}

/* Whitening filters are made from images that are spread over the set. */
static void whitens_the_same(void **state) {
    (void)state;
    static const char net[] =
        "input 6 6 1, conv 3x3 18 pad valid init whitening, relu, linear classes";
    const dpr_train_options options = options_of(NULL, 50);
    char want[65], got[65];
    for (int i = 0; i < 3; i++) {
        struct run run = begin(1, ROWS[i], NULL);
        dpr_model_destroy(run.model);
        run.model = make_model(run.context, run.data, net, 3);
        OK(run.context, dpr_trainer_create(run.model, run.data, &options, &run.trainer));
        finish(&run, i == 0 ? want : got);
        if (i > 0)
            assert_string_equal(got, want);
    }
}

/* A validation set over the same data that is trained on empties the window under the trainer. */
static void shares_its_window(void **state) {
    (void)state;
    char want[65], got[65];
    const dpr_train_options options = options_of(NULL, 50);
    struct run run = begin(1, N, &options);
    finish(&run, want);
    run = begin(1, 256, &options);
    for (int i = 0; i < 24 && !dpr_trainer_finished(run.trainer); i++) {
        dpr_evaluation found;
        OK(run.context, dpr_trainer_step(run.trainer, NULL));
        if (i % 5 == 0)
            OK(run.context, dpr_evaluate(run.model, run.data, &found));
    }
    finish(&run, got);
    assert_string_equal(got, want);
}

static void a_failure_changes_nothing(void **state) {
    (void)state;
    char want[65], got[65];
    const dpr_train_options options = options_of("mixup=1", 64);
    struct run run = begin(2, 256, &options);
    finish(&run, want);
    run = begin(2, 256, &options);
    for (long after = 0; after < 300; after += 70) {
        atomic_store(&run.source->fail_after, after);
        dpr_status status = dpr_trainer_epoch(run.trainer, NULL);
        atomic_store(&run.source->fail_after, -1);
        assert_int_equal(status, DPR_E_IO);
    }
    finish(&run, got);
    assert_string_equal(got, want);
}

static int stop_at_once(void *user, const dpr_progress *progress) {
    (void)progress;
    *(volatile int *)user = 1;
    return 0;
}

static void stops_while_loading(void **state) {
    (void)state;
    char want[65], got[65];
    volatile int stop = 0;
    dpr_train_options options = options_of(NULL, 64);
    struct run run = begin(1, 256, &options);
    finish(&run, want);
    options.stop = &stop;
    options.progress = stop_at_once;
    options.progress_user = (void *)(uintptr_t)&stop;
    run = begin(2, 256, &options);
    stop = 1;
    FAILS(run.context, dpr_trainer_epoch(run.trainer, NULL), DPR_E_INTERRUPTED, "after step 0 of");
    assert_int_equal(run.source->loads, N);
    while (!dpr_trainer_finished(run.trainer)) {
        stop = 0;
        dpr_status status = dpr_trainer_epoch(run.trainer, NULL);
        assert_true(status == DPR_OK || status == DPR_E_INTERRUPTED);
    }
    finish(&run, got);
    assert_string_equal(got, want);
}

static void a_step_must_fit(void **state) {
    (void)state;
    struct run run = begin(1, 570, NULL);
    dpr_train_options options = options_of(NULL, 560);
    char hex[65];
    OK(run.context, dpr_trainer_create(run.model, run.data, &options, &run.trainer));
    assert_int_equal(run.data->window->kept, 10); /* fewer stay, since a step needs the room */
    finish(&run, hex);
    run = begin(1, 256, NULL);
    options.batch = 257;
    FAILS(run.context, dpr_trainer_create(run.model, run.data, &options, &run.trainer),
          DPR_E_MEMORY, "up to 257 images");
    run.trainer = NULL;
    end(&run);
}

static dpr_status load_badly(dpr_context *own, void *user, size_t i, uint8_t *pixels) {
    (void)own, (void)user;
    memset(pixels, 7, BYTES);
    return i >= 400 ? DPR_E_FORMAT : DPR_OK;
}

static void an_image_that_cannot_be_loaded(void **state) {
    (void)state;
    dpr_context *context = make_context("cpu", 3);
    dpr_data *data = NULL;
    static const int32_t labels[N];
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = 1;
    for (int i = 0; i < 3; i++)
        assert_int_equal(dpr_data_create_loaded(context, &info, load_badly, labels, N,
                                                ROWS[i] * BYTES, NULL, NULL, &data),
                         DPR_E_FORMAT);
    OK(context, dpr_data_create_loaded(context, &info, load_badly, labels, 400, 256 * BYTES, NULL,
                                       NULL, &data));
    dpr_data_destroy(data);
    FAILS(context, dpr_data_create_loaded(context, &info, NULL, labels, 9, 0, NULL, NULL, &data),
          DPR_E_ARGUMENT, "must be given");
    dpr_context_destroy(context);
}

static void *note_largest(void *user, void *memory, size_t bytes) {
    size_t *largest = user;
    *largest = bytes > *largest ? bytes : *largest;
    if (bytes > 0)
        return realloc(memory, bytes);
    free(memory);
    return NULL;
}

/* The set may be most of what there is room for: nothing of its size is made beside it. */
static void no_room_is_made_for_a_second_set(void **state) {
    (void)state;
    enum { LARGE = 256 }; /* pixels across and down */
    size_t largest = 0;
    dpr_context_options machine = dpr_context_options_default();
    dpr_train_options options = options_of(NULL, 1);
    dpr_data_info info = dpr_data_info_default();
    dpr_context *context;
    dpr_data *data;
    dpr_trainer *trainer;
    static const int32_t labels[N];
    uint8_t *images = calloc(N, LARGE * LARGE);
    assert_non_null(images);
    machine.threads = 1;
    machine.allocate = note_largest;
    machine.allocate_user = &largest;
    assert_int_equal(dpr_context_create(&machine, &context), DPR_OK);
    info.image = dpr_shape_of(LARGE, LARGE, 1);
    info.n_classes = 1;
    OK(context, dpr_data_create(context, &info, images, labels, N, NULL, NULL, &data));
    dpr_model *model = make_model(context, data, "input data, avgpool 64, linear classes", 3);
    OK(context, dpr_trainer_create(model, data, &options, &trainer));
    assert_true(largest < (size_t)N * LARGE * LARGE / 2);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
    free(images);
}

static void counts_what_sets_share(void **state) {
    (void)state;
    size_t shared;
    struct run run = begin(2, 256, NULL);
    struct sample *sample = calloc(1, sizeof *sample);
    assert_non_null(sample);
    dpr_data *other = make_data(run.context, sample, 40, 9);
    OK(run.context, dpr_data_count_shared(other, run.data, &shared));
    assert_int_equal(shared, 0);
    dpr_data_destroy(other);
    fill_sample(sample, 40, 5);
    sample->images[17 * PIXELS] ^= 1;
    OK(run.context, dpr_data_create(run.context, dpr_data_describe(run.data), sample->images,
                                    sample->labels, 40, NULL, NULL, &other));
    OK(run.context, dpr_data_count_shared(other, run.data, &shared));
    assert_int_equal(shared, 39);
    OK(run.context, dpr_data_count_shared(run.data, other, &shared));
    assert_int_equal(shared, 39);
    dpr_data_destroy(other);
    free(sample);
    end(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_as_in_memory),
        cmocka_unit_test(loads_what_does_not_stay),
        cmocka_unit_test(resumes_in_the_middle),
        cmocka_unit_test(evaluates_and_augments_the_same),
        cmocka_unit_test(whitens_the_same),
        cmocka_unit_test(shares_its_window),
        cmocka_unit_test(a_failure_changes_nothing),
        cmocka_unit_test(stops_while_loading),
        cmocka_unit_test(a_step_must_fit),
        cmocka_unit_test(an_image_that_cannot_be_loaded),
        cmocka_unit_test(no_room_is_made_for_a_second_set),
        cmocka_unit_test(counts_what_sets_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
