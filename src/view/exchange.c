/* What http.h offers without libmicrohttpd. */
#include "view/http.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void dpr__http_refuse(dpr__exchange *exchange, unsigned status, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    exchange->status = status;
    exchange->answer_type = "application/json";
    exchange->answer.length = 0;
    dpr__text_add(&exchange->answer, "{\"error\":");
    dpr__text_json(&exchange->answer, message);
    dpr__text_bytes(&exchange->answer, "}", 1);
}

void dpr__http_answer(dpr__exchange *exchange, const char *type, const char *text, size_t n) {
    exchange->status = 200;
    exchange->answer_type = type;
    dpr__text_bytes(&exchange->answer, text, n);
}

bool dpr__http_takes(dpr__exchange *exchange, const char *method) {
    if (strcmp(exchange->method, method) == 0)
        return true;
    exchange->allow = strcmp(method, "POST") == 0 ? "POST" : "GET, HEAD";
    dpr__http_refuse(exchange, 405, "this path takes %s", exchange->allow);
    return false;
}
