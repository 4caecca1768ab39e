/* The report's results: the confusion matrix, precision and recall of each class, and how far probabilities can be believed. */
#include "view/chart.h"
#include "view/report.h"
#include <math.h>

enum { MOST_CLASSES = 40 }; /* of a matrix that can be read */

static void add_name(dpr__text *page, const dpr_report *report, uint32_t class) {
    char number[16];
    dpr__page_text(page, dpr__class_name(dpr_model_describe(report->model), class, number));
}

static uint64_t cell(const dpr_evaluation *e, uint32_t i, uint32_t j) {
    return e->confusion[(size_t)i * e->n_classes + j];
}

static uint64_t images_of(const dpr_evaluation *e, uint32_t class) {
    uint64_t n = 0;
    for (uint32_t j = 0; j < e->n_classes; j++)
        n += cell(e, class, j);
    return n;
}

/* A number alone would say nothing to who hears the link. */
static void add_link(dpr__text *page, const dpr_report *report, uint32_t i, uint32_t j) {
    dpr__text_add(page, "<a href=\"#pair-%u-%u\" aria-label=\"%llu: ", i, j,
                  (unsigned long long)cell(&report->outcome.evaluation, i, j));
    add_name(page, report, i);
    dpr__text_add(page, ", taken for ");
    add_name(page, report, j);
    dpr__text_add(page, "\">");
}

/* A cell is as dark as its share of the row; nine steps, which the style sheet knows. */
static void add_cell(dpr__text *page, const dpr_report *report, uint32_t i, uint32_t j,
                     uint64_t all) {
    uint64_t n = cell(&report->outcome.evaluation, i, j);
    double share = all > 0 ? (double)n / (double)all : 0;
    int depth = n == 0 ? 0 : (int)ceil(9 * sqrt(share));
    dpr__text_add(page, "<td class=\"%s%d\">", i == j ? "hit h" : "miss m", depth);
    bool linked = i != j && dpr__report_shows_pair(report, i, j);
    if (linked)
        add_link(page, report, i, j);
    dpr__text_add(page, "%llu%s</td>", (unsigned long long)n, linked ? "</a>" : "");
}

static void add_matrix(dpr__text *page, const dpr_report *report) {
    const dpr_evaluation *e = &report->outcome.evaluation;
    dpr__page_table(page, "matrix",
                    "Confusion: rows are true classes, columns what they were taken for. A number "
                    "that is underlined leads to its images.");
    dpr__text_add(page, "\n<thead><tr><td></td>");
    for (uint32_t j = 0; j < e->n_classes; j++) {
        dpr__text_add(page, "<th scope=\"col\">");
        add_name(page, report, j);
        dpr__text_add(page, "</th>");
    }
    dpr__text_add(page, "</tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < e->n_classes; i++) {
        dpr__text_add(page, "<tr><th scope=\"row\">");
        add_name(page, report, i);
        dpr__text_add(page, "</th>");
        for (uint32_t j = 0; j < e->n_classes; j++)
            add_cell(page, report, i, j, images_of(e, i));
        dpr__text_add(page, "</tr>\n");
    }
    dpr__text_add(page, "</tbody></table></div>\n");
}

static void add_classes(dpr__text *page, const dpr_report *report) {
    const dpr_evaluation *e = &report->outcome.evaluation;
    dpr__page_table(page, "classes",
                    "Of the images called so, the share that is (precision); of those that are, "
                    "the share called so (recall)");
    dpr__text_add(page,
                  "\n<thead><tr><th scope=\"col\">class</th><th scope=\"col\">precision</th><th "
                  "scope=\"col\">recall</th><th scope=\"col\">images</th></tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < e->n_classes; i++) {
        dpr__text_add(page, "<tr><th scope=\"row\">");
        add_name(page, report, i);
        dpr__text_add(page, "</th><td>");
        dpr__page_share(page, e->precision[i]);
        dpr__text_add(page, "</td><td>");
        dpr__page_share(page, e->recall[i]);
        dpr__text_add(page, "</td><td>");
        dpr__page_count(page, images_of(e, i));
        dpr__text_add(page, "</td></tr>\n");
    }
    dpr__text_add(page, "</tbody></table></div>\n");
}

static void add_bins(dpr__text *page, const dpr__outcome *o) {
    dpr__text_add(page, "<details><summary>The bars</summary>\n");
    dpr__page_table(page, NULL, "Images by the probability that they were given");
    dpr__text_add(page,
                  "\n<thead><tr><th scope=\"col\">images</th><th scope=\"col\">probability</th><th "
                  "scope=\"col\">right</th></tr></thead>\n<tbody>\n");
    for (size_t b = 0; b < DPR__BINS; b++) {
        if (o->bin_count[b] == 0)
            continue;
        dpr__text_add(page, "<tr><td>");
        dpr__page_count(page, o->bin_count[b]);
        dpr__text_add(page, "</td><td>");
        dpr__page_share(page, o->bin_confidence[b]);
        dpr__text_add(page, "</td><td>");
        dpr__page_share(page, o->bin_accuracy[b]);
        dpr__text_add(page, "</td></tr>\n");
    }
    dpr__text_add(page, "</tbody></table></div></details>\n");
}

static void add_calibration(dpr__text *page, const dpr_report *report) {
    const dpr__outcome *o = &report->outcome;
    double said = 0;
    for (size_t b = 0; b < DPR__BINS; b++)
        said += o->bin_confidence[b] * (double)o->bin_count[b] / (double)o->evaluation.n;
    const char *verdict = !isfinite(o->evaluation.loss)
                              ? "Its loss is not finite, and so its probabilities mean nothing."
                          : fabs(said - o->evaluation.accuracy) < 0.01 ? "On the whole that agrees."
                          : said > o->evaluation.accuracy              ? "It is too sure of itself."
                                                          : "It could be surer of itself.";
    char words[160];
    dpr__format(page->context, words, sizeof words,
                "in %d bins of probability, the share of images that is right; expected "
                "calibration error %.2f %%",
                DPR__BINS, 100 * o->ece);
    dpr__text_add(page, "<div class=\"charts\">\n");
    dpr__chart_reliability(page, words, o->bin_confidence, o->bin_accuracy, o->bin_count,
                           DPR__BINS);
    dpr__text_add(page, "</div>\n");
    add_bins(page, o);
    dpr__text_add(
        page, "<p id=\"calibration\">The model gives the class that it chooses a probability of ");
    dpr__page_share(page, said);
    dpr__text_add(page, " in the mean, and is right in ");
    dpr__page_share(page, o->evaluation.accuracy);
    dpr__text_add(
        page,
        ". %s Bars above the diagonal: more is right than was said. Expected calibration error: ",
        verdict);
    dpr__page_share(page, o->ece);
    dpr__text_add(page, ".</p>\n");
}

void dpr__report_results(dpr__text *page, const dpr_report *report) {
    dpr__text_add(page, "<section id=\"results\"><h2>Results</h2>\n");
    if (report->outcome.evaluation.n_classes <= MOST_CLASSES)
        add_matrix(page, report);
    add_classes(page, report);
    add_calibration(page, report);
    dpr__text_add(page, "</section>\n");
}
