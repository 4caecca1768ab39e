/* The pool of a set whose images are loaded (data.h). Images that stay are the first ones of the set: so their rows are their numbers,
 * and what is shuffled anew in each epoch takes the same share of each batch from them. */
#include "base/context.h"
#include "base/parallel.h"
#include "train/data.h"
#include <string.h>

/* Beyond what one step or one batch of an evaluation needs, a larger window brings nothing: each image is used once and goes. */
enum { WINDOW = 512 };

static uint8_t *row_of(const dpr_data *data, size_t row) {
    return data->pool + row * dpr__image_bytes(&data->info);
}

static dpr_status make_window(dpr_data *data) {
    dpr_context *context = data->context;
    dpr__window *window;
    DPR_TRY(dpr__allocate(context, 1, sizeof *window, &window));
    data->window = window;
    window->kept = data->rows - (data->rows < WINDOW ? data->rows : WINDOW);
    DPR_TRY(dpr__allocate(context, data->n, sizeof *window->place, &window->place));
    DPR_TRY(dpr__allocate(context, data->rows, sizeof *window->image, &window->image));
    for (size_t i = 0; i < data->n; i++)
        window->place[i] = i < window->kept ? (int32_t)i : -1;
    return DPR_OK;
}

dpr_status dpr__pool_create(dpr_data *data, size_t memory) {
    size_t bytes = dpr__image_bytes(&data->info);
    size_t fit = memory != 0 ? memory / bytes : data->n;
    fit = fit > DPR__MOST_ROWS ? fit : DPR__MOST_ROWS;
    data->rows = fit < data->n ? fit : data->n;
    DPR_TRY(dpr__allocate_untouched(data->context, data->rows, bytes, &data->pool));
    return data->rows < data->n ? make_window(data) : DPR_OK;
}

void dpr__pool_release(dpr_data *data) {
    dpr_context *context = data->context;
    if (data->load != NULL)
        dpr__free(context, data->pool);
    if (data->window == NULL)
        return;
    dpr__free(context, data->window->place);
    dpr__free(context, data->window->image);
    dpr__free(context, data->window);
}

dpr_status dpr__pool_reserve(const dpr_data *data, size_t rows) {
    dpr__window *window = data->window;
    size_t bytes = dpr__image_bytes(&data->info);
    if (window == NULL || data->rows - window->kept >= rows)
        return DPR_OK;
    if (rows > data->rows)
        return DPR_FAIL(data->context, DPR_E_MEMORY,
                        "a step takes up to %zu images, %zu MB, and the memory for images holds "
                        "%zu; allow more of it, or make the batch smaller",
                        rows, (rows * bytes >> 20) + 1, data->rows);
    dpr__pool_clear(data);
    while (data->rows - window->kept < rows)
        window->place[--window->kept] = -1;
    return DPR_OK;
}

void dpr__pool_clear(const dpr_data *data) {
    dpr__window *window = data->window;
    while (window->used > 0)
        window->place[window->image[window->kept + --window->used]] = -1;
    window->turn++;
}

/* ---- loading ---- */

struct loading {
    const dpr_data *data;
    size_t first; /* row */
    const volatile int *stop;
};

static dpr_status load_row(dpr_context *own, void *user, size_t i) {
    const struct loading *loading = user;
    const dpr_data *data = loading->data;
    size_t row = loading->first + i;
    if (loading->stop != NULL && *loading->stop)
        return DPR_FAIL(own, DPR_E_INTERRUPTED, "interrupted");
    return data->load(own, data->user, (size_t)data->window->image[row], row_of(data, row));
}

dpr_status dpr__pool_load(const dpr_data *data, const int32_t *index, size_t n,
                          const volatile int *stop, bool *full) {
    dpr__window *window = data->window;
    size_t first = window->kept + window->used, row = first;
    *full = false;
    for (size_t i = 0; i < n && !*full; i++) {
        if (window->place[index[i]] >= 0)
            continue;
        *full = row == data->rows;
        if (*full)
            break;
        window->place[index[i]] = (int32_t)row;
        window->image[row++] = index[i];
    }
    if (*full) { /* as if nothing had been asked for */
        while (row > first)
            window->place[window->image[--row]] = -1;
        return DPR_OK;
    }
    window->used = row - window->kept;
    struct loading loading = {data, first, stop};
    dpr_status status = dpr__parallel(data->context, row - first, load_row, &loading);
    if (status != DPR_OK)
        dpr__pool_clear(data);
    return status;
}

int32_t dpr__pool_row(const dpr_data *data, size_t image) {
    return data->window != NULL ? data->window->place[image] : (int32_t)image;
}

/* Images that stay are copied to the others, so that all lie in a row. */
static dpr_status gather_rows(const dpr_data *data, size_t first, size_t n,
                              const uint8_t **pixels) {
    dpr__window *window = data->window;
    size_t kept = first < window->kept ? window->kept - first : 0;
    dpr__pool_clear(data);
    memcpy(row_of(data, window->kept), row_of(data, first), kept * dpr__image_bytes(&data->info));
    for (size_t i = 0; i < n; i++)
        window->image[window->kept + i] = (int32_t)(first + i);
    struct loading loading = {data, window->kept + kept, NULL};
    *pixels = row_of(data, window->kept);
    return dpr__parallel(data->context, n - kept, load_row, &loading);
}

dpr_status dpr__data_rows(const dpr_data *data, size_t first, size_t n, const uint8_t **pixels) {
    if (data->window != NULL && first + n > data->window->kept)
        return gather_rows(data, first, n, pixels);
    *pixels = row_of(data, first);
    return DPR_OK;
}
