/* Charts (chart.h). Coordinates are those of a box of 360 × 230; the browser scales it. */
#include "view/chart.h"
#include "view/page.h"
#include <math.h>

enum {
    WIDTH = 360,
    HEIGHT = 230,
    LEFT = 46,
    RIGHT = 340, /* half a "100 %" fits beside it */
    TOP = 12,
    BOTTOM = 178,
    TICKS = 5,
};

/* One axis: the values low … high lie at from … to of the box. */
struct axis {
    double low, high, step;
    double from, to;
    bool log; /* of base 10: low, high and step are logarithms */
};

static double place(const struct axis *axis, double value) {
    if (axis->log)
        value = log10(value);
    double share = axis->high > axis->low ? (value - axis->low) / (axis->high - axis->low) : 0.5;
    return axis->from + share * (axis->to - axis->from);
}

/* The step 1, 2 or 5 times a power of ten that gives some TICKS of them, and ends on multiples of it. */
static void round_axis(struct axis *axis, bool whole) {
    double most = fmax(fabs(axis->high), fabs(axis->low)), span = axis->high - axis->low;
    if (!(span > 1e-9 * most)) /* as good as one value */
        span = most > 0 ? most : 1;
    double power = pow(10, floor(log10(span / TICKS))), rest = span / TICKS / power;
    axis->step = power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
    if (!(axis->step > 0)) /* of numbers that are hardly any */
        axis->step = 1;
    if (whole && axis->step < 1)
        axis->step = 1;
    axis->low = floor(axis->low / axis->step) * axis->step;
    axis->high = ceil(axis->high / axis->step) * axis->step;
    if (axis->high <= axis->low)
        axis->high = axis->low + axis->step;
}

void dpr__chart_count(dpr__text *page, double count) {
    if (count >= 1e6)
        dpr__text_add(page, "%.3gM", count / 1e6);
    else if (count >= 1e3)
        dpr__text_add(page, "%.3gk", count / 1e3);
    else
        dpr__text_add(page, "%.3g", count);
}

static void add_number(dpr__text *page, const struct axis *axis, double value, bool percent) {
    double step = percent ? 100 * axis->step : axis->step;
    int digits = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    if (fabs(value) < axis->step / 1000)
        value = 0; /* and not −0 */
    dpr__text_add(page, "%.*f%s", digits > 6 ? 6 : digits, percent ? 100 * value : value,
                  percent ? " %" : "");
}

/* Multiples of the step within the axis: the first, and how many come after it. */
static double first_tick(const struct axis *axis) {
    return ceil(axis->low / axis->step - 1e-9) * axis->step;
}

static int ticks_of(const struct axis *axis) {
    enum { MOST = 20 };
    double n = (axis->high - first_tick(axis)) / axis->step + 1e-3;
    return n < 0 ? -1 : n < MOST ? (int)n : MOST;
}

/* 1, 2, 3 and 5 times powers of ten within the axis, fewer of them where it is long. */
static void draw_log_ticks(dpr__text *page, const struct axis *x) {
    static const int steps[] = {1, 3, 2, 5};
    double decades = x->high - x->low;
    int n = decades > 3 ? 1 : decades > 1.2 ? 2 : 4;
    for (int power = (int)floor(x->low); power <= x->high; power++)
        for (int i = 0; i < n; i++) {
            double v = steps[i] * pow(10, power), at = place(x, v);
            if (at < LEFT - 0.5 || at > RIGHT + 0.5)
                continue;
            dpr__text_add(page, "<text x=\"%.1f\" y=\"%d\" class=\"middle\">", at, BOTTOM + 14);
            dpr__chart_count(page, v);
            dpr__text_add(page, "</text>\n");
        }
}

static void draw_grid(dpr__text *page, const struct axis *x, bool x_percent, const struct axis *y,
                      bool percent) {
    for (int i = 0; i <= ticks_of(y); i++) {
        double v = first_tick(y) + i * y->step, at = place(y, v);
        dpr__text_add(
            page,
            "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" class=\"end\">",
            LEFT, at, RIGHT, LEFT - 5, at + 3.5);
        add_number(page, y, v, percent);
        dpr__text_add(page, "</text>\n");
    }
    if (x->log)
        draw_log_ticks(page, x);
    for (int i = 0; !x->log && i <= ticks_of(x); i++) {
        double v = first_tick(x) + i * x->step;
        dpr__text_add(page, "<text x=\"%.1f\" y=\"%d\" class=\"middle\">", place(x, v),
                      BOTTOM + 14);
        add_number(page, x, v, x_percent);
        dpr__text_add(page, "</text>\n");
    }
    dpr__text_add(page, "<path class=\"axis\" d=\"M%d %dH%d\"/>\n", LEFT, BOTTOM, RIGHT);
}

static void begin(dpr__text *page, const char *title, const char *words) {
    dpr__text_add(page, "<figure class=\"chart\"><figcaption>");
    dpr__page_text(page, title);
    dpr__text_add(page, "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                  WIDTH, HEIGHT);
    dpr__page_text(page, title);
    dpr__text_add(page, ": ");
    dpr__page_text(page, words);
    dpr__text_add(page, "\">\n");
}

static void draw_x_title(dpr__text *page, const char *title) {
    dpr__text_add(page, "<text x=\"%d\" y=\"%d\" class=\"middle\">", (LEFT + RIGHT) / 2,
                  BOTTOM + 30);
    dpr__page_text(page, title);
    dpr__text_add(page, "</text>\n");
}

/* ---- lines ---- */

/* A dot with a whisker from end to end of its interval. */
static void draw_dots(dpr__text *page, const dpr__series *s, size_t number, const struct axis *x,
                      const struct axis *y) {
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->y[i]))
            continue;
        double at = place(x, s->x[i]);
        if (isfinite(s->low[i]))
            dpr__text_add(page, "<path class=\"whisker s%zu\" d=\"M%.1f %.1fV%.1f\"/>\n",
                          number + 1, at, place(y, s->low[i]), place(y, s->high[i]));
        dpr__text_add(page, "<circle class=\"dot s%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>",
                      number + 1, at, place(y, s->y[i]));
        dpr__page_text(page, s->labels[i]);
        dpr__text_add(page, "</title></circle>\n");
    }
}

static void draw_line(dpr__text *page, const dpr__series *s, size_t number, const struct axis *x,
                      const struct axis *y) {
    bool drawing = false;
    if (s->labels != NULL)
        draw_dots(page, s, number, x, y);
    if (s->apart)
        return;
    dpr__text_add(page, "<path class=\"line s%zu\" d=\"", number + 1);
    for (size_t i = 0; i < s->n; i++) {
        bool there = isfinite(s->x[i]) && isfinite(s->y[i]);
        if (there)
            dpr__text_add(page, "%c%.1f %.1f", drawing ? 'L' : 'M', place(x, s->x[i]),
                          place(y, s->y[i]));
        drawing = there;
    }
    dpr__text_add(page, "\"/>\n");
    if (s->labels == NULL && s->n == 1 &&
        isfinite(s->y[0])) /* a line of one point would not be seen */
        dpr__text_add(page, "<circle class=\"dot s%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
                      number + 1, place(x, s->x[0]), place(y, s->y[0]));
}

static void draw_legend(dpr__text *page, const dpr__chart *chart) {
    double at = LEFT;
    for (size_t i = 0; chart->n_series > 1 && i < chart->n_series;
         i++, at += 300.0 / DPR__MOST_SERIES) {
        dpr__text_add(page,
                      "<path class=\"line s%zu\" d=\"M%.1f %dh14\"/><text x=\"%.1f\" y=\"%d\">",
                      i + 1, at, HEIGHT - 9, at + 18, HEIGHT - 6);
        dpr__page_text(page, chart->series[i].name);
        dpr__text_add(page, "</text>\n");
    }
}

static void widen(struct axis *axis, double value) {
    if (axis->log)
        value = log10(value);
    if (!isfinite(value))
        return;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

void dpr__chart_lines(dpr__text *page, const dpr__chart *chart) {
    struct axis x = {
        .low = HUGE_VAL, .high = -HUGE_VAL, .from = LEFT, .to = RIGHT, .log = chart->log_x};
    struct axis y = {.low = HUGE_VAL, .high = -HUGE_VAL, .from = BOTTOM, .to = TOP};
    for (size_t k = 0; k < chart->n_series; k++)
        for (size_t i = 0; i < chart->series[k].n; i++) {
            widen(&x, chart->series[k].x[i]);
            widen(&y, chart->series[k].y[i]);
            if (chart->series[k].labels != NULL) {
                widen(&y, chart->series[k].low[i]);
                widen(&y, chart->series[k].high[i]);
            }
        }
    if (chart->from_zero)
        widen(&y, 0);
    if (!(isfinite(x.high - x.low) && isfinite(y.high - y.low)) || x.low > x.high || y.low > y.high)
        return;
    round_axis(&y, false);
    struct axis rounded = x;
    round_axis(&rounded, x.high - x.low >= 1);
    x.step = rounded.step; /* lines reach from side to side */
    begin(page, chart->title, chart->words);
    draw_grid(page, &x, false, &y, chart->percent);
    for (size_t k = 0; k < chart->n_series; k++)
        draw_line(page, &chart->series[k], k, &x, &y);
    draw_x_title(page, chart->x_title);
    draw_legend(page, chart);
    dpr__text_add(page, "</svg></figure>\n");
}

/* ---- reliability ---- */

void dpr__chart_reliability(dpr__text *page, const char *words, const double *confidence,
                            const double *accuracy, const uint64_t *count, size_t n) {
    const struct axis x = {.low = 0, .high = 1, .step = 0.2, .from = LEFT, .to = RIGHT};
    const struct axis y = {.low = 0, .high = 1, .step = 0.2, .from = BOTTOM, .to = TOP};
    begin(page, "Calibration", words);
    draw_grid(page, &x, true, &y, true);
    for (size_t i = 0; i < n; i++) {
        double left = place(&x, (double)i / (double)n),
               right = place(&x, (double)(i + 1) / (double)n);
        if (count[i] == 0)
            continue;
        double top = place(&y, accuracy[i]);
        dpr__text_add(
            page,
            "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>",
            left + 1, top, right - left - 2, BOTTOM - top);
        dpr__text_add(page, "%llu images, said %.1f %%, right %.1f %%</title></rect>\n",
                      (unsigned long long)count[i], 100 * confidence[i], 100 * accuracy[i]);
    }
    dpr__text_add(page, "<path class=\"diagonal\" d=\"M%d %dL%d %d\"/>\n", LEFT, BOTTOM, RIGHT,
                  TOP);
    draw_x_title(page, "probability of the class that was chosen");
    dpr__text_add(page, "</svg></figure>\n");
}
