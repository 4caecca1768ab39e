/* Real sets, where they lie beside the checkout in ../shared/data (or DEEPER_DATA): MNIST's four files
 * as they are published. Skipped where there are none. */
#include "base/sha256.h"
#include "data_support.h"

#define TEST_PIXELS "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"

static char root[512];

/* Skips the program (77) where the set is not there. */
static bool find_mnist(void) {
    const char *data = getenv("DEEPER_DATA"), *source = getenv("DEEPER_SOURCE");
    if (data != NULL)
        snprintf(root, sizeof root, "%s/mnist", data);
    else
        snprintf(root, sizeof root, "%s/../shared/data/mnist", source != NULL ? source : ".");
    return access(root, R_OK) == 0;
}

static void expect_sha256(const uint8_t *bytes, size_t n, const char *wanted) {
    uint8_t digest[32];
    char hex[65];
    dpr__sha256 hash;
    dpr__sha256_init(&hash);
    dpr__sha256_add(&hash, bytes, n);
    dpr__sha256_finish(&hash, digest);
    dpr__sha256_hex(digest, hex);
    assert_string_equal(hex, wanted);
}

/* The mean and deviation that everybody normalises MNIST with: 0.1307 and 0.3081. */
static void mnist(void **state) {
    dpr_context *context = make_context(2);
    dpr_data *data;
    (void)state;
    OK(context, dpr_data_open(context, root, DPR_TRAIN, NULL, &data));
    const dpr_data_info *info = dpr_data_describe(data);
    assert_int_equal(dpr_data_count(data), 60000);
    assert_int_equal(info->n_classes, 10);
    assert_int_equal((int)(info->mean[0] * 10000 + 0.5), 1307);
    assert_int_equal((int)(info->deviation[0] * 10000 + 0.5), 3081);
    assert_int_equal(dpr_data_labels(data)[0], 5);
    assert_int_equal(dpr_data_labels(data)[59999], 8);
    dpr_data_destroy(data);
    OK(context, dpr_data_open(context, root, DPR_TEST, NULL, &data));
    assert_int_equal(dpr_data_count(data), 10000);
    expect_sha256(dpr_data_images(data), (size_t)10000 * 784, TEST_PIXELS);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

static void mnist_survey(void **state) {
    dpr_context *context = make_context(2);
    dpr_survey *survey;
    (void)state;
    OK(context, dpr_survey_create(context, root, &survey));
    assert_int_equal(survey->per_class[DPR_TRAIN][1], 6742);
    assert_int_equal(survey->per_class[DPR_TEST][1], 1135);
    assert_int_equal(survey->duplicates_across, 0);
    assert_int_equal(survey->n_unreadable, 0);
    dpr_survey_destroy(survey);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mnist), cmocka_unit_test(mnist_survey)};
    if (!find_mnist()) {
        printf("skipped: there is no MNIST at %s\n", root);
        return SKIPPED;
    }
    return has_libraries() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
