/* Shapes and dtypes: counting, comparing, broadcasting, printing. */
#include "ir/shape.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

static void dtypes_have_sizes_and_names(void **state) {
    (void)state;
    static const struct {
        dpr_dtype dtype;
        size_t bytes;
        const char *name;
    } WANT[] = {{DPR_F32, 4, "f32"},
                {DPR_F64, 8, "f64"},
                {DPR_U8, 1, "u8"},
                {DPR_I32, 4, "i32"},
                {DPR_U64, 8, "u64"}};
    for (size_t i = 0; i < sizeof WANT / sizeof *WANT; i++) {
        assert_int_equal(dpr__dtype_bytes(WANT[i].dtype), WANT[i].bytes);
        assert_string_equal(dpr__dtype_name(WANT[i].dtype), WANT[i].name);
    }
}

static void shapes_are_compared_by_rank_and_dimensions(void **state) {
    (void)state;
    dpr_shape a = dpr_shape_of(2, 3), b = dpr_shape_of(2, 3), scalar = dpr_scalar_shape();
    b.dim[2] = 9; /* beyond the rank: counts for nothing */
    assert_true(dpr__shape_equal(&a, &b));
    assert_true(dpr__shape_equal(&scalar, &scalar));
    assert_false(dpr__shape_equal(&a, &scalar));
    assert_false(dpr__shape_equal(&a, &dpr_shape_of(2, 4)));
    assert_false(dpr__shape_equal(&a, &dpr_shape_of(2, 3, 1)));
}

static void dimensions_are_multiplied(void **state) {
    (void)state;
    dpr_shape scalar = dpr_scalar_shape();
    assert_int_equal(dpr__shape_count(&scalar), 1);
    assert_int_equal(dpr__shape_count(&dpr_shape_of(2, 3, 4)), 24);
    assert_int_equal(dpr__shape_count(&dpr_shape_of(2, 0, 4)), 0);
    assert_int_equal(dpr__shape_count_open(&dpr_shape_of(DPR_BATCH, 3, 4)), 12);
    assert_int_equal(dpr__shape_count_open(&dpr_shape_of(DPR_BATCH)), 1);
}

static void the_batch_is_found_and_replaced(void **state) {
    (void)state;
    dpr_shape open = dpr_shape_of(2, DPR_BATCH), bound = dpr__shape_with_batch(&open, 7);
    assert_true(dpr__shape_has_batch(&open));
    assert_false(dpr__shape_has_batch(&bound));
    assert_true(dpr__shape_equal(&bound, &dpr_shape_of(2, 7)));
}

static void absurd_shapes_are_refused(void **state) {
    (void)state;
    const int64_t most = (int64_t)1 << 40;
    static const dpr_shape TOO_DEEP = {.rank = DPR_MAX_RANK + 1, .dim = {1, 1, 1, 1, 1, 1}};
    dpr_shape scalar = dpr_scalar_shape();
    assert_true(dpr__shape_is_sane(&scalar));
    assert_true(dpr__shape_is_sane(&dpr_shape_of(0, 3)));
    assert_true(dpr__shape_is_sane(&dpr_shape_of(most)));
    assert_true(dpr__shape_is_sane(&dpr_shape_of(1 << 20, 1 << 20)));
    assert_true(dpr__shape_is_sane(&dpr_shape_of(DPR_BATCH, 1, 2, 3, 4, 5)));
    assert_true(dpr__shape_is_sane(&dpr_shape_of(DPR_BATCH, DPR_BATCH)));
    assert_false(dpr__shape_is_sane(&dpr_shape_of(DPR_BATCH, DPR_BATCH, DPR_BATCH)));
    assert_false(dpr__shape_is_sane(&dpr_shape_of(-2)));
    assert_false(dpr__shape_is_sane(&dpr_shape_of(INT64_MIN)));
    assert_false(dpr__shape_is_sane(&dpr_shape_of(most + 1)));
    assert_false(dpr__shape_is_sane(&dpr_shape_of(1 << 20, 1 << 20, 2)));
    assert_false(dpr__shape_is_sane(&dpr_shape_of(INT64_MAX, INT64_MAX)));
    assert_false(dpr__shape_is_sane(&dpr_shape_of(0, most, 2))); /* a zero hides nothing */
    assert_false(dpr__shape_is_sane(&TOO_DEEP));
}

static void expect_broadcast(dpr_shape a, dpr_shape b, const dpr_shape *want) {
    dpr_shape got;
    for (int swapped = 0; swapped < 2; swapped++) {
        assert_int_equal(dpr__shape_broadcast(swapped ? &b : &a, swapped ? &a : &b, &got),
                         want != NULL);
        if (want != NULL)
            assert_true(dpr__shape_equal(&got, want));
    }
}

static void broadcasting_follows_numpy(void **state) {
    (void)state;
    expect_broadcast(dpr_shape_of(2, 3), dpr_shape_of(2, 3), &dpr_shape_of(2, 3));
    expect_broadcast(dpr_shape_of(2, 3), dpr_shape_of(3), &dpr_shape_of(2, 3));
    expect_broadcast(dpr_shape_of(2, 1), dpr_shape_of(1, 3), &dpr_shape_of(2, 3));
    expect_broadcast(dpr_shape_of(4, 2, 1), dpr_shape_of(3), &dpr_shape_of(4, 2, 3));
    expect_broadcast(dpr_shape_of(2), dpr_scalar_shape(), &dpr_shape_of(2));
    expect_broadcast(dpr_shape_of(DPR_BATCH, 3), dpr_shape_of(1, 3), &dpr_shape_of(DPR_BATCH, 3));
    expect_broadcast(dpr_shape_of(0, 3), dpr_shape_of(1, 1), &dpr_shape_of(0, 3));
    expect_broadcast(dpr_shape_of(2, 3), dpr_shape_of(2), NULL);
    expect_broadcast(dpr_shape_of(0), dpr_shape_of(2), NULL);
    expect_broadcast(dpr_shape_of(DPR_BATCH, 3), dpr_shape_of(4, 3), NULL); /* 4 is not any batch */
}

static void shapes_are_printed(void **state) {
    (void)state;
    char text[DPR__SHAPE_TEXT];
    static const dpr_shape TOO_DEEP = {.rank = 1000, .dim = {1, 1, 1, 1, 1, 1}};
    dpr_shape scalar = dpr_scalar_shape(), widest = {.rank = DPR_MAX_RANK};
    assert_string_equal(dpr__shape_text(&scalar, text), "scalar");
    assert_string_equal(dpr__shape_text(&dpr_shape_of(DPR_BATCH, 28, 28, 1), text),
                        "batch × 28 × 28 × 1");
    assert_string_equal(dpr__shape_text(&TOO_DEEP, text), "1 × 1 × 1 × 1 × 1 × 1");
    for (int i = 0; i < DPR_MAX_RANK; i++)
        widest.dim[i] = INT64_MIN;
    assert_true(strlen(dpr__shape_text(&widest, text)) < sizeof text); /* cut, not overrun */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes_have_sizes_and_names),
        cmocka_unit_test(shapes_are_compared_by_rank_and_dimensions),
        cmocka_unit_test(dimensions_are_multiplied),
        cmocka_unit_test(the_batch_is_found_and_replaced),
        cmocka_unit_test(absurd_shapes_are_refused),
        cmocka_unit_test(broadcasting_follows_numpy),
        cmocka_unit_test(shapes_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
