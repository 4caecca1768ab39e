/* The weight of each class in the loss, from the option's text. */
#ifndef DPR_TRAIN_CLASS_WEIGHTS_H
#define DPR_TRAIN_CLASS_WEIGHTS_H

#include "train/data.h"

/* (classes) weights in *out. "balanced": by each class's share in `data`; "NAME=W,...": W, and 1 for a class that is not named. A class
 * without a name goes by its number. Errors: DPR_E_ARGUMENT names the item and what it may be. */
dpr_status dpr__class_weights(const dpr_data_info *info, const dpr_data *data, const char *text,
                              float *out);

#endif
