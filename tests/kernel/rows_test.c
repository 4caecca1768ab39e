/* Every row kernel of kernels.def against the reference kernel of its op: no, one and many rows and columns, plain and in panels, in one piece and in
 * two, with guard words around the result. A kernel whose ISA this machine lacks is skipped, saying so. */
#include "support.h"

struct rows_case {
    dpr__call call;
    dpr__tensor src[3];
    const void *param;
};

static float pool[MOST * 4], other[MOST * 4];
static int32_t index_values[MOST];
static uint64_t seed = 99, tick = 1234567890123U;
static dpr__sum_param sum_param;
static dpr__pad_param pad_param;
static dpr__turn_param turn_param;
static dpr__slice_param slice_param;
static dpr__one_hot_param one_hot_param;
static dpr__draw_param draw_param;
static dpr__order_param order_param;
static dpr__winograd_filters_param filters_param;
static int32_t batch_number;

static uint8_t places[MOST * 4];
static int32_t valid_rows;
static const dpr__window_param window = {.kernel_h = 3,
                                         .kernel_w = 2,
                                         .stride_h = 2,
                                         .stride_w = 1,
                                         .pad_top = 1,
                                         .pad_left = 0,
                                         .pad_bottom = 1,
                                         .pad_right = 1,
                                         .height = 5,
                                         .width = 4};

/* Two images of 5 × 4 pixels, or the 3 × 4 windows over them; false for an op of another kind. */
static bool make_map_case(dpr__op_id op, int64_t rows, int64_t columns, struct rows_case *c) {
    const dpr_shape map = dpr_shape_of(2, 5, 4, columns), windows = dpr_shape_of(2, 3, 4, columns);
    fill(pool, 40 * columns, 5);
    for (int64_t i = 0; i < 24 * columns; i++)
        places[i] = (uint8_t)(i * 5 % 6); /* some on the padding */
    bool back = op == DPR__OP_window_put || op == DPR__OP_window_spread;
    switch (op) {
    case DPR__OP_window_argmax:
        c->call.dst.dtype = DPR_U8;
        break;
    case DPR__OP_window_put:
    case DPR__OP_window_spread:
    case DPR__OP_window_take:
    case DPR__OP_window_sum:
        c->src[1] = (dpr__tensor){DPR_U8, windows, places, DPR__PLAIN};
        break;
    case DPR__OP_prefix:
        valid_rows = (int32_t)(rows / 2);
        c->src[0].shape = c->call.dst.shape = dpr_shape_of(rows, columns);
        c->src[1] = (dpr__tensor){DPR_I32, dpr_scalar_shape(), &valid_rows, DPR__PLAIN};
        return true;
    case DPR__OP_broadcast:
        c->src[0].shape = dpr_shape_of((rows + 1) / 2, 1, 1, columns);
        c->call.dst.shape = dpr_shape_of((rows + 1) / 2, 2, 1, columns);
        return true;
    case DPR__OP_pad:
        c->call.param = &pad_param;
        pad_param = (dpr__pad_param){.axis = 1, .before = 31, .after = 2};
        c->call.dst.shape.dim[1] += 33;
        return true;
    case DPR__OP_slice:
        c->call.param = &slice_param;
        slice_param = (dpr__slice_param){1, columns / 3, columns - columns / 3};
        c->call.dst.shape.dim[1] = columns - columns / 3;
        return true;
    case DPR__OP_winograd_filters:
        c->src[0].shape = dpr_shape_of(3, 3, rows < 2 ? rows : 2, columns < 34 ? columns : 34);
        c->call.dst.shape = dpr_shape_of(6, 6, rows < 2 ? rows : 2, columns < 34 ? columns : 34);
        return true;
    case DPR__OP_turn_filters:
        c->call.param = &turn_param;
        turn_param.groups = columns > 1 && rows % 2 == 0 ? 2 : 1;
        columns = (columns < 34 ? columns : 34) / turn_param.groups;
        c->src[0].shape = dpr_shape_of(2, 1, columns, rows);
        c->call.dst.shape =
            dpr_shape_of(2, 1, rows / turn_param.groups, columns * turn_param.groups);
        return true;
    default:
        return false;
    }
    c->call.param = &window;
    c->src[0].shape = back ? windows : map;
    c->call.dst.shape = back ? map : windows;
    return true;
}

/* Arguments for the kernel over rows × columns; false where it does not take them. */
static bool make_case(const dpr__kernel *kernel, int64_t rows, int64_t columns, bool last,
                      struct rows_case *c) {
    fill(pool, rows * columns, 5);
    fill(other, rows * columns, 6);
    for (int64_t i = 0; i < rows; i++)
        index_values[i] = (int32_t)(i * 7 % 13 - 3); /* some outside */
    dpr_shape space = dpr_shape_of(rows, columns);
    dpr_dtype dtype = kernel->dtype;
    *c = (struct rows_case){
        .src = {{dtype, space, pool, DPR__PLAIN}, {DPR_F32, space, other, DPR__PLAIN}}};
    c->call = (dpr__call){NULL, c->src, {DPR_F32, space, NULL, DPR__PLAIN}, NULL};
    switch (kernel->op) {
    case DPR__OP_softmax_cross_entropy:
        c->call.dst.shape = dpr_shape_of(rows);
        break;
    case DPR__OP_argmax:
        c->call.dst = (dpr__tensor){DPR_I32, dpr_shape_of(rows), NULL, DPR__PLAIN};
        break;
    case DPR__OP_sum:
        sum_param = (dpr__sum_param){.axes = last ? 2 : 1};
        c->call.param = &sum_param;
        c->call.dst.shape = last ? dpr_shape_of(rows) : dpr_shape_of(columns);
        if (strstr(kernel->name, "pixel") != NULL) { /* over 1 × 2 pixels, kept or not */
            sum_param = (dpr__sum_param){.axes = 6, .keep = last};
            c->src[0].shape = dpr_shape_of(rows, 1, 2, columns / 2);
            c->call.dst.shape =
                last ? dpr_shape_of(rows, 1, 1, columns / 2) : dpr_shape_of(rows, columns / 2);
        }
        break;
    case DPR__OP_gather:
        c->src[1] = (dpr__tensor){DPR_I32, dpr_shape_of(rows), index_values, DPR__PLAIN};
        c->call.dst.dtype = dtype;
        break;
    case DPR__OP_one_hot:
        c->src[0] = (dpr__tensor){DPR_I32, dpr_shape_of(rows), index_values, DPR__PLAIN};
        one_hot_param.classes = last ? 70 : 5; /* in panels, three of them */
        for (int64_t i = 0; last && i < rows; i++)
            index_values[i] = (int32_t)(i * 29 % 77 - 3);
        c->call.param = &one_hot_param;
        c->call.dst.shape = dpr_shape_of(rows, one_hot_param.classes);
        break;
    case DPR__OP_draw:
        draw_param = (dpr__draw_param){.ordinal = 3, .shape = space};
        c->src[0] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &seed, DPR__PLAIN};
        c->src[1] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &tick, DPR__PLAIN};
        c->call.param = &draw_param;
        break;
    case DPR__OP_order:
        order_param = (dpr__order_param){.n = columns, .shuffle = true, .batch = rows};
        c->src[0] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &seed, DPR__PLAIN};
        c->src[1] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &tick, DPR__PLAIN};
        c->src[2] = (dpr__tensor){DPR_I32, dpr_scalar_shape(), &batch_number, DPR__PLAIN};
        batch_number = columns > rows ? 1 : 0; /* the last batch may go past the end */
        c->call.param = &order_param;
        c->call.dst = (dpr__tensor){DPR_I32, dpr_shape_of(rows), NULL, DPR__PLAIN};
        break;
    case DPR__OP_winograd_filters:
        filters_param.bf16 = kernel->run.rows->takes_halves;
        c->call.param = &filters_param;
        make_map_case(kernel->op, rows, columns, c);
        break;
    default:
        make_map_case(kernel->op, rows, columns, c);
        break;
    }
    return kernel->run.rows->takes_halves || kernel->run.rows->accepts(&c->call);
}

static bool fits(dpr__form form, const dpr__tensor *tensor) {
    return form == DPR__NARROW ? dpr__form_fits_narrow(tensor->dtype, &tensor->shape)
                               : dpr__form_fits_panels(tensor->dtype, &tensor->shape);
}

/* The same call with its matrices in panels, or its maps narrow, whose last lanes hold NaN. */
static void to_form(dpr__form form, struct rows_case *c) {
    static float store[2][MOST * 16];
    for (int i = 0; i < 2; i++) {
        dpr__tensor *src = &c->src[i];
        if (!fits(form, src) || src->data == NULL)
            continue;
        for (size_t k = 0; k < sizeof store[i] / sizeof *store[i]; k++)
            store[i][k] = NAN;
        dpr__form_copy(store[i], form, src->data, DPR__PLAIN, &src->shape, sizeof(float));
        src->data = store[i];
        src->form = form;
    }
    if (fits(form, &c->call.dst))
        c->call.dst.form = form;
}

static void test_rows(const dpr__kernel *kernel, int64_t rows, int64_t columns, bool last,
                      dpr__form form) {
    struct rows_case c;
    static float want[MOST * 4], got[MOST * 16 + 2 * GUARD], plain[MOST * 4];
    if (kernel->op == DPR__OP_augment) /* augment_images_test.c */
        return;
    if (rows * columns == 0 || !make_case(kernel, rows, columns, last, &c))
        return;
    c.call.dst.data = want;
    dpr__ops[kernel->op]->reference(&c.call);
    static uint16_t halves[2 * MOST * 16];
    bool rounds = kernel->op == DPR__OP_winograd_filters && kernel->run.rows->takes_halves;
    if (rounds) {
        to_form(DPR__PANELS, &c);
        c.call.dst.form = DPR__HALF_PAIRS;
    } else if (kernel->run.rows->takes_halves) { /* the reference, too, gets what bf16 can hold */
        if (!dpr__form_fits_panels(DPR_F32, &c.src[0].shape))
            return;
        dpr__form_copy(halves, DPR__HALF_BOTH, c.src[0].data, DPR__PLAIN, &c.src[0].shape, 4);
        dpr__form_copy(c.src[0].data, DPR__PLAIN, halves, DPR__HALF_BOTH, &c.src[0].shape, 4);
        dpr__ops[kernel->op]->reference(&c.call);
        c.src[0].data = halves;
        c.src[0].form = DPR__HALF_BOTH;
    } else if (form != DPR__PLAIN) {
        to_form(form, &c);
    }
    if (!kernel->run.rows->accepts(&c.call))
        return;
    dpr__tensor *dst = &c.call.dst;
    size_t bytes = (size_t)dpr__shape_count(&dst->shape) * dpr__dtype_bytes(dst->dtype);
    size_t stored = dpr__form_bytes(dst->form, &dst->shape, dpr__dtype_bytes(dst->dtype));
    int64_t units = kernel->run.rows->units(&c.call);
    /* In one piece, and cut in two: the same. */
    for (int64_t cut = 0; cut <= units; cut += units > 2 ? units / 2 : 1) {
        set_guarded(got, MOST * 16);
        dst->data = got + GUARD;
        kernel->run.rows->run(&c.call, 0, cut);
        kernel->run.rows->run(&c.call, cut, units);
        dpr__form_copy(plain, DPR__PLAIN, got + GUARD, dst->form, &dst->shape,
                       dpr__dtype_bytes(dst->dtype));
        if (dst->dtype != DPR_F32)
            assert_memory_equal(plain, want, bytes);
        else
            for (size_t i = 0; i < bytes / sizeof *got; i++)
                expect_near(kernel->name, plain[i], want[i],
                            4e-6 * (fabs((double)want[i]) + 1) * sqrt((double)(rows + columns)) +
                                (rounds ? fabs((double)want[i]) / 128 : 0),
                            (int64_t)i);
        for (int i = 0; i < GUARD; i++)
            if (got[i] != GUARD_VALUE || got[GUARD + (stored + 3) / 4 + (size_t)i] != GUARD_VALUE)
                fail_msg("%s writes outside its result", kernel->name);
    }
}

static void rows(void **state) {
    (void)state;
    static const int64_t ROWS[] = {0, 1, 2, 5, 16, 33},
                         COLUMNS[] = {0, 1, 2, 10, 15, 16, 17, 31, 32, 33, 100};
    for (size_t k = 0; k < dpr__n_kernels; k++) {
        if (dpr__kernels[k].class != DPR__ROWS || !runs_here(&dpr__kernels[k]))
            continue;
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
            for (size_t j = 0; j < sizeof COLUMNS / sizeof *COLUMNS; j++) {
                for (int form = DPR__PLAIN; form <= DPR__NARROW; form++)
                    for (int last = 0; last < 2; last++)
                        test_rows(&dpr__kernels[k], ROWS[i], COLUMNS[j], last, (dpr__form)form);
            }
    }
}

/* Epochs of large sets: the order is found by walking beyond n and back, and 2³¹ − 2 images are the most that fit. */
static void orders(void **state) {
    (void)state;
    static const int64_t N[] = {1, 2, 3, 100, 60000, INT32_MAX - 1}, BATCH[] = {1, 15, 128};
    int32_t want[128], got[128 + 2];
    for (size_t k = 0; k < dpr__n_kernels; k++) {
        const dpr__kernel *kernel = &dpr__kernels[k];
        if (kernel->op != DPR__OP_order || !runs_here(kernel))
            continue;
        for (size_t n = 0; n < sizeof N / sizeof *N; n++)
            for (size_t b = 0; b < sizeof BATCH / sizeof *BATCH; b++) {
                struct rows_case c;
                assert_true(make_case(kernel, BATCH[b], 1, false, &c));
                order_param.n = N[n];
                int64_t last = (N[n] - 1) / BATCH[b];
                for (int64_t number = 0; number <= last; number += last > 3 ? last / 3 : 1) {
                    batch_number = (int32_t)(number > last - last / 3 ? last : number);
                    assert_true(kernel->run.rows->accepts(&c.call));
                    c.call.dst.data = want;
                    dpr__ops[kernel->op]->reference(&c.call);
                    got[0] = got[BATCH[b] + 1] = -7;
                    c.call.dst.data = got + 1;
                    kernel->run.rows->run(&c.call, 0, BATCH[b] / 2);
                    kernel->run.rows->run(&c.call, BATCH[b] / 2, BATCH[b]);
                    assert_memory_equal(got + 1, want, (size_t)BATCH[b] * sizeof *want);
                    assert_true(got[0] == -7 && got[BATCH[b] + 1] == -7);
                }
            }
        struct rows_case c;
        (void)make_case(kernel, 1, 1, false, &c);
        order_param.n = INT32_MAX;
        assert_false(kernel->run.rows->accepts(&c.call));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(orders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
