/* The health of a run: what is wrong with it, and why. It is judged by sums that training makes anyway, by how far weights have moved, and, when that says
 * that something may be wrong or a while has passed, by a diagnosis: a program of its own that runs some batches forward and back and assigns nothing. The
 * training step knows nothing of it. When a run is looked at depends on its options and its data alone, so a resumed run finds what one left alone finds. */
#ifndef DPR_TRAIN_HEALTH_H
#define DPR_TRAIN_HEALTH_H

#include "train/json.h"
#include <string.h>

/* ---- diagnose.c ---- */

/* Of which layers a diagnosis takes the gradient, and of which it counts units that are above 0. */
static inline bool dpr__sees_gradient(const dpr_layer *layer) {
    return layer->parameters > 0;
}
static inline bool dpr__sees_units(const dpr_layer *layer) {
    return strcmp(layer->op, "relu") == 0;
}

typedef struct dpr__diagnosis {
    size_t images; /* that it looked at */
    double *
        gradient; /* (layers) √Σ (∂loss/∂output)², over all images; NaN of layers that are not asked about */
    double *dead;   /* (layers) share of units that are 0 for all images; NaN likewise */
    bool one_class; /* all images are taken for the same class */
    double spread;  /* the widest range of a logit over the images */
} dpr__diagnosis;

/* Looks at up to 256 images of the current epoch with the weights as they are, as predictions see them: without dropout, with running statistics.
 * Nothing in the run changes. */
dpr_status dpr__diagnose(dpr_trainer *trainer, dpr__diagnosis *out);
void dpr__diagnosis_release(dpr_context *context, dpr__diagnosis *diagnosis);

/* ---- health.c ---- */

/* Keeps a sample of the weights with which a run begins. */
dpr_status dpr__health_begin(dpr_trainer *trainer);
/* Looks at the run where one is due: between steps, where the curve has taken a point, and at the end of an epoch. `last`: of the run. */
dpr_status dpr__health_look(dpr_trainer *trainer, bool last);
/* Compares training and validation at the end of an epoch, whose report is not in the history yet. */
dpr_status dpr__health_compare(dpr_trainer *trainer, const dpr_epoch_report *report);
/* A loss that is not finite: by the culprit that the program has kept. */
void dpr__health_non_finite(dpr_trainer *trainer);
/* The rate that the optimiser takes where none is given. */
double dpr__health_usual_rate(const dpr_train_options *options);
/* A tenth, and no more than what is usual: of a rate that is far off a tenth is, too. */
double dpr__health_lower_rate(const dpr_train_options *options);

/* ---- finding.c ---- */

/* ,"looks":N,"health":[{"cause":…}, …] */
void dpr__findings_write(const dpr_trainer *trainer, dpr__text *text);
/* Reads an item of that array; `model` gives the names of layers. False where it is no such thing. */
bool dpr__finding_read(dpr_context *context, const dpr_model *model, const dpr__json *item,
                       dpr_ailment *out);
/* The model's layer that a node or leaf of this name belongs to ("linear_1", "linear_1.weights"), else the first word of it that a finding can have. */
const char *dpr__finding_layer(const dpr_model *model, const char *name);

#endif
