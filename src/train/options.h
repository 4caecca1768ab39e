/* The options of a training run: checking, keeping in the run record, comparing on resume. One
 * table of their names, ranges and places serves all three. */
#ifndef DPR_TRAIN_OPTIONS_H
#define DPR_TRAIN_OPTIONS_H

#include "base/text.h"
#include "train/groups.h"
#include "train/json.h"

/* Checks `given` (NULL: the defaults) and copies it to *out with its words pointing at the
 * library's own and the learning rate settled. Errors: DPR_E_ARGUMENT names the option and its
 * range. */
dpr_status dpr__options_settle(dpr_context *context, const dpr_train_options *given,
                               dpr_train_options *out);
/* Of settled options. */
dpr__manner dpr__options_manner(const dpr_train_options *options, uint64_t updates);
bool dpr__options_sum(const dpr_train_options *options); /* whether gradients are of the sum */

/* {"epochs":10,"batch":128,…} */
void dpr__options_write(const dpr_train_options *options, dpr__text *text);
/* DPR_E_MISMATCH names the first option that differs from the record's, with both values. `epochs`
 * may differ: the caller judges that. */
dpr_status dpr__options_compare(dpr_context *context, const char *path,
                                const dpr_train_options *options, const dpr__json *record);

#endif
