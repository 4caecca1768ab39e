/* What a check keeps of each image: whether it is blank, coloured, and two fingerprints by which almost equal ones are found (check_near.c). */
#include "base/context.h"
#include "data/check.h"
#include <math.h>
#include <stdlib.h>

enum {
    LEAST_DETAIL = 2, /* grey levels: less is noise */
    SPREAD = 2,       /* grey levels between the channels of a grey image, in the mean */
};

static bool is_coloured(const dpr__image *image) {
    size_t n = (size_t)image->height * image->width;
    uint64_t spread = 0;
    for (size_t i = 0; image->channels == 3 && i < n; i++) {
        const uint8_t *p = image->pixels + 3 * i;
        uint8_t low = p[0] < p[1] ? p[0] : p[1], high = p[0] < p[1] ? p[1] : p[0];
        low = p[2] < low ? p[2] : low;
        high = p[2] > high ? p[2] : high;
        spread += (uint64_t)(high - low);
    }
    return spread > SPREAD * n;
}

/* Each channel's deviation below what noise is. */
static bool is_blank(const dpr__image *image) {
    size_t n = (size_t)image->height * image->width, channels = image->channels;
    for (size_t k = 0; k < channels; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) {
            double value = image->pixels[i * channels + k];
            sum += value;
            squares += value * value;
        }
        if (squares - sum * sum / (double)n >= LEAST_DETAIL * LEAST_DETAIL * (double)n)
            return false;
    }
    return true;
}

static uint64_t difference_hash(uint8_t small[8][9]) {
    uint64_t hash = 0;
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            hash = hash << 1 | (small[y][x] < small[y][x + 1]);
    return hash;
}

/* Each pixel less the means of its row and its column, plus that of all; times 256, so that these are whole. Then to bytes. */
static float make_thumb(const uint8_t *grey, int8_t *thumb) {
    int32_t rows[DPR__THUMB] = {0}, columns[DPR__THUMB] = {0}, all = 0, detail[DPR__THUMB_BYTES],
            most = 0;
    int64_t energy = 0;
    for (int i = 0; i < DPR__THUMB_BYTES; i++) {
        rows[i / DPR__THUMB] += grey[i];
        columns[i % DPR__THUMB] += grey[i];
        all += grey[i];
    }
    for (int i = 0; i < DPR__THUMB_BYTES; i++) {
        detail[i] = DPR__THUMB_BYTES * grey[i] -
                    DPR__THUMB * (rows[i / DPR__THUMB] + columns[i % DPR__THUMB]) + all;
        most = abs(detail[i]) > most ? abs(detail[i]) : most;
        energy += (int64_t)detail[i] * detail[i];
    }
    if (sqrt((double)energy / DPR__THUMB_BYTES) < LEAST_DETAIL * DPR__THUMB_BYTES)
        return 0; /* no detail to compare */
    int32_t squares = 0;
    for (int i = 0; i < DPR__THUMB_BYTES; i++) {
        thumb[i] = (int8_t)lround(127.0 * detail[i] / most);
        squares += thumb[i] * thumb[i];
    }
    return sqrtf((float)squares);
}

int32_t dpr__thumb_product(const int8_t *a, const int8_t *b) {
    int32_t sum = 0;
    for (int i = 0; i < DPR__THUMB_BYTES; i++)
        sum += a[i] * b[i];
    return sum;
}

dpr_status dpr__check_features(dpr_context *own, const dpr__image *image, dpr__features *out,
                               int8_t thumb[DPR__THUMB_BYTES]) {
    uint8_t grey[DPR__THUMB_BYTES], small[8][9];
    out->coloured = is_coloured(image);
    out->blank = is_blank(image);
    out->norm = 0;
    if (out->blank || image->height < DPR__LEAST_SIDE || image->width < DPR__LEAST_SIDE)
        return DPR_OK;
    DPR_TRY(dpr__image_bring(own, image, DPR__THUMB, DPR__THUMB, 1, DPR_STRETCH, grey));
    const dpr__image thumbnail = {DPR__THUMB, DPR__THUMB, 1, grey};
    DPR_TRY(dpr__image_fit(own, &thumbnail, 8, 9, DPR_STRETCH, small[0]));
    out->print = difference_hash(small);
    out->norm = make_thumb(grey, thumb);
    return DPR_OK;
}
