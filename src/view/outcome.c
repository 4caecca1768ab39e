/* Outcomes (outcome.h). */
#include "view/outcome.h"
#include "base/context.h"
#include "view/page.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dpr__verdict_figure(dpr__text *page, const dpr_data_info *info, const uint8_t *pixels,
                         const char *set, size_t index, uint32_t label,
                         const dpr__verdict *verdict) {
    enum { SIDE = 64 };
    char a[16], b[16], alt[320];
    const char *own = dpr__class_name(info, label, a),
               *other = dpr__class_name(info, verdict->predicted, b);
    snprintf(alt, sizeof alt, "%s image %zu: %.120s, taken for %.120s", set, index, own, other);
    dpr__text_add(page, "<figure>");
    dpr__page_image(page, pixels, info->image, SIDE, alt);
    dpr__text_add(page, "<figcaption><b>");
    dpr__page_text(page, own);
    dpr__text_add(page, "</b> %s <b>", label == verdict->predicted ? "is" : "≠");
    dpr__page_text(page, other);
    dpr__text_add(page, "</b> ");
    dpr__page_share(page, (double)verdict->probability);
    dpr__text_add(page, "</figcaption></figure>\n");
}

static void note_verdict(void *user, size_t i, uint32_t predicted, const float *probabilities) {
    dpr__outcome *outcome = user;
    float first = probabilities[predicted], second = 0;
    for (uint32_t c = 0; c < outcome->data->info.n_classes; c++)
        if (c != predicted && probabilities[c] > second)
            second = probabilities[c];
    if (!isfinite(first)) /* of weights so large that logits are not */
        first = second = 0;
    outcome->verdicts[i] =
        (dpr__verdict){.predicted = predicted, .probability = first, .margin = first - second};
}

static void fill_bins(dpr__outcome *outcome) {
    const dpr_data *data = outcome->data;
    for (size_t i = 0; i < data->n; i++) {
        const dpr__verdict *v = &outcome->verdicts[i];
        size_t bin = (size_t)(DPR__BINS * (double)v->probability);
        bin = bin < DPR__BINS ? bin : DPR__BINS - 1;
        outcome->bin_count[bin]++;
        outcome->bin_confidence[bin] += (double)v->probability;
        outcome->bin_accuracy[bin] += v->predicted == (uint32_t)data->labels[i];
    }
    for (size_t b = 0; b < DPR__BINS; b++) {
        double n = (double)outcome->bin_count[b];
        if (n == 0)
            continue;
        outcome->bin_confidence[b] /= n;
        outcome->bin_accuracy[b] /= n;
        outcome->ece +=
            n / (double)data->n * fabs(outcome->bin_accuracy[b] - outcome->bin_confidence[b]);
    }
}

/* ---- orders: by a number of each image, and by index where that is the same ---- */

struct ranked {
    float key;
    uint32_t image;
};

static int lowest_first(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->image < y->image ? -1 : x->image > y->image;
}

static dpr_status rank_images(dpr__outcome *outcome) {
    const dpr_data *data = outcome->data;
    struct ranked *all;
    DPR_TRY(dpr__allocate(outcome->context, data->n, sizeof *all, &all));
    for (size_t i = 0; i < data->n; i++)
        all[i] = (struct ranked){outcome->verdicts[i].margin, (uint32_t)i};
    qsort(all, data->n, sizeof *all, lowest_first);
    for (size_t i = 0; i < data->n; i++)
        outcome->doubtful[i] = all[i].image;
    for (size_t i = 0; i < data->n; i++)
        if (outcome->verdicts[i].predicted != (uint32_t)data->labels[i])
            all[outcome->n_mistakes++] =
                (struct ranked){-outcome->verdicts[i].probability, (uint32_t)i};
    qsort(all, outcome->n_mistakes, sizeof *all, lowest_first);
    for (size_t i = 0; i < outcome->n_mistakes; i++)
        outcome->mistakes[i] = all[i].image;
    dpr__free(outcome->context, all);
    return DPR_OK;
}

/* In turn the pair with the most images below those that are found; of equals the one with the lower number. */
static void find_pairs(dpr__outcome *o) {
    size_t k = o->evaluation.n_classes;
    while (o->n_pairs < DPR__PAIRS) {
        size_t best = k * k, before = o->n_pairs > 0 ? o->pairs[o->n_pairs - 1] : 0;
        uint64_t most = o->n_pairs > 0 ? o->confusion[before] : UINT64_MAX;
        for (size_t pair = 0; pair < k * k; pair++) {
            uint64_t n = o->confusion[pair];
            bool left = n < most || (n == most && pair > before);
            if (pair / k != pair % k && n > 0 && left && (best == k * k || n > o->confusion[best]))
                best = pair;
        }
        if (best == k * k)
            return;
        o->pairs[o->n_pairs++] = best;
    }
}

static dpr_status copy(dpr_context *context, const void *from, size_t n, size_t bytes, void *out) {
    void *made;
    DPR_TRY(dpr__allocate(context, n, bytes, &made));
    memcpy(made, from, n * bytes);
    memcpy(out, &made, sizeof made);
    return DPR_OK;
}

/* The evaluation's arrays are the model's until its next one. */
static dpr_status own_arrays(dpr__outcome *o) {
    dpr_evaluation *e = &o->evaluation;
    size_t k = e->n_classes;
    DPR_TRY(copy(o->context, e->confusion, k * k, sizeof *e->confusion, &o->confusion));
    DPR_TRY(copy(o->context, e->precision, k, sizeof *e->precision, &o->precision));
    DPR_TRY(copy(o->context, e->recall, k, sizeof *e->recall, &o->recall));
    e->confusion = o->confusion;
    e->precision = o->precision;
    e->recall = o->recall;
    return DPR_OK;
}

dpr_status dpr__outcome_make(dpr_model *model, const dpr_data *data, dpr__outcome *out) {
    *out = (dpr__outcome){.context = data->context, .data = data};
    size_t n = data->n > 0 ? data->n : 1;
    DPR_TRY(dpr__allocate(out->context, n, sizeof *out->verdicts, &out->verdicts));
    DPR_TRY(dpr__allocate(out->context, n, sizeof *out->mistakes, &out->mistakes));
    DPR_TRY(dpr__allocate(out->context, n, sizeof *out->doubtful, &out->doubtful));
    DPR_TRY(dpr_evaluate_each(model, data, note_verdict, out, &out->evaluation));
    DPR_TRY(own_arrays(out));
    fill_bins(out);
    find_pairs(out);
    return rank_images(out);
}

void dpr__outcome_release(dpr__outcome *outcome) {
    dpr__free(outcome->context, outcome->verdicts);
    dpr__free(outcome->context, outcome->mistakes);
    dpr__free(outcome->context, outcome->doubtful);
    dpr__free(outcome->context, outcome->confusion);
    dpr__free(outcome->context, outcome->precision);
    dpr__free(outcome->context, outcome->recall);
}
