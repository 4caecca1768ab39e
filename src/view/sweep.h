/* A sweep: networks and options, each trained with the same seeds, and compared. Its parts: widths of equal size (sweep_widths.c), the plan and its
 * runs (sweep_plan.c, sweep.c), what is kept of them (sweep_store.c), statistics (sweep_statistics.c) and the page (sweep_page.c). */
#ifndef DPR_VIEW_SWEEP_H
#define DPR_VIEW_SWEEP_H

#include "base/memory.h"
#include "base/text.h"
#include <deeper/tools.h>

/* Rates that may be tried: the optimiser's usual one times 3⁻⁴ … 3⁴. From 1/9 to 9 all are; those beyond only while the best is at that edge. */
enum {
    DPR__SWEEP_RATES = 9,
    DPR__SWEEP_FIRST_RATE = 2,
    DPR__SWEEP_LAST_RATE = 6,
    DPR__SWEEP_KEY = 17
};

/* What is kept of a run, or of one that tunes. */
typedef struct dpr__sweep_result {
    bool done, diverged;
    unsigned epochs; /* that were trained: patience may end a run early */
    double val_accuracy, val_loss, test_accuracy, seconds;
    char weights_sha256[65];
} dpr__sweep_result;

/* A line of runs.jsonl. */
typedef struct dpr__sweep_entry {
    char key[DPR__SWEEP_KEY];
    char *line; /* without its end; NULL: it was read from the file */
    dpr__sweep_result result;
} dpr__sweep_entry;

/* What a case is, beside what its row tells. */
typedef struct dpr__sweep_plan {
    dpr_train_options
        training; /* settled, with the validation set; seed, epochs and a tuned rate are a run's */
    const char *label; /* its name and settings */
    bool tuned;
    double flops; /* of training with one image */
    unsigned tune_epochs;
    double rates[DPR__SWEEP_RATES];
    int lowest, highest; /* of rates: those that are tried */
    dpr__sweep_result tries[DPR__SWEEP_RATES];
} dpr__sweep_plan;

struct dpr_sweep {
    dpr_context *context;
    const dpr_data *train, *validation, *test;
    dpr_sweep_options options;
    dpr__arena arena;            /* names, widths, lines */
    char identity[3 * 65 + 128]; /* of sets, kernels, passes and version: part of each run's key */
    dpr__sweep_plan *plans;      /* (cases) */
    dpr_sweep_row *rows;         /* (cases) */
    dpr_sweep_run *runs;         /* (seeds × cases) */
    size_t n_runs;
    dpr__sweep_entry *entries;
    size_t n_entries, entries_capacity;
    uint64_t bytes;       /* of runs.jsonl */
    char *verdict, *json; /* NULL: not yet */
};

/* ---- sweep_plan.c ---- */

/* Checks the options and fills plans, rows and runs. */
dpr_status dpr__sweep_plan_all(dpr_sweep *sweep);
/* Chooses epochs by the budget; by seconds it measures what no earlier sweep has. */
dpr_status dpr__sweep_budget(dpr_sweep *sweep);
/* Takes one more rate to be tried where the best so far is at an edge that may be moved; false: there is none. */
bool dpr__sweep_widen(dpr_sweep *sweep, size_t i, int *rate);
/* Takes the rate that was best on the validation set, once all are tried. */
void dpr__sweep_choose_rate(dpr_sweep *sweep, size_t i);
/* Whether runs of the case go side by side, each on one thread. */
bool dpr__sweep_is_small(const dpr_sweep *sweep, size_t i);
/* The options of one run. */
dpr_train_options dpr__sweep_training(const dpr_sweep *sweep, size_t i, uint64_t seed, double rate,
                                      unsigned epochs);
dpr_status dpr__sweep_model(const dpr_sweep *sweep, size_t i, dpr_context *own, uint64_t seed,
                            dpr_model **out);
/* The set over the same memory, for a context of another thread; *out is NULL where `data` is (sweep.c). */
dpr_status dpr__sweep_view(dpr_context *own, const dpr_data *data, dpr_data **out);
/* Operations of a training: forward and backward. */
double dpr__sweep_flops(const dpr_sweep *sweep, size_t i, unsigned epochs);
/* Times the operations of the case that it is compared with: of a run, or of a rate that is tried (NaN where one is not tuned). */
double dpr__sweep_flops_ratio(const dpr_sweep *sweep, size_t i, bool tuning);

/* ---- sweep_store.c: `own` is the context of the thread that calls ---- */

/* Makes the directory, and reads runs.jsonl where there is one. A last line that is not whole, as a crash leaves it, is taken away. */
dpr_status dpr__sweep_open(dpr_sweep *sweep);
/* Writes DIRECTORY/NAME, where making the text ended with `status` DPR_OK, and releases the text. */
dpr_status dpr__sweep_write(const dpr_sweep *sweep, const char *name, dpr__text *text,
                            dpr_status status);
/* What is kept in runs.jsonl. */
typedef enum dpr__sweep_kind {
    DPR__SWEEP_RUN,
    DPR__SWEEP_TUNING,
    DPR__SWEEP_TIMING
} dpr__sweep_kind;
/* A name for a run by all that decides its result. */
dpr_status dpr__sweep_key(const dpr_sweep *sweep, dpr_context *own, size_t i,
                          const dpr_train_options *training, dpr__sweep_kind kind,
                          char key[DPR__SWEEP_KEY]);
const dpr__sweep_result *dpr__sweep_find(const dpr_sweep *sweep, const char *key);
/* Refuses a plan whose lines would be more than can be read again. */
dpr_status dpr__sweep_check_size(const dpr_sweep *sweep);
/* A run as a JSON object, freed with dpr__free. */
dpr_status dpr__sweep_line(const dpr_sweep *sweep, dpr_context *own, size_t i, const char *key,
                           dpr__sweep_kind kind, const dpr_train_options *training,
                           const dpr__sweep_result *result, char **out);
/* Takes the line, and adds it to runs.jsonl. */
dpr_status dpr__sweep_keep(dpr_sweep *sweep, dpr_context *own, const char *key, char *line,
                           const dpr__sweep_result *result);
/* ,"key":value, or null where it is not finite. */
void dpr__sweep_add_real(dpr__text *text, const char *key, double value);
dpr_status dpr__sweep_write_csv(const dpr_sweep *sweep);

/* ---- sweep_statistics.c ---- */

/* P(|T| ≤ t) of Student's distribution with nu ≥ 1 degrees of freedom, t ≥ 0; and the t of which it is `share`. */
double dpr__student_inside(double t, unsigned nu);
double dpr__student_quantile(double share, unsigned nu);
/* Mean of n ≥ 1 numbers, and half the width of its 95 % interval; NaN where n is 1 or all are alike: steps of 1/n hide how they vary. */
void dpr__mean_interval(const double *values, size_t n, double *mean, double *half);
/* The p of the hypothesis that the mean is 0, of two sides: Student's; where all values are alike, the sign test's. n ≥ 2. */
double dpr__t_test(const double *values, size_t n);
/* What p[0 … n − 1] are, corrected for n comparisons: one false alarm among them is as rare as they say. NaNs do not count. */
void dpr__holm(const double *p, size_t n, double *corrected);

/* Whether budgets are not the same, to 10 %: epochs are whole, and one at least. */
bool dpr__sweep_is_off(double ratio);
/* Fills what rows tell of their runs; then the verdict and the JSON object. */
dpr_status dpr__sweep_judge(dpr_sweep *sweep);

/* ---- sweep_page.c ---- */

dpr_status dpr__sweep_write_page(const dpr_sweep *sweep);

#endif
