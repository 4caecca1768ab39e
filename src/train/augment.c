/* The kinds of augmentation: one table makes parser, text and messages. */
#include "train/augment.h"
#include "base/context.h"
#include "base/text.h"
#include "ops/augment.h"
#include "train/json.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

enum type { WHOLE, REAL, WORD };

/* `bare` is the value of a name alone. Words stand for 0, 1, …; the first of them is the default. */
struct kind {
    const char *name;
    enum type type;
    size_t offset;
    double high, bare;
    const char *unit;
    const char *words[4];
};

#define ROW(type_, member, ...)                                                                    \
    {                                                                                              \
        .name = #member, .type = (type_), .offset = offsetof(dpr__augment_param, member),          \
        __VA_ARGS__                                                                                \
    }

static const struct kind KINDS[] = {
    ROW(WHOLE, crop, .high = 1024, .bare = 4, .unit = "pixels"),
    ROW(WORD, pad, .bare = -1, .words = {"zero", "mean", "reflect"}),
    ROW(WORD, flip, .bare = DPR__FLIP_RANDOM, .words = {"never", "random", "alternate"}),
    ROW(REAL, rotate, .high = 180, .bare = 15, .unit = "degrees"),
    ROW(REAL, scale, .high = 0.9, .bare = 0.1, .unit = "of the size"),
    ROW(REAL, shear, .high = 60, .bare = 10, .unit = "degrees"),
    ROW(REAL, translate, .high = 1024, .bare = 2, .unit = "pixels"),
    ROW(REAL, elastic, .high = 64, .bare = 1, .unit = "pixels"),
    ROW(REAL, smooth, .high = 1024, .bare = -1, .unit = "pixels"),
    ROW(REAL, brightness, .high = 1, .bare = 0.2, .unit = "of the brightness"),
    ROW(REAL, contrast, .high = 1, .bare = 0.2, .unit = "of the contrast"),
    ROW(REAL, saturation, .high = 1, .bare = 0.2, .unit = "of the saturation"),
    ROW(WHOLE, cutout, .high = 1024, .bare = 8, .unit = "pixels"),
    ROW(REAL, mixup, .high = 100, .bare = 0.2, .unit = "(alpha)"),
    ROW(REAL, cutmix, .high = 100, .bare = 1, .unit = "(alpha)"),
};
enum { N_KINDS = sizeof KINDS / sizeof *KINDS, MOST_ITEM = 64 };
static const double SMOOTH = 4;

/* ---- values by type: the only places that cast by it ---- */

static double value_of(const dpr__augment_param *param, const struct kind *kind) {
    const void *at = (const char *)param + kind->offset;
    return kind->type == REAL ? *(const double *)at : (double)*(const int64_t *)at;
}

static void set_value(dpr__augment_param *param, const struct kind *kind, double value) {
    void *at = (char *)param + kind->offset;
    if (kind->type == REAL)
        *(double *)at = value;
    else
        *(int64_t *)at = (int64_t)value;
}

/* ---- reading ---- */

static dpr_status unknown_kind(dpr_context *context, const char *name) {
    const char *names[N_KINDS];
    dpr__text list;
    dpr__text_init(&list, context);
    for (size_t i = 0; i < N_KINDS; i++) {
        names[i] = KINDS[i].name;
        dpr__text_add(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const char *near = dpr_nearest_word(name, names, N_KINDS);
    dpr_status status = list.status;
    if (status == DPR_OK)
        status =
            DPR_FAIL(context, DPR_E_ARGUMENT, "augment: '%s' is none of %s%s%s%s", name, list.data,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    dpr__text_release(&list);
    return status;
}

static size_t count_words(const struct kind *kind) {
    size_t n = 0;
    while (n < 4 && kind->words[n] != NULL)
        n++;
    return n;
}

static dpr_status bad_value(dpr_context *context, const struct kind *kind, const char *value) {
    const char *const *w = kind->words;
    if (kind->type != WORD)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "augment: %s is '%s'; it must be a %snumber from 0 to %g, %s", kind->name,
                        value, kind->type == WHOLE ? "whole " : "", kind->high, kind->unit);
    const char *near = dpr_nearest_word(value, w, count_words(kind));
    return DPR_FAIL(context, DPR_E_ARGUMENT,
                    "augment: %s is '%s'; it must be one of %s, %s, %s%s%s%s", kind->name, value,
                    w[0], w[1], w[2], near ? "; did you mean '" : "", near ? near : "",
                    near ? "'?" : "");
}

static dpr_status read_value(dpr_context *context, const struct kind *kind, const char *text,
                             dpr__augment_param *out) {
    double value = kind->bare;
    if (text == NULL && kind->bare < 0)
        return bad_value(context, kind, "");
    if (text != NULL && kind->type == WORD) {
        size_t i = 0, n = count_words(kind);
        while (i < n && strcmp(text, kind->words[i]) != 0)
            i++;
        if (i == n)
            return bad_value(context, kind, text);
        value = (double)i;
    } else if (text != NULL &&
               (!dpr__parse_double(context, text, &value) || !(value >= 0) || value > kind->high ||
                (kind->type == WHOLE && value != floor(value)))) {
        return bad_value(context, kind, text);
    }
    set_value(out, kind, value);
    return DPR_OK;
}

/* One "name" or "name=value"; blanks around it are gone. */
static dpr_status read_item(dpr_context *context, char *item, bool seen[N_KINDS],
                            dpr__augment_param *out) {
    char *equals = strchr(item, '=');
    size_t i = 0;
    if (equals != NULL)
        *equals = '\0';
    while (i < N_KINDS && strcmp(item, KINDS[i].name) != 0)
        i++;
    if (i == N_KINDS)
        return unknown_kind(context, item);
    if (seen[i])
        return DPR_FAIL(context, DPR_E_ARGUMENT, "augment: %s is given twice", item);
    seen[i] = true;
    return read_value(context, &KINDS[i], equals != NULL ? equals + 1 : NULL, out);
}

/* What says how another kind is done, and there is none of these. */
static dpr_status check_idle(dpr_context *context, const bool seen[N_KINDS],
                             dpr__augment_param *out) {
    bool moves = out->crop > 0 || out->rotate > 0 || out->scale > 0 || out->shear > 0 ||
                 out->translate > 0 || out->elastic > 0;
    for (size_t i = 0; i < N_KINDS; i++) {
        size_t at = KINDS[i].offset;
        if (seen[i] && at == offsetof(dpr__augment_param, pad) && !moves)
            return DPR_FAIL(context, DPR_E_ARGUMENT,
                            "augment: pad does nothing without crop, rotate, scale, shear, "
                            "translate or elastic");
        if (seen[i] && at == offsetof(dpr__augment_param, smooth) && out->elastic == 0)
            return DPR_FAIL(context, DPR_E_ARGUMENT,
                            "augment: smooth does nothing without elastic");
        if (seen[i] && at == offsetof(dpr__augment_param, smooth) && out->smooth < 1)
            return DPR_FAIL(context, DPR_E_ARGUMENT,
                            "augment: smooth is %g; it must be at least 1 pixel", out->smooth);
    }
    if (out->elastic > 0 && out->smooth == 0)
        out->smooth = SMOOTH;
    return DPR_OK;
}

dpr_status dpr__augment_parse(dpr_context *context, const char *text, dpr__augment_param *out) {
    bool seen[N_KINDS] = {false};
    *out = (dpr__augment_param){0};
    for (const char *at = text; at != NULL && *text != '\0';) {
        char item[MOST_ITEM];
        at += strspn(at, " \t\n");
        size_t n = strcspn(at, ","), used = n;
        while (used > 0 && strchr(" \t\n", at[used - 1]) != NULL)
            used--;
        if (used == 0 || used >= MOST_ITEM)
            return DPR_FAIL(context, DPR_E_ARGUMENT,
                            "augment: '%.100s' holds an item that is %s; write NAME or "
                            "NAME=VALUE between commas",
                            text, used == 0 ? "empty" : "too long");
        memcpy(item, at, used);
        item[used] = '\0';
        DPR_TRY(read_item(context, item, seen, out));
        at = at[n] == ',' ? at + n + 1 : NULL;
    }
    return check_idle(context, seen, out);
}

dpr_status dpr_augment_check(dpr_context *context, const char *augment) {
    dpr__augment_param param;
    return dpr__augment_parse(context, augment, &param);
}

dpr_status dpr__augment_text(dpr_context *context, const dpr__augment_param *param, char **out) {
    dpr__text text;
    dpr__text_init(&text, context);
    for (size_t i = 0; i < N_KINDS; i++) {
        double value = value_of(param, &KINDS[i]);
        if (value == 0)
            continue;
        dpr__text_add(&text, "%s%s=", text.length > 0 ? "," : "", KINDS[i].name);
        if (KINDS[i].type == WORD)
            dpr__text_add(&text, "%s", KINDS[i].words[(int)value]);
        else
            dpr__json_add_double(&text, value);
    }
    return dpr__text_finish(&text, out);
}

/* ---- what a set allows ---- */

static dpr_status check_moves(dpr_context *context, const dpr__augment_param *p) {
    int64_t side = p->height < p->width ? p->height : p->width;
    bool crop = p->crop >= side, translate = p->translate >= (double)side;
    if (crop || translate)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "augment: %s=%g would move images of %lld × %lld out of sight; it must be "
                        "below %lld",
                        crop ? "crop" : "translate", crop ? (double)p->crop : p->translate,
                        (long long)p->height, (long long)p->width, (long long)side);
    if (p->cutout > side)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "augment: cutout=%lld is more than images of %lld × %lld have; it must be "
                        "at most %lld",
                        (long long)p->cutout, (long long)p->height, (long long)p->width,
                        (long long)side);
    return DPR_OK;
}

/* A channel's mean as a byte; data that a caller describes may say anything. */
static uint64_t mean_byte(double mean) {
    return mean > 0 ? (uint64_t)((mean < 1 ? mean : 1) * 255 + 0.5) : 0;
}

dpr_status dpr__augment_fit(dpr_context *context, const dpr_data_info *info, size_t n,
                            dpr__augment_param *p) {
    const int64_t *dim = info->image.dim;
    p->n = (int64_t)n;
    p->height = dim[0];
    p->width = dim[1];
    for (int64_t c = 0; c < dim[2]; c++)
        p->fill |= (int64_t)(mean_byte(info->mean[c]) << 8 * c);
    DPR_TRY(check_moves(context, p));
    if (p->saturation > 0 && dim[2] != 3)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "augment: saturation needs images of three channels; these have %lld",
                        (long long)dim[2]);
    if (p->elastic > 0 && dpr__knots(p->smooth, p->width) > DPR__KNOTS)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "augment: smooth=%g is too fine for images %lld wide; it must be at least "
                        "%.0f",
                        p->smooth, (long long)p->width, ceil((double)p->width / 210));
    return DPR_OK;
}

static dpr_status augment_image(const dpr_data *data, const dpr__augment_param *param,
                                uint64_t seed, uint64_t epoch, int32_t image, uint8_t *pixels) {
    const int64_t *dim = data->info.image.dim;
    const dpr_shape none = dpr_scalar_shape(), one = dpr_shape_of(1);
    int32_t wanted[2] = {image}, row[2];
    bool full = false;
    dpr__mix_draw mix;
    dpr__mix_draw_image(param, seed, epoch, image, &mix);
    wanted[1] = mix.partner;
    if (data->window != NULL) {
        dpr__pool_clear(data);
        DPR_TRY(dpr__pool_load(data, wanted, 2, NULL, &full));
    }
    for (int i = 0; i < 2; i++)
        row[i] = dpr__pool_row(data, (size_t)wanted[i]);
    const dpr__tensor src[6] = {
        {DPR_U8, dpr_shape_of((int64_t)data->rows, dim[0], dim[1], dim[2]), data->pool, DPR__PLAIN},
        {DPR_I32, one, &image, DPR__PLAIN},
        {DPR_U64, none, &seed, DPR__PLAIN},
        {DPR_U64, none, &epoch, DPR__PLAIN},
        {DPR_I32, one, &row[0], DPR__PLAIN},
        {DPR_I32, one, &row[1], DPR__PLAIN}};
    dpr__ops[DPR__OP_augment]->reference(&(dpr__call){
        param, src, {DPR_U8, dpr_shape_of(1, dim[0], dim[1], dim[2]), pixels, DPR__PLAIN}, NULL});
    return DPR_OK;
}

dpr_status dpr_data_augment(const dpr_data *data, const char *augment, uint64_t seed,
                            unsigned epoch, const int32_t *index, size_t n, uint8_t *pixels) {
    dpr__augment_param param;
    DPR_TRY(dpr__augment_parse(data->context, augment, &param));
    DPR_TRY(dpr__augment_fit(data->context, &data->info, data->n, &param));
    for (size_t i = 0; i < n; i++)
        if (index[i] < 0 || (size_t)index[i] >= data->n)
            return DPR_FAIL(data->context, DPR_E_ARGUMENT,
                            "augment: there is no image %d; the set has %zu", (int)index[i],
                            data->n);
    if (n == 0 || epoch == 0)
        return n == 0 ? DPR_OK
                      : DPR_FAIL(data->context, DPR_E_ARGUMENT,
                                 "augment: epochs are counted from 1, not 0");
    for (size_t i = 0; i < n; i++)
        DPR_TRY(augment_image(data, &param, seed, epoch - 1, index[i],
                              pixels + i * dpr__image_bytes(&data->info)));
    return DPR_OK;
}
