/* Whitening (whitening.h), after airbench (Jordan 2024, section 3.2). All sums are in double and in one order, so that the filters do not
 * depend on threads. */
#include "train/whitening.h"
#include "base/context.h"
#include "ir/shape.h"
#include "nn/words.h"
#include <math.h>
#include <string.h>

static const double EPSILON = 5e-4;
enum { MOST_PATCHES = 1000000, MOST_SWEEPS = 60 };

/* ---- eigenvectors ---- */

/* One rotation of rows and columns p and q that makes entry (p, q) zero: Golub and Van Loan, Matrix Computations, section 8.5. */
static void rotate(double *a, size_t n, size_t p, size_t q, double *vectors) {
    double off = a[p * n + q];
    double tau = (a[q * n + q] - a[p * n + p]) / (2 * off);
    double t = (tau >= 0 ? 1 : -1) / (fabs(tau) + sqrt(1 + tau * tau));
    double c = 1 / sqrt(1 + t * t), s = t * c;
    for (size_t k = 0; k < n; k++) {
        double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (size_t k = 0; k < n; k++) {
        double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
        x = vectors[p * n + k], y = vectors[q * n + k];
        vectors[p * n + k] = c * x - s * y;
        vectors[q * n + k] = s * x + c * y;
    }
}

/* Jacobi's method, row by row, until what is off the diagonal is nothing beside the whole. */
static void diagonalise(double *a, size_t n, double *vectors) {
    for (int sweep = 0; sweep < MOST_SWEEPS; sweep++) {
        double off = 0, all = 0;
        for (size_t i = 0; i < n * n; i++) {
            all += a[i] * a[i];
            off += i % (n + 1) != 0 ? a[i] * a[i] : 0;
        }
        if (off <= 1e-30 * all)
            return;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                if (a[p * n + q] != 0)
                    rotate(a, n, p, q, vectors);
    }
}

static void swap_rows(double *a, double *b, size_t n) {
    for (size_t k = 0; k < n; k++) {
        double kept = a[k];
        a[k] = b[k];
        b[k] = kept;
    }
}

static void fix_sign(double *vector, size_t n) {
    size_t most = 0;
    for (size_t k = 1; k < n; k++)
        most = fabs(vector[k]) > fabs(vector[most]) ? k : most;
    for (size_t k = 0; k < n && vector[most] < 0; k++)
        if (k != most)
            vector[k] = -vector[k];
    vector[most] = fabs(vector[most]);
}

void dpr__eigen(double *matrix, size_t n, double *values, double *vectors) {
    for (size_t i = 0; i < n * n; i++)
        vectors[i] = i % (n + 1) == 0;
    diagonalise(matrix, n, vectors);
    for (size_t i = 0; i < n; i++)
        values[i] = matrix[i * n + i];
    for (size_t i = 0; i < n; i++) {
        size_t most = i;
        for (size_t k = i + 1; k < n; k++)
            most = values[k] > values[most] ? k : most;
        swap_rows(&values[i], &values[most], 1);
        if (most != i)
            swap_rows(vectors + i * n, vectors + most * n, n);
        fix_sign(vectors + i * n, n);
    }
}

/* ---- patches ---- */

/* Adds p·pᵀ of every patch p of one image, normalised; the lower half only. */
static void add_image(const dpr_data_info *info, const uint8_t *image, const int64_t *kernel,
                      double *patch, double *sum) {
    const int64_t *dim = info->image.dim;
    size_t n = (size_t)(kernel[0] * kernel[1] * dim[2]);
    for (int64_t y = 0; y + kernel[0] <= dim[0]; y++)
        for (int64_t x = 0; x + kernel[1] <= dim[1]; x++) {
            size_t at = 0;
            for (int64_t i = 0; i < kernel[0]; i++)
                for (int64_t k = 0; k < kernel[1] * dim[2]; k++) {
                    int64_t c = k % dim[2];
                    double pixel = image[((y + i) * dim[1] + x) * dim[2] + k] / 255.0;
                    patch[at++] = (pixel - info->mean[c]) / info->deviation[c];
                }
            for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k <= i; k++)
                    sum[i * n + k] += patch[i] * patch[k];
        }
}

/* Mean of p·pᵀ over patches of images that are spread over the set. Patches of normalised images have a mean near 0, which is not
 * subtracted. */
static dpr_status covariance(const dpr_model *model, const dpr_data *data, const int64_t *kernel,
                             double *patch, double *out) {
    const int64_t *dim = model->info.image.dim;
    size_t n = (size_t)(kernel[0] * kernel[1] * dim[2]);
    int64_t down = dim[0] - kernel[0] + 1, across = dim[1] - kernel[1] + 1;
    size_t each = down > 0 && across > 0 ? (size_t)(down * across) : 1;
    size_t images = MOST_PATCHES / each > 0 ? MOST_PATCHES / each : 1;
    images = images < data->n ? images : data->n;
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < images; i++) {
        const uint8_t *image;
        DPR_TRY(dpr__data_rows(data, i * data->n / images, 1, &image));
        add_image(&model->info, image, kernel, patch, out);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= i; k++)
            out[k * n + i] = out[i * n + k] /= (double)(each * images);
    return DPR_OK;
}

/* ---- filters ---- */

static void fill_filters(const double *values, const double *vectors, size_t n, size_t outputs,
                         float *filters) {
    for (size_t p = 0; p < n; p++)
        for (size_t o = 0; o < outputs; o++) {
            size_t i = o % (outputs / 2);
            double filter = vectors[i * n + p] / sqrt((values[i] > 0 ? values[i] : 0) + EPSILON);
            filters[p * outputs + o] = (float)(o < outputs / 2 ? filter : -filter);
        }
}

static dpr_status whiten_leaf(dpr_model *model, const dpr__leaf_param *leaf, const dpr_data *data) {
    const int64_t *dim = leaf->shape.dim;
    size_t n = (size_t)(dim[0] * dim[1] * dim[2]), outputs = (size_t)dim[3];
    size_t bytes = n * outputs * sizeof(float);
    bool known = false; /* of a model that goes on */
    double *room;
    float *filters;
    DPR_TRY(dpr__allocate(model->context, 2 * n * n + 2 * n, sizeof *room, &room));
    dpr_status status = dpr__allocate(model->context, n * outputs, sizeof *filters, &filters);
    if (status == DPR_OK) {
        double *matrix = room, *vectors = matrix + n * n, *values = vectors + n * n;
        status = dpr_store_read(model->store, leaf->name, filters, bytes);
        for (size_t i = 0; i < n * outputs; i++)
            known = known || filters[i] != 0;
        if (status == DPR_OK && !known)
            status = covariance(model, data, dim, values + n, matrix);
        if (status == DPR_OK && !known) {
            dpr__eigen(matrix, n, values, vectors);
            fill_filters(values, vectors, n, outputs, filters);
            status = dpr_store_write(model->store, leaf->name, filters, bytes);
        }
        dpr__free(model->context, filters);
    }
    dpr__free(model->context, room);
    return status;
}

dpr_status dpr__whiten(dpr_model *model, const dpr_graph *graph, const dpr_data *data) {
    for (dpr_value value = 1; value < graph->n_nodes; value++) {
        const dpr__node *node = dpr__node_of(graph, value);
        const dpr__leaf_param *leaf = node->param;
        if (node->op == DPR__OP_leaf && leaf->init == DPR_INIT_WHITENING)
            DPR_TRY(whiten_leaf(model, leaf, data));
    }
    return DPR_OK;
}
