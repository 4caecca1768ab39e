/* The parts of the server (serve.c): requests come from http.c, on its threads; images are decoded there; one worker owns the model. */
#ifndef DPR_VIEW_SERVE_H
#define DPR_VIEW_SERVE_H

#include "base/memory.h"
#include "view/http.h"
#include <deeper/tools.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- what is asked (serve_route.c) ---- */

typedef enum dpr__endpoint {
    DPR__ENDPOINT_PAGE,
    DPR__ENDPOINT_PREDICT,
    DPR__ENDPOINT_EXPLAIN,
    DPR__ENDPOINT_MODEL,
    DPR__ENDPOINT_HEALTH,
    DPR__ENDPOINT_METRICS,
    DPR__ENDPOINT_OPENAPI,
    DPR__N_ENDPOINTS /* none of them */
} dpr__endpoint;

dpr__endpoint dpr__endpoint_of(const char *path);
const char *dpr__endpoint_path(dpr__endpoint endpoint); /* "other" for none */
/* GET (HEAD, too) or POST. */
const char *dpr__endpoint_method(dpr__endpoint endpoint);

/* ---- bodies (serve_body.c) ---- */

/* How images are to be, and how many may come. */
typedef struct dpr__wanted {
    dpr_shape image;
    dpr_fit fit;
    uint64_t pixels; /* the most of a request's images together, before they are brought to size */
} dpr__wanted;

/* The images of a body. */
typedef struct dpr__images {
    dpr__arena arena; /* of the names */
    struct dpr__image_file {
        const char *name;
        const uint8_t *bytes; /* in the body */
        size_t n;
    } * file;
    size_t n, capacity;
    uint8_t *pixels; /* (n, height, width, channels) */
} dpr__images;

/* Finds the images in a body of this type: it is one file, or multipart/form-data with several (RFC 7578). After errors, too, they are to be released. */
dpr_status dpr__images_find(dpr_context *context, const char *type, const uint8_t *body, size_t n,
                            size_t most, dpr__images *out);
/* Errors: DPR_E_FORMAT names the image, DPR_E_MEMORY, DPR_E_UNSUPPORTED. */
dpr_status dpr__images_decode(dpr__images *images, const dpr__wanted *wanted);
void dpr__images_release(dpr__images *images);

/* ---- the worker (serve_queue.c) ---- */

/* A layer whose units are shown: those behind its activations. Units of a layer of pictures are its channels, and tell their largest value. */
typedef struct dpr__shown_layer {
    size_t layer; /* of dpr_model_layers */
    size_t units,
        position; /* (positions × units) values a layer; the begin of its units in an explanation */
    size_t positions;
} dpr__shown_layer;

/* What the worker is to do with the images of an exchange, and what it found. */
typedef struct dpr__job {
    struct dpr__job *next;
    dpr__exchange *exchange;
    dpr__endpoint endpoint;
    uint32_t top; /* classes to tell */
    dpr__images images;
    float *probabilities; /* (n × classes) */
    float *saliency;      /* (height × width), of the first image; NULL: not asked for */
    float *units;         /* of all shown layers; likewise */
    size_t held;          /* bytes of these */
    dpr_status status;
    char message[256];
} dpr__job;

typedef struct dpr__queue dpr__queue;
struct dpr__metrics;

/* Compiles the model's programs and starts the worker, whose model and context are from then on. Errors: those of dpr_predict, DPR_E_MEMORY. */
dpr_status dpr__queue_create(dpr_model *model, struct dpr__metrics *metrics, dpr__queue **out);
/* Seconds that what waits will take, by the rate of late. */
double dpr__queue_delay(dpr__queue *queue);
/* When nothing is queued any more. */
void dpr__queue_destroy(dpr__queue *queue);
const dpr__shown_layer *dpr__queue_shown(const dpr__queue *queue, size_t *n);
size_t dpr__queue_units(const dpr__queue *queue);
/* Hands a job to the worker, which resumes its exchange. */
void dpr__queue_put(dpr__queue *queue, dpr__job *job);

/* ---- figures (serve_metrics.c) ---- */

enum { DPR__N_STATUSES = 9, DPR__N_TIMES = 12, DPR__N_SIZES = 10 };
typedef struct dpr__metrics {
    atomic_ullong requests[DPR__N_ENDPOINTS + 1][DPR__N_STATUSES];
    atomic_ullong times[DPR__N_TIMES + 1], nanoseconds; /* of requests; the last: all others */
    atomic_ullong sizes[DPR__N_SIZES], images; /* of batches: at most 1, 2, 4, … images */
    atomic_ullong waiting;                     /* images */
} dpr__metrics;

void dpr__metrics_request(dpr__metrics *metrics, dpr__endpoint endpoint, unsigned status,
                          double seconds);
void dpr__metrics_batch(dpr__metrics *metrics, size_t images);
/* In Prometheus' text format, version 0.0.4. */
void dpr__metrics_write(dpr__metrics *metrics, unsigned connections, dpr__text *out);

/* ---- answers (serve_answer.c) ---- */

/* Bytes that a class takes in an answer, to reckon with. */
size_t dpr__answer_class_size(const dpr_data_info *info);
/* What `predict --json` prints of an image; an array where there are several. */
dpr_status dpr__answer_predictions(dpr__text *out, const dpr_data_info *info, const dpr__job *job);
/* The same of one image, and what was seen on the way. layers: the model's. */
dpr_status dpr__answer_explanation(dpr__text *out, const dpr_data_info *info,
                                   const dpr_layer *layers, const dpr__queue *queue,
                                   const dpr__job *job);
/* What /model answers. */
dpr_status dpr__answer_model(dpr__text *out, const dpr_model *model, const char *name);
/* The page on which one draws (pages/serve.*). */
void dpr__answer_page(dpr__text *out, const dpr_model *model, const char *name);

#endif
