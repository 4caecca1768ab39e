/* A training that is watched over HTTP (live.h). One thread of http.c answers; another, the ticker, brings the edition up to date four times a second where
 * somebody reads events, and asks connections for more. */
#include "view/live.h"
#include "base/clock.h"
#include "base/context.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { CONNECTIONS = 64, MOST_BODY = 1 << 12, SECONDS = 5, TICKS = 4 /* a second */ };
/* What a request that has begun gets in the end, however slow its reader is. */
static const double LINGER = 1;
static const uint64_t QUIET_NS = 10000000000; /* without an event; then a comment is sent */

/* ---- requests ---- */

/* A reader of events. */
struct reader {
    uint64_t seen[DPR__N_LIVE_PARTS], said_ns;
};

/* Compared in a time that does not depend on where they differ. */
static bool is_token(const char *given, const char *token) {
    unsigned differ = 0;
    if (strlen(given) != DPR__TOKEN_DIGITS)
        return false;
    for (size_t i = 0; i < DPR__TOKEN_DIGITS; i++)
        differ |= (unsigned)(unsigned char)given[i] ^ (unsigned)(unsigned char)token[i];
    return differ == 0;
}

static void wish(dpr_live *live, dpr__exchange *x, dpr__live_wish wanted) {
    static const char BEARER[] = "Bearer ";
    const char *given = dpr__http_header(x, "Authorization");
    dpr__live_wish before = DPR__WISH_GO;
    if (!dpr__http_takes(x, "POST"))
        return;
    if (strncmp(given, BEARER, sizeof BEARER - 1) != 0 ||
        !is_token(given + sizeof BEARER - 1, live->token)) {
        dpr__http_refuse(x, 403,
                         "this takes the token that deeper printed at its start, as "
                         "'Authorization: Bearer TOKEN'");
        return;
    }
    while (before != DPR__WISH_STOP && /* who has asked for the end gets it */
           !atomic_compare_exchange_weak(&live->wish, &before, wanted))
        continue;
    static const char *const WORDS[] = {[DPR__WISH_GO] = "{\"wish\":\"continue\"}",
                                        [DPR__WISH_PAUSE] = "{\"wish\":\"pause\"}",
                                        [DPR__WISH_STOP] = "{\"wish\":\"stop\"}"};
    const char *word = WORDS[atomic_load(&live->wish)];
    dpr__http_answer(x, "application/json", word, strlen(word));
}

static void begin_events(dpr_live *live, dpr__exchange *x) {
    struct reader *reader;
    if (dpr__allocate(x->context, 1, sizeof *reader, &reader) != DPR_OK) {
        dpr__http_refuse(x, 503, "%s", dpr_error(x->context));
        return;
    }
    reader->said_ns = dpr__now_ns();
    x->job = reader;
    x->streams = true;
    atomic_fetch_add(&live->readers, 1);
    dpr__http_answer(x, "text/event-stream", "", 0);
}

static void answer_now(dpr_live *live, dpr__exchange *x, bool page) {
    dpr__live_edition *e = &live->edition;
    pthread_mutex_lock(&e->lock);
    dpr__live_refresh(live, page);
    if (page) {
        dpr__http_answer(x, "text/html; charset=utf-8", "", 0);
        dpr__live_write_page(live, &x->answer);
    } else {
        const dpr__text *now = &e->part[DPR__LIVE_NOW];
        dpr__http_answer(x, "application/json", now->length > 0 ? now->data : "", now->length);
    }
    pthread_mutex_unlock(&e->lock);
}

static void answer(void *user, dpr__exchange *x) {
    static const struct {
        const char *path;
        dpr__live_wish wish;
    } WISHES[] = {
        {"/continue", DPR__WISH_GO}, {"/pause", DPR__WISH_PAUSE}, {"/stop", DPR__WISH_STOP}};
    dpr_live *live = user;
    for (size_t i = 0; i < sizeof WISHES / sizeof *WISHES; i++)
        if (strcmp(x->path, WISHES[i].path) == 0) {
            wish(live, x, WISHES[i].wish);
            return;
        }
    bool page = strcmp(x->path, "/") == 0, events = strcmp(x->path, "/events") == 0;
    if (!page && !events && strcmp(x->path, "/now") != 0)
        dpr__http_refuse(x, 404,
                         "there is nothing at this path; there are /, /now, /events, and with "
                         "POST /pause, /continue, /stop");
    else if (!dpr__http_takes(x, "GET"))
        return;
    else if (events)
        begin_events(live, x);
    else
        answer_now(live, x, page);
}

static void more(void *user, dpr__exchange *x) {
    dpr_live *live = user;
    struct reader *reader = x->job;
    uint64_t now = dpr__now_ns();
    pthread_mutex_lock(&live->edition.lock);
    dpr__live_write_events(live, reader->seen, &x->answer);
    x->streams &= !live->edition.last;
    pthread_mutex_unlock(&live->edition.lock);
    if (x->answer.length == 0 && now - reader->said_ns > QUIET_NS) /* finds out who has left */
        dpr__text_add(&x->answer, ":\n\n");
    if (x->answer.length > 0)
        reader->said_ns = now;
}

static void done(void *user, dpr__exchange *x) {
    dpr_live *live = user;
    if (x->job != NULL)
        atomic_fetch_sub(&live->readers, 1);
    dpr__free(x->context, x->job);
    x->job = NULL;
}

/* ---- the ticker ---- */

static void *tick(void *user) {
    dpr_live *live = user;
    const struct timespec pause = {.tv_nsec = 1000000000 / TICKS};
    for (unsigned i = 1; !atomic_load(&live->quits); i++) {
        nanosleep(&pause, NULL);
        if (i % TICKS == 0)
            dpr__http_tick(live->http);
        if (atomic_load(&live->readers) == 0)
            continue;
        pthread_mutex_lock(&live->edition.lock);
        dpr__live_refresh(live, false);
        pthread_mutex_unlock(&live->edition.lock);
        dpr__http_wake(live->http);
    }
    return NULL;
}

/* Signals are the trainer's. */
static dpr_status start_ticker(dpr_live *live) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&live->ticker, NULL, tick, live);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return DPR_FAIL(live->context, DPR_E_IO, "cannot start a thread: %s", strerror(failed));
    pthread_setname_np(live->ticker, "live");
    live->ticks = true;
    return DPR_OK;
}

/* ---- life ---- */

dpr_live_options dpr_live_options_default(void) {
    return (dpr_live_options){
        .size = sizeof(dpr_live_options), .host = "127.0.0.1", .port = 8080, .name = "model"};
}

static dpr_status make_token(dpr_live *live) {
    unsigned char bytes[DPR__TOKEN_DIGITS / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return DPR_FAIL(live->context, DPR_E_IO, "cannot get random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(live->token + 2 * i, 3, "%02x", bytes[i]);
    return DPR_OK;
}

/* Readers have a context of their own: the trainer's is in use. */
static dpr_status make_edition(dpr_live *live) {
    dpr__live_edition *e = &live->edition;
    if (dpr__context_beside(live->context, &e->context) != DPR_OK)
        return DPR_FAIL(live->context, DPR_E_MEMORY, "out of memory");
    for (int i = 0; i < DPR__N_LIVE_TEXTS; i++)
        dpr__text_init(&e->news.text[i], e->context);
    for (int i = 0; i < DPR__N_LIVE_PARTS; i++)
        dpr__text_init(&e->part[i], e->context);
    e->turns.began = dpr__now_ns();
    return DPR_OK;
}

static dpr_status start(dpr_live *live, const dpr_live_options *o) {
    const dpr__http_options options = {.host = o->host,
                                       .port = (uint16_t)o->port,
                                       .threads = 1,
                                       .connections = CONNECTIONS,
                                       .body = MOST_BODY,
                                       .bodies = CONNECTIONS * MOST_BODY,
                                       .seconds = SECONDS,
                                       .answer = answer,
                                       .done = done,
                                       .more = more,
                                       .user = live};
    DPR_TRY(dpr__duplicate(live->context, o->name, &live->name));
    DPR_TRY(make_token(live));
    DPR_TRY(make_edition(live));
    DPR_TRY(dpr__http_start(live->context, &options, &live->http));
    return start_ticker(live);
}

dpr_status dpr_live_create(dpr_context *context, const dpr_live_options *options, dpr_live **out) {
    dpr_live_options o = options != NULL ? *options : dpr_live_options_default();
    dpr_live *live;
    if (o.port > 65535)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "port is %u; it must be from 0 to 65535", o.port);
    DPR_TRY(dpr__allocate(context, 1, sizeof *live, &live));
    live->context = context;
    live->mine.left = live->told.left = (double)NAN;
    pthread_mutex_init(&live->lock, NULL);
    pthread_mutex_init(&live->edition.lock, NULL);
    for (int i = 0; i < DPR__N_LIVE_TEXTS; i++) {
        dpr__text_init(&live->mine.text[i], context);
        dpr__text_init(&live->told.text[i], context);
    }
    dpr_status status = start(live, &o);
    if (status != DPR_OK) {
        dpr_live_destroy(live);
        return status;
    }
    *out = live;
    return DPR_OK;
}

unsigned dpr_live_port(const dpr_live *live) {
    return dpr__http_port(live->http);
}

const char *dpr_live_token(const dpr_live *live) {
    return live->token;
}

static void release_edition(dpr__live_edition *e) {
    if (e->context == NULL)
        return;
    for (int i = 0; i < DPR__N_LIVE_TEXTS; i++)
        dpr__text_release(&e->news.text[i]);
    for (int i = 0; i < DPR__N_LIVE_PARTS; i++)
        dpr__text_release(&e->part[i]);
    dpr_context_destroy(e->context);
}

void dpr_live_destroy(dpr_live *live) {
    if (live == NULL)
        return;
    atomic_store(&live->quits, true);
    if (live->ticks)
        pthread_join(live->ticker, NULL);
    if (live->http != NULL) {
        pthread_mutex_lock(&live->edition.lock);
        dpr__live_refresh(live, true); /* the last */
        pthread_mutex_unlock(&live->edition.lock);
        dpr__http_stop(live->http, LINGER);
    }
    release_edition(&live->edition);
    for (int i = 0; i < DPR__N_LIVE_TEXTS; i++) {
        dpr__text_release(&live->mine.text[i]);
        dpr__text_release(&live->told.text[i]);
    }
    pthread_mutex_destroy(&live->edition.lock);
    pthread_mutex_destroy(&live->lock);
    dpr__free(live->context, live->name);
    dpr__free(live->context, live);
}
