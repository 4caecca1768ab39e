/* The report's images: mistakes that the model was surest of, images that it doubted most, and the pairs of classes that it mixes up most. */
#include "base/context.h"
#include "view/report.h"

enum {
    MISTAKES = 24,
    DOUBTFUL = 12,
    OF_PAIR = 6, /* of each pair of classes */
};

struct gallery {
    dpr__text *page;
    const dpr_report *report;
    uint8_t *pixels; /* of one image */
};

static const char *class_of(const struct gallery *g, uint32_t class, char number[16]) {
    return dpr__class_name(dpr_model_describe(g->report->model), class, number);
}

/* Of noise even a small picture takes 16 KB: a page that has many has no room for more. */
static bool is_full(const struct gallery *g) {
    enum { MOST_BYTES = 1400 << 10 };
    return g->page->length > MOST_BYTES;
}

static dpr_status add_image(const struct gallery *g, uint32_t image) {
    const dpr__outcome *o = &g->report->outcome;
    int32_t index = (int32_t)image;
    DPR_TRY(dpr_data_augment(o->data, NULL, 1, 1, &index, 1, g->pixels));
    dpr__verdict_figure(g->page, dpr_model_describe(g->report->model), g->pixels, "test", image,
                        (uint32_t)o->data->labels[image], &o->verdicts[image]);
    return g->page->status;
}

static dpr_status add_images(const struct gallery *g, const char *title, const char *words,
                             const uint32_t *images, size_t n) {
    dpr__text_add(g->page, "<h3>%s</h3>\n<p>%s</p>\n<div class=\"gallery\">\n", title, words);
    for (size_t i = 0; i < n && !is_full(g); i++)
        DPR_TRY(add_image(g, images[i]));
    dpr__text_add(g->page, "</div>\n");
    return DPR_OK;
}

/* ---- pairs ---- */

bool dpr__report_shows_pair(const dpr_report *report, uint32_t true_class, uint32_t predicted) {
    const dpr__outcome *o = &report->outcome;
    size_t pair = (size_t)true_class * o->evaluation.n_classes + predicted;
    for (size_t i = 0; i < o->n_pairs; i++)
        if (o->pairs[i] == pair)
            return true;
    return false;
}

static dpr_status add_pair(const struct gallery *g, uint32_t true_class, uint32_t predicted) {
    const dpr__outcome *o = &g->report->outcome;
    const dpr_evaluation *e = &o->evaluation;
    char a[16], b[16];
    size_t shown = 0;
    dpr__text_add(g->page, "<h4 id=\"pair-%u-%u\">", true_class, predicted);
    dpr__page_text(g->page, class_of(g, true_class, a));
    dpr__text_add(g->page, ", taken for ");
    dpr__page_text(g->page, class_of(g, predicted, b));
    dpr__text_add(g->page, ": %llu</h4>\n<div class=\"gallery\">\n",
                  (unsigned long long)e->confusion[(size_t)true_class * e->n_classes + predicted]);
    for (size_t i = 0; i < o->n_mistakes && shown < OF_PAIR && !is_full(g); i++) {
        uint32_t image = o->mistakes[i];
        if ((uint32_t)o->data->labels[image] != true_class ||
            o->verdicts[image].predicted != predicted)
            continue;
        DPR_TRY(add_image(g, image));
        shown++;
    }
    dpr__text_add(g->page, "</div>\n");
    return DPR_OK;
}

static dpr_status add_pairs(const struct gallery *g) {
    const dpr__outcome *o = &g->report->outcome;
    size_t k = o->evaluation.n_classes;
    dpr__text_add(g->page, "<h3>Mixed up most</h3>\n");
    for (size_t i = 0; i < o->n_pairs; i++)
        DPR_TRY(add_pair(g, (uint32_t)(o->pairs[i] / k), (uint32_t)(o->pairs[i] % k)));
    return DPR_OK;
}

static dpr_status add_all(const struct gallery *g) {
    const dpr__outcome *o = &g->report->outcome;
    size_t mistakes = o->n_mistakes < MISTAKES ? o->n_mistakes : MISTAKES;
    size_t doubtful = o->data->n < DOUBTFUL ? o->data->n : DOUBTFUL;
    if (mistakes == 0)
        dpr__text_add(g->page, "<p>There are none.</p>\n");
    if (mistakes > 0)
        DPR_TRY(add_images(g, "Surest mistakes",
                           "The true class, what it was taken for, and how sure the model was.",
                           o->mistakes, mistakes));
    if (mistakes > 0)
        DPR_TRY(add_pairs(g));
    return add_images(g, "Most doubtful",
                      "Where the two likeliest classes are closest: right or wrong by a hair.",
                      o->doubtful, doubtful);
}

dpr_status dpr__report_mistakes(dpr__text *page, const dpr_report *report) {
    struct gallery g = {.page = page, .report = report};
    DPR_TRY(dpr__allocate(report->context, dpr__image_bytes(&report->outcome.data->info), 1,
                          &g.pixels));
    dpr__text_add(page, "<section id=\"mistakes\"><h2>Mistakes</h2>\n");
    dpr_status status = add_all(&g);
    dpr__text_add(page, "</section>\n");
    dpr__free(report->context, g.pixels);
    return status;
}
