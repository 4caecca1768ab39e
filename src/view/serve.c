/* The server: what is done with a request (serve.h has its parts). Threads of http.c decode images and write answers; models compute on the worker alone. */
#include "view/serve.h"
#include "base/context.h"
#include "base/cpu.h"
#include "data/source.h"
#include "ir/shape.h"
#include "train/model.h"
#include "view/page.h"
#include <string.h>
#include <time.h>

enum {
    MOST_TOP = 1000000,
    MOST_IMAGES = 256,   /* of one request */
    MOST_HELD = 1 << 28, /* bytes of bodies at a time, and of images that wait */
    MOST_THREADS = 8     /* of http.c */
};

struct dpr_server {
    dpr_context *context;
    dpr_model *model;
    const dpr_data_info *info;
    const dpr_layer *layers;
    dpr__http *http;
    dpr__queue *queue;
    dpr__metrics metrics;
    dpr__wanted wanted;
    unsigned top;
    double seconds;
    size_t class_size;         /* of a class in an answer */
    dpr__text page, described; /* what / and /model answer */
    atomic_size_t held;        /* bytes of the jobs and their answers */
};

/* ---- requests ---- */

static void refuse_failed(dpr__exchange *x, dpr_status status, const char *message) {
    unsigned code = status == DPR_E_FORMAT || status == DPR_E_ARGUMENT ? 400
                    : status == DPR_E_MEMORY                           ? 503
                    : status == DPR_E_UNSUPPORTED                      ? 501
                                                                       : 500;
    dpr__http_refuse(x, code, "%s", message);
}

static void release_job(dpr_server *server, dpr__exchange *x) {
    dpr__job *job = x->job;
    if (job == NULL)
        return;
    atomic_fetch_sub(&server->held, job->held);
    dpr__images_release(&job->images);
    dpr__free(x->context, job->probabilities);
    dpr__free(x->context, job->saliency);
    dpr__free(x->context, job->units);
    dpr__free(x->context, job);
    x->job = NULL;
}

static dpr_status read_top(const dpr_server *server, dpr__exchange *x, uint32_t *out) {
    const char *text = dpr__http_query(x, "top");
    uint64_t top = server->top;
    if (text != NULL && (!dpr__parse_u64(text, &top) || top < 1 || top > MOST_TOP))
        return DPR_FAIL(x->context, DPR_E_ARGUMENT,
                        "top is '%s'; it must be a whole number from 1 to %d", text, MOST_TOP);
    *out = top < server->info->n_classes ? (uint32_t)top : server->info->n_classes;
    return DPR_OK;
}

/* Room for the job's results, images and answer, which stays until the client has read it, if there is any. In an explanation a value has some 16 characters, and the
 * pictures have fewer than 8 for a pixel. */
static dpr_status reserve(dpr_server *server, dpr__exchange *x, dpr__job *job) {
    size_t classes = server->info->n_classes, units = dpr__queue_units(server->queue);
    size_t map = (size_t)(server->info->image.dim[0] * server->info->image.dim[1]);
    bool explains = job->endpoint == DPR__ENDPOINT_EXPLAIN;
    size_t needs = job->images.n * ((size_t)dpr__shape_count(&server->info->image) +
                                    classes * sizeof(float) + job->top * server->class_size);
    needs += explains ? (map + units) * sizeof(float) + 8 * map + 16 * units : 0;
    if (dpr__queue_delay(server->queue) > server->seconds)
        return DPR_FAIL(x->context, DPR_E_MEMORY,
                        "the images that wait take more than %g seconds; try again later",
                        server->seconds);
    size_t held = atomic_fetch_add(&server->held, needs);
    job->held = needs;
    if (held > 0 && held + needs > MOST_HELD) /* a lone request has what it needs */
        return DPR_FAIL(x->context, DPR_E_MEMORY,
                        "too many images and answers wait already; try again later");
    DPR_TRY(dpr__allocate(x->context, job->images.n * classes, sizeof(float), &job->probabilities));
    if (!explains)
        return DPR_OK;
    DPR_TRY(dpr__allocate(x->context, map, sizeof(float), &job->saliency));
    return dpr__allocate(x->context, units, sizeof(float), &job->units);
}

static dpr_status make_job(dpr_server *server, dpr__exchange *x, dpr__endpoint endpoint,
                           dpr__job **out) {
    dpr__job *job;
    DPR_TRY(dpr__allocate(x->context, 1, sizeof *job, &job));
    *job = (dpr__job){.exchange = x, .endpoint = endpoint};
    x->job = *out = job;
    size_t most = endpoint == DPR__ENDPOINT_EXPLAIN ? 1 : MOST_IMAGES;
    DPR_TRY(read_top(server, x, &job->top));
    DPR_TRY(dpr__images_find(x->context, x->type, x->body, x->n_body, most, &job->images));
    DPR_TRY(reserve(server, x, job));
    return dpr__images_decode(&job->images, &server->wanted);
}

static void answer_images(dpr_server *server, dpr__exchange *x, dpr__endpoint endpoint) {
    dpr__job *job;
    dpr_status status = make_job(server, x, endpoint, &job);
    if (status != DPR_OK) {
        refuse_failed(x, status, dpr_error(x->context));
        return;
    }
    dpr__http_wait(x);
    dpr__queue_put(server->queue, job);
}

static void answer(void *user, dpr__exchange *x) {
    dpr_server *server = user;
    dpr__endpoint endpoint = dpr__endpoint_of(x->path);
    if (endpoint == DPR__N_ENDPOINTS) {
        dpr__http_refuse(x, 404,
                         "there is nothing at this path; /openapi.json tells what there is");
        return;
    }
    if (!dpr__http_takes(x, dpr__endpoint_method(endpoint)))
        return;
    if (endpoint == DPR__ENDPOINT_PREDICT || endpoint == DPR__ENDPOINT_EXPLAIN) {
        answer_images(server, x, endpoint);
    } else if (endpoint == DPR__ENDPOINT_PAGE) {
        dpr__http_answer(x, "text/html; charset=utf-8", server->page.data, server->page.length);
    } else if (endpoint == DPR__ENDPOINT_MODEL) {
        dpr__http_answer(x, "application/json", server->described.data, server->described.length);
    } else if (endpoint == DPR__ENDPOINT_HEALTH) {
        static const char ok[] = "{\"status\":\"ok\"}";
        dpr__http_answer(x, "application/json", ok, sizeof ok - 1);
    } else if (endpoint == DPR__ENDPOINT_OPENAPI) {
        dpr__http_answer(x, "application/json", "", 0);
        dpr__page_file(&x->answer, "openapi");
    } else {
        dpr__http_answer(x, "text/plain; version=0.0.4; charset=utf-8", "", 0);
        dpr__metrics_write(&server->metrics, dpr__http_connections(server->http), &x->answer);
    }
}

/* What the worker found becomes the answer. */
static void finish(void *user, dpr__exchange *x) {
    dpr_server *server = user;
    dpr__job *job = x->job;
    dpr_status status = job->status;
    const char *message = job->message;
    x->status = 200;
    if (status == DPR_OK && job->endpoint == DPR__ENDPOINT_EXPLAIN) {
        status =
            dpr__answer_explanation(&x->answer, server->info, server->layers, server->queue, job);
        message = dpr_error(x->context);
    } else if (status == DPR_OK) {
        status = dpr__answer_predictions(&x->answer, server->info, job);
        message = dpr_error(x->context);
    }
    if (status != DPR_OK)
        refuse_failed(x, status, message);
}

static void done(void *user, dpr__exchange *x) {
    dpr_server *server = user;
    if (x->status != 0)
        dpr__metrics_request(&server->metrics, dpr__endpoint_of(x->path), x->status, x->seconds);
    release_job(server, x);
}

/* ---- life ---- */

dpr_server_options dpr_server_options_default(void) {
    return (dpr_server_options){.size = sizeof(dpr_server_options),
                                .host = "127.0.0.1",
                                .port = 8080,
                                .name = "model",
                                .top = 5,
                                .connections = 512,
                                .body = (size_t)1 << 23,
                                .pixels = 25000000,
                                .seconds = 30};
}

static dpr_status check(dpr_context *context, const dpr_server_options *o) {
    if (o->port > 65535)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "port is %u; it must be from 0 to 65535", o->port);
    if (o->top < 1 || o->connections < 1 || o->body < 1 || o->pixels < 1 ||
        o->pixels > DPR__MOST_PIXELS || o->body > MOST_HELD || !(o->seconds > 0))
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "a server's top, connections, body, pixels and seconds must be above 0, "
                        "body at most %d, pixels at most %d",
                        MOST_HELD, DPR__MOST_PIXELS);
    return DPR_OK;
}

static dpr_status start(dpr_server *server, const dpr_server_options *o) {
    unsigned cores = dpr__usable_cores();
    const dpr__http_options options = {.host = o->host,
                                       .port = (uint16_t)o->port,
                                       .threads = cores < MOST_THREADS ? cores : MOST_THREADS,
                                       .connections = o->connections,
                                       .body = o->body,
                                       .bodies = MOST_HELD,
                                       .seconds = o->seconds,
                                       .answer = answer,
                                       .finish = finish,
                                       .done = done,
                                       .user = server};
    DPR_TRY(dpr__answer_model(&server->described, server->model, o->name));
    dpr__answer_page(&server->page, server->model, o->name);
    DPR_TRY(server->page.status);
    DPR_TRY(dpr__queue_create(server->model, &server->metrics, &server->queue));
    return dpr__http_start(server->context, &options, &server->http);
}

dpr_status dpr_server_create(dpr_model *model, const dpr_server_options *options,
                             dpr_server **out) {
    dpr_server_options o = dpr_server_options_default();
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    dpr_context *context = model->context;
    dpr_server *server;
    DPR_TRY(check(context, &o));
    DPR_TRY(dpr__image_check_shape(context, o.name, model->info.image));
    DPR_TRY(dpr__allocate(context, 1, sizeof *server, &server));
    server->context = context;
    server->model = model;
    server->info = dpr_model_describe(model);
    dpr_model_layers(model, &server->layers);
    server->top = o.top;
    server->seconds = o.seconds;
    server->class_size = dpr__answer_class_size(server->info);
    server->wanted = (dpr__wanted){model->info.image, model->info.fit, o.pixels};
    dpr__text_init(&server->page, context);
    dpr__text_init(&server->described, context);
    dpr_status status = start(server, &o);
    if (status != DPR_OK) {
        dpr_server_destroy(server);
        return status;
    }
    *out = server;
    return DPR_OK;
}

unsigned dpr_server_port(const dpr_server *server) {
    return dpr__http_port(server->http);
}

void dpr_server_run(dpr_server *server, const volatile int *stop) {
    const struct timespec pause = {.tv_nsec = 50000000};
    for (unsigned i = 1; *stop == 0; i++) {
        nanosleep(&pause, NULL); /* a signal ends it at once */
        if (i % 20 == 0)
            dpr__http_tick(server->http);
    }
}

void dpr_server_destroy(dpr_server *server) {
    if (server == NULL)
        return;
    if (server->http != NULL)
        dpr__http_stop(server->http, server->seconds);
    dpr__queue_destroy(server->queue);
    dpr__text_release(&server->page);
    dpr__text_release(&server->described);
    dpr__free(server->context, server);
}
