/* What a path stands for (serve.h). */
#include "view/serve.h"
#include <string.h>

static const struct {
    const char *path, *method;
} ENDPOINTS[DPR__N_ENDPOINTS] = {
    [DPR__ENDPOINT_PAGE] = {"/", "GET"},
    [DPR__ENDPOINT_PREDICT] = {"/predict", "POST"},
    [DPR__ENDPOINT_EXPLAIN] = {"/explain", "POST"},
    [DPR__ENDPOINT_MODEL] = {"/model", "GET"},
    [DPR__ENDPOINT_HEALTH] = {"/healthz", "GET"},
    [DPR__ENDPOINT_METRICS] = {"/metrics", "GET"},
    [DPR__ENDPOINT_OPENAPI] = {"/openapi.json", "GET"},
};

dpr__endpoint dpr__endpoint_of(const char *path) {
    int i = 0;
    while (i < DPR__N_ENDPOINTS && strcmp(ENDPOINTS[i].path, path) != 0)
        i++;
    return (dpr__endpoint)i;
}

const char *dpr__endpoint_path(dpr__endpoint endpoint) {
    return endpoint < DPR__N_ENDPOINTS ? ENDPOINTS[endpoint].path : "other";
}

const char *dpr__endpoint_method(dpr__endpoint endpoint) {
    return ENDPOINTS[endpoint].method;
}
