/* Frozen filters of a first layer, computed from patches of the training images. */
#ifndef DPR_TRAIN_WHITENING_H
#define DPR_TRAIN_WHITENING_H

#include "train/model.h"

/* Fills every leaf of the graph that begins with DPR_INIT_WHITENING and is still zero: of a (height, width, channels, outputs) kernel, output
 * i below outputs/2 is the i-th principal component v of the normalised patches, divided by √(λ + 5e-4); the other half is the negative.
 * So what the layer gives has variance 1 in each direction. Patches lie wholly in the image, a million of them at most, of images spread
 * over the set. */
dpr_status dpr__whiten(dpr_model *model, const dpr_graph *graph, const dpr_data *data);

/* Eigenvalues, falling, and eigenvectors, the rows of `vectors`, of a symmetric n × n matrix, which is overwritten. An eigenvector has
 * length 1, and its entry of the largest size is positive. */
void dpr__eigen(double *matrix, size_t n, double *values, double *vectors);

#endif
