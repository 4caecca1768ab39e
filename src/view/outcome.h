/* What a set's images came to: the evaluation, and what the model said of each. Shared by all pages that show results. */
#ifndef DPR_VIEW_OUTCOME_H
#define DPR_VIEW_OUTCOME_H

#include "base/text.h"
#include "train/data.h"
#include <deeper/tools.h>

enum {
    DPR__BINS = 15, /* of the calibration, as in Guo et al. 2017 */
    DPR__PAIRS = 12,
};

typedef struct dpr__verdict {
    uint32_t predicted;
    float probability; /* of the predicted class */
    float margin;      /* and how far the next lies below it */
} dpr__verdict;

/* A figure for a gallery: the image u8, its class, and what it was taken for. set: "test", or another name of the set whose image number `index` it is. Larger
 * images are shown with sides of 64 pixels: so many fit into a page of 2 MB. */
void dpr__verdict_figure(dpr__text *page, const dpr_data_info *info, const uint8_t *pixels,
                         const char *set, size_t index, uint32_t label,
                         const dpr__verdict *verdict);

typedef struct dpr__outcome {
    dpr_context *context;
    const dpr_data *data;
    dpr_evaluation evaluation;
    uint64_t *confusion; /* its arrays, which are ours */
    double *precision, *recall;
    dpr__verdict *verdicts; /* (images) */
    /* By predicted probability, in bins of equal width: images, their mean probability, the share that is right. */
    uint64_t bin_count[DPR__BINS];
    double bin_confidence[DPR__BINS], bin_accuracy[DPR__BINS];
    /* Expected calibration error: Σ over bins of count/n · |accuracy − confidence| (Naeini et al. 2015; Guo et al. 2017, equation 3). */
    double ece;
    uint32_t *mistakes; /* (n_mistakes) images, the most confident first */
    size_t n_mistakes;
    /* Pairs of classes that are mixed up most, the most often first: true class · n_classes + predicted. */
    size_t pairs[DPR__PAIRS], n_pairs;
    uint32_t *doubtful; /* (images), the smallest margin first */
} dpr__outcome;

/* Evaluates the model on the set, which is borrowed. Released by dpr__outcome_release, after a failure, too. */
dpr_status dpr__outcome_make(dpr_model *model, const dpr_data *data, dpr__outcome *out);
void dpr__outcome_release(dpr__outcome *outcome);

#endif
