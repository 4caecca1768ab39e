/* Kernels that work row by row (or column by column): softmax and loss, sums, gather, one-hot, draws. Every result
 * element is computed by one unit, in one order. */
#include "backend/cpu/kernel.h"
#include "ir/shape.h"
#include "ops/draw.h"
#include <math.h>
#include <string.h>

static int64_t columns_of(const dpr_shape *shape) {
    return shape->rank == 0 ? 1 : shape->dim[shape->rank - 1];
}

static int64_t src_rows(const dpr__call *call) {
    int64_t columns = columns_of(&call->src[0].shape);
    return columns == 0 ? 0 : dpr__shape_count(&call->src[0].shape) / columns;
}

static int64_t dst_elements(const dpr__call *call) {
    return dpr__shape_count(&call->dst.shape);
}

static bool any(const dpr__call *call) {
    (void)call;
    return true;
}

/* ---- softmax and its kin ---- */

static float row_maximum(const float *x, int64_t n) {
    float maximum = -INFINITY;
    for (int64_t j = 0; j < n; j++)
        maximum = x[j] > maximum ? x[j] : maximum;
    return maximum;
}

/* log Σ exp(x − maximum), and exp(x − maximum) into e where it is not NULL. */
static float log_sum(const float *x, int64_t n, float maximum, float *e) {
    float sum = 0;
    for (int64_t j = 0; j < n; j++) {
        float power = expf(x[j] - maximum);
        if (e != NULL)
            e[j] = power;
        sum += power;
    }
    return e != NULL ? sum : logf(sum);
}

static void softmax(const dpr__call *call, int64_t first, int64_t last) {
    int64_t n = columns_of(&call->dst.shape);
    for (int64_t i = first; i < last; i++) {
        const float *x = (const float *)call->src[0].data + i * n;
        float *y = (float *)call->dst.data + i * n;
        float sum = log_sum(x, n, row_maximum(x, n), y);
        for (int64_t j = 0; j < n; j++)
            y[j] /= sum;
    }
}
const dpr__rows_kernel dpr__softmax_rows = {any, src_rows, softmax};

static void log_softmax(const dpr__call *call, int64_t first, int64_t last) {
    int64_t n = columns_of(&call->dst.shape);
    for (int64_t i = first; i < last; i++) {
        const float *x = (const float *)call->src[0].data + i * n;
        float *y = (float *)call->dst.data + i * n;
        float maximum = row_maximum(x, n), total = log_sum(x, n, maximum, NULL);
        for (int64_t j = 0; j < n; j++)
            y[j] = x[j] - maximum - total;
    }
}
const dpr__rows_kernel dpr__log_softmax_rows = {any, src_rows, log_softmax};

/* A target of 0 counts for nothing, also where the log-probability is −∞. */
static void cross_entropy(const dpr__call *call, int64_t first, int64_t last) {
    int64_t n = columns_of(&call->src[0].shape);
    for (int64_t i = first; i < last; i++) {
        const float *x = (const float *)call->src[0].data + i * n;
        const float *t = (const float *)call->src[1].data + i * n;
        float maximum = row_maximum(x, n), total = log_sum(x, n, maximum, NULL), loss = 0;
        for (int64_t j = 0; j < n; j++)
            if (t[j] != 0)
                loss -= t[j] * (x[j] - maximum - total);
        ((float *)call->dst.data)[i] = loss;
    }
}
const dpr__rows_kernel dpr__cross_entropy_rows = {any, src_rows, cross_entropy};

static void argmax(const dpr__call *call, int64_t first, int64_t last) {
    int64_t n = columns_of(&call->src[0].shape);
    for (int64_t i = first; i < last; i++) {
        const float *x = (const float *)call->src[0].data + i * n;
        int32_t best = 0;
        for (int64_t j = 1; j < n; j++)
            best = x[j] > x[best] ? (int32_t)j : best;
        ((int32_t *)call->dst.data)[i] = best;
    }
}
const dpr__rows_kernel dpr__argmax_rows = {any, src_rows, argmax};

/* ---- sums ---- */

static unsigned reduced(const dpr__call *call) {
    return (unsigned)((const dpr__sum_param *)call->param)->axes;
}

/* The reduced axes are the last ones: rows of consecutive elements. */
static bool reduces_last(const dpr__call *call) {
    uint32_t rank = call->src[0].shape.rank, kept = 0;
    while (kept < rank && !(reduced(call) >> kept & 1))
        kept++;
    return reduced(call) == (1U << rank) - (1U << kept);
}

static bool reduces_first(const dpr__call *call) {
    uint32_t n = 0;
    while (reduced(call) >> n & 1)
        n++;
    return reduced(call) == (1U << n) - 1;
}

/* Sixteen partial sums, then their sum: a fixed order whatever the vector width. */
static float sum_consecutive(const float *x, int64_t n) {
    float partial[16] = {0}, sum = 0;
    int64_t j = 0;
    for (; j + 16 <= n; j += 16)
        for (int l = 0; l < 16; l++)
            partial[l] += x[j + l];
    for (int l = 0; j < n; j++, l++)
        partial[l] += x[j];
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            partial[l] += partial[l + half];
    sum += partial[0];
    return sum;
}

static void sum_last(const dpr__call *call, int64_t first, int64_t last) {
    int64_t n = dpr__shape_count(&call->src[0].shape) / dst_elements(call);
    for (int64_t i = first; i < last; i++)
        ((float *)call->dst.data)[i] = sum_consecutive((const float *)call->src[0].data + i * n, n);
}
const dpr__rows_kernel dpr__sum_last_rows = {reduces_last, dst_elements, sum_last};

static void sum_first(const dpr__call *call, int64_t first, int64_t last) {
    int64_t columns = dst_elements(call);
    int64_t rows = dpr__shape_count(&call->src[0].shape) / columns;
    float *sum = call->dst.data;
    memset(sum + first, 0, (size_t)(last - first) * sizeof *sum);
    for (int64_t i = 0; i < rows; i++) {
        const float *x = (const float *)call->src[0].data + i * columns;
        for (int64_t j = first; j < last; j++)
            sum[j] += x[j];
    }
}
const dpr__rows_kernel dpr__sum_first_columns = {reduces_first, dst_elements, sum_first};

/* ---- data ---- */

static int64_t index_count(const dpr__call *call) {
    return dpr__shape_count(&call->src[1].shape);
}

static void gather(const dpr__call *call, int64_t first, int64_t last) {
    const dpr__tensor *pool = &call->src[0];
    int64_t n = pool->shape.dim[0];
    size_t bytes = (size_t)(dst_elements(call) / index_count(call)) * dpr__dtype_bytes(pool->dtype);
    for (int64_t i = first; i < last; i++) {
        int64_t from = ((const int32_t *)call->src[1].data)[i];
        from = from < 0 ? 0 : from >= n ? n - 1 : from;
        memcpy((char *)call->dst.data + (size_t)i * bytes,
               (const char *)pool->data + (size_t)from * bytes, bytes);
    }
}
const dpr__rows_kernel dpr__gather_rows = {any, index_count, gather};

static int64_t src_elements(const dpr__call *call) {
    return dpr__shape_count(&call->src[0].shape);
}

static void one_hot(const dpr__call *call, int64_t first, int64_t last) {
    int64_t classes = ((const dpr__one_hot_param *)call->param)->classes;
    float *dst = call->dst.data;
    memset(dst + first * classes, 0, (size_t)((last - first) * classes) * sizeof *dst);
    for (int64_t i = first; i < last; i++) {
        int64_t index = ((const int32_t *)call->src[0].data)[i];
        if (index >= 0 && index < classes)
            dst[i * classes + index] = 1;
    }
}
const dpr__rows_kernel dpr__one_hot_rows = {any, src_elements, one_hot};

/* ---- draws: four elements a block, as the reference kernel draws them ---- */

static int64_t draw_units(const dpr__call *call) {
    return (dst_elements(call) + 3) / 4;
}

static void draw(const dpr__call *call, int64_t first, int64_t last) {
    int64_t n = dst_elements(call);
    for (int64_t block = first; block < last; block++) {
        float units[4];
        dpr__dropout_block(call, (uint64_t)block, units);
        for (int64_t i = 0; i < 4 && block * 4 + i < n; i++)
            ((float *)call->dst.data)[block * 4 + i] = units[i];
    }
}
const dpr__rows_kernel dpr__draw_blocks = {any, draw_units, draw};
