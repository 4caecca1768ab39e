/* The one look at all images of a set: what it holds, for identity, duplicates, mean and deviation. */
#include "base/context.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "base/sha256.h"
#include "train/data.h"
#include <math.h>
#include <pthread.h>
#include <string.h>

/* Images that a thread takes at a time: enough that its sums are seldom added up, few enough that no thread waits long for another in
 * the end. */
enum { BLOCK = 8 };
/* Pixels are summed at so many places side by side, which belong to one channel each, for so many rounds: what 32 bits hold. */
enum { PLACES = 48, ROUNDS = 65536 };

/* Σ v and Σ v² of each channel, in whole numbers: the same in any order. */
struct sums {
    uint64_t value[DPR__MAX_CHANNELS], square[DPR__MAX_CHANNELS];
};

struct look {
    dpr_data *data;
    size_t first, n; /* images of this pass */
    uint8_t *pixels; /* of them */
    bool measure;
    uint64_t *hash; /* (data->n) */
    pthread_mutex_t lock;
    struct sums sums;
};

static void sum_pixels(const uint8_t *pixels, size_t n, size_t channels, struct sums *sums) {
    size_t at = 0;
    while (n - at >= PLACES) {
        uint32_t value[PLACES] = {0}, square[PLACES] = {0};
        size_t rounds = (n - at) / PLACES < ROUNDS ? (n - at) / PLACES : ROUNDS;
        for (size_t round = 0; round < rounds; round++, at += PLACES)
            for (size_t i = 0; i < PLACES; i++) {
                uint32_t v = pixels[at + i];
                value[i] += v;
                square[i] += v * v;
            }
        for (size_t i = 0; i < PLACES; i++) {
            sums->value[i % channels] += value[i];
            sums->square[i % channels] += square[i];
        }
    }
    for (; at < n; at++) {
        sums->value[at % channels] += pixels[at];
        sums->square[at % channels] += (uint32_t)pixels[at] * pixels[at];
    }
}

static void add_sums(struct look *look, const struct sums *sums) {
    pthread_mutex_lock(&look->lock);
    for (size_t c = 0; c < DPR__MAX_CHANNELS; c++) {
        look->sums.value[c] += sums->value[c];
        look->sums.square[c] += sums->square[c];
    }
    pthread_mutex_unlock(&look->lock);
}

static dpr_status look_at_block(dpr_context *own, void *user, size_t block) {
    struct look *look = user;
    const dpr_data *data = look->data;
    size_t bytes = dpr__image_bytes(&data->info), channels = (size_t)data->info.image.dim[2];
    size_t end = (block + 1) * BLOCK < look->n ? (block + 1) * BLOCK : look->n;
    struct sums sums = {{0}, {0}};
    for (size_t i = block * BLOCK; i < end; i++) {
        uint8_t *pixels = look->pixels + i * bytes;
        if (data->load != NULL)
            DPR_TRY(data->load(own, data->user, look->first + i, pixels));
        look->hash[look->first + i] = dpr__hash(pixels, bytes);
        if (look->measure)
            sum_pixels(pixels, bytes, channels, &sums);
    }
    if (look->measure)
        add_sums(look, &sums);
    return DPR_OK;
}

static dpr_status look_at(struct look *look, size_t first, size_t n, size_t row) {
    if (n == 0) /* there may be no pool */
        return DPR_OK;
    look->first = first;
    look->n = n;
    look->pixels = look->data->pool + row * dpr__image_bytes(&look->data->info);
    return dpr__parallel(look->data->context, (n + BLOCK - 1) / BLOCK, look_at_block, look);
}

/* Those that stay at their places, the others through the window. */
static dpr_status look_at_all(struct look *look) {
    const dpr_data *data = look->data;
    size_t kept = data->window != NULL ? data->window->kept : data->n, most = data->rows - kept;
    DPR_TRY(look_at(look, 0, kept, 0));
    for (size_t first = kept; first < data->n; first += most)
        DPR_TRY(look_at(look, first, data->n - first < most ? data->n - first : most, kept));
    return DPR_OK;
}

/* Of pixel/255 per channel. A channel that never varies gets deviation 1: dividing by 0 would help nobody. */
static void set_mean(const struct look *look, dpr_data_info *info) {
    const int64_t *dim = info->image.dim;
    double n = (double)(look->data->n > 0 ? look->data->n : 1) * (double)(dim[0] * dim[1]);
    for (int64_t c = 0; c < dim[2]; c++) {
        double mean = (double)look->sums.value[c] / n;
        double variance = (double)look->sums.square[c] / n - mean * mean;
        info->mean[c] = mean / 255;
        info->deviation[c] = variance > 1e-9 ? sqrt(variance) / 255 : 1;
    }
}

static void set_identity(dpr_data *data) {
    dpr__sha256 hash;
    uint8_t digest[32];
    const int64_t *dim = data->info.image.dim;
    uint64_t shape[4] = {data->n, (uint64_t)dim[0], (uint64_t)dim[1], (uint64_t)dim[2]};
    dpr__sha256_init(&hash);
    dpr__sha256_add(&hash, shape, sizeof shape);
    if (data->n > 0) {
        dpr__sha256_add(&hash, data->hash, data->n * sizeof *data->hash);
        dpr__sha256_add(&hash, data->labels, data->n * sizeof *data->labels);
    }
    dpr__sha256_finish(&hash, digest);
    dpr__sha256_hex(digest, data->sha256);
}

dpr_status dpr__data_look(dpr_data *data, bool measure) {
    dpr_context *context = data->context;
    struct look look = {.data = data, .measure = measure};
    DPR_TRY(dpr__allocate(context, data->n, sizeof *look.hash, &look.hash));
    pthread_mutex_init(&look.lock, NULL);
    dpr_status status = look_at_all(&look);
    pthread_mutex_destroy(&look.lock);
    if (status != DPR_OK) {
        dpr__free(context, look.hash);
        return status;
    }
    data->hash = look.hash;
    set_identity(data);
    if (measure)
        set_mean(&look, &data->info);
    return DPR_OK;
}

dpr_status dpr_data_sha256(const dpr_data *data, char hex[65]) {
    if (data->hash ==
        NULL) /* of the caller's pixels, which nobody has looked at: what is found is kept */
        DPR_TRY(dpr__data_look((dpr_data *)(uintptr_t)data, false));
    strcpy(hex, data->sha256);
    return DPR_OK;
}
