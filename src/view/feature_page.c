/* Features as sections of a page. */
#include "base/context.h"
#include "view/features.h"
#include "view/page.h"
#include <stdio.h>
#include <string.h>

struct section {
    dpr__text *page;
    const dpr_features *features;
    uint32_t side; /* of pictures, at most */
    size_t most_bytes;
    uint8_t *pixels; /* of one image */
};

/* Of a part of an image. */
static dpr_shape image_shape(const dpr_features *f, size_t height, size_t width) {
    return dpr_shape_of((int64_t)height, (int64_t)width, f->model->info.image.dim[2]);
}

static const char *class_of(const dpr_features *f, uint32_t class, char scratch[16]) {
    return dpr__class_name(&f->model->info, class, scratch);
}

/* ---- first weights ---- */

dpr_status dpr__features_first(dpr__text *page, const dpr_model *model) {
    dpr__canvas weights;
    DPR_TRY(dpr__first_weights(model, 128, &weights));
    if (weights.pixels != NULL) {
        bool colours = model->info.image.dim[2] == 3;
        dpr__text_add(
            page,
            "<h3>The first weights</h3>\n<p>One tile for each unit, all on one scale: %s.</p>\n"
            "<div class=\"pixels\">",
            colours ? "grey is zero, a bright colour adds to the unit and a dark one takes away"
                    : "red adds to the unit, blue takes away, white is zero");
        dpr__page_image(page, weights.pixels,
                        dpr_shape_of((int64_t)weights.height, (int64_t)weights.width, 3), 1200,
                        "weights of the first layer as pictures");
        dpr__text_add(page, "</div>\n");
    }
    dpr__free(model->context, weights.pixels);
    return page->status;
}

/* ---- layers ---- */

static void add_facts(const struct section *s, const dpr__unit_layer *l) {
    const dpr_feature_layer *facts = &l->facts;
    dpr__text_add(s->page, "<tr><th scope=\"row\">%s</th><td>", facts->name);
    dpr__page_count(s->page, facts->units);
    dpr__text_add(s->page, "</td><td>%lld × %lld</td>", (long long)facts->field[0],
                  (long long)facts->field[1]);
    if (facts->n_images > 0 && facts->gate)
        dpr__text_add(s->page, "<td>%u</td>", facts->dead);
    else
        dpr__text_add(s->page, "<td>–</td>");
    if (facts->n_images > 0)
        dpr__text_add(s->page, "<td>%u</td>", facts->alike);
    else
        dpr__text_add(s->page, "<td>–</td>");
    dpr__text_add(s->page, "</tr>\n");
}

static void add_table(const struct section *s) {
    const dpr_features *f = s->features;
    dpr__page_table(s->page, NULL,
                    "Units by layer. A dead unit was active for no image; one that is alike goes "
                    "with another over images, correlation "
                    "above 0.95");
    dpr__text_add(s->page,
                  "<thead><tr><th scope=\"col\">layer</th><th scope=\"col\">units</th><th "
                  "scope=\"col\">a place sees, pixels</th>"
                  "<th scope=\"col\">dead</th><th scope=\"col\">alike</th></tr></thead><tbody>\n");
    for (size_t k = 0; k < f->n_layers; k++)
        add_facts(s, &f->layers[k]);
    dpr__text_add(s->page, "</tbody></table></div>\n");
}

static dpr_status add_peaks(const struct section *s, const dpr__unit_layer *l, uint32_t unit) {
    const dpr_features *f = s->features;
    char class[16], alt[200];
    for (size_t i = 0; i < DPR__PEAKS; i++) {
        const dpr__peak *peak = &l->peaks[(size_t)unit * DPR__PEAKS + i];
        size_t height, width;
        if (peak->image < 0)
            break;
        DPR_TRY(dpr__peak_crop(f, l, peak, s->pixels, &height, &width));
        snprintf(alt, sizeof alt, "image %d, %.120s", (int)peak->image,
                 class_of(f, (uint32_t)f->data->labels[peak->image], class));
        if (height > 0 && width > 0)
            dpr__page_image(s->page, s->pixels, image_shape(f, height, width), s->side, alt);
    }
    return s->page->status;
}

/* What is said of a unit beside its number. */
static void add_unit_words(const struct section *s, const dpr__unit_layer *l, uint32_t unit) {
    const dpr_feature_layer *facts = &l->facts;
    char class[16];
    if (l->layer == l->source) {
        dpr__text_add(s->page, "<b>");
        dpr__page_text(s->page, class_of(s->features, unit, class));
        dpr__text_add(s->page, "</b>");
    } else {
        dpr__text_add(s->page, "unit %u", unit);
    }
    if (facts->n_images > 0 && facts->gate && l->active[unit] == 0)
        dpr__text_add(s->page, ", never active");
    else if (facts->n_images > 0 && facts->gate) {
        dpr__text_add(s->page, ", active in ");
        dpr__page_share(s->page, (double)l->active[unit] / (double)facts->n_images);
    }
    if (facts->n_images > 0 && l->likeness[unit] > 0.95F) {
        dpr__text_add(s->page, ", like unit %u (", l->likeness_to[unit]);
        dpr__page_number(s->page, (double)l->likeness[unit], 2);
        dpr__text_add(s->page, ")");
    }
}

static dpr_status add_unit(const struct section *s, const dpr__unit_layer *l, uint32_t i) {
    const dpr_features *f = s->features;
    size_t height, width;
    char alt[80];
    snprintf(alt, sizeof alt, "input made for unit %u", l->shown[i]);
    dpr__text_add(s->page, "<figure class=\"unit\"><figcaption>");
    add_unit_words(s, l, l->shown[i]);
    dpr__text_add(s->page, "</figcaption><div><span class=\"made\">");
    dpr__made_crop(f, l, i, s->pixels, &height, &width);
    dpr__page_image(s->page, s->pixels, image_shape(f, height, width), s->side, alt);
    dpr__text_add(s->page, "</span>");
    if (l->facts.n_images > 0)
        DPR_TRY(add_peaks(s, l, l->shown[i]));
    dpr__text_add(s->page, "</div></figure>\n");
    return s->page->status;
}

static dpr_status add_layer(const struct section *s, const dpr__unit_layer *l) {
    const int64_t *image = s->features->model->info.image.dim, *field = l->facts.field;
    bool whole = field[0] >= image[0] && field[1] >= image[1];
    dpr__text_add(s->page, "<h3>%s</h3>\n<p>", l->facts.name);
    if (l->facts.shown < l->facts.units)
        dpr__text_add(s->page, "%u of %u units. ", l->facts.shown, l->facts.units);
    if (whole)
        dpr__text_add(s->page, "A unit sees the whole image.</p>\n");
    else
        dpr__text_add(s->page, "A unit sees %lld × %lld pixels at each place.</p>\n",
                      (long long)l->facts.field[0], (long long)l->facts.field[1]);
    dpr__text_add(s->page, "<div class=\"units\">\n");
    for (uint32_t i = 0; i < l->facts.shown && s->page->length < s->most_bytes; i++)
        DPR_TRY(add_unit(s, l, i));
    dpr__text_add(s->page, "</div>\n");
    return DPR_OK;
}

static dpr_status add_layers(const struct section *s) {
    const dpr_features *f = s->features;
    size_t looked = f->n_layers > 0 ? f->layers[0].facts.n_images : 0;
    DPR_TRY(dpr__features_first(s->page, f->model));
    dpr__text_add(s->page, "<h3>Units</h3>\n<p>Of each unit first the input that was made to "
                           "excite it, by gradient ascent through the network");
    if (looked > 0) {
        dpr__text_add(s->page, "; beside it the parts of images that excite it most, of ");
        dpr__page_count(s->page, looked);
        dpr__text_add(s->page, " that were looked at");
    }
    dpr__text_add(s->page, ".</p>\n");
    add_table(s);
    for (size_t k = 0; k < f->n_layers; k++)
        if (dpr__features_shows(&f->layers[k]))
            DPR_TRY(add_layer(s, &f->layers[k]));
    return DPR_OK;
}

dpr_status dpr__features_section(dpr__text *page, const dpr_features *f, uint32_t side,
                                 size_t most_bytes) {
    struct section s = {.page = page, .features = f, .side = side, .most_bytes = most_bytes};
    const int64_t *dim = f->model->info.image.dim;
    DPR_TRY(dpr__allocate(f->context, (size_t)(dim[0] * dim[1]), (size_t)dim[2], &s.pixels));
    dpr__text_add(page, "<section id=\"features\"><h2>What the layers learned</h2>\n");
    dpr_status status = add_layers(&s);
    dpr__text_add(page, "</section>\n");
    dpr__free(f->context, s.pixels);
    return status == DPR_OK ? page->status : status;
}
