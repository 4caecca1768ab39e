/* The contact sheet of a check: suspects with their numbers, finding after finding; a twin stands at the right of its suspect. */
#include "base/context.h"
#include "data/check.h"
#include <string.h>

enum {
    SLOTS = 12, /* in a row */
    SIDE = 96,
    GAP = 4,    /* between suspects */
    LABEL = 18, /* below an image, for its number */
    BREAK = 14, /* between findings */
    ZOOM = 2,   /* of digits, which are 3 × 5 */
    STEP_X = SIDE + GAP,
    STEP_Y = SIDE + LABEL + GAP,
    WIDTH = SLOTS * STEP_X + GAP,
    GROUND = 48,
    INK = 220,
    MOST_DRAWN = 100,
};

struct sheet {
    const dpr__checking *c;
    size_t most, height;
    uint8_t *pixels; /* RGB; NULL: only to see how high it will be */
};

/* Rows of three pixels from the top, the highest bit at the left. */
static const uint16_t DIGITS[10] = {075557, 026227, 071747, 071717, 055711,
                                    074717, 074757, 071111, 075757, 075717};

static void put_dot(const struct sheet *s, size_t x, size_t y) {
    for (size_t i = 0; i < ZOOM; i++)
        memset(s->pixels + ((y + i) * WIDTH + x) * 3, INK, (size_t)ZOOM * 3);
}

static void put_number(const struct sheet *s, size_t x, size_t y, size_t number) {
    char text[24];
    dpr__format(s->c->context, text, sizeof text, "%zu", number);
    for (const char *p = text; *p != '\0'; p++, x += 4 * (size_t)ZOOM)
        for (size_t bit = 0; bit < 15; bit++)
            if (DIGITS[*p - '0'] >> (14 - bit) & 1)
                put_dot(s, x + bit % 3 * ZOOM, y + bit / 3 * ZOOM);
}

/* Small images in whole steps, so that their pixels can be seen; larger ones are made smaller. */
static dpr_status put_image(const struct sheet *s, size_t item, size_t x, size_t y) {
    dpr_context *context = s->c->context;
    const dpr__item *from = &s->c->looks.listing.items[item];
    dpr__image image;
    uint8_t cell[SIDE * SIDE * 3];
    DPR_TRY(dpr__item_open(context, from, &image));
    uint32_t longer = image.height > image.width ? image.height : image.width;
    uint32_t zoom = longer < SIDE ? SIDE / longer : 1;
    uint32_t height = image.height * zoom, width = image.width * zoom;
    dpr_status status = DPR_OK;
    if (longer > SIDE) {
        height = width = SIDE;
        status = dpr__image_bring(context, &image, height, width, 3, DPR_FIT, cell);
    } else {
        for (size_t i = 0; i < (size_t)height * width; i++) {
            size_t at = i / width / zoom * image.width + i % width / zoom;
            dpr__channels_convert(image.pixels + at * image.channels, image.channels, cell + 3 * i,
                                  3, 1);
        }
    }
    dpr__item_release(context, from, &image);
    for (size_t i = 0; status == DPR_OK && i < height; i++)
        memcpy(s->pixels + ((y + i) * WIDTH + x) * 3, cell + i * width * 3, (size_t)width * 3);
    return status;
}

static dpr_status put_suspect(const struct sheet *s, const dpr_suspect *suspect, size_t number,
                              size_t x, size_t y) {
    DPR_TRY(put_image(s, suspect->image.item, x, y));
    if (suspect->has_twin)
        DPR_TRY(put_image(s, suspect->twin.item, x + SIDE, y));
    put_number(s, x, y + SIDE + GAP, number);
    return DPR_OK;
}

/* Rows of one finding, the first at *y; *number is the last one given. */
static dpr_status put_finding(const struct sheet *s, const dpr_finding *finding, size_t *y,
                              size_t *number) {
    size_t n = finding->n_suspects < s->most ? finding->n_suspects : s->most;
    for (size_t i = 0, slot = 0; i < n; i++) {
        size_t slots = finding->suspects[i].has_twin ? 2 : 1;
        if (slot + slots > SLOTS) {
            slot = 0;
            *y += STEP_Y;
        }
        ++*number;
        if (s->pixels != NULL)
            DPR_TRY(put_suspect(s, &finding->suspects[i], *number, GAP + slot * STEP_X, *y));
        slot += slots;
    }
    if (n > 0)
        *y += STEP_Y + BREAK;
    return DPR_OK;
}

static dpr_status put_all(struct sheet *s) {
    size_t number = 0, y = GAP;
    for (size_t i = 0; i < s->c->view.n_findings; i++)
        DPR_TRY(put_finding(s, &s->c->view.findings[i], &y, &number));
    s->height = y - BREAK;
    return number > 0 ? DPR_OK
                      : DPR_FAIL(s->c->context, DPR_E_DATA, "%s: there is no suspect to draw",
                                 s->c->looks.listing.root);
}

dpr_status dpr_check_draw(const dpr_check *check, size_t most, const char *path) {
    const dpr__checking *c = (const dpr__checking *)check;
    struct sheet s = {.c = c, .most = most};
    if (most < 1 || most > MOST_DRAWN)
        return DPR_FAIL(c->context, DPR_E_ARGUMENT,
                        "a sheet shows 1 to %d suspects of each finding, not %zu", MOST_DRAWN,
                        most);
    DPR_TRY(put_all(&s));
    DPR_TRY(dpr__allocate_untouched(c->context, s.height, (size_t)WIDTH * 3, &s.pixels));
    memset(s.pixels, GROUND, s.height * WIDTH * 3);
    dpr_status status = put_all(&s);
    if (status == DPR_OK)
        status =
            dpr_png_write(c->context, path, s.pixels, dpr_shape_of((int64_t)s.height, WIDTH, 3));
    dpr__free(c->context, s.pixels);
    return status;
}
