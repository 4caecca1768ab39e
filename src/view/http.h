/* HTTP over libmicrohttpd, which http.c alone uses: requests with their bodies within limits, answers, connections that wait for another thread without holding
 * one, and answers that go on while there is more to tell. What is asked and answered is the user's. Without the library absent/http_absent.c stands in. */
#ifndef DPR_VIEW_HTTP_H
#define DPR_VIEW_HTTP_H

#include "base/text.h"

typedef struct dpr__http dpr__http;

/* A request, once its body is whole, and its answer. It belongs to a connection, as its context does, which serves one thread at a time: those of the server, or
 * whom an exchange that waits was handed to. */
typedef struct dpr__exchange {
    dpr_context *context;
    const char *method, *path, *type; /* type: the body's; "" where none is said. HEAD is GET */
    const uint8_t *body;
    size_t n_body;
    /* The answer: 0 until there is one. */
    unsigned status;
    const char *answer_type, *allow; /* allow: the methods that a 405 names, else NULL */
    dpr__text answer;
    bool streams;   /* the answer goes on: `more` adds to it */
    double seconds; /* from the request's head to its answer */
    void *job;      /* the user's */
} dpr__exchange;

typedef struct dpr__http_options {
    const char *host;
    uint16_t port;        /* 0: any that is free */
    unsigned threads;     /* that read requests and write answers */
    unsigned connections; /* at a time; requests on others are answered 503 */
    size_t body, bodies;  /* bytes of one body (413), and of all at a time (503) */
    double seconds; /* that a connection may take for a whole request, its answer, or for nothing */
    /* Called on the server's threads. answer: sets the answer, or calls dpr__http_wait first and later, from another thread, dpr__http_resume; then `finish`
     * sets it. done: the answer is sent, or lost; frees the job. An exchange that http.c refuses sees only done. */
    void (*answer)(void *user, dpr__exchange *exchange);
    void (*finish)(void *user, dpr__exchange *exchange);
    void (*done)(void *user, dpr__exchange *exchange);
    /* Of an answer that goes on: its text has been sent, and is empty again. Adds what there is by now; if that is nothing, dpr__http_wake asks again. Ends
     * the answer by clearing `streams`. May be NULL where no answer goes on. */
    void (*more)(void *user, dpr__exchange *exchange);
    void *user;
} dpr__http_options;

/* Listens, and answers from then on; *out is set before the first request, and NULL after errors. host is an address or a name of this machine.
 * Errors: DPR_E_IO names host, port and remedy; DPR_E_UNSUPPORTED (built without libmicrohttpd). */
dpr_status dpr__http_start(dpr_context *context, const dpr__http_options *options, dpr__http **out);
unsigned dpr__http_port(const dpr__http *http);
/* Connections that are open now. */
unsigned dpr__http_connections(dpr__http *http);
/* Closes connections that have taken too long; to be called about once a second. */
void dpr__http_tick(dpr__http *http);
/* Asks answers that go on for more. To be called a few times a second: an answer that is just about to wait misses it. */
void dpr__http_wake(dpr__http *http);
/* Takes no more connections, lets every request that has begun end within so many seconds, and frees. Those that wait must be resumed. Answers that go on are asked for more, for
 * the last time: they end. */
void dpr__http_stop(dpr__http *http, double seconds);

/* The value of ?name=… in the address; NULL where there is none. */
const char *dpr__http_query(dpr__exchange *exchange, const char *name);
/* The value of a header; "" where there is none. */
const char *dpr__http_header(dpr__exchange *exchange, const char *name);
/* Whether the client is gone for good: its connection was reset. One that has closed its end alone may still read. */
bool dpr__http_lost(dpr__exchange *exchange);
void dpr__http_wait(dpr__exchange *exchange);
void dpr__http_resume(dpr__exchange *exchange);
/* 200 with this text. */
void dpr__http_answer(dpr__exchange *exchange, const char *type, const char *text, size_t n);
/* Whether the request has the method, "GET" or "POST", that its path takes; else it is refused. */
bool dpr__http_takes(dpr__exchange *exchange, const char *method);
/* Makes {"error": …} of the message the answer. */
void dpr__http_refuse(dpr__exchange *exchange, unsigned status, const char *format, ...)
    DPR__PRINTF(3, 4);

#endif
