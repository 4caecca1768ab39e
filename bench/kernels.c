/* Times every kernel of kernels.def that this machine can run, on one thread: median of REPETITIONS (201), with GF/s, GB/s or elements/ns.
 * What the figures are to be held against: a core's peak is cycles/s × lanes × 2 × FMA units; the elementwise kernels here work in the
 * first-level cache.
 *   kernels [REPETITIONS] */
#include "backend/cpu/kernel.h"
#include "base/clock.h"
#include "base/random.h"
#include "ir/shape.h"
#include <stdio.h>
#include <stdlib.h>

enum { N = 4096, ROWS = 64, COLUMNS = 64, MOST = 201, TILE = 128, DEPTH = 256, DEPTHWISE = 32 };

/* Operands: numbers between 0.1 and 1.1; a product's a (TILE × DEPTH) and b (DEPTH × 32), or a strip's. */
static float a[TILE * DEPTH], b[TILE * DEPTH], c[TILE * DEPTH];
static uint16_t halves[2 * TILE * DPR__PANEL];
static int32_t indices[ROWS];
static int repetitions = MOST;

static int by_time(const void *x, const void *y) {
    uint64_t p = *(const uint64_t *)x, q = *(const uint64_t *)y;
    return p < q ? -1 : p > q;
}

/* Median nanoseconds of a call. */
static double time_of(void (*call)(const dpr__kernel *kernel), const dpr__kernel *kernel) {
    static uint64_t ns[MOST];
    for (int i = 0; i < repetitions; i++) {
        uint64_t begin = dpr__now_ns();
        call(kernel);
        ns[i] = dpr__now_ns() - begin;
    }
    qsort(ns, (size_t)repetitions, sizeof *ns, by_time);
    return (double)ns[repetitions / 2];
}

static void call_span(const dpr__kernel *kernel) {
    static const dpr__scale_param scale = {.factor = 1.5};
    for (int i = 0; i < 16; i++)
        kernel->run.span(&scale, a, b, c, N);
}

/* By rows, in panels. In bf16 a chunk is sixteen pairs, each in the place of a float; any bits do for them. */
static void call_tile(const dpr__kernel *kernel) {
    int64_t row = kernel->class == DPR__HALF_TILE ? DPR__PANEL / 2 : DPR__PANEL;
    kernel->run.tile->multiply(&(dpr__tile_call){.a = a,
                                                 .a_chunk = TILE * row,
                                                 .a_row = row,
                                                 .b = b,
                                                 .m = TILE,
                                                 .columns = DPR__PANEL,
                                                 .k = DEPTH,
                                                 .c = c,
                                                 .c_stride = DPR__PANEL});
}

/* One tile of 32 channels, forward. */
static void call_winograd(const dpr__kernel *kernel) {
    dpr__points src, dst = {.at = {c}, .plane = DPR__PANEL};
    for (int i = 0; i < 36; i++)
        src.at[i] = a + i * DPR__PANEL;
    kernel->run.winograd->data(&src, &dst, DPR__PANEL);
}

/* 3 × 3 taps of a row of pixels, 32 channels of each. */
static void call_depthwise(const dpr__kernel *kernel) {
    const dpr__depthwise_call call = {.src = a,
                                      .src_step = DPR__PANEL,
                                      .src_row = DPR__PANEL * (DEPTHWISE + 2),
                                      .src_tap = DPR__PANEL,
                                      .filter_row = 3 * DPR__PANEL,
                                      .filter_tap = DPR__PANEL,
                                      .dst_step = DPR__PANEL,
                                      .n = DEPTHWISE,
                                      .rows = 3,
                                      .taps = 3,
                                      .lanes = DPR__PANEL};
    kernel->run.depthwise->forward(&call, b, c);
}

/* Two tiles of 32 channels, as the gradient of filters pairs them. */
static void call_half_winograd(const dpr__kernel *kernel) {
    kernel->run.half_winograd->pairs(a, b, c, DPR__PANEL);
}

static void call_sums(const dpr__kernel *kernel) {
    kernel->run.sums->add_squares(a, TILE, b, c, c + DPR__PANEL);
}

/* A row of 28 pixels, 5 × 5 taps, 6 channels. */
static void call_pixels(const dpr__kernel *kernel) {
    int32_t taps[25];
    for (int i = 0; i < 25; i++)
        taps[i] = i / 5 * DPR__PANEL + i % 5;
    kernel->run.pixels(&(dpr__pixels_call){a, b, taps, 25, 28, 6, c, 8});
}

/* A row of 10 pixels of 16 channels, whose windows are 10 vectors. */
static void call_sparse(const dpr__kernel *kernel) {
    int32_t at[10];
    for (int i = 0; i < 10; i++)
        at[i] = i / 2 * 84 + i % 2 * 16;
    kernel->run.sparse->sum(&(dpr__sparse_call){a, 16, 10, 16, b, 6, at, 10, c});
}

static void call_halves(const dpr__kernel *kernel) {
    kernel->run.halves->store(a, DPR__PANEL, TILE, DPR__PANEL, halves, halves + TILE * DPR__PANEL);
}

/* Every operand of a strip in one buffer: the chains only add, multiply and divide. */
static const dpr__strip *strip;
static int strip_isa;
static void call_strip(const dpr__kernel *kernel) {
    static const float *const memory[] = {a, b, a, b, a, b, a, b};
    static float *const output[] = {c, c, c};
    (void)kernel;
    for (int i = 0; i < 16; i++)
        strip->run[strip_isa](&(dpr__strip_call){a, memory, output, b}, 0, N / DPR__PANEL);
}

/* Two images of 8 × 8 pixels and 32 channels, or windows of 2 × 2 pixels over them. */
static void make_map_call(dpr__op_id op, dpr__tensor src[3], dpr__call *call) {
    static const dpr__window_param window = {
        .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2, .height = 8, .width = 8};
    static const dpr__sum_param pixels = {.axes = 6};
    static const dpr__turn_param turn = {.groups = 1};
    static const dpr__pad_param pad = {.axis = 3, .before = 8, .after = 8};
    static const dpr__slice_param slice = {.axis = 3, .first = 8, .count = 16};
    static uint8_t places[N];
    static int32_t valid = ROWS / 2;
    const dpr_shape map = dpr_shape_of(2, 8, 8, 32), windows = dpr_shape_of(2, 4, 4, 32);
    switch (op) {
    case DPR__OP_prefix:
        src[1] = (dpr__tensor){DPR_I32, dpr_scalar_shape(), &valid, DPR__PLAIN};
        return;
    case DPR__OP_turn_filters:
        call->param = &turn;
        src[0].shape = dpr_shape_of(2, 2, 32, 32);
        call->dst.shape = src[0].shape;
        return;
    case DPR__OP_sum:
        call->param = &pixels;
        src[0].shape = map;
        call->dst.shape = dpr_shape_of(2, 32);
        return;
    case DPR__OP_broadcast:
        src[0].shape = dpr_shape_of(2, 1, 1, 32);
        call->dst.shape = map;
        return;
    case DPR__OP_pad:
    case DPR__OP_slice:
        call->param = op == DPR__OP_pad ? (const void *)&pad : &slice;
        src[0].shape = call->dst.shape = map;
        call->dst.shape.dim[3] = op == DPR__OP_pad ? 48 : 16;
        return;
    case DPR__OP_window_argmax:
        call->dst.dtype = DPR_U8;
        break;
    case DPR__OP_window_put:
    case DPR__OP_window_take:
        src[1] = (dpr__tensor){DPR_U8, windows, places, DPR__PLAIN};
        break;
    default:
        break;
    }
    bool back = op == DPR__OP_window_put || op == DPR__OP_window_spread;
    if (op != DPR__OP_window_argmax && op != DPR__OP_window_take && op != DPR__OP_window_sum &&
        !back)
        return;
    call->param = &window;
    src[0].shape = back ? windows : map;
    call->dst.shape = back ? map : windows;
}

/* The arguments of a row kernel over ROWS × COLUMNS. */
static void make_call(const dpr__kernel *kernel, dpr__tensor src[6], dpr__call *call) {
    static const dpr__sum_param last = {.axes = 2}, first = {.axes = 1};
    static const dpr__one_hot_param one_hot = {.classes = COLUMNS};
    static const dpr__draw_param draw = {.ordinal = 1, .shape = {2, {ROWS, COLUMNS}}};
    static const dpr__order_param order = {.n = 60000, .shuffle = true, .batch = ROWS};
    static const dpr__augment_param augment = {
        .n = ROWS, .height = 8, .width = COLUMNS / 8, .crop = 2, .flip = 1, .rotate = 10};
    static const dpr__winograd_filters_param filters[] = {{false}, {true}};
    static uint64_t seed = 1, tick = 2;
    static int32_t batch = 3;
    const dpr_shape space = dpr_shape_of(ROWS, COLUMNS), row = dpr_shape_of(ROWS);
    const dpr_shape pictures = dpr_shape_of(ROWS, 8, COLUMNS / 8, 1);
    const dpr__tensor index = {DPR_I32, row, indices, DPR__PLAIN};
    bool takes_halves = kernel->run.rows->takes_halves;
    src[0] = (dpr__tensor){kernel->dtype, space, takes_halves ? (void *)halves : a,
                           takes_halves ? DPR__HALF_ROWS : DPR__PLAIN};
    src[1] = (dpr__tensor){DPR_F32, space, b, DPR__PLAIN};
    *call = (dpr__call){NULL, src, {DPR_F32, space, c, DPR__PLAIN}, NULL};
    switch (kernel->op) {
    case DPR__OP_winograd_filters:
        call->param = &filters[takes_halves];
        src[0] = (dpr__tensor){DPR_F32, dpr_shape_of(3, 3, 4, 32), a, DPR__PANELS};
        call->dst.shape = dpr_shape_of(6, 6, 4, 32);
        call->dst.form = takes_halves ? DPR__HALF_PAIRS : DPR__PANELS;
        break;
    case DPR__OP_sum:
        call->param = &last;
        call->dst.shape = row;
        if (!kernel->run.rows->accepts(call))
            call->param = &first;
        break;
    case DPR__OP_argmax:
    case DPR__OP_softmax_cross_entropy:
        call->dst.shape = row;
        break;
    case DPR__OP_gather:
        src[1] = index;
        call->dst.dtype = kernel->dtype;
        break;
    case DPR__OP_one_hot:
        src[0] = index;
        call->param = &one_hot;
        break;
    case DPR__OP_draw:
    case DPR__OP_order:
        src[0] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &seed, DPR__PLAIN};
        src[1] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &tick, DPR__PLAIN};
        src[2] = (dpr__tensor){DPR_I32, dpr_scalar_shape(), &batch, DPR__PLAIN};
        call->param = kernel->op == DPR__OP_draw ? (const void *)&draw : &order;
        if (kernel->op == DPR__OP_order)
            call->dst = (dpr__tensor){DPR_I32, row, c, DPR__PLAIN};
        break;
    case DPR__OP_augment: /* ROWS images of 8 × 8 */
        src[0] = (dpr__tensor){DPR_U8, pictures, a, DPR__PLAIN};
        src[1] = src[4] = src[5] = index;
        src[2] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &seed, DPR__PLAIN};
        src[3] = (dpr__tensor){DPR_U64, dpr_scalar_shape(), &tick, DPR__PLAIN};
        call->param = &augment;
        call->dst = (dpr__tensor){DPR_U8, pictures, c, DPR__PLAIN};
        break;
    default:
        make_map_call(kernel->op, src, call);
        break;
    }
    if (kernel->op == DPR__OP_sum && !kernel->run.rows->accepts(call))
        make_map_call(kernel->op, src, call);
}

static void call_rows(const dpr__kernel *kernel) {
    dpr__tensor src[6];
    dpr__call call;
    make_call(kernel, src, &call);
    kernel->run.rows->run(&call, 0, kernel->run.rows->units(&call));
}

static void print(const char *name, dpr__isa isa, double ns, double work, const char *unit) {
    printf("%-36s %-10s %10.0f ns %8.2f %s\n", name, dpr__isa_name(isa), ns,
           work / (ns > 0 ? ns : 1), unit);
}

static void time_tile(const dpr__kernel *kernel) {
    double flops = (kernel->class == DPR__HALF_TILE ? 4.0 : 2.0) * TILE * DPR__PANEL * DEPTH;
    double ns = time_of(call_tile, kernel);
    if (kernel->run.tile->leave != NULL)
        kernel->run.tile->leave();
    print(kernel->name, kernel->isa, ns, flops, "GF/s");
}

static void time_kernel(const dpr__kernel *kernel) {
    switch (kernel->class) {
    case DPR__SPAN:
        print(kernel->name, kernel->isa, time_of(call_span, kernel),
              16.0 * N * sizeof(float) * (1.0 + dpr__op_arity[kernel->op]), "GB/s");
        break;
    case DPR__TILE:
    case DPR__HALF_TILE:
        time_tile(kernel);
        break;
    case DPR__HALVES: /* reads floats, writes them as rows and as pairs */
        print(kernel->name, kernel->isa, time_of(call_halves, kernel),
              TILE * DPR__PANEL * (sizeof(float) + 2.0 * sizeof *halves), "GB/s");
        break;
    case DPR__WINOGRAD:
        print(kernel->name, kernel->isa, time_of(call_winograd, kernel), 36.0 * DPR__PANEL,
              "elements/ns");
        break;
    case DPR__DEPTHWISE:
        print(kernel->name, kernel->isa, time_of(call_depthwise, kernel),
              2.0 * 9 * DEPTHWISE * DPR__PANEL, "GF/s");
        break;
    case DPR__PIXELS:
        print(kernel->name, kernel->isa, time_of(call_pixels, kernel), 2.0 * 25 * 28 * 6, "GF/s");
        break;
    case DPR__SPARSE:
        print(kernel->name, kernel->isa, time_of(call_sparse, kernel),
              2.0 * 10 * 16 * 10 * (double)kernel->run.sparse->lanes, "GF/s");
        break;
    case DPR__HALF_WINOGRAD:
        print(kernel->name, kernel->isa, time_of(call_half_winograd, kernel), 72.0 * DPR__PANEL,
              "elements/ns");
        break;
    case DPR__SUMS:
        print(kernel->name, kernel->isa, time_of(call_sums, kernel),
              TILE * DPR__PANEL * sizeof(float), "GB/s");
        break;
    case DPR__ROWS:
        print(kernel->name, kernel->isa, time_of(call_rows, kernel),
              kernel->op == DPR__OP_order ? ROWS : ROWS * COLUMNS, "elements/ns");
        break;
    }
}

static void fill(void) {
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) {
        dpr__draw draw = dpr__philox(1, DPR__PURPOSE_LETTERS, 0, i);
        a[i] = (float)dpr__unit(draw.word[0]) + 0.1F;
        b[i] = (float)dpr__unit(draw.word[1]) + 0.1F;
    }
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        halves[i] = dpr__to_bf16(a[i]);
    for (int i = 0; i < ROWS; i++)
        indices[i] = i * 7 % ROWS;
}

int main(int argc, char **argv) {
    repetitions = argc > 1 ? atoi(argv[1]) : MOST;
    if (argc > 2 || repetitions < 1 || repetitions > MOST) {
        fprintf(stderr, "usage: kernels [REPETITIONS], from 1 to %d\n", MOST);
        return 2;
    }
    fill();
    for (size_t k = 0; k < dpr__n_kernels; k++) {
        const dpr__kernel *kernel = &dpr__kernels[k];
        if (kernel->isa > dpr__isa_detect())
            printf("%-36s %-10s not on this machine\n", kernel->name, dpr__isa_name(kernel->isa));
        else
            time_kernel(kernel);
    }
    for (size_t s = 0; s < dpr__n_strips; s++)
        for (strip_isa = 0; strip_isa <= (int)dpr__isa_detect(); strip_isa++) {
            strip = &dpr__strips[s];
            if (strip->run[strip_isa] != NULL)
                print(strip->name, (dpr__isa)strip_isa, time_of(call_strip, NULL), 16.0 * N,
                      "elements/ns");
        }
    return 0;
}
