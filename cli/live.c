/* The page of a training (live.h). */
#include "live.h"
#include "json.h"
#include "progress.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "8080", "localhost:8080", "[::1]:8080": divided at the last colon. */
static bool read_place(const char *text, char host[256], unsigned *port) {
    const char *colon = strrchr(text, ':'), *digits = colon != NULL ? colon + 1 : text;
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;
    char *end;
    unsigned long value = isdigit((unsigned char)digits[0]) ? strtoul(digits, &end, 10) : 65536;
    bool v6 = n > 2 && text[0] == '[' && text[n - 1] == ']'; /* RFC 3986, section 3.2.2 */
    if (value > 65535 || *end != '\0' || n > 255 || (colon != NULL && n == 0))
        return false;
    if (colon == NULL)
        strcpy(host, "127.0.0.1");
    else
        snprintf(host, 256, "%.*s", (int)(v6 ? n - 2 : n), v6 ? text + 1 : text);
    *port = (unsigned)value;
    return v6 || strpbrk(host, "[:]") == NULL;
}

static void print_address(const struct settings *settings, const dpr_live *page, const char *host) {
    char url[300];
    server_url(host, dpr_live_port(page), url);
    if (settings->json) {
        out_value *line = out_object();
        out_set(line, "url", out_text(url));
        out_set(line, "token", out_text(dpr_live_token(page)));
        out_print(line, stdout);
        return;
    }
    printf("watch at %s; with %s#%s it can also be paused and stopped\n", url, url,
           dpr_live_token(page));
    fflush(stdout);
}

int live_begin(struct live *live, dpr_context *context, const struct settings *settings,
               const char *model) {
    dpr_live_options options = dpr_live_options_default();
    char host[256];
    if (settings->serve == NULL)
        return EXIT_DONE;
    if (!read_place(settings->serve, host, &options.port))
        return complain(EXIT_USAGE,
                        "--serve is '%s'; it must be [HOST:]PORT, such as 8080, 0.0.0.0:8080 or "
                        "[::1]:8080, with a port from 0 to 65535",
                        settings->serve);
    options.host = host;
    options.name = report_title(model);
    if (dpr_live_create(context, &options, &live->page) != DPR_OK)
        return fail(context);
    print_address(settings, live->page, host);
    return EXIT_DONE;
}

double live_progress(struct live *live, dpr_progress *now, const volatile int *stop) {
    if (live->page == NULL)
        return 0;
    if (live->epoch != now->epoch)
        live->paused = 0;
    live->epoch = now->epoch;
    now->seconds -= live->paused;
    double waited = dpr_live_progress(live->page, now, progress_left(now), stop);
    live->paused += waited;
    return waited;
}

void live_end(struct live *live, const dpr_context *context, int status,
              const struct train_result *result) {
    char message[512] = "The checkpoint is kept, and --resume goes on with it.";
    const char *outcome = status == EXIT_DONE     ? "done"
                          : status >= EXIT_SIGNAL ? "stopped"
                                                  : "failed";
    if (live->page == NULL)
        return;
    if (status == EXIT_DONE && result->test.n > 0)
        snprintf(message, sizeof message, "Test accuracy %.2f %%.", 100 * result->test.accuracy);
    else if (status == EXIT_DONE)
        strcpy(message, "There was no test half.");
    else if (status < EXIT_SIGNAL)
        snprintf(message, sizeof message, "%.500s", dpr_error(context));
    dpr_live_end(live->page, outcome, message);
    dpr_live_destroy(live->page);
    live->page = NULL;
}
