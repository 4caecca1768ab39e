/* Sizes of the images of a folder from the heads of their files: nothing is decoded, so that a folder of large photos takes no time and no
 * memory. What is broken is left out: opening the set names it. */
#include "base/context.h"
#include "data/source.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_LOOKED_AT = 512, HEAD_BYTES = 1 << 18 };

static uint32_t big_endian(const uint8_t *bytes, int n) {
    uint32_t value = 0;
    for (int i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* IHDR comes first: width, height, depth, colour type; 0 and 4 are grey (PNG, section 11.2.2). */
static bool png_size(const uint8_t *bytes, size_t n, dpr__image *out) {
    if (n < 26 || memcmp(bytes + 12, "IHDR", 4) != 0)
        return false;
    out->width = big_endian(bytes + 16, 4);
    out->height = big_endian(bytes + 20, 4);
    out->channels = bytes[25] == 0 || bytes[25] == 4 ? 1 : 3;
    return true;
}

/* The frame header, one of SOF0 … SOF15 (ITU-T T.81, table B.1; C4, C8 and CC are others): precision, height, width, components. */
static bool jpeg_size(const uint8_t *bytes, size_t n, dpr__image *out) {
    size_t at = 2;
    while (at + 10 <= n && bytes[at] == 0xff) {
        unsigned marker = bytes[at + 1];
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
            marker != 0xcc) {
            bool turned = dpr__exif_orientation(bytes, n) >= 5;
            uint32_t down = big_endian(bytes + at + 5, 2), across = big_endian(bytes + at + 7, 2);
            *out = (dpr__image){turned ? across : down, turned ? down : across,
                                bytes[at + 9] == 1 ? 1 : 3, NULL};
            return true;
        }
        at += 2 + big_endian(bytes + at + 2, 2);
    }
    return false;
}

static bool look_at(const dpr__item *item, uint8_t *head, dpr__image *out) {
    *out = (dpr__image){0};
    size_t n = dpr__file_head(item->path, head, HEAD_BYTES);
    if (!dpr__is_image(head, n))
        return false;
    bool found = head[0] == 0xff ? jpeg_size(head, n, out) : png_size(head, n, out);
    return found && out->height > 0 && out->width > 0;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Of images spread evenly over the listing, which goes class by class. */
static void measure(const dpr__listing *listing, uint8_t *head, dpr_sizes *out) {
    uint32_t sides[MOST_LOOKED_AT], channels = 1;
    size_t step = (listing->n_items + MOST_LOOKED_AT - 1) / MOST_LOOKED_AT, n = 0;
    dpr__image image, first = {0};
    bool alike = true;
    for (size_t i = 0; i < listing->n_items; i += step) {
        if (!look_at(&listing->items[i], head, &image))
            continue;
        if (n == 0)
            first = image;
        alike = alike && image.height == first.height && image.width == first.width;
        channels = image.channels > channels ? image.channels : channels;
        sides[n++] = image.height < image.width ? image.height : image.width;
    }
    if (n == 0)
        return;
    qsort(sides, n, sizeof *sides, by_number);
    out->median_side = sides[n / 2];
    out->channels = channels;
    if (alike)
        out->image = dpr_shape_of(first.height, first.width, channels);
}

/* Without the test images that will be split off, class by class. */
static dpr_status count_training(const dpr__listing *listing, size_t *out) {
    size_t *count;
    *out = 0;
    DPR_TRY(dpr__allocate(listing->context, listing->n_classes, sizeof *count, &count));
    for (size_t i = 0; i < listing->n_items; i++)
        count[listing->items[i].label] += listing->items[i].half == DPR_TRAIN;
    for (uint32_t i = 0; i < listing->n_classes; i++)
        *out += count[i] - (listing->has[DPR_TEST] ? 0 : dpr__test_share(count[i]));
    dpr__free(listing->context, count);
    return DPR_OK;
}

dpr_status dpr_data_sizes(dpr_context *context, const char *path, dpr_sizes *out) {
    dpr__listing listing = {.wanted = DPR_TEST}; /* of packed files the smaller half is read */
    uint8_t *head;
    DPR_TRY(dpr__listing_open(context, path, &listing));
    dpr_status status = dpr__allocate(context, HEAD_BYTES, 1, &head);
    if (status == DPR_OK) {
        *out = (dpr_sizes){.size = sizeof *out, .folder = listing.items[0].path != NULL};
        status = count_training(&listing, &out->n);
        if (status == DPR_OK && out->folder)
            measure(&listing, head, out);
        dpr__free(context, head);
    }
    dpr__listing_release(&listing);
    return status;
}
