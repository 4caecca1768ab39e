/* The option `augment`: its text, what it means for a set, what a set looks like under it. */
#ifndef DPR_TRAIN_AUGMENT_H
#define DPR_TRAIN_AUGMENT_H

#include "ir/op.h"
#include "train/data.h"

/* Reads "crop=4,flip" into *out, of which n, height, width and fill stay 0. NULL and "": nothing is changed.
 * Errors: DPR_E_ARGUMENT names the item, its range and the nearest word. */
dpr_status dpr__augment_parse(dpr_context *context, const char *text, dpr__augment_param *out);
/* The same in one spelling, every value written: equal settings, equal texts. *out is "" where nothing is changed; freed with dpr__free. */
dpr_status dpr__augment_text(dpr_context *context, const dpr__augment_param *param, char **out);
/* Adds what the op must know of the set. Errors: DPR_E_ARGUMENT says why a kind makes no sense for its images. */
dpr_status dpr__augment_fit(dpr_context *context, const dpr_data_info *info, size_t n,
                            dpr__augment_param *param);

/* Whether images are mixed with others, and labels with theirs. */
static inline bool dpr__augment_mixes(const dpr__augment_param *param) {
    return param->mixup > 0 || param->cutmix > 0;
}

#endif
