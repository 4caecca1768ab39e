/* The report's curves: loss, accuracy and learning rate of the run record, stretch by stretch (train/curve.c), with validation epoch by epoch. */
#include "base/context.h"
#include "view/chart.h"
#include "view/report.h"
#include <math.h>

/* Columns of the history, each one number an epoch. */
enum { EPOCH, LOSS, VAL_LOSS, ACCURACY, VAL_ACCURACY, RATE, SECONDS, IMAGES, N_COLUMNS };
static const char *const keys[N_COLUMNS] = {
    "epoch",        "loss", "val_loss", "train_accuracy",
    "val_accuracy", "lr",   "seconds",  "images_per_second"};

struct history {
    size_t n;
    double *column[N_COLUMNS]; /* NaN where an epoch has no such number */
    bool has_validation;
};

static dpr_status read_history(dpr_context *context, const dpr__json *record, struct history *out) {
    const dpr__json *epochs = dpr__json_get(record, "history");
    *out = (struct history){.n = epochs != NULL ? epochs->n : 0};
    size_t i = 0;
    if (out->n == 0)
        return DPR_OK;
    DPR_TRY(dpr__allocate(context, out->n * N_COLUMNS, sizeof(double), &out->column[0]));
    for (size_t c = 1; c < N_COLUMNS; c++)
        out->column[c] = out->column[0] + c * out->n;
    for (const dpr__json *epoch = epochs->first; epoch != NULL; epoch = epoch->next, i++)
        for (size_t c = 0; c < N_COLUMNS; c++)
            if (!dpr__json_double(context, dpr__json_get(epoch, keys[c]), &out->column[c][i]))
                out->column[c][i] = (double)NAN;
    out->has_validation = isfinite(out->column[VAL_LOSS][0]);
    return DPR_OK;
}

/* Points of the training's curves: x in epochs. Of an older run, one an epoch. */
enum { AT, OWN_LOSS, OWN_ACCURACY, OWN_RATE, N_OWN };
struct curve {
    size_t n;
    double *column[N_OWN], *made; /* made: to be freed; NULL where columns are the history's */
};

static dpr_status read_curve(dpr_context *context, const dpr__json *record, const struct history *h,
                             struct curve *out) {
    const dpr__json *rows = dpr__json_get(record, "curve");
    double steps;
    *out = (struct curve){
        .n = h->n,
        .column = {h->column[EPOCH], h->column[LOSS], h->column[ACCURACY], h->column[RATE]}};
    if (rows == NULL || rows->n == 0 || rows->n < h->n ||
        !dpr__json_double(context, dpr__json_get(record, "steps_per_epoch"), &steps) ||
        !(steps > 0))
        return DPR_OK;
    out->n = rows->n;
    DPR_TRY(dpr__allocate(context, out->n * N_OWN, sizeof(double), &out->made));
    for (size_t c = 0; c < N_OWN; c++)
        out->column[c] = out->made + c * out->n;
    size_t i = 0;
    for (const dpr__json *row = rows->first; row != NULL; row = row->next, i++) {
        const dpr__json *item = row->first;
        for (size_t c = 0; c < N_OWN; c++, item = item != NULL ? item->next : NULL)
            if (!dpr__json_double(context, item, &out->column[c][i]))
                out->column[c][i] = (double)NAN;
        out->column[AT][i] /= steps;
    }
    return DPR_OK;
}

/* A chart of one column of the training, and of the validation, one number an epoch; NULL: there is none. */
static void add_chart(dpr__text *page, const struct history *h, const struct curve *curve,
                      const char *title, size_t own, const double *validation, bool percent) {
    const double *y = curve->column[own];
    char words[160];
    const dpr__series series[] = {
        {.name = "training", .x = curve->column[AT], .y = y, .n = curve->n},
        {.name = "validation", .x = h->column[EPOCH], .y = validation, .n = h->n}};
    double scale = percent ? 100 : 1, epochs = curve->column[AT][curve->n - 1];
    const char *unit = percent ? " %" : "";
    if (!isfinite(y[0]) || !isfinite(y[curve->n - 1])) /* in a record that no run wrote */
        dpr__format(page->context, words, sizeof words, "not told at its ends");
    else
        dpr__format(page->context, words, sizeof words,
                    "from %.4g%s at the beginning to %.4g%s after %.3g epochs", scale * y[0], unit,
                    scale * y[curve->n - 1], unit, epochs);
    dpr__chart_lines(page, &(dpr__chart){.title = title,
                                         .x_title = "epochs",
                                         .words = words,
                                         .percent = percent,
                                         .from_zero = own == OWN_RATE,
                                         .series = series,
                                         .n_series = validation != NULL ? 2 : 1});
}

static void add_charts(dpr__text *page, const struct history *h, const struct curve *curve) {
    bool both = h->has_validation;
    dpr__text_add(page, "<div class=\"charts\">\n");
    add_chart(page, h, curve, "Loss", OWN_LOSS, both ? h->column[VAL_LOSS] : NULL, false);
    add_chart(page, h, curve, "Accuracy", OWN_ACCURACY, both ? h->column[VAL_ACCURACY] : NULL,
              true);
    add_chart(page, h, curve, "Learning rate", OWN_RATE, NULL, false);
    dpr__text_add(page, "</div>\n");
}

enum { MOST_ROWS = 500 }; /* the last epochs of a long run */

static void add_table(dpr__text *page, const struct history *h) {
    dpr__text_add(page, "<details><summary>The numbers</summary>\n");
    dpr__page_table(page, NULL, "Training, epoch by epoch");
    dpr__text_add(page, "\n<thead><tr><th scope=\"col\">epoch</th><th scope=\"col\">loss</th><th "
                        "scope=\"col\">accuracy</th>");
    if (h->has_validation)
        dpr__text_add(
            page,
            "<th scope=\"col\">validation loss</th><th scope=\"col\">validation accuracy</th>");
    dpr__text_add(page, "<th scope=\"col\">learning rate</th><th scope=\"col\">seconds</th><th "
                        "scope=\"col\">images/s</th></tr></thead>\n<tbody>\n");
    for (size_t i = h->n > MOST_ROWS ? h->n - MOST_ROWS : 0; i < h->n; i++) {
        dpr__text_add(page, "<tr><th scope=\"row\">%zu</th><td>", i + 1);
        dpr__page_number(page, h->column[LOSS][i], 4);
        dpr__text_add(page, "</td><td>");
        dpr__page_share(page, h->column[ACCURACY][i]);
        if (h->has_validation) {
            dpr__text_add(page, "</td><td>");
            dpr__page_number(page, h->column[VAL_LOSS][i], 4);
            dpr__text_add(page, "</td><td>");
            dpr__page_share(page, h->column[VAL_ACCURACY][i]);
        }
        dpr__text_add(page, "</td><td>");
        dpr__page_number(page, h->column[RATE][i], 6);
        dpr__text_add(page, "</td><td>");
        dpr__page_number(page, h->column[SECONDS][i], 1);
        dpr__text_add(page, "</td><td>");
        dpr__page_number(page, h->column[IMAGES][i], 0);
        dpr__text_add(page, "</td></tr>\n");
    }
    dpr__text_add(page, "</tbody></table></div></details>\n");
}

dpr_status dpr__report_training(dpr__text *page, const dpr__json *record) {
    struct history h;
    struct curve curve = {0};
    dpr_status status = read_history(page->context, record, &h);
    if (status == DPR_OK)
        status = read_curve(page->context, record, &h, &curve);
    dpr__text_add(page, "<section id=\"training\"><h2>Training</h2>\n");
    if (curve.n == 0)
        dpr__text_add(page, "<p>No step is told of yet.</p>\n");
    if (status == DPR_OK && curve.n > 0)
        add_charts(page, &h, &curve);
    if (status == DPR_OK && h.n > 0)
        add_table(page, &h);
    dpr__text_add(page, "</section>\n");
    dpr__free(page->context, curve.made);
    dpr__free(page->context, h.column[0]);
    return status;
}
