/* Sets in memory: what is checked, what is computed, who frees. */
#include "train/data.h"
#include "train_support.h"
#include <math.h>

static dpr_context *context;

static int begin(void **state) {
    (void)state;
    context = make_context("ref", 1);
    return 0;
}
static int end(void **state) {
    (void)state;
    dpr_context_destroy(context);
    return 0;
}

static const uint8_t pixels[2 * 1 * 2 * 3] = {
    0,   10, 7, 255, 20, 7, /* image 0: two pixels of three channels */
    255, 30, 7, 0,   40, 7};
static const int32_t labels[2] = {1, 0};

static dpr_data_info small_info(void) {
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(1, 2, 3);
    info.n_classes = 2;
    return info;
}

static dpr_status create(const dpr_data_info *info, dpr_data **out) {
    return dpr_data_create(context, info, pixels, labels, 2, NULL, NULL, out);
}

static void computes_mean_and_deviation(void **state) {
    (void)state;
    dpr_data_info info = small_info();
    dpr_data *data;
    OK(context, create(&info, &data));
    const dpr_data_info *found = dpr_data_describe(data);
    assert_true(fabs(found->mean[0] - 0.5) < 1e-12);
    assert_true(fabs(found->deviation[0] - 0.5) < 1e-12);
    assert_true(fabs(found->mean[1] - 25 / 255.0) < 1e-12);
    assert_true(fabs(found->deviation[1] - sqrt(125) / 255) < 1e-12);
    assert_true(fabs(found->mean[2] - 7 / 255.0) < 1e-12);
    assert_true(found->deviation[2] == 1); /* never varies */
    assert_int_equal(dpr_data_count(data), 2);
    assert_ptr_equal(dpr_data_images(data), pixels);
    assert_ptr_equal(dpr_data_labels(data), labels);
    dpr_data_destroy(data);
}

static void keeps_what_is_given(void **state) {
    (void)state;
    char zero[] = "nought", one[] = "\xc3\xa9in";
    const char *names[] = {zero, one};
    dpr_data_info info = small_info();
    dpr_data *data;
    info.class_names = names;
    info.fit = DPR_STRETCH;
    for (int c = 0; c < 3; c++) {
        info.mean[c] = 0.25;
        info.deviation[c] = 2;
    }
    OK(context, create(&info, &data));
    memset(zero, 'x', 3); /* copied, not borrowed */
    names[1] = NULL;
    const dpr_data_info *found = dpr_data_describe(data);
    assert_true(found->mean[1] == 0.25 && found->deviation[1] == 2);
    assert_string_equal(found->class_names[0], "nought");
    assert_string_equal(found->class_names[1], "\xc3\xa9in");
    assert_int_equal(found->fit, DPR_STRETCH);
    dpr_data_destroy(data);
}

static void count_release(void *user) {
    ++*(int *)user;
}

static void releases_once(void **state) {
    (void)state;
    dpr_data_info info = small_info();
    dpr_data *data;
    int released = 0;
    info.n_classes = 1;
    FAILS(context,
          dpr_data_create(context, &info, pixels, labels, 2, count_release, &released, &data),
          DPR_E_DATA, "image 0 has label 1");
    assert_int_equal(released, 0); /* after a failure the memory is still the caller's */
    info.n_classes = 2;
    OK(context,
       dpr_data_create(context, &info, pixels, labels, 2, count_release, &released, &data));
    dpr_data_destroy(data);
    assert_int_equal(released, 1);
    dpr_data_destroy(NULL);
}

static void refuses(void **state) {
    (void)state;
    static const int32_t negative[2] = {0, -1};
    dpr_data_info info = small_info();
    dpr_data *data;
    FAILS(context, dpr_data_create(context, &info, pixels, negative, 2, NULL, NULL, &data),
          DPR_E_DATA, "image 1 has label -1");
    FAILS(context, dpr_data_create(context, &info, NULL, labels, 2, NULL, NULL, &data),
          DPR_E_ARGUMENT, "must be given");
    FAILS(context,
          dpr_data_create(context, &info, pixels, labels, (size_t)1 << 31, NULL, NULL, &data),
          DPR_E_ARGUMENT, "2,147,483,647");
    info.n_classes = 0;
    FAILS(context, create(&info, &data), DPR_E_DATA, "at least one class");
    info = small_info();
    info.image = dpr_shape_of(1, 2, 5);
    FAILS(context, create(&info, &data), DPR_E_ARGUMENT, "channels");
    info.image = dpr_shape_of(2, 3);
    FAILS(context, create(&info, &data), DPR_E_ARGUMENT, "channels");
    info.image = dpr_shape_of(0, 2, 3);
    FAILS(context, create(&info, &data), DPR_E_ARGUMENT, "channels");
    info.image = dpr_shape_of(DPR_BATCH, 2, 3);
    FAILS(context, create(&info, &data), DPR_E_ARGUMENT, "channels");
}

static void an_empty_set_is_a_set(void **state) {
    (void)state;
    dpr_data_info info = small_info();
    dpr_data *data;
    OK(context, dpr_data_create(context, &info, NULL, NULL, 0, NULL, NULL, &data));
    assert_int_equal(dpr_data_count(data), 0);
    assert_true(dpr_data_describe(data)->deviation[0] == 1);
    dpr_data_destroy(data);
}

static void hash_is_of_contents(void **state) {
    (void)state;
    static const int32_t other_labels[2] = {0, 0};
    dpr_data_info info = small_info();
    dpr_data *data;
    char first[65], again[65], other[65];
    OK(context, create(&info, &data));
    OK(context, dpr_data_sha256(data, first));
    dpr_data_destroy(data);
    info.mean[0] = 0.1;
    OK(context, create(&info, &data));
    OK(context, dpr_data_sha256(data, again));
    dpr_data_destroy(data);
    assert_string_equal(first, again);
    OK(context, dpr_data_create(context, &info, pixels, other_labels, 2, NULL, NULL, &data));
    OK(context, dpr_data_sha256(data, other));
    dpr_data_destroy(data);
    assert_string_not_equal(first, other);
    info.image = dpr_shape_of(2, 1, 3); /* same bytes, another shape */
    OK(context, create(&info, &data));
    OK(context, dpr_data_sha256(data, other));
    dpr_data_destroy(data);
    assert_string_not_equal(first, other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes_mean_and_deviation),
        cmocka_unit_test(keeps_what_is_given),
        cmocka_unit_test(releases_once),
        cmocka_unit_test(refuses),
        cmocka_unit_test(an_empty_set_is_a_set),
        cmocka_unit_test(hash_is_of_contents),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
