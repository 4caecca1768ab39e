/* The page of a learning-rate range test: the loss over the rate, and the rate that was chosen. */
#include "base/context.h"
#include "base/file.h"
#include "base/memory.h"
#include "view/chart.h"
#include "view/page.h"
#include <math.h>

enum { RATE, LOSS, SMOOTH, N_COLUMNS };

static void add_rate(dpr__text *page, const char *before, double rate) {
    dpr__text_add(page, "%s<data value=\"%.15g\">%.2g</data>", before, rate, rate);
}

static void add_summary(dpr__text *page, const dpr_rate_test *test) {
    dpr__text_add(page, "<p class=\"lead\" id=\"suggested\">");
    if (test->suggested > 0) {
        add_rate(page, "Train with a learning rate of <strong>", test->suggested);
        if (test->suggested_rest > 0)
            add_rate(page, "</strong>, and one for what muon leaves over of <strong>",
                     test->suggested_rest);
        add_rate(page, "</strong>. The smoothed loss has done 95 % of its fall at ",
                 test->rate[test->fallen]);
        add_rate(page, ", and is lowest at ", test->rate[test->lowest]);
        dpr__text_add(page, ".");
    } else {
        dpr__text_add(page, "The loss has not fallen at any rate: it is not the rate that is "
                            "wrong.");
    }
    dpr__text_add(page,
                  " The rate grew by the same factor at each of %zu updates (Smith 2017, section "
                  "3.3)%s.</p>\n",
                  test->n, test->diverged ? ", until the loss rose far" : "");
}

/* Single losses far above the smoothed ones would leave no room for these. */
static void fill_columns(const dpr_rate_test *test, double *column[N_COLUMNS], double *highest) {
    *highest = 0;
    for (size_t i = 0; i < test->n; i++)
        *highest = fmax(*highest, test->smooth[i]);
    for (size_t i = 0; i < test->n; i++) {
        column[RATE][i] = log10(test->rate[i]);
        column[SMOOTH][i] = test->smooth[i];
        column[LOSS][i] = test->loss[i] <= *highest ? test->loss[i] : (double)NAN;
    }
}

static void add_chart(dpr__text *page, const dpr_rate_test *test, double *const column[N_COLUMNS],
                      double highest) {
    char words[200];
    double at = log10(test->suggested), x[2] = {at, at}, y[2] = {0, highest};
    const dpr__series series[] = {
        {.name = "batch", .x = column[RATE], .y = column[LOSS], .n = test->n},
        {.name = "smoothed", .x = column[RATE], .y = column[SMOOTH], .n = test->n},
        {.name = "choice", .x = x, .y = y, .n = 2}};
    dpr__format(
        page->context, words, sizeof words,
        "smoothed, from %.3g at a rate of %.2g down to %.3g at %.2g, and %.3g at %.2g in the end",
        test->smooth[0], test->rate[0], test->smooth[test->lowest], test->rate[test->lowest],
        test->smooth[test->n - 1], test->rate[test->n - 1]);
    dpr__chart_lines(page, &(dpr__chart){.title = "Loss",
                                         .x_title = "learning rate, as its power of ten",
                                         .words = words,
                                         .from_zero = true,
                                         .series = series,
                                         .n_series = test->suggested > 0 ? 3 : 2});
}

static void add_table(dpr__text *page, const dpr_rate_test *test) {
    dpr__text_add(page, "<details><summary>The numbers</summary>\n");
    dpr__page_table(page, NULL, "The test, update by update");
    dpr__text_add(
        page, "\n<thead><tr><th scope=\"col\">update</th><th scope=\"col\">learning rate</th>"
              "<th scope=\"col\">loss</th><th scope=\"col\">smoothed</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < test->n; i++) {
        dpr__text_add(
            page, "<tr><th scope=\"row\">%zu</th><td><data value=\"%.15g\">%.3g</data></td><td>",
            i + 1, test->rate[i], test->rate[i]);
        dpr__page_number(page, test->loss[i], 4);
        dpr__text_add(page, "</td><td>");
        dpr__page_number(page, test->smooth[i], 4);
        dpr__text_add(page, "</td></tr>\n");
    }
    dpr__text_add(page, "</tbody></table></div></details>\n");
}

static dpr_status make_page(dpr__text *page, const dpr_rate_test *test, const char *name) {
    double *column[N_COLUMNS], highest;
    dpr__page_begin(page, name);
    dpr__text_add(page, "<header><h1>");
    dpr__page_text(page, name);
    dpr__text_add(page, "</h1>\n");
    add_summary(page, test);
    dpr__text_add(page, "</header>\n<main>\n");
    if (test->n > 0) {
        DPR_TRY(dpr__allocate(page->context, test->n * N_COLUMNS, sizeof(double), &column[0]));
        for (size_t c = 1; c < N_COLUMNS; c++)
            column[c] = column[0] + c * test->n;
        fill_columns(test, column, &highest);
        add_chart(page, test, column, highest);
        add_table(page, test);
        dpr__free(page->context, column[0]);
    }
    dpr__text_add(page, "</main>\n");
    dpr__page_end(page);
    return page->status;
}

dpr_status dpr_rate_test_write(dpr_context *context, const dpr_rate_test *test, const char *name,
                               const char *path) {
    dpr__text page;
    dpr__text_init(&page, context);
    return dpr__file_write_text(&page, make_page(&page, test, name), path);
}
