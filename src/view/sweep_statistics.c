/* What runs say together: intervals, paired tests, their correction, and the verdict. */
#include "base/context.h"
#include "view/sweep.h"
#include <math.h>
#include <string.h>

static const double LEVEL = 0.05, PI = 3.14159265358979323846;

/* ---- Student's distribution ---- */

/* Abramowitz & Stegun 1964, 26.7.3 (nu odd) and 26.7.4 (nu even), with θ = arctan(t/√nu):
 * odd:  2/π · (θ + sin θ · (cos θ + 2/3 cos³ θ + … + (2·4 … (nu − 3))/(3·5 … (nu − 2)) cos^(nu−2) θ))
 * even: sin θ · (1 + 1/2 cos² θ + … + (1·3 … (nu − 3))/(2·4 … (nu − 2)) cos^(nu−2) θ) */
double dpr__student_inside(double t, unsigned nu) {
    double theta = atan(t / sqrt(nu)), c = cos(theta), s = sin(theta);
    bool odd = nu % 2 == 1;
    double term = odd ? c : 1, sum = nu == 1 ? 0 : term;
    for (unsigned k = odd ? 3 : 2; k + 2 <= nu; k += 2) {
        term *= c * c * (k - 1) / k;
        sum += term;
    }
    return odd ? 2 / PI * (theta + s * sum) : s * sum;
}

double dpr__student_quantile(double share, unsigned nu) {
    double low = 0, high = 1;
    while (dpr__student_inside(high, nu) < share)
        high *= 2;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        *(dpr__student_inside(middle, nu) < share ? &low : &high) = middle;
    }
    return high;
}

/* Mean, and its standard error √(Σ(x − mean)² / (n − 1) / n). */
static double mean_and_error(const double *values, size_t n, double *error) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    *error = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : (double)NAN;
    return mean;
}

/* Values that do not differ, but for rounding: they say nothing of their variance. Accuracies, which move in steps of one image, often agree. */
static bool is_alike(double mean, double error) {
    return error <= 1e-12 * fabs(mean);
}

void dpr__mean_interval(const double *values, size_t n, double *mean, double *half) {
    double error;
    *mean = mean_and_error(values, n, &error);
    *half = n > 1 && !is_alike(*mean, error)
                ? error * dpr__student_quantile(1 - LEVEL, (unsigned)n - 1)
                : (double)NAN;
}

double dpr__t_test(const double *values, size_t n) {
    double error, mean = mean_and_error(values, n, &error);
    if (is_alike(mean, error)) /* n signs that agree: 2 · 2⁻ⁿ */
        return mean == 0 ? 1 : ldexp(1, 1 - (int)n);
    return fmax(0, 1 - dpr__student_inside(fabs(mean) / error, (unsigned)n - 1));
}

/* Holm 1979: the smallest p counts n-fold, the next n − 1 times, …, and none less than one before it. */
void dpr__holm(const double *p, size_t n, double *corrected) {
    for (size_t i = 0; i < n; i++) {
        size_t times = 0; /* those that are not smaller */
        for (size_t j = 0; j < n; j++)
            times += p[j] >= p[i];
        corrected[i] = isnan(p[i]) ? p[i] : fmin(1, p[i] * (double)times);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (p[j] <= p[i])
                corrected[i] = fmax(corrected[i], corrected[j]);
}

/* ---- rows ---- */

static double outcome(const dpr_sweep *sweep, const dpr_sweep_run *run) {
    return sweep->test != NULL ? run->test_accuracy : run->val_accuracy;
}

static const dpr_sweep_run *run_of(const dpr_sweep *sweep, size_t i, size_t seed) {
    return &sweep->runs[seed * sweep->options.n_cases + i];
}

static void judge_row(const dpr_sweep *sweep, size_t i, double *values) {
    dpr_sweep_row *row = &sweep->rows[i];
    double half = (double)NAN;
    double epochs = 0;
    row->n = row->n_diverged = row->n_pairs = 0;
    row->mean = row->difference = row->p = (double)NAN;
    for (size_t s = 0; s < sweep->options.seeds; s++) {
        const dpr_sweep_run *run = run_of(sweep, i, s);
        if (!run->done)
            continue;
        values[row->n++] = outcome(sweep, run);
        row->n_diverged += run->diverged;
        epochs += run->epochs;
    }
    row->epochs_trained = row->n > 0 ? epochs / (double)row->n : (double)NAN;
    if (row->n > 0)
        row->flops = (uint64_t)(dpr__sweep_flops(sweep, i, 1) * row->epochs_trained);
    if (row->n > 0)
        dpr__mean_interval(values, row->n, &row->mean, &half);
    row->low = row->mean - half, row->high = row->mean + half;
    for (size_t s = 0; row->against != i && s < sweep->options.seeds; s++) {
        const dpr_sweep_run *own = run_of(sweep, i, s), *other = run_of(sweep, row->against, s);
        if (own->done && other->done)
            values[row->n_pairs++] = outcome(sweep, own) - outcome(sweep, other);
    }
    half = (double)NAN;
    if (row->n_pairs > 0)
        dpr__mean_interval(values, row->n_pairs, &row->difference, &half);
    if (row->n_pairs > 1)
        row->p = dpr__t_test(values, row->n_pairs);
    row->difference_low = row->difference - half, row->difference_high = row->difference + half;
}

/* A row is off the front where another has no more parameters and is no worse, but for what is the same in both. */
static bool on_front(const dpr_sweep *sweep, const dpr_sweep_row *row) {
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        const dpr_sweep_row *other = &sweep->rows[i];
        if (other->parameters <= row->parameters && other->mean >= row->mean &&
            (other->parameters < row->parameters || other->mean > row->mean))
            return false;
    }
    return row->n > 0;
}

/* ---- the verdict ---- */

struct tally {
    size_t compared, better, worse;
    const dpr_sweep_row *largest; /* difference: of the significant ones, where there are any */
};

static bool is_significant(const dpr_sweep_row *row) {
    return row->p_corrected < LEVEL;
}

static struct tally count_up(const dpr_sweep *sweep) {
    struct tally t = {.compared = 0};
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        const dpr_sweep_row *row = &sweep->rows[i];
        if (isnan(row->p))
            continue;
        bool significant = is_significant(row), before = t.largest && is_significant(t.largest);
        t.compared++;
        t.better += significant && row->difference > 0;
        t.worse += significant && row->difference < 0;
        if (t.largest == NULL || (significant && !before) ||
            (significant == before && fabs(row->difference) > fabs(t.largest->difference)))
            t.largest = row;
    }
    return t;
}

/* "+0.84 points (95 % interval +0.50 to +1.18, p = 0.003; paired t tests over 5 seeds, p by Holm's correction)"; where all seeds have the same
 * difference, "+0.50 points (with each seed, p = 0.062; sign test over 5 seeds)". */
static void add_difference(dpr__text *text, const struct tally *t) {
    const dpr_sweep_row *row = t->largest;
    bool alike = isnan(row->difference_low);
    dpr__text_add(text, "%+.2f points (", 100 * row->difference);
    if (alike)
        dpr__text_add(text, "with each seed, p ");
    else
        dpr__text_add(text, "95 %% interval %+.2f to %+.2f, p ", 100 * row->difference_low,
                      100 * row->difference_high);
    if (row->p_corrected < 0.0001)
        dpr__text_add(text, "< 0.0001");
    else
        dpr__text_add(text, "= %.2g", row->p_corrected);
    dpr__text_add(text, "; %s test%s over %zu seeds%s)", alike ? "sign" : "paired t",
                  t->compared > 1 && !alike ? "s" : "", row->n_pairs,
                  t->compared > 1 ? ", p by Holm's correction" : "");
}

static void add_equal(dpr__text *text, const dpr_sweep *sweep, const struct tally *t,
                      const char *of) {
    dpr__text_add(text, "No significant difference in %s accuracy", of);
    if (t->compared > 1)
        dpr__text_add(text, ": of %zu comparisons none reaches p < 0.05; the largest is",
                      t->compared);
    dpr__text_add(text, " between ");
    dpr__text_add(text, "%s", sweep->plans[t->largest - sweep->rows].label);
    dpr__text_add(text, " and ");
    dpr__text_add(text, "%s", sweep->plans[t->largest->against].label);
    dpr__text_add(text, ": ");
    add_difference(text, t);
}

bool dpr__sweep_is_off(double ratio) {
    return isfinite(ratio) && fabs(log(ratio)) > log(1.1);
}

/* "; 256 had 32 times the flops of 4", the comparison that is farthest off, where any is. */
static void add_budget(dpr__text *text, const dpr_sweep *sweep, bool tuning) {
    double farthest = 1;
    size_t off = 0, at = 0;
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        double ratio = dpr__sweep_flops_ratio(sweep, i, tuning);
        if (sweep->rows[i].n_pairs == 0 || !dpr__sweep_is_off(ratio))
            continue;
        off++;
        if (fabs(log(ratio)) > fabs(log(farthest)))
            farthest = ratio, at = i;
    }
    if (off == 0)
        return;
    dpr__text_add(text, "; ");
    dpr__text_add(text, "%s", sweep->plans[at].label);
    dpr__text_add(text, " had %.3g times the flops of ", farthest);
    dpr__text_add(text, "%s", sweep->plans[sweep->rows[at].against].label);
    if (tuning)
        dpr__text_add(text, " for its learning rate");
    if (off > 1)
        dpr__text_add(text, ", and %zu more %s off by over 10 %%", off - 1,
                      off == 2 ? "is" : "are");
}

/* "; the rates of 30 and 6 are at an edge of those that were tried", of what is compared. */
static void add_edges(dpr__text *text, const dpr_sweep *sweep) {
    const dpr_sweep_row *rows = sweep->rows;
    size_t n = 0, first = 0;
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        bool compared = rows[i].n_pairs > 0;
        for (size_t k = 0; k < sweep->options.n_cases; k++)
            compared = compared || (rows[k].against == i && rows[k].n_pairs > 0);
        if (!compared || !rows[i].at_edge)
            continue;
        first = n++ == 0 ? i : first;
    }
    if (n == 0)
        return;
    dpr__text_add(text, "; the learning rate of ");
    dpr__text_add(text, "%s", sweep->plans[first].label);
    if (n > 1)
        dpr__text_add(text, ", as of %zu more,", n - 1);
    dpr__text_add(text, " is at the edge of those that were tried");
}

static void add_verdict(dpr__text *text, const dpr_sweep *sweep) {
    const struct tally t = count_up(sweep);
    const char *of = sweep->test != NULL ? "test" : "validation";
    if (t.compared == 0) {
        dpr__text_add(text, "Nothing is compared: that takes two networks or settings, and two "
                            "seeds of each.");
        return;
    }
    if (t.better + t.worse == 0) {
        add_equal(text, sweep, &t, of);
    } else {
        dpr__text_add(text, "%s", sweep->plans[t.largest - sweep->rows].label);
        dpr__text_add(text, " is significantly %s than ",
                      t.largest->difference > 0 ? "better" : "worse");
        dpr__text_add(text, "%s", sweep->plans[t.largest->against].label);
        dpr__text_add(text, " in %s accuracy: ", of);
        add_difference(text, &t);
        if (t.compared > 1)
            dpr__text_add(text,
                          "; of %zu comparisons %zu find a better network, and %zu a worse one",
                          t.compared, t.better, t.worse);
    }
    add_budget(text, sweep, false);
    if (strcmp(sweep->options.budget, "flops") == 0)
        add_budget(text, sweep, true);
    add_edges(text, sweep);
    dpr__text_add(text, ".");
}

/* ---- as JSON ---- */

static void add_row(dpr__text *text, const dpr_sweep *sweep, size_t i) {
    const dpr_sweep_row *row = &sweep->rows[i];
    dpr__text_add(text, "%s{\"net\":", i > 0 ? "," : "");
    dpr__text_json(text, row->name);
    dpr__text_add(text, ",\"settings\":");
    dpr__text_json(text, row->settings);
    dpr__text_add(text,
                  ",\"depth\":%u,\"parameters\":%llu,\"epochs\":%u,\"flops\":%llu,\"runs\":%zu,"
                  "\"diverged\":%zu,\"front\":%s",
                  row->depth, (unsigned long long)row->parameters, row->epochs,
                  (unsigned long long)row->flops, row->n, row->n_diverged,
                  row->front ? "true" : "false");
    if (row->tuned)
        dpr__text_add(text, ",\"tune_epochs\":%u,\"at_edge\":%s", sweep->plans[i].tune_epochs,
                      row->at_edge ? "true" : "false");
    dpr__sweep_add_real(text, "lr", row->learning_rate);
    dpr__sweep_add_real(text, "epochs_trained", row->epochs_trained);
    dpr__sweep_add_real(text, "mean", row->mean);
    dpr__sweep_add_real(text, "low", row->low);
    dpr__sweep_add_real(text, "high", row->high);
    if (row->against != i) {
        dpr__text_add(text, ",\"against\":%zu,\"pairs\":%zu", row->against, row->n_pairs);
        dpr__sweep_add_real(text, "difference", row->difference);
        dpr__sweep_add_real(text, "difference_low", row->difference_low);
        dpr__sweep_add_real(text, "difference_high", row->difference_high);
        dpr__sweep_add_real(text, "p", row->p);
        dpr__sweep_add_real(text, "p_corrected", row->p_corrected);
        dpr__sweep_add_real(text, "flops_ratio", dpr__sweep_flops_ratio(sweep, i, false));
        dpr__sweep_add_real(text, "tune_flops_ratio", dpr__sweep_flops_ratio(sweep, i, true));
    }
    dpr__text_add(text, "}");
}

static dpr_status make_texts(dpr_sweep *sweep) {
    dpr__text verdict, json;
    dpr__text_init(&verdict, sweep->context);
    dpr__text_init(&json, sweep->context);
    add_verdict(&verdict, sweep);
    dpr__text_add(&json, "{\"verdict\":");
    dpr__text_json(&json, verdict.data != NULL ? verdict.data : "");
    dpr__text_add(&json, ",\"rows\":[");
    for (size_t i = 0; i < sweep->options.n_cases; i++)
        add_row(&json, sweep, i);
    dpr__text_add(&json, "]}");
    dpr__free(sweep->context, sweep->verdict);
    dpr__free(sweep->context, sweep->json);
    sweep->verdict = sweep->json = NULL;
    dpr_status status = dpr__text_finish(&verdict, &sweep->verdict);
    dpr_status second = dpr__text_finish(&json, &sweep->json);
    return status == DPR_OK ? second : status;
}

dpr_status dpr__sweep_judge(dpr_sweep *sweep) {
    size_t n = sweep->options.n_cases;
    double *values;
    size_t most = n > sweep->options.seeds ? n : sweep->options.seeds;
    DPR_TRY(dpr__allocate(sweep->context, 2 * most, sizeof *values, &values));
    for (size_t i = 0; i < n; i++)
        judge_row(sweep, i, values);
    for (size_t i = 0; i < n; i++)
        values[i] = sweep->rows[i].p;
    dpr__holm(values, n, values + most);
    for (size_t i = 0; i < n; i++) {
        sweep->rows[i].p_corrected = values[most + i];
        sweep->rows[i].front = on_front(sweep, &sweep->rows[i]);
    }
    dpr__free(sweep->context, values);
    return make_texts(sweep);
}
