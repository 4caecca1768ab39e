/* Judging a run (health.h). */
#include "backend/program.h"
#include "base/context.h"
#include "ir/form.h"
#include "ir/shape.h"
#include "train/trainer.h"
#include <math.h>

/* ---- thresholds ---- */

/* Beside each: what it is in runs that are well (linear nets, MLPs, LeNet-5 and ResNet-8 on MNIST, letters and CIFAR-10, and the first epochs of the
 * recipes), and in those that were made ill on purpose (train_health_test.c), so that there is room on both sides. */

/* Of the loss, in terms of guessing's. Well: 0.1 to 0.8 at the first look, with smoothed labels; ill: 0.998 and more, from which the mean over RECENT
 * images may be off by 1 %. A plateau that a network leaves in the end is below NO_BETTER, or has a FAINT gradient. */
static const double STUCK_LOSS = 0.97, NO_BETTER_LOSS = 0.99, HIGH_LOSS = 1.5;
/* Share of a relu's units that are never above 0. Well: up to 0.05, by a rate ten times too high 0.6; ill: 0.96 and more. */
static const double DEAD_SHARE = 0.9;
/* A layer's gradient over the last layer's. Well: 0.1 to 2; four sigmoids, which learn in the end, 0.003 to 0.01; ten sigmoids: 5e-7; three layers
 * that each make 30 times more of what they get: 2000 to 5000. FAINT counts where the loss is stuck. */
static const double VANISHED = 1e-4, FAINT = 0.015, EXPLODED = 300;
/* How far the weights of some layer have moved, over their length. Well: 0.15 to 0.5 at the first look, 1.2 and, by ten times the rate, 4.4 later; by a rate
 * a hundred times too high: 20 and more. Too low by 5000 and more: below NEAR, and below NEAR_LATE where time has passed. */
static const double FAR = 10, NEAR = 0.01, NEAR_LATE = 0.05;
/* The widest range of a logit over images: well and with shuffled labels, above 1; where nothing comes through, 1e-6 and less. */
static const double SAME_ANSWER = 0.01;
/* Share of the set that is one picture. */
static const double SAME_IMAGE = 0.9;
/* Training accuracy above the upper end of validation's interval. Well: below 0; learnt by heart: 0.2 and more. */
static const double GAP = 0.15;

/* A run's course is counted in updates, or in batches of 128 images where those are fewer: so that a small batch is not taken for much, nor a large one. */
enum { BATCH = 128, LEAST = 16, FIRST_LOOK = 64, LONG = 128, REGULAR = 256 };
/* Of each parameter so many weights are kept. */
enum { SAMPLE = 256 };
/* Images whose mean loss is judged, at least: its error is some 1 % of what guessing gives. */
enum { RECENT = 2048 };

static double course(const dpr_trainer *trainer) {
    double updates = (double)trainer->tick / trainer->options.accumulate;
    double images = (double)trainer->epochs_done * (double)trainer->data->n +
                    (double)dpr__trainer_images(trainer, trainer->position);
    return fmin(updates, images / BATCH);
}

/* ---- findings ---- */

static bool is_found(const dpr_trainer *trainer, dpr_cause cause) {
    for (size_t i = 0; i < trainer->n_findings; i++)
        if (trainer->findings[i].cause == cause)
            return true;
    return false;
}

static void find_at(dpr_trainer *trainer, dpr_cause cause, const char *layer, double value,
                    double rate) {
    if (is_found(trainer, cause))
        return;
    trainer->findings[trainer->n_findings++] = (dpr_ailment){.size = sizeof(dpr_ailment),
                                                             .cause = cause,
                                                             .layer = layer,
                                                             .op = "",
                                                             .epoch = trainer->epochs_done + 1,
                                                             .step = trainer->tick,
                                                             .value = isfinite(value) ? value : 0,
                                                             .rate = rate};
}

static void find(dpr_trainer *trainer, dpr_cause cause, double value, double rate) {
    find_at(trainer, cause, "", value, rate);
}

double dpr__health_usual_rate(const dpr_train_options *options) {
    for (size_t i = 0; i < DPR__N_OPTIMIZERS; i++)
        if (strcmp(options->optimizer, dpr__optimizer_words[i]) == 0)
            return dpr__optimizer_rates[i];
    return options->learning_rate;
}

double dpr__health_lower_rate(const dpr_train_options *options) {
    return fmin(options->learning_rate / 10, dpr__health_usual_rate(options));
}

static double higher_rate(const dpr_train_options *options) {
    return fmax(options->learning_rate * 10, dpr__health_usual_rate(options));
}

void dpr__health_non_finite(dpr_trainer *trainer) {
    const dpr_program *program = trainer->program;
    if (program->culprit_op == NULL || is_found(trainer, DPR_CAUSE_NON_FINITE))
        return;
    find_at(trainer, DPR_CAUSE_NON_FINITE, dpr__finding_layer(trainer->model, program->culprit), 0,
            dpr__health_lower_rate(&trainer->options));
    dpr_ailment *made = &trainer->findings[trainer->n_findings - 1];
    made->op = program->culprit_op;
    made->step = trainer->tick + 1;
}

/* ---- how far weights have moved ---- */

/* Matrices and filters that are trained: their first values are drawn, so that there is something to compare with. */
static bool is_sampled(const dpr_trainer *trainer, const dpr__slot *slot) {
    return slot->kind == DPR_PARAMETER && slot->shape.rank >= 2 && slot->dtype == DPR_F32 &&
           !trainer->groups.group[slot->ordinal].frozen;
}

static size_t sample_size(const dpr__slot *slot) {
    size_t n = (size_t)dpr__shape_count(&slot->shape);
    return n < SAMPLE ? n : SAMPLE;
}

/* Number i of the sample, which is spread over the whole. */
static double sampled(const dpr__slot *slot, size_t i) {
    size_t n = (size_t)dpr__shape_count(&slot->shape);
    int64_t at = (int64_t)(i * n / sample_size(slot));
    return (double)((const float *)slot->data)[dpr__form_index(slot->form, &slot->shape, at)];
}

dpr_status dpr__health_begin(dpr_trainer *trainer) {
    const dpr_store *store = trainer->model->store;
    DPR_TRY(dpr__allocate(trainer->context, store->n_parameters * SAMPLE, sizeof(float),
                          &trainer->first_weights));
    float *out = trainer->first_weights;
    for (const dpr__slot *slot = store->slots; slot < store->slots + store->n_slots; slot++)
        for (size_t i = 0; is_sampled(trainer, slot) && i < sample_size(slot); i++)
            *out++ = (float)sampled(slot, i);
    return DPR_OK;
}

/* The largest ‖w − w₀‖/‖w₀‖ of the parameters; 1, neither near nor far, where all began at 0. */
static double moved(const dpr_trainer *trainer) {
    const dpr_store *store = trainer->model->store;
    const float *first = trainer->first_weights;
    double most = 0;
    bool any = false;
    for (const dpr__slot *slot = store->slots; slot < store->slots + store->n_slots; slot++) {
        double change = 0, norm = 0;
        for (size_t i = 0; is_sampled(trainer, slot) && i < sample_size(slot); i++) {
            double was = (double)*first++, is = sampled(slot, i);
            change += (is - was) * (is - was);
            norm += was * was;
        }
        if (norm > 0) {
            most = fmax(most, sqrt(change / norm));
            any = true;
        }
    }
    return any ? most : 1;
}

/* ---- what guessing gives ---- */

struct guess {
    double loss;  /* of the best answer that is the same for all images */
    double share; /* of the most frequent class */
};

/* −Σ p ln p, where p_c is the share of class c in the loss: by its weight, with the smoothing of the labels. */
static dpr_status guess(const dpr_trainer *trainer, const dpr_data *data, struct guess *out) {
    size_t k = data->info.n_classes;
    double *count, sum = 0, smooth = trainer->options.label_smoothing;
    *out = (struct guess){0};
    DPR_TRY(dpr__allocate(trainer->context, k, sizeof *count, &count));
    for (size_t i = 0; i < data->n; i++)
        count[data->labels[i]]++;
    for (size_t c = 0; c < k; c++) {
        out->share = fmax(out->share, count[c] / (double)data->n);
        count[c] *= trainer->class_weights != NULL ? (double)trainer->class_weights[c] : 1;
        sum += count[c];
    }
    for (size_t c = 0; c < k; c++) {
        double p = (1 - smooth) * count[c] / sum + smooth / (double)k;
        out->loss -= p > 0 ? p * log(p) : 0;
    }
    dpr__free(trainer->context, count);
    return DPR_OK;
}

/* Whether one and the same picture is more than SAME_IMAGE of the set: by the hashes of its images, of which the only one that can be most of them is
 * found in one pass (Boyer & Moore 1981) and counted in another. */
static bool is_one_image(const dpr_data *data) {
    const uint64_t *hash = data->hash;
    size_t most = 0, lead = 0, n = 0;
    for (size_t i = 0; i < data->n; i++) {
        if (lead == 0)
            most = i;
        lead += hash[i] == hash[most] ? 1 : (size_t)-1;
    }
    for (size_t i = 0; i < data->n; i++)
        n += hash[i] == hash[most];
    return (double)n > SAME_IMAGE * (double)data->n;
}

/* ---- looking ---- */

struct look {
    dpr_trainer *trainer;
    double course;
    double loss, accuracy; /* of the steps before */
    bool last;
    struct guess guess;
    double moved;
    dpr__diagnosis seen;
};

/* Of the curve's last stretches, as many as hold RECENT images; of this epoch where there is no curve. The run's first stretch is not judged: it begins with
 * weights that know nothing. */
static dpr_status read_recent(struct look *look) {
    const dpr_trainer *trainer = look->trainer;
    double images = 0;
    for (size_t i = trainer->n_curve; i-- > 1 && images < RECENT;) {
        const dpr__curve_point *p = &trainer->curve[i];
        double n = (double)(p->step - p[-1].step) * (double)trainer->batch;
        look->loss += n * p->loss;
        look->accuracy += n * p->accuracy;
        images += n;
    }
    if (images == 0) {
        images = (double)dpr__trainer_images(trainer, trainer->position);
        DPR_TRY(dpr__trainer_sums(trainer, &look->loss, &look->accuracy));
    }
    look->loss /= images;
    look->accuracy /= images;
    return DPR_OK;
}

static bool is_high(const struct look *look) {
    return look->loss > HIGH_LOSS * look->guess.loss;
}
static bool is_stuck(const struct look *look) {
    return look->loss > STUCK_LOSS * look->guess.loss;
}
/* No better than to say the most frequent class. */
static bool is_no_better(const struct look *look) {
    return look->accuracy < look->guess.share + 0.05 * (1 - look->guess.share);
}

/* The layer with the largest share of dead units. */
static bool find_dead(const struct look *look) {
    const dpr_model *model = look->trainer->model;
    size_t worst = model->n_layers;
    for (size_t i = 0; i < model->n_layers; i++)
        if (look->seen.dead[i] >= DEAD_SHARE &&
            (worst == model->n_layers || look->seen.dead[i] > look->seen.dead[worst]))
            worst = i;
    if (worst == model->n_layers)
        return false;
    find_at(look->trainer, DPR_CAUSE_DEAD_RELU, model->layers[worst].name, look->seen.dead[worst],
            dpr__health_lower_rate(&look->trainer->options));
    return true;
}

/* The layer whose gradient is furthest from the last one's, in either direction. */
static bool find_gradient(const struct look *look, bool vanishing, double threshold) {
    const dpr_model *model = look->trainer->model;
    double last = look->seen.gradient[model->n_layers - 1], extreme = 1;
    size_t layer = model->n_layers;
    for (size_t i = 0; i + 1 < model->n_layers; i++) {
        double ratio = look->seen.gradient[i] / last;
        if (!isfinite(ratio) || (vanishing ? ratio >= extreme : ratio <= extreme))
            continue;
        extreme = ratio;
        layer = i;
    }
    if (layer == model->n_layers || (vanishing ? extreme > threshold : extreme < threshold))
        return false;
    find_at(look->trainer, vanishing ? DPR_CAUSE_VANISHING : DPR_CAUSE_EXPLODING,
            model->layers[layer].name, extreme, 0);
    return true;
}

/* How far weights would have moved had the rate always been at its peak, as far as it goes: what moves them in a warm-up is no measure of a rate. */
static double moved_at_peak(const struct look *look) {
    enum { POINTS = 16 };
    const dpr_trainer *trainer = look->trainer;
    uint64_t updates = trainer->tick / trainer->options.accumulate;
    double mean = 0;
    for (uint64_t i = 0; i < POINTS; i++)
        mean += dpr__schedule_rate(&trainer->schedule, updates * i / POINTS) / POINTS;
    return look->moved * trainer->options.learning_rate / mean;
}

/* A loss like that of guessing, of a network whose units live, whose gradients flow, and whose weights have moved. */
static void find_why_guessing(const struct look *look) {
    if (look->seen.one_class && look->guess.share > 0.5)
        find(look->trainer, DPR_CAUSE_ONE_CLASS, look->guess.share, 0);
    else if (look->seen.spread < SAME_ANSWER)
        find(look->trainer, DPR_CAUSE_STUCK, look->loss, 0);
    else if (look->loss > NO_BETTER_LOSS * look->guess.loss)
        find(look->trainer, DPR_CAUSE_SHUFFLED, look->accuracy, 0);
}

/* A loss like that of guessing, or worse. */
static void find_why_stuck(const struct look *look) {
    dpr_trainer *trainer = look->trainer;
    const dpr_train_options *options = &trainer->options;
    bool begun = look->course >= FIRST_LOOK, late = begun && (look->last || look->course >= LONG);
    if (moved_at_peak(look) < (late ? NEAR_LATE : NEAR))
        find(trainer, DPR_CAUSE_RATE_LOW, look->moved, higher_rate(options));
    else if (begun && is_high(look))
        find(trainer, DPR_CAUSE_RATE_HIGH, look->moved, dpr__health_lower_rate(options));
    else if (late && look->moved >= NEAR_LATE && !find_gradient(look, true, FAINT))
        find_why_guessing(look);
}

static void judge(const struct look *look) {
    dpr_trainer *trainer = look->trainer;
    if (is_stuck(look) && look->moved > FAR) {
        find(trainer, DPR_CAUSE_RATE_HIGH, look->moved, dpr__health_lower_rate(&trainer->options));
        return;
    }
    if (is_stuck(look) && is_one_image(trainer->data)) {
        find(trainer, DPR_CAUSE_STUCK, look->loss, 0);
        return;
    }
    if (find_gradient(look, false, EXPLODED) || find_dead(look) ||
        find_gradient(look, true, VANISHED))
        return;
    if (is_stuck(look))
        find_why_stuck(look);
    else if (is_no_better(look) && look->seen.one_class)
        find(trainer, DPR_CAUSE_ONE_CLASS, look->guess.share, 0);
}

/* What is found later would mostly be what follows from the first. */
static bool is_ill(const dpr_trainer *trainer) {
    return trainer->n_findings > is_found(trainer, DPR_CAUSE_OVERFIT);
}

/* A diagnosis only where something may be wrong, or a while has passed. */
static dpr_status look_at(struct look *look, bool due) {
    dpr_trainer *trainer = look->trainer;
    DPR_TRY(guess(trainer, trainer->data, &look->guess));
    DPR_TRY(read_recent(look));
    if (look->guess.share == 1 || !(is_stuck(look) || (due && look->course >= REGULAR)))
        return DPR_OK;
    look->moved = moved(trainer);
    dpr_status status = dpr__diagnose(trainer, &look->seen);
    if (status == DPR_OK)
        judge(look);
    dpr__diagnosis_release(trainer->context, &look->seen);
    return status;
}

dpr_status dpr__health_look(dpr_trainer *trainer, bool last) {
    struct look look = {.trainer = trainer, .course = course(trainer), .last = last};
    bool due = look.course >= ldexp(FIRST_LOOK, (int)trainer->looks);
    if (is_ill(trainer) || (!due && !(last && look.course >= LEAST)))
        return DPR_OK;
    DPR_TRY(look_at(&look, due));
    while (look.course >= ldexp(FIRST_LOOK, (int)trainer->looks))
        trainer->looks++;
    return DPR_OK;
}

/* ---- training against validation ---- */

/* How many epochs in a row must show it, unless the run ends with one: under a high rate one validation says little. */
enum { IN_A_ROW = 3 };

static bool has_gap(const dpr_epoch_report *report) {
    return report->has_validation && report->accuracy - report->validation_high > GAP;
}

static bool gap_lasts(const dpr_trainer *trainer, const dpr_epoch_report *report) {
    if (!has_gap(report))
        return false;
    if (report->epoch == trainer->options.epochs)
        return true;
    if (report->epoch < IN_A_ROW)
        return false;
    for (unsigned i = 2; i <= IN_A_ROW; i++)
        if (!has_gap(&trainer->history[report->epoch - i]))
            return false;
    return true;
}

dpr_status dpr__health_compare(dpr_trainer *trainer, const dpr_epoch_report *report) {
    struct guess of_validation;
    if (is_found(trainer, DPR_CAUSE_SHUFFLED) || is_found(trainer, DPR_CAUSE_OVERFIT) ||
        !gap_lasts(trainer, report))
        return DPR_OK;
    DPR_TRY(guess(trainer, trainer->options.validation, &of_validation));
    if (report->validation_low <= of_validation.share)
        find(trainer, DPR_CAUSE_SHUFFLED, report->validation_accuracy, 0);
    else
        find(trainer, DPR_CAUSE_OVERFIT, report->accuracy - report->validation_accuracy, 0);
    return DPR_OK;
}
