/* HTTP by libmicrohttpd (http.h): its threads read requests and write answers, each with an epoll of its own. */
#include "view/http.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Connections beyond those that are served: they get their 503, and have this long for it. */
enum { SURPLUS = 128, SURPLUS_SECONDS = 2 };
enum { KEPT_BODY = 1 << 16 }; /* a connection keeps this much room for its next request */

/* Pages hold their style and script, and ask this server alone for more. */
static const char PAGE_POLICY[] =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: "
    "blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

enum state { IDLE, READING, WAITING, ANSWERED };

/* A connection. Links are used again for later ones, since making a context takes a while. */
struct link {
    struct link *next, *before; /* among the open ones; next: also among the unused */
    struct link *woken;         /* the next of those that are being woken */
    dpr__http *http;
    dpr__exchange exchange; /* first of all its context */
    struct MHD_Connection *connection;
    int socket;
    bool surplus;
    _Atomic enum state state;
    uint8_t *body;
    size_t capacity;
    size_t sent;        /* bytes of an answer that goes on */
    atomic_bool parked; /* it has no more to say for now */
    _Atomic uint64_t
        since; /* when it was opened, or its last request done; 0: its answer is being worked on, or it waits for another thread, or for more to say */
    uint64_t begun; /* the request */
};

struct dpr__http {
    dpr_context *context;
    dpr__http_options options;
    struct MHD_Daemon *daemon;
    unsigned port;
    pthread_mutex_t lock; /* of the lists and the count */
    struct link *open, *unused;
    unsigned n_open;
    atomic_size_t bodies;         /* bytes */
    atomic_uint requests;         /* that have begun and are not done */
    atomic_uint resuming;         /* calls of dpr__http_resume */
    atomic_bool closing, stopped; /* stopped: nothing may wait any more */
};

/* ---- connections ---- */

static struct link *make_link(dpr__http *http) {
    struct link *link;
    dpr_context *own;
    if (dpr__context_beside(http->context, &own) != DPR_OK)
        return NULL;
    if (dpr__allocate(own, 1, sizeof *link, &link) != DPR_OK) {
        dpr_context_destroy(own);
        return NULL;
    }
    link->http = http;
    link->exchange.context = own;
    return link;
}

static void destroy_links(struct link *link) {
    while (link != NULL) {
        struct link *next = link->next;
        dpr_context *own = link->exchange.context;
        dpr__free(own, link->body);
        dpr__free(own, link);
        dpr_context_destroy(own);
        link = next;
    }
}

/* A link for a connection; NULL: memory is out, and requests on it are refused. */
static struct link *open_link(dpr__http *http, struct MHD_Connection *connection) {
    pthread_mutex_lock(&http->lock);
    struct link *link = http->unused;
    if (link != NULL)
        http->unused = link->next;
    pthread_mutex_unlock(&http->lock);
    if (link == NULL)
        link = make_link(http);
    if (link == NULL)
        return NULL;
    link->connection = connection;
    link->socket =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    link->state = IDLE;
    atomic_store(&link->since, dpr__now_ns());
    pthread_mutex_lock(&http->lock);
    link->surplus = http->n_open++ >= http->options.connections;
    link->before = NULL;
    link->next = http->open;
    if (http->open != NULL)
        http->open->before = link;
    http->open = link;
    pthread_mutex_unlock(&http->lock);
    return link;
}

/* Called before the socket is closed, so that dpr__http_tick never sees one that is another's. */
static void close_link(struct link *link) {
    dpr__http *http = link->http;
    pthread_mutex_lock(&http->lock);
    *(link->before != NULL ? &link->before->next : &http->open) = link->next;
    if (link->next != NULL)
        link->next->before = link->before;
    link->next = http->unused;
    http->unused = link;
    http->n_open--;
    pthread_mutex_unlock(&http->lock);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **kept,
                          enum MHD_ConnectionNotificationCode what) {
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *kept = open_link(user, connection);
    else if (*kept != NULL)
        close_link(*kept);
}

unsigned dpr__http_connections(dpr__http *http) {
    pthread_mutex_lock(&http->lock);
    unsigned n = http->n_open;
    pthread_mutex_unlock(&http->lock);
    return n;
}

/* Whether the client has closed its end before it has asked. The library does not notice where that came together with the last bytes. Who has asked may close, and read on. */
static bool is_left(struct link *link) {
    enum state state = atomic_load(&link->state);
    char byte;
    return (state == IDLE || state == READING) &&
           recv(link->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void dpr__http_tick(dpr__http *http) {
    const uint64_t second = 1000000000;
    uint64_t now = dpr__now_ns();
    pthread_mutex_lock(&http->lock);
    for (struct link *link = http->open; link != NULL; link = link->next) {
        uint64_t since = atomic_load(&link->since);
        double most = link->surplus ? SURPLUS_SECONDS : http->options.seconds;
        if (since == 0 || now < since + second)
            continue;
        if ((double)(now - since) > 1e9 * most || is_left(link))
            shutdown(link->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&http->lock);
}

/* ---- answers that go on ---- */

/* Fills `out` with what is not yet sent. A connection that is parked stays open until it is woken (MHD_suspend_connection). */
static ssize_t read_stream(void *user, uint64_t position, char *out, size_t most) {
    struct link *link = user;
    dpr__exchange *x = &link->exchange;
    const dpr__http_options *options = &link->http->options;
    (void)position;
    atomic_store(&link->since, dpr__now_ns());
    if (link->sent == x->answer.length) {
        if (!x->streams)
            return MHD_CONTENT_READER_END_OF_STREAM;
        x->answer.length = link->sent = 0;
        x->streams = !atomic_load(&link->http->closing);
        options->more(options->user, x);
    }
    if (x->answer.status != DPR_OK)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = x->answer.length - link->sent;
    if (n == 0 && !x->streams)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        MHD_suspend_connection(link->connection);
        atomic_store(&link->since, 0);
        atomic_store(&link->parked, true);
        return 0;
    }
    n = n < most ? n : most;
    memcpy(out, x->answer.data + link->sent, n);
    link->sent += n;
    return (ssize_t)n;
}

/* Links are gathered first: the library is not called under the lock. None of them is closed before it is resumed. */
void dpr__http_wake(dpr__http *http) {
    struct link *woken = NULL;
    pthread_mutex_lock(&http->lock);
    for (struct link *link = http->open; link != NULL; link = link->next)
        if (atomic_exchange(&link->parked, false)) {
            link->woken = woken;
            woken = link;
        }
    pthread_mutex_unlock(&http->lock);
    while (woken != NULL) {
        struct link *link = woken;
        woken = link->woken;
        atomic_store(&link->since, dpr__now_ns());
        MHD_resume_connection(link->connection);
    }
}

/* What waits in the socket stays small: a slow reader is told what is new when it comes to read. */
static struct MHD_Response *make_stream(struct link *link) {
    int bytes = 1 << 14;
    (void)setsockopt(link->socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    link->sent = 0;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1 << 14, read_stream, link, NULL);
}

/* ---- answers ---- */

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response) {
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result out_of_memory(struct MHD_Connection *connection) {
    static char text[] = "{\"error\":\"out of memory\"}";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    if (response != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return queue(connection, MHD_HTTP_SERVICE_UNAVAILABLE, response);
}

/* The answer's text stays until the exchange is done. */
static enum MHD_Result send_answer(struct link *link) {
    dpr__exchange *x = &link->exchange;
    dpr__http *http = link->http;
    link->state = ANSWERED;
    x->seconds = 1e-9 * (double)(dpr__now_ns() - link->begun);
    if (x->answer.status != DPR_OK) {
        x->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        return out_of_memory(link->connection);
    }
    struct MHD_Response *response =
        x->streams ? make_stream(link)
                   : MHD_create_response_from_buffer(x->answer.length, x->answer.data,
                                                     MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, x->answer_type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (strncmp(x->answer_type, "text/html", 9) == 0)
        MHD_add_response_header(response, "Content-Security-Policy", PAGE_POLICY);
    if (x->allow != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, x->allow);
    if (link->surplus || atomic_load(&http->closing))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return queue(link->connection, x->status, response);
}

/* ---- requests ---- */

static const char *header(struct MHD_Connection *connection, const char *name) {
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value != NULL ? value : "";
}

static struct link *link_of(dpr__exchange *exchange) {
    return (struct link *)(void *)((char *)exchange - offsetof(struct link, exchange));
}

const char *dpr__http_query(dpr__exchange *exchange, const char *name) {
    return MHD_lookup_connection_value(link_of(exchange)->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *dpr__http_header(dpr__exchange *exchange, const char *name) {
    return header(link_of(exchange)->connection, name);
}

bool dpr__http_lost(dpr__exchange *exchange) {
    char byte;
    return recv(link_of(exchange)->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == ECONNRESET;
}

void dpr__http_wait(dpr__exchange *exchange) {
    struct link *link = link_of(exchange);
    link->state = WAITING;
    atomic_store(&link->since, 0);
    MHD_suspend_connection(link->connection);
}

void dpr__http_resume(dpr__exchange *exchange) {
    struct link *link = link_of(exchange);
    dpr__http *http = link->http;
    atomic_fetch_add(&http->resuming, 1);
    atomic_store(&link->since, dpr__now_ns());
    MHD_resume_connection(link->connection); /* from here on the link is another thread's */
    atomic_fetch_sub(&http->resuming, 1);
}

static void refuse_large(dpr__exchange *exchange, size_t most) {
    dpr__http_refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE,
                     "the body is larger than the %zu bytes that are taken; send fewer or smaller "
                     "images",
                     most);
}

/* What the head alone decides. A client that waits with its body (Expect: 100-continue) is told at once, another one when all of its body was read and
 * forgotten: only then does it look for an answer. */
static enum MHD_Result begin(struct link *link, const char *url, const char *method) {
    dpr__exchange *x = &link->exchange;
    dpr__http *http = link->http;
    dpr_context *own = x->context;
    *x = (dpr__exchange){.context = own, .path = url, .answer_type = "application/json"};
    dpr__text_init(&x->answer, own);
    x->method = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ? MHD_HTTP_METHOD_GET : method;
    x->type = header(link->connection, MHD_HTTP_HEADER_CONTENT_TYPE);
    link->state = READING;
    link->begun = dpr__now_ns();
    atomic_store(&link->since, link->begun);
    atomic_fetch_add(&http->requests, 1);
    uint64_t length = 0;
    bool told = dpr__parse_u64(header(link->connection, MHD_HTTP_HEADER_CONTENT_LENGTH), &length);
    if (link->surplus)
        dpr__http_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE,
                         "%u connections are served already; try again later",
                         http->options.connections);
    else if (told && length > http->options.body)
        refuse_large(x, http->options.body);
    bool waits = strcasecmp(header(link->connection, MHD_HTTP_HEADER_EXPECT), "100-continue") == 0;
    return x->status != 0 && waits ? send_answer(link) : MHD_YES;
}

static void take_body(struct link *link, const char *bytes, size_t n) {
    dpr__exchange *x = &link->exchange;
    dpr__http *http = link->http;
    if (x->status != 0) /* refused */
        return;
    if (n > http->options.body - x->n_body) {
        refuse_large(x, http->options.body);
        return;
    }
    size_t held = atomic_fetch_add(&http->bodies, n);
    x->n_body += n;
    if (held + n > http->options.bodies)
        dpr__http_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE,
                         "too many large requests at a time; try again later");
    else if (dpr__grow(x->context, &link->body, &link->capacity, x->n_body, 1) != DPR_OK)
        dpr__http_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", dpr_error(x->context));
    else
        memcpy(link->body + x->n_body - n, bytes, n);
}

/* While the answer is worked on `since` is 0: nobody cuts the client, and dpr__http_stop, which sets `stopped` before it looks for such links, either finds this one or is seen here.
 * Later than that no connection may be suspended: MHD_stop_daemon would abort. */
static void ask(struct link *link) {
    const dpr__http_options *options = &link->http->options;
    dpr__exchange *x = &link->exchange;
    x->body = link->body;
    atomic_store(&link->since, 0);
    if (atomic_load(&link->http->stopped))
        dpr__http_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the server ends; ask another one");
    else
        options->answer(options->user, x);
    if (link->state != WAITING)
        atomic_store(&link->since, dpr__now_ns());
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **kept) {
    dpr__http *http = user;
    struct link *link = *kept;
    (void)version;
    if (link == NULL) {
        link =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
        if (link == NULL)
            return out_of_memory(connection);
        *kept = link;
        return begin(link, url, method);
    }
    dpr__exchange *x = &link->exchange;
    if (*n > 0) {
        take_body(link, bytes, *n);
        *n = 0;
        return MHD_YES;
    }
    if (link->state == WAITING) {
        http->options.finish(http->options.user, x);
    } else if (link->state == READING && x->status == 0) {
        ask(link);
        if (link->state == WAITING)
            return MHD_YES;
    }
    return link->state == ANSWERED ? MHD_YES : send_answer(link);
}

static void on_done(void *user, struct MHD_Connection *connection, void **kept,
                    enum MHD_RequestTerminationCode how) {
    dpr__http *http = user;
    struct link *link = *kept;
    (void)connection, (void)how;
    if (link == NULL)
        return;
    dpr__exchange *x = &link->exchange;
    http->options.done(http->options.user, x);
    dpr__text_release(&x->answer);
    atomic_fetch_sub(&http->bodies, x->n_body);
    if (link->capacity > KEPT_BODY) {
        dpr__free(x->context, link->body);
        link->body = NULL;
        link->capacity = 0;
    }
    link->state = IDLE;
    atomic_store(&link->since, dpr__now_ns());
    atomic_fetch_sub(&http->requests, 1);
    *kept = NULL;
}

/* ---- listening ---- */

static dpr_status cannot_listen(const dpr__http *http, int error) {
    const dpr__http_options *o = &http->options;
    const char *remedy = error == EADDRINUSE
                             ? "; another program listens there: choose another port"
                         : error == EACCES        ? "; choose a port from 1024 on"
                         : error == EADDRNOTAVAIL ? "; choose an address of this machine"
                                                  : "";
    return DPR_FAIL(http->context, DPR_E_IO, "cannot listen on %s, port %u: %s%s", o->host, o->port,
                    strerror(error), remedy);
}

/* Binds and listens; the error number, or 0. */
static int listen_on(const struct addrinfo *at, int *out) {
    int one = 1, s = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return errno;
    (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s, at->ai_addr, at->ai_addrlen) == 0 && listen(s, SOMAXCONN) == 0) {
        *out = s;
        return 0;
    }
    int error = errno;
    close(s);
    return error;
}

static dpr_status open_socket(dpr__http *http, int *out) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    char port[8];
    snprintf(port, sizeof port, "%u", http->options.port);
    int failed = getaddrinfo(http->options.host, port, &hints, &found), error = 0;
    if (failed != 0)
        return DPR_FAIL(http->context, DPR_E_IO,
                        "cannot listen on '%s': %s; give an address of this machine, such as "
                        "127.0.0.1, or 0.0.0.0 for all of them",
                        http->options.host, gai_strerror(failed));
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        error = listen_on(at, out);
        if (error == 0)
            break;
    }
    freeaddrinfo(found);
    return error == 0 ? DPR_OK : cannot_listen(http, error);
}

static unsigned port_of(int socket) {
    struct sockaddr_storage at = {0};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    socklen_t n = sizeof at;
    if (getsockname(socket, (struct sockaddr *)&at, &n) != 0)
        return 0;
    memcpy(&v4, &at, sizeof v4);
    memcpy(&v6, &at, sizeof v6);
    return ntohs(at.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

/* Signals are the caller's: the library's threads take none. */
static struct MHD_Daemon *start_daemon(dpr__http *http, int socket) {
    unsigned threads = http->options.threads;
    unsigned most = http->options.connections + SURPLUS;
    sigset_t all, before;
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
                                    {MHD_OPTION_END, 0, NULL}};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, http,
        MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT, most,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_NOTIFY_COMPLETED, on_done,
        http, MHD_OPTION_ARRAY, threads > 1 ? pool : pool + 1, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

dpr_status dpr__http_start(dpr_context *context, const dpr__http_options *options,
                           dpr__http **out) {
    dpr__http *http;
    int socket = -1;
    DPR_TRY(dpr__allocate(context, 1, sizeof *http, &http));
    http->context = context;
    http->options = *options;
    pthread_mutex_init(&http->lock, NULL);
    dpr_status status = open_socket(http, &socket);
    if (status == DPR_OK) {
        http->port = port_of(socket);
        *out = http; /* requests may be answered before this function returns */
        http->daemon = start_daemon(http, socket);
        if (http->daemon == NULL) {
            status = DPR_FAIL(context, DPR_E_IO,
                              "libmicrohttpd cannot start: %s; ask for fewer connections",
                              strerror(errno));
            close(socket);
        }
    }
    if (status != DPR_OK) {
        *out = NULL;
        pthread_mutex_destroy(&http->lock);
        dpr__free(context, http);
    }
    return status;
}

unsigned dpr__http_port(const dpr__http *http) {
    return http->port;
}

static bool any_waits(dpr__http *http) {
    bool found = false; /* `since` is set before a connection is resumed, `resuming` before that */
    pthread_mutex_lock(&http->lock);
    for (const struct link *link = http->open; link != NULL && !found; link = link->next)
        found = atomic_load(&link->since) == 0;
    pthread_mutex_unlock(&http->lock);
    return found || atomic_load(&http->resuming) > 0;
}

void dpr__http_stop(dpr__http *http, double seconds) {
    const struct timespec pause = {.tv_nsec = 5000000};
    uint64_t began = dpr__now_ns();
    atomic_store(&http->closing, true);
    int socket = MHD_quiesce_daemon(http->daemon);
    if (socket >= 0)
        shutdown(socket, SHUT_RDWR); /* refuses clients; the daemon's thread may still use it */
    /* A request whose bytes have arrived may not have been looked at: none may be seen for a while. */
    for (int quiet = 0; quiet < 4;) {
        bool late = (double)(dpr__now_ns() - began) > 1e9 * seconds;
        dpr__http_wake(http);
        quiet = atomic_load(&http->requests) == 0 || late ? quiet + 1 : 0;
        nanosleep(&pause, NULL);
    }
    atomic_store(&http->stopped, true);
    while (any_waits(http)) {
        dpr__http_wake(http);
        nanosleep(&pause, NULL);
    }
    MHD_stop_daemon(http->daemon);
    if (socket >= 0)
        close(socket);
    destroy_links(http->open);
    destroy_links(http->unused);
    pthread_mutex_destroy(&http->lock);
    dpr__free(http->context, http);
}
