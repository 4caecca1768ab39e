/* Contexts: options checked, messages kept, lines logged. */
#include "base/context.h"
#include "base/memory.h"
#include "base/team.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *dpr_version(void) {
    return DPR_VERSION;
}

const char *dpr_status_text(dpr_status status) {
    static const char *const TEXTS[] = {
#define X(name, text) text,
        DPR_STATUS_MAP(X)
#undef X
    };
    size_t i = (size_t)status;
    return i < sizeof TEXTS / sizeof *TEXTS ? TEXTS[i] : "unknown status";
}

/* ---- failing and logging ---- */

dpr_status dpr__fail(dpr_context *context, dpr_status status, const char *file, int line,
                     const char *format, ...) {
    char message[DPR__ERROR_BYTES]; /* the arguments may point into the old message */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    memcpy(context->error, message, sizeof message);
    dpr__log(context, DPR_LOG_DEBUG, DPR__TOPIC_GENERAL, "%s:%d: %s", file, line, message);
    return status;
}

void dpr__error_prefix(dpr_context *context, const char *format, ...) {
    char prefix[DPR__ERROR_BYTES / 2], message[2 * DPR__ERROR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    snprintf(message, sizeof message, "%s: %s", prefix, context->error);
    message[sizeof context->error - 1] = '\0';
    strcpy(context->error, message);
}

const char *dpr_error(const dpr_context *context) {
    return context ? context->error : "";
}

void dpr__log(dpr_context *context, dpr_log_level level, dpr__topic topic, const char *format,
              ...) {
    static const char *const WORDS[] = {
#define X(name, word, text) word,
        DPR__TOPIC_MAP(X)
#undef X
    };
    if (context->options.log == NULL || level > context->level[topic])
        return;
    char line[DPR__ERROR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    context->options.log(context->options.log_user, level, WORDS[topic], line);
}

/* ---- nearest word ---- */

/* Levenshtein's distance, with a row of costs on the stack; words beyond 63 letters are never near. */
static size_t distance(const char *a, const char *b) {
    enum { MOST = 64 };
    size_t n = strlen(a), m = strlen(b), cost[MOST];
    if (n >= MOST || m >= MOST)
        return MOST;
    for (size_t j = 0; j <= m; j++)
        cost[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = cost[0];
        cost[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = cost[j];
            size_t best = cost[j] < cost[j - 1] ? cost[j] + 1 : cost[j - 1] + 1;
            cost[j] = best < change ? best : change;
        }
    }
    return cost[m];
}

const char *dpr_nearest_word(const char *word, const char *const *words, size_t n) {
    size_t least = strlen(word) / 3 + 2; /* near: about a third of the letters differ */
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, words[i]);
        if (d < least) {
            least = d;
            nearest = words[i];
        }
    }
    return nearest;
}

/* ---- options ---- */

static void *default_allocate(void *user, void *memory, size_t bytes) {
    (void)user;
    if (bytes > 0)
        return realloc(memory, bytes);
    free(memory);
    return NULL;
}

dpr_context_options dpr_context_options_default(void) {
    return (dpr_context_options){.size = sizeof(dpr_context_options), .device = "cpu"};
}

static dpr_status unknown(dpr_context *context, const char *what, const char *word,
                          const char *const *words, size_t n) {
    const char *nearest = dpr_nearest_word(word, words, n);
    if (nearest != NULL)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "unknown %s '%s'; did you mean '%s'?", what, word,
                        nearest);
    char list[256] = "";
    for (size_t i = 0; i < n; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", words[i]);
    return DPR_FAIL(context, DPR_E_ARGUMENT, "unknown %s '%s'; it is one of: %s", what, word, list);
}

static dpr_status find_word(dpr_context *context, const char *what, const char *word,
                            const char *const *words, size_t n, size_t *out) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0) {
            *out = i;
            return DPR_OK;
        }
    return unknown(context, what, word, words, n);
}

/* Cuts the next word of a comma list into `word`; false at the end. */
static bool next_word(const char **list, char *word, size_t bytes) {
    *list += strspn(*list, ", ");
    size_t n = strcspn(*list, ", ");
    if (n == 0)
        return false;
    snprintf(word, bytes, "%.*s", (int)(n < bytes ? n : bytes - 1), *list);
    *list += n;
    return true;
}

static dpr_status set_disabled(dpr_context *context, const char *list) {
    static const char *const WORDS[] = {
#define X(name, word) word,
        DPR__PASS_MAP(X)
#undef X
    };
    char word[64];
    size_t pass = 0;
    while (list != NULL && next_word(&list, word, sizeof word)) {
        DPR_TRY(find_word(context, "pass", word, WORDS, DPR__N_PASSES, &pass));
        context->pass_disabled[pass] = true;
    }
    return DPR_OK;
}

static dpr_status set_levels(dpr_context *context, const char *list) {
    static const char *const WORDS[] = {
#define X(name, word, text) word,
        DPR__TOPIC_MAP(X)
#undef X
    };
    static const char *const LEVELS[] = {"warning", "info", "debug"};
    char word[64];
    while (list != NULL && next_word(&list, word, sizeof word)) {
        size_t topic = 0, level = DPR_LOG_DEBUG;
        char *colon = strchr(word, ':');
        if (colon != NULL) {
            *colon = '\0';
            DPR_TRY(find_word(context, "log level", colon + 1, LEVELS, 3, &level));
        }
        bool all = strcmp(word, "all") == 0;
        if (!all)
            DPR_TRY(find_word(context, "log topic", word, WORDS, DPR__N_TOPICS, &topic));
        for (size_t i = 0; i < DPR__N_TOPICS; i++)
            if (all || i == topic)
                context->level[i] = (dpr_log_level)level;
    }
    return DPR_OK;
}

static dpr_status set_isa(dpr_context *context, const char *word) {
    static const char *const WORDS[] = {
#define X(name, isa_word) isa_word,
        DPR__ISA_MAP(X)
#undef X
    };
    size_t isa = 0;
    context->isa = dpr__isa_detect();
    if (word == NULL)
        return DPR_OK;
    DPR_TRY(find_word(context, "instruction set", word, WORDS, DPR__N_ISAS, &isa));
    if (isa > (size_t)context->isa)
        return DPR_FAIL(context, DPR_E_UNSUPPORTED,
                        "this machine has no %s; the best that it has is %s", word,
                        dpr__isa_name(context->isa));
    context->isa = (dpr__isa)isa;
    return DPR_OK;
}

static const char *const PRECISIONS[] = {"float32", "bf16"};

dpr_status dpr__precision_of(dpr_context *context, const char *word, dpr__precision_word *out) {
    size_t precision = 0;
    DPR_TRY(find_word(context, "precision", word != NULL ? word : "", PRECISIONS, 2, &precision));
    *out = (dpr__precision_word)precision;
    return DPR_OK;
}

static dpr_status set_options(dpr_context *context) {
    static const char *const DEVICES[] = {"cpu", "ref"};
    const dpr_context_options *options = &context->options;
    size_t device = 0;
    context->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (context->c_locale == (locale_t)0)
        return DPR_FAIL(context, DPR_E_MEMORY, "out of memory: no C locale");
    if (options->device != NULL)
        DPR_TRY(find_word(context, "device", options->device, DEVICES, 2, &device));
    context->device = (dpr__device)device;
    if (options->precision != NULL)
        DPR_TRY(dpr__precision_of(context, options->precision, &context->precision));
    DPR_TRY(set_isa(context, options->cpu_isa));
    DPR_TRY(set_disabled(context, options->disabled_passes));
    DPR_TRY(set_levels(context, options->log_topics));
    if (options->threads > 1024)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "%u threads are too many; at most 1024",
                        options->threads);
    context->threads = options->threads > 0 ? options->threads : dpr__usable_cores();
    return DPR_OK;
}

dpr_status dpr_context_create(const dpr_context_options *options, dpr_context **out) {
    dpr_context_options all = dpr_context_options_default();
    if (options != NULL)
        memcpy(&all, options, options->size < sizeof all ? options->size : sizeof all);
    if (all.allocate == NULL)
        all.allocate = default_allocate;
    *out = NULL;
    dpr_context *context = all.allocate(all.allocate_user, NULL, sizeof *context);
    if (context == NULL)
        return DPR_E_MEMORY;
    memset(context, 0, sizeof *context);
    context->options = all;
    *out = context;
    return set_options(context);
}

dpr_status dpr__context_beside(const dpr_context *context, dpr_context **out) {
    dpr_context_options options = dpr_context_options_default();
    options.threads = 1;
    options.allocate = context->options.allocate;
    options.allocate_user = context->options.allocate_user;
    dpr_status status = dpr_context_create(&options, out);
    if (status != DPR_OK) {
        dpr_context_destroy(*out);
        *out = NULL;
    }
    return status;
}

void dpr_context_destroy(dpr_context *context) {
    if (context == NULL)
        return;
    dpr__team_destroy(context->team);
    if (context->c_locale != (locale_t)0)
        freelocale(context->c_locale);
    context->options.allocate(context->options.allocate_user, context, 0);
}

const char *dpr_context_precision(const dpr_context *context) {
    return PRECISIONS[context->precision];
}

const char *dpr_context_isa(const dpr_context *context) {
    return dpr__isa_name(context->isa);
}

unsigned dpr_context_threads(const dpr_context *context) {
    return context->threads;
}
