/* The page of a sweep: the verdict, accuracy against depth and against parameters, all rows and comparisons, how it was done, and all runs. */
#include "base/context.h"
#include "view/chart.h"
#include "view/page.h"
#include "view/sweep.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *half_of(const dpr_sweep *sweep) {
    return sweep->test != NULL ? "test" : "validation";
}

/* ---- charts ---- */

/* Rows as points of series: x is depth or parameters. Points of series k are first[k] … first[k + 1] − 1. */
struct points {
    const dpr_sweep *sweep;
    bool by_size;
    size_t n, n_series;
    size_t *row, first[DPR__MOST_SERIES + 1];
    double *x, *y, *low, *high;
    const char **labels;
    char names[DPR__MOST_SERIES][24];
    dpr__text text; /* of labels, one after the other */
};

static dpr_status points_init(struct points *p, const dpr_sweep *sweep, bool by_size) {
    dpr_context *context = sweep->context;
    size_t most = 2 * sweep->options.n_cases; /* the front shows rows again */
    *p = (struct points){.sweep = sweep, .by_size = by_size};
    dpr__text_init(&p->text, context);
    DPR_TRY(dpr__allocate(context, most, sizeof *p->row, &p->row));
    DPR_TRY(dpr__allocate(context, most, sizeof *p->labels, &p->labels));
    DPR_TRY(dpr__allocate(context, 4 * most, sizeof *p->x, &p->x));
    p->y = p->x + most, p->low = p->y + most, p->high = p->low + most;
    return DPR_OK;
}

static void points_release(struct points *p) {
    dpr__free(p->sweep->context, p->row);
    dpr__free(p->sweep->context, (void *)p->labels);
    dpr__free(p->sweep->context, p->x);
    dpr__text_release(&p->text);
}

static double x_of(const struct points *p, size_t row) {
    return p->by_size ? (double)p->sweep->rows[row].parameters : p->sweep->rows[row].depth;
}

/* Puts a row among those of the last series, in order of x. */
static void add_point(struct points *p, size_t row) {
    size_t at = p->n++, first = p->first[p->n_series];
    for (; at > first && x_of(p, p->row[at - 1]) > x_of(p, row); at--)
        p->row[at] = p->row[at - 1];
    p->row[at] = row;
}

static void end_series(struct points *p) {
    p->first[++p->n_series] = p->n;
}

/* Labels lie one after the other, each with its NUL. */
static void fill_points(struct points *p) {
    size_t at = 0;
    for (size_t i = 0; i < p->n; i++) {
        const dpr_sweep_row *row = &p->sweep->rows[p->row[i]];
        p->x[i] = x_of(p, p->row[i]);
        p->y[i] = row->mean;
        p->low[i] = row->low < 0 ? 0 : row->low; /* what can be seen */
        p->high[i] = row->high > 1 ? 1 : row->high;
        dpr__text_add(&p->text, "%s: %.2f %%", p->sweep->plans[p->row[i]].label, 100 * row->mean);
        dpr__text_bytes(&p->text, "", 1);
    }
    for (size_t i = 0; i < p->n && p->text.status == DPR_OK; i++) {
        p->labels[i] = p->text.data + at;
        at += strlen(p->labels[i]) + 1;
    }
}

/* Where the highest mean is, in words. */
static void say_best(const struct points *p, char *words, size_t bytes) {
    size_t best = 0;
    for (size_t i = 0; i < p->n; i++)
        if (!(p->y[i] <= p->y[best]))
            best = i;
    dpr__format(p->sweep->context, words, bytes, "%zu points; the highest is %.200s", p->n,
                p->labels[best]);
}

static void draw(dpr__text *page, struct points *p, const char *title, bool front) {
    dpr__series series[DPR__MOST_SERIES];
    char words[300];
    fill_points(p);
    if (p->text.status != DPR_OK || p->n == 0)
        return;
    say_best(p, words, sizeof words);
    for (size_t k = 0; k < p->n_series; k++) {
        size_t first = p->first[k];
        bool line = front && k + 1 == p->n_series;
        series[k] = (dpr__series){.name = p->names[k],
                                  .x = p->x + first,
                                  .y = p->y + first,
                                  .n = p->first[k + 1] - first,
                                  .labels = line ? NULL : p->labels + first,
                                  .low = p->low + first,
                                  .high = p->high + first,
                                  .apart = front && !line};
    }
    dpr__chart_lines(page, &(dpr__chart){.title = title,
                                         .x_title = p->by_size ? "parameters" : "hidden layers",
                                         .words = words,
                                         .percent = true,
                                         .log_x = p->by_size,
                                         .series = series,
                                         .n_series = p->n_series});
}

/* The rows that are compared with one, or that row alone: whether depths differ among them. */
static bool has_depths(const dpr_sweep *sweep, size_t reference) {
    for (size_t i = 0; i < sweep->options.n_cases; i++)
        if (sweep->rows[i].against == reference &&
            sweep->rows[i].depth != sweep->rows[reference].depth)
            return true;
    return false;
}

static void name_group(struct points *p, const dpr_sweep_row *row) {
    char *name = p->names[p->n_series];
    dpr__text count;
    dpr__text_init(&count, p->sweep->context);
    dpr__chart_count(&count, (double)row->parameters);
    snprintf(name, sizeof *p->names, "%.20s",
             row->settings[0] != '\0' || count.data == NULL ? row->settings : count.data);
    dpr__text_release(&count);
}

/* Lines over depth, one for all that are compared with the same row; up to four in a chart. */
static dpr_status chart_depths(dpr__text *page, const dpr_sweep *sweep) {
    struct points p;
    for (size_t from = 0; from < sweep->options.n_cases;) {
        dpr_status status = points_init(&p, sweep, false);
        for (; status == DPR_OK && from < sweep->options.n_cases && p.n_series < DPR__MOST_SERIES;
             from++) {
            if (sweep->rows[from].against != from || !has_depths(sweep, from))
                continue;
            for (size_t i = 0; i < sweep->options.n_cases; i++)
                if (sweep->rows[i].against == from)
                    add_point(&p, i);
            name_group(&p, &sweep->rows[from]);
            end_series(&p);
        }
        if (status == DPR_OK)
            draw(page, &p, "Accuracy against depth", false);
        points_release(&p);
        DPR_TRY(status);
    }
    return DPR_OK;
}

/* Up to three depths have series of their own; then the front. */
static dpr_status chart_sizes(dpr__text *page, const dpr_sweep *sweep) {
    struct points p;
    const dpr_sweep_row *rows = sweep->rows;
    unsigned depths[DPR__MOST_SERIES], n_depths = 0, k;
    size_t n = sweep->options.n_cases;
    double least = HUGE_VAL, most = 0;
    for (size_t i = 0; i < n; i++) {
        least = fmin(least, (double)rows[i].parameters);
        most = fmax(most, (double)rows[i].parameters);
        for (k = 0; k < n_depths && depths[k] != rows[i].depth;)
            k++;
        if (k == n_depths && k < DPR__MOST_SERIES)
            depths[n_depths++] = rows[i].depth;
    }
    if (most < 1.02 * least || least < 1)
        return DPR_OK;
    bool together = n_depths == DPR__MOST_SERIES;
    dpr_status status = points_init(&p, sweep, true);
    for (k = 0; status == DPR_OK && k < (together ? 1 : n_depths); k++) {
        for (size_t i = 0; i < n; i++)
            if (together || rows[i].depth == depths[k])
                add_point(&p, i);
        snprintf(p.names[k], sizeof *p.names, together ? "networks" : "depth %u", depths[k]);
        end_series(&p);
    }
    for (size_t i = 0; status == DPR_OK && i < n; i++)
        if (rows[i].front)
            add_point(&p, i);
    if (status == DPR_OK) {
        snprintf(p.names[k], sizeof *p.names, "front");
        end_series(&p);
        draw(page, &p, "Accuracy against parameters", true);
    }
    points_release(&p);
    return status;
}

/* ---- tables ---- */

static void add_head(dpr__text *page, const char *const *titles, size_t n) {
    dpr__text_add(page, "\n<thead><tr>");
    for (size_t i = 0; i < n; i++)
        dpr__text_add(page, "<th scope=\"col\">%s</th>", titles[i]);
    dpr__text_add(page, "</tr></thead>\n<tbody>\n");
}
#define HEAD(page, ...)                                                                            \
    add_head(page, (const char *const[]){__VA_ARGS__},                                             \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void next_cell(dpr__text *page) {
    dpr__text_add(page, "</td><td>");
}

static void add_interval(dpr__text *page, double low, double high) {
    dpr__page_share(page, low);
    dpr__text_add(page, " to ");
    dpr__page_share(page, high);
}

static void add_widths(dpr__text *page, const dpr_sweep_row *row) {
    for (unsigned k = 0; k < row->depth; k++)
        dpr__text_add(page, "%s%u", k > 0 ? "-" : "", row->widths[k]);
    next_cell(page);
    dpr__page_count(page, row->parameters);
}

/* "12 (1.33 × the flops)", of those of the network that it is compared with. */
static void add_epochs(dpr__text *page, const dpr_sweep *sweep, size_t i, bool tuning) {
    const dpr_sweep_row *row = &sweep->rows[i];
    double ratio = dpr__sweep_flops_ratio(sweep, i, tuning);
    if (!tuning || row->tuned)
        dpr__text_add(page, "%u", tuning ? sweep->plans[i].tune_epochs : row->epochs);
    if (!tuning && row->n > 0 && row->epochs_trained < row->epochs)
        dpr__text_add(page, " planned, %.3g trained", row->epochs_trained);
    if (dpr__sweep_is_off(ratio))
        dpr__text_add(page, " (%.3g × the flops)", ratio);
}

static void add_rows(dpr__text *page, const dpr_sweep *sweep) {
    dpr__page_table(page, NULL, "What each network came to");
    HEAD(page, "network", "hidden widths", "parameters", "epochs", "epochs to tune",
         "learning rate", "runs", "accuracy", "95 % interval", "on the front");
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        const dpr_sweep_row *row = &sweep->rows[i];
        dpr__text_add(page, "<tr><th scope=\"row\">");
        dpr__page_text(page, sweep->plans[i].label);
        dpr__text_add(page, "</th><td>");
        add_widths(page, row);
        next_cell(page);
        add_epochs(page, sweep, i, false);
        next_cell(page);
        add_epochs(page, sweep, i, true);
        dpr__text_add(page, "</td><td>%.3g%s</td><td>%zu", row->learning_rate,
                      row->at_edge ? " (at the edge)" : "", row->n);
        if (row->n_diverged > 0)
            dpr__text_add(page, ", %zu diverged", row->n_diverged);
        next_cell(page);
        dpr__page_share(page, row->mean);
        next_cell(page);
        add_interval(page, row->low, row->high);
        dpr__text_add(page, "</td><td>%s</td></tr>\n", row->front ? "yes" : "");
    }
    dpr__text_add(page, "</tbody></table></div>\n");
}

static void add_comparisons(dpr__text *page, const dpr_sweep *sweep) {
    bool any = false;
    for (size_t i = 0; i < sweep->options.n_cases; i++)
        any = any || sweep->rows[i].n_pairs > 0;
    if (!any)
        return;
    dpr__text_add(page, "<section id=\"comparisons\"><h2>Comparisons</h2>\n");
    dpr__page_table(page, NULL, "Differences in accuracy, seed by seed");
    HEAD(page, "network", "against", "seeds", "difference", "95 % interval", "p", "p corrected");
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        const dpr_sweep_row *row = &sweep->rows[i];
        if (row->n_pairs == 0)
            continue;
        dpr__text_add(page, "<tr><th scope=\"row\">");
        dpr__page_text(page, sweep->plans[i].label);
        dpr__text_add(page, "</th><td>");
        dpr__page_text(page, sweep->plans[row->against].label);
        dpr__text_add(page, "</td><td>%zu</td><td>", row->n_pairs);
        dpr__page_share(page, row->difference);
        next_cell(page);
        add_interval(page, row->difference_low, row->difference_high);
        next_cell(page);
        dpr__page_number(page, row->p, 4);
        next_cell(page);
        dpr__page_number(page, row->p_corrected, 4);
        dpr__text_add(page, "</td></tr>\n");
    }
    dpr__text_add(page,
                  "</tbody></table></div>\n<p>Each seed gives both networks the same order of "
                  "images. p is that of a paired t "
                  "test over the seeds, of two sides, or of a sign test where all seeds have the "
                  "same difference, whose interval is not known; corrected by Holm (1979) for all "
                  "comparisons "
                  "of this page. Intervals are each for itself.</p></section>\n");
}

static void add_runs(dpr__text *page, const dpr_sweep *sweep) {
    dpr__text_add(page,
                  "<section id=\"runs\"><h2>Runs</h2>\n<details><summary>All runs</summary>\n");
    dpr__page_table(page, NULL, "Run by run");
    HEAD(page, "network", "seed", "epochs", "validation", "test", "seconds");
    for (size_t k = 0; k < sweep->n_runs; k++) {
        const dpr_sweep_run *run = &sweep->runs[k];
        if (!run->done)
            continue;
        dpr__text_add(page, "<tr><th scope=\"row\">");
        dpr__page_text(page, sweep->plans[run->case_index].label);
        dpr__text_add(page, "</th><td>%llu%s</td><td>%u</td><td>", (unsigned long long)run->seed,
                      run->diverged ? ", diverged" : "", run->epochs);
        dpr__page_share(page, run->val_accuracy);
        next_cell(page);
        dpr__page_share(page, run->test_accuracy);
        next_cell(page);
        dpr__page_number(page, run->seconds, 1);
        dpr__text_add(page, "</td></tr>\n");
    }
    dpr__text_add(page, "</tbody></table></div></details></section>\n");
}

/* ---- words ---- */

static void add_tuning(dpr__text *page, const dpr_sweep *sweep) {
    size_t i = 0;
    while (i < sweep->options.n_cases && !sweep->plans[i].tuned)
        i++;
    if (i == sweep->options.n_cases) {
        dpr__text_add(page, "<p>Learning rates are those that were asked for.</p>\n");
        return;
    }
    unsigned epochs = sweep->plans[sweep->rows[i].against].tune_epochs;
    dpr__text_add(page,
                  "<p>The learning rate is tuned for each network by itself: with seed %llu its "
                  "optimiser's usual rate times 1/9, 1/3, 1, 3 and 9 is tried for a small budget, "
                  "that of %u epoch%s of ",
                  (unsigned long long)sweep->options.seed, epochs, epochs > 1 ? "s" : "");
    dpr__page_text(page, sweep->plans[sweep->rows[i].against].label);
    dpr__text_add(page, ", and the one of the best validation accuracy is taken; while that is the "
                        "largest or the smallest, one beyond it is tried, up to 81 or 1/81 times. "
                        "A rate that is good in short runs need not be the best in long ones; at "
                        "the edge means that none beyond it was tried.</p>\n");
}

static void add_method(dpr__text *page, const dpr_sweep *sweep) {
    const dpr_sweep_options *o = &sweep->options;
    dpr__text_add(page,
                  "<section id=\"method\"><h2>How it was done</h2>\n<p>Every network is trained "
                  "with the seeds %llu to %llu on ",
                  (unsigned long long)o->seed, (unsigned long long)(o->seed + o->seeds - 1));
    dpr__page_count(page, dpr_data_count(sweep->train));
    dpr__text_add(page, " images. ");
    if (sweep->validation != NULL) {
        dpr__page_count(page, dpr_data_count(sweep->validation));
        dpr__text_add(page, " more, held back from training, are for validation. ");
    }
    if (sweep->test != NULL) {
        dpr__text_add(page, "The test half, ");
        dpr__page_count(page, dpr_data_count(sweep->test));
        dpr__text_add(page, " images, is looked at once a run, at its end. ");
    }
    dpr__text_add(
        page,
        "Networks that are compared have the same budget of %s, to whole epochs, one at least; "
        "where that makes flops differ by over 10 %%, the table says how many times those of the "
        "other they are",
        o->budget);
    if (strcmp(o->budget, "flops") == 0)
        dpr__text_add(page, "; a training step counts as three forward passes, without the "
                            "gradient of the images, which nobody takes");
    dpr__text_add(page, ". Intervals are of 95 %%, by Student's t over the seeds. A network is on "
                        "the front when none is as good with fewer parameters.</p>\n");
    add_tuning(page, sweep);
    if (o->command != NULL) {
        dpr__text_add(page, "<pre>");
        dpr__page_text(page, o->command);
        dpr__text_add(page, "</pre>\n");
    }
    dpr__text_add(page, "</section>\n");
}

static void add_header(dpr__text *page, const dpr_sweep *sweep) {
    size_t done = 0;
    for (size_t k = 0; k < sweep->n_runs; k++)
        done += sweep->runs[k].done;
    dpr__text_add(page, "<header><h1>Sweep");
    if (sweep->options.data_name != NULL) {
        dpr__text_add(page, " of ");
        dpr__page_text(page, sweep->options.data_name);
    }
    dpr__text_add(page, "</h1>\n<p class=\"lead\" id=\"verdict\">");
    dpr__page_text(page, sweep->verdict);
    dpr__text_add(page, "</p>\n");
    if (done < sweep->n_runs)
        dpr__text_add(page, "<p>%zu of %zu runs are done.</p>\n", done, sweep->n_runs);
    dpr__text_add(
        page,
        "</header>\n<main>\n<section id=\"accuracy\"><h2>Accuracy</h2>\n<p>Of the %s half.</p>\n",
        half_of(sweep));
}

dpr_status dpr__sweep_write_page(const dpr_sweep *sweep) {
    dpr__text page;
    dpr__text_init(&page, sweep->context);
    dpr__page_begin(&page, "Sweep");
    add_header(&page, sweep);
    dpr__text_add(&page, "<div class=\"charts\">\n");
    dpr_status status = chart_depths(&page, sweep);
    if (status == DPR_OK)
        status = chart_sizes(&page, sweep);
    dpr__text_add(&page, "</div>\n");
    add_rows(&page, sweep);
    dpr__text_add(&page, "</section>\n");
    add_comparisons(&page, sweep);
    add_method(&page, sweep);
    add_runs(&page, sweep);
    dpr__text_add(&page, "</main>\n");
    dpr__page_end(&page);
    return dpr__sweep_write(sweep, "sweep.html", &page, status == DPR_OK ? page.status : status);
}
