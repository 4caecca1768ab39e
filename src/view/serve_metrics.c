/* Figures for Prometheus (serve.h). */
#include "view/serve.h"

static const unsigned STATUSES[DPR__N_STATUSES] = {200, 400, 404, 405, 413, 500, 501, 503, 0};
static const double TIMES[DPR__N_TIMES] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                           0.05,   0.1,   0.25,   0.5,   1,    5};

void dpr__metrics_request(dpr__metrics *metrics, dpr__endpoint endpoint, unsigned status,
                          double seconds) {
    size_t s = 0, t = 0;
    while (STATUSES[s] != 0 && STATUSES[s] != status)
        s++;
    while (t < DPR__N_TIMES && seconds > TIMES[t])
        t++;
    atomic_fetch_add(&metrics->requests[endpoint][s], 1);
    atomic_fetch_add(&metrics->times[t], 1);
    atomic_fetch_add(&metrics->nanoseconds, (unsigned long long)(1e9 * seconds));
}

void dpr__metrics_batch(dpr__metrics *metrics, size_t images) {
    size_t i = 0;
    while (i + 1 < DPR__N_SIZES && images > (size_t)1 << i)
        i++;
    atomic_fetch_add(&metrics->sizes[i], 1);
    atomic_fetch_add(&metrics->images, images);
}

static void head(dpr__text *out, const char *name, const char *type, const char *help) {
    dpr__text_add(out, "# HELP deeper_%s %s\n# TYPE deeper_%s %s\n", name, help, name, type);
}

static void add_requests(dpr__metrics *metrics, dpr__text *out) {
    head(out, "requests_total", "counter", "Requests by path and status.");
    for (int e = 0; e <= DPR__N_ENDPOINTS; e++)
        for (int s = 0; s < DPR__N_STATUSES; s++) {
            unsigned long long n = atomic_load(&metrics->requests[e][s]);
            if (n > 0 || (s == 0 && e < DPR__N_ENDPOINTS))
                dpr__text_add(out, "deeper_requests_total{path=\"%s\",status=\"%u\"} %llu\n",
                              dpr__endpoint_path((dpr__endpoint)e), STATUSES[s], n);
        }
}

static void add_times(dpr__metrics *metrics, dpr__text *out) {
    unsigned long long n = 0;
    head(out, "request_seconds", "histogram", "Time from a request's head to its answer.");
    for (int i = 0; i < DPR__N_TIMES; i++) {
        n += atomic_load(&metrics->times[i]);
        dpr__text_add(out, "deeper_request_seconds_bucket{le=\"%g\"} %llu\n", TIMES[i], n);
    }
    n += atomic_load(&metrics->times[DPR__N_TIMES]);
    dpr__text_add(out, "deeper_request_seconds_bucket{le=\"+Inf\"} %llu\n", n);
    dpr__text_add(out, "deeper_request_seconds_sum %.9f\ndeeper_request_seconds_count %llu\n",
                  1e-9 * (double)atomic_load(&metrics->nanoseconds), n);
}

static void add_batches(dpr__metrics *metrics, dpr__text *out) {
    unsigned long long n = 0;
    head(out, "batch_images", "histogram", "Images that were computed together.");
    for (int i = 0; i < DPR__N_SIZES; i++) {
        n += atomic_load(&metrics->sizes[i]);
        if (i + 1 < DPR__N_SIZES)
            dpr__text_add(out, "deeper_batch_images_bucket{le=\"%u\"} %llu\n", 1U << i, n);
    }
    dpr__text_add(out,
                  "deeper_batch_images_bucket{le=\"+Inf\"} %llu\ndeeper_batch_images_sum "
                  "%llu\ndeeper_batch_images_count %llu\n",
                  n, atomic_load(&metrics->images), n);
}

void dpr__metrics_write(dpr__metrics *metrics, unsigned connections, dpr__text *out) {
    add_requests(metrics, out);
    add_times(metrics, out);
    add_batches(metrics, out);
    head(out, "waiting_images", "gauge", "Images that wait for the worker.");
    dpr__text_add(out, "deeper_waiting_images %llu\n", atomic_load(&metrics->waiting));
    head(out, "connections", "gauge", "Connections that are open.");
    dpr__text_add(out, "deeper_connections %u\n", connections);
}
