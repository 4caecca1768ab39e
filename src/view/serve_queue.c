/* The worker (serve.h): one thread, to which model and context belong, takes whatever waits, up to a batch, and never waits for more. So a lone request is answered at once, and
 * the more come at a time the better they share a pass. */
#include "base/clock.h"
#include "base/context.h"
#include "ir/shape.h"
#include "train/model.h"
#include "view/serve.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 256 }; /* what dpr_predict computes at once */

struct dpr__queue {
    dpr_context *context;
    dpr_model *model;
    dpr_probe *probe;
    dpr__metrics *metrics;
    dpr__shown_layer *shown;
    size_t n_shown, n_units, image_bytes, classes;
    uint8_t *pixels;      /* (BATCH, image) */
    float *probabilities; /* (BATCH × classes) */
    float *layer;         /* the values of one shown layer, or a map, of one image */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    dpr__job *first, *last;
    double seconds, images; /* computing, and computed meanwhile, of late */
    bool quit;
};

/* ---- working ---- */

static void note_failure(const dpr__queue *queue, dpr__job *job, dpr_status status) {
    job->status = status;
    if (status != DPR_OK)
        snprintf(job->message, sizeof job->message, "%s", dpr_error(queue->context));
}

/* The largest value of each unit over its positions. */
static void pool_units(const dpr__shown_layer *shown, const float *values, float *units) {
    memcpy(units, values, shown->units * sizeof *units);
    for (size_t p = 1; p < shown->positions; p++)
        for (size_t u = 0; u < shown->units; u++) {
            float value = values[p * shown->units + u];
            units[u] = value > units[u] ? value : units[u];
        }
}

static dpr_status explain(dpr__queue *queue, dpr__job *job) {
    const float *p = job->probabilities;
    uint32_t best = 0;
    for (uint32_t i = 1; i < queue->classes; i++)
        best = p[i] > p[best] || (isnan(p[best]) && !isnan(p[i])) ? i : best;
    DPR_TRY(dpr_probe_saliency(queue->probe, job->images.pixels, best, job->saliency));
    DPR_TRY(dpr_probe_run(queue->probe, job->images.pixels, 1));
    for (size_t i = 0; i < queue->n_shown; i++) {
        DPR_TRY(dpr_probe_output(queue->probe, queue->shown[i].layer, queue->layer));
        pool_units(&queue->shown[i], queue->layer, job->units + queue->shown[i].position);
    }
    return DPR_OK;
}

/* Jobs from `first` to the end of its list, together or, where it is one, from where its images lie. */
static dpr_status predict(dpr__queue *queue, dpr__job *first, size_t images) {
    const float *from = queue->probabilities;
    size_t at = 0;
    if (first->next == NULL)
        return dpr_predict(queue->model, first->images.pixels, images, first->probabilities);
    for (const dpr__job *job = first; job != NULL; at += job->images.n, job = job->next)
        memcpy(queue->pixels + at * queue->image_bytes, job->images.pixels,
               job->images.n * queue->image_bytes);
    DPR_TRY(dpr_predict(queue->model, queue->pixels, images, queue->probabilities));
    for (dpr__job *job = first; job != NULL; job = job->next) {
        memcpy(job->probabilities, from, job->images.n * queue->classes * sizeof *from);
        from += job->images.n * queue->classes;
    }
    return DPR_OK;
}

/* Resumes those whose client is lost, without computing; what is left, and the number of its images. */
static dpr__job *drop_lost(dpr__job *first, size_t *images) {
    dpr__job *left = NULL, **end = &left;
    while (first != NULL) {
        dpr__job *job = first;
        first = job->next;
        if (dpr__http_lost(job->exchange)) {
            *images -= job->images.n;
            job->status = DPR_E_MEMORY;
            snprintf(job->message, sizeof job->message, "the client is gone");
            dpr__http_resume(job->exchange);
        } else {
            *end = job;
            end = &job->next;
        }
    }
    *end = NULL;
    return left;
}

static void work(dpr__queue *queue, dpr__job *first, size_t images) {
    dpr_status status = predict(queue, first, images);
    dpr__metrics_batch(queue->metrics, images);
    while (first != NULL) {
        dpr__job *job = first;
        first = job->next;
        note_failure(queue, job, status);
        if (status == DPR_OK && job->saliency != NULL)
            note_failure(queue, job, explain(queue, job));
        dpr__http_resume(job->exchange); /* from here on the job is another thread's */
    }
}

/* Takes the first jobs off the list, of BATCH images together at most, but one always; their number in *images. */
static dpr__job *take(dpr__queue *queue, size_t *images) {
    dpr__job *first = queue->first, *last = first;
    *images = first->images.n;
    while (last->next != NULL && *images + last->next->images.n <= BATCH) {
        last = last->next;
        *images += last->images.n;
    }
    queue->first = last->next;
    last->next = NULL;
    return first;
}

/* What is older counts by a tenth less with every batch. */
static void note_rate(dpr__queue *queue, double seconds, size_t images) {
    queue->seconds = 0.9 * queue->seconds + seconds;
    queue->images = 0.9 * queue->images + (double)images;
}

double dpr__queue_delay(dpr__queue *queue) {
    pthread_mutex_lock(&queue->lock);
    double each = queue->images > 0 ? queue->seconds / queue->images : 0;
    pthread_mutex_unlock(&queue->lock);
    return each * (double)atomic_load(&queue->metrics->waiting);
}

static void *live(void *user) {
    dpr__queue *queue = user;
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        size_t images;
        while (queue->first == NULL && !queue->quit)
            pthread_cond_wait(&queue->wake, &queue->lock);
        if (queue->first == NULL)
            break;
        dpr__job *first = take(queue, &images);
        pthread_mutex_unlock(&queue->lock);
        atomic_fetch_sub(&queue->metrics->waiting, images);
        first = drop_lost(first, &images);
        uint64_t begun = dpr__now_ns();
        if (first != NULL)
            work(queue, first, images);
        pthread_mutex_lock(&queue->lock);
        note_rate(queue, 1e-9 * (double)(dpr__now_ns() - begun), images);
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

void dpr__queue_put(dpr__queue *queue, dpr__job *job) {
    job->next = NULL;
    atomic_fetch_add(&queue->metrics->waiting, job->images.n);
    pthread_mutex_lock(&queue->lock);
    bool asleep = queue->first == NULL;
    if (asleep)
        queue->first = job;
    else
        queue->last->next = job;
    queue->last = job;
    pthread_mutex_unlock(&queue->lock);
    if (asleep)
        pthread_cond_signal(&queue->wake);
}

/* ---- life ---- */

/* Which layers are shown, and room for the largest of them. */
static dpr_status choose_layers(dpr__queue *queue) {
    const dpr_layer *layers;
    size_t n = dpr_model_layers(queue->model, &layers);
    size_t largest = queue->image_bytes; /* room for a map, too */
    DPR_TRY(dpr__allocate(queue->context, n, sizeof *queue->shown, &queue->shown));
    for (size_t i = 0; i < n; i++) {
        if (!layers[i].activation)
            continue;
        const dpr_shape *shape = &layers[i].output;
        size_t all = (size_t)dpr__shape_count(shape);
        dpr__shown_layer *shown = &queue->shown[queue->n_shown++];
        *shown = (dpr__shown_layer){
            .layer = i, .units = (size_t)shape->dim[shape->rank - 1], .position = queue->n_units};
        shown->positions = all / shown->units;
        queue->n_units += shown->units;
        largest = all > largest ? all : largest;
    }
    return dpr__allocate(queue->context, largest, sizeof *queue->layer, &queue->layer);
}

/* Compiles both of the model's forward passes and the probe's programs before the first request waits for them. */
static dpr_status warm_up(dpr__queue *queue) {
    memset(queue->pixels, 0, BATCH * queue->image_bytes);
    DPR_TRY(dpr_predict(queue->model, queue->pixels, 1, queue->probabilities));
    DPR_TRY(dpr_predict(queue->model, queue->pixels, BATCH, queue->probabilities));
    DPR_TRY(dpr_probe_create(queue->model, 1, &queue->probe));
    DPR_TRY(dpr_probe_saliency(queue->probe, queue->pixels, 0, queue->layer));
    return dpr_probe_run(queue->probe, queue->pixels, 1);
}

static dpr_status prepare(dpr__queue *queue) {
    DPR_TRY(dpr__allocate(queue->context, BATCH, queue->image_bytes, &queue->pixels));
    DPR_TRY(dpr__allocate(queue->context, BATCH * queue->classes, sizeof *queue->probabilities,
                          &queue->probabilities));
    DPR_TRY(choose_layers(queue));
    DPR_TRY(warm_up(queue));
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    queue->started = pthread_create(&queue->thread, NULL, live, queue) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return queue->started ? DPR_OK
                          : DPR_FAIL(queue->context, DPR_E_MEMORY, "a thread cannot be started");
}

dpr_status dpr__queue_create(dpr_model *model, dpr__metrics *metrics, dpr__queue **out) {
    dpr_context *context = model->context;
    dpr__queue *queue;
    DPR_TRY(dpr__allocate(context, 1, sizeof *queue, &queue));
    queue->context = context;
    queue->model = model;
    queue->metrics = metrics;
    queue->image_bytes = (size_t)dpr__shape_count(&model->info.image);
    queue->classes = model->info.n_classes;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->wake, NULL);
    dpr_status status = prepare(queue);
    if (status != DPR_OK) {
        dpr__queue_destroy(queue);
        return status;
    }
    *out = queue;
    return DPR_OK;
}

void dpr__queue_destroy(dpr__queue *queue) {
    if (queue == NULL)
        return;
    pthread_mutex_lock(&queue->lock);
    queue->quit = true;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->wake);
    if (queue->started)
        pthread_join(queue->thread, NULL);
    pthread_cond_destroy(&queue->wake);
    pthread_mutex_destroy(&queue->lock);
    dpr_probe_destroy(queue->probe);
    dpr__free(queue->context, queue->shown);
    dpr__free(queue->context, queue->layer);
    dpr__free(queue->context, queue->pixels);
    dpr__free(queue->context, queue->probabilities);
    dpr__free(queue->context, queue);
}

const dpr__shown_layer *dpr__queue_shown(const dpr__queue *queue, size_t *n) {
    *n = queue->n_shown;
    return queue->shown;
}

size_t dpr__queue_units(const dpr__queue *queue) {
    return queue->n_units;
}
