/* Outcomes (outcome.h). */
#include "view/outcome.h"
#include "base/context.h"
#include <math.h>
#include <stdlib.h>

static void note_verdict(void *user, size_t i, uint32_t predicted, const float *probabilities) {
    dpr__outcome *outcome = user;
    float second = 0;
    for (uint32_t c = 0; c < outcome->data->info.n_classes; c++)
        if (c != predicted && probabilities[c] > second)
            second = probabilities[c];
    outcome->verdicts[i] = (dpr__verdict){.predicted = predicted,
                                          .probability = probabilities[predicted],
                                          .margin = probabilities[predicted] - second};
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

dpr_status dpr__outcome_make(dpr_model *model, const dpr_data *data, dpr__outcome *out) {
    *out = (dpr__outcome){.context = data->context, .data = data};
    size_t n = data->n > 0 ? data->n : 1;
    DPR_TRY(dpr__allocate(out->context, n, sizeof *out->verdicts, &out->verdicts));
    DPR_TRY(dpr__allocate(out->context, n, sizeof *out->mistakes, &out->mistakes));
    DPR_TRY(dpr__allocate(out->context, n, sizeof *out->doubtful, &out->doubtful));
    DPR_TRY(dpr_evaluate_each(model, data, note_verdict, out, &out->evaluation));
    fill_bins(out);
    return rank_images(out);
}

void dpr__outcome_release(dpr__outcome *outcome) {
    dpr__free(outcome->context, outcome->verdicts);
    dpr__free(outcome->context, outcome->mistakes);
    dpr__free(outcome->context, outcome->doubtful);
}
