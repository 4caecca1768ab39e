/* The fast kernel of augment against its reference: the same bytes, for every kind alone and all together, sizes from one pixel on,
 * cut anywhere, and nothing written beside the result. */
#include "backend/cpu/kernel.h"
#include "ir/shape.h"
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { N = 5, BATCH = 7, SIDE = 40, MOST = SIDE * 600 * 4, GUARD = 64 };

static uint8_t pool[N * MOST], want[BATCH * MOST], got[BATCH * MOST + 2 * GUARD];
static int32_t index_values[BATCH] = {4, 0, 1, -9, 3, 2, 77};
static int32_t own_rows[BATCH] = {1, 4, -3, 0, 99, 2, 3},
               partner_rows[BATCH] = {3, -1, 9, 1, 4, 4, 0};
static uint64_t seed = 0xFEDCBA9876543210U, epoch;

static const dpr__rows_kernel *kernel(void) {
    return dpr__kernel_find(DPR__ROWS, DPR__OP_augment, DPR_U8, DPR__ISA_GENERIC)->run.rows;
}

static void compare(const dpr__augment_param *given, int64_t height, int64_t width,
                    int64_t channels) {
    dpr__augment_param param = *given;
    param.n = N;
    param.height = height;
    param.width = width;
    param.fill = 0x4030A0F1;
    const dpr__tensor src[6] = {
        {DPR_U8, dpr_shape_of(N, height, width, channels), pool, DPR__PLAIN},
        {DPR_I32, dpr_shape_of(BATCH), index_values, DPR__PLAIN},
        {DPR_U64, dpr_scalar_shape(), &seed, DPR__PLAIN},
        {DPR_U64, dpr_scalar_shape(), &epoch, DPR__PLAIN},
        {DPR_I32, dpr_shape_of(BATCH), own_rows, DPR__PLAIN},
        {DPR_I32, dpr_shape_of(BATCH), partner_rows, DPR__PLAIN}};
    dpr__call call = {&param,
                      src,
                      {DPR_U8, dpr_shape_of(BATCH, height, width, channels), want, DPR__PLAIN},
                      NULL};
    size_t bytes = (size_t)(BATCH * height * width * channels);
    dpr__ops[DPR__OP_augment]->reference(&call);
    assert_true(kernel()->accepts(&call));
    assert_int_equal(kernel()->units(&call), BATCH);
    memset(got, 0xA5, bytes + 2 * GUARD);
    call.dst.data = got + GUARD;
    kernel()->run(&call, 3, BATCH);
    kernel()->run(&call, 0, 3);
    assert_memory_equal(got + GUARD, want, bytes);
    for (size_t i = 0; i < GUARD; i++)
        if (got[i] != 0xA5 || got[GUARD + bytes + i] != 0xA5)
            fail_msg("it writes outside its result");
}

static const dpr__augment_param KINDS[] = {
    {0},
    {.crop = 3},
    {.crop = 3, .flip = DPR__FLIP_RANDOM},
    {.crop = 9, .pad = DPR__PAD_REFLECT, .flip = DPR__FLIP_ALTERNATE},
    {.crop = 60, .pad = DPR__PAD_MEAN}, /* wholly outside, too */
    {.rotate = 180, .scale = 0.9, .shear = 60, .translate = 30},
    {.rotate = 180, .scale = 0.9, .pad = DPR__PAD_REFLECT, .translate = 1000},
    {.elastic = 2, .smooth = 5, .flip = DPR__FLIP_RANDOM},
    {.elastic = 64, .smooth = 3, .pad = DPR__PAD_MEAN},
    {.brightness = 1, .contrast = 1},
    {.cutout = 5, .flip = DPR__FLIP_RANDOM},
    {.mixup = 0.2},
    {.cutmix = 1, .crop = 2},
    {.cutmix = 0.01}, /* boxes of nothing and of all */
    {.crop = 2,
     .flip = DPR__FLIP_RANDOM,
     .cutout = 4,
     .pad = DPR__PAD_REFLECT,
     .rotate = 10,
     .elastic = 1,
     .smooth = 4,
     .brightness = 0.4,
     .contrast = 0.4,
     .saturation = 0.4,
     .mixup = 1,
     .cutmix = 1},
};

static void as_the_reference(void **state) {
    (void)state;
    static const int64_t SIZES[][2] = {{1, 1}, {1, 9}, {8, 1}, {2, 2}, {5, 33}, {28, 28}, {7, 300}};
    uint32_t noise = 1;
    for (size_t i = 0; i < sizeof pool; i++) {
        noise = noise * 1664525U + 1013904223U;
        pool[i] = (uint8_t)(noise >> 24);
    }
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++)
        for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++)
            for (int64_t channels = 1; channels <= 4; channels++) {
                bool wide = SIZES[s][1] > 100 && KINDS[k].elastic > 0;
                epoch = k + 7 * s;
                if (wide ? channels == 2 : SIZES[s][0] < 28 || channels % 2 == 1)
                    compare(&KINDS[k], SIZES[s][0], SIZES[s][1], channels);
            }
}

/* As many knots as there can be, and one pixel more than fills their cells. */
static void the_widest_field(void **state) {
    (void)state;
    compare(&(dpr__augment_param){.elastic = 3, .smooth = 1}, 3, 216, 1);
    compare(&(dpr__augment_param){.elastic = 3, .smooth = 1}, 3, 217, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_reference),
                                       cmocka_unit_test(the_widest_field)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
