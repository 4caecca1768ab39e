/* Charts as SVG within a page. They scale with their box, take their colours from the page's style sheet (pages/page.css), and say in words what they show. */
#ifndef DPR_VIEW_CHART_H
#define DPR_VIEW_CHART_H

#include "base/text.h"

/* Points in order of x. What is not finite is left out, and the line ends there. */
typedef struct dpr__series {
    const char *name;
    const double *x, *y;
    size_t n;
    /* Dots, each with what it is called and the interval around it (not finite: none), on a line or, `apart`, without; NULL: a line alone. */
    const char *const *labels;
    const double *low, *high;
    bool apart;
} dpr__series;

typedef struct dpr__chart {
    const char *title, *x_title;
    const char *words;         /* what is to be seen, for those who do not see it */
    bool percent;              /* y is a share */
    bool from_zero;            /* the axis begins at 0, whatever the data */
    bool log_x;                /* x is above 0, and the axis logarithmic */
    const dpr__series *series; /* at most DPR__MOST_SERIES, in the style sheet's colours 1, 2, … */
    size_t n_series;
} dpr__chart;
enum { DPR__MOST_SERIES = 4 };

/* Lines over an axis of numbers, with a legend where there are several. */
void dpr__chart_lines(dpr__text *page, const dpr__chart *chart);

/* "7.85k", "1.2M". */
void dpr__chart_count(dpr__text *page, double count);

/* A reliability diagram (DeGroot & Fienberg 1983; Guo et al. 2017, section 2): n bins of equal width of the probability that a model gives what it
 * says, and the share of each that is right, a bar; between them the diagonal. Bins without images (count 0) stay empty. */
void dpr__chart_reliability(dpr__text *page, const char *words, const double *confidence,
                            const double *accuracy, const uint64_t *count, size_t n);

#endif
