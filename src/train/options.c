/* The table of training options and what reads it. */
#include "train/options.h"
#include "base/context.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

enum type { COUNT, SEED, REAL, FLAG, OPTIMIZER, SCHEDULE, REDUCTION, TEXT, LIST };

static const char *const reductions[] = {"mean", "sum"};
enum { N_REDUCTIONS = sizeof reductions / sizeof *reductions };

/* A number lies in [low, high], or (low, …, high) where an end is open. */
struct option {
    const char *name;
    enum type type;
    size_t offset;
    double low, high;
    bool low_open, high_open;
};

#define ROW(type_, field, ...)                                                                     \
    { .name = #field, .type = (type_), .offset = offsetof(dpr_train_options, field), __VA_ARGS__ }

/* In the order in which a resume names what differs. */
static const struct option table[] = {
    ROW(SEED, seed, .low = 0),
    ROW(COUNT, epochs, .low = 1, .high = 1000000),
    ROW(COUNT, batch, .low = 1, .high = 1048576),
    ROW(COUNT, accumulate, .low = 1, .high = 1000000),
    ROW(OPTIMIZER, optimizer, .low = 0),
    ROW(REAL, learning_rate, .low = 0, .high = 1000),
    ROW(REAL, momentum, .low = 0, .high = 1, .high_open = true),
    ROW(REAL, weight_decay, .low = 0, .high = 1000),
    ROW(REAL, beta1, .low = 0, .high = 1, .high_open = true),
    ROW(REAL, beta2, .low = 0, .high = 1, .high_open = true),
    ROW(REAL, epsilon, .low = 0, .high = 1, .low_open = true),
    ROW(SCHEDULE, schedule, .low = 0),
    ROW(REAL, warmup, .low = 0, .high = 1000000),
    ROW(REAL, step_epochs, .low = 0, .high = 1000000, .low_open = true),
    ROW(REAL, decay, .low = 0, .high = 1, .low_open = true),
    ROW(REAL, label_smoothing, .low = 0, .high = 1, .high_open = true),
    ROW(REAL, clip_norm, .low = 0, .high = 1e9),
    ROW(TEXT, class_weights, .low = 0),
    ROW(REDUCTION, loss_reduction, .low = 0),
    ROW(COUNT, patience, .low = 0, .high = 1000000),
    ROW(TEXT, augment, .low = 0),
    ROW(OPTIMIZER, rest_optimizer, .low = 0),
    ROW(REAL, rest_learning_rate, .low = 0, .high = 1000),
    ROW(REAL, rest_momentum, .low = 0, .high = 1, .high_open = true),
    ROW(COUNT, muon_steps, .low = 1, .high = 20),
    ROW(FLAG, muon_renormalise, .low = 0),
    ROW(LIST, groups, .low = 0),
    ROW(REAL, ema, .low = 0, .high = 1, .high_open = true),
    ROW(COUNT, swa, .low = 0, .high = 1000000),
    ROW(COUNT, lookahead, .low = 0, .high = 1000000),
    ROW(REAL, lookahead_alpha, .low = 0, .high = 1, .low_open = true),
    ROW(REAL, lookahead_power, .low = 0, .high = 100),
};
enum { N_OPTIONS = sizeof table / sizeof *table };

dpr_train_options dpr_train_options_default(void) {
    return (dpr_train_options){
        .size = sizeof(dpr_train_options),
        .epochs = 10,
        .batch = 128,
        .optimizer = dpr__optimizer_words[DPR__OPTIMIZER_NESTEROV],
        .momentum = 0.9,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .schedule = dpr__schedule_words[DPR__SCHEDULE_ONE_CYCLE],
        .step_epochs = 3,
        .decay = 0.5,
        .class_weights = "",
        .loss_reduction = reductions[0],
        .seed = 1,
        .rest_optimizer = dpr__optimizer_words[DPR__OPTIMIZER_NESTEROV],
        .rest_momentum = 0.9,
        .muon_steps = 5,
        .lookahead_alpha = 0.5,
        .accumulate = 1,
    };
}

/* ---- values by type ---- */

/* The table knows types by its first column; these are the only places that cast by it. */
static const void *place(const dpr_train_options *options, const struct option *option) {
    return (const char *)options + option->offset;
}

static double number(const dpr_train_options *options, const struct option *option) {
    if (option->type == COUNT)
        return *(const unsigned *)place(options, option);
    return *(const double *)place(options, option);
}

/* A text that is not given is "". */
static const char *word(const dpr_train_options *options, const struct option *option) {
    const char *given = *(const char *const *)place(options, option);
    return given != NULL ? given : "";
}

static const char *const *list(const dpr_train_options *options, const struct option *option) {
    static const char *const empty[] = {NULL};
    const char *const *given = *(const char *const *const *)place(options, option);
    return given != NULL ? given : empty;
}

static void write_list(dpr__text *text, const char *const *items) {
    dpr__text_add(text, "[");
    for (size_t i = 0; items[i] != NULL; i++) {
        dpr__text_add(text, "%s", i > 0 ? "," : "");
        dpr__text_json(text, items[i]);
    }
    dpr__text_add(text, "]");
}

static void write_value(dpr__text *text, const dpr_train_options *options,
                        const struct option *option) {
    switch (option->type) {
    case COUNT:
    case REAL:
        dpr__json_add_double(text, number(options, option));
        break;
    case SEED:
        dpr__text_add(text, "%llu", (unsigned long long)*(const uint64_t *)place(options, option));
        break;
    case FLAG:
        dpr__text_add(text, "%s", *(const bool *)place(options, option) ? "true" : "false");
        break;
    case TEXT:
    case OPTIMIZER:
    case SCHEDULE:
    case REDUCTION:
        dpr__text_json(text, word(options, option));
        break;
    case LIST:
        write_list(text, list(options, option));
        break;
    }
}

void dpr__options_write(const dpr_train_options *options, dpr__text *text) {
    for (size_t i = 0; i < N_OPTIONS; i++) {
        dpr__text_add(text, "%s\"%s\":", i > 0 ? "," : "{", table[i].name);
        write_value(text, options, &table[i]);
    }
    dpr__text_add(text, "}");
}

/* ---- checking ---- */

static dpr_status check_word(dpr_context *context, const struct option *option, const char *given,
                             const char *const *words, size_t n, const char **out) {
    for (size_t i = 0; given != NULL && i < n; i++)
        if (strcmp(given, words[i]) == 0) {
            *out = words[i];
            return DPR_OK;
        }
    char list[256] = "";
    for (size_t i = 0; i < n; i++) {
        strcat(list, i > 0 ? ", " : "");
        strcat(list, words[i]);
    }
    const char *near = given != NULL ? dpr_nearest_word(given, words, n) : NULL;
    return DPR_FAIL(context, DPR_E_ARGUMENT, "%s '%s' is none of %s%s%s%s", option->name,
                    given ? given : "(null)", list, near ? "; did you mean '" : "",
                    near ? near : "", near ? "'?" : "");
}

static dpr_status check_number(dpr_context *context, const struct option *option, double value) {
    bool low = option->low_open ? value > option->low : value >= option->low;
    bool high = option->high_open ? value < option->high : value <= option->high;
    if (isfinite(value) && low && high)
        return DPR_OK;
    return DPR_FAIL(context, DPR_E_ARGUMENT, "%s is %.10g; it must be %s %.10g and %s %.10g",
                    option->name, value, option->low_open ? "above" : "at least", option->low,
                    option->high_open ? "below" : "at most", option->high);
}

static dpr_status check(dpr_context *context, const struct option *option,
                        dpr_train_options *options) {
    const char **at = (const char **)((char *)options + option->offset);
    switch (option->type) {
    case COUNT:
    case REAL:
        return check_number(context, option, number(options, option));
    case OPTIMIZER:
        return check_word(context, option, *at, dpr__optimizer_words, DPR__N_OPTIMIZERS, at);
    case SCHEDULE:
        return check_word(context, option, *at, dpr__schedule_words, DPR__N_SCHEDULES, at);
    case REDUCTION:
        return check_word(context, option, *at, reductions, N_REDUCTIONS, at);
    case LIST:
        return dpr__groups_check(context, list(options, option));
    case SEED:
    case FLAG:
    case TEXT: /* whoever reads it checks it */
        break;
    }
    return DPR_OK;
}

/* Index of a settled word in its list: settled words are the list's own, so addresses decide. */
static size_t index_of(const char *given, const char *const *words) {
    size_t i = 0;
    while (words[i] != given)
        i++;
    return i;
}

/* Copies what is given over the defaults, each option checked by itself. */
static dpr_status take(dpr_context *context, const dpr_train_options *given,
                       dpr_train_options *out) {
    *out = dpr_train_options_default();
    if (given != NULL)
        memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
    out->size = sizeof *out;
    for (size_t i = 0; i < N_OPTIONS; i++)
        DPR_TRY(check(context, &table[i], out));
    if (strcmp(out->rest_optimizer, dpr__optimizer_words[DPR__OPTIMIZER_MUON]) == 0)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "rest_optimizer is for what muon leaves over; it cannot be 'muon' itself");
    if (out->ema > 0 && out->swa > 0)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "ema is %.10g and swa is %u, but a run keeps one average; leave one out",
                        out->ema, out->swa);
    if (out->swa > out->epochs)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "swa is %u, but there are only %u epochs to average from one on", out->swa,
                        out->epochs);
    return DPR_OK;
}

dpr_status dpr_train_options_check(dpr_context *context, const dpr_train_options *options) {
    dpr_train_options out;
    return take(context, options, &out);
}

dpr_status dpr__options_settle(dpr_context *context, const dpr_train_options *given,
                               dpr_train_options *out) {
    DPR_TRY(take(context, given, out));
    if (out->patience > 0 && out->validation == NULL)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "patience is %u, but there is no validation set to watch", out->patience);
    if (out->learning_rate == 0)
        out->learning_rate = dpr__optimizer_rates[index_of(out->optimizer, dpr__optimizer_words)];
    if (out->rest_learning_rate == 0)
        out->rest_learning_rate =
            dpr__optimizer_rates[index_of(out->rest_optimizer, dpr__optimizer_words)];
    return DPR_OK;
}

bool dpr__options_sum(const dpr_train_options *options) {
    return options->loss_reduction != reductions[0];
}

dpr__manner dpr__options_manner(const dpr_train_options *options, uint64_t updates) {
    dpr__manner manner = {
        .optimizer = {.kind =
                          (dpr__optimizer_kind)index_of(options->optimizer, dpr__optimizer_words),
                      .momentum = options->momentum,
                      .weight_decay = options->weight_decay,
                      .beta1 = options->beta1,
                      .beta2 = options->beta2,
                      .epsilon = options->epsilon,
                      .clip_norm = options->clip_norm,
                      .muon_steps = options->muon_steps,
                      .renormalise = options->muon_renormalise},
        .schedule = {.kind = (dpr__schedule_kind)index_of(options->schedule, dpr__schedule_words),
                     .peak = options->learning_rate,
                     .warmup = options->warmup,
                     .step_epochs = options->step_epochs,
                     .decay = options->decay,
                     .steps = updates,
                     .epochs = options->epochs},
        .rest_rate = options->rest_learning_rate};
    manner.rest = manner.optimizer;
    manner.rest.kind = (dpr__optimizer_kind)index_of(options->rest_optimizer, dpr__optimizer_words);
    manner.rest.momentum = options->rest_momentum;
    return manner;
}

/* ---- comparing ---- */

static bool same_list(const char *const *items, const dpr__json *value) {
    if (value == NULL || value->type != DPR__JSON_ARRAY)
        return false;
    const dpr__json *item = value->first;
    for (; *items != NULL && item != NULL; items++, item = item->next)
        if (dpr__json_string(item) == NULL || strcmp(dpr__json_string(item), *items) != 0)
            return false;
    return *items == NULL && item == NULL;
}

static bool same(dpr_context *context, const dpr_train_options *options,
                 const struct option *option, const dpr__json *value) {
    double real;
    uint64_t seed;
    switch (option->type) {
    case COUNT:
    case REAL:
        return dpr__json_double(context, value, &real) && real == number(options, option);
    case SEED:
        return dpr__json_u64(value, &seed) && seed == *(const uint64_t *)place(options, option);
    case FLAG:
        return value != NULL &&
               value->type ==
                   (*(const bool *)place(options, option) ? DPR__JSON_TRUE : DPR__JSON_FALSE);
    case OPTIMIZER:
    case SCHEDULE:
    case REDUCTION:
        return dpr__json_string(value) != NULL &&
               strcmp(dpr__json_string(value), word(options, option)) == 0;
    case TEXT: { /* runs of versions that knew no such option have none */
        const char *there = value != NULL ? dpr__json_string(value) : "";
        return there != NULL && strcmp(there, word(options, option)) == 0;
    }
    case LIST:
        return same_list(list(options, option), value);
    }
    return false;
}

static const char *as_text(const dpr__json *value) {
    if (value == NULL)
        return "missing";
    if (value->type == DPR__JSON_TRUE || value->type == DPR__JSON_FALSE)
        return value->type == DPR__JSON_TRUE ? "true" : "false";
    if (value->type == DPR__JSON_ARRAY)
        return value->n > 0 ? "another list" : "an empty list";
    return value->text != NULL ? value->text : "no plain value";
}

dpr_status dpr__options_compare(dpr_context *context, const char *path,
                                const dpr_train_options *options, const dpr__json *record) {
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const dpr__json *value = dpr__json_get(record, table[i].name);
        if (table[i].offset == offsetof(dpr_train_options, epochs) ||
            same(context, options, &table[i], value))
            continue;
        dpr__text here;
        dpr__text_init(&here, context);
        write_value(&here, options, &table[i]);
        dpr_status status = here.status;
        if (status == DPR_OK)
            status =
                DPR_FAIL(context, DPR_E_MISMATCH,
                         "%s is %s here, but %.200s in the run of '%s'; a resumed run must keep "
                         "it",
                         table[i].name, here.data, as_text(value), path);
        dpr__text_release(&here);
        return status;
    }
    return DPR_OK;
}
