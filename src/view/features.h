/* Features: what the units of a network see. The parts of a page of them, which the report shows, too. */
#ifndef DPR_VIEW_FEATURES_H
#define DPR_VIEW_FEATURES_H

#include "base/text.h"
#include "data/canvas.h"
#include "train/model.h"
#include <deeper/tools.h>

enum { DPR__PEAKS = 9 }; /* images that are shown beside a unit */

/* A place in an image where a unit is excited. */
typedef struct dpr__peak {
    float value;
    int32_t image; /* of the set; −1: none yet */
    uint32_t y, x; /* in the layer's output */
} dpr__peak;

/* The units of one activation: `source` is the layer whose output it takes, `layer` itself. Of the last layer both are the same. */
typedef struct dpr__unit_layer {
    size_t layer, source;
    uint32_t units, height, width; /* of the output; of rows of numbers 1 × 1 */
    dpr__peak *peaks;              /* (units × DPR__PEAKS) the largest first; of the source */
    uint32_t *active;              /* (units) images where the source is above 0 at some place */
    float *
        activity; /* (sampled images × units) the mean over places, of gates of what is above 0, until likenesses are known */
    uint32_t *likeness_to, *shown; /* (units), (facts.shown) */
    float *likeness;               /* (units) */
    uint8_t *made;                 /* (facts.shown) images of the model's shape, found by ascent */
    dpr_feature_layer facts;
} dpr__unit_layer;

/* What a model makes of one image. */
typedef struct dpr__explained {
    char *name; /* NULL: no image was explained */
    uint8_t *image;
    float *probabilities; /* (classes) */
    uint32_t class_index;
    float *saliency,
        *occlusion; /* (height × width): gradients, and by how much the class's probability falls where a patch is grey */
    uint32_t patch; /* its side */
    float *cam;     /* (cam_height × cam_width); NULL: no layer is a picture */
    size_t cam_layer, cam_height, cam_width;
    float **activations; /* (n_layers) of each unit layer: (height × width × units) */
} dpr__explained;

struct dpr_features {
    dpr_context *context;
    dpr_model *model;
    const dpr_data *data; /* NULL: none */
    dpr_features_options options;
    dpr_probe *probe;
    unsigned batch; /* of the probe */
    dpr__unit_layer *layers;
    size_t n_layers;
    dpr_feature_layer *facts; /* theirs, side by side */
    dpr__explained explained;
    size_t done, of; /* batches of images and steps of ascent, for progress */
};

/* The i-th of n things that are spread over `all`. */
static inline size_t dpr__spread(size_t i, size_t n, size_t all) {
    return (size_t)((uint64_t)i * all / n);
}

/* One more of features->of is done. Errors: DPR_E_INTERRUPTED where the caller wants no more. */
dpr_status dpr__features_advance(dpr_features *features);
/* Whether units of the layer are shown. */
static inline bool dpr__features_shows(const dpr__unit_layer *layer) {
    return layer->facts.shown > 0;
}

/* ---- feature_units.c, feature_ascent.c, feature_image.c ---- */

/* Looks at the set: peaks, activity, likeness. */
dpr_status dpr__features_look(dpr_features *features);
size_t dpr__features_look_batches(const dpr_features *features); /* how often it advances */
/* Makes the inputs of the units that are shown. */
dpr_status dpr__features_ascend(dpr_features *features);
void dpr__explained_release(dpr_context *context, dpr__explained *explained);

/* ---- feature_pictures.c ---- */

/* The weights of the layer that takes the images, one tile for each unit and at most `most`: colours as they are, grey levels as signed colours; all on one
 * scale. canvas->pixels NULL: there is no such layer. */
dpr_status dpr__first_weights(const dpr_model *model, size_t most, dpr__canvas *out);
/* values (n) as colours u8 (n, 3): blue below 0, white, red above; `most` is full. */
void dpr__paint_signed(const float *values, size_t n, float most, uint8_t *rgb);
/* From black by red and yellow to white. */
void dpr__paint_heat(const float *values, size_t n, float most, uint8_t *rgb);
float dpr__largest(const float *values, size_t n); /* of |value| */
/* What a unit saw of an image at a peak, in u8 (height, width, channels) of at most the image's size. pixels has room for an image. */
dpr_status dpr__peak_crop(const dpr_features *features, const dpr__unit_layer *layer,
                          const dpr__peak *peak, uint8_t *pixels, size_t *height, size_t *width);
/* The same of the input that was made for the i-th of the units that are shown. */
void dpr__made_crop(const dpr_features *features, const dpr__unit_layer *layer, uint32_t i,
                    uint8_t *pixels, size_t *height, size_t *width);

/* ---- the page and the sheet ---- */

/* The first weights, under a heading; nothing where no layer takes the images. */
dpr_status dpr__features_first(dpr__text *page, const dpr_model *model);
/* A section of a page: first weights, then each layer that is shown. Pictures have sides of at most `side` pixels, and there are no more of them where the page
 * has most_bytes. */
dpr_status dpr__features_section(dpr__text *page, const dpr_features *features, uint32_t side,
                                 size_t most_bytes);
dpr_status dpr__features_image_section(dpr__text *page, const dpr_features *features);
dpr_status dpr__features_sheet(const dpr_features *features, dpr__canvas *out);

#endif
