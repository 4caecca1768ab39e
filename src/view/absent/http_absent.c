/* In place of http.c where libmicrohttpd is missing: nothing starts, so nothing else is called. */
#include "view/http.h"

dpr_status dpr__http_start(dpr_context *context, const dpr__http_options *options,
                           dpr__http **out) {
    (void)options, (void)out;
    return DPR_FAIL(context, DPR_E_UNSUPPORTED,
                    "built without libmicrohttpd: install libmicrohttpd-dev and build again");
}

unsigned dpr__http_port(const dpr__http *http) {
    (void)http;
    return 0;
}

unsigned dpr__http_connections(dpr__http *http) {
    (void)http;
    return 0;
}

void dpr__http_tick(dpr__http *http) {
    (void)http;
}

void dpr__http_wake(dpr__http *http) {
    (void)http;
}

void dpr__http_stop(dpr__http *http, double seconds) {
    (void)http, (void)seconds;
}

const char *dpr__http_query(dpr__exchange *exchange, const char *name) {
    (void)exchange, (void)name;
    return NULL;
}

const char *dpr__http_header(dpr__exchange *exchange, const char *name) {
    (void)exchange, (void)name;
    return "";
}

bool dpr__http_lost(dpr__exchange *exchange) {
    (void)exchange;
    return false;
}

void dpr__http_wait(dpr__exchange *exchange) {
    (void)exchange;
}

void dpr__http_resume(dpr__exchange *exchange) {
    (void)exchange;
}
