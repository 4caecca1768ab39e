/* Models and their files: what is kept, and files that lie. */
#include "base/file.h"
#include "train/model.h"
#include "train_support.h"
#include <math.h>

static dpr_context *context;
static struct sample *sample;
static char *path;

static int begin(void **state) {
    (void)state;
    context = make_context("cpu", 1);
    sample = calloc(1, sizeof *sample);
    fill_sample(sample, MOST_IMAGES, 4);
    path = temporary("model.safetensors");
    return sample == NULL;
}
static int end(void **state) {
    (void)state;
    free(sample);
    dpr_context_destroy(context);
    remove_temporary(path);
    return 0;
}

static const char net[] = "input 6 6 1\nlinear 8 # hidden\nrelu, linear classes";
static const char *const names[CLASSES] = {"one two", "\xc3\xa9t\xc3\xa9", "\"3\""};

static dpr_data_info named_info(void) {
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    info.class_names = names;
    info.fit = DPR_CROP;
    info.mean[0] = 0.1;
    info.deviation[0] = 1 / 3.0;
    return info;
}

static dpr_model *make(uint64_t seed) {
    dpr_data_info info = named_info();
    dpr_model *model;
    OK(context, dpr_model_from_net(context, "test", net, &info, seed, "auto", &model));
    return model;
}

static void counts_parameters(void **state) {
    (void)state;
    dpr_model *model;
    dpr_data_info info = dpr_data_info_default();
    info.n_classes = 5;
    OK(context, dpr_model_from_net(context, "--net", "input 30 30 1, linear classes", &info, 1,
                                   NULL, &model));
    assert_int_equal(dpr_model_parameters(model), 4505); /* (900 + 1)·5 */
    const dpr_data_info *found = dpr_model_describe(model);
    assert_int_equal(found->image.dim[0], 30);
    assert_int_equal(found->n_classes, 5);
    assert_true(found->mean[0] == 0 && found->deviation[0] == 1);
    assert_string_equal(dpr_model_run(model), "");
    dpr_model_destroy(model);
}

static void seeds_decide_the_first_weights(void **state) {
    (void)state;
    dpr_model *a = make(1), *b = make(1), *c = make(2);
    char x[65], y[65], z[65];
    OK(context, dpr_model_weights_sha256(a, x));
    OK(context, dpr_model_weights_sha256(b, y));
    OK(context, dpr_model_weights_sha256(c, z));
    assert_string_equal(x, y);
    assert_string_not_equal(x, z);
    dpr_model_destroy(a);
    dpr_model_destroy(b);
    dpr_model_destroy(c);
}

static void saves_and_loads(void **state) {
    (void)state;
    dpr_model *model = make(1), *loaded;
    char x[65], y[65];
    float before[20 * CLASSES], after[20 * CLASSES];
    OK(context, dpr_model_save(model, path));
    OK(context, dpr_model_load(context, path, &loaded));
    OK(context, dpr_model_weights_sha256(model, x));
    OK(context, dpr_model_weights_sha256(loaded, y));
    assert_string_equal(x, y);
    assert_string_equal(dpr_model_net(loaded), net);
    const dpr_data_info *info = dpr_model_describe(loaded);
    assert_int_equal(info->n_classes, CLASSES);
    for (int i = 0; i < CLASSES; i++)
        assert_string_equal(info->class_names[i], names[i]);
    assert_int_equal(info->fit, DPR_CROP);
    assert_true(info->mean[0] == 0.1 && info->deviation[0] == 1 / 3.0);
    OK(context, dpr_predict(model, sample->images, 20, before));
    OK(context, dpr_predict(loaded, sample->images, 20, after));
    assert_memory_equal(before, after, sizeof before);
    dpr_model_destroy(model);
    dpr_model_destroy(loaded);
}

static void names_are_optional(void **state) {
    (void)state;
    dpr_data_info info = named_info();
    dpr_model *model, *loaded;
    info.class_names = NULL;
    OK(context, dpr_model_from_net(context, "test", net, &info, 1, "auto", &model));
    OK(context, dpr_model_save(model, path));
    OK(context, dpr_model_load(context, path, &loaded));
    assert_null(dpr_model_describe(loaded)->class_names);
    assert_int_equal(dpr_model_describe(loaded)->n_classes, CLASSES);
    dpr_model_destroy(model);
    dpr_model_destroy(loaded);
}

static void networks_must_fit(void **state) {
    (void)state;
    dpr_data_info info = named_info();
    dpr_model *model;
#define BAD(text, status, says)                                                                    \
    FAILS(context, dpr_model_from_net(context, "n", text, &info, 1, "auto", &model), status, says)
    BAD("input 7 6 1, linear classes", DPR_E_MISMATCH, "input is 7");
    BAD("input 6 6 1, linear 4", DPR_E_SYNTAX, "3 classes");
    BAD("input 6 6 1, relu", DPR_E_SYNTAX, "linear classes");
    info.image.rank = 0;
    BAD("input 6 6 5, linear classes", DPR_E_SYNTAX, "channels");
#undef BAD
}

/* ---- evaluation and prediction ---- */

static void evaluates(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 15, 255, 256, 257, MOST_IMAGES};
    dpr_model *model = make(1);
    float *p = calloc(MOST_IMAGES * CLASSES, sizeof *p);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        dpr_data_info info = named_info();
        dpr_data *data;
        dpr_evaluation found;
        uint64_t confusion[CLASSES * CLASSES] = {0}, correct = 0;
        double loss = 0;
        OK(context,
           dpr_data_create(context, &info, sample->images, sample->labels, n, NULL, NULL, &data));
        OK(context, dpr_predict(model, sample->images, n, p));
        for (size_t i = 0; i < n; i++) {
            const float *row = p + i * CLASSES;
            int best = 0;
            for (int c = 1; c < CLASSES; c++)
                best = row[c] > row[best] ? c : best;
            assert_true(fabs((double)(row[0] + row[1] + row[2]) - 1) < 1e-5);
            confusion[sample->labels[i] * CLASSES + best]++;
            correct += best == sample->labels[i];
            loss -= log((double)row[sample->labels[i]]) / (double)n;
        }
        OK(context, dpr_evaluate(model, data, &found));
        assert_int_equal(found.n, n);
        assert_int_equal(found.correct, correct);
        assert_true(found.accuracy == (double)correct / (double)n);
        assert_true(fabs(found.loss - loss) < 1e-5);
        assert_true(found.accuracy_low <= found.accuracy && found.accuracy <= found.accuracy_high);
        assert_int_equal(found.n_classes, CLASSES);
        assert_memory_equal(found.confusion, confusion, sizeof confusion);
        dpr_data_destroy(data);
    }
    free(p);
    dpr_model_destroy(model);
}

/* One image alone, and in a crowd. */
static void predicts_alike_in_any_company(void **state) {
    (void)state;
    dpr_model *model = make(1);
    float many[40 * CLASSES], one[CLASSES];
    OK(context, dpr_predict(model, sample->images, 40, many));
    for (size_t i = 0; i < 40; i++) {
        OK(context, dpr_predict(model, sample->images + i * PIXELS, 1, one));
        for (size_t c = 0; c < CLASSES; c++)
            assert_true(fabsf(one[c] - many[i * CLASSES + c]) < 1e-6F);
    }
    OK(context, dpr_predict(model, NULL, 0, NULL));
    dpr_model_destroy(model);
}

static void evaluation_needs_the_same_classes(void **state) {
    (void)state;
    static const char *const other_names[CLASSES] = {"one two", "x", "\"3\""};
    dpr_model *model = make(1);
    dpr_evaluation found;
    dpr_data_info info = named_info();
    dpr_data *data;
#define BAD(status, says)                                                                          \
    OK(context,                                                                                    \
       dpr_data_create(context, &info, sample->images, sample->labels, n, NULL, NULL, &data));     \
    FAILS(context, dpr_evaluate(model, data, &found), status, says);                               \
    dpr_data_destroy(data);                                                                        \
    info = named_info()
    size_t n = 10;
    info.class_names = other_names;
    BAD(DPR_E_MISMATCH, "class 1 is '\xc3\xa9t\xc3\xa9'");
    info.class_names = NULL;
    info.n_classes = 4;
    BAD(DPR_E_MISMATCH, "4");
    info.image = dpr_shape_of(4, 9, 1);
    BAD(DPR_E_MISMATCH, "4 × 9 × 1");
    n = 0;
    BAD(DPR_E_DATA, "no images");
#undef BAD
    dpr_model_destroy(model);
}

static void draws_graphs(void **state) {
    (void)state;
    dpr_model *model = make(1);
    dpr_graph *forward, *backward;
    OK(context, dpr_model_graph(model, false, &forward));
    OK(context, dpr_model_graph(model, true, &backward));
    size_t n_backward = 0;
    for (dpr_value value = 1; value < forward->n_nodes; value++)
        assert_int_not_equal(dpr__node_of(forward, value)->role, DPR__BACKWARD);
    for (dpr_value value = 1; value < backward->n_nodes; value++)
        n_backward += dpr__node_of(backward, value)->role == DPR__BACKWARD;
    assert_true(n_backward > 0);
    dpr_graph_destroy(forward);
    dpr_graph_destroy(backward);
    dpr_model_destroy(model);
}

/* ---- files that lie ---- */

/* Writes the model's file with metadata `key` set to `value` (NULL: left out), or with a tensor
 * changed. */
static void write_variant(const char *key, const char *value, const dpr__stored *tensor) {
    dpr__safetensors file;
    dpr__stored tensors[8];
    dpr__metadata metadata[16];
    size_t n = 0, n_metadata = 0;
    dpr_model *model = make(1);
    OK(context, dpr_model_save(model, path));
    dpr_model_destroy(model);
    OK(context, dpr__safetensors_read(context, path, &file));
    for (const dpr__json *item = file.metadata->first; item; item = item->next)
        if (key == NULL || strcmp(item->key, key) != 0)
            metadata[n_metadata++] = (dpr__metadata){item->key, item->text};
    if (value != NULL)
        metadata[n_metadata++] = (dpr__metadata){key, value};
    for (size_t i = 0; i < file.n; i++)
        if (tensor == NULL || strcmp(file.tensors[i].name, tensor->name) != 0)
            tensors[n++] = file.tensors[i];
    if (tensor != NULL && tensor->data != NULL)
        tensors[n++] = *tensor;
    OK(context, dpr__safetensors_write(context, path, tensors, n, metadata, n_metadata));
    dpr__safetensors_release(&file);
}

static void refuse(const char *key, const char *value, dpr_status status, const char *says) {
    dpr_model *model;
    write_variant(key, value, NULL);
    FAILS(context, dpr_model_load(context, path, &model), status, says);
    if (strstr(dpr_error(context), path) == NULL)
        fail_msg("the message does not name the file: %s", dpr_error(context));
}

static void refuses_bad_metadata(void **state) {
    (void)state;
    static const char *const keys[] = {"deeper",  "net", "image", "n_classes",
                                       "classes", "fit", "mean",  "deviation"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        refuse(keys[i], NULL, DPR_E_FORMAT, keys[i]);
    refuse("deeper", "2", DPR_E_UNSUPPORTED, "format 2");
    refuse("net", "input 6 6 1, linera classes", DPR_E_SYNTAX, "linera");
    refuse("net", "", DPR_E_SYNTAX, "");
    static const char *const images[] = {"",        "6",       "6 6",    "6 6 1 1", "6 6 1 ",
                                         " 6 6 1",  "6 6 -1",  "6 6 5",  "0 6 1",   "6  6 1",
                                         "6 6 nan", "1e9 6 1", "six 6 1"};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        refuse("image", images[i], DPR_E_FORMAT, "image");
    refuse("image", "6 7 1", DPR_E_MISMATCH, "6 × 7 × 1");
    refuse("n_classes", "0", DPR_E_FORMAT, "n_classes");
    refuse("n_classes", "-3", DPR_E_FORMAT, "n_classes");
    refuse("n_classes", "4294967297", DPR_E_FORMAT, "n_classes");
    refuse("n_classes", "2", DPR_E_FORMAT, "classes");
    refuse("classes", "[\"a\",\"b\"]", DPR_E_FORMAT, "classes");
    refuse("classes", "[\"a\",\"b\",3]", DPR_E_FORMAT, "classes");
    refuse("classes", "[\"a\",\"b\",\"\\u001b[2J\"]", DPR_E_FORMAT, "classes");
    refuse("classes", "{\"a\":\"b\"}", DPR_E_FORMAT, "classes");
    refuse("classes", "[\"a\"", DPR_E_FORMAT, "JSON");
    refuse("fit", "shrink", DPR_E_FORMAT, "fit");
    refuse("mean", "inf", DPR_E_FORMAT, "mean");
    refuse("mean", "0.1 0.1", DPR_E_FORMAT, "mean");
    refuse("deviation", "0", DPR_E_FORMAT, "deviation");
    refuse("deviation", "-1", DPR_E_FORMAT, "deviation");
    refuse("deviation", "1e-300", DPR_E_FORMAT, "deviation");
    refuse("tta", "flop", DPR_E_FORMAT, "tta");
    refuse("tta", "", DPR_E_FORMAT, "tta");
}

/* Files of versions that knew no views. */
static void takes_files_without_views(void **state) {
    (void)state;
    dpr_model *model;
    write_variant("tta", NULL, NULL);
    OK(context, dpr_model_load(context, path, &model));
    assert_string_equal(dpr_model_tta(model), "none");
    dpr_model_destroy(model);
}

/* A network that would take gigabytes must be refused before anything is taken for it. */
static void refuses_networks_beyond_the_file(void **state) {
    (void)state;
    refuse("net", "input 6 6 1, linear 30000, relu, linear 30000, relu, linear classes",
           DPR_E_FORMAT, "linear_1.weights");
    refuse("net", "input 6 6 1, linear 9, relu, linear classes", DPR_E_FORMAT, "36 × 9");
}

static void refuses_bad_tensors(void **state) {
    (void)state;
    static const float values[CLASSES] = {0, INFINITY, 0};
    static const int32_t integers[CLASSES] = {0};
    dpr_model *model;
    dpr__stored bias = {.name = "linear_2.bias", .dtype = DPR_F32, .shape = {1, {CLASSES}}};
    write_variant(NULL, NULL, &bias);
    FAILS(context, dpr_model_load(context, path, &model), DPR_E_FORMAT,
          "'linear_2.bias' is missing");
    bias.data = values;
    bias.bytes = sizeof values;
    write_variant(NULL, NULL, &bias);
    FAILS(context, dpr_model_load(context, path, &model), DPR_E_NON_FINITE, "linear_2.bias");
    bias.bytes = sizeof(float);
    bias.shape.dim[0] = 1;
    write_variant(NULL, NULL, &bias);
    FAILS(context, dpr_model_load(context, path, &model), DPR_E_FORMAT, "the network needs");
    bias = (dpr__stored){"linear_2.bias", DPR_I32, {1, {CLASSES}}, integers, sizeof integers};
    write_variant(NULL, NULL, &bias);
    FAILS(context, dpr_model_load(context, path, &model), DPR_E_FORMAT, "i32");
}

static void refuses_other_files(void **state) {
    (void)state;
    dpr_model *model;
    FAILS(context, dpr_model_load(context, "/nonexistent/model", &model), DPR_E_IO, "/nonexistent");
    OK(context, dpr__file_write(context, path, "hello, this is no model", 23));
    FAILS(context, dpr_model_load(context, path, &model), DPR_E_FORMAT, path);
    OK(context, dpr__file_write(context, path, "", 0));
    FAILS(context, dpr_model_load(context, path, &model), DPR_E_FORMAT, path);
    dpr__stored tensor = {"x", DPR_F32, {1, {0}}, "", 0};
    OK(context, dpr__safetensors_write(context, path, &tensor, 1, NULL, 0));
    FAILS(context, dpr_model_load(context, path, &model), DPR_E_FORMAT, "no model of this program");
}

/* The file cut at every length and with every byte of its header changed. */
static void survives_damage(void **state) {
    (void)state;
    uint8_t *bytes, *copy;
    size_t n;
    dpr_model *model = make(1);
    uint64_t header;
    OK(context, dpr_model_save(model, path));
    dpr_model_destroy(model);
    OK(context, dpr__file_read(context, path, 1 << 20, &bytes, &n));
    memcpy(&header, bytes, sizeof header);
    for (size_t length = 0; length < n; length++) {
        copy = malloc(length + 1);
        memcpy(copy, bytes, length);
        if (dpr__model_parse(context, "cut", copy, length, &model) == DPR_OK)
            fail_msg("a model cut at %zu of %zu bytes was accepted", length, n);
        free(copy);
    }
    for (size_t at = 0; at < header + 8; at++)
        for (int flip = 0; flip < 2; flip++) {
            copy = malloc(n);
            memcpy(copy, bytes, n);
            copy[at] ^= (uint8_t)(flip == 0 ? 0x01 : 0x10);
            if (dpr__model_parse(context, "flipped", copy, n, &model) == DPR_OK)
                dpr_model_destroy(model);
            free(copy);
        }
    dpr__free(context, bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_parameters),
        cmocka_unit_test(seeds_decide_the_first_weights),
        cmocka_unit_test(saves_and_loads),
        cmocka_unit_test(names_are_optional),
        cmocka_unit_test(networks_must_fit),
        cmocka_unit_test(evaluates),
        cmocka_unit_test(predicts_alike_in_any_company),
        cmocka_unit_test(evaluation_needs_the_same_classes),
        cmocka_unit_test(draws_graphs),
        cmocka_unit_test(refuses_bad_metadata),
        cmocka_unit_test(takes_files_without_views),
        cmocka_unit_test(refuses_networks_beyond_the_file),
        cmocka_unit_test(refuses_bad_tensors),
        cmocka_unit_test(refuses_other_files),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
